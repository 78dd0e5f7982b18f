package web

import (
	"net/http"
	"net/url"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/sharing"
)

// holdLine is a hold with whose it is, and the orders that it stops.
type holdLine struct {
	release.Hold
	Learner learner.Learner
	Orders  []sharing.Order
}

// holdLines are the holds of the institution, newest first.
type holdLines struct {
	All    []holdLine
	Show   string // open, lifted or all
	Reason string
	Term   string
	Ground []option // the reasons to choose from
	More   *string
	Query  string // what was asked for, for the next page
}

// holds are everything that the institution holds back.
func (s *site) holds(mux *http.ServeMux) {
	s.page(mux, "GET /desk/holds", staff, s.holdList)
}

func (s *site) holdList(v *visit) error {
	if err := v.may(access.ReadRelease); err != nil {
		return err
	}
	q := v.r.URL.Query()
	d := holdLines{Show: or(q.Get("show"), "open"), Reason: sent(q, "reason"), Term: sent(q, "term"), Ground: holdGrounds}
	f := release.Filter{Reason: optional(q, "reason"), Term: optional(q, "term")}
	switch d.Show {
	case "all":
	case "lifted":
		f.State = &d.Show
	default:
		d.Show = "open"
		f.State = &d.Show
	}
	d.Query = url.Values{"show": {d.Show}, "reason": {d.Reason}, "term": {d.Term}}.Encode()
	ctx, done := s.Audit.View(v.ctx(), v.who)
	defer done()
	all, err := s.Holds.List(ctx, v.who, f, many(q.Get("after")))
	if err != nil {
		return err
	}
	if all.PageInfo.HasNextPage {
		d.More = all.PageInfo.EndCursor
	}
	var of []learner.ID
	var ids []release.ID
	for _, h := range all.Nodes {
		of, ids = append(of, h.LearnerID), append(ids, h.ID)
	}
	who, err := s.Learners.ByIDs(ctx, v.who, of)
	if err != nil {
		return err
	}
	stopped, err := s.Shares.HeldBy(ctx, v.who, ids)
	if err != nil {
		return err
	}
	for _, h := range all.Nodes {
		d.All = append(d.All, holdLine{h, who[h.LearnerID], stopped[h.ID]})
	}
	return v.show(http.StatusOK, "holds", "Holds", d)
}
