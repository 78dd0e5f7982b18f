package graph

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/testamur/testamur/graph/model"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/mastery"
)

func standingFilter(in *model.CompetencyStateFilter, asOf *day.Date, knownAt *time.Time) mastery.Filter {
	f := mastery.Filter{When: mastery.When{AsOf: asOf, KnownAt: knownAt}}
	if in == nil {
		return f
	}
	f.Statuses, f.Level = in.Statuses, in.Level
	for _, id := range in.CompetencyIds {
		f.Items = append(f.Items, framework.ItemID(id))
	}
	if in.FrameworkID != nil {
		id := framework.ID(*in.FrameworkID)
		f.FrameworkID = &id
	}
	return f
}

// ask is one state whose reason is asked for, as of its dates.
type ask struct {
	mastery.Ask
	asOf    day.Date
	knownAt time.Time
}

func asked(s mastery.Standing) ask {
	return ask{mastery.Ask{Learner: s.LearnerID, Item: s.ItemID}, s.AsOf, s.KnownAt}
}

// explain finds the reasons of states; those of the same dates are found
// together.
func (l *loaders) explain(s *mastery.Service) func(context.Context, []ask) (map[ask]*mastery.Explained, error) {
	return func(ctx context.Context, keys []ask) (map[ask]*mastery.Explained, error) {
		out := make(map[ask]*mastery.Explained, len(keys))
		byWhen := map[ask][]mastery.Ask{}
		for _, k := range keys {
			when := ask{asOf: k.asOf, knownAt: k.knownAt}
			byWhen[when] = append(byWhen[when], k.Ask)
		}
		var lines []mastery.Said
		for when, asks := range byWhen {
			got, err := s.Explain(ctx, l.who, asks, mastery.When{AsOf: &when.asOf, KnownAt: &when.knownAt})
			if err != nil {
				return nil, err
			}
			for a, x := range got {
				out[ask{a, when.asOf, when.knownAt}] = &x
				lines = append(lines, x.Lines()...)
			}
		}
		note(l, lines)
		return out, nil
	}
}

// ruleDefinition is what a rule says as GraphQL has it: the same fields under the
// same names, but for weights, which are a list.
func ruleDefinition(d mastery.Definition) (*model.MasteryDefinition, error) {
	awards, parts := weightList(d.Weights), weightList(d.Parts.Weights)
	plain := *d.Parts
	plain.Weights, d.Weights, d.Parts = nil, nil, &plain
	var out model.MasteryDefinition
	err := recast(d, &out)
	out.Weights, out.Parts.Weights = awards, parts
	return &out, err
}

func weightList(all map[string]float64) []model.MasteryWeight {
	out := []model.MasteryWeight{}
	for _, of := range slices.Sorted(maps.Keys(all)) {
		out = append(out, model.MasteryWeight{Of: of, Weight: all[of]})
	}
	return out
}

// ruled is what a rule says of an input.
func ruled(in *model.MasteryDefinitionInput) (mastery.Definition, error) {
	awards := in.Weights
	var parts []model.MasteryWeightInput
	plain := *in
	plain.Weights = nil
	if in.Parts != nil {
		p := *in.Parts
		parts, p.Weights = p.Weights, nil
		plain.Parts = &p
	}
	var d mastery.Definition
	if err := recast(plain, &d); err != nil {
		return d, err
	}
	d.Weights = weightMap(awards)
	if d.Parts != nil {
		d.Parts.Weights = weightMap(parts)
	}
	return d, nil
}

func weightMap(all []model.MasteryWeightInput) map[string]float64 {
	if len(all) == 0 {
		return nil
	}
	out := make(map[string]float64, len(all))
	for _, w := range all {
		out[w.Of] = w.Weight
	}
	return out
}

func (r *Resolver) defineMasteryRule(ctx context.Context, in model.DefineMasteryRuleInput) (mastery.Rule, error) {
	d, err := ruled(in.Definition)
	if err != nil {
		return mastery.Rule{}, err
	}
	return r.Mastery.Define(ctx, actor(ctx), mastery.NewRule{FrameworkID: in.FrameworkID, ItemID: in.CompetencyID,
		Content: mastery.Content{Branch: value(in.Branch), Name: in.Name, EffectiveOn: in.EffectiveOn, Definition: d}})
}

func (r *Resolver) reviseMasteryRule(ctx context.Context, in model.ReviseMasteryRuleInput) (mastery.Rule, error) {
	d, err := ruled(in.Definition)
	if err != nil {
		return mastery.Rule{}, err
	}
	return r.Mastery.Revise(ctx, actor(ctx), in.ID, in.ExpectedVersion,
		mastery.Content{Branch: value(in.Branch), Name: in.Name, EffectiveOn: in.EffectiveOn, Definition: d})
}
