package rest

import (
	"net/http"

	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/transcript"
)

// transcripts registers the faces of a record, and the verify page of a document.
func (s Services) transcripts(mux *http.ServeMux) {
	if s.Documents == nil {
		return
	}
	s.handle(mux, "/records/{id}/transcript.pdf", s.problem, methods{http.MethodGet: s.print})
	s.handle(mux, "/records/{id}/transcript.html", s.problem, methods{http.MethodGet: s.sheet("text/html; charset=utf-8")})
	s.handle(mux, "/records/{id}/transcript.xml", s.problem, methods{http.MethodGet: s.sheet("application/xml")})
	s.handle(mux, "/documents/{id}/document.pdf", s.problem, methods{http.MethodGet: func(w http.ResponseWriter, r *http.Request) error {
		return s.file(w, r, r.PathValue("id"))
	}})
	s.handle(mux, "/v/{token}", s.noDocument, methods{http.MethodGet: s.check, http.MethodPost: s.check})
}

// print is the print of a record that is for nobody in particular, made when there
// is none.
func (s Services) print(w http.ResponseWriter, r *http.Request) error {
	who, err := s.seeing(r)
	if err != nil {
		return err
	}
	d, err := s.Documents.Make(r.Context(), who, nil, transcript.Making{RecordID: r.PathValue("id"), Paper: r.URL.Query().Get("paper")})
	if err != nil {
		return err
	}
	return s.file(w, r, string(d.ID))
}

func (s Services) file(w http.ResponseWriter, r *http.Request, id string) error {
	who, err := s.seeing(r)
	if err != nil {
		return err
	}
	raw, err := s.Documents.PDF(r.Context(), who, id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", `inline; filename="transcript.pdf"`)
	document{media: "application/pdf", raw: raw, unkept: true}.serve(w, r)
	return nil
}

// sheet is a record as a page or as XML.
func (s Services) sheet(media string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, err := s.seeing(r)
		if err != nil {
			return err
		}
		var raw []byte
		if q := r.URL.Query(); media == "application/xml" {
			raw, err = s.Documents.XML(r.Context(), who, r.PathValue("id"), transcript.ParseRegistered(q.Get("to"), q.Get("name")))
		} else {
			raw, err = s.Documents.HTML(r.Context(), who, r.PathValue("id"))
		}
		if err != nil {
			return err
		}
		guarded(w)
		document{media: media, raw: raw, unkept: true}.serve(w, r)
		return nil
	}
}

// guarded sets what keeps a page from taking or telling anything elsewhere.
func guarded(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", transcript.Policy())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
}

// maxCompared is how long the form of a verify page is at most.
const maxCompared = 16 << 10

// check is the verify page of a document. What somebody read on paper comes in a
// form and stands in no address.
func (s Services) check(w http.ResponseWriter, r *http.Request) error {
	given := map[string]string{}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxCompared)
		if err := r.ParseForm(); err != nil {
			return fault.New(fault.Invalid, "The form cannot be read. Send it again.")
		}
		for key, values := range r.PostForm {
			given[key] = values[0]
		}
	}
	who, err := s.Actor(r)
	if err != nil {
		return err
	}
	found, err := s.Documents.Check(r.Context(), who, r.PathValue("token"), given)
	if err != nil {
		return err
	}
	raw, err := transcript.CheckPage(found, s.language(r))
	if err != nil {
		return err
	}
	s.showPage(w, r, http.StatusOK, raw)
	return nil
}

// noDocument says on a page what went wrong.
func (s Services) noDocument(w http.ResponseWriter, r *http.Request, code int, f *fault.Error) {
	raw, err := transcript.NoPage(f.Message, s.language(r))
	if err != nil {
		s.problem(w, r, http.StatusInternalServerError, fault.New(fault.Internal, "The page cannot be shown."))
		return
	}
	s.showPage(w, r, code, raw)
}

// language is that of the reader of a page.
func (s Services) language(r *http.Request) string {
	if s.Language == nil {
		return "en"
	}
	return s.Language(r)
}

func (s Services) showPage(w http.ResponseWriter, r *http.Request, code int, raw []byte) {
	guarded(w)
	w.Header().Set("Content-Language", s.language(r))
	w.Header().Set("Vary", "Cookie, Accept-Language")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(raw)
	}
}
