// Package session is who a browser is signed in as: somebody who works for an
// institution, or one of its learners.
//
// A session begins at sign-in with a fresh secret, which only the browser has;
// the database keeps its hash. It ends when it was idle too long, when its time
// is up, when the person ends it here or everywhere, and when a member of staff
// is deactivated. What the person may do is read anew with each request, so that
// a role that was taken away is gone at once. Sign-in is by an OpenID Connect
// provider that the operator names for one institution, or, in the demonstration
// alone, by choosing. It protects against guessing (256 bits), fixation (a
// secret is never taken over) and a stolen database (hashes); not against who
// can read the browser's own memory.
package session

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
)

// How long a session lasts.
const (
	IdleFor     = time.Hour       // without a request
	LastsAtMost = 12 * time.Hour  // in all
	seenEvery   = 2 * time.Minute // at most so often is a request noted
	secretLen   = 32              // bytes
)

// The ways to sign in.
const (
	ByOIDC          = "oidc"
	ByDemonstration = "demonstration"
)

// Session is somebody who is signed in.
type Session struct {
	ID              string
	Actor           access.Actor
	Name            string // of the person
	InstitutionName string
	InstitutionSlug string
	Way             string
	BeganAt         time.Time
	SeenAt          time.Time
}

// Staff reports whether it is somebody who works for the institution.
func (s Session) Staff() bool { return s.Actor.LearnerID == "" }

// Person is who is to be signed in: a member of staff or a learner.
type Person struct {
	StaffID   string
	LearnerID string
}

// token is what a cookie holds: where the session is, and its secret.
func token(institution, session string, secret []byte) string {
	return strings.TrimPrefix(institution, "ins_") + "." + strings.TrimPrefix(session, "ses_") + "." + base64.RawURLEncoding.EncodeToString(secret)
}

// errNone is of every token that does not hold.
var errNone = fault.New(fault.Unauthenticated, "You are not signed in, or your session has ended. Sign in again.")

func parse(text string) (institution, session string, secret []byte, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return "", "", nil, errNone
	}
	institution, session = "ins_"+parts[0], "ses_"+parts[1]
	secret, err = base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(secret) != secretLen || !id.Valid("ins", institution) || !id.Valid("ses", session) {
		return "", "", nil, errNone
	}
	return institution, session, secret, nil
}

// row is a session as it is kept, with what is true of its person now.
type row struct {
	ID              string
	SecretHash      []byte
	StaffID         *string
	LearnerID       *string
	Way             string
	BeganAt         time.Time
	SeenAt          time.Time
	EndedAt         *time.Time
	Roles           []access.Role
	Name            *string
	InstitutionName string
	InstitutionSlug string
}

func (r row) holds(now time.Time) bool {
	return r.EndedAt == nil && r.Name != nil && now.Sub(r.SeenAt) < IdleFor && now.Sub(r.BeganAt) < LastsAtMost
}

func (r row) session(institution string) Session {
	s := Session{ID: r.ID, Name: *r.Name, InstitutionName: r.InstitutionName, InstitutionSlug: r.InstitutionSlug, Way: r.Way, BeganAt: r.BeganAt, SeenAt: r.SeenAt}
	if r.StaffID != nil {
		s.Actor = access.Actor{ID: *r.StaffID, InstitutionID: institution, Roles: r.Roles}
		return s
	}
	s.Actor = access.Actor{ID: *r.LearnerID, InstitutionID: institution, Roles: []access.Role{access.Learner}, LearnerID: *r.LearnerID}
	return s
}
