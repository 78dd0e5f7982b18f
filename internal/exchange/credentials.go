package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/once"
)

// acts are the kinds whose rows are done one by one to credentials, each in
// transactions of its own, since what was signed cannot be undone.
var acts = []Kind{IssueCredentials, ReissueCredentials, RevokeCredentials, SuspendCredentials, LiftSuspensions}

func (k Kind) acts() bool { return slices.Contains(acts, k) }

// actsAtOnce is how many rows are done before their outcomes are kept.
const actsAtOnce = credential.MaxInline

// act is one row.
type act struct {
	line   int
	id     string
	cause  string
	reason string
	until  *time.Time
}

// runActs does a file of acts. One that was cut off begins again at the first
// row whose outcome was not kept: what is issued again is what is there, and
// every other act is done once for its job and line.
func (s *Service) runActs(ctx context.Context, who access.Actor, j Job, file io.Reader) error {
	src, err := open(j, file)
	if err != nil {
		return err
	}
	r := &batches{kind: j.Kind, src: src, after: j.LineDone}
	for {
		lines, err := r.next()
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			return s.finish(ctx, who, j.ID, func(j *Job) { j.BytesDone = j.BytesTotal })
		}
		for some := range slices.Chunk(lines, actsAtOnce) {
			if j, err = s.doActs(ctx, who, j, some); err != nil {
				return err
			}
		}
	}
}

func (s *Service) doActs(ctx context.Context, who access.Actor, j Job, lines []line) (Job, error) {
	if err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error { return mine(ctx, tx, who, j) }); err != nil {
		return j, err
	}
	out, err := readable(lines, func(good []line) ([]bulk.Outcome, error) {
		at := 0
		return split(good, j, func(c *cells) act { at++; return j.act(c, good[at-1].first) }, func(all []act) ([]bulk.Outcome, error) {
			if j.Kind == IssueCredentials {
				return s.issueAll(ctx, who, j, all)
			}
			return each(all, func(a act) (credential.Credential, error) { return s.do(ctx, who, j, a) })
		})
	})
	if err != nil {
		return j, err
	}
	next := j
	next.add(out)
	last := lines[len(lines)-1]
	next.LineDone, next.BytesDone = last.last, min(max(last.offset, 0), j.BytesTotal)
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := mine(ctx, tx, who, j); err != nil {
			return err
		}
		if err := appendOutcomes(ctx, tx, who, j.ID, told(j.Kind, lines, out)); err != nil {
			return err
		}
		if err := updateJob(ctx, tx, who, next); err != nil {
			return err
		}
		return s.accountBatch(ctx, tx, who, j, next)
	})
	return next, err
}

// act reads a row.
func (j Job) act(c *cells, line int) act {
	a := act{line: line, cause: strings.ToLower(c.row.Text("cause")), reason: c.row.Text("reason")}
	if j.Kind != IssueCredentials {
		a.id = c.required("credential_id")
		c.required("reason")
	} else if a.id = c.required("assertion_id"); !strings.HasPrefix(a.id, "asn_") && !strings.HasPrefix(a.id, "ref:") {
		a.id = "ref:" + j.system() + ":" + a.id
	}
	if j.Kind == RevokeCredentials {
		c.required("cause")
	}
	if text := c.row.Text("valid_until"); text != "" {
		until, err := time.Parse(time.RFC3339, text)
		if err != nil {
			c.fail("valid_until", "instant", "%q is not an instant such as 2030-06-30T23:59:59Z.", text)
		}
		a.until = &until
	}
	return a
}

// issueAll signs for awards, those that end at the same instant together.
func (s *Service) issueAll(ctx context.Context, who access.Actor, j Job, all []act) ([]bulk.Outcome, error) {
	out := make([]bulk.Outcome, 0, len(all))
	for len(all) > 0 {
		n := 1
		for n < len(all) && (all[n].until == nil) == (all[0].until == nil) && (all[n].until == nil || all[n].until.Equal(*all[0].until)) {
			n++
		}
		ids := make([]string, n)
		for i, a := range all[:n] {
			ids[i] = a.id
		}
		done, err := s.Credentials.IssueMany(ctx, who, ids, all[0].until)
		for i := range ids {
			one := err
			if err == nil && done[i].Err != nil {
				one = done[i].Err
			}
			if one != nil {
				o, err := refused(one)
				if err != nil {
					return nil, err
				}
				out = append(out, o)
				continue
			}
			o := bulk.Outcome{Change: bulk.Created, ID: string(done[i].Credential.ID)}
			if at := done[i].Credential.IssuedAt; at != nil && j.StartedAt != nil && at.Before(*j.StartedAt) {
				o.Change = bulk.Unchanged
			}
			out = append(out, o)
		}
		all = all[n:]
	}
	return out, nil
}

