package sharing_test

import (
	"context"
	"sync"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/sharing"
)

func (b *bench) order(change func(*sharing.Wanted)) sharing.Ordered {
	b.t.Helper()
	w := sharing.Wanted{LearnerID: string(b.ada), Recipient: "Graduate School", Purpose: "Admission"}
	if change != nil {
		change(&w)
	}
	o, err := b.Shares.Order(context.Background(), b.own, w)
	b.ok(err)
	return o
}

func (b *bench) place(p release.Placement) release.Hold {
	b.t.Helper()
	p.LearnerID = string(b.ada)
	h, err := b.Holds.Place(context.Background(), b.Registrar(), p)
	b.ok(err)
	return h
}

func (b *bench) lift(h release.Hold) int {
	b.t.Helper()
	_, err := b.Holds.Lift(context.Background(), b.Registrar(), string(h.ID), "paid")
	b.ok(err)
	n, err := b.Shares.SettleFor(context.Background(), b.As(access.System), b.ada)
	b.ok(err)
	return n
}

func (b *bench) orders(state string) []sharing.Order {
	b.t.Helper()
	c, err := b.Shares.Orders(context.Background(), b.Registrar(), sharing.OrderFilter{State: &state}, page.Args{})
	b.ok(err)
	return c.Nodes
}

// TestAnOrderWaitsForAHoldAndGoesOutWhenItIsLifted is scenario 6.
func TestAnOrderWaitsForAHoldAndGoesOutWhenItIsLifted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.place(release.Placement{Reason: release.RequestedAction, Note: "Bring back the library's books."})
	o := b.order(nil)
	if o.Link != nil || o.Order.State != sharing.Held || *o.Order.Reason != release.RequestedAction || *o.Order.HoldID != h.ID || o.Order.ShareID != nil {
		t.Fatalf("%+v", o)
	}
	if q := b.orders(sharing.Held); len(q) != 1 || q[0].ID != o.Order.ID {
		t.Errorf("the queue of exceptions: %+v", q)
	}
	lines, err := b.Disclosures.OfSources(t.Context(), b.own, []string{o.Order.ID}, page.Args{})
	if l := lines[o.Order.ID].Nodes; err != nil || len(l) != 1 || *l[0].Refusal != disclosure.OnHold {
		t.Errorf("what was asked for in vain: %+v %v", l, err)
	}
	if n, err := b.Shares.SettleDue(t.Context(), b.As(access.System)); err != nil || n != 0 {
		t.Error("it went out before the hold was lifted", n, err)
	}
	if n := b.lift(h); n != 1 || len(b.orders(sharing.Held)) != 0 {
		t.Errorf("%d went out", n)
	}
	out := b.orders(sharing.Released)
	if len(out) != 1 || out[0].ID != o.Order.ID || out[0].ShareID == nil || out[0].ConsentID != o.Order.ConsentID {
		t.Fatalf("%+v", out)
	}
	m, err := b.Shares.Renew(t.Context(), b.own, string(*out[0].ShareID))
	b.ok(err)
	if got, err := b.open(opening(m)); err != nil || got.Record == nil || got.Share.Recipient != "Graduate School" {
		t.Error(got, err)
	}
	if n, err := b.Shares.SettleDue(t.Context(), b.As(access.System)); err != nil || n != 0 {
		t.Error("it went out twice", n, err)
	}
}

func TestWhatIsPaidForGoesOutAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.place(release.Placement{Reason: release.Financial, Terms: []string{"2026SP", "2030FA"}})
	whole, part := b.order(nil), b.order(func(w *sharing.Wanted) { w.InPart = true })
	if whole.Order.State != sharing.Held || *whole.Order.Reason != release.Financial {
		t.Errorf("%+v", whole.Order)
	}
	if part.Order.State != sharing.Released || part.Link == nil {
		t.Fatalf("%+v", part.Order)
	}
	o, err := b.open(opening(sharing.Made{Link: *part.Link}))
	b.ok(err)
	if !o.Partial || o.Record == nil || len(o.Items) != 0 {
		t.Errorf("%+v", o)
	}
	report, err := b.Shares.Verdict(t.Context(), access.Anonymous(), o)
	if b.ok(err); len(report.Embedded) != 1 {
		t.Errorf("%d credentials", len(report.Embedded))
	}
	if n := b.lift(h); n != 1 {
		t.Error(n)
	}
	// A hold for a term in which nothing was earned is in nobody's way.
	b.place(release.Placement{Reason: release.Financial, Terms: []string{"2019FA"}})
	if o := b.order(nil); o.Order.State != sharing.Released {
		t.Errorf("%+v", o.Order)
	}
}

