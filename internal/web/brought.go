package web

import (
	"net/http"

	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
)

// deposits are what others issued to a learner, who brings it here.
func (s *site) deposits(mux *http.ServeMux) {
	s.page(mux, "GET /me/brought", student, func(v *visit) error { return s.broughtPage(v, nil) })
	s.page(mux, "POST /me/brought", student, s.bring)
	s.page(mux, "GET /me/brought/{id}/file", student, s.depositFile)
}

// broughtBy is what a learner brought, and why something was not kept.
type broughtBy struct {
	All   []deposit.Deposit
	More  *string
	Fault *fault.Error
}

func (s *site) broughtPage(v *visit, refused error) error {
	l := learner.ID(v.who.LearnerID)
	all, err := s.Deposits.OfLearners(v.ctx(), v.who, []learner.ID{l}, many(v.r.URL.Query().Get("after")))
	if err != nil {
		return err
	}
	d, code := broughtBy{All: all[l].Nodes}, http.StatusOK
	if all[l].PageInfo.HasNextPage {
		d.More = all[l].PageInfo.EndCursor
	}
	if refused != nil {
		d.Fault = v.understood(refused)
		code = statusOf[d.Fault.Kind]
	}
	return v.show(code, "brought", "From other issuers", d)
}

// maxBrought is how many files are brought at once: each may be asked about over
// the network.
const maxBrought = 20

// bring keeps what was sent, each on its own, up to the first that is not kept.
func (s *site) bring(v *visit) error {
	sent, err := v.material()
	if err == nil && len(sent) == 0 {
		err = fault.New(fault.Invalid, "Choose a file, or paste what you were given.")
	}
	if err == nil && len(sent) > maxBrought {
		err = fault.New(fault.Limit, "At most %d files are brought at once.", maxBrought)
	}
	for _, f := range sent {
		if err == nil {
			_, _, err = s.Deposits.Bring(v.ctx(), v.who, deposit.Brought{LearnerID: v.who.LearnerID, Material: f.Raw})
		}
	}
	if k := fault.KindOf(err); err != nil && k != fault.Internal && k != fault.Unavailable {
		return s.broughtPage(v, err)
	}
	if err != nil {
		return err
	}
	return v.done("/me/brought", "brought")
}

// depositFile is a deposit as it came, byte for byte.
func (s *site) depositFile(v *visit) error {
	id := deposit.ID(v.r.PathValue("id"))
	all, err := s.Deposits.ByIDs(v.ctx(), v.who, []deposit.ID{id})
	if err != nil {
		return err
	}
	d, ok := all[id]
	if !ok {
		return fault.Missing("deposit")
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/vc+ld+json")
	h.Set("Content-Disposition", `attachment; filename="credential.`+d.Format+`"`)
	if d.Format == "jwt" {
		h.Set("Content-Type", "application/vc+jwt")
	}
	_, _ = v.w.Write([]byte(d.Document)) // who went away does not hear of it
	return nil
}
