package institution

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// Service keeps institutions.
type Service struct {
	DB    *pg.DB
	Now   func() time.Time
	NewID id.Source

	tokens tokens
}

// Found makes an institution. It is done at the operator's terminal, before
// there is anyone who could be asked; Conflict when the slug is taken.
func (s *Service) Found(ctx context.Context, slug string, p Profile) (Institution, error) {
	if !slugForm.MatchString(slug) {
		return Institution{}, fault.At("slug", "slug", "%q cannot be part of an address: use small letters, digits and hyphens.", slug)
	}
	if err := p.Check(); err != nil {
		return Institution{}, err
	}
	now := pg.Instant(s.Now())
	in := p.of(Institution{ID: ID(s.NewID("ins")), Slug: slug, Version: 1, CreatedAt: now, UpdatedAt: now})
	who := access.SystemOf(string(in.ID), "found")
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := insertLocator(ctx, tx, slug, in.ID); err != nil {
			return err
		}
		if err := upsert(ctx, tx, in); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.ManageInstitution, Target: string(in.ID), Detail: map[string]any{"founded": slug}})
	})
	return in, err
}

// of is the institution with the profile put on it.
func (p Profile) of(in Institution) Institution {
	in.Name, in.URL, in.Email, in.Phone, in.Description = p.Name, p.URL, p.Email, p.Phone, p.Description
	in.ImageURL, in.Official, in.Address, in.OtherIdentifier = p.ImageURL, p.Official, p.Address, p.OtherIdentifier
	if in.OtherIdentifier == nil {
		in.OtherIdentifier = []Identifier{}
	}
	return in
}

// Find is the actor's own institution.
func (s *Service) Find(ctx context.Context, who access.Actor) (Institution, error) {
	if err := access.Check(who, access.ReadProfile); err != nil {
		return Institution{}, err
	}
	var in Institution
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		in, err = InTx(ctx, tx, who)
		return err
	})
	return in, err
}

// Revise replaces the profile. Conflict when expected is given and is not the
// present version.
func (s *Service) Revise(ctx context.Context, who access.Actor, expected *int, p Profile) (Institution, error) {
	if err := access.Check(who, access.ManageInstitution); err != nil {
		return Institution{}, err
	}
	if err := p.Check(); err != nil {
		return Institution{}, err
	}
	var in Institution
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		old, err := InTx(ctx, tx, who)
		if err != nil {
			return err
		}
		if expected != nil && *expected != old.Version {
			return stale(old.Version)
		}
		in = p.of(old)
		if reflect.DeepEqual(in, old) {
			return nil
		}
		in.Version, in.UpdatedAt = old.Version+1, pg.Instant(s.Now())
		if err := upsert(ctx, tx, in); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.ManageInstitution, Target: string(in.ID), Detail: map[string]any{"version": in.Version}})
	})
	return in, err
}

func stale(version int) error {
	return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version",
		Message: "This was changed since you read it; it is now version " + itoa(version) + ". Read it again and decide."}
}

// BySlug is the institution at an address; NotFound when there is none.
func (s *Service) BySlug(ctx context.Context, slug string) (ID, error) {
	var found ID
	err := s.DB.Tenant(ctx, access.Anonymous(), func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `select institution_id from institution_locator where slug = @slug`, pgx.NamedArgs{"slug": slug}).Scan(&found)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.Missing("institution")
		}
		return err
	})
	return found, err
}

