package rest_test

import (
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/degree"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/rest"
	"github.com/testamur/testamur/internal/testbed"
)

// studio is the demonstration with its degree program, behind the handler.
type studio struct {
	*testbed.Bed
	t       *testing.T
	handler http.Handler
	actors  map[string]access.Actor
	student learner.Learner
}

const hostileName = `=HYPERLINK("https://evil.example","x") <script>alert(1)</script>`

func newStudio(t *testing.T) *studio {
	t.Helper()
	s := &studio{Bed: testbed.New(t), t: t}
	s.Load(t)
	s.Degree(t)
	var err error
	ref := "ref:" + demo.System + ":" + demo.Students()[150].Number
	if s.student, err = s.Learners.Rename(t.Context(), s.Registrar(), ref, nil, learner.Renaming{DisplayName: hostileName, Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
	other := s.As(access.Registrar)
	other.InstitutionID = string(s.Neighbour.ID)
	s.actors = map[string]access.Actor{"registrar": s.Registrar(), "reader": s.As(access.Reader), "neighbour": other,
		"learner": {ID: "x", InstitutionID: string(s.Home.ID), Roles: []access.Role{access.Learner}, LearnerID: string(s.student.ID)}}
	s.handler = rest.NewHandler(rest.Services{Extracts: s.Extracts, Origin: testbed.Origin, Now: s.Now, Log: slog.New(slog.DiscardHandler),
		Actor: func(r *http.Request) (access.Actor, error) {
			if name := r.Header.Get("Authorization"); name != "" {
				return s.actors[name], nil
			}
			return access.Anonymous(), nil
		},
		Browser: func(r *http.Request) (access.Actor, bool, error) {
			c, err := r.Cookie("session")
			if err != nil {
				return access.Actor{}, false, nil
			}
			if who, ok := s.actors[c.Value]; ok {
				return who, true, nil
			}
			return access.Actor{}, false, fault.New(fault.Unauthenticated, "It has ended.")
		}})
	return s
}

func (s *studio) get(who, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if who != "" {
		r.Header.Set("Authorization", who)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// rows are the rows of a file in both forms, which say the same.
func (s *studio) rows(who, path string) []map[string]string {
	s.t.Helper()
	sign := "?"
	if strings.Contains(path, "?") {
		sign = "&"
	}
	w := s.get(who, path+sign+"format=csv")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/csv; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store" {
		s.t.Fatalf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
	}
	cells, err := csv.NewReader(w.Body).ReadAll()
	if err != nil {
		s.t.Fatal(err)
	}
	var all []map[string]string
	for _, line := range cells[1:] {
		row := map[string]string{}
		for i, c := range line {
			row[cells[0][i]] = c
			if strings.IndexAny(c, "=+-@\t\r\n") == 0 {
				s.t.Errorf("%s: the cell %q is a formula to a spreadsheet", path, c)
			}
		}
		all = append(all, row)
	}
	n := s.get(who, path, "Accept", "application/x-ndjson")
	d := json.NewDecoder(n.Body)
	for i := 0; d.More(); i++ {
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			s.t.Fatal(err)
		}
		for name, v := range row {
			if text, ok := v.(string); ok && i < len(all) && strings.TrimPrefix(all[i][name], "'") != text && name != "known_at" {
				s.t.Errorf("%s: row %d says %s %q and %q", path, i, name, all[i][name], text)
			}
		}
		if i == len(all)-1 && d.More() {
			s.t.Errorf("%s has more rows as NDJSON", path)
		}
	}
	return all
}

func (s *studio) exported() int {
	s.t.Helper()
	first := 100
	c, err := s.Audit.List(s.t.Context(), s.Registrar(), audit.Filter{}, page.Args{First: &first})
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, l := range c.Nodes {
		if l.Action == access.ExportLearner {
			n++
		}
	}
	return n
}

func TestExtractsAndPictures(t *testing.T) {
	s := newStudio(t)
	own := "/learners/" + string(s.student.ID)
	privacy, err := s.Frameworks.FindItem(t.Context(), s.Registrar(), demo.Competency("A.2"))
	if err != nil {
		t.Fatal(err)
	}
	holders, progress := "/exports/competencies/"+string(privacy.ID)+"/holders", "/exports/programs/"+degree.Code+"/progress"
	coverage := "/exports/frameworks/" + demo.Framework() + "/coverage"

	t.Run("WhoMayReadMayExtract", func(t *testing.T) {
		other := "/learners/ref:" + demo.System + ":" + demo.Students()[0].Number
		for _, c := range []struct {
			who, path string
			want      int
		}{
			{"", "/exports" + own + "/competencies", 401}, {"reader", "/exports" + own + "/competencies", 403}, {"neighbour", "/exports" + own + "/competencies", 404},
			{"learner", "/exports" + own + "/competencies", 200}, {"learner", "/exports" + other + "/competencies", 404},
			{"", holders, 401}, {"reader", holders, 403}, {"neighbour", holders, 404}, {"", progress, 401}, {"reader", progress, 403}, {"neighbour", progress, 404},
			{"", "/exports/equivalencies", 401}, {"reader", "/exports/equivalencies", 403}, {"", coverage, 401}, {"reader", coverage, 200}, {"neighbour", coverage, 404},
			{"", "/pictures" + own + "/competencies.svg", 401}, {"reader", "/pictures" + own + "/competencies", 403}, {"neighbour", "/pictures" + own + "/competencies", 404},
			{"learner", "/pictures" + own + "/competencies", 200}, {"learner", "/pictures" + other + "/competencies.svg", 404},
			{"learner", "/pictures" + own + "/programs/" + degree.Code + "/progress.svg", 200}, {"learner", "/pictures" + other + "/programs/" + degree.Code + "/progress", 404},
			{"learner", "/pictures/programs/" + degree.Code + "/cohort", 403}, {"reader", "/pictures/programs/" + degree.Code + "/cohort.svg", 403}, {"registrar", "/pictures/programs/" + degree.Code + "/cohort.svg", 200},
			{"registrar", "/pictures/frameworks/" + demo.Framework() + "/coverage.svg?width=nonsense", 400}, {"registrar", "/exports/equivalencies?format=xml", 400},
			{"registrar", holders + "?status=fine", 400}, {"registrar", holders + "?asOf=yesterday", 400},
		} {
			if w := s.get(c.who, c.path); w.Code != c.want {
				t.Errorf("%s %s: %d, want %d: %.200s", c.who, c.path, w.Code, c.want, w.Body)
			}
		}
	})

	t.Run("RowsAreAllThere", func(t *testing.T) {
		before := s.exported()
		all := s.rows("registrar", holders)
		people := map[string]bool{}
		for _, r := range all {
			people[r["learner_id"]] = true
			if r["status"] != "met" || r["code"] != "A.2" {
				t.Fatalf("%v", r)
			}
		}
		if len(people) != len(all) || len(all) <= 100 {
			t.Errorf("%d rows of %d holders; want each once and more than a page", len(all), len(people))
		}
		steps := s.rows("registrar", progress)
		perLearner := map[string]int{}
		quoted := false
		for _, r := range steps {
			perLearner[r["learner_id"]]++
			quoted = quoted || r["learner"] == "'"+hostileName
		}
		if len(perLearner) != 200 || len(steps) != 200*perLearner[string(s.student.ID)] {
			t.Errorf("%d rows of %d learners", len(steps), len(perLearner))
		}
		if !quoted {
			t.Error("the hostile name is not quoted")
		}
		if mine := s.rows("learner", progress); len(mine) != perLearner[string(s.student.ID)] {
			t.Errorf("a learner finds %d rows, want the own %d", len(mine), perLearner[string(s.student.ID)])
		}
		if got := s.exported() - before; got != 6 {
			t.Errorf("%d lines in the audit for six files", got)
		}
		if n := s.exported(); len(s.rows("registrar", coverage)) != 78 || s.exported() != n {
			t.Error("coverage has another number of rows, or is in the audit as telling of learners")
		}
		eq := s.rows("registrar", "/exports/equivalencies")
		if len(eq) != 3 || len(s.rows("learner", "/exports/equivalencies")) != 2 {
			t.Errorf("%d equivalencies", len(eq))
		}
		lapsed := s.rows("registrar", "/exports/learners/ref:"+demo.System+":"+demo.Students()[0].Number+"/competencies?asOf=2022-09-01")
		if len(lapsed) != 0 {
			t.Errorf("%d competencies before anything was achieved", len(lapsed))
		}
	})

	t.Run("PicturesAreInertAndKeptByWhoAsked", func(t *testing.T) {
		path := "/pictures" + own + "/competencies"
		for _, at := range []string{path, path + ".svg?width=360", "/pictures" + own + "/programs/" + degree.Code + "/progress"} {
			w := s.get("registrar", at)
			if w.Code != 200 || strings.Contains(w.Body.String(), "<script") || !strings.Contains(w.Body.String(), "&lt;script&gt;") {
				t.Errorf("%s: %d, the name is not text", at, w.Code)
			}
			h := w.Header()
			if h.Get("Cache-Control") != "private, no-cache" || h.Get("Vary") != "Authorization, Cookie" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") {
				t.Errorf("%s: %v", at, h)
			}
			if again := s.get("registrar", at, "If-None-Match", h.Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
				t.Errorf("%s: %d to who has it", at, again.Code)
			}
		}
		if w := s.get("", path, "Cookie", "session=learner"); w.Code != 200 {
			t.Errorf("a browser that is signed in: %d", w.Code)
		}
		if w := s.get("", path, "Cookie", "session=ended"); w.Code != 401 {
			t.Errorf("a session that has ended: %d", w.Code)
		}
	})
}
