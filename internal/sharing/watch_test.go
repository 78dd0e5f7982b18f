package sharing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mail"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"
)

// receiver is an employer's webhook.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer int
	got    []received
}

type received struct {
	header http.Header
	body   []byte
	Type   string
	Data   struct{ Share, Watch, Item, Until string }
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{answer: http.StatusNoContent}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		m := received{header: q.Header}
		var err error
		if m.body, err = io.ReadAll(q.Body); err != nil || json.Unmarshal(m.body, &m) != nil || q.Method != http.MethodPost {
			t.Errorf("%s %v %s", q.Method, err, m.body)
		}
		r.got = append(r.got, m)
		http.Redirect(w, q, "/elsewhere", r.answer) // which is a redirect only with a status that says so
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = code
}

// take is what has come since it was asked last.
func (r *receiver) take() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// watched is a bench with a link that may be watched, a webhook and a mailbox.
type watched struct {
	*bench
	hook *receiver
	box  *testbed.Mailbox
	made sharing.Made
}

func watching(t *testing.T, change func(*sharing.Offer)) *watched {
	t.Helper()
	b := &watched{bench: setup(t), hook: receive(t), box: testbed.NewMailbox(t, nil)}
	b.Credentials.Now = func() time.Time { return b.clock }
	b.Shares.Webhooks = verify.NewFetcher(verify.Options{Development: true})
	m, err := mail.New(mail.Settings{Server: b.box.Address, From: "records@uni.example"})
	b.ok(err)
	b.Shares.Mail = m
	b.made = b.share(func(o *sharing.Offer) {
		o.Notify = true
		if change != nil {
			change(o)
		}
	})
	return b
}

func (b *watched) system() access.Actor { return access.SystemOf(string(b.Home.ID), "test") }

func (b *watched) watch(in sharing.Watching) (sharing.Watched, error) {
	if in.Token == "" {
		in.Token = b.made.Link
	}
	in.From = visitor
	return b.Shares.Watch(context.Background(), access.Anonymous(), in)
}

// work tells what was changed and sends what is due; it gives how many went out.
func (b *watched) work() int {
	b.t.Helper()
	_, err := b.Shares.Tell(context.Background(), b.system(), nil)
	b.ok(err)
	n, err := b.Shares.Deliver(context.Background(), b.system())
	b.ok(err)
	return n
}

func (b *watched) revoke(i int) {
	b.t.Helper()
	_, err := b.Credentials.Revoke(context.Background(), b.Registrar(), nil, string(b.badges[i]), credential.Revocation{Cause: credential.IssuedInError, Reason: "wrong person"})
	b.ok(err)
}

func (b *watched) messages(who access.Actor) []sharing.Message {
	b.t.Helper()
	c, err := b.Shares.Messages(context.Background(), who, sharing.MessageFilter{}, page.Args{})
	b.ok(err)
	return c.Nodes
}

