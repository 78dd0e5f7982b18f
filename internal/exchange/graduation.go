package exchange

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/once"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
)

// graduates is how many records are made before the job says how far it has
// come, and graduators how many are made side by side.
const (
	graduates  = 64
	graduators = 2
)

// Cohort names whose records a graduation makes: learners, or all who have
// completed a program that they are enrolled in.
type Cohort struct {
	Learners   []string // ids, references of the system, or identifiers
	Completers string   // id or code of a program
	System     string   // that the references belong to
	Type       string   // key of a record type; full unless said
	Program    string   // that the records are about, for a type that is about one
}

const maxCohort = 20_000

// Graduate starts a job that makes the records of a cohort. What the job does is
// what an import of a file of learners does: it tells how far it has come, goes
// on where it was cut off, and says of each learner what became of the record.
func (s *Service) Graduate(ctx context.Context, who access.Actor, key *string, c Cohort) (Job, error) {
	if err := access.Check(who, access.Import); err != nil {
		return Job{}, err
	}
	if err := access.Check(who, access.Assemble); err != nil {
		return Job{}, err
	}
	if (len(c.Learners) == 0) == (c.Completers == "") {
		return Job{}, fault.At("learnerIds", "one-of", "Say whose records: a list of learners, or a program for all who have completed it.")
	}
	request := once.Request{Key: key, Operation: "startGraduation", Input: c}
	var before *Job
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		target, replay, err := once.Find(ctx, tx, who, request)
		if err == nil && replay {
			j, err := findJob(ctx, tx, who, target, "")
			before = &j
			return err
		}
		return err
	})
	if err != nil || before != nil {
		return deref(before), err
	}
	name := "cohort.csv"
	if c.Completers != "" {
		p, err := s.Programs.Find(ctx, who, c.Completers)
		if err != nil {
			return Job{}, within(err, "completersOf")
		}
		all, err := s.Programs.Completers(ctx, who, p.ID, maxCohort)
		if err != nil {
			return Job{}, within(err, "completersOf")
		}
		if len(all) == 0 {
			return Job{}, &fault.Error{Kind: fault.State, Field: "completersOf", Rule: "somebody", Message: "Nobody who is enrolled in this program has completed it."}
		}
		for _, l := range all {
			c.Learners = append(c.Learners, string(l))
		}
		name = "completers-" + p.Code + ".csv"
	}
	if len(c.Learners) > maxCohort {
		return Job{}, fault.At("learnerIds", "too-many", "Name at most %d learners at a time, or send them as a file.", maxCohort)
	}
	var b strings.Builder
	b.WriteString("learner_id\n")
	for _, l := range c.Learners {
		b.WriteString(quoted(strings.TrimPrefix(l, "ref:"+c.System+":")) + "\n")
	}
	o := Order{Kind: Graduation, Options: Options{System: c.System, RecordType: c.Type, Program: c.Program}}
	if err := o.check(); err != nil {
		return Job{}, err
	}
	var j Job
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		u, err := s.receive(ctx, under(tx), who, name, strings.NewReader(b.String()))
		if err != nil {
			return err
		}
		o.UploadID = u.ID
		j, err = s.startIn(ctx, tx, who, request, o)
		return err
	})
	return j, err
}

func deref(j *Job) Job {
	if j == nil {
		return Job{}
	}
	return *j
}

// quoted is a text as one cell of a CSV file.
func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func within(err error, field string) error {
	if f, ok := fault.Of(err); ok {
		return f.Within(field)
	}
	return err
}

// runGraduation makes the records of the learners in a file, some at a time.
// Each record is signed and kept by itself, so a run that was cut off between a
// record and the line that tells of it finds the record there, unchanged.
func (s *Service) runGraduation(ctx context.Context, who access.Actor, j Job, file io.Reader) error {
	src, err := open(j, file)
	if err != nil {
		return err
	}
	b := &batches{kind: j.Kind, src: src, after: j.LineDone, size: graduates}
	for {
		lines, err := b.next()
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			return s.finish(ctx, who, j.ID, func(j *Job) { j.BytesDone = j.BytesTotal })
		}
		if err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error { return mine(ctx, tx, who, j) }); err != nil {
			return err // cancelled, or another's
		}
		out, err := s.graduate(ctx, who, j, lines)
		if f, ok := fault.Of(err); ok && f.Kind != fault.Unavailable {
			return s.finish(ctx, who, j.ID, func(j *Job) { fail(j, f.Message) })
		}
		if err != nil {
			return err
		}
		var next Job
		err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
			if err := mine(ctx, tx, who, j); err != nil {
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
}

// graduate makes the records of some lines.
func (s *Service) graduate(ctx context.Context, who access.Actor, j Job, lines []line) ([]bulk.Outcome, error) {
	out := make([]bulk.Outcome, len(lines))
	names := make([]string, 0, len(lines))
	for _, l := range lines {
		names = append(names, l.row.Text("learner_id"))
	}
	var found map[string]learner.ID
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		found, err = learner.Resolve(ctx, tx, who, j.system(), names)
		return err
	})
	if err != nil {
		return nil, err
	}
	places := map[learner.ID]int{}
	var ids []learner.ID
	for i, l := range lines {
		id, ok := found[names[i]]
		switch _, twice := places[id]; {
		case l.bad != nil:
			out[i] = bulk.Fail(&fault.Error{Kind: fault.Invalid, Field: l.bad.Column, Rule: l.bad.Rule, Message: l.bad.Message})
		case !ok:
			out[i] = bulk.Fail(fault.At("learner_id", "known", "There is no learner %q here, or more than one.", names[i]))
		case twice:
			out[i] = bulk.Outcome{Change: bulk.Unchanged}
		default:
			places[id], ids = i, append(ids, id)
		}
	}
	w := record.Want{Type: j.Options.RecordType, Program: program.ID(j.Options.Program)}
	err = s.Records.GraduateAs(ctx, who, w, ids, graduators, func(a record.Assembled) error {
		o := bulk.Outcome{Change: bulk.Unchanged}
		switch {
		case a.Err != nil:
			failed := *a.Err
			failed.Field = "learner_id"
			o = bulk.Fail(&failed)
		case a.New:
			o = bulk.Outcome{Change: bulk.Created, ID: string(a.Record.ID)}
		}
		out[places[a.LearnerID]] = o
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("graduate: %w", err)
	}
	return out, nil
}
