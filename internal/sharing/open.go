package sharing

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/wording"
)

// Opening is what a visitor brings.
type Opening struct {
	Token   string
	PIN     string
	Name    string     // who they say they are; may be empty
	Purpose string     // what they say they want it for; may be empty
	From    netip.Addr // where they ask from; only its network is kept
}

// The states of what is shown.
const (
	Current    = "current"
	Superseded = "superseded" // another took its place
	Revoked    = "revoked"    // the institution does not stand by it; it is not shown
	Withheld   = "withheld"   // the institution holds it back; it is not shown
)

// Shown is one credential of an opened share.
type Shown struct {
	CredentialID credential.ID
	State        string
	On           *time.Time // of the state, where it is another than current
	Derived      bool       // it is a part of the credential, by a derived proof
	Document     []byte     // signed; nil where it is not shown
}

// Opened is what a link shows.
type Opened struct {
	Share         Share
	Institution   institution.Institution
	Holder        string // whose it is, as they are called now
	Record        []byte // signed, of a share of a whole record; nil where a part of it is held back
	RecordVersion *int
	Partial       bool              // the institution has more of this learner than is shown
	LeftOut       []record.Omission // what that is, and why, where it is partial
	SupersededOn  *time.Time        // when another version took the record's place
	Items         []Shown           // of a share of items, or of a record of which a part is held back
	Presentation  []byte            // of all chosen items together, made for the recipient; nil where one is not shown
	Audience      string            // whom the presentation is made for; empty: whoever has the link
	Notice        string            // on passing on what was shown
	DisclosureID  disclosure.ID
}

// Peeked is what a link says before it is opened: nothing of the learner.
type Peeked struct {
	Institution institution.Institution
	State       string // Live, Ended, Expired or UsedUp
	Open        bool   // nobody is named
	NeedsPIN    bool
	ExpiresAt   time.Time
}

// Peek says whether there is something behind a link, and what it takes to open
// it. Nothing is shown, counted or written down. NotFound for a token that leads
// nowhere, Limit for an address that tried too many of them.
func (s *Service) Peek(ctx context.Context, who access.Actor, token string, from netip.Addr) (Peeked, error) {
	if err := access.Check(who, access.OpenShare); err != nil {
		return Peeked{}, err
	}
	var p Peeked
	err := s.tried(from, func() error {
		place, hash, ok := parseToken(token)
		if !ok {
			return noSuchLink()
		}
		system := access.SystemOf(place, "share")
		return s.DB.Snapshot(ctx, system, func(tx pgx.Tx) error {
			x, err := byToken(ctx, tx, system, hash)
			if err != nil {
				return unknown(err)
			}
			p = Peeked{State: x.State(s.Now()), Open: x.Share.Open, NeedsPIN: x.HasPIN, ExpiresAt: x.ExpiresAt}
			p.Institution, err = institution.InTx(ctx, tx, system)
			return err
		})
	})
	return p, err
}

func noSuchLink() error {
	return fault.New(fault.NotFound, "There is nothing behind this link. See whether it was copied whole, or ask the person who gave it to you.")
}

// unknown is what somebody is told whose token leads nowhere.
func unknown(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return noSuchLink()
	}
	return err
}

// tried runs one try of an address: it counts where nothing is found or a PIN is
// wrong.
func (s *Service) tried(from netip.Addr, do func() error) error {
	network := networkOf(from)
	if !s.failures.take(network, s.Now()) {
		return &fault.Error{Kind: fault.Limit, Rule: "too-many-tries", Message: "Too many links or PINs were tried from your address. Wait a few minutes and try again."}
	}
	err := do()
	if f, ok := fault.Of(err); !ok || f.Kind != fault.NotFound && f.Rule != disclosure.WrongPIN {
		s.failures.give(network, s.Now())
	}
	return err
}

// Open shows what is behind a link, and writes down that it did, or that it did
// not and why. NotFound for a token that leads nowhere; State when the link has
// come to its end, with the sentence for the visitor; Forbidden when a PIN is
// wanted or wrong, or the institution does not release it; Limit when too much
// was tried.
func (s *Service) Open(ctx context.Context, who access.Actor, in Opening) (Opened, error) {
	if err := access.Check(who, access.OpenShare); err != nil {
		return Opened{}, err
	}
	var no *fault.Error
	if in.Name, no = wording.Optional("name", in.Name, maxRecipient); no != nil {
		return Opened{}, no
	}
	if in.Purpose, no = wording.Optional("purpose", in.Purpose, maxPurpose); no != nil {
		return Opened{}, no
	}
	var out Opened
	err := s.tried(in.From, func() (err error) {
		place, hash, ok := parseToken(in.Token)
		if !ok {
			return noSuchLink()
		}
		out, err = s.open(ctx, access.SystemOf(place, "share"), who, in, hash)
		return err
	})
	return out, err
}

