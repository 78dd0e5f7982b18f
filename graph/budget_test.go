package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/testbed"
)

// adviser is what somebody who advises a learner looks at: everything earned,
// what it says of which competency, and the latest record.
const adviser = `
fragment picture on Learner {
  displayName
  records(first: 1) { nodes { version partial } }
  assertions(first: 20) { nodes {
    achievedOn term
    achievementVersion { version definition { name } }
    results { value status resultDescription { name resultType } achievedLevel { name level } }
    achievement { alignments { targetName competency { fullStatement path { fullStatement } } } }
  } }
}`

// counted asks and counts the statements that the answer took.
func (a *api) counted(t testing.TB, query string) (answer, *pg.Statements) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	ctx, n := pg.Count(t.Context())
	r := httptest.NewRequestWithContext(ctx, "POST", "/graphql", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return a.send(t, r).good(t), n
}

// repeated are the statements with how often each was sent.
func repeated(n *pg.Statements) string {
	var b strings.Builder
	times := map[string]int{}
	for _, sql := range n.SQL() {
		times[strings.Join(strings.Fields(sql), " ")]++
	}
	for sql, n := range times {
		fmt.Fprintf(&b, "%4d %.300s\n", n, sql)
	}
	return b.String()
}

func TestALearnersPictureCostsEightStatementsForOneAndForAHundred(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.Load(t)
	for n := range 3 {
		if _, err := a.Records.Assemble(t.Context(), a.Registrar(), nil, fmt.Sprintf("ref:sis:S%06d", 100001+n)); err != nil {
			t.Fatal(err)
		}
	}
	got, one := a.counted(t, `{ learner(id: "ref:sis:S100001") { ...picture } }`+adviser)
	if !strings.Contains(got.Raw, `"achievedLevel":{"name":"`) || got.at("learner", "records", "nodes", 0, "version") != 1.0 {
		t.Fatalf("not much of a picture: %s", got.Raw)
	}
	if one.Len() > 8 {
		t.Errorf("%d statements for one learner:\n%s", one.Len(), repeated(one))
	}
	a = a.afresh(t)
	got, hundred := a.counted(t, `{ learners(first: 100) { nodes { ...picture } } }`+adviser)
	if got.at("learners", "nodes", 99, "displayName") == nil {
		t.Fatal("not a hundred learners")
	}
	if hundred.Len() != one.Len() {
		t.Errorf("%d statements for a hundred learners, %d for one:\n%s", hundred.Len(), one.Len(), repeated(hundred))
	}
	if _, again := a.counted(t, `{ learners(first: 100) { nodes { ...picture } } }`+adviser); again.Len() > 3 {
		t.Errorf("%d statements when the catalogue is known:\n%s", again.Len(), repeated(again))
	}
}

// afresh is another process on the same database, which has nothing in memory.
func (a *api) afresh(t testing.TB) *api {
	t.Helper()
	b := testbed.Over(t, a.DB)
	b.Home, b.Neighbour = a.Home, a.Neighbour
	other := over(t, b)
	other.who = a.who
	return other
}

// What one process keeps of the catalogue is what another process sees after a
// change, and never what it saw before.
func TestWhatIsKeptOfTheCatalogueIsTrue(t *testing.T) {
	t.Parallel()
	here := open(t)
	here.Load(t)
	there := here.afresh(t)
	const query = `{ achievements(first: 1) { nodes { id version definition { name } alignments { competency { id fullStatement } } } }
		courses(first: 1) { nodes { id title competencies { stage } } } }`
	for _, a := range []*api{here, there, here, there} {
		a.ask(t, query).good(t)
	}
	first := here.ask(t, query).good(t)
	course := first.at("courses", "nodes", 0, "id")
	here.ask(t, `mutation($id: ID!) { reviseCourse(input: {id: $id, title: "Renamed here"}) { userErrors { message } } }`, "id", course).good(t)
	const one = `query($id: ID!) { nodes(ids: [$id, $id]) { ... on Course { title } } }`
	if got := there.ask(t, one, "id", course).good(t).at("nodes", 0, "title"); got != "Renamed here" {
		t.Errorf("the other process still says %v", got)
	}
	there.Import(t, exchange.Courses, []byte("code,title\nNEW-1,Imported\n"), exchange.Options{})
	there.ask(t, `mutation($id: ID!) { reviseCourse(input: {id: $id, title: "Renamed there"}) { userErrors { message } } }`, "id", course).good(t)
	for _, a := range []*api{here, there} {
		if got := a.ask(t, one, "id", course).good(t).at("nodes", 0, "title"); got != "Renamed there" {
			t.Errorf("a process still says %v", got)
		}
	}
	there.who = there.As(access.Reader)
	if got := there.ask(t, `{ learners(first: 1) { nodes { id } } }`); len(got.Errors) == 0 {
		t.Errorf("a reader sees learners: %s", got.Raw)
	}
}

