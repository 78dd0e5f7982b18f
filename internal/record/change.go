package record

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
)

// The kinds of changes.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Change is one thing in which two versions of a record differ.
type Change struct {
	Kind     string
	Subject  string // what it is about: a line by its code and title, the learner, a total
	Field    string // what of it changed, such as grade; empty when all of it came or went
	Old      string
	New      string
	Sentence string
}

// Compare is how a record differs from one before it, in the order of the new
// one; what was removed stands last. identity says of what a line is, so that a
// credential and the one that replaced it are the same line; why says why a line
// that is gone is gone, or nothing.
func Compare(before, after Model, identity, why func(Line) string) []Change {
	d := differences{}
	if before.Learner.Name != after.Learner.Name { // the former one is told by the history of names alone, to those who may see it
		d.field("The learner", "name", "", after.Learner.Name)
	}
	d.field("The issuer", "name", before.Issuer.Name, after.Issuer.Name)
	d.field("The record", "title", before.Title, after.Title)
	old := map[string]Line{}
	for _, l := range before.lines() {
		old[identity(l)] = l
	}
	for _, l := range after.lines() {
		key := identity(l)
		was, ok := old[key]
		if !ok {
			d.all = append(d.all, Change{Kind: Added, Subject: l.named(), New: l.said(), Sentence: fmt.Sprintf("%s was added: %s.", l.named(), l.said())})
			continue
		}
		delete(old, key)
		d.line(was, l)
	}
	d.totals(before, after)
	for _, l := range before.lines() {
		if _, gone := old[identity(l)]; gone {
			d.all = append(d.all, Change{Kind: Removed, Subject: l.named(), Old: l.said(), Sentence: strings.TrimSpace(fmt.Sprintf("%s was removed: %s. %s", l.named(), l.said(), why(l)))})
		}
	}
	return d.all
}

// lines are the lines of a record, each once.
func (m Model) lines() []Line {
	var all []Line
	for _, s := range m.Sections {
		for _, l := range s.Lines {
			if !l.Repeated {
				all = append(all, l)
			}
		}
	}
	return all
}

func (l Line) named() string { return coded(l.Code, l.Title) }

// said is what a line says, in short.
func (l Line) said() string {
	var all []string
	for _, p := range []struct{ before, value string }{{"", l.Term}, {"grade ", l.Grade}, {"", l.Level}, {"", creditsOf(l.Credits)}, {"earned on ", l.AwardedOn}} {
		if p.value != "" {
			all = append(all, p.before+p.value)
		}
	}
	return strings.Join(all, ", ")
}

func creditsOf(v *float64) string {
	if v == nil {
		return ""
	}
	return plainNumber(*v) + " credits"
}

type differences struct{ all []Change }

// field notes that a value is another one.
func (d *differences) field(subject, field, old, now string) {
	if old == now {
		return
	}
	sentence := fmt.Sprintf("%s: %s changed from %s to %s.", subject, field, old, now)
	switch {
	case old == "":
		sentence = fmt.Sprintf("%s: %s is now %s.", subject, field, now)
	case now == "":
		sentence = fmt.Sprintf("%s: %s %s is gone.", subject, field, old)
	}
	d.all = append(d.all, Change{Kind: Changed, Subject: subject, Field: field, Old: old, New: now, Sentence: sentence})
}

