package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/spec/imscase"
)

// cases registers the provider of CASE 1.0 and 1.1 for each institution (REST
// binding 1.1 §3.2). Published frameworks are open to everybody; a token of the
// institution opens the others.
func (s Services) cases(mux *http.ServeMux) {
	s.handle(mux, "/i/{slug}/frameworks/{id}/table", s.problem, methods{http.MethodGet: s.frameworkFile("text/csv; charset=utf-8", s.Frameworks.WriteTable)})
	s.handle(mux, "/i/{slug}/frameworks/{id}/ctdl-asn", s.problem, methods{http.MethodGet: s.frameworkFile("application/ld+json", s.Frameworks.WriteCTDL)})
	for version, segment := range map[string]string{imscase.V10: "v1p0", imscase.V11: "v1p1"} {
		p := caseProvider{s, version}
		base := "/i/{slug}/ims/case/" + segment
		for path, h := range map[string]handler{
			"/CFDocuments":                 p.documents,
			"/CFDocuments/{id}":            p.object("CFDocument"),
			"/CFPackages/{id}":             p.pkg,
			"/CFItems/{id}":                p.object("CFItem"),
			"/CFItemAssociations/{id}":     p.associations,
			"/CFAssociations/{id}":         p.object("CFAssociation"),
			"/CFAssociationGroupings/{id}": p.object("CFAssociationGrouping"),
			"/CFConcepts/{id}":             p.set("CFConcept"),
			"/CFSubjects/{id}":             p.set("CFSubject"),
			"/CFItemTypes/{id}":            p.set("CFItemType"),
			"/CFLicenses/{id}":             p.object("CFLicense"),
			"/CFRubrics/{id}":              p.object("CFRubric"),
			"/discovery/imscase" + segment + "_openapi3_v1p0.json": p.discovery,
			"/": func(http.ResponseWriter, *http.Request) error {
				return fault.New(fault.NotFound, "CASE %s has no such endpoint.", version)
			},
		} {
			s.handle(mux, base+path, p.refuse, methods{http.MethodGet: h})
		}
	}
}

// frameworkFile answers with a framework in another form than CASE: a table, or
// CTDL-ASN.
func (s Services) frameworkFile(media string, write func(context.Context, access.Actor, string, io.Writer) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, own, err := caseProvider{s: s}.reader(r)
		if err != nil {
			return err
		}
		chosen, err := negotiate(r, media)
		if err != nil {
			return err
		}
		var b bytes.Buffer // a framework has room in memory, and an error can still be said
		if err := write(r.Context(), who, r.PathValue("id"), &b); err != nil {
			return err
		}
		document{media: chosen, raw: b.Bytes(), private: own, maxAge: publishedFor}.serve(w, r)
		return nil
	}
}

// caseProvider is the provider of one version.
type caseProvider struct {
	s       Services
	version string
}

// reader is who reads, and whether the answer is theirs alone.
func (p caseProvider) reader(r *http.Request) (access.Actor, bool, error) {
	visitor, err := p.s.institutionAt(r)
	if err != nil || r.Header.Get("Authorization") == "" {
		return visitor, false, err
	}
	who, err := p.s.Actor(r)
	if err != nil {
		return who, false, err
	}
	if who.InstitutionID != visitor.InstitutionID {
		return visitor, false, nil // a token of another institution opens nothing here
	}
	return who, true, nil
}

// serve answers with a value under its tag.
func (p caseProvider) serve(w http.ResponseWriter, r *http.Request, own bool, v any) error {
	media, err := negotiate(r, "application/json")
	if err != nil {
		return err
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	document{media: media, raw: raw, private: own, maxAge: publishedFor}.serve(w, r)
	return nil
}

func (p caseProvider) object(class string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, own, err := p.reader(r)
		if err != nil {
			return err
		}
		raw, err := p.s.Frameworks.CaseObject(r.Context(), who, p.version, class, r.PathValue("id"))
		if err != nil {
			return err
		}
		return p.serve(w, r, own, raw)
	}
}

func (p caseProvider) set(class string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, own, err := p.reader(r)
		if err != nil {
			return err
		}
		all, err := p.s.Frameworks.CaseSet(r.Context(), who, p.version, class, r.PathValue("id"))
		if err != nil {
			return err
		}
		return p.serve(w, r, own, map[string][]json.RawMessage{class + "s": all})
	}
}

