package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/archive"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/extract"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/postgres"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/search"
	"github.com/testamur/testamur/internal/session"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/transcript"
	"github.com/testamur/testamur/internal/trust"
	"github.com/testamur/testamur/internal/vcapi"
	"github.com/testamur/testamur/internal/verify"
	"github.com/testamur/testamur/migrations"
)

// services are the nouns over one database.
type services struct {
	db           *pg.DB
	institutions *institution.Service
	learners     *learner.Service
	sessions     *session.Service
	consents     *consent.Service
	disclosures  *disclosure.Service
	holds        *release.Service
	frameworks   *framework.Service
	courses      *course.Service
	achievements *achievement.Service
	assertions   *assertion.Service
	mastery      *mastery.Service
	programs     *program.Service
	extracts     *extract.Service
	search       *search.Service
	keys         *keyring.Service
	credentials  *credential.Service
	records      *record.Service
	documents    *transcript.Service
	archives     *archive.Service
	trust        *trust.Service
	verifier     *verify.Service
	deposits     *deposit.Service
	exchange     *exchange.Service
	shares       *sharing.Service
	vcapi        *vcapi.Service // nil: not served
	providers    []*session.Provider
	choose       bool // anyone may sign in as anybody: the demonstration
	audit        *audit.Service

	origin string
	caller func(*http.Request) netip.Addr // behind the proxies that are trusted; nil: the peer's address
	now    func() time.Time
	log    *slog.Logger

	private *postgres.Server // nil: somebody else's server
	options postgres.Options // of the private one
}

// parts are what services are wired from.
type parts struct {
	db      *pg.DB
	now     func() time.Time
	newID   id.Source
	master  keyring.Master
	origin  string
	fetcher *verify.Fetcher // of what others publish: keys, lists, badges
	log     *slog.Logger
}

// wire builds the nouns, in the order of the house.
func wire(p parts) (*services, error) {
	outbox, err := event.NewOutbox()
	if err != nil {
		return nil, err
	}
	s := &services{db: p.db, origin: p.origin, now: p.now, log: p.log, audit: &audit.Service{DB: p.db}}
	s.institutions = &institution.Service{DB: p.db, Now: p.now, NewID: p.newID}
	s.learners = &learner.Service{DB: p.db, Now: p.now, NewID: p.newID}
	s.sessions = &session.Service{DB: p.db, Now: p.now, NewID: p.newID}
	s.consents = &consent.Service{DB: p.db, Now: p.now, NewID: p.newID}
	s.disclosures = &disclosure.Service{DB: p.db, Now: p.now, NewID: p.newID}
	s.holds = &release.Service{DB: p.db, Now: p.now, NewID: p.newID, Outbox: outbox}
	s.frameworks = &framework.Service{DB: p.db, Now: p.now, NewID: p.newID, Origin: p.origin}
	s.courses = &course.Service{DB: p.db, Now: p.now, NewID: p.newID, Frameworks: s.frameworks}
	s.achievements = &achievement.Service{DB: p.db, Now: p.now, NewID: p.newID}
	s.assertions = &assertion.Service{DB: p.db, Now: p.now, NewID: p.newID, Outbox: outbox}
	s.mastery = &mastery.Service{DB: p.db, Now: p.now, NewID: p.newID, Frameworks: s.frameworks}
	s.programs = &program.Service{DB: p.db, Now: p.now, NewID: p.newID, Mastery: s.mastery, Assertions: s.assertions, Outbox: outbox}
	s.extracts = &extract.Service{DB: p.db, Now: p.now, Learners: s.learners, Frameworks: s.frameworks, Courses: s.courses, Achievements: s.achievements, Mastery: s.mastery, Programs: s.programs}
	s.search = &search.Service{DB: p.db, Now: p.now, NewID: p.newID, Mastery: s.mastery}
	s.keys = &keyring.Service{DB: p.db, Now: p.now, NewID: p.newID, Master: p.master}
	s.credentials = &credential.Service{DB: p.db, Now: p.now, NewID: p.newID, Keys: s.keys, Outbox: outbox, Origin: p.origin}
	s.records = &record.Service{DB: p.db, Now: p.now, NewID: p.newID, Credentials: s.credentials, Programs: s.programs, Outbox: outbox}
	s.documents = &transcript.Service{DB: p.db, Now: p.now, NewID: p.newID, Institutions: s.institutions, Keys: s.keys, Records: s.records, Holds: s.holds, Origin: p.origin}
	s.archives = &archive.Service{DB: p.db, Now: p.now, Learners: s.learners, Frameworks: s.frameworks, Keys: s.keys, Credentials: s.credentials, Disclosures: s.disclosures, Documents: s.documents, Origin: p.origin, Application: "Testamur " + version()}
	s.trust = &trust.Service{DB: p.db, Now: p.now, NewID: p.newID}
	s.verifier = &verify.Service{Trust: s.trust, DB: p.db, Now: p.now, Institutions: s.institutions, Keys: s.keys, Origin: p.origin, Fetch: p.fetcher.Fetch, Getter: p.fetcher}
	s.deposits = &deposit.Service{DB: p.db, Now: p.now, NewID: p.newID, Verifier: s.verifier, Origin: p.origin}
	s.shares = &sharing.Service{DB: p.db, Now: p.now, NewID: p.newID, Keys: s.keys, Records: s.records, Verifier: s.verifier, Holds: s.holds, Outbox: outbox, Webhooks: p.fetcher, Origin: p.origin}
	s.exchange = &exchange.Service{DB: p.db, Now: p.now, NewID: p.newID, Outbox: outbox, Frameworks: s.frameworks, Credentials: s.credentials, Records: s.records, Programs: s.programs}
	return s, nil
}

