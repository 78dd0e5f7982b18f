package framework

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/spec/imscase"
)

// What can become of an item or an association from one version to another.
const (
	Added    = "added"
	Changed  = "changed"
	Retired  = "retired"
	Replaced = "replaced" // of an item: another one stands in its place
)

// Comparison is what differs between two versions of a framework.
type Comparison struct {
	FrameworkID  ID
	Title        string
	FromVersion  int            // 0: the framework was not here
	ToVersion    int            // as it is, or would be
	Document     []MemberChange // of the document, its definitions and extensions
	Items        []ItemChange   // in the order of the later version, then what is gone
	Associations []LinkChange
	Rubrics      []ObjectChange
	Notices      []string
}

// Count is how many items went one way.
func (c Comparison) Count(kind string) int {
	n := 0
	for _, i := range c.Items {
		if i.Kind == kind {
			n++
		}
	}
	return n
}

// AddedCount is how many items are new.
func (c Comparison) AddedCount() int { return c.Count(Added) }

// ChangedCount is how many items read or stand otherwise.
func (c Comparison) ChangedCount() int { return c.Count(Changed) }

// RetiredCount is how many items are gone.
func (c Comparison) RetiredCount() int { return c.Count(Retired) }

// ReplacedCount is in how many items' place others stand.
func (c Comparison) ReplacedCount() int { return c.Count(Replaced) }

// Of are the changes of one kind, or all without one.
func (c Comparison) Of(kind *string) []ItemChange {
	if kind == nil {
		return c.Items
	}
	return slices.DeleteFunc(slices.Clone(c.Items), func(i ItemChange) bool { return i.Kind != *kind })
}

// ItemChange is what becomes of one item.
type ItemChange struct {
	Kind       string
	Identifier string
	ItemID     *ItemID // nil: it is not here yet
	Code       *string
	Statement  string
	Members    []MemberChange // parents among them, as the identifiers above the item
	ReplacedBy []string       // identifiers
}

// LinkChange is what becomes of one association.
type LinkChange struct {
	Kind                  string
	Identifier            string
	Type                  string
	OriginIdentifier      string
	DestinationIdentifier string
}

// ObjectChange is what becomes of one rubric.
type ObjectChange struct {
	Kind       string
	Identifier string
}

// MemberChange is one member that reads otherwise: text as it is, all else as
// JSON; nil where there was or is none.
type MemberChange struct {
	Name   string
	Before *string
	After  *string
}

// pair is an object that differs between two versions.
type pair struct {
	Identifier string
	ObjectID   *string // nil: not here yet
	Before     *string
	After      *string
}

func (p pair) kind() string {
	switch {
	case p.Before == nil:
		return Added
	case p.After == nil:
		return Retired
	}
	return Changed
}

func pairs(ctx context.Context, tx pgx.Tx, who access.Actor, sql string, f ID, from, to int) ([]pair, error) {
	rows, _ := tx.Query(ctx, `
		with old as (`+strings.ReplaceAll(sql, "@version", "@from")+`),
		new as (`+strings.ReplaceAll(sql, "@version", "@to")+`)
		select coalesce(old.identifier, new.identifier) as identifier, coalesce(new.object_id, old.object_id) as object_id,
			old.source as before, new.source as after
		from old full join new on new.identifier = old.identifier
		where old.source is distinct from new.source
		order by new.position, old.position, 1`,
		pgx.NamedArgs{"institution": who.InstitutionID, "framework": f, "from": from, "to": to})
	return pgx.CollectRows(rows, pgx.RowToStructByName[pair])
}

// Compare says what differs between two versions; 0 is the present one.
func (s *Service) Compare(ctx context.Context, who access.Actor, framework string, from, to int) (Comparison, error) {
	var c Comparison
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		f, err := find(ctx, tx, who, framework)
		if err != nil {
			return err
		}
		for _, v := range []*int{&from, &to} {
			known, err := versionInTx(ctx, tx, who, f.ID, *v)
			if err != nil {
				return err
			}
			*v = known.Version
		}
		c, err = compare(ctx, tx, who, f, from, to)
		return err
	})
	return c, err
}

