package vcdm

import (
	"encoding/base64"
	"regexp"
	"strings"

	"github.com/mr-tron/base58"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/shape"
)

// published are the hashes of resources that never change, as VCDM 2.0 §B.1 and
// VC-DI 1.0 §2.4.3 publish them, in base64. Of others nothing is known without
// asking the network.
var published = map[string]map[string]string{
	"https://www.w3.org/ns/credentials/v2": {
		"sha256": "WZVc7WaX1h4D8rJVb+vlMIqxaEKEb1tYbX8fet7JJzQ=",
		"sha384": "l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU",
		"sha512": "XVVFK9Lc+KKfWikEc+skKxxft31OaPGgqoe6pNuiaUhS1l7GPUisBKmdlW+fcVO5QG+E0tBMdIabAsI5odgTBQ==",
	},
	"https://w3id.org/security/data-integrity/v2": {
		"sha256": "Z/IebjOmwU5cz9L8eGX3R0+3GgSvfpQTbLOZ36yK6PQ=",
		"sha384": "DuLXYmcX+LB81Em1JdXitx/icgn8meUwieAWndKUTXk/7qRSb8YLucyhzZZRI5H2",
		"sha512": "Oc16mkBHt0uFJGQP41Yz6B6ChtFL27fnfQ4I2FCwDWo1sBhdXeNcR5uu2yOheYnZ9iislVMf3XnAxaD2Mtn6lQ==",
	},
	"https://w3id.org/security/multikey/v1": {
		"sha256": "uiwYLeLZL35HGEvMqPzwvq7m05hsUnv2ZMGVu8fFhZc=",
		"sha384": "D6UWQdEvuMcBsuapSSVW8l0yu0r4SpbxGAjwpiO5ckNN0YqPHxhlvGjY7gRsTlo+",
		"sha512": "En0TOOp/cC10XtW/aQDtqKrEQZ2lRjGB/KAsJ+BQhRBufT7s6eoOFWvP9cP5nurTl3hcRTvFeffdVJapkeELXw==",
	},
}

// sizes are the bytes of a hash, by algorithm.
var sizes = map[string]int{"sha256": 32, "sha384": 48, "sha512": 64}

// digestSRI is one hash, of an algorithm of Subresource Integrity.
var digestSRI = regexp.MustCompile(`^(sha256|sha384|sha512)-([A-Za-z0-9+/_-]+)={0,2}$`)

// digest is a hash, and by which algorithm; "" where it does not say.
type digest struct {
	algorithm string
	hash      []byte
}

// of reports whether it can be the digest of a resource: of one that is not
// published here, any.
func (d digest) of(resource string) bool {
	known, ok := published[resource]
	if !ok {
		return true
	}
	for algorithm, want := range known {
		if (d.algorithm == "" || d.algorithm == algorithm) && base64.StdEncoding.EncodeToString(d.hash) == want {
			return true
		}
	}
	return false
}

// sri reads a digest of Subresource Integrity, whose hash has as many bytes as its
// algorithm makes.
func sri(text string) (digest, bool) {
	m := digestSRI.FindStringSubmatch(text)
	if m == nil {
		return digest{}, false
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(m[2]))
	return digest{m[1], raw}, err == nil && len(raw) == sizes[m[1]]
}

// multihashes are the prefixes of a multihash: algorithm and length.
var multihashes = map[string]string{"\x12\x20": "sha256", "\x20\x30": "sha384", "\x13\x40": "sha512"}

// multibase reads a digest in base64url or base58, which says its algorithm as a
// multihash or is the bare hash.
func multibase(text string) (digest, bool) {
	if len(text) < 2 || len(text) > 200 {
		return digest{}, false
	}
	var raw []byte
	var err error
	switch text[0] {
	case 'u':
		raw, err = base64.RawURLEncoding.DecodeString(text[1:])
	case 'z':
		raw, err = base58.Decode(text[1:])
	default:
		return digest{}, false
	}
	if err != nil || len(raw) < 2 {
		return digest{}, false
	}
	if a := multihashes[string(raw[:2])]; a != "" && len(raw) == 2+sizes[a] {
		return digest{a, raw[2:]}, true
	}
	other := int(raw[1]) == len(raw)-2 // of an algorithm that is not known here
	return digest{"", raw}, other || len(raw) == 32 || len(raw) == 48 || len(raw) == 64
}

// digests: VCDM 2.0 §5.3.
func digests(p shape.Problems, r jsonld.Value, clause string) {
	one, other := r.Member("digestSRI"), r.Member("digestMultibase")
	id, _ := r.Member("id").Text()
	if one.IsZero() && other.IsZero() {
		p.Add("", "digest", clause, "A related resource has a digestSRI or a digestMultibase.")
	}
	if !one.IsZero() {
		text, _ := one.Text()
		hashes := strings.Fields(text)
		fits := len(hashes) > 0
		for _, h := range hashes {
			d, ok := sri(h)
			if !ok {
				p.Add("digestSRI", "digest", clause, "This is not a digest such as sha384- and the hash in base64.")
				return
			}
			fits = fits && d.of(id)
		}
		mismatch(p, "digestSRI", clause, id, len(hashes) > 0, fits)
	}
	if !other.IsZero() {
		text, _ := other.Text()
		d, ok := multibase(text)
		if !ok {
			p.Add("digestMultibase", "digest", clause, "This is not a hash in base64url, which begins with u, or in base58, which begins with z.")
			return
		}
		mismatch(p, "digestMultibase", clause, id, true, d.of(id))
	}
}

func mismatch(p shape.Problems, field, clause, id string, readable, fits bool) {
	switch {
	case !readable:
		p.Add(field, "digest", clause, "This is not a digest such as sha384- and the hash in base64.")
	case !fits:
		p.Add(field, "digest-match", clause, "This is not the digest of %s.", id)
	}
}
