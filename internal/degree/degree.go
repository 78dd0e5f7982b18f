// Package degree sets up the degree program of the demonstration: the
// requirements of a bachelor's degree over the college's competencies, courses
// and achievements, the rules of mastery, what counts in place of something
// else, a crosswalk to the framework of a state, and who is enrolled.
//
// Everything is done through the operations that a registrar and a program
// designer have, so that the demonstration shows the product and not itself. It
// is done on top of the files of demo and comes out the same each time.
package degree

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
)

// Code is the code of the program.
const Code = "BAS-DA"

// Services are what it is set up through.
type Services struct {
	Frameworks   *framework.Service
	Courses      *course.Service
	Achievements *achievement.Service
	Mastery      *mastery.Service
	Programs     *program.Service
}

// setup is the setting up, which ends at the first error.
type setup struct {
	Services
	ctx context.Context
	who access.Actor
	err error
}

// SetUp sets the program up for the institution of who, over the files of demo.
// Doing it again changes nothing.
func SetUp(ctx context.Context, who access.Actor, s Services) error {
	u := &setup{Services: s, ctx: ctx, who: who}
	u.crosswalk()
	u.rules()
	u.program()
	u.equivalencies()
	u.enrol()
	return u.err
}

// do does a step unless one before it failed. What is there already, after a
// setting up that was cut off, is left as it is.
func (u *setup) do(what string, step func() error) {
	if u.err != nil {
		return
	}
	if err := step(); err != nil && fault.KindOf(err) != fault.Conflict {
		u.err = fmt.Errorf("%s: %w", what, err)
	}
}

func (u *setup) item(code string) framework.ItemID {
	var i framework.Item
	u.do("competency "+code, func() (err error) {
		i, err = u.Frameworks.FindItem(u.ctx, u.who, demo.Competency(code))
		return err
	})
	return i.ID
}

func (u *setup) course(code string) course.ID {
	var c course.Course
	u.do("course "+code, func() (err error) {
		c, err = u.Courses.Find(u.ctx, u.who, code)
		return err
	})
	return c.ID
}

func (u *setup) achievement(code string) achievement.ID {
	var a achievement.Achievement
	u.do("achievement "+code, func() (err error) {
		a, err = u.Achievements.Find(u.ctx, u.who, demo.AchievementURI(code))
		return err
	})
	return a.ID
}

// crosswalk brings in the state's framework and maps the college's to it.
func (u *setup) crosswalk() {
	u.do("state framework", func() error {
		_, err := u.Frameworks.Import(u.ctx, u.who, bytes.NewReader(demo.StateFramework()))
		return err
	})
	for _, c := range demo.Crossings() {
		u.do("crosswalk", func() error {
			x, err := u.Frameworks.ProposeCrosswalk(u.ctx, u.who, framework.Proposal{OriginID: c.From, DestinationID: c.To, Type: c.Type, Direction: framework.Forward, Strength: 1})
			if err == nil {
				_, err = u.Frameworks.ApproveCrosswalk(u.ctx, u.who, x.ID, "Joint Curriculum Board of the college and the state", nil)
			}
			return err
		})
	}
}

// mastered is the level at which the program asks for a competency.
const mastered = "Proficient"

var adopted = day.Of(2022, time.August, 1)

// rules are how states follow from evidence: for the framework, and where a
// competency has a rule of its own.
func (u *setup) rules() {
	of, privacy, teams := demo.Framework(), demo.Competency("E.1"), demo.Competency("F.2")
	tools, presenting := demo.Competency("D.1"), demo.Competency("D")
	for _, r := range []mastery.NewRule{
		{FrameworkID: &of, Content: mastery.Content{Name: "Mastery at Alder Sound", Definition: mastery.Definition{Level: mastered}}},
		{ItemID: &privacy, Content: mastery.Content{Name: "Privacy is shown again every two years", Definition: mastery.Definition{Method: mastery.Latest, Level: mastered, Months: 24}}},
		{ItemID: &tools, Content: mastery.Content{Name: "Tools of visualising change, so it is shown again every two years", Definition: mastery.Definition{Level: mastered, Months: 24}}},
		{ItemID: &teams, Content: mastery.Content{Name: "The latest work in a team counts", Definition: mastery.Definition{Method: mastery.Latest, Level: mastered}}},
		{ItemID: &presenting, Content: mastery.Content{Name: "Two of three ways to communicate", Definition: mastery.Definition{Method: mastery.NoEvidence, Parts: &mastery.Parts{Need: "2", Level: mastered}}}},
	} {
		r.Content.EffectiveOn = &adopted
		u.do("rule", func() error {
			_, err := u.Mastery.Define(u.ctx, u.who, r)
			return err
		})
	}
}

// after are the competencies that come after others, as the framework says.
var after = map[string]string{"B.1": "A.2", "B.2": "B.1", "B.3": "B.2", "C.2": "C.1", "C.3": "C.2"}

// program is the degree, in two versions: since 2024 fairness is asked for at
// the highest level.
func (u *setup) program() {
	first := u.definition(mastered)
	second := u.definition("Advanced")
	since := day.Of(2024, time.August, 1)
	u.do("program", func() error {
		_, err := u.Programs.Define(u.ctx, u.who, Code, program.Content{EffectiveOn: &adopted, Definition: first})
		return err
	})
	u.do("program", func() error {
		_, err := u.Programs.Revise(u.ctx, u.who, Code, nil, program.Content{EffectiveOn: &since, Definition: second})
		return err
	})
}

