package program

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
)

// Protected is how many learners there have to be at least, other than none, for
// their number to be told. One fewer is what nobody is to work out.
const Protected = 10

// Cohort is how far the learners of a program are with each requirement, in
// numbers from which nobody can work out one from 1 to Protected - 1.
type Cohort struct {
	ProgramID    ID
	Version      int // whose requirements these are
	AsOf         day.Date
	KnownAt      time.Time
	Learners     *int // who are enrolled on the day; nil for too few to tell
	Requirements []Spread
}

// Spread is how many learners are how far with a requirement. Each status stands
// in one of the counts.
type Spread struct {
	Requirement Requirement
	Counts      []Count
}

// Count is how many learners are in one of some statuses.
type Count struct {
	Statuses []Status
	Learners *int // nil: not told
}

// Cohort counts the learners who are enrolled in a program on the day asked for
// by how far they are with each requirement of the version that holds on it.
// Those who are held to another version count where that has the same
// requirement. It is for staff: Forbidden for others.
//
// One moment is looked at, and memory does not grow with what is on file. What two
// moments compared would tell is not hidden.
func (s *Service) Cohort(ctx context.Context, who access.Actor, program string, w mastery.When) (Cohort, error) {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return Cohort{}, err
	}
	if !who.Staff() {
		return Cohort{}, fault.New(fault.Forbidden, "Numbers about all learners of a program are for those who work for the institution.")
	}
	var out Cohort
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		p, err := find(ctx, tx, who, program, "")
		if err != nil {
			return err
		}
		x, err := s.open(ctx, who, tx, w)
		if err != nil {
			return err
		}
		all, err := versionsOf(ctx, tx, who, []ID{p.ID})
		if err != nil {
			return err
		}
		held, err := enrolledOn(ctx, tx, who, p.ID, x.basis.At.AsOf.Date())
		if err != nil {
			return err
		}
		p = inForce(all, x.basis.At.AsOf.Date())
		counts, err := x.tally(ctx, p, all, held)
		if err != nil {
			return err
		}
		out = Cohort{ProgramID: p.ID, Version: p.Version, AsOf: x.basis.At.AsOf.Date(), KnownAt: x.basis.Asked}
		if n := len(held); tellable(n, Protected) {
			out.Learners = &n
		}
		told := disclose(NewPlan(p.Definition, nil, nil), counts, Protected)
		for i, r := range p.Requirements() {
			out.Requirements = append(out.Requirements, Spread{r, told[i]})
		}
		return nil
	})
	return out, err
}

// enrolledOn are those who are enrolled in a program on a day, by learner.
func enrolledOn(ctx context.Context, tx pgx.Tx, who access.Actor, p ID, on day.Date) ([]Enrollment, error) {
	rows, _ := tx.Query(ctx, `
		select `+enrollmentColumns+`
		from program_enrollment
		where institution_id = @institution and program_id = @program and enrolled_on <= @on and (ended_on is null or ended_on >= @on)
		order by learner_id`, pgx.NamedArgs{"institution": who.InstitutionID, "program": p, "on": on})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Enrollment])
}

// spread is how many learners have which status, and how many are held to a
// version that asks for no such thing.
type spread struct {
	of        [Met + 1]int
	elsewhere int
}

// tally counts the learners by their statuses in the requirements of a program,
// in their order.
func (x *session) tally(ctx context.Context, p Program, all []Program, held []Enrollment) ([]spread, error) {
	learners := make([]learner.ID, len(held))
	version := make(map[learner.ID]int, len(held))
	for i, e := range held {
		learners[i], version[e.LearnerID] = e.LearnerID, e.Version
	}
	eq, err := equivalencies(ctx, x.tx, x.who, learners, x.basis.At.AsOf.Date(), x.basis.Asked)
	if err != nil {
		return nil, err
	}
	counts := make([]spread, NewPlan(p.Definition, nil, nil).Size())
	type reader struct {
		*runner
		at []int32 // of each requirement of p, its place in this version; -1
	}
	readers := map[int]*reader{}
	err = x.s.Mastery.Evidence(ctx, x.who, x.tx, x.basis, learners, mastery.Counting, func(l learner.ID, pieces []mastery.Piece) error {
		r := readers[version[l]]
		if r == nil {
			of := p
			if i := slices.IndexFunc(all, func(v Program) bool { return v.Version == version[l] }); i >= 0 {
				of = all[i]
			}
			r = &reader{runner: x.runner(NewPlan(of.Definition, x.basis, eq))}
			for _, q := range p.Requirements() {
				at, ok := r.eval.p.keys[q.Key]
				if !ok {
					at = -1
				}
				r.at = append(r.at, at)
			}
			readers[version[l]] = r
		}
		e := r.run(l, pieces, nil)
		for i, at := range r.at {
			if at < 0 {
				counts[i].elsewhere++
				continue
			}
			counts[i].of[e.results[at].status]++
		}
		return nil
	})
	return counts, err
}

// The ways in which the statuses of a requirement are told apart, the finest
// first.
var (
	apart  = [][]Status{{Met}, {InProgress}, {Blocked}, {Missing}}
	begun  = [][]Status{{Met}, {InProgress}, {Blocked, Missing}}
	halves = [][]Status{{Met}, {InProgress, Blocked, Missing}}
	either = [][]Status{{Met, InProgress}, {Blocked, Missing}}
	not    = []Status{Met, InProgress, Blocked, Missing}
)

