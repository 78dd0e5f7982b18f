package sharing

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
)

// What an order waits for before it goes out, as PESC names delivery waits.
const (
	Now            = "now"
	UntilDate      = "date"
	UntilGrades    = "grades_posted"
	UntilDegree    = "degree_awarded"
	UntilTermEnds  = "term_ended"
	UntilSomething = "other"
)

// The states of an order.
const (
	Waiting   = "waiting" // for what it was ordered to wait for
	Held      = "held"    // in the queue of exceptions, for a reason
	Released  = "released"
	Cancelled = "cancelled"
)

// The reasons of an exception besides those of holds.
const (
	NothingToRelease = "no_record"
	NoConsent        = "consent" // it was withdrawn or has ended
)

// Order is a record that was ordered for a recipient.
type Order struct {
	ID        string
	LearnerID learner.ID
	Type      string // key of the record type
	Recipient string
	Address   *string
	Purpose   string
	Language  string
	ConsentID consent.ID
	Wait      string
	WaitOn    *day.Date
	InPart    bool // what is not held back may go out alone
	OrderedAt time.Time
	OrderedBy string
	State     string
	Reason    *string     // why it is held: the reason of a hold, no_record or consent
	HoldID    *release.ID // the hold that it waits for
	ShareID   *ID         // as which it went out
	SettledAt *time.Time
	SettledBy *string
	ChangedAt time.Time
}

// Wanted is an order to be made.
type Wanted struct {
	LearnerID string
	Type      string // empty: the full record
	Recipient string
	Address   string
	Purpose   string
	Language  string
	Wait      string // empty: now
	WaitOn    *day.Date
	InPart    bool
	Method    string // how the learner signed, where a registrar orders
	SignedOn  *day.Date
}

// check fills in what was left out, and says what is wrong.
func (w *Wanted) check() *fault.Error {
	if w.Wait == "" {
		w.Wait = Now
	}
	if w.Type == "" {
		w.Type = record.Full
	}
	switch {
	case !slices.Contains([]string{Now, UntilDate, UntilGrades, UntilDegree, UntilTermEnds, UntilSomething}, w.Wait):
		return fault.At("wait", "wait-known", "%q is nothing that an order waits for.", w.Wait)
	case (w.Wait == UntilDate) != (w.WaitOn != nil):
		return fault.At("waitOn", "wait-dated", "Name the day where the order waits for one, and only there.")
	case w.Recipient == "" && w.Address == "":
		return fault.At("recipient", "required", "Say for whom the record is ordered.")
	}
	return nil
}

// releasedFor is how long a released record can be opened.
const releasedFor = 90 * 24 * time.Hour

// Ordered is an order, with the link where it went out at once.
type Ordered struct {
	Order Order
	Link  *string
}

// Order orders a record for a recipient: a learner their own, or a registrar for
// a learner who signed elsewhere. Where the recipient has an e-mail address, the
// link goes there when it goes out. It goes out at once, or waits: for what it was
// told to wait for, or in the queue of exceptions with the reason.
func (s *Service) Order(ctx context.Context, who access.Actor, w Wanted) (Ordered, error) {
	if err := access.Check(who, access.OrderRecord); err != nil {
		return Ordered{}, err
	}
	if no := w.check(); no != nil {
		return Ordered{}, no
	}
	now := pg.Instant(s.Now())
	offer := Offer{Recipient: w.Recipient, Address: w.Address, Purpose: w.Purpose, Language: w.Language, Items: []Item{{}}}
	if no := offer.check(now); no != nil {
		return Ordered{}, no
	}
	o := Order{ID: s.NewID("ord"), Type: w.Type, Recipient: offer.Recipient, Purpose: offer.Purpose, Language: w.Language, Wait: w.Wait, WaitOn: w.WaitOn, InPart: w.InPart,
		OrderedAt: now, OrderedBy: who.ID, State: Waiting, ChangedAt: now}
	if o.Language == "" {
		o.Language = consent.English
	}
	if offer.Address != "" {
		o.Address = &offer.Address
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		c, err := consent.GiveInTx(ctx, tx, who, now, s.NewID, consent.Grant{LearnerID: w.LearnerID, Scope: consent.ToRecord, Items: []string{o.ID}, Purpose: o.Purpose,
			Party: offer.party(), Language: o.Language, Method: w.Method, SignedOn: w.SignedOn})
		if err != nil {
			return err
		}
		o.LearnerID, o.ConsentID = c.LearnerID, c.ID
		if err := insertOrder(ctx, tx, who, o); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.OrderRecord, Target: o.ID, Detail: map[string]any{"learner": o.LearnerID, "wait": o.Wait, "consent": o.ConsentID}})
	})
	if err != nil {
		return Ordered{}, err
	}
	return s.settle(ctx, access.SystemOf(who.InstitutionID, "release"), o.ID)
}

