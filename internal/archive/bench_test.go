package archive_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/archive"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/cost"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"
)

// graduates adds learners who have each earned ten badges, which are signed, and a
// record of them.
func graduates(b *testing.B, s *testbed.Bed, n int) {
	b.Helper()
	ctx, who := context.Background(), s.Registrar()
	var badges []achievement.Achievement
	for i := range 10 {
		a, err := s.Achievements.Define(ctx, who, achievement.Draft{Definition: achievement.Definition{Name: fmt.Sprintf("Outcome %d", i), Description: "Shows that the learner can do what the outcome says, alone and with others.",
			AchievementType: "Competency", Criteria: &openbadges.Criteria{Narrative: "Assessed by portfolio and by practical examination."}}})
		badges = append(badges, testbed.Must(b, a, err))
	}
	var ids []learner.ID
	for i := range n {
		l, err := s.Learners.Define(ctx, who, learner.Definition{DisplayName: fmt.Sprintf("Learner %d", i)})
		ids = append(ids, testbed.Must(b, l, err).ID)
	}
	for some := range slices.Chunk(ids, 50) {
		var rows []assertion.Row
		for _, l := range some {
			for i, a := range badges {
				rows = append(rows, assertion.Row{LearnerID: l, Achievement: a, Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1+i), Term: "2026SP"}})
			}
		}
		err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
			_, err := assertion.Import(ctx, tx, who, bulk.Batch{Now: s.Now(), NewID: s.Assertions.NewID}, "x", rows)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	err := s.Records.Graduate(ctx, who, ids, 2, func(a record.Assembled) error {
		if a.Err != nil {
			return a.Err
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// peak is by how much the memory of this process grows at most while something is
// done, in MB; 0 where Linux does not tell.
func peak(b *testing.B, do func()) float64 {
	b.Helper()
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200)
	before := resident("VmRSS:")
	do()
	return resident("VmHWM:") - before
}

func resident(line string) float64 {
	raw, _ := os.ReadFile("/proc/self/status")
	for s := range strings.Lines(string(raw)) {
		if f := strings.Fields(s); len(f) > 1 && f[0] == line {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1024
		}
	}
	return 0
}

// BenchmarkArchive writes an institution to a folder and to a ZIP file, and checks
// both, at one size and at ten times that: what is in memory is to stay as it is.
// TESTAMUR_BENCH_LEARNERS is the larger size; each has ten credentials and a record.
func BenchmarkArchive(b *testing.B) {
	most := 300
	if n, err := strconv.Atoi(os.Getenv("TESTAMUR_BENCH_LEARNERS")); err == nil {
		most = n
	}
	s := testbed.New(b)
	dir := b.TempDir()
	there := 0
	for _, n := range []int{max(most/10, 1), most} {
		graduates(b, s, n-there)
		there = n
		for _, ending := range []string{"", ".zip"} {
			b.Run(fmt.Sprintf("%d%s", n, ending), func(b *testing.B) {
				var write, check, wrote, checked float64
				var cpu time.Duration
				var made archive.Made
				rounds := 0
				for b.Loop() {
					to := filepath.Join(dir, strconv.Itoa(n)+"-"+strconv.Itoa(rounds)+ending)
					own, below := cost.Used()
					start := time.Now()
					write = max(write, peak(b, func() {
						m, err := s.Archives.Write(context.Background(), s.As(access.System), archive.Order{To: to}, nil)
						made = testbed.Must(b, m, err)
					}))
					wrote += time.Since(start).Seconds()
					own1, below1 := cost.Used()
					start = time.Now()
					check = max(check, peak(b, func() {
						in, closer, err := archive.Open(to)
						if err != nil {
							b.Fatal(err)
						}
						defer closer.Close()
						r, err := archive.Check(context.Background(), in, archive.Anchor{Fingerprint: made.Fingerprint}, nil)
						if err != nil || r.Outcome != verify.Passed {
							b.Fatal(r.Outcome, err, r.Checks)
						}
					}))
					checked += time.Since(start).Seconds()
					cpu += own1 - own + below1 - below
					rounds++
					_ = os.RemoveAll(to)
				}
				of := float64(made.Credentials * rounds)
				b.ReportMetric(write, "MB-peak-written")
				b.ReportMetric(check, "MB-peak-checked")
				b.ReportMetric(of/wrote, "written/s")
				b.ReportMetric(float64(cpu.Microseconds())/of, "cpu-us/written")
				b.ReportMetric(of/checked, "checked/s")
				b.ReportMetric(float64(made.Credentials), "credentials")
				b.ReportMetric(float64(made.Bytes)/(1<<20), "MB")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
