package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
)

// corrections are lists of what has to be issued anew, which wait for a registrar.
func (s *site) corrections(mux *http.ServeMux) {
	s.page(mux, "GET /desk/corrections", staff, s.correctionList)
	s.page(mux, "GET /desk/corrections/{id}", staff, s.correction)
	s.page(mux, "POST /desk/corrections/{id}", staff, s.decide)
	s.ask(mux, "/desk/learners/{id}/correction", asking{staff, s.proposeForm, s.propose})
}

// correctionLine is a correction with whose it is.
type correctionLine struct {
	record.Correction
	Learner learner.Learner
}

// correctionLines are corrections, newest first.
type correctionLines struct {
	All  []correctionLine
	More *string
}

func (s *site) correctionList(v *visit) error {
	if err := v.may(access.Assemble); err != nil {
		return err
	}
	all, err := s.Records.Corrections(v.ctx(), v.who, record.CorrectionFilter{}, many(v.r.URL.Query().Get("after")))
	if err != nil {
		return err
	}
	var d correctionLines
	if all.PageInfo.HasNextPage {
		d.More = all.PageInfo.EndCursor
	}
	var ids []learner.ID
	for _, c := range all.Nodes {
		ids = append(ids, c.LearnerID)
	}
	who, err := s.Learners.ByIDs(v.ctx(), v.who, ids)
	for _, c := range all.Nodes {
		d.All = append(d.All, correctionLine{c, who[c.LearnerID]})
	}
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "corrections", "Corrections", d)
}

// corrected is a correction with everything in it.
type corrected struct {
	correctionLine
	Items []correctedItem
}

// correctedItem is one thing to be issued anew, with what it is called.
type correctedItem struct {
	record.CorrectionItem
	Title string
}

// Open reports whether it waits for a registrar.
func (c corrected) Open() bool { return c.State == record.Proposed }

func (s *site) correction(v *visit) error {
	c, err := s.Records.Correction(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	l, err := s.Learners.Find(v.ctx(), v.who, string(c.LearnerID))
	if err != nil {
		return err
	}
	items, err := s.Records.CorrectionItemsOf(v.ctx(), v.who, []record.CorrectionID{c.ID})
	if err != nil {
		return err
	}
	d := corrected{correctionLine: correctionLine{c, l}}
	for _, i := range items[c.ID] {
		title, err := s.titleOf(v, i)
		if err != nil {
			return err
		}
		d.Items = append(d.Items, correctedItem{i, title})
	}
	p := v.sheet("correction", "Correction", d)
	if c.State == record.Running {
		p.Live = lookAgain
	}
	return v.write(http.StatusOK, p)
}

// titleOf is what a thing of a correction is called.
func (s *site) titleOf(v *visit, i record.CorrectionItem) (string, error) {
	if i.RecordID != nil {
		r, err := s.Records.Find(v.ctx(), v.who, string(*i.RecordID))
		if err != nil {
			return "", err
		}
		titles, err := s.typeTitles(v)
		return titles[r.Type] + ", " + v.say("version %d", r.Version), err
	}
	c, err := s.Credentials.Find(v.ctx(), v.who, string(*i.CredentialID))
	if err != nil || c.AssertionID == nil {
		return string(*i.CredentialID), err
	}
	a, err := s.Assertions.Find(v.ctx(), v.who, string(*c.AssertionID))
	if err != nil {
		return "", err
	}
	all, err := s.Achievements.Versions(v.ctx(), v.who, []achievement.Pin{a.Pin()})
	return all[a.Pin()].Definition.Name, err
}

// decide approves what is marked, or declines everything.
func (s *site) decide(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	id := v.r.PathValue("id")
	if v.r.PostForm.Get("do") == "decline" {
		if _, err := s.Records.Decline(v.ctx(), v.who, id); err != nil {
			return err
		}
		return v.done("/desk/corrections/"+id, "declined")
	}
	var positions []int
	for _, text := range v.r.PostForm["position"] {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fault.At("positions", "known", "This correction has no position %q.", text)
		}
		positions = append(positions, n)
	}
	if len(positions) == 0 { // without any the service approves all
		return fault.New(fault.Invalid, "Mark at least one thing to approve, or decline them all.")
	}
	if _, err := s.Records.Decide(v.ctx(), v.who, id, positions); err != nil {
		return err
	}
	return v.done("/desk/corrections/"+id, "approved")
}

func (s *site) proposeForm(v *visit) (form, error) {
	l, about, err := s.about(v, v.r.PathValue("id"))
	if err != nil {
		return form{}, err
	}
	return form{Title: "What has to be issued anew?", About: about, Submit: "List it", Back: at(l.ID, "records"),
		Intro:  "After a name, an award or an identifier was corrected: exactly the credentials and records that would tell something else are listed, and wait for approval. Nothing else is touched.",
		Fields: []field{reasonField}}, v.may(access.Assemble)
}

func (s *site) propose(v *visit, in url.Values) (string, string, error) {
	c, err := s.Records.Propose(v.ctx(), v.who, record.Affected{Learner: v.r.PathValue("id"), Reason: sent(in, "reason")})
	return "/desk/corrections/" + string(c.ID), "proposed", err
}
