package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/testamur/testamur/graph"
	"github.com/testamur/testamur/graph/graphiql"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/jobs"
	"github.com/testamur/testamur/internal/mail"
	"github.com/testamur/testamur/internal/rest"
	"github.com/testamur/testamur/internal/session"
	"github.com/testamur/testamur/internal/vcapi"
	"github.com/testamur/testamur/internal/verify"
	"github.com/testamur/testamur/internal/web"
)

// defaultAddr is where the service listens unless told otherwise.
const defaultAddr = "127.0.0.1:8080"

// network is where the service listens, for the commands that serve.
type network struct {
	Addr string `help:"Where to listen, HOST:PORT." env:"TESTAMUR_ADDR" default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
}

// The limits of a connection. Uploads and streams set their own.
const (
	headersWithin = 10 * time.Second
	readWithin    = time.Minute
	idleFor       = 2 * time.Minute
	drainWithin   = 20 * time.Second
	maxHeaders    = 64 << 10
)

// gcPercent lets the heap grow further between collections than Go's default:
// what a request leaves behind is large and what stays is small.
const gcPercent = 300

type serveCmd struct {
	store
	network
	quota
	letters
	VCAPI       string `name:"vc-api" help:"Serve the W3C VC API under /vc-api, signing with the keys of this institution. It signs whatever a permitted caller sends: name one that was made for it." env:"TESTAMUR_VC_API" placeholder:"SLUG"`
	VCAPIOpen   bool   `name:"vc-api-open" help:"Let anyone who reaches the address issue by the VC API, without a token: for interoperability suites that send none, on one machine." env:"TESTAMUR_VC_API_OPEN"`
	Contexts    string `help:"JSON-LD contexts to verify with besides those that are compiled in: files HOST/PATH in this folder, and SHA256SUMS with the hash of each. None is asked of the network." env:"TESTAMUR_CONTEXTS" placeholder:"FOLDER"`
	Trusted     string `name:"trusted-documents" help:"GraphQL documents that requests may name by hash: a folder of .graphql files, or a JSON object from SHA-256 to document." env:"TESTAMUR_TRUSTED_DOCUMENTS" placeholder:"PATH"`
	SignIn      string `name:"sign-in" help:"OpenID Connect providers that people sign in with to the pages: a JSON file, see README." env:"TESTAMUR_SIGN_IN" placeholder:"PATH"`
	OnlyTrusted bool   `name:"only-trusted-documents" help:"Answer no other GraphQL documents than those." env:"TESTAMUR_ONLY_TRUSTED_DOCUMENTS"`
	Development bool   `help:"For tests on one machine: what others publish is fetched over plain http and from this machine too." env:"TESTAMUR_DEVELOPMENT"`
}

// Run serves until it is told to stop.
func (c *serveCmd) Run(p *place) error {
	log := slog.New(slog.NewJSONHandler(p.stderr, nil))
	if p.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	trusted, err := trustedIn(c.Trusted, c.OnlyTrusted)
	if err != nil {
		return err
	}
	all, err := c.open(p, c.Addr, false, log)
	if err != nil {
		return err
	}
	if err := c.optional(p.ctx, all); err != nil {
		return errors.Join(err, all.close())
	}
	err = all.serve(p.ctx, c.Addr, c.quota, queryPage{tabs: []graphiql.Tab{{Query: firstQuery}}, trusted: trusted}, func(at net.Addr) {
		log.Info("serving", "address", at.String(), "origin", all.origin, "version", version())
	})
	return errors.Join(err, all.close())
}

// trustedIn reads the documents that an operator registers.
func trustedIn(path string, only bool) (graph.Trusted, error) {
	documents := map[string]string{}
	if path != "" {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			documents, err = documentsIn(path)
		} else if err == nil {
			var raw []byte
			if raw, err = os.ReadFile(path); err == nil {
				documents, err = graph.Manifest(raw)
			}
		}
		if err != nil {
			return graph.Trusted{}, fmt.Errorf("--trusted-documents: %w", err)
		}
		if len(documents) == 0 {
			return graph.Trusted{}, fmt.Errorf("--trusted-documents: there are none in %s", path)
		}
	}
	return graph.Trust(documents, only)
}

// documentsIn are the .graphql files of a folder and those below it.
func documentsIn(folder string) (map[string]string, error) {
	documents := map[string]string{}
	return documents, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".graphql" {
			return err
		}
		raw, err := os.ReadFile(path)
		documents[path] = string(raw)
		return err
	})
}

// optional turns on what is off unless it is asked for.
func (c *serveCmd) optional(ctx context.Context, s *services) error {
	if c.Development {
		f := verify.NewFetcher(verify.Options{Log: s.log, Development: true})
		s.verifier.Fetch, s.verifier.Getter, s.shares.Webhooks = f.Fetch, f, f
	}
	if err := c.letters.over(s); err != nil {
		return err
	}
	contexts, err := contextsIn(c.Contexts, true)
	if err != nil {
		return fmt.Errorf("--contexts: %w", err)
	}
	s.verifier.Contexts = contexts
	if err := c.signIn(s); err != nil {
		return err
	}
	if c.VCAPI == "" && c.VCAPIOpen {
		return errors.New("--vc-api-open says who may use the VC API, which is not served: name an institution with --vc-api")
	}
	if c.VCAPI == "" {
		return nil
	}
	in, err := s.institutions.BySlug(ctx, c.VCAPI)
	if err != nil {
		return fmt.Errorf("--vc-api %s: %w", c.VCAPI, err)
	}
	s.verifier.Unfiled = in
	s.vcapi = &vcapi.Service{Now: s.now, Keys: s.keys, Credentials: s.credentials, Verifier: s.verifier, Institution: in, Open: c.VCAPIOpen}
	if c.VCAPIOpen {
		s.log.Warn("OPEN: anyone who reaches this address may have credentials signed by the VC API", "institution", c.VCAPI)
	}
	return nil
}

// letters are the mail server and the sender of mails.
type letters struct {
	SMTP         string `name:"smtp" help:"Mail server, HOST:PORT: by TLS on port 465, else by STARTTLS. Without one, mails wait." env:"TESTAMUR_SMTP" placeholder:"HOST:PORT"`
	MailFrom     string `name:"mail-from" help:"The sender of mails, as records@example.edu." env:"TESTAMUR_MAIL_FROM" placeholder:"ADDRESS"`
	SMTPUser     string `name:"smtp-user" help:"Who signs in at the mail server; the password is TESTAMUR_SMTP_PASSWORD." env:"TESTAMUR_SMTP_USER" placeholder:"NAME"`
	SMTPPassword string `name:"smtp-password" hidden:"" env:"TESTAMUR_SMTP_PASSWORD"`
}

// over has the services send their mails there.
func (l letters) over(s *services) error {
	if l.SMTP == "" {
		s.log.Info("no mail server is named (--smtp): mails wait until there is one")
		return nil
	}
	if l.MailFrom == "" {
		return errors.New("--smtp needs --mail-from: who mails come from")
	}
	sender, err := mail.New(mail.Settings{Server: l.SMTP, From: l.MailFrom, User: l.SMTPUser, Password: l.SMTPPassword})
	if err != nil {
		return fmt.Errorf("--smtp: %w", err)
	}
	s.shares.Mail = sender
	return nil
}

// signIn names the providers that people sign in with.
func (c *serveCmd) signIn(s *services) error {
	if c.SignIn == "" {
		return nil
	}
	raw, err := os.ReadFile(c.SignIn)
	if err != nil {
		return fmt.Errorf("--sign-in: %w", err)
	}
	all, err := session.ParseSettings(raw)
	if err != nil {
		return fmt.Errorf("--sign-in %s: %w", c.SignIn, err)
	}
	for _, one := range all {
		s.providers = append(s.providers, &session.Provider{Settings: one, Service: s.sessions, Callback: web.Callback(s.origin, one.Institution)})
	}
	return nil
}

// queryPage is what the query page opens with, and what may be asked.
type queryPage struct {
	tabs    []graphiql.Tab
	headers string
	open    bool // anyone may look at the schema
	trusted graph.Trusted
}

// serve listens, works in the background, and returns when the context ends and
// what was begun is finished. ready is called once it listens.
func (s *services) serve(ctx context.Context, addr string, q quota, p queryPage, ready func(net.Addr)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.checkKeys(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w: choose another with --addr", addr, errors.Unwrap(err))
	}
	trusted, err := q.trusted()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s.caller = trusted.caller
	handler, err := s.handler(p)
	if err == nil {
		handler, err = q.limited(handler, time.Now)
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	workers, err := s.workers()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := workers.Start(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	kept := make(chan struct{})
	go func() { defer close(kept); s.keepDatabase(ctx) }()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headersWithin, ReadTimeout: readWithin, IdleTimeout: idleFor,
		MaxHeaderBytes: maxHeaders, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	ready(listener.Addr())
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = drain(ctx, server)
	}
	cancel()
	stopping, stop := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer stop()
	err = errors.Join(err, workers.Stop(stopping))
	<-kept
	return err
}

// checkKeys refuses to serve an institution that signs with a key that
// everybody has.
func (s *services) checkKeys(ctx context.Context) error {
	all, err := s.institutions.Slugs(ctx)
	if err != nil {
		return err
	}
	for slug, in := range all {
		if err := s.keys.Check(ctx, access.SystemOf(string(in), "serve")); err != nil {
			return fmt.Errorf("institution %s: %w", slug, err)
		}
	}
	return nil
}

// drain lets requests that were begun come to their end; streams are cut off
// when their time is up.
func drain(ctx context.Context, server *http.Server) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer cancel()
	err := server.Shutdown(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}

// revivals is how often a private database that ends by itself is started again
// before the service gives up on it.
const revivals = 5

// keepDatabase starts the private database again when it ends by itself;
// meanwhile requests are answered with 503.
func (s *services) keepDatabase(ctx context.Context) {
	if s.private == nil {
		return
	}
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-s.private.Done():
		}
		if ctx.Err() != nil || n > revivals {
			return
		}
		s.log.Error("the database ended by itself and is started again", "attempt", n)
		if err := s.private.Revive(ctx, s.options); err != nil {
			s.log.Error("the database does not start", "error", err)
		}
	}
}

// handler is every way in, behind the guards.
func (s *services) handler(p queryPage) (http.Handler, error) {
	query, err := graphiql.Handler(graphiql.Config{Title: "Testamur", Base: "/graphiql", Endpoint: "/graphql", Headers: p.headers, Tabs: p.tabs})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/graphql", graph.NewHandler(graph.Config{Resolver: s.resolver(), Actor: s.actor, Recall: s.recall, Confirm: s.confirm, Open: p.open, Trusted: p.trusted}))
	mux.Handle("/graphiql", query)
	mux.Handle("/graphiql/", query)
	pages, err := web.NewHandler(s.web())
	if err != nil {
		return nil, err
	}
	endpoints := s.rest()
	endpoints.Page, endpoints.Language = pages.Refuse, web.Language
	plain := rest.NewHandler(endpoints)
	mux.Handle("/", plain)
	for _, pattern := range web.Roots() {
		mux.Handle(pattern, pages)
	}
	mux.HandleFunc("/s/{token}", func(w http.ResponseWriter, r *http.Request) {
		if web.WantsPage(r) {
			pages.ServeHTTP(w, r)
			return
		}
		plain.ServeHTTP(w, r)
	})
	small, err := compressed(mux)
	if err != nil {
		return nil, err
	}
	return guard(small, s.log, strings.HasPrefix(s.origin, "https://")), nil
}

// resolver is what GraphQL translates to.
func (s *services) resolver() *graph.Resolver {
	return &graph.Resolver{
		Institutions: s.institutions,
		Learners:     s.learners,
		Consents:     s.consents,
		Shares:       s.shares,
		Disclosures:  s.disclosures,
		Holds:        s.holds,
		Frameworks:   s.frameworks,
		Courses:      s.courses,
		Achievements: s.achievements,
		Assertions:   s.assertions,
		Mastery:      s.mastery,
		Programs:     s.programs,
		Search:       s.search,
		Keys:         s.keys,
		Credentials:  s.credentials,
		Records:      s.records,
		Documents:    s.documents,
		Trust:        s.trust,
		Verifier:     s.verifier,
		Deposits:     s.deposits,
		Exchange:     s.exchange,
		Audit:        s.audit,
		Log:          s.log,
	}
}

// rest is what the plain endpoints ask.
func (s *services) rest() rest.Services {
	return rest.Services{Institutions: s.institutions, Learners: s.learners, Achievements: s.achievements, Keys: s.keys,
		Credentials: s.credentials, Exchange: s.exchange, Disclosures: s.disclosures, Holds: s.holds, Extracts: s.extracts, Deposits: s.deposits, Shares: s.shares, Caller: s.caller, Frameworks: s.frameworks, Documents: s.documents, VCAPI: s.vcapi, Origin: s.origin, Version: version(), Now: s.now,
		Ready: s.db.Pool.Ping, Actor: s.actor, Browser: web.Browser(s.sessions, s.origin), Log: s.log}
}

// web is what the pages ask.
func (s *services) web() web.Services {
	return web.Services{Institutions: s.institutions, Learners: s.learners, Sessions: s.sessions, Consents: s.consents, Disclosures: s.disclosures, Holds: s.holds,
		Frameworks: s.frameworks, Courses: s.courses, Achievements: s.achievements, Assertions: s.assertions, Mastery: s.mastery, Programs: s.programs, Keys: s.keys,
		Credentials: s.credentials, Records: s.records, Documents: s.documents, Verifier: s.verifier, Deposits: s.deposits, Exchange: s.exchange, Shares: s.shares, Caller: s.caller, Audit: s.audit,
		Providers: s.providers, Choose: s.choose, Origin: s.origin, Version: version(), Now: s.now, Log: s.log}
}

// workers are the background work.
func (s *services) workers() (*jobs.Workers, error) {
	return jobs.New(s.db, jobs.Services{Exchange: s.exchange, Institutions: s.institutions, Credentials: s.credentials, Records: s.records, Programs: s.programs, Shares: s.shares}, s.log)
}

// actor is who a request comes from: the bearer of a token, or anyone.
func (s *services) actor(r *http.Request) (access.Actor, error) {
	if r.Header.Get("Authorization") == "" {
		return access.Anonymous(), nil
	}
	token, ok := bearer(r)
	if !ok {
		return access.Actor{}, fault.New(fault.Unauthenticated, "Send the token as Authorization: Bearer TOKEN.")
	}
	who, err := s.institutions.Authenticate(r.Context(), token)
	if err == nil {
		tokenHeld(r.Context())
	}
	return who, err
}

// bearer is the token that a request came with.
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

// recall is whom the token of a request is remembered to stand for.
func (s *services) recall(r *http.Request) (access.Actor, int64, bool) {
	token, ok := bearer(r)
	if !ok {
		return access.Actor{}, 0, false
	}
	return s.institutions.Recall(token)
}

// confirm tells which count of changes the bearer of a token has read.
func (s *services) confirm(r *http.Request, generation int64) {
	if token, ok := bearer(r); ok {
		tokenHeld(r.Context())
		s.institutions.Confirm(token, generation)
	}
}

// firstQuery is what the query page of a service without a demonstration opens
// with: it runs with any token.
const firstQuery = `# Set the header Authorization to Bearer and a token: testamur token create --role registrar
query Institution {
  institution {
    name
    did
    signingKeys { id state publicKeyMultibase }
  }
}
`
