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
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
)

// reconcileEvery is how often what was cut off is looked for, besides at the
// start.
const reconcileEvery = 15 * time.Minute

// issuer answers awards with credentials, where that is the policy, and with
// what follows from them by the rules of programs.
type issuer struct {
	river.WorkerDefaults[event.Awarded]
	credentials *credential.Service
	programs    *program.Service
}

// Work issues what was awarded. Neither half waits for the other.
func (i *issuer) Work(ctx context.Context, j *river.Job[event.Awarded]) error {
	ids := make([]assertion.ID, len(j.Args.AssertionIDs))
	for n, id := range j.Args.AssertionIDs {
		ids[n] = assertion.ID(id)
	}
	_, issued := i.credentials.IssueAwarded(ctx, access.SystemOf(j.Args.InstitutionID, "issue"), ids)
	_, concluded := i.programs.ConcludeAwards(ctx, access.SystemOf(j.Args.InstitutionID, "award"), ids)
	return errors.Join(issued, concluded)
}

// revoker answers the withdrawal of an award.
type revoker struct {
	river.WorkerDefaults[event.Withdrawn]
	credentials *credential.Service
	programs    *program.Service
}

// Work revokes what was signed for the award, and proposes to withdraw what
// followed from it.
func (r *revoker) Work(ctx context.Context, j *river.Job[event.Withdrawn]) error {
	id := assertion.ID(j.Args.AssertionID)
	_, revoked := r.credentials.RevokeWithdrawn(ctx, access.SystemOf(j.Args.InstitutionID, "revoke"), id)
	_, concluded := r.programs.ConcludeAwards(ctx, access.SystemOf(j.Args.InstitutionID, "award"), []assertion.ID{id})
	return errors.Join(revoked, concluded)
}

// concluder answers that learners stand otherwise with their programs.
type concluder struct {
	river.WorkerDefaults[event.StandingChanged]
	programs *program.Service
}

// Work finds what follows by the rules of programs.
func (c *concluder) Work(ctx context.Context, j *river.Job[event.StandingChanged]) error {
	learners := make([]learner.ID, len(j.Args.LearnerIDs))
	for n, id := range j.Args.LearnerIDs {
		learners[n] = learner.ID(id)
	}
	_, err := c.programs.Conclude(ctx, access.SystemOf(j.Args.InstitutionID, "award"), learners)
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
		concluded, err := r.Programs.Reconcile(ctx, who)
		failed = append(failed, err)
		released, err := r.Shares.SettleDue(ctx, who)
		failed = append(failed, err)
		_, err = r.Shares.Tell(ctx, who, nil)
		failed = append(failed, err)
		if !mended.Zero() || records > 0 || !concluded.Zero() || released > 0 {
			r.log.Info("finished what was cut off", "institution", in, "finished", mended.Finished, "discarded", mended.Discarded,
				"issued", mended.Issued, "revoked", mended.Revoked, "records", records,
				"proposed", concluded.Proposed, "awarded", concluded.Awarded, "lapsed", concluded.Expired, "released", released)
		}
	}
	return errors.Join(failed...)
}
