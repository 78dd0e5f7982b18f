package web

import (
	"net/http"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/sharing"
)

// messages are the mails and webhooks that are told of changes, openings and
// orders: those that failed, with the reason and a way to send them again, those
// that wait, and all.
func (s *site) messages(mux *http.ServeMux) {
	s.page(mux, "GET /desk/messages", staff, s.messageList)
	s.page(mux, "POST /desk/messages/{id}/send", staff, func(v *visit) error {
		if _, err := s.Shares.Resend(v.ctx(), v.who, v.r.PathValue("id")); err != nil {
			return err
		}
		return v.done("/desk/messages?show=waiting", "resent")
	})
}

// messageLine is a message with whose link it is about, and where it goes.
type messageLine struct {
	sharing.Message
	Learner  learner.Learner
	Share    sharing.Share
	Place    string // an address, or the host of a webhook
	Mailless bool   // it waits because no mail server is named
}

// messageLines are messages, newest first.
type messageLines struct {
	All  []messageLine
	Show string // failed, waiting or all
	More *string
}

// shownMessages are the states that the desk looks at, by their name in the
// address.
var shownMessages = map[string]string{"failed": sharing.MessageFailed, "waiting": sharing.MessageWaiting}

func (s *site) messageList(v *visit) error {
	if err := v.may(access.ReadRelease); err != nil {
		return err
	}
	d := messageLines{Show: or(v.r.URL.Query().Get("show"), "failed")}
	var f sharing.MessageFilter
	if state, ok := shownMessages[d.Show]; ok {
		f.State = &state
	}
	ctx, done := s.Audit.View(v.ctx(), v.who)
	defer done()
	all, err := s.Shares.Messages(ctx, v.who, f, many(v.r.URL.Query().Get("after")))
	if err != nil {
		return err
	}
	if all.PageInfo.HasNextPage {
		d.More = all.PageInfo.EndCursor
	}
	var of []learner.ID
	var links []sharing.ID
	var watched []string
	for _, m := range all.Nodes {
		of, links = append(of, m.LearnerID), append(links, m.ShareID)
		if m.WatchID != nil {
			watched = append(watched, *m.WatchID)
		}
	}
	who, err := s.Learners.ByIDs(ctx, v.who, of)
	if err != nil {
		return err
	}
	shares, err := s.Shares.ByIDs(ctx, v.who, links)
	if err != nil {
		return err
	}
	watches, err := s.Shares.WatchesByIDs(ctx, v.who, watched)
	if err != nil {
		return err
	}
	for _, m := range all.Nodes {
		line := messageLine{Message: m, Learner: who[m.LearnerID], Share: shares[m.ShareID], Mailless: m.Mailless(s.Shares.Mail)}
		switch {
		case m.WatchID != nil:
			line.Place = watches[*m.WatchID].Place()
		case m.Kind == sharing.TellOpened:
			line.Place = deref(line.Learner.Email)
		default:
			line.Place = deref(line.Share.Address)
		}
		d.All = append(d.All, line)
	}
	return v.show(http.StatusOK, "messages", "Messages", d)
}
