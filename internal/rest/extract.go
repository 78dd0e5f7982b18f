package rest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/extract"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/mastery"
)

// extractWithin is how long a large export may take to go out.
const extractWithin = time.Hour

// extracts registers the exports of what the competency engine knows.
func (s Services) extracts(mux *http.ServeMux) {
	x := s.Extracts
	if x == nil {
		return
	}
	s.extract(mux, "/exports/learners/{id}/competencies", "competencies", x.Competencies)
	s.extract(mux, "/exports/competencies/{id}/holders", "holders", x.Holders)
	s.extract(mux, "/exports/programs/{id}/progress", "progress", x.Progress)
	s.extract(mux, "/exports/frameworks/{id}/coverage", "coverage", func(ctx context.Context, who access.Actor, id string, _ extract.Want, form string, w io.Writer) error {
		return x.Coverage(ctx, who, id, form, w)
	})
	s.extract(mux, "/exports/equivalencies", "equivalencies", func(ctx context.Context, who access.Actor, _ string, _ extract.Want, form string, w io.Writer) error {
		return x.Equivalencies(ctx, who, form, w)
	})
}

// writing writes an extract of what an id names.
type writing func(ctx context.Context, who access.Actor, id string, w extract.Want, form string, to io.Writer) error

func (s Services) extract(mux *http.ServeMux, pattern, name string, write writing) {
	s.handle(mux, pattern, s.problem, methods{http.MethodGet: func(w http.ResponseWriter, r *http.Request) error {
		who, err := s.seeing(r)
		if err != nil {
			return err
		}
		form, err := extractForm(r)
		if err != nil {
			return err
		}
		want, err := wanted(r)
		if err != nil {
			return err
		}
		// Not every writer has deadlines; without them the server's own hold.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(extractWithin))
		return s.attach(w, form, name+map[string]string{extract.CSV: ".csv", extract.NDJSON: ".ndjson"}[form], func(to io.Writer) error {
			return write(r.Context(), who, r.PathValue("id"), want, form, to)
		})
	}})
}

// attach sends a file as it is written. One that breaks off in the middle breaks
// the connection, so that nobody takes a part for the whole.
func (s Services) attach(w http.ResponseWriter, form, name string, write func(io.Writer) error) error {
	h := w.Header()
	h.Set("Content-Type", form+"; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
	begun := &begun{ResponseWriter: w}
	err := write(begun)
	if err != nil && begun.yes {
		s.Log.Error("an export was cut off", "request", requestID(w), "error", err)
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		h.Del("Content-Disposition")
	}
	return err
}

// extractForm is the form that is asked for, by format=csv or ndjson, which a
// link can say, or else by the Accept header.
func extractForm(r *http.Request) (string, error) {
	switch format := r.URL.Query().Get("format"); format {
	case "csv":
		return extract.CSV, nil
	case "ndjson":
		return extract.NDJSON, nil
	case "":
		return negotiate(r, extract.CSV, extract.NDJSON)
	default:
		return "", fault.At("format", "format", "format is csv or ndjson.")
	}
}

// wanted reads as of when, and which statuses, are asked for.
func wanted(r *http.Request) (extract.Want, error) {
	var w extract.Want
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return w, fault.At("query", "query", "The query of the address cannot be read.")
	}
	if text := q.Get("asOf"); text != "" {
		d, err := day.Parse(text)
		if err != nil {
			return w, fault.At("asOf", "date", "asOf is a day such as 2026-05-22.")
		}
		w.When.AsOf = &d
	}
	if w.When.KnownAt, err = moment("knownAt", q.Get("knownAt"), 1); err != nil {
		return w, err
	}
	for _, name := range strings.FieldsFunc(q.Get("status"), func(c rune) bool { return c == ',' || c == ' ' }) {
		status, ok := mastery.StatusNamed(name)
		if !ok {
			return w, fault.At("status", "status", "%q is no status: use not_met, blocked, in_progress, lapsed or met, with commas between them.", name)
		}
		w.Statuses = append(w.Statuses, status)
	}
	return w, nil
}
