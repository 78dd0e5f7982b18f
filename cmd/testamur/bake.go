package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/testamur/testamur/internal/spec/baking"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges2"
)

type bakeCmd struct {
	Picture    string `arg:"" help:"A PNG or SVG picture."`
	Credential string `arg:"" help:"The signed credential, record or badge in a file; - for standard input."`
	Output     string `short:"o" default:"-" help:"Where the picture goes; - for standard output." placeholder:"FILE"`
}

// Run writes the picture with the credential in it. One of the same standard
// that was in it is replaced.
func (c *bakeCmd) Run(p *place) error {
	picture, err := readFile(p, c.Picture)
	if err != nil {
		return err
	}
	credential, err := readFile(p, c.Credential)
	if err != nil {
		return err
	}
	of, err := standardOf(credential)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Credential, err)
	}
	out, err := baking.Bake(picture, of, credential)
	if err != nil {
		return err
	}
	return writeFile(p, c.Output, out)
}

// standardOf is the standard that a credential is baked by.
func standardOf(credential []byte) (baking.Standard, error) {
	credential = bytes.TrimSpace(credential)
	form, ok := baking.FormOf(credential)
	var v jsonld.Value
	var err error
	switch {
	case !ok:
		return "", errors.New("this is neither JSON, nor a signed token, nor the address of a badge")
	case form == baking.URL:
		return baking.OpenBadges2, nil
	case form == baking.JWS:
		v, err = openbadges2.Payload(credential)
	default:
		v, err = jsonld.Read(credential)
	}
	if err != nil {
		return "", err
	}
	if inner := v.Member("vc"); inner.IsObject() {
		v = inner
	}
	types := v.Member("type").Texts()
	switch {
	case clr.IsRecord(v):
		return baking.CLR2, nil
	case slices.Contains(types, "VerifiableCredential"):
		return baking.OpenBadges3, nil
	case openbadges2.Kind(v) == "Assertion":
		return baking.OpenBadges2, nil
	}
	return "", errors.New("this is no credential, record or badge")
}

type unbakeCmd struct {
	Picture string `arg:"" help:"A PNG or SVG picture; - for standard input."`
	Output  string `short:"o" default:"-" help:"Where the credential goes; - for standard output." placeholder:"FILE"`
}

// Run writes the credential that is in a picture, byte for byte.
func (c *unbakeCmd) Run(p *place) error {
	picture, err := readFile(p, c.Picture)
	if err != nil {
		return err
	}
	b, err := baking.Extract(picture)
	if err != nil {
		return err
	}
	return writeFile(p, c.Output, b.Payload)
}

// readFile reads a file of any kind that is verified, or standard input.
func readFile(p *place, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(p.stdin, maxFile))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

func writeFile(p *place, name string, raw []byte) error {
	if name == "-" {
		_, err := p.stdout.Write(raw)
		return err
	}
	return os.WriteFile(name, raw, 0o644)
}
