package pdf

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Signing is what a signature says of itself.
type Signing struct {
	Name   string // who signs
	Reason string
	At     time.Time
}

// field is the form field of the signature.
type field struct {
	Signing
	widget *annotation
}

// room is how many bytes a signature may have.
const room = 6 << 10

// Field puts a place for one signature on a page, as part of an element. The
// document must then be sealed.
func (d *Document) Field(p *Page, e *Element, r Rect, s Signing) {
	a := &annotation{rect: r, contents: s.Reason, element: e}
	d.field = &field{s, a}
	p.annots = append(p.annots, a)
	e.kids = append(e.kids, kid{page: p, annot: a})
}

// unset is a number that is put in when the file is whole.
const unset = "**********"

// write writes the widget, which is the field as well, and the signature's
// dictionary: ISO 32000-1 §12.7.4.5, §12.8.1; ETSI EN 319 142-1.
func (f *field) write(w *writer, p *Page, a *annotation) {
	look, value := w.reserve(), w.reserve()
	_ = w.stream(look, fmt.Sprintf("/Type /XObject /Subtype /Form /BBox [0 0 %s %s] /Resources <<>>", num(a.rect.Right-a.rect.Left), num(a.rect.Top-a.rect.Bottom)), nil, asIs) // what is seen is text of the page
	w.put(a.ref, "<</Type /Annot /Subtype /Widget /FT /Sig /T (Signature) /TU %s /Rect %s /F 132 /P %d 0 R /StructParent %d /V %d 0 R /AP <</N %d 0 R>>>>",
		text("Digital signature of "+f.Name), a.rect, p.ref, a.key, value, look)
	w.put(value, "<</Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /M %s /Name %s /Reason %s /ByteRange [0 %s %s %s] /Contents <%s>>>",
		date(f.At), text(f.Name), text(f.Reason), unset, unset, unset, strings.Repeat("0", 2*room))
}

// Seal signs a document that has a place for it, in the bytes that it is given.
// certificates are DER, the signer's first; sign signs by its ECDSA key over
// SHA-256 and gives r and s, each half of the bytes.
func Seal(document []byte, certificates [][]byte, sign func(message []byte) ([]byte, error)) ([]byte, error) {
	blank := []byte("/ByteRange [0 " + unset + " " + unset + " " + unset + "] /Contents <")
	at := bytes.Index(document, blank)
	if at < 0 {
		return nil, errors.New("pdf: no place for a signature")
	}
	from := at + len(blank) - 1 // where the < stands
	to := from + 2*room + 2
	if to > len(document) || document[to-1] != '>' {
		return nil, errors.New("pdf: no place for a signature")
	}
	copy(document[at:], fmt.Sprintf("/ByteRange [0 %-10d %-10d %-10d]", from, to, len(document)-to))
	h := sha256.New()
	h.Write(document[:from])
	h.Write(document[to:])
	cms, err := signedData(h.Sum(nil), certificates, sign)
	if err != nil {
		return nil, err
	}
	if len(cms) > room {
		return nil, errors.New("pdf: the certificates do not fit into the signature")
	}
	hex.Encode(document[from+1:], cms)
	return document, nil
}

// The object identifiers of a signature, RFC 5652, RFC 5035, RFC 5758.
var (
	oidSignedData  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidContentType = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidDigest      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidCertificate = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidSHA256      = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidECDSA256    = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
)

// The tags of DER that are used here.
const (
	tagInteger  = 0x02
	tagOctets   = 0x04
	tagSequence = 0x30
	tagSet      = 0x31
	tagContext0 = 0xA0
)

// tlv is one value of DER.
func tlv(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	n := len(body)
	out := []byte{tag}
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n)) // a signature has room for less than 64 KB
	}
	return append(out, body...)
}

func oid(o asn1.ObjectIdentifier) []byte {
	raw, err := asn1.Marshal(o)
	if err != nil {
		panic(err) // they are constants
	}
	return raw
}

// signedData is a CMS signature of a digest, RFC 5652 §5, with the attributes of
// CAdES that ETSI EN 319 142-1 §6.3 asks for and no signing time: that is the
// dictionary's.
func signedData(digest []byte, certificates [][]byte, sign func([]byte) ([]byte, error)) ([]byte, error) {
	if len(certificates) == 0 {
		return nil, errors.New("pdf: a signature needs a certificate")
	}
	signer, err := x509.ParseCertificate(certificates[0])
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(certificates[0])
	attributes := [][]byte{
		tlv(tagSequence, oid(oidContentType), tlv(tagSet, oid(oidData))),
		tlv(tagSequence, oid(oidDigest), tlv(tagSet, tlv(tagOctets, digest))),
		tlv(tagSequence, oid(oidCertificate), tlv(tagSet, tlv(tagSequence, tlv(tagSequence, tlv(tagSequence, tlv(tagOctets, hash[:])))))),
	}
	slices.SortFunc(attributes, bytes.Compare)
	raw, err := sign(tlv(tagSet, attributes...))
	if err != nil {
		return nil, err
	}
	signature, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:len(raw)/2]), new(big.Int).SetBytes(raw[len(raw)/2:])})
	if err != nil {
		return nil, err
	}
	serial, err := asn1.Marshal(signer.SerialNumber)
	if err != nil {
		return nil, err
	}
	one := []byte{tagInteger, 1, 1}
	sha := tlv(tagSequence, oid(oidSHA256))
	info := tlv(tagSequence, one, tlv(tagSequence, signer.RawIssuer, serial), sha, tlv(tagContext0, attributes...), tlv(tagSequence, oid(oidECDSA256)), tlv(tagOctets, signature))
	return tlv(tagSequence, oid(oidSignedData), tlv(tagContext0, tlv(tagSequence, one, tlv(tagSet, sha), tlv(tagSequence, oid(oidData)),
		tlv(tagContext0, certificates...), tlv(tagSet, info)))), nil
}