// compare says what differs; from may be 0 for a framework that was not here.
func compare(ctx context.Context, tx pgx.Tx, who access.Actor, f Framework, from, to int) (Comparison, error) {
	c := Comparison{FrameworkID: f.ID, Title: f.Title, FromVersion: from, ToVersion: to}
	items, err := pairs(ctx, tx, who, itemsAt, f.ID, from, to)
	if err != nil {
		return c, err
	}
	links, err := pairs(ctx, tx, who, linksAt, f.ID, from, to)
	if err != nil {
		return c, err
	}
	rubrics, err := pairs(ctx, tx, who, rubricsAt, f.ID, from, to)
	if err != nil {
		return c, err
	}
	for _, r := range rubrics {
		c.Rubrics = append(c.Rubrics, ObjectChange{r.kind(), r.Identifier})
	}
	documents, err := pairs(ctx, tx, who, documentAt, f.ID, from, to)
	if err != nil {
		return c, err
	}
	for _, d := range documents {
		c.Document = documentChanges(d)
	}
	m := &comparer{items: map[string]*ItemChange{}}
	for _, p := range items {
		if err := m.item(p); err != nil {
			return c, err
		}
	}
	for _, p := range links {
		l, err := m.link(p)
		if err != nil {
			return c, err
		}
		c.Associations = append(c.Associations, l)
	}
	return c, m.finish(ctx, tx, who, f, to, &c)
}

// comparer gathers what the objects of two versions say of each item.
type comparer struct {
	order         []string
	items         map[string]*ItemChange
	parentsBefore map[string][]string
	parentsAfter  map[string][]string
	replacedBy    map[string][]string
}

func (m *comparer) item(p pair) error {
	var before, after imscase.Item
	if err := errors.Join(decode(p.Before, &before), decode(p.After, &after)); err != nil {
		return err
	}
	last := after
	if p.After == nil {
		last = before
	}
	i := &ItemChange{Kind: p.kind(), Identifier: p.Identifier, ItemID: (*ItemID)(p.ObjectID), Code: text(last.HumanCodingScheme),
		Statement: cmp.Or(last.AbbreviatedStatement, last.FullStatement)}
	if i.Kind == Changed {
		i.Members = memberChanges([]byte(*p.Before), []byte(*p.After))
	}
	m.items[p.Identifier], m.order = i, append(m.order, p.Identifier)
	return nil
}

func (m *comparer) link(p pair) (LinkChange, error) {
	var before, after imscase.Association
	if err := errors.Join(decode(p.Before, &before), decode(p.After, &after)); err != nil {
		return LinkChange{}, err
	}
	add := func(to *map[string][]string, a imscase.Association) {
		if *to == nil {
			*to = map[string][]string{}
		}
		(*to)[a.Origin.Identifier] = append((*to)[a.Origin.Identifier], a.Destination.Identifier)
	}
	if before.Type == "isChildOf" {
		add(&m.parentsBefore, before)
	}
	if after.Type == "isChildOf" {
		add(&m.parentsAfter, after)
	}
	if after.Type == "replacedBy" && before.Type != after.Type {
		add(&m.replacedBy, after)
	}
	last := after
	if p.After == nil {
		last = before
	}
	return LinkChange{p.kind(), p.Identifier, last.Type, last.Origin.Identifier, last.Destination.Identifier}, nil
}

// finish puts moves and replacements to the items that they are of. An item
// that only moved has not been seen yet.
func (m *comparer) finish(ctx context.Context, tx pgx.Tx, who access.Actor, f Framework, to int, c *Comparison) error {
	moved := map[string]MemberChange{}
	for _, id := range slices.Sorted(maps.Keys(keys(m.parentsBefore, m.parentsAfter))) {
		before, after := sortedText(m.parentsBefore[id]), sortedText(m.parentsAfter[id])
		if !sameText(before, after) {
			moved[id] = MemberChange{"parents", before, after}
		}
	}
	var unseen []string
	for _, id := range slices.Sorted(maps.Keys(keys(moved, m.replacedBy))) {
		if m.items[id] == nil {
			unseen = append(unseen, id)
		}
	}
	rows, err := tx.Query(ctx, `
		select identifier, id, coalesce(human_coding_scheme, ''), coalesce(abbreviated_statement, full_statement)
		from framework_item
		where institution_id = @institution and framework_id = @framework and identifier = any(@identifiers)
		order by position, id`, pgx.NamedArgs{"institution": who.InstitutionID, "framework": f.ID, "identifiers": unseen})
	if err != nil {
		return err
	}
	var identifier, code, statement string
	var item ItemID
	if _, err := pgx.ForEachRow(rows, []any{&identifier, &item, &code, &statement}, func() error {
		id := item
		m.items[identifier] = &ItemChange{Kind: Changed, Identifier: identifier, ItemID: &id, Code: text(code), Statement: statement}
		m.order = append(m.order, identifier)
		return nil
	}); err != nil {
		return err
	}
	for _, id := range m.order {
		i := m.items[id]
		if move, ok := moved[id]; ok && i.Kind == Changed {
			i.Members = append(i.Members, move)
		}
		if by := m.replacedBy[id]; len(by) > 0 && i.Kind != Added {
			i.Kind, i.ReplacedBy = Replaced, by
		}
		c.Items = append(c.Items, *i)
	}
	return nil
}

