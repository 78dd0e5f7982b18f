package graph_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/transcript"
	"github.com/testamur/testamur/internal/trust"
)

// world is an institution with one of everything, and what steps need made
// afresh. It is made by those who may, before anybody tries anything.
type world struct {
	*testbed.Bed
	api       *api
	t         testing.TB
	ids       map[string]string
	item      framework.ItemID
	found     int // how many consented to be found
	count     int
	rowsAlone bool
	disclosed bool
	spare     map[string]any // a framework that may be as it was made
}

func newWorld(t testing.TB, db *pg.DB) *world {
	t.Helper()
	b := testbed.On(t, db)
	w := &world{Bed: b, api: over(t, b), t: t, ids: map[string]string{}}
	for _, f := range demo.Files()[:4] {
		if j := b.Import(t, exchange.Kind(f.Kind), f.Data, exchange.Options{System: demo.System}); j.FailedCount > 0 {
			t.Fatalf("%s: %+v", f.Name, j)
		}
	}
	ctx, registrar := context.Background(), b.Registrar()
	frameworks, err := b.Frameworks.List(ctx, registrar, framework.Filter{}, page.Args{})
	w.ids["framework"] = string(testbed.Must(t, frameworks, err).Nodes[0].ID)
	kind := "Competency"
	achievements, err := b.Achievements.List(ctx, registrar, achievement.Filter{Type: &kind}, page.Args{})
	a := testbed.Must(t, achievements, err).Nodes[0]
	w.ids["achievement"] = string(a.ID)
	alignments, err := b.Achievements.AlignmentsOf(ctx, registrar, []achievement.ID{a.ID})
	w.item = *testbed.Must(t, alignments, err)[a.ID][0].ItemID
	w.ids["competency"] = string(w.item)
	courses, err := b.Courses.CoursesOf(ctx, registrar, []framework.ItemID{w.item})
	w.ids["course"] = string(testbed.Must(t, courses, err)[w.item][0].CourseID)
	jobs, err := b.Exchange.List(ctx, registrar, page.Args{})
	w.ids["job"] = testbed.Must(t, jobs, err).Nodes[0].ID
	w.person(a)
	w.ids["share"], w.ids["endedShare"], w.ids["watched"] = w.newShare(), w.newShare(), w.watched()
	other, err := b.Learners.Define(ctx, registrar, learner.Definition{DisplayName: "Somebody Else"})
	w.ids["other"] = string(testbed.Must(t, other, err).ID)
	w.newStaff()
	w.newCrosswalk()
	rule, err := b.Mastery.Define(ctx, b.As(access.Designer), mastery.NewRule{Content: mastery.Content{Name: "For all", Definition: mastery.Definition{Method: mastery.Latest}}})
	w.ids["program"] = w.newProgram()["id"].(string)
	w.ids["masteryRule"] = string(testbed.Must(t, rule, err).ID)
	return w
}

// newNotice is a notice of directory information.
func (w *world) newNotice() map[string]any {
	n, err := w.Consents.Designate(context.Background(), w.Registrar(), consent.Designation{Categories: []string{consent.Name}, Where: "the catalogue"})
	testbed.Must(w.t, n, err)
	return nil
}

// newConsent is a consent of the walked learner to be found by employers.
func (w *world) newConsent() map[string]any {
	c, err := w.Consents.Give(context.Background(), w.Registrar(), consent.Grant{LearnerID: w.ids["learner"], Scope: consent.ToSearch, Method: consent.BySignature})
	return map[string]any{"id": string(testbed.Must(w.t, c, err).ID)}
}

// newBrought is a badge that another issued to the walked learner.
func (w *world) newBrought() map[string]any {
	w.count++
	a := testbed.NewAbroad(1)
	found, err := w.Learners.Find(context.Background(), w.Registrar(), w.ids["learner"])
	c := a.Badge(w.count, testbed.Must(w.t, found, err).SubjectID())
	return map[string]any{"id": w.ids["learner"], "c": string(a.Signed(w.t, c))}
}

