package jsonld

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/standards"
)

// without is a JSON object without some members, other bytes kept.
func without(t *testing.T, doc []byte, names ...string) []byte {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(doc, &m); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		delete(m, n)
	}
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// parts reads a vector file.
func parts(t *testing.T, file string) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(standards.Read(t, file), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func str(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// proofConfig is a document's proof without its value, in the document's
// context.
func proofConfig(t *testing.T, signed []byte) []byte {
	t.Helper()
	var doc struct {
		Context json.RawMessage            `json:"@context"`
		Proof   map[string]json.RawMessage `json:"proof"`
	}
	if err := json.Unmarshal(signed, &doc); err != nil {
		t.Fatal(err)
	}
	delete(doc.Proof, "proofValue")
	doc.Proof["@context"] = doc.Context
	out, err := json.Marshal(doc.Proof)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func canonical(t *testing.T, doc []byte, opts Options) string {
	t.Helper()
	got, err := CanonizeWith(doc, opts)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// TestOfficialBadgeVector: OB 3.0 implementation guide, linked data proof.
func TestOfficialBadgeVector(t *testing.T) {
	v := parts(t, "examples/ob3/vector-eddsa-rdfc-2022-ob.json")
	doc := canonical(t, without(t, v["signedCredential"], "proof"), Options{})
	if diff := cmp.Diff(str(t, v["documentCanon"]), doc); diff != "" {
		t.Error(diff)
	}
	if sum := sha256.Sum256([]byte(doc)); !strings.HasPrefix(hex.EncodeToString(sum[:]), "87f65a76") {
		t.Errorf("document hash %x", sum)
	}
	config := canonical(t, proofConfig(t, v["signedCredential"]), Options{})
	if diff := cmp.Diff(str(t, v["proofConfigCanon"]), config); diff != "" {
		t.Error(diff)
	}
	if sum := sha256.Sum256([]byte(config)); !strings.HasPrefix(hex.EncodeToString(sum[:]), "d34009ce") {
		t.Errorf("proof hash %x", sum)
	}
}

// TestW3CVectors: the canonical forms and hashes of the W3C cryptosuites.
func TestW3CVectors(t *testing.T) {
	for _, v := range []struct {
		file, suffix string
		hash         crypto.Hash
	}{
		{"eddsa-rdfc-2022-alumni", "DataInt", crypto.SHA256},
		{"ecdsa-rdfc-2019-p256", "ECDSAP256", crypto.SHA256},
		{"ecdsa-rdfc-2019-p384", "ECDSAP384", crypto.SHA384},
	} {
		t.Run(v.file, func(t *testing.T) {
			p := parts(t, "examples/w3c-vectors/"+v.file+".json")
			want := func(name string) string {
				raw, ok := p[name+v.suffix+".txt"]
				if !ok {
					t.Fatalf("the vector has no %s", name+v.suffix+".txt")
				}
				return str(t, raw)
			}
			opts := Options{Hash: v.hash}
			doc := canonical(t, p["unsigned.json"], opts)
			config := canonical(t, p["proofConfig"+v.suffix+".json"], opts)
			if diff := cmp.Diff(want("canonDoc"), doc); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(want("proofCanon"), config); diff != "" {
				t.Error(diff)
			}
			h := v.hash.New()
			h.Write([]byte(doc))
			if got := hex.EncodeToString(h.Sum(nil)); got != want("docHash") {
				t.Errorf("document hash %s", got)
			}
			signed := canonical(t, without(t, p["signed"+v.suffix+".json"], "proof"), opts)
			if signed != doc {
				t.Error("the signed document without its proof says something else")
			}
		})
	}
}