func (s *Service) open(ctx context.Context, system, visitor access.Actor, in Opening, hash []byte) (Opened, error) {
	pin, err := s.tryPIN(ctx, system, in.PIN, hash)
	if err != nil {
		return Opened{}, err
	}
	var out Opened
	var no *refusal
	err = s.DB.Brief(ctx, system, func(tx pgx.Tx, end *pgx.Batch) error {
		x, err := byToken(ctx, tx, system, hash)
		if err != nil {
			return unknown(err)
		}
		now := pg.Instant(s.Now())
		if out, no, err = s.show(ctx, tx, system, x, pin, now); err != nil {
			return err
		}
		line := out.line(x, visitor, in, now, no)
		line.ID = disclosure.ID(s.NewID("dsc"))
		out.DisclosureID = line.ID
		disclosure.Queue(end, system, line)
		if no != nil {
			return nil
		}
		institution.Queue(end, system, &out.Institution)
		if !x.NotifyOpenings {
			return nil
		}
		return s.tellOpened(ctx, tx, system, x.Share, now)
	})
	if err != nil {
		return Opened{}, err
	}
	if no != nil {
		return Opened{}, no.fault
	}
	return out, nil
}

// pinState is what came of a PIN.
type pinState int

const (
	pinNone pinState = iota
	pinRight
	pinWrong
	pinNoTries
)

// tryPIN looks whether the PIN is right. The try is taken off the share and
// committed before, whatever becomes of the rest.
func (s *Service) tryPIN(ctx context.Context, system access.Actor, pin string, hash []byte) (pinState, error) {
	if pin == "" {
		return pinNone, nil
	}
	var kept string
	err := s.DB.Tenant(ctx, system, func(tx pgx.Tx) (err error) {
		kept, err = try(ctx, tx, system, hash, pg.Instant(s.Now()))
		return err
	})
	if err != nil || kept == "" {
		return pinNoTries, err
	}
	s.hashing.Lock()
	defer s.hashing.Unlock()
	right, err := matchPIN(kept, pin)
	if right {
		return pinRight, err
	}
	return pinWrong, err
}

// decide is whether a share is shown, as far as that does not depend on its
// parts. What a visitor learns first is what costs the learner least: a wrong
// PIN is told before anything else of the share is.
func (x opening) decide(pin pinState, now time.Time) *refusal {
	switch {
	case x.HasPIN && pin == pinNone:
		return pinWanted()
	case x.HasPIN && pin == pinNoTries:
		return locked()
	case x.HasPIN && pin == pinWrong:
		return wrongPIN()
	}
	switch x.State(now) {
	case Ended:
		return ended()
	case Expired:
		return expired()
	case UsedUp:
		return usedUp()
	}
	switch {
	case x.Withdrawn, x.ConsentEnds != nil && !now.Before(*x.ConsentEnds):
		return withdrawn()
	case x.Blocked && x.Share.Open:
		return blocked()
	case x.Kind == OfRecord && x.Status != nil && *x.Status != credential.Active:
		return revoked(x.RevokedOn)
	}
	return nil
}

// show puts together what is shown, or says why nothing is.
func (s *Service) show(ctx context.Context, tx pgx.Tx, system access.Actor, x opening, pin pinState, now time.Time) (Opened, *refusal, error) {
	if no := x.decide(pin, now); no != nil {
		return Opened{}, no, nil
	}
	if x.PrintedName != x.DisplayName {
		on, err := s.outdatedSince(ctx, tx, system, x)
		return Opened{}, outdated(on), err
	}
	out := Opened{Share: x.Share, Holder: x.DisplayName, RecordVersion: x.RecordVersion, SupersededOn: x.SupersededOn, Notice: disclosure.Notice}
	if x.Partial != nil && *x.Partial {
		out.Partial, out.LeftOut = true, x.Omissions
	}
	no, err := s.fill(ctx, tx, system, x, &out)
	if err != nil || no != nil {
		return Opened{}, no, err
	}
	if x.MaxOpenings != nil {
		taken, err := count(ctx, tx, system, x.ID)
		if err != nil || !taken {
			return Opened{}, usedUp(), err
		}
		out.Share.Openings++
	}
	if pin == pinRight {
		if err := forgive(ctx, tx, system, x.ID); err != nil {
			return Opened{}, nil, err
		}
	}
	return out, nil, nil
}

// outdatedSince is since when a share calls the learner as they are no longer
// called: the day on which the record was replaced, else on which they were
// renamed.
func (s *Service) outdatedSince(ctx context.Context, tx pgx.Tx, system access.Actor, x opening) (time.Time, error) {
	if x.SupersededOn != nil {
		return *x.SupersededOn, nil
	}
	return renamedOn(ctx, tx, system, x.LearnerID)
}