// newFindable is a competency by which employers find the walked learner.
func (w *world) newFindable() map[string]any {
	is, err := w.Consents.StandingsOf(context.Background(), w.Registrar(), []learner.ID{learner.ID(w.ids["learner"])})
	if err != nil {
		w.t.Fatal(err)
	}
	if is[learner.ID(w.ids["learner"])].SearchID == nil {
		w.newConsent()
	}
	if is[learner.ID(w.ids["learner"])].Blocked {
		_, err := w.Consents.Choose(context.Background(), w.Registrar(), w.ids["learner"], false, "")
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return map[string]any{"id": w.ids["competency"]}
}

// tenFindable is a competency by which employers find enough to be counted.
func (w *world) tenFindable() map[string]any {
	ctx, registrar := context.Background(), w.Registrar()
	for ; w.found < 10; w.found++ {
		l := learner.ID(w.newLearner()["id"].(string))
		_, err := w.Consents.Give(ctx, registrar, consent.Grant{LearnerID: string(l), Scope: consent.ToSearch, Method: consent.BySignature})
		testbed.Must(w.t, l, err)
		a, err := w.Assertions.Award(ctx, registrar, nil, assertion.Award{LearnerID: string(l), AchievementID: w.ids["achievement"], Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1)}})
		testbed.Must(w.t, a, err)
	}
	return map[string]any{"id": w.ids["competency"]}
}

// newShare is a link to the walked learner's credential.
func (w *world) newShare() string {
	m, err := w.Shares.Create(context.Background(), w.own(), sharing.Offer{LearnerID: w.ids["learner"], Items: []sharing.Item{{CredentialID: w.ids["credential"]}}, Recipient: "Acme", Purpose: "A job"})
	return string(testbed.Must(w.t, m, err).Share.ID)
}

// own is the walked learner.
func (w *world) own() access.Actor {
	own := w.As(access.Learner)
	own.LearnerID = w.ids["learner"]
	return own
}

// watched is a link of the walked learner's that may be watched.
func (w *world) watched() string {
	m, err := w.Shares.Create(context.Background(), w.own(), sharing.Offer{LearnerID: w.ids["learner"], Items: []sharing.Item{{CredentialID: w.ids["credential"]}},
		Recipient: "Acme", Address: "hr@acme.example", Purpose: "A job", Notify: true})
	return string(testbed.Must(w.t, m, err).Share.ID)
}

// unwatched is that link, with the watches of it ended.
func (w *world) unwatched() map[string]any {
	err := w.DB.Tenant(context.Background(), w.As(access.System), func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), `update share_watch set ended_at = created_at, ended_by = 'test' where institution_id = $1 and ended_at is null`, w.Home.ID)
		return err
	})
	return map[string]any{"id": testbed.Must(w.t, w.ids["watched"], err)}
}

// newWatch is a watch of such a link.
func (w *world) newWatch() map[string]any {
	made, err := w.Shares.WatchFor(context.Background(), w.own(), w.ids["watched"], "")
	return map[string]any{"id": testbed.Must(w.t, made, err).Watch.ID}
}

// newFailure is a message that was tried as often as it is.
func (w *world) newFailure() map[string]any {
	watch := w.newWatch()["id"].(string)
	var id string
	err := w.DB.Tenant(context.Background(), w.As(access.System), func(tx pgx.Tx) error {
		return tx.QueryRow(context.Background(), `update message set state = 'failed', attempts = 9, settled_at = created_at where institution_id = $1 and watch_id = $2 returning id`,
			w.Home.ID, watch).Scan(&id)
	})
	return map[string]any{"id": testbed.Must(w.t, id, err)}
}

// newOrder is an order of the walked learner's record that waits.
func (w *world) newOrder() map[string]any {
	o, err := w.Shares.Order(context.Background(), w.Registrar(), sharing.Wanted{LearnerID: w.ids["learner"], Recipient: "Acme", Purpose: "A job", Wait: sharing.UntilSomething, Method: consent.BySignature})
	return map[string]any{"id": testbed.Must(w.t, o, err).Order.ID}
}

