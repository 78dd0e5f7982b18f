package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/archive"
	"github.com/testamur/testamur/internal/verify"
)

type archiveCmd struct {
	store
	within
	To      string   `arg:"" help:"The folder to write, which is not there yet; a name that ends in .zip is a ZIP file."`
	Learner []string `help:"Only this learner, by id or ref:SYSTEM:VALUE. May be given more than once." placeholder:"ID" sep:"none"`
}

// Run writes the archive and prints its fingerprint.
func (c *archiveCmd) Run(p *place) error {
	return c.as(p, c.Institution, func(ctx context.Context, s *services, who access.Actor) error {
		b := newBar(p, "archive")
		made, err := s.archives.Write(ctx, who, archive.Order{To: c.To, Learners: c.Learner}, func(g archive.Progress) {
			b.line(float64(g.Learners)/float64(max(g.Of, 1)), "%d of %d learners, %d files, %s", g.Learners, g.Of, g.Files, size(g.Bytes))
		})
		b.clear()
		if err != nil {
			return err
		}
		p.say("%s: %d learners, %d credentials, %d files, %s.", c.To, made.Learners, made.Credentials, made.Files, size(made.Bytes))
		p.say("It holds names and grades: it is for the institution alone, which decides who else gets it.")
		p.say("Keep the fingerprint elsewhere, and give it to whoever is to check the archive:")
		p.print("%s", made.Fingerprint)
		return nil
	})
}

// size is a number of bytes as people say it.
func size(n int64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%d KB", (n+1023)>>10)
	case n < 1<<30:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
}

// archive checks an archive that was opened, or was not.
func (c *verifyCmd) archive(p *place, in fs.FS, closer io.Closer, err error) error {
	if closer != nil {
		defer closer.Close()
	}
	var known archive.Anchor
	if err == nil {
		known, err = c.anchor(p, in)
	}
	var r archive.Report
	if err == nil {
		b := newBar(p, "files")
		r, err = archive.Check(p.ctx, in, known, func(done, total int64) {
			b.line(float64(done)/float64(max(total, 1)), "%s", size(done))
		})
		b.clear()
	}
	if err != nil {
		p.say("testamur: %s", sentence(err))
		return exit(exitUnreadable)
	}
	if c.JSON {
		out := json.NewEncoder(p.stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(printableArchive(r)); err != nil {
			return err
		}
		return ended(r.Outcome)
	}
	p.print("%s: archive of %s as of %s", mark[r.Outcome], clean(r.Contents.Name), clean(r.At))
	p.print("  issuer       %s", clean(r.Contents.ID))
	p.print("  fingerprint  %s", r.Fingerprint)
	for _, k := range r.Checks {
		p.print("  %-15s %-12s %s (%s)", mark[k.Outcome], k.Name, clean(k.Reason), k.Clause)
	}
	return ended(r.Outcome)
}

// anchor is what was given of the institution, or what it publishes.
func (c *verifyCmd) anchor(p *place, in fs.FS) (archive.Anchor, error) {
	known := archive.Anchor{Fingerprint: c.Print}
	about, err := archive.About(in)
	if err != nil {
		return known, err
	}
	for _, name := range c.With {
		raw, err := os.ReadFile(name)
		if err != nil {
			return known, err
		}
		var head struct{ ID string }
		if json.Unmarshal(raw, &head) != nil || head.ID != about.ID {
			return known, fmt.Errorf("%s is not the key document of %s", name, about.ID)
		}
		known.Keys, known.Copy = raw, true
	}
	if !c.Online || known.Keys != nil {
		return known, nil
	}
	address, err := about.Document()
	if err != nil {
		return known, err
	}
	if known.Keys, err = verify.NewFetcher(verify.Options{}).Fetch(p.ctx, address); err != nil {
		p.say("The institution's keys were not had from %s: %s", address, sentence(err))
		known.Keys = nil
	}
	return known, nil
}

// printableArchive is a report on an archive as JSON.
func printableArchive(r archive.Report) any {
	checks := []printedCheck{}
	for _, k := range r.Checks {
		checks = append(checks, printedCheck(k))
	}
	t := r.Tally
	return struct {
		Outcome     verify.Outcome   `json:"outcome"`
		Kind        string           `json:"kind"`
		Archive     archive.Contents `json:"archive"`
		At          string           `json:"at"`
		Fingerprint string           `json:"fingerprint"`
		Checks      []printedCheck   `json:"checks"`
		Credentials map[string]int   `json:"credentials"`
	}{r.Outcome, "InstitutionArchive", r.Contents, r.At, r.Fingerprint, checks, map[string]int{"total": t.Total, "stand": t.Stand, "revoked": t.Revoked,
		"suspended": t.Suspended, "withdrawn": t.Withdrawn, "superseded": t.Superseded, "expired": t.Expired}}
}
