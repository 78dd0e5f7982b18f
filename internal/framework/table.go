package framework

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/spec/imscase"
	"github.com/testamur/testamur/internal/tabular"
)

// TableFields are the columns of a framework as a table. All of them must be
// there, so that an empty cell means that there is nothing.
var TableFields = []tabular.Field{{Name: "identifier", Required: true}, {Name: "parent", Required: true}, {Name: "code", Required: true},
	{Name: "statement", Required: true}, {Name: "type", Required: true}, {Name: "level", Required: true}}

// several joins the parents, and the levels, of one item in one cell.
const several = "|"

// maxRows is the largest table.
const maxRows = 100_000

// tableRow is an item in a table.
type tableRow struct {
	line                        int
	identifier, code, statement string
	itemType                    string
	parents, levels             []string
}

// WriteTable writes a framework as CSV, one row an item, depth first. What would
// be a formula in a spreadsheet begins with an apostrophe, which reading it
// takes off again.
func (s *Service) WriteTable(ctx context.Context, who access.Actor, framework string, w io.Writer) error {
	return s.read(ctx, who, func(tx pgx.Tx) error {
		f, err := openTo(ctx, tx, who, framework)
		if err != nil {
			return err
		}
		g, err := s.GraphInTx(ctx, who, tx, f.ID, 0)
		if err != nil {
			return err
		}
		rows, err := presentRows(ctx, tx, who, f.ID)
		if err != nil {
			return err
		}
		out := csv.NewWriter(w)
		var head []string
		for _, field := range TableFields {
			head = append(head, field.Name)
		}
		_ = out.Write(head) // the error is Flush's
		parentsOf := map[int32][]string{}
		for _, e := range g.Edges("isChildOf") { // those of circles too
			if p := g.Nodes[e.Destination]; e.Origin != e.Destination && !p.Retired {
				parentsOf[e.Origin] = append(parentsOf[e.Origin], p.Identifier)
			}
		}
		tops, err := childrenOfDocument(ctx, tx, who, f)
		if err != nil {
			return err
		}
		for i, n := range g.Nodes {
			if n.Retired {
				continue
			}
			parents := parentsOf[int32(i)]
			if len(parents) > 0 && tops[n.Identifier] {
				parents = append(parents, f.Identifier)
			}
			r := rows[n.Identifier]
			_ = out.Write([]string{n.Identifier, strings.Join(parents, several), inert(r.code), inert(r.statement), inert(r.itemType), inert(strings.Join(r.levels, several))})
		}
		out.Flush()
		return out.Error()
	})
}

// childrenOfDocument are the items that stand at the top by an association.
func childrenOfDocument(ctx context.Context, tx pgx.Tx, who access.Actor, f Framework) (map[string]bool, error) {
	rows, _ := tx.Query(ctx, `
		select origin_identifier
		from framework_association
		where institution_id = @institution and framework_id = @framework and type = 'isChildOf' and destination_identifier = @document`,
		pgx.NamedArgs{"institution": who.InstitutionID, "framework": f.ID, "document": f.Identifier})
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	tops := map[string]bool{}
	for _, id := range all {
		tops[id] = true
	}
	return tops, err
}

// formula is what a cell begins with that a spreadsheet would compute.
const formula = "=+-@\t\r"

func inert(s string) string {
	if s != "" && strings.ContainsAny(s[:1], formula+"'") {
		return "'" + s
	}
	return s
}

func live(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.ContainsAny(s[1:2], formula+"'") {
		return s[1:]
	}
	return s
}

// presentRows are the items in use by identifier, without their parents.
func presentRows(ctx context.Context, tx pgx.Tx, who access.Actor, f ID) (map[string]tableRow, error) {
	rows, err := tx.Query(ctx, `
		select identifier, coalesce(human_coding_scheme, ''), full_statement, coalesce(item_type, ''), education_level
		from framework_item
		where institution_id = @institution and framework_id = @framework and retired_at is null`,
		pgx.NamedArgs{"institution": who.InstitutionID, "framework": f})
	if err != nil {
		return nil, err
	}
	all := map[string]tableRow{}
	var r tableRow
	_, err = pgx.ForEachRow(rows, []any{&r.identifier, &r.code, &r.statement, &r.itemType, &r.levels}, func() error {
		all[r.identifier] = tableRow{identifier: r.identifier, code: r.code, statement: r.statement, itemType: r.itemType, levels: slices.Clone(r.levels)}
		return nil
	})
	return all, err
}

