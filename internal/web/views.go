package web

import (
	"net/http"
	"net/url"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/page"
)

// views are who was shown a credential since it was issued, by itself or in a
// record: what a registrar looks at before it is revoked, and reports afterwards.
type views struct {
	ID    credential.ID
	Of    string // what the credential is called
	State string // of the credential; empty on the form that changes it
	Back  string
	Lines []disclosure.Line
	More  *string
}

func (s *site) viewing(mux *http.ServeMux) {
	s.page(mux, "GET /desk/credentials/{id}/views", staff, func(v *visit) error {
		if err := v.may(access.ReadRelease); err != nil {
			return err
		}
		c, about, err := s.credentialAt(v)
		if err != nil {
			return err
		}
		d, err := s.viewsOf(v, c.ID, many(v.r.URL.Query().Get("after")))
		if err != nil {
			return err
		}
		d.Of, d.State, d.Back = about, c.Status, at(c.LearnerID, "awards")
		return v.show(http.StatusOK, "views", "Who was shown it", d)
	})
	s.page(mux, "GET /desk/credentials/{id}/views.csv", staff, func(v *visit) error {
		if err := v.may(access.ExportDisclosures); err != nil {
			return err
		}
		c, err := s.Credentials.Find(v.ctx(), v.who, v.r.PathValue("id"))
		if err != nil {
			return err
		}
		id := string(c.ID)
		return v.account(disclosure.Filter{CredentialID: &id}, "views.csv")
	})
}

// viewsOf reads them; nil for who may not know.
func (s *site) viewsOf(v *visit, id credential.ID, a page.Args) (*views, error) {
	if !access.Allowed(v.who, access.ReadRelease) {
		return nil, nil
	}
	all, err := s.Disclosures.OfCredentials(v.ctx(), v.who, []string{string(id)}, a)
	if err != nil {
		return nil, err
	}
	d := &views{ID: id, Lines: all[string(id)].Nodes}
	if all[string(id)].PageInfo.HasNextPage {
		d.More = all[string(id)].PageInfo.EndCursor
	}
	return d, nil
}

// seen is a form that shows who was shown the credential that it changes.
func (s *site) seen(v *visit, f form, id credential.ID) (form, error) {
	var err error
	f.Views, err = s.viewsOf(v, id, page.Args{})
	return f, err
}

// seenAward is seen of the credential that an award has, if it has one.
func (s *site) seenAward(v *visit, f form, a assertion.Assertion) (form, error) {
	id, err := s.credentialOf(v, a.ID)
	if err != nil || id == "" {
		return f, err
	}
	return s.seen(v, f, id)
}

// credentialOf is the newest credential of an award; empty for none.
func (s *site) credentialOf(v *visit, a assertion.ID) (credential.ID, error) {
	signed, err := s.Credentials.OfAssertions(v.ctx(), v.who, []assertion.ID{a})
	if err != nil || len(signed[a]) == 0 {
		return "", err
	}
	return signed[a][0].ID, nil
}

// reported goes to the report of who was shown what is revoked or corrected now;
// or back, where there is nothing to report.
func (s *site) reported(v *visit, id credential.ID, back string) string {
	if id == "" || !access.Allowed(v.who, access.ReadRelease) {
		return back
	}
	return "/desk/credentials/" + url.PathEscape(string(id)) + "/views"
}
