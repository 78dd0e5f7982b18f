package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/text/unicode/bidi"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/transcript"
)

// many is a page as long as lists on pages are.
func many(after string) page.Args {
	n := page.MaxFirst
	a := page.Args{First: &n}
	if after != "" {
		a.After = &after
	}
	return a
}

// searched is the registrar's first page.
type searched struct {
	Text string
	Hits []learner.Learner
	More bool
}

// shownHits is how many learners a search shows.
const shownHits = 30

func (s *site) desk(mux *http.ServeMux) {
	s.page(mux, "GET /desk", staff, func(v *visit) error {
		d := searched{Text: strings.TrimSpace(v.r.URL.Query().Get("q"))}
		if !access.Allowed(v.who, access.ReadLearner) {
			return v.to("/curriculum")
		}
		hits, err := s.Learners.Search(v.ctx(), v.who, d.Text, shownHits+1)
		if err != nil {
			return err
		}
		d.Hits, d.More = hits[:min(len(hits), shownHits)], len(hits) > shownHits
		return v.show(http.StatusOK, "desk", "Learners", d)
	})
	s.page(mux, "GET /desk/learners/{id}", staff, s.learnerPage)
	s.page(mux, "GET /desk/records/{id}", staff, func(v *visit) error { return s.recordPage(v, "/desk") })
	s.page(mux, "GET /desk/records/{id}/file", staff, s.recordFile)
	s.page(mux, "GET /desk/credentials/{id}/file", staff, s.credentialFile)
}

// award is one thing that was earned, with its credential.
type award struct {
	assertion.Assertion
	Title      string
	Code       string
	Type       string
	Credential *credential.Credential // the newest that was issued
	Results    []record.ResultLine
}

// Stale reports whether the award was corrected after it was signed.
func (a award) Stale() bool {
	return a.Credential != nil && a.Credential.AssertionVersion != nil && *a.Credential.AssertionVersion != a.Version
}

// overview is everything about one learner.
type overview struct {
	Learner     learner.Learner
	Names       []learner.Name
	Identifiers []learner.Identifier
	Standing    consent.Standing
	Holds       []release.Hold
	Awards      []award
	MoreAwards  *string
	Records     []versioned
	Consents    []consent.Consent
	Lines       []disclosure.Line
	Programs    []progressed
}

// OpenHolds are those that were not lifted.
func (o overview) OpenHolds() (all []release.Hold) {
	for _, h := range o.Holds {
		if h.Open() {
			all = append(all, h)
		}
	}
	return all
}

// versioned is one version of a record, and how many of its credentials do not
// stand as they did.
type versioned struct {
	record.Record
	Title    string
	Outdated int
	Latest   bool
}

// progressed is how far a learner is with a program.
type progressed struct {
	program.Report
	Program program.Program
}

// Percent is the share of what is needed, of a hundred.
func (p progressed) Percent() int { return int(p.Share * 100) }

