package graph

import (
	"context"
	"slices"
	"time"

	"github.com/99designs/gqlgen/complexity"
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/testamur/testamur/graph/gen"
	"github.com/testamur/testamur/graph/model"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/search"
	"github.com/testamur/testamur/internal/sharing"
)

// The limits of a document, whoever sends it.
const (
	maxTokens  = 3_000
	maxDepth   = 20
	maxAliases = 30
	maxFields  = 3_000 // with fragments written out
	maxRoots   = 30
)

// The budgets of one request in cost: a page counts as often as it is long.
const (
	budgetVisitor = 20_000
	budgetCaller  = 500_000
)

// limits refuses documents that are deep, or much the same thing over and over.
type limits struct{}

// ExtensionName names the extension.
func (limits) ExtensionName() string { return "Limits" }

// Validate accepts every schema.
func (limits) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext measures the operation before anything of it runs.
func (limits) MutateOperationContext(_ context.Context, o *graphql.OperationContext) *gqlerror.Error {
	m := &measure{fragments: map[string]size{}}
	s := m.of(o.Operation.SelectionSet)
	switch {
	case s.depth > maxDepth:
		return limit("depth", "The query is %d levels deep; %d are allowed.", s.depth, maxDepth)
	case s.fields > maxFields:
		return limit("fields", "The query asks for more than %d fields.", maxFields)
	case m.aliases > maxAliases:
		return limit("aliases", "The query has more than %d aliases. Send several requests.", maxAliases)
	case len(o.Operation.SelectionSet) > maxRoots:
		return limit("roots", "The query has more than %d fields at its root.", maxRoots)
	}
	return nil
}

type size struct{ depth, fields int }

// measure looks at each fragment once, however often it is spread, so that the
// measuring itself is cheap. The validator has refused fragments in a circle.
type measure struct {
	fragments map[string]size
	aliases   int
}

func (m *measure) of(set ast.SelectionSet) size {
	var all size
	for _, sel := range set {
		var s size
		switch sel := sel.(type) {
		case *ast.Field:
			if sel.Alias != sel.Name {
				m.aliases++
			}
			s = m.of(sel.SelectionSet)
			s = size{s.depth + 1, s.fields + 1}
		case *ast.InlineFragment:
			s = m.of(sel.SelectionSet)
		case *ast.FragmentSpread:
			known, ok := m.fragments[sel.Name]
			if !ok && sel.Definition != nil {
				known = m.of(sel.Definition.SelectionSet)
				m.fragments[sel.Name] = known
			}
			s = known
		}
		all = size{max(all.depth, s.depth), min(all.fields+s.fields, maxFields+1)}
	}
	return all
}

// budget refuses what costs too much, and tells every answer's cost.
type budget struct{ schema graphql.ExecutableSchema }

// ExtensionName names the extension.
func (*budget) ExtensionName() string { return "Budget" }

// Validate keeps the schema, whose costs it asks for.
func (b *budget) Validate(s graphql.ExecutableSchema) error {
	b.schema = s
	return nil
}

// MutateOperationContext counts the cost before anything runs.
func (b *budget) MutateOperationContext(ctx context.Context, o *graphql.OperationContext) *gqlerror.Error {
	cost := complexity.Calculate(ctx, b.schema, o.Operation, o.Variables)
	allowed := budgetVisitor
	if signedIn(ctx) {
		allowed = budgetCaller
	}
	o.Stats.SetExtension("cost", spent{allowed, cost})
	if cost > allowed {
		return limit("cost", "This costs %d, and a request may cost %d. Ask for shorter pages.", cost, allowed)
	}
	return nil
}

// spent is what an answer tells of its cost.
type spent struct {
	Allowed   int `json:"allowed"`
	Requested int `json:"requested"`
}

// InterceptResponse puts the cost into the answer.
func (b *budget) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	if o := graphql.GetOperationContext(ctx); o != nil && o.Stats.GetExtension("cost") != nil {
		graphql.RegisterExtension(ctx, "cost", o.Stats.GetExtension("cost"))
	}
	return next(ctx)
}

// introspection lets callers with a token look at the schema.
type introspection struct{ open bool }

// ExtensionName names the extension.
func (introspection) ExtensionName() string { return "Introspection" }