func keys[A, B any](a map[string]A, b map[string]B) map[string]bool {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}

func sortedText(all []string) *string {
	if len(all) == 0 {
		return nil
	}
	all = slices.Clone(all)
	slices.Sort(all)
	raw, _ := json.Marshal(all) // text always marshals
	s := string(raw)
	return &s
}

func sameText(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

func decode(source *string, into any) error {
	if source == nil {
		return nil
	}
	return json.Unmarshal([]byte(*source), into)
}

// memberChanges are the members of two objects that differ, by name.
func memberChanges(before, after []byte) []MemberChange {
	var x, y map[string]json.RawMessage
	if json.Unmarshal(before, &x) != nil || json.Unmarshal(after, &y) != nil {
		return nil
	}
	var all []MemberChange
	for _, name := range slices.Sorted(maps.Keys(keys(x, y))) {
		if a, b := x[name], y[name]; a == nil || b == nil || !sameJSON(a, b) {
			all = append(all, MemberChange{name, plain(a), plain(b)})
		}
	}
	return all
}

// plain is a value as text: a string as it is, all else as compact JSON.
func plain(raw json.RawMessage) *string {
	if raw == nil {
		return nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return &s
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return nil
	}
	s = b.String()
	return &s
}

// documentChanges are the members of the document, then the definitions and
// extensions as wholes.
func documentChanges(p pair) []MemberChange {
	var x, y map[string]json.RawMessage
	if decode(p.Before, &x) != nil || decode(p.After, &y) != nil {
		return nil
	}
	all := memberChanges(orEmpty(x["CFDocument"]), orEmpty(y["CFDocument"]))
	delete(x, "CFDocument")
	delete(y, "CFDocument")
	for _, name := range slices.Sorted(maps.Keys(keys(x, y))) {
		if a, b := x[name], y[name]; a == nil || b == nil || !sameJSON(a, b) {
			all = append(all, MemberChange{name, plain(a), plain(b)})
		}
	}
	return all
}

func orEmpty(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("{}")
	}
	return raw
}

// errPreview undoes what a preview did to find out what it would do.
var errPreview = errors.New("only a preview")

// Preview says what a file would change, and changes nothing: it is imported,
// compared and undone. *imscase.Refused says why the file cannot be imported.
func (s *Service) Preview(ctx context.Context, who access.Actor, file File) (Comparison, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Comparison{}, err
	}
	var c Comparison
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if _, c, err = s.loadAndCompare(ctx, tx, who, file); err != nil {
			return err
		}
		return errPreview
	})
	if errors.Is(err, errPreview) {
		return c, nil
	}
	return c, err
}

// Apply imports a file that was previewed. Conflict when expected is given and
// the framework has another version by now: 0 stands for one that is not here.
func (s *Service) Apply(ctx context.Context, who access.Actor, expected *int, file File) (Framework, Comparison, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Framework{}, Comparison{}, err
	}
	var f Framework
	var c Comparison
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if f, c, err = s.loadAndCompare(ctx, tx, who, file); err != nil {
			return err
		}
		if expected != nil && *expected != c.FromVersion {
			return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version",
				Message: "This framework was changed since the preview. Preview the file again and decide."}
		}
		if c.FromVersion == c.ToVersion {
			return nil
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.DefineCatalog, Target: string(f.ID), Detail: map[string]any{
			"version": c.ToVersion, "added": c.Count(Added), "changed": c.Count(Changed), "retired": c.Count(Retired), "replaced": c.Count(Replaced)}})
	})
	return f, c, err
}

func (s *Service) loadAndCompare(ctx context.Context, tx pgx.Tx, who access.Actor, file File) (Framework, Comparison, error) {
	l, err := s.LoadFile(ctx, who, tx, file)
	if err != nil {
		return Framework{}, Comparison{}, err
	}
	f, err := find(ctx, tx, who, string(l.Framework))
	if err != nil {
		return Framework{}, Comparison{}, err
	}
	c, err := compare(ctx, tx, who, f, l.Before, l.Version)
	c.Notices = l.Notices
	return f, c, err
}