// TestAWebhookIsToldOfWhatChangesUntilTheLinkEnds verifies each message with the
// library of those who wrote the standard.
func TestAWebhookIsToldOfWhatChangesUntilTheLinkEnds(t *testing.T) {
	t.Parallel()
	b := watching(t, func(o *sharing.Offer) { o.PIN = "482913"; b0 := 1; o.MaxOpenings = &b0 })
	in := opening(b.made)
	in.PIN = "482913"
	_, err := b.open(in)
	b.ok(err) // it is used up, and still watched by whom it was shown to
	w, err := b.watch(sharing.Watching{Webhook: b.hook.URL + "/hook?key=theirs", PIN: "482913"})
	b.ok(err)
	if w.Secret == nil || !w.Until.Equal(b.made.Share.ExpiresAt) || w.Watch.Place() != strings.TrimPrefix(b.hook.URL, "http://") {
		t.Fatalf("%+v", w)
	}
	their, err := standardwebhooks.NewWebhook(*w.Secret)
	b.ok(err)
	expect := func(kind string, about credential.ID) {
		t.Helper()
		if n := b.work(); n != 1 {
			t.Fatalf("%s: %d went out: %+v", kind, n, b.messages(b.Registrar()))
		}
		got := b.hook.take()
		item := ""
		if about != "" {
			item = "https://records.example/i/aldersound/credentials/" + string(about)
		}
		if len(got) != 1 || got[0].Type != kind || got[0].Data.Item != item || got[0].Data.Share != string(b.made.Share.ID) || got[0].Data.Watch != w.Watch.ID {
			t.Fatalf("%s of %s: %+v", kind, about, got)
		}
		b.ok(their.VerifyIgnoringTimestamp(got[0].body, got[0].header))
		if stamp := got[0].header.Get("Webhook-Timestamp"); stamp != fmt.Sprint(b.clock.Unix()) {
			t.Errorf("sent at %s, says %s", b.clock, stamp)
		}
		for name, forged := range map[string]http.Header{"another id": {"Webhook-Id": {"msg_other"}}, "another time": {"Webhook-Timestamp": {fmt.Sprint(b.clock.Unix() + 1)}}} {
			h := got[0].header.Clone()
			for k, v := range forged {
				h[k] = v
			}
			if their.VerifyIgnoringTimestamp(got[0].body, h) == nil {
				t.Errorf("it holds with %s: somebody may send it again", name)
			}
		}
		if their.VerifyIgnoringTimestamp(append(got[0].body, ' '), got[0].header) == nil {
			t.Error("it holds with another body")
		}
		for _, private := range []string{"Ada", "Byron", "Acme", "A job", "hr@", "learners.example", "wrong person", string(b.ada)} {
			if strings.Contains(string(got[0].body), private) {
				t.Errorf("the message tells %q", private)
			}
		}
	}
	expect("watch.started", "")
	b.clock = b.clock.Add(time.Hour)
	b.revoke(1)
	expect("item.revoked", b.badges[1])
	if n := b.work(); n != 0 {
		t.Errorf("%d told twice", n)
	}
	_, err = b.Credentials.Suspend(t.Context(), b.Registrar(), nil, string(b.badges[0]), "looked into")
	b.ok(err)
	expect("item.suspended", b.badges[0])
	_, err = b.Credentials.Lift(t.Context(), b.Registrar(), nil, string(b.badges[0]), "in order")
	b.ok(err)
	expect("item.lifted", b.badges[0])
	_, err = b.Credentials.Reissue(t.Context(), b.Registrar(), nil, credential.Reissue{ID: string(b.badges[2]), Reason: "a new name", Keep: true})
	b.ok(err)
	expect("item.superseded", b.badges[2])
	lines := b.told(b.made.Share)
	granted := 0
	for _, l := range lines {
		if l.Channel == disclosure.ByWatch && l.Outcome == disclosure.Granted && l.Basis == disclosure.OnConsent && len(l.Items) == 1 {
			granted++
		}
	}
	if granted != 4 {
		t.Errorf("%d of 4 messages are in the account: %+v", granted, lines)
	}
	_, err = b.Shares.End(t.Context(), b.own, string(b.made.Share.ID))
	b.ok(err)
	expect("watch.ended", "")
	b.clock = b.clock.Add(time.Hour)
	b.revoke(0)
	if n := b.work(); n != 0 || len(b.hook.take()) != 0 {
		t.Error("it is told after the link ended")
	}
	if _, err := b.watch(sharing.Watching{Webhook: b.hook.URL, PIN: "482913"}); fault.KindOf(err) != fault.State {
		t.Errorf("an ended link is watched: %v", err)
	}
}

