package framework

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/spec/imscase"
)

// Document is what may be said of a framework as a whole. A nil field is left
// out of the CFDocument.
type Document struct {
	Title             string
	Creator           string
	Publisher         *string
	Description       *string
	Language          *string
	FrameworkVersion  *string
	FrameworkType     *string // CASE 1.1
	AdoptionStatus    *string
	StatusStartOn     *day.Date
	StatusEndOn       *day.Date
	Subject           []string
	Notes             *string
	OfficialSourceURL *string
	LicenseTitle      *string
	LicenseURL        *string
}

// Statement is what may be said of an item. A nil field is left out of the
// CFItem.
type Statement struct {
	FullStatement        string
	AbbreviatedStatement *string
	AlternativeLabel     *string
	HumanCodingScheme    *string
	ListEnumeration      *string
	ItemType             *string
	EducationLevel       []string
	ConceptKeywords      []string
	Language             *string
	Notes                *string
	StatusStartOn        *day.Date
	StatusEndOn          *day.Date
}

// The longest texts, in bytes.
const (
	maxTitle     = 1000
	maxStatement = 20_000
)

func (d Document) check() *fault.Error {
	switch {
	case strings.TrimSpace(d.Title) == "":
		return fault.At("title", "required", "A framework needs a title.")
	case len(d.Title) > maxTitle:
		return fault.At("title", "too-long", "A title has at most %d bytes.", maxTitle)
	case strings.TrimSpace(d.Creator) == "":
		return fault.At("creator", "required", "A framework needs a creator: the institution or body that makes it.")
	case (d.LicenseTitle == nil) != (d.LicenseURL == nil):
		return fault.At("licenseUrl", "license-whole", "A licence has a title and an address, or neither.")
	case d.StatusStartOn != nil && d.StatusEndOn != nil && d.StatusEndOn.Before(*d.StatusStartOn):
		return fault.At("statusEndOn", "order", "The status ends before it starts.")
	}
	return nil
}

func (t Statement) check() *fault.Error {
	switch {
	case strings.TrimSpace(t.FullStatement) == "":
		return fault.At("fullStatement", "required", "A competency needs a full statement.")
	case len(t.FullStatement) > maxStatement:
		return fault.At("fullStatement", "too-long", "A statement has at most %d bytes.", maxStatement)
	case t.StatusStartOn != nil && t.StatusEndOn != nil && t.StatusEndOn.Before(*t.StatusStartOn):
		return fault.At("statusEndOn", "order", "The status ends before it starts.")
	}
	return nil
}

// members are one object of a package, by name.
type members map[string]json.RawMessage

// set writes a member, or takes it out: nil, an empty text and an empty list
// are not written.
func (m members) set(name string, value any) {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // text, numbers and lists of them always marshal
	}
	switch string(raw) {
	case "null", `""`, "[]":
		delete(m, name)
	default:
		m[name] = raw
	}
}

func parsed(source string) (members, error) {
	m := members{}
	return m, json.Unmarshal([]byte(source), &m)
}

func (d Document) put(m members) {
	m.set("title", d.Title)
	m.set("creator", d.Creator)
	m.set("publisher", d.Publisher)
	m.set("description", d.Description)
	m.set("language", d.Language)
	m.set("version", d.FrameworkVersion)
	m.set("frameworkType", d.FrameworkType)
	m.set("adoptionStatus", d.AdoptionStatus)
	m.set("statusStartDate", d.StatusStartOn)
	m.set("statusEndDate", d.StatusEndOn)
	m.set("subject", d.Subject)
	m.set("notes", d.Notes)
	m.set("officialSourceURL", d.OfficialSourceURL)
}

