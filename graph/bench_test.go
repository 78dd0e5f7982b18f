package graph_test

import (
	"fmt"
	"testing"

	"github.com/testamur/testamur/graph"
	"github.com/testamur/testamur/internal/testbed"
)

// BenchmarkPicture is what an adviser looks at, of one learner and of a hundred.
func BenchmarkPicture(b *testing.B) {
	a := over(b, testbed.New(b))
	a.Load(b)
	ordinary := graph.NewOrdinaryHandler(a.config())
	planned := a.handler
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("executor/", n), func(b *testing.B) {
			a.handler = ordinary
			query := fmt.Sprintf(`{ learners(first: %d) { nodes { ...picture } } }`, n) + adviser
			for b.Loop() {
				a.ask(b, query).good(b)
			}
			a.handler = planned
		})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			query := fmt.Sprintf(`{ learners(first: %d) { nodes { ...picture } } }`, n) + adviser
			for b.Loop() {
				a.ask(b, query).good(b)
			}
		})
	}
}
