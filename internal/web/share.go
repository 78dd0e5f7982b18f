package web

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/verify"
)

// shares are the links of a learner, and the page behind one.
func (s *site) shares(mux *http.ServeMux) {
	s.page(mux, "GET /s/{token}", anyone, s.peek)
	s.page(mux, "POST /s/{token}", anyone, s.open)
	s.page(mux, "POST /s/{token}/mail", anyone, s.watch)
	s.page(mux, "GET /w/{secret}", anyone, s.watchPage)
	s.page(mux, "POST /w/{secret}", anyone, s.endWatch)
	s.page(mux, "GET /me/shares", student, s.shareList)
	s.page(mux, "GET /me/shares/new", student, func(v *visit) error { return s.offerPage(v, nil) })
	s.page(mux, "POST /me/shares/new", student, s.share)
	s.page(mux, "GET /me/shares/{id}", student, s.sharePage)
	s.ask(mux, "/me/shares/{id}/end", asking{student, func(v *visit) (form, error) {
		sh, err := s.ownShare(v)
		return form{Title: "End a link", About: sh.Recipient, Submit: "End it", Danger: true, Back: "/me/shares/" + string(sh.ID),
			Intro: "Whoever opens it from now on is told that you ended it. What was seen before stays seen."}, err
	}, func(v *visit, _ url.Values) (string, string, error) {
		sh, err := s.Shares.End(v.ctx(), v.who, v.r.PathValue("id"))
		return "/me/shares/" + string(sh.ID), "share-ended", err
	}})
	s.ask(mux, "/me/shares/{id}/renew", asking{student, func(v *visit) (form, error) {
		sh, err := s.ownShare(v)
		return form{Title: "Make a link anew", About: sh.Recipient, Submit: "Make it anew", Back: "/me/shares/" + string(sh.ID),
			Intro: "When the link was lost, or somebody else has it: the old one leads nowhere from then on. What is shown, to whom and until when stays."}, err
	}, func(v *visit, _ url.Values) (string, string, error) {
		made, err := s.Shares.Renew(v.ctx(), v.who, v.r.PathValue("id"))
		if err != nil {
			return "", "", err
		}
		return "", "", s.handOver(v, made)
	}})
	s.ask(mux, "/me/shares/{id}/watches/{watch}/end", asking{student, func(v *visit) (form, error) {
		sh, err := s.ownShare(v)
		return form{Title: "Tell them no more", About: sh.Recipient, Submit: "Tell them no more", Danger: true, Back: "/me/shares/" + string(sh.ID),
			Intro: "They are told of no more changes. The link itself goes on."}, err
	}, func(v *visit, _ url.Values) (string, string, error) {
		w, err := s.Shares.EndWatch(v.ctx(), v.who, sharing.Ending{ID: v.r.PathValue("watch")})
		return "/me/shares/" + string(w.ShareID), "watch-ended", err
	}})
}

