package credential

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/learner"
)

// StaleInTx are the credentials of a learner's awards that stand and tell
// something else than what is on file now: exactly those that issuing again would
// replace, found by composing them. only is the one award to look at; empty: all.
func (s *Service) StaleInTx(ctx context.Context, who access.Actor, tx pgx.Tx, l learner.Learner, only assertion.ID) ([]Credential, error) {
	all, err := assertion.EarnedBy(ctx, tx, who, l.ID)
	if err != nil {
		return nil, err
	}
	var of []assertion.Assertion
	for _, a := range all {
		if only == "" || a.ID == only {
			of = append(of, a)
		}
	}
	drafts, err := s.draftsOf(ctx, tx, who, map[learner.ID]learner.Learner{l.ID: l}, of)
	if err != nil || len(drafts) == 0 {
		return nil, err
	}
	made, found := make([]content, len(drafts)), make([]Credential, len(drafts))
	if err := before(ctx, tx, who, s.Now(), drafts, made, found); err != nil {
		return nil, err
	}
	var ids []ID
	for _, c := range found {
		if c.State != Issued && c.Supersedes != nil {
			ids = append(ids, *c.Supersedes)
		}
	}
	heads, err := withBytes(ctx, tx, who, ids)
	byID := make(map[ID]Credential, len(heads))
	for _, c := range heads {
		byID[c.ID] = c
	}
	var out []Credential
	for _, id := range ids { // in the order in which they were earned
		if c, ok := byID[id]; ok && c.Stands(s.Now()) {
			out = append(out, c)
		}
	}
	return out, err
}

// InTx is one credential in another noun's transaction.
func InTx(ctx context.Context, tx pgx.Tx, who access.Actor, credential string) (Credential, error) {
	return find(ctx, tx, who, credential)
}
