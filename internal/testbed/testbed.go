// Package testbed is a whole service for tests: every noun wired to a database
// of its own, two institutions that know nothing of each other, and the
// demonstration's files when they are asked for. The clock stands still.
package testbed

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/archive"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/degree"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/extract"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/search"
	"github.com/testamur/testamur/internal/session"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/transcript"
	"github.com/testamur/testamur/internal/trust"
	"github.com/testamur/testamur/internal/verify"
)

// Origin is the origin of every id.
const Origin = "https://records.example"

// Bed is a service.
type Bed struct {
	DB           *pg.DB
	Now          func() time.Time
	Institutions *institution.Service
	Learners     *learner.Service
	Sessions     *session.Service
	Consents     *consent.Service
	Disclosures  *disclosure.Service
	Holds        *release.Service
	Frameworks   *framework.Service
	Courses      *course.Service
	Achievements *achievement.Service
	Assertions   *assertion.Service
	Mastery      *mastery.Service
	Programs     *program.Service
	Extracts     *extract.Service
	Search       *search.Service
	Keys         *keyring.Service
	Credentials  *credential.Service
	Records      *record.Service
	Documents    *transcript.Service
	Archives     *archive.Service
	Trust        *trust.Service
	Verifier     *verify.Service
	Deposits     *deposit.Service
	Shares       *sharing.Service
	Exchange     *exchange.Service
	Audit        *audit.Service

	Home, Neighbour institution.Institution
}

// Must is v; an error ends the test.
func Must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Whole is a credential with what was signed, as somebody may read it, of which
// nothing is in the account.
func Whole(t testing.TB, s *credential.Service, who access.Actor, name string) credential.Credential {
	t.Helper()
	ctx := context.Background()
	c, err := s.Find(ctx, who, name)
	all, err2 := s.Sealed(ctx, who, []credential.ID{Must(t, c, err).ID})
	if one, ok := Must(t, all, err2)[c.ID]; ok {
		holds := &release.Service{DB: s.DB, Now: s.Now, NewID: s.NewID}
		cleared, err := holds.Weigh(ctx, who, one.Piece)
		raw, err2 := one.Open(Must(t, cleared, err))
		text := string(Must(t, raw, err2))
		c.Document = &text
	}
	return c
}

// New is a service on a fresh database, with the demonstration institution
// founded and nothing in it, and a neighbour.
func New(t testing.TB) *Bed {
	t.Helper()
	return On(t, pgtest.New(t))
}

// On is New on a database of the caller's.
func On(t testing.TB, db *pg.DB) *Bed {
	t.Helper()
	b := Over(t, db)
	ctx := context.Background()
	url, email := demo.URL, demo.Email
	home, err := b.Institutions.Found(ctx, demo.Slug, institution.Profile{Name: demo.Name, URL: &url, Email: &email})
	b.Home = Must(t, home, err)
	neighbour, err := b.Institutions.Found(ctx, "hillside", institution.Profile{Name: "Hillside Institute"})
	b.Neighbour = Must(t, neighbour, err)
	return b
}

