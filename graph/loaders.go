package graph

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/testamur/testamur/graph/model"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/credential"
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
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/transcript"
)

// loaders fetch what many resolvers ask for with one statement each. They live
// for one request and remember what they loaded.
type loaders struct {
	who         access.Actor
	seen        kinds
	definitions *definitions

	institution       *loader[struct{}, *institution.Institution]
	learner           *loader[learner.ID, *learner.Learner]
	names             *loader[learner.ID, []learner.Name]
	identifiers       *loader[learner.ID, []learner.Identifier]
	framework         *loader[framework.ID, *framework.Framework]
	rubrics           *loader[framework.ID, []framework.Rubric]
	criteria          *loader[string, []framework.Criterion]
	levels            *loader[string, []framework.Level]
	item              *loader[framework.ItemID, *framework.Item]
	path              *loader[framework.ItemID, []framework.Item]
	parents           *loader[framework.ItemID, []framework.Item]
	associations      *loader[framework.ItemID, []framework.Association]
	crosswalks        *loader[framework.ItemID, []framework.Crosswalk]
	holders           *loader[framework.ItemID, *int]
	problems          *loader[framework.ID, []framework.Problem]
	frameworkVersions *loader[paged[framework.ID], *page.Connection[framework.Version]]
	against           *loader[assertion.ID, []assertion.Against]
	course            *loader[course.ID, *course.Course]
	competencies      *loader[course.ID, []course.Mapping]
	coursesOf         *loader[framework.ItemID, []course.Mapping]
	achievement       *loader[achievement.ID, *achievement.Achievement]
	version           *loader[achievement.Pin, *achievement.Version]
	versions          *loader[achievement.ID, []achievement.Version]
	alignments        *loader[achievement.ID, []achievement.Alignment]
	achievementsOf    *loader[framework.ItemID, []achievement.Alignment]
	achievementsAbout *loader[course.ID, []achievement.Alignment]
	assertion         *loader[assertion.ID, *assertion.Assertion]
	ruleFor           *loader[framework.ItemID, *mastery.Rule]
	ruleVersions      *loader[mastery.RuleID, []mastery.Rule]
	standings         *loader[paged[learner.ID], *page.Connection[mastery.Standing]]
	holdersOf         *loader[paged[framework.ItemID], *page.Connection[mastery.Standing]]
	explained         *loader[ask, *mastery.Explained]
	program           *loader[program.ID, *program.Program]
	programsOf        *loader[paged[learner.ID], []program.Report]
	equivalency       *loader[program.EquivalencyID, *program.Equivalency]
	proposal          *loader[program.ProposalID, *program.Proposal]
	credential        *loader[credential.ID, *credential.Credential]
	credentialsOf     *loader[assertion.ID, []credential.Credential]
	signed            *loader[credential.ID, *weighed]
	record            *loader[record.ID, *record.Record]
	job               *loader[string, *exchange.Job]
	embedded          *loader[record.ID, []credential.ID]
	outdated          *loader[record.ID, []credential.ID]
	contents          *loader[record.ID, *record.Model]
	correction        *loader[record.CorrectionID, *record.Correction]
	correctionItems   *loader[record.CorrectionID, []record.CorrectionItem]
	changes           *loader[record.Span, []record.Change]
	around            *loader[record.ID, *record.Around]
	eventsOf          *loader[credential.ID, []credential.Event]
	recordsWith       *loader[credential.ID, []record.Record]
	items             *loader[paged[framework.ID], *page.Connection[framework.Item]]
	children          *loader[paged[framework.ItemID], *page.Connection[framework.Item]]
	assertionsBehind  *loader[paged[framework.ItemID], *page.Connection[assertion.Assertion]]
	outcomes          *loader[paged[string], *page.Connection[exchange.Outcome]]
	assertionsOf      *loader[paged[learner.ID], *page.Connection[assertion.Assertion]]
	assertionsOfAnAch *loader[paged[achievement.ID], *page.Connection[assertion.Assertion]]
	recordsOf         *loader[paged[learner.ID], *page.Connection[record.Record]]
	consent           *loader[consent.ID, *consent.Consent]
	consentsOf        *loader[paged[learner.ID], *page.Connection[consent.Consent]]
	release           *loader[learner.ID, *consent.Standing]
	choices           *loader[learner.ID, []consent.Choice]
	hold              *loader[release.ID, *release.Hold]
	holdsOf           *loader[paged[learner.ID], *page.Connection[release.Hold]]
	deposit           *loader[deposit.ID, *deposit.Deposit]
	depositsOf        *loader[paged[learner.ID], *page.Connection[deposit.Deposit]]
	print             *loader[transcript.ID, *transcript.Document]
	printsOf          *loader[record.ID, []transcript.Document]
	became            *loader[transcript.ID, *transcript.Standing]
	share             *loader[sharing.ID, *sharing.Share]
	sharesOf          *loader[paged[learner.ID], *page.Connection[sharing.Share]]
	chosen            *loader[sharing.ID, []sharing.Chosen]
	watch             *loader[string, *sharing.Watch]
	watchesOf         *loader[sharing.ID, []sharing.Watch]
	messagesOf        *loader[string, []sharing.Message]
	shownTo           *loader[paged[string], *page.Connection[disclosure.Line]]
	openings          *loader[paged[string], *page.Connection[disclosure.Line]]
	disclosure        *loader[disclosure.ID, *disclosure.Line]
	disclosuresOf     *loader[paged[learner.ID], *page.Connection[disclosure.Line]]
}