// settle lets an open order go out if nothing is in its way, and else writes
// down what is. What was decided is asked again in the transaction that lets it
// go.
func (s *Service) settle(ctx context.Context, system access.Actor, order string) (Ordered, error) {
	o, no, held, err := s.inTheWay(ctx, system, order)
	if err != nil || o.State == Released || o.State == Cancelled {
		return Ordered{Order: o}, err
	}
	if no.state != "" {
		o, err = s.park(ctx, system, o, no)
		return Ordered{Order: o}, err
	}
	made, err := s.assembled(ctx, system, o, held)
	if f, ok := fault.Of(err); ok && f.Rule == release.HeldBack {
		err = errMeanwhile
	} else if ok && f.Kind == fault.State {
		o, err = s.park(ctx, system, o, parked{state: Held, reason: NothingToRelease})
		return Ordered{Order: o}, err
	}
	if errors.Is(err, errMeanwhile) { // somebody placed a hold or cancelled: look again
		o, no, _, err = s.inTheWay(ctx, system, order)
		if err == nil && no.state != "" {
			o, err = s.park(ctx, system, o, no)
		}
		return Ordered{Order: o}, err
	}
	if err != nil {
		return Ordered{Order: o}, err
	}
	o, err = s.findOrder(ctx, system, order)
	return Ordered{o, &made.Link}, err
}

// parked is why an order does not go out now.
type parked struct {
	state  string
	reason string
	hold   *release.ID
}

// inTheWay is what keeps an order, and the terms that are left out of it where
// the rest may go out alone.
func (s *Service) inTheWay(ctx context.Context, system access.Actor, order string) (o Order, no parked, held []string, err error) {
	err = s.DB.Snapshot(ctx, system, func(tx pgx.Tx) error {
		if o, err = oneOrder(ctx, tx, system, order, ""); err != nil {
			return err
		}
		no, held, err = s.obstacle(ctx, tx, system, o)
		return err
	})
	return o, no, held, err
}

func (s *Service) obstacle(ctx context.Context, tx pgx.Tx, system access.Actor, o Order) (no parked, held []string, err error) {
	now := s.Now()
	if o.Wait != Now && (o.WaitOn == nil || o.WaitOn.After(day.On(now))) {
		return parked{state: Waiting}, nil, nil
	}
	c, err := consent.FindInTx(ctx, tx, system, o.ConsentID)
	if err != nil {
		return no, nil, err
	}
	if !c.InForce(now) {
		return parked{state: Held, reason: NoConsent}, nil, nil
	}
	holds, err := release.InTx(ctx, tx, system, o.LearnerID)
	if err != nil {
		return no, nil, err
	}
	terms, err := termsOf(ctx, tx, system, o.LearnerID)
	if err != nil {
		return no, nil, err
	}
	for _, h := range holds {
		if len(h.Terms) == 0 {
			return parked{Held, h.Reason, &h.ID}, nil, nil
		}
		for _, t := range h.Terms {
			if !slices.Contains(terms, t) || slices.Contains(held, t) {
				continue
			}
			if !o.InPart {
				return parked{Held, h.Reason, &h.ID}, nil, nil
			}
			held = append(held, t)
		}
	}
	return no, held, nil
}

