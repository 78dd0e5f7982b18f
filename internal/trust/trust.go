// Package trust is the issuers that an institution knows: its own list of whom
// a DID or address belongs to, since when, and how it came to know.
//
// A signature says that a document is as the holder of a key signed it. It does
// not say who that is: anyone can make a key and call themselves a university.
// Whether the issuer is somebody is looked up here, and an issuer who is not on
// the list is unknown, never false.
package trust

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// Issuer is somebody who is known.
type Issuer struct {
	ID        string
	Name      string
	Issuer    string    // DID or https address, as credentials name their issuer
	Since     *day.Date // nil: always
	Until     *day.Date // the last day; nil: still
	Source    string    // how it is known, such as an address of a register
	Version   int
	CreatedAt time.Time
	UpdatedAt time.Time
	UpdatedBy string
}

// Knows reports whether the issuer was who the list says on a day.
func (i Issuer) Knows(on day.Date) bool {
	return (i.Since == nil || !on.Before(*i.Since)) && (i.Until == nil || !on.After(*i.Until))
}

// Entry is what is to be on the list.
type Entry struct {
	Name   string
	Issuer string
	Since  *day.Date
	Until  *day.Date
	Source string
}

// maxText is the longest text of an entry in bytes.
const maxText = 2000

func (e *Entry) check() *fault.Error {
	e.Name, e.Issuer = strings.TrimSpace(e.Name), strings.TrimSpace(e.Issuer)
	switch {
	case e.Name == "":
		return fault.At("name", "required", "Say who it is.")
	case len(e.Name) > maxText || len(e.Issuer) > maxText || len(e.Source) > maxText:
		return fault.At("name", "too-long", "A name, an address and a source have at most %d bytes each.", maxText)
	case e.Since != nil && e.Until != nil && e.Until.Before(*e.Since):
		return fault.At("until", "in-order", "The entry ends before it begins.")
	}
	u, err := url.Parse(e.Issuer)
	if did, ok := strings.CutPrefix(e.Issuer, "did:"); ok && strings.Contains(did, ":") && !strings.ContainsAny(did, "#/? ") {
		return nil
	}
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return fault.At("issuer", "issuer", "%q is neither a DID nor an https address. Write it as credentials name their issuer.", e.Issuer)
	}
	return nil
}

// Service keeps the list.
type Service struct {
	DB    *pg.DB
	Now   func() time.Time
	NewID id.Source
}

