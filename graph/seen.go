package graph

import (
	"context"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/transcript"
)

// listed notes what a list holds, so that what hangs on its entries is loaded
// for all of them at once, and hands the list on.
func listed[V any](ctx context.Context, c page.Connection[V], err error) (*page.Connection[V], error) {
	if err != nil {
		return nil, err
	}
	note(load(ctx), c.Nodes)
	return &c, nil
}

// note says which ids were seen together: those of the things themselves, and
// those that they point to.
func note[V any](l *loaders, list []V) {
	if len(list) < 2 {
		return
	}
	k := &l.seen
	switch all := any(list).(type) {
	case []learner.Learner:
		k.learner.add(each(all, func(x learner.Learner) learner.ID { return x.ID }))
	case []framework.Framework:
		k.framework.add(each(all, func(x framework.Framework) framework.ID { return x.ID }))
	case []framework.Rubric:
		k.part.add(each(all, func(x framework.Rubric) string { return x.ID }))
	case []framework.Criterion:
		k.part.add(each(all, func(x framework.Criterion) string { return x.ID }))
	case []framework.Item:
		k.item.add(each(all, func(x framework.Item) framework.ItemID { return x.ID }))
		k.framework.add(each(all, func(x framework.Item) framework.ID { return x.FrameworkID }))
	case []framework.Association:
		k.item.add(given(all, func(x framework.Association) *framework.ItemID { return x.OtherID }))
	case []framework.ItemChange:
		k.item.add(given(all, func(x framework.ItemChange) *framework.ItemID { return x.ItemID }))
	case []framework.Problem:
		for _, p := range all {
			k.item.add(p.Items)
		}
	case []framework.Crosswalk:
		k.item.add(each(all, func(x framework.Crosswalk) framework.ItemID { return x.OriginItemID }))
		k.item.add(each(all, func(x framework.Crosswalk) framework.ItemID { return x.DestinationItemID }))
	case []course.Row:
		k.item.add(each(all, func(x course.Row) framework.ItemID { return x.Item }))
		for _, r := range all {
			k.course.add(each(r.Mappings, func(x course.Mapping) course.ID { return x.CourseID }))
		}
	case []course.Course:
		k.course.add(each(all, func(x course.Course) course.ID { return x.ID }))
	case []course.Mapping:
		k.course.add(each(all, func(x course.Mapping) course.ID { return x.CourseID }))
		k.item.add(each(all, func(x course.Mapping) framework.ItemID { return x.ItemID }))
	case []exchange.Job:
		k.part.add(each(all, func(x exchange.Job) string { return x.ID }))
	default:
		k.noteEarned(all)
	}
}

