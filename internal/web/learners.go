package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
)

var reasonField = field{Name: "reason", Label: "Why", Help: "It is kept in the history.", Type: "textarea", Required: true}

// learners are what a registrar does for one learner.
func (s *site) learners(mux *http.ServeMux) {
	s.ask(mux, "/desk/learners/new", asking{staff, func(v *visit) (form, error) {
		return form{Title: "Add a learner", Submit: "Add the learner", Back: "/desk", Fields: nameFields(learner.Learner{}, []field{
			{Name: "system", Label: "System of record", Value: "sis", Help: "What the number below belongs to, such as your student information system."},
			{Name: "number", Label: "Number there"}, {Name: "email", Label: "E-mail address", Type: "email"}})}, v.may(access.ManageLearner)
	}, s.addLearner})
	s.ask(mux, "/desk/learners/{id}/name", asking{staff, s.nameForm, s.rename})
	s.ask(mux, "/desk/learners/{id}/award", asking{staff, s.awardForm, s.award})
	s.ask(mux, "/desk/learners/{id}/assemble", asking{staff, s.assembleForm, s.assemble})
	s.ask(mux, "/desk/learners/{id}/hold", asking{staff, s.holdForm, s.hold})
	s.ask(mux, "/desk/learners/{id}/directory", asking{staff, s.directoryForm, s.directory})
	s.ask(mux, "/desk/holds/{id}/lift", asking{staff, s.liftHoldForm, s.liftHold})
	s.ask(mux, "/desk/awards/{id}/correct", asking{staff, s.correctForm, s.correct})
	s.ask(mux, "/desk/awards/{id}/withdraw", asking{staff, s.onAward(form{Title: "Withdraw an award", Submit: "Withdraw it", Danger: true,
		Intro: "It stays on file as withdrawn. Its credential is revoked, and records that contain it need to be assembled again.", Fields: []field{reasonField}}, access.Withdraw), s.withdraw})
	s.ask(mux, "/desk/awards/{id}/issue", asking{staff, s.onAward(form{Title: "Sign the credential", Submit: "Sign it",
		Intro: "The award becomes a signed Open Badges 3.0 credential, as it stands now."}, access.Issue), s.issue})
	s.ask(mux, "/desk/credentials/{id}/revoke", asking{staff, s.onCredential(form{Title: "Revoke a credential", Submit: "Revoke it for good", Danger: true,
		Intro: "Everyone who checks it will see within a minute that it is not to be relied on. This cannot be undone; it can be issued anew.",
		Fields: []field{{Name: "cause", Label: "Cause", Type: "select", Required: true, Options: []option{{Value: credential.IssuedInError, Label: "Issued in error"},
			{Value: credential.Misconduct, Label: "Misconduct"}, {Value: credential.Other, Label: "Another cause"}}}, reasonField}}, access.Revoke), s.revoke})
	s.ask(mux, "/desk/credentials/{id}/suspend", asking{staff, s.onCredential(form{Title: "Suspend a credential", Submit: "Suspend it",
		Intro: "It is not to be relied on until the suspension is lifted.", Fields: []field{reasonField}}, access.Revoke), s.suspend})
	s.ask(mux, "/desk/credentials/{id}/lift", asking{staff, s.onCredential(form{Title: "Lift the suspension", Submit: "Lift it", Fields: []field{reasonField}}, access.Revoke), s.lift})
	s.ask(mux, "/desk/credentials/{id}/reissue", asking{staff, s.onCredential(form{Title: "Issue a credential anew", Submit: "Issue it anew",
		Intro: "The new one tells what the award tells now, and names the one it replaces, which is revoked as superseded.", Fields: []field{reasonField}}, access.Issue), s.reissue})
}

// nameFields ask for a name, and for more.
func nameFields(l learner.Learner, more []field) []field {
	return append([]field{
		{Name: "givenName", Label: "Given name", Value: deref(l.GivenName)},
		{Name: "familyName", Label: "Family name", Value: deref(l.FamilyName)},
		{Name: "displayName", Label: "Name as it is shown", Value: l.DisplayName, Help: "Left empty, it is made of the two above."},
	}, more...)
}

