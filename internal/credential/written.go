package credential

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// Written is an Open Badges 3.0 credential that somebody wrote for this
// institution to issue: an award, in the form of what is to be signed. What the
// institution gives itself (id, dates, place in a status list, proof) is not in it.
type Written struct {
	URI        string                  // of the achievement
	Definition *openbadges.Achievement // nil: the achievement is named by its id alone
	ValidUntil *time.Time
	document   jsonld.Value
	told       openbadges.Credential
	achieved   day.Date
}

// given are the members that issuing gives a credential.
var given = []string{"id", "validFrom", "issuanceDate", "credentialStatus", "proof"}

// ReadWritten reads a credential that is to be issued. Invalid, with the path of
// the member, where it is none, or brings what issuing gives it.
func ReadWritten(raw []byte) (Written, error) {
	var w Written
	v, err := jsonld.Read(raw)
	if err != nil {
		return w, fault.At("", "json", "This is not a credential: %s.", strings.TrimPrefix(err.Error(), "JSON-LD: "))
	}
	types := v.Member("type").Texts()
	if !slices.Contains(types, "AchievementCredential") && !slices.Contains(types, "OpenBadgeCredential") {
		return w, fault.At("type", "type", "What is issued from a file is an Open Badges 3.0 AchievementCredential; this is none.")
	}
	for _, m := range given {
		if !v.Member(m).IsZero() {
			return w, fault.At(m, "given", "Leave %s out: the service gives it to what it issues.", m)
		}
	}
	for _, c := range v.Member("@context").Elements() {
		if text, _ := c.Text(); text != openbadges.ContextCredentials && !strings.HasPrefix(text, contextsOfOpenBadges) {
			return w, fault.At("@context", "context", "What is issued has the contexts of VCDM 2.0 and Open Badges 3.0; with another, or an older one, its terms could mean something else.")
		}
	}
	subject := v.Member("credentialSubject").One()
	if !subject.IsObject() {
		return w, fault.At("credentialSubject", "required", "The credential says nothing of anybody: it has no subject.")
	}
	w.document = v
	achievement := subject.Member("achievement").One()
	if w.URI, _ = achievement.Member("id").Text(); w.URI == "" {
		return w, fault.At("credentialSubject.achievement.id", "required", "The achievement needs an id: its address, by which it is found again.")
	}
	if achievement.Len() > 1 {
		d, problems := openbadges.ParseAchievement(withType(achievement))
		if len(problems) > 0 {
			p := problems[0]
			return w, fault.At(p.Field, p.Rule, "%s", p.Message).Within("credentialSubject.achievement")
		}
		w.Definition = &d
	}
	if err := json.Unmarshal(asOne(v), &w.told); err != nil {
		var misfit *json.UnmarshalTypeError
		if errors.As(err, &misfit) {
			return w, fault.At(misfit.Field, "type", "A %s cannot stand here.", misfit.Value)
		}
		return w, fault.At("", "type", "A value in it is of the wrong kind: %v.", err)
	}
	if text, ok := v.Member("validUntil").Text(); ok {
		until, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return w, fault.At("validUntil", "instant", "%q is not an instant with its offset, such as 2027-06-30T00:00:00Z.", text)
		}
		w.ValidUntil = &until
	}
	if w.achieved, err = dayIn(w.told.AwardedDate); err != nil || w.achieved.IsZero() {
		return w, fault.At("awardedDate", "required", "Say when it was achieved, such as 2026-05-31T00:00:00Z.")
	}
	return w, nil
}

const contextsOfOpenBadges = "https://purl.imsglobal.org/spec/ob/v3p0/context"

// withType is an achievement with its type, which in its place is plain.
func withType(achievement jsonld.Value) []byte {
	if !achievement.Member("type").IsZero() {
		return achievement.Raw()
	}
	raw := achievement.Raw()
	return append([]byte(`{"type":["Achievement"],`), raw[1:]...)
}

// asOne is the part of a credential that becomes facts, with one subject. What
// else it says is compared with what is to be signed.
func asOne(v jsonld.Value) []byte {
	all := map[string]json.RawMessage{}
	for _, m := range []string{"awardedDate", "evidence"} {
		if !v.Member(m).IsZero() {
			all[m] = v.Member(m).Raw()
		}
	}
	subject := map[string]json.RawMessage{}
	for m, x := range v.Member("credentialSubject").One().Members() {
		if m != "achievement" && m != "source" && m != "image" {
			subject[m] = x.Raw()
		}
	}
	all["credentialSubject"], _ = json.Marshal(subject)
	raw, _ := json.Marshal(all) // text and what was read
	return raw
}

