package rest

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/verify"
)

// shared registers the links that learners give out.
func (s Services) shared(mux *http.ServeMux) {
	s.handle(mux, "/s/{token}", s.shareRefused, methods{http.MethodGet: s.openShare, http.MethodPost: s.openShareWith})
	s.handle(mux, "/s/{token}/watch", s.shareRefused, methods{http.MethodPost: s.watchShare})
	s.handle(mux, "/watch/end", s.shareRefused, methods{http.MethodPost: s.endWatch})
}

// shareRefused is problem with the statuses of links: one that has come to its
// end is gone, and one that is tried too often is to be let alone for a while.
func (s Services) shareRefused(w http.ResponseWriter, r *http.Request, code int, f *fault.Error) {
	switch {
	case f.Kind == fault.State:
		code = http.StatusGone
	case f.Kind == fault.Limit && code == http.StatusRequestEntityTooLarge && f.Rule != "":
		code = http.StatusTooManyRequests
		w.Header().Set("Retry-After", "900")
	}
	s.problem(w, r, code, f)
}

// openShare opens a link for a program that asks for JSON by name. Whoever else
// follows a link, as mail filters and previews do, is told that there is
// something and how it is opened, which counts for nothing.
func (s Services) openShare(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead || !asksForJSON(r.Header.Get("Accept")) {
		return s.peekShare(w, r)
	}
	return s.answerShare(w, r, sharing.Opening{})
}

// asksForJSON reports whether the header names JSON itself.
func asksForJSON(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		if media, _, err := mime.ParseMediaType(strings.TrimSpace(part)); err == nil && media == "application/json" {
			return true
		}
	}
	return false
}

// maxOpening is the largest body of an opening in bytes.
const maxOpening = 8 << 10

// openShareWith opens a link with what a visitor brings.
func (s Services) openShareWith(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		PIN     string `json:"pin"`
		Name    string `json:"name"`
		Purpose string `json:"purpose"`
	}
	if err := s.brought(w, r, &in, `{"pin": "…", "name": "…", "purpose": "…"}`); err != nil {
		return err
	}
	return s.answerShare(w, r, sharing.Opening{PIN: in.PIN, Name: in.Name, Purpose: in.Purpose})
}

// watchShare has whoever brings a link told when something behind it changes: at
// a webhook, or by mail at the address that the learner gave.
func (s Services) watchShare(w http.ResponseWriter, r *http.Request) error {
	who, err := s.Actor(r)
	if err != nil {
		return err
	}
	var in struct {
		PIN     string `json:"pin"`
		Webhook string `json:"webhook"`
	}
	if err := s.brought(w, r, &in, `{"webhook": "https://…", "pin": "…"}`); err != nil {
		return err
	}
	made, err := s.Shares.Watch(r.Context(), who, sharing.Watching{Token: r.PathValue("token"), PIN: in.PIN, Webhook: in.Webhook, From: s.caller(r)})
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusCreated, "application/json", struct {
		Watch   string    `json:"watch"`
		Channel string    `json:"channel"`
		Place   string    `json:"place"`
		Until   time.Time `json:"until"`
		Secret  *string   `json:"secret,omitempty"` // told this once
	}{made.Watch.ID, made.Watch.Channel, made.Watch.Place(), made.Until, made.Secret})
	return nil
}

// endWatch ends a watch for who has its secret.
func (s Services) endWatch(w http.ResponseWriter, r *http.Request) error {
	who, err := s.Actor(r)
	if err != nil {
		return err
	}
	var in struct {
		Secret string `json:"secret"`
	}
	if err := s.brought(w, r, &in, `{"secret": "whsec_…"}`); err != nil {
		return err
	}
	if in.Secret == "" {
		return fault.At("secret", "required", "Send the secret that came with the watch.")
	}
	ended, err := s.Shares.EndWatch(r.Context(), who, sharing.Ending{Secret: in.Secret, From: s.caller(r)})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, "application/json", struct {
		Watch   string     `json:"watch"`
		EndedAt *time.Time `json:"endedAt"`
	}{ended.ID, ended.EndedAt})
	return nil
}