func TestAnOrderWaitsForItsDay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tomorrow := day.On(b.clock).AddDays(1)
	dated := b.order(func(w *sharing.Wanted) { w.Wait, w.WaitOn = sharing.UntilDate, &tomorrow })
	grades := b.order(func(w *sharing.Wanted) { w.Wait = sharing.UntilGrades })
	if dated.Order.State != sharing.Waiting || grades.Order.State != sharing.Waiting {
		t.Fatalf("%+v %+v", dated, grades)
	}
	settle := func(want int) {
		t.Helper()
		if n, err := b.Shares.SettleDue(t.Context(), b.As(access.System)); err != nil || n != want {
			t.Errorf("%d went out, want %d: %v", n, want, err)
		}
	}
	settle(0)
	b.clock = b.clock.AddDate(0, 0, 1)
	settle(1)
	if o, err := b.Shares.Met(t.Context(), b.Registrar(), grades.Order.ID); err != nil || o.Order.State != sharing.Released {
		t.Error(o, err)
	}
	if _, err := b.Shares.Met(t.Context(), b.Registrar(), grades.Order.ID); fault.KindOf(err) != fault.State {
		t.Error(err)
	}
}

func TestAnOrderThatCannotGoOutSaysWhy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	nobody, err := b.Learners.Define(t.Context(), b.Registrar(), learner.Definition{DisplayName: "Nobody"})
	b.ok(err)
	empty, err := b.Shares.Order(t.Context(), b.Registrar(), sharing.Wanted{LearnerID: string(nobody.ID), Recipient: "X", Purpose: "x", Method: consent.BySignature})
	if err != nil || empty.Order.State != sharing.Held || *empty.Order.Reason != sharing.NothingToRelease {
		t.Errorf("%+v %v", empty, err)
	}
	if _, err := b.Shares.Order(t.Context(), b.Registrar(), sharing.Wanted{LearnerID: string(b.ada), Recipient: "X", Purpose: "x"}); fault.KindOf(err) != fault.Invalid {
		t.Error("a registrar ordered without a signature", err)
	}
	waiting := b.order(func(w *sharing.Wanted) { w.Wait = sharing.UntilDegree })
	_, err = b.Consents.Withdraw(t.Context(), b.own, string(waiting.Order.ConsentID), "")
	b.ok(err)
	if o, err := b.Shares.Met(t.Context(), b.Registrar(), waiting.Order.ID); err != nil || o.Order.State != sharing.Held || *o.Order.Reason != sharing.NoConsent {
		t.Errorf("%+v %v", o, err)
	}
	again := b.order(func(w *sharing.Wanted) { w.Wait = sharing.UntilDegree })
	if o, err := b.Shares.Cancel(t.Context(), b.own, again.Order.ID); err != nil || o.State != sharing.Cancelled {
		t.Error(o, err)
	}
	if c, err := b.Consents.Find(t.Context(), b.own, string(again.Order.ConsentID)); err != nil || c.WithdrawnAt == nil {
		t.Error("the consent outlives the order", err)
	}
	if _, err := b.Shares.Met(t.Context(), b.Registrar(), again.Order.ID); fault.KindOf(err) != fault.State {
		t.Error(err)
	}
}

// TestAnOrderGoesOutOnce has many settle it at one moment.
func TestAnOrderGoesOutOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.place(release.Placement{Reason: release.Other})
	b.order(nil)
	_, err := b.Holds.Lift(t.Context(), b.Registrar(), string(h.ID), "done")
	b.ok(err)
	var all sync.WaitGroup
	var mu sync.Mutex
	out := 0
	for range 6 {
		all.Go(func() {
			n, err := b.Shares.SettleFor(context.Background(), b.As(access.System), b.ada)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			out += n
			mu.Unlock()
		})
	}
	all.Wait()
	shares, err := b.Shares.OfLearners(t.Context(), b.own, []learner.ID{b.ada}, page.Args{})
	if b.ok(err); out != 1 || len(shares[b.ada].Nodes) != 1 {
		t.Errorf("it went out %d times, as %d links", out, len(shares[b.ada].Nodes))
	}
}