// do does one act, once for its job and line.
func (s *Service) do(ctx context.Context, who access.Actor, j Job, a act) (credential.Credential, error) {
	key := j.ID + ":" + strconv.Itoa(a.line)
	switch j.Kind {
	case ReissueCredentials:
		return s.Credentials.Reissue(ctx, who, &key, credential.Reissue{ID: a.id, Reason: a.reason, ValidUntil: a.until})
	case RevokeCredentials:
		return s.Credentials.Revoke(ctx, who, &key, a.id, credential.Revocation{Cause: a.cause, Reason: a.reason})
	case SuspendCredentials:
		return s.Credentials.Suspend(ctx, who, &key, a.id, a.reason)
	case LiftSuspensions:
		return s.Credentials.Lift(ctx, who, &key, a.id, a.reason)
	}
	return credential.Credential{}, fmt.Errorf("%s is done to no credential", j.Kind)
}

func each(all []act, do func(act) (credential.Credential, error)) ([]bulk.Outcome, error) {
	out := make([]bulk.Outcome, len(all))
	for i, a := range all {
		c, err := do(a)
		if err == nil {
			out[i] = bulk.Outcome{Change: bulk.Updated, ID: string(c.ID)}
		} else if out[i], err = refused(err); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// columnOf is where a file says what an operation calls otherwise.
var columnOf = map[string]string{"id": "credential_id", "assertionIds": "assertion_id", "assertionId": "assertion_id", "validUntil": "valid_until"}

// refused is the outcome of an act that a rule is against; another error is the
// service's own.
func refused(err error) (bulk.Outcome, error) {
	f := ofRow(err)
	if f == nil {
		return bulk.Outcome{}, err
	}
	field, _, _ := strings.Cut(f.Field, ".")
	if column, ok := columnOf[field]; ok {
		field = column
	}
	return bulk.Fail(&fault.Error{Kind: f.Kind, Field: field, Rule: f.Rule, Message: f.Message}), nil
}

// maxActs is how many credentials one request changes.
const maxActs = 10_000

// Acts is one thing to be done to many.
type Acts struct {
	Kind       Kind // one of those that are done to credentials
	IDs        []string
	Cause      string // of a revocation
	Reason     string // of all but issuing
	ValidUntil *time.Time
}

// Act does one thing to many credentials as a job, which has an outcome for each
// in the order given.
func (s *Service) Act(ctx context.Context, who access.Actor, key *string, a Acts) (Job, error) {
	if err := access.Check(who, access.Import); err != nil {
		return Job{}, err
	}
	if !a.Kind.acts() {
		return Job{}, fault.At("kind", "kind", "%q is not done to credentials.", a.Kind)
	}
	if err := access.Check(who, a.Kind.action()); err != nil {
		return Job{}, err
	}
	if n := len(a.IDs); n == 0 || n > maxActs {
		return Job{}, fault.At("ids", "count", "Name between 1 and %d at once; these are %d.", maxActs, n)
	}
	var file bytes.Buffer
	for _, name := range a.IDs {
		row := map[string]string{"credential_id": name, "reason": a.Reason}
		if a.Kind == IssueCredentials {
			row = map[string]string{"assertion_id": name}
		}
		if a.Kind == RevokeCredentials {
			row["cause"] = a.Cause
		}
		if a.ValidUntil != nil {
			row["valid_until"] = a.ValidUntil.UTC().Format(time.RFC3339)
		}
		raw, err := json.Marshal(row)
		if err != nil {
			return Job{}, err
		}
		file.Write(append(raw, '\n'))
	}
	var j Job
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		u, err := s.receive(ctx, under(tx), who, strings.ToLower(string(a.Kind))+".ndjson", &file)
		if err != nil {
			return err
		}
		o := Order{Kind: a.Kind, UploadID: u.ID, Options: Options{Format: "ndjson"}}
		j, err = s.startIn(ctx, tx, who, once.Request{Key: key, Operation: "changeCredentials", Input: a}, o)
		return err
	})
	return j, err
}
