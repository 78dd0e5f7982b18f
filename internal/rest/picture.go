package rest

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/picture"
)

const (
	svg  = "image/svg+xml"
	page = "text/html; charset=utf-8"
)

// pictures registers the pictures: as SVG with .svg at the end, and as pages of
// their own without it.
func (s Services) pictures(mux *http.ServeMux) {
	x := s.Extracts
	if x == nil {
		return
	}
	s.picture(mux, "/pictures/learners/{id}/competencies", drawing{
		draw: func(ctx context.Context, who access.Actor, r *http.Request, when mastery.When) (picture.Picture, error) {
			return x.Map(ctx, who, r.PathValue("id"), when)
		},
		links: func(r *http.Request) []picture.Link {
			return files("/exports/learners/" + part(r, "id") + "/competencies")
		}})
	s.picture(mux, "/pictures/learners/{id}/programs/{program}/progress", drawing{
		draw: func(ctx context.Context, who access.Actor, r *http.Request, when mastery.When) (picture.Picture, error) {
			return x.Path(ctx, who, r.PathValue("id"), r.PathValue("program"), when)
		},
		links: func(r *http.Request) []picture.Link {
			return []picture.Link{{Text: "Competencies", To: "/pictures/learners/" + part(r, "id") + "/competencies"}}
		}})
	s.picture(mux, "/pictures/programs/{program}/cohort", drawing{
		draw: func(ctx context.Context, who access.Actor, r *http.Request, when mastery.When) (picture.Picture, error) {
			return x.Cohort(ctx, who, r.PathValue("program"), when)
		},
		links: func(r *http.Request) []picture.Link {
			return files("/exports/programs/" + part(r, "program") + "/progress")
		}})
	s.picture(mux, "/pictures/frameworks/{id}/coverage", drawing{
		draw: func(ctx context.Context, who access.Actor, r *http.Request, _ mastery.When) (picture.Picture, error) {
			return x.Matrix(ctx, who, r.PathValue("id"))
		},
		links: func(r *http.Request) []picture.Link {
			return files("/exports/frameworks/" + part(r, "id") + "/coverage")
		}})
}

// drawing is how a picture is made and where its page leads.
type drawing struct {
	draw  func(ctx context.Context, who access.Actor, r *http.Request, when mastery.When) (picture.Picture, error)
	links func(r *http.Request) []picture.Link
}

// part is a part of the address, as it stands in an address.
func part(r *http.Request, name string) string { return url.PathEscape(r.PathValue(name)) }

// files are links to the same facts as files.
func files(path string) []picture.Link {
	return []picture.Link{{Text: "As CSV", To: path + "?format=csv"}, {Text: "As NDJSON", To: path + "?format=ndjson"}}
}

// picture registers a picture under two addresses.
func (s Services) picture(mux *http.ServeMux, pattern string, d drawing) {
	drawn := func(r *http.Request) (picture.Picture, error) {
		who, err := s.seeing(r)
		if err != nil {
			return nil, err
		}
		want, err := wanted(r)
		if err != nil {
			return nil, err
		}
		return d.draw(r.Context(), who, r, want.When)
	}
	s.handle(mux, pattern+".svg", s.problem, methods{http.MethodGet: func(w http.ResponseWriter, r *http.Request) error {
		width, err := widthOf(r)
		if err != nil {
			return err
		}
		p, err := drawn(r)
		if err != nil {
			return err
		}
		s.show(w, r, svg, p.SVG("p", width))
		return nil
	}})
	s.handle(mux, pattern, s.problem, methods{http.MethodGet: func(w http.ResponseWriter, r *http.Request) error {
		p, err := drawn(r)
		if err != nil {
			return err
		}
		raw, err := picture.Page(p, d.links(r)...)
		if err != nil {
			return err
		}
		s.show(w, r, page, raw)
		return nil
	}})
}

// show answers with something that only who asked may keep.
func (s Services) show(w http.ResponseWriter, r *http.Request, media string, raw []byte) {
	h := w.Header()
	h.Set("Content-Security-Policy", picture.Policy())
	h.Set("Referrer-Policy", "no-referrer")
	document{media: media, raw: raw, private: true, vary: "Authorization, Cookie"}.serve(w, r)
}

// widthOf is the width in CSS pixels that is asked for.
func widthOf(r *http.Request) (int, error) {
	text := r.URL.Query().Get("width")
	if text == "" {
		return picture.Wide, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		return 0, fault.At("width", "width", "width is a number of pixels, such as 360.")
	}
	return picture.Width(n), nil
}

// seeing is the actor of a request that needs one; a browser that is signed in
// sends a cookie.
func (s Services) seeing(r *http.Request) (access.Actor, error) {
	if s.Browser != nil && r.Header.Get("Authorization") == "" {
		if who, ok, err := s.Browser(r); err != nil || ok {
			return who, err
		}
	}
	return s.signedIn(r)
}
