package mastery

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// Basis is what states are worked out from beside the evidence, at a clock:
// frameworks, crosswalks, rules and the curriculum map. It may be shared.
type Basis struct {
	*Model
	At    Clock     // at the present moment everything on file is known
	Asked time.Time // the moment of knowing, as it was asked for

	present    bool
	generation int64  // of the catalogue; 0 where it is not counted
	all        []Rule // in all versions
	graphs     []*framework.Graph
	crossings  *framework.Crossings
	rules      string // which versions
	stamp      string // of the curriculum map
	from       Instant
	until      Instant // from and until: the moments of knowing for which all this is the same
	taught     map[course.ID][]course.Mapping
	offers     *shelf[achievement.Pin, *Offer]
	reached    *shelf[string, *saying]
}

// The bounds of what is kept in memory.
const (
	maxBases  = 12
	maxOffers = 20_000
	maxReach  = 200_000
)

// shelf keeps things by key and is emptied when it is full. It may be used by
// several at once.
type shelf[K comparable, V any] struct {
	mu   sync.RWMutex
	all  map[K]V
	most int
}

func (s *shelf[K, V]) find(k K) (V, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, ok := s.all[k]
	return v, ok
}

func (s *shelf[K, V]) keep(k K, v V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil || len(s.all) >= s.most {
		s.all = map[K]V{}
	}
	s.all[k] = v
}

// bases are the bases that were made last, by institution, the latest last.
type bases struct {
	mu  sync.Mutex
	all []kept
}

type kept struct {
	institution string
	basis       *Basis
}

// find is a basis that serves for another question, asked as the made one is,
// and puts it last. Of several it is the latest, so that questions that follow
// each other have one model: two that were made at once would take turns.
func (b *bases) find(institution string, made *Basis, same func(*Basis) bool) *Basis {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, k := range slices.Backward(b.all) {
		if k.institution != institution || made.At.KnownAt < k.basis.from || made.At.KnownAt >= k.basis.until || !same(k.basis) {
			continue
		}
		found := *k.basis
		found.At, found.Asked, found.present = made.At, made.Asked, made.present
		if made.crossings != nil { // it was read, and is the same by another count
			found.generation, found.all = made.generation, made.all
		}
		b.all = append(slices.Delete(b.all, i, i+1), kept{institution, &found})
		return &found
	}
	return nil
}

func (b *bases) keep(institution string, made *Basis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all) >= maxBases {
		b.all = slices.Delete(b.all, 0, 1)
	}
	b.all = append(b.all, kept{institution, made})
}

// ask is a basis with nothing but its clock.
func (s *Service) ask(w When) *Basis {
	now := s.Now()
	b := &Basis{Asked: now, At: At(now)}
	if w.AsOf != nil {
		b.At.AsOf = DayOf(*w.AsOf)
	}
	if b.present = w.KnownAt == nil || !w.KnownAt.Before(now); b.present {
		b.At.KnownAt = Ever - 1
		return b
	}
	b.Asked, b.At.KnownAt = *w.KnownAt, InstantOf(*w.KnownAt)
	return b
}

// Basis reads what states are worked out from, in another noun's transaction.
// It costs three statements when nothing has changed since it was last asked
// for, and none where the transaction counts the changes of the catalogue.
func (s *Service) Basis(ctx context.Context, who access.Actor, tx pgx.Tx, w When) (*Basis, error) {
	if err := access.Check(who, access.ReadCatalog); err != nil {
		return nil, err
	}
	b := s.ask(w)
	generation, counted := audit.Generation(ctx, tx)
	if counted && b.present {
		found := s.bases.find(who.InstitutionID, b, func(k *Basis) bool {
			return k.present && k.generation == generation && generation > 0 && versionsOf(InForce(k.all, b.At)) == k.rules
		})
		if found != nil {
			return found, nil
		}
		b.generation = generation
	}
	if err := s.gather(ctx, who, tx, b); err != nil {
		return nil, err
	}
	found := s.bases.find(who.InstitutionID, b, func(k *Basis) bool {
		return slices.Equal(k.graphs, b.graphs) && k.crossings == b.crossings && k.stamp == b.stamp && k.rules == b.rules
	})
	if found != nil {
		return found, nil
	}
	cells, err := curriculum(ctx, tx, who)
	if err != nil {
		return nil, err
	}
	b.make(InForce(b.all, b.At), cells)
	s.bases.keep(who.InstitutionID, b)
	return b, nil
}

