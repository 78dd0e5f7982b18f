package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/rdfc"
)

// Selective disclosure, ecdsa-sd-2023: VC-DI-ECDSA 1.0 §3.4. The issuer signs
// what must always be shown together, and every other statement alone with a key
// made for this one document. The holder derives from that base proof a document
// that shows some of the statements, with a proof over just those.

// OneTime are the secrets of one selective disclosure proof. The first is thrown
// away when the proof is made; the second goes to the holder within it.
type OneTime struct {
	Proof *ecdsa.PrivateKey // on P-256
	HMAC  [32]byte          // makes the labels of blank nodes random
}

// NewOneTime makes the secrets for one proof.
func NewOneTime(random io.Reader) (o OneTime, err error) {
	if o.Proof, err = ecdsa.GenerateKey(elliptic.P256(), random); err != nil {
		return o, err
	}
	_, err = io.ReadFull(random, o.HMAC[:])
	return o, err
}

// SelectiveDraft is a document that was taken apart and waits for its issuer's
// signature.
type SelectiveDraft struct {
	proof Proof
	base  baseProof
	Hash  []byte // what is signed: the hash of the proof options, the one-time key, the hash of what is mandatory
}

// PrepareSelective takes a document apart for one ecdsa-sd-2023 proof. The JSON
// pointers name what every derived document must show; one that matches nothing
// is refused. Options.Key is a P-256 key; its Suite may be left out.
func PrepareSelective(document []byte, o Options, mandatory []string, once OneTime) (SelectiveDraft, error) {
	if o.Suite == "" {
		o.Suite = ECDSASD
	}
	if o.Suite != ECDSASD || KindOf(o.Key) != P256 || once.Proof == nil || KindOf(once.Proof.Public()) != P256 {
		return SelectiveDraft{}, &Failure{Code: WrongKey, Reason: "Selective disclosure is signed with P-256 keys."}
	}
	if len(o.PreviousProof) > 0 {
		return SelectiveDraft{}, &Failure{Code: UnknownSuite, Reason: "A proof of selective disclosure confirms no others: what it confirms could not be disclosed in part."}
	}
	doc, err := o.open(document)
	if err != nil {
		return SelectiveDraft{}, err
	}
	all, err := takeApart(doc, once.HMAC[:])
	if err != nil {
		return SelectiveDraft{}, err
	}
	group, err := all.group(doc, mandatory)
	if err != nil {
		return SelectiveDraft{}, err
	}
	p := o.proof()
	config, err := p.selectiveConfig(doc, o.Contexts)
	if err != nil {
		return SelectiveDraft{}, err
	}
	shown, hidden := all.split(group)
	b := baseProof{PublicKey: publicBytes(once.Proof.Public()), HMAC: once.HMAC[:], Mandatory: mandatory, Signatures: make([][]byte, 0, len(hidden))}
	if b.Mandatory == nil {
		b.Mandatory = []string{}
	}
	for _, line := range hidden {
		s, err := Sign(once.Proof, []byte(line))
		if err != nil {
			return SelectiveDraft{}, err
		}
		b.Signatures = append(b.Signatures, s)
	}
	return SelectiveDraft{proof: p, base: b, Hash: baseMessage(config, b.PublicKey, shown)}, nil
}

// publicBytes are the bytes of a Multikey.
func publicBytes(k crypto.PublicKey) []byte {
	kd, _ := kindOf(k)
	return append(kd.public[:], kd.publicBytes(k)...)
}

// baseMessage is what the issuer signs: §3.4.1 serializeSignData.
func baseMessage(config, public []byte, mandatory []string) []byte {
	return slices.Concat(sum(crypto.SHA256, config), public, sum(crypto.SHA256, []byte(strings.Join(mandatory, ""))))
}

