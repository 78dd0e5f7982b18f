package mastery

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// Service keeps rules and says what learners hold.
type Service struct {
	DB         *pg.DB
	Now        func() time.Time
	NewID      id.Source
	Frameworks *framework.Service

	bases bases
	known shelf[string, []Rule]
}

// NewRule is a rule to be. About: one competency, one framework, or with neither
// all that have no rule of their own.
type NewRule struct {
	FrameworkID *string // id, CASE identifier or ref:SYSTEM:VALUE
	ItemID      *string // id or CASE identifier
	Content     Content
}

// Content is what a version of a rule says.
type Content struct {
	Branch      bool // of a rule about one competency: everything below it as well
	Name        string
	EffectiveOn *day.Date // nil: today
	Definition  Definition
}

const maxName = 200

func (c Content) check() *fault.Error {
	switch {
	case strings.TrimSpace(c.Name) == "":
		return fault.At("name", "required", "Give the rule a name, by which its reasons will cite it.")
	case len(c.Name) > maxName:
		return fault.At("name", "too-long", "A name has at most %d characters.", maxName)
	}
	if err := c.Definition.Check(); err != nil {
		return err.Within("definition")
	}
	return nil
}

// of is the rule with the content put on it.
func (c Content) of(r Rule, today day.Date) Rule {
	r.Branch, r.Name, r.Definition, r.EffectiveOn = c.Branch, c.Name, c.Definition, today
	if c.EffectiveOn != nil {
		r.EffectiveOn = *c.EffectiveOn
	}
	return r
}

// Define adds a rule; Conflict when there is one for the same thing.
func (s *Service) Define(ctx context.Context, who access.Actor, in NewRule) (Rule, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Rule{}, err
	}
	if err := in.Content.check(); err != nil {
		return Rule{}, err
	}
	if in.FrameworkID != nil && in.ItemID != nil {
		return Rule{}, fault.At("competencyId", "one-of", "A rule is about one competency or about one framework, not both.")
	}
	if in.Content.Branch && in.ItemID == nil {
		return Rule{}, fault.At("branch", "of-competency", "Only a rule about one competency can hold for what is below it.")
	}
	now := pg.Instant(s.Now())
	r := in.Content.of(Rule{ID: RuleID(s.NewID("mru")), Version: 1, RecordedAt: now, RecordedBy: who.ID}, day.On(now))
	if in.FrameworkID != nil {
		f, err := s.Frameworks.Find(ctx, who, *in.FrameworkID)
		if err != nil {
			return Rule{}, within(err, "frameworkId")
		}
		r.FrameworkID = &f.ID
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if in.ItemID != nil {
			i, err := framework.ItemInTx(ctx, tx, who, *in.ItemID)
			if err != nil {
				return within(err, "competencyId")
			}
			r.ItemID = &i.ID
		}
		if err := insertRule(ctx, tx, who, r); err != nil {
			return err
		}
		return s.tell(ctx, tx, who, r)
	})
	return r, err
}

func (s *Service) tell(ctx context.Context, tx pgx.Tx, who access.Actor, r Rule) error {
	return audit.Write(ctx, tx, r.RecordedAt, who, audit.Entry{Action: access.DefineCatalog, Target: string(r.ID),
		Detail: map[string]any{"rule": r.Name, "version": r.Version, "effective": r.EffectiveOn, "retired": r.Retired}})
}

func within(err error, field string) error {
	if f, ok := fault.Of(err); ok {
		return f.Within(field)
	}
	return err
}

// Revise adds a version of a rule, which holds from its day on. Conflict when
// expected is given and is not the latest version.
func (s *Service) Revise(ctx context.Context, who access.Actor, rule string, expected *int, c Content) (Rule, error) {
	if err := c.check(); err != nil {
		return Rule{}, err
	}
	return s.next(ctx, who, rule, expected, func(r *Rule, today day.Date) error {
		if r.Retired {
			return &fault.Error{Kind: fault.State, Rule: "in-use", Message: "This rule is retired. Define another one instead."}
		}
		if c.Branch && r.ItemID == nil {
			return fault.At("branch", "of-competency", "Only a rule about one competency can hold for what is below it.")
		}
		*r = c.of(*r, today)
		return nil
	})
}

// Retire ends a rule from a day on, today unless said; doing it again changes
// nothing. What was told by it stays explained by it.
func (s *Service) Retire(ctx context.Context, who access.Actor, rule string, from *day.Date) (Rule, error) {
	return s.next(ctx, who, rule, nil, func(r *Rule, today day.Date) error {
		if r.Retired {
			return nil
		}
		r.Retired, r.EffectiveOn = true, today
		if from != nil {
			r.EffectiveOn = *from
		}
		return nil
	})
}

