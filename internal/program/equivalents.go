package program

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
)

// Equivalent is an equivalency whose given a learner has shown, in words.
type Equivalent struct {
	Equivalency
	On        day.Date // since when it is shown
	Shown     Named
	Worth     Named
	CourseID  course.ID // that it counts as, if it is one
	Resembles string    // what it counts as once: a course, an achievement or a competency, by id
}

// Named is something by its name and code.
type Named struct{ Name, Code string }

// EquivalentsOf are the equivalencies that count for each learner today: those
// whose given is there, in the order of their ids, whatever program they are
// used in. Where none is on file it costs two statements.
func (s *Service) EquivalentsOf(ctx context.Context, who access.Actor, learners []learner.ID) (map[learner.ID][]Equivalent, error) {
	out := map[learner.ID][]Equivalent{}
	learners = slices.Clone(learners)
	err := s.read(ctx, who, access.ReadLearner, func(tx pgx.Tx) error {
		now := s.Now()
		eq, err := equivalencies(ctx, tx, who, learners, day.On(now), now)
		if err != nil || len(eq) == 0 {
			return err
		}
		if err := seen(ctx, tx, who, &learners); err != nil {
			return err
		}
		x, err := s.open(ctx, who, tx, mastery.When{})
		if err != nil {
			return err
		}
		said, err := x.named(ctx, eq)
		if err != nil {
			return err
		}
		r := x.runner(NewPlan(Definition{Requirement: Requirement{Key: "1", Kind: All}}, x.basis, eq))
		return s.Mastery.Evidence(ctx, who, tx, x.basis, learners, mastery.Counting, func(l learner.ID, pieces []mastery.Piece) error {
			e := r.run(l, pieces, nil)
			for _, a := range e.awards {
				if a.By != nil {
					q := said[a.By.ID]
					q.Equivalency, q.On = *a.By, a.On
					out[l] = append(out[l], q)
				}
			}
			slices.SortFunc(out[l], func(a, b Equivalent) int { return cmp.Compare(a.ID, b.ID) })
			return nil
		})
	})
	return out, err
}

// named says what equivalencies are about, in two statements.
func (x *session) named(ctx context.Context, all []Equivalency) (map[EquivalencyID]Equivalent, error) {
	var courses []string
	var badges []achievement.ID
	for _, e := range all {
		courses = given(given(courses, e.Given.CourseID), e.Instead.CourseID)
		for _, a := range []achievement.ID{e.Given.AchievementID, e.Instead.AchievementID} {
			if a != "" {
				badges = append(badges, a)
			}
		}
	}
	byName, err := course.Resolve(ctx, x.tx, x.who, "", courses)
	if err != nil {
		return nil, err
	}
	byID, err := achievement.ByIDsInTx(ctx, x.tx, x.who, badges)
	if err != nil {
		return nil, err
	}
	say := func(i framework.ItemID, c course.ID, a achievement.ID, text string) Named {
		switch {
		case i != "":
			if at, ok := x.basis.Find(i); ok {
				item := x.basis.Graph.Items[at]
				return Named{Name: item.Statement, Code: item.Code}
			}
			return Named{Name: string(i)}
		case c != "":
			return Named{Name: byName[string(c)].Title, Code: byName[string(c)].Code}
		case a != "":
			return Named{Name: byID[a].Definition.Name, Code: byID[a].Definition.HumanCode}
		}
		return Named{Name: text}
	}
	out := make(map[EquivalencyID]Equivalent, len(all))
	for _, e := range all {
		g, in := e.Given, e.Instead
		out[e.ID] = Equivalent{Shown: say(g.CompetencyID, g.CourseID, g.AchievementID, g.Text), Worth: say(in.CompetencyID, in.CourseID, in.AchievementID, ""),
			CourseID: in.CourseID, Resembles: cmp.Or(string(in.CourseID), string(in.AchievementID), string(in.CompetencyID))}
	}
	return out, nil
}
