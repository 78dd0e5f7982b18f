package program

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/pg"
)

// Concluded is what came of looking at learners by the rules that award.
type Concluded struct {
	Proposed int // awards and withdrawals put to a person
	Awarded  int // awarded by the rule itself
	Expired  int // proposals whose cause was over
}

// Zero reports whether nothing came of it.
func (c Concluded) Zero() bool { return c == Concluded{} }

func (c *Concluded) add(o Concluded) {
	c.Proposed, c.Awarded, c.Expired = c.Proposed+o.Proposed, c.Awarded+o.Awarded, c.Expired+o.Expired
}

// learnersAtOnce is how many learners one transaction concludes on.
const learnersAtOnce = 100

// Conclude looks at learners by the rules that award of the programs in which
// they are, or were, enrolled. What follows is a function of what is on file, so
// that it does not matter how often and in which order it is asked for.
//
// Where a requirement is met, its achievement is proposed or awarded, by the
// policy of its rule, unless it is held already. Where an achievement that a rule
// gave does not follow any more, it is proposed to withdraw it; nothing is taken
// away here. A withdrawal that was declined is proposed again only when the
// requirement was met in between. What a rule gave does not support itself: an
// achievement counts for a requirement only if it follows without it.
func (s *Service) Conclude(ctx context.Context, who access.Actor, learners []learner.ID) (Concluded, error) {
	var sum Concluded
	if err := access.Check(who, access.Propose); err != nil {
		return sum, err
	}
	learners = slices.Clone(learners)
	slices.Sort(learners)
	for some := range slices.Chunk(slices.Compact(learners), learnersAtOnce) {
		err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
			got, err := s.conclude(ctx, tx, who, some)
			if err == nil {
				sum.add(got)
			}
			return err
		})
		if err != nil {
			return sum, fmt.Errorf("conclude: %w", err)
		}
	}
	return sum, nil
}

// ConcludeAwards is Conclude for the learners of assertions.
func (s *Service) ConcludeAwards(ctx context.Context, who access.Actor, ids []assertion.ID) (Concluded, error) {
	if err := access.Check(who, access.Propose); err != nil {
		return Concluded{}, err
	}
	var learners []learner.ID
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		for some := range slices.Chunk(ids, 1000) {
			all, err := assertion.ByIDsInTx(ctx, tx, who, some)
			if err != nil {
				return err
			}
			for _, a := range all {
				learners = append(learners, a.LearnerID)
			}
		}
		return nil
	})
	if err != nil {
		return Concluded{}, err
	}
	return s.Conclude(ctx, who, learners)
}

// Reconcile concludes on everybody to whom a rule that awards applies, from what
// is on file: events come late, twice or never, and states change by the mere
// passing of time.
func (s *Service) Reconcile(ctx context.Context, who access.Actor) (Concluded, error) {
	var sum Concluded
	if err := access.Check(who, access.Propose); err != nil {
		return sum, err
	}
	for after := learner.ID(""); ; {
		var some []learner.ID
		err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
			some, err = ruledLearners(ctx, tx, who, after, learnersAtOnce)
			return err
		})
		if err != nil || len(some) == 0 {
			return sum, err
		}
		got, err := s.Conclude(ctx, who, some)
		if sum.add(got); err != nil {
			return sum, err
		}
		after = some[len(some)-1]
	}
}

// conclusion is the learners of one transaction.
type conclusion struct {
	x         *session
	now       time.Time
	rules     map[learner.ID][]ruled
	files     map[learner.ID][]Proposal
	withdrawn map[withdrawn]bool
	out       []verdict
}

// ruled is a rule that applies to a learner.
type ruled struct {
	AwardRule
	program Program
	runner  *runner
	active  bool // the enrolment goes on
	met     bool
	file    file
}

// file are the proposals that matter for one rule and learner.
type file struct {
	made                              *Proposal // what it gave, if that stands
	award, withdraw                   *Proposal // open
	declinedAward, declinedWithdrawal *Proposal
}

// verdict is what is to become of a proposal.
type verdict struct {
	Proposal
	isNew bool
	byAct bool // by the rule itself
}