func (s *site) addLearner(v *visit, in url.Values) (string, string, error) {
	d := learner.Definition{DisplayName: sent(in, "displayName"), GivenName: optional(in, "givenName"), FamilyName: optional(in, "familyName"), Email: optional(in, "email")}
	if number := sent(in, "number"); number != "" {
		d.Ref = &id.Ref{System: sent(in, "system"), Value: number}
	}
	l, err := s.Learners.Define(v.ctx(), v.who, d)
	return at(l.ID, "main"), "added", err
}

func (s *site) nameForm(v *visit) (form, error) {
	l, about, err := s.about(v, v.r.PathValue("id"))
	if err != nil {
		return form{}, err
	}
	return form{Title: "Record a new name", About: about, Submit: "Record the name", Back: at(l.ID, "names"),
		Intro:  "The former name stays in the history, which only staff can see. Records that were issued stay authentic; assemble and share them again so that the new name is shown.",
		Fields: nameFields(l, []field{{Name: "effectiveOn", Label: "Since when", Type: "date", Help: "Today unless you say another day."}, reasonField})}, v.may(access.ManageLearner)
}

func (s *site) rename(v *visit, in url.Values) (string, string, error) {
	on, err := dated(in, "effectiveOn")
	if err != nil {
		return "", "", err
	}
	l, err := s.Learners.Rename(v.ctx(), v.who, v.r.PathValue("id"), nil, learner.Renaming{DisplayName: sent(in, "displayName"),
		GivenName: optional(in, "givenName"), FamilyName: optional(in, "familyName"), EffectiveOn: on, Reason: sent(in, "reason")})
	return at(l.ID, "names"), "renamed", err
}

// shownCatalogue is how many achievements a form offers.
const shownCatalogue = 100

func (s *site) awardForm(v *visit) (form, error) {
	l, about, err := s.about(v, v.r.PathValue("id"))
	if err != nil {
		return form{}, err
	}
	n := shownCatalogue
	args := many("")
	args.First = &n
	all, err := s.Achievements.List(v.ctx(), v.who, achievement.Filter{}, args)
	if err != nil {
		return form{}, err
	}
	var offered []option
	for _, a := range all.Nodes {
		label := a.Definition.Name
		if a.Definition.HumanCode != "" {
			label = a.Definition.HumanCode + " · " + label
		}
		offered = append(offered, option{Value: string(a.ID), Label: label, Other: true})
	}
	return form{Title: "Record an award", About: about, Submit: "Record the award", Back: at(l.ID, "awards"), Fields: append([]field{
		{Name: "achievementId", Label: "Achievement", Type: "select", Required: true, Options: offered},
	}, factFields(assertion.Facts{AchievedOn: day.On(s.Now())})...)}, v.may(access.Award)
}

// factFields ask for what an award says.
func factFields(f assertion.Facts) []field {
	evidence := ""
	if len(f.Evidence) > 0 {
		evidence = f.Evidence[0].URL
	}
	return []field{
		{Name: "achievedOn", Label: "Achieved on", Type: "date", Required: true, Value: f.AchievedOn.String()},
		{Name: "term", Label: "Term", Value: f.Term},
		{Name: "grade", Label: "Grade", Value: deref(f.Grade)},
		{Name: "creditsEarned", Label: "Credits earned", Type: "number", Value: plainNumber(f.CreditsEarned)},
		{Name: "narrative", Label: "What was done", Type: "textarea", Value: deref(f.Narrative)},
		{Name: "evidence", Label: "Address of evidence", Type: "url", Value: evidence},
	}
}

func (s *site) award(v *visit, in url.Values) (string, string, error) {
	f, err := factsIn(in)
	if err != nil {
		return "", "", err
	}
	a, err := s.Assertions.Award(v.ctx(), v.who, nil, assertion.Award{LearnerID: v.r.PathValue("id"), AchievementID: sent(in, "achievementId"), Facts: f})
	return at(a.LearnerID, "awards"), "awarded", err
}

