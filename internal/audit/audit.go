// Package audit is the append-only account of what was done.
//
// A line is written in the transaction of the change it tells of, so neither
// can exist without the other. Lines of an institution are chained by SHA-256:
// each holds the hash of the one before, and Chain finds where a line was
// altered or taken out. Detail names what changed, never a learner's name,
// marks or a token.
package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// Line is one thing that was done.
type Line struct {
	Sequence     int64
	At           time.Time
	ActorID      string
	Action       access.Action
	Target       string          // id of what was changed
	Detail       json.RawMessage // a JSON object
	PreviousHash []byte
	Hash         []byte
}

// Entry is what an operation tells of itself.
type Entry struct {
	Action access.Action
	Target string
	Detail map[string]any // small; keys and values are not personal data
}

// Write adds a line to the institution's account, in the caller's transaction.
// Concurrent writers of one institution wait for each other here, so write it
// last.
func Write(ctx context.Context, tx pgx.Tx, now time.Time, who access.Actor, e Entry) error {
	detail := []byte("{}")
	if len(e.Detail) > 0 {
		var err error
		if detail, err = json.Marshal(e.Detail); err != nil {
			return fmt.Errorf("audit %s: %w", e.Action, err)
		}
	}
	l := Line{At: pg.Instant(now), ActorID: who.ID, Action: e.Action, Target: e.Target, Detail: detail}
	if err := head(ctx, tx, who.InstitutionID, &l); err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	l.Hash = l.digest(who.InstitutionID)
	_, err := tx.Exec(ctx, `
		with line as (
			insert into audit (institution_id, sequence, at, actor_id, action, target, detail, previous_hash, hash)
			values (@institution, @sequence, @at, @actor, @action, @target, @detail, @previous, @hash))
		update audit_head set sequence = @sequence, hash = @hash, catalogue = catalogue + @changed where institution_id = @institution`,
		pgx.NamedArgs{"changed": changes(e.Action), "institution": who.InstitutionID, "sequence": l.Sequence, "at": l.At, "actor": l.ActorID,
			"action": string(l.Action), "target": l.Target, "detail": string(l.Detail), "previous": l.PreviousHash, "hash": l.Hash})
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	return nil
}

// changes is 1 for an action that may change the catalogue, else 0. An action
// that is not known to leave it alone may.
func changes(do access.Action) int64 {
	switch do {
	case access.ManageLearner, access.Award, access.Withdraw, access.Issue, access.Assemble, access.Verify,
		access.GiveConsent, access.DesignateDirectory, access.ManageHolds, access.RecordDisclosure, access.ExportDisclosures, access.ExportLearner, access.Deposit, access.SignIn, access.MakeDocument, access.Share, access.OrderRecord, access.SendMessages, access.Archive:
		return 0
	}
	return 1
}

// generation asks how often the catalogue of the institution in force was
// changed.
const generation = `select catalogue from audit_head where institution_id = app_institution()`

// View is pg.View, with Generation asked in the round trip that begins it.
func (s *Service) View(ctx context.Context, who access.Actor) (context.Context, func()) {
	return s.DB.View(ctx, who, generation)
}

// Moment is what a request is answered from.
type Moment = pg.View

// Attempt is View for an answer that is thrown away unless the view's terms held
// (pg.Terms): that the count of changes is only, when that is not nil, and that
// one message to the database is all, with once.
func (s *Service) Attempt(ctx context.Context, who access.Actor, only *int64, once bool) (context.Context, *Moment) {
	return s.DB.ViewOn(ctx, who, pg.Terms{Also: generation, Only: only, Once: once})
}

// Generation is how often the institution's catalogue was changed up to the
// moment that the transaction sees; false outside of View, and for a caller who
// may not know, such as a visitor.
func Generation(ctx context.Context, tx pgx.Tx) (int64, bool) { return pg.Also(ctx, tx) }

// Seen is the Generation of the moment that the context's view has begun; false
// before its first read.
func Seen(ctx context.Context) (int64, bool) { return pg.Asked(ctx) }

// head locks the end of the chain and takes the next place in it.
func head(ctx context.Context, tx pgx.Tx, institution string, l *Line) error {
	return tx.QueryRow(ctx, `
		insert into audit_head as h (institution_id, sequence, hash)
		values (@institution, 0, @genesis)
		on conflict (institution_id) do update set sequence = h.sequence
		returning h.sequence + 1, h.hash`,
		pgx.NamedArgs{"institution": institution, "genesis": make([]byte, sha256.Size)}).Scan(&l.Sequence, &l.PreviousHash)
}

// digest is the hash of the line: each field behind its length, so that no two
// lines share their bytes.
func (l Line) digest(institution string) []byte {
	h := sha256.New()
	h.Write(l.PreviousHash)
	for _, s := range []string{institution, fmt.Sprint(l.Sequence), l.At.UTC().Format(time.RFC3339Nano),
		l.ActorID, string(l.Action), l.Target, string(canonical(l.Detail))} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return h.Sum(nil)
}

// canonical is the detail with its keys in order and no blanks, because the
// database keeps the value and not the bytes.
func canonical(raw json.RawMessage) []byte {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return raw
	}
	out, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}

// Chain checks lines that follow each other, the first against previous (32
// zero bytes at the start of the account). The error names the first line that
// does not hold.
func Chain(institution string, previous []byte, lines []Line) error {
	for _, l := range lines {
		if !bytes.Equal(l.PreviousHash, previous) {
			return fmt.Errorf("audit line %d does not follow the line before it", l.Sequence)
		}
		if !bytes.Equal(l.Hash, l.digest(institution)) {
			return fmt.Errorf("audit line %d was altered", l.Sequence)
		}
		previous = l.Hash
	}
	return nil
}

// Service reads the account.
type Service struct {
	DB *pg.DB
}

// Filter narrows a list.
type Filter struct {
	Target *string // id of what was changed
}

type cursor struct{ Sequence int64 }

// List is the account, newest first. Forbidden without audit.read.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter, a page.Args) (page.Connection[Line], error) {
	var c page.Connection[Line]
	if err := access.Check(who, access.ReadAudit); err != nil {
		return c, err
	}
	limit, after, more, err := page.Start[cursor](a)
	if err != nil {
		return c, err
	}
	var before *int64
	if more {
		before = &after.Sequence
	}
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select sequence, at, actor_id, action, target, detail, previous_hash, hash
			from audit
			where institution_id = @institution
			  and (@before::bigint is null or sequence < @before)
			  and (@target::text is null or target = @target)
			order by sequence desc
			limit @limit`,
			pgx.NamedArgs{"institution": who.InstitutionID, "before": before, "target": f.Target, "limit": limit + 1})
		lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Line])
		c = page.Of(lines, limit, a, func(l Line) cursor { return cursor{l.Sequence} })
		return err
	})
	return c, err
}