func (t Statement) put(m members) {
	m.set("fullStatement", t.FullStatement)
	m.set("abbreviatedStatement", t.AbbreviatedStatement)
	m.set("alternativeLabel", t.AlternativeLabel)
	m.set("humanCodingScheme", t.HumanCodingScheme)
	m.set("listEnumeration", t.ListEnumeration)
	if before, err := json.Marshal(t.ItemType); err != nil || !sameJSON(before, orNull(m["CFItemType"])) {
		delete(m, "CFItemTypeURI") // it was of the other type
	}
	m.set("CFItemType", t.ItemType)
	m.set("educationLevel", t.EducationLevel)
	m.set("conceptKeywords", t.ConceptKeywords)
	m.set("language", t.Language)
	m.set("notes", t.Notes)
	m.set("statusStartDate", t.StatusStartOn)
	m.set("statusEndDate", t.StatusEndOn)
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

// editor gathers what one edit changes, as a part of a package that is then
// read like any other, so that the rules of the standard hold for it.
type editor struct {
	ctx      context.Context
	tx       pgx.Tx
	who      access.Actor
	s        *Service
	f        Framework
	g        *Graph
	base     string // of addresses
	now      string
	document members
	before   string // the document as it was
	items    []members
	links    []members
	gone     []string
}

func (s *Service) newEditor(ctx context.Context, tx pgx.Tx, who access.Actor) (*editor, error) {
	in, err := institution.InTx(ctx, tx, who)
	if err != nil {
		return nil, err
	}
	return &editor{ctx: ctx, tx: tx, who: who, s: s, base: in.Base(s.Origin) + "/ims/case/v1p1/", now: s.Now().UTC().Format(time.RFC3339)}, nil
}

// fresh is a new object of a class with its identifier and address.
func (e *editor) fresh(class string) (members, string) {
	id := uuid.NewHash(sha1.New(), uuid.NameSpaceURL, []byte(e.base+e.s.NewID("cas")), 5).String()
	m := members{}
	m.set("identifier", id)
	m.set("uri", e.base+class+"/"+id)
	m.set("lastChangeDateTime", e.now)
	return m, id
}

// link is a LinkURI to an object.
func link(title, identifier, uri string) map[string]string {
	if title == "" {
		title = identifier
	}
	if r := []rune(title); len(r) > 200 {
		title = string(r[:199]) + "…"
	}
	return map[string]string{"title": title, "identifier": identifier, "uri": uri}
}

func (e *editor) documentLink() map[string]string { return link(e.f.Title, e.f.Identifier, e.f.URI) }

func (e *editor) nodeLink(i int32) map[string]string {
	n := e.g.Nodes[i]
	return link(n.Statement, n.Identifier, n.URI)
}

func (e *editor) associate(typ string, origin, destination map[string]string) members {
	m, _ := e.fresh("CFAssociations")
	m.set("associationType", typ)
	m.set("originNodeURI", origin)
	m.set("destinationNodeURI", destination)
	e.links = append(e.links, m)
	return m
}

// write reads what was gathered into the framework.
func (e *editor) write(home bool, reason string) (Framework, error) {
	if len(e.items)+len(e.links)+len(e.gone) == 0 && e.same(e.document, e.before) {
		return e.f, nil
	}
	e.document.set("lastChangeDateTime", e.now)
	pkg, err := json.Marshal(map[string]any{"CFDocument": e.document, "CFItems": orNone(e.items), "CFAssociations": orNone(e.links)})
	if err != nil {
		return Framework{}, err
	}
	l, err := load(e.ctx, e.tx, e.who, bulk.Batch{Now: e.s.Now(), NewID: e.s.NewID}, bytes.NewReader(pkg), part{reason: reason, only: true, gone: e.gone, home: home})
	if err != nil {
		return Framework{}, Refusal(err)
	}
	f, err := find(e.ctx, e.tx, e.who, string(l.Framework))
	if err != nil {
		return Framework{}, err
	}
	return f, audit.Write(e.ctx, e.tx, e.s.Now(), e.who, audit.Entry{Action: access.DefineCatalog, Target: string(f.ID),
		Detail: map[string]any{"version": f.Version, "items": len(e.items), "associations": len(e.links), "out": len(e.gone)}})
}

// same reports whether an object says what it said before.
func (e *editor) same(m members, before string) bool {
	raw, err := json.Marshal(m)
	return err == nil && sameJSON(raw, []byte(before))
}

func orNone(all []members) []members {
	if all == nil {
		return []members{}
	}
	return all
}

// Create makes an empty framework, CASE 1.1, with a name and address of its
// own.
func (s *Service) Create(ctx context.Context, who access.Actor, d Document) (Framework, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Framework{}, err
	}
	if err := d.check(); err != nil {
		return Framework{}, err
	}
	var f Framework
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		e, err := s.newEditor(ctx, tx, who)
		if err != nil {
			return err
		}
		e.document, _ = e.fresh("CFDocuments")
		e.document.set("caseVersion", imscase.V11)
		d.put(e.document)
		e.license(d)
		f, err = e.write(true, "created")
		return err
	})
	return f, err
}