// nothingHeld is something of the walked learner's, of whom nothing is held back,
// where a key that signs prints is there already.
func nothingHeld(name string) func(*world) map[string]any {
	return func(w *world) map[string]any {
		w.liftHolds()
		return map[string]any{"id": w.ids[name]}
	}
}

func (w *world) liftHolds() {
	if _, err := w.Keys.EnsureOf(context.Background(), w.As(access.System), keyring.P256); err != nil {
		w.t.Fatal(err)
	}
	who, id := w.Registrar(), learner.ID(w.ids["learner"])
	all, err := w.Holds.OfLearners(context.Background(), who, []learner.ID{id}, page.Args{})
	for _, h := range testbed.Must(w.t, all, err)[id].Nodes {
		if h.LiftedAt == nil {
			if _, err := w.Holds.Lift(context.Background(), who, string(h.ID), "Paid."); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// newPrint is a print of the walked learner's record.
func (w *world) newPrint() map[string]any {
	d, err := w.Documents.Make(context.Background(), w.Registrar(), nil, transcript.Making{RecordID: w.ids["record"], Recipient: "Acme"})
	return map[string]any{"id": string(testbed.Must(w.t, d, err).ID)}
}

// newHold is a hold of the walked learner's records.
func (w *world) newHold() map[string]any {
	h, err := w.Holds.Place(context.Background(), w.Registrar(), release.Placement{LearnerID: w.ids["learner"], Reason: release.Other})
	return map[string]any{"id": string(testbed.Must(w.t, h, err).ID)}
}

// newDisclosure is something that was told of the walked learner.
func (w *world) newDisclosure() map[string]any {
	if w.disclosed {
		return nil
	}
	w.disclosed = true
	l, err := w.Disclosures.Record(context.Background(), w.Registrar(), disclosure.Manual{LearnerID: w.ids["learner"], Party: "State auditor", Purpose: "Audit", Basis: disclosure.ToAuthorities, Items: []string{"record"}})
	testbed.Must(w.t, l, err)
	return nil
}

// otherChoice is what the walked learner has not said about the directory.
func (w *world) otherChoice() map[string]any {
	l := learner.ID(w.ids["learner"])
	all, err := w.Consents.StandingsOf(context.Background(), w.Registrar(), []learner.ID{l})
	return map[string]any{"id": string(l), "b": !testbed.Must(w.t, all, err)[l].Blocked}
}

// newProgram is a program that asks for a course.
func (w *world) newProgram() map[string]any {
	v := w.newProgramCode()
	p, err := w.Programs.Define(context.Background(), w.As(access.Designer), v["code"].(string), program.Content{Definition: program.Definition{Title: "Program",
		Requirement: program.Requirement{Kind: program.Course, Title: "Course", CourseID: course.ID(v["id"].(string))}}})
	return map[string]any{"id": string(testbed.Must(w.t, p, err).ID), "course": v["id"], "learner": w.ids["learner"]}
}

// twoCourses are id and course, of which one may count as the other.
func (w *world) twoCourses() map[string]any {
	return map[string]any{"id": w.newCourse()["id"], "course": w.ids["course"]}
}

// newEquivalency is one for everybody.
func (w *world) newEquivalency() map[string]any {
	v := w.twoCourses()
	e, err := w.Programs.Approve(context.Background(), w.As(access.Designer), program.NewEquivalency{Ground: program.Substitution, Reason: "The same syllabus",
		Given: program.Given{CourseID: course.ID(v["id"].(string))}, Instead: program.Instead{CourseID: course.ID(v["course"].(string))}})
	return map[string]any{"id": string(testbed.Must(w.t, e, err).ID)}
}

// newProposal is that an achievement follows for the walked learner.
func (w *world) newProposal() map[string]any {
	ctx, registrar, v := context.Background(), w.Registrar(), w.newProgramCode()
	badge, code := w.newAchievement()["id"].(string), v["code"].(string)
	p, err := w.Programs.Define(ctx, w.As(access.Designer), code, program.Content{Definition: program.Definition{Title: "Program",
		Awards:      []program.AwardRule{{Requirement: "1", AchievementID: achievement.ID(badge), Policy: program.Propose}},
		Requirement: program.Requirement{Kind: program.Course, CourseID: course.ID(v["id"].(string))}}})
	testbed.Must(w.t, p, err)
	e, err := w.Programs.Enrol(ctx, registrar, program.NewEnrollment{LearnerID: w.ids["learner"], ProgramID: code})
	testbed.Must(w.t, e, err)
	a, err := w.Assertions.Award(ctx, registrar, nil, assertion.Award{LearnerID: w.ids["learner"], CourseID: v["id"].(string), Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1)}})
	testbed.Must(w.t, a, err)
	c, err := w.Programs.Conclude(ctx, access.SystemOf(string(w.Home.ID), "award"), []learner.ID{learner.ID(w.ids["learner"])})
	testbed.Must(w.t, c, err)
	all, err := w.Programs.Proposals(ctx, registrar, program.ProposalFilter{ProgramID: &code}, page.Args{})
	return map[string]any{"id": string(testbed.Must(w.t, all, err).Nodes[0].ID)}
}

// oneProposal is newProposal, once.
func (w *world) oneProposal() map[string]any {
	if w.ids["proposal"] == "" {
		w.ids["proposal"] = w.newProposal()["id"].(string)
	}
	return nil
}

func (w *world) newProgramCode() map[string]any {
	v := w.newCourse()
	return map[string]any{"id": v["id"], "code": w.next()}
}

// freeItem is a competency that has no rule of its own; the rule that was made
// for another one last is retired.
func (w *world) freeItem() map[string]any {
	w.retireRules()
	return map[string]any{"id": string(w.item)}
}

func (w *world) retireRules() {
	ctx, designer := context.Background(), w.As(access.Designer)
	all, err := w.Mastery.Rules(ctx, designer, mastery.RuleFilter{}, page.Args{})
	for _, r := range testbed.Must(w.t, all, err).Nodes {
		if r.ItemID != nil {
			_, err := w.Mastery.Retire(ctx, designer, string(r.ID), nil)
			testbed.Must(w.t, r, err)
		}
	}
}

// newRule is a rule about the walked competency.
func (w *world) newRule() map[string]any {
	w.retireRules()
	item := string(w.item)
	r, err := w.Mastery.Define(context.Background(), w.As(access.Designer), mastery.NewRule{ItemID: &item, Content: mastery.Content{Name: w.next()}})
	return map[string]any{"id": string(testbed.Must(w.t, r, err).ID)}
}

// person is the learner whose name nobody else may read, with an award, its
// credential and a record.
func (w *world) person(a achievement.Achievement) {
	ctx, registrar, email := context.Background(), w.Registrar(), "confidential@x.example"
	l, err := w.Learners.Define(ctx, registrar, learner.Definition{DisplayName: secret + " Person", Email: &email,
		Identifiers: []learner.Identifier{{Type: "systemId", Value: secret}}})
	w.ids["learner"] = string(testbed.Must(w.t, l, err).ID)
	narrative := secret + " work"
	as, err := w.Assertions.Award(ctx, registrar, nil, assertion.Award{LearnerID: w.ids["learner"], AchievementID: string(a.ID),
		Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1), Narrative: &narrative}})
	w.ids["assertion"] = string(testbed.Must(w.t, as, err).ID)
	c, err := w.Credentials.Issue(ctx, registrar, nil, credential.Order{AssertionID: w.ids["assertion"]})
	w.ids["credential"] = string(testbed.Must(w.t, c, err).ID)
	w.ids["document"] = *c.Document
	r, err := w.Records.Assemble(ctx, registrar, nil, w.ids["learner"])
	w.ids["record"] = string(testbed.Must(w.t, r, err).ID)
}

