package graph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/pg"
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
	got, hundred := a.counted(t, `{ learners(first: 100) { nodes { ...picture } } }`+adviser)
	if got.at("learners", "nodes", 99, "displayName") == nil {
		t.Fatal("not a hundred learners")
	}
	if hundred.Len() != one.Len() {
		t.Errorf("%d statements for a hundred learners, %d for one:\n%s", hundred.Len(), one.Len(), repeated(hundred))
	}
}

// lists are queries that go through a list of many, with the statements that
// each may cost however long the list is: one for each relation and level.
var lists = map[string]struct {
	query string
	most  int
}{
	"competencies": {`{ frameworks(first: 2) { nodes { items(first: %d) { nodes { path { id } parents { id } children(first: 10) { nodes { id } }
		associations { other { id } } achievements { achievement { uri } part } courses { course { code } stage } assertions(first: 5) { nodes { id learner { displayName } } }
		framework { title } } } } } }`, 15},
	"rubrics":      {`{ frameworks(first: %d) { nodes { rubrics { criteria { levels { quality } } } } } }`, 4},
	"courses":      {`{ courses(first: %d) { nodes { competencies { stage competency { fullStatement } } achievements { achievement { uri } } } } }`, 6},
	"achievements": {`{ achievements(first: %d) { nodes { uri course { code } definition { name } versions { version } alignments { competency { id } course { title } } assertions(first: 2) { nodes { id } } } } }`, 8},
	"assertions":   {`{ assertions(first: %d) { nodes { learner { names { reason } identifiers { value } } achievement { uri } credentials { id keyId } } } }`, 7},
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
			if _, n := a.counted(t, fmt.Sprintf(l.query, first)); n.Len() > l.most {
				t.Errorf("%s: %d statements for %d, %d are allowed:\n%s", name, n.Len(), first, l.most, repeated(n))
			}
		}
	}
}