// lists are queries that go through a list of many, with the statements that
// each may cost however long the list is: one for each relation and level.
var lists = map[string]struct {
	query string
	most  int
}{
	"competencies": {`{ frameworks(first: 2) { nodes { items(first: %d) { nodes { path { id } parents { id } children(first: 10) { nodes { id } }
		associations { other { id } } crosswalks { strength origin { id } destination { id } } achievements { achievement { uri } part } courses { course { code } stage } assertions(first: 5) { nodes { id learner { displayName } } }
		framework { title } } } } } }`, 16},
	"frameworks": {`{ frameworks(first: %d) { nodes { versions(first: 2) { nodes { version } } problems { kind competencies { id } } } } }`, 8},
	"states": {`{ learners(first: %d) { nodes { competencies(first: 20) { nodes { status level competency { fullStatement } rule { id framework { id } } learner { displayName }
		explanation { text lines { sentence competency { id } assertion { id } } } } } } } }`, 20},
	"holders":      {`{ frameworks(first: 2) { nodes { items(first: %d) { nodes { masteryRule { name } holders(first: 5) { nodes { status learner { displayName } } } } } } } }`, 19},
	"rules":        {`{ masteryRules(first: %d) { nodes { definition { method } sentence competency { id } framework { id } versions { version } } } }`, 4},
	"rubrics":      {`{ frameworks(first: %d) { nodes { rubrics { criteria { levels { quality } } } } } }`, 4},
	"courses":      {`{ courses(first: %d) { nodes { competencies { stage competency { fullStatement } } achievements { achievement { uri } } } } }`, 6},
	"achievements": {`{ achievements(first: %d) { nodes { uri course { code } definition { name } versions { version } alignments { competency { id } course { title } } assertions(first: 2) { nodes { id } } } } }`, 8},
	"assertions":   {`{ assertions(first: %d) { nodes { learner { names { reason } identifiers { value } } achievement { uri } credentials { id keyId } competencies { fullStatement competency { identifier } } } } }`, 10},
	"jobs":         {`{ jobs(first: %d) { nodes { outcomes(first: 2) { nodes { outcome } } errorFileUrl } } }`, 2},
	"audit":        {`{ auditLog(first: %d) { nodes { hash detail } } }`, 1},
	"staff":        {`{ institution { apiClients(first: %d) { nodes { name } } staff(first: 5) { nodes { email } } signingKeys { state } } }`, 4},
}

func TestAListCostsAsMuchForOneAsForMany(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.Load(t)
	a.who = a.As(access.Registrar, access.Administrator)
	for name, l := range lists {
		for _, first := range []int{1, 100} {
			if _, n := a.afresh(t).counted(t, fmt.Sprintf(l.query, first)); n.Len() > l.most {
				t.Errorf("%s: %d statements for %d, %d are allowed:\n%s", name, n.Len(), first, l.most, repeated(n))
			}
		}
	}
}

// Every transaction that changes a table of the catalogue is counted, whoever
// wrote it: the database itself notes here which did.
func TestEveryChangeOfTheCatalogueIsCounted(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	owner, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.WithoutCancel(t.Context()))
	_, err = owner.Exec(t.Context(), `
		create table noted (what text, tx bigint);
		create function note() returns trigger language plpgsql security definer as $$
		begin insert into noted values (tg_argv[0], txid_current()); return null; end $$;
		create function note_count() returns trigger language plpgsql security definer as $$
		begin if new.catalogue is distinct from old.catalogue then insert into noted values ('count', txid_current()); end if; return null; end $$;
		create trigger noted_count after update on audit_head for each row execute function note_count();
		do $$ declare t text; begin
			for t in select c.relname from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and c.relname ~ '^(framework|rubric|course|achievement)' loop
				execute format('create trigger noted after insert or update or delete on %I for each row execute function note(%L)', t, t);
			end loop;
		end $$`)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, pgtest.Open(t, url, pg.Options{MaxConns: 4}))
	w.Load(t)
	w.Load(t)
	w.newCourse()
	w.newAchievement()
	rows, _ := owner.Query(t.Context(), `
		select n.what from noted n where n.what <> 'count' and not exists (select from noted c where c.what = 'count' and c.tx = n.tx) group by n.what`)
	uncounted, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(uncounted) > 0 {
		t.Errorf("changed without being counted: %v, %v", uncounted, err)
	}
	var changes int
	if err := owner.QueryRow(t.Context(), `select count(distinct what) from noted`).Scan(&changes); err != nil || changes < 10 {
		t.Errorf("only %d tables were changed: %v", changes, err)
	}
}