func (p caseProvider) associations(w http.ResponseWriter, r *http.Request) error {
	who, own, err := p.reader(r)
	if err != nil {
		return err
	}
	item, links, err := p.s.Frameworks.CaseAssociations(r.Context(), who, p.version, r.PathValue("id"))
	if err != nil {
		return err
	}
	return p.serve(w, r, own, struct {
		Item  json.RawMessage   `json:"CFItem"`
		Links []json.RawMessage `json:"CFAssociations"`
	}{item, append([]json.RawMessage{}, links...)})
}

// slowest is how long a reader may take for one package, which is read from the
// database as it is sent.
const slowest = 2 * time.Minute

// pkg streams a package under a tag of the framework's version.
func (p caseProvider) pkg(w http.ResponseWriter, r *http.Request) error {
	who, own, err := p.reader(r)
	if err != nil {
		return err
	}
	if _, err := negotiate(r, "application/json"); err != nil {
		return err
	}
	begun := false
	err = p.s.Frameworks.CasePackage(r.Context(), who, p.version, r.PathValue("id"), func(stamp string) io.Writer {
		tag := `"` + p.version + "-" + stamp + `"`
		if !tagged(w, r, tag, own) || r.Method == http.MethodHead {
			return nil
		}
		begun = true
		_ = http.NewResponseController(w).SetWriteDeadline(p.s.Now().Add(slowest)) // where the server can
		return w
	})
	if begun && err != nil { // what was sent cannot be taken back: the reader must see that it is cut off
		p.s.Log.Error("package cut off", "request", requestID(w), "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

// tagged writes the head of an answer; false when the reader has it already.
func tagged(w http.ResponseWriter, r *http.Request, tag string, private bool) bool {
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Vary", "Accept, Authorization")
	h.Set("Content-Type", "application/json")
	if private {
		h.Set("Cache-Control", "private, no-cache")
	} else {
		h.Set("Cache-Control", "public, max-age="+strconv.Itoa(publishedFor))
		h.Set("Access-Control-Allow-Origin", "*")
	}
	if known(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return false
	}
	return true
}

// The length of a page of documents, REST binding §3.3.1.
const (
	caseLimit    = 100
	caseMaxLimit = 1000
)

type caseListing struct {
	limit, offset int
	query         imscase.Query
	fields        []string
	odd           string // invalid_sort_field, when the sort was left out
}

func selection(field, message string) error {
	return &fault.Error{Kind: fault.Invalid, Field: field, Rule: "selection", Message: message}
}

func caseQuery(r *http.Request) (caseListing, error) {
	l := caseListing{limit: caseLimit}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return l, selection("query", "The query of the address cannot be read.")
	}
	for name, into := range map[string]*int{"limit": &l.limit, "offset": &l.offset} {
		if !q.Has(name) {
			continue
		}
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 0 || name == "limit" && n == 0 {
			return l, selection(name, "The "+name+" is a whole number, the limit 1 or more.")
		}
		*into = n
	}
	l.limit = min(l.limit, caseMaxLimit)
	switch by := q.Get("orderBy"); by {
	case "", "asc":
	case "desc":
		l.query.Descending = true
	default:
		return l, selection("orderBy", "The order is asc or desc.")
	}
	if field := q.Get("sort"); field != "" {
		if l.query.Sort = field; imscase.Kind(field) == "" {
			l.query.Sort, l.query.Descending, l.odd = "", false, "invalid_sort_field"
		}
	}
	if q.Has("filter") {
		f, err := imscase.ParseFilter(q.Get("filter"))
		if err != nil {
			return l, selection("filter", "The filter is not valid (invalid_filter_field): "+err.Error()+".")
		}
		l.query.Filter = &f
	}
	if q.Has("fields") {
		text := strings.TrimSpace(strings.Join(q["fields"], ","))
		if text == "" {
			return l, selection("fields", "The list of fields is empty: name at least one, or leave the parameter out.")
		}
		for f := range strings.SplitSeq(text, ",") {
			l.fields = append(l.fields, strings.TrimSpace(f))
		}
	}
	return l, nil
}

func (p caseProvider) documents(w http.ResponseWriter, r *http.Request) error {
	who, own, err := p.reader(r)
	if err != nil {
		return err
	}
	l, err := caseQuery(r)
	if err != nil {
		return err
	}
	all, err := p.s.Frameworks.CaseDocuments(r.Context(), who, p.version)
	if err != nil {
		return err
	}
	all = l.query.Run(all)
	h := w.Header()
	h.Set("X-Total-Count", strconv.Itoa(len(all)))
	h.Set("Link", p.links(r, l, len(all)))
	h.Set("Access-Control-Expose-Headers", "X-Total-Count, Link")
	if l.odd != "" {
		info, err := json.Marshal(statusInfo{CodeMajor: "success", Severity: "warning", CodeMinor: &codeMinor{[]codeMinorField{{"sort", l.odd}}}})
		if err != nil {
			return err
		}
		h.Set("X-Imsx-StatusInfo", string(info))
	}
	from := min(l.offset, len(all))
	page := imscase.Select(all[from:min(from+l.limit, len(all))], l.fields)
	return p.serve(w, r, own, map[string][]json.RawMessage{"CFDocuments": append([]json.RawMessage{}, page...)})
}

func (p caseProvider) links(r *http.Request, l caseListing, total int) string {
	link := func(offset int, rel string) string {
		q := r.URL.Query()
		q.Set("limit", strconv.Itoa(l.limit))
		q.Set("offset", strconv.Itoa(offset))
		return fmt.Sprintf(`<%s%s?%s>; rel="%s"`, p.s.Origin, r.URL.Path, q.Encode(), rel)
	}
	all := link(0, "first") + ", " + link(max(0, (total-1)/l.limit*l.limit), "last")
	if l.offset+l.limit < total {
		all += ", " + link(l.offset+l.limit, "next")
	}
	if l.offset > 0 {
		all += ", " + link(max(0, l.offset-l.limit), "prev")
	}
	return all
}

// refuse is a fault as CASE writes it: the codes of the version that is served.
func (p caseProvider) refuse(w http.ResponseWriter, _ *http.Request, code int, f *fault.Error) {
	value := map[int]string{http.StatusUnauthorized: "unauthorised_request", http.StatusForbidden: "forbidden", http.StatusNotFound: "unknownobject",
		http.StatusServiceUnavailable: "server_busy", http.StatusTooManyRequests: "server_busy", http.StatusInternalServerError: "internal_server_error"}[code]
	switch {
	case f.Rule == "uuid":
		value = "invalid_uuid"
	case value == "":
		value = "invalid_selection_field"
	}
	if p.version == imscase.V10 { // which spells two of them otherwise
		value = strings.NewReplacer("invalid_uuid", "invaliduuid", "unauthorised_request", "unauthorisedrequest").Replace(value)
	}
	info := statusInfo{CodeMajor: "failure", Severity: "error", Description: f.Message}
	if code == http.StatusMethodNotAllowed || errors.Is(f, errNotAcceptable) {
		info.CodeMajor = "unsupported"
	}
	name := "TargetEndSystem"
	if f.Field != "" {
		name = f.Field
	}
	info.CodeMinor = &codeMinor{[]codeMinorField{{name, value}}}
	writeJSON(w, code, "application/json", info)
}

// discovery is the service description, a profiled OpenAPI document.
func (p caseProvider) discovery(w http.ResponseWriter, r *http.Request) error {
	visitor, err := p.s.institutionAt(r)
	if err != nil {
		return err
	}
	in, err := p.s.Institutions.Find(r.Context(), visitor)
	if err != nil {
		return err
	}
	paths := map[string]any{}
	for _, path := range []string{"CFDocuments", "CFDocuments/{sourcedId}", "CFPackages/{sourcedId}", "CFItems/{sourcedId}", "CFItemAssociations/{sourcedId}",
		"CFAssociations/{sourcedId}", "CFAssociationGroupings/{sourcedId}", "CFConcepts/{sourcedId}", "CFSubjects/{sourcedId}", "CFItemTypes/{sourcedId}",
		"CFLicenses/{sourcedId}", "CFRubrics/{sourcedId}"} {
		var parameters []map[string]any
		if strings.HasSuffix(path, "}") {
			parameters = append(parameters, map[string]any{"name": "sourcedId", "in": "path", "required": true, "schema": map[string]string{"type": "string"}})
		}
		paths["/"+path] = map[string]any{"get": map[string]any{"parameters": append([]map[string]any{}, parameters...),
			"responses": map[string]any{"200": map[string]string{"description": "As CASE " + p.version + " says."}}}}
	}
	return p.serve(w, r, false, map[string]any{
		"openapi": "3.0.1",
		"info":    map[string]string{"title": "Testamur: CASE " + p.version, "version": p.s.Version},
		"servers": []map[string]string{{"url": in.Base(p.s.Origin) + "/ims/case/v" + strings.ReplaceAll(p.version, ".", "p")}},
		"paths":   paths,
	})
}
