package exchange

import (
	"context"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/once"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/tabular"
)

// Service keeps uploads and jobs, and runs them.
type Service struct {
	DB     *pg.DB
	Now    func() time.Time
	NewID  id.Source
	Outbox *event.Outbox

	Frameworks  *framework.Service  // for previews
	Credentials *credential.Service // for what is done to credentials
	Records     *record.Service     // for graduations
	Programs    *program.Service    // for those who have completed one
}

// Start makes a job of an upload; it runs in the background. The actor must be
// allowed to import, and to write what the file holds.
func (s *Service) Start(ctx context.Context, who access.Actor, key *string, o Order) (Job, error) {
	if err := access.Check(who, access.Import); err != nil {
		return Job{}, err
	}
	if err := o.check(); err != nil {
		return Job{}, err
	}
	if err := access.Check(who, o.Kind.action()); err != nil {
		return Job{}, err
	}
	return s.start(ctx, who, once.Request{Key: key, Operation: "startImport", Input: o}, o)
}

func (s *Service) start(ctx context.Context, who access.Actor, request once.Request, o Order) (Job, error) {
	var j Job
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		j, err = s.startIn(ctx, tx, who, request, o)
		return err
	})
	return j, err
}

func (s *Service) startIn(ctx context.Context, tx pgx.Tx, who access.Actor, request once.Request, o Order) (Job, error) {
	target, replay, err := once.Find(ctx, tx, who, request)
	if err != nil {
		return Job{}, err
	}
	if replay {
		return findJob(ctx, tx, who, target, "")
	}
	u, err := findUpload(ctx, tx, who, o.UploadID)
	if err != nil {
		return Job{}, within(err, "uploadId")
	}
	j := Job{ID: s.NewID("job"), Kind: o.Kind, State: Queued, UploadID: &u.ID, Options: o.Options, CreatedBy: who.ID,
		CreatedAt: pg.Instant(s.Now()), BytesTotal: u.Size, Notices: []string{}}
	if err := insertJob(ctx, tx, who, j); err != nil {
		return j, err
	}
	if err := once.Keep(ctx, tx, s.Now(), who, request, j.ID); err != nil {
		return j, err
	}
	if err := s.Outbox.Emit(ctx, tx, event.ImportRequested{InstitutionID: who.InstitutionID, JobID: j.ID}); err != nil {
		return j, err
	}
	return j, audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Import, Target: j.ID, Detail: map[string]any{"kind": o.Kind, "upload": u.ID}})
}

// Cancel stops a job that has not finished; what is committed stays. State
// when it has finished.
func (s *Service) Cancel(ctx context.Context, who access.Actor, job string) (Job, error) {
	if err := access.Check(who, access.Import); err != nil {
		return Job{}, err
	}
	var j Job
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if j, err = findJob(ctx, tx, who, job, " for update"); err != nil {
			return err
		}
		if err := access.Check(who, j.Kind.action()); err != nil {
			return err
		}
		if j.State == Cancelled {
			return nil
		}
		if j.Finished() {
			return &fault.Error{Kind: fault.State, Field: "id", Rule: "not-finished", Message: "This job has finished; there is nothing left to cancel."}
		}
		now := pg.Instant(s.Now())
		j.State, j.FinishedAt = Cancelled, &now
		if err := updateJob(ctx, tx, who, j); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Import, Target: j.ID, Detail: map[string]any{"cancelled": true}})
	})
	return j, err
}

// Resume asks again for every job of the institution that has not finished:
// a process that ended may have left it half done.
func (s *Service) Resume(ctx context.Context, who access.Actor) (int, error) {
	if err := access.Check(who, access.Import); err != nil {
		return 0, err
	}
	var open []string
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if open, err = openJobs(ctx, tx, who); err != nil {
			return err
		}
		for _, j := range open {
			if err := s.Outbox.Emit(ctx, tx, event.ImportRequested{InstitutionID: who.InstitutionID, JobID: j}); err != nil {
				return err
			}
		}
		return nil
	})
	return len(open), err
}

