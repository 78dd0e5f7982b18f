package web

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/page"
)

// imports are files that a registrar or a designer brings in.
func (s *site) imports(mux *http.ServeMux) {
	s.page(mux, "GET /desk/imports", staff, func(v *visit) error {
		jobs, err := s.Exchange.List(v.ctx(), v.who, many(v.r.URL.Query().Get("after")))
		if err != nil {
			return err
		}
		return v.show(http.StatusOK, "imports", "Jobs", jobs)
	})
	s.page(mux, "GET /desk/imports/new", staff, func(v *visit) error { return s.importPage(v, nil) })
	s.page(mux, "POST /desk/imports/new", staff, s.receive)
	s.page(mux, "GET /desk/imports/{id}", staff, s.job)
	s.page(mux, "GET /desk/imports/{id}/errors.csv", staff, func(v *visit) error {
		h := v.w.Header()
		j, err := s.Exchange.Find(v.ctx(), v.who, v.r.PathValue("id"))
		if err != nil {
			return err
		}
		h.Set("Content-Type", "text/csv; charset=utf-8")
		h.Set("Content-Disposition", `attachment; filename="errors.csv"`)
		return s.Exchange.ErrorFile(v.ctx(), v.who, j.ID, v.w)
	})
	s.page(mux, "POST /desk/imports/{id}/cancel", staff, func(v *visit) error {
		j, err := s.Exchange.Cancel(v.ctx(), v.who, v.r.PathValue("id"))
		if err != nil {
			return err
		}
		return v.done("/desk/imports/"+j.ID, "import-cancelled")
	})
}

// kinds are what a file may hold, in the words of the page.
var kinds = []option{
	{Value: string(exchange.Learners), Label: "Learners (CSV or NDJSON)"},
	{Value: string(exchange.Courses), Label: "Courses (CSV or NDJSON)"},
	{Value: string(exchange.Results), Label: "Course results (CSV or NDJSON)"},
	{Value: string(exchange.Awards), Label: "Awards (CSV or NDJSON)"},
	{Value: string(exchange.Achievements), Label: "Achievements (Open Badges JSON)"},
	{Value: string(exchange.CourseMap), Label: "Curriculum map (CSV or NDJSON)"},
	{Value: string(exchange.CasePackage), Label: "Framework as a CASE package (JSON)"},
	{Value: string(exchange.CtdlASN), Label: "Framework as CTDL-ASN (JSON-LD)"},
	{Value: string(exchange.Table), Label: "Framework as a table (CSV or NDJSON)"},
	{Value: string(exchange.Graduation), Label: "Learners whose records are made (CSV or NDJSON)"},
	{Value: string(exchange.IssueCredentials), Label: "Credentials to sign (CSV or NDJSON)"},
	{Value: string(exchange.ReissueCredentials), Label: "Credentials to issue anew (CSV or NDJSON)"},
	{Value: string(exchange.RevokeCredentials), Label: "Credentials to revoke (CSV or NDJSON)"},
	{Value: string(exchange.SuspendCredentials), Label: "Credentials to suspend (CSV or NDJSON)"},
	{Value: string(exchange.LiftSuspensions), Label: "Suspensions to lift (CSV or NDJSON)"},
}

func (s *site) importPage(v *visit, err error) error {
	if refused := v.may(access.Import); refused != nil {
		return refused
	}
	f := form{Title: "Import a file", Submit: "Send the file", Back: "/desk/imports", File: true,
		Intro: "The file is read in the background, a row at a time. Rows that break a rule are listed with their line and the reason; the same file again changes nothing.",
		Fields: []field{
			{Name: "kind", Label: "What it holds", Type: "select", Required: true, Options: kinds},
			{Name: "system", Label: "System of record", Value: "sis", Help: "What the numbers in the file belong to, such as your student information system."},
			{Name: "policy", Label: "When a row breaks a rule", Type: "select", Required: true, Options: []option{{Value: exchange.RejectFailedRows, Label: "Import the others"}, {Value: exchange.RejectAll, Label: "Import nothing"}}},
			{Name: "file", Label: "File", Type: "file", Required: true, Help: "At most 1 GB."},
		}}
	if err == nil {
		return v.show(http.StatusOK, "form", f.Title, f)
	}
	f.Fault = v.understood(err)
	return v.show(statusOf[f.Fault.Kind], "form", f.Title, f.filled())
}

// receive keeps the file as it comes in and starts the job. The fields stand
// before the file, as browsers send them in the order of the form.
func (s *site) receive(v *visit) error {
	if err := v.may(access.Import); err != nil {
		return err
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, exchange.MaxUpload+maxForm)
	_ = http.NewResponseController(v.w).SetReadDeadline(s.Now().Add(uploadWithin)) // not every writer has deadlines
	j, err := s.begin(v)
	if k := fault.KindOf(err); err != nil && k != fault.Unavailable && k != fault.Internal {
		return s.importPage(v, err)
	}
	if err != nil {
		return err
	}
	return v.done("/desk/imports/"+j.ID, "import-started")
}

// begin reads the form and starts the job of its file.
func (s *site) begin(v *visit) (exchange.Job, error) {
	unread := fault.New(fault.Invalid, "The form could not be read. Open the page and send it again.")
	parts, err := v.r.MultipartReader()
	if err != nil {
		return exchange.Job{}, unread.Because(err)
	}
	given := map[string]string{}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return exchange.Job{}, fault.At("file", "required", "Choose a file.")
		}
		if err != nil {
			return exchange.Job{}, unread.Because(err)
		}
		if part.FormName() != "file" {
			raw, err := io.ReadAll(io.LimitReader(part, 1000))
			if err != nil {
				return exchange.Job{}, unread.Because(err)
			}
			given[part.FormName()] = string(raw)
			continue
		}
		if part.FileName() == "" {
			return exchange.Job{}, fault.At("file", "required", "Choose a file.")
		}
		if !slices.Contains(exchange.Kinds(), exchange.Kind(given["kind"])) {
			return exchange.Job{}, fault.At("kind", "required", "Say what the file holds.")
		}
		u, err := s.Exchange.Receive(v.ctx(), v.who, part.FileName(), part)
		if err != nil {
			return exchange.Job{}, err
		}
		return s.Exchange.Start(v.ctx(), v.who, nil, exchange.Order{Kind: exchange.Kind(given["kind"]), UploadID: u.ID,
			Options: exchange.Options{System: given["system"], ErrorPolicy: given["policy"]}})
	}
}

// progressOf is a job on its page.
type progressOf struct {
	exchange.Job
	Failed page.Connection[exchange.Outcome]
}

// Percent is how much of the file was read, of a hundred.
func (p progressOf) Percent() int {
	if p.BytesTotal == 0 || p.Finished() {
		return 100
	}
	return int(100 * p.BytesDone / p.BytesTotal)
}

// uploadWithin is how long a file may take to arrive.
const uploadWithin = time.Hour

// lookAgain is how long a browser without script waits, in seconds.
const lookAgain = 3

func (s *site) job(v *visit) error {
	j, err := s.Exchange.Find(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	d := progressOf{Job: j}
	if j.FailedCount > 0 {
		if d.Failed, err = s.Exchange.OutcomesOf(v.ctx(), v.who, j.ID, true, many(v.r.URL.Query().Get("after"))); err != nil {
			return err
		}
	}
	p := v.sheet("job", "Job", d)
	if !j.Finished() {
		p.Live = lookAgain
	}
	return v.write(http.StatusOK, p)
}
