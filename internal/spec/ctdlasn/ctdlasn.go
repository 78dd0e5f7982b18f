// Package ctdlasn reads and writes competency frameworks as CTDL-ASN has them
// (Credential Engine, JSON-LD in the compact form of its own context), and maps
// them to packages of CASE 1.1 and back.
//
// What the mapping can say of a member is said in CASE: CompetencyFramework is
// CFDocument, competencyText fullStatement, competencyLabel
// abbreviatedStatement, codedNotation humanCodingScheme, listID
// listEnumeration, isChildOf isChildOf, exactAlignment exactMatchOf,
// prerequisiteAlignment precedes with its ends exchanged, isVersionOf replacedBy
// with its ends exchanged; and broad, narrow, major and minor alignments are
// isRelatedTo, which is less than they say. Whatever CASE has no member for, and
// the exact words of what it says less precisely, is kept in the extension
// ctdlasn of the object, declared by name in Losses, and comes out again. It
// reads no context from anywhere: the names of the standard's context are its
// input.
package ctdlasn

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/testamur/testamur/internal/spec/imscase"
)

// Context is the JSON-LD context of what is written.
const Context = "https://credreg.net/ctdlasn/schema/context/json"

// The limits of a file.
const (
	maxBytes = 64 << 20
	maxNodes = 200_000
)

// Error is why a file cannot be read.
type Error struct {
	Rule    string
	Node    string // @id, where one is to blame
	Message string
}

// Error is the message with the node.
func (e *Error) Error() string {
	if e.Node != "" {
		return e.Node + ": " + e.Message
	}
	return e.Message
}

type node = map[string]json.RawMessage

// kept is the extension in which an object keeps what CASE does not say.
const kept = "ctdlasn"

// alignments are the members that are associations in CASE. A reversed one has
// its ends exchanged; an inexact one says more than its type.
var alignments = map[string]struct {
	typ      string
	reversed bool
	inexact  bool
}{
	"ceasn:exactAlignment":        {typ: "exactMatchOf"},
	"ceasn:prerequisiteAlignment": {typ: "precedes", reversed: true},
	"ceasn:isVersionOf":           {typ: "replacedBy", reversed: true},
	"ceasn:broadAlignment":        {typ: "isRelatedTo", inexact: true},
	"ceasn:narrowAlignment":       {typ: "isRelatedTo", inexact: true},
	"ceasn:majorAlignment":        {typ: "isRelatedTo", inexact: true},
	"ceasn:minorAlignment":        {typ: "isRelatedTo", inexact: true},
}

// texts are the members of a competency that are one text in CASE.
var texts = map[string]string{
	"ceasn:competencyText": "fullStatement", "ceasn:competencyLabel": "abbreviatedStatement", "ceasn:codedNotation": "humanCodingScheme",
	"ceasn:listID": "listEnumeration", "ceasn:comment": "notes",
}

// Loss is a member that CASE has nothing, or nothing as exact, for. It is kept
// in an extension all the same.
type Loss struct {
	Member string
	Count  int
}

// Read reads a framework and gives it as a package of CASE 1.1. *Error says
// what is wrong with the file.
func Read(r io.Reader) ([]byte, []Loss, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, nil, err
	}
	if len(raw) > maxBytes {
		return nil, nil, &Error{Rule: "ctdl-size", Message: fmt.Sprintf("A file has at most %d MB.", maxBytes>>20)}
	}
	nodes, err := graph(raw)
	if err != nil {
		return nil, nil, err
	}
	c := &converter{losses: map[string]int{}, byID: map[string]node{}}
	return c.convert(nodes)
}

// graph are the nodes of a file: its @graph, or the one node that it is.
func graph(raw []byte) ([]node, error) {
	var top node
	if err := json.Unmarshal(raw, &top); err != nil {
		return nil, &Error{Rule: "json", Message: "This is not a JSON object: " + err.Error() + "."}
	}
	list, ok := top["@graph"]
	if !ok {
		return []node{top}, nil
	}
	var nodes []node
	if err := json.Unmarshal(list, &nodes); err != nil {
		return nil, &Error{Rule: "ctdl-graph", Message: "The @graph is a list of nodes."}
	}
	if len(nodes) > maxNodes {
		return nil, &Error{Rule: "ctdl-size", Message: fmt.Sprintf("A graph has at most %d nodes.", maxNodes)}
	}
	return nodes, nil
}

func str(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // empty for what is no text
	return s
}