// Validate accepts every schema.
func (introspection) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext allows or forbids introspection for this operation.
func (i introspection) MutateOperationContext(ctx context.Context, o *graphql.OperationContext) *gqlerror.Error {
	o.DisableIntrospection = !i.open && !signedIn(ctx)
	if o.DisableIntrospection && introspects(o.Operation.SelectionSet) {
		return &gqlerror.Error{Message: "The schema is shown to callers with a token. Send a bearer token with this request.",
			Extensions: map[string]any{"code": string(fault.Unauthenticated), "rule": "introspection"}}
	}
	return nil
}

// introspects reports whether the schema is asked for at the root.
func introspects(set ast.SelectionSet) bool {
	return slices.ContainsFunc(set, func(s ast.Selection) bool {
		switch s := s.(type) {
		case *ast.Field:
			return s.Name == "__schema" || s.Name == "__type"
		case *ast.InlineFragment:
			return introspects(s.SelectionSet)
		case *ast.FragmentSpread:
			return introspects(s.Definition.SelectionSet)
		}
		return false
	})
}

// signedIn reports whether the caller came with a token.
func signedIn(ctx context.Context) bool {
	who := actor(ctx)
	return who.InstitutionID != "" && !who.Has(access.Visitor)
}

// plain is the cost of a connection: what one entry costs, as often as the page
// is long.
func plain(child int, first *int, _ *string) int {
	n := page.DefaultFirst
	if first != nil {
		n = max(1, min(*first, page.MaxFirst))
	}
	return 1 + n*child
}

// filtered is plain for a connection with a filter.
func filtered[F any](child int, _ F, first *int, after *string) int {
	return plain(child, first, after)
}

// few is the cost of a list that is not paged and is short as a rule.
func few(child int) int { return 1 + 5*child }

// long is the cost of a list that is not paged and may be long.
func long(child int) int { return 1 + page.MaxFirst*child }