// license refers to a licence by its address, under an identifier that is the
// same wherever the address is.
func (e *editor) license(d Document) {
	if d.LicenseURL == nil {
		delete(e.document, "licenseURI")
		return
	}
	id := uuid.NewHash(sha1.New(), uuid.NameSpaceURL, []byte(*d.LicenseURL), 5).String()
	e.document.set("licenseURI", link(*d.LicenseTitle, id, *d.LicenseURL))
}

// edit runs one edit of a framework that is here. Conflict when expected is
// given and is not the present version.
func (s *Service) edit(ctx context.Context, who access.Actor, framework string, expected *int, decide func(*editor) error) (Framework, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Framework{}, err
	}
	var f Framework
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		e, err := s.newEditor(ctx, tx, who)
		if err != nil {
			return err
		}
		if e.f, e.before, err = lock(ctx, tx, who, framework); err != nil {
			return err
		}
		if expected != nil && *expected != e.f.Version {
			return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version", Message: "This framework was changed since you read it. Read it again and decide."}
		}
		if e.document, err = parsed(e.before); err != nil {
			return err
		}
		if e.g, err = s.GraphInTx(ctx, who, tx, e.f.ID, 0); err != nil {
			return err
		}
		if err := decide(e); err != nil {
			return err
		}
		f, err = e.write(false, "edited")
		return err
	})
	return f, err
}