func (s *site) assembleForm(v *visit) (form, error) {
	l, about, err := s.about(v, v.r.PathValue("id"))
	if err != nil {
		return form{}, err
	}
	types, err := s.Records.Types(v.ctx(), v.who)
	if err != nil {
		return form{}, err
	}
	var offered []option
	for _, t := range types {
		if !t.Content.Program {
			offered = append(offered, option{Value: t.Key, Label: t.Content.Title, Other: true})
		}
	}
	return form{Title: "Assemble a record", About: about, Submit: "Assemble and sign", Back: at(l.ID, "records"),
		Intro:  "What was earned so far is put together as one signed record. When nothing changed since the latest version, that is the answer.",
		Fields: []field{{Name: "type", Label: "Kind of record", Type: "select", Required: true, Options: offered, Value: record.Full}}}, v.may(access.Assemble)
}

func (s *site) assemble(v *visit, in url.Values) (string, string, error) {
	r, err := s.Records.AssembleAs(v.ctx(), v.who, nil, v.r.PathValue("id"), record.Want{Type: sent(in, "type")})
	return at(r.LearnerID, "records"), "assembled", err
}

// holdReasons are the reasons of a hold as people read them.
var holdReasons = map[string]string{release.Financial: "Money is owed", release.TranscriptFee: "A fee for the transcript",
	release.RequestedAction: "The learner has to do something first", release.Other: "Another reason"}

// holdGrounds are the same to choose from.
var holdGrounds = []option{{Value: release.Financial, Label: holdReasons[release.Financial]}, {Value: release.TranscriptFee, Label: holdReasons[release.TranscriptFee]},
	{Value: release.RequestedAction, Label: holdReasons[release.RequestedAction]}, {Value: release.Other, Label: holdReasons[release.Other]}}

func (s *site) holdForm(v *visit) (form, error) {
	l, about, err := s.about(v, v.r.PathValue("id"))
	if err != nil {
		return form{}, err
	}
	return form{Title: "Place a hold", About: about, Submit: "Place the hold", Back: at(l.ID, "holds"),
		Intro: "Records are not handed out while it lasts, and links to them show nothing. Orders wait and go out when it is lifted.",
		Fields: []field{
			{Name: "reason", Label: "Reason", Type: "select", Required: true, Options: holdGrounds},
			{Name: "terms", Label: "Payment periods that are held back", Help: "Parted by commas. A hold for money names those that were not paid for: what was paid for is released on request."},
			{Name: "note", Label: "What the learner can do about it", Type: "textarea", Help: "The learner reads this."},
			{Name: "plannedOn", Label: "Planned to be lifted on", Type: "date"},
		}}, v.may(access.ManageHolds)
}

func (s *site) hold(v *visit, in url.Values) (string, string, error) {
	on, err := dated(in, "plannedOn")
	if err != nil {
		return "", "", err
	}
	p := release.Placement{LearnerID: v.r.PathValue("id"), Reason: sent(in, "reason"), Note: sent(in, "note"), PlannedOn: on}
	for _, t := range strings.Split(in.Get("terms"), ",") {
		if t = strings.TrimSpace(t); t != "" {
			p.Terms = append(p.Terms, t)
		}
	}
	h, err := s.Holds.Place(v.ctx(), v.who, p)
	return at(h.LearnerID, "holds"), "held", err
}

func (s *site) liftHoldForm(v *visit) (form, error) {
	held, err := s.Holds.ByIDs(v.ctx(), v.who, []release.ID{release.ID(v.r.PathValue("id"))})
	if err != nil {
		return form{}, err
	}
	h, ok := held[release.ID(v.r.PathValue("id"))]
	if !ok {
		return form{}, fault.Missing("hold")
	}
	_, about, err := s.about(v, string(h.LearnerID))
	if err != nil {
		return form{}, err
	}
	about += " · " + v.say(holdReasons[h.Reason])
	if len(h.Terms) > 0 {
		about += " (" + strings.Join(h.Terms, ", ") + ")"
	}
	return form{Title: "Lift a hold", About: about, Submit: "Lift the hold", Back: at(h.LearnerID, "holds"),
		Intro: "Orders that waited for it go out, and links show again what they show, unless something else keeps it back.",
		Note:  h.Note, Fields: []field{reasonField}}, v.may(access.ManageHolds)
}

