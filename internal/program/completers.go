package program

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/pg"
)

// togetherAsked is how many learners are evaluated in one go.
const togetherAsked = 100

// Completers are the learners who are enrolled in a program today, its last day
// included, and have met all of it, each by the version held to. State when more than most are
// enrolled: such a cohort is sent as a file.
func (s *Service) Completers(ctx context.Context, who access.Actor, program ID, most int) ([]learner.ID, error) {
	if err := access.Check(who, access.ManageLearner); err != nil {
		return nil, err
	}
	var enrolled []learner.ID
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select learner_id
			from program_enrollment
			where institution_id = @institution and program_id = @program and enrolled_on <= @today and (ended_on is null or ended_on >= @today)
			order by learner_id
			limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "program": program, "today": day.On(pg.Instant(s.Now())), "limit": most + 1})
		var err error
		enrolled, err = pgx.CollectRows(rows, pgx.RowTo[learner.ID])
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(enrolled) > most {
		return nil, &fault.Error{Kind: fault.State, Rule: "too-many", Message: "Too many learners are enrolled in this program to look at all at once. Send the cohort as a file."}
	}
	var out []learner.ID
	for len(enrolled) > 0 {
		n := min(len(enrolled), togetherAsked)
		asks := make([]Ask, n)
		for i, l := range enrolled[:n] {
			asks[i] = Ask{Learner: l, Program: program}
		}
		all, err := s.Of(ctx, who, asks, mastery.When{}, WhatIf{})
		if err != nil {
			return nil, err
		}
		for _, a := range asks {
			if r, ok := all[a]; ok && r.Status == Met {
				out = append(out, a.Learner)
			}
		}
		enrolled = enrolled[n:]
	}
	return out, nil
}