// next adds the next version unless it says what the latest one does.
func (s *Service) next(ctx context.Context, who access.Actor, rule string, expected *int, decide func(*Rule, day.Date) error) (Rule, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Rule{}, err
	}
	var r Rule
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if r, err = findRule(ctx, tx, who, RuleID(rule), " for update of r"); err != nil {
			return err
		}
		if expected != nil && *expected != r.Version {
			return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version", Message: "This rule was changed since you read it. Read it again and decide."}
		}
		now, old := pg.Instant(s.Now()), r
		if err := decide(&r, day.On(now)); err != nil || reflect.DeepEqual(old, r) {
			return err
		}
		r.Version, r.RecordedAt, r.RecordedBy = r.Version+1, now, who.ID
		if err := insertRuleVersion(ctx, tx, who, r); err != nil {
			return err
		}
		return s.tell(ctx, tx, who, r)
	})
	return r, err
}

// Rule is one rule in its latest version.
func (s *Service) Rule(ctx context.Context, who access.Actor, rule string) (Rule, error) {
	var r Rule
	err := s.readCatalog(ctx, who, func(tx pgx.Tx) (err error) {
		r, err = findRule(ctx, tx, who, RuleID(rule), "")
		return err
	})
	return r, err
}

// RuleFilter narrows a list of rules.
type RuleFilter struct {
	FrameworkID *framework.ID // about the framework or one of its competencies
	Retired     bool          // retired rules as well
}

type ruleCursor struct {
	ID RuleID `json:"i"`
}

// Rules are the rules, the oldest first, in their latest versions.
func (s *Service) Rules(ctx context.Context, who access.Actor, f RuleFilter, a page.Args) (page.Connection[Rule], error) {
	var c page.Connection[Rule]
	limit, after, _, err := page.Start[ruleCursor](a)
	if err != nil {
		return c, err
	}
	err = s.readCatalog(ctx, who, func(tx pgx.Tx) error {
		rows, err := listRules(ctx, tx, who, f, after, limit+1)
		c = page.Of(rows, limit, a, func(r Rule) ruleCursor { return ruleCursor{r.ID} })
		return err
	})
	return c, err
}

// VersionsOf are all versions of each rule, the newest first.
func (s *Service) VersionsOf(ctx context.Context, who access.Actor, ids []RuleID) (map[RuleID][]Rule, error) {
	all := make(map[RuleID][]Rule, len(ids))
	err := s.readCatalog(ctx, who, func(tx pgx.Tx) error {
		rows, err := versionsOfRules(ctx, tx, who, ids)
		for _, r := range rows {
			all[r.ID] = append(all[r.ID], r)
		}
		return err
	})
	return all, err
}

func (s *Service) readCatalog(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadCatalog); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}

// When is what a state is asked as of. The zero When is now.
type When struct {
	AsOf    *day.Date  // by the date of achievement
	KnownAt *time.Time // by the date of entry
}

// Held is what one learner holds, to be asked for items.
type Held struct {
	Learner learner.ID
	Basis   *Basis
	States  States
}

// Of is what each learner holds. It costs the same statements for one learner
// and for a hundred.
func (s *Service) Of(ctx context.Context, who access.Actor, learners []learner.ID, w When) (map[learner.ID]Held, error) {
	all := make(map[learner.ID]Held, len(learners))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		b, err := s.Basis(ctx, who, tx, w)
		if err != nil {
			return err
		}
		e := NewEvaluator(b.Model, b.At)
		return s.Evidence(ctx, who, tx, b, learners, Counting, func(l learner.ID, pieces []Piece) error {
			e.Run(pieces)
			all[l] = Held{l, b, e.States()}
			return nil
		})
	})
	return all, err
}

// Explained is a state with its reason.
type Explained struct {
	Learner learner.ID
	Basis   *Basis
	Reason  *Reason
}

// Ask is one state to explain.
type Ask struct {
	Learner learner.ID
	Item    framework.ItemID
}

// Explain is the reason for each state that is asked for; none for an item that
// is not here. It costs the same statements for one and for many.
func (s *Service) Explain(ctx context.Context, who access.Actor, asks []Ask, w When) (map[Ask]Explained, error) {
	all := make(map[Ask]Explained, len(asks))
	items := map[learner.ID][]framework.ItemID{}
	var learners []learner.ID
	for _, a := range asks {
		if items[a.Learner] == nil {
			learners = append(learners, a.Learner)
		}
		items[a.Learner] = append(items[a.Learner], a.Item)
	}
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		b, err := s.Basis(ctx, who, tx, w)
		if err != nil {
			return err
		}
		e := NewEvaluator(b.Model, b.At)
		return s.Evidence(ctx, who, tx, b, learners, Everything, func(l learner.ID, pieces []Piece) error {
			e.Run(pieces)
			for _, item := range items[l] {
				if i, ok := b.Find(item); ok {
					all[Ask{l, item}] = Explained{l, b, e.Explain(i, b.detail)}
				}
			}
			return nil
		})
	})
	return all, err
}

// detail is what a sentence says of a piece.
func (b *Basis) detail(p *Piece) Detail {
	return Detail{Name: b.Name(p), Grade: p.Grade, Withdrawn: p.Why}
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}
