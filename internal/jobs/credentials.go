package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/record"
)

// reconcileEvery is how often what was cut off is looked for, besides at the
// start.
const reconcileEvery = 15 * time.Minute

// issuer answers awards with credentials, where that is the policy.
type issuer struct {
	river.WorkerDefaults[event.Awarded]
	credentials *credential.Service
}

// Work issues what was awarded.
func (i *issuer) Work(ctx context.Context, j *river.Job[event.Awarded]) error {
	ids := make([]assertion.ID, len(j.Args.AssertionIDs))
	for n, id := range j.Args.AssertionIDs {
		ids[n] = assertion.ID(id)
	}
	_, err := i.credentials.IssueAwarded(ctx, access.SystemOf(j.Args.InstitutionID, "issue"), ids)
	return err
}

// revoker answers the withdrawal of an award.
type revoker struct {
	river.WorkerDefaults[event.Withdrawn]
	credentials *credential.Service
}

// Work revokes what was signed for the award.
func (r *revoker) Work(ctx context.Context, j *river.Job[event.Withdrawn]) error {
	_, err := r.credentials.RevokeWithdrawn(ctx, access.SystemOf(j.Args.InstitutionID, "revoke"), assertion.ID(j.Args.AssertionID))
	return err
}

// corrector issues anew what a correction lists.
type corrector struct {
	river.WorkerDefaults[event.CorrectionApproved]
	records *record.Service
}

// Work does what was approved and is not done yet.
func (c *corrector) Work(ctx context.Context, j *river.Job[event.CorrectionApproved]) error {
	return c.records.RunCorrection(ctx, access.SystemOf(j.Args.InstitutionID, "correct"), j.Args.CorrectionID)
}

// reconcileDue asks for every institution to be looked at.
type reconcileDue struct{}

// Kind names the job in the queue.
func (reconcileDue) Kind() string { return "credential.reconcile" }

// reconciler does what was left undone, one institution after the other.
type reconciler struct {
	river.WorkerDefaults[reconcileDue]
	Services
	log *slog.Logger
}

// Work looks at every institution; one that fails holds up no other.
func (r *reconciler) Work(ctx context.Context, _ *river.Job[reconcileDue]) error {
	all, err := r.Institutions.Slugs(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, in := range all {
		who := access.SystemOf(string(in), "reconcile")
		mended, err := r.Credentials.Reconcile(ctx, who)
		failed = append(failed, err)
		records, err := r.Records.Reconcile(ctx, who)
		failed = append(failed, err)
		if !mended.Zero() || records > 0 {
			r.log.Info("finished what was cut off", "institution", in, "finished", mended.Finished, "discarded", mended.Discarded,
				"issued", mended.Issued, "revoked", mended.Revoked, "records", records)
		}
	}
	return errors.Join(failed...)
}