// fill reads what is shown.
func (s *Service) fill(ctx context.Context, tx pgx.Tx, system access.Actor, x opening, out *Opened) (*refusal, error) {
	var holds []release.Hold
	var err error
	if x.Held {
		if holds, err = release.InTx(ctx, tx, system, x.LearnerID); err != nil {
			return nil, err
		}
	}
	if x.Kind == OfRecord && len(holds) == 0 {
		out.Record = []byte(*x.Document)
		return nil, nil
	}
	var all []shown
	if x.Kind == OfRecord {
		all, err = inRecord(ctx, tx, system, *x.RecordID)
	} else {
		all, err = ofShare(ctx, tx, system, x.ID)
	}
	if err != nil {
		return nil, err
	}
	if release.Withheld(holds) != nil { // everything is held back
		return held(), nil
	}
	terms, err := termsIn(ctx, tx, system, holds, all)
	if err != nil {
		return nil, err
	}
	visible := 0
	for _, it := range all {
		one := it.as(holds, terms[it.CredentialID])
		if one.Document != nil {
			visible++
		}
		out.Items = append(out.Items, one)
	}
	if x.Kind == OfRecord && visible == len(all) { // what is held back is not in it
		out.Record, out.Items = []byte(*x.Document), nil
		return nil, nil
	}
	switch {
	case visible == 0 && len(holds) > 0:
		return held(), nil
	case visible == 0:
		return revoked(all[0].RevokedOn), nil
	case visible < len(all):
		out.Partial, out.LeftOut = true, append(out.LeftOut, out.hidden()...)
	case x.Presentation != nil:
		out.Presentation = []byte(*x.Presentation)
		out.Audience = x.audience()
	}
	return nil, nil
}

// hidden is what is not shown of the chosen credentials, and why.
func (o Opened) hidden() (all []record.Omission) {
	for _, x := range []struct{ state, reason string }{
		{Withheld, "The institution does not release this at present."},
		{Revoked, "The institution took this back and does not stand by it."},
	} {
		n := 0
		for _, it := range o.Items {
			if it.State == x.state {
				n++
			}
		}
		if n > 0 {
			all = append(all, record.Omission{Reason: x.reason, Count: n})
		}
	}
	return all
}

// termsIn are the payment periods that credentials tell of, where something is
// held back at all.
func termsIn(ctx context.Context, tx pgx.Tx, who access.Actor, holds []release.Hold, all []shown) (map[credential.ID][]string, error) {
	if len(holds) == 0 {
		return nil, nil
	}
	ids := make([]credential.ID, len(all))
	for i, x := range all {
		ids[i] = x.CredentialID
	}
	return credential.TermsInTx(ctx, tx, who, ids)
}

// audience is whom the presentation was made for.
func (x opening) audience() string {
	switch {
	case x.Share.Open:
		return ""
	case x.Address != nil:
		return *x.Address
	}
	return x.Recipient
}

// as is a credential as it is shown.
func (x shown) as(holds []release.Hold, terms []string) Shown {
	one := Shown{CredentialID: x.CredentialID, State: Current, Derived: x.Derived != nil, Document: []byte(x.Document)}
	if x.Derived != nil {
		one.Document = []byte(*x.Derived)
	}
	switch {
	case release.Withheld(holds, terms...) != nil:
		one.State, one.Document = Withheld, nil
	case x.Status != credential.Active:
		one.State, one.On, one.Document = Revoked, x.RevokedOn, nil
	case x.SupersededOn != nil:
		one.State, one.On = Superseded, x.SupersededOn
	}
	return one
}

// line is what is written down of an opening.
func (o Opened) line(x opening, visitor access.Actor, in Opening, now time.Time, no *refusal) disclosure.Line {
	source := string(x.ID)
	l := disclosure.Line{LearnerID: x.LearnerID, At: now, Outcome: disclosure.Granted, Channel: disclosure.ByShare, Party: x.Recipient, Purpose: x.Purpose,
		Basis: disclosure.OnConsent, ConsentID: &x.ConsentID, SourceID: &source, ActorID: visitor.ID, Network: networkText(in.From)}
	if in.Name != "" {
		l.Party += " (says: " + in.Name + ")"
	}
	if in.Purpose != "" && !strings.EqualFold(in.Purpose, x.Purpose) {
		l.Purpose += " (says: " + in.Purpose + ")"
	}
	if no != nil {
		l.Outcome, l.Refusal, l.Basis, l.ConsentID = disclosure.Refused, &no.reason, disclosure.OnNothing, nil
		return l
	}
	if o.Record != nil {
		l.Items = []string{string(*x.RecordID), string(*x.CredentialID)}
	}
	for _, it := range o.Items {
		if it.Document != nil {
			l.Items = append(l.Items, string(it.CredentialID))
		}
	}
	return l
}

func networkText(a netip.Addr) string {
	if p := networkOf(a); p.IsValid() {
		return p.String()
	}
	return ""
}
