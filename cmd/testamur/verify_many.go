package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/archive"
	"github.com/testamur/testamur/internal/verify"
)

// The limits of many files. Each is read when its turn comes and forgotten after,
// so that how many there are costs no memory.
const (
	maxMany = 100_000
	atOnce  = 4 // files that are read and verified side by side
)

// many verifies files one by one and prints five steps of each, in the order of
// their names; one that cannot be read stops no other. It ends as the worst does.
func (c *verifyCmd) many(p *place) error {
	names, err := c.names()
	if err != nil {
		p.say("testamur: %s", sentence(err))
		return exit(exitUnreadable)
	}
	s, about, err := c.prepare(p)
	if err != nil {
		return err
	}
	b := newBar(p, "files")
	count := map[verify.Outcome]int{}
	unread := 0
	err = c.each(p, s, about, names, func(i int, r verify.Report, err error) error {
		b.clear()
		if err != nil {
			unread++
			r = unreadable(err)
		}
		count[r.Outcome]++
		if err := c.tell(p, names[i], r); err != nil {
			return err
		}
		done := i + 1
		b.line(float64(done)/float64(len(names)), "%d of %d, %d failed", done, len(names), count[verify.Failed])
		return nil
	})
	b.clear()
	if err != nil {
		return err
	}
	p.say("%d files: %d passed, %d failed, %d could not be checked whole.", len(names), count[verify.Passed], count[verify.Failed], count[verify.NotChecked])
	c.unasked(p)
	switch {
	case count[verify.Failed] > unread:
		return exit(exitFailed)
	case unread > 0:
		return exit(exitUnreadable)
	case count[verify.NotChecked] > 0:
		return exit(exitNotChecked)
	}
	return nil
}

// unreadable is the report of a file that is nothing to verify.
func unreadable(err error) verify.Report {
	return verify.Report{Outcome: verify.Failed, Checks: []verify.Check{{Name: "shape", Outcome: verify.Failed, Reason: sentence(err), Clause: "VCDM 2.0 §4"}}}
}

// tell prints what was found of one file.
func (c *verifyCmd) tell(p *place, name string, r verify.Report) error {
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(printable(r, name))
	}
	p.print("%s: %s", mark[r.Outcome], clean(name))
	if what := strings.TrimSpace(r.Kind + " " + r.Name); what != "" {
		p.print("  %s, of %s %s", clean(what), clean(r.IssuerName), clean(r.IssuerID))
	}
	for _, s := range r.Steps() {
		p.print("  %-15s %-9s %s", mark[s.Outcome], s.Name, clean(s.Reason))
	}
	return nil
}

// each verifies the files, some side by side, and tells of them in their order.
func (c *verifyCmd) each(p *place, s *verify.Service, about *verify.Recipient, names []string, tell func(int, verify.Report, error) error) error {
	type found struct {
		report verify.Report
		err    error
	}
	turns := make(chan chan found, atOnce-1)
	done := make(chan struct{})
	defer close(done)
	go func() {
		defer close(turns)
		for _, name := range names {
			turn := make(chan found, 1)
			select {
			case turns <- turn:
			case <-done:
				return
			}
			go func() {
				var f found
				f.report, f.err = one(p, s, about, name)
				turn <- f
			}()
		}
	}()
	i := 0
	for turn := range turns {
		f := <-turn
		if err := p.ctx.Err(); err != nil {
			return fmt.Errorf("stopped after %d of %d files: %w", i, len(names), err)
		}
		if err := tell(i, f.report, f.err); err != nil {
			return err
		}
		i++
	}
	return nil
}

// one verifies one of many files.
func one(p *place, s *verify.Service, about *verify.Recipient, name string) (verify.Report, error) {
	raw, err := readFile(p, name)
	if err != nil {
		return verify.Report{}, err
	}
	if z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw))); err == nil {
		if _, err := archive.Within(z); err == nil {
			return verify.Report{}, errors.New("this is an archive of an institution: verify it by itself")
		}
	}
	return s.ReportTo(p.ctx, access.Anonymous(), raw, about)
}

// names are the files to verify: those that were named, and of folders every one
// in them and below. A link in a folder leads nowhere, a name that begins with a
// dot is of something else.
func (c *verifyCmd) names() ([]string, error) {
	var all []string
	for _, name := range c.Files {
		info, err := os.Stat(name)
		if name == "-" || err != nil || !info.IsDir() { // what is not there is told in its turn
			all = append(all, name)
			continue
		}
		err = filepath.WalkDir(name, func(at string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case at != name && strings.HasPrefix(d.Name(), ".") && d.IsDir():
				return fs.SkipDir
			case !strings.HasPrefix(d.Name(), ".") && d.Type().IsRegular():
				all = append(all, at)
			}
			if len(all) > maxMany {
				return fmt.Errorf("at most %d files are verified in one go", maxMany)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there is no file in " + strings.Join(c.Files, " and "))
	}
	if n := slices.Index(all, "-"); n >= 0 && slices.Contains(all[n+1:], "-") {
		return nil, errors.New("standard input is read once")
	}
	return all, nil
}

// wasArchive reports whether a folder has what only an archive has beside its
// manifest: then that is missing, and its files are not verified as if they were
// some that somebody collected.
func wasArchive(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "SHA256SUMS"))
	return err == nil
}
