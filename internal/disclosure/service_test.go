package disclosure_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pgtest"
)

var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

type bench struct {
	*disclosure.Service
	consents       *consent.Service
	registrar, own access.Actor
	ada            string
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func setup(t *testing.T) *bench {
	t.Helper()
	db := pgtest.New(t)
	clock := func() time.Time { return now }
	b := &bench{Service: &disclosure.Service{DB: db, Now: clock, NewID: id.New}, consents: &consent.Service{DB: db, Now: clock, NewID: id.New}}
	in, err := (&institution.Service{DB: db, Now: clock, NewID: id.New}).Found(t.Context(), "lakeview", institution.Profile{Name: "Lakeview"})
	must(t, in, err)
	b.registrar = access.Actor{ID: "cli_r", InstitutionID: string(in.ID), Roles: []access.Role{access.Registrar}}
	l, err := (&learner.Service{DB: db, Now: clock, NewID: id.New}).Define(t.Context(), b.registrar, learner.Definition{DisplayName: "Ada"})
	b.ada = string(must(t, l, err).ID)
	b.own = access.Actor{ID: "cli_a", InstitutionID: string(in.ID), Roles: []access.Role{access.Learner}, LearnerID: b.ada}
	return b
}

func (b *bench) entry() disclosure.Manual {
	return disclosure.Manual{LearnerID: b.ada, Party: "State auditor", Purpose: "Audit of the programme", Basis: disclosure.ToAuthorities, Items: []string{"enrolment 2026"}}
}

func TestNothingIsEnteredWithoutWhatItRestsOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	given, err := b.consents.Give(t.Context(), b.own, consent.Grant{LearnerID: b.ada, Scope: consent.ToRecord, Items: []string{"rec_1"}, Party: "Acme", Purpose: "A job"})
	must(t, given, err)
	before, later := now.Add(-time.Hour), now.Add(time.Hour)
	none := consent.ID("cns_none")
	for rule, change := range map[string]func(*disclosure.Manual){
		"basis":               func(m *disclosure.Manual) { m.Basis = disclosure.ToOfficial },
		"consent":             func(m *disclosure.Manual) { m.Basis = disclosure.OnConsent },
		"in-force":            func(m *disclosure.Manual) { m.Basis, m.ConsentID, m.At = disclosure.OnConsent, &given.ID, &before },
		"":                    func(m *disclosure.Manual) { m.Basis, m.ConsentID = disclosure.OnConsent, &none },
		"not-in-the-future":   func(m *disclosure.Manual) { m.At = &later },
		"required":            func(m *disclosure.Manual) { m.Items = nil },
		"emergency-explained": func(m *disclosure.Manual) { m.Basis = disclosure.InAnEmergency },
		"designated":          func(m *disclosure.Manual) { m.Basis, m.Categories = disclosure.OfDirectory, []string{consent.Name} },
	} {
		m := b.entry()
		change(&m)
		_, err := b.Record(t.Context(), b.registrar, m)
		if f, ok := fault.Of(err); !ok || f.Rule != rule {
			t.Errorf("%s: %v", rule, err)
		}
	}
	m := b.entry()
	m.Basis, m.ConsentID = disclosure.OnConsent, &given.ID
	if l, err := b.Record(t.Context(), b.registrar, m); err != nil || l.Outcome != disclosure.Granted {
		t.Error(l, err)
	}
	if _, err := b.Record(t.Context(), b.own, b.entry()); fault.KindOf(err) != fault.Forbidden {
		t.Error(err)
	}
}