// next is a word that was not there before.
func (w *world) next() string {
	w.count++
	return fmt.Sprintf("n%d", w.count)
}

func (w *world) address() map[string]any { return map[string]any{"n": w.next() + "@x.example"} }

// newPhone makes the phone number another than the one a step sets.
func (w *world) newPhone() map[string]any {
	phone := w.next()
	_, err := w.Institutions.Revise(context.Background(), w.As(access.Administrator), nil, institution.Profile{Name: demo.Name, Phone: &phone})
	return testbed.Must(w.t, map[string]any{}, err)
}

func (w *world) newStaff() map[string]any {
	s, err := w.Institutions.AddStaff(context.Background(), w.As(access.Administrator),
		institution.NewStaff{Email: w.next() + "@staff.example", Name: "Staff", Roles: []access.Role{access.Assessor}})
	w.renameOther()
	return map[string]any{"id": testbed.Must(w.t, s, err).ID}
}

// renameOther frees the address that the step reviseStaff gives.
func (w *world) renameOther() {
	ctx, admin := context.Background(), w.As(access.Administrator)
	first := 100
	all, err := w.Institutions.ListStaff(ctx, admin, page.Args{First: &first})
	for _, s := range testbed.Must(w.t, all, err).Nodes {
		if s.Email == "other@x.example" {
			_, err := w.Institutions.ReviseStaff(ctx, admin, s.ID, nil, institution.NewStaff{Email: w.next() + "@staff.example", Name: s.Name, Roles: s.Roles})
			testbed.Must(w.t, s, err)
		}
	}
}

