package graph

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/testamur/testamur/graph/plan"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
)

// shared are the types of the catalogue: what they tell is the same for all who
// may read it, until the catalogue is changed. A type that tells of a learner,
// or that depends on the time of day, has no place here.
var shared = plan.Shared{
	"Achievement": true, "AchievementVersion": true, "AchievementDefinition": true, "Criteria": true, "Image": true,
	"ResultDescription": true, "RubricCriterionLevel": true, "DefinitionAlignment": true, "Related": true, "IdentifierEntry": true,
	"Alignment": true, "Competency": true, "Course": true, "CourseMapping": true, "Framework": true, "ExternalRef": true,
}

// maxFragments is how many bytes of fragments a process keeps; each counts as
// perFragment more than its JSON, which is about what it takes to find it.
const (
	maxFragments = 48 << 20
	perFragment  = 160
)

// fragments are the JSON of what is shared, made once for many answers. What is
// kept belongs to an institution, to what a caller may see there, and to one
// count of the catalogue's changes (audit.Generation). The zero value is ready.
type fragments struct {
	mu    sync.Mutex
	known *simplelru.LRU[fragmentKey, []byte]
	bytes int
}

type fragmentKey struct {
	reader string // institution, rights and generation
	field  uint64 // its number: the field itself would hold on to the plan and its document
	of     any
}

// answerFragments are the fragments as one answer finds them.
type answerFragments struct {
	all    *fragments
	ctx    context.Context
	who    access.Actor
	reader string
}

// with lets the planned queries of a context keep fragments.
func (f *fragments) with(ctx context.Context, who access.Actor) context.Context {
	if who.InstitutionID == "" {
		return ctx
	}
	return plan.WithFragments(ctx, &answerFragments{all: f, ctx: ctx, who: who})
}

// known reports whether the answer's moment has begun, and with it which count
// of changes it sees.
func (a *answerFragments) known() bool {
	if a.reader != "" {
		return true
	}
	generation, ok := audit.Seen(a.ctx)
	if !ok {
		return false
	}
	var b strings.Builder
	b.WriteString(a.who.InstitutionID)
	for _, r := range a.who.Roles {
		b.WriteString(" " + string(r))
	}
	for _, s := range a.who.Scopes {
		b.WriteString(" " + string(s))
	}
	a.reader = b.String() + " " + strconv.FormatInt(generation, 10)
	return true
}

// Find is a fragment that was kept.
func (a *answerFragments) Find(f *plan.Field, key any) ([]byte, bool) {
	if !a.known() {
		return nil, false
	}
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	if a.all.known == nil {
		return nil, false
	}
	return a.all.known.Get(fragmentKey{a.reader, f.Number, key})
}

// Keep keeps a fragment and lets the least lately used go.
func (a *answerFragments) Keep(f *plan.Field, key any, json []byte) {
	if !a.known() || len(json) > maxFragments/100 {
		return
	}
	kept := append([]byte(nil), json...)
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	all := a.all
	if all.known == nil {
		known, err := simplelru.NewLRU(maxFragments/perFragment, func(_ fragmentKey, gone []byte) { all.bytes -= len(gone) + perFragment })
		if err != nil {
			return
		}
		all.known = known
	}
	k := fragmentKey{a.reader, f.Number, key}
	if all.known.Contains(k) {
		return // another answer was faster
	}
	all.known.Add(k, kept)
	all.bytes += len(kept) + perFragment
	for all.bytes > maxFragments {
		all.known.RemoveOldest()
	}
}
