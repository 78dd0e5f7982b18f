package graph

import (
	"log/slog"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/search"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/transcript"
	"github.com/testamur/testamur/internal/trust"
	"github.com/testamur/testamur/internal/verify"
)

// Resolver is the operations that the API translates to.
type Resolver struct {
	Institutions *institution.Service
	Learners     *learner.Service
	Consents     *consent.Service
	Disclosures  *disclosure.Service
	Holds        *release.Service
	Frameworks   *framework.Service
	Courses      *course.Service
	Achievements *achievement.Service
	Assertions   *assertion.Service
	Mastery      *mastery.Service
	Programs     *program.Service
	Search       *search.Service
	Keys         *keyring.Service
	Credentials  *credential.Service
	Records      *record.Service
	Documents    *transcript.Service
	Trust        *trust.Service
	Verifier     *verify.Service
	Deposits     *deposit.Service
	Shares       *sharing.Service
	Exchange     *exchange.Service
	Audit        *audit.Service
	Log          *slog.Logger

	definitions definitions
	fragments   fragments
}

// origin is the origin that ids begin with.
func (r *Resolver) origin() string { return r.Credentials.Origin }
