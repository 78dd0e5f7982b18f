package web

import (
	"net/http"
	"net/url"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/transcript"
)

// documents are the prints of a record: whom one was made for, what became of it,
// and the page that whoever holds the paper checks it at.
func (s *site) documents(mux *http.ServeMux) {
	s.ask(mux, "/desk/records/{id}/print", s.printing(staff, "/desk"))
	s.ask(mux, "/me/records/{id}/print", s.printing(student, "/me"))
	s.page(mux, "GET /desk/documents/{id}/check", staff, s.toCheck)
	s.page(mux, "GET /me/documents/{id}/check", student, s.toCheck)
	s.ask(mux, "/desk/documents/{id}/revoke", asking{staff, func(v *visit) (form, error) {
		d, err := s.Documents.Find(v.ctx(), v.who, v.r.PathValue("id"))
		if err != nil {
			return form{}, err
		}
		_, about, err := s.about(v, string(d.LearnerID))
		if err != nil {
			return form{}, err
		}
		return form{Title: "Withdraw a print", About: about, Submit: "Withdraw it for good", Back: prints("/desk", d.RecordID), Danger: true,
			Intro: "Whoever checks the paper is told from now on that it is not to be relied on. The record stays as it is.", Fields: []field{reasonField}}, v.may(access.Revoke)
	}, func(v *visit, in url.Values) (string, string, error) {
		d, err := s.Documents.Revoke(v.ctx(), v.who, v.r.PathValue("id"), sent(in, "reason"))
		return prints("/desk", d.RecordID), "print-withdrawn", err
	}})
}

// prints is the page of a record, at its prints.
func prints(base string, of record.ID) string { return base + "/records/" + string(of) + "#prints" }

// printing is the form that makes a print.
func (s *site) printing(who need, base string) asking {
	return asking{who, func(v *visit) (form, error) {
		r, err := s.Records.Find(v.ctx(), v.who, v.r.PathValue("id"))
		if err != nil {
			return form{}, err
		}
		_, about, err := s.about(v, string(r.LearnerID))
		if err != nil {
			return form{}, err
		}
		return form{Title: "Make a print", About: about, Submit: "Make the PDF", Back: prints(base, r.ID),
			Intro: "A signed PDF with the signed record in it, and a code on its first page that leads to a page of its own: there anyone sees whether the paper still stands.",
			Fields: []field{
				{Name: "recipient", Label: "For whom", Help: "It is printed on it. Left empty, the print is for nobody in particular."},
				{Name: "paper", Label: "Paper", Type: "select", Required: true, Options: []option{{Value: transcript.Letter, Label: "Letter"}, {Value: transcript.A4, Label: "A4"}}},
			}}, v.may(access.MakeDocument)
	}, func(v *visit, in url.Values) (string, string, error) {
		d, err := s.Documents.Make(v.ctx(), v.who, nil, transcript.Making{RecordID: v.r.PathValue("id"), Paper: sent(in, "paper"), Recipient: sent(in, "recipient")})
		return prints(base, d.RecordID), "printed", err
	}}
}

// toCheck leads to the page that stands on a print.
func (s *site) toCheck(v *visit) error {
	at, err := s.Documents.Address(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.to(at)
}