// ids are the addresses that a member leads to: texts, or nodes by @id, one or
// many.
func ids(raw json.RawMessage) []string {
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		all = []json.RawMessage{raw}
	}
	var out []string
	for _, one := range all {
		var ref struct {
			ID string `json:"@id"`
		}
		if s := str(one); s != "" {
			out = append(out, s)
		} else if json.Unmarshal(one, &ref) == nil && ref.ID != "" {
			out = append(out, ref.ID)
		}
	}
	return out
}

// said is one text of a language map, with its tag: English before others, then
// by tag; or the text that stands in the place of a map.
func said(raw json.RawMessage) (text, tag string) {
	if s := str(raw); s != "" {
		return s, ""
	}
	var byTag map[string]json.RawMessage
	if json.Unmarshal(raw, &byTag) != nil || len(byTag) == 0 {
		return "", ""
	}
	tags := slices.SortedFunc(maps.Keys(byTag), func(a, b string) int {
		if x, y := strings.HasPrefix(a, "en"), strings.HasPrefix(b, "en"); x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return str(byTag[tags[0]]), tags[0]
}

type converter struct {
	losses map[string]int
	byID   map[string]node
}

// hexUUID is the tail of a CTID, and of most addresses of the registry.
var hexUUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// identifier is the CASE identifier of a node: the UUID of its CTID where it is
// one that CASE takes, else a version 5 UUID of its address.
func identifier(id, ctid string) string {
	if u := hexUUID.FindString(strings.ToLower(ctid)); u != "" && strings.HasPrefix(ctid, "ce-") {
		return u
	}
	if u := hexUUID.FindString(strings.ToLower(id)); u != "" && strings.Contains(id, "/ce-") {
		return u
	}
	return uuid.NewHash(sha1.New(), uuid.NameSpaceURL, []byte(id), 5).String()
}

// link is a LinkURI to an address.
func (c *converter) link(id string) map[string]string {
	title := id
	ctid := ""
	if n, ok := c.byID[id]; ok {
		ctid = str(n["ceterms:ctid"])
		for _, name := range []string{"ceasn:competencyLabel", "ceasn:competencyText", "ceasn:name"} {
			if text, _ := said(n[name]); text != "" {
				title = text
				break
			}
		}
	}
	if r := []rune(title); len(r) > 200 {
		title = string(r[:199]) + "…"
	}
	return map[string]string{"title": title, "identifier": identifier(id, ctid), "uri": id}
}

func (c *converter) convert(nodes []node) ([]byte, []Loss, error) {
	var framework node
	var competencies []node
	for _, n := range nodes {
		id := str(n["@id"])
		if id == "" {
			return nil, nil, &Error{Rule: "ctdl-id", Message: "Every node of a framework has an @id."}
		}
		if c.byID[id] != nil {
			return nil, nil, &Error{Rule: "ctdl-once", Node: id, Message: "Another node has the same @id."}
		}
		c.byID[id] = n
		switch t := ids(n["@type"]); {
		case slices.Contains(t, "ceasn:CompetencyFramework") && framework == nil:
			framework = n
		case slices.Contains(t, "ceasn:Competency"):
			competencies = append(competencies, n)
		case slices.Contains(t, "ceasn:CompetencyFramework"):
			return nil, nil, &Error{Rule: "ctdl-one-framework", Node: id, Message: "A file has one framework; import the other on its own."}
		}
	}
	if framework == nil {
		return nil, nil, &Error{Rule: "ctdl-framework", Message: "The file has no node of type ceasn:CompetencyFramework."}
	}
	document, err := c.document(framework)
	if err != nil {
		return nil, nil, err
	}
	pkg := map[string]any{"CFDocument": document}
	items, links := []map[string]any{}, []map[string]any{}
	order := c.order(framework)
	slices.SortStableFunc(competencies, func(a, b node) int { return cmp.Compare(order[str(a["@id"])], order[str(b["@id"])]) })
	changed := document["lastChangeDateTime"].(string)
	for _, n := range competencies {
		item, err := c.item(n, changed)
		if err != nil {
			return nil, nil, err
		}
		items = append(items, item)
		links = append(links, c.associations(n, framework, order, changed)...)
	}
	pkg["CFItems"], pkg["CFAssociations"] = items, links
	return c.keep(pkg, document, items)
}

// keep puts into the extension of each object the members that would not be
// written as they were read, and counts them.
func (c *converter) keep(pkg, document map[string]any, items []map[string]any) ([]byte, []Loss, error) {
	bare, err := json.Marshal(pkg)
	if err != nil {
		return nil, nil, err
	}
	written, err := write(bare)
	if err != nil {
		return nil, nil, err
	}
	objects := append([]map[string]any{document}, items...)
	for i, n := range written {
		rest := node{}
		for name, v := range c.byID[str(n["@id"])] {
			if !same(v, n[name]) {
				rest[name] = v
				c.losses[name]++
			}
		}
		if len(rest) > 0 {
			objects[i]["extensions"] = map[string]any{kept: rest}
		}
	}
	out, err := json.Marshal(pkg)
	var losses []Loss
	for _, name := range slices.Sorted(maps.Keys(c.losses)) {
		losses = append(losses, Loss{name, c.losses[name]})
	}
	return out, losses, err
}

func same(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// order numbers the competencies as hasTopChild and hasChild list them, from 1;
// those that are not listed come last, as 0x7fffffff.
func (c *converter) order(framework node) map[string]int {
	order := map[string]int{}
	for id := range c.byID {
		order[id] = 1<<31 - 1
	}
	count := 0
	seen := map[string]bool{}
	var open []string // a stack
	push := func(all []string) {
		for _, id := range slices.Backward(all) {
			open = append(open, id)
		}
	}
	push(slices.Concat(ids(framework["ceasn:hasTopChild"]), ids(framework["ceasn:hasChild"])))
	for len(open) > 0 {
		id := open[len(open)-1]
		open = open[:len(open)-1]
		n, ok := c.byID[id]
		if !ok || seen[id] {
			continue
		}
		seen[id] = true
		count++
		order[id] = count
		push(ids(n["ceasn:hasChild"]))
	}
	return order
}

// base are the members that every object has.
func base(n node, changed string) map[string]any {
	id := str(n["@id"])
	return map[string]any{"identifier": identifier(id, str(n["ceterms:ctid"])), "uri": id, "lastChangeDateTime": changed}
}

// instant is when a node was last changed; a day stands for its beginning.
func instant(n node) string {
	for _, name := range []string{"ceasn:dateModified", "ceasn:dateCreated"} {
		if s := str(n[name]); len(s) == len("2006-01-02") {
			return s + "T00:00:00Z"
		} else if s != "" {
			return s
		}
	}
	return "1970-01-01T00:00:00Z"
}

// text moves a member into CASE.
func text(object map[string]any, n node, member, name string) {
	if value, _ := said(n[member]); value != "" {
		object[name] = value
	}
}

func (c *converter) document(n node) (map[string]any, error) {
	d := base(n, instant(n))
	text(d, n, "ceasn:name", "title")
	if d["title"] == nil {
		return nil, &Error{Rule: "ctdl-required", Node: str(n["@id"]), Message: "A framework has a ceasn:name."}
	}
	text(d, n, "ceasn:description", "description")
	text(d, n, "ceasn:publisherName", "publisher")
	d["caseVersion"], d["creator"] = imscase.V11, "unknown"
	first(d, n, "ceasn:creator", "creator")
	first(d, n, "ceasn:inLanguage", "language")
	first(d, n, "ceasn:source", "officialSourceURL")
	if s := str(n["ceasn:license"]); s != "" {
		d["licenseURI"] = map[string]string{"title": s, "identifier": identifier(s, ""), "uri": s}
	}
	for member, name := range map[string]string{"ceasn:dateValidFrom": "statusStartDate", "ceasn:dateValidUntil": "statusEndDate"} {
		if s := str(n[member]); len(s) >= len("2006-01-02") {
			d[name] = s[:len("2006-01-02")]
		}
	}
	if _, status, _ := strings.Cut(str(n["ceasn:publicationStatusType"]), ":"); status != "" {
		d["adoptionStatus"] = status
		if known, ok := map[string]string{"Published": "Implemented", "Deprecated": "Retired"}[status]; ok {
			d["adoptionStatus"] = known
		}
	}
	return d, nil
}

// first puts the first of some values.
func first(object map[string]any, n node, member, name string) {
	if all := ids(n[member]); len(all) > 0 {
		object[name] = all[0]
	}
}

func (c *converter) item(n node, changed string) (map[string]any, error) {
	if n["ceasn:dateModified"] != nil || n["ceasn:dateCreated"] != nil {
		changed = instant(n)
	}
	i := base(n, changed)
	first(i, n, "ceasn:inLanguage", "language")
	for member, name := range texts {
		text(i, n, member, name)
	}
	if i["fullStatement"] == nil {
		return nil, &Error{Rule: "ctdl-required", Node: str(n["@id"]), Message: "A competency has a ceasn:competencyText."}
	}
	text(i, n, "ceasn:competencyCategory", "CFItemType")
	return i, nil
}

// associations are the place of a competency and its alignments.
func (c *converter) associations(n, framework node, order map[string]int, changed string) []map[string]any {
	var all []map[string]any
	id, said := str(n["@id"]), map[string]bool{}
	add := func(typ string, origin, destination string, sequence int) {
		name := typ + " " + origin + " " + destination
		if said[name] {
			return
		}
		said[name] = true
		a := map[string]any{"identifier": uuid.NewHash(sha1.New(), uuid.NameSpaceURL, []byte(name), 5).String(),
			"uri":             "urn:uuid:" + uuid.NewHash(sha1.New(), uuid.NameSpaceURL, []byte(name), 5).String(),
			"associationType": typ, "originNodeURI": c.link(origin), "destinationNodeURI": c.link(destination), "lastChangeDateTime": changed}
		if sequence > 0 && sequence < 1<<31-1 {
			a["sequenceNumber"] = sequence
		}
		all = append(all, a)
	}
	parents := ids(n["ceasn:isChildOf"])
	if len(parents) == 0 {
		parents = []string{str(framework["@id"])}
	}
	for _, p := range slices.Concat(parents, ids(n["ceasn:isTopChildOf"])) {
		add("isChildOf", id, p, order[id])
	}
	for _, member := range slices.Sorted(maps.Keys(alignments)) {
		a := alignments[member]
		for _, other := range ids(n[member]) {
			if a.reversed {
				add(a.typ, other, id, 0)
			} else {
				add(a.typ, id, other, 0)
			}
		}
	}
	return all
}

// Write writes a package as a CTDL-ASN graph, competencies in the order in which
// they come. What the package kept of one comes out as it came in.
// *imscase.Refused says why a package cannot be read.
func Write(w io.Writer, pkg []byte) error {
	nodes, err := write(pkg)
	if err != nil {
		return err
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return out.Encode(map[string]any{"@context": Context, "@graph": nodes})
}

// write are the nodes of a package: the framework, then its competencies.
func write(pkg []byte) ([]node, error) {
	var items []imscase.Item
	var links []imscase.Association
	read, err := imscase.Read(bytes.NewReader(pkg), imscase.Sink{
		Item:        func(i imscase.Item) error { items = append(items, i); return nil },
		Association: func(a imscase.Association) error { links = append(links, a); return nil },
	})
	if err != nil {
		return nil, err
	}
	document := read.Document
	w := writer{framework: document, lang: document.Language, uris: map[string]string{document.Identifier: document.URI}, parents: map[string][]string{},
		children: map[string][]string{}, aligned: map[string]map[string][]string{}}
	if w.lang == "" {
		w.lang = "en"
	}
	for _, i := range items {
		w.uris[i.Identifier] = i.URI
	}
	slices.SortStableFunc(links, func(a, b imscase.Association) int { return cmp.Compare(place(a), place(b)) })
	for _, a := range links {
		w.link(a)
	}
	nodes := []node{w.frameworkNode()}
	for _, i := range items {
		nodes = append(nodes, w.competency(i))
	}
	return nodes, nil
}

func place(a imscase.Association) int {
	if a.SequenceNumber == nil {
		return 1<<31 - 1
	}
	return int(*a.SequenceNumber)
}

type writer struct {
	framework         imscase.Document
	lang              string
	uris              map[string]string   // by identifier
	parents, children map[string][]string // uris, by uri
	aligned           map[string]map[string][]string
}

func (w *writer) uri(l imscase.Link) string {
	if u, ok := w.uris[l.Identifier]; ok {
		return u
	}
	return l.URI
}

// link files an association by the node that CTDL-ASN says it of. A type without
// a member there is not written.
func (w *writer) link(a imscase.Association) {
	from, to := w.uri(a.Origin), w.uri(a.Destination)
	if a.Type == "isChildOf" {
		w.parents[from] = append(w.parents[from], to)
		w.children[to] = append(w.children[to], from)
		return
	}
	member := map[string]string{"exactMatchOf": "ceasn:exactAlignment", "precedes": "ceasn:prerequisiteAlignment", "replacedBy": "ceasn:isVersionOf",
		"isRelatedTo": "ceasn:minorAlignment"}[a.Type]
	if member == "" {
		return
	}
	if alignments[member].reversed {
		from, to = to, from
	}
	if w.aligned[from] == nil {
		w.aligned[from] = map[string][]string{}
	}
	w.aligned[from][member] = append(w.aligned[from][member], to)
}

func put(n node, name string, v any) {
	if _, ok := n[name]; ok {
		return // what was kept is more exact
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // text and lists of it
	}
	if s := string(raw); s != `""` && s != "null" && s != "[]" {
		n[name] = raw
	}
}

// start is a node with what was kept of it.
func start(raw json.RawMessage, uri, identifier, typ string) node {
	var o struct {
		Extensions map[string]json.RawMessage `json:"extensions"`
	}
	n := node{}
	if json.Unmarshal(raw, &o) == nil {
		_ = json.Unmarshal(o.Extensions[kept], &n) // none was kept
	}
	if n == nil {
		n = node{}
	}
	put(n, "@id", uri)
	put(n, "@type", typ)
	put(n, "ceterms:ctid", "ce-"+identifier)
	return n
}

// tagged is a text under its language.
func (w *writer) tagged(s, lang string) any {
	if s == "" {
		return nil
	}
	if lang == "" {
		lang = w.lang
	}
	return map[string]string{lang: s}
}

func list(raw ...string) []string { return raw }

func (w *writer) frameworkNode() node {
	d := w.framework
	n := start(d.Raw, d.URI, d.Identifier, "ceasn:CompetencyFramework")
	var source struct {
		URL string `json:"officialSourceURL"`
	}
	_ = json.Unmarshal(d.Raw, &source)
	put(n, "ceasn:name", w.tagged(d.Title, ""))
	description := d.Description
	if description == "" {
		description = d.Title
	}
	put(n, "ceasn:description", w.tagged(description, ""))
	put(n, "ceasn:inLanguage", list(w.lang))
	if strings.Contains(d.Creator, "://") {
		put(n, "ceasn:creator", list(d.Creator))
	}
	put(n, "ceasn:publisherName", w.tagged(d.Publisher, ""))
	if d.LicenseURI != nil {
		put(n, "ceasn:license", d.LicenseURI.URI)
	}
	if source.URL != "" {
		put(n, "ceasn:source", list(source.URL))
	}
	put(n, "ceasn:dateValidFrom", d.StatusStartDate)
	put(n, "ceasn:dateValidUntil", d.StatusEndDate)
	put(n, "ceasn:dateModified", d.LastChangeDateTime)
	status := map[string]string{"Draft": "publicationStatus:Draft", "Private Draft": "publicationStatus:Draft", "Implemented": "publicationStatus:Published",
		"Adopted": "publicationStatus:Published", "Retired": "publicationStatus:Deprecated", "Deprecated": "publicationStatus:Deprecated"}[d.AdoptionStatus]
	put(n, "ceasn:publicationStatusType", status)
	put(n, "ceasn:hasTopChild", w.children[d.URI])
	return n
}

func (w *writer) competency(i imscase.Item) node {
	n := start(i.Raw, i.URI, i.Identifier, "ceasn:Competency")
	lang := i.Language
	put(n, "ceasn:competencyText", w.tagged(i.FullStatement, lang))
	put(n, "ceasn:competencyLabel", w.tagged(i.AbbreviatedStatement, lang))
	put(n, "ceasn:codedNotation", i.HumanCodingScheme)
	put(n, "ceasn:listID", i.ListEnumeration)
	put(n, "ceasn:comment", w.tagged(i.Notes, lang))
	put(n, "ceasn:competencyCategory", w.tagged(i.ItemType, lang))
	if lang == "" {
		lang = w.lang
	}
	put(n, "ceasn:inLanguage", list(lang))
	put(n, "ceasn:isPartOf", w.framework.URI)
	put(n, "ceasn:dateModified", i.LastChangeDateTime)
	for _, p := range w.parents[i.URI] {
		if p == w.framework.URI {
			put(n, "ceasn:isTopChildOf", p)
		}
	}
	put(n, "ceasn:isChildOf", slices.DeleteFunc(slices.Clone(w.parents[i.URI]), func(p string) bool { return p == w.framework.URI }))
	put(n, "ceasn:hasChild", w.children[i.URI])
	exact := map[string]bool{}
	for member, a := range alignments {
		if _, ok := n[member]; ok && a.inexact {
			for _, id := range ids(n[member]) {
				exact[id] = true
			}
		}
	}
	for member, to := range w.aligned[i.URI] {
		if alignments[member].inexact { // those that were kept under their own name are said already
			to = slices.DeleteFunc(slices.Clone(to), func(id string) bool { return exact[id] })
		}
		put(n, member, to)
	}
	return n
}
