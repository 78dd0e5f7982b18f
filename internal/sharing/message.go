package sharing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mail"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// What is told: to who watches a link, to the learner whose link was opened, and
// to the recipient of what was ordered.
const (
	TellWatching   = "watching" // a watch has begun
	TellRevoked    = credential.WasRevoked
	TellSuperseded = credential.WasSuperseded
	TellSuspended  = credential.WasSuspended
	TellLifted     = credential.WasLifted
	TellEnded      = "ended" // the watch, with the link
	TellOpened     = "opened"
	TellReleased   = "released"
)

// The states of a message.
const (
	MessageWaiting = "waiting"
	MessageSent    = "sent"
	MessageFailed  = "failed"  // it was tried as often as it is
	MessageDropped = "dropped" // there was nobody to tell any more
)

// Message is something that is told, and what became of it.
type Message struct {
	ID           string
	LearnerID    learner.ID
	ShareID      ID
	WatchID      *string
	Kind         string
	Channel      string
	CredentialID *credential.ID
	AboutAt      time.Time
	CreatedAt    time.Time
	State        string
	Attempts     int
	NextAt       time.Time // when it is tried next, while it waits
	Trouble      *string   // of the last attempt, or why nobody is told
	SettledAt    *time.Time
}

// message is one that is to be written.
type message struct {
	ID           string
	LearnerID    learner.ID
	ShareID      ID
	WatchID      *string
	Kind         string
	Channel      string
	CredentialID *credential.ID
	AboutAt      time.Time
	Once         string // what is told to whom, so that it is told once
}

// How often a message is tried: after a failure again after these times.
var retries = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 24 * time.Hour}

// tell writes down what is to be told, in the transaction of what it tells of. It
// goes out once that commits.
func (s *Service) tell(ctx context.Context, tx pgx.Tx, who access.Actor, all ...message) error {
	n, err := insertMessages(ctx, tx, who, all, pg.Instant(s.Now()))
	if err != nil || n == 0 {
		return err
	}
	return s.Outbox.Emit(ctx, tx, event.MessagesWaiting{InstitutionID: who.InstitutionID})
}