func (s *Service) conclude(ctx context.Context, tx pgx.Tx, who access.Actor, some []learner.ID) (Concluded, error) {
	held, err := ruledEnrollments(ctx, tx, who, some)
	if err != nil || len(held) == 0 {
		return Concluded{}, err
	}
	var learners []learner.ID
	var programs []ID
	for _, e := range held {
		learners, programs = append(learners, e.LearnerID), append(programs, e.ProgramID)
	}
	learners = slices.Compact(learners)
	x, err := s.open(ctx, who, tx, mastery.When{})
	if err != nil {
		return Concluded{}, err
	}
	c := &conclusion{x: x, now: pg.Instant(s.Now()), rules: map[learner.ID][]ruled{}, files: map[learner.ID][]Proposal{}}
	if err := c.prepare(ctx, held, learners, programs); err != nil {
		return Concluded{}, err
	}
	err = s.Mastery.Evidence(ctx, who, tx, x.basis, learners, mastery.Counting, func(l learner.ID, pieces []mastery.Piece) error {
		c.learner(l, pieces)
		return nil
	})
	if err != nil {
		return Concluded{}, err
	}
	return c.write(ctx)
}

// prepare reads the programs, and the proposals that matter.
func (c *conclusion) prepare(ctx context.Context, held []Enrollment, learners []learner.ID, programs []ID) error {
	x := c.x
	today := x.basis.At.AsOf.Date()
	all, err := versionsOf(ctx, x.tx, x.who, programs)
	if err != nil {
		return err
	}
	eq, err := equivalencies(ctx, x.tx, x.who, learners, today, x.basis.Asked)
	if err != nil {
		return err
	}
	files, err := proposalsThatMatter(ctx, x.tx, x.who, learners)
	if err != nil {
		return err
	}
	for _, p := range files {
		c.files[p.LearnerID] = append(c.files[p.LearnerID], p)
	}
	runners := map[Ask]*runner{}
	var badges []achievement.ID
	for _, e := range held {
		k := Ask{Program: e.ProgramID, Version: e.Version}
		p, ok := versionFor(all, nil, k, today)
		if !ok {
			continue
		}
		if runners[k] == nil {
			runners[k] = x.runner(NewPlan(p.Definition, x.basis, eq))
		}
		for _, rule := range p.Definition.Awards {
			badges = append(badges, rule.AchievementID)
			c.rules[e.LearnerID] = append(c.rules[e.LearnerID], ruled{AwardRule: rule, program: p, runner: runners[k],
				active: !e.EnrolledOn.After(today) && (e.EndedOn == nil || !e.EndedOn.Before(today))})
		}
	}
	c.withdrawn, err = withdrawnOf(ctx, x.tx, x.who, learners, badges)
	return err
}

// learner concludes on one learner.
func (c *conclusion) learner(l learner.ID, pieces []mastery.Piece) {
	rules := c.rules[l]
	orphans := c.sort(rules, c.files[l])
	c.judge(l, rules, pieces)
	for i := range rules {
		c.decide(l, &rules[i], pieces)
	}
	for _, p := range orphans {
		c.expire(p, "The program to which the learner is held does not have this rule any more.")
	}
}

// sort puts each proposal beside its rule. It gives the open ones that have none.
func (c *conclusion) sort(rules []ruled, all []Proposal) []*Proposal {
	var orphans []*Proposal
	for i := range all {
		p := &all[i]
		at := slices.IndexFunc(rules, func(r ruled) bool { return r.program.ID == p.ProgramID && r.AchievementID == p.AchievementID })
		if at < 0 {
			if p.State == Open {
				orphans = append(orphans, p)
			}
			continue
		}
		f := &rules[at].file
		switch {
		case p.State == Accepted:
			f.made = p
		case p.State == Open && p.Kind == ToAward:
			f.award = p
		case p.State == Open:
			f.withdraw = p
		case p.Kind == ToAward:
			f.declinedAward = p
		default:
			f.declinedWithdrawal = p
		}
	}
	return orphans
}