func (s *site) learnerPage(v *visit) error {
	o, err := s.overview(v, v.r.PathValue("id"), v.r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	return v.showNamed("learner", o.Learner.DisplayName, o)
}

// overview reads, in one moment, what is on file about a learner.
func (s *site) overview(v *visit, id, after string) (o overview, err error) {
	ctx, done := s.Audit.View(v.ctx(), v.who)
	defer done()
	if o.Learner, err = s.Learners.Find(ctx, v.who, id); err != nil {
		return o, err
	}
	only := []learner.ID{o.Learner.ID}
	names, err := s.Learners.NamesOf(ctx, v.who, only)
	if err != nil {
		return o, err
	}
	o.Names = names[o.Learner.ID]
	slices.Reverse(o.Names)
	identifiers, err := s.Learners.IdentifiersOf(ctx, v.who, only)
	if err != nil {
		return o, err
	}
	o.Identifiers = identifiers[o.Learner.ID]
	awards, err := s.Assertions.OfLearners(ctx, v.who, only, assertion.Filter{Withdrawn: v.in.Staff()}, many(after))
	if err != nil {
		return o, err
	}
	list := awards[o.Learner.ID]
	if list.PageInfo.HasNextPage {
		o.MoreAwards = list.PageInfo.EndCursor
	}
	if o.Awards, err = s.awards(v, list.Nodes); err != nil {
		return o, err
	}
	if o.Records, err = s.records(v, o.Learner.ID); err != nil {
		return o, err
	}
	if access.Allowed(v.who, access.ReadRelease) {
		if err := s.released(v, &o); err != nil {
			return o, err
		}
	}
	o.Programs, err = s.progress(v, o.Learner.ID)
	return o, err
}

// released reads holds, consents and what was told.
func (s *site) released(v *visit, o *overview) error {
	ctx, only := v.ctx(), []learner.ID{o.Learner.ID}
	standings, err := s.Consents.StandingsOf(ctx, v.who, only)
	if err != nil {
		return err
	}
	o.Standing = standings[o.Learner.ID]
	holds, err := s.Holds.OfLearners(ctx, v.who, only, page.Args{})
	if err != nil {
		return err
	}
	o.Holds = holds[o.Learner.ID].Nodes
	consents, err := s.Consents.OfLearners(ctx, v.who, only, page.Args{})
	if err != nil {
		return err
	}
	o.Consents = consents[o.Learner.ID].Nodes
	lines, err := s.Disclosures.OfLearners(ctx, v.who, only, page.Args{})
	o.Lines = lines[o.Learner.ID].Nodes
	return err
}

// awards adds to assertions what they are of and what was signed of them.
func (s *site) awards(v *visit, all []assertion.Assertion) ([]award, error) {
	ids, pins := make([]assertion.ID, len(all)), make([]achievement.Pin, len(all))
	for i, a := range all {
		ids[i], pins[i] = a.ID, a.Pin()
	}
	versions, err := s.Achievements.Versions(v.ctx(), v.who, pins)
	if err != nil {
		return nil, err
	}
	signed, err := s.Credentials.OfAssertions(v.ctx(), v.who, ids)
	if err != nil {
		return nil, err
	}
	out := make([]award, len(all))
	for i, a := range all {
		d := versions[a.Pin()].Definition
		out[i] = award{Assertion: a, Title: d.Name, Code: d.HumanCode, Type: d.AchievementType, Results: resultsOf(d, a)}
		if c := signed[a.ID]; len(c) > 0 {
			out[i].Credential = &c[0]
		}
	}
	return out, nil
}

// resultsOf are results in the words of their achievement, but for the grade
// that the award tells already.
func resultsOf(d achievement.Definition, a assertion.Assertion) (lines []record.ResultLine) {
	for _, r := range a.Results {
		if r.Value != "" && r.Value == deref(a.Grade) {
			continue
		}
		line := record.ResultLine{Value: r.Value}
		for _, x := range d.ResultDescription {
			if x.ID != r.Description {
				continue
			}
			line.Name, line.Type = x.Name, x.ResultType
			for _, l := range x.RubricCriterionLevel {
				if l.ID == r.Level {
					line.Value = l.Name
				}
			}
		}
		if line.Value == "" {
			line.Value = r.Status
		}
		lines = append(lines, line)
	}
	return lines
}

// records are a learner's record versions, newest first.
func (s *site) records(v *visit, l learner.ID) ([]versioned, error) {
	all, err := s.Records.OfLearners(v.ctx(), v.who, []learner.ID{l}, record.Filter{}, page.Args{})
	if err != nil {
		return nil, err
	}
	types, err := s.typeTitles(v)
	if err != nil {
		return nil, err
	}
	nodes := all[l].Nodes
	ids := make([]record.ID, len(nodes))
	for i, r := range nodes {
		ids[i] = r.ID
	}
	outdated, err := s.Records.OutdatedItemsOf(v.ctx(), v.who, ids)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	out := make([]versioned, len(nodes))
	for i, r := range nodes {
		out[i] = versioned{Record: r, Title: or(types[r.Type], r.Type), Outdated: len(outdated[r.ID]), Latest: !seen[r.Series]}
		seen[r.Series] = true
	}
	return out, nil
}

func (s *site) typeTitles(v *visit) (map[string]string, error) {
	types, err := s.Records.Types(v.ctx(), v.who)
	titles := map[string]string{}
	for _, t := range types {
		titles[t.Key] = t.Content.Title
	}
	return titles, err
}

// progress is how far a learner is with the programs they are enrolled in.
func (s *site) progress(v *visit, l learner.ID) ([]progressed, error) {
	reports, err := s.Programs.ProgressOf(v.ctx(), v.who, []learner.ID{l}, program.Question{})
	if err != nil {
		return nil, err
	}
	var ids []program.ID
	for _, r := range reports[l] {
		ids = append(ids, *r.ProgramID)
	}
	programs, err := s.Programs.ByIDs(v.ctx(), v.who, ids)
	if err != nil {
		return nil, err
	}
	var out []progressed
	for _, r := range reports[l] {
		out = append(out, progressed{r, programs[*r.ProgramID]})
	}
	return out, nil
}

// shown is a record as it is read.
type shown struct {
	record.Model
	Record record.Record
	Back   string
	Base   string
	Others []versioned
	Prints []transcript.Document
	Now    []record.Change // in what it differs from the version before it

	Renamed bool // it was issued under a former name
}

// Latest reports whether no newer version took its place.
func (d shown) Latest() bool { return len(d.Others) == 0 || d.Others[0].ID == d.Record.ID }

func (s *site) recordPage(v *visit, base string) error {
	r, err := s.Records.Find(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	m, err := s.Records.Model(v.ctx(), v.who, string(r.ID))
	if err != nil {
		return err
	}
	all, err := s.records(v, r.LearnerID)
	if err != nil {
		return err
	}
	d := shown{Model: m, Record: r, Base: base, Back: "/me"}
	l, err := s.Learners.Find(v.ctx(), v.who, string(r.LearnerID))
	if err != nil {
		return err
	}
	if d.Renamed = m.Learner.Name != "" && m.Learner.Name != l.DisplayName; d.Renamed {
		d.Learner.Name = l.DisplayName // the signed file has the former one, and no page
	}
	if base == "/desk" {
		d.Back = "/desk/learners/" + string(r.LearnerID)
	}
	for _, x := range all {
		if x.Series == r.Series {
			d.Others = append(d.Others, x)
		}
	}
	printed, err := s.Documents.OfRecords(v.ctx(), v.who, []record.ID{r.ID})
	if err != nil {
		return err
	}
	d.Prints = printed[r.ID]
	span := record.Span{Of: r.ID}
	changes, err := s.Records.ChangesOf(v.ctx(), v.who, []record.Span{span})
	if err != nil {
		return err
	}
	d.Now = changes[span]
	return v.showNamed("record", m.Title, d)
}

// recordFile is the signed record as it was sealed.
func (s *site) recordFile(v *visit) error {
	r, err := s.Records.Find(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.file(v, r.CredentialID, fmt.Sprintf("record-%d.json", r.Version))
}

func (s *site) credentialFile(v *visit) error {
	return s.file(v, credential.ID(v.r.PathValue("id")), "credential.json")
}

// file hands a signed document over, byte for byte.
func (s *site) file(v *visit, id credential.ID, name string) error {
	all, err := s.Credentials.Sealed(v.ctx(), v.who, []credential.ID{id})
	if err != nil {
		return err
	}
	raw, err := s.Holds.HandOver(v.ctx(), v.who, release.Taking{Channel: disclosure.ByDocument, Purpose: "a signed document as a file"}, all[id])
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Type", "application/vc+ld+json")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = v.w.Write(raw) // who went away does not hear of it
	return nil
}

// at is the page of a learner, at one of its parts.
func at(l learner.ID, part string) string { return "/desk/learners/" + string(l) + "#" + part }

// about is a learner as forms name them.
func (s *site) about(v *visit, id string) (learner.Learner, string, error) {
	l, err := s.Learners.Find(v.ctx(), v.who, id)
	if err != nil {
		return l, "", err
	}
	name := isolated(l.DisplayName)
	if l.RefValue != nil {
		name += ", " + *l.RefValue
	}
	return l, name, nil
}

// isolated is a text that is put beside others, kept from turning them around
// where it is of a script that runs from right to left (UAX #9 §2.7).
func isolated(text string) string {
	for _, r := range text {
		if p, _ := bidi.LookupRune(r); p.Class() == bidi.R || p.Class() == bidi.AL {
			return "\u2068" + text + "\u2069"
		}
	}
	return text
}

// may refuses a page to whom the action behind it is refused.
func (v *visit) may(do access.Action) error { return access.Check(v.who, do) }

// factsIn are what an award says besides who and what.
func factsIn(in url.Values) (f assertion.Facts, err error) {
	on, err := dated(in, "achievedOn")
	if err != nil {
		return f, err
	}
	if on == nil {
		return f, fault.At("achievedOn", "required", "Say on which day it was achieved.")
	}
	f = assertion.Facts{AchievedOn: *on, Term: sent(in, "term"), Grade: optional(in, "grade"), Narrative: optional(in, "narrative")}
	if text := sent(in, "creditsEarned"); text != "" {
		var n float64
		if _, err := fmt.Sscanf(text, "%g", &n); err != nil {
			return f, fault.At("creditsEarned", "number", "%q is not a number of credits.", text)
		}
		f.CreditsEarned = &n
	}
	if address := sent(in, "evidence"); address != "" {
		f.Evidence = []assertion.Evidence{{URL: address}}
	}
	return f, nil
}
