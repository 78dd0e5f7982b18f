package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
)

// graduations make the records of many learners at once, as a job.
func (s *site) graduations(mux *http.ServeMux) {
	s.ask(mux, "/desk/graduation", asking{staff, s.cohortForm, s.graduate})
}

func (s *site) cohortForm(v *visit) (form, error) {
	if err := v.may(access.Assemble); err != nil {
		return form{}, err
	}
	all, err := s.Programs.List(v.ctx(), v.who, program.Filter{}, many(""))
	if err != nil {
		return form{}, err
	}
	var programs []option
	for _, p := range all.Nodes {
		programs = append(programs, option{Value: p.Code, Label: p.Code + " · " + p.Title(), Other: true})
	}
	types, err := s.Records.Types(v.ctx(), v.who)
	if err != nil {
		return form{}, err
	}
	var kinds []option
	for _, t := range types {
		kinds = append(kinds, option{Value: t.Key, Label: t.Content.Title, Other: true})
	}
	return form{Title: "Graduate a cohort", Submit: "Make the records", Back: "/desk/imports",
		Intro: "A record is assembled and signed for each of them, in the background. Whoever has a current one keeps it; whoever cannot have one is listed with the reason.",
		Fields: []field{
			{Name: "completersOf", Label: "All who have completed", Type: "select", Options: programs, Help: "Of those who are enrolled. Or name them below."},
			{Name: "learnerIds", Label: "Numbers of learners", Type: "textarea", Help: "One on each line, as the system of record has them."},
			{Name: "system", Label: "System of record", Value: "sis", Help: "What the numbers belong to, such as your student information system."},
			{Name: "type", Label: "Kind of record", Type: "select", Required: true, Options: kinds, Value: record.Full},
			{Name: "programId", Label: "Program that the records are about", Type: "select", Options: programs, Help: "Only for a kind of record that is about one program."},
		}}, nil
}

func (s *site) graduate(v *visit, in url.Values) (string, string, error) {
	j, err := s.Exchange.Graduate(v.ctx(), v.who, nil, exchange.Cohort{Learners: strings.Fields(in.Get("learnerIds")), Completers: sent(in, "completersOf"),
		System: sent(in, "system"), Type: sent(in, "type"), Program: sent(in, "programId")})
	return "/desk/imports/" + j.ID, "graduation-started", err
}
