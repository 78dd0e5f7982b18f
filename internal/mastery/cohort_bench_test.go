package mastery_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/testbed"
)

// The size of the measured institution.
const (
	benchItems    = 5000
	benchBadges   = 300
	benchLearners = 10_000
	benchAwards   = 50 // of each learner; the first has 200
)

func caseID(f, i int) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(fmt.Sprint("https://f.example/", f, "/", i))).String()
}

// packageOf is a framework of items in a tree of ten below each; the second is
// the same as the first at every fifth item.
func packageOf(f int) []byte {
	const changed = "2024-01-01T00:00:00Z"
	uri := func(id string) string { return "https://f.example/" + id }
	end := func(id string) map[string]any { return map[string]any{"title": "t", "identifier": id, "uri": uri(id)} }
	var items, links []map[string]any
	link := func(kind, from, to string) {
		name := uuid.NewSHA1(uuid.NameSpaceURL, []byte(kind+from+to)).String()
		links = append(links, map[string]any{"identifier": name, "uri": uri(name), "associationType": kind, "originNodeURI": end(from), "destinationNodeURI": end(to), "lastChangeDateTime": changed})
	}
	for i := range benchItems {
		name := caseID(f, i)
		items = append(items, map[string]any{"identifier": name, "uri": uri(name), "fullStatement": name, "lastChangeDateTime": changed})
		if i > 0 {
			link("isChildOf", name, caseID(f, (i-1)/10))
		}
		if f == 1 && i%5 == 0 {
			link("exactMatchOf", caseID(0, i), name)
		}
	}
	doc := caseID(f, -1)
	raw, err := json.Marshal(map[string]any{"CFItems": items, "CFAssociations": links, "CFDocument": map[string]any{"identifier": doc, "uri": uri(doc), "creator": "c",
		"title": fmt.Sprint("Framework ", f), "lastChangeDateTime": changed, "caseVersion": "1.1"}})
	if err != nil {
		panic(err)
	}
	return raw
}

type measured struct {
	*testbed.Bed
	learners []learner.ID
}

func measure(b *testing.B) *measured {
	b.Helper()
	m := &measured{Bed: testbed.New(b)}
	ctx, who := context.Background(), m.Registrar()
	for f := range 2 {
		if _, err := m.Frameworks.Import(ctx, who, bytes.NewReader(packageOf(f))); err != nil {
			b.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	var drafts []achievement.Draft
	for i := range benchBadges {
		target := caseID(0, r.IntN(benchItems))
		uri := fmt.Sprint("https://f.example/badges/", i)
		drafts = append(drafts, achievement.Draft{URI: &uri, Definition: achievement.Definition{Name: fmt.Sprintf("Badge %03d", i), Description: "d", Criteria: &openbadges.Criteria{Narrative: "n"},
			Alignment: openbadges.List[openbadges.Alignment]{{TargetName: "t", TargetURL: "https://f.example/" + target, TargetType: "CFItem"}}}})
	}
	var badges []achievement.ID
	ok(m.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if _, err := achievement.Import(ctx, tx, who, bulk.Batch{Now: m.Now(), NewID: id.New}, drafts); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `select id from achievement where institution_id = @institution`, pgx.NamedArgs{"institution": who.InstitutionID})
		var err error
		badges, err = pgx.CollectRows(rows, pgx.RowTo[achievement.ID])
		return err
	}))
	ok(m.DB.Tenant(ctx, who, func(tx pgx.Tx) error { return m.fill(ctx, tx, who, badges, r) }))
	if _, err := m.Mastery.Define(ctx, who, mastery.NewRule{Content: mastery.Content{Name: "any", Definition: mastery.Definition{Parts: &mastery.Parts{Need: mastery.Any}}}}); err != nil {
		b.Fatal(err)
	}
	return m
}

func (m *measured) fill(ctx context.Context, tx pgx.Tx, who access.Actor, badges []achievement.ID, r *rand.Rand) error {
	at := m.Now()
	var people, awards [][]any
	for n := range benchLearners {
		l := learner.ID(id.New("lrn"))
		m.learners = append(m.learners, l)
		people = append(people, []any{who.InstitutionID, l, fmt.Sprint("Learner ", n), 1, at, at})
		count := benchAwards
		if n == 0 {
			count = 200
		}
		for _, i := range r.Perm(len(badges))[:count] {
			on := time.Date(2025, 1, 1+r.IntN(400), 0, 0, 0, 0, time.UTC)
			awards = append(awards, []any{who.InstitutionID, id.New("asn"), l, badges[i], 1, on, at, who.ID, at})
		}
	}
	r.Shuffle(len(awards), func(i, j int) { awards[i], awards[j] = awards[j], awards[i] }) // as they come in, term by term
	if _, err := tx.Exec(ctx, `create temp table people (a text, b text, c text, d int, e timestamptz, f timestamptz) on commit drop;
		create temp table awards (a text, b text, c text, d text, e int, f date, g timestamptz, h text, i timestamptz) on commit drop`); err != nil {
		return err
	}
	for table, rows := range map[string][][]any{"people": people, "awards": awards} {
		columns := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}[:len(rows[0])]
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows)); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `
		insert into learner (institution_id, id, display_name, version, created_at, updated_at) select a, b, c, d, e, f from people;
		insert into assertion (institution_id, id, learner_id, achievement_id, achievement_version, achieved_on, recorded_at, recorded_by, updated_at) select * from awards`)
	return err
}

