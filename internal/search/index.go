package search

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/mastery"
)

// index is what the sayings of one institution say, by competency, under one
// model. A saying never changes, and numbers have no gaps, so that only those
// above the last known number are ever read.
type index struct {
	mu     sync.Mutex
	model  *mastery.Model
	known  int64
	said   []said
	byItem map[int32][]posting
}

// said is one saying.
type said struct {
	key [16]byte
	of  mastery.Saying
}

// posting is a saying that speaks for a competency.
type posting struct {
	said  int32 // its place
	value float32
	way   mastery.Way
}

// wanted finds what matches, after reading the sayings up to a number that are
// not known yet.
func (x *index) wanted(ctx context.Context, s *Service, who access.Actor, tx pgx.Tx, b *mastery.Basis, upTo int64, find func(x *index) wanted) (wanted, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.model != b.Model {
		// The catalogue has changed: what is on file says something else now.
		all := x.said
		x.model, x.said, x.byItem = b.Model, nil, map[int32][]posting{}
		if err := x.add(ctx, s, who, tx, b, all); err != nil {
			x.model = nil
			return wanted{}, err
		}
	}
	if x.known < upTo {
		fresh, last, err := sayings(ctx, tx, who, x.known)
		if err != nil {
			return wanted{}, err
		}
		if err := x.add(ctx, s, who, tx, b, fresh); err != nil {
			return wanted{}, err
		}
		x.known = last
	}
	return find(x), nil
}

func (x *index) add(ctx context.Context, s *Service, who access.Actor, tx pgx.Tx, b *mastery.Basis, fresh []said) error {
	what := make([]mastery.Saying, len(fresh))
	for i, f := range fresh {
		what[i] = f.of
	}
	hits, err := s.Mastery.Says(ctx, who, tx, b, what)
	if err != nil {
		return err
	}
	first := int32(len(x.said))
	x.said = append(x.said, fresh...)
	for i, all := range hits {
		for _, h := range all {
			if h.Pass == mastery.Passed {
				x.byItem[h.Item] = append(x.byItem[h.Item], posting{first + int32(i), h.Value, h.Way})
			}
		}
	}
	return nil
}

// target is what is looked for: a competency, and the least level.
type target struct {
	item   int32
	level  *float32 // on the competency's scale
	named  *string  // for a competency without a scale, on that of what carries to it
	since  mastery.Day
	scaled bool // the competency has a scale
}

// least is the level that evidence of a carrier must reach, and the competency on
// whose scale values are compared; ok is false when it has no such level.
func (t target) least(m *mastery.Model, carrier int32) (level *float32, scale int32, ok bool) {
	if t.scaled || carrier == t.item {
		return t.level, t.item, true
	}
	if t.named == nil {
		return nil, carrier, true
	}
	v, ok := m.LevelOf(carrier, *t.named)
	return &v, carrier, ok
}

// matching are the sayings by which an award shows a competency at a level: of
// several ways the one that needs the fewest mappings.
func (x *index) matching(carriers []mastery.Carrier, t target) wanted {
	w := wanted{by: map[[16]byte]reason{}}
	slices.SortStableFunc(carriers, func(a, b mastery.Carrier) int { return cmp.Compare(len(a.By), len(b.By)) })
	for _, c := range carriers {
		level, scale, ok := t.least(x.model, c.Item)
		if !ok {
			continue
		}
		for _, p := range x.byItem[c.Item] {
			s := x.said[p.said]
			value := p.value
			if c.Item != scale {
				value = x.model.Onto(c.Item, value, scale)
			}
			if _, ok := w.by[s.key]; ok || level != nil && !mastery.AtLeast(value, *level) {
				continue
			}
			w.by[s.key] = reason{c.Item, value, scale, p.way, c.By, s.of.Of.AchievementID}
			w.said, w.since = append(w.said, s.key), append(w.since, max(t.since, c.After+1).Date().Midnight())
		}
	}
	return w
}
