package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/pg"
)

// Service keeps sessions.
type Service struct {
	DB    *pg.DB
	Now   func() time.Time
	NewID id.Source

	// Secret fills a new secret; nil is the system's source of chance.
	Secret func([]byte)
}

// errStranger is of somebody whom the provider knows and the institution does not.
var errStranger = fault.New(fault.Forbidden, "You are signed in with your provider, but nobody here has your address or number. Ask the registrar to add it.")

// Begin signs a person in and gives the text of the cookie. Forbidden for
// somebody who is not there. Only the service's own sign-in calls it.
func (s *Service) Begin(ctx context.Context, who access.Actor, p Person, way string) (string, error) {
	if err := access.Check(who, access.SignIn); err != nil {
		return "", err
	}
	secret := make([]byte, secretLen)
	if s.Secret != nil {
		s.Secret(secret)
	} else {
		_, _ = rand.Read(secret) // it never fails
	}
	hash := sha256.Sum256(secret)
	now, session := pg.Instant(s.Now()), s.NewID("ses")
	target := p.StaffID
	if target == "" {
		target = p.LearnerID
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := forget(ctx, tx, who.InstitutionID, now.Add(-2*LastsAtMost)); err != nil {
			return err
		}
		if err := insert(ctx, tx, who, session, hash[:], p, way, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.SignIn, Target: target, Detail: map[string]any{"way": way}})
	})
	return token(who.InstitutionID, session, secret), err
}

// Authenticate is the session of a cookie. Unauthenticated, in one sentence, for
// every one that does not hold.
func (s *Service) Authenticate(ctx context.Context, cookie string) (Session, error) {
	institution, session, secret, err := parse(cookie)
	if err != nil {
		return Session{}, err
	}
	now := pg.Instant(s.Now())
	var r row
	err = s.DB.Tenant(ctx, access.SystemOf(institution, "session"), func(tx pgx.Tx) (err error) {
		if r, err = find(ctx, tx, institution, session); err != nil {
			return err
		}
		sum := sha256.Sum256(secret)
		if subtle.ConstantTimeCompare(r.SecretHash, sum[:]) != 1 || !r.holds(now) {
			return errNone
		}
		if now.Sub(r.SeenAt) < seenEvery {
			return nil
		}
		return touch(ctx, tx, institution, session, now)
	})
	if err != nil {
		return Session{}, err
	}
	return r.session(institution), nil
}

// End ends the session of a cookie; one that does not hold is ended already.
func (s *Service) End(ctx context.Context, cookie string) error {
	in, err := s.Authenticate(ctx, cookie)
	if fault.KindOf(err) == fault.Unauthenticated {
		return nil
	}
	if err != nil {
		return err
	}
	return s.DB.Tenant(ctx, access.SystemOf(in.Actor.InstitutionID, "session"), func(tx pgx.Tx) error {
		return end(ctx, tx, in.Actor.InstitutionID, in.ID, pg.Instant(s.Now()))
	})
}

// EndAll ends every session of the person who asks, on whichever device, and
// gives how many there were.
func (s *Service) EndAll(ctx context.Context, who access.Actor) (n int, err error) {
	if who.InstitutionID == "" {
		return 0, errNone
	}
	err = s.DB.Tenant(ctx, access.SystemOf(who.InstitutionID, "session"), func(tx pgx.Tx) error {
		n, err = endAll(ctx, tx, who, pg.Instant(s.Now()))
		return err
	})
	return n, err
}
