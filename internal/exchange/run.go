package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/spec/imscase"
	"github.com/testamur/testamur/internal/tabular"
)

// batchSize is how many rows are written at once.
const batchSize = 8000

// maxKept is how many failed rows a job that rejects all tells of.
const maxKept = 10_000

// errElsewhere ends a run whose job somebody else works on, or that was
// cancelled.
var errElsewhere = errors.New("the job is not this run's any more")

// errUndo rolls back a job that rejects all.
var errUndo = errors.New("at least one row failed")

// Run reads a job's file, from behind the last committed line. A job that has
// finished stays as it is. It writes as whoever asked for the job; system is the
// service at work in the job's institution. An error is the database's or the service's own: the
// run may be tried again.
func (s *Service) Run(ctx context.Context, system access.Actor, job string) error {
	if err := access.Check(system, access.Import); err != nil {
		return err
	}
	j, err := s.begin(ctx, system, job)
	if err != nil || j.Finished() {
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		return err
	}
	who := system
	who.ID = j.CreatedBy // what is written was written for whoever asked
	file := s.inShort(ctx, system, text(j.UploadID))
	switch {
	case j.Kind.framework() != "":
		err = s.runPackage(ctx, who, j)
	case j.Kind.acts():
		err = s.runActs(ctx, who, j, file)
	case j.Kind == Graduation:
		err = s.runGraduation(ctx, who, j, file)
	case j.Options.ErrorPolicy == RejectAll:
		err = s.runWhole(ctx, who, j, file)
	default:
		err = s.runBatches(ctx, who, j, file)
	}
	if errors.Is(err, errElsewhere) {
		return nil
	}
	var bad *tabular.Error
	if errors.As(err, &bad) {
		return s.finish(ctx, who, j.ID, func(j *Job) { fail(j, bad.Message) })
	}
	return err
}

// GiveUp marks a job that could not be run as failed; cause goes to the log,
// not to the registrar.
func (s *Service) GiveUp(ctx context.Context, system access.Actor, job string) error {
	if err := access.Check(system, access.Import); err != nil {
		return err
	}
	return s.finish(ctx, system, job, func(j *Job) {
		fail(j, "The service could not go on with this file. What is listed as done is done; start the import again, which changes nothing that is there already.")
	})
}

func fail(j *Job, sentence string) { j.State, j.Failure = Stopped, &sentence }

func (s *Service) begin(ctx context.Context, who access.Actor, job string) (Job, error) {
	var j Job
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if j, err = findJob(ctx, tx, who, job, " for update"); err != nil || j.Finished() {
			return err
		}
		now := pg.Instant(s.Now())
		if j.State = Running; j.StartedAt == nil {
			j.StartedAt = &now
		}
		return updateJob(ctx, tx, who, j)
	})
	return j, err
}

func (s *Service) finish(ctx context.Context, who access.Actor, job string, end func(*Job)) error {
	return s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		j, err := findJob(ctx, tx, who, job, " for update")
		if err != nil || j.Finished() {
			return err
		}
		return s.end(ctx, tx, who, j, end)
	})
}

// end writes how a job ended, with its audit line.
func (s *Service) end(ctx context.Context, tx pgx.Tx, who access.Actor, j Job, end func(*Job)) error {
	now := pg.Instant(s.Now())
	j.State, j.FinishedAt = Succeeded, &now
	end(&j)
	if err := updateJob(ctx, tx, who, j); err != nil {
		return err
	}
	return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Import, Target: j.ID, Detail: map[string]any{"state": j.State,
		"created": j.CreatedCount, "updated": j.UpdatedCount, "unchanged": j.UnchangedCount, "failed": j.FailedCount}})
}

