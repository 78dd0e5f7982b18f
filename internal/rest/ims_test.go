package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/standards"
)

// official is a schema of the standard.
func official(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(standards.Read(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("official.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("official.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestErrorsFitTheOfficialSchema holds every kind of fault under every status
// against the schema of Imsx_StatusInfo.
func TestErrorsFitTheOfficialSchema(t *testing.T) {
	t.Parallel()
	schema := official(t, "schemas/ob3/ob_v3p0_imsx_statusinfo_schema.json")
	codes := []int{http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnsupportedMediaType, http.StatusTeapot}
	for _, k := range fault.Kinds() {
		codes = append(codes, status[k])
	}
	for _, code := range codes {
		for _, f := range []*fault.Error{fault.New(fault.Invalid, "A sentence."), fault.At("limit", "query", "A sentence.")} {
			w := httptest.NewRecorder()
			Services{}.imsx(w, nil, code, f)
			v, err := jsonschema.UnmarshalJSON(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(v); err != nil {
				t.Errorf("%d: %v", code, err)
			}
		}
	}
}

func TestListing(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		query string
		want  credential.Listing
		bad   string // the field at fault
	}{
		{"", credential.Listing{Limit: defaultPage}, ""},
		{"limit=7&offset=3", credential.Listing{Limit: 7, Offset: 3}, ""},
		{"limit=1000000", credential.Listing{Limit: maxPage}, ""},
		{"since=2026-05-01T00:00:00Z", credential.Listing{Limit: defaultPage, Since: &since}, ""},
		{"limit=0", credential.Listing{}, "limit"},
		{"limit=x", credential.Listing{}, "limit"},
		{"limit=99999999999999999999", credential.Listing{}, "limit"},
		{"offset=-1", credential.Listing{}, "offset"},
		{"since=2026-05-01", credential.Listing{}, "since"},
		{"limit=%zz", credential.Listing{}, "query"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/ims/ob/v3p0/credentials", nil)
		r.URL.RawQuery = c.query
		got, err := listing(r, "")
		if f, ok := fault.Of(err); ok != (c.bad != "") || ok && f.Field != c.bad {
			t.Errorf("%q: %v; want a fault of %q", c.query, err, c.bad)
			continue
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(c.want)
		if c.bad == "" && !bytes.Equal(a, b) {
			t.Errorf("%q: %s; want %s", c.query, a, b)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	s := Services{Origin: "https://x.example"}
	r := httptest.NewRequest(http.MethodGet, "/c", nil)
	link := func(offset, rel string) string {
		return `<https://x.example/c?limit=10&offset=` + offset + `>; rel="` + rel + `"`
	}
	for _, c := range []struct {
		offset, total int
		want          string
	}{
		{0, 0, link("0", "first") + ", " + link("0", "last")},
		{0, 10, link("0", "first") + ", " + link("0", "last")},
		{0, 11, link("0", "first") + ", " + link("10", "last") + ", " + link("10", "next")},
		{10, 25, link("0", "first") + ", " + link("20", "last") + ", " + link("20", "next") + ", " + link("0", "prev")},
		{5, 12, link("0", "first") + ", " + link("10", "last") + ", " + link("0", "prev")},
	} {
		if got := s.links(r, credential.Listing{Limit: 10, Offset: c.offset}, c.total); got != c.want {
			t.Errorf("%d of %d:\n%s\n%s", c.offset, c.total, got, c.want)
		}
	}
}
