package verify

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/spec/pdf"
	"github.com/testamur/testamur/internal/spec/vc"
)

// print is a PDF with credentials attached, signed by a key whose certificate
// says it is the method; nil leaves it unsigned.
func printOf(t *testing.T, k *ecdsa.PrivateKey, method string, attached ...[]byte) []byte {
	t.Helper()
	d := pdf.New(pdf.Info{Title: "A record", Lang: "en", Created: now})
	for i, a := range attached {
		d.Attach(pdf.Attachment{Name: string(rune('a'+i)) + ".json", Media: "application/ld+json", Relationship: "Source", Modified: now, Data: a})
	}
	p := d.Page(612, 792)
	p.In(d.Root().Add("P"))
	p.Fill(pdf.Rect{Left: 10, Bottom: 10, Right: 20, Top: 20}, pdf.Color{R: 1})
	if k != nil {
		d.Field(p, d.Root().Add("Form"), pdf.Rect{}, pdf.Signing{Name: "X", At: now.Add(-time.Hour)})
	}
	raw, err := d.Bytes()
	if err != nil || k == nil {
		return raw
	}
	u, err := url.Parse(method)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "X"}, URIs: []*url.URL{u}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err = pdf.Seal(raw, [][]byte{der}, func(m []byte) ([]byte, error) { return vc.Sign(k, m) })
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestPrints(t *testing.T) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := newIssuer(7)
	did := "did:web:x.example"
	// The institution publishes the key of its badges and that of its prints.
	publish := func(revoked string) world {
		document, err := json.Marshal(vc.NewController(did, []vc.Method{
			{ID: did + "#badges", Type: "Multikey", Controller: did, PublicKey: vc.Multikey(x.key.Public())},
			{ID: did + "#prints", Type: "Multikey", Controller: did, PublicKey: vc.Multikey(own.Public()), Revoked: revoked}}))
		if err != nil {
			t.Fatal(err)
		}
		return world{did: document}
	}
	badges := issuer{x.key, did, did + "#badges"}
	good := badges.sign(t, compose(t, badge(did, 1)), vc.EdDSARDFC)
	bad := bytes.Replace(good, []byte(`"Badge"`), []byte(`"Budge"`), 1)
	foreign := x.sign(t, compose(t, badge(x.did, 2)), vc.EdDSARDFC)
	sealed := printOf(t, own, did+"#prints", good)
	changed := bytes.Replace(sealed, []byte("%PDF-1.7"), []byte("%PDF-1.6"), 1)
	for name, c := range map[string]struct {
		file           []byte
		revoked        string
		overall, pages Outcome
	}{
		"whole":                              {sealed, "", Passed, Passed},
		"two credentials":                    {printOf(t, own, did+"#prints", good, badges.sign(t, compose(t, badge(did, 3)), vc.EdDSARDFC)), "", Passed, Passed},
		"a changed page":                     {changed, "", Failed, Failed},
		"something added":                    {append(bytes.Clone(sealed), "%\n"...), "", Failed, Failed},
		"a changed credential":               {printOf(t, own, did+"#prints", bad), "", Failed, Passed},
		"one of two changed":                 {printOf(t, own, did+"#prints", good, bad), "", Failed, Passed},
		"unsigned":                           {printOf(t, nil, "", good), "", NotChecked, NotChecked},
		"signed by somebody":                 {printOf(t, other, "https://x.example/no-did", good), "", NotChecked, NotChecked},
		"signed in the issuer's name":        {printOf(t, other, did+"#prints", good), "", Failed, Failed},
		"by a key that nobody publishes":     {printOf(t, other, did+"#none", good), "", Failed, Failed},
		"by the issuer of another":           {printOf(t, own, did+"#prints", foreign), "", NotChecked, NotChecked},
		"by a key that was withdrawn before": {sealed, now.Add(-2 * time.Hour).Format(time.RFC3339), Failed, Failed},
		"by a key that was withdrawn since":  {sealed, now.Add(-time.Minute).Format(time.RFC3339), Passed, Passed},
		"nothing in it":                      {printOf(t, own, did+"#prints"), "", Failed, ""},
		"a file that is none":                {printOf(t, own, did+"#prints", []byte("hello")), "", Failed, ""},
		"a print in a print":                 {printOf(t, own, did+"#prints", sealed), "", Failed, ""},
		"cut off":                            {sealed[:len(sealed)/2], "", Failed, ""},
	} {
		r := examiner(publish(c.revoked)).Examine(c.file)
		pages, why := find(r, "pages")
		if r.Outcome != c.overall || pages != c.pages || r.Format != "pdf" {
			t.Errorf("%s: %s, pages %s (%s), want %s, %s; %+v", name, r.Outcome, pages, why, c.overall, c.pages, r.Checks)
		}
	}
	if !Recognised(sealed) || Recognised([]byte("x %PDF-1.7")) {
		t.Error("a PDF is not known by its first bytes")
	}
}