// kinds are the ids that were seen together, by kind of thing; part is rubrics,
// criteria and jobs.
type kinds struct {
	learner     seen[learner.ID]
	framework   seen[framework.ID]
	item        seen[framework.ItemID]
	course      seen[course.ID]
	achievement seen[achievement.ID]
	pin         seen[achievement.Pin]
	assertion   seen[assertion.ID]
	rule        seen[mastery.RuleID]
	ask         seen[ask]
	program     seen[program.ID]
	equivalency seen[program.EquivalencyID]
	proposal    seen[program.ProposalID]
	credential  seen[credential.ID]
	record      seen[record.ID]
	correction  seen[record.CorrectionID]
	consent     seen[consent.ID]
	hold        seen[release.ID]
	deposit     seen[deposit.ID]
	print       seen[transcript.ID]
	disclosure  seen[disclosure.ID]
	share       seen[sharing.ID]
	watch       seen[string]
	shown       seen[string] // credentials, whose disclosures are asked for
	part        seen[string]
}

func (r *Resolver) newLoaders(who access.Actor) *loaders {
	l := &loaders{who: who, definitions: &r.definitions}
	k := &l.seen
	l.institution = newLoader(func(struct{}) []struct{} { return nil }, func(ctx context.Context, _ []struct{}) (map[struct{}]*institution.Institution, error) {
		in, err := r.Institutions.Find(ctx, who)
		return map[struct{}]*institution.Institution{{}: &in}, err
	})
	l.learner = one(l, &k.learner, r.Learners.ByIDs)
	l.names = many(l, &k.learner, r.Learners.NamesOf)
	l.identifiers = many(l, &k.learner, r.Learners.IdentifiersOf)
	l.assertionsOf = pages(l, &k.learner, r.Assertions.OfLearners)
	l.consent = one(l, &k.consent, r.Consents.ByIDs)
	l.consentsOf = pages(l, &k.learner, unfiltered(r.Consents.OfLearners))
	l.release = one(l, &k.learner, r.Consents.StandingsOf)
	l.choices = many(l, &k.learner, r.Consents.ChoicesOf)
	l.recordsOf = pages(l, &k.learner, r.Records.OfLearners)
	l.hold = one(l, &k.hold, r.Holds.ByIDs)
	l.holdsOf = pages(l, &k.learner, unfiltered(r.Holds.OfLearners))
	l.deposit = one(l, &k.deposit, r.Deposits.ByIDs)
	l.depositsOf = pages(l, &k.learner, unfiltered(r.Deposits.OfLearners))
	l.print = one(l, &k.print, r.Documents.ByIDs)
	l.printsOf = many(l, &k.record, r.Documents.OfRecords)
	l.became = one(l, &k.print, r.Documents.StandingsOf)
	l.share = one(l, &k.share, r.Shares.ByIDs)
	l.sharesOf = pages(l, &k.learner, unfiltered(r.Shares.OfLearners))
	l.chosen = many(l, &k.share, r.Shares.ItemsOf)
	l.watch = one(l, &k.watch, r.Shares.WatchesByIDs)
	l.watchesOf = many(l, &k.share, r.Shares.WatchesOf)
	l.messagesOf = many(l, &k.watch, r.Shares.MessagesOf)
	l.shownTo = pages(l, &k.shown, unfiltered(r.Disclosures.OfCredentials))
	l.openings = pages(l, &k.part, unfiltered(r.Disclosures.OfSources))
	l.disclosure = one(l, &k.disclosure, r.Disclosures.ByIDs)
	l.disclosuresOf = pages(l, &k.learner, unfiltered(r.Disclosures.OfLearners))
	l.framework = one(l, &k.framework, r.Frameworks.ByIDs)
	l.rubrics = many(l, &k.framework, r.Frameworks.RubricsOf)
	l.items = pages(l, &k.framework, r.Frameworks.ItemsOf)
	l.problems = many(l, &k.framework, r.Frameworks.ProblemsOf)
	l.frameworkVersions = pages(l, &k.framework, unfiltered(r.Frameworks.VersionsOf))
	l.crosswalks = many(l, &k.item, r.Frameworks.CrosswalksOf)
	l.holders = one(l, &k.item, r.Assertions.HoldersOf)
	l.against = many(l, &k.assertion, r.Assertions.AgainstOf)
	l.criteria = many(l, &k.part, r.Frameworks.CriteriaOf)
	l.levels = many(l, &k.part, r.Frameworks.LevelsOf)
	l.item = one(l, &k.item, r.Frameworks.ItemsByIDs)
	l.path = many(l, &k.item, r.Frameworks.PathsOf)
	l.parents = many(l, &k.item, r.Frameworks.ParentsOf)
	l.children = pages(l, &k.item, unfiltered(r.Frameworks.ChildrenOf))
	l.associations = many(l, &k.item, r.Frameworks.AssociationsOf)
	l.coursesOf = many(l, &k.item, r.Courses.CoursesOf)
	l.achievementsOf = many(l, &k.item, r.Achievements.OfItems)
	l.assertionsBehind = pages(l, &k.item, r.Assertions.OfItems)
	l.course = one(l, &k.course, r.Courses.ByIDs)
	l.competencies = many(l, &k.course, r.Courses.CompetenciesOf)
	l.achievementsAbout = many(l, &k.course, r.Achievements.OfCourses)
	l.achievement = one(l, &k.achievement, r.Achievements.ByIDs)
	l.versions = many(l, &k.achievement, r.Achievements.VersionsOf)
	l.alignments = many(l, &k.achievement, r.Achievements.AlignmentsOf)
	l.assertionsOfAnAch = pages(l, &k.achievement, r.Assertions.OfAchievements)
	l.version = one(l, &k.pin, r.Achievements.Versions)
	l.assertion = one(l, &k.assertion, r.Assertions.ByIDs)
	l.ruleFor = one(l, &k.item, r.Mastery.RulesFor)
	l.ruleVersions = many(l, &k.rule, r.Mastery.VersionsOf)
	l.standings = pages(l, &k.learner, r.Mastery.Standings)
	l.holdersOf = pages(l, &k.item, r.Mastery.Holders)
	l.explained = newLoader(k.ask.with, l.explain(r.Mastery))
	l.program = one(l, &k.program, r.Programs.ByIDs)
	l.equivalency = one(l, &k.equivalency, r.Programs.EquivalenciesByIDs)
	l.proposal = one(l, &k.proposal, r.Programs.ProposalsByIDs)
	l.programsOf = newLoader(kin(&k.learner), l.programs(r.Programs))
	l.credentialsOf = many(l, &k.assertion, r.Credentials.OfAssertions)
	l.credential = one(l, &k.credential, r.Credentials.ByIDs)
	l.signed = one(l, &k.credential, r.weighing)
	l.record = one(l, &k.record, r.Records.ByIDs)
	l.embedded = many(l, &k.record, r.Records.ItemsOf)
	l.outdated = many(l, &k.record, r.Records.OutdatedItemsOf)
	l.correction = one(l, &k.correction, r.Records.CorrectionsByIDs)
	l.correctionItems = many(l, &k.correction, r.Records.CorrectionItemsOf)
	l.around = one(l, &k.record, r.Records.AroundOf)
	l.changes = newLoader(spans(&k.record), func(ctx context.Context, keys []record.Span) (map[record.Span][]record.Change, error) {
		return r.Records.ChangesOf(ctx, who, keys)
	})
	l.contents = one(l, &k.record, r.Records.Models)
	l.eventsOf = many(l, &k.credential, r.Credentials.EventsOf)
	l.recordsWith = many(l, &k.credential, r.Records.Containing)
	l.job = one(l, &k.part, r.Exchange.ByIDs)
	l.outcomes = pages(l, &k.part, r.Exchange.OutcomesOfJobs)
	return l
}

