package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
)

type issueCmd struct {
	store
	within
	File       string   `arg:"" optional:"" help:"An Open Badges 3.0 AchievementCredential without id, dates of validity, status and proof, as JSON; - for standard input. It is recorded as an award, with its achievement where that is new, and signed; nothing in it is left out silently. The same file again gives the same credential."`
	Learner    string   `help:"Whom the file is about: the learner's id, or ref:SYSTEM:VALUE." placeholder:"LEARNER"`
	Award      []string `help:"In place of a file: an award that is on file, by its id or ref:SYSTEM:VALUE. May be given more than once." placeholder:"AWARD" sep:"none"`
	ValidUntil string   `help:"The day on which the credential ends, as YYYY-MM-DD; it does not expire unless said, here or in the file." placeholder:"DAY"`
	Output     string   `short:"o" default:"-" help:"Where the signed credentials go, one a line; - for standard output." placeholder:"FILE"`
}

// Run issues through the service's own flow: draft, check, sign, prove, seal.
func (c *issueCmd) Run(p *place) error {
	if (c.File == "") == (len(c.Award) == 0) {
		return errors.New("name a file with --learner, or awards with --award")
	}
	if c.File != "" && c.Learner == "" {
		return errors.New("--learner says whom the file is about: an id, or ref:SYSTEM:VALUE")
	}
	if c.File == "" && c.Learner != "" {
		return errors.New("--learner goes with a file: an award is somebody's already")
	}
	var until *time.Time
	if c.ValidUntil != "" {
		at, err := time.Parse(time.DateOnly, c.ValidUntil)
		if err != nil {
			return fmt.Errorf("--valid-until %q is not a day such as 2027-06-30", c.ValidUntil)
		}
		until = &at
	}
	var raw []byte
	if c.File != "" {
		var err error
		if raw, err = readFile(p, c.File); err != nil {
			return err
		}
	}
	var out bytes.Buffer
	err := c.as(p, c.Institution, func(ctx context.Context, s *services, who access.Actor) error {
		for _, name := range c.Award {
			signed, err := s.credentials.Issue(ctx, who, nil, credential.Order{AssertionID: name, ValidUntil: until})
			if err != nil {
				return fmt.Errorf("%s: %w", name, placed(err))
			}
			fmt.Fprintln(&out, *signed.Document)
		}
		if raw == nil {
			return nil
		}
		signed, err := s.issueWritten(ctx, who, c.Learner, raw, until)
		if err != nil {
			return fmt.Errorf("%s: %w", c.File, placed(err))
		}
		fmt.Fprintln(&out, *signed.Document)
		return nil
	})
	if err != nil && out.Len() == 0 {
		return err // and a file that was there stays
	}
	// What was issued is shown, also where a later one was not.
	return errors.Join(err, writeFile(p, c.Output, out.Bytes()))
}

// placed is a fault with the place that it is about, for one who has a file to
// correct.
func placed(err error) error {
	if f, ok := fault.Of(err); ok && f.Field != "" {
		return fmt.Errorf("at %s: %s", f.Field, sentence(err))
	}
	return errors.New(sentence(err))
}

// issueWritten records the award that a file tells of, and issues its credential.
// Nothing is written unless all of it would be told.
func (s *services) issueWritten(ctx context.Context, who access.Actor, learner string, raw []byte, until *time.Time) (credential.Credential, error) {
	w, err := credential.ReadWritten(raw)
	if err != nil {
		return credential.Credential{}, err
	}
	in, err := s.institutions.Find(ctx, who)
	if err != nil {
		return credential.Credential{}, err
	}
	did, err := in.DID(s.origin)
	if err != nil {
		return credential.Credential{}, err
	}
	about, err := s.learners.Find(ctx, who, learner)
	if err != nil {
		return credential.Credential{}, err
	}
	base := in.Base(s.origin)
	what, err := s.achievements.Find(ctx, who, strings.TrimPrefix(w.URI, base+"/achievements/"))
	fresh := fault.KindOf(err) == fault.NotFound && w.Definition != nil && !strings.HasPrefix(w.URI, base)
	if fresh {
		what, err = achievement.Achievement{URI: &w.URI, Definition: *w.Definition}, nil
	}
	if fault.KindOf(err) == fault.NotFound {
		return credential.Credential{}, fault.At("credentialSubject.achievement.id", "known", "There is no achievement %s on file. Tell the whole of it in the file, with an address of your own, or define it first.", w.URI)
	}
	if err != nil {
		return credential.Credential{}, err
	}
	facts, err := w.Facts(what.Definition, what.PublishedURI(base))
	if err != nil {
		return credential.Credential{}, err
	}
	if f := facts.Check(what.Definition, day.On(s.now())); f != nil {
		return credential.Credential{}, f
	}
	award := credential.Award{Issuer: in.Issuer(did), Base: base, Learner: about, Assertion: facts.Of(assertion.Assertion{}), Achievement: what, Definition: what.Definition}
	if err := w.Told(award); err != nil {
		return credential.Credential{}, err
	}
	if until == nil {
		until = w.ValidUntil
	}
	if until != nil && !until.After(s.now()) {
		return credential.Credential{}, fault.At("validUntil", "in-the-future", "The credential would have expired already.")
	}
	if fresh {
		if what, err = s.achievements.Define(ctx, who, achievement.Draft{URI: &w.URI, Definition: *w.Definition}); err != nil {
			return credential.Credential{}, err
		}
	}
	sum := sha256.Sum256(append([]byte(about.ID), raw...))
	key := "issue-" + hex.EncodeToString(sum[:])
	a, err := s.assertions.Award(ctx, who, &key, assertion.Award{LearnerID: string(about.ID), AchievementID: string(what.ID), Facts: facts})
	if err != nil {
		return credential.Credential{}, err
	}
	return s.credentials.Issue(ctx, who, nil, credential.Order{AssertionID: string(a.ID), ValidUntil: until})
}