// park writes down why an order waits, and that it was asked for in vain.
func (s *Service) park(ctx context.Context, system access.Actor, o Order, no parked) (Order, error) {
	same := o.State == no.state && (o.Reason == nil) == (no.reason == "") && (o.Reason == nil || *o.Reason == no.reason)
	if same {
		return o, nil
	}
	err := s.DB.Tenant(ctx, system, func(tx pgx.Tx) (err error) {
		if o, err = oneOrder(ctx, tx, system, o.ID, " for no key update"); err != nil || o.State == Released || o.State == Cancelled {
			return err
		}
		now := pg.Instant(s.Now())
		o.State, o.Reason, o.HoldID, o.ChangedAt = no.state, nil, no.hold, now
		if no.reason == "" {
			return setOrder(ctx, tx, system, o)
		}
		o.Reason = &no.reason
		if err := setOrder(ctx, tx, system, o); err != nil {
			return err
		}
		why := disclosure.OnHold
		if no.reason == NoConsent || no.reason == NothingToRelease {
			why = map[string]string{NoConsent: disclosure.NoConsent, NothingToRelease: disclosure.Unavailable}[no.reason]
		}
		return disclosure.Write(ctx, tx, system, disclosure.Line{ID: disclosure.ID(s.NewID("dsc")), LearnerID: o.LearnerID, At: now, Outcome: disclosure.Refused, Refusal: &why,
			Channel: disclosure.ByOrder, Party: o.Recipient, Purpose: o.Purpose, Basis: disclosure.OnNothing, SourceID: &o.ID, ActorID: system.ID})
	})
	return o, err
}

var errMeanwhile = errors.New("something came in the way of an order meanwhile")

// assembled makes the record of an order and the link as which it goes out.
func (s *Service) assembled(ctx context.Context, system access.Actor, o Order, held []string) (Made, error) {
	r, err := s.Records.AssembleAs(ctx, system, nil, string(o.LearnerID), record.Want{Type: o.Type, Held: record.LeftOut{Terms: held}})
	if err != nil {
		return Made{}, err
	}
	id, until := string(r.ID), s.Now().Add(releasedFor)
	offer := Offer{LearnerID: string(o.LearnerID), RecordID: &id, Recipient: o.Recipient, Purpose: o.Purpose, Language: o.Language, ExpiresAt: &until, Notify: true}
	if o.Address != nil {
		offer.Address = *o.Address
	}
	under := underConsent{id: o.ConsentID, order: &o.ID, then: func(tx pgx.Tx, sh Share) error {
		now, err := oneOrder(ctx, tx, system, o.ID, " for no key update")
		if err != nil {
			return err
		}
		no, also, err := s.obstacle(ctx, tx, system, now)
		if err != nil {
			return err
		}
		if no.state != "" || now.State == Released || now.State == Cancelled || !slices.Equal(also, held) {
			return errMeanwhile
		}
		at := pg.Instant(s.Now())
		now.State, now.Reason, now.HoldID, now.ShareID, now.SettledAt, now.SettledBy, now.ChangedAt = Released, nil, nil, &sh.ID, &at, &system.ID, at
		if err := setOrder(ctx, tx, system, now); err != nil || sh.Address == nil {
			return err
		}
		return s.tell(ctx, tx, system, message{ID: s.NewID("msg"), LearnerID: sh.LearnerID, ShareID: sh.ID, Kind: TellReleased, Channel: ByMail, AboutAt: at, Once: string(sh.ID) + "/released"})
	}}
	return s.create(ctx, system, offer, under)
}

// SettleFor looks again at the open orders of a learner, after a hold of theirs
// was lifted. It gives how many went out.
func (s *Service) SettleFor(ctx context.Context, who access.Actor, l learner.ID) (int, error) {
	return s.settleAll(ctx, who, &l)
}

// SettleDue looks again at every open order of the institution, such as those
// that wait for a day that has come. It gives how many went out.
func (s *Service) SettleDue(ctx context.Context, who access.Actor) (int, error) {
	return s.settleAll(ctx, who, nil)
}

func (s *Service) settleAll(ctx context.Context, who access.Actor, l *learner.ID) (int, error) {
	if err := access.Check(who, access.ManageHolds); err != nil {
		return 0, err
	}
	system := access.SystemOf(who.InstitutionID, "release")
	n := 0
	for behind := ""; ; {
		var ids []string
		err := s.DB.Snapshot(ctx, system, func(tx pgx.Tx) (err error) {
			ids, err = openOrders(ctx, tx, system, l, behind)
			return err
		})
		if err != nil || len(ids) == 0 {
			return n, err
		}
		for _, id := range ids {
			o, err := s.settle(ctx, system, id)
			if err != nil {
				return n, err
			}
			if o.Link != nil {
				n++
			}
			behind = id
		}
	}
}