// TestWhatIsNotTakenIsTriedAgainUntilItIsGivenUp has a receiver that answers
// other than it should, for longer and longer.
func TestWhatIsNotTakenIsTriedAgainUntilItIsGivenUp(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	b.hook.answers(http.StatusFound) // a redirect is not followed: it could lead inside
	w, err := b.watch(sharing.Watching{Webhook: b.hook.URL})
	b.ok(err)
	ids := map[string]bool{}
	tries, waited := 0, time.Duration(0)
	for b.messages(b.Registrar())[0].State == sharing.MessageWaiting {
		if n := b.work(); n != 0 {
			t.Fatal("it counts as sent")
		}
		m := b.messages(b.Registrar())[0]
		for _, got := range b.hook.take() {
			tries++
			ids[got.header.Get("Webhook-Id")] = true
		}
		if tries != m.Attempts || m.Trouble == nil || *m.Trouble != "the webhook answered 302" {
			t.Fatalf("after %d tries: %+v", tries, m)
		}
		if b.work(); len(b.hook.take()) != 0 {
			t.Fatal("it is tried again at once")
		}
		if m.State == sharing.MessageWaiting {
			if waits := m.NextAt.Sub(b.clock); waits < time.Minute || waits > 24*time.Hour {
				t.Fatalf("it waits %s", waits)
			}
			waited += m.NextAt.Sub(b.clock)
			b.clock = m.NextAt
		}
	}
	m := b.messages(b.Registrar())[0]
	if m.State != sharing.MessageFailed || tries != 9 || len(ids) != 1 || waited < 48*time.Hour || waited > 96*time.Hour {
		t.Fatalf("%d tries with %d ids in %s: %+v", tries, len(ids), waited, m)
	}
	b.hook.answers(http.StatusOK)
	if _, err := b.Shares.Resend(t.Context(), b.own, m.ID); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a learner sends again: %v", err)
	}
	_, err = b.Shares.Resend(t.Context(), b.Registrar(), m.ID)
	b.ok(err)
	if n := b.work(); n != 1 || b.messages(b.Registrar())[0].State != sharing.MessageSent {
		t.Errorf("%d went out: %+v", n, b.messages(b.Registrar())[0])
	}
	if _, err := b.Shares.Resend(t.Context(), b.Registrar(), m.ID); fault.KindOf(err) != fault.State {
		t.Errorf("what was sent is sent again: %v", err)
	}
	ended, err := b.Shares.EndWatch(t.Context(), access.Anonymous(), sharing.Ending{Secret: *w.Secret, From: visitor})
	b.ok(err)
	b.hook.take()
	b.revoke(0)
	if n := b.work(); ended.EndedAt == nil || n != 0 || len(b.hook.take()) != 0 {
		t.Error("it is told after the watch was ended")
	}
	if _, err := b.Shares.EndWatch(t.Context(), access.Anonymous(), sharing.Ending{Secret: *w.Secret, From: visitor}); fault.KindOf(err) != fault.State {
		t.Errorf("%v", err)
	}
}

// TestNothingInsideIsReachedByAWebhook uses the client that the service has.
func TestNothingInsideIsReachedByAWebhook(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	guarded := verify.NewFetcher(verify.Options{})
	b.Shares.Webhooks = guarded
	for _, address := range []string{b.hook.URL, "https://127.0.0.1/x", "https://[::1]:8443/", "https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data", "https://[fd00::1]/",
		"https://user:pass@acme.example/", "https://acme.example:22/", "ftp://acme.example/", "https:///x", "javascript:alert(1)", "https://acme.example/ x", "https://acme.example/\r\nX: y", "https://acme.example/" + strings.Repeat("a", 500)} {
		if _, err := b.watch(sharing.Watching{Webhook: address}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", address, err)
		}
	}
	// A name that leads inside is found out when it is asked.
	b.Shares.Webhooks = named{guarded, "https://localhost/"}
	if _, err := b.watch(sharing.Watching{Webhook: "https://acme.example/"}); err != nil {
		t.Fatal(err)
	}
	if n := b.work(); n != 0 {
		t.Error("it was sent inside")
	}
	if m := b.messages(b.Registrar())[0]; m.Trouble == nil || *m.Trouble != "this address is not a public one" {
		t.Errorf("%+v", m)
	}
}

// named is a name server that leads every name inside.
type named struct {
	*verify.Fetcher
	inside string
}

func (n named) Post(ctx context.Context, _ string, h http.Header, body []byte) (int, error) {
	return n.Fetcher.Post(ctx, n.inside, h, body)
}