// judge finds which rules are met. What somebody decided to leave stands for the
// other rules; whether what led to the decision is over is found without it.
func (c *conclusion) judge(l learner.ID, rules []ruled, pieces []mastery.Piece) {
	left := func(r ruled) bool { return r.file.made != nil && r.file.declinedWithdrawal != nil }
	over := map[int]bool{}
	if slices.ContainsFunc(rules, left) {
		c.found(l, rules, pieces, func(ruled) bool { return true })
		for i, r := range rules {
			over[i] = left(r) && r.met
		}
	}
	c.found(l, rules, pieces, func(r ruled) bool { return !left(r) })
	for i := range rules {
		if left(rules[i]) {
			rules[i].met = over[i]
		}
	}
}

// found finds which rules are met by what is well founded. What rules gave is left
// out at first, where it is doubtful, and comes back as it follows from what is
// there without it, until nothing more does; so nothing is held up by itself.
func (c *conclusion) found(l learner.ID, rules []ruled, pieces []mastery.Piece, doubtful func(ruled) bool) {
	out := map[assertion.ID]bool{}
	for _, r := range rules {
		if r.file.made != nil && doubtful(r) {
			out[*r.file.made.AssertionID] = true
		}
	}
	for {
		evidence := slices.DeleteFunc(slices.Clone(pieces), func(p mastery.Piece) bool { return out[p.ID] })
		back := false
		var ran *runner
		for i := range rules {
			r := &rules[i]
			if r.runner != ran {
				ran = r.runner
				ran.run(l, evidence, nil)
			}
			r.met = r.runner.eval.results[r.node()].status == Met
			if made := r.file.made; r.met && made != nil && out[*made.AssertionID] {
				delete(out, *made.AssertionID)
				back = true
			}
		}
		if !back {
			return
		}
	}
}

func (r *ruled) node() int32 { return r.runner.eval.p.keys[r.Requirement] }

// decide finds what follows from a rule that is met, or not. The runner still
// has what it found of the learner.
func (c *conclusion) decide(l learner.ID, r *ruled, pieces []mastery.Piece) {
	f := r.file
	holds := slices.ContainsFunc(pieces, func(p mastery.Piece) bool { return p.Of.AchievementID == r.AchievementID })
	if r.met {
		c.expire(f.withdraw, "The requirement is met again.")
		c.end(f.declinedWithdrawal)
		switch {
		case holds:
			c.expire(f.award, "The achievement is held.")
		case f.award != nil:
			c.retry(r, *f.award)
		case r.active && f.declinedAward == nil:
			c.propose(r, c.proposal(l, r, ToAward))
		}
		return
	}
	c.expire(f.award, "The requirement is not met any more.")
	c.end(f.declinedAward)
	switch {
	case f.made == nil:
		c.expire(f.withdraw, "The award was withdrawn already.")
	case f.withdraw == nil && f.declinedWithdrawal == nil:
		p := c.proposal(l, r, ToWithdraw)
		p.AssertionID = f.made.AssertionID
		c.propose(r, p)
	}
}

func (c *conclusion) proposal(l learner.ID, r *ruled, kind string) Proposal {
	p := Proposal{ProgramID: r.program.ID, Version: r.program.Version, LearnerID: l, AchievementID: r.AchievementID, Requirement: r.Requirement,
		Kind: kind, State: Open, Reason: r.reason(), ProposedAt: c.now}
	if on := r.runner.eval.since(r.node()); kind == ToAward && !on.IsZero() {
		p.MetOn = &on
	}
	return p
}

// reason says what a rule found, in sentences.
func (r *ruled) reason() string {
	e, at := r.runner.eval, r.node()
	n := &e.p.nodes[at]
	name := fmt.Sprintf("%q of %s (%s, version %d)", title(n.Requirement), r.program.Definition.Title, r.program.Code, r.program.Version)
	if r.met {
		return name + " is met: " + e.reason(n, &e.results[at])
	}
	said := []string{name + " is not met any more: " + e.reason(n, &e.results[at])}
	for k := at + 1; k < n.end && len(said) <= 3; k++ {
		if leaf := &e.p.nodes[k]; !leaf.Group() && e.results[k].status != Met {
			said = append(said, title(leaf.Requirement)+": "+e.reason(leaf, &e.results[k]))
		}
	}
	return strings.Join(said, " ")
}

