package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/testamur/testamur/graph/graphiql"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/degree"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
)

type demoCmd struct {
	store
	network
	quota
}

// Run loads the demonstration if it is not there, serves it, and says what to
// open.
func (c *demoCmd) Run(p *place) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	p.say("The data is in %s.", dir)
	all, err := c.open(p, c.Addr, false, slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	all.choose = loopback(c.Addr)
	d := &demonstration{services: all, p: p, file: filepath.Join(dir, tokensName)}
	err = d.prepare(p.ctx)
	if err == nil {
		opened := queryPage{tabs: d.tabs(c.Addr), open: true}
		err = all.serve(p.ctx, c.Addr, c.quota, opened, func(net.Addr) { d.tell() })
	}
	return errors.Join(err, all.close())
}

// demonstration is the demonstration institution over a database.
type demonstration struct {
	*services
	p      *place
	file   string // keeps the tokens, which the database does not
	who    access.Actor
	tokens []roleToken
}

// roleToken is a token of the demonstration.
type roleToken struct {
	Role  access.Role `json:"role"`
	Token string      `json:"token"`
	For   string      `json:"for"` // what it is good for
}

// tokensName is the file of the demonstration's tokens. It is written last, so
// that it stands for a demonstration that is whole.
const tokensName = "demo-tokens.json"

// student is the learner that the demonstration shows.
const student = "ref:" + demo.System + ":S100001"

// recordsMade is how many learners have a record from the start.
const recordsMade = 5

// prepare loads what is missing.
func (d *demonstration) prepare(ctx context.Context) error {
	if d.ready(ctx) {
		return nil
	}
	began := time.Now()
	in, err := d.institutions.BySlug(ctx, demo.Slug)
	if fault.KindOf(err) == fault.NotFound {
		url, email, phone, about := demo.URL, demo.Email, demo.Phone, demo.About
		var made institution.Institution
		made, err = d.institutions.Found(ctx, demo.Slug, institution.Profile{Name: demo.Name, URL: &url, Email: &email, Phone: &phone, Description: &about,
			OtherIdentifier: []institution.Identifier{{Type: "ext:OPEID", Value: demo.Number}}})
		in = made.ID
	}
	if err != nil {
		return err
	}
	d.who = access.SystemOf(string(in), "demo")
	d.p.say("Loading %s, which is invented, as are its people:", demo.Name)
	for _, f := range demo.Files() {
		if err := d.load(ctx, f); err != nil {
			return err
		}
	}
	if err := d.study(ctx); err != nil {
		return err
	}
	if err := d.grade(ctx); err != nil {
		return err
	}
	if err := d.assemble(ctx); err != nil {
		return err
	}
	if err := d.consent(ctx); err != nil {
		return err
	}
	for _, m := range demo.Staff() {
		if _, err := d.institutions.AddStaff(ctx, d.who, institution.NewStaff{Name: m.Name, Email: m.Email, Roles: []access.Role{m.Role}}); err != nil && fault.KindOf(err) != fault.Conflict {
			return err
		}
	}
	if err := d.makeTokens(ctx); err != nil {
		return err
	}
	d.p.say("Loaded in %s; the next start takes a moment only.", time.Since(began).Round(100*time.Millisecond))
	return nil
}

// ready reports whether an earlier run finished, by the tokens that it kept.
func (d *demonstration) ready(ctx context.Context) bool {
	raw, err := os.ReadFile(d.file)
	if err != nil || json.Unmarshal(raw, &d.tokens) != nil || len(d.tokens) == 0 {
		return false
	}
	for _, t := range d.tokens {
		if _, err := d.institutions.Authenticate(ctx, t.Token); err != nil {
			d.tokens = nil
			return false
		}
	}
	return true
}

// load brings one file in through the same import as a registrar's.
func (d *demonstration) load(ctx context.Context, f demo.File) error {
	u, err := d.exchange.Receive(ctx, d.who, f.Name, bytes.NewReader(f.Data))
	if err != nil {
		return err
	}
	j, err := d.exchange.Start(ctx, d.who, nil, exchange.Order{Kind: exchange.Kind(f.Kind), UploadID: u.ID, Options: exchange.Options{System: demo.System}})
	if err != nil {
		return err
	}
	if err := d.exchange.Run(ctx, d.who, j.ID); err != nil {
		return err
	}
	if j, err = d.exchange.Find(ctx, d.who, j.ID); err != nil {
		return err
	}
	if j.State != exchange.Succeeded || j.FailedCount > 0 {
		return fmt.Errorf("%s did not come in whole: %s, %d rows failed", f.Name, j.State, j.FailedCount)
	}
	d.p.say("  %-18s %6d rows", f.Name, j.CreatedCount+j.UpdatedCount+j.UnchangedCount)
	return nil
}

// study sets up the degree program.
func (d *demonstration) study(ctx context.Context) error {
	err := degree.SetUp(ctx, d.who, degree.Services{Frameworks: d.frameworks, Courses: d.courses, Achievements: d.achievements, Mastery: d.mastery, Programs: d.programs})
	if err != nil {
		return fmt.Errorf("set up the degree program: %w", err)
	}
	d.p.say("  %-18s %6d enrolled", "degree program", len(demo.Students()))
	return nil
}