// TestMailGoesToTheAddressThatTheLearnerGave asks for it as a stranger with the
// link would, who has no PIN.
func TestMailGoesToTheAddressThatTheLearnerGave(t *testing.T) {
	t.Parallel()
	b := watching(t, func(o *sharing.Offer) { o.PIN = "482913"; o.Language = "es" })
	w, err := b.watch(sharing.Watching{})
	b.ok(err)
	again, err := b.watch(sharing.Watching{})
	b.ok(err)
	if w.Secret != nil || again.Watch.ID != w.Watch.ID {
		t.Errorf("a stranger is told a secret, or watches twice: %+v %+v", w, again)
	}
	b.revoke(2)
	if n := b.work(); n != 2 {
		t.Fatalf("%d went out: %+v", n, b.messages(b.Registrar()))
	}
	got := b.box.Letters()
	for _, l := range got {
		if l.To != "hr@acme.example" || strings.Contains(l.Raw, "Byron") || strings.Contains(l.Raw, "wrong person") {
			t.Errorf("%+v", l)
		}
	}
	if !strings.Contains(strings.ReplaceAll(got[1].Raw, "=\r\n", ""), string(b.badges[2])) {
		t.Error(got[1].Raw)
	}
	end := strings.Trim(got[1].Header.Get("List-Unsubscribe"), "<>")
	secret := end[strings.LastIndex(end, "/")+1:]
	p, err := b.Shares.PeekWatch(t.Context(), access.Anonymous(), secret, visitor)
	b.ok(err)
	if p.Watch.ID != w.Watch.ID || p.Institution.ID != b.Home.ID {
		t.Errorf("%+v", p)
	}
	_, err = b.Shares.EndWatch(t.Context(), access.Anonymous(), sharing.Ending{Secret: secret, From: visitor})
	b.ok(err)
	for _, wrong := range []string{secret[:len(secret)-1] + "!", "", "whsec_" + secret[1:] + secret[:1], strings.Repeat("A", 64)} {
		if _, err := b.Shares.PeekWatch(t.Context(), access.Anonymous(), wrong, visitor); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// TestMailsWaitForAServer has none, then one that refuses, then one that takes.
func TestMailsWaitForAServer(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	with := b.Shares.Mail
	b.Shares.Mail = nil
	_, err := b.watch(sharing.Watching{})
	b.ok(err)
	b.clock = b.clock.Add(20 * 24 * time.Hour)
	if n := b.work(); n != 0 {
		t.Fatal("sent without a server")
	}
	m := b.messages(b.Registrar())[0]
	if m.State != sharing.MessageWaiting || m.Attempts != 0 || !m.Mailless(b.Shares.Mail) {
		t.Errorf("%+v", m)
	}
	b.Shares.Mail = with
	b.box.Refuse(451)
	b.work()
	if m = b.messages(b.Registrar())[0]; m.State != sharing.MessageWaiting || m.Trouble == nil || *m.Trouble != "the mail server answered 451" || m.Mailless(b.Shares.Mail) {
		t.Errorf("%+v", m)
	}
	b.box.Refuse(0)
	b.clock = m.NextAt
	if n := b.work(); n != 1 || len(b.box.Letters()) != 1 {
		t.Errorf("%d went out", n)
	}
}

// TestNobodyIsToldAgainstTheLearnersWill takes back the consent, without ending
// the link, while a message waits.
func TestNobodyIsToldAgainstTheLearnersWill(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	_, err := b.watch(sharing.Watching{Webhook: b.hook.URL})
	b.ok(err)
	b.work()
	b.hook.take()
	b.revoke(0)
	_, err = b.Shares.Tell(t.Context(), b.system(), []string{string(b.badges[0])})
	b.ok(err)
	_, err = b.Consents.Withdraw(t.Context(), b.own, string(b.made.Share.ConsentID), "")
	b.ok(err)
	b.revoke(1)
	b.work()
	got := b.hook.take()
	if len(got) != 1 || got[0].Type != "watch.ended" {
		t.Errorf("%+v", got)
	}
	for _, m := range b.messages(b.own) {
		if m.Kind == sharing.TellRevoked && (m.State != sharing.MessageDropped || *m.Trouble != "the consent was withdrawn") {
			t.Errorf("%+v", m)
		}
	}
	for _, l := range b.told(b.made.Share) {
		if l.Channel == disclosure.ByWatch && l.Outcome == disclosure.Granted {
			t.Errorf("%+v", l)
		}
	}
}

// TestWhoMayNotWatch walks what refuses a watch.
func TestWhoMayNotWatch(t *testing.T) {
	t.Parallel()
	b := watching(t, func(o *sharing.Offer) { o.PIN = "482913"; o.Address = "" })
	for name, c := range map[string]struct {
		in   sharing.Watching
		kind fault.Kind
	}{
		"no such link":       {sharing.Watching{Token: "https://records.example/s/" + strings.Repeat("A", 48), Webhook: b.hook.URL}, fault.NotFound},
		"without the PIN":    {sharing.Watching{Webhook: b.hook.URL}, fault.Forbidden},
		"with a wrong PIN":   {sharing.Watching{Webhook: b.hook.URL, PIN: "000000"}, fault.Forbidden},
		"mail to nobody":     {sharing.Watching{}, fault.State},
		"not to be watched":  {sharing.Watching{Token: b.share(nil).Link, Webhook: b.hook.URL}, fault.State},
		"a link for anybody": {sharing.Watching{Token: b.share(func(o *sharing.Offer) { o.Recipient, o.Address = "", "" }).Link, Webhook: b.hook.URL}, fault.State},
	} {
		if _, err := b.watch(c.in); fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if lines := b.told(b.made.Share); len(lines) != 3 || lines[0].Outcome != disclosure.Refused || lines[0].Channel != disclosure.ByWatch {
		t.Errorf("%+v", lines)
	}
	stranger, err := b.Learners.Define(t.Context(), b.Registrar(), learner.Definition{DisplayName: "Somebody Else"})
	b.ok(err)
	for i := range 4 {
		w, err := b.watch(sharing.Watching{Webhook: fmt.Sprintf("%s/%d", b.hook.URL, i), PIN: "482913"})
		if i < 3 {
			b.ok(err)
			neighbour := access.Actor{ID: "cli_n", InstitutionID: string(b.Neighbour.ID), Roles: []access.Role{access.Registrar}}
			other := b.own
			other.LearnerID = string(stranger.ID)
			for _, who := range []access.Actor{neighbour, other} {
				if _, err := b.Shares.EndWatch(t.Context(), who, sharing.Ending{ID: w.Watch.ID}); fault.KindOf(err) != fault.NotFound {
					t.Errorf("%s ends it: %v", who.ID, err)
				}
				if got := b.messages(who); len(got) > 0 {
					t.Errorf("%s sees %+v", who.ID, got)
				}
			}
		} else if fault.KindOf(err) != fault.Limit {
			t.Errorf("a fourth: %v", err)
		}
	}
}

// TestALearnerIsToldOfOpenings opens often: it is one letter an hour.
func TestALearnerIsToldOfOpenings(t *testing.T) {
	t.Parallel()
	b := watching(t, func(o *sharing.Offer) { o.NotifyOpenings = true })
	for range 5 {
		_, err := b.open(opening(b.made))
		b.ok(err)
	}
	b.clock = b.clock.Add(time.Hour)
	_, err := b.open(opening(b.made))
	b.ok(err)
	b.work()
	got := b.box.Letters()
	if len(got) != 2 || got[0].To != "ada@learners.example" || !strings.Contains(got[0].Raw, string(b.made.Share.ID)) {
		t.Fatalf("%d letters: %+v", len(got), got)
	}
	l, err := b.Learners.Define(t.Context(), b.Registrar(), learner.Definition{DisplayName: "Nobody"})
	b.ok(err)
	own, id := b.own, string(b.record.ID)
	own.LearnerID = string(l.ID)
	if _, err := b.Shares.Create(t.Context(), own, sharing.Offer{LearnerID: string(l.ID), RecordID: &id, Recipient: "Acme", Purpose: "p", NotifyOpenings: true}); fault.KindOf(err) != fault.State {
		t.Errorf("somebody without an address is to be told: %v", err)
	}
}

// TestWhatWasOrderedIsSentToItsRecipient has an order wait for a hold; the link
// in the letter opens.
func TestWhatWasOrderedIsSentToItsRecipient(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	h := b.place(release.Placement{LearnerID: string(b.ada), Reason: release.Other})
	o := b.order(func(w *sharing.Wanted) { w.Address = "admissions@grad.example" })
	b.work()
	if o.Link != nil || len(b.box.Letters()) > 0 {
		t.Fatal("it went out while it was held")
	}
	if n := b.lift(h); n != 1 {
		t.Fatalf("%d went out", n)
	}
	b.work()
	got := b.box.Letters()
	if len(got) != 1 || got[0].To != "admissions@grad.example" {
		t.Fatalf("%+v", got)
	}
	raw := strings.ReplaceAll(got[0].Raw, "=\r\n", "")
	_, link, _ := strings.Cut(raw, "https://records.example/s/")
	link, _, _ = strings.Cut(link, "\r\n")
	opened, err := b.open(sharing.Opening{Token: link, From: visitor})
	b.ok(err)
	if opened.Record == nil {
		t.Errorf("%+v", opened)
	}
	// Renewed before it is sent, the link that waits is not sent.
	second := b.order(func(w *sharing.Wanted) { w.Address = "other@grad.example" })
	_, err = b.Shares.Renew(t.Context(), b.own, string(*second.Order.ShareID))
	b.ok(err)
	b.work()
	if got := b.box.Letters(); len(got) != 1 {
		t.Errorf("%d letters", len(got))
	}
}

// TestWhoEndedAWatchSaysWhoBeginsItAgain ends watches by their secret, and by the
// learner's word, and has who knows the link begin them again.
func TestWhoEndedAWatchSaysWhoBeginsItAgain(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	at := b.hook.URL + "/acme"
	for i := range 3 {
		w, err := b.watch(sharing.Watching{Webhook: at})
		b.ok(err)
		_, err = b.Shares.EndWatch(t.Context(), access.Anonymous(), sharing.Ending{Secret: *w.Secret, From: visitor})
		b.ok(err)
		if _, err := b.watch(sharing.Watching{Webhook: at}); fault.KindOf(err) != fault.State {
			t.Errorf("begun again at once, after %d: %v", i+1, err)
		}
		b.clock = b.clock.Add(25 * time.Hour)
	}
	if _, err := b.watch(sharing.Watching{Webhook: at}); fault.KindOf(err) != fault.State {
		t.Errorf("begun a fourth time: %v", err)
	}
	mailed, err := b.watch(sharing.Watching{})
	b.ok(err) // another way is another watch
	if again, err := b.watch(sharing.Watching{}); err != nil || again.Watch.ID != mailed.Watch.ID {
		t.Errorf("asked twice: %+v %v", again, err)
	}
	_, err = b.Shares.EndWatch(t.Context(), b.own, sharing.Ending{ID: mailed.Watch.ID})
	b.ok(err)
	b.clock = b.clock.Add(48 * time.Hour)
	for _, in := range []sharing.Watching{{}, {Webhook: b.hook.URL + "/other"}} {
		if _, err := b.watch(in); fault.KindOf(err) != fault.State || !strings.Contains(err.Error(), "or the institution") {
			t.Errorf("what the learner ended was begun by who has the link: %v", err)
		}
	}
	refused := disclosure.Refused
	lines, err := b.Disclosures.List(t.Context(), b.own, disclosure.Filter{Outcome: &refused}, page.Args{})
	b.ok(err)
	if n := len(lines.Nodes); n != 6 || lines.Nodes[0].Channel != disclosure.ByWatch || *lines.Nodes[0].Refusal != disclosure.NoConsent {
		t.Errorf("%d refusals are in the account: %+v", n, lines.Nodes[0])
	}
	if w, err := b.Shares.WatchFor(t.Context(), b.own, string(b.made.Share.ID), ""); err != nil || w.Watch.ID == mailed.Watch.ID {
		t.Errorf("the learner has it begun again: %+v %v", w, err)
	}
	if _, err := b.watch(sharing.Watching{Webhook: b.hook.URL + "/other"}); fault.KindOf(err) != fault.State {
		t.Errorf("with the learner's own back, others begin theirs: %v", err)
	}
}

// TestHoweverMuchChangesIsToldAtOnce has more happen than is written in one
// transaction.
func TestHoweverMuchChangesIsToldAtOnce(t *testing.T) {
	t.Parallel()
	b := watching(t, nil)
	for i := range 3 {
		_, err := b.watch(sharing.Watching{Webhook: fmt.Sprintf("%s/%d", b.hook.URL, i)})
		b.ok(err)
	}
	b.ok(b.DB.Tenant(t.Context(), b.system(), func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `
			insert into credential_event (institution_id, credential_id, position, learner_id, kind, at, by_id)
			select c.institution_id, c.id, n, c.learner_id, case when n % 2 = 0 then 'suspended' else 'lifted' end, @at, 'test'
			from credential c cross join generate_series(1000, 1699) as n
			where c.institution_id = @institution and c.id = @id`,
			pgx.NamedArgs{"institution": b.Home.ID, "id": b.badges[0], "at": b.clock})
		return err
	}))
	if n, err := b.Shares.Tell(t.Context(), b.system(), nil); n != 3*700 || err != nil {
		t.Errorf("%d are told: %v", n, err)
	}
	if n, err := b.Shares.Tell(t.Context(), b.system(), nil); n != 0 || err != nil {
		t.Errorf("told again: %d %v", n, err)
	}
}