// gather reads frameworks, crosswalks and rules, each from memory when it is
// there, and the stamp of the curriculum map.
func (s *Service) gather(ctx context.Context, who access.Actor, tx pgx.Tx, b *Basis) (err error) {
	if b.graphs, err = s.graphs(ctx, tx, who, b); err != nil {
		return err
	}
	if b.crossings, err = s.Frameworks.CrossingsInTx(ctx, who, tx); err != nil {
		return err
	}
	st, err := stamps(ctx, tx, who)
	if err != nil {
		return err
	}
	b.stamp = st["curriculum"]
	if b.all, err = s.rules(ctx, tx, who, st["rules"]); err != nil {
		return err
	}
	b.rules = versionsOf(InForce(b.all, b.At))
	return nil
}

// make compiles the model and finds from when to when it holds.
func (b *Basis) make(rules []Rule, cells []cell) {
	b.until = Ever
	b.from = -Ever
	turn := func(at Instant) bool { // something changed then
		if at <= b.At.KnownAt {
			b.from = max(b.from, at)
			return true
		}
		b.until = min(b.until, at)
		return false
	}
	g := b.graph(turn)
	b.Model = Compile(g, rules)
	b.taught = map[course.ID][]course.Mapping{}
	for _, c := range cells {
		if !turn(InstantOf(c.KnownFrom)) || c.KnownUntil != nil && turn(InstantOf(*c.KnownUntil)) {
			continue
		}
		b.taught[c.CourseID] = append(b.taught[c.CourseID], c.Mapping)
	}
	b.offers = &shelf[achievement.Pin, *Offer]{most: maxOffers}
	b.reached = &shelf[string, *saying]{most: maxReach}
}

// graph puts the frameworks together.
func (b *Basis) graph(turn func(Instant) bool) Graph {
	var g Graph
	place := map[framework.ItemID]int32{}
	for _, f := range b.graphs {
		first := int32(len(g.Items))
		for i, n := range f.Nodes {
			place[n.ID] = first + int32(i)
			g.Items = append(g.Items, Item{ID: n.ID, FrameworkID: f.Framework, Identifier: n.Identifier, URI: n.URI, Code: n.Code,
				Statement: n.Statement, Type: n.Type, Retired: n.Retired, Levels: levels(f.Levels(int32(i)))})
		}
		add := func(to *[]Link, typ string) {
			for _, e := range f.Edges(typ) {
				*to = append(*to, Link{From: first + e.Origin, To: first + e.Destination})
			}
		}
		add(&g.Parts, "isChildOf")
		add(&g.Parts, "isPartOf")
		add(&g.Precedes, "precedes")
		for _, e := range f.Edges("exactMatchOf") {
			g.Same = append(g.Same, both(first+e.Origin, first+e.Destination, Mapping{Type: "exactMatchOf", Strength: 1})...)
		}
		for _, e := range f.Edges("replacedBy") {
			g.Same = append(g.Same, Link{first + e.Origin, first + e.Destination, &Mapping{Type: "replacedBy", Strength: 1}})
		}
	}
	for _, c := range b.crossings.All {
		from, ok1 := place[c.From]
		to, ok2 := place[c.To]
		if !ok1 || !ok2 || !turn(InstantOf(c.ApprovedAt)) || c.WithdrawnAt != nil && turn(InstantOf(*c.WithdrawnAt)) {
			continue
		}
		b.cross(&g, c, from, to)
	}
	return g
}

// both is a mapping from and to, and back.
func both(from, to int32, by Mapping) []Link {
	by.Both = true
	return []Link{{from, to, &by}, {to, from, &by}}
}

