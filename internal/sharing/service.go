package sharing

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mail"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/verify"
)

// Service makes shares and opens them.
type Service struct {
	DB       *pg.DB
	Now      func() time.Time
	NewID    id.Source
	Keys     *keyring.Service
	Records  *record.Service // that assembles what is ordered
	Verifier *verify.Service
	Holds    *release.Service
	Outbox   *event.Outbox
	Mail     *mail.Sender // nil: mails wait
	Webhooks Poster       // nil: there are none
	Origin   string       // that links begin with, without a slash at the end

	hashing  sync.Mutex // a PIN takes 19 MB to hash: one at a time
	failures failures   // of each address
}

// Made is a share with its link, which is told once: only its hash is kept.
type Made struct {
	Share Share
	Link  string
}

// link is the address of a token.
func (s *Service) link(token string) string { return s.Origin + "/s/" + token }

// found is what an offer is about.
type found struct {
	in      institution.Institution
	who     learner.Learner
	printed string // the name in what is shown
	record  *record.Record
	shown   []shown
	terms   map[credential.ID][]string // the payment periods that they tell of
}

// Create makes a link of a learner's own. The learner's consent to it is kept
// with it. Forbidden when the institution holds back what is chosen; State when it
// names the learner as they are no longer called, or does not stand.
func (s *Service) Create(ctx context.Context, who access.Actor, o Offer) (Made, error) {
	if err := access.Check(who, access.Share); err != nil {
		return Made{}, err
	}
	return s.create(ctx, who, o, underConsent{})
}

// underConsent is what a share rests on, where that is not given with it.
type underConsent struct {
	id    consent.ID
	order *string
	then  func(pgx.Tx, Share) error // in the transaction that makes the share
}

// create makes a share, under a consent that is given with it or was given
// before.
func (s *Service) create(ctx context.Context, who access.Actor, o Offer, under underConsent) (Made, error) {
	now := pg.Instant(s.Now())
	if no := o.check(now); no != nil {
		return Made{}, no
	}
	var f found
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		f, err = s.find(ctx, tx, who, o, now)
		return err
	})
	if err != nil {
		return Made{}, err
	}
	if err := s.Holds.Ask(ctx, who, release.Taking{Channel: disclosure.ByShare, Purpose: o.Purpose, Party: o.party()}, f.pieces()...); err != nil {
		return Made{}, err
	}
	sh := Share{ID: ID(s.NewID("shr")), LearnerID: f.who.ID, Kind: OfItems, Recipient: o.party(), Open: o.Recipient == "", Purpose: o.Purpose, Language: o.Language,
		HasPIN: o.PIN != "", MaxOpenings: o.MaxOpenings, Notify: o.Notify, NotifyOpenings: o.NotifyOpenings, CreatedAt: now, CreatedBy: who.ID, ExpiresAt: pg.Instant(*o.ExpiresAt)}
	if sh.Language == "" {
		sh.Language = consent.English
	}
	if o.Address != "" {
		sh.Address = &o.Address
	}
	if f.record != nil {
		sh.Kind, sh.RecordID, sh.CredentialID = OfRecord, &f.record.ID, &f.record.CredentialID
	}
	sh.OrderID = under.order
	secrets, err := s.secrets(who, sh, o)
	if err != nil {
		return Made{}, err
	}
	if secrets.presentation, err = s.present(ctx, who, sh, o, &f); err != nil {
		return Made{}, err
	}
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if sh.ConsentID = under.id; under.id == "" {
			sh.ConsentID, err = s.agreed(ctx, tx, who, sh, f, now)
		}
		if err != nil {
			return err
		}
		if err := insert(ctx, tx, who, sh, secrets, f); err != nil {
			return err
		}
		if under.then != nil {
			if err := under.then(tx, sh); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Share, Target: string(sh.ID),
			Detail: map[string]any{"learner": sh.LearnerID, "kind": sh.Kind, "consent": sh.ConsentID, "items": len(f.shown)}})
	})
	return Made{sh, s.link(tokenText(secrets.token))}, err
}