// tellable reports whether a number of learners may be told: none, or more than
// least.
func tellable(n, least int) bool { return n == 0 || n > least }

// disclose are the numbers of learners as they may be told, so that none from 1 to
// least - 1 can be worked out from all of them together by somebody who knows the
// program, the number of learners, and these rules:
//
//  1. A number is told when it is 0 or above least. Where one of a requirement is
//     not, the statuses are told together with others, by the first of a few fixed
//     ways in which each number may be told; at worst nothing is told. Of those who
//     have met or begun, together, there have to be more than twice as many.
//  2. Of a group only who has met it and who has not are told apart. How those who
//     have not are spread follows from its parts in ways that could be turned round.
//     The same holds for what has to wait for something else, unless all four
//     numbers may be told.
//  3. Where a group is met in a more involved way than by all or any one of its
//     parts, even 0 is not told: that several things exclude each other would
//     say how many there are of one.
//  4. Nothing is told of a group in which something is asked for that is asked for
//     elsewhere as well, and of credits of whatever kind: two sums over the same
//     numbers give away what each of them hides.
//
// That least itself is not told is what makes 1 enough: a bound that follows from
// a group and its other parts may meet the bound of what is hidden in one number,
// and that is then least, which need not be hidden.
func disclose(p *Plan, counts []spread, least int) [][]Count {
	out := make([][]Count, len(p.nodes))
	for i := range p.nodes {
		out[i] = p.manner(int32(i)).of(counts[i], least)
	}
	return out
}

// manner is what may be told of a requirement.
type manner struct {
	ways [][][]Status
	some bool // not even that there are none
}

func (p *Plan) manner(i int32) manner {
	switch group := p.nodes[i].Group(); {
	case group && p.open(i):
		return manner{}
	case group:
		return manner{[][][]Status{halves}, p.involved(i)}
	case p.waits(i):
		return manner{ways: [][][]Status{apart, halves}}
	}
	return manner{ways: [][][]Status{apart, begun, halves, either}}
}

// of are the numbers by the first way by which each may be told.
func (m manner) of(s spread, least int) []Count {
	for _, way := range m.ways {
		all := make([]Count, len(way))
		fine := tellable(s.elsewhere, least)
		for i, statuses := range way {
			n := 0
			for _, status := range statuses {
				n += s.of[status]
			}
			all[i] = Count{statuses, &n}
			fine = fine && tellable(n, least) && (n > 0 || !m.some)
		}
		if fine && (len(way[0]) == 1 || *all[0].Learners > 2*least) {
			return all
		}
	}
	return []Count{{Statuses: not}}
}

// thing is what a requirement asks for that is no group.
func (n *node) thing() string {
	return n.Kind + " " + string(n.CompetencyID) + string(n.CourseID) + string(n.AchievementID)
}

// open reports whether a group shares something with what stands outside of it:
// it is credits of whatever kind, or asks for something that is asked for
// elsewhere.
func (p *Plan) open(i int32) bool {
	n := &p.nodes[i]
	if !n.Group() {
		return false
	}
	if len(n.Parts) == 0 {
		return true
	}
	within := map[string]bool{}
	for k := i; k < n.end; k++ {
		within[p.nodes[k].thing()] = true
	}
	for k := range p.nodes {
		if m := &p.nodes[k]; !m.Group() && (int32(k) < i || int32(k) >= n.end) && within[m.thing()] {
			return true
		}
	}
	return false
}

// involved reports whether a group is met in another way than by all or any one
// of parts that have nothing to do with each other.
func (p *Plan) involved(i int32) bool {
	n := &p.nodes[i]
	once := map[string]bool{}
	for k := i; k < n.end; k++ {
		m := &p.nodes[k]
		switch {
		case m.Kind == Credits, m.Kind == Any && m.Count > 1 && m.Count < len(m.Parts):
			return true
		case !m.Group() && once[m.thing()]:
			return true
		}
		once[m.thing()] = true
	}
	return false
}

// waits reports whether something else has to be met before a requirement.
func (p *Plan) waits(i int32) bool {
	for ; i >= 0; i = p.nodes[i].above {
		if len(p.nodes[i].after) > 0 {
			return true
		}
	}
	return false
}

// maxStuck is how many stuck points are told of.
const maxStuck = 10

// Least is the largest number other than 0 that is not told by itself.
func (c Cohort) Least() int { return Protected }

// Stuck are the requirements that are begun and not met by the most learners, as
// far as that is told: ten at most, and no groups.
func (c Cohort) Stuck() []Spread {
	var all []Spread
	for _, s := range c.Requirements {
		if !s.Requirement.Group() && s.begun() > 0 {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b Spread) int { return cmp.Compare(b.begun(), a.begun()) })
	return all[:min(len(all), maxStuck)]
}

// begun is how many learners are in progress, 0 where that is not told.
func (s Spread) begun() int {
	for _, c := range s.Counts {
		if len(c.Statuses) == 1 && c.Statuses[0] == InProgress && c.Learners != nil {
			return *c.Learners
		}
	}
	return 0
}