// BenchmarkBesideSQL measures one learner and a cohort beside SQL, in one run.
// The recursive statement and the scan have compact tables and integers for
// names, which is more than the service gives itself.
func BenchmarkBesideSQL(b *testing.B) {
	m := measure(b)
	ctx, who := context.Background(), m.Registrar()
	one := m.learners[:1]
	compact := func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			create temp table bench_item as select row_number() over ()::int as n, id, identifier from framework_item;
			create temp table bench_edge as select o.n as child, d.n as parent from framework_association a
				join bench_item o on o.identifier = a.origin_identifier join bench_item d on d.identifier = a.destination_identifier
				union select d.n, o.n from framework_association a
				join bench_item o on o.identifier = a.origin_identifier join bench_item d on d.identifier = a.destination_identifier where a.type = 'exactMatchOf';
			create index on bench_edge (child);
			create temp table bench_held as select a.learner_id, i.n from assertion a
				join achievement_alignment l on l.institution_id = a.institution_id and l.achievement_id = a.achievement_id join bench_item i on i.id = l.item_id;
			create index on bench_held (learner_id);
			analyze bench_item; analyze bench_edge; analyze bench_held`)
		return err
	}
	recursive := `with recursive held as (select n from bench_held where learner_id = $1 union select e.parent from held h join bench_edge e on e.child = h.n)
		select count(*) from held`
	within := func(name string, fn func(*testing.B, pgx.Tx) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ok(m.DB.Tenant(ctx, who, func(tx pgx.Tx) error { return fn(b, tx) }))
		})
	}
	var bySQL int
	within("one/recursive SQL", func(b *testing.B, tx pgx.Tx) error {
		ok(compact(tx))
		for b.Loop() {
			ok(tx.QueryRow(ctx, recursive, one[0]).Scan(&bySQL))
		}
		return nil
	})
	within("one/computed", func(b *testing.B, tx pgx.Tx) error {
		basis := must(m.Mastery.Basis(ctx, who, tx, mastery.When{}))
		e := mastery.NewEvaluator(basis.Model, basis.At)
		return m.Mastery.Evidence(ctx, who, tx, basis, one, mastery.Counting, func(_ learner.ID, pieces []mastery.Piece) error {
			for b.Loop() {
				e.Run(pieces)
			}
			met := 0
			for _, i := range e.States().Changed() {
				if e.State(i).Status == mastery.Met {
					met++
				}
			}
			if bySQL > 0 && met != bySQL {
				b.Errorf("%d met, %d by SQL", met, bySQL)
			}
			return nil
		})
	})
	within("one/with the fetch", func(b *testing.B, tx pgx.Tx) error {
		basis := must(m.Mastery.Basis(ctx, who, tx, mastery.When{}))
		e := mastery.NewEvaluator(basis.Model, basis.At)
		for b.Loop() {
			ok(m.Mastery.Evidence(ctx, who, tx, basis, one, mastery.Counting, func(_ learner.ID, pieces []mastery.Piece) error { e.Run(pieces); return nil }))
		}
		return nil
	})
	within("cohort/scan", func(b *testing.B, tx pgx.Tx) error {
		for b.Loop() {
			rows := must(tx.Query(ctx, `select learner_id, id, achievement_id, achievement_version, achieved_on, recorded_at, coalesce(grade, ''),
				credits_earned::double precision, results, updated_at from assertion where institution_id = @institution and withdrawn_at is null`, pgx.NamedArgs{"institution": who.InstitutionID}))
			n := 0
			for rows.Next() {
				n += len(rows.RawValues())
			}
			if rows.Close(); n < 10*benchLearners*benchAwards {
				b.Fatal(n)
			}
		}
		return nil
	})
	within("cohort/300 requirements", func(b *testing.B, tx pgx.Tx) error {
		basis := must(m.Mastery.Basis(ctx, who, tx, mastery.When{}))
		var items []int32
		for i := range int32(300) {
			items = append(items, i*15)
		}
		e := mastery.NewEvaluator(basis.Model, basis.At, items...)
		for b.Loop() {
			met := 0
			ok(m.Mastery.Evidence(ctx, who, tx, basis, m.learners, mastery.Counting, func(_ learner.ID, pieces []mastery.Piece) error {
				e.Run(pieces)
				for _, i := range items {
					if e.State(i).Status == mastery.Met {
						met++
					}
				}
				return nil
			}))
			if met == 0 {
				b.Fatal("nobody holds anything")
			}
		}
		return nil
	})
}

func ok(err error) {
	if err != nil {
		panic(err)
	}
}