func (d *differences) line(was, now Line) {
	subject, before := now.named(), len(d.all)
	for _, f := range []struct{ name, old, now string }{
		{"title", was.Title, now.Title}, {"code", was.Code, now.Code}, {"type", was.Type, now.Type}, {"term", was.Term, now.Term}, {"grade", was.Grade, now.Grade}, {"level", was.Level, now.Level},
		{"credits", creditsOf(was.Credits), creditsOf(now.Credits)}, {"day of award", was.AwardedOn, now.AwardedOn}, {"end", was.ValidUntil, now.ValidUntil},
		{"status", strings.ReplaceAll(was.Status, "_", " "), strings.ReplaceAll(now.Status, "_", " ")}, {"role", was.Role, now.Role}, {"license number", was.License, now.License},
		{"start", was.StartedOn, now.StartedOn}, {"end of activity", was.EndedOn, now.EndedOn}, {"narrative", was.Narrative, now.Narrative},
		{"results", was.results(), now.results()}, {"competencies", was.competencies(), now.competencies()}, {"evidence", was.evidence(), now.evidence()}} {
		d.field(subject, f.name, f.old, f.now)
	}
	if len(d.all) == before && was.CredentialID != now.CredentialID {
		d.all = append(d.all, Change{Kind: Changed, Subject: subject, Field: "credential", Old: was.CredentialID, New: now.CredentialID,
			Sentence: subject + ": the credential was issued anew; what it says of the award is the same."})
	}
}

// results are those that are told by no other field.
func (l Line) results() string {
	var all []string
	for _, r := range l.Results {
		if r.Value != l.Grade && r.Value != l.Level {
			all = append(all, strings.TrimSpace(r.Name+" "+r.Value))
		}
	}
	return strings.Join(all, ", ")
}