// Tell has those told who watch something behind a link that was changed: the
// credentials of that name, or whatever was changed and not told of yet. It may
// be asked twice. However much that is, a thousand at a time are in memory and in
// one transaction. It gives how many messages there are to send.
func (s *Service) Tell(ctx context.Context, who access.Actor, ids []string) (n int, err error) {
	if err := access.Check(who, access.SendMessages); err != nil {
		return 0, err
	}
	for more := true; more; {
		err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
			now := pg.Instant(s.Now())
			all, err := untold(ctx, tx, who, ids, now)
			if err != nil {
				return err
			}
			over, ended, err := s.finish(ctx, tx, who, now)
			if err != nil {
				return err
			}
			for i := range all {
				all[i].ID = s.NewID("msg")
			}
			n += len(all) + len(over)
			more = len(all) == maxUntold || ended == maxOver // each is told or ended now, and is not found again
			return s.tell(ctx, tx, who, append(all, over...)...)
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// finish ends the watches of links that have come to their end, and gives what is
// to be told of it, and how many they are: who watched a link knows from the beginning when it expires,
// but not that the learner takes back their consent.
func (s *Service) finish(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time) ([]message, int, error) {
	over, err := overWatches(ctx, tx, who, now)
	if err != nil {
		return nil, 0, err
	}
	var all []message
	by := who.ID
	for _, o := range over {
		w := o.Watch
		w.EndedAt, w.EndedBy = &now, &by
		if err := setWatchEnded(ctx, tx, who, w); err != nil {
			return nil, 0, err
		}
		if !o.Expired {
			all = append(all, s.ended(w, o.LearnerID, now))
		}
	}
	return all, len(over), nil
}

// ended is what who watches is told when the watch ends with the link: that they
// hear nothing more does not mean that nothing changes.
func (s *Service) ended(w Watch, l learner.ID, now time.Time) message {
	return message{ID: s.NewID("msg"), LearnerID: l, ShareID: w.ShareID, WatchID: &w.ID, Kind: TellEnded, Channel: w.Channel, AboutAt: now, Once: w.ID + "/ended"}
}

// endWatches ends the watches of a link that is ended.
func (s *Service) endWatches(ctx context.Context, tx pgx.Tx, who access.Actor, sh Share, now time.Time) error {
	all, err := watchesOf(ctx, tx, who, []ID{sh.ID})
	if err != nil {
		return err
	}
	var told []message
	for _, w := range all {
		if w.EndedAt != nil {
			continue
		}
		w.EndedAt, w.EndedBy = &now, &who.ID
		if err := setWatchEnded(ctx, tx, who, w); err != nil {
			return err
		}
		told = append(told, s.ended(w, sh.LearnerID, now))
	}
	return s.tell(ctx, tx, who, told...)
}

// tellOpened has the learner told that a link of theirs was opened, where they
// wish it: once an hour, however often it is.
func (s *Service) tellOpened(ctx context.Context, tx pgx.Tx, system access.Actor, sh Share, now time.Time) error {
	return s.tell(ctx, tx, system, message{ID: s.NewID("msg"), LearnerID: sh.LearnerID, ShareID: sh.ID, Kind: TellOpened, Channel: ByMail, AboutAt: now,
		Once: string(sh.ID) + "/opened/" + now.UTC().Format("2006-01-02T15")})
}

// Deliver sends what is to be sent of an institution, until nothing is due. What
// fails is tried again later, up to nine times within three days. Without a mail
// server, mails wait. It gives how many were sent.
func (s *Service) Deliver(ctx context.Context, who access.Actor) (int, error) {
	if err := access.Check(who, access.SendMessages); err != nil {
		return 0, err
	}
	n := 0
	for {
		p, err := s.take(ctx, who)
		if err != nil || p == nil {
			return n, err
		}
		if p.State != MessageWaiting {
			continue
		}
		trouble := s.send(ctx, *p)
		if ctx.Err() != nil { // cut off: it is tried again
			return n, ctx.Err()
		}
		if trouble == nil {
			n++
		}
		if err := s.settleMessage(ctx, who, p.Message, trouble); err != nil {
			return n, err
		}
	}
}

// parcel is a message with all that it takes to send it.
type parcel struct {
	Message
	InstitutionID string
	Institution   string // its name
	Slug          string
	ReplyTo       *string
	Address       *string // of the watch, the learner or the recipient
	WatchEndedAt  *time.Time
	Withdrawn     bool // the consent
	TokenHash     []byte
	Language      string
	Recipient     string
	Purpose       string
	ConsentID     consent.ID
	ExpiresAt     time.Time
	ShareEndedAt  *time.Time
}

// take is the next message that is due, with an attempt of it written down; nil
// when there is none. That something of a learner's goes out is in the account
// before it does.
func (s *Service) take(ctx context.Context, who access.Actor) (*parcel, error) {
	var out *parcel
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		now := pg.Instant(s.Now())
		p, err := nextMessage(ctx, tx, who, now, s.Mail != nil)
		if err != nil || p == nil {
			return err
		}
		out = p
		if why := s.needless(*p, now); why != "" {
			p.State, p.Trouble, p.SettledAt = MessageDropped, &why, &now
			return setMessage(ctx, tx, who, p.Message)
		}
		first := p.Attempts == 0
		p.Attempts++
		p.NextAt = now.Add(retries[min(p.Attempts, len(retries))-1])
		if err := setMessage(ctx, tx, who, p.Message); err != nil {
			return err
		}
		if !first || p.CredentialID == nil {
			return nil
		}
		return disclosure.Write(ctx, tx, who, p.line(disclosure.ID(s.NewID("dsc")), who, now))
	})
	return out, err
}

