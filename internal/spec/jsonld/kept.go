package jsonld

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"sync"
	"unsafe"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// Part is a credential that stands in a record, with what was kept when it was
// signed, whose bytes are not changed while the record is open.
type Part struct {
	Document string // the secured credential, byte for byte
	Kept     []byte // what Keep gave for it; anything else is not used
}

// ErrNotKept is the error of Keep for a credential that cannot be kept: it has
// contexts of its own, or is or names a blank node by a label. A record that
// holds it is canonicalized as a whole.
var ErrNotKept = errors.New("no canonical form can be kept of this credential")

// The kept form of a credential is stored as
//
//	"TKF" 3             what this is, and its version
//	SHA-256             of the credential's bytes, 32 bytes
//	CRC-32C             of all that follows, 4 bytes, the highest first
//	uvarint             the size of the rest, which is packed; see pack
//	uvarint, order      its form by RFC 8785, as pieces of its bytes; see order
//	uvarint, text       the credential's id, as an N-Quads term
//	form                of its statements in a record: see rdfc.Form
//
// It is the form the credential has where a CLR 2.0.1 puts it. What it is worth
// rests on the hash: a form is used for those bytes and no others. The version
// goes up whenever the same bytes would come to another form.
const (
	keptMagic = "TKF\x03"
	keptHead  = len(keptMagic) + sha256.Size + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Keep is the kept form of a secured credential, to be stored beside it: about
// its size again, or less. The error is that of ToRDF
// for a document that cannot be canonicalized, else ErrNotKept.
func Keep(document []byte) ([]byte, error) {
	doc, err := Open(document, Options{})
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	if doc.tree.nodes[0].kind != kindObject {
		return nil, ErrNotKept
	}
	w := walker{tree: recordFrame(), keep: doc.tree}
	if err := w.document(); err != nil {
		return nil, err
	}
	if w.kept == nil {
		return nil, ErrNotKept
	}
	form, err := rdfc.NewForm(w.kept.quads)
	if err != nil {
		return nil, complexity(err)
	}
	order := doc.orderOf()
	body := make([]byte, 0, len(order)+len(w.kept.root)+len(form.Bytes())+16)
	body = binary.AppendUvarint(body, uint64(len(order)))
	body = append(body, order...)
	body = binary.AppendUvarint(body, uint64(len(w.kept.root)))
	body = append(body, w.kept.root...)
	body = append(body, form.Bytes()...)
	kept := make([]byte, keptHead, keptHead+len(document))
	copy(kept, keptMagic)
	sum := sha256.Sum256(document)
	copy(kept[len(keptMagic):], sum[:])
	kept = pack(binary.AppendUvarint(kept, uint64(len(body))), body, document)
	binary.BigEndian.PutUint32(kept[keptHead-4:], crc32.Checksum(kept[keptHead:], castagnoli))
	return slices.Clip(kept), nil
}

// keptQuads is what a credential says in its place.
type keptQuads struct {
	root  rdfc.Term
	quads rdfc.Dataset
}

// part is an opened Part.
type part struct {
	text   string
	packed []byte // the kept form, and the size it has unpacked
	size   int
	form   rdfc.Form
	root   rdfc.Term
	order  order // the text's canonical JSON; nil where it is not known
	used   bool  // the kept form can be used
}

// openParts readies parts for the parser. What their kept forms are unpacked
// into goes back to pooledText.
func openParts(parts []Part, opts Options) (open []part, unpacked *[]byte) {
	if len(parts) == 0 || !opts.mergeable() {
		return nil, nil
	}
	open, unpacked = make([]part, len(parts)), pooledText.Get().(*[]byte)
	size := 0
	for i, p := range parts {
		open[i].text = p.Document
		if open[i].packed, open[i].size = p.packed(); open[i].packed != nil {
			size += open[i].size
		}
	}
	room := slices.Grow((*unpacked)[:0], size)
	for i := range open {
		room = open[i].unpack(room)
	}
	*unpacked = room
	return open, unpacked
}

// packed is a kept form after its head, if it is whole and of these very bytes,
// and the size of what was packed.
func (p Part) packed() (packed []byte, size int) {
	k := p.Kept
	if len(k) <= keptHead || string(k[:len(keptMagic)]) != keptMagic ||
		binary.BigEndian.Uint32(k[keptHead-4:]) != crc32.Checksum(k[keptHead:], castagnoli) {
		return nil, 0
	}
	document := unsafe.Slice(unsafe.StringData(p.Document), len(p.Document)) // which is only read
	if sha256.Sum256(document) != [sha256.Size]byte(k[len(keptMagic):]) {
		return nil, 0
	}
	n, used := binary.Uvarint(k[keptHead:])
	if used <= 0 || n > uint64(maxSpread*(len(document)+len(k))) {
		return nil, 0
	}
	return k[keptHead+used:], int(n)
}

// maxSpread is up to how many times the size of a document and its kept form
// the form unpacked may have.
const maxSpread = 64

// unpack unpacks the kept form behind what is in room.
func (o *part) unpack(room []byte) []byte {
	if o.packed == nil {
		return room
	}
	from := len(room)
	room, whole := unpack(room, o.packed, o.text, o.size)
	if !whole {
		return room[:from]
	}
	known, rest, ok := cutText(room[from:])
	root, rest, also := cutText(rest)
	form, err := rdfc.ParseForm(rest)
	if !ok || !also || err != nil || !rdfc.Term(root).IsIRI() {
		return room
	}
	o.form, o.root, o.used = form, rdfc.Term(root), true
	if order(known).within(len(o.text)) {
		o.order = known
	}
	return room
}

// cutText reads the text, after its length, that b begins with.
func cutText(b []byte) (text, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	return b[size : size+int(n)], b[size+int(n):], true
}

// stand is a place in a document where a value is read: with one context, as
// the value of one term, in the default graph.
type stand struct {
	ac         *active
	def, scope *term
}

// errOtherPlace is the error of a part that does not stand where kept forms are
// made for.
var errOtherPlace = errors.New("a part stands in another place than its kept form is for")

// recordFrame is the record around a credential, as CLR 2.0.1 has it; its part
// has no text.
var recordFrame = sync.OnceValue(func() *tree {
	const frame = `{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],
"type":["VerifiableCredential","ClrCredential"],"credentialSubject":{"type":["ClrSubject"],"verifiableCredential":["part"]}}`
	t, err := parseJSON(frame, nil)
	if err != nil {
		panic(err) // the text above
	}
	for i := range t.nodes {
		if t.nodes[i].text == "part" {
			t.nodes[i] = node{kind: kindPart, parent: t.nodes[i].parent}
		}
	}
	return t
})

// recordPlace is the place of a record's credentials.
func recordPlace() (*stand, error) {
	w := walker{tree: recordFrame(), stand: &stand{}}
	err := w.document()
	return w.stand, err
}

// part writes a credential whose form was kept: only the statement that it is
// there. Its own statements join when all forms are merged.
func (w *walker) part(ac *active, at int32, p place, e mapEntry) error {
	here := stand{ac, p.def, p.scope}
	switch {
	case p.graph != "" || p.list != nil || p.def == nil || p.def.reverse || e != mapEntry{}:
		return errOtherPlace
	case w.keep != nil:
		return w.keepPart(here)
	case len(w.parts) == 0: // of the frame
		*w.stand = here
		return nil
	case *w.stand != here:
		return errOtherPlace
	}
	return w.put(at, p, w.parts[w.nodes[at].count].root)
}

// keepPart walks the credential that is to be kept, where it stands.
func (w *walker) keepPart(here stand) error {
	in := walker{tree: w.keep, quads: make(rdfc.Dataset, 0, len(w.keep.nodes))}
	var roots []rdfc.Term
	p := place{subject: rdfNil, def: here.def, scope: here.scope, list: &roots}
	if err := in.object(here.ac, 0, p, mapEntry{}); err != nil {
		return err
	}
	if in.own == 0 && len(in.labels) == 0 && len(roots) == 1 && roots[0].IsIRI() {
		w.kept = &keptQuads{roots[0], in.quads}
	}
	return nil
}