func (c *conclusion) propose(r *ruled, p Proposal) {
	v := verdict{Proposal: p, isNew: true, byAct: p.Kind == ToAward && r.Policy == Award}
	if v.byAct && c.withdrawn[withdrawn{p.LearnerID, p.AchievementID}] {
		said := "It was awarded before and withdrawn, so that a person has to decide."
		v.byAct, v.Obstacle = false, &said
	}
	c.out = append(c.out, v)
}

// retry tries again what stood in the way of an award.
func (c *conclusion) retry(r *ruled, p Proposal) {
	if r.Policy == Award && r.active && !c.withdrawn[withdrawn{p.LearnerID, p.AchievementID}] {
		c.out = append(c.out, verdict{Proposal: p, byAct: true})
	}
}

// expire closes an open proposal whose cause is over.
func (c *conclusion) expire(p *Proposal, why string) {
	if p == nil {
		return
	}
	v := *p
	v.State, v.DecidedAt, v.DecidedBy, v.Decision = Expired, &c.now, &c.x.who.ID, &why
	c.out = append(c.out, verdict{Proposal: v})
}

// end notes that what led to a declined proposal is over.
func (c *conclusion) end(p *Proposal) {
	if p == nil {
		return
	}
	v := *p
	v.EndedAt = &c.now
	c.out = append(c.out, verdict{Proposal: v})
}

// write keeps what was found: what is put to a person, then what is awarded, and
// the lines of the audit last, so that rows are locked before the account is.
func (c *conclusion) write(ctx context.Context) (Concluded, error) {
	var sum Concluded
	var lines []Proposal
	slices.SortStableFunc(c.out, func(a, b verdict) int { return cmp.Compare(rank(a), rank(b)) })
	for _, v := range c.out {
		if v.isNew {
			v.ID = ProposalID(c.x.s.NewID("app"))
			if err := insertProposal(ctx, c.x.tx, c.x.who, v.Proposal); err != nil {
				return sum, err
			}
		}
		tell, err := c.carry(ctx, &v)
		if err != nil {
			return sum, err
		}
		if tell {
			lines = append(lines, v.Proposal)
		}
		switch {
		case v.State == Accepted:
			sum.Awarded++
		case v.State == Expired:
			sum.Expired++
		case v.isNew:
			sum.Proposed++
		}
	}
	for _, p := range lines {
		if err := audit.Write(ctx, c.x.tx, c.now, c.x.who, p.entry(access.Propose)); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func rank(v verdict) int {
	if v.byAct {
		return 1
	}
	return 0
}

// carry does what is to become of a proposal and reports whether something is
// otherwise than before. What stands in the way of an award is kept for whoever
// will decide.
func (c *conclusion) carry(ctx context.Context, v *verdict) (bool, error) {
	if !v.byAct {
		if v.isNew && v.Obstacle == nil {
			return true, nil
		}
		return true, decideProposal(ctx, c.x.tx, c.x.who, v.Proposal)
	}
	made := v.Proposal
	err := pgx.BeginFunc(ctx, c.x.tx, func(sub pgx.Tx) error {
		made.State, made.DecidedAt, made.DecidedBy, made.Obstacle = Accepted, &c.now, &c.x.who.ID, nil
		if err := c.x.s.carryOut(ctx, sub, c.x.who, &made); err != nil {
			return err
		}
		return decideProposal(ctx, sub, c.x.who, made)
	})
	if err == nil {
		v.Proposal = made
		return true, nil
	}
	f, ok := fault.Of(pg.Fault(err))
	if !ok || f.Kind == fault.Unavailable || f.Kind == fault.Forbidden {
		return false, err
	}
	if v.Obstacle != nil && *v.Obstacle == f.Message {
		return v.isNew, nil
	}
	v.Obstacle = &f.Message
	return true, decideProposal(ctx, c.x.tx, c.x.who, v.Proposal)
}
