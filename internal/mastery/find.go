package mastery

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
)

// Saying is what awards have on file that decides what they say about
// competencies; many awards share one.
type Saying struct {
	Of      achievement.Pin
	Grade   string
	Credits *float64
	Results []byte // JSON
}

// Says is what each of the sayings says, in their order. Versions of
// achievements that were not read before cost one statement in all.
func (s *Service) Says(ctx context.Context, who access.Actor, tx pgx.Tx, b *Basis, all []Saying) ([][]Hit, error) {
	if err := access.Check(who, access.ReadCatalog); err != nil {
		return nil, err
	}
	r := &reading{tx: tx, who: who, b: b}
	var ids []achievement.ID
	var versions []int
	asked := map[achievement.Pin]bool{}
	for _, x := range all {
		if _, ok := b.offers.find(x.Of); !ok && !asked[x.Of] {
			asked[x.Of] = true
			ids, versions = append(ids, x.Of.AchievementID), append(versions, x.Of.Version)
		}
	}
	if err := r.offers(ctx, ids, versions); err != nil {
		return nil, err
	}
	hits := make([][]Hit, len(all))
	for i, x := range all {
		said := saying{of: x.Of, grade: x.Grade, credits: x.Credits, results: x.Results}
		if err := b.say(&said); err != nil {
			return nil, fmt.Errorf("what is said of %s version %d: %w", x.Of.AchievementID, x.Of.Version, err)
		}
		hits[i] = said.hits
	}
	return hits, nil
}

// Carrier is a competency whose holding counts as holding another.
type Carrier struct {
	Item int32
	By   []*Mapping // the way from it, the first one at it; none for the other itself
	// After is a day: what was achieved on it or before has lapsed, by the rule of
	// either of the two.
	After Day
}

// Carriers are the competencies whose holding counts as holding an item on a
// day: first the item itself, then what is mapped to it as strongly as its rule
// asks for.
func (m *Model) Carriers(item int32, asOf Day) []Carrier {
	lapsed := func(i int32) Day { return lastExpired(asOf, m.rules[m.nodes[i].rule].def.Months) }
	own := lapsed(item)
	all := []Carrier{{Item: item, After: own}}
	for _, s := range m.nodes[item].sources {
		if !s.weak {
			all = append(all, Carrier{s.item, s.by, max(own, lapsed(s.item))})
		}
	}
	return all
}

// Cut is the value that an item's rule asks for; ok is false when it names no
// level.
func (m *Model) Cut(item int32) (float32, bool) {
	n := &m.nodes[item]
	return n.cut, n.level && known(n.cut)
}

// Onto is a value of one competency on the scale of another; unknown when the
// two scales have nothing to do with each other.
func (m *Model) Onto(from int32, v float32, to int32) float32 {
	return m.nodes[from].onto(v, &m.nodes[to])
}

// AtLeast reports whether a known value reaches a level's.
func AtLeast(v, level float32) bool { return known(v) && v >= level-slack }
