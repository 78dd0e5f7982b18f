package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/standards"
	"github.com/testamur/testamur/internal/testbed"
)

// counts is a job in short.
func counts(j exchange.Job) string {
	return fmt.Sprintf("%s: %d created, %d updated, %d unchanged, %d failed", j.State, j.CreatedCount, j.UpdatedCount, j.UnchangedCount, j.FailedCount)
}

func want(t *testing.T, j exchange.Job, s string) {
	t.Helper()
	if got := counts(j); got != s {
		failure := ""
		if j.Failure != nil {
			failure = *j.Failure
		}
		t.Errorf("%s; want %s (%s)", got, s, failure)
	}
}

// failures are the failed rows of a job, in short.
func failures(t *testing.T, b *testbed.Bed, j exchange.Job) []string {
	t.Helper()
	all, err := b.Exchange.OutcomesOf(t.Context(), b.Registrar(), j.ID, true, page.Args{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, o := range all.Nodes {
		if o.Message == nil || len(*o.Message) < 10 {
			t.Errorf("line %d says nothing", o.FirstLine)
		}
		text := func(s *string) string {
			if s == nil {
				return "-"
			}
			return *s
		}
		out = append(out, fmt.Sprintf("%d %s %s %s", o.FirstLine, text(o.Column), text(o.Rule), text(o.Value)))
	}
	return out
}

func TestTheDemonstrationComesInOnceAndNotTwice(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	var first []exchange.Job
	for _, f := range demo.Files() {
		j := b.Import(t, exchange.Kind(f.Kind), f.Data, exchange.Options{System: demo.System})
		if j.State != exchange.Succeeded || j.FailedCount+j.UpdatedCount+j.UnchangedCount > 0 || j.BytesDone != j.BytesTotal {
			t.Errorf("%s: %s, %d of %d bytes", f.Name, counts(j), j.BytesDone, j.BytesTotal)
		}
		first = append(first, j)
	}
	for i, f := range demo.Files() {
		j := b.Import(t, exchange.Kind(f.Kind), f.Data, exchange.Options{System: demo.System})
		want(t, j, fmt.Sprintf("succeeded: 0 created, 0 updated, %d unchanged, 0 failed", first[i].CreatedCount))
	}
}

// results is a file of n results for the demonstration's learners; bad are
// lines to put in the place of good ones.
func results(t testing.TB, n int, bad map[int]string) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("\xef\xbb\xbfResult ID;Learner ID;Course Code;Completed On;Term;Grade;Credits Earned\r\n")
	for i := range n {
		if l, ok := bad[i+2]; ok {
			b.WriteString(l + "\r\n")
			continue
		}
		fmt.Fprintf(&b, "X%d;S%d;%s;2026-%02d-%02d;\"Term; %d\";A;4\r\n", i, 100001+i%200, []string{"ADA 101", "ADA 102"}[i%2], 1+i/200%6, 1+i/1200, i/200)
	}
	return b.Bytes()
}

func TestTermCloseImport(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	files := demo.Files()
	for _, f := range files[:5] {
		b.Import(t, exchange.Kind(f.Kind), f.Data, exchange.Options{System: demo.System})
	}
	codes := codesOf(t, b)
	file := bytes.ReplaceAll(bytes.ReplaceAll(results(t, 12_000, map[int]string{
		100:    "X98;S999999;ADA 101;2026-05-22;Spring;A;4",
		6_000:  "X5998;S100001;ADA 101;22.5.2026;Spring;A;4",
		11_999: "X11997;S100002;NOPE 1;2026-05-22;Spring;A;4",
	}), []byte("ADA 101"), []byte(codes[0])), []byte("ADA 102"), []byte(codes[1]))
	o := exchange.Options{System: demo.System, ErrorPolicy: exchange.RejectFailedRows}
	j := b.Import(t, exchange.Results, file, o)
	want(t, j, "succeeded: 11997 created, 0 updated, 0 unchanged, 3 failed")
	wanted := []string{"100 Learner ID learner-known S999999", "6000 Completed On date 22.5.2026", "11999 Course Code course-known NOPE 1"}
	if diff := cmp.Diff(wanted, failures(t, b, j)); diff != "" {
		t.Error(diff)
	}
	want(t, b.Import(t, exchange.Results, file, o), "succeeded: 0 created, 0 updated, 11997 unchanged, 3 failed")
	var errors bytes.Buffer
	if err := b.Exchange.ErrorFile(t.Context(), b.Registrar(), j.ID, &errors); err != nil || strings.Count(errors.String(), "\n") != 4 {
		t.Errorf("%s, %v", errors.String(), err)
	}
	changed := bytes.Replace(file, []byte("X7;S100008;"+codes[1]+";2026-01-01;\"Term; 0\";A"), []byte("X7;S100008;"+codes[1]+";2026-01-01;\"Term; 0\";B"), 1)
	want(t, b.Import(t, exchange.Results, changed, o), "succeeded: 0 created, 1 updated, 11996 unchanged, 3 failed")
	o.ErrorPolicy = exchange.RejectAll
	fresh := bytes.ReplaceAll(file, []byte("\nX"), []byte("\nY"))
	fresh = bytes.ReplaceAll(fresh, []byte(";2026-"), []byte(";2025-"))
	j = b.Import(t, exchange.Results, fresh, o)
	want(t, j, "failed: 0 created, 0 updated, 0 unchanged, 3 failed")
	if len(failures(t, b, j)) != 3 || !strings.Contains(*j.Failure, "3 of 12000") {
		t.Errorf("%v %s", failures(t, b, j), *j.Failure)
	}
	want(t, b.Import(t, exchange.Results, file, exchange.Options{System: demo.System}), "succeeded: 0 created, 1 updated, 11996 unchanged, 3 failed")
}

func codesOf(t testing.TB, b *testbed.Bed) []string {
	t.Helper()
	var all []string
	err := b.DB.Tenant(context.Background(), b.Registrar(), func(tx pgx.Tx) error {
		rows, _ := tx.Query(context.Background(), `select code from course order by code limit 2`)
		var err error
		all, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	return all
}

func TestARowThatTheDatabaseRefusesLosesNoOther(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	file := "code,title,credits\nA,One,4\nB,Two,12345678\nC,Three,4\nC,Three again,4\n"
	j := b.Import(t, exchange.Courses, []byte(file), exchange.Options{})
	want(t, j, "succeeded: 2 created, 1 updated, 0 unchanged, 1 failed")
	if got := failures(t, b, j); len(got) != 1 || !strings.HasPrefix(got[0], "3 credits") {
		t.Errorf("%q", got)
	}
}

// TestAColumnThatIsNotThereChangesNothing: a file without a column leaves what is
// there, an empty cell clears it.
func TestAColumnThatIsNotThereChangesNothing(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	load := func(k exchange.Kind, file, wanted string) {
		t.Helper()
		want(t, b.Import(t, k, []byte(file), exchange.Options{System: "sis"}), "succeeded: "+wanted)
	}
	row := func(sql, wanted string) {
		t.Helper()
		var got string
		err := b.DB.Tenant(t.Context(), b.Registrar(), func(tx pgx.Tx) error { return tx.QueryRow(t.Context(), sql).Scan(&got) })
		if err != nil || got != wanted {
			t.Errorf("%s, %v; want %s", got, err, wanted)
		}
	}
	who := func(wanted string) {
		t.Helper()
		row(`select concat_ws('|', display_name, given_name, family_name, coalesce(email, '-'), coalesce(birth_on::text, '-')) from learner where ref_value = 'L1'`, wanted)
	}
	load(exchange.Learners, "learner_id,given_name,family_name,email,birth_date\nL1,Ada,King,ada@x.example,1999-12-10\n", "1 created, 0 updated, 0 unchanged, 0 failed")
	load(exchange.Learners, "learner_id,display_name\nL1,Ada King\n", "0 created, 0 updated, 1 unchanged, 0 failed")
	load(exchange.Learners, "learner_id,email\nL1,ada@y.example\nL2,new@y.example\n", "0 created, 1 updated, 0 unchanged, 1 failed")
	who("Ada King|Ada|King|ada@y.example|1999-12-10")
	load(exchange.Learners, "learner_id,family_name\nL1,Byron\n", "0 created, 1 updated, 0 unchanged, 0 failed")
	who("Ada Byron|Ada|Byron|ada@y.example|1999-12-10")
	load(exchange.Learners, "learner_id,display_name\nL1,The Countess\n", "0 created, 1 updated, 0 unchanged, 0 failed")
	who("The Countess|ada@y.example|1999-12-10")
	load(exchange.Learners, `{"learner_id":"L1","email":null}`+"\n", "0 created, 1 updated, 0 unchanged, 0 failed")
	who("The Countess|-|1999-12-10")
	load(exchange.Learners, "learner_id,display_name,birth_date\nL1,The Countess,\n", "0 created, 1 updated, 0 unchanged, 0 failed")
	who("The Countess|-|-")

	load(exchange.Courses, "code,title,credits,level\nC 1,One,4,100\n", "1 created, 0 updated, 0 unchanged, 0 failed")
	load(exchange.Courses, "code,title\nC 1,One\n", "0 created, 0 updated, 1 unchanged, 0 failed")
	load(exchange.Courses, "code,title,level\nC 1,First,\n", "0 created, 1 updated, 0 unchanged, 0 failed")
	row(`select concat_ws('|', title, credits::text, coalesce(level, '-')) from course`, "First|4.000|-")

	load(exchange.Results, "result_id,learner_id,course_code,completed_on,term,grade,credits_earned\nR1,L1,C 1,2026-05-22,Spring,B,4\n", "1 created, 0 updated, 0 unchanged, 0 failed")
	load(exchange.Results, "result_id,learner_id,course_code,completed_on\nR1,L1,C 1,2026-05-22\n", "0 created, 0 updated, 1 unchanged, 0 failed")
	load(exchange.Results, "result_id,learner_id,course_code,completed_on,credits_earned\nR1,L1,C 1,2026-05-22,\n", "0 created, 1 updated, 0 unchanged, 0 failed")
	row(`select concat_ws('|', term, grade, coalesce(credits_earned::text, '-'), jsonb_array_length(results)::text) from assertion`, "Spring|B|-|1")
}

// TestWhatAFileDoesDoesNotDependOnItsBatches: a row without an id means the award
// that an earlier one with an id made, whether or not they are written at once.
func TestWhatAFileDoesDoesNotDependOnItsBatches(t *testing.T) {
	t.Parallel()
	head := "result_id,learner_id,course_code,completed_on,grade\n"
	named, bare, other := "R1,L1,C 1,2026-05-22,B\n", ",L1,C 1,2026-05-22,A\n", "R2,L1,C 1,2026-05-22,A\n"
	for name, rows := range map[string][]string{"an id, then none": {named, bare}, "none, then an id": {bare, named}, "two ids": {named, other},
		"two ids, then none": {named, other, bare}, "none twice": {bare, bare}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := [2]*testbed.Bed{testbed.New(t), testbed.New(t)}
			for _, b := range b {
				b.Import(t, exchange.Learners, []byte("learner_id,display_name\nL1,Ada\n"), exchange.Options{System: "sis"})
				b.Import(t, exchange.Courses, []byte("code,title\nC 1,One\n"), exchange.Options{System: "sis"})
			}
			o := exchange.Options{System: "sis", ErrorPolicy: exchange.RejectFailedRows}
			whole := b[0].Import(t, exchange.Results, []byte(head+strings.Join(rows, "")), o)
			var apart exchange.Job
			for _, r := range rows {
				j := b[1].Import(t, exchange.Results, []byte(head+r), o)
				apart.CreatedCount += j.CreatedCount
				apart.UpdatedCount += j.UpdatedCount
				apart.UnchangedCount += j.UnchangedCount
				apart.FailedCount += j.FailedCount
			}
			apart.State = whole.State
			want(t, whole, counts(apart))
			if whole.CreatedCount != 1 {
				t.Errorf("%s", counts(whole))
			}
		})
	}
}

func TestAchievementsComeAsOneAsAListAndLineByLine(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	one := func(n int) string {
		return fmt.Sprintf("{\"id\": \"https://a.example/%d\", \"type\": [\"Achievement\"],\n \"name\": \"N\", \"description\": \"D\", \"criteria\": {\"narrative\": \"x\"}}", n)
	}
	badge := `{"@context": "https://w3id.org/openbadges/v2", "id": "https://a.example/b", "type": "BadgeClass", "name": "N", "description": "D", "image": "https://a.example/i.png", "criteria": {"narrative": "x"}, "issuer": "https://a.example/issuer"}`
	want(t, b.Import(t, exchange.Achievements, []byte(one(1)), exchange.Options{}), "succeeded: 1 created, 0 updated, 0 unchanged, 0 failed")
	want(t, b.Import(t, exchange.Achievements, []byte(badge), exchange.Options{}), "succeeded: 1 created, 0 updated, 0 unchanged, 0 failed")
	list := "\n[" + one(1) + ",\n" + one(2) + ",\n{\"id\": \"https://a.example/3\", \"type\": [\"Achievement\"], \"name\": \"N\"},\n" + one(4) + "]\n"
	j := b.Import(t, exchange.Achievements, []byte(list), exchange.Options{})
	want(t, j, "succeeded: 2 created, 0 updated, 1 unchanged, 1 failed")
	if got := failures(t, b, j); len(got) != 1 || !strings.HasPrefix(got[0], "6 ") {
		t.Errorf("%q", got)
	}
	j = b.Import(t, exchange.Achievements, []byte(strings.ReplaceAll(one(5), "\n", "")+"\n"+strings.ReplaceAll(one(6), "\n", "")+"\n{\"id\":"), exchange.Options{})
	want(t, j, "succeeded: 2 created, 0 updated, 0 unchanged, 1 failed")
	if got := failures(t, b, j); len(got) != 1 || !strings.HasPrefix(got[0], "3 ") {
		t.Errorf("%q", got)
	}
}

func TestAFileThatIsNoTableSaysSo(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	for file, sentence := range map[string]string{"PK\x03\x04zip": "Excel", "id,name\n1,2\n": "learner_id"} {
		j := b.Import(t, exchange.Learners, []byte(file), exchange.Options{})
		if j.State != exchange.Stopped || j.Failure == nil || !strings.Contains(*j.Failure, sentence) {
			t.Errorf("%q: %+v", file, j)
		}
	}
}

// packages are the examples of CASE, and what becomes of each: imported, or
// refused by these rules.
var packages = map[string]string{
	"v1p0-opensalt-AdoptedTestFramework.json": "succeeded",
	"v1p0-opensalt-MarkdownFramework.json":    "succeeded",
	"v1p0-opensalt-Ordering.json":             "succeeded",
	"v1p0-opensalt-Utf8TestFramework.json":    "succeeded",
	"v1p0-opensalt-sample-framework.json":     "succeeded",
	"v1p1-implguide-351237.json":              "succeeded",
	"v1p1-implguide-371996.json":              "case-identifier-pattern case-required-member",
	"v1p1-implguide-390610.json":              "case-package case-unknown-member",
	"v1p1-implguide-583296.json":              "case-package case-unknown-member",
	"v1p1-implguide-875109.json":              "case-package case-unknown-member",
}

func TestPackagesTheStandardAllowsAreImportedAndOthersRefusedByRule(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(standards.Dir(t), "examples", "case", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	b := testbed.New(t)
	got := map[string]string{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		j := b.Import(t, exchange.CasePackage, data, exchange.Options{})
		became := string(j.State)
		if j.State != exchange.Succeeded {
			var rules []string
			for _, o := range failures(t, b, j) {
				rules = append(rules, strings.Fields(o)[2])
			}
			slices.Sort(rules)
			became = strings.Join(slices.Compact(rules), " ")
		}
		got[filepath.Base(f)] = became
	}
	if diff := cmp.Diff(packages, got); diff != "" {
		t.Error(diff)
	}
}

// errCut cuts a run off.
var errCut = errors.New("the process was killed")

func TestAnImportThatIsCutOffEndsAsIfItHadNotBeen(t *testing.T) {
	t.Parallel()
	whole, cut := testbed.New(t), testbed.New(t)
	var file bytes.Buffer
	file.WriteString("learner_id,display_name\n")
	for i := range 20_000 {
		fmt.Fprintf(&file, "L%05d,Person %d\n", i%19_000, i%19_000)
	}
	plain := whole.Import(t, exchange.Learners, file.Bytes(), exchange.Options{})
	who := cut.Registrar()
	u := testbed.Must(t, must(cut.Exchange.Receive(t.Context(), who, "l.csv", bytes.NewReader(file.Bytes()))), nil)
	j := testbed.Must(t, must(cut.Exchange.Start(t.Context(), who, nil, exchange.Order{Kind: exchange.Learners, UploadID: u.ID})), nil)
	for n := 0; !j.Finished(); n++ {
		ctx, cancel := context.WithCancelCause(t.Context())
		service := *cut.Exchange
		made := 0
		service.NewID = func(prefix string) string {
			if made++; made > 8_500 { // in the middle of the second batch
				cancel(errCut)
			}
			return cut.Exchange.NewID(prefix)
		}
		if err := service.Run(ctx, cut.As(access.System), j.ID); err == nil && n == 0 {
			t.Fatal("the first run was not cut off")
		}
		cancel(nil)
		before := j.LineDone
		j = must(cut.Exchange.Find(t.Context(), who, j.ID))
		if n > 20 || !j.Finished() && n > 0 && j.LineDone == before && n > 10 {
			t.Fatalf("stuck at line %d", j.LineDone)
		}
	}
	if counts(j) != counts(plain) || j.LineDone != plain.LineDone {
		t.Errorf("cut off: %s at %d; whole: %s at %d", counts(j), j.LineDone, counts(plain), plain.LineDone)
	}
	if diff := cmp.Diff(rows(t, whole, plain), rows(t, cut, j)); diff != "" {
		t.Error(diff)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// rows are the outcomes and learners that an import left.
func rows(t *testing.T, b *testbed.Bed, j exchange.Job) []string {
	t.Helper()
	var all []string
	for _, o := range must(b.Exchange.OutcomesOf(t.Context(), b.Registrar(), j.ID, false, page.Args{})).Nodes {
		all = append(all, fmt.Sprint(o.FirstLine, o.LastLine, o.RowCount, o.Outcome))
	}
	var after *string
	for {
		c := must(b.Learners.List(t.Context(), b.Registrar(), learner.Filter{}, page.Args{First: ptr(100), After: after}))
		for _, l := range c.Nodes {
			all = append(all, fmt.Sprint(*l.RefValue, l.DisplayName, l.Version))
		}
		if after = c.PageInfo.EndCursor; !c.PageInfo.HasNextPage {
			slices.Sort(all)
			return all
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestWhoMayImportWhat(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	designer, reader := b.As(access.Designer), b.As(access.Reader)
	if _, err := b.Exchange.Receive(t.Context(), reader, "x", strings.NewReader("x")); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a reader uploads: %v", err)
	}
	u := must(b.Exchange.Receive(t.Context(), designer, "x", strings.NewReader("code,title\nA,B\n")))
	if _, err := b.Exchange.Start(t.Context(), designer, nil, exchange.Order{Kind: exchange.Learners, UploadID: u.ID}); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a designer imports learners: %v", err)
	}
	key := "k"
	j := must(b.Exchange.Start(t.Context(), designer, &key, exchange.Order{Kind: exchange.Courses, UploadID: u.ID}))
	if again := must(b.Exchange.Start(t.Context(), designer, &key, exchange.Order{Kind: exchange.Courses, UploadID: u.ID})); again.ID != j.ID {
		t.Error("a replay started another job")
	}
	neighbour := access.Actor{ID: "n", InstitutionID: string(b.Neighbour.ID), Roles: []access.Role{access.Registrar}}
	if _, err := b.Exchange.Find(t.Context(), neighbour, j.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a neighbour: %v", err)
	}
	if _, err := b.Exchange.Start(t.Context(), neighbour, nil, exchange.Order{Kind: exchange.Courses, UploadID: u.ID}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a neighbour: %v", err)
	}
	j = must(b.Exchange.Cancel(t.Context(), designer, j.ID))
	if err := b.Exchange.Run(t.Context(), b.As(access.System), j.ID); err != nil || j.State != exchange.Cancelled {
		t.Errorf("%s, %v", j.State, err)
	}
	if _, err := b.Courses.Find(t.Context(), designer, "A"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a cancelled job wrote: %v", err)
	}
}

// What failed of a file about learners is told in the words of the file: who was
// given neither learners to read nor to write is not told.
func TestWhoIsToldWhatStandsInAFile(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	u := must(b.Exchange.Receive(t.Context(), b.Registrar(), "x", strings.NewReader("learner_id,display_name,email\nS1,Ada Confidential,not-an-address\n")))
	j := must(b.Exchange.Start(t.Context(), b.Registrar(), nil, exchange.Order{Kind: exchange.Learners, UploadID: u.ID}))
	if err := b.Exchange.Run(t.Context(), b.As(access.System), j.ID); err != nil {
		t.Fatal(err)
	}
	scoped := func(role access.Role, scopes ...access.Scope) access.Actor {
		who := b.As(role)
		who.Scopes = scopes
		return who
	}
	for _, c := range []struct {
		name string
		who  access.Actor
		told bool
	}{
		{"a registrar", b.Registrar(), true},
		{"a designer, who reads learners", b.As(access.Designer), true},
		{"a program that writes learners", scoped(access.Registrar, access.ScopeImport, access.ScopeLearnerWrite), true},
		{"a program that reads learners", scoped(access.Designer, access.ScopeImport, access.ScopeLearnerRead), true},
		{"a program for the catalogue", scoped(access.Designer, access.ScopeImport, access.ScopeCatalogWrite), false},
	} {
		rows := must(b.Exchange.OutcomesOf(t.Context(), c.who, j.ID, true, page.Args{}))
		var file bytes.Buffer
		err := b.Exchange.ErrorFile(t.Context(), c.who, j.ID, &file)
		if c.told && (len(rows.Nodes) != 1 || err != nil || !strings.Contains(file.String(), "not-an-address")) {
			t.Errorf("%s: %d rows, %v, %q", c.name, len(rows.Nodes), err, &file)
		}
		if !c.told && (len(rows.Nodes) != 0 || fault.KindOf(err) != fault.Forbidden || file.Len() != 0) {
			t.Errorf("%s is told: %d rows, %v, %q", c.name, len(rows.Nodes), err, &file)
		}
	}
}

// reading is a sender who looks about while they send.
type reading func(p []byte) (int, error)

func (r reading) Read(p []byte) (int, error) { return r(p) }

// A sender may be slow, and many may be at once: none of them keeps others from
// the database.
func TestAFileThatComesInHoldsNoConnection(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	left, sent := 3, 0
	u := must(b.Exchange.Receive(t.Context(), b.Registrar(), "slow", reading(func(p []byte) (int, error) {
		if n := b.DB.Pool.Stat().AcquiredConns(); n != 0 {
			t.Errorf("%d connections are held while a file comes in", n)
		}
		if left--; left < 0 {
			return 0, io.EOF
		}
		n := copy(p, bytes.Repeat([]byte("x"), 700_000))
		sent += n
		return n, nil
	})))
	if u.Size != int64(sent) {
		t.Errorf("%d bytes arrived of %d", u.Size, sent)
	}
}

// A connection that is cut off is not the end of the file, and leaves nothing.
func TestAFileThatIsCutOffIsNotKept(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	who := b.Registrar()
	half := io.MultiReader(bytes.NewReader(make([]byte, 1_500_000)), iotest.ErrReader(io.ErrUnexpectedEOF))
	if u, err := b.Exchange.Receive(t.Context(), who, "half", half); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a file was kept: %+v %v", u, err)
	}
	ctx, cut := context.WithCancel(t.Context())
	gone := reading(func(p []byte) (int, error) { cut(); return len(p), nil })
	if u, err := b.Exchange.Receive(ctx, who, "gone", gone); err == nil {
		t.Errorf("a file of somebody who went away was kept: %+v", u)
	}
	if _, err := b.Exchange.Receive(t.Context(), who, "large", io.LimitReader(reading(func(p []byte) (int, error) { return len(p), nil }), 0)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an empty file: %v", err)
	}
	var left int
	err := b.DB.Snapshot(t.Context(), who, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `select count(*) from upload`).Scan(&left)
	})
	if err != nil || left != 0 {
		t.Errorf("%d uploads are left of files that did not arrive: %v", left, err)
	}
}

// One definition that never ends is refused before it fills the memory.
func TestADefinitionThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	large := `[{"type": ["Achievement"], "name": "` + strings.Repeat("x", 20<<20) + `"}]`
	u := must(b.Exchange.Receive(t.Context(), b.Registrar(), "achievements.json", strings.NewReader(large)))
	j := must(b.Exchange.Start(t.Context(), b.Registrar(), nil, exchange.Order{Kind: exchange.Achievements, UploadID: u.ID}))
	if err := b.Exchange.Run(t.Context(), b.As(access.System), j.ID); err != nil {
		t.Fatal(err)
	}
	j = must(b.Exchange.Find(t.Context(), b.Registrar(), j.ID))
	c := must(b.Exchange.OutcomesOf(t.Context(), b.Registrar(), j.ID, true, page.Args{}))
	if len(c.Nodes) != 1 || c.Nodes[0].Rule == nil || *c.Nodes[0].Rule != "size" {
		t.Errorf("%s: %+v", counts(j), c.Nodes)
	}
}