func TestABlockOfTheDirectoryIsHonouredByHandToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	notice, err := b.consents.Designate(t.Context(), b.registrar, consent.Designation{Categories: []string{consent.Name, consent.Degrees}, Where: "catalogue"})
	must(t, notice, err)
	m := b.entry()
	m.Basis, m.Items, m.Categories = disclosure.OfDirectory, nil, []string{consent.Degrees}
	if l, err := b.Record(t.Context(), b.registrar, m); err != nil || l.Items[0] != consent.Degrees {
		t.Error(l, err)
	}
	if _, err := b.consents.Choose(t.Context(), b.own, b.ada, true, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Record(t.Context(), b.registrar, m); fault.KindOf(err) != fault.State {
		t.Error(err)
	}
	// What counts is what was said at the time.
	before := now.Add(-time.Hour)
	m.At = &before
	if _, err := b.Record(t.Context(), b.registrar, m); err != nil {
		t.Error("it was told before the learner blocked it:", err)
	}
	b.consents.Now = func() time.Time { return now.Add(time.Hour) }
	if _, err := b.consents.Choose(t.Context(), b.own, b.ada, false, ""); err != nil {
		t.Fatal(err)
	}
	m.At = nil
	if _, err := b.Record(t.Context(), b.registrar, m); fault.KindOf(err) != fault.State {
		t.Error("it was blocked then, and is not now:", err)
	}
	reason := "The learner blocked directory information."
	m.Refusal = &reason
	if l, err := b.Record(t.Context(), b.registrar, m); err != nil || l.Outcome != disclosure.Refused || l.Basis != disclosure.OnNothing {
		t.Error(l, err)
	}
}

// TestLinesStay tries, as the role of a request, to change and to remove lines,
// and to add one without a basis.
func TestLinesStay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l, err := b.Record(t.Context(), b.registrar, b.entry())
	must(t, l, err)
	for _, sql := range []string{"delete from disclosure", "update disclosure set party = 'nobody'", "truncate disclosure"} {
		err := b.DB.Tenant(t.Context(), access.SystemOf(b.own.InstitutionID, "test"), func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), sql)
			return err
		})
		if fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for name, change := range map[string]func(*disclosure.Line){
		"disclosure has a basis":         func(l *disclosure.Line) { l.Basis = disclosure.OnNothing },
		"disclosure names its consent":   func(l *disclosure.Line) { l.Basis = disclosure.OnConsent },
		"disclosure says what":           func(l *disclosure.Line) { l.Items = nil },
		"disclosure emergency explained": func(l *disclosure.Line) { l.Basis = disclosure.InAnEmergency },
		"disclosure refusal told":        func(l *disclosure.Line) { l.Outcome = disclosure.Refused },
	} {
		other := l
		other.ID = disclosure.ID(id.New("dsc"))
		change(&other)
		err := b.DB.Tenant(t.Context(), b.registrar, func(tx pgx.Tx) error { return disclosure.Write(t.Context(), tx, b.registrar, other) })
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPeriodIsExportedWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	given, err := b.consents.Give(t.Context(), b.own, consent.Grant{LearnerID: b.ada, Scope: consent.ToRecord, Items: []string{"rec_1"}, Party: "Acme", Purpose: "A job"})
	must(t, given, err)
	var lines []disclosure.Line
	for i := range 2500 { // more than two pages, many at one instant
		lines = append(lines, disclosure.Line{ID: disclosure.ID(id.New("dsc")), LearnerID: learner.ID(b.ada), At: now.Add(time.Duration(i/10) * time.Minute), Outcome: disclosure.Granted,
			Channel: disclosure.ByShare, Party: `=HYPERLINK("https://evil.example")`, Purpose: "A job, \"soon\"", Basis: disclosure.OnConsent, ConsentID: &given.ID, Items: []string{"crd_1", "crd_2"}, ActorID: "visitor"})
	}
	if err := b.DB.Tenant(t.Context(), b.registrar, func(tx pgx.Tx) error { return disclosure.Write(t.Context(), tx, b.registrar, lines...) }); err != nil {
		t.Fatal(err)
	}
	from, until := now, now.Add(200*time.Minute)
	var out bytes.Buffer
	if err := b.Export(t.Context(), b.registrar, disclosure.Filter{From: &from, Until: &until}, disclosure.CSV, &out); err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(all) != 2001 {
		t.Fatal(len(all), err)
	}
	if got := strings.Join(all[1][3:12], "|"); got != `granted||share|'=HYPERLINK("https://evil.example")|A job, "soon"|consent|`+string(given.ID)+"|2026-11-24T09:00:00Z|crd_1 crd_2" {
		t.Error(got)
	}
	out.Reset()
	if err := b.Export(t.Context(), b.registrar, disclosure.Filter{LearnerID: &b.ada}, disclosure.NDJSON, &out); err != nil {
		t.Fatal(err)
	}
	seen, last := map[string]bool{}, ""
	for line := range strings.Lines(out.String()) {
		var x struct{ ID, At, Basis, ConsentSignedAt string }
		if err := json.Unmarshal([]byte(line), &x); err != nil || x.At < last || x.ConsentSignedAt == "" || x.Basis != "consent" {
			t.Fatal(line, err)
		}
		seen[x.ID], last = true, x.At
	}
	if len(seen) != len(lines) {
		t.Errorf("%d lines", len(seen))
	}
	if err := b.Export(t.Context(), b.own, disclosure.Filter{}, disclosure.CSV, &out); fault.KindOf(err) != fault.Forbidden {
		t.Error(err)
	}
	// The learner reads the same, page by page.
	n, after := 0, (*string)(nil)
	for {
		c, err := b.List(t.Context(), b.own, disclosure.Filter{}, page.Args{After: after})
		must(t, c, err)
		if n += len(c.Nodes); !c.PageInfo.HasNextPage {
			break
		}
		after = c.PageInfo.EndCursor
	}
	if n != len(lines) {
		t.Error(n)
	}
}