// agreed records the learner's consent to a share.
func (s *Service) agreed(ctx context.Context, tx pgx.Tx, who access.Actor, sh Share, f found, now time.Time) (consent.ID, error) {
	g := consent.Grant{LearnerID: string(sh.LearnerID), Purpose: sh.Purpose, Party: sh.Recipient, Open: sh.Open, Language: sh.Language, ExpiresAt: &sh.ExpiresAt,
		Method: consent.ByElectronic} // a learner's own is by being signed in
	g.Scope, g.Items = f.consented()
	c, err := consent.GiveInTx(ctx, tx, who, now, s.NewID, g)
	return c.ID, err
}

// secrets are what only hashes are kept of, and what is signed for the share.
type secrets struct {
	token        []byte
	pinHash      *string
	presentation []byte
}

func (s *Service) secrets(who access.Actor, sh Share, o Offer) (x secrets, err error) {
	if x.token, err = newSecret(who.InstitutionID); err != nil {
		return x, err
	}
	if sh.OrderID != nil && sh.Address != nil { // it is told again in the mail
		x.token = s.orderSecret(who.InstitutionID, sh.ID)
	}
	if o.PIN == "" {
		return x, nil
	}
	s.hashing.Lock()
	defer s.hashing.Unlock()
	hash, err := hashPIN(o.PIN)
	x.pinHash = &hash
	return x, err
}

// orderSecret is the token of what was ordered and goes out by mail: it is made
// of the master key when it is wanted, and on file nowhere.
func (s *Service) orderSecret(institution string, sh ID) []byte {
	place, err := id.UUID(institution)
	if err != nil {
		return nil // matches no hash
	}
	return append(place[:], s.Keys.Master.Derive("order/" + institution + "/" + string(sh))[:secretLen]...)
}

// consented is what the learner agrees to, and to what of.
func (f found) consented() (scope string, items []string) {
	if f.record != nil {
		return consent.ToRecord, []string{string(f.record.ID)}
	}
	for _, x := range f.shown {
		items = append(items, string(x.CredentialID))
	}
	return consent.ToItems, items
}

// find reads what an offer is about, and says why it cannot be shared.
func (s *Service) find(ctx context.Context, tx pgx.Tx, who access.Actor, o Offer, now time.Time) (f found, err error) {
	if f.who, err = learner.InTx(ctx, tx, who, o.LearnerID); err != nil {
		return f, err
	}
	if f.in, err = institution.InTx(ctx, tx, who); err != nil {
		return f, err
	}
	standing, err := consent.StandingsInTx(ctx, tx, who, []learner.ID{f.who.ID})
	if err != nil {
		return f, err
	}
	if standing[f.who.ID].Blocked && o.Recipient == "" {
		return f, &fault.Error{Kind: fault.State, Field: "recipient", Rule: "directory", Message: "You have blocked directory information, so a link for whoever has it cannot be made. Name the recipient, or lift the block."}
	}
	if o.NotifyOpenings && f.who.Email == nil {
		return f, &fault.Error{Kind: fault.State, Field: "notifyOpenings", Rule: "email", Message: "The institution has no e-mail address of yours to tell you at. Ask the registrar to enter one, or look here who opened the link."}
	}
	if o.RecordID != nil {
		err = s.findRecord(ctx, tx, who, *o.RecordID, &f)
	} else {
		err = s.findItems(ctx, tx, who, o.Items, &f)
	}
	if err != nil {
		return f, err
	}
	ids := make([]credential.ID, len(f.shown))
	for i, x := range f.shown {
		ids[i] = x.CredentialID
	}
	f.terms, err = credential.TermsInTx(ctx, tx, who, ids)
	return f, err
}