// definition is a version as GraphQL has it, made once for all who ask: a
// version never changes.
func (l *loaders) definition(p achievement.Pin, d achievement.Definition) (*model.AchievementDefinition, error) {
	return l.definitions.of(l.who.InstitutionID, p, d)
}

// definitions are versions as GraphQL has them. The zero value is ready.
type definitions struct {
	mu    sync.Mutex
	known *simplelru.LRU[definitionKey, *model.AchievementDefinition]
}

type definitionKey struct {
	institution string
	pin         achievement.Pin
}

// keptDefinitions is how many are kept; one is a few kilobytes.
const keptDefinitions = 5_000

func (k *definitions) of(institution string, p achievement.Pin, d achievement.Definition) (*model.AchievementDefinition, error) {
	key := definitionKey{institution, p}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		known, err := simplelru.NewLRU[definitionKey, *model.AchievementDefinition](keptDefinitions, nil)
		if err != nil {
			return nil, err
		}
		k.known = known
	}
	if made, ok := k.known.Get(key); ok {
		return made, nil
	}
	made, err := definition(d)
	if err == nil {
		k.known.Add(key, made)
	}
	return made, err
}

// unfiltered gives a relation without a filter the form of one that has it.
func unfiltered[K comparable, V any](fetch func(context.Context, access.Actor, []K, page.Args) (map[K]page.Connection[V], error)) func(context.Context, access.Actor, []K, struct{}, page.Args) (map[K]page.Connection[V], error) {
	return func(ctx context.Context, who access.Actor, ids []K, _ struct{}, a page.Args) (map[K]page.Connection[V], error) {
		return fetch(ctx, who, ids, a)
	}
}

