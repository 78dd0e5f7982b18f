package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/exchange"
)

type importCmd struct {
	store
	within
	Files       []string `arg:"" name:"file" help:"The files, imported in the order given; - for standard input."`
	Kind        string   `required:"" help:"What they hold: case_package, courses, course_map, achievements, learners, results or awards; or what is done to credentials: issue_credentials, reissue_credentials, revoke_credentials, suspend_credentials or lift_suspensions." placeholder:"KIND"`
	System      string   `help:"The external system that ids in the files belong to." default:"import"`
	Column      []string `help:"Where a header differs from the field's name: field=Header. May be given more than once." placeholder:"FIELD=HEADER" sep:"none"`
	Format      string   `help:"csv or ndjson; looked for unless said." placeholder:"FORMAT"`
	Encoding    string   `help:"utf-8, utf-16 or windows-1252; looked for unless said." placeholder:"NAME"`
	Delimiter   string   `help:"One of , ; | or tab; looked for unless said." placeholder:"CHAR" sep:"none"`
	DateFormat  string   `help:"YYYY-MM-DD unless said; MM/DD/YYYY, DD/MM/YYYY, DD.MM.YYYY or YYYYMMDD." placeholder:"FORMAT"`
	ErrorPolicy string   `help:"What becomes of the rest when a row breaks a rule: reject_failed_rows or reject_all." default:"reject_failed_rows" placeholder:"POLICY"`
	Errors      string   `help:"Where to write the rows that failed, as CSV; FILE.errors.csv unless said." placeholder:"FILE"`
	URL         string   `name:"url" help:"Import into the service at this origin, with --token, in place of the database." env:"TESTAMUR_URL" placeholder:"ORIGIN"`
	Token       string   `help:"The bearer token for --url." env:"TESTAMUR_TOKEN"`
}

// importer is a service to import into: the database's own, or one far away.
type importer interface {
	begin(ctx context.Context, name string, r io.Reader, o exchange.Order) (job string, err error)
	look(ctx context.Context, job string) (exchange.Job, error)
	errorFile(ctx context.Context, job string, w io.Writer) error
}

// Run imports each file and tells what became of its rows. The exit code is 1
// when a row failed or a file was not read.
func (c *importCmd) Run(p *place) error {
	order, err := c.order()
	if err != nil {
		return err
	}
	if c.URL != "" {
		far, err := newRemote(c.URL, c.Token)
		if err != nil {
			return err
		}
		return c.all(p, far, order)
	}
	return c.with(p, func(s *services) error {
		who, err := s.operator(p.ctx, c.Institution)
		if err != nil {
			return err
		}
		return c.all(p, &local{services: s, who: who}, order)
	})
}

// order is the import that the flags ask for.
func (c *importCmd) order() (exchange.Order, error) {
	o := exchange.Order{Kind: exchange.Kind(strings.ToUpper(strings.ReplaceAll(c.Kind, "-", "_"))), Options: exchange.Options{System: c.System,
		Format: c.Format, Encoding: c.Encoding, Delimiter: c.Delimiter, DateFormat: c.DateFormat,
		ErrorPolicy: strings.ToUpper(strings.ReplaceAll(c.ErrorPolicy, "-", "_"))}}
	if c.Delimiter == "tab" || c.Delimiter == `\t` {
		o.Options.Delimiter = "\t"
	}
	for _, text := range c.Column {
		field, header, ok := strings.Cut(text, "=")
		if !ok || field == "" || header == "" {
			return o, fmt.Errorf("--column %q is not FIELD=HEADER", text)
		}
		o.Options.Columns = append(o.Options.Columns, exchange.Column{Field: field, Header: header})
	}
	return o, nil
}