// cost says what each field with a list costs; every other costs one more than
// what is in it.
func cost(c *gen.ComplexityRoot) {
	c.Query.Nodes = func(child int, ids []string) int { return 1 + len(ids)*child }
	c.Query.Learners = filtered[*learner.Filter]
	c.Query.Frameworks = filtered[*framework.Filter]
	c.Query.Courses = filtered[*model.CourseFilter]
	c.Query.Achievements = filtered[*model.AchievementFilter]
	c.Query.Assertions = filtered[*model.AssertionFilter]
	c.Query.AuditLog = filtered[*model.AuditFilter]
	c.Query.Jobs, c.Query.KnownIssuers = plain, plain
	c.Query.VerifyCredential = func(child int, _ string, _ model.VerificationEncoding, _ *model.VerificationRecipientInput) int {
		return 200 + 20*child
	}
	c.Query.VerifyCredentials = func(child int, files []model.VerificationFileInput, _ *model.VerificationRecipientInput) int {
		return 100 + 20*child + len(files)*(100+20*child)
	}
	c.Institution.Staff, c.Institution.APIClients = plain, plain
	c.Institution.SigningKeys = few
	c.Learner.Assertions, c.Learner.Records = filtered[*model.AssertionFilter], filtered[*string]
	c.Query.RecordTypes = few
	c.Query.Corrections = filtered[*record.CorrectionFilter]
	c.Correction.Items = long
	c.Record.Changes = func(child int, _ *string) int { return 100 + 5*child } // two documents, made whole
	c.Record.Contents = func(child int) int { return 50 + 10*child }           // one document, made whole
	c.Learner.Names, c.Learner.Identifiers = few, few
	c.Learner.Holds, c.Learner.DepositedCredentials, c.Learner.Disclosures, c.Query.Disclosures = plain, plain, plain, filtered[*disclosure.Filter]
	c.Query.Orders, c.Query.Messages, c.Query.Holds = filtered[*sharing.OrderFilter], filtered[*sharing.MessageFilter], filtered[*release.Filter]
	c.Credential.Disclosures, c.Share.Watches, c.ShareWatch.Messages = plain, few, long
	c.Learner.Shares, c.Share.Disclosures, c.Share.Items = plain, plain, few
	c.Learner.Consents, c.ReleaseStanding.DirectoryChoices = plain, few
	c.Framework.Items, c.Framework.Rubrics = filtered[*model.CompetencyFilter], long
	c.Framework.Versions, c.Framework.Problems = plain, long
	c.Framework.Comparison = func(child, _ int, _ *int) int { return 100 + child }
	c.Framework.Coverage = func(child int) int { return 100 + child }
	c.Query.PreviewFramework = func(child int, _ string, _ *exchange.Kind, _ *string) int { return 1000 + child }
	c.Query.Crosswalks = filtered[*framework.CrosswalkFilter]
	c.FrameworkComparison.Competencies = filtered[*string]
	c.FrameworkComparison.Associations = plain
	c.FrameworkCoverage.Courses, c.FrameworkProblem.Competencies = long, few
	c.FrameworkCoverage.Rows = func(child int, _ *string, _ *bool, first *int, after *string) int { return plain(child, first, after) }
	c.CoverageRow.Mappings = few
	c.CompetencyChange.Courses, c.CompetencyChange.Achievements = few, few
	c.Competency.Crosswalks, c.Assertion.Competencies = few, few
	c.Rubric.Criteria, c.RubricCriterion.Levels = few, few
	c.Competency.Children, c.Competency.Assertions = plain, filtered[*model.AssertionFilter]
	c.Competency.Path, c.Competency.Parents, c.Competency.Associations = few, few, few
	c.Competency.Achievements, c.Competency.Courses = few, few
	c.Course.Competencies, c.Course.Achievements = few, few
	c.Achievement.Assertions = filtered[*model.AssertionFilter]
	c.Achievement.Alignments, c.Achievement.Versions = few, few
	c.Assertion.Results, c.Assertion.Evidence, c.Assertion.Credentials = few, few, few
	c.Query.Programs = filtered[*model.ProgramFilter]
	c.Program.Requirements, c.ProgramProgress.Requirements = long, long
	c.Learner.Programs = func(child int, _ *string, _ *int, _ *day.Date, _ *time.Time, _ *model.ProgramPlanInput) int {
		return 20 + 5*child
	}
	c.Learner.Gap = func(child int, all []model.CompetencyTargetInput, _ *string, _ *day.Date, _ *time.Time, _ *model.ProgramPlanInput) int {
		return 500 + len(all) + child // one learner's evidence, read for itself
	}
	c.Learner.Way = func(child int, _ string, _ *int, _ *day.Date) int { return 5000 + child } // tries every course at every step
	c.ProgramWay.Steps, c.Program.Awards = long, few
	c.Program.Progress = func(child int, _ string, _ *int, _ *day.Date, _ *time.Time, _ *model.ProgramPlanInput) int {
		return 500 + child
	}
	c.Program.Cohort = func(child int, _ *day.Date, _ *time.Time) int { return 5000 + child } // reads what is on file of everyone who is enrolled
	c.ProgramCohort.Requirements, c.ProgramCohort.Stuck, c.CohortSpread.Counts = long, few, few
	c.Query.Equivalencies = filtered[*program.EquivalencyFilter]
	c.Query.AwardProposals = filtered[*program.ProposalFilter]
	c.Query.MasteryRules = filtered[*model.MasteryRuleFilter]
	c.Learner.Competencies = func(child int, _ *model.CompetencyStateFilter, _ *day.Date, _ *time.Time, first *int, after *string) int {
		return plain(child, first, after)
	}
	c.Competency.Holders = func(child int, _ *model.HolderFilter, _ *day.Date, _ *time.Time, first *int, after *string) int {
		return 200 + plain(child, first, after)
	}
	c.Query.SearchLearners = func(child int, _ search.Query, first *int, after *string) int {
		return 200 + plain(child, first, after)
	}
	c.Query.CountLearners = func(int, search.Query) int { return 200 }
	c.LearnerMatch.Path = few
	c.CompetencyState.Explanation = func(child int) int { return 20 + child }
	c.MasteryExplanation.Lines, c.MasteryRule.Versions = few, few
	c.Record.Items, c.Record.OutdatedItems, c.AwardAchievementsPayload.Results = long, long, long
	c.Record.Prints, c.Credential.History, c.Credential.Records = long, few, few
	c.IssueCredentialsPayload.Results, c.RevokeCredentialsPayload.Results = long, long
	c.Job.Outcomes = func(child int, _ *bool, first *int, after *string) int { return plain(child, first, after) }
}
