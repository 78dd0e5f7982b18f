package jsonld

import (
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"sync"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// Document is a JSON document that was read once, for whatever is made of it:
// its canonical statements, its canonical JSON. It is not safe for concurrent
// use.
type Document struct {
	tree    *tree
	at      int32 // the root
	opts    Options
	outer   *Document // whose @context this one is read in
	applied *active   // the root's @context, once it was asked for
	refused error     // or why it cannot be applied
	context Value     // what canonical JSON has in place of the document's @context
}

// Open reads a document. It refuses text that is not strict JSON, as ToRDF does.
// Parts are credentials that are expected to stand in the document, byte for
// byte and in this order, with their kept forms; see Part. They make the work
// less and never change its result.
func Open(doc []byte, opts Options, parts ...Part) (*Document, error) {
	return OpenText(string(doc), opts, parts...)
}

// OpenText is Open for a document that is text already, which is not copied.
func OpenText(doc string, opts Options, parts ...Part) (*Document, error) {
	limit := opts.MaxBytes
	if limit == 0 {
		limit = defaultMaxBytes
	}
	if len(doc) > limit {
		return nil, refuse(TooLarge, "the document has %d bytes; at most %d are read", len(doc), limit)
	}
	if opts.Direction != "" && opts.Direction != I18NDatatype {
		return nil, refuse(Unsupported, "the direction form %q is not supported", opts.Direction)
	}
	open, unpacked := openParts(parts, opts)
	t, err := parseJSON(doc, open)
	if err != nil {
		return nil, err
	}
	t.unpacked = unpacked
	return &Document{tree: t, opts: opts}, nil
}

// Root is the document's value.
func (d *Document) Root() Value { return Value{d.tree, d.at} }

// At is the document that a value within this one is by itself.
func (d *Document) At(v Value) *Document { return &Document{tree: v.tree, at: v.at, opts: d.opts} }

// Cut takes a member off the document's root, and gives its value.
func (d *Document) Cut(name string) Value {
	last := int32(0)
	root := &d.tree.nodes[d.at]
	for c := root.child; c != 0; last, c = c, d.tree.nodes[c].next {
		if d.tree.nodes[c].key != name {
			continue
		}
		if next := d.tree.nodes[c].next; last == 0 {
			root.child = next
		} else {
			d.tree.nodes[last].next = next
		}
		root.count--
		return Value{d.tree, c}
	}
	return Value{}
}

// WithContext has canonical JSON made with another value in place of the root's
// @context (VC-DI-EDDSA §3.3.2).
func (d *Document) WithContext(context Value) *Document {
	other := *d
	other.context = context
	return &other
}

// Hashing has the document canonicalized with another hash.
func (d *Document) Hashing(h crypto.Hash) *Document {
	other := *d
	other.opts.Hash = h
	return &other
}

// In has the document read in the @context of another, as the options of a proof
// are in that of the document they secure (VC-DI-EDDSA §3.2.5).
func (d *Document) In(other *Document) *Document {
	inner := *d
	inner.outer = other
	return &inner
}

// inside is the context within the document's root, made once for all proofs.
func (d *Document) inside() (*active, error) {
	if d.applied != nil || d.refused != nil {
		return d.applied, d.refused
	}
	w := walker{tree: d.tree, library: d.library()}
	d.applied, d.refused = contexts.initial(), w.library.check()
	if at := w.member(d.at, "@context"); at != 0 && d.refused == nil {
		d.applied, d.refused = w.inline(d.applied, at)
	}
	return d.applied, d.refused
}

// Close gives the document's memory back. Neither it nor its values are used
// after; texts that were taken from them stay.
func (d *Document) Close() {
	if cap(d.tree.nodes) <= 2*maxPooled {
		clear(d.tree.nodes)
		nodes := d.tree.nodes[:0]
		pooledNodes.Put(&nodes)
	}
	d.tree.nodes, d.tree.parts = nil, nil
	if u := d.tree.unpacked; u != nil && cap(*u) <= maxPooledText {
		pooledText.Put(u)
	}
	d.tree.unpacked = nil
}

// Canonize is the canonical form of the document: see CanonizeWith.
func (d *Document) Canonize() ([]byte, error) {
	res := output{}
	err := d.canonize(&res)
	return res.nquads, err
}

// Digest is the hash of the document's canonical form, by the hash of its
// options.
func (d *Document) Digest() ([]byte, error) {
	res := output{digest: true}
	err := d.canonize(&res)
	return res.sum, err
}

// output is what is made of a document's statements.
type output struct {
	digest bool // the hash alone is wanted
	nquads []byte
	sum    []byte
}

func (d *Document) canonize(res *output) error {
	if len(d.tree.parts) > 0 {
		if d.opts.mergeable() && d.merge(res) == nil {
			return nil
		}
		// A part stands where its form is not for, or something is refused: the
		// whole document decides.
		if err := d.tree.unfold(); err != nil {
			return err
		}
	}
	if res.digest {
		var room [1024]byte
		known := d.opts.Hash == 0 || d.opts.Hash == crypto.SHA256 || d.opts.Hash == crypto.SHA384
		if form, ok := d.usualOptions(room[:0]); ok && known {
			if d.opts.Hash == crypto.SHA384 {
				sum := sha512.Sum384(form)
				res.sum = sum[:]
				return nil
			}
			sum := sha256.Sum256(form)
			res.sum = sum[:]
			return nil
		}
	}
	w := d.walker()
	defer w.release()
	if err := w.document(); err != nil {
		return err
	}
	opts := rdfc.Options{Hash: d.opts.Hash, WorkLimit: d.opts.WorkLimit}
	var err error
	if res.digest {
		res.sum, err = rdfc.Digest(w.quads, opts)
		return complexity(err)
	}
	all, err := rdfc.Canonicalize(w.quads, opts)
	res.nquads = all.NQuads
	return complexity(err)
}

// complexity is the refusal of a document that canonicalization gave up on.
func complexity(err error) error {
	if errors.Is(err, rdfc.ErrTooComplex) {
		return &Error{Code: TooComplex, Reason: err.Error(), cause: err}
	}
	return err
}

func (d *Document) library() library {
	return library{extra: d.opts.Contexts, allow: len(d.tree.src) / 2}
}

// statements are the document's, with no part left folded.
func (d *Document) statements() (rdfc.Dataset, error) { return d.say(false) }

// say writes the statements, with blank nodes labelled by their place or in
// turn.
func (d *Document) say(placed bool) (rdfc.Dataset, error) {
	w := &walker{tree: d.tree, root: d.at, outer: d.outer, library: d.library(),
		direction: d.opts.Direction, quads: make(rdfc.Dataset, 0, len(d.tree.nodes)), placed: placed}
	err := w.document()
	if err != nil {
		return nil, err
	}
	return w.quads, nil
}

// maxPooled is how large a piece of memory is kept for the next document.
const (
	maxPooled     = 1 << 17
	maxPooledText = 4 << 20 // bytes
)

var (
	pooledNodes   = sync.Pool{New: func() any { return new([]node) }}
	pooledWalkers = sync.Pool{New: func() any { return &walker{} }}
	pooledText    = sync.Pool{New: func() any { return new([]byte) }}
)

// walker is one that is released when its statements are not needed any more.
func (d *Document) walker() *walker {
	w := pooledWalkers.Get().(*walker)
	*w = walker{tree: d.tree, root: d.at, outer: d.outer, library: d.library(),
		direction: d.opts.Direction, quads: w.quads[:0], text: w.text, members: w.members[:0]}
	w.text.reuse()
	if want := len(d.tree.nodes) * 5 / 8; cap(w.quads) < want {
		w.quads = make(rdfc.Dataset, 0, want)
	}
	return w
}

func (w *walker) release() {
	if cap(w.quads) > maxPooled || cap(w.text.piece) > 16<<20 {
		return
	}
	clear(w.quads)
	clear(w.members[:cap(w.members)])
	*w = walker{quads: w.quads, text: w.text, members: w.members}
	pooledWalkers.Put(w)
}

// merge is the canonical form, made of the kept forms of the parts.
func (d *Document) merge(res *output) (err error) {
	w := d.walker()
	defer w.release()
	if w.stand, err = recordPlace(); err != nil {
		return err
	}
	if err := w.document(); err != nil {
		return err
	}
	own, err := rdfc.NewForm(w.quads)
	if err != nil {
		return err
	}
	forms := make([]rdfc.Form, 0, len(d.tree.parts)+1)
	forms = append(forms, own)
	for _, p := range d.tree.parts {
		forms = append(forms, p.form)
	}
	if res.digest {
		res.sum, err = rdfc.MergeDigest(forms, d.opts.WorkLimit)
		return err
	}
	res.nquads, err = rdfc.Merge(nil, forms, d.opts.WorkLimit)
	return err
}

// mergeable reports whether kept forms, which are of SHA-256 and of the
// compiled contexts alone, serve with these options. They hold no text with a
// base direction, so how that is written makes no difference.
func (o Options) mergeable() bool {
	return (o.Hash == 0 || o.Hash == crypto.SHA256) && len(o.Contexts) == 0
}