// selectiveConfig is the canonical form of the options of a proof without value.
func (p Proof) selectiveConfig(doc *jsonld.Document, contexts map[string][]byte) ([]byte, error) {
	if doc.Root().Member("@context").IsZero() {
		return nil, noContext()
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	options, err := jsonld.Open(raw, readAs(contexts))
	if err != nil {
		return nil, err
	}
	return selective.config(options, doc, crypto.SHA256)
}

// Attach is the base proof with the issuer's signature. It is for the holder and
// not for a verifier.
func (d SelectiveDraft) Attach(signature []byte) (Proof, error) {
	d.base.Signature = signature
	value, err := d.base.encode()
	d.proof.ProofValue = value
	return d.proof, err
}

// apart is a document as statements that can be shown one by one.
type apart struct {
	labels map[rdfc.Term]rdfc.Term // of blank nodes, from their place to random ones
	lines  []string                // the statements with those labels, in order
}

// takeApart gives the blank nodes their random labels: §3.4.2 and §3.4.5.
func takeApart(doc *jsonld.Document, key []byte) (apart, error) {
	statements, err := doc.Statements()
	if err != nil {
		return apart{}, err
	}
	canonical, err := rdfc.Canonicalize(statements, rdfc.Options{})
	if err != nil {
		return apart{}, err
	}
	a := apart{labels: map[rdfc.Term]rdfc.Term{}}
	mac := hmac.New(sha256.New, key)
	for place, issued := range canonical.Issued() {
		mac.Reset()
		mac.Write([]byte(issued))
		a.labels[rdfc.Blank(place)] = randomLabel(mac.Sum(nil))
	}
	a.lines, err = relabel(statements, a.labels)
	return a, err
}

func randomLabel(digest []byte) rdfc.Term {
	return rdfc.Blank("u" + base64.RawURLEncoding.EncodeToString(digest))
}

// relabel writes statements with other labels, sorted and each once.
func relabel(statements rdfc.Dataset, labels map[rdfc.Term]rdfc.Term) ([]string, error) {
	lines := make([]string, len(statements))
	for i, q := range statements {
		for _, t := range []*rdfc.Term{&q.Subject, &q.Object, &q.Graph} {
			if !t.IsBlank() {
				continue
			}
			to, ok := labels[*t]
			if !ok {
				return nil, errors.New("a blank node has no label")
			}
			*t = to
		}
		lines[i] = q.String() + "\n"
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// group are the statements that pointers select, by their place among all:
// §3.4.15. No pointers select nothing.
func (a apart) group(doc *jsonld.Document, pointers []string) (map[int]bool, error) {
	places := map[int]bool{}
	if len(pointers) == 0 {
		return places, nil
	}
	part, err := doc.Select(pointers)
	if err != nil {
		return nil, err
	}
	statements, err := part.Statements()
	if err != nil {
		return nil, err
	}
	lines, err := relabel(statements, a.labels)
	if err != nil {
		return nil, notOnItsOwn(err)
	}
	for _, line := range lines {
		i, ok := slices.BinarySearch(a.lines, line)
		if !ok {
			return nil, notOnItsOwn(nil)
		}
		places[i] = true
	}
	return places, nil
}

func notOnItsOwn(err error) error {
	return &Failure{Code: Malformed, Err: err,
		Reason: "What the pointers select says something else on its own than in the document: a list, for instance, can be shown only as a whole."}
}

// split are the statements of a group, and the others.
func (a apart) split(group map[int]bool) (in, out []string) {
	for i, line := range a.lines {
		if group[i] {
			in = append(in, line)
		} else {
			out = append(out, line)
		}
	}
	return in, out
}

// Derive shows of a document with an ecdsa-sd-2023 base proof what is mandatory
// and what the JSON pointers name. The derived document has one proof, over just
// that; the others of the document are left out.
func Derive(document []byte, pointers []string, contexts map[string][]byte) ([]byte, error) {
	doc, err := openDocument(document, contexts)
	if err != nil {
		return nil, err
	}
	p, base, err := findBase(doc.Cut("proof"))
	if err != nil {
		return nil, err
	}
	combined := slices.Concat(base.Mandatory, pointers)
	if len(combined) == 0 {
		return nil, &Failure{Code: Malformed, Reason: "Nothing is selected to be shown, and nothing is mandatory."}
	}
	all, err := takeApart(doc, base.HMAC)
	if err != nil {
		return nil, err
	}
	mandatory, err := all.group(doc, base.Mandatory)
	if err != nil {
		return nil, err
	}
	shown, err := all.group(doc, combined)
	if err != nil {
		return nil, err
	}
	if len(base.Signatures) != len(all.lines)-len(mandatory) {
		return nil, &Failure{Code: Mismatch, Reason: fmt.Sprintf("The base proof signs %d statements alone, and the document has %d.", len(base.Signatures), len(all.lines)-len(mandatory))}
	}
	d := derivedProof{Signature: base.Signature, PublicKey: base.PublicKey, Signatures: [][]byte{}, Mandatory: []int{}}
	alone, relative := 0, 0
	for i := range all.lines {
		if mandatory[i] {
			d.Mandatory = append(d.Mandatory, relative)
		} else {
			if shown[i] {
				d.Signatures = append(d.Signatures, base.Signatures[alone])
			}
			alone++
		}
		if shown[i] {
			relative++
		}
	}
	part, err := doc.Select(combined)
	if err != nil {
		return nil, err
	}
	if d.Labels, err = all.labelsOf(part); err != nil {
		return nil, err
	}
	if p.ProofValue, err = d.encode(); err != nil {
		return nil, err
	}
	return SecureOne(part.JSON(), p)
}

// SecureOne is a document with one proof, not in a list.
func SecureOne(document []byte, p Proof) ([]byte, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return insert(document, "proof", raw)
}

// labelsOf are the random labels by the number that the canonical form of a part
// gives its blank nodes: what a verifier needs.
func (a apart) labelsOf(part *jsonld.Document) (map[int][]byte, error) {
	statements, err := part.Statements()
	if err != nil {
		return nil, err
	}
	canonical, err := rdfc.Canonicalize(statements, rdfc.Options{})
	if err != nil {
		return nil, err
	}
	labels := map[int][]byte{}
	for place, issued := range canonical.Issued() {
		n, err := numberOf(issued)
		if err != nil {
			return nil, err
		}
		label := a.labels[rdfc.Blank(place)]
		if labels[n], err = base64.RawURLEncoding.DecodeString(string(label[len("_:u"):])); err != nil {
			return nil, err
		}
	}
	return labels, nil
}

// findBase is the one base proof among the proofs of a document.
func findBase(proofs jsonld.Value) (p Proof, base baseProof, err error) {
	found := false
	for _, v := range proofs.Elements() {
		one, err := readProof(v)
		if err != nil || one.Cryptosuite != ECDSASD || !isBase(one.ProofValue) {
			continue
		}
		if found {
			return p, base, &Failure{Code: Malformed, Reason: "The document has more than one base proof."}
		}
		p, found = one, true
	}
	if !found {
		return p, base, &Failure{Code: UnknownSuite, Reason: "The document has no ecdsa-sd-2023 base proof to derive from."}
	}
	base, err = decodeBase(p.ProofValue)
	return p, base, err
}

// derived verifies a derived proof: §3.4.17 and §3.4.18.
func (v *verification) derived(raw jsonld.Value, p Proof, k crypto.PublicKey) error {
	if isBase(p.ProofValue) {
		return &Failure{Code: Malformed, Reason: "This is a base proof of selective disclosure, which is for the holder alone. Derive from it what is to be shown."}
	}
	d, err := decodeDerived(p.ProofValue)
	if err != nil {
		return err
	}
	once, err := parsePublic(d.PublicKey)
	if err != nil || KindOf(once) != P256 {
		return &Failure{Code: Malformed, Reason: "The one-time key of the proof is none.", Err: err}
	}
	doc, options, err := v.inputs(selective, raw, p)
	if err != nil {
		return err
	}
	config, err := selective.config(options, doc, crypto.SHA256)
	if err != nil {
		return asMismatch(err)
	}
	shown, alone, err := d.statements(doc)
	if err != nil {
		return asMismatch(err)
	}
	// The issuer's signature first: nobody else can make us check the others.
	if !Signed(k, baseMessage(config, d.PublicKey, shown), d.Signature) {
		return mismatch()
	}
	for i, line := range alone {
		if !Signed(once, []byte(line), d.Signatures[i]) {
			return mismatch()
		}
	}
	return nil
}

// statements are those of a derived document that were mandatory, and those that
// were signed alone.
func (d derivedProof) statements(doc *jsonld.Document) (shown, alone []string, err error) {
	statements, err := doc.Statements()
	if err != nil {
		return nil, nil, err
	}
	canonical, err := rdfc.Canonicalize(statements, rdfc.Options{})
	if err != nil {
		return nil, nil, err
	}
	labels := map[rdfc.Term]rdfc.Term{}
	for place, issued := range canonical.Issued() {
		n, err := numberOf(issued)
		if err != nil {
			return nil, nil, err
		}
		label, ok := d.Labels[n]
		if !ok {
			return nil, nil, &Failure{Code: Mismatch, Reason: "The proof has no label for a part of the document: something was added to it."}
		}
		labels[rdfc.Blank(place)] = randomLabel(label)
	}
	lines, err := relabel(statements, labels)
	if err != nil {
		return nil, nil, err
	}
	group := map[int]bool{}
	for _, i := range d.Mandatory {
		group[i] = true
	}
	shown, alone = apart{lines: lines}.split(group)
	if len(shown) != len(d.Mandatory) || len(alone) != len(d.Signatures) {
		return nil, nil, &Failure{Code: Mismatch, Reason: fmt.Sprintf("The proof is over %d statements, and the document has %d: something was added to it or taken from it.", len(d.Mandatory)+len(d.Signatures), len(lines))}
	}
	return shown, alone, nil
}

// numberOf is N of c14nN.
func numberOf(issued string) (n int, err error) {
	_, err = fmt.Sscanf(issued, "c14n%d", &n)
	return n, err
}

func isBase(value string) bool {
	raw, err := decodeBase64(value)
	return err == nil && bytes.HasPrefix(raw, baseHeader)
}
