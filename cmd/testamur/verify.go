package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/archive"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/trust"
	"github.com/testamur/testamur/internal/verify"
)

type verifyCmd struct {
	Files     []string `arg:"" name:"file" help:"What was given to you: a credential or record as JSON or as a signed token, a PNG, SVG or PDF with one in it, a ZIP of such files, a file with the address of a badge, or an archive, as a folder or ZIP; - for standard input. Several, or a folder with such files in it, are verified one by one."`
	With      []string `help:"A file with a document that the credential points to, such as the issuer's DID document or its status list, so that the network need not be asked. May be given more than once." placeholder:"FILE" sep:"none"`
	Trusted   string   `help:"A list of the issuers you know, as JSON: [{\"name\": \"Lakeview College\", \"issuer\": \"did:web:lakeview.example\"}], with since and until as days where you know them only for a time. Whoever is not on it could not be checked." placeholder:"FILE"`
	Online    bool     `help:"Ask the network for keys, status lists and hosted badges that are not at hand. Nothing else leaves this machine."`
	Print     string   `name:"fingerprint" help:"The fingerprint that the institution gave with an archive." placeholder:"SHA256"`
	Documents string   `help:"A folder with the contexts that are not compiled in, as HOST/PATH, or with .json or .jsonld behind it. No context is asked of the network." placeholder:"FOLDER"`
	Recipient string   `help:"Who it should be about: a type of identifier and the identifier, such as emailAddress=ada@example.org." placeholder:"TYPE=VALUE"`
	JSON      bool     `name:"json" help:"Print the report as JSON; of several files a line for each."`
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
	if len(c.Files) > 1 {
		return c.many(p)
	}
	name := c.Files[0]
	if info, err := os.Stat(name); err == nil && name != "-" {
		in, closer, err := archive.Open(name)
		if info.IsDir() && errors.Is(err, archive.ErrNone) && !wasArchive(name) {
			return c.many(p)
		}
		if info.IsDir() || !errors.Is(err, archive.ErrNone) {
			return c.archive(p, in, closer, err)
		}
	}
	raw, err := readFile(p, name)
	if err != nil {
		p.say("testamur: %s", sentence(err))
		return exit(exitUnreadable)
	}
	s, about, err := c.prepare(p)
	if err != nil {
		return err
	}
	report, err := s.ReportTo(p.ctx, access.Anonymous(), raw, about)
	if err != nil {
		p.say("testamur: %s", sentence(err))
		return exit(exitUnreadable)
	}
	if c.JSON {
		out := json.NewEncoder(p.stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(printable(report, "")); err != nil {
			return err
		}
	} else {
		printReport(p, report, "")
		if report.Outcome != verify.Failed {
			c.unasked(p)
		}
	}
	return ended(report.Outcome)
}

// prepare is what verifies the files, and who they should be about. What cannot be
// read of what it is given is told, and ends the program.
func (c *verifyCmd) prepare(p *place) (*verify.Service, *verify.Recipient, error) {
	s, err := c.service()
	if err != nil {
		p.say("testamur: %s", sentence(err))
		return nil, nil, exit(exitUnreadable)
	}
	about, err := c.about()
	return s, about, err
}

// unasked says what no check told of, lest somebody takes it for told.
func (c *verifyCmd) unasked(p *place) {
	if c.Trusted == "" {
		p.say("Whether the issuer is who it says was not looked up: anyone can make a key. Name the issuers you know with --trusted FILE.")
	}
}

// ended is how a verification ends the program.
func ended(o verify.Outcome) error {
	switch o {
	case verify.Passed:
		return nil
	case verify.Failed:
		return exit(exitFailed)
	}
	return exit(exitNotChecked)
}

// maxFile is the largest file that is read, in bytes.
const maxFile = 16<<20 + 1

// about is who the credential should be about, or nil.
func (c *verifyCmd) about() (*verify.Recipient, error) {
	if c.Recipient == "" {
		return nil, nil
	}
	kind, value, ok := strings.Cut(c.Recipient, "=")
	if !ok || kind == "" || value == "" {
		return nil, errors.New("--recipient is a type of identifier, an equals sign and the identifier")
	}
	return &verify.Recipient{Type: kind, Value: value}, nil
}

// service verifies without a database, with the documents at hand under the
// addresses they belong to, and asks the network for others if that is wanted.
func (c *verifyCmd) service() (*verify.Service, error) {
	at := atHand{}
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
	contexts, err := contextsIn(c.Documents, false)
	if err != nil {
		return nil, err
	}
	s := &verify.Service{Now: time.Now, Contexts: contexts}
	if c.Trusted != "" {
		raw, err := os.ReadFile(c.Trusted)
		if err != nil {
			return nil, err
		}
		known, err := trust.ReadFile(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Trusted, err)
		}
		s.Trust = known
	}
	if c.Online {
		f := verify.NewFetcher(verify.Options{})
		s.Fetch, s.Getter = at.before(f.Fetch), handy{at, f}
	} else if len(at) > 0 {
		s.Copy = at.has
		s.Fetch = func(_ context.Context, address string) ([]byte, error) {
			if at.has(address) {
				return at[address], nil
			}
			return nil, errors.New("the network is not asked without --online")
		}
	}
	return s, nil
}

