package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/release"
)

// statusInfo is Imsx_StatusInfo, the body of every error of a 1EdTech API.
type statusInfo struct {
	CodeMajor   string     `json:"imsx_codeMajor"`
	Severity    string     `json:"imsx_severity"`
	Description string     `json:"imsx_description,omitempty"`
	CodeMinor   *codeMinor `json:"imsx_codeMinor,omitempty"`
}

type codeMinor struct {
	Fields []codeMinorField `json:"imsx_codeMinorField"`
}

type codeMinorField struct {
	Name  string `json:"imsx_codeMinorFieldName"`
	Value string `json:"imsx_codeMinorFieldValue"`
}

// minor is the code of a status, OB 3.0 §6 Imsx_CodeMinorField.
var minor = map[int]string{
	http.StatusBadRequest: "invalid_data", http.StatusUnauthorized: "unauthorizedrequest", http.StatusForbidden: "forbidden",
	http.StatusNotFound: "not_found", http.StatusMethodNotAllowed: "not_allowed", http.StatusNotAcceptable: "not_acceptable",
	http.StatusInternalServerError: "internal_server_error", http.StatusServiceUnavailable: "server_busy",
	http.StatusRequestEntityTooLarge: "invalid_data", http.StatusUnsupportedMediaType: "invalid_data",
}

// imsx is a fault as the 1EdTech APIs write it.
func (s Services) imsx(w http.ResponseWriter, _ *http.Request, code int, f *fault.Error) {
	info := statusInfo{CodeMajor: "failure", Severity: "error", Description: f.Message}
	if code == http.StatusMethodNotAllowed || code == http.StatusUnsupportedMediaType {
		info.CodeMajor = "unsupported"
	}
	value, ok := minor[code]
	if f.Rule == "query" {
		value = "invalid_query_parameter"
	}
	if !ok {
		value = "unknown"
	}
	name := "TargetEndSystem"
	if f.Field != "" {
		name = f.Field
	}
	info.CodeMinor = &codeMinor{[]codeMinorField{{name, value}}}
	writeJSON(w, code, "application/json", info)
}

// The lengths of a page of credentials.
const (
	defaultPage = 50
	maxPage     = 100
)

// listing reads limit, offset and since, OB 3.0 §6.2 getCredentials.
func listing(r *http.Request, kind string) (credential.Listing, error) {
	l := credential.Listing{Kind: kind, Limit: defaultPage}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return l, fault.At("query", "query", "The query of the address cannot be read.")
	}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return l, fault.At("limit", "query", "The limit is a whole number from 1.")
		}
		l.Limit = min(n, maxPage)
	}
	if text := q.Get("offset"); text != "" {
		if l.Offset, err = strconv.Atoi(text); err != nil || l.Offset < 0 {
			return l, fault.At("offset", "query", "The offset is a whole number from 0.")
		}
	}
	if text := q.Get("since"); text != "" {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return l, fault.At("since", "query", "The parameter since is an instant such as 2026-05-01T00:00:00Z.")
		}
		l.Since = &at
	}
	return l, nil
}

// listed answers with a page of signed credentials, in the bytes they were
// signed in, and with the headers that lead to the other pages.
func (s Services) listed(kind string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, err := s.signedIn(r)
		if err != nil {
			return err
		}
		l, err := listing(r, kind)
		if err != nil {
			return err
		}
		if _, err := negotiate(r, "application/json"); err != nil {
			return err
		}
		body, total, err := s.page(r.Context(), who, l)
		if err != nil {
			return err
		}
		h := w.Header()
		h.Set("X-Total-Count", strconv.Itoa(total))
		if body.held > 0 {
			h.Set("Credentials-Withheld", strconv.Itoa(body.held))
		}
		h.Set("Link", s.links(r, l, total))
		h.Set("Vary", "Authorization")
		writeJSON(w, http.StatusOK, "application/json", body)
		return nil
	}
}

// credentialPage is GetOpenBadgeCredentialsResponse and its like of the CLR API.
type credentialPage struct {
	Credential []json.RawMessage `json:"credential,omitempty"`
	Compact    []string          `json:"compactJwsString,omitempty"`

	held int // what the institution holds back of all pages
}

// page is a page of what was issued here, and behind that of what learners
// brought, each as it was signed. What is held back is on no page; where that
// leaves nothing at all, the request is refused.
func (s Services) page(ctx context.Context, who access.Actor, l credential.Listing) (p credentialPage, total int, err error) {
	issued, err := s.Credentials.Listed(ctx, who, l)
	if err != nil {
		return p, 0, err
	}
	brought, more, err := s.Deposits.Listed(ctx, who, deposit.Listing{Kind: l.Kind, Since: l.Since, Limit: l.Limit - len(issued.Page), Offset: max(0, l.Offset-issued.Total)})
	if err != nil {
		return p, 0, err
	}
	var pieces []release.Piece
	for _, c := range issued.Page {
		pieces = append(pieces, c.Piece)
	}
	for _, d := range brought { // another's word, which no hold reaches
		pieces = append(pieces, release.Piece{ID: string(d.ID), LearnerID: d.LearnerID, Brought: true})
	}
	if l.Offset == 0 || issued.Total+more == 0 {
		pieces = append(pieces, issued.Held...)
	}
	cleared, err := s.Holds.HandOut(ctx, who, release.Taking{Channel: disclosure.ByAPI, Purpose: "Open Badges and CLR APIs"}, pieces...)
	if err != nil {
		return p, 0, err
	}
	p.held = issued.HeldCount
	for _, c := range issued.Page {
		raw, err := c.Open(cleared)
		if err != nil { // held back at this moment
			p.held++
			continue
		}
		p.Credential = append(p.Credential, raw)
	}
	for _, d := range brought {
		if d.Format == "jwt" {
			p.Compact = append(p.Compact, strings.TrimSpace(d.Document))
			continue
		}
		p.Credential = append(p.Credential, json.RawMessage(d.Document))
	}
	if no := cleared.Refusal(); no != nil && len(p.Credential)+len(p.Compact) == 0 {
		return p, 0, no
	}
	return p, issued.Total + more, nil
}