func (s *site) liftHold(v *visit, in url.Values) (string, string, error) {
	h, err := s.Holds.Lift(v.ctx(), v.who, v.r.PathValue("id"), sent(in, "reason"))
	return at(h.LearnerID, "holds"), "hold-lifted", err
}

func (s *site) directoryForm(v *visit) (form, error) {
	l, about, err := s.about(v, v.r.PathValue("id"))
	if err != nil {
		return form{}, err
	}
	return directoryForm(about, at(l.ID, "release")), v.may(access.GiveConsent)
}

func directoryForm(about, back string) form {
	return form{Title: "Directory information", About: about, Submit: "Keep this choice", Back: back,
		Intro: "What the institution may tell anyone without consent: nothing, when it is blocked. The choice holds until it is changed, also after the learner has left.",
		Fields: []field{{Name: "blocked", Label: "Choice", Type: "select", Required: true, Options: []option{{Value: "yes", Label: "Block directory information"}, {Value: "no", Label: "Allow it"}}},
			{Name: "reason", Label: "Why", Type: "textarea"}}}
}

func (s *site) directory(v *visit, in url.Values) (string, string, error) {
	blocked := sent(in, "blocked") == "yes"
	l, err := s.Consents.Choose(v.ctx(), v.who, v.r.PathValue("id"), blocked, sent(in, "reason"))
	return at(l.ID, "release"), chosen(blocked), err
}

func chosen(blocked bool) string {
	if blocked {
		return "blocked"
	}
	return "allowed"
}

// onAward is a form about one award.
func (s *site) onAward(f form, do access.Action) func(*visit) (form, error) {
	return func(v *visit) (form, error) {
		f := f
		a, title, err := s.awardAt(v)
		if err != nil {
			return f, err
		}
		f.About, f.Back = title, at(a.LearnerID, "awards")
		if err := v.may(do); err != nil || do != access.Withdraw {
			return f, err
		}
		return s.seenAward(v, f, a)
	}
}

// awardAt is the award in the address, and what it is called.
func (s *site) awardAt(v *visit) (assertion.Assertion, string, error) {
	a, err := s.Assertions.Find(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return a, "", err
	}
	title, err := s.called(v, a)
	return a, title, err
}

// called is an award by what it is of and whose it is.
func (s *site) called(v *visit, a assertion.Assertion) (string, error) {
	_, about, err := s.about(v, string(a.LearnerID))
	if err != nil {
		return "", err
	}
	versions, err := s.Achievements.Versions(v.ctx(), v.who, []achievement.Pin{a.Pin()})
	return isolated(versions[a.Pin()].Definition.Name) + " · " + about, err
}

func (s *site) correctForm(v *visit) (form, error) {
	a, title, err := s.awardAt(v)
	if err != nil {
		return form{}, err
	}
	f := assertion.Facts{AchievedOn: a.AchievedOn, Term: a.Term, Grade: a.Grade, CreditsEarned: a.CreditsEarned, Narrative: a.Narrative, Evidence: a.Evidence}
	if err := v.may(access.Award); err != nil {
		return form{}, err
	}
	return s.seenAward(v, form{Title: "Correct an award", About: title, Submit: "Correct it", Back: at(a.LearnerID, "awards"),
		Intro:  "What was signed stays as it was until it is issued anew. Only this award and the records that contain it need that.",
		Fields: append(factFields(f), reasonField)}, a)
}