// runPackage reads a framework, whole or not at all.
func (s *Service) runPackage(ctx context.Context, who access.Actor, j Job) error {
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := mine(ctx, tx, who, j); err != nil {
			return err
		}
		l, err := s.Frameworks.LoadFile(ctx, who, tx, j.Options.framework(ctx, who, j.Kind, text(j.UploadID)))
		if err != nil {
			return err
		}
		j.CreatedCount, j.UpdatedCount, j.UnchangedCount = l.Created, l.Updated+l.Retired, l.Unchanged
		j.Notices = append([]string{}, l.Notices...)
		if l.Retired > 0 {
			j.Notices = append(j.Notices, fmt.Sprintf("%d items are not in this package any more and were retired; what was awarded for them stays.", l.Retired))
		}
		return s.end(ctx, tx, who, j, func(j *Job) { j.BytesDone = j.BytesTotal })
	})
	var refused *imscase.Refused
	var row *tabular.Error
	if errors.As(err, &row) {
		refused = &imscase.Refused{Violations: []imscase.Violation{{Rule: row.Rule, Pointer: row.Column, Message: row.Message}}}
	} else if !errors.As(err, &refused) {
		return err
	}
	return s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		var all []Outcome
		for _, v := range refused.Violations {
			message, line := v.Message, 1
			if row != nil {
				line = max(1, row.Line)
			}
			all = append(all, Outcome{FirstLine: line, LastLine: line, RowCount: 1, Outcome: string(bulk.Failed), Column: ptr(v.Pointer), Rule: ptr(v.Rule), Message: &message})
		}
		if err := appendOutcomes(ctx, tx, who, j.ID, all); err != nil {
			return err
		}
		j.FailedCount = len(all)
		return s.end(ctx, tx, who, j, func(j *Job) {
			fail(j, fmt.Sprintf("The file was refused and nothing of it was imported: %s (rule %s).", refused.Violations[0].Message, refused.Violations[0].Rule))
		})
	})
}

func ptr(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// mine makes sure that nobody else works on the job, and that it is as this run
// left it. The lock ends with the transaction.
func mine(ctx context.Context, tx pgx.Tx, who access.Actor, j Job) error {
	var locked bool
	if err := tx.QueryRow(ctx, `select pg_try_advisory_xact_lock(hashtextextended(@job, 0))`, pgx.NamedArgs{"job": j.ID}).Scan(&locked); err != nil {
		return err
	}
	now, err := findJob(ctx, tx, who, j.ID, "")
	if err != nil {
		return err
	}
	if !locked || now.State != Running || now.LineDone != j.LineDone {
		return errElsewhere
	}
	return nil
}

// runBatches imports batch by batch; rows that fail are told of.
func (s *Service) runBatches(ctx context.Context, who access.Actor, j Job, file io.Reader) error {
	src, err := open(j, file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	reads := ahead(ctx, &batches{kind: j.Kind, src: src, after: j.LineDone})
	defer func() {
		cancel()
		for range reads { // until the reader has ended
		}
	}()
	for read := range reads {
		lines := read.lines
		if read.err != nil {
			return read.err
		}
		var next Job
		err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
			if err := mine(ctx, tx, who, j); err != nil {
				return err
			}
			out, err := s.write(ctx, tx, who, j, lines)
			if err != nil {
				return err
			}
			next, err = s.past(ctx, tx, who, j, lines, out)
			return err
		})
		if err != nil {
			return err
		}
		j = next
	}
	return s.finish(ctx, who, j.ID, func(j *Job) { j.BytesDone = j.BytesTotal })
}

// past keeps what became of some lines and gives the job that stands behind them.
func (s *Service) past(ctx context.Context, tx pgx.Tx, who access.Actor, j Job, lines []line, out []bulk.Outcome) (Job, error) {
	if err := appendOutcomes(ctx, tx, who, j.ID, told(j.Kind, lines, out)); err != nil {
		return j, err
	}
	next := j
	next.add(out)
	last := lines[len(lines)-1]
	next.LineDone, next.BytesDone = last.last, min(max(last.offset, 0), j.BytesTotal)
	if err := updateJob(ctx, tx, who, next); err != nil {
		return j, err
	}
	return next, s.accountBatch(ctx, tx, who, j, next)
}

// accountBatch writes one audit line for a batch that changed something.
func (s *Service) accountBatch(ctx context.Context, tx pgx.Tx, who access.Actor, before, after Job) error {
	created, updated := after.CreatedCount-before.CreatedCount, after.UpdatedCount-before.UpdatedCount
	if created+updated == 0 {
		return nil
	}
	return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Import, Target: after.ID, Detail: map[string]any{"kind": after.Kind,
		"lines": []int{before.LineDone + 1, after.LineDone}, "created": created, "updated": updated}})
}