// cross adds a way between two frameworks: a holding is carried by an exact
// match, a translation and a replacement; a part and a prerequisite are what they
// are within a framework; what is merely related carries nothing.
func (b *Basis) cross(g *Graph, c framework.Crossing, from, to int32) {
	switch c.Type {
	case "isPartOf":
		g.Parts = append(g.Parts, Link{From: from, To: to})
	case "precedes":
		g.Precedes = append(g.Precedes, Link{From: from, To: to})
	case "exactMatchOf", "isTranslationOf", "replacedBy":
		by := Mapping{ID: c.ID, Type: c.Type, Strength: c.Strength, Approver: c.Approver, On: day.On(c.ApprovedAt.UTC())}
		if c.Both {
			g.Same = append(g.Same, both(from, to, by)...)
			return
		}
		g.Same = append(g.Same, Link{from, to, &by})
	}
}

// levels are the levels of a rubric, the lowest first, each with its score; by
// their places where scores are missing or do not tell them apart.
func levels(rubric []framework.Level) []Level {
	if len(rubric) == 0 {
		return nil
	}
	all := make([]Level, len(rubric))
	scored := true
	for i, l := range rubric {
		all[i] = Level{Name: quality(l, i), Same: []string{l.URI, l.Identifier}}
		if scored = scored && l.Score != nil && *l.Score > 0; scored {
			all[i].Value = *l.Score
		}
	}
	if scored {
		slices.SortStableFunc(all, func(a, b Level) int { return cmp.Compare(a.Value, b.Value) })
	}
	for i := 1; i < len(all) && scored; i++ {
		scored = all[i].Value > all[i-1].Value
	}
	for i := range all {
		if !scored {
			all[i].Value = float64(i + 1)
		}
	}
	return all
}

// quality is the name of a level.
func quality(l framework.Level, place int) string {
	for _, name := range []*string{l.Quality, l.Description} {
		if name != nil && strings.TrimSpace(*name) != "" {
			return *name
		}
	}
	return "Level " + strconv.Itoa(place+1)
}

// Teaching are the courses that touch one of some items by the curriculum map of
// the moment of knowing, by id.
func (b *Basis) Teaching(items []framework.ItemID) []course.ID {
	asked := make(map[framework.ItemID]bool, len(items))
	for _, i := range items {
		asked[i] = true
	}
	var all []course.ID
	for c, cells := range b.taught {
		if slices.ContainsFunc(cells, func(m course.Mapping) bool { return asked[m.ItemID] }) {
			all = append(all, c)
		}
	}
	slices.Sort(all)
	return all
}

// offer keeps a version of an achievement, with what its course teaches.
func (b *Basis) offer(p achievement.Pin, d achievement.Definition, c *course.ID) {
	o := &Offer{AchievementID: p.AchievementID, Definition: d}
	if c != nil {
		o.Taught = b.taught[*c]
	}
	b.offers.keep(p, o)
}

// Name is what the achievement of a piece is called.
func (b *Basis) Name(p *Piece) string {
	if o, ok := b.offers.find(p.Of); ok {
		return o.Definition.Name
	}
	return ""
}

// saying is what is on file of an award, and what it says about competencies.
type saying struct {
	of      achievement.Pin
	grade   string
	credits *float64
	results []byte // JSON
	hits    []Hit
	open    bool
	failed  bool
}

// say finds out what an award says whose offer is known.
func (b *Basis) say(s *saying) error {
	o, ok := b.offers.find(s.of)
	if !ok {
		return fmt.Errorf("achievement %s has no version %d", s.of.AchievementID, s.of.Version)
	}
	var results []assertion.Result
	if err := json.Unmarshal(s.results, &results); err != nil {
		return err
	}
	for _, res := range results {
		switch verdict(openbadges.ResultDescription{}, res) {
		case Short:
			s.open = true
		case Failed, Nowhere:
			s.failed = true
		}
	}
	s.hits, s.results = b.Reach(*o, Facts{Results: results, Grade: s.grade, Credits: s.credits}), nil
	return nil
}