func (w *world) newClient() map[string]any {
	c, _, err := w.Institutions.CreateClient(context.Background(), w.As(access.Administrator), institution.NewClient{Name: w.next(), Roles: []access.Role{access.Reader}})
	return map[string]any{"id": testbed.Must(w.t, c, err).ID}
}

func (w *world) newKey() map[string]any {
	k, err := w.Keys.Rotate(context.Background(), w.As(access.Administrator), keyring.Ed25519)
	return map[string]any{"id": testbed.Must(w.t, k, err).ID}
}

func (w *world) newLearner() map[string]any {
	name := w.next()
	l, err := w.Learners.Define(context.Background(), w.Registrar(), learner.Definition{DisplayName: secret + " " + name,
		Identifiers: []learner.Identifier{{Type: "userName", Value: name}}})
	return map[string]any{"id": string(testbed.Must(w.t, l, err).ID), "n": name}
}

func (w *world) newCourse() map[string]any {
	ctx := context.Background()
	c, err := w.Courses.Define(ctx, w.Registrar(), course.Definition{Code: w.next(), Title: "Course"})
	testbed.Must(w.t, c, err)
	m, err := w.Courses.Map(ctx, w.Registrar(), string(c.ID), string(w.item), course.Introduced, nil)
	testbed.Must(w.t, m, err)
	return map[string]any{"id": string(c.ID), "item": string(w.item)}
}