// one loads things by key; null for each that there is not.
func one[K comparable, V any](l *loaders, s *seen[K], fetch func(context.Context, access.Actor, []K) (map[K]V, error)) *loader[K, *V] {
	return newLoader(s.with, func(ctx context.Context, keys []K) (map[K]*V, error) {
		all, err := fetch(ctx, l.who, keys)
		out := make(map[K]*V, len(all))
		list := make([]V, 0, len(all))
		for k, v := range all {
			list = append(list, v)
			out[k] = &list[len(list)-1]
		}
		note(l, list)
		return out, err
	})
}

// many loads the list that belongs to each key.
func many[K comparable, V any](l *loaders, s *seen[K], fetch func(context.Context, access.Actor, []K) (map[K][]V, error)) *loader[K, []V] {
	return newLoader(s.with, func(ctx context.Context, keys []K) (map[K][]V, error) {
		all, err := fetch(ctx, l.who, keys)
		out := make(map[K][]V, len(keys))
		var list []V
		for _, k := range keys {
			if out[k] = all[k]; out[k] == nil {
				out[k] = []V{}
			}
			list = append(list, all[k]...)
		}
		note(l, list)
		return out, err
	})
}

// paged is a key with the arguments of its field, which are the same text for
// all siblings.
type paged[K comparable] struct {
	key  K
	args string
}