// needless is why nobody is told any more.
func (s *Service) needless(p parcel, now time.Time) string {
	switch {
	case p.Address == nil:
		return "there is no address to send it to"
	case p.Kind == TellOpened, p.Kind == TellEnded:
		return ""
	case p.ShareEndedAt != nil:
		return "the link was ended"
	case !now.Before(p.ExpiresAt):
		return "the link has expired"
	case p.Withdrawn:
		return "the consent was withdrawn"
	case p.WatchEndedAt != nil:
		return "the watch was ended"
	case p.Kind == TellReleased && !bytes.Equal(hashOf(s.orderSecret(p.InstitutionID, p.ShareID)), p.TokenHash):
		return "the learner gave the link another address"
	}
	return ""
}

// line is what is written down of telling that something was changed.
func (p parcel) line(id disclosure.ID, who access.Actor, now time.Time) disclosure.Line {
	source := string(p.ShareID)
	return disclosure.Line{ID: id, LearnerID: p.LearnerID, At: now, Outcome: disclosure.Granted, Channel: disclosure.ByWatch, Party: p.Recipient, Purpose: p.Purpose,
		Basis: disclosure.OnConsent, ConsentID: &p.ConsentID, Items: []string{string(*p.CredentialID)}, SourceID: &source, ActorID: who.ID}
}

// settleMessage writes down what came of an attempt.
func (s *Service) settleMessage(ctx context.Context, who access.Actor, m Message, trouble error) error {
	now := pg.Instant(s.Now())
	switch {
	case trouble == nil:
		m.State, m.Trouble, m.SettledAt = MessageSent, nil, &now
	case m.Attempts > len(retries):
		text := trouble.Error()
		m.State, m.Trouble, m.SettledAt = MessageFailed, &text, &now
	default:
		text := trouble.Error()
		m.Trouble = &text
	}
	return s.DB.Tenant(ctx, who, func(tx pgx.Tx) error { return setMessage(ctx, tx, who, m) })
}

// send sends one message; an error is what the desk is told.
func (s *Service) send(ctx context.Context, p parcel) error {
	if p.Channel == ByMail {
		l, err := s.letter(p)
		if err != nil {
			return err
		}
		return s.Mail.Send(ctx, l)
	}
	if s.Webhooks == nil {
		return errors.New("this service sends nothing to webhooks")
	}
	token, _, err := s.watchToken(p.InstitutionID, *p.WatchID)
	if err != nil {
		return err
	}
	body, err := s.body(p)
	if err != nil {
		return err
	}
	header, err := signed(token, p.ID, s.Now(), body)
	if err != nil {
		return err
	}
	status, err := s.Webhooks.Post(ctx, *p.Address, header, body)
	if err == nil && (status < 200 || status > 299) {
		err = fmt.Errorf("the webhook answered %d", status)
	}
	return err
}

// hooked is the body of a message to a webhook. It names nobody: who receives it
// knows what they were shown.
type hooked struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      struct {
		Share string `json:"share"`
		Watch string `json:"watch"`
		Item  string `json:"item,omitempty"` // the id in the credential that was shown
		Until string `json:"until"`
	} `json:"data"`
}

func (s *Service) body(p parcel) ([]byte, error) {
	kind := map[string]string{TellWatching: "watch.started", TellEnded: "watch.ended"}[p.Kind]
	if kind == "" {
		kind = "item." + p.Kind
	}
	b := hooked{Type: kind, Timestamp: stamp(p.AboutAt)}
	b.Data.Share, b.Data.Watch, b.Data.Item, b.Data.Until = string(p.ShareID), *p.WatchID, s.itemURL(p), stamp(p.ExpiresAt)
	return json.Marshal(b)
}

// itemURL is the id that a credential has in its own bytes.
func (s *Service) itemURL(p parcel) string {
	if p.CredentialID == nil {
		return ""
	}
	return credential.URL(s.Origin+"/i/"+p.Slug, *p.CredentialID)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// Messages are what was told and is to be told, newest first: administrators and
// registrars see all, learners what is about their own links.
func (s *Service) Messages(ctx context.Context, who access.Actor, f MessageFilter, a page.Args) (page.Connection[Message], error) {
	var c page.Connection[Message]
	limit, after, _, err := page.Start[page.Moment](a)
	if err != nil {
		return c, err
	}
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := messages(ctx, tx, who, f, after, limit+1)
		c = page.Of(rows, limit, a, func(m Message) page.Moment { return page.Moment{At: m.CreatedAt, ID: m.ID} })
		return err
	})
	return c, err
}

