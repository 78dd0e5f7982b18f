package record_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/cost"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"
)

// year is learners who have each earned the same n badges.
func year(t testing.TB, b *bench, learners, n int) []learner.ID {
	t.Helper()
	ctx := context.Background()
	var badges []achievement.Achievement
	s := &achievement.Service{DB: b.DB, Now: b.Now, NewID: b.NewID}
	item := b.achievements[0].Definition.Alignment
	for i := range n {
		d := achievement.Definition{Name: fmt.Sprintf("Outcome %d", i), Description: "Shows that the learner can do what the outcome says, alone and with others.",
			AchievementType: "Competency", Criteria: &openbadges.Criteria{Narrative: "Assessed by portfolio and by practical examination."}, Alignment: item,
			ResultDescription: openbadges.List[openbadges.ResultDescription]{{ID: "urn:grade:" + strconv.Itoa(i), Type: openbadges.List[string]{"ResultDescription"},
				Name: "Grade", ResultType: "LetterGrade", AllowedValue: openbadges.List[string]{"F", "D", "C", "B", "A"}}}}
		badges = append(badges, must(s.Define(ctx, b.registrar, achievement.Draft{Definition: d})))
	}
	var ids []learner.ID
	for i := range learners {
		ids = append(ids, must(b.learners.Define(ctx, b.registrar, learner.Definition{DisplayName: fmt.Sprintf("Learner %d", i)})).ID)
	}
	for some := range slices.Chunk(ids, 10) {
		var rows []assertion.Row
		for _, l := range some {
			for i, a := range badges {
				rows = append(rows, assertion.Row{LearnerID: l, Achievement: a, Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1+i%28), Term: "2026SP",
					Results:  []assertion.Result{{Description: "urn:grade:" + strconv.Itoa(i), Value: "A"}},
					Evidence: []assertion.Evidence{{URL: fmt.Sprintf("https://work.example/%s/%d", l, i), Name: "Portfolio"}}}})
			}
		}
		err := b.DB.Tenant(ctx, b.registrar, func(tx pgx.Tx) error {
			out, err := assertion.Import(ctx, tx, b.registrar, bulk.Batch{Now: b.Now(), NewID: b.NewID}, "x", rows)
			for _, o := range out {
				if o.Err != nil && err == nil {
					err = o.Err
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

func TestAYearGraduates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := year(t, b, 37, 5)
	nobody := must(b.learners.Define(t.Context(), b.registrar, learner.Definition{DisplayName: "Nobody"})).ID
	all := append(slices.Clone(ids), nobody, "lrn_none")
	graduate := func() map[learner.ID]record.Assembled {
		t.Helper()
		out := map[learner.ID]record.Assembled{}
		err := b.Graduate(t.Context(), b.registrar, all, 2, func(a record.Assembled) error { out[a.LearnerID] = a; return nil })
		if err != nil || len(out) != len(all) {
			t.Fatal(len(out), err)
		}
		return out
	}
	out := graduate()
	v := &verify.Service{DB: b.DB, Now: b.Now, Keys: b.keys, Origin: b.Credentials.Origin, Institutions: b.found}
	for _, l := range ids {
		a := out[l]
		if a.Err != nil || !a.New || a.Record.Version != 1 {
			t.Fatalf("%s: %+v", l, a)
		}
		c := testbed.Whole(t, b.Credentials, b.registrar, string(a.Record.CredentialID))
		if r := must(v.Report(t.Context(), b.registrar, []byte(*c.Document))); r.Outcome != verify.Passed {
			t.Fatalf("%+v", r)
		}
		if in := must(clr.Embedded([]byte(*c.Document))); len(in) != 5 {
			t.Errorf("%d credentials", len(in))
		}
	}
	if out[nobody].Err == nil || out[nobody].Err.Rule != "something-earned" || out["lrn_none"].Err == nil {
		t.Errorf("%+v %+v", out[nobody], out["lrn_none"])
	}
	again := graduate()
	for _, l := range ids {
		if again[l].New || again[l].Record.ID != out[l].Record.ID {
			t.Fatalf("%+v", again[l])
		}
	}
	// One by one gives the same.
	one := must(b.Assemble(t.Context(), b.registrar, nil, string(ids[0])))
	if one.ID != out[ids[0]].Record.ID {
		t.Errorf("%+v, want %+v", one, out[ids[0]].Record)
	}
}

// TestABatchIsAFewStatements holds the run to its budget: the statements of a
// batch do not grow with its learners.
func TestABatchIsAFewStatements(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := year(t, b, 20, 3)
	count := func(some []learner.ID) int {
		t.Helper()
		ctx, n := pg.Count(t.Context())
		if err := b.Graduate(ctx, b.registrar, some, 1, func(a record.Assembled) error {
			if a.Err != nil {
				return a.Err
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return n.Len()
	}
	count(ids[:1]) // opens the list and the key
	few, many := count(ids[1:3]), count(ids[3:19])
	if many != few {
		t.Errorf("%d statements for 16 learners, %d for 2", many, few)
	}
}

func TestABrokenLearnerHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := year(t, b, 4, 2)
	err := b.DB.Tenant(t.Context(), b.registrar, func(tx pgx.Tx) error { // past the checks of the award
		_, err := tx.Exec(context.Background(), `update assertion set evidence = '[{"id": "not an address"}]' where learner_id = $1`, ids[1])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	made, failed := 0, 0
	err = b.Graduate(t.Context(), b.registrar, ids, 1, func(a record.Assembled) error {
		if a.Err != nil {
			failed++
			if a.LearnerID != ids[1] {
				t.Errorf("%+v", a)
			}
			return nil
		}
		made++
		return nil
	})
	if err != nil || made != 3 || failed != 1 {
		t.Errorf("%d made, %d failed, %v", made, failed, err)
	}
}

// BenchmarkGraduate is a graduation run: read, assemble, sign and store records
// of 100 credentials that were issued before, on two workers and with the memory
// that the service gives itself. It tells the least processor time of any run,
// which neighbours disturb less than the time, and how much of it was the
// database's.
func BenchmarkGraduate(b *testing.B) {
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(300))
	}
	n := 100
	if v, err := strconv.Atoi(os.Getenv("TESTAMUR_BENCH_LEARNERS")); err == nil {
		n = v
	}
	w := setup(b)
	ids := year(b, w, n, 100)
	ctx := context.Background()
	for some := range slices.Chunk(ids, 16) {
		var people []learner.Learner
		for _, l := range some {
			people = append(people, must(w.learners.Find(ctx, w.registrar, string(l))))
		}
		must(w.Credentials.IssueEarned(ctx, w.registrar, people...))
	}
	least, rate := time.Duration(math.MaxInt64), 0.0
	var database time.Duration
	for b.Loop() {
		made := 0
		own, below := cost.Used()
		start := time.Now()
		err := w.Graduate(ctx, w.registrar, ids, 2, func(a record.Assembled) error {
			if a.Err != nil {
				return a.Err
			}
			if a.New {
				made++
			}
			return nil
		})
		took := time.Since(start)
		since, after := cost.Used()
		if err != nil {
			b.Fatal(err)
		}
		if made != n {
			b.Fatalf("%d records of %d", made, n)
		}
		each := time.Duration(made)
		if cpu := (since - own + after - below) / each; cpu < least {
			least, database = cpu, (after-below)/each
		}
		rate = max(rate, float64(made)/took.Seconds())
		b.StopTimer()
		renew(b, w, ids)
		b.StartTimer()
	}
	b.ReportMetric(rate, "records/s")
	b.ReportMetric(float64(least.Microseconds())/1000, "cpu-ms/record")
	b.ReportMetric(float64(database.Microseconds())/1000, "db-cpu-ms/record")
	b.ReportMetric(2/least.Seconds(), "records/s-of-2-cores")
}

// renew revokes the latest records, so that the next run makes new versions.
func renew(b *testing.B, w *bench, ids []learner.ID) {
	b.Helper()
	err := w.DB.Tenant(context.Background(), w.registrar, func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), `update credential set status = 'revoked' where kind = 'record' and status = 'active' and learner_id = any($1)`, ids)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}
