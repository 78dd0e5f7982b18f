package record

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/once"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/program"
)

// Service assembles and keeps records.
type Service struct {
	DB          *pg.DB
	Now         func() time.Time
	NewID       id.Source
	Credentials *credential.Service
	Programs    *program.Service // tells progress; nil: no record shows any
	Outbox      *event.Outbox    // of what was approved; nil: somebody else sees to it
}

// attempts is how often two registrars who assemble the same record at one
// moment are sorted out before one is told.
const attempts = 3

// Assemble makes the learner's signed record of everything earned so far, and
// the credentials in it that are not there yet. When nothing changed since the
// latest version, that is the answer. State when nothing has been earned.
func (s *Service) Assemble(ctx context.Context, who access.Actor, key *string, name string) (Record, error) {
	return s.AssembleAs(ctx, who, key, name, Want{})
}

// AssembleAs is Assemble for a record of any type. It has versions of its own:
// those of other types, and of the same with nothing left out, stay as they are.
// State when nothing that was earned is part of such a record.
func (s *Service) AssembleAs(ctx context.Context, who access.Actor, key *string, name string, w Want) (Record, error) {
	r, _, err := s.assembled(ctx, who, key, name, w)
	return r, err
}

// assembled is AssembleAs, and whether it made the version.
func (s *Service) assembled(ctx context.Context, who access.Actor, key *string, name string, w Want) (r Record, made bool, err error) {
	if err := access.Check(who, access.Assemble); err != nil {
		return Record{}, false, err
	}
	if err := w.check(); err != nil {
		return Record{}, false, err
	}
	w = w.whole()
	request := once.Request{Key: key, Operation: "assembleRecord", Input: []any{name, w}}
	if w.series() == Full {
		request.Input = name // as before there were types
	}
	for range attempts {
		if r, made, err = s.assemble(ctx, who, request, name, w); fault.KindOf(err) != fault.Conflict {
			break
		}
		if f, ok := fault.Of(err); ok && f.Rule != "issued-at-once" {
			break
		}
	}
	return r, made, err
}

func (s *Service) assemble(ctx context.Context, who access.Actor, request once.Request, name string, w Want) (Record, bool, error) {
	var l learner.Learner
	var o order
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
		if l, err = learner.InTx(ctx, tx, who, name); err != nil {
			return err
		}
		o, err = s.ordered(ctx, tx, who, w)
		return err
	})
	if err != nil {
		return Record{}, false, err
	}
	if len(replayed) == 1 {
		return replayed[0], false, nil
	}
	keep := func(tx pgx.Tx, r Record) error { return once.Keep(ctx, tx, s.Now(), who, request, string(r.ID)) }
	all, err := s.make(ctx, who, o, []learner.Learner{l}, keep)
	if err != nil {
		return Record{}, false, err
	}
	if all[0].Err != nil {
		return Record{}, false, all[0].Err
	}
	if !all[0].New {
		err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error { return keep(tx, *all[0].Record) })
	}
	return *all[0].Record, all[0].New, err
}

// Reconcile makes the next versions of records that a process that ended had left
// half made, and discards the drafts that are left then. The draft of a first
// version does not say which record was asked for: whoever asked does so again. It
// gives how many drafts there were.
func (s *Service) Reconcile(ctx context.Context, who access.Actor) (int, error) {
	left, err := s.Credentials.LeftRecords(ctx, who)
	if err != nil {
		return 0, err
	}
	n := 0
	for l, drafts := range left {
		var ids, before []credential.ID
		for _, d := range drafts {
			if ids = append(ids, d.ID); d.Kind == credential.OfRecord && d.Supersedes != nil {
				before = append(before, *d.Supersedes)
			}
		}
		if err := s.next(ctx, who, l, before); err != nil {
			return n, err
		}
		if _, err := s.Credentials.Discard(ctx, who, ids); err != nil {
			return n, err
		}
		n += len(ids)
	}
	return n, nil
}

// next makes the versions behind those of a learner that have these credentials.
func (s *Service) next(ctx context.Context, who access.Actor, l learner.ID, before []credential.ID) error {
	if len(before) == 0 {
		return nil
	}
	var latest []shown
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		latest, err = latestOf(ctx, tx, who, l)
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range latest {
		if !slices.Contains(before, r.CredentialID) { // somebody was faster
			continue
		}
		_, err := s.AssembleAs(ctx, who, nil, string(l), r.framed().want())
		if f, ok := fault.Of(err); err != nil && (!ok || f.Kind == fault.Unavailable) {
			return err
		}
	}
	return nil
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
	At time.Time `json:"t"`
	ID ID        `json:"i"`
}

// Filter narrows a list of records.
type Filter struct {
	Type *string // only of this type
}

// OfLearners are the versions of each learner's records, newest first, one page
// of each.
func (s *Service) OfLearners(ctx context.Context, who access.Actor, ids []learner.ID, f Filter, a page.Args) (map[learner.ID]page.Connection[Record], error) {
	limit, after, _, err := page.Start[cursor](a)
	if err != nil {
		return nil, err
	}
	var out map[learner.ID]page.Connection[Record]
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := ofLearners(ctx, tx, who, ids, f, after, limit+1)
		out = page.Each(ids, rows, limit, a, func(r Record) learner.ID { return r.LearnerID }, func(r Record) cursor { return cursor{r.AssembledAt, r.ID} })
		return err
	})
	return out, err
}

// Model is a record as it is shown.
func (s *Service) Model(ctx context.Context, who access.Actor, record string) (Model, error) {
	all, err := s.Models(ctx, who, []ID{ID(record)})
	if err != nil {
		return Model{}, err
	}
	if m, ok := all[ID(record)]; ok {
		return m, nil
	}
	return Model{}, fault.Missing("record")
}

// Models are records as they are shown, by id.
func (s *Service) Models(ctx context.Context, who access.Actor, ids []ID) (map[ID]Model, error) {
	var rows []shown
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		rows, err = shownOf(ctx, tx, who, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	all := make(map[ID]Model, len(rows))
	for _, r := range rows {
		m, err := r.model()
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", r.ID, err)
		}
		all[r.ID] = m
	}
	return all, nil
}

// framed is the frame of the record.
func (r shown) framed() Frame {
	if r.Frame == nil {
		return unframed()
	}
	return *r.Frame
}

// model is the record as it is shown.
func (r shown) model() (Model, error) {
	m, err := Read([]byte(r.Document), r.framed())
	m.RecordID, m.Version, m.AssembledAt, m.Omissions = r.ID, r.Version, r.AssembledAt, append(m.Omissions, r.Omissions...)
	if r.Before != nil {
		m.Supersedes = &Other{RecordID: *r.Before, Version: r.Version - 1, At: *r.BeforeAt}
	}
	return m, err
}

// AroundOf are the versions before and after each record, in its series.
func (s *Service) AroundOf(ctx context.Context, who access.Actor, ids []ID) (map[ID]Around, error) {
	all := make(map[ID]Around, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := around(ctx, tx, who, ids)
		for _, r := range rows {
			all[r.Of] = r
		}
		return err
	})
	return all, err
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
