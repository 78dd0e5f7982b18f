package learner

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// Service keeps learners.
type Service struct {
	DB    *pg.DB
	Now   func() time.Time
	NewID id.Source
}

// Define adds a learner. Conflict when the external reference or an identifier
// belongs to somebody already.
func (s *Service) Define(ctx context.Context, who access.Actor, d Definition) (Learner, error) {
	if err := access.Check(who, access.ManageLearner); err != nil {
		return Learner{}, err
	}
	d = d.Whole()
	if err := d.Check(); err != nil {
		return Learner{}, err
	}
	now := pg.Instant(s.Now())
	l := d.of(Learner{ID: ID(s.NewID("lrn")), Version: 1, CreatedAt: now, UpdatedAt: now})
	if d.Ref != nil {
		l.RefSystem, l.RefValue = &d.Ref.System, &d.Ref.Value
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := insert(ctx, tx, who, l); err != nil {
			return err
		}
		n := d.name(l.ID, 1, day.On(now), now, who.ID, "")
		if err := insertName(ctx, tx, who, n); err != nil {
			return err
		}
		if err := insertIdentifiers(ctx, tx, who, l.ID, d.Identifiers); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.ManageLearner, Target: string(l.ID), Detail: map[string]any{"defined": true}})
	})
	return l, err
}

// of is the learner with the definition put on it, the reference aside.
func (d Definition) of(l Learner) Learner {
	l.DisplayName, l.GivenName, l.FamilyName, l.AdditionalName = d.DisplayName, d.GivenName, d.FamilyName, d.AdditionalName
	l.Email, l.BirthOn, l.DID = d.Email, d.BirthOn, d.DID
	return l
}

func (d Definition) name(l ID, position int, on day.Date, now time.Time, by, reason string) Name {
	return Name{LearnerID: l, Position: position, DisplayName: d.DisplayName, GivenName: d.GivenName, FamilyName: d.FamilyName,
		AdditionalName: d.AdditionalName, EffectiveOn: on, RecordedAt: now, RecordedBy: by, Reason: reason}
}

// Contact is what may be revised without a new name.
type Contact struct {
	Email   *string
	BirthOn *day.Date
	DID     *string
}

// Revise replaces address, birthday and DID. A name changes by Rename.
func (s *Service) Revise(ctx context.Context, who access.Actor, learner string, expected *int, c Contact) (Learner, error) {
	return s.change(ctx, who, learner, expected, func(_ pgx.Tx, l *Learner) (map[string]any, error) {
		d := Definition{DisplayName: l.DisplayName, Email: c.Email, BirthOn: c.BirthOn, DID: c.DID}.Whole()
		if err := d.Check(); err != nil {
			return nil, err
		}
		if equal(l.Email, d.Email) && equal(l.BirthOn, d.BirthOn) && equal(l.DID, d.DID) {
			return nil, nil
		}
		l.Email, l.BirthOn, l.DID = d.Email, d.BirthOn, d.DID
		return map[string]any{"revised": true}, nil
	})
}

// Rename gives a learner a new name and keeps the old one in the history.
func (s *Service) Rename(ctx context.Context, who access.Actor, learner string, expected *int, r Renaming) (Learner, error) {
	if strings.TrimSpace(r.Reason) == "" {
		return Learner{}, fault.At("reason", "required", "Say why the name changes: it is kept in the history.")
	}
	return s.change(ctx, who, learner, expected, func(tx pgx.Tx, l *Learner) (map[string]any, error) {
		d := Definition{DisplayName: r.DisplayName, GivenName: r.GivenName, FamilyName: r.FamilyName, AdditionalName: r.AdditionalName}.Whole()
		if err := d.Check(); err != nil {
			return nil, err
		}
		if sameName(*l, d) {
			return nil, nil
		}
		now := pg.Instant(s.Now())
		on := day.On(now)
		if r.EffectiveOn != nil {
			on = *r.EffectiveOn
		}
		l.DisplayName, l.GivenName, l.FamilyName, l.AdditionalName = d.DisplayName, d.GivenName, d.FamilyName, d.AdditionalName
		return map[string]any{"renamed": true}, appendName(ctx, tx, who, d.name(l.ID, 0, on, now, who.ID, r.Reason))
	})
}

func sameName(l Learner, d Definition) bool {
	return l.DisplayName == d.DisplayName && equal(l.GivenName, d.GivenName) && equal(l.FamilyName, d.FamilyName) && equal(l.AdditionalName, d.AdditionalName)
}