// MessageFilter narrows a list.
type MessageFilter struct {
	State *string
}

// MessagesOf are the newest fifty messages of each watch, newest first.
func (s *Service) MessagesOf(ctx context.Context, who access.Actor, watches []string) (map[string][]Message, error) {
	all := make(map[string][]Message, len(watches))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := messagesOf(ctx, tx, who, watches)
		for _, m := range rows {
			all[*m.WatchID] = append(all[*m.WatchID], m)
		}
		return err
	})
	return all, err
}

// Mailless reports whether a message waits because no mail server is named.
func (m Message) Mailless(server *mail.Sender) bool {
	return m.State == MessageWaiting && m.Channel == ByMail && server == nil
}

// Resend has a message that failed tried again, as if it were new. State when it
// did not fail.
func (s *Service) Resend(ctx context.Context, who access.Actor, name string) (m Message, err error) {
	if err := access.Check(who, access.SendMessages); err != nil {
		return m, err
	}
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if m, err = lockMessage(ctx, tx, who, name); err != nil {
			return err
		}
		if m.State != MessageFailed {
			return &fault.Error{Kind: fault.State, Field: "id", Rule: "failed", Message: "Only a message that failed is sent again: this one is " + m.State + "."}
		}
		now := pg.Instant(s.Now())
		m.State, m.Attempts, m.NextAt, m.SettledAt = MessageWaiting, 1, now, nil // its line is in the account
		if err := setMessage(ctx, tx, who, m); err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, now, who, audit.Entry{Action: access.SendMessages, Target: m.ID, Detail: map[string]any{"share": m.ShareID}}); err != nil {
			return err
		}
		return s.Outbox.Emit(ctx, tx, event.MessagesWaiting{InstitutionID: who.InstitutionID})
	})
	return m, err
}

// letter is a message as a mail. It names the recipient of a link to the learner
// alone, and the learner to nobody.
func (s *Service) letter(p parcel) (mail.Letter, error) {
	l := mail.Letter{ID: p.ID, To: *p.Address, FromName: p.Institution, Language: p.Language, Date: s.Now()}
	if p.ReplyTo != nil {
		l.ReplyTo = *p.ReplyTo
	}
	w := wordsOf(p.Language)
	l.Subject = p.Institution + ": " + w.subject[p.Kind]
	var text []string
	switch p.Kind {
	case TellOpened:
		text = []string{fmt.Sprintf(w.opened, p.Recipient, w.date(p.AboutAt)), s.Origin + "/me/shares/" + string(p.ShareID)}
	case TellReleased:
		text = []string{fmt.Sprintf(w.released, p.Institution, p.Recipient, w.date(p.ExpiresAt)), s.link(tokenText(s.orderSecret(p.InstitutionID, p.ShareID))), disclosure.Notice}
	case TellWatching:
		text = []string{fmt.Sprintf(w.watching, p.Institution, w.date(p.ExpiresAt))}
	case TellEnded:
		text = []string{fmt.Sprintf(w.ended, p.Institution)}
	default:
		text = []string{fmt.Sprintf(w.changed[p.Kind], p.Institution, w.date(p.AboutAt)), s.itemURL(p), w.look}
	}
	if p.WatchID != nil && p.Kind != TellEnded {
		token, _, err := s.watchToken(p.InstitutionID, *p.WatchID)
		if err != nil {
			return l, err
		}
		l.End = s.Origin + "/w/" + strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimPrefix(token, signingPrefix))
		text = append(text, w.stop, l.End)
	}
	l.Text = strings.Join(text, "\n\n") + "\n"
	return l, nil
}