func (l Line) competencies() string {
	all := make([]string, len(l.Competencies))
	for i, c := range l.Competencies {
		all[i] = coded(c.Code, c.Name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (l Line) evidence() string {
	all := make([]string, len(l.Evidence))
	for i, e := range l.Evidence {
		all[i] = cmp.Or(e.URL, e.Name, e.Text)
	}
	return strings.Join(all, ", ")
}

// totals compares what records add up to and what their programs ask for.
func (d *differences) totals(before, after Model) {
	was, now := value(before.Summary), value(after.Summary)
	d.field("The credits earned", "total", totalOf(before.Summary, was.CreditsEarned), totalOf(after.Summary, now.CreditsEarned))
	d.field("The grade point average", "value", valueOf(was.Average), valueOf(now.Average))
	d.field("The rule of the average", "text", was.Policy, now.Policy)
	old := map[string]string{}
	for _, p := range before.Programs {
		for _, l := range p.Lines {
			old[string(p.Program.ID)+"\n"+l.Key] = l.Status
		}
	}
	for _, p := range after.Programs {
		for _, l := range p.Lines {
			if s, ok := old[string(p.Program.ID)+"\n"+l.Key]; ok {
				d.field(p.Program.Title+": "+l.Title, "status", strings.ReplaceAll(s, "_", " "), strings.ReplaceAll(l.Status, "_", " "))
			}
		}
	}
	rules := map[string]bool{}
	for _, e := range before.Equivalencies {
		rules[string(e.Rule)] = true
	}
	for _, e := range after.Equivalencies {
		if !rules[string(e.Rule)] {
			subject := coded(e.Code, e.Given) + " as " + coded(e.AsCode, e.As)
			d.all = append(d.all, Change{Kind: Added, Subject: subject, New: e.worth(), Sentence: fmt.Sprintf("%s was added: %s, by rule %s.", subject, e.worth(), e.Rule)})
		}
		delete(rules, string(e.Rule))
	}
	for _, e := range before.Equivalencies {
		if rules[string(e.Rule)] {
			subject := coded(e.Code, e.Given) + " as " + coded(e.AsCode, e.As)
			d.all = append(d.all, Change{Kind: Removed, Subject: subject, Old: e.worth(), Sentence: fmt.Sprintf("%s was removed: rule %s does not count any more.", subject, e.Rule)})
		}
	}
}

func value(s *Summary) Summary {
	if s == nil {
		return Summary{}
	}
	return *s
}

func totalOf(s *Summary, v float64) string {
	if s == nil {
		return ""
	}
	return plainNumber(v)
}

func valueOf(a *Average) string {
	if a == nil {
		return ""
	}
	return a.Value
}

// Span is two records that are compared. An empty Since is the version before Of.
type Span struct{ Of, Since ID }

// ChangesOf are how records differ from those before them; nothing for a first
// version. Invalid when the two are not of the same learner and type.
func (s *Service) ChangesOf(ctx context.Context, who access.Actor, spans []Span) (map[Span][]Change, error) {
	var ids []ID
	for _, x := range spans {
		ids = append(ids, x.Of)
		if x.Since != "" {
			ids = append(ids, x.Since)
		}
	}
	all := map[ID]shown{}
	var lines map[string]origin
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		load := func(ids []ID) error {
			rows, err := shownOf(ctx, tx, who, ids)
			for _, r := range rows {
				all[r.ID] = r
			}
			return err
		}
		if err := load(ids); err != nil {
			return err
		}
		var before []ID
		for _, x := range spans {
			if r, ok := all[x.Of]; ok && x.Since == "" && r.Before != nil {
				before = append(before, *r.Before)
			}
		}
		if err := load(before); err != nil {
			return err
		}
		known := make([]ID, 0, len(all))
		for id := range all {
			known = append(known, id)
		}
		items, err := itemsOf(ctx, tx, who, known)
		if err != nil {
			return err
		}
		var credentials []credential.ID
		for _, list := range items {
			credentials = append(credentials, list...)
		}
		lines, err = origins(ctx, tx, who, credentials)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make(map[Span][]Change, len(spans))
	for _, x := range spans {
		if out[x], err = compared(all, lines, x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// compared is one span of records that were read.
func compared(all map[ID]shown, lines map[string]origin, x Span) ([]Change, error) {
	of, ok := all[x.Of]
	if !ok {
		return nil, fault.Missing("record")
	}
	if x.Since == "" {
		if of.Before == nil {
			return []Change{}, nil
		}
		x.Since = *of.Before
	}
	since, ok := all[x.Since]
	if !ok || since.LearnerID != of.LearnerID || since.Type != of.Type {
		return nil, fault.At("since", "comparable", "That is no record of the same learner and type.")
	}
	after, err := of.model()
	if err != nil {
		return nil, err
	}
	before, err := since.model()
	if err != nil {
		return nil, err
	}
	from := func(l Line) origin {
		if l.Other { // its address is another's to choose
			return origin{}
		}
		return lines[tail(l.CredentialID)]
	}
	identity := func(l Line) string { return cmp.Or(from(l).Assertion, l.CredentialID) }
	why := func(l Line) string { return from(l).why() }
	return append([]Change{}, Compare(before, after, identity, why)...), nil
}

// tail is the id of a credential in its address.
func tail(address string) string { return address[strings.LastIndexByte(address, '/')+1:] }

// origin is where a line of a record comes from, and what became of that.
type origin struct {
	Credential string
	Assertion  string
	Status     string
	Withdrawn  string // why the award was withdrawn; empty where it was not
}

// why is why such a line is not part of a record.
func (o origin) why() string {
	switch {
	case o.Withdrawn != "":
		return "The award was withdrawn: " + strings.TrimSuffix(o.Withdrawn, ".") + "."
	case o.Status == "revoked":
		return "The credential was revoked."
	case o.Status == "suspended":
		return "The credential is suspended."
	}
	return ""
}

func origins(ctx context.Context, tx pgx.Tx, who access.Actor, ids []credential.ID) (map[string]origin, error) {
	rows, _ := tx.Query(ctx, `
		select c.id as credential, coalesce(c.assertion_id, '') as assertion, c.status, coalesce(a.withdrawn_reason, '') as withdrawn
		from credential c
		left join assertion a on a.institution_id = c.institution_id and a.id = c.assertion_id
		where c.institution_id = @institution and c.id = any(@ids) and (@only::text is null or c.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[origin])
	all := make(map[string]origin, len(found))
	for _, o := range found {
		all[o.Credential] = o
	}
	return all, err
}
