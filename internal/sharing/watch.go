package sharing

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/pg"
)

// The ways in which something is told.
const (
	ByMail    = "mail"
	ByWebhook = "webhook"
)

// How many watches a share may have: at a time, and in all.
const (
	maxWatches    = 3
	maxWatchesAll = 30
	maxBegun      = 3              // of one address, by who has the link
	restAfterEnd  = 24 * time.Hour // before whoever ended one begins it again
	maxWebhook    = 500            // characters of an address
)

// Watch is a recipient who wants to be told when something behind a link is
// revoked, replaced or suspended. It ends with the share.
type Watch struct {
	ID        string
	ShareID   ID
	Channel   string
	Address   string // https address, or the recipient's e-mail address
	CreatedAt time.Time
	EndedAt   *time.Time
	EndedBy   *string
}

// Place is where it is told, without what may be secret in an address: the host
// of a webhook, or the e-mail address.
func (w Watch) Place() string {
	if w.Channel == ByMail {
		return w.Address
	}
	u, err := url.Parse(w.Address)
	if err != nil {
		return ""
	}
	return u.Host
}

// Watching is what a recipient asks for.
type Watching struct {
	Token   string // of the link, or the link
	PIN     string
	Webhook string // https address to be told at; empty: by mail, at the address that the learner gave
	From    netip.Addr
}

// Watched is a watch that was made.
type Watched struct {
	Watch  Watch
	Until  time.Time // it ends with the share
	Secret *string   // that a webhook's messages are signed with, and that ends the watch; told this once
}

// Poster sends a body to a webhook, and gives the status that was answered.
type Poster interface {
	CheckAddress(address string) error
	Post(ctx context.Context, address string, header http.Header, body []byte) (int, error)
}

// Watch has the recipient of a link told when something behind it changes, until
// the link ends: by mail at the address that the learner gave, and nowhere else;
// or at a webhook, which takes the link's PIN. NotFound for a token that leads
// nowhere; State when the link has come to its end, or may not be watched;
// Forbidden for a wrong PIN; Limit when too much was tried.
func (s *Service) Watch(ctx context.Context, who access.Actor, in Watching) (Watched, error) {
	if err := access.Check(who, access.OpenShare); err != nil {
		return Watched{}, err
	}
	in.Token = in.Token[strings.LastIndexByte(in.Token, '/')+1:]
	if in.Webhook != "" {
		if no := s.checkWebhook(in.Webhook); no != nil {
			return Watched{}, no
		}
	}
	var out Watched
	err := s.tried(in.From, func() (err error) {
		place, hash, ok := parseToken(in.Token)
		if !ok {
			return noSuchLink()
		}
		out, err = s.watch(ctx, access.SystemOf(place, "share"), who, in, hash)
		return err
	})
	return out, err
}

func (s *Service) checkWebhook(address string) *fault.Error {
	if len(address) > maxWebhook || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fault.At("webhook", "address", "This is not the address of a webhook. Write it as https://example.org/path.")
	}
	if s.Webhooks == nil {
		return fault.At("webhook", "address", "This service sends nothing to webhooks.")
	}
	if err := s.Webhooks.CheckAddress(address); err != nil {
		return fault.At("webhook", "address", "Nothing can be sent there: %s.", err)
	}
	return nil
}

func (s *Service) watch(ctx context.Context, system, visitor access.Actor, in Watching, hash []byte) (Watched, error) {
	pin, err := pinNone, error(nil)
	if in.Webhook != "" { // by mail it goes to whom the learner named, whoever asks for it
		pin, err = s.tryPIN(ctx, system, in.PIN, hash)
	}
	if err != nil {
		return Watched{}, err
	}
	var out Watched
	var no *refusal
	err = s.DB.Tenant(ctx, system, func(tx pgx.Tx) error {
		x, err := byToken(ctx, tx, system, hash)
		if err != nil {
			return unknown(err)
		}
		now := pg.Instant(s.Now())
		if no = x.watchable(pin, in, now); no != nil {
			return disclosure.Write(ctx, tx, system, s.watchRefused(x, visitor, in, now, no))
		}
		if pin == pinRight {
			if err := forgive(ctx, tx, system, x.ID); err != nil {
				return err
			}
		}
		locked, err := lock(ctx, tx, system, x.ID)
		if err != nil {
			return err
		}
		all, err := watchesOf(ctx, tx, system, []ID{x.ID})
		if err != nil {
			return err
		}
		if no = again(all, locked.watch(in.Webhook), now); no != nil {
			return disclosure.Write(ctx, tx, system, s.watchRefused(x, visitor, in, now, no))
		}
		out, err = s.begin(ctx, tx, system, locked, all, in.Webhook, now)
		return err
	})
	if err == nil && no != nil {
		return Watched{}, no.fault
	}
	return out, err
}

