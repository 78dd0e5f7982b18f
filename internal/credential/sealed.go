package credential

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/release"
)

// Sealed are the signed bytes of credentials that were issued, by id, for whoever
// may read them: closed, until release has cleared them.
func (s *Service) Sealed(ctx context.Context, who access.Actor, ids []ID) (map[ID]release.Sealed, error) {
	all := make(map[ID]release.Sealed, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := signedOf(ctx, tx, who, ids)
		if err != nil {
			return err
		}
		sealed, err := seals(ctx, tx, who, rows)
		for i, r := range rows {
			all[r.ID] = sealed[i]
		}
		return err
	})
	return all, err
}

// seals closes rows, with the payment periods that each tells of.
func seals(ctx context.Context, tx pgx.Tx, who access.Actor, rows []signedRow) ([]release.Sealed, error) {
	ids := make([]ID, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	terms, err := TermsInTx(ctx, tx, who, ids)
	all := make([]release.Sealed, len(rows))
	for i, r := range rows {
		all[i] = release.Seal(release.Piece{ID: string(r.ID), LearnerID: r.LearnerID, Terms: terms[r.ID]}, []byte(r.Document))
	}
	return all, err
}

// Listing is a page of issued credentials by number, as the 1EdTech APIs count.
type Listing struct {
	Kind   string
	Since  *time.Time // issued after this instant
	Limit  int        // from 1
	Offset int        // from 0
}

// Listed is a page of a listing.
type Listed struct {
	Page  []release.Sealed // oldest first
	Total int              // of all pages, without what is held back

	HeldCount int             // what is held back of all pages
	Held      []release.Piece // the first 100 of that
}

// maxHeld is how many pieces that are held back are named.
const maxHeld = 100

// Listed are issued credentials, closed, oldest first. What is held back of a
// learner who asks is on no page, and is told beside.
func (s *Service) Listed(ctx context.Context, who access.Actor, l Listing) (out Listed, err error) {
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		var rows []signedRow
		var holds []release.Hold
		if !who.Staff() {
			if holds, err = release.InTx(ctx, tx, who, learner.ID(who.LearnerID)); err != nil {
				return err
			}
		}
		if len(holds) > 0 {
			rows, err = s.withoutHeld(ctx, tx, who, l, holds, &out)
		} else if out.Total, err = count(ctx, tx, who, l); err == nil {
			rows, err = numbered(ctx, tx, who, l)
		}
		if err != nil {
			return err
		}
		out.Page, err = seals(ctx, tx, who, rows)
		return err
	})
	return out, err
}

// withoutHeld is a page of what is not held back.
func (s *Service) withoutHeld(ctx context.Context, tx pgx.Tx, who access.Actor, l Listing, holds []release.Hold, out *Listed) ([]signedRow, error) {
	ids, err := allNumbered(ctx, tx, who, l)
	if err != nil {
		return nil, err
	}
	terms, err := TermsInTx(ctx, tx, who, ids)
	if err != nil {
		return nil, err
	}
	var free []ID
	for _, id := range ids {
		if release.Withheld(holds, terms[id]...) == nil {
			free = append(free, id)
			continue
		}
		if out.HeldCount++; out.HeldCount <= maxHeld {
			out.Held = append(out.Held, release.Piece{ID: string(id), LearnerID: learner.ID(who.LearnerID), Terms: terms[id]})
		}
	}
	out.Total = len(free)
	from := min(l.Offset, len(free))
	free = free[from:min(from+l.Limit, len(free))]
	rows, err := signedOf(ctx, tx, who, free)
	slices.SortFunc(rows, func(a, b signedRow) int { return slices.Index(free, a.ID) - slices.Index(free, b.ID) })
	return rows, err
}
