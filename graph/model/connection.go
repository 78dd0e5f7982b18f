// Package model is the values that GraphQL has and the nouns do not: payloads,
// inputs, and the connections, of which each is one line here. What is generated
// stands in model.go.
package model

import (
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/search"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/trust"
)

// The connections and their edges.
type (
	StaffConnection             = page.Connection[institution.Staff]
	StaffEdge                   = page.Edge[institution.Staff]
	ApiClientConnection         = page.Connection[institution.Client]
	ApiClientEdge               = page.Edge[institution.Client]
	LearnerConnection           = page.Connection[learner.Learner]
	LearnerEdge                 = page.Edge[learner.Learner]
	LearnerMatchConnection      = page.Connection[search.Match]
	LearnerMatchEdge            = page.Edge[search.Match]
	FrameworkConnection         = page.Connection[framework.Framework]
	FrameworkEdge               = page.Edge[framework.Framework]
	CompetencyConnection        = page.Connection[framework.Item]
	CompetencyEdge              = page.Edge[framework.Item]
	FrameworkVersionConnection  = page.Connection[framework.Version]
	FrameworkVersionEdge        = page.Edge[framework.Version]
	CompetencyChangeConnection  = page.Connection[framework.ItemChange]
	CompetencyChangeEdge        = page.Edge[framework.ItemChange]
	AssociationChangeConnection = page.Connection[framework.LinkChange]
	AssociationChangeEdge       = page.Edge[framework.LinkChange]
	CoverageRowConnection       = page.Connection[course.Row]
	CoverageRowEdge             = page.Edge[course.Row]
	CrosswalkConnection         = page.Connection[framework.Crosswalk]
	CrosswalkEdge               = page.Edge[framework.Crosswalk]
	CourseConnection            = page.Connection[course.Course]
	CourseEdge                  = page.Edge[course.Course]
	AchievementConnection       = page.Connection[achievement.Achievement]
	AchievementEdge             = page.Edge[achievement.Achievement]
	AssertionConnection         = page.Connection[assertion.Assertion]
	AssertionEdge               = page.Edge[assertion.Assertion]
	RecordConnection            = page.Connection[record.Record]
	RecordEdge                  = page.Edge[record.Record]
	CorrectionConnection        = page.Connection[record.Correction]
	CorrectionEdge              = page.Edge[record.Correction]
	JobConnection               = page.Connection[exchange.Job]
	JobEdge                     = page.Edge[exchange.Job]
	RowOutcomeConnection        = page.Connection[exchange.Outcome]
	RowOutcomeEdge              = page.Edge[exchange.Outcome]
	AuditLineConnection         = page.Connection[audit.Line]
	AuditLineEdge               = page.Edge[audit.Line]

	ConsentConnection = page.Connection[consent.Consent]
	ConsentEdge       = page.Edge[consent.Consent]

	DepositedCredentialConnection = page.Connection[deposit.Deposit]
	DepositedCredentialEdge       = page.Edge[deposit.Deposit]
	HoldConnection                = page.Connection[release.Hold]
	HoldEdge                      = page.Edge[release.Hold]
	DisclosureConnection          = page.Connection[disclosure.Line]
	DisclosureEdge                = page.Edge[disclosure.Line]
	ShareConnection               = page.Connection[sharing.Share]
	ShareEdge                     = page.Edge[sharing.Share]
	MessageConnection             = page.Connection[sharing.Message]
	MessageEdge                   = page.Edge[sharing.Message]
	OrderConnection               = page.Connection[sharing.Order]
	OrderEdge                     = page.Edge[sharing.Order]

	KnownIssuerConnection = page.Connection[trust.Issuer]
	KnownIssuerEdge       = page.Edge[trust.Issuer]

	CompetencyStateConnection = page.Connection[mastery.Standing]
	CompetencyStateEdge       = page.Edge[mastery.Standing]
	ProgramConnection         = page.Connection[program.Program]
	ProgramEdge               = page.Edge[program.Program]
	EquivalencyConnection     = page.Connection[program.Equivalency]
	EquivalencyEdge           = page.Edge[program.Equivalency]
	AwardProposalConnection   = page.Connection[program.Proposal]
	AwardProposalEdge         = page.Edge[program.Proposal]
	MasteryRuleConnection     = page.Connection[mastery.Rule]
	MasteryRuleEdge           = page.Edge[mastery.Rule]
)
