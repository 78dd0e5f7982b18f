package mastery_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/mastery"
)

// wide is a framework of n items in a tree of ten below each, with a second one
// that is the same at every fifth item.
func wide(n int) mastery.Graph {
	var g mastery.Graph
	for f := range 2 {
		for i := range n {
			id := fmt.Sprintf("itm_%d_%d", f, i)
			g.Items = append(g.Items, mastery.Item{ID: framework.ItemID(id), FrameworkID: framework.ID(fmt.Sprint("fwk_", f)), Identifier: id, URI: "https://f.example/" + id, Statement: id, Levels: four})
			if i > 0 {
				g.Parts = append(g.Parts, mastery.Link{From: int32(f*n + i), To: int32(f*n + (i-1)/10)})
			}
			if f == 1 && i%5 == 0 {
				by := &mastery.Mapping{Type: "exactMatchOf", Strength: 1}
				g.Same = append(g.Same, mastery.Link{From: int32(i), To: int32(n + i), Mapping: by}, mastery.Link{From: int32(n + i), To: int32(i), Mapping: by})
			}
		}
	}
	return g
}

func scattered(n, items int, r *rand.Rand) []mastery.Piece {
	all := make([]mastery.Piece, n)
	for i := range all {
		all[i] = mastery.Piece{ID: assertion.ID(fmt.Sprintf("asn_%05d", i)), On: mastery.Day(9000 + r.IntN(500)), Until: mastery.Ever,
			Hits: []mastery.Hit{{Item: int32(r.IntN(items)), Value: float32(1 + r.IntN(4)), Weight: 1, Pass: mastery.Passed, Way: mastery.ByLevel}}}
	}
	return all
}

// BenchmarkOneLearner is the state of every item of a framework of 5,000 and of
// one it is mapped to, for a learner with 200 awards.
func BenchmarkOneLearner(b *testing.B) {
	any := &mastery.Parts{Need: mastery.Any}
	for name, d := range map[string]mastery.Definition{
		"any part": {Level: "Proficient", Parts: any},
		"all":      {Level: "Proficient", Months: 24, Method: mastery.Latest},
		"decaying": {Level: "Proficient", Method: mastery.Decaying, Parts: any},
	} {
		b.Run(name, func(b *testing.B) {
			m := mastery.Compile(wide(5000), []mastery.Rule{rule(d)})
			all := scattered(200, 5000, rand.New(rand.NewPCG(1, 2)))
			e := mastery.NewEvaluator(m, noon("2026-12-01"))
			b.ReportAllocs()
			for b.Loop() {
				e.Run(all)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	g := wide(5000)
	for b.Loop() {
		mastery.Compile(g, []mastery.Rule{rule(mastery.Definition{Level: "Proficient"})})
	}
}
