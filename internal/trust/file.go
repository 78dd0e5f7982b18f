package trust

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/testamur/testamur/internal/access"
)

// File is a list of known issuers that whoever verifies keeps in a file, by DID or
// address as credentials name them.
type File map[string]Issuer

// maxFile is how many entries a file has at most.
const maxFile = 100_000

// ReadFile reads a list: a JSON array of entries with name, issuer and, where they
// are known, since, until and source, such as trustedIssuers of the API gives them.
// The error names the entry by its place, from 1, and what is wrong with it.
func ReadFile(raw []byte) (File, error) {
	in := json.NewDecoder(bytes.NewReader(raw))
	in.DisallowUnknownFields()
	var entries []Entry
	if err := in.Decode(&entries); err != nil {
		return nil, fmt.Errorf(`a list of known issuers is a JSON array of entries, each with "name" and "issuer", and "since", "until" and "source" where they are known: %w`, err)
	}
	if _, err := in.Token(); err != io.EOF {
		return nil, fmt.Errorf("a list of known issuers is one JSON array, and something follows it")
	}
	if len(entries) > maxFile {
		return nil, fmt.Errorf("a list of known issuers has at most %d entries; this one has %d", maxFile, len(entries))
	}
	f := make(File, len(entries))
	for n, e := range entries {
		if no := e.check(); no != nil {
			return nil, fmt.Errorf("entry %d, %s: %s", n+1, no.Field, no.Message)
		}
		if _, twice := f[e.Issuer]; twice {
			return nil, fmt.Errorf("entry %d, issuer: %s stands in the list twice", n+1, e.Issuer)
		}
		f[e.Issuer] = Issuer{Name: e.Name, Issuer: e.Issuer, Since: e.Since, Until: e.Until, Source: e.Source}
	}
	return f, nil
}

// Known are those of the issuers that are on the list.
func (f File) Known(_ context.Context, _ access.Actor, issuers []string) (map[string]Issuer, error) {
	known := map[string]Issuer{}
	for _, name := range issuers {
		if i, ok := f[name]; ok {
			known[name] = i
		}
	}
	return known, nil
}
