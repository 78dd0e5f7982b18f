package rest

import (
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
)

// disclosed registers the export of what was disclosed.
func (s Services) disclosed(mux *http.ServeMux) {
	s.handle(mux, "/disclosures", s.problem, methods{http.MethodGet: s.exportDisclosures})
}

// exportDisclosures writes the disclosures of a period as it reads them. from
// and until are instants or days; the day of until is in the period.
func (s Services) exportDisclosures(w http.ResponseWriter, r *http.Request) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	if err := access.Check(who, access.ExportDisclosures); err != nil {
		return err
	}
	form, err := negotiate(r, disclosure.CSV, disclosure.NDJSON)
	if err != nil {
		return err
	}
	f, err := period(r)
	if err != nil {
		return err
	}
	name := "disclosures." + map[string]string{disclosure.CSV: "csv", disclosure.NDJSON: "ndjson"}[form]
	return s.attach(w, form, name, func(to io.Writer) error { return s.Disclosures.Export(r.Context(), who, f, form, to) })
}

// begun notes whether something was written.
type begun struct {
	http.ResponseWriter
	yes bool
}

// Write writes, and notes it.
func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.ResponseWriter.Write(p)
}

// period reads which disclosures are asked for.
func period(r *http.Request) (disclosure.Filter, error) {
	var f disclosure.Filter
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return f, fault.At("query", "query", "The query of the address cannot be read.")
	}
	text := func(name string) *string {
		if v := q.Get(name); v != "" {
			return &v
		}
		return nil
	}
	f.LearnerID, f.Outcome, f.Basis, f.CredentialID = text("learner"), text("outcome"), text("basis"), text("credential")
	if f.From, err = moment("from", q.Get("from"), 0); err != nil {
		return f, err
	}
	f.Until, err = moment("until", q.Get("until"), 1)
	return f, err
}

// moment is an instant, or the beginning of the day that is so many days behind
// a day.
func moment(field, text string, days int) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		t = t.AddDate(0, 0, days)
		return &t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, fault.At(field, "query", "%s is a day such as 2026-05-22, or an instant such as 2026-05-22T09:30:00Z.", field)
	}
	return &t, nil
}
