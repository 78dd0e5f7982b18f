package graph

import (
	"context"
	"encoding/json"
	"time"

	"github.com/testamur/testamur/graph/model"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/program"
)

// programs finds the progress of learners; all keys of a fetch have the same
// arguments.
func (l *loaders) programs(s *program.Service) func(context.Context, []paged[learner.ID]) (map[paged[learner.ID]][]program.Report, error) {
	return func(ctx context.Context, keys []paged[learner.ID]) (map[paged[learner.ID]][]program.Report, error) {
		var q program.Question
		if err := json.Unmarshal([]byte(keys[0].args), &q); err != nil {
			return nil, err
		}
		learners := make([]learner.ID, len(keys))
		for i, k := range keys {
			learners[i] = k.key
		}
		got, err := s.ProgressOf(ctx, l.who, learners, q)
		out := make(map[paged[learner.ID]][]program.Report, len(keys))
		var list []program.Report
		for _, k := range keys {
			if out[k] = got[k.key]; out[k] == nil {
				out[k] = []program.Report{}
			}
			list = append(list, out[k]...)
		}
		note(l, list)
		return out, err
	}
}

// asking is the key of a learner's programs; arguments are plain values and
// always marshal.
func asking(l learner.ID, programID *string, version *int, asOf *day.Date, knownAt *time.Time, plan *model.ProgramPlanInput) paged[learner.ID] {
	q := program.Question{When: mastery.When{AsOf: asOf, KnownAt: knownAt}, Version: value(version)}
	if programID != nil {
		id := program.ID(*programID)
		q.ProgramID = &id
	}
	q.Plan = planned(plan)
	raw, err := json.Marshal(q)
	if err != nil {
		panic(err)
	}
	return paged[learner.ID]{l, string(raw)}
}

// programmed is what a program says of an input.
func programmed(effectiveOn *day.Date, in *model.ProgramDefinitionInput) (program.Content, error) {
	c := program.Content{EffectiveOn: effectiveOn}
	return c, recast(in, &c.Definition)
}

func (r *Resolver) defineProgram(ctx context.Context, in model.DefineProgramInput) (program.Program, error) {
	c, err := programmed(in.EffectiveOn, in.Definition)
	if err != nil {
		return program.Program{}, err
	}
	return r.Programs.Define(ctx, actor(ctx), in.Code, c)
}

func (r *Resolver) reviseProgram(ctx context.Context, in model.ReviseProgramInput) (program.Program, error) {
	c, err := programmed(in.EffectiveOn, in.Definition)
	if err != nil {
		return program.Program{}, err
	}
	return r.Programs.Revise(ctx, actor(ctx), in.ID, in.ExpectedVersion, c)
}

func (r *Resolver) enrollLearner(ctx context.Context, in model.EnrollLearnerInput) (learner.Learner, error) {
	e, err := r.Programs.Enrol(ctx, actor(ctx), program.NewEnrollment{LearnerID: in.LearnerID, ProgramID: in.ProgramID, Version: in.Version, On: in.On, EndedOn: in.EndedOn})
	if err != nil {
		return learner.Learner{}, err
	}
	return r.Learners.Find(ctx, actor(ctx), string(e.LearnerID))
}

// progress is one learner's progress with one program; null when there is no
// such learner.
func (r *Resolver) progress(ctx context.Context, of program.ID, learnerID string, version *int, asOf *day.Date, knownAt *time.Time, plan *model.ProgramPlanInput) (*program.Report, error) {
	l, err := found(r.Learners.Find(ctx, actor(ctx), learnerID))
	if l == nil || err != nil {
		return nil, err
	}
	name := string(of)
	all, err := load(ctx).programsOf.Load(ctx, asking(l.ID, &name, version, asOf, knownAt, plan))
	if len(all) == 0 {
		return nil, err
	}
	return &all[0], err
}

func planned(in *model.ProgramPlanInput) program.WhatIf {
	if in == nil {
		return program.WhatIf{}
	}
	return program.WhatIf{Courses: in.Courses, Achievements: in.Achievements, Grade: value(in.Grade)}
}

func (r *Resolver) gap(ctx context.Context, l learner.ID, targets []model.CompetencyTargetInput, title string, w mastery.When, plan *model.ProgramPlanInput) (*program.Report, error) {
	all := make([]program.Target, len(targets))
	for i, t := range targets {
		all[i] = program.Target{CompetencyID: framework.ItemID(t.CompetencyID), Level: value(t.Level)}
	}
	got, err := found(r.Programs.Gap(ctx, actor(ctx), l, title, all, w, planned(plan)))
	if got != nil {
		note(load(ctx), []program.Report{*got, *got})
	}
	return got, err
}

func (r *Resolver) approveEquivalency(ctx context.Context, in model.ApproveEquivalencyInput) (program.Equivalency, error) {
	e := program.NewEquivalency{LearnerID: in.LearnerID, Ground: string(in.Ground), Reason: in.Reason, EffectiveOn: in.EffectiveOn}
	if err := recast(in.Given, &e.Given); err != nil {
		return program.Equivalency{}, err
	}
	if err := recast(in.Instead, &e.Instead); err != nil {
		return program.Equivalency{}, err
	}
	return r.Programs.Approve(ctx, actor(ctx), e)
}