func dayIn(instant string) (day.Date, error) {
	if len(instant) < len(time.DateOnly) {
		return day.Date{}, nil
	}
	return day.Parse(instant[:len(time.DateOnly)])
}

// Facts are what it says of the award of an achievement, which is published at
// uri in this definition.
func (w Written) Facts(d openbadges.Achievement, uri string) (assertion.Facts, error) {
	s := w.told.CredentialSubject
	f := assertion.Facts{AchievedOn: w.achieved, Term: s.Term, CreditsEarned: s.CreditsEarned, Narrative: some(s.Narrative), Role: some(s.Role), LicenseNumber: some(s.LicenseNumber)}
	for _, at := range []struct {
		field, text string
		to          **day.Date
	}{{"activityStartDate", s.ActivityStartDate, &f.ActivityStartOn}, {"activityEndDate", s.ActivityEndDate, &f.ActivityEndOn}} {
		on, err := dayIn(at.text)
		if err != nil {
			return f, fault.At("credentialSubject."+at.field, "instant", "%q is not an instant such as 2026-05-31T00:00:00Z.", at.text)
		}
		if !on.IsZero() {
			*at.to = &on
		}
	}
	for _, r := range s.Result {
		f.Results = append(f.Results, assertion.Result{Description: local(d, uri, r.ResultDescription), Level: local(d, uri, r.AchievedLevel), Value: r.Value, Status: r.Status})
	}
	for _, e := range w.told.Evidence {
		f.Evidence = append(f.Evidence, assertion.Evidence{URL: e.ID, Name: e.Name, Description: e.Description, Narrative: e.Narrative, Genre: e.Genre})
	}
	return f, nil
}

func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// local is the id of a part as the definition has it: a fragment, where the
// definition names it so, or the whole address.
func local(d openbadges.Achievement, uri, part string) string {
	short, ok := strings.CutPrefix(part, uri+"#")
	if !ok {
		return part
	}
	for _, r := range d.ResultDescription {
		if r.ID == short || slices.ContainsFunc(r.RubricCriterionLevel, func(l openbadges.RubricCriterionLevel) bool { return l.ID == short }) {
			return short
		}
	}
	return part
}

// Told refuses an award whose credential would not tell everything that was
// written: nothing is left out silently. The fault names the first member.
func (w Written) Told(a Award) error {
	raw, err := a.Compose("", "")
	if err != nil {
		return err
	}
	composed, err := jsonld.Read(raw)
	if err != nil {
		return err
	}
	for m, x := range w.document.Members() {
		if m == "@context" || m == "type" || m == "validUntil" {
			continue
		}
		if at := lost(x, composed.Member(m), m); at != "" {
			return fault.At(at, "told", "What would be signed does not say this, or says otherwise. It is the institution's own profile, the learner as they are on file, the achievement as it is defined, and the facts of one award: correct the file or what is on file.")
		}
	}
	return nil
}

// days are the members of which only the day is kept.
var days = []string{"awardedDate", "activityStartDate", "activityEndDate"}

// lost is the path of the first part of a value that another does not say; ""
// when it says all of it.
func lost(in, out jsonld.Value, path string) string {
	if out.IsZero() {
		return path
	}
	if in.IsArray() || out.IsArray() {
		a, b := elements(in), elements(out)
		if len(a) != len(b) {
			return path
		}
		for i := range a {
			if at := lost(a[i], b[i], path+"."+strconv.Itoa(i)); at != "" {
				return at
			}
		}
		return ""
	}
	if in.IsObject() {
		for m, x := range in.Members() {
			if at := lost(x, out.Member(m), path+"."+m); at != "" {
				return at
			}
		}
		if !out.IsObject() {
			return path
		}
		return ""
	}
	if !alike(in, out, path[strings.LastIndexByte(path, '.')+1:]) {
		return path
	}
	return ""
}

func elements(v jsonld.Value) (all []jsonld.Value) {
	for _, e := range v.Elements() {
		all = append(all, e)
	}
	return all
}

// alike reports whether two plain values say the same.
func alike(a, b jsonld.Value, name string) bool {
	if x, ok := a.Text(); ok {
		y, ok := b.Text()
		if slices.Contains(days, name) && len(x) >= 10 && len(y) >= 10 {
			x, y = x[:10], y[:10]
		}
		return ok && x == y
	}
	x, okX := a.Number()
	y, okY := b.Number()
	if okX && okY {
		m, errM := strconv.ParseFloat(x, 64)
		n, errN := strconv.ParseFloat(y, 64)
		return errM == nil && errN == nil && m == n
	}
	return okX == okY && string(a.Raw()) == string(b.Raw())
}
