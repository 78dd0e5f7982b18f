package mastery

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/course"
)

// Offering is something that a learner could do: an achievement, or a course
// whose completion is no achievement here.
type Offering struct {
	Pin    achievement.Pin
	Course *course.ID
	Grade  string
}

// Planned is what each offering would show, as if it were achieved on the day of
// the clock and known. Results are not guessed: a rubric level is reached only by
// an award. It costs one statement at the most.
func (s *Service) Planned(ctx context.Context, who access.Actor, tx pgx.Tx, b *Basis, all []Offering) ([]Piece, error) {
	r := &reading{tx: tx, who: who, b: b}
	var ids []achievement.ID
	var versions []int
	for _, o := range all {
		if _, ok := b.offers.find(o.Pin); !ok && o.Pin.AchievementID != "" {
			ids, versions = append(ids, o.Pin.AchievementID), append(versions, o.Pin.Version)
		}
	}
	if err := r.offers(ctx, ids, versions); err != nil {
		return nil, err
	}
	out := make([]Piece, len(all))
	for i, o := range all {
		offer, ok := b.offers.find(o.Pin)
		if !ok {
			offer = &Offer{}
			if o.Course != nil {
				offer.Taught = b.taught[*o.Course]
			}
		}
		out[i] = Piece{ID: assertion.ID("planned:" + strconv.Itoa(i)), Of: o.Pin, On: b.At.AsOf, Recorded: b.At.KnownAt, From: b.At.KnownAt, Until: Ever, Grade: o.Grade,
			Hits: b.Reach(*offer, Facts{Grade: o.Grade})}
	}
	return out, nil
}

// Counts reports whether the piece is evidence at a clock.
func (p *Piece) Counts(at Clock) bool { return p.counts(at) }
