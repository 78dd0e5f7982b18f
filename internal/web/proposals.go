package web

import (
	"net/http"
	"net/url"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/program"
)

// proposals are awards to make and to take back by the rules of programs, which
// wait for a person.
func (s *site) proposals(mux *http.ServeMux) {
	s.page(mux, "GET /desk/proposals", staff, s.proposalList)
	s.ask(mux, "/desk/proposals/{id}/accept", asking{staff, s.onProposal(func(p program.Proposal) form {
		f := form{Title: "Award what follows", Submit: "Record the award", Fields: []field{{Name: "note", Label: "Note", Type: "textarea", Help: "It is kept with the decision."}}}
		if p.Kind == program.ToWithdraw {
			f.Title, f.Submit, f.Danger = "Take an award back", "Withdraw the award", true
		}
		return f
	}), func(v *visit, in url.Values) (string, string, error) {
		_, err := s.Programs.Accept(v.ctx(), v.who, v.r.PathValue("id"), sent(in, "note"))
		return "/desk/proposals", "accepted", err
	}})
	s.ask(mux, "/desk/proposals/{id}/decline", asking{staff, s.onProposal(func(program.Proposal) form {
		return form{Title: "Decline a proposal", Submit: "Decline it", Fields: []field{reasonField}}
	}), func(v *visit, in url.Values) (string, string, error) {
		_, err := s.Programs.Decline(v.ctx(), v.who, v.r.PathValue("id"), sent(in, "reason"))
		return "/desk/proposals", "left", err
	}})
}

// proposed is a proposal with the names of what it is about.
type proposed struct {
	program.Proposal
	Learner     learner.Learner
	Achievement string
	Program     program.Program
	Mine        bool // the reader may decide on it
}

// proposedList are proposals, the oldest first.
type proposedList struct {
	All     []proposed
	Decided bool // those that were decided
	More    *string
}

func (s *site) proposalList(v *visit) error {
	d := proposedList{Decided: v.r.URL.Query().Get("show") == "decided"}
	var f program.ProposalFilter
	if d.Decided {
		f.States = []string{program.Accepted, program.Declined, program.Expired}
	}
	all, err := s.Programs.Proposals(v.ctx(), v.who, f, many(v.r.URL.Query().Get("after")))
	if err != nil {
		return err
	}
	if all.PageInfo.HasNextPage {
		d.More = all.PageInfo.EndCursor
	}
	if d.All, err = s.named(v, all.Nodes); err != nil {
		return err
	}
	return v.show(http.StatusOK, "proposals", "Proposals", d)
}

// named adds to proposals whose they are and what of.
func (s *site) named(v *visit, all []program.Proposal) ([]proposed, error) {
	var learners []learner.ID
	var achievements []achievement.ID
	var programs []program.ID
	for _, p := range all {
		learners, achievements, programs = append(learners, p.LearnerID), append(achievements, p.AchievementID), append(programs, p.ProgramID)
	}
	whose, err := s.Learners.ByIDs(v.ctx(), v.who, learners)
	if err != nil {
		return nil, err
	}
	what, err := s.Achievements.ByIDs(v.ctx(), v.who, achievements)
	if err != nil {
		return nil, err
	}
	by, err := s.Programs.ByIDs(v.ctx(), v.who, programs)
	out := make([]proposed, len(all))
	for i, p := range all {
		out[i] = proposed{p, whose[p.LearnerID], what[p.AchievementID].Definition.Name, by[p.ProgramID], access.Allowed(v.who, p.Deciding())}
	}
	return out, err
}

// onProposal is a form about one proposal.
func (s *site) onProposal(make func(program.Proposal) form) func(*visit) (form, error) {
	return func(v *visit) (form, error) {
		id := program.ProposalID(v.r.PathValue("id"))
		found, err := s.Programs.ProposalsByIDs(v.ctx(), v.who, []program.ProposalID{id})
		if err != nil {
			return form{}, err
		}
		p, ok := found[id]
		if !ok {
			return form{}, fault.Missing("proposal")
		}
		all, err := s.named(v, []program.Proposal{p})
		if err != nil {
			return form{}, err
		}
		f := make(p)
		f.About, f.Quote, f.Back = all[0].Achievement+" · "+all[0].Learner.DisplayName, p.Reason, "/desk/proposals"
		return f, v.may(p.Deciding())
	}
}