// open finds or starts the database, migrates it and wires the services over
// it. Close ends what it started. Beside a service that is at work in the data
// directory only a command may join its database, not another service.
func (s store) open(p *place, addr string, beside bool, log *slog.Logger) (*services, error) {
	origin, err := s.origin(addr)
	if err != nil {
		return nil, err
	}
	url, private, options, err := s.database(p, beside)
	if err != nil {
		return nil, err
	}
	all, err := s.over(p, url, origin, log)
	if err != nil {
		if private != nil {
			err = errors.Join(err, private.Stop())
		}
		return nil, err
	}
	all.private, all.options = private, options
	return all, nil
}

// over migrates the database at url and wires the services over it.
func (s store) over(p *place, url, origin string, log *slog.Logger) (*services, error) {
	if err := migrate(p.ctx, url); err != nil {
		return nil, err
	}
	db, err := pg.Open(p.ctx, url, pg.Options{})
	if err != nil {
		return nil, err
	}
	master, err := s.master(p.getenv, func() (bool, error) { return unsealed(p.ctx, db) })
	if err != nil {
		db.Close()
		return nil, err
	}
	all, err := wire(parts{db: db, now: time.Now, newID: id.New, master: master, origin: origin, fetcher: verify.NewFetcher(verify.Options{Log: log}), log: log})
	if err != nil {
		db.Close()
	}
	return all, err
}

// database is the URL of the server to use: the operator's, the one that a
// running service has, or a private one that is started here.
func (s store) database(p *place, beside bool) (string, *postgres.Server, postgres.Options, error) {
	var o postgres.Options
	if s.DatabaseURL != "" {
		return s.DatabaseURL, nil, o, nil
	}
	dir, err := s.dir()
	if err != nil {
		return "", nil, o, err
	}
	if beside {
		url, running, err := postgres.Join(dir)
		if err != nil || running {
			return url, nil, o, err
		}
	}
	if o.Install, err = postgres.Find(p.getenv("PATH"), installs(p.getenv)...); err != nil {
		return "", nil, o, err
	}
	o.Dir = dir
	private, err := postgres.Start(p.ctx, o)
	if err != nil {
		return "", nil, o, err
	}
	return private.URL(), private, o, nil
}

// migrate brings a database to the newest version.
func migrate(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fault.New(fault.Unavailable, "The database does not answer.").Because(redacted(err))
	}
	defer conn.Close(ctx)
	return migrations.Up(ctx, conn)
}

// redacted is a connection's error without the address, which may hold a
// password.
func redacted(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return errors.New("the database URL cannot be read: write it as postgres://user@host/name")
	}
	return err
}

// unsealed reports whether no institution has a signing key yet.
func unsealed(ctx context.Context, db *pg.DB) (bool, error) {
	slugs, err := (&institution.Service{DB: db}).Slugs(ctx)
	if err != nil {
		return false, err
	}
	for _, in := range slugs {
		keys, err := (&keyring.Service{DB: db}).List(ctx, access.VisitorOf(string(in)))
		if err != nil || len(keys) > 0 {
			return false, err
		}
	}
	return true, nil
}

// close ends what open started.
func (s *services) close() error {
	s.db.Close()
	if s.private == nil {
		return nil
	}
	return s.private.Stop()
}

// operator is the person at the terminal, at work in one institution: the one
// that is named, or the only one there is.
func (s *services) operator(ctx context.Context, slug string) (access.Actor, error) {
	all, err := s.institutions.Slugs(ctx)
	if err != nil {
		return access.Actor{}, err
	}
	if slug == "" && len(all) == 1 {
		for only := range all {
			slug = only
		}
	}
	in, ok := all[slug]
	switch {
	case len(all) == 0:
		return access.Actor{}, errors.New("there is no institution yet: make one with testamur institution create SLUG --name NAME")
	case slug == "":
		return access.Actor{}, fmt.Errorf("there are %d institutions: say which with --institution SLUG (testamur institution list names them)", len(all))
	case !ok:
		return access.Actor{}, fmt.Errorf("there is no institution %q: testamur institution list names those there are", slug)
	}
	return access.SystemOf(string(in), "terminal"), nil
}

// with opens the services for one command and closes them behind it.
func (s store) with(p *place, do func(*services) error) error {
	all, err := s.open(p, defaultAddr, true, slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	return errors.Join(do(all), all.close())
}
