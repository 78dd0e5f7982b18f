package web

import (
	"net/http"
	"net/url"

	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
)

// student is what a learner sees of their own.
func (s *site) student(mux *http.ServeMux) {
	s.page(mux, "GET /me", student, func(v *visit) error {
		o, err := s.overview(v, v.who.LearnerID, v.r.URL.Query().Get("after"))
		if err != nil {
			return err
		}
		return v.show(http.StatusOK, "me", "My record", o)
	})
	s.page(mux, "GET /me/records/{id}", student, func(v *visit) error { return s.recordPage(v, "/me") })
	s.page(mux, "GET /me/records/{id}/file", student, s.recordFile)
	s.page(mux, "GET /me/credentials/{id}", student, s.wallet)
	s.page(mux, "GET /me/credentials/{id}/file", student, s.credentialFile)
	s.page(mux, "GET /me/competencies", student, s.competencies)
	s.page(mux, "GET /me/competencies/{id}", student, s.why)
	s.page(mux, "GET /me/privacy", student, s.privacy)
	s.ask(mux, "/me/directory", asking{student, func(v *visit) (form, error) { return directoryForm("", "/me/privacy"), nil },
		func(v *visit, in url.Values) (string, string, error) {
			blocked := sent(in, "blocked") == "yes"
			_, err := s.Consents.Choose(v.ctx(), v.who, v.who.LearnerID, blocked, sent(in, "reason"))
			return "/me/privacy", chosen(blocked), err
		}})
	s.ask(mux, "/me/consents/{id}/withdraw", asking{student, func(v *visit) (form, error) {
		c, err := s.Consents.Find(v.ctx(), v.who, v.r.PathValue("id"))
		return form{Title: "Withdraw a consent", About: c.Party, Submit: "Withdraw it", Back: "/me/privacy", Danger: true,
			Intro:  "From now on nothing is shown on the ground of it. What was seen before stays seen.",
			Fields: []field{{Name: "reason", Label: "Why", Type: "textarea"}}}, err
	}, func(v *visit, in url.Values) (string, string, error) {
		_, err := s.Consents.Withdraw(v.ctx(), v.who, v.r.PathValue("id"), sent(in, "reason"))
		return "/me/privacy", "consent-withdrawn", err
	}})
}

// carried is one credential of a learner's own, to be taken elsewhere.
type carried struct {
	award
	LinkedIn string
}

// wallet is the page from which a credential goes to a wallet or to LinkedIn.
func (s *site) wallet(v *visit) error {
	c, err := s.Credentials.Find(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if c.AssertionID == nil || c.State != credential.Issued {
		return fault.Missing("credential")
	}
	a, err := s.Assertions.Find(v.ctx(), v.who, string(*c.AssertionID))
	if err != nil {
		return err
	}
	all, err := s.awards(v, []assertion.Assertion{a})
	if err != nil {
		return err
	}
	d := carried{award: all[0], LinkedIn: linkedIn(all[0], v.in.InstitutionName, s.Origin+"/i/"+v.in.InstitutionSlug+"/credentials/"+string(c.ID))}
	d.Credential = &c
	return v.showNamed("wallet", d.Title, d)
}

// linkedIn is the address that adds a certification to a LinkedIn profile.
func linkedIn(a award, institution, address string) string {
	on := a.AchievedOn.Midnight()
	q := url.Values{"startTask": {"CERTIFICATION_NAME"}, "name": {a.Title}, "organizationName": {institution},
		"issueYear": {on.Format("2006")}, "issueMonth": {on.Format("1")}, "certUrl": {address}, "certId": {string(a.Credential.ID)}}
	if u := a.Credential.ValidUntil; u != nil {
		q.Set("expirationYear", u.Format("2006"))
		q.Set("expirationMonth", u.Format("1"))
	}
	return "https://www.linkedin.com/profile/add?" + q.Encode()
}

// stood is a competency with how far the learner is.
type stood struct {
	mastery.Standing
	Item framework.Item
}

// shelf is a framework's competencies.
type shelf struct {
	Framework framework.Framework
	All       []stood
}

// held is what a learner holds, by framework.
type held struct {
	Shelves []shelf
	More    *string
}

func (s *site) competencies(v *visit) error {
	d, err := s.heldBy(v, learner.ID(v.who.LearnerID), v.r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "competencies", "My competencies", d)
}

func (s *site) heldBy(v *visit, l learner.ID, after string) (d held, err error) {
	ctx, done := s.Audit.View(v.ctx(), v.who)
	defer done()
	all, err := s.Mastery.Standings(ctx, v.who, []learner.ID{l}, mastery.Filter{}, many(after))
	if err != nil {
		return d, err
	}
	list := all[l]
	if list.PageInfo.HasNextPage {
		d.More = list.PageInfo.EndCursor
	}
	var ids []framework.ItemID
	for _, st := range list.Nodes {
		ids = append(ids, st.ItemID)
	}
	items, err := s.Frameworks.ItemsByIDs(ctx, v.who, ids)
	if err != nil {
		return d, err
	}
	var of []framework.ID
	for _, st := range list.Nodes {
		item := items[st.ItemID]
		if n := len(d.Shelves); n == 0 || d.Shelves[n-1].Framework.ID != item.FrameworkID {
			d.Shelves = append(d.Shelves, shelf{Framework: framework.Framework{ID: item.FrameworkID}})
			of = append(of, item.FrameworkID)
		}
		last := &d.Shelves[len(d.Shelves)-1]
		last.All = append(last.All, stood{st, item})
	}
	frameworks, err := s.Frameworks.ByIDs(ctx, v.who, of)
	for i := range d.Shelves {
		d.Shelves[i].Framework = frameworks[d.Shelves[i].Framework.ID]
	}
	return d, err
}

// because is the reason for a state, as a tree of sentences.
type because struct {
	Item  framework.Item
	State string
	Top   node
}

// node is a sentence with those that it rests on.
type node struct {
	mastery.Said
	Below []node
}

func (s *site) why(v *visit) error {
	item, err := s.Frameworks.FindItem(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	ask := mastery.Ask{Learner: learner.ID(v.who.LearnerID), Item: item.ID}
	all, err := s.Mastery.Explain(v.ctx(), v.who, []mastery.Ask{ask}, mastery.When{})
	if err != nil {
		return err
	}
	x, ok := all[ask]
	if !ok {
		return fault.Missing("competency")
	}
	top, _ := tree(x.Lines())
	return v.show(http.StatusOK, "why", "Why", because{Item: item, State: x.Reason.State.Status.String(), Top: top})
}

// tree makes one of lines that say how deep they stand, and gives those left.
func tree(lines []mastery.Said) (node, []mastery.Said) {
	top := node{Said: lines[0]}
	rest := lines[1:]
	for len(rest) > 0 && rest[0].Depth > top.Depth {
		var below node
		below, rest = tree(rest)
		top.Below = append(top.Below, below)
	}
	return top, rest
}

// privacy is what a learner allowed, and who was told what.
func (s *site) privacy(v *visit) error {
	l, err := s.Learners.Find(v.ctx(), v.who, v.who.LearnerID)
	if err != nil {
		return err
	}
	o := overview{Learner: l}
	if err := s.released(v, &o); err != nil {
		return err
	}
	notices, err := s.Consents.Notices(v.ctx(), v.who)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "privacy", "My privacy", struct {
		overview
		Notices []consent.Notice
	}{o, notices})
}
