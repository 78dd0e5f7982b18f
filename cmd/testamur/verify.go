package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/verify"
)

type verifyCmd struct {
	File   string   `arg:"" help:"The credential or record as JSON; - for standard input."`
	With   []string `help:"A file with a document that the credential points to, such as the issuer's DID document or its status list, so that the network need not be asked. May be given more than once." placeholder:"FILE" sep:"none"`
	Online bool     `help:"Ask the network for keys that are not at hand. Nothing else leaves this machine."`
	JSON   bool     `name:"json" help:"Print the report as JSON."`
}

// The exit codes of a verification.
const (
	exitFailed     = 1
	exitNotChecked = 2
	exitUnreadable = 3
)

// Run prints each check with its outcome and reason. It asks no database and,
// unless told to, no network.
func (c *verifyCmd) Run(p *place) error {
	raw, err := c.read(p)
	if err != nil {
		p.say("testamur: %s", sentence(err))
		return exit(exitUnreadable)
	}
	fetch, err := c.fetch()
	if err != nil {
		p.say("testamur: %s", sentence(err))
		return exit(exitUnreadable)
	}
	report, err := (&verify.Service{Now: time.Now, Fetch: fetch}).Report(p.ctx, access.Anonymous(), raw)
	if err != nil {
		p.say("testamur: %s", sentence(err))
		return exit(exitUnreadable)
	}
	if c.JSON {
		out := json.NewEncoder(p.stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(printable(report)); err != nil {
			return err
		}
	} else {
		printReport(p, report, "")
	}
	switch report.Outcome {
	case verify.Passed:
		return nil
	case verify.Failed:
		return exit(exitFailed)
	}
	return exit(exitNotChecked)
}

// maxFile is the largest file that is read, in bytes.
const maxFile = 16<<20 + 1

func (c *verifyCmd) read(p *place) ([]byte, error) {
	if c.File == "-" {
		return io.ReadAll(io.LimitReader(p.stdin, maxFile))
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// fetch gives the documents at hand under the addresses they belong to, and asks
// the network for others if that is wanted.
func (c *verifyCmd) fetch() (verify.Fetch, error) {
	at := map[string][]byte{}
	for _, name := range c.With {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var head struct{ ID string }
		if err := json.Unmarshal(raw, &head); err != nil || head.ID == "" {
			return nil, fmt.Errorf("%s is not a document that a credential points to: it is JSON with an id", name)
		}
		address := head.ID
		if strings.HasPrefix(head.ID, "did:web:") {
			if address, err = vc.DIDWebURL(head.ID); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		at[address] = raw
	}
	if !c.Online && len(at) == 0 {
		return nil, nil
	}
	online := verify.Guarded()
	return func(ctx context.Context, address string) ([]byte, error) {
		if raw, ok := at[address]; ok {
			return raw, nil
		}
		if c.Online {
			return online(ctx, address)
		}
		return nil, errors.New("the network is not asked without --online")
	}, nil
}

// mark is how an outcome reads at a terminal.
var mark = map[verify.Outcome]string{verify.Passed: "passed", verify.Failed: "FAILED", verify.NotChecked: "could not check"}

func printReport(p *place, r verify.Report, indent string) {
	p.print("%s%s: %s", indent, mark[r.Outcome], clean(r.Kind+" "+r.Name))
	p.print("%s  id      %s", indent, clean(r.ID))
	p.print("%s  issuer  %s %s", indent, clean(r.IssuerName), clean(r.IssuerID))
	for _, k := range r.Checks {
		p.print("%s  %-15s %-12s %s (%s)", indent, mark[k.Outcome], clean(k.Name), clean(k.Reason), clean(k.Clause))
	}
	for _, e := range r.Embedded {
		p.print("")
		printReport(p, e, indent+"    ")
	}
}

// clean keeps what a stranger wrote from steering the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// printed is a report as JSON.
type printed struct {
	Outcome    verify.Outcome `json:"outcome"`
	Kind       string         `json:"kind"`
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	IssuerID   string         `json:"issuerId"`
	IssuerName string         `json:"issuerName"`
	SubjectID  string         `json:"subjectId"`
	ValidFrom  *time.Time     `json:"validFrom,omitempty"`
	ValidUntil *time.Time     `json:"validUntil,omitempty"`
	Checks     []printedCheck `json:"checks"`
	Embedded   []printed      `json:"embedded,omitempty"`
}

type printedCheck struct {
	Name    string         `json:"name"`
	Outcome verify.Outcome `json:"outcome"`
	Reason  string         `json:"reason"`
	Clause  string         `json:"clause"`
}

func printable(r verify.Report) printed {
	out := printed{Outcome: r.Outcome, Kind: r.Kind, ID: r.ID, Name: r.Name, IssuerID: r.IssuerID, IssuerName: r.IssuerName,
		SubjectID: r.SubjectID, ValidFrom: r.ValidFrom, ValidUntil: r.ValidUntil, Checks: []printedCheck{}}
	for _, k := range r.Checks {
		out.Checks = append(out.Checks, printedCheck(k))
	}
	for _, e := range r.Embedded {
		out.Embedded = append(out.Embedded, printable(e))
	}
	return out
}