// Met says that what an order waits for has come; it goes out, or into the queue
// of exceptions. State when it waits for nothing.
func (s *Service) Met(ctx context.Context, who access.Actor, order string) (Ordered, error) {
	if err := access.Check(who, access.ManageHolds); err != nil {
		return Ordered{}, err
	}
	err := s.changeOrder(ctx, who, order, "met", func(o *Order) *fault.Error {
		if o.State != Waiting {
			return &fault.Error{Kind: fault.State, Field: "id", Rule: "waiting", Message: "This order does not wait: it is " + o.State + "."}
		}
		o.Wait, o.WaitOn = Now, nil
		return nil
	})
	if err != nil {
		return Ordered{}, err
	}
	return s.settle(ctx, access.SystemOf(who.InstitutionID, "release"), order)
}

// Cancel takes an order back that has not gone out: learners their own, and
// registrars. The consent ends with it.
func (s *Service) Cancel(ctx context.Context, who access.Actor, order string) (Order, error) {
	if err := access.Check(who, access.OrderRecord); err != nil {
		return Order{}, err
	}
	err := s.changeOrder(ctx, who, order, "cancelled", func(o *Order) *fault.Error {
		if o.State != Waiting && o.State != Held {
			return &fault.Error{Kind: fault.State, Field: "id", Rule: "open", Message: "This order is " + o.State + " already. End the link that it became, if it has gone out."}
		}
		at := pg.Instant(s.Now())
		o.State, o.Reason, o.HoldID, o.SettledAt, o.SettledBy = Cancelled, nil, nil, &at, &who.ID
		return nil
	})
	if err != nil {
		return Order{}, err
	}
	return s.findOrder(ctx, who, order)
}

func (s *Service) changeOrder(ctx context.Context, who access.Actor, order, what string, decide func(*Order) *fault.Error) error {
	return s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		o, err := oneOrder(ctx, tx, who, order, " for no key update")
		if err != nil {
			return err
		}
		if no := decide(&o); no != nil {
			return no
		}
		now := pg.Instant(s.Now())
		o.ChangedAt = now
		if err := setOrder(ctx, tx, who, o); err != nil {
			return err
		}
		if o.State == Cancelled {
			if err := s.withdraw(ctx, tx, who, Share{ConsentID: o.ConsentID}, now); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.OrderRecord, Target: o.ID, Detail: map[string]any{"learner": o.LearnerID, "was": what}})
	})
}

func (s *Service) findOrder(ctx context.Context, who access.Actor, order string) (o Order, err error) {
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		o, err = oneOrder(ctx, tx, who, order, "")
		return err
	})
	return o, err
}

// FindOrder is one order: registrars see all, learners their own.
func (s *Service) FindOrder(ctx context.Context, who access.Actor, order string) (Order, error) {
	if err := access.Check(who, access.ReadRelease); err != nil {
		return Order{}, err
	}
	return s.findOrder(ctx, who, order)
}

// OrderFilter narrows a list.
type OrderFilter struct {
	State *string // held: the queue of exceptions
}

// Orders are what was ordered, oldest first: registrars see all, learners their
// own.
func (s *Service) Orders(ctx context.Context, who access.Actor, f OrderFilter, a page.Args) (page.Connection[Order], error) {
	var c page.Connection[Order]
	limit, after, _, err := page.Start[page.Moment](a)
	if err != nil {
		return c, err
	}
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := orders(ctx, tx, who, f, after, limit+1)
		c = page.Of(rows, limit, a, func(o Order) page.Moment { return page.Moment{At: o.OrderedAt, ID: o.ID} })
		return err
	})
	return c, err
}

// heldByOne is how many orders are told of each hold.
const heldByOne = 50

// HeldBy are the orders that each hold keeps back, oldest first, fifty of each.
func (s *Service) HeldBy(ctx context.Context, who access.Actor, holds []release.ID) (map[release.ID][]Order, error) {
	all := make(map[release.ID][]Order, len(holds))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := heldBy(ctx, tx, who, holds)
		for _, o := range rows {
			all[*o.HoldID] = append(all[*o.HoldID], o)
		}
		return err
	})
	return all, err
}

