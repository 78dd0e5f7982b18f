package record

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/once"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// Service assembles and keeps records.
type Service struct {
	DB          *pg.DB
	Now         func() time.Time
	NewID       id.Source
	Credentials *credential.Service
}

// attempts is how often two registrars who assemble the same record at one
// moment are sorted out before one is told.
const attempts = 3

// Assemble makes the learner's signed record of everything earned so far, and
// the credentials in it that are not there yet. When nothing changed since the
// latest version, that is the answer. State when nothing has been earned.
func (s *Service) Assemble(ctx context.Context, who access.Actor, key *string, name string) (Record, error) {
	if err := access.Check(who, access.Assemble); err != nil {
		return Record{}, err
	}
	request := once.Request{Key: key, Operation: "assembleRecord", Input: name}
	var r Record
	var err error
	for range attempts {
		if r, err = s.assemble(ctx, who, request, name); fault.KindOf(err) != fault.Conflict {
			break
		}
		if f, ok := fault.Of(err); ok && f.Rule != "issued-at-once" {
			break
		}
	}
	return r, err
}

func (s *Service) assemble(ctx context.Context, who access.Actor, request once.Request, name string) (Record, error) {
	var l learner.Learner
	var replayed []Record
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		target, replay, err := once.Find(ctx, tx, who, request)
		if err != nil {
			return err
		}
		if replay {
			replayed, err = byIDs(ctx, tx, who, []ID{ID(target)})
			return err
		}
		l, err = learner.InTx(ctx, tx, who, name)
		return err
	})
	if err != nil {
		return Record{}, err
	}
	if len(replayed) == 1 {
		return replayed[0], nil
	}
	embedded, err := s.Credentials.IssueEarned(ctx, who, l)
	if err != nil {
		return Record{}, err
	}
	if len(embedded) == 0 {
		return Record{}, &fault.Error{Kind: fault.State, Field: "learnerId", Rule: "something-earned",
			Message: "Nothing has been recorded for this learner yet, so there is nothing to put into a record. Award something first."}
	}
	facts, omissions := s.standing(l, embedded)
	if len(facts.Credentials) == 0 {
		return Record{}, &fault.Error{Kind: fault.State, Field: "learnerId", Rule: "something-earned",
			Message: "None of this learner's credentials stands: each was suspended or revoked, or has expired. There is nothing to put into a record."}
	}
	latest, err := s.complete(ctx, who, &facts, &omissions)
	if err != nil {
		return Record{}, err
	}
	content, err := facts.Compose("", "")
	if err != nil {
		return Record{}, err
	}
	hash := sha256.Sum256(content)
	stands, err := s.stands(ctx, who, latest)
	if err != nil {
		return Record{}, err
	}
	if stands && bytes.Equal(hash[:], latest.ContentHash) {
		return latest, s.DB.Tenant(ctx, who, func(tx pgx.Tx) error { return once.Keep(ctx, tx, s.Now(), who, request, string(latest.ID)) })
	}
	r := Record{ID: ID(s.NewID("rec")), LearnerID: l.ID, ContentHash: hash[:], Partial: facts.Partial, Omissions: omissions,
		AssembledAt: pg.Instant(s.Now()), AssembledBy: who.ID}
	return s.seal(ctx, who, request, r, latest, facts)
}

// stands reports whether the institution stands by a version; State when that
// is on hold, because another version would go around the hold.
func (s *Service) stands(ctx context.Context, who access.Actor, latest Record) (bool, error) {
	if latest.ID == "" {
		return false, nil
	}
	c, err := s.Credentials.Find(ctx, who, string(latest.CredentialID))
	if err == nil && c.Status == credential.Suspended {
		err = &fault.Error{Kind: fault.State, Field: "learnerId", Rule: "not-suspended",
			Message: "The latest version of this record is suspended. Lift the suspension, or revoke it, before another is made."}
	}
	return c.Stands(s.Now()), err
}

// standing are the credentials that the institution stands by, and what is left
// out because it does not. A record without what is on hold, or has ended, is a
// partial one; what was revoked was not earned.
func (s *Service) standing(l learner.Learner, all []credential.Credential) (Facts, []Omission) {
	f, omissions := Facts{Learner: l}, []Omission{}
	var suspended, revoked, expired int
	for _, c := range all {
		switch {
		case c.Status == credential.Suspended:
			suspended++
		case c.Status == credential.Revoked:
			revoked++
		case c.Expired(s.Now()):
			expired++
		default:
			f.Credentials = append(f.Credentials, c)
		}
	}
	f.Partial = suspended+expired > 0
	for _, o := range []Omission{{"Credentials that are suspended are not part of a record.", suspended},
		{"Credentials that were revoked are not part of a record.", revoked}, {"Credentials that have expired are not part of a record.", expired}} {
		if o.Count > 0 {
			omissions = append(omissions, o)
		}
	}
	return f, omissions
}

// complete reads what a record tells besides its credentials, in one moment,
// and the version before it.
func (s *Service) complete(ctx context.Context, who access.Actor, f *Facts, omissions *[]Omission) (latest Record, err error) {
	var targets []string
	for _, c := range f.Credentials {
		_, more, err := alignments(*c.Document)
		if err != nil {
			return latest, err
		}
		targets = append(targets, more...)
	}
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		in, err := institution.InTx(ctx, tx, who)
		if err != nil {
			return err
		}
		did, err := in.DID(s.Credentials.Origin)
		if err != nil {
			return err
		}
		f.Issuer = in.Issuer(did)
		if f.Items, f.Links, err = framework.Around(ctx, tx, who, targets); err != nil {
			return err
		}
		gone, err := withdrawn(ctx, tx, who, f.Learner.ID)
		if err != nil {
			return err
		}
		if gone > 0 {
			*omissions = append(*omissions, Omission{Reason: "Awards that were withdrawn are not part of a record.", Count: gone})
		}
		latest, _, err = newest(ctx, tx, who, f.Learner.ID)
		return err
	})
	return latest, err
}