// runWhole imports in one transaction, and undoes it when a row failed.
func (s *Service) runWhole(ctx context.Context, who access.Actor, j Job, file io.Reader) error {
	src, err := open(j, file)
	if err != nil {
		return err
	}
	var failed []Outcome
	r := &batches{kind: j.Kind, src: src}
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := mine(ctx, tx, who, j); err != nil {
			return err
		}
		for {
			lines, err := r.next()
			if err != nil {
				return err
			}
			if len(lines) == 0 {
				break
			}
			out, err := s.write(ctx, tx, who, j, lines)
			if err != nil {
				return err
			}
			j.add(out)
			all := told(j.Kind, lines, out)
			for _, o := range all {
				if o.Outcome == string(bulk.Failed) && len(failed) < maxKept {
					failed = append(failed, o)
				}
			}
			if j.FailedCount > 0 {
				continue
			}
			if err := appendOutcomes(ctx, tx, who, j.ID, all); err != nil {
				return err
			}
		}
		if j.FailedCount > 0 {
			return errUndo
		}
		return s.end(ctx, tx, who, j, func(j *Job) { j.BytesDone = j.BytesTotal })
	})
	if !errors.Is(err, errUndo) {
		return err
	}
	return s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := appendOutcomes(ctx, tx, who, j.ID, failed); err != nil {
			return err
		}
		rows := j.FailedCount + j.CreatedCount + j.UpdatedCount + j.UnchangedCount
		j.CreatedCount, j.UpdatedCount, j.UnchangedCount = 0, 0, 0
		return s.end(ctx, tx, who, j, func(j *Job) {
			fail(j, fmt.Sprintf("%d of %d rows failed, so nothing was imported. Correct them, or choose to reject only the rows that fail.", j.FailedCount, rows))
		})
	})
}

// batch is what was read of a file: lines that can be written together, or why
// there are none.
type batch struct {
	lines []line
	err   error
}