const orderColumns = `id, learner_id, type, recipient, address, purpose, language, consent_id, wait, wait_on, in_part, ordered_at, ordered_by, state, reason, hold_id,
	share_id, settled_at, settled_by, changed_at`

func insertOrder(ctx context.Context, tx pgx.Tx, who access.Actor, o Order) error {
	_, err := tx.Exec(ctx, `
		insert into record_order (institution_id, id, learner_id, type, recipient, address, purpose, language, consent_id, wait, wait_on, in_part, ordered_at,
			ordered_by, state, changed_at)
		values (@institution, @id, @learner, @type, @recipient, @address, @purpose, @language, @consent, @wait, @wait_on, @in_part, @at, @by, @state, @at)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": o.ID, "learner": o.LearnerID, "type": o.Type, "recipient": o.Recipient, "address": o.Address,
			"purpose": o.Purpose, "language": o.Language, "consent": o.ConsentID, "wait": o.Wait, "wait_on": o.WaitOn, "in_part": o.InPart, "at": o.OrderedAt,
			"by": o.OrderedBy, "state": o.State})
	return err
}

func setOrder(ctx context.Context, tx pgx.Tx, who access.Actor, o Order) error {
	_, err := tx.Exec(ctx, `
		update record_order
		set wait = @wait, wait_on = @wait_on, state = @state, reason = @reason, hold_id = @hold, share_id = @share, settled_at = @settled, settled_by = @by, changed_at = @at
		where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": o.ID, "wait": o.Wait, "wait_on": o.WaitOn, "state": o.State, "reason": o.Reason, "hold": o.HoldID,
			"share": o.ShareID, "settled": o.SettledAt, "by": o.SettledBy, "at": o.ChangedAt})
	return err
}

func oneOrder(ctx context.Context, tx pgx.Tx, who access.Actor, order, lock string) (Order, error) {
	rows, _ := tx.Query(ctx, `
		select `+orderColumns+`
		from record_order
		where institution_id = @institution and id = @id and (@only::text is null or learner_id = @only)`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": order, "only": who.OnlyLearner()})
	o, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Order])
	if errors.Is(err, pgx.ErrNoRows) {
		return o, fault.Missing("order")
	}
	return o, err
}

func orders(ctx context.Context, tx pgx.Tx, who access.Actor, f OrderFilter, after page.Moment, limit int) ([]Order, error) {
	rows, _ := tx.Query(ctx, `
		select `+orderColumns+`
		from record_order
		where institution_id = @institution and (@only::text is null or learner_id = @only) and (@state::text is null or state = @state)
		  and (@after::timestamptz is null or (ordered_at, id) > (@after, @id))
		order by ordered_at, id
		limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "only": who.OnlyLearner(), "state": f.State, "after": after.When(), "id": after.ID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Order])
}

func heldBy(ctx context.Context, tx pgx.Tx, who access.Actor, holds []release.ID) ([]Order, error) {
	rows, _ := tx.Query(ctx, `
		select `+orderColumns+`
		from (
			select *, row_number() over (partition by hold_id order by ordered_at, id) as place
			from record_order
			where institution_id = @institution and state = 'held' and hold_id = any(@holds) and (@only::text is null or learner_id = @only)) as o
		where place <= @limit
		order by ordered_at, id`, pgx.NamedArgs{"institution": who.InstitutionID, "holds": holds, "only": who.OnlyLearner(), "limit": heldByOne})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Order])
}

// openOrders are the next of those that have not gone out.
func openOrders(ctx context.Context, tx pgx.Tx, who access.Actor, l *learner.ID, behind string) ([]string, error) {
	rows, _ := tx.Query(ctx, `
		select id from record_order
		where institution_id = @institution and state in ('waiting', 'held') and (@learner::text is null or learner_id = @learner) and id > @behind
		order by id
		limit 100`, pgx.NamedArgs{"institution": who.InstitutionID, "learner": l, "behind": behind})
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// termsOf are the terms in which a learner earned something that stands.
func termsOf(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID) ([]string, error) {
	rows, _ := tx.Query(ctx, `
		select distinct term from assertion
		where institution_id = @institution and learner_id = @learner and withdrawn_at is null`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learner": l})
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
