package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/testamur/testamur/graph/gen"
)

// TestEveryListCostsByItsLength finds lists that a query could nest for free.
func TestEveryListCostsByItsLength(t *testing.T) {
	t.Parallel()
	cfg := gen.Config{Resolvers: &Resolver{}}
	cost(&cfg.Complexity)
	s := gen.NewExecutableSchema(cfg)
	const child = 10
	for name, d := range s.Schema().Types {
		if d.Kind != ast.Object || d.BuiltIn || stored(name) || strings.HasSuffix(name, "Connection") {
			continue // of a connection, the page has been counted
		}
		for _, f := range d.Fields {
			connection := f.Arguments.ForName("first") != nil
			if !connection && (f.Type.Elem == nil || !leadsOn(s.Schema(), f.Type.Name())) {
				continue
			}
			args, want := map[string]any{}, 5*child
			if connection {
				args["first"], want = int64(100), 100*child
			}
			if f.Name == "nodes" {
				args["ids"] = []any{"a", "b", "c", "d", "e"}
			}
			if got, ok := s.Complexity(t.Context(), name, f.Name, child, args); !ok || got < want {
				t.Errorf("%s.%s costs %d for entries of %d; it must cost %d at least", name, f.Name, got, child, want)
			}
		}
	}
}

// leadsOn reports whether a type has fields that are things themselves.
func leadsOn(s *ast.Schema, name string) bool {
	for _, f := range s.Types[name].Fields {
		if to := s.Types[f.Type.Name()]; to.Kind == ast.Object || to.Kind == ast.Interface {
			return true
		}
	}
	return s.Types[name].Kind == ast.Interface
}

// stored are parts of one document that is loaded or made whole, whatever is
// asked of it.
func stored(name string) bool {
	return slices.Contains([]string{"AchievementDefinition", "ResultDescription", "RubricCriterionLevel", "VerificationReport", "RecordContents", "RecordSection", "RecordLine", "RecordProgram", "RecordSummary"}, name) || strings.HasPrefix(name, "__")
}