// Add puts an issuer on the list. Conflict when it is there.
func (s *Service) Add(ctx context.Context, who access.Actor, e Entry) (Issuer, error) {
	if err := access.Check(who, access.ManageTrust); err != nil {
		return Issuer{}, err
	}
	if err := e.check(); err != nil {
		return Issuer{}, err
	}
	now := pg.Instant(s.Now())
	i := Issuer{ID: s.NewID("iss"), Name: e.Name, Issuer: e.Issuer, Since: e.Since, Until: e.Until, Source: e.Source, Version: 1, CreatedAt: now, UpdatedAt: now, UpdatedBy: who.ID}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into known_issuer (institution_id, id, name, issuer, since, until, source, version, created_at, updated_at, updated_by)
			values (@institution, @id, @name, @issuer, @since, @until, @source, @version, @created, @updated, @by)`, args(who, i))
		if err != nil {
			return err
		}
		return s.account(ctx, tx, who, i, "added")
	})
	return i, taken(err)
}

// Revise changes an entry. Conflict when it has another version by now.
func (s *Service) Revise(ctx context.Context, who access.Actor, issuer string, expected *int, e Entry) (Issuer, error) {
	if err := access.Check(who, access.ManageTrust); err != nil {
		return Issuer{}, err
	}
	if err := e.check(); err != nil {
		return Issuer{}, err
	}
	var i Issuer
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if i, err = find(ctx, tx, who, issuer, " for update"); err != nil {
			return err
		}
		if expected != nil && *expected != i.Version {
			return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version", Message: "This entry was changed since you read it. Read it again and decide."}
		}
		i.Name, i.Issuer, i.Since, i.Until, i.Source = e.Name, e.Issuer, e.Since, e.Until, e.Source
		i.Version, i.UpdatedAt, i.UpdatedBy = i.Version+1, pg.Instant(s.Now()), who.ID
		done, err := tx.Exec(ctx, `
			update known_issuer set name = @name, issuer = @issuer, since = @since, until = @until, source = @source, version = @version,
				updated_at = @updated, updated_by = @by
			where institution_id = @institution and id = @id`, args(who, i))
		if err == nil && done.RowsAffected() == 0 {
			err = fault.Missing("issuer")
		}
		if err != nil {
			return err
		}
		return s.account(ctx, tx, who, i, "revised")
	})
	return i, taken(err)
}

// Remove takes an issuer off the list. One who was known for a time is better
// given an end: what they signed until then stays known.
func (s *Service) Remove(ctx context.Context, who access.Actor, issuer string) (Issuer, error) {
	if err := access.Check(who, access.ManageTrust); err != nil {
		return Issuer{}, err
	}
	var i Issuer
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if i, err = find(ctx, tx, who, issuer, ""); err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `delete from known_issuer where institution_id = @institution and id = @id`,
			pgx.NamedArgs{"institution": who.InstitutionID, "id": i.ID})
		if err == nil && done.RowsAffected() == 0 {
			err = fault.Missing("issuer")
		}
		if err != nil {
			return err
		}
		return s.account(ctx, tx, who, i, "removed")
	})
	return i, err
}

func (s *Service) account(ctx context.Context, tx pgx.Tx, who access.Actor, i Issuer, what string) error {
	return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.ManageTrust, Target: i.ID, Detail: map[string]any{"issuer": i.Issuer, "was": what}})
}

func taken(err error) error {
	if pg.Constraint(err) == "known_issuer_once" {
		return &fault.Error{Kind: fault.Conflict, Field: "issuer", Rule: "once", Message: "This issuer is on the list already.", Err: err}
	}
	return err
}

type cursor struct {
	Name string `json:"n"`
	ID   string `json:"i"`
}

// List is everyone on the list by name.
func (s *Service) List(ctx context.Context, who access.Actor, a page.Args) (page.Connection[Issuer], error) {
	if err := access.Check(who, access.ReadTrust); err != nil {
		return page.Connection[Issuer]{}, err
	}
	limit, after, _, err := page.Start[cursor](a)
	if err != nil {
		return page.Connection[Issuer]{}, err
	}
	var rows []Issuer
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		found, _ := tx.Query(ctx, `
			select `+columns+`
			from known_issuer
			where institution_id = @institution and (name collate "C", id) > (@name, @id)
			order by name collate "C", id
			limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "name": after.Name, "id": after.ID, "limit": limit + 1})
		rows, err = pgx.CollectRows(found, pgx.RowToStructByName[Issuer])
		return err
	})
	return page.Of(rows, limit, a, func(i Issuer) cursor { return cursor{i.Name, i.ID} }), err
}

// Find is one entry by id.
func (s *Service) Find(ctx context.Context, who access.Actor, issuer string) (Issuer, error) {
	if err := access.Check(who, access.ReadTrust); err != nil {
		return Issuer{}, err
	}
	var i Issuer
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		i, err = find(ctx, tx, who, issuer, "")
		return err
	})
	return i, err
}

// Known are those of the issuers, as credentials name them, that an institution
// knows, for its verifications. They are not told to whoever asks. Somebody of no
// institution has no list and knows nobody.
func (s *Service) Known(ctx context.Context, who access.Actor, issuers []string) (map[string]Issuer, error) {
	if err := access.Check(who, access.Verify); err != nil {
		return nil, err
	}
	if who.InstitutionID == "" {
		return nil, nil
	}
	all := map[string]Issuer{}
	system := access.SystemOf(who.InstitutionID, "verify")
	err := s.DB.Snapshot(ctx, system, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `select `+columns+` from known_issuer where institution_id = @institution and issuer = any(@issuers)`,
			pgx.NamedArgs{"institution": who.InstitutionID, "issuers": issuers})
		found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Issuer])
		for _, i := range found {
			all[i.Issuer] = i
		}
		return err
	})
	return all, err
}

const columns = `id, name, issuer, since, until, source, version, created_at, updated_at, updated_by`

func args(who access.Actor, i Issuer) pgx.NamedArgs {
	return pgx.NamedArgs{"institution": who.InstitutionID, "id": i.ID, "name": i.Name, "issuer": i.Issuer, "since": i.Since, "until": i.Until,
		"source": i.Source, "version": i.Version, "created": i.CreatedAt, "updated": i.UpdatedAt, "by": i.UpdatedBy}
}

func find(ctx context.Context, tx pgx.Tx, who access.Actor, issuer, lock string) (Issuer, error) {
	rows, _ := tx.Query(ctx, `select `+columns+` from known_issuer where institution_id = @institution and (id = @id or issuer = @id)`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": issuer})
	i, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Issuer])
	if errors.Is(err, pgx.ErrNoRows) {
		return i, fault.Missing("issuer")
	}
	return i, err
}