// grade says what the college's grades mean and how its average is reckoned.
func (d *demonstration) grade(ctx context.Context) error {
	c := record.GradingContent{Name: "Alder Sound grading scale", Average: &record.AverageRule{Repeats: record.Latest, Decimals: 2, Rounding: record.HalfUp, Grounds: []string{program.Unit}}}
	for _, g := range []struct {
		mark    string
		points  float64
		meaning string
	}{{"A", 4, "Excellent"}, {"A-", 3.7, ""}, {"B+", 3.3, ""}, {"B", 3, "Good"}, {"B-", 2.7, ""}, {"C+", 2.3, ""}, {"C", 2, "Satisfactory"}, {"C-", 1.7, ""}, {"D", 1, "Passed"}, {"F", 0, "Failed"}} {
		c.Grades = append(c.Grades, record.Grade{Mark: g.mark, Points: &g.points, Counts: true, Earns: g.points > 0, Meaning: g.meaning})
	}
	c.Grades = append(c.Grades, record.Grade{Mark: "P", Earns: true, Meaning: "Passed, without a grade"}, record.Grade{Mark: "W", Meaning: "Withdrawn"}, record.Grade{Mark: "I", Meaning: "Incomplete"})
	none := 0
	if _, err := d.records.ReviseGrading(ctx, d.who, &none, c); err != nil && fault.KindOf(err) != fault.Conflict {
		return fmt.Errorf("set up the grading policy: %w", err)
	}
	return nil
}

// assemble makes some records.
func (d *demonstration) assemble(ctx context.Context) error {
	for n := range recordsMade {
		if _, err := d.records.Assemble(ctx, d.who, nil, fmt.Sprintf("ref:%s:S%06d", demo.System, 100001+n)); err != nil {
			return fmt.Errorf("assemble a record: %w", err)
		}
	}
	d.p.say("  %-18s %6d signed", "records", recordsMade)
	return nil
}

// findable is how many learners consented to be found by employers.
const findable = 60

// consent records that some learners signed to be found by employers.
func (d *demonstration) consent(ctx context.Context) error {
	for n := range findable {
		if _, err := d.consents.Give(ctx, d.who, consent.Grant{LearnerID: fmt.Sprintf("ref:%s:S%06d", demo.System, 100001+n), Scope: consent.ToSearch, Method: consent.BySignature}); err != nil {
			return fmt.Errorf("record a consent: %w", err)
		}
	}
	d.p.say("  %-18s %6d to be found by employers", "consents", findable)
	return nil
}

// makeTokens makes a token for each role and keeps them in a file that only
// their owner reads.
func (d *demonstration) makeTokens(ctx context.Context) error {
	l, err := d.learners.Find(ctx, d.who, student)
	if err != nil {
		return err
	}
	d.tokens = nil
	for _, t := range []roleToken{
		{access.Registrar, "", "learners, awards, records, imports"},
		{access.Designer, "", "frameworks, courses, achievements"},
		{access.Assessor, "", "awarding"},
		{access.Administrator, "", "profile, staff, clients, keys"},
		{access.Learner, "", l.DisplayName + "'s own record"},
		{access.Reader, "", "the catalogue, and verifying"},
		{access.Employer, "", "searching among learners who consented to be found"},
	} {
		n := institution.NewClient{Name: "demonstration", Roles: []access.Role{t.Role}}
		if t.Role == access.Learner {
			id := string(l.ID)
			n.LearnerID = &id
		}
		if _, t.Token, err = d.institutions.CreateClient(ctx, d.who, n); err != nil {
			return err
		}
		d.tokens = append(d.tokens, t)
	}
	raw, err := json.MarshalIndent(d.tokens, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(d.file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(d.file, append(raw, '\n'), 0o600)
}

//go:embed queries/*.graphql
var queries embed.FS

// tabs are the queries that the page opens with. Where only this machine can
// open it, they carry the registrar's token.
func (d *demonstration) tabs(addr string) []graphiql.Tab {
	headers := ""
	if loopback(addr) {
		headers = fmt.Sprintf(`{"Authorization": "Bearer %s"}`, d.tokens[0].Token)
	}
	var tabs []graphiql.Tab
	names, _ := fs.Glob(queries, "queries/*.graphql")
	for _, n := range names {
		raw, _ := fs.ReadFile(queries, n)
		tabs = append(tabs, graphiql.Tab{Query: string(raw), Headers: headers})
	}
	return tabs
}

// loopback reports whether only this machine reaches an address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// tell says what to open, and with which token.
func (d *demonstration) tell() {
	base := d.origin + "/i/" + demo.Slug
	d.p.print("\n%s is open.\n", demo.Name)
	d.p.print("  Pages           %s/", d.origin)
	d.p.print("  Write queries   %s/graphiql", d.origin)
	d.p.print("  GraphQL         %s/graphql", d.origin)
	d.p.print("  Cohort          %s/pictures/programs/%s/cohort", d.origin, degree.Code)
	d.p.print("  Competencies    %s/pictures/learners/ref:%s:S100121/competencies", d.origin, demo.System)
	d.p.print("  Open Badges     %s/ims/ob/v3p0/credentials", d.origin)
	d.p.print("  CLR             %s/ims/clr/v2p0/credentials", d.origin)
	d.p.print("  Issuer's keys   %s/did.json", base)
	d.p.print("\nSend a token as Authorization: Bearer TOKEN. Each may do something else:\n")
	for _, t := range d.tokens {
		d.p.print("  %s: %s\n    %s", t.Role, t.For, t.Token)
	}
	d.p.print("\nTry it:\n")
	d.p.print(`  curl -s %s/graphql -H 'Content-Type: application/json' \`, d.origin)
	d.p.print(`    -H 'Authorization: Bearer %s' \`, d.tokens[0].Token)
	d.p.print(`    -d '{"query":"{ learner(id: \"%s\") { displayName records { nodes { version } } } }"}'`, student)
	d.p.print("\nCtrl-C ends it. The data stays for the next time.")
}