// lock is a framework and its document, held until the transaction ends.
func lock(ctx context.Context, tx pgx.Tx, who access.Actor, name string) (Framework, string, error) {
	f, err := find(ctx, tx, who, name)
	if err != nil {
		return f, "", err
	}
	var source string
	err = tx.QueryRow(ctx, `select source from framework where institution_id = @institution and id = @id for update`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": f.ID}).Scan(&source)
	if errors.Is(err, pgx.ErrNoRows) { // who may not change it cannot lock it
		return f, "", fault.Missing("framework")
	}
	if err != nil {
		return f, "", err
	}
	f, err = find(ctx, tx, who, string(f.ID)) // as it is now that nobody else can change it
	return f, source, err
}

// Revise replaces what is said of the framework as a whole; what Document has
// no field for stays.
func (s *Service) Revise(ctx context.Context, who access.Actor, framework string, expected *int, d Document) (Framework, error) {
	return s.edit(ctx, who, framework, expected, func(e *editor) error {
		if err := d.check(); err != nil {
			return err
		}
		if e.f.CaseVersion == imscase.V10 && d.FrameworkType != nil {
			return fault.At("frameworkType", "case-1.1", "This framework came in as CASE 1.0, which has no framework types.")
		}
		d.put(e.document)
		var before struct {
			License *imscase.Link `json:"licenseURI"`
		}
		if raw, err := json.Marshal(e.document); err != nil || json.Unmarshal(raw, &before) != nil || before.License == nil || d.LicenseURL == nil || before.License.URI != *d.LicenseURL {
			e.license(d)
		}
		return nil
	})
}

// Place says where an item stands: below which item, by id or CASE identifier,
// nil for the top, and at which place among its siblings from 1, nil for the
// last.
type Place struct {
	Parent   *string
	Position *int
}

// AddItem adds an item.
func (s *Service) AddItem(ctx context.Context, who access.Actor, framework string, expected *int, at Place, t Statement) (Item, error) {
	var id string
	f, err := s.edit(ctx, who, framework, expected, func(e *editor) error {
		if err := t.check(); err != nil {
			return err
		}
		parent, err := e.parent(at)
		if err != nil {
			return err
		}
		var m members
		m, id = e.fresh("CFItems")
		t.put(m)
		e.items = append(e.items, m)
		return e.putBelow(parent, link(t.FullStatement, id, e.base+"CFItems/"+id), nil, at.Position)
	})
	if err != nil {
		return Item{}, err
	}
	return s.itemOf(ctx, who, f.ID, id)
}

// itemOf is an item by its CASE identifier in one framework.
func (s *Service) itemOf(ctx context.Context, who access.Actor, f ID, identifier string) (Item, error) {
	var i Item
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select `+itemColumnsOf+`
			from framework_item i
			where i.institution_id = @institution and i.framework_id = @framework and i.identifier = @identifier`,
			pgx.NamedArgs{"institution": who.InstitutionID, "framework": f, "identifier": identifier})
		var err error
		i, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Item])
		return err
	})
	return i, err
}

// node is a live item of the framework by id or CASE identifier.
func (e *editor) node(field, name string) (int32, error) {
	i, ok := e.g.Find(ItemID(name))
	if !ok {
		i, ok = e.g.ByIdentifier(name)
	}
	if !ok {
		return 0, &fault.Error{Kind: fault.NotFound, Field: field, Rule: "found", Message: "There is no such competency in this framework."}
	}
	if e.g.Nodes[i].Retired {
		return 0, &fault.Error{Kind: fault.State, Field: field, Rule: "not-retired", Message: "This competency is retired and cannot be changed."}
	}
	return i, nil
}

// top is the number that stands for the document as a parent.
const top = -1

func (e *editor) parent(at Place) (int32, error) {
	if at.Position != nil && *at.Position < 1 {
		return 0, fault.At("position", "range", "A place is 1 or more.")
	}
	if at.Parent == nil {
		return top, nil
	}
	return e.node("parentId", *at.Parent)
}

// sibling is an isChildOf association of the framework.
type sibling struct {
	Identifier            string
	OriginIdentifier      string
	DestinationIdentifier string
	SequenceNumber        *int
	Source                string
}

// below are the isChildOf associations that lead to a parent, in order.
func (e *editor) below(parent int32) ([]sibling, error) {
	to := e.f.Identifier
	if parent != top {
		to = e.g.Nodes[parent].Identifier
	}
	return e.siblings(`destination_identifier = @end`, to)
}

func (e *editor) siblings(where, end string) ([]sibling, error) {
	rows, _ := e.tx.Query(e.ctx, `
		select identifier, origin_identifier, destination_identifier, sequence_number, source
		from framework_association
		where institution_id = @institution and framework_id = @framework and type = 'isChildOf' and `+where+`
		order by sequence_number nulls last, position`,
		pgx.NamedArgs{"institution": e.who.InstitutionID, "framework": e.f.ID, "end": end})
	return pgx.CollectRows(rows, pgx.RowToStructByName[sibling])
}

// putBelow ties an item to a parent at a place, by the association that it has
// or a new one, and numbers the siblings where their numbers do not say so
// already.
func (e *editor) putBelow(parent int32, item map[string]string, has *sibling, position *int) error {
	all, err := e.below(parent)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(x sibling) bool { return x.OriginIdentifier == item["identifier"] })
	place := len(all)
	if position != nil {
		place = min(*position-1, len(all))
	}
	to := e.documentLink()
	if parent != top {
		to = e.nodeLink(parent)
	}
	var own members
	if has == nil {
		own = e.associate("isChildOf", item, to)
	} else {
		if own, err = parsed(has.Source); err != nil {
			return err
		}
		own.set("destinationNodeURI", to)
		own.set("lastChangeDateTime", e.now)
		e.links = append(e.links, own)
	}
	own.set("sequenceNumber", place+1)
	return e.renumber(slices.Insert(all, place, sibling{}))
}

// renumber gives each sibling the number of its place; one without an
// identifier is seen to by the caller.
func (e *editor) renumber(all []sibling) error {
	for i, x := range all {
		if x.Identifier == "" || x.SequenceNumber != nil && *x.SequenceNumber == i+1 {
			continue
		}
		m, err := parsed(x.Source)
		if err != nil {
			return err
		}
		m.set("sequenceNumber", i+1)
		m.set("lastChangeDateTime", e.now)
		e.links = append(e.links, m)
	}
	return nil
}

// editItem edits the framework of an item.
func (s *Service) editItem(ctx context.Context, who access.Actor, item string, expected *int, decide func(*editor, int32) error) (Item, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Item{}, err
	}
	i, err := s.FindItem(ctx, who, item)
	if err != nil {
		return Item{}, err
	}
	if _, err := s.edit(ctx, who, string(i.FrameworkID), expected, func(e *editor) error {
		n, err := e.node("id", string(i.ID))
		if err != nil {
			return err
		}
		return decide(e, n)
	}); err != nil {
		return Item{}, err
	}
	return s.itemOf(ctx, who, i.FrameworkID, i.Identifier)
}

// ReviseItem replaces what is said of an item; what Statement has no field for
// stays. Awards keep pointing at the version that they were made against.
func (s *Service) ReviseItem(ctx context.Context, who access.Actor, item string, expected *int, t Statement) (Item, error) {
	return s.editItem(ctx, who, item, expected, func(e *editor, n int32) error {
		if err := t.check(); err != nil {
			return err
		}
		var source string
		err := e.tx.QueryRow(e.ctx, `select source from framework_item where institution_id = @institution and id = @id`,
			pgx.NamedArgs{"institution": who.InstitutionID, "id": e.g.Nodes[n].ID}).Scan(&source)
		if err != nil {
			return err
		}
		m, err := parsed(source)
		if err != nil {
			return err
		}
		if t.put(m); e.same(m, source) {
			return nil
		}
		m.set("lastChangeDateTime", e.now)
		e.items = append(e.items, m)
		return nil
	})
}

// MoveItem puts an item below another parent, or at another place below the one
// it has. An item with several parents leaves the first of them.
func (s *Service) MoveItem(ctx context.Context, who access.Actor, item string, expected *int, at Place) (Item, error) {
	return s.editItem(ctx, who, item, expected, func(e *editor, n int32) error {
		parent, err := e.parent(at)
		if err != nil {
			return err
		}
		if parent != top && e.under(parent, n) {
			return &fault.Error{Kind: fault.State, Field: "parentId", Rule: "no-cycle", Message: "The new parent is the competency itself or stands below it."}
		}
		has, err := e.siblings(`origin_identifier = @end`, e.g.Nodes[n].Identifier)
		if err != nil {
			return err
		}
		if len(has) == 0 {
			return e.putBelow(parent, e.nodeLink(n), nil, at.Position)
		}
		from := has[0]
		to := e.f.Identifier
		if parent != top {
			to = e.g.Nodes[parent].Identifier
		}
		for _, x := range has {
			if x.DestinationIdentifier == to {
				from = x // it is there already and only changes its place
			}
		}
		return e.putBelow(parent, e.nodeLink(n), &from, at.Position)
	})
}

// under reports whether an item is another or stands somewhere below it.
func (e *editor) under(i, above int32) bool {
	seen, open := map[int32]bool{}, []int32{i}
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		if at == above {
			return true
		}
		for _, p := range e.g.Parents(at) {
			if !seen[p] {
				seen[p] = true
				open = append(open, p)
			}
		}
	}
	return false
}

// OrderItems puts the items below a parent, nil the top, into an order. All of
// them are named, each once.
func (s *Service) OrderItems(ctx context.Context, who access.Actor, framework string, expected *int, parent *string, order []string) (Framework, error) {
	return s.edit(ctx, who, framework, expected, func(e *editor) error {
		p, err := e.parent(Place{Parent: parent})
		if err != nil {
			return err
		}
		all, err := e.below(p)
		if err != nil {
			return err
		}
		var sorted []sibling
		for _, name := range order {
			n, err := e.node("order", name)
			if err != nil {
				return err
			}
			at := slices.IndexFunc(all, func(x sibling) bool { return x.OriginIdentifier == e.g.Nodes[n].Identifier })
			if at < 0 {
				return fault.At("order", "siblings", "%s does not stand below this parent, or is named twice.", e.g.Nodes[n].Identifier)
			}
			sorted = append(sorted, all[at])
			all = slices.Delete(all, at, at+1)
		}
		if len(all) > 0 {
			return fault.At("order", "siblings", "%s stands below this parent too: name all of them, in the order you want.", all[0].OriginIdentifier)
		}
		return e.renumber(sorted)
	})
}

// RetireItem takes an item out of the framework; what was awarded for it stays.
// State when other items stand below it.
func (s *Service) RetireItem(ctx context.Context, who access.Actor, item string, expected *int) (Item, error) {
	return s.editItem(ctx, who, item, expected, func(e *editor, n int32) error { return e.retire(n) })
}

func (e *editor) retire(n int32) error {
	if len(e.g.Children(n)) > 0 {
		return &fault.Error{Kind: fault.State, Field: "id", Rule: "no-children", Message: "Other competencies stand below this one. Retire or move them first."}
	}
	rows, _ := e.tx.Query(e.ctx, `
		select identifier from framework_association
		where institution_id = @institution and framework_id = @framework and type <> 'replacedBy'
		  and (origin_identifier = @end or destination_identifier = @end)`,
		pgx.NamedArgs{"institution": e.who.InstitutionID, "framework": e.f.ID, "end": e.g.Nodes[n].Identifier})
	links, err := pgx.CollectRows(rows, pgx.RowTo[string])
	e.gone = append(append(e.gone, links...), e.g.Nodes[n].Identifier)
	return err
}

// ReplaceItem retires an item and says which stand in its place.
func (s *Service) ReplaceItem(ctx context.Context, who access.Actor, item string, expected *int, by []string) (Item, error) {
	return s.editItem(ctx, who, item, expected, func(e *editor, n int32) error {
		if len(by) == 0 {
			return fault.At("replacedBy", "required", "Name the competency that stands in the place of this one.")
		}
		for _, name := range by {
			to, err := e.node("replacedBy", name)
			if err != nil {
				return err
			}
			if to == n {
				return fault.At("replacedBy", "another", "A competency cannot replace itself.")
			}
			e.associate("replacedBy", e.nodeLink(n), e.nodeLink(to))
		}
		return e.retire(n)
	})
}

// Associate ties two items of a framework together, such as A.1 precedes A.2;
// the hierarchy has operations of its own.
func (s *Service) Associate(ctx context.Context, who access.Actor, item, typ, other string, expected *int) (Item, error) {
	return s.editItem(ctx, who, item, expected, func(e *editor, n int32) error {
		if typ == "isChildOf" {
			return fault.At("type", "hierarchy", "Move the competency instead: isChildOf is its place in the framework.")
		}
		to, err := e.node("otherId", other)
		if err != nil {
			return err
		}
		if to == n {
			return fault.At("otherId", "another", "An association has two ends.")
		}
		if slices.ContainsFunc(e.g.Edges(typ), func(x Edge) bool { return x.Origin == n && x.Destination == to }) {
			return &fault.Error{Kind: fault.Conflict, Field: "otherId", Rule: "once", Message: "The framework says so already."}
		}
		e.associate(typ, e.nodeLink(n), e.nodeLink(to))
		return nil
	})
}

// Dissociate takes an association out, by id or CASE identifier.
func (s *Service) Dissociate(ctx context.Context, who access.Actor, association string, expected *int) (Framework, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Framework{}, err
	}
	var f ID
	var identifier, typ string
	if err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			select framework_id, identifier, type
			from framework_association
			where institution_id = @institution and (id = @name or identifier = @name)
			order by id
			limit 1`, pgx.NamedArgs{"institution": who.InstitutionID, "name": association})
		if err != nil {
			return err
		}
		tag, err := pgx.ForEachRow(rows, []any{&f, &identifier, &typ}, func() error { return nil })
		if err == nil && tag.RowsAffected() == 0 {
			return fault.Missing("association")
		}
		return err
	}); err != nil {
		return Framework{}, err
	}
	return s.edit(ctx, who, string(f), expected, func(e *editor) error {
		if typ == "isChildOf" {
			return fault.At("id", "hierarchy", "Move or retire the competency instead: isChildOf is its place in the framework.")
		}
		e.gone = append(e.gone, identifier)
		return nil
	})
}

// Publish says who may read the framework without an account: ByStatus, Public
// or Private.
func (s *Service) Publish(ctx context.Context, who access.Actor, framework, publication string) (Framework, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Framework{}, err
	}
	if !slices.Contains([]string{ByStatus, Public, Private}, publication) {
		return Framework{}, fault.At("publication", "known", "%q is not one of: by_status public private.", publication)
	}
	var f Framework
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if f, _, err = lock(ctx, tx, who, framework); err != nil || f.Publication == publication {
			return err
		}
		f.Publication, f.UpdatedAt = publication, pg.Instant(s.Now())
		if _, err := tx.Exec(ctx, `
			update framework set publication = @publication, updated_at = @now
			where institution_id = @institution and id = @id`,
			pgx.NamedArgs{"institution": who.InstitutionID, "id": f.ID, "publication": publication, "now": f.UpdatedAt}); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.DefineCatalog, Target: string(f.ID), Detail: map[string]any{"publication": publication}})
	})
	return f, err
}