// newFramework has two competencies, a and b, at its top. The one that was made
// before does when nobody has changed it.
func (w *world) newFramework() map[string]any {
	ctx, registrar := context.Background(), w.Registrar()
	if v := w.spare; v != nil {
		if f, err := w.Frameworks.Find(ctx, registrar, v["framework"].(string)); err == nil && f.Version == 1 && f.Publication == framework.ByStatus {
			return maps.Clone(v)
		}
	}
	w.count++
	name := func(n int) string { return fmt.Sprintf("0f6b5b0a-3a5e-4d7e-%04d-%012d", 8000+n, w.count) }
	const tail = `","uri":"https://x.example/x","lastChangeDateTime":"2026-01-01T00:00:00Z"`
	below := func(n, child int) string {
		return fmt.Sprintf(`{"identifier":"%s%s,"associationType":"isChildOf","originNodeURI":{"title":"c","identifier":"%s","uri":"https://x.example/x"},"destinationNodeURI":{"title":"d","identifier":"%s","uri":"https://x.example/x"}}`, name(n), tail, name(child), name(0))
	}
	l, err := w.Frameworks.Import(ctx, registrar, strings.NewReader(`{"CFDocument":{"identifier":"`+name(0)+tail+`,"creator":"X","title":"T"},"CFItems":[{"identifier":"`+name(1)+tail+`,"fullStatement":"a"},{"identifier":"`+name(2)+tail+`,"fullStatement":"b"}],"CFAssociations":[`+below(3, 1)+`,`+below(4, 2)+`]}`))
	id := string(testbed.Must(w.t, l, err).Framework)
	w.spare = map[string]any{"framework": id, "id": id, "a": name(1), "b": name(2), "n": w.next() + " revised", "item": string(w.item)}
	return maps.Clone(w.spare)
}

// twoItems are id and a, two competencies of one framework.
func (w *world) twoItems() map[string]any {
	v := w.newFramework()
	v["id"] = v["b"]
	return v
}

// unwalked are twoItems without a crosswalk.
func (w *world) unwalked() map[string]any {
	w.spare = nil
	return w.twoItems()
}

func (w *world) newAssociation() map[string]any {
	ctx, registrar, v := context.Background(), w.Registrar(), w.newFramework()
	i, err := w.Frameworks.Associate(ctx, registrar, v["a"].(string), "precedes", v["b"].(string), nil)
	a := testbed.Must(w.t, i, err).ID
	all, err := w.Frameworks.AssociationsOf(ctx, registrar, []framework.ItemID{a})
	for _, x := range testbed.Must(w.t, all, err)[a] {
		if x.Type == "precedes" {
			return map[string]any{"id": x.ID}
		}
	}
	w.t.Fatal("no association")
	return nil
}

func (w *world) newCrosswalk() map[string]any {
	v := w.unwalked()
	c, err := w.Frameworks.ProposeCrosswalk(context.Background(), w.Registrar(), framework.Proposal{OriginID: v["a"].(string), DestinationID: string(w.item),
		Type: "exactMatchOf", Direction: framework.Forward, Strength: 1})
	return map[string]any{"id": testbed.Must(w.t, c, err).ID}
}

// newPackage is an upload of a framework that is not here.
func (w *world) newPackage() map[string]any {
	w.count++
	text := fmt.Sprintf(`{"CFDocument":{"identifier":"0f6b5b0a-3a5e-4d7e-9b1a-%012d","uri":"https://x.example/d","creator":"X","title":"T","lastChangeDateTime":"2026-01-01T00:00:00Z"}}`, w.count)
	u, err := w.Exchange.Receive(context.Background(), w.Registrar(), "case.json", strings.NewReader(text))
	return map[string]any{"id": testbed.Must(w.t, u, err).ID}
}

func (w *world) newAchievement() map[string]any {
	a, err := w.Achievements.Define(context.Background(), w.Registrar(), achievement.Draft{Ref: &id.Ref{System: "x", Value: w.next()},
		Definition: achievement.Definition{Name: "Badge", Description: "d", Criteria: &openbadges.Criteria{Narrative: "n"},
			Alignment: openbadges.List[openbadges.Alignment]{{TargetName: "t", TargetURL: "https://x.example/target"}}}})
	return map[string]any{"id": string(testbed.Must(w.t, a, err).ID), "item": string(w.item), "course": w.ids["course"], "learner": w.ids["learner"]}
}

// newAssertion is an award that the walked learner did not have.
func (w *world) newAssertion() map[string]any {
	badge := w.newAchievement()["id"].(string)
	a, err := w.Assertions.Award(context.Background(), w.Registrar(), nil,
		assertion.Award{LearnerID: w.ids["learner"], AchievementID: badge, Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1)}})
	return map[string]any{"id": string(testbed.Must(w.t, a, err).ID), "learner": w.ids["learner"]}
}

