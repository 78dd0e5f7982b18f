package web

import (
	"net/http"
	"net/url"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/sharing"
)

// orders are records that were ordered for a recipient: the learner's own, and at
// the desk the queue of those that something keeps back.
func (s *site) orders(mux *http.ServeMux) {
	s.page(mux, "GET /desk/orders", staff, func(v *visit) error { return s.orderList(v, "/desk") })
	s.page(mux, "GET /me/orders", student, func(v *visit) error { return s.orderList(v, "/me") })
	s.ask(mux, "/me/orders/new", asking{student, func(v *visit) (form, error) {
		return s.orderForm(v, "", "/me/orders", nil)
	}, func(v *visit, in url.Values) (string, string, error) {
		return s.order(v, v.who.LearnerID, in, "/me/orders")
	}})
	s.ask(mux, "/desk/learners/{id}/order", asking{staff, func(v *visit) (form, error) {
		l, about, err := s.about(v, v.r.PathValue("id"))
		if err != nil {
			return form{}, err
		}
		return s.orderForm(v, about, at(l.ID, "release"), []field{
			{Name: "method", Label: "How the learner consented", Type: "select", Required: true, Options: []option{{Value: consent.BySignature, Label: "Signed on paper"}, {Value: consent.ByElectronic, Label: "Signed electronically, elsewhere"}}},
			{Name: "signedOn", Label: "Signed on", Type: "date", Required: true, Value: day.On(s.Now()).String()}})
	}, func(v *visit, in url.Values) (string, string, error) {
		return s.order(v, v.r.PathValue("id"), in, at(learner.ID(v.r.PathValue("id")), "release"))
	}})
	s.ask(mux, "/desk/orders/{id}/cancel", s.cancelling(staff, "/desk/orders?show=all"))
	s.ask(mux, "/me/orders/{id}/cancel", s.cancelling(student, "/me/orders"))
	s.ask(mux, "/desk/orders/{id}/met", asking{staff, func(v *visit) (form, error) {
		about, err := s.orderAt(v)
		if err != nil {
			return form{}, err
		}
		return form{Title: "What it waits for has come", About: about, Submit: "Let it go out", Back: "/desk/orders?show=waiting",
			Intro: "The record is assembled as it stands now and goes out, unless something else keeps it back."}, v.may(access.ManageHolds)
	}, func(v *visit, _ url.Values) (string, string, error) {
		o, err := s.Shares.Met(v.ctx(), v.who, v.r.PathValue("id"))
		if err != nil {
			return "", "", err
		}
		return s.ordered(v, o, "/desk/orders?show=all")
	}})
}

// cancelling takes an order back.
func (s *site) cancelling(who need, back string) asking {
	return asking{who, func(v *visit) (form, error) {
		about, err := s.orderAt(v)
		if err != nil {
			return form{}, err
		}
		return form{Title: "Take an order back", About: about, Submit: "Take it back", Back: back, Danger: true, Intro: "Nothing goes out, and the consent to it ends."}, v.may(access.OrderRecord)
	}, func(v *visit, _ url.Values) (string, string, error) {
		_, err := s.Shares.Cancel(v.ctx(), v.who, v.r.PathValue("id"))
		return back, "order-cancelled", err
	}}
}

// orderAt is the order in the address, as it is called: for whom, of what, and at
// the desk whose.
func (s *site) orderAt(v *visit) (string, error) {
	o, err := s.Shares.FindOrder(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return "", err
	}
	titles, err := s.typeTitles(v)
	about := isolated(o.Recipient) + " · " + isolated(or(titles[o.Type], o.Type))
	if err != nil || !v.in.Staff() {
		return about, err
	}
	_, whose, err := s.about(v, string(o.LearnerID))
	return about + " · " + whose, err
}

// waits are what an order may wait for.
var waits = []option{
	{Value: sharing.Now, Label: "Nothing: now"}, {Value: sharing.UntilDate, Label: "A day"}, {Value: sharing.UntilGrades, Label: "Grades that are to be posted"},
	{Value: sharing.UntilDegree, Label: "A degree that is to be awarded"}, {Value: sharing.UntilTermEnds, Label: "The end of the term"}, {Value: sharing.UntilSomething, Label: "Something else"},
}

