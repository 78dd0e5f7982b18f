package web

import (
	"net/http"

	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/program"
)

// shownCohort is how many learners of a program are shown at once.
const shownCohort = 50

// cohort is who is enrolled in a program, and how far each is.
type cohort struct {
	Program program.Program
	All     []enrolled
	More    string // the learner to go on behind; empty: that was all
}

// enrolled is a learner of a program.
type enrolled struct {
	progressed
	program.Enrollment
	Learner learner.Learner
}

func (s *site) cohortPage(v *visit) error {
	ctx, done := s.Audit.View(v.ctx(), v.who)
	defer done()
	p, err := s.Programs.Find(ctx, v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	some, err := s.Programs.Enrolled(ctx, v.who, p.ID, day.On(s.Now()), learner.ID(v.r.URL.Query().Get("after")), shownCohort+1)
	if err != nil {
		return err
	}
	d := cohort{Program: p}
	if len(some) > shownCohort {
		some = some[:shownCohort]
		d.More = string(some[shownCohort-1].LearnerID)
	}
	ids, asks := make([]learner.ID, len(some)), make([]program.Ask, len(some))
	for i, e := range some {
		ids[i], asks[i] = e.LearnerID, program.Ask{Learner: e.LearnerID, Program: p.ID}
	}
	who, err := s.Learners.ByIDs(ctx, v.who, ids)
	if err != nil {
		return err
	}
	reports, err := s.Programs.Of(ctx, v.who, asks, mastery.When{}, program.WhatIf{})
	if err != nil {
		return err
	}
	for i, e := range some {
		d.All = append(d.All, enrolled{progressed{reports[asks[i]], p}, e, who[e.LearnerID]})
	}
	return v.show(http.StatusOK, "cohort", "Cohort", d)
}
