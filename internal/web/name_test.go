package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"
)

// A learner takes another name and what was signed is signed anew: whoever opens
// whichever page, the former name is on none but in the history that staff keep,
// and the old file is still as it was signed.
func TestNoLivePageHasAFormerName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	former := w.learner.DisplayName
	file := w.document(t, string(w.record.CredentialID))
	standing := w.places(t)
	given, last, on := "Umar", "Ashdown", day.Of(2026, 11, 23)
	if _, err := w.Learners.Rename(ctx, w.Registrar(), string(w.learner.ID), nil, learner.Renaming{DisplayName: "Umar Ashdown", GivenName: &given, FamilyName: &last, EffectiveOn: &on, Reason: "Marriage"}); err != nil {
		t.Fatal(err)
	}
	fix, err := w.Records.Propose(ctx, w.Registrar(), record.Affected{Learner: string(w.learner.ID), Reason: "New name"})
	if _, err = w.Records.Decide(ctx, w.Registrar(), string(testbed.Must(t, fix, err).ID), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Records.RunCorrection(ctx, w.As(access.System), string(fix.ID)); err != nil {
		t.Fatal(err)
	}
	now, err := w.Records.Assemble(ctx, w.Registrar(), nil, student)
	if testbed.Must(t, now, err).Version < 2 {
		t.Fatalf("version %d", now.Version)
	}
	after := w.places(t)
	w.record = now
	pages := append(append(standing, after...), w.places(t)...)
	registrar := w.staff[access.Registrar]
	for _, r := range []record.Record{now} {
		for _, face := range []string{"html", "xml"} {
			pages = append(pages, place{"face", registrar, "/records/" + string(r.ID) + "/transcript." + face})
		}
	}
	pages = append(pages, place{"open", "", path(w.open)})
	seen := map[string]bool{}
	for _, p := range pages {
		if seen[p.cookie+p.path] {
			continue
		}
		seen[p.cookie+p.path] = true
		if p.name == "learner" { // the history of names, which staff see
			continue
		}
		a := w.get(t, p.cookie, p.path)
		text := a.body
		if a.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s %s: %d", p.name, p.path, a.StatusCode)
		}
		for _, name := range []string{former} {
			if i := strings.Index(text, name); i >= 0 {
				t.Errorf("%s %s has %q: …%s…", p.name, p.path, name, text[max(0, i-150):min(len(text), i+60)])
				break
			}
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d pages", len(seen))
	}
	r, err := w.Verifier.Report(ctx, access.Anonymous(), file)
	if err != nil || r.Outcome != verify.Passed || !strings.Contains(statusOf(r), "superseded") {
		t.Errorf("%v the old file: %s, %q", err, r.Outcome, statusOf(r))
	}
}

// statusOf is what a report says of the status.
func statusOf(r verify.Report) string {
	for _, k := range r.Checks {
		if k.Name == "status" {
			return k.Reason
		}
	}
	return ""
}