// noteEarned is note for achievements and what became of them.
func (k *kinds) noteEarned(list any) {
	switch all := list.(type) {
	case []achievement.Achievement:
		k.achievement.add(each(all, func(x achievement.Achievement) achievement.ID { return x.ID }))
		k.course.add(given(all, func(x achievement.Achievement) *course.ID { return x.CourseID }))
	case []achievement.Version:
		k.achievement.add(each(all, func(x achievement.Version) achievement.ID { return x.AchievementID }))
	case []achievement.Alignment:
		k.achievement.add(each(all, func(x achievement.Alignment) achievement.ID { return x.AchievementID }))
		k.item.add(given(all, func(x achievement.Alignment) *framework.ItemID { return x.ItemID }))
		k.course.add(given(all, func(x achievement.Alignment) *course.ID { return x.CourseID }))
	case []assertion.Assertion:
		k.assertion.add(each(all, func(x assertion.Assertion) assertion.ID { return x.ID }))
		k.learner.add(each(all, func(x assertion.Assertion) learner.ID { return x.LearnerID }))
		k.achievement.add(each(all, func(x assertion.Assertion) achievement.ID { return x.AchievementID }))
		k.pin.add(each(all, assertion.Assertion.Pin))
	case []assertion.Against:
		k.item.add(each(all, func(x assertion.Against) framework.ItemID { return x.ItemID }))
	case []mastery.Standing:
		k.noteStandings(all)
	case []mastery.Said:
		k.item.add(each(all, func(x mastery.Said) framework.ItemID { return x.ItemID }))
		k.assertion.add(given(all, func(x mastery.Said) *assertion.ID { return x.AssertionID }))
	case []program.Program:
		k.program.add(each(all, func(x program.Program) program.ID { return x.ID }))
		for _, p := range all {
			k.noteRequirements(p.Requirements())
		}
	case []program.Report:
		k.noteReports(all)
	case []program.Equivalency:
		k.noteEquivalencies(all)
	case []program.Proposal:
		k.proposal.add(each(all, func(x program.Proposal) program.ProposalID { return x.ID }))
		k.program.add(each(all, func(x program.Proposal) program.ID { return x.ProgramID }))
		k.learner.add(each(all, func(x program.Proposal) learner.ID { return x.LearnerID }))
		k.achievement.add(each(all, func(x program.Proposal) achievement.ID { return x.AchievementID }))
		k.assertion.add(given(all, func(x program.Proposal) *assertion.ID { return x.AssertionID }))
	case []mastery.Rule:
		k.noteRules(all)
	case []credential.Credential:
		k.learner.add(each(all, func(x credential.Credential) learner.ID { return x.LearnerID }))
		k.assertion.add(given(all, func(x credential.Credential) *assertion.ID { return x.AssertionID }))
		k.credential.add(each(all, func(x credential.Credential) credential.ID { return x.ID }))
		k.shown.add(each(all, func(x credential.Credential) string { return string(x.ID) }))
		k.credential.add(given(all, func(x credential.Credential) *credential.ID { return x.Supersedes }))
		k.credential.add(given(all, func(x credential.Credential) *credential.ID { return x.SupersededBy }))
	case []credential.ID:
		k.credential.add(all)
	case []consent.Consent:
		k.consent.add(each(all, func(x consent.Consent) consent.ID { return x.ID }))
		k.learner.add(each(all, func(x consent.Consent) learner.ID { return x.LearnerID }))
	case []sharing.Share:
		k.share.add(each(all, func(x sharing.Share) sharing.ID { return x.ID }))
		k.part.add(each(all, func(x sharing.Share) string { return string(x.ID) }))
		k.learner.add(each(all, func(x sharing.Share) learner.ID { return x.LearnerID }))
		k.consent.add(each(all, func(x sharing.Share) consent.ID { return x.ConsentID }))
		k.record.add(given(all, func(x sharing.Share) *record.ID { return x.RecordID }))
	case []sharing.Order:
		k.learner.add(each(all, func(x sharing.Order) learner.ID { return x.LearnerID }))
		k.consent.add(each(all, func(x sharing.Order) consent.ID { return x.ConsentID }))
		k.hold.add(given(all, func(x sharing.Order) *release.ID { return x.HoldID }))
		k.share.add(given(all, func(x sharing.Order) *sharing.ID { return x.ShareID }))
	case []sharing.Watch:
		k.watch.add(each(all, func(x sharing.Watch) string { return x.ID }))
	case []sharing.Message:
		k.share.add(each(all, func(x sharing.Message) sharing.ID { return x.ShareID }))
		k.watch.add(given(all, func(x sharing.Message) *string { return x.WatchID }))
		k.credential.add(given(all, func(x sharing.Message) *credential.ID { return x.CredentialID }))
	case []sharing.Chosen:
		k.credential.add(each(all, func(x sharing.Chosen) credential.ID { return x.CredentialID }))
	case []release.Hold:
		k.learner.add(each(all, func(x release.Hold) learner.ID { return x.LearnerID }))
	case []transcript.Document:
		k.print.add(each(all, func(x transcript.Document) transcript.ID { return x.ID }))
	case []deposit.Deposit:
		k.learner.add(each(all, func(x deposit.Deposit) learner.ID { return x.LearnerID }))
	case []disclosure.Line:
		k.learner.add(each(all, func(x disclosure.Line) learner.ID { return x.LearnerID }))
		k.consent.add(given(all, func(x disclosure.Line) *consent.ID { return x.ConsentID }))
	case []consent.Standing:
		k.learner.add(each(all, func(x consent.Standing) learner.ID { return x.LearnerID }))
		k.consent.add(given(all, func(x consent.Standing) *consent.ID { return x.SearchID }))
	case []record.Correction:
		k.correction.add(each(all, func(x record.Correction) record.CorrectionID { return x.ID }))
		k.learner.add(each(all, func(x record.Correction) learner.ID { return x.LearnerID }))
	case []record.CorrectionItem:
		k.credential.add(given(all, func(x record.CorrectionItem) *credential.ID { return x.CredentialID }))
		k.credential.add(given(all, func(x record.CorrectionItem) *credential.ID { return x.NewCredentialID }))
		k.record.add(given(all, func(x record.CorrectionItem) *record.ID { return x.RecordID }))
		k.record.add(given(all, func(x record.CorrectionItem) *record.ID { return x.NewRecordID }))
	case []record.Around:
		k.record.add(given(all, func(x record.Around) *record.ID { return x.Before }))
		k.record.add(given(all, func(x record.Around) *record.ID { return x.After }))
	case []record.Record:
		k.record.add(each(all, func(x record.Record) record.ID { return x.ID }))
		k.learner.add(each(all, func(x record.Record) learner.ID { return x.LearnerID }))
		k.credential.add(each(all, func(x record.Record) credential.ID { return x.CredentialID }))
	}
}