// watchRefused is the line of a watch that was asked for in vain.
func (s *Service) watchRefused(x opening, visitor access.Actor, in Watching, now time.Time, no *refusal) disclosure.Line {
	line := Opened{}.line(x, visitor, Opening{From: in.From}, now, no)
	line.ID, line.Channel = disclosure.ID(s.NewID("dsc")), disclosure.ByWatch
	return line
}

// EndedByRecipient is who ended a watch that was ended by its secret.
const EndedByRecipient = "recipient"

// again is why who has a link cannot begin this watch: the learner or a registrar
// ended one, which they alone begin again; or it was ended by its secret a short
// while ago, or begun too often, so that nobody is sent mail that they turned off
// and others turn on.
func again(all []Watch, w Watch, now time.Time) *refusal {
	begun := 0
	for _, o := range all {
		if o.EndedBy != nil && *o.EndedBy != EndedByRecipient {
			return refuse(disclosure.NoConsent, fault.State, "The person who gave you this link, or the institution, ended that you are told of changes. Ask them to have you told again.")
		}
		if o.Channel != w.Channel || o.Address != w.Address {
			continue
		}
		if begun++; o.EndedAt != nil && now.Before(o.EndedAt.Add(restAfterEnd)) {
			return refuse(disclosure.UsedUp, fault.State, "This was ended within the last day. It can be begun again when a day has passed.")
		}
		if o.EndedAt == nil {
			return nil // begin says that it is there
		}
	}
	if begun >= maxBegun {
		return refuse(disclosure.UsedUp, fault.State, "This was begun and ended as often as it may be. Ask the person who gave you the link to have you told again.")
	}
	return nil
}

// watch is the watch of a link at a webhook, or by mail.
func (s Share) watch(webhook string) Watch {
	w := Watch{ShareID: s.ID, Channel: ByWebhook, Address: webhook}
	if webhook == "" {
		w.Channel, w.Address = ByMail, *s.Address
	}
	return w
}

// watchable is why a link cannot be watched, as it stands now. One that was
// opened as often as it may be is watched as well: what was shown then is known
// to who watches.
func (x opening) watchable(pin pinState, in Watching, now time.Time) *refusal {
	if in.Webhook == "" && x.HasPIN {
		pin = pinRight
	}
	if no := x.decide(pin, now); no != nil && no.reason != disclosure.UsedUp {
		return no
	}
	switch {
	case !x.Notify:
		return refuse(disclosure.NoConsent, fault.State, "The person who gave you this link has not agreed that you are told of changes. Ask them for one with which you may be.")
	case in.Webhook == "" && x.Address == nil:
		return refuse(disclosure.NoConsent, fault.State, "No e-mail address was given with this link. Name a webhook, or ask for a link that is made for your address.")
	}
	return nil
}

// begin makes the watch of a link, which is locked and has had all these, and has
// a first message sent, which shows that the way is open. Asking by mail again is
// no other watch.
func (s *Service) begin(ctx context.Context, tx pgx.Tx, who access.Actor, x Share, all []Watch, webhook string, now time.Time) (Watched, error) {
	w := x.watch(webhook)
	w.ID, w.CreatedAt = s.NewID("wch"), now
	live := 0
	for _, other := range all {
		if other.EndedAt != nil {
			continue
		}
		if live++; other.Channel == w.Channel && other.Address == w.Address {
			if w.Channel == ByMail {
				return Watched{Watch: other, Until: x.ExpiresAt}, nil
			}
			return Watched{}, &fault.Error{Kind: fault.Conflict, Field: "webhook", Rule: "watched-once", Message: "This webhook watches the link already. End that watch with its secret to make another."}
		}
	}
	if live >= maxWatches || len(all) >= maxWatchesAll {
		return Watched{}, &fault.Error{Kind: fault.Limit, Rule: "watches", Message: "This link has as many watches as it may have. End one, or ask the person who gave it to you for another link."}
	}
	token, hash, err := s.watchToken(who.InstitutionID, w.ID)
	if err != nil {
		return Watched{}, err
	}
	if err := insertWatch(ctx, tx, who, w, x.LearnerID, hash); err != nil {
		return Watched{}, err
	}
	out := Watched{Watch: w, Until: x.ExpiresAt}
	if w.Channel == ByWebhook {
		out.Secret = &token
	}
	if err := s.tell(ctx, tx, who, message{ID: s.NewID("msg"), LearnerID: x.LearnerID, ShareID: x.ID, WatchID: &w.ID, Kind: TellWatching, Channel: w.Channel, AboutAt: now, Once: w.ID}); err != nil {
		return Watched{}, err
	}
	return out, audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Share, Target: string(x.ID), Detail: map[string]any{"learner": x.LearnerID, "watch": w.ID, "channel": w.Channel}})
}

