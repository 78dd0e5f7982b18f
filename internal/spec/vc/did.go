package vc

import (
	"crypto"
	"fmt"
	"net/url"
	"strings"
)

// DIDKeyOf is the did:key of a public key, and its verification method. Both are
// empty for a kind of key that has none.
func DIDKeyOf(k crypto.PublicKey) (did, method string) {
	multibase := Multikey(k)
	if multibase == "" {
		return "", ""
	}
	did = "did:key:" + multibase
	return did, did + "#" + multibase
}

// DIDKey is the key that a did:key method is. It is good for every purpose.
func DIDKey(method string) (Key, error) {
	did, fragment, ok := strings.Cut(method, "#")
	multibase, isKey := strings.CutPrefix(did, "did:key:")
	if !ok || !isKey || fragment != multibase {
		return Key{}, &Failure{Code: WrongKey, Reason: fmt.Sprintf("%q is not the key of a did:key.", method)}
	}
	k, err := ParseMultikey(multibase)
	if err != nil {
		return Key{}, &Failure{Code: NoKey, Reason: "Only Ed25519, P-256 and P-384 keys are supported in did:key.", Err: err}
	}
	return Key{Controller: did, Public: k}, nil
}

// DIDWeb is the did:web of an address such as https://host:1/i/slug.
func DIDWeb(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%q is not a web address", base)
	}
	did := "did:web:" + strings.ReplaceAll(u.Host, ":", "%3A")
	for _, part := range strings.Split(strings.Trim(u.Path, "/"), "/") {
		if part != "" {
			did += ":" + url.PathEscape(part)
		}
	}
	return did, nil
}

// DIDWebURL is where the document of a did:web lies, always https.
func DIDWebURL(did string) (string, error) {
	rest, ok := strings.CutPrefix(did, "did:web:")
	if !ok || rest == "" || strings.ContainsAny(rest, "/?#") {
		return "", fmt.Errorf("%q is not a did:web", did)
	}
	parts := strings.Split(rest, ":")
	host, err := url.PathUnescape(parts[0])
	if err != nil || host == "" || strings.ContainsAny(host, "/?#@") {
		return "", fmt.Errorf("%q names no host", did)
	}
	if len(parts) == 1 {
		return "https://" + host + "/.well-known/did.json", nil
	}
	for _, p := range parts[1:] {
		if p == "" || p == "." || p == ".." {
			return "", fmt.Errorf("%q has an empty part", did)
		}
	}
	return "https://" + host + "/" + strings.Join(parts[1:], "/") + "/did.json", nil
}
