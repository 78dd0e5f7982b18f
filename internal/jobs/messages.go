package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/sharing"
)

// deliverEvery is how often messages are sent that are to be tried again.
const deliverEvery = time.Minute

// senders is how many institutions' messages are sent at once.
const senders = 2

// teller answers what happens to credentials after they were issued.
type teller struct {
	river.WorkerDefaults[event.CredentialsChanged]
	shares *sharing.Service
}

// Work has those told who watch them.
func (t *teller) Work(ctx context.Context, j *river.Job[event.CredentialsChanged]) error {
	_, err := t.shares.Tell(ctx, access.SystemOf(j.Args.InstitutionID, "tell"), j.Args.CredentialIDs)
	return err
}

// sender sends what was just written.
type sender struct {
	river.WorkerDefaults[event.MessagesWaiting]
	shares *sharing.Service
}

// Work sends what is due of one institution.
func (s *sender) Work(ctx context.Context, j *river.Job[event.MessagesWaiting]) error {
	_, err := s.shares.Deliver(ctx, access.SystemOf(j.Args.InstitutionID, "send"))
	return err
}

// deliveryDue asks for what is to be tried again.
type deliveryDue struct{}

// Kind names the job in the queue.
func (deliveryDue) Kind() string { return "message.due" }

// InsertOpts names the queue.
func (deliveryDue) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: event.Outward} }

// resender sends what is due, one institution after the other.
type resender struct {
	river.WorkerDefaults[deliveryDue]
	institutions *institution.Service
	shares       *sharing.Service
}

// Work looks at every institution; one that fails holds up no other.
func (r *resender) Work(ctx context.Context, _ *river.Job[deliveryDue]) error {
	all, err := r.institutions.Slugs(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, in := range all {
		_, err := r.shares.Deliver(ctx, access.SystemOf(string(in), "send"))
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
