package verify

import (
	"context"
	"fmt"
	"strings"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/trust"
)

// List is whom somebody who verifies knows: of these issuers those that are on it.
type List interface {
	Known(ctx context.Context, who access.Actor, issuers []string) (map[string]trust.Issuer, error)
}

// trust says of each issuer whether it is known who that is: an institution of
// this service, or one on the list of whoever asks. Anyone can make a key and call
// themselves a college.
func (s *Service) trust(ctx context.Context, who access.Actor, r *Report) error {
	if s.Trust == nil {
		return nil
	}
	var all []string
	r.each(func(r *Report) { all = append(all, r.IssuerID) })
	known, err := s.Trust.Known(ctx, who, all)
	if err != nil {
		return err
	}
	today := day.On(s.Now())
	r.each(func(r *Report) {
		if r.IssuerID != "" {
			r.add(s.known(known, r, today))
		}
	})
	r.settle()
	return nil
}

// each visits a report and those of what is in it.
func (r *Report) each(visit func(*Report)) {
	visit(r)
	for i := range r.Embedded {
		r.Embedded[i].each(visit)
	}
	for i := range r.Endorsements {
		r.Endorsements[i].each(visit)
	}
}

// settle makes the outcomes new, from the innermost outwards.
func (r *Report) settle() {
	for i := range r.Embedded {
		r.Embedded[i].settle()
	}
	for i := range r.Endorsements {
		r.Endorsements[i].settle()
	}
	r.Outcome = overall(r.Checks)
}

// proved is whether some proof holds, and none does not: only then is the
// signature the issuer's.
func (r *Report) proved() bool {
	return r.has("proof", Passed) && !r.has("proof", Failed) && !r.has("proof", NotChecked)
}

// known is whether an issuer is on the list. An issuer who is not is no failure:
// the signature is as good, and whose it is was not found out.
func (s *Service) known(all map[string]trust.Issuer, r *Report, today day.Date) Check {
	const clause = "VCDM 2.0 §8.1"
	if prefix, err := vc.DIDWeb(s.Origin + "/i"); err == nil && strings.HasPrefix(r.IssuerID, prefix+":") {
		if !r.proved() {
			return Check{"trust", NotChecked, "The issuer that it names is an institution of this service.", clause}
		}
		return Check{"trust", Passed, "The issuer is an institution of this service.", clause}
	}
	i, ok := all[r.IssuerID]
	if !ok {
		if !r.proved() {
			return Check{"trust", NotChecked, "The issuer is not in any registry you trust.", clause}
		}
		return Check{"trust", NotChecked, "The issuer is not in any registry you trust: the signature is the issuer's, and who that is was not found out.", clause}
	}
	on := today
	if r.ValidFrom != nil {
		on = day.On(*r.ValidFrom)
	}
	if !i.Knows(on) {
		return Check{"trust", NotChecked, fmt.Sprintf("The issuer is known to you as %s, but not for the day on which this was issued.", i.Name), clause}
	}
	return Check{"trust", Passed, fmt.Sprintf("The issuer is known to you as %s.", i.Name), clause}
}
