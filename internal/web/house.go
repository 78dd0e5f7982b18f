package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
)

// issuer is the institution with what it signs with.
type issuer struct {
	institution.Institution
	DID     string
	Keys    []keyring.Key
	Staff   []institution.Staff
	Notices []consent.Notice
}

// house is the institution itself: its profile and keys, and what left it.
func (s *site) house(mux *http.ServeMux) {
	s.page(mux, "GET /desk/institution", staff, s.institutionPage)
	s.ask(mux, "/desk/institution/profile", asking{staff, s.profileForm, s.reviseProfile})
	s.ask(mux, "/desk/institution/keys/rotate", asking{staff, func(v *visit) (form, error) {
		return form{Title: "Make a new key", Submit: "Make a new key", Back: "/desk/institution#keys",
			Intro:  "From now on everything is signed with a new key. What the old one signed still verifies.",
			Fields: []field{{Name: "algorithm", Label: "Algorithm", Type: "select", Required: true, Options: []option{{Value: keyring.Ed25519, Label: keyring.Ed25519, Other: true}, {Value: keyring.P256, Label: keyring.P256, Other: true}}}}}, v.may(access.ManageInstitution)
	}, func(v *visit, in url.Values) (string, string, error) {
		_, err := s.Keys.Rotate(v.ctx(), v.who, sent(in, "algorithm"))
		return "/desk/institution#keys", "key-rotated", err
	}})
	s.ask(mux, "/desk/institution/keys/{id}/withdraw", asking{staff, func(v *visit) (form, error) {
		return form{Title: "Withdraw a key", About: v.r.PathValue("id"), Submit: "Withdraw the key", Back: "/desk/institution#keys", Danger: true,
			Intro:  "When somebody else may have it. What it signed from that day on does not verify any more; what it signed before does. It signs nothing from now on.",
			Fields: []field{{Name: "from", Label: "Since when", Type: "date", Help: "Left empty: from its beginning, as nobody knows since when."}}}, v.may(access.ManageInstitution)
	}, func(v *visit, in url.Values) (string, string, error) {
		on, err := dated(in, "from")
		if err != nil {
			return "", "", err
		}
		var from *time.Time
		if on != nil {
			t := on.Midnight()
			from = &t
		}
		_, err = s.Keys.Withdraw(v.ctx(), v.who, v.r.PathValue("id"), from)
		return "/desk/institution#keys", "key-withdrawn", err
	}})
	s.page(mux, "GET /desk/disclosures", staff, s.disclosures)
	s.page(mux, "GET /desk/disclosures/report.csv", staff, s.report)
	s.ask(mux, "/desk/disclosures/new", asking{staff, s.manualForm, s.recordManual})
}

func (s *site) institutionPage(v *visit) error {
	in, err := s.Institutions.Find(v.ctx(), v.who)
	if err != nil {
		return err
	}
	d := issuer{Institution: in}
	if d.DID, err = in.DID(s.Origin); err != nil {
		return err
	}
	if d.Keys, err = s.Keys.List(v.ctx(), v.who); err != nil {
		return err
	}
	if d.Notices, err = s.Consents.Notices(v.ctx(), v.who); err != nil {
		return err
	}
	if access.Allowed(v.who, access.ReadStaff) {
		all, err := s.Institutions.ListStaff(v.ctx(), v.who, many(""))
		if err != nil {
			return err
		}
		d.Staff = all.Nodes
	}
	return v.show(http.StatusOK, "institution", "Institution", d)
}

func (s *site) profileForm(v *visit) (form, error) {
	in, err := s.Institutions.Find(v.ctx(), v.who)
	if err != nil {
		return form{}, err
	}
	return form{Title: "Issuer profile", Submit: "Keep the profile", Back: "/desk/institution",
		Intro: "This is what every credential says of its issuer, from now on.",
		Fields: []field{{Name: "name", Label: "Name", Value: in.Name, Required: true}, {Name: "url", Label: "Web address", Type: "url", Value: deref(in.URL)},
			{Name: "email", Label: "E-mail address", Type: "email", Value: deref(in.Email)}, {Name: "phone", Label: "Telephone", Value: deref(in.Phone)},
			{Name: "description", Label: "About", Type: "textarea", Value: deref(in.Description)}, {Name: "official", Label: "Who signs for it", Value: deref(in.Official)}}}, v.may(access.ManageInstitution)
}

func (s *site) reviseProfile(v *visit, in url.Values) (string, string, error) {
	now, err := s.Institutions.Find(v.ctx(), v.who)
	if err != nil {
		return "", "", err
	}
	_, err = s.Institutions.Revise(v.ctx(), v.who, &now.Version, institution.Profile{Name: sent(in, "name"), URL: optional(in, "url"), Email: optional(in, "email"),
		Phone: optional(in, "phone"), Description: optional(in, "description"), Official: optional(in, "official"),
		ImageURL: now.ImageURL, Address: now.Address, OtherIdentifier: now.OtherIdentifier})
	return "/desk/institution", "revised", err
}