// The media types of what is deposited.
var (
	credentialJSON  = []string{"application/json", "application/vc+ld+json", "application/ld+json", "application/vc"}
	credentialToken = []string{"text/plain", "application/vc+jwt", "application/jwt"}
)

// maxDeposit is the largest body with a credential in bytes.
const maxDeposit = 4 << 20

// upsert keeps a credential that another issued for the learner whose token it
// is, OB 3.0 §6.2 upsertCredential: 201 when it is new, 200 when it took the
// place of an earlier copy, with the credential as it was sent.
func (s Services) upsert(kind string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, err := s.signedIn(r)
		if err != nil {
			return err
		}
		raw, err := body(w, r, maxDeposit, slices.Concat(credentialToken, credentialJSON)...)
		if err != nil {
			return err
		}
		if !who.Has(access.Learner) {
			return fault.New(fault.Forbidden, "This address deposits for the learner whose token is sent. A registrar deposits for a learner with the mutation depositCredential.")
		}
		_, created, err := s.Deposits.Bring(r.Context(), who, deposit.Brought{LearnerID: who.LearnerID, Material: raw, Kind: kind})
		if err != nil {
			return err
		}
		h := w.Header()
		h.Set("Content-Type", r.Header.Get("Content-Type"))
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(map[bool]int{true: http.StatusCreated, false: http.StatusOK}[created])
		_, err = w.Write(raw)
		return err
	}
}

// links lead to the first, the last, the next and the previous page.
func (s Services) links(r *http.Request, l credential.Listing, total int) string {
	last := max(0, (total-1)/l.Limit*l.Limit)
	link := func(offset int, rel string) string {
		q := url.Values{"limit": {strconv.Itoa(l.Limit)}, "offset": {strconv.Itoa(offset)}}
		if l.Since != nil {
			q.Set("since", l.Since.Format(time.RFC3339Nano))
		}
		return fmt.Sprintf(`<%s%s?%s>; rel="%s"`, s.Origin, r.URL.Path, q.Encode(), rel)
	}
	all := link(0, "first") + ", " + link(last, "last")
	if l.Offset+l.Limit < total {
		all += ", " + link(l.Offset+l.Limit, "next")
	}
	if l.Offset > 0 {
		all += ", " + link(max(0, l.Offset-l.Limit), "prev")
	}
	return all
}

// service is one of the two APIs, which are alike but for their names.
type service struct {
	base  string // such as /ims/ob/v3p0
	scope string // what scopes begin with
	title string
	kind  string // of the credentials it lists
}

// mount registers an API.
func (s Services) mount(mux *http.ServeMux, a service) {
	s.handle(mux, a.base+"/discovery", s.imsx, methods{http.MethodGet: s.discovery(a)})
	s.handle(mux, a.base+"/credentials", s.imsx, methods{http.MethodGet: s.listed(a.kind), http.MethodPost: s.upsert(a.kind)})
	s.handle(mux, a.base+"/profile", s.imsx, methods{http.MethodGet: s.ownProfile, http.MethodPut: s.reviseProfile})
	s.handle(mux, a.base+"/", s.imsx, methods{http.MethodGet: func(http.ResponseWriter, *http.Request) error {
		return fault.New(fault.NotFound, "%s has no such endpoint.", a.title)
	}})
}

// discovery is the service description, OB 3.0 §6.2 getServiceDescription: a
// profiled OpenAPI document. It names the scheme that is really offered, which
// is a bearer token of the institution.
func (s Services) discovery(a service) handler {
	described := map[string]string{"GET /credentials": a.scope + "credential.readonly", "POST /credentials": a.scope + "credential.upsert", "GET /profile": a.scope + "profile.readonly", "PUT /profile": a.scope + "profile.update"}
	return func(w http.ResponseWriter, r *http.Request) error {
		media, err := negotiate(r, "application/json")
		if err != nil {
			return err
		}
		paths := map[string]map[string]any{}
		for what, scope := range described {
			var method, path string
			if _, err := fmt.Sscan(what, &method, &path); err != nil {
				return err
			}
			if paths[path] == nil {
				paths[path] = map[string]any{}
			}
			operation := map[string]any{"security": []map[string][]string{{"bearer": {}}}, "x-imssf-scope": scope,
				"responses": map[string]any{"200": map[string]string{"description": "As " + a.title + " says."}}}
			paths[path][map[string]string{"GET": "get", "POST": "post", "PUT": "put"}[method]] = operation
		}
		raw, err := json.Marshal(map[string]any{
			"openapi":    "3.0.1",
			"info":       map[string]string{"title": "Testamur: " + a.title, "version": s.Version},
			"servers":    []map[string]string{{"url": s.Origin + a.base}},
			"paths":      paths,
			"components": map[string]any{"securitySchemes": map[string]any{"bearer": map[string]string{"type": "http", "scheme": "bearer", "description": "A token that an administrator of the institution gives."}}},
		})
		if err != nil {
			return err
		}
		document{media: media, raw: raw, maxAge: publishedFor}.serve(w, r)
		return nil
	}
}