// newCredential is an issued one that stands.
func (w *world) newCredential() map[string]any {
	c, err := w.Credentials.Issue(context.Background(), w.Registrar(), nil, credential.Order{AssertionID: w.newAssertion()["id"].(string)})
	return map[string]any{"id": string(testbed.Must(w.t, c, err).ID)}
}

func (w *world) newSuspended() map[string]any {
	v := w.newCredential()
	c, err := w.Credentials.Suspend(context.Background(), w.Registrar(), nil, v["id"].(string), "hold")
	testbed.Must(w.t, c, err)
	return v
}

// oldPolicy is another than the one that a step sets.
func (w *world) oldPolicy() map[string]any {
	p, err := w.Credentials.SetPolicy(context.Background(), w.As(access.Administrator), false)
	testbed.Must(w.t, p, err)
	return nil
}

// revokedInRecord is a credential that stands in a record and was revoked since.
func (w *world) revokedInRecord() map[string]any {
	ctx, registrar := context.Background(), w.Registrar()
	made := w.newCredential()["id"].(string)
	r, err := w.Records.Assemble(ctx, registrar, nil, w.ids["learner"])
	testbed.Must(w.t, r, err)
	c, err := w.Credentials.Revoke(ctx, registrar, nil, made, credential.Revocation{Cause: credential.IssuedInError, Reason: "x"})
	testbed.Must(w.t, c, err)
	return map[string]any{"credential": made}
}

// newCorrection waits for approval. The one that was made before does when nobody
// has decided it.
func (w *world) newCorrection() map[string]any {
	ctx, registrar := context.Background(), w.Registrar()
	open, err := w.Records.Corrections(ctx, registrar, record.CorrectionFilter{State: &waiting}, page.Args{})
	if all := testbed.Must(w.t, open, err).Nodes; len(all) > 0 {
		return map[string]any{"id": string(all[0].ID)}
	}
	v := w.revokedInRecord()
	c, err := w.Records.Propose(ctx, registrar, record.Affected{Credential: v["credential"].(string), Reason: "x"})
	return map[string]any{"id": string(testbed.Must(w.t, c, err).ID)}
}

var waiting = record.Proposed

// ownGrading is a grading policy.
func (w *world) ownGrading() map[string]any {
	g, err := w.Records.ReviseGrading(context.Background(), w.Registrar(), nil, record.GradingContent{Name: "Marks", Grades: []record.Grade{{Mark: "P", Earns: true}}})
	testbed.Must(w.t, g, err)
	return nil
}

// ownType is a record type beside those that come with the service, which
// everybody may know.
func (w *world) ownType() map[string]any {
	t, err := w.Records.ReviseType(context.Background(), w.Registrar(), "mine", nil, record.Content{Title: "Mine", Headings: record.ByType, Order: record.OldestFirst})
	testbed.Must(w.t, t, err)
	return nil
}

func (w *world) newName() map[string]any {
	return map[string]any{"n": "did:web:" + w.next() + ".example"}
}

func (w *world) newIssuer() map[string]any {
	i, err := w.Trust.Add(context.Background(), w.Registrar(), trust.Entry{Name: "Somebody", Issuer: "did:web:" + w.next() + ".example"})
	v := w.newName()
	v["id"] = testbed.Must(w.t, i, err).ID
	return v
}

func (w *world) newUpload() map[string]any {
	u, err := w.Exchange.Receive(context.Background(), w.Registrar(), "courses.csv", strings.NewReader("code,title\n"+w.next()+",New\n"))
	return map[string]any{"id": testbed.Must(w.t, u, err).ID}
}

func (w *world) newJob() map[string]any {
	j, err := w.Exchange.Start(context.Background(), w.Registrar(), nil, exchange.Order{Kind: exchange.Courses, UploadID: w.newUpload()["id"].(string)})
	return map[string]any{"id": testbed.Must(w.t, j, err).ID}
}
