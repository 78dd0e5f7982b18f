// Package event hands work over to the background: what is emitted is enqueued
// in the transaction of the change that caused it, and done once that commits.
//
// The jobs package answers each event. An event names things by id and carries
// no data of theirs, because it is read later than it was written.
package event

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// ImportRequested asks for a job's file to be read. It may be asked for twice:
// whoever reads goes on behind the last line that is committed.
type ImportRequested struct {
	InstitutionID string `json:"institution"`
	JobID         string `json:"job"`
}

// Kind names the event in the queue.
func (ImportRequested) Kind() string { return "import.requested" }

// Awarded says that assertions were recorded, or corrected by an import.
type Awarded struct {
	InstitutionID string `json:"institution"`
	AssertionIDs  IDs    `json:"assertions"`
}

// IDs are ids, in JSON as one text with commas between them: the queue keeps an
// index of each text in an event, and an import tells of thousands.
type IDs []string

// MarshalJSON writes one text.
func (all IDs) MarshalJSON() ([]byte, error) { return json.Marshal(strings.Join(all, ",")) }

// UnmarshalJSON reads one text, or a list as it was written before.
func (all *IDs) UnmarshalJSON(raw []byte) error {
	var one string
	if err := json.Unmarshal(raw, &one); err != nil {
		return json.Unmarshal(raw, (*[]string)(all))
	}
	*all = nil
	if one != "" {
		*all = strings.Split(one, ",")
	}
	return nil
}

// Kind names the event in the queue.
func (Awarded) Kind() string { return "assertion.awarded" }

// Withdrawn says that an assertion was taken back.
type Withdrawn struct {
	InstitutionID string `json:"institution"`
	AssertionID   string `json:"assertion"`
}

// Kind names the event in the queue.
func (Withdrawn) Kind() string { return "assertion.withdrawn" }

// StandingChanged says that something else changed than an award that was made
// or taken back, by which learners stand otherwise with their programs: a
// correction, an enrolment, an equivalency.
type StandingChanged struct {
	InstitutionID string   `json:"institution"`
	LearnerIDs    []string `json:"learners"`
}

// Kind names the event in the queue.
func (StandingChanged) Kind() string { return "standing.changed" }

// HoldLifted says that what waited for a learner's hold may go out.
type HoldLifted struct {
	InstitutionID string `json:"institution"`
	LearnerID     string `json:"learner"`
}

// Kind names the event in the queue.
func (HoldLifted) Kind() string { return "release.hold_lifted" }

// CredentialsChanged says that something happened to credentials after they were
// issued: they were revoked, replaced, suspended, or a suspension was lifted.
type CredentialsChanged struct {
	InstitutionID string `json:"institution"`
	CredentialIDs IDs    `json:"credentials"`
}

// Kind names the event in the queue.
func (CredentialsChanged) Kind() string { return "credential.changed" }

// MessagesWaiting says that something is to go out of the house.
type MessagesWaiting struct {
	InstitutionID string `json:"institution"`
}

// Kind names the event in the queue.
func (MessagesWaiting) Kind() string { return "message.waiting" }

// Outward is the queue of what goes out of the house: who answers slowly holds up
// no other work.
const Outward = "outward"

// InsertOpts names the queue.
func (MessagesWaiting) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Outward} }

// CorrectionApproved asks for what a correction lists to be issued anew. It may
// be asked for twice: whoever does it goes on with what is not done.
type CorrectionApproved struct {
	InstitutionID string `json:"institution"`
	CorrectionID  string `json:"correction"`
}

// Kind names the event in the queue.
func (CorrectionApproved) Kind() string { return "correction.approved" }

// Outbox writes events.
type Outbox struct {
	client *river.Client[pgx.Tx]
}

// NewOutbox is an Outbox that only writes; it starts nothing.
func NewOutbox() (*Outbox, error) {
	client, err := river.NewClient(riverpgxv5.New(nil), &river.Config{})
	if err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	return &Outbox{client: client}, nil
}

// Emit enqueues the event in the caller's transaction. Without an Outbox it
// goes nowhere.
func (o *Outbox) Emit(ctx context.Context, tx pgx.Tx, e river.JobArgs) error {
	if o == nil {
		return nil
	}
	if _, err := o.client.InsertTx(ctx, tx, e, nil); err != nil {
		return fmt.Errorf("emit %s: %w", e.Kind(), err)
	}
	return nil
}