// pageArgs are the arguments of a field with a page.
type pageArgs[F any] struct {
	Page   page.Args
	Filter F
}

// of is the key of a page; arguments are plain values and always marshal.
func of[K comparable, F any](key K, f F, first *int, after *string) paged[K] {
	raw, err := json.Marshal(pageArgs[F]{page.Args{First: first, After: after}, f})
	if err != nil {
		panic(err)
	}
	return paged[K]{key, string(raw)}
}

// kin are the keys of siblings, with the same arguments.
func kin[K comparable](s *seen[K]) func(paged[K]) []paged[K] {
	return func(k paged[K]) []paged[K] {
		var all []paged[K]
		for _, id := range s.with(k.key) {
			all = append(all, paged[K]{id, k.args})
		}
		return all
	}
}

// spans are the records that were seen together, each with the version before it;
// a comparison with another one is made alone.
func spans(s *seen[record.ID]) func(record.Span) []record.Span {
	return func(k record.Span) []record.Span {
		if k.Since != "" {
			return []record.Span{k}
		}
		var all []record.Span
		for _, id := range s.with(k.Of) {
			all = append(all, record.Span{Of: id})
		}
		return all
	}
}

// pages loads a page for each key; all keys of a fetch have the same arguments.
func pages[K comparable, F, V any](l *loaders, s *seen[K],
	fetch func(context.Context, access.Actor, []K, F, page.Args) (map[K]page.Connection[V], error)) *loader[paged[K], *page.Connection[V]] {
	return newLoader(kin(s), func(ctx context.Context, keys []paged[K]) (map[paged[K]]*page.Connection[V], error) {
		var a pageArgs[F]
		if err := json.Unmarshal([]byte(keys[0].args), &a); err != nil {
			return nil, err
		}
		ids := make([]K, len(keys))
		for i, k := range keys {
			ids[i] = k.key
		}
		got, err := fetch(ctx, l.who, ids, a.Filter, a.Page)
		out := make(map[paged[K]]*page.Connection[V], len(got))
		var list []V
		for id, c := range got {
			out[paged[K]{id, keys[0].args}] = &c
			if len(got) == 1 {
				list = c.Nodes
			} else {
				list = append(list, c.Nodes...)
			}
		}
		note(l, list)
		return out, err
	})
}

// caller is who asks, and what was loaded for them.
type caller struct {
	who access.Actor
	// only is the count of changes as long as which the caller's token is
	// remembered to stand for who; nil when the token was looked at.
	only *int64
	// check looks at such a token and says what is wrong with it.
	check  func() *gqlerror.Error
	fresh  func() *loaders
	mu     sync.Mutex
	loaded *loaders
}

type callerKey struct{}

// as puts the caller into a context.
func (r *Resolver) as(ctx context.Context, who access.Actor) context.Context {
	return r.with(ctx, &caller{who: who})
}

func (r *Resolver) with(ctx context.Context, c *caller) context.Context {
	c.fresh = func() *loaders { return r.newLoaders(c.who) }
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf is who asks; nil before anybody does.
func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// actor is who asks.
func actor(ctx context.Context) access.Actor {
	if c := callerOf(ctx); c != nil {
		return c.who
	}
	return access.Anonymous()
}

// load are the request's loaders.
func load(ctx context.Context) *loaders {
	c := callerOf(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded == nil {
		c.loaded = c.fresh()
	}
	return c.loaded
}

// forget drops what was loaded, because a mutation may have changed it.
func forget(ctx context.Context) {
	if c := callerOf(ctx); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.loaded = nil
	}
}
