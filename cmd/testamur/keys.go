package main

import (
	"context"
	"fmt"
	"time"

	"github.com/testamur/testamur/internal/access"
)

type keysCmd struct {
	List     keysListCmd     `cmd:"" default:"withargs" help:"List the signing keys, newest first."`
	Rotate   keysRotateCmd   `cmd:"" help:"Retire the signing key and make another; what was signed still verifies."`
	Withdraw keysWithdrawCmd `cmd:"" help:"Withdraw a key that somebody else may have: what it signed since does not verify any more."`
}

type keysListCmd struct {
	store
	within
}

// Run prints id, algorithm, state, day and public key of each.
func (c *keysListCmd) Run(p *place) error {
	return c.as(p, c.Institution, func(ctx context.Context, s *services, who access.Actor) error {
		all, err := s.keys.List(ctx, who)
		for _, k := range all {
			p.print("%s\t%s\t%s\t%s\t%s", k.ID, k.Algorithm, k.State, k.CreatedAt.Format(time.DateOnly), k.PublicKeyMultibase)
		}
		return err
	})
}

type keysRotateCmd struct {
	store
	within
	Algorithm string `help:"The algorithm of the key." default:"Ed25519" placeholder:"NAME"`
}

// Run prints the new key's id.
func (c *keysRotateCmd) Run(p *place) error {
	return c.as(p, c.Institution, func(ctx context.Context, s *services, who access.Actor) error {
		k, err := s.keys.Rotate(ctx, who, c.Algorithm)
		if err == nil {
			p.print("%s", k.ID)
		}
		return err
	})
}

type keysWithdrawCmd struct {
	store
	within
	Key   string `arg:"" help:"The key's id."`
	Since string `help:"From which day on somebody else may have had it, as YYYY-MM-DD; from its beginning unless said. What it signed before still verifies." placeholder:"DAY"`
}

// Run withdraws the key.
func (c *keysWithdrawCmd) Run(p *place) error {
	var since *time.Time
	if c.Since != "" {
		at, err := time.Parse(time.DateOnly, c.Since)
		if err != nil {
			return fmt.Errorf("--since %q is not a day such as 2027-06-30", c.Since)
		}
		since = &at
	}
	return c.as(p, c.Institution, func(ctx context.Context, s *services, who access.Actor) error {
		k, err := s.keys.Withdraw(ctx, who, c.Key, since)
		if err == nil {
			p.print("%s is withdrawn", k.ID)
		}
		return err
	})
}

// as runs a command as the operator of an institution.
func (s store) as(p *place, slug string, do func(context.Context, *services, access.Actor) error) error {
	return s.with(p, func(all *services) error {
		who, err := all.operator(p.ctx, slug)
		if err != nil {
			return err
		}
		return do(p.ctx, all, who)
	})
}