// pieces are what is chosen, as release weighs it.
func (f found) pieces() []release.Piece {
	all := make([]release.Piece, len(f.shown))
	for i, x := range f.shown {
		all[i] = release.Piece{ID: string(x.CredentialID), LearnerID: f.who.ID, Terms: f.terms[x.CredentialID]}
	}
	return all
}

func (s *Service) findRecord(ctx context.Context, tx pgx.Tx, who access.Actor, name string, f *found) error {
	r, err := record.InTx(ctx, tx, who, record.ID(name))
	if err != nil {
		return err
	}
	if r.LearnerID != f.who.ID {
		return fault.Missing("record")
	}
	all, err := byCredential(ctx, tx, who, []credential.ID{r.CredentialID})
	if err != nil {
		return err
	}
	if len(all) == 0 || !all[0].stands(s.Now()) {
		return doesNotStand("recordId", "This record was replaced or does not stand any more. Share the current one.")
	}
	if f.record, f.printed = &r, printedName(all[0].Document); f.printed != f.who.DisplayName {
		return formerName("recordId")
	}
	f.shown, err = inRecord(ctx, tx, who, r.ID)
	return err
}

func (s *Service) findItems(ctx context.Context, tx pgx.Tx, who access.Actor, items []Item, f *found) error {
	ids := make([]credential.ID, len(items))
	for i, it := range items {
		ids[i] = credential.ID(it.CredentialID)
	}
	all, err := byCredential(ctx, tx, who, ids)
	if err != nil {
		return err
	}
	byID := map[credential.ID]shown{}
	for _, x := range all {
		byID[x.CredentialID] = x
	}
	f.printed = f.who.DisplayName
	for i, it := range items {
		field := fmt.Sprintf("items.%d.credentialId", i)
		x, ok := byID[ids[i]]
		switch {
		case !ok || x.LearnerID != f.who.ID || x.Kind != credential.OfAchievement:
			no := fault.Missing("credential")
			no.Field = field
			return no
		case !x.stands(s.Now()):
			return doesNotStand(field, "This credential was replaced, has expired or does not stand any more. Choose the current one.")
		case printedName(x.Document) != f.who.DisplayName:
			return formerName(field)
		}
		x.parts = it.Parts
		f.shown = append(f.shown, x)
	}
	return nil
}

func doesNotStand(field, message string) error {
	return &fault.Error{Kind: fault.State, Field: field, Rule: "stands", Message: message}
}

func formerName(field string) error {
	return &fault.Error{Kind: fault.State, Field: field, Rule: "present-name", Message: "This calls you by a former name. Ask the registrar to issue it again under your present one."}
}

// present makes what is shown in place of what is stored: parts of credentials,
// and the chosen ones together, for the recipient.
func (s *Service) present(ctx context.Context, who access.Actor, sh Share, o Offer, f *found) ([]byte, error) {
	if f.record != nil {
		return nil, nil
	}
	did, err := f.in.DID(s.Origin)
	if err != nil {
		return nil, err
	}
	z := sealer{s: s, ctx: ctx, system: access.SystemOf(who.InstitutionID, "share"), did: did, now: s.Now()}
	documents := make([][]byte, len(f.shown))
	for i := range f.shown {
		x := &f.shown[i]
		documents[i] = []byte(x.Document)
		if x.parts == nil && !hasBase(documents[i]) {
			continue
		}
		if documents[i], err = z.part(documents[i], x.parts); err != nil {
			return nil, err
		}
		x.derived = documents[i]
	}
	return z.presentation(sh.ID, documents, o.audience(), sh.ExpiresAt)
}

// audience is whom a presentation is made for, as its domain: the recipient's
// address, else what they are called.
func (o Offer) audience() string {
	if o.Address != "" {
		return o.Address
	}
	return o.Recipient
}