// atHand are documents by address.
type atHand map[string][]byte

func (at atHand) has(address string) bool { return at[address] != nil }

// before gives the documents at hand, and asks for others and for what is wanted
// anew.
func (at atHand) before(ask verify.Fetch) verify.Fetch {
	return func(ctx context.Context, address string) ([]byte, error) {
		if raw, ok := at[address]; ok && !verify.IsAnew(ctx) {
			return raw, nil
		}
		return ask(ctx, address)
	}
}

// handy gets the documents at hand, and asks for others.
type handy struct {
	at     atHand
	others verify.Getter
}

// Get is a document that is at hand, else what its address answers.
func (h handy) Get(ctx context.Context, w verify.Want) (verify.Fetched, error) {
	if raw, ok := h.at[w.URL]; ok {
		return verify.Fetched{URL: w.URL, Status: 200, Body: raw}, nil
	}
	return h.others.Get(ctx, w)
}

// mark is how an outcome reads at a terminal.
var mark = map[verify.Outcome]string{verify.Passed: "passed", verify.Failed: "FAILED", verify.NotChecked: "could not check"}

func printReport(p *place, r verify.Report, indent string) {
	p.print("%s%s: %s", indent, mark[r.Outcome], clean(strings.TrimSpace(r.Kind+" "+r.Name)))
	if r.Kind != "Bundle" {
		p.print("%s  id      %s", indent, clean(r.ID))
		p.print("%s  issuer  %s %s", indent, clean(r.IssuerName), clean(r.IssuerID))
	}
	for _, k := range r.Checks {
		p.print("%s  %-15s %-12s %s (%s)", indent, mark[k.Outcome], clean(k.Name), clean(k.Reason), clean(k.Clause))
	}
	for _, e := range r.Embedded {
		p.print("")
		printReport(p, e, indent+"    ")
	}
	for _, e := range r.Endorsements {
		p.print("")
		p.print("%s    endorsement", indent)
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
	File       string         `json:"file,omitempty"`
	Outcome    verify.Outcome `json:"outcome"`
	Kind       string         `json:"kind"`
	Format     string         `json:"format"`
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	IssuerID   string         `json:"issuerId"`
	IssuerName string         `json:"issuerName"`
	SubjectID  string         `json:"subjectId"`
	ValidFrom  *time.Time     `json:"validFrom,omitempty"`
	ValidUntil *time.Time     `json:"validUntil,omitempty"`
	Steps      []printedStep  `json:"steps,omitempty"` // but for what is within another
	Checks     []printedCheck `json:"checks"`
	Embedded   []printed      `json:"embedded,omitempty"`
	Endorsed   []printed      `json:"endorsements,omitempty"`
}

type printedCheck struct {
	Name    string         `json:"name"`
	Outcome verify.Outcome `json:"outcome"`
	Reason  string         `json:"reason"`
	Clause  string         `json:"clause"`
}

// printedStep is one of the five questions that a reader has.
type printedStep struct {
	Name    string         `json:"name"`
	Outcome verify.Outcome `json:"outcome"`
	Reason  string         `json:"reason"`
}

// printable is a report, of a file where that has a name, with its five steps.
func printable(r verify.Report, file string) printed {
	out := printableIn(r)
	out.File = file
	for _, s := range r.Steps() {
		out.Steps = append(out.Steps, printedStep(s))
	}
	return out
}

func printableIn(r verify.Report) printed {
	out := printed{Outcome: r.Outcome, Kind: r.Kind, Format: r.Format, ID: r.ID, Name: r.Name, IssuerID: r.IssuerID, IssuerName: r.IssuerName,
		SubjectID: r.SubjectID, ValidFrom: r.ValidFrom, ValidUntil: r.ValidUntil, Checks: []printedCheck{}}
	for _, k := range r.Checks {
		out.Checks = append(out.Checks, printedCheck(k))
	}
	for _, e := range r.Embedded {
		out.Embedded = append(out.Embedded, printableIn(e))
	}
	for _, e := range r.Endorsements {
		out.Endorsed = append(out.Endorsed, printableIn(e))
	}
	return out
}