// account is what was disclosed in a period.
type account struct {
	From, Until string
	Lines       []line
	More        *string
	Query       string
	Fault       *fault.Error
}

// line is one disclosure, with whose it is.
type line struct {
	disclosure.Line
	Learner learner.Learner
}

// period is what the address asks for.
func period(q url.Values) (f disclosure.Filter, err error) {
	from, err := dated(q, "from")
	if err != nil {
		return f, err
	}
	until, err := dated(q, "until")
	if err != nil {
		return f, err
	}
	if from != nil {
		t := from.Midnight()
		f.From = &t
	}
	if until != nil {
		t := until.Midnight().Add(24 * time.Hour)
		f.Until = &t
	}
	return f, nil
}

func (s *site) disclosures(v *visit) error {
	if err := v.may(access.ExportDisclosures); err != nil {
		return err
	}
	q := v.r.URL.Query()
	d := account{From: q.Get("from"), Until: q.Get("until"), Query: url.Values{"from": {q.Get("from")}, "until": {q.Get("until")}}.Encode()}
	f, err := period(q)
	if err != nil {
		d.Fault = v.understood(err)
		return v.show(http.StatusBadRequest, "account-of", "Disclosures", d)
	}
	all, err := s.Disclosures.List(v.ctx(), v.who, f, many(q.Get("after")))
	if err != nil {
		return err
	}
	if all.PageInfo.HasNextPage {
		d.More = all.PageInfo.EndCursor
	}
	d.Lines, err = s.withLearners(v, all)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "account-of", "Disclosures", d)
}

func (s *site) withLearners(v *visit, all page.Connection[disclosure.Line]) ([]line, error) {
	var ids []learner.ID
	for _, l := range all.Nodes {
		ids = append(ids, l.LearnerID)
	}
	who, err := s.Learners.ByIDs(v.ctx(), v.who, ids)
	out := make([]line, len(all.Nodes))
	for i, l := range all.Nodes {
		out[i] = line{l, who[l.LearnerID]}
	}
	return out, err
}

// report is the account of a period as a file.
func (s *site) report(v *visit) error {
	f, err := period(v.r.URL.Query())
	if err != nil {
		return err
	}
	if err := v.may(access.ExportDisclosures); err != nil {
		return err
	}
	return v.account(f, "disclosures.csv")
}

// account writes what was disclosed as a file.
func (v *visit) account(f disclosure.Filter, name string) error {
	h := v.w.Header()
	h.Set("Content-Type", disclosure.CSV+"; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	return v.s.Disclosures.Export(v.ctx(), v.who, f, disclosure.CSV, v.w)
}

// grounds are the exceptions that a disclosure by hand may rest on, and consent.
var grounds = []option{
	{Value: disclosure.ToOfficial, Label: "School official"}, {Value: disclosure.ForTransfer, Label: "Transfer to another school"},
	{Value: disclosure.ToAuthorities, Label: "Audit by authorities"}, {Value: disclosure.ForAid, Label: "Financial aid"}, {Value: disclosure.ForStudies, Label: "Studies"},
	{Value: disclosure.ToAccreditor, Label: "Accreditor"}, {Value: disclosure.ToParents, Label: "Parents"}, {Value: disclosure.ByJudge, Label: "Court order"},
	{Value: disclosure.InAnEmergency, Label: "Emergency"},
}

func (s *site) manualForm(v *visit) (form, error) {
	return form{Title: "Record a disclosure", Submit: "Put it on file", Back: "/desk/disclosures",
		Intro: "For what was told outside of this service: by telephone, on paper, in another system.",
		Fields: []field{{Name: "learnerId", Label: "Number of the learner", Required: true, Help: "As the system of record has it, after its name and a colon, such as sis:S100001."}, {Name: "party", Label: "Who was told", Required: true}, {Name: "purpose", Label: "What for", Required: true},
			{Name: "basis", Label: "On what ground", Type: "select", Required: true, Options: grounds}, {Name: "items", Label: "What was told", Type: "textarea", Required: true}, {Name: "note", Label: "Note", Type: "textarea", Help: "In an emergency: what the threat was."}}}, v.may(access.RecordDisclosure)
}

func (s *site) recordManual(v *visit, in url.Values) (string, string, error) {
	_, err := s.Disclosures.Record(v.ctx(), v.who, disclosure.Manual{LearnerID: named(sent(in, "learnerId")), Party: sent(in, "party"), Purpose: sent(in, "purpose"),
		Basis: sent(in, "basis"), Items: []string{sent(in, "items")}, Note: sent(in, "note")})
	return "/desk/disclosures", "disclosure-recorded", err
}

// named is a learner as a person names one: by id, or SYSTEM:NUMBER.
func named(text string) string {
	if len(text) > 4 && text[:4] == "lrn_" {
		return text
	}
	return "ref:" + text
}