// ahead reads the next batch while the last one is written, until the file or
// the context ends.
func ahead(ctx context.Context, r *batches) <-chan batch {
	out := make(chan batch)
	go func() {
		defer close(out)
		for {
			lines, err := r.next()
			if len(lines) == 0 && err == nil {
				return
			}
			select {
			case out <- batch{lines, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

// batches cuts a source into lists of lines that can be written together.
type batches struct {
	kind  Kind
	src   source
	after int   // lines up to this one are done
	size  int   // of a list at most; 0 for batchSize
	held  *line // read, but means the same as one before it
	ended bool
}

func (b *batches) next() ([]line, error) {
	if b.ended && b.held == nil {
		return nil, nil
	}
	var lines []line
	seen := met{}
	for len(lines) < cmp.Or(b.size, batchSize) {
		l, err := b.one()
		if errors.Is(err, io.EOF) {
			b.ended = true
			break
		}
		if err != nil {
			return nil, err
		}
		if l.last <= b.after {
			continue
		}
		if l.bad == nil {
			if seen.meets(b.kind, l) {
				b.held = &l
				break
			}
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func (b *batches) one() (line, error) {
	if b.held != nil {
		l := *b.held
		b.held = nil
		return l, nil
	}
	if b.ended {
		return line{}, io.EOF
	}
	return b.src.next()
}

// readable does something with the lines that can be read.
func readable(lines []line, do func(good []line) ([]bulk.Outcome, error)) ([]bulk.Outcome, error) {
	out := make([]bulk.Outcome, len(lines))
	var good []line
	var places []int
	for i, l := range lines {
		if l.bad != nil {
			out[i] = bulk.Fail(&fault.Error{Kind: fault.Invalid, Field: l.bad.Column, Rule: l.bad.Rule, Message: l.bad.Message})
			continue
		}
		good, places = append(good, l), append(places, i)
	}
	if len(good) == 0 {
		return out, nil
	}
	done, err := do(good)
	for i, o := range done {
		out[places[i]] = o
	}
	return out, err
}

// write writes the lines that can be read.
func (s *Service) write(ctx context.Context, tx pgx.Tx, who access.Actor, j Job, lines []line) ([]bulk.Outcome, error) {
	return readable(lines, func(good []line) ([]bulk.Outcome, error) {
		written, err := s.narrow(ctx, tx, who, j, good)
		if err == nil && (j.Kind == Results || j.Kind == Awards) {
			err = s.tellAwarded(ctx, tx, who, written)
		}
		return written, err
	})
}

// tellAwarded says which awards a batch made.
func (s *Service) tellAwarded(ctx context.Context, tx pgx.Tx, who access.Actor, written []bulk.Outcome) error {
	var ids []string
	for _, o := range written {
		if o.Change == bulk.Created {
			ids = append(ids, o.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return s.Outbox.Emit(ctx, tx, event.Awarded{InstitutionID: who.InstitutionID, AssertionIDs: ids})
}

// narrow writes lines; if the database refuses them together, it halves them
// until the one that it refuses stands alone, so that the others are not lost.
func (s *Service) narrow(ctx context.Context, tx pgx.Tx, who access.Actor, j Job, lines []line) ([]bulk.Outcome, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	var out []bulk.Outcome
	err := pgx.BeginFunc(ctx, tx, func(sub pgx.Tx) (err error) {
		out, err = loads[j.Kind](ctx, sub, who, bulk.Batch{Now: s.Now(), NewID: s.NewID}, j, lines)
		return err
	})
	refused := ofRow(err)
	if refused == nil {
		return out, err
	}
	if len(lines) == 1 {
		return []bulk.Outcome{bulk.Fail(refused)}, nil
	}
	half := len(lines) / 2
	first, err := s.narrow(ctx, tx, who, j, lines[:half])
	if err != nil {
		return nil, err
	}
	second, err := s.narrow(ctx, tx, who, j, lines[half:])
	return append(first, second...), err
}

// ofRow is the fault when the data of a row is what the database refused.
func ofRow(err error) *fault.Error {
	if f, ok := fault.Of(err); ok && (f.Kind == fault.Invalid || f.Kind == fault.Conflict || f.Kind == fault.State || f.Kind == fault.NotFound) {
		return f
	}
	var broken *pgconn.PgError
	if !errors.As(err, &broken) || len(broken.Code) != 5 {
		return nil
	}
	switch broken.Code[:2] {
	case "22":
		return &fault.Error{Kind: fault.Invalid, Rule: "storable", Message: "A value of this row cannot be stored: it is too large, or has a character that no text may have.", Err: err}
	case "23":
		f, _ := fault.Of(pg.Fault(err))
		return f
	}
	return nil
}

// told are the outcomes as they are kept: neighbours that went the same way
// share a line, and each failure names column, rule and value.
func told(k Kind, lines []line, out []bulk.Outcome) []Outcome {
	var all []Outcome
	for i, o := range out {
		l := lines[i]
		if o.Change != bulk.Failed {
			if n := len(all); n > 0 && all[n-1].Outcome == string(o.Change) {
				all[n-1].LastLine = l.last
				all[n-1].RowCount++
				continue
			}
			all = append(all, Outcome{FirstLine: l.first, LastLine: l.last, RowCount: 1, Outcome: string(o.Change)})
			continue
		}
		all = append(all, failure(k, l, o.Err))
	}
	return all
}

func failure(k Kind, l line, err *fault.Error) Outcome {
	message := err.Message
	o := Outcome{FirstLine: l.first, LastLine: l.last, RowCount: 1, Outcome: string(bulk.Failed), Rule: ptr(err.Rule), Message: &message, Column: ptr(err.Field)}
	switch {
	case l.bad != nil:
		o.FirstLine, o.Value = max(l.bad.Line, 1), ptr(l.bad.Value)
	case k != Achievements && err.Field != "":
		o.Column, o.Value = ptr(header(l.row, err.Field)), ptr(cut(l.row.Text(err.Field)))
	}
	o.LastLine = max(o.FirstLine, o.LastLine)
	return o
}

func header(r tabular.Row, field string) string {
	if h := r.Header(field); h != "" {
		return h
	}
	return field
}

// maxValue is how much of a value is shown.
const maxValue = 100

func cut(v string) string {
	if r := []rune(v); len(r) > maxValue {
		return string(r[:maxValue-1]) + "…"
	}
	return v
}
