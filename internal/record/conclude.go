package record

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// ConclusionType is the type of the achievement in what a record concludes.
const ConclusionType = "ext:CompetencyConclusions"

// Conclusion is a competency that is held by the institution's rules: nobody
// awarded it as such, or it follows from more than one award.
type Conclusion struct {
	Aligned
	Framework string
	Level     string // reached; empty where the competency has no levels
	Derived   string // by which rule and from what it follows, in sentences
	Asserted  bool   // a credential of the record speaks for the same competency itself
}

// The bounds of what a record concludes.
const (
	maxConclusions = 300
	maxDerived     = 8000 // letters of one derivation
)

// The sentences of conclusions that are left out, and of evidence that is.
const (
	unfoundedOmitted = "Competencies that follow from what is not part of this record are not told."
	manyOmitted      = "Competencies beyond the first 300 are not told."
	otherKind        = "Evidence of a kind that this record does not hold counts as well."
)

// concluded is a conclusion before it is signed.
type concluded struct {
	item    framework.ItemID
	level   string
	derived string
	from    []crossing
}

// crossing is a mapping that carried a holding from another competency.
type crossing struct {
	from framework.ItemID
	kind string
}

// conclude finds what a kind of record concludes: the competencies that are held
// by rules or crosswalks which the institution has laid down. What follows from
// awards that the record leaves out is not told, unless they are of a kind that
// such a record never holds; those are counted and not named. Nothing is
// concluded by the built-in rule alone.
func (s *Service) conclude(ctx context.Context, who access.Actor, w order, all []*one) error {
	if !w.of.Content.Conclusions || s.Programs == nil || len(all) == 0 {
		return nil
	}
	ids := make([]learner.ID, len(all))
	for i, o := range all {
		ids[i] = o.Learner.ID
	}
	held, err := s.Programs.Mastery.Of(ctx, who, ids, mastery.When{})
	if err != nil {
		return err
	}
	var asks []mastery.Ask
	for _, l := range ids {
		h := held[l]
		for _, i := range h.States.Changed() {
			if h.States.Of(i).Status == mastery.Met {
				asks = append(asks, mastery.Ask{Learner: l, Item: h.Basis.Graph.Items[i].ID})
			}
		}
	}
	why, err := s.Programs.Mastery.Explain(ctx, who, asks, mastery.When{})
	if err != nil {
		return err
	}
	of := map[learner.ID][]mastery.Explained{}
	for _, a := range asks {
		if x, ok := why[a]; ok && x.Reason.State.Status == mastery.Met && (x.Reason.Rule.ID != "" || x.Reason.Crosswalk) {
			of[a.Learner] = append(of[a.Learner], x)
		}
	}
	for _, o := range all {
		o.concludes(of[o.Learner.ID])
	}
	return nil
}

// concludes keeps the conclusions that may be told.
func (o *one) concludes(all []mastery.Explained) {
	addresses := map[assertion.ID]string{}
	for i, a := range o.awards {
		addresses[a.ID] = string(o.Credentials[i].ID)
	}
	for _, x := range all {
		t := telling{x: x, inside: addresses, aside: o.aside}
		t.reason(x.Reason, 0)
		switch {
		case t.hidden:
			o.left.leave(unfoundedOmitted, true)
		case len(o.concluded) == maxConclusions:
			o.left.leave(manyOmitted, true)
		default:
			o.concluded = append(o.concluded, concluded{x.Basis.Graph.Items[x.Reason.Item].ID, x.Reason.Level, t.text(), t.crossings})
		}
	}
}

// telling writes the derivation of a conclusion: what counts, and nothing else.
type telling struct {
	x         mastery.Explained
	inside    map[assertion.ID]string // awards in the record
	aside     map[assertion.ID]bool   // those of a kind that it never holds
	b         strings.Builder
	letters   int
	other     bool
	hidden    bool // it rests on what is left out
	crossings []crossing
}

func (t *telling) line(depth int, sentence string) {
	line := strings.Repeat("  ", depth) + strings.TrimSpace(sentence) + "\n"
	if t.letters += len(line); t.letters <= maxDerived {
		t.b.WriteString(line)
	}
}

func (t *telling) reason(r *mastery.Reason, depth int) {
	t.line(depth, r.Sentence)
	t.line(depth+1, r.RuleSentence)
	for _, e := range r.Evidence {
		if e.Outcome != mastery.Counted {
			continue
		}
		address, inside := t.inside[e.Assertion]
		switch {
		case inside:
			t.line(depth+1, e.Sentence+" Credential "+address+".")
		case t.aside[e.Assertion]:
			t.other = true
		default:
			t.hidden = true
		}
	}
	for _, h := range r.Holdings {
		if h.Outcome != mastery.Counted || h.Reason == nil {
			continue
		}
		t.line(depth+1, h.Sentence)
		if depth == 0 && len(h.By) > 0 {
			t.crossings = append(t.crossings, crossing{t.x.Basis.Graph.Items[h.Reason.Item].ID, h.By[0].Type})
		}
		t.reason(h.Reason, depth+2)
	}
	for _, p := range r.Parts {
		if p.State.Status == mastery.Met {
			t.reason(p, depth+1)
		}
	}
}

func (t *telling) text() string {
	s := t.b.String()
	if t.letters > maxDerived {
		s += "There is more than is told here.\n"
	}
	if t.other {
		s += otherKind + "\n"
	}
	return s
}

