package record

import (
	"cmp"
	"context"
	"fmt"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/program"
)

// standings is how far learners are with their programs at the moment at which
// their records are made.
type standings struct {
	of        map[learner.ID][]program.Report
	programs  map[program.ID]map[int]program.Program // by version
	addresses map[framework.ItemID]string            // of the competencies that requirements name
}

// standings asks for what a kind of record tells of programs; nothing where it
// tells nothing.
func (s *Service) standings(ctx context.Context, who access.Actor, w order, learners []learner.Learner) (*standings, error) {
	if s.Programs == nil || !w.of.Content.Program && !w.of.Content.Requirements {
		return nil, nil
	}
	ids := make([]learner.ID, len(learners))
	for i, l := range learners {
		ids[i] = l.ID
	}
	q := program.Question{When: mastery.When{}}
	if w.program != nil {
		q.ProgramID = &w.program.ID
	}
	st := &standings{programs: map[program.ID]map[int]program.Program{}, addresses: map[framework.ItemID]string{}}
	var err error
	if st.of, err = s.Programs.ProgressOf(ctx, who, ids, q); err != nil || len(st.of) == 0 {
		return st, err
	}
	var named []program.ID
	var items []framework.ItemID
	for _, reports := range st.of {
		for _, r := range reports {
			named = append(named, *r.ProgramID)
			for _, l := range r.Requirements {
				if id := l.Requirement.CompetencyID; id != "" && w.program != nil {
					items = append(items, id)
				}
			}
		}
	}
	versions, err := s.Programs.VersionsOf(ctx, who, named)
	if err != nil {
		return nil, err
	}
	for id, all := range versions {
		st.programs[id] = map[int]program.Program{}
		for _, p := range all {
			st.programs[id][p.Version] = p
		}
	}
	found, err := s.Programs.Mastery.Frameworks.ItemsByIDs(ctx, who, items)
	for id, i := range found {
		st.addresses[id] = i.URI
	}
	return st, err
}

// counting reports what of a learner's awards counts toward a program.
type counting struct {
	awards       map[assertion.ID]bool
	competencies map[string]bool
}

// counting finds what of a learner's awards counts toward the program of a
// record: what meets a requirement or comes nearest, and what speaks for a
// competency that is asked for.
func (st *standings) counting(l learner.ID) counting {
	c := counting{map[assertion.ID]bool{}, map[string]bool{}}
	for _, r := range st.of[l] {
		for _, line := range r.Requirements {
			for _, a := range line.AssertionIDs {
				c.awards[a] = true
			}
			if uri := st.addresses[line.Requirement.CompetencyID]; uri != "" {
				c.competencies[uri] = true
			}
		}
	}
	return c
}

func (c counting) has(of credential.Credential, a alignment) bool {
	if of.AssertionID != nil && c.awards[*of.AssertionID] {
		return true
	}
	for _, t := range a.targets {
		if c.competencies[t] {
			return true
		}
	}
	return false
}

// told is the progress of a learner as a record tells it.
func (st *standings) told(l learner.ID) []ProgramProgress {
	if st == nil {
		return nil
	}
	var out []ProgramProgress
	for _, r := range st.of[l] {
		p := st.programs[*r.ProgramID][r.Version]
		one := ProgramProgress{Program: nameOf(p), Status: statusOf(r.Status), Credits: r.Credits}
		for _, q := range r.Requirements {
			one.Lines = append(one.Lines, RequirementLine{Key: q.Requirement.Key, Title: cmp.Or(q.Requirement.Title, q.Requirement.Key), Kind: q.Requirement.Kind,
				Depth: q.Requirement.Depth, Status: statusOf(q.Status), Reason: q.Reason, Awards: q.AssertionIDs})
		}
		out = append(out, one)
	}
	return out
}

func nameOf(p program.Program) ProgramName {
	return ProgramName{ID: p.ID, Code: p.Code, Title: p.Title(), Version: p.Version}
}

func statusOf(s program.Status) string {
	switch s {
	case program.Met:
		return Earned
	case program.InProgress:
		return InProgress
	case program.Blocked:
		return Blocked
	case program.Missing:
		return Open
	}
	panic(fmt.Sprintf("no status %d", s))
}

// on is a day as a model writes it; empty for none.
func on(d day.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}