// weighed takes an export and looks how much memory is in use meanwhile.
type weighed struct {
	written, since int
	most           uint64
}

func (w *weighed) Write(p []byte) (int, error) {
	w.written, w.since = w.written+len(p), w.since+len(p)
	if w.since > 2<<20 {
		w.since, w.most = 0, max(w.most, inUse())
	}
	return len(p), nil
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// However long an export is, a page of it is in memory. The test is not run
// beside others, whose memory it would count.
func TestAnExportIsNeverWholeInMemory(t *testing.T) {
	b := setup(t)
	given, err := b.consents.Give(t.Context(), b.own, consent.Grant{LearnerID: b.ada, Scope: consent.ToRecord, Items: []string{"rec_1"}, Party: "Acme", Purpose: "A job"})
	must(t, given, err)
	const pages, size = 8, 1000
	for p := range pages {
		lines := make([]disclosure.Line, size)
		for i := range lines {
			lines[i] = disclosure.Line{ID: disclosure.ID(id.New("dsc")), LearnerID: learner.ID(b.ada), At: now.Add(time.Duration(p*size+i) * time.Second), Outcome: disclosure.Granted,
				Channel: disclosure.ByShare, Party: "Acme", Purpose: strings.Repeat("A job. ", 300), Basis: disclosure.OnConsent, ConsentID: &given.ID, Items: []string{"crd_1"}, ActorID: "visitor"}
		}
		if err := b.DB.Tenant(t.Context(), b.registrar, func(tx pgx.Tx) error { return disclosure.Write(t.Context(), tx, b.registrar, lines...) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, form := range []string{disclosure.CSV, disclosure.NDJSON} {
		var w weighed
		before := inUse()
		if err := b.Export(t.Context(), b.registrar, disclosure.Filter{}, form, &w); err != nil {
			t.Fatal(err)
		}
		if w.written < pages*size*2000 || w.most == 0 {
			t.Fatalf("%s: %d bytes were written", form, w.written)
		}
		if grown := int(w.most) - int(before); grown > w.written/3 {
			t.Errorf("%s: %d MB were in use for an export of %d MB", form, grown>>20, w.written>>20)
		} else {
			t.Logf("%s: %d KB were in use for an export of %d KB", form, grown>>10, w.written>>10)
		}
	}
}