func (u *setup) definition(fairness string) program.Definition {
	const title = "Bachelor of Applied Science in Data Analytics"
	d := program.Definition{Title: title, HoursPerCredit: 30,
		Description: "Eighteen competencies in six areas, a capstone, thirty advanced credits earned here, and one thing of the student's own choice.",
		Requirement: program.Requirement{Key: "degree", Title: title, Kind: program.All}}
	for _, a := range demo.Areas() {
		d.Requirement.Parts = append(d.Requirement.Parts, u.area(a, fairness))
	}
	d.Requirement.Parts = append(d.Requirement.Parts,
		program.Requirement{Key: "capstone", Title: "Capstone Project with a C or better", Kind: program.Course, CourseID: u.course("PP 450"), Grade: "C", After: []string{"F.1"}},
		u.advanced(), u.choice())
	d.Awards = []program.AwardRule{
		{Requirement: "A", AchievementID: u.achievement("CERT-FOUND"), Policy: program.Propose},
		{Requirement: "degree", AchievementID: u.achievement("BAS-ADA"), Policy: program.Propose},
	}
	return d
}

// area is the requirement of an area: all of it, or two of three where the
// college leaves a choice.
func (u *setup) area(a demo.Area, fairness string) program.Requirement {
	r := program.Requirement{Key: a.Code, Title: a.Title, Kind: program.All}
	if a.Code == "D" {
		r.Kind, r.Count = program.Any, 2
	}
	for _, c := range a.Competencies {
		p := program.Requirement{Key: c.Code, Title: c.Title, Kind: program.Competency, CompetencyID: u.item(c.Code), Level: mastered, Credits: 2}
		if c.Code == "E.2" {
			p.Level = fairness
		}
		if before, ok := after[c.Code]; ok {
			p.After = []string{before}
		}
		r.Parts = append(r.Parts, p)
	}
	return r
}

// advanced asks for credits of the third and fourth year.
func (u *setup) advanced() program.Requirement {
	r := program.Requirement{Key: "advanced", Title: "Thirty advanced credits earned here", Kind: program.Credits, Credits: 30, Resident: true}
	for _, c := range demo.Advanced() {
		if c.Code == "PP 450" {
			continue // it is a requirement of its own
		}
		r.Parts = append(r.Parts, program.Requirement{Key: c.Code, Title: c.Code + " " + c.Title, Kind: program.Course, CourseID: u.course(c.Code)})
	}
	return r
}

// choice asks for one thing of the student's own.
func (u *setup) choice() program.Requirement {
	r := program.Requirement{Key: "choice", Title: "One of the student's own choice", Kind: program.Any, Count: 1}
	for _, a := range []demo.Named{{Code: "MICRO-SQL", Title: "SQL and Data Modelling"}, {Code: "FIELD-150", Title: "Community Data Placement"},
		{Code: "COCUR-PEER", Title: "Peer Data Tutor"}, {Code: "SERV-OPEN", Title: "Open Data Volunteer"}} {
		r.Parts = append(r.Parts, program.Requirement{Key: a.Code, Title: a.Title, Kind: program.Achievement, AchievementID: u.achievement(a.Code)})
	}
	return r
}

// equivalencies are what counts in place of something else: for everybody, and
// what one student brought.
func (u *setup) equivalencies() {
	there := false
	u.do("equivalencies", func() error {
		all, err := u.Programs.Equivalencies(u.ctx, u.who, program.EquivalencyFilter{}, page.Args{})
		there = len(all.Nodes) > 0
		return err
	})
	if there {
		return
	}
	student := ref(demo.Students()[120].Number)
	for _, e := range []program.NewEquivalency{
		{Ground: program.Unit, Given: program.Given{CompetencyID: u.item("C.1"), Level: "Advanced"}, Instead: program.Instead{CourseID: u.course("DE 430"), Credits: 4},
			Reason: "Advanced work in modelling data covers Data Platforms; Curriculum Committee, minute 14."},
		{Ground: program.Unit, Given: program.Given{CompetencyID: u.item("E.3"), Level: mastered}, Instead: program.Instead{CourseID: u.course("GV 340"), Grade: "B", Credits: 3, ClockHours: 90},
			Reason: "The unit in stewardship is assessed as the course is; Curriculum Committee, minute 15."},
		{LearnerID: &student, Ground: program.Transfer, Given: program.Given{Text: "PHIL 310 Ethics of Information, 3 credits, grade A-, Harbour State University, 2024"},
			Instead: program.Instead{CourseID: u.course("GV 340"), Grade: "B", Credits: 3}, Reason: "Syllabus compared by the chair of the program."},
	} {
		e.EffectiveOn = &adopted
		u.do("equivalency", func() error {
			_, err := u.Programs.Approve(u.ctx, u.who, e)
			return err
		})
	}
}

// ref is a student as the college's system names them.
func ref(number string) string { return "ref:" + demo.System + ":" + number }

// enrol puts every student into the version that held when they began.
func (u *setup) enrol() {
	for _, s := range demo.Students() {
		on := day.Of(s.Year, time.August, 28)
		u.do("enrol "+s.Number, func() error {
			_, err := u.Programs.Enrol(u.ctx, u.who, program.NewEnrollment{LearnerID: ref(s.Number), ProgramID: Code, On: &on})
			return err
		})
	}
}
