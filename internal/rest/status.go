package rest

import (
	"net/http"
	"strconv"

	"github.com/testamur/testamur/internal/fault"
)

// statusLists registers the lists in which everyone can see whether a
// credential still stands, Bitstring Status List 1.0. A list is the same for
// every caller: it tells nothing about who asks, nor about whom.
func (s Services) statusLists(mux *http.ServeMux) {
	s.handle(mux, "/i/{slug}/status/{number}", s.problem, methods{http.MethodGet: s.statusList})
}

func (s Services) statusList(w http.ResponseWriter, r *http.Request) error {
	who, err := s.institutionAt(r)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || strconv.Itoa(number) != r.PathValue("number") {
		return fault.Missing("status list")
	}
	media, err := negotiate(r, credentialMedia...)
	if err != nil {
		return err
	}
	l, err := s.Credentials.StatusList(r.Context(), who, number)
	if err != nil {
		return err
	}
	w.Header().Set("Last-Modified", l.PublishedAt.UTC().Format(http.TimeFormat))
	document{media: media, raw: l.Document, maxAge: int(l.MaxAge.Seconds())}.serve(w, r)
	return nil
}