func equal[T comparable](a, b *T) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// AddIdentifier adds what somebody calls the learner.
func (s *Service) AddIdentifier(ctx context.Context, who access.Actor, learner string, i Identifier) (Learner, error) {
	return s.change(ctx, who, learner, nil, func(tx pgx.Tx, l *Learner) (map[string]any, error) {
		if err := i.check(); err != nil {
			return nil, err
		}
		if have, err := identifiersOf(ctx, tx, who, []ID{l.ID}); err != nil || slices.Contains(have, Identifier{l.ID, i.Type, i.Value}) {
			return nil, err
		}
		return map[string]any{"identifierAdded": i.Type}, insertIdentifiers(ctx, tx, who, l.ID, []Identifier{i})
	})
}

// RemoveIdentifier takes one away; NotFound when the learner has none such.
func (s *Service) RemoveIdentifier(ctx context.Context, who access.Actor, learner string, i Identifier) (Learner, error) {
	return s.change(ctx, who, learner, nil, func(tx pgx.Tx, l *Learner) (map[string]any, error) {
		return map[string]any{"identifierRemoved": i.Type}, deleteIdentifier(ctx, tx, who, l.ID, i)
	})
}

// change loads a learner for update and stores what decide made of it; a nil
// detail says that nothing changed.
func (s *Service) change(ctx context.Context, who access.Actor, learner string, expected *int, decide func(pgx.Tx, *Learner) (map[string]any, error)) (Learner, error) {
	if err := access.Check(who, access.ManageLearner); err != nil {
		return Learner{}, err
	}
	var l Learner
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if l, err = findForUpdate(ctx, tx, who, learner); err != nil {
			return err
		}
		if expected != nil && *expected != l.Version {
			return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version", Message: "This learner was changed since you read it. Read it again and decide."}
		}
		detail, err := decide(tx, &l)
		if err != nil || detail == nil {
			return err
		}
		l.Version, l.UpdatedAt = l.Version+1, pg.Instant(s.Now())
		if err := update(ctx, tx, who, l); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.ManageLearner, Target: string(l.ID), Detail: detail})
	})
	return l, err
}

// Find is one learner by id or ref:SYSTEM:VALUE; a learner finds only itself.
func (s *Service) Find(ctx context.Context, who access.Actor, learner string) (Learner, error) {
	var l Learner
	if err := access.Check(who, access.ReadLearner); err != nil {
		return l, err
	}
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		l, err = InTx(ctx, tx, who, learner)
		return err
	})
	return l, err
}

// Filter narrows a list.
type Filter struct {
	Text       *string     // part of the display name, whatever its case
	Identifier *Identifier // exactly this one
	Ref        *id.Ref
}

type cursor struct {
	Name string `json:"n"`
	ID   ID     `json:"i"`
}

// List are learners by name.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter, a page.Args) (page.Connection[Learner], error) {
	var c page.Connection[Learner]
	if err := access.Check(who, access.ReadLearner); err != nil {
		return c, err
	}
	limit, after, _, err := page.Start[cursor](a)
	if err != nil {
		return c, err
	}
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		rows, err := list(ctx, tx, who, f, after, limit+1)
		c = page.Of(rows, limit, a, func(l Learner) cursor { return cursor{l.DisplayName, l.ID} })
		return err
	})
	return c, err
}

// maxSearch is how many learners a search finds at the most.
const maxSearch = 100

// Search are learners, by name, each of whose words in the text begins a word of
// the name, the external reference or the address, whatever case and accents; at
// most limit of them, from 1 to 100. An empty text finds the first by name.
func (s *Service) Search(ctx context.Context, who access.Actor, text string, limit int) ([]Learner, error) {
	if len(text) > maxName {
		return nil, fault.At("text", "too-long", "Search with at most %d characters.", maxName)
	}
	var all []Learner
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = search(ctx, tx, who, strings.Fields(text), max(1, min(limit, maxSearch)))
		return err
	})
	return all, err
}

// ByIDs are those of the learners that the actor may see.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Learner, error) {
	all := make(map[ID]Learner, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := byIDs(ctx, tx, who, ids)
		for _, l := range rows {
			all[l.ID] = l
		}
		return err
	})
	return all, err
}

// NamesOf are the names of each learner, oldest first.
func (s *Service) NamesOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Name, error) {
	all := make(map[ID][]Name, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := namesOf(ctx, tx, who, ids)
		for _, n := range rows {
			all[n.LearnerID] = append(all[n.LearnerID], n)
		}
		return err
	})
	return all, err
}

// IdentifiersOf are the identifiers of each learner by type.
func (s *Service) IdentifiersOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Identifier, error) {
	all := make(map[ID][]Identifier, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := identifiersOf(ctx, tx, who, ids)
		for _, i := range rows {
			all[i.LearnerID] = append(all[i.LearnerID], i)
		}
		return err
	})
	return all, err
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}