// Over wires a service over a database that may have anything in it.
func Over(t testing.TB, db *pg.DB) *Bed {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }
	text, err := keyring.NewMaster()
	if err != nil {
		t.Fatal(err)
	}
	master, err := keyring.ParseMaster(text)
	if err != nil {
		t.Fatal(err)
	}
	outbox, err := event.NewOutbox()
	if err != nil {
		t.Fatal(err)
	}
	b := &Bed{DB: db, Now: now, Audit: &audit.Service{DB: db}}
	b.Institutions = &institution.Service{DB: db, Now: now, NewID: id.New}
	b.Learners = &learner.Service{DB: db, Now: now, NewID: id.New}
	b.Sessions = &session.Service{DB: db, Now: now, NewID: id.New}
	b.Consents = &consent.Service{DB: db, Now: now, NewID: id.New}
	b.Disclosures = &disclosure.Service{DB: db, Now: now, NewID: id.New}
	b.Holds = &release.Service{DB: db, Now: now, NewID: id.New, Outbox: outbox}
	b.Frameworks = &framework.Service{DB: db, Now: now, NewID: id.New, Origin: Origin}
	b.Courses = &course.Service{DB: db, Now: now, NewID: id.New, Frameworks: b.Frameworks}
	b.Achievements = &achievement.Service{DB: db, Now: now, NewID: id.New}
	b.Assertions = &assertion.Service{DB: db, Now: now, NewID: id.New, Outbox: outbox}
	b.Mastery = &mastery.Service{DB: db, Now: now, NewID: id.New, Frameworks: b.Frameworks}
	b.Programs = &program.Service{DB: db, Now: now, NewID: id.New, Mastery: b.Mastery, Assertions: b.Assertions, Outbox: outbox}
	b.Extracts = &extract.Service{DB: db, Now: now, Learners: b.Learners, Frameworks: b.Frameworks, Courses: b.Courses, Achievements: b.Achievements, Mastery: b.Mastery, Programs: b.Programs}
	b.Search = &search.Service{DB: db, Now: now, NewID: id.New, Mastery: b.Mastery}
	b.Keys = &keyring.Service{DB: db, Now: now, NewID: id.New, Master: master}
	b.Credentials = &credential.Service{DB: db, Now: now, NewID: id.New, Keys: b.Keys, Outbox: outbox, Origin: Origin}
	b.Records = &record.Service{DB: db, Now: now, NewID: id.New, Credentials: b.Credentials, Programs: b.Programs, Outbox: outbox}
	b.Documents = &transcript.Service{DB: db, Now: now, NewID: id.New, Institutions: b.Institutions, Keys: b.Keys, Records: b.Records, Holds: b.Holds, Origin: Origin}
	b.Archives = &archive.Service{DB: db, Now: now, Learners: b.Learners, Frameworks: b.Frameworks, Keys: b.Keys, Credentials: b.Credentials, Disclosures: b.Disclosures, Documents: b.Documents, Origin: Origin, Application: "Testamur"}
	b.Trust = &trust.Service{DB: db, Now: now, NewID: id.New}
	b.Verifier = &verify.Service{Trust: b.Trust, DB: db, Now: now, Institutions: b.Institutions, Keys: b.Keys, Origin: Origin}
	b.Deposits = &deposit.Service{DB: db, Now: now, NewID: id.New, Verifier: b.Verifier, Origin: Origin}
	b.Shares = &sharing.Service{DB: db, Now: now, NewID: id.New, Keys: b.Keys, Records: b.Records, Verifier: b.Verifier, Holds: b.Holds, Outbox: outbox, Origin: Origin}
	b.Exchange = &exchange.Service{DB: db, Now: now, NewID: id.New, Outbox: outbox, Frameworks: b.Frameworks, Credentials: b.Credentials, Records: b.Records, Programs: b.Programs}
	return b
}

// As is an actor of the demonstration institution.
func (b *Bed) As(roles ...access.Role) access.Actor {
	return access.Actor{ID: "cli_" + string(roles[0]), InstitutionID: string(b.Home.ID), Roles: roles}
}

// Registrar is a registrar who may also define the catalogue.
func (b *Bed) Registrar() access.Actor { return b.As(access.Registrar) }

// Import reads a file as a job, here and now.
func (b *Bed) Import(t testing.TB, kind exchange.Kind, data []byte, o exchange.Options) exchange.Job {
	t.Helper()
	ctx := context.Background()
	u, err := b.Exchange.Receive(ctx, b.Registrar(), "file", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	j, err := b.Exchange.Start(ctx, b.Registrar(), nil, exchange.Order{Kind: kind, UploadID: u.ID, Options: o})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Exchange.Run(ctx, b.As(access.System), j.ID); err != nil {
		t.Fatal(err)
	}
	j, err = b.Exchange.Find(ctx, b.Registrar(), j.ID)
	return Must(t, j, err)
}

// Load imports the demonstration; a row that fails ends the test.
func (b *Bed) Load(t testing.TB) {
	t.Helper()
	for _, f := range demo.Files() {
		if j := b.Import(t, exchange.Kind(f.Kind), f.Data, exchange.Options{System: demo.System}); j.State != exchange.Succeeded || j.FailedCount > 0 {
			t.Fatalf("%s: %+v", f.Name, j)
		}
	}
}

// Degree sets up the demonstration's degree program on top of Load.
func (b *Bed) Degree(t testing.TB) {
	t.Helper()
	err := degree.SetUp(context.Background(), b.Registrar(), degree.Services{Frameworks: b.Frameworks, Courses: b.Courses, Achievements: b.Achievements, Mastery: b.Mastery, Programs: b.Programs})
	if err != nil {
		t.Fatal(err)
	}
}