// readTable reads the rows of a table. A *tabular.Error names the first line
// that cannot be taken.
func readTable(r io.Reader, o tabular.Options) ([]tableRow, error) {
	o.Fields = TableFields
	t, err := tabular.NewReader(r, o)
	if err != nil {
		return nil, err
	}
	var all []tableRow
	seen := map[string]int{}
	for {
		row, err := t.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if row.Err != nil {
			return nil, row.Err
		}
		bad := func(column, rule, format string, args ...any) error {
			return &tabular.Error{Line: row.Line, Column: row.Header(column), Rule: rule, Value: row.Text(column), Message: fmt.Sprintf(format, args...)}
		}
		x := tableRow{line: row.Line, identifier: row.Text("identifier"), code: live(row.Text("code")), statement: live(row.Text("statement")),
			itemType: live(row.Text("type")), parents: cells(row.Text("parent")), levels: cells(live(row.Text("level")))}
		switch {
		case x.statement == "":
			return nil, bad("statement", "required", "A competency needs a statement.")
		case len(x.statement) > maxStatement:
			return nil, bad("statement", "too-long", "A statement has at most %d bytes.", maxStatement)
		case x.identifier != "" && !imscase.IsUUID(x.identifier) && !imscase.IsHexUUID(x.identifier):
			return nil, bad("identifier", "case-identifier-pattern", "An identifier is a UUID of version 1 to 5 in lower case; leave it empty for a new competency.")
		case x.identifier != "" && seen[x.identifier] > 0:
			return nil, bad("identifier", "once", "Line %d has the same identifier.", seen[x.identifier])
		case len(all) == maxRows:
			return nil, bad("identifier", "size", "A table has at most %d rows.", maxRows)
		}
		seen[x.identifier] = row.Line
		all = append(all, x)
	}
}

