package main

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/rdfc"
	"github.com/testamur/testamur/internal/spec/vc"
)

// statementsIn is a document that is read as statements: JSON-LD or N-Quads.
type statementsIn struct {
	File      string `arg:"" help:"JSON-LD or N-Quads; - for standard input."`
	Documents string `help:"A folder with the contexts that are not compiled in, as HOST/PATH, or with .json or .jsonld behind it. Nothing is asked of the network." placeholder:"FOLDER"`
}

type canonizeCmd struct {
	statementsIn
	Hash  string `enum:"SHA-256,SHA-384" default:"SHA-256" help:"The hash of the canonicalization: SHA-256 or SHA-384."`
	Map   bool   `help:"Print the canonical label of each blank node instead, as JSON."`
	Steps bool   `help:"Print, for each proof of a signed document, the canonical options and document, their hashes and the bytes that are signed."`
}

type nquadsCmd struct{ statementsIn }

type expandCmd struct{ statementsIn }

// hashes by the names they have here.
var hashes = map[string]crypto.Hash{"SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384}

// Run prints the canonical form by RDFC-1.0.
func (c *canonizeCmd) Run(p *place) error {
	if c.Steps {
		return c.steps(p)
	}
	ds, err := c.read(p)
	if err != nil {
		return err
	}
	r, err := rdfc.Canonicalize(ds, rdfc.Options{Hash: hashes[c.Hash]})
	if err != nil {
		return err
	}
	if !c.Map {
		_, err = p.stdout.Write(r.NQuads)
		return err
	}
	raw, err := json.MarshalIndent(r.Issued(), "", "  ")
	if err == nil {
		p.print("%s", raw)
	}
	return err
}

// steps prints what each proof is made over.
func (c *canonizeCmd) steps(p *place) error {
	raw, err := readFile(p, c.File)
	if err != nil {
		return err
	}
	pinned, err := c.pinned()
	if err != nil {
		return err
	}
	all, err := vc.StepsOfProofs(raw, hashes[c.Hash], pinned)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("%s carries no proof", c.File)
	}
	for i, s := range all {
		p.print("# Proof %d: canonical options\n%s", i+1, strings.TrimSuffix(s.Options, "\n"))
		p.print("# Proof %d: canonical document\n%s", i+1, strings.TrimSuffix(s.Document, "\n"))
		p.print("# Proof %d: hash of the options\n%s", i+1, s.OptionsHash)
		p.print("# Proof %d: hash of the document\n%s", i+1, s.DocumentHash)
		p.print("# Proof %d: the bytes that are signed\n%s", i+1, s.Signed)
	}
	return nil
}

// Run prints the statements as they come, each with a line of N-Quads.
func (c *nquadsCmd) Run(p *place) error {
	ds, err := c.read(p)
	if err != nil {
		return err
	}
	for _, q := range ds {
		p.print("%s", q)
	}
	return nil
}

// Run prints the document without its contexts: flattened, expanded JSON-LD.
func (c *expandCmd) Run(p *place) error {
	ds, err := c.read(p)
	if err != nil {
		return err
	}
	raw, err := jsonld.Expanded(ds)
	if err == nil {
		p.print("%s", raw)
	}
	return err
}

// read is what the document says.
func (c statementsIn) read(p *place) (rdfc.Dataset, error) {
	raw, err := readFile(p, c.File)
	if err != nil {
		return nil, err
	}
	if start := bytes.TrimLeft(raw, " \t\r\n"); len(start) == 0 || start[0] != '{' && start[0] != '[' {
		return rdfc.ParseNQuads(raw)
	}
	pinned, err := c.pinned()
	if err != nil {
		return nil, err
	}
	return jsonld.ToRDF(raw, jsonld.Options{Contexts: pinned, Direction: jsonld.I18NDatatype})
}

// pinned are the contexts of the folder by their address.
func (c statementsIn) pinned() (map[string][]byte, error) { return contextsIn(c.Documents, false) }