// noteStandings is note for states, and for the rules that they follow from.
func (k *kinds) noteStandings(all []mastery.Standing) {
	k.learner.add(each(all, func(x mastery.Standing) learner.ID { return x.LearnerID }))
	k.item.add(each(all, func(x mastery.Standing) framework.ItemID { return x.ItemID }))
	k.ask.add(each(all, asked))
	var rules []mastery.Rule
	for _, x := range all {
		if x.Rule != nil {
			rules = append(rules, *x.Rule)
		}
	}
	k.noteRules(rules)
}

func (k *kinds) noteRules(all []mastery.Rule) {
	k.rule.add(each(all, func(x mastery.Rule) mastery.RuleID { return x.ID }))
	k.item.add(given(all, func(x mastery.Rule) *framework.ItemID { return x.ItemID }))
	k.framework.add(given(all, func(x mastery.Rule) *framework.ID { return x.FrameworkID }))
}

// noteReports is note for progress.
func (k *kinds) noteReports(all []program.Report) {
	k.program.add(given(all, func(x program.Report) *program.ID { return x.ProgramID }))
	var list []program.Requirement
	for _, r := range all {
		for _, p := range r.Requirements {
			list = append(list, p.Requirement)
		}
	}
	k.noteRequirements(list)
	for _, r := range all {
		k.equivalency.add(given(r.Requirements, func(x program.Progress) *program.EquivalencyID { return x.Equivalency }))
		k.assertion.add(given(r.Requirements, first))
	}
}

// first is the award that meets a requirement, or comes nearest.
func first(p program.Progress) *assertion.ID {
	if len(p.AssertionIDs) == 0 {
		return nil
	}
	return &p.AssertionIDs[0]
}

// noteEquivalencies is note for what counts in place of what.
func (k *kinds) noteEquivalencies(all []program.Equivalency) {
	k.equivalency.add(each(all, func(x program.Equivalency) program.EquivalencyID { return x.ID }))
	k.learner.add(given(all, func(x program.Equivalency) *learner.ID { return x.LearnerID }))
	var list []program.Requirement
	for _, e := range all {
		list = append(list, program.Requirement{CompetencyID: e.Given.CompetencyID, CourseID: e.Given.CourseID, AchievementID: e.Given.AchievementID},
			program.Requirement{CompetencyID: e.Instead.CompetencyID, CourseID: e.Instead.CourseID, AchievementID: e.Instead.AchievementID})
	}
	k.noteRequirements(list)
}

func (k *kinds) noteRequirements(all []program.Requirement) {
	k.item.add(named(all, func(x program.Requirement) framework.ItemID { return x.CompetencyID }))
	k.course.add(named(all, func(x program.Requirement) course.ID { return x.CourseID }))
	k.achievement.add(named(all, func(x program.Requirement) achievement.ID { return x.AchievementID }))
}

// named are the ids of those that name one.
func named[T any, K ~string](all []T, id func(T) K) []K {
	return given(all, func(x T) *K {
		if v := id(x); v != "" {
			return &v
		}
		return nil
	})
}

// noteIDs is note for ids of any kind.
func (k *kinds) noteIDs(all []string) {
	k.learner.add(ofKind[learner.ID](all, "lrn"))
	k.framework.add(ofKind[framework.ID](all, "fwk"))
	k.item.add(ofKind[framework.ItemID](all, "itm"))
	k.course.add(ofKind[course.ID](all, "crs"))
	k.achievement.add(ofKind[achievement.ID](all, "ach"))
	k.assertion.add(ofKind[assertion.ID](all, "asn"))
	k.credential.add(ofKind[credential.ID](all, "crd"))
	k.record.add(ofKind[record.ID](all, "rec"))
	k.consent.add(ofKind[consent.ID](all, "cns"))
	k.correction.add(ofKind[record.CorrectionID](all, "cor"))
	k.part.add(ofKind[string](all, "job"))
}

func ofKind[K ~string](all []string, prefix string) []K {
	var ids []K
	for _, name := range all {
		if id.Prefix(name) == prefix {
			ids = append(ids, K(name))
		}
	}
	return ids
}

func each[V any, K comparable](all []V, id func(V) K) []K {
	ids := make([]K, len(all))
	for i, v := range all {
		ids[i] = id(v)
	}
	return ids
}

// given are the ids of those that have one.
func given[V any, K comparable](all []V, id func(V) *K) []K {
	var ids []K
	for _, v := range all {
		if p := id(v); p != nil {
			ids = append(ids, *p)
		}
	}
	return ids
}
