// Package jobs is the work in the background: it answers the events that
// operations emit, a few at a time, and takes up what a process that ended left
// undone. The queue is River, in the same database as everything else.
package jobs

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/sharing"
)

// Services is what the workers ask.
type Services struct {
	Exchange     *exchange.Service
	Institutions *institution.Service
	Credentials  *credential.Service
	Records      *record.Service
	Programs     *program.Service
	Shares       *sharing.Service
}

// Workers does the background work of one process.
type Workers struct {
	client *river.Client[pgx.Tx]
	Services
	log *slog.Logger
}

// workers is how many jobs run at once.
const workers = 2

// attempts is how often a job is tried before it is given up.
const attempts = 8

// New makes the workers; nothing runs before Start.
func New(db *pg.DB, s Services, log *slog.Logger) (*Workers, error) {
	all := river.NewWorkers()
	river.AddWorker(all, &importer{exchange: s.Exchange, log: log})
	river.AddWorker(all, &corrector{records: s.Records})
	river.AddWorker(all, &issuer{credentials: s.Credentials, programs: s.Programs})
	river.AddWorker(all, &revoker{credentials: s.Credentials, programs: s.Programs})
	river.AddWorker(all, &concluder{programs: s.Programs})
	river.AddWorker(all, &releaser{shares: s.Shares})
	river.AddWorker(all, &teller{shares: s.Shares})
	river.AddWorker(all, &sender{shares: s.Shares})
	river.AddWorker(all, &resender{institutions: s.Institutions, shares: s.Shares})
	river.AddWorker(all, &reconciler{Services: s, log: log})
	client, err := river.NewClient(riverpgxv5.New(db.Pool), &river.Config{
		Logger: log, Workers: all, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}, event.Outward: {MaxWorkers: senders}},
		JobTimeout: -1, MaxAttempts: attempts, PeriodicJobs: []*river.PeriodicJob{
			river.NewPeriodicJob(river.PeriodicInterval(reconcileEvery),
				func() (river.JobArgs, *river.InsertOpts) { return reconcileDue{}, nil }, &river.PeriodicJobOpts{RunOnStart: true}),
			river.NewPeriodicJob(river.PeriodicInterval(deliverEvery),
				func() (river.JobArgs, *river.InsertOpts) { return deliveryDue{}, nil }, &river.PeriodicJobOpts{RunOnStart: true})}})
	if err != nil {
		return nil, fmt.Errorf("open job queue: %w", err)
	}
	return &Workers{client: client, Services: s, log: log}, nil
}

// Start asks again for what was left undone and begins to work.
func (w *Workers) Start(ctx context.Context) error {
	all, err := w.Institutions.Slugs(ctx)
	if err != nil {
		return err
	}
	for _, in := range all {
		n, err := w.Exchange.Resume(ctx, access.SystemOf(string(in), "jobs"))
		if err != nil {
			return err
		}
		if _, err := w.Records.ResumeCorrections(ctx, access.SystemOf(string(in), "jobs")); err != nil {
			return err
		}
		if n > 0 {
			w.log.Info("going on with imports that were cut off", "institution", in, "jobs", n)
		}
	}
	return w.client.Start(ctx)
}

// Stop ends the work; a job that is cut off goes on at the next start.
func (w *Workers) Stop(ctx context.Context) error { return w.client.StopAndCancel(ctx) }

// importer reads uploads.
type importer struct {
	river.WorkerDefaults[event.ImportRequested]
	exchange *exchange.Service
	log      *slog.Logger
}

// Work runs one import.
func (i *importer) Work(ctx context.Context, j *river.Job[event.ImportRequested]) error {
	who := access.SystemOf(j.Args.InstitutionID, "import")
	err := i.exchange.Run(ctx, who, j.Args.JobID)
	if err == nil || ctx.Err() != nil {
		return err
	}
	i.log.Error("import was cut off", "job", j.Args.JobID, "attempt", j.Attempt, "error", err)
	if j.Attempt >= j.MaxAttempts {
		return i.exchange.GiveUp(ctx, who, j.Args.JobID)
	}
	return err
}
