package main

import (
	"context"
	"time"

	"github.com/testamur/testamur/internal/access"
)

type keysCmd struct {
	List     keysListCmd     `cmd:"" default:"withargs" help:"List the signing keys, newest first."`
	Rotate   keysRotateCmd   `cmd:"" help:"Retire the signing key and make another; what was signed still verifies."`
	Withdraw keysWithdrawCmd `cmd:"" help:"Publish a key no more, because somebody else may have it: nothing it signed verifies any more."`
}

type keysListCmd struct {
	store
	within
}

// Run prints id, state, day and public key of each.
func (c *keysListCmd) Run(p *place) error {
	return c.as(p, c.Institution, func(ctx context.Context, s *services, who access.Actor) error {
		all, err := s.keys.List(ctx, who)
		for _, k := range all {
			p.print("%s\t%s\t%s\t%s", k.ID, k.State, k.CreatedAt.Format(time.DateOnly), k.PublicKeyMultibase)
		}
		return err
	})
}

type keysRotateCmd struct {
	store
	within
}

// Run prints the new key's id.
func (c *keysRotateCmd) Run(p *place) error {
	return c.as(p, c.Institution, func(ctx context.Context, s *services, who access.Actor) error {
		k, err := s.keys.Rotate(ctx, who)
		if err == nil {
			p.print("%s", k.ID)
		}
		return err
	})
}

type keysWithdrawCmd struct {
	store
	within
	Key string `arg:"" help:"The key's id."`
}

// Run withdraws the key.
func (c *keysWithdrawCmd) Run(p *place) error {
	return c.as(p, c.Institution, func(ctx context.Context, s *services, who access.Actor) error {
		k, err := s.keys.Withdraw(ctx, who, c.Key)
		if err == nil {
			p.print("%s is published no more", k.ID)
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