// WantsPage reports whether a request for a link comes from a browser: one that
// asks for HTML, or sends a form. Programs that ask for JSON are served elsewhere.
func WantsPage(r *http.Request) bool {
	if r.Method == http.MethodPost {
		return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// caller is where a visitor asks from.
func (s *site) caller(r *http.Request) netip.Addr {
	if s.Caller != nil {
		return s.Caller(r)
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// linked is a link before it is opened.
type linked struct {
	sharing.Peeked
	Fault *fault.Error
	Name  string
	For   string
}

// peek says that there is something and what it takes to open it. It opens
// nothing: mail filters and previews follow links too.
func (s *site) peek(v *visit) error {
	p, err := s.Shares.Peek(v.ctx(), v.who, v.r.PathValue("token"), s.caller(v.r))
	if err != nil {
		return s.closed(v, err)
	}
	code := http.StatusOK
	if p.State != sharing.Live {
		code = http.StatusGone
	}
	return v.show(code, "share-closed", "A shared record", linked{Peeked: p})
}

// closed shows why a link does not open.
func (s *site) closed(v *visit, err error) error {
	f := v.understood(err)
	code := statusOf[f.Kind]
	switch f.Kind {
	case fault.State:
		code = http.StatusGone
	case fault.Limit:
		code = http.StatusTooManyRequests
		v.w.Header().Set("Retry-After", "900")
	}
	return v.show(code, "error", "This link shows nothing", f)
}

// opened is what is behind a link.
type opened struct {
	sharing.Opened
	Model   *record.Model
	Parts   []part
	Outcome verify.Outcome
	Steps   []verify.Step
	Mail    string // where a recipient asks to be told of changes
}

// part is one credential of a link, as a reader reads it.
type part struct {
	sharing.Shown
	What     says
	Evidence []evidenceTold
	More     int // pieces of evidence that are not shown
}

// How much of a credential's evidence a page shows, in pieces and characters: the
// signed file has all.
const (
	maxEvidence     = 20
	maxEvidenceName = 300
	maxEvidenceText = 2000
)

// brief is at most so many characters of a text.
func brief(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// says is what a credential says, as far as a reader looks for it.
type says struct {
	Name, Description, Level, Achieved, Issuer string
}

// evidenceTold is what shows that it was earned.
type evidenceTold struct{ Name, URL, Genre, Description, Narrative string }

func (s *site) open(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	in := v.r.PostForm
	o, err := s.Shares.Open(v.ctx(), v.who, sharing.Opening{Token: v.r.PathValue("token"), PIN: in.Get("pin"), Name: sent(in, "name"), Purpose: sent(in, "purpose"), From: s.caller(v.r)})
	if f, ok := fault.Of(err); ok && (f.Kind == fault.Forbidden && (f.Rule == disclosure.WrongPIN || f.Rule == "pin_required") || f.Kind == fault.Invalid) {
		p, broken := s.Shares.Peek(v.ctx(), v.who, v.r.PathValue("token"), s.caller(v.r))
		if broken != nil {
			return s.closed(v, broken)
		}
		return v.show(statusOf[f.Kind], "share-closed", "A shared record", linked{Peeked: p, Fault: f, Name: sent(in, "name"), For: sent(in, "purpose")})
	}
	if err != nil {
		return s.closed(v, err)
	}
	report, err := s.Shares.Verdict(v.ctx(), v.who, o)
	if err != nil {
		return err
	}
	d := opened{Opened: o, Outcome: report.Outcome, Steps: report.Steps(), Mail: "/s/" + url.PathEscape(v.r.PathValue("token")) + "/mail"}
	if o.Record != nil {
		m, err := record.Read(o.Record, record.Frame{Title: v.say("Learner record"), Headings: record.ByTerm, Order: record.NewestFirst})
		if err != nil {
			return err
		}
		m.Omissions = append(m.Omissions, o.LeftOut...)
		d.Model = &m
	}
	for _, it := range o.Items {
		d.Parts = append(d.Parts, partOf(it))
	}
	return v.show(http.StatusOK, "share-open", "A shared record", d)
}

// watch has the recipient told by mail when something behind the link changes.
func (s *site) watch(v *visit) error {
	made, err := s.Shares.Watch(v.ctx(), v.who, sharing.Watching{Token: v.r.PathValue("token"), From: s.caller(v.r)})
	if err != nil {
		return s.closed(v, err)
	}
	return v.show(http.StatusOK, "watch-begun", "You will be told", made)
}

// watchPage says what is told to whom, to who has the secret from a letter.
func (s *site) watchPage(v *visit) error {
	p, err := s.Shares.PeekWatch(v.ctx(), v.who, v.r.PathValue("secret"), s.caller(v.r))
	if err != nil {
		return s.closed(v, err)
	}
	return v.show(http.StatusOK, "watch", "You are told of changes", p)
}

// endWatch ends it: by the button of the page, or at once by a mail program that
// has a button of its own (RFC 8058).
func (s *site) endWatch(v *visit) error {
	_, err := s.Shares.EndWatch(v.ctx(), v.who, sharing.Ending{Secret: v.r.PathValue("secret"), From: s.caller(v.r)})
	if err != nil && fault.KindOf(err) != fault.State {
		return s.closed(v, err)
	}
	return s.watchPage(v)
}

// partOf reads what a credential tells. It was verified by the service; what is
// missing in a part of one is not shown.
func partOf(it sharing.Shown) part {
	p := part{Shown: it}
	var doc struct {
		Name    string `json:"name"`
		Awarded string `json:"awardedDate"`
		Issuer  struct {
			Name string `json:"name"`
		} `json:"issuer"`
		Subject struct {
			Achievement struct {
				Name        string `json:"name"`
				Description string `json:"description"`
				Results     many1[struct {
					ID     string `json:"id"`
					Levels many1[struct {
						ID   string `json:"id"`
						Name string `json:"name"`
					}] `json:"rubricCriterionLevel"`
				}] `json:"resultDescription"`
			} `json:"achievement"`
			Result many1[struct {
				Value string `json:"value"`
				Level string `json:"achievedLevel"`
			}] `json:"result"`
		} `json:"credentialSubject"`
		Evidence many1[struct {
			ID          string `json:"id"`
			Name        string `json:"name"`
			Genre       string `json:"genre"`
			Description string `json:"description"`
			Narrative   string `json:"narrative"`
		}] `json:"evidence"`
	}
	if it.Document == nil || json.Unmarshal(it.Document, &doc) != nil {
		return p
	}
	p.What = says{Name: or(doc.Subject.Achievement.Name, doc.Name), Description: doc.Subject.Achievement.Description, Issuer: doc.Issuer.Name}
	if len(doc.Awarded) >= 10 {
		p.What.Achieved = doc.Awarded[:10]
	}
	for _, r := range doc.Subject.Result {
		p.What.Level = or(p.What.Level, r.Value)
		for _, d := range doc.Subject.Achievement.Results {
			for _, l := range d.Levels {
				if l.ID == r.Level && r.Level != "" {
					p.What.Level = l.Name
				}
			}
		}
	}
	for _, e := range doc.Evidence {
		url := e.ID
		if !strings.HasPrefix(url, "https://") {
			url = ""
		}
		if len(p.Evidence) == maxEvidence {
			p.More = len(doc.Evidence) - maxEvidence
			break
		}
		p.Evidence = append(p.Evidence, evidenceTold{brief(e.Name, maxEvidenceName), url, brief(e.Genre, maxEvidenceName), brief(e.Description, maxEvidenceText), brief(e.Narrative, maxEvidenceText)})
	}
	return p
}

// many1 is a JSON value that may stand alone or in an array.
type many1[T any] []T

// UnmarshalJSON takes either.
func (m *many1[T]) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '[' {
		return json.Unmarshal(raw, (*[]T)(m))
	}
	var one T
	if err := json.Unmarshal(raw, &one); err != nil {
		return err
	}
	*m = []T{one}
	return nil
}

// shareLine is a link with its state.
type shareLine struct {
	sharing.Share
	Now string
}

func (s *site) shareList(v *visit) error {
	l := learner.ID(v.who.LearnerID)
	all, err := s.Shares.OfLearners(v.ctx(), v.who, []learner.ID{l}, page.Args{})
	if err != nil {
		return err
	}
	var d []shareLine
	for _, x := range all[l].Nodes {
		d = append(d, shareLine{x, x.State(s.Now())})
	}
	return v.show(http.StatusOK, "shares", "My shares", d)
}

// offering is the page on which a link is made.
type offering struct {
	Records []versioned
	Awards  []award
	Fault   *fault.Error
	In      url.Values
}

// Chosen reports whether something was marked before.
func (o offering) Chosen(name, value string) bool {
	for _, x := range o.In[name] {
		if x == value {
			return true
		}
	}
	return false
}

func (s *site) offerPage(v *visit, err error) error {
	o, broken := s.overview(v, v.who.LearnerID, "")
	if broken != nil {
		return broken
	}
	d := offering{In: v.r.Form}
	for _, r := range o.Records {
		if r.Latest {
			d.Records = append(d.Records, r)
		}
	}
	for _, a := range o.Awards {
		if a.Credential != nil && a.Credential.Status == credential.Active {
			d.Awards = append(d.Awards, a)
		}
	}
	code := http.StatusOK
	if err != nil {
		d.Fault = v.understood(err)
		code = statusOf[d.Fault.Kind]
	}
	return v.show(code, "share-new", "Share something", d)
}

// share makes the link and shows it, once.
func (s *site) share(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	made, err := s.offer(v, v.r.PostForm)
	if k := fault.KindOf(err); err != nil && k != fault.Internal && k != fault.Unavailable {
		return s.offerPage(v, err)
	}
	if err != nil {
		return err
	}
	return s.handOver(v, made)
}

// handOver shows the link of a share, once.
func (s *site) handOver(v *visit, made sharing.Made) error {
	return v.show(http.StatusOK, "share-made", "Your link", linkMade{Link: made.Link, To: "/me/shares/" + string(made.Share.ID)})
}

func (s *site) offer(v *visit, in url.Values) (sharing.Made, error) {
	o := sharing.Offer{LearnerID: v.who.LearnerID, RecordID: optional(in, "record"), Recipient: sent(in, "recipient"), Address: sent(in, "address"), Purpose: sent(in, "purpose"),
		Language: v.lang, PIN: in.Get("pin"), Notify: in.Get("notify") != "", NotifyOpenings: in.Get("notifyOpenings") != ""}
	for _, id := range in["item"] {
		o.Items = append(o.Items, sharing.Item{CredentialID: id})
	}
	until, err := dated(in, "expiresAt")
	if err != nil {
		return sharing.Made{}, err
	}
	if until != nil {
		end := until.AddDays(1).Midnight()
		o.ExpiresAt = &end
	}
	if text := sent(in, "maxOpenings"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return sharing.Made{}, fault.At("maxOpenings", "openings", "%q is not a number of times.", text)
		}
		o.MaxOpenings = &n
	}
	return s.Shares.Create(v.ctx(), v.who, o)
}

// ownShare is the link in the address.
func (s *site) ownShare(v *visit) (sharing.Share, error) {
	id := sharing.ID(v.r.PathValue("id"))
	all, err := s.Shares.ByIDs(v.ctx(), v.who, []sharing.ID{id})
	if err != nil {
		return sharing.Share{}, err
	}
	sh, ok := all[id]
	if !ok {
		return sh, fault.Missing("share")
	}
	return sh, nil
}

// viewed is a link with everybody who opened it.
type viewed struct {
	shareLine
	Lines   []disclosure.Line
	Watches []sharing.Watch
}

func (s *site) sharePage(v *visit) error {
	sh, err := s.ownShare(v)
	if err != nil {
		return err
	}
	lines, err := s.Disclosures.OfSources(v.ctx(), v.who, []string{string(sh.ID)}, many(""))
	if err != nil {
		return err
	}
	watches, err := s.Shares.WatchesOf(v.ctx(), v.who, []sharing.ID{sh.ID})
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "share", "A link of mine", viewed{shareLine{sh, sh.State(s.Now())}, lines[string(sh.ID)].Nodes, watches[sh.ID]})
}
