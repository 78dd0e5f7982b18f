package rest

import (
	"encoding/hex"
	"net/http"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/exchange"
)

// uploadWithin is how long a large file may take to come in.
const uploadWithin = time.Hour

// imports registers the way in for files, and the way out for their errors.
func (s Services) imports(mux *http.ServeMux) {
	s.handle(mux, "/imports/uploads", s.problem, methods{http.MethodPost: s.receive})
	s.handle(mux, "/imports/jobs/{id}/errors.csv", s.problem, methods{http.MethodGet: s.errorFile})
}

// receive keeps the body as a file: POST /imports/uploads?name=NAME. It streams.
func (s Services) receive(w http.ResponseWriter, r *http.Request) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	if err := access.Check(who, access.Import); err != nil {
		return err // before a gigabyte has come in
	}
	// Not every writer has deadlines; without them the server's own hold.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadWithin))
	u, err := s.Exchange.Receive(r.Context(), who, r.URL.Query().Get("name"), http.MaxBytesReader(w, r.Body, exchange.MaxUpload+1))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, "application/json", map[string]any{"id": u.ID, "name": u.Name, "size": u.Size, "sha256": hex.EncodeToString(u.Sha256)})
	return nil
}

// errorFile is the rows of a job that failed, as CSV.
func (s Services) errorFile(w http.ResponseWriter, r *http.Request) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	job, err := s.Exchange.Find(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+job.ID+`-errors.csv"`)
	h.Set("Cache-Control", "no-store")
	return s.Exchange.ErrorFile(r.Context(), who, job.ID, w)
}
