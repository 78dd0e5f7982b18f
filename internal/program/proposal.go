package program

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// ProposalID names a proposal: app_ and text.
type ProposalID string

// What is proposed.
const (
	ToAward    = "award"
	ToWithdraw = "withdraw"
)

// The states of a proposal.
const (
	Open     = "open"     // somebody has to decide
	Accepted = "accepted" // it was done
	Declined = "declined" // it was not, and is not proposed again until what led to it is over
	Expired  = "lapsed"   // what led to it was over before anybody decided
)

// Proposal is that an achievement follows from a requirement that a learner
// meets, or does not follow any more.
type Proposal struct {
	ID            ProposalID
	ProgramID     ID
	Version       int
	LearnerID     learner.ID
	AchievementID achievement.ID
	Requirement   string // the key of what it follows from
	Kind          string
	State         string
	Reason        string        // in sentences
	MetOn         *day.Date     // to award: since when the requirement is met
	Obstacle      *string       // why a rule that awards by itself did not
	AssertionID   *assertion.ID // to withdraw: which; to award: what was awarded
	ProposedAt    time.Time
	DecidedAt     *time.Time
	DecidedBy     *string
	Decision      *string // the words of whoever decided
	EndedAt       *time.Time
}

// ProposalFilter narrows a list of proposals.
type ProposalFilter struct {
	States        []string // those that are open unless said
	Kind          *string
	ProgramID     *string // id or code
	LearnerID     *learner.ID
	AchievementID *achievement.ID
}

type proposalCursor struct {
	ID ProposalID `json:"i"`
}

// Proposals are the proposals, the oldest first.
func (s *Service) Proposals(ctx context.Context, who access.Actor, f ProposalFilter, a page.Args) (page.Connection[Proposal], error) {
	var c page.Connection[Proposal]
	limit, after, _, err := page.Start[proposalCursor](a)
	if err != nil {
		return c, err
	}
	if len(f.States) == 0 {
		f.States = []string{Open}
	}
	err = s.read(ctx, who, access.ReadProposal, func(tx pgx.Tx) error {
		rows, err := listProposals(ctx, tx, who, f, after.ID, limit+1)
		c = page.Of(rows, limit, a, func(p Proposal) proposalCursor { return proposalCursor{p.ID} })
		return err
	})
	return c, err
}

// ProposalsByIDs are proposals by id.
func (s *Service) ProposalsByIDs(ctx context.Context, who access.Actor, ids []ProposalID) (map[ProposalID]Proposal, error) {
	out := make(map[ProposalID]Proposal, len(ids))
	err := s.read(ctx, who, access.ReadProposal, func(tx pgx.Tx) error {
		rows, err := proposalsByIDs(ctx, tx, who, ids)
		for _, p := range rows {
			out[p.ID] = p
		}
		return err
	})
	return out, err
}

const maxDecision = 2000

// Accept does what is proposed, in the name of who asks: the award is recorded,
// or taken back, in the same transaction. What is proposed is looked at again
// before; State when what led to it is over, or when somebody decided
// otherwise. Accepting again changes nothing.
func (s *Service) Accept(ctx context.Context, who access.Actor, proposal, note string) (Proposal, error) {
	return s.settle(ctx, who, proposal, Accepted, note)
}

// Decline leaves things as they are, with a reason. The same is proposed again
// only after what led to it was over in between. Declining again changes
// nothing.
func (s *Service) Decline(ctx context.Context, who access.Actor, proposal, reason string) (Proposal, error) {
	if strings.TrimSpace(reason) == "" {
		return Proposal{}, fault.At("reason", "required", "Say why this is declined: it is kept with the proposal.")
	}
	return s.settle(ctx, who, proposal, Declined, reason)
}

// Deciding is what has to be allowed to decide on a proposal.
func (p Proposal) Deciding() access.Action {
	if p.Kind == ToWithdraw {
		return access.Withdraw
	}
	return access.Award
}

func (s *Service) settle(ctx context.Context, who access.Actor, proposal, state, words string) (Proposal, error) {
	if len(words) > maxDecision {
		return Proposal{}, fault.At("reason", "too-long", "A reason has at most %d characters.", maxDecision)
	}
	p, err := s.proposal(ctx, who, ProposalID(proposal))
	if err != nil {
		return p, err
	}
	if p.State == Open && state == Accepted { // events come late: it is looked at as things are now
		if _, err := s.Conclude(ctx, access.SystemOf(who.InstitutionID, "award"), []learner.ID{p.LearnerID}); err != nil {
			return p, err
		}
	}
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if p, err = findProposal(ctx, tx, who, p.ID, " for update"); err != nil || p.State == state {
			return err
		}
		if p.State != Open {
			return p.over()
		}
		now := pg.Instant(s.Now())
		p.State, p.DecidedAt, p.DecidedBy = state, &now, &who.ID
		if words != "" {
			p.Decision = &words
		}
		if state == Accepted {
			if err := s.carryOut(ctx, tx, who, &p); err != nil {
				return err
			}
		}
		if err := decideProposal(ctx, tx, who, p); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, p.entry(p.Deciding()))
	})
	return p, err
}

// proposal is one proposal that the actor may decide on.
func (s *Service) proposal(ctx context.Context, who access.Actor, id ProposalID) (Proposal, error) {
	var p Proposal
	err := s.read(ctx, who, access.ReadProposal, func(tx pgx.Tx) (err error) {
		p, err = findProposal(ctx, tx, who, id, "")
		return err
	})
	if err != nil {
		return p, err
	}
	return p, access.Check(who, p.Deciding())
}

// over says why nothing can be decided on a proposal any more.
func (p Proposal) over() error {
	said := "This was " + p.State + "."
	if p.State == Expired && p.Decision != nil {
		said = "Nothing is left to decide: " + *p.Decision
	}
	return &fault.Error{Kind: fault.State, Rule: "open", Message: said}
}

// carryOut does what a proposal proposes. The proposal's id is the key of the
// award, so that it is made once however often this is tried.
func (s *Service) carryOut(ctx context.Context, tx pgx.Tx, who access.Actor, p *Proposal) error {
	if p.Kind == ToWithdraw {
		_, err := s.Assertions.WithdrawInTx(ctx, who, tx, string(*p.AssertionID), p.Reason)
		return err
	}
	key := string(p.ID)
	facts := assertion.Facts{AchievedOn: day.On(s.Now()), Narrative: &p.Reason}
	if p.MetOn != nil {
		facts.AchievedOn = *p.MetOn
	}
	a, err := s.Assertions.AwardInTx(ctx, who, tx, &key, assertion.Award{LearnerID: string(p.LearnerID), AchievementID: string(p.AchievementID), Facts: facts})
	if err != nil {
		return err
	}
	p.AssertionID = &a.ID
	return nil
}

func (p Proposal) entry(do access.Action) audit.Entry {
	return audit.Entry{Action: do, Target: string(p.ID), Detail: map[string]any{"proposal": p.Kind, "state": p.State, "learner": p.LearnerID,
		"achievement": p.AchievementID, "program": p.ProgramID, "version": p.Version, "assertion": p.AssertionID}}
}