// Slugs are the addresses of all institutions, for the operator's terminal and
// for background work that goes from one to the next.
func (s *Service) Slugs(ctx context.Context) (map[string]ID, error) {
	all := map[string]ID{}
	err := s.DB.Tenant(ctx, access.Anonymous(), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select slug, institution_id from institution_locator order by slug`)
		if err != nil {
			return err
		}
		var slug string
		var in ID
		_, err = pgx.ForEachRow(rows, []any{&slug, &in}, func() error { all[slug] = in; return nil })
		return err
	})
	return all, err
}

// AddStaff adds a member of staff; Conflict when the address is there already.
func (s *Service) AddStaff(ctx context.Context, who access.Actor, n NewStaff) (Staff, error) {
	if err := access.Check(who, access.ManageInstitution); err != nil {
		return Staff{}, err
	}
	if err := n.check(); err != nil {
		return Staff{}, err
	}
	now := pg.Instant(s.Now())
	st := Staff{ID: s.NewID("stf"), Email: n.Email, Name: n.Name, Roles: n.Roles, Version: 1, CreatedAt: now, UpdatedAt: now}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := insertStaff(ctx, tx, who, st); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.ManageInstitution, Target: st.ID, Detail: map[string]any{"roles": st.Roles}})
	})
	return st, err
}

// ReviseStaff replaces name, address and roles.
func (s *Service) ReviseStaff(ctx context.Context, who access.Actor, staffID string, expected *int, n NewStaff) (Staff, error) {
	return s.changeStaff(ctx, who, staffID, expected, n.check, func(st *Staff) { st.Email, st.Name, st.Roles = n.Email, n.Name, n.Roles })
}

// DeactivateStaff ends a member's access; doing it again changes nothing.
func (s *Service) DeactivateStaff(ctx context.Context, who access.Actor, staffID string) (Staff, error) {
	now := pg.Instant(s.Now())
	return s.changeStaff(ctx, who, staffID, nil, func() error { return nil }, func(st *Staff) {
		if st.DeactivatedAt == nil {
			st.DeactivatedAt = &now
		}
	})
}

func (s *Service) changeStaff(ctx context.Context, who access.Actor, staffID string, expected *int, check func() error, change func(*Staff)) (Staff, error) {
	if err := access.Check(who, access.ManageInstitution); err != nil {
		return Staff{}, err
	}
	if err := check(); err != nil {
		return Staff{}, err
	}
	var st Staff
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if st, err = findStaff(ctx, tx, who, staffID); err != nil {
			return err
		}
		if expected != nil && *expected != st.Version {
			return stale(st.Version)
		}
		old := st
		if change(&st); reflect.DeepEqual(old, st) {
			return nil
		}
		st.Version, st.UpdatedAt = st.Version+1, pg.Instant(s.Now())
		if err := updateStaff(ctx, tx, who, st); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.ManageInstitution, Target: st.ID, Detail: map[string]any{"roles": st.Roles, "deactivated": st.DeactivatedAt != nil}})
	})
	return st, err
}

// ListStaff are the members of staff by address.
func (s *Service) ListStaff(ctx context.Context, who access.Actor, a page.Args) (page.Connection[Staff], error) {
	return list(ctx, s, who, a, listStaff, func(st Staff) string { return st.Email })
}

// ListClients are the API clients, oldest first.
func (s *Service) ListClients(ctx context.Context, who access.Actor, a page.Args) (page.Connection[Client], error) {
	return list(ctx, s, who, a, listClients, func(c Client) string { return c.ID })
}

func list[T any](ctx context.Context, s *Service, who access.Actor, a page.Args,
	query func(context.Context, pgx.Tx, access.Actor, string, int) ([]T, error), key func(T) string) (page.Connection[T], error) {
	var c page.Connection[T]
	if err := access.Check(who, access.ReadStaff); err != nil {
		return c, err
	}
	limit, after, _, err := page.Start[string](a)
	if err != nil {
		return c, err
	}
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		rows, err := query(ctx, tx, who, after, limit+1)
		c = page.Of(rows, limit, a, key)
		return err
	})
	return c, err
}

// CreateClient makes a client and its token, which is shown this once.
func (s *Service) CreateClient(ctx context.Context, who access.Actor, n NewClient) (Client, string, error) {
	if err := access.Check(who, access.ManageInstitution); err != nil {
		return Client{}, "", err
	}
	now := pg.Instant(s.Now())
	if err := n.check(now); err != nil {
		return Client{}, "", err
	}
	if slices.Contains(n.Roles, access.Employer) && !slices.Contains(n.Roles, access.Reader) {
		n.Roles = append(slices.Clone(n.Roles), access.Reader) // what an employer finds leads into the catalogue
	}
	c := Client{ID: s.NewID("cli"), Name: n.Name, Roles: n.Roles, Scopes: n.Scopes, LearnerID: n.LearnerID, CreatedAt: now, ExpiresAt: n.ExpiresAt}
	if c.Scopes == nil {
		c.Scopes = []access.Scope{}
	}
	secret := make([]byte, secretLen)
	if _, err := rand.Read(secret); err != nil {
		return Client{}, "", err
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		hash := sha256.Sum256(secret)
		if err := insertClient(ctx, tx, who, c, hash[:]); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.ManageInstitution, Target: c.ID, Detail: map[string]any{"roles": c.Roles, "scopes": c.Scopes}})
	})
	if err != nil {
		return Client{}, "", err
	}
	return c, token(who.InstitutionID, c.ID, secret), nil
}

// RevokeClient ends a client's token at once; doing it again changes nothing.
func (s *Service) RevokeClient(ctx context.Context, who access.Actor, clientID string) (Client, error) {
	if err := access.Check(who, access.ManageInstitution); err != nil {
		return Client{}, err
	}
	var c Client
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if c, err = findClient(ctx, tx, who.InstitutionID, clientID); err != nil {
			return err
		}
		if c.RevokedAt != nil {
			return nil
		}
		now := pg.Instant(s.Now())
		c.RevokedAt = &now
		if err := revokeClient(ctx, tx, who, clientID, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.ManageInstitution, Target: c.ID, Detail: map[string]any{"revoked": true}})
	})
	return c, err
}

// The form of a token: what it is, the institution, the client, the secret.
const (
	tokenPrefix = "tmr1."
	secretLen   = 32
)

func token(institution, client string, secret []byte) string {
	return tokenPrefix + strings.TrimPrefix(institution, "ins_") + "." + strings.TrimPrefix(client, "cli_") + "." + base64.RawURLEncoding.EncodeToString(secret)
}

// Authenticate is the actor of a bearer token. Unauthenticated, in one
// sentence, for every token that does not hold.
func (s *Service) Authenticate(ctx context.Context, bearer string) (access.Actor, error) {
	bad := fault.New(fault.Unauthenticated, "This token is not valid: it is unknown, has expired or was revoked. Ask an administrator of your institution for a new one.")
	rest, ok := strings.CutPrefix(bearer, tokenPrefix)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 {
		return access.Actor{}, bad
	}
	institution, client := "ins_"+parts[0], "cli_"+parts[1]
	secret, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(secret) != secretLen || !id.Valid("ins", institution) || !id.Valid("cli", client) {
		return access.Actor{}, bad
	}
	var c clientRow
	err = s.DB.One(ctx, access.SystemOf(institution, "auth"), func(rows pgx.Rows) (err error) {
		c, err = oneClient(rows)
		return err
	}, clientByID, institution, client)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return access.Actor{}, err
	}
	sum, now := sha256.Sum256(secret), s.Now()
	if err != nil || subtle.ConstantTimeCompare(c.SecretHash, sum[:]) != 1 || !c.holds(now) {
		s.tokens.forget(bearer)
		return access.Actor{}, bad
	}
	who := c.actor(institution)
	if c.Generation != nil {
		s.tokens.keep(bearer, remembered{who: who, generation: *c.Generation, at: now, expires: c.ExpiresAt})
	}
	return who, nil
}

func (c Client) holds(now time.Time) bool {
	return c.RevokedAt == nil && (c.ExpiresAt == nil || now.Before(*c.ExpiresAt))
}

func (c Client) actor(institution string) access.Actor {
	a := access.Actor{ID: c.ID, Name: c.Name, InstitutionID: institution, Roles: c.Roles, Scopes: c.Scopes}
	if c.LearnerID != nil {
		a.LearnerID = *c.LearnerID
	}
	return a
}
