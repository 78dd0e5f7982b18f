package credential

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/pg"
)

// Outcome is what became of one of many.
type Outcome struct {
	Credential *Credential  // nil when nothing was done
	Err        *fault.Error // why not
}

// MaxInline is how many credentials one request may be about.
const MaxInline = 100

func checkCount(field string, n int) error {
	if n == 0 || n > MaxInline {
		return fault.At(field, "count", "Send between 1 and %d ids.", MaxInline)
	}
	return nil
}

// row is the fault of one row, with its place in the input; any other error
// ends the whole.
func row(err error, field string, i int) (*fault.Error, error) {
	f, ok := fault.Of(err)
	if !ok || f.Kind == fault.Unavailable || f.Kind == fault.Forbidden {
		return nil, err
	}
	c := *f
	c.Field = field + "." + strconv.Itoa(i)
	return &c, nil
}

// IssueMany signs the credentials of up to MaxInline assertions, together. A
// row that fails leaves the others alone.
func (s *Service) IssueMany(ctx context.Context, who access.Actor, assertions []string, until *time.Time) ([]Outcome, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return nil, err
	}
	if err := checkCount("assertionIds", len(assertions)); err != nil {
		return nil, err
	}
	if err := s.checkUntil(until); err != nil {
		return nil, err
	}
	out := make([]Outcome, len(assertions))
	var drafts []Draft
	places := map[string]int{} // of each assertion among the drafts
	at := make([]int, len(assertions))
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		for i, name := range assertions {
			d, err := s.draftOfOne(ctx, tx, who, name, until)
			if err != nil {
				if out[i].Err, err = row(err, "assertionIds", i); err != nil {
					return err
				}
				continue
			}
			id := string(*d[0].AssertionID)
			if _, again := places[id]; !again {
				places[id] = len(drafts)
				drafts = append(drafts, d[0])
			}
			at[i] = places[id]
		}
		return nil
	})
	if err != nil || len(drafts) == 0 {
		return out, err
	}
	all, err := s.Seal(ctx, who, drafts, nil)
	if f, ok := fault.Of(err); ok && f.Kind == fault.Invalid { // one that cannot be signed: find out which
		return s.issueEach(ctx, who, assertions, until)
	}
	if err != nil {
		return nil, err
	}
	for i := range out {
		if out[i].Err != nil {
			continue
		}
		c := all[at[i]]
		if out[i].Err, err = row(s.asOrdered(c, Order{ValidUntil: until}), "assertionIds", i); err != nil {
			return nil, err
		}
		if out[i].Err == nil {
			out[i].Credential = &c
		}
	}
	return out, nil
}

func (s *Service) issueEach(ctx context.Context, who access.Actor, assertions []string, until *time.Time) ([]Outcome, error) {
	out := make([]Outcome, len(assertions))
	for i, name := range assertions {
		c, err := s.Issue(ctx, who, nil, Order{AssertionID: name, ValidUntil: until})
		if err != nil {
			if out[i].Err, err = row(err, "assertionIds", i); err != nil {
				return nil, err
			}
			continue
		}
		out[i].Credential = &c
	}
	return out, nil
}

// RevokeMany takes up to MaxInline credentials back for good, in one
// transaction. A row that fails leaves the others alone.
func (s *Service) RevokeMany(ctx context.Context, who access.Actor, ids []string, r Revocation) ([]Outcome, error) {
	if err := access.Check(who, access.Revoke); err != nil {
		return nil, err
	}
	if err := checkCount("ids", len(ids)); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	out := make([]Outcome, len(ids))
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		for i, id := range ids {
			err := pgx.BeginFunc(ctx, tx, func(sub pgx.Tx) error {
				c, err := s.changeOne(ctx, sub, who, id, r.decide)
				out[i].Credential = &c
				return pg.Fault(err)
			})
			if err == nil {
				continue
			}
			out[i].Credential = nil
			if out[i].Err, err = row(err, "ids", i); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}