// WatchFor has the recipient of a learner's own link told, as Watch does, by the
// learner's own word, also where the learner ended that before. State when the link has come to its end, was not made to be
// watched, or has no address to send mail to.
func (s *Service) WatchFor(ctx context.Context, who access.Actor, share, webhook string) (Watched, error) {
	if err := access.Check(who, access.Share); err != nil {
		return Watched{}, err
	}
	if webhook != "" {
		if no := s.checkWebhook(webhook); no != nil {
			return Watched{}, no
		}
	}
	var out Watched
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		x, err := lock(ctx, tx, who, ID(share))
		if err != nil {
			return err
		}
		now := pg.Instant(s.Now())
		if err := x.watchable(webhook, now); err != nil {
			return err
		}
		all, err := watchesOf(ctx, tx, who, []ID{x.ID})
		if err != nil {
			return err
		}
		out, err = s.begin(ctx, tx, who, x, all, webhook, now)
		return err
	})
	return out, err
}

// watchable is why a learner cannot have their link watched.
func (s Share) watchable(webhook string, now time.Time) error {
	no := func(field, rule, message string) error {
		return &fault.Error{Kind: fault.State, Field: field, Rule: rule, Message: message}
	}
	switch state := s.State(now); {
	case state == Ended || state == Expired:
		return no("shareId", "live", "This link has come to its end. Make another.")
	case !s.Notify:
		return no("shareId", "notify", "When you made this link you did not agree that its recipient is told of changes. Make another with which they may be.")
	case webhook == "" && s.Address == nil:
		return no("webhook", "address", "This link has no e-mail address to tell its recipient at. Name a webhook.")
	}
	return nil
}

const signingPrefix = "whsec_"

// watchToken is what ends a watch, and what its messages are signed with: the
// institution's 16 bytes and 32 that only the master key gives. Nothing of it is
// on file but a hash.
func (s *Service) watchToken(institution, watch string) (token string, hash []byte, err error) {
	place, err := id.UUID(institution)
	if err != nil {
		return "", nil, err
	}
	raw := append(place[:], s.Keys.Master.Derive("watch/"+institution+"/"+watch)...)
	return signingPrefix + base64.StdEncoding.EncodeToString(raw), hashOf(raw), nil
}

// parseWatchToken is where the token of a watch leads, and its hash. In an
// address it is written in base64url and without the prefix.
func parseWatchToken(token string) (institution string, hash []byte, ok bool) {
	token = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimPrefix(token, signingPrefix))
	if len(token) != base64.StdEncoding.EncodedLen(placeLen+sha256.Size) {
		return "", nil, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil {
		return "", nil, false
	}
	return id.Of("ins", [placeLen]byte(raw)), hashOf(raw), true
}

// signed are the headers of a message to a webhook, as Standard Webhooks 1.0 has
// them: who receives it can tell that it is ours, for them, and not sent again
// by somebody else later.
func signed(token, messageID string, at time.Time, body []byte) (http.Header, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(token, signingPrefix))
	if err != nil {
		return nil, err
	}
	stamp := at.Unix()
	h := hmac.New(sha256.New, key)
	h.Write([]byte(messageID + "." + itoa(stamp) + "."))
	h.Write(body)
	return http.Header{"Content-Type": {"application/json"}, "Webhook-Id": {messageID}, "Webhook-Timestamp": {itoa(stamp)},
		"Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))}}, nil
}