func (c *importCmd) all(p *place, into importer, order exchange.Order) error {
	failed := false
	for _, name := range c.Files {
		job, err := c.one(p, into, order, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		failed = failed || job.State != exchange.Succeeded || job.FailedCount > 0
	}
	if failed {
		return exit(1)
	}
	return nil
}

// one imports a file and follows its job to the end.
func (c *importCmd) one(p *place, into importer, order exchange.Order, name string) (exchange.Job, error) {
	var r io.Reader = p.stdin
	shown := "standard input"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return exchange.Job{}, errors.Unwrap(err)
		}
		defer f.Close()
		r, shown = f, filepath.Base(name)
	}
	id, err := into.begin(p.ctx, shown, r, order)
	if err != nil {
		return exchange.Job{}, err
	}
	job, err := follow(p, into, id, shown)
	if err != nil {
		return job, err
	}
	p.print("%s: %d created, %d updated, %d unchanged, %d failed", shown, job.CreatedCount, job.UpdatedCount, job.UnchangedCount, job.FailedCount)
	for _, n := range job.Notices {
		p.print("  note: %s", n)
	}
	if job.Failure != nil {
		p.print("  %s", *job.Failure)
	}
	if job.FailedCount == 0 {
		return job, nil
	}
	to := c.Errors
	if to == "" {
		to = shown + ".errors.csv"
	}
	if err := c.writeErrors(p, into, id, to); err != nil {
		return job, err
	}
	p.print("  the rows that failed, with line, column, rule, value and what to do, are in %s", to)
	return job, nil
}

func (c *importCmd) writeErrors(p *place, into importer, job, to string) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	return errors.Join(into.errorFile(p.ctx, job, f), f.Close())
}

// between is how often a job is looked at.
const between = 200 * time.Millisecond

// follow draws the progress until the job has finished.
func follow(p *place, into importer, id, name string) (exchange.Job, error) {
	bar := newBar(p, name)
	defer bar.clear()
	for {
		job, err := into.look(p.ctx, id)
		if err != nil || job.Finished() {
			return job, err
		}
		bar.draw(job)
		select {
		case <-p.ctx.Done():
			return job, errors.New("stopped here; what is done is done, and a running service goes on with the rest")
		case <-time.After(between):
		}
	}
}

// bar is a line at a terminal that is drawn over; elsewhere there is none.
type bar struct {
	p     *place
	name  string
	shown bool
	drawn bool
	at    time.Time // when
}

func newBar(p *place, name string) *bar {
	f, ok := p.stderr.(*os.File)
	if !ok {
		return &bar{}
	}
	info, err := f.Stat()
	return &bar{p: p, name: name, shown: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// width is how many characters the bar has.
const width = 30

func (b *bar) draw(j exchange.Job) {
	part := 0.0
	if j.BytesTotal > 0 {
		part = float64(j.BytesDone) / float64(j.BytesTotal)
	}
	b.line(part, "%d rows, %d failed", j.CreatedCount+j.UpdatedCount+j.UnchangedCount, j.FailedCount)
}

// line draws how large a part is done, from 0 to 1, and says what; no more often
// than anyone sees.
func (b *bar) line(part float64, format string, args ...any) {
	now := time.Now()
	if !b.shown || now.Sub(b.at) < between/2 {
		return
	}
	full := int(min(part, 1) * width)
	fmt.Fprintf(b.p.stderr, "\r\x1b[K%s [%s%s] %3.0f%%  %s", b.name, strings.Repeat("=", full), strings.Repeat(" ", width-full), part*100, fmt.Sprintf(format, args...))
	b.drawn, b.at = true, now
}

func (b *bar) clear() {
	if b.drawn {
		fmt.Fprint(b.p.stderr, "\r\x1b[K")
	}
}

// local imports into the database itself: this process is the worker, unless a
// running service is quicker.
type local struct {
	*services
	who access.Actor
	ran chan error
}

func (l *local) begin(ctx context.Context, name string, r io.Reader, o exchange.Order) (string, error) {
	u, err := l.exchange.Receive(ctx, l.who, name, r)
	if err != nil {
		return "", err
	}
	o.UploadID = u.ID
	j, err := l.exchange.Start(ctx, l.who, nil, o)
	if err != nil {
		return "", err
	}
	l.ran = make(chan error, 1)
	go func() { l.ran <- l.exchange.Run(ctx, l.who, j.ID) }()
	return j.ID, nil
}

func (l *local) look(ctx context.Context, job string) (exchange.Job, error) {
	select {
	case err := <-l.ran:
		if err != nil {
			return exchange.Job{}, err
		}
		j, err := l.exchange.Find(ctx, l.who, job)
		if err == nil && !j.Finished() { // somebody else has it, or had it
			go func() { l.ran <- l.exchange.Run(ctx, l.who, job) }()
		}
		return j, err
	default:
		return l.exchange.Find(ctx, l.who, job)
	}
}

func (l *local) errorFile(ctx context.Context, job string, w io.Writer) error {
	return l.exchange.ErrorFile(ctx, l.who, job, w)
}