// correct keeps what the form does not show.
func (s *site) correct(v *visit, in url.Values) (string, string, error) {
	f, err := factsIn(in)
	if err != nil {
		return "", "", err
	}
	a, err := s.Assertions.Find(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return "", "", err
	}
	f.Role, f.LicenseNumber, f.ActivityStartOn, f.ActivityEndOn = a.Role, a.LicenseNumber, a.ActivityStartOn, a.ActivityEndOn
	f.Results = slices.DeleteFunc(slices.Clone(a.Results), func(r assertion.Result) bool {
		return r.Description == achievement.GradeResult && r.Value == deref(a.Grade)
	}) // it follows the grade
	f.Evidence = evidence(a.Evidence, sent(in, "evidence"))
	if sent(in, "reason") == "" {
		return "", "", fault.At("reason", "required", "Say why it is corrected: it is kept in the history.")
	}
	a, err = s.Assertions.Correct(v.ctx(), v.who, string(a.ID), &a.Version, sent(in, "reason"), f)
	return at(a.LearnerID, "awards"), "corrected", err
}

// evidence is what there was, with another address for the first.
func evidence(had []assertion.Evidence, address string) []assertion.Evidence {
	if len(had) == 0 && address == "" {
		return nil
	}
	if len(had) == 0 {
		return []assertion.Evidence{{URL: address}}
	}
	all := append([]assertion.Evidence(nil), had...)
	all[0].URL = address
	if all[0] == (assertion.Evidence{}) || address == "" && all[0].Narrative == "" {
		all = all[1:]
	}
	return all
}

func (s *site) withdraw(v *visit, in url.Values) (string, string, error) {
	a, err := s.Assertions.Withdraw(v.ctx(), v.who, v.r.PathValue("id"), sent(in, "reason"))
	if err != nil {
		return "", "", err
	}
	id, err := s.credentialOf(v, a.ID)
	return s.reported(v, id, at(a.LearnerID, "awards")), "withdrawn", err
}

func (s *site) issue(v *visit, _ url.Values) (string, string, error) {
	c, err := s.Credentials.Issue(v.ctx(), v.who, nil, credential.Order{AssertionID: v.r.PathValue("id")})
	return at(c.LearnerID, "awards"), "issued", err
}

// onCredential is a form about one credential.
func (s *site) onCredential(f form, do access.Action) func(*visit) (form, error) {
	return func(v *visit) (form, error) {
		f := f
		c, about, err := s.credentialAt(v)
		if err != nil {
			return f, err
		}
		f.About, f.Back = about, at(c.LearnerID, "awards")
		if err := v.may(do); err != nil {
			return f, err
		}
		return s.seen(v, f, c.ID)
	}
}

// credentialAt is the credential in the address, and what it is called.
func (s *site) credentialAt(v *visit) (credential.Credential, string, error) {
	c, err := s.Credentials.Find(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return c, "", err
	}
	if c.AssertionID == nil {
		_, about, err := s.about(v, string(c.LearnerID))
		return c, about, err
	}
	a, err := s.Assertions.Find(v.ctx(), v.who, string(*c.AssertionID))
	if err != nil {
		return c, "", err
	}
	about, err := s.called(v, a)
	return c, about, err
}

func (s *site) revoke(v *visit, in url.Values) (string, string, error) {
	c, err := s.Credentials.Revoke(v.ctx(), v.who, nil, v.r.PathValue("id"), credential.Revocation{Cause: sent(in, "cause"), Reason: sent(in, "reason")})
	return s.reported(v, c.ID, at(c.LearnerID, "awards")), "revoked", err
}

func (s *site) suspend(v *visit, in url.Values) (string, string, error) {
	c, err := s.Credentials.Suspend(v.ctx(), v.who, nil, v.r.PathValue("id"), sent(in, "reason"))
	return at(c.LearnerID, "awards"), "suspended", err
}

func (s *site) lift(v *visit, in url.Values) (string, string, error) {
	c, err := s.Credentials.Lift(v.ctx(), v.who, nil, v.r.PathValue("id"), sent(in, "reason"))
	return at(c.LearnerID, "awards"), "lifted", err
}

func (s *site) reissue(v *visit, in url.Values) (string, string, error) {
	c, err := s.Credentials.Reissue(v.ctx(), v.who, nil, credential.Reissue{ID: v.r.PathValue("id"), Reason: sent(in, "reason")})
	return at(c.LearnerID, "awards"), "reissued", err
}