// errMeanwhile undoes a version whose content somebody else assembled first.
var errMeanwhile = errors.New("assembled meanwhile")

// seal signs the record and keeps it as the learner's next version.
func (s *Service) seal(ctx context.Context, who access.Actor, request once.Request, r, before Record, f Facts) (Record, error) {
	var meanwhile Record
	draft := credential.Draft{Kind: credential.OfRecord, LearnerID: r.LearnerID, Compose: f.Compose}
	if before.ID != "" {
		draft.Supersedes = &before.CredentialID
	}
	_, err := s.Credentials.Seal(ctx, who, []credential.Draft{draft}, func(tx pgx.Tx, all []credential.Credential) error {
		if err := lock(ctx, tx, who, r.LearnerID); err != nil {
			return err
		}
		latest, _, err := newest(ctx, tx, who, r.LearnerID)
		if err != nil {
			return err
		}
		if latest.ID != before.ID && bytes.Equal(latest.ContentHash, r.ContentHash) {
			meanwhile = latest
			return errMeanwhile
		}
		r.Version, r.CredentialID = latest.Version+1, all[0].ID
		embedded := make([]credential.ID, len(f.Credentials))
		for i, c := range f.Credentials {
			embedded[i] = c.ID
		}
		if err := insert(ctx, tx, who, r, embedded); err != nil {
			return err
		}
		if err := once.Keep(ctx, tx, s.Now(), who, request, string(r.ID)); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Assemble, Target: string(r.ID),
			Detail: map[string]any{"learner": r.LearnerID, "version": r.Version, "credential": r.CredentialID, "credentials": len(embedded)}})
	})
	if errors.Is(err, errMeanwhile) {
		return meanwhile, nil
	}
	return r, err
}

// Reconcile finishes the records that a process that ended had left half made,
// and discards the drafts that something else had overtaken. It gives how many
// drafts there were.
func (s *Service) Reconcile(ctx context.Context, who access.Actor) (int, error) {
	left, err := s.Credentials.LeftRecords(ctx, who)
	if err != nil {
		return 0, err
	}
	n := 0
	for l, ids := range left {
		_, err := s.Assemble(ctx, who, nil, string(l))
		if f, ok := fault.Of(err); err != nil && (!ok || f.Kind == fault.Unavailable) {
			return n, err
		}
		if _, err := s.Credentials.Discard(ctx, who, ids); err != nil {
			return n, err
		}
		n += len(ids)
	}
	return n, nil
}

// Find is one record by id.
func (s *Service) Find(ctx context.Context, who access.Actor, record string) (Record, error) {
	all, err := s.ByIDs(ctx, who, []ID{ID(record)})
	if err != nil {
		return Record{}, err
	}
	if r, ok := all[ID(record)]; ok {
		return r, nil
	}
	return Record{}, fault.Missing("record")
}

// ByIDs are records by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Record, error) {
	all := make(map[ID]Record, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := byIDs(ctx, tx, who, ids)
		for _, r := range rows {
			all[r.ID] = r
		}
		return err
	})
	return all, err
}

type cursor struct {
	Version int `json:"v"`
}

// OfLearners are the versions of each learner's record, newest first, one page
// of each.
func (s *Service) OfLearners(ctx context.Context, who access.Actor, ids []learner.ID, a page.Args) (map[learner.ID]page.Connection[Record], error) {
	limit, err := a.Limit()
	if err != nil {
		return nil, err
	}
	after, _, err := page.Key[cursor](a)
	if err != nil {
		return nil, err
	}
	out := make(map[learner.ID]page.Connection[Record], len(ids))
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := ofLearners(ctx, tx, who, ids, after.Version, limit+1)
		byLearner := map[learner.ID][]Record{}
		for _, r := range rows {
			byLearner[r.LearnerID] = append(byLearner[r.LearnerID], r)
		}
		for _, l := range ids {
			out[l] = page.Of(byLearner[l], limit, a, func(r Record) cursor { return cursor{r.Version} })
		}
		return err
	})
	return out, err
}

// ItemsOf are the credentials that each record embeds, in its order.
func (s *Service) ItemsOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]credential.ID, error) {
	var all map[ID][]credential.ID
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = itemsOf(ctx, tx, who, ids)
		return err
	})
	return all, err
}

// OutdatedItemsOf are those credentials of each record that are suspended or
// revoked by now, or were replaced.
func (s *Service) OutdatedItemsOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]credential.ID, error) {
	var all map[ID][]credential.ID
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = outdatedOf(ctx, tx, who, ids)
		return err
	})
	return all, err
}

// maxContaining is how many records are named for one credential.
const maxContaining = 50

// Containing are the records that embed each credential, newest first, at most
// 50 of each.
func (s *Service) Containing(ctx context.Context, who access.Actor, ids []credential.ID) (map[credential.ID][]Record, error) {
	all := make(map[credential.ID][]Record, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := containing(ctx, tx, who, ids, maxContaining)
		for _, r := range rows {
			all[r.Item] = append(all[r.Item], r.Record)
		}
		return err
	})
	return all, err
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}
