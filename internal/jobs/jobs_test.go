package jobs_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/jobs"
	"github.com/testamur/testamur/internal/testbed"
)

// TestJobsAreDoneAndThoseCutOffAreTakenUp orders one import before the workers
// start, as a process that ended leaves it, and one while they run.
func TestJobsAreDoneAndThoseCutOffAreTakenUp(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	order := func(file string) string {
		u, err := b.Exchange.Receive(t.Context(), b.Registrar(), "courses.csv", strings.NewReader(file))
		testbed.Must(t, u, err)
		j, err := b.Exchange.Start(t.Context(), b.Registrar(), nil, exchange.Order{Kind: exchange.Courses, UploadID: u.ID})
		return testbed.Must(t, j, err).ID
	}
	ordered := []string{order("code,title\nA,One\n")}
	w, err := jobs.New(b.DB, jobs.Services{Exchange: b.Exchange, Institutions: b.Institutions, Credentials: b.Credentials, Records: b.Records, Programs: b.Programs, Shares: b.Shares}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ordered = append(ordered, order("code,title\nB,Two\n"))
	for _, id := range ordered {
		for deadline := time.Now().Add(30 * time.Second); ; {
			j, err := b.Exchange.Find(t.Context(), b.Registrar(), id)
			if testbed.Must(t, j, err).Finished() {
				if j.State != exchange.Succeeded || j.CreatedCount != 1 {
					t.Errorf("%+v", j)
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("not done: %+v", j)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