// conclusionTargets are the items that conclusions are about.
func (o *one) conclusionTargets() []framework.ItemID {
	var all []framework.ItemID
	for _, c := range o.concluded {
		all = append(all, c.item)
		for _, x := range c.from {
			all = append(all, x.from)
		}
	}
	return all
}

// about finds the items that the conclusions of records are about.
func (s *Service) about(ctx context.Context, who access.Actor, all []*one) (map[framework.ItemID]framework.Item, map[framework.ID]framework.Framework, error) {
	var ids []framework.ItemID
	for _, o := range all {
		ids = append(ids, o.conclusionTargets()...)
	}
	if len(ids) == 0 {
		return nil, nil, nil
	}
	slices.Sort(ids)
	items, err := s.Programs.Mastery.Frameworks.ItemsByIDs(ctx, who, slices.Compact(ids))
	if err != nil {
		return nil, nil, err
	}
	var of []framework.ID
	for _, i := range items {
		of = append(of, i.FrameworkID)
	}
	slices.Sort(of)
	titles, err := s.Programs.Mastery.Frameworks.ByIDs(ctx, who, slices.Compact(of))
	return items, titles, err
}

// conclusions is what a record concludes as a credential: an achievement of its
// own, whose results are the competencies and whose evidence is how each follows.
// So who reads the record sees that they were concluded, and checks it by the
// institution's signature like everything else. Open Badges 3.0 §B.1.10, §B.1.18,
// §B.1.19.
func (o *one) conclusions(id, validFrom string) ([]byte, error) {
	uri := o.Base + "/record-types/" + o.frame.Type + "#conclusions"
	a := openbadges.Achievement{ID: uri, Type: openbadges.List[string]{"Achievement"}, AchievementType: ConclusionType, Name: "Competencies concluded",
		Description: "Competencies that the learner holds by the rules of the issuer. They were concluded from awards and not awarded themselves; the evidence says by which rule and from what.",
		Criteria:    &openbadges.Criteria{Narrative: "Each competency is held by the version of the rule that its evidence names."}}
	c := openbadges.Credential{ID: id, Name: a.Name, Issuer: o.Issuer, ValidFrom: validFrom, CredentialSubject: openbadges.Subject{ID: o.Learner.SubjectID(),
		Type: openbadges.List[string]{"AchievementSubject"}, Identifier: credential.Named(o.Learner)}}
	r := results{uri: uri}
	for _, x := range o.concluded {
		i, ok := o.items[x.item]
		if !ok {
			continue
		}
		code := ""
		if i.HumanCodingScheme != nil {
			code = *i.HumanCodingScheme
		}
		d := openbadges.ResultDescription{Name: coded(code, name(i)), ResultType: "Status", Alignment: openbadges.List[openbadges.Alignment]{{Type: openbadges.List[string]{"Alignment"},
			TargetCode: code, TargetName: name(i), TargetURL: i.URI, TargetType: "CFItem", TargetFramework: o.titles[i.FrameworkID].Title}}}
		if x.level != "" {
			d.ResultType = "ext:CompetencyLevel"
		}
		r.add(d, openbadges.Result{Value: x.level, Status: "Completed"})
		c.Evidence = append(c.Evidence, openbadges.Evidence{Type: openbadges.List[string]{"Evidence"}, Name: "How " + d.Name + " follows", Genre: "Derivation", Narrative: x.derived})
	}
	a.ResultDescription, c.CredentialSubject.Result = r.descriptions, r.all
	c.CredentialSubject.Achievement = a
	return openbadges.Compose(c)
}

// crossed are the mappings by which competencies were concluded, as associations.
func (o *one) crossed() []framework.Link {
	var all []framework.Link
	for _, c := range o.concluded {
		for _, x := range c.from {
			from, ok := o.items[x.from]
			to, there := o.items[c.item]
			if ok && there {
				all = append(all, framework.Link{Type: x.kind, Origin: from.URI, Destination: to.URI})
			}
		}
	}
	return all
}

// sealConclusions signs what records conclude.
func (s *Service) sealConclusions(ctx context.Context, who access.Actor, w order, all []*one) error {
	var some []*one
	for _, o := range all {
		if len(o.concluded) > 0 {
			some = append(some, o)
		}
	}
	return s.sealBeside(ctx, who, "conclusions/"+w.series(), some, func(o *one) ([]byte, error) { return o.conclusions("", "") })
}

// conclusionsIn reads the conclusions from the credential that holds them.
func conclusionsIn(plain json.RawMessage) ([]Conclusion, error) {
	var c openbadges.Credential
	if err := json.Unmarshal(plain, &c); err != nil {
		return nil, fmt.Errorf("read conclusions: %w", err)
	}
	levels := map[string]string{}
	for _, r := range c.CredentialSubject.Result {
		levels[r.ResultDescription] = r.Value
	}
	var all []Conclusion
	for n, d := range c.CredentialSubject.Achievement.ResultDescription {
		for _, a := range d.Alignment {
			x := Conclusion{Aligned: Aligned{URI: a.TargetURL, Code: a.TargetCode, Name: cmp.Or(a.TargetName, d.Name)}, Framework: a.TargetFramework, Level: levels[d.ID]}
			if n < len(c.Evidence) {
				x.Derived = c.Evidence[n].Narrative
			}
			all = append(all, x)
		}
	}
	return all, nil
}