// End ends a learner's own link at once, and its watches with it; whoever opens
// it then is told so. State when it was ended before.
func (s *Service) End(ctx context.Context, who access.Actor, share string) (Share, error) {
	if err := access.Check(who, access.Share); err != nil {
		return Share{}, err
	}
	var sh Share
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if sh, err = lock(ctx, tx, who, ID(share)); err != nil {
			return err
		}
		if sh.EndedAt != nil {
			return &fault.Error{Kind: fault.State, Field: "id", Rule: "not-ended", Message: "This link was ended already."}
		}
		now := pg.Instant(s.Now())
		sh.EndedAt, sh.EndedBy = &now, &who.ID
		if err := end(ctx, tx, who, sh); err != nil {
			return err
		}
		if err := s.withdraw(ctx, tx, who, sh, now); err != nil {
			return err
		}
		if err := s.endWatches(ctx, tx, who, sh, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Share, Target: string(sh.ID), Detail: map[string]any{"learner": sh.LearnerID, "ended": true}})
	})
	return sh, err
}

// withdraw ends the consent that a share rests on, unless that was done.
func (s *Service) withdraw(ctx context.Context, tx pgx.Tx, who access.Actor, sh Share, now time.Time) error {
	_, err := consent.WithdrawInTx(ctx, tx, who, now, sh.ConsentID, "")
	if f, ok := fault.Of(err); ok && f.Rule == "not-withdrawn" {
		return nil
	}
	return err
}

// Renew gives a live link of a learner's own another token; the old one leads
// nowhere from then on. Wrong PINs are forgotten.
func (s *Service) Renew(ctx context.Context, who access.Actor, share string) (Made, error) {
	if err := access.Check(who, access.Share); err != nil {
		return Made{}, err
	}
	return s.renew(ctx, who, share)
}

func (s *Service) renew(ctx context.Context, who access.Actor, share string) (Made, error) {
	secret, err := newSecret(who.InstitutionID)
	if err != nil {
		return Made{}, err
	}
	var sh Share
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if sh, err = lock(ctx, tx, who, ID(share)); err != nil {
			return err
		}
		if sh.State(s.Now()) != Live {
			return &fault.Error{Kind: fault.State, Field: "id", Rule: "live", Message: "This link has come to its end. Make another."}
		}
		if err := setToken(ctx, tx, who, sh, hashOf(secret)); err != nil {
			return err
		}
		sh.PINTries, sh.PINLockedUntil = 0, nil
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Share, Target: string(sh.ID), Detail: map[string]any{"learner": sh.LearnerID, "renewed": true}})
	})
	return Made{sh, s.link(tokenText(secret))}, err
}

// ByIDs are shares by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Share, error) {
	all := make(map[ID]Share, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := byIDs(ctx, tx, who, ids)
		for _, x := range rows {
			all[x.ID] = x
		}
		return err
	})
	return all, err
}

// OfLearners are the shares of each learner, newest first, those that have ended
// too, one page of each.
func (s *Service) OfLearners(ctx context.Context, who access.Actor, ids []learner.ID, a page.Args) (map[learner.ID]page.Connection[Share], error) {
	limit, after, _, err := page.Start[page.Moment](a)
	if err != nil {
		return nil, err
	}
	var out map[learner.ID]page.Connection[Share]
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := ofLearners(ctx, tx, who, ids, after, limit+1)
		out = page.Each(ids, rows, limit, a, func(x Share) learner.ID { return x.LearnerID }, func(x Share) page.Moment { return page.Moment{At: x.CreatedAt, ID: string(x.ID)} })
		return err
	})
	return out, err
}

// Chosen is one credential of a share with the parts of it that are shown.
type Chosen struct {
	ShareID      ID
	CredentialID credential.ID
	Parts        []string // nil: all of it
}

// ItemsOf are the credentials of each share of items, in their order.
func (s *Service) ItemsOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Chosen, error) {
	all := make(map[ID][]Chosen, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := itemsOf(ctx, tx, who, ids)
		for _, x := range rows {
			all[x.ShareID] = append(all[x.ShareID], x)
		}
		return err
	})
	return all, err
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadRelease); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}