// Find is one job by id.
func (s *Service) Find(ctx context.Context, who access.Actor, job string) (Job, error) {
	var j Job
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		j, err = findJob(ctx, tx, who, job, "")
		return err
	})
	return j, err
}

// ByIDs are jobs by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []string) (map[string]Job, error) {
	all := make(map[string]Job, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := jobsByIDs(ctx, tx, who, ids)
		for _, j := range rows {
			all[j.ID] = j
		}
		return err
	})
	return all, err
}

type jobCursor struct {
	At time.Time `json:"t"`
	ID string    `json:"i"`
}

// List are jobs, newest first.
func (s *Service) List(ctx context.Context, who access.Actor, a page.Args) (page.Connection[Job], error) {
	limit, after, _, err := page.Start[jobCursor](a)
	if err != nil {
		return page.Connection[Job]{}, err
	}
	var rows []Job
	err = s.read(ctx, who, func(tx pgx.Tx) (err error) {
		rows, err = listJobs(ctx, tx, who, after, limit+1)
		return err
	})
	return page.Of(rows, limit, a, func(j Job) jobCursor { return jobCursor{j.CreatedAt, j.ID} }), err
}

type outcomeCursor struct {
	Position int `json:"p"`
}

// OutcomesOf is what became of the rows, in the order of the file; nothing for who
// may not know what stands in it.
func (s *Service) OutcomesOf(ctx context.Context, who access.Actor, job string, failedOnly bool, a page.Args) (page.Connection[Outcome], error) {
	all, err := s.OutcomesOfJobs(ctx, who, []string{job}, failedOnly, a)
	return all[job], err
}

// OutcomesOfJobs are the outcomes of each job, one page of each.
func (s *Service) OutcomesOfJobs(ctx context.Context, who access.Actor, jobs []string, failedOnly bool, a page.Args) (map[string]page.Connection[Outcome], error) {
	limit, after, _, err := page.Start[outcomeCursor](a)
	if err != nil {
		return nil, err
	}
	byJob := map[string][]Outcome{}
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := outcomesOf(ctx, tx, who, jobs, failedOnly, after.Position, limit+1)
		for _, r := range rows {
			byJob[r.JobID] = append(byJob[r.JobID], r.Outcome)
		}
		return err
	})
	out := make(map[string]page.Connection[Outcome], len(jobs))
	for _, j := range jobs {
		out[j] = page.Of(byJob[j], limit, a, func(o Outcome) outcomeCursor { return outcomeCursor{o.Position} })
	}
	return out, err
}

// errorPage is how many failed rows are read at once for the error file.
const errorPage = 1000

// ErrorFile writes the rows that failed as CSV: line, column, rule, value and
// message. Forbidden for who may not know what stands in the file.
func (s *Service) ErrorFile(ctx context.Context, who access.Actor, job string, w io.Writer) error {
	j, err := s.Find(ctx, who, job)
	if err != nil {
		return err
	}
	if !j.Kind.told(who) {
		return access.Check(who, access.ReadLearner)
	}
	var rows []outcomeRow
	after, done := 0, false
	return tabular.WriteErrors(w, func() (tabular.Error, bool, error) {
		if len(rows) == 0 && !done {
			err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
				rows, err = outcomesOf(ctx, tx, who, []string{job}, true, after, errorPage)
				return err
			})
			if err != nil {
				return tabular.Error{}, false, err
			}
			done = len(rows) < errorPage
		}
		if len(rows) == 0 {
			return tabular.Error{}, false, nil
		}
		o := rows[0]
		rows, after = rows[1:], o.Position
		return tabular.Error{Line: o.FirstLine, Column: text(o.Column), Rule: text(o.Rule), Value: text(o.Value), Message: text(o.Message)}, true, nil
	})
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadJob); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}

// add counts outcomes into the job.
func (j *Job) add(all []bulk.Outcome) {
	var n bulk.Count
	for _, o := range all {
		n.Add(o)
	}
	j.CreatedCount += n.Created
	j.UpdatedCount += n.Updated
	j.UnchangedCount += n.Unchanged
	j.FailedCount += n.Failed
}