func (s *site) orderForm(v *visit, about, back string, more []field) (form, error) {
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
	submit := "Consent and order"
	if v.in.Staff() {
		submit = "Order it"
	}
	return form{Title: "Order a record", About: about, Submit: submit, Back: back,
		Intro: "The record is assembled and goes out as a link for the recipient alone, for 90 days. While something keeps it back the order waits, and it is not to be ordered again.",
		Fields: append([]field{
			{Name: "type", Label: "Kind of record", Type: "select", Required: true, Options: offered, Value: record.Full},
			{Name: "recipient", Label: "For whom", Help: "A school, an employer, or a person."},
			{Name: "address", Label: "Their e-mail address", Type: "email"},
			{Name: "purpose", Label: "What for", Required: true},
			{Name: "wait", Label: "What it waits for", Type: "select", Required: true, Options: waits},
			{Name: "waitOn", Label: "The day that it waits for", Type: "date"},
			{Name: "inPart", Label: "What is not held back may go out alone", Type: "checkbox"},
		}, more...)}, v.may(access.OrderRecord)
}

func (s *site) order(v *visit, whose string, in url.Values, back string) (string, string, error) {
	on, err := dated(in, "waitOn")
	if err != nil {
		return "", "", err
	}
	signed, err := dated(in, "signedOn")
	if err != nil {
		return "", "", err
	}
	o, err := s.Shares.Order(v.ctx(), v.who, sharing.Wanted{LearnerID: whose, Type: sent(in, "type"), Recipient: sent(in, "recipient"), Address: sent(in, "address"), Purpose: sent(in, "purpose"),
		Language: v.lang, Wait: sent(in, "wait"), WaitOn: on, InPart: in.Get("inPart") != "", Method: sent(in, "method"), SignedOn: signed})
	if err != nil {
		return "", "", err
	}
	return s.ordered(v, o, back)
}

// ordered shows the link of an order that went out, once; else it goes back to
// the list.
func (s *site) ordered(v *visit, o sharing.Ordered, back string) (string, string, error) {
	if o.Link == nil {
		return back, "ordered", nil
	}
	return "", "", v.show(http.StatusOK, "share-made", "Your link", linkMade{Link: *o.Link, To: back})
}

// linkMade is a link, which is shown once, and where to go on to.
type linkMade struct {
	Link string
	To   string
}

// orderLine is an order with whose it is and what of.
type orderLine struct {
	sharing.Order
	Learner learner.Learner
	Title   string // of the kind of record
}

// Open reports whether it can still be taken back.
func (o orderLine) Open() bool { return o.State == sharing.Waiting || o.State == sharing.Held }

// orderLines are orders, the oldest first.
type orderLines struct {
	All  []orderLine
	Show string // held, waiting or all
	Base string
	More *string
}

// shownOrders are the states that the desk looks at, by their name in the
// address.
var shownOrders = map[string]string{"held": sharing.Held, "waiting": sharing.Waiting}

func (s *site) orderList(v *visit, base string) error {
	d := orderLines{Show: v.r.URL.Query().Get("show"), Base: base}
	var f sharing.OrderFilter
	if base == "/desk" {
		if err := v.may(access.ReadRelease); err != nil {
			return err
		}
		d.Show = or(d.Show, "held")
		if state, ok := shownOrders[d.Show]; ok {
			f.State = &state
		}
	}
	all, err := s.Shares.Orders(v.ctx(), v.who, f, many(v.r.URL.Query().Get("after")))
	if err != nil {
		return err
	}
	if all.PageInfo.HasNextPage {
		d.More = all.PageInfo.EndCursor
	}
	titles, err := s.typeTitles(v)
	if err != nil {
		return err
	}
	var ids []learner.ID
	for _, o := range all.Nodes {
		ids = append(ids, o.LearnerID)
	}
	who, err := s.Learners.ByIDs(v.ctx(), v.who, ids)
	if err != nil {
		return err
	}
	for _, o := range all.Nodes {
		d.All = append(d.All, orderLine{o, who[o.LearnerID], or(titles[o.Type], o.Type)})
	}
	if base == "/me" {
		return v.show(http.StatusOK, "my-orders", "My orders", d)
	}
	return v.show(http.StatusOK, "orders", "Orders", d)
}
