package rest

import (
	"net/http"

	"github.com/testamur/testamur/internal/fault"
)

// health registers what a supervisor asks: whether the process lives, and
// whether it can work.
func (s Services) health(mux *http.ServeMux) {
	s.handle(mux, "/healthz", s.problem, methods{http.MethodGet: func(w http.ResponseWriter, _ *http.Request) error {
		writeJSON(w, http.StatusOK, "application/json", map[string]string{"status": "ok", "version": s.Version})
		return nil
	}})
	s.handle(mux, "/readyz", s.problem, methods{http.MethodGet: func(w http.ResponseWriter, r *http.Request) error {
		if err := s.Ready(r.Context()); err != nil {
			return fault.New(fault.Unavailable, "The database does not answer.").Because(err)
		}
		writeJSON(w, http.StatusOK, "application/json", map[string]string{"status": "ready"})
		return nil
	}})
}