func cells(text string) []string {
	var all []string
	for part := range strings.SplitSeq(text, several) {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// loadTable brings a framework up to a table: rows that are new are added, items
// that have no row are retired, and everything that a table has no column for
// stays.
func (s *Service) loadTable(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, f File) (Loaded, error) {
	if f.Framework == "" {
		return Loaded{}, &tabular.Error{Column: "frameworkId", Rule: "required", Message: "Say which framework the table is of; make an empty one first for a new one."}
	}
	rows, err := readTable(f.Open(tx), f.Table)
	if err != nil {
		return Loaded{}, err
	}
	e, err := s.newEditor(ctx, tx, who)
	if err != nil {
		return Loaded{}, err
	}
	if e.f, e.before, err = lock(ctx, tx, who, f.Framework); err != nil {
		return Loaded{}, err
	}
	if e.document, err = parsed(e.before); err != nil {
		return Loaded{}, err
	}
	if e.g, err = s.GraphInTx(ctx, who, tx, e.f.ID, 0); err != nil {
		return Loaded{}, err
	}
	t := &tabled{editor: e, rows: rows, byName: map[string]int{}, links: map[string]map[string]members{}}
	if err := t.settle(); err != nil {
		return Loaded{}, err
	}
	if len(e.items)+len(e.links)+len(e.gone) > 0 {
		e.document.set("lastChangeDateTime", e.now)
	}
	pkg, err := json.Marshal(map[string]any{"CFDocument": e.document, "CFItems": orNone(e.items), "CFAssociations": orNone(e.links)})
	if err != nil {
		return Loaded{}, err
	}
	l, err := load(ctx, tx, who, b, strings.NewReader(string(pkg)), part{reason: "imported", only: true, gone: e.gone})
	if err != nil {
		return l, err
	}
	g, err := s.GraphInTx(ctx, who, tx, e.f.ID, 0)
	if err != nil {
		return l, err
	}
	for _, c := range g.Cycles {
		l.Notices = append(l.Notices, "The hierarchy runs in a circle through "+c[0]+"; walks end there.")
	}
	return l, nil
}

// tabled is a table on its way into a framework.
type tabled struct {
	*editor
	rows   []tableRow
	byName map[string]int                // rows by identifier, and by code where one row has it
	links  map[string]map[string]members // isChildOf by child and parent
}

func (t *tabled) settle() error {
	present, err := presentRows(t.ctx, t.tx, t.who, t.f.ID)
	if err != nil {
		return err
	}
	t.name(present)
	if err := t.readLinks(); err != nil {
		return err
	}
	sources, err := t.sources()
	if err != nil {
		return err
	}
	for i := range t.rows {
		if err := t.put(&t.rows[i], present, sources); err != nil {
			return err
		}
	}
	for _, n := range t.g.Nodes {
		if _, ok := t.byName[n.Identifier]; !ok && !n.Retired {
			t.gone = append(t.gone, n.Identifier)
		}
	}
	if err := t.goneLinks(); err != nil {
		return err
	}
	return t.place()
}

// name gives every row its identifier: its own, that of the one item in use
// with its code, or a new one.
func (t *tabled) name(present map[string]tableRow) {
	taken, byCode := map[string]bool{}, map[string][]string{}
	for _, r := range t.rows {
		taken[r.identifier] = true
	}
	for id, p := range present {
		if p.code != "" && !taken[id] {
			byCode[p.code] = append(byCode[p.code], id)
		}
	}
	codes := map[string]int{}
	for _, r := range t.rows {
		codes[r.code]++
	}
	for i := range t.rows {
		r := &t.rows[i]
		if same := byCode[r.code]; r.identifier == "" && len(same) == 1 && codes[r.code] == 1 {
			r.identifier = same[0]
		}
		if r.identifier == "" {
			_, r.identifier = t.fresh("CFItems")
		}
		t.byName[r.identifier] = i
	}
	for i, r := range t.rows {
		if _, ok := t.byName[r.code]; !ok && r.code != "" && codes[r.code] == 1 {
			t.byName[r.code] = i
		}
	}
}

func (t *tabled) readLinks() error {
	all, err := t.siblings(`destination_identifier <> @end`, "")
	if err != nil {
		return err
	}
	for _, x := range all {
		m, err := parsed(x.Source)
		if err != nil {
			return err
		}
		if t.links[x.OriginIdentifier] == nil {
			t.links[x.OriginIdentifier] = map[string]members{}
		}
		t.links[x.OriginIdentifier][x.DestinationIdentifier] = m
	}
	return nil
}

func (t *tabled) sources() (map[string]string, error) {
	rows, err := t.tx.Query(t.ctx, `select identifier, source from framework_item where institution_id = @institution and framework_id = @framework`,
		pgx.NamedArgs{"institution": t.who.InstitutionID, "framework": t.f.ID})
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	var identifier, source string
	_, err = pgx.ForEachRow(rows, []any{&identifier, &source}, func() error { all[identifier] = source; return nil })
	return all, err
}

// put writes the item of a row, if it says anything new.
func (t *tabled) put(r *tableRow, present map[string]tableRow, sources map[string]string) error {
	before, here := present[r.identifier]
	m := members{}
	if source, ok := sources[r.identifier]; ok {
		var err error
		if m, err = parsed(source); err != nil {
			return err
		}
	} else {
		m.set("identifier", r.identifier)
		m.set("uri", t.base+"CFItems/"+r.identifier)
	}
	change := !here // one that was retired comes back
	set := func(name, value, old string) {
		if lines(old) != lines(value) || !here {
			change = true
			m.set(name, value)
		}
	}
	set("fullStatement", r.statement, before.statement)
	set("humanCodingScheme", r.code, before.code)
	if r.itemType != before.itemType {
		delete(m, "CFItemTypeURI")
	}
	set("CFItemType", r.itemType, before.itemType)
	if !slices.Equal(r.levels, before.levels) {
		change = true
		m.set("educationLevel", r.levels)
	}
	if change {
		m.set("lastChangeDateTime", t.now)
		t.items = append(t.items, m)
	}
	return nil
}

// lines is a text with the ends of its lines as a table keeps them.
func lines(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }

// goneLinks takes out the associations of items that are retired.
func (t *tabled) goneLinks() error {
	rows, _ := t.tx.Query(t.ctx, `
		select identifier from framework_association
		where institution_id = @institution and framework_id = @framework and type <> 'replacedBy'
		  and (origin_identifier = any(@gone) or destination_identifier = any(@gone))`,
		pgx.NamedArgs{"institution": t.who.InstitutionID, "framework": t.f.ID, "gone": list(t.gone)})
	links, err := pgx.CollectRows(rows, pgx.RowTo[string])
	t.gone = append(t.gone, links...)
	return err
}

// place gives every row its parents, and the rows below each parent the order
// of the table, where they have another.
func (t *tabled) place() error {
	children := map[string][]string{}
	for i := range t.rows {
		r := &t.rows[i]
		_, here := t.g.ByIdentifier(r.identifier)
		has := t.links[r.identifier]
		var parents []string
		if len(r.parents) == 0 && (!here || len(has) > 0 && !t.orphan(r.identifier)) {
			parents = append(parents, t.f.Identifier) // one that has no place at all keeps having none
		}
		for _, name := range r.parents {
			if name == t.f.Identifier {
				parents = append(parents, name)
				continue
			}
			at, ok := t.byName[name]
			if !ok {
				return &tabular.Error{Line: r.line, Column: "parent", Rule: "parent-known", Value: name, Message: "The parent is no identifier of another row, and no code that one row alone has."}
			}
			if at == i {
				return &tabular.Error{Line: r.line, Column: "parent", Rule: "no-cycle", Value: name, Message: "A competency cannot stand below itself."}
			}
			parents = append(parents, t.rows[at].identifier)
		}
		for _, p := range parents {
			children[p] = append(children[p], r.identifier)
		}
		for parent, m := range has {
			if _, ok := t.g.ByIdentifier(parent); (ok || parent == t.f.Identifier) && parent != r.identifier && !slices.Contains(parents, parent) {
				t.gone = append(t.gone, identifierIn(m))
			}
		}
	}
	for parent, all := range children {
		t.order(parent, all)
	}
	return nil
}

// orphan reports whether none of the parents of an item is in the framework.
func (t *tabled) orphan(identifier string) bool {
	for parent := range t.links[identifier] {
		if _, ok := t.g.ByIdentifier(parent); (ok || parent == t.f.Identifier) && parent != identifier {
			return false
		}
	}
	return true
}

func identifierIn(m members) string {
	var s string
	_ = json.Unmarshal(m["identifier"], &s) // was read when it came in
	return s
}

func sequenceOf(m members) int {
	var n imscase.Int
	if json.Unmarshal(m["sequenceNumber"], &n) != nil {
		return 0
	}
	return int(n)
}

// order ties children to a parent in an order. Their numbers stay when they say
// so already.
func (t *tabled) order(parent string, all []string) {
	if slices.Equal(t.listed(parent), all) {
		return
	}
	for i, child := range all {
		m, ok := t.links[child][parent]
		if ok && sequenceOf(m) == i+1 {
			continue
		}
		if !ok {
			m, _ = t.fresh("CFAssociations")
			m.set("associationType", "isChildOf")
			m.set("originNodeURI", t.linkTo(child))
			m.set("destinationNodeURI", t.linkTo(parent))
		}
		m.set("sequenceNumber", i+1)
		m.set("lastChangeDateTime", t.now)
		t.editor.links = append(t.editor.links, m)
	}
}

// listed are the rows that stand below a parent now, as a table lists them.
func (t *tabled) listed(parent string) []string {
	var numbers []int32
	for child, parents := range t.links {
		i, ok := t.g.ByIdentifier(child)
		if _, row := t.byName[child]; ok && row && parents[parent] != nil && child != parent {
			numbers = append(numbers, i)
		}
	}
	slices.Sort(numbers)
	now := make([]string, len(numbers))
	for k, i := range numbers {
		now[k] = t.g.Nodes[i].Identifier
	}
	return now
}

func (t *tabled) linkTo(identifier string) map[string]string {
	if identifier == t.f.Identifier {
		return t.documentLink()
	}
	if i, ok := t.g.ByIdentifier(identifier); ok {
		return t.nodeLink(i)
	}
	return link(t.rows[t.byName[identifier]].statement, identifier, t.base+"CFItems/"+identifier)
}