// brought reads the small JSON object that a visitor sends.
func (s Services) brought(w http.ResponseWriter, r *http.Request, into any, such string) error {
	raw, err := body(w, r, maxOpening, "application/json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fault.At("body", "json", "Send a JSON object such as %s.", such)
	}
	return nil
}

func (s Services) peekShare(w http.ResponseWriter, r *http.Request) error {
	who, err := s.Actor(r)
	if err != nil {
		return err
	}
	p, err := s.Shares.Peek(r.Context(), who, r.PathValue("token"), s.caller(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, "application/json", struct {
		Institution string    `json:"institution"`
		State       string    `json:"state"`
		NeedsPIN    bool      `json:"needsPin"`
		ExpiresAt   time.Time `json:"expiresAt"`
		Detail      string    `json:"detail"`
	}{p.Institution.Name, p.State, p.NeedsPIN, p.ExpiresAt, "Ask for application/json, or send a POST with the PIN, to open this link. Each opening is written down for the person whose record it is."})
	return nil
}

// sharedItem is a credential as a link shows it.
type sharedItem struct {
	ID         string          `json:"id"`
	State      string          `json:"state"`
	On         *time.Time      `json:"on,omitempty"`
	Derived    bool            `json:"derived,omitempty"`
	Credential json.RawMessage `json:"credential,omitempty"`
}

// answer is what an opened link shows, as JSON.
type sharedAnswer struct {
	Institution  string            `json:"institution"`
	Holder       string            `json:"holder"`
	Recipient    string            `json:"recipient"`
	Purpose      string            `json:"purpose"`
	ExpiresAt    time.Time         `json:"expiresAt"`
	OpeningsLeft *int              `json:"openingsLeft,omitempty"`
	Version      *int              `json:"recordVersion,omitempty"`
	Partial      bool              `json:"partial"`
	LeftOut      []record.Omission `json:"leftOut,omitempty"` // of what is partial, and why
	SupersededOn *time.Time        `json:"supersededOn,omitempty"`
	Notice       string            `json:"notice"`
	Disclosure   string            `json:"disclosureId"`
	Verdict      sharedVerdict     `json:"verdict"`
	Record       json.RawMessage   `json:"record,omitempty"`
	Items        []sharedItem      `json:"items,omitempty"`
	Presentation json.RawMessage   `json:"presentation,omitempty"`
}

type sharedVerdict struct {
	Outcome verify.Outcome `json:"outcome"`
	Steps   []sharedStep   `json:"steps"`
}

type sharedStep struct {
	Name    string         `json:"name"`
	Outcome verify.Outcome `json:"outcome"`
	Reason  string         `json:"reason"`
}

// answerShare opens a link and answers with what is behind it and whether it
// can be relied on.
func (s Services) answerShare(w http.ResponseWriter, r *http.Request, in sharing.Opening) error {
	who, err := s.Actor(r)
	if err != nil {
		return err
	}
	in.Token, in.From = r.PathValue("token"), s.caller(r)
	o, err := s.Shares.Open(r.Context(), who, in)
	if err != nil {
		return err
	}
	report, err := s.Shares.Verdict(r.Context(), who, o)
	if err != nil {
		return err
	}
	a := sharedAnswer{Institution: o.Institution.Name, Holder: o.Holder, Recipient: o.Share.Recipient, Purpose: o.Share.Purpose, ExpiresAt: o.Share.ExpiresAt,
		Version: o.RecordVersion, Partial: o.Partial, LeftOut: o.LeftOut, SupersededOn: o.SupersededOn, Notice: o.Notice, Disclosure: string(o.DisclosureID),
		Verdict: sharedVerdict{Outcome: report.Outcome}, Record: o.Record, Presentation: o.Presentation}
	if o.Share.MaxOpenings != nil {
		left := *o.Share.MaxOpenings - o.Share.Openings
		a.OpeningsLeft = &left
	}
	for _, st := range report.Steps() {
		a.Verdict.Steps = append(a.Verdict.Steps, sharedStep(st))
	}
	for _, it := range o.Items {
		one := sharedItem{string(it.CredentialID), it.State, it.On, it.Derived, it.Document}
		if o.Presentation != nil { // they stand in it, in this order
			one.Credential = nil
		}
		a.Items = append(a.Items, one)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // signed documents keep their bytes
	return enc.Encode(a)
}