// Ending is a watch that is to be ended: by its id, for the learner and
// registrars, or by its secret, for whoever has it.
type Ending struct {
	ID     string
	Secret string
	From   netip.Addr
}

// EndWatch ends a watch; nothing more is told. NotFound when there is none; State
// when it has ended.
func (s *Service) EndWatch(ctx context.Context, who access.Actor, in Ending) (Watch, error) {
	if (in.ID == "") == (in.Secret == "") {
		return Watch{}, fault.At("id", "id-or-secret", "Name the watch, or give its secret.")
	}
	if in.ID != "" {
		if err := access.Check(who, access.EndWatch); err != nil {
			return Watch{}, err
		}
		return s.endWatch(ctx, who, who.ID, func(ctx context.Context, tx pgx.Tx) (Watch, error) { return lockWatch(ctx, tx, who, in.ID, nil) })
	}
	if err := access.Check(who, access.OpenShare); err != nil {
		return Watch{}, err
	}
	var w Watch
	err := s.tried(in.From, func() (err error) {
		place, hash, ok := parseWatchToken(in.Secret)
		if !ok {
			return noSuchWatch()
		}
		system := access.SystemOf(place, "share")
		w, err = s.endWatch(ctx, system, EndedByRecipient, func(ctx context.Context, tx pgx.Tx) (Watch, error) { return lockWatch(ctx, tx, system, "", hash) })
		if fault.KindOf(err) == fault.NotFound {
			err = noSuchWatch()
		}
		return err
	})
	return w, err
}

func noSuchWatch() error {
	return fault.New(fault.NotFound, "There is no watch here. See whether the address or the secret was copied whole.")
}

func (s *Service) endWatch(ctx context.Context, who access.Actor, by string, find func(context.Context, pgx.Tx) (Watch, error)) (w Watch, err error) {
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if w, err = find(ctx, tx); err != nil {
			return err
		}
		if w.EndedAt != nil {
			return &fault.Error{Kind: fault.State, Field: "id", Rule: "not-ended", Message: "This watch was ended already. Nothing more is told."}
		}
		now := pg.Instant(s.Now())
		w.EndedAt, w.EndedBy = &now, &by
		if err := setWatchEnded(ctx, tx, who, w); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Share, Target: string(w.ShareID), Detail: map[string]any{"watch": w.ID, "ended": true}})
	})
	return w, err
}

// PeekedWatch is what a watch says to who has its secret.
type PeekedWatch struct {
	Institution institution.Institution
	Watch       Watch
	Until       time.Time
}

// PeekWatch is a watch by its secret. NotFound when it leads nowhere.
func (s *Service) PeekWatch(ctx context.Context, who access.Actor, secret string, from netip.Addr) (PeekedWatch, error) {
	if err := access.Check(who, access.OpenShare); err != nil {
		return PeekedWatch{}, err
	}
	var p PeekedWatch
	err := s.tried(from, func() error {
		place, hash, ok := parseWatchToken(secret)
		if !ok {
			return noSuchWatch()
		}
		system := access.SystemOf(place, "share")
		return s.DB.Snapshot(ctx, system, func(tx pgx.Tx) (err error) {
			if p.Watch, err = watchByHash(ctx, tx, system, hash); err != nil {
				return err
			}
			all, err := byIDs(ctx, tx, system, []ID{p.Watch.ShareID})
			if err != nil {
				return err
			}
			p.Until = all[0].ExpiresAt
			p.Institution, err = institution.InTx(ctx, tx, system)
			return err
		})
	})
	if fault.KindOf(err) == fault.NotFound {
		err = noSuchWatch()
	}
	return p, err
}

// WatchesOf are the watches of each share, oldest first, those that have ended
// too.
func (s *Service) WatchesOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Watch, error) {
	all := make(map[ID][]Watch, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := watchesOf(ctx, tx, who, ids)
		for _, w := range rows {
			all[w.ShareID] = append(all[w.ShareID], w)
		}
		return err
	})
	return all, err
}

// WatchesByIDs are watches by id.
func (s *Service) WatchesByIDs(ctx context.Context, who access.Actor, ids []string) (map[string]Watch, error) {
	all := make(map[string]Watch, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := watchesByIDs(ctx, tx, who, ids)
		for _, w := range rows {
			all[w.ID] = w
		}
		return err
	})
	return all, err
}
