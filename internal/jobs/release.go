package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/sharing"
)

// releaser answers the lifting of a hold.
type releaser struct {
	river.WorkerDefaults[event.HoldLifted]
	shares *sharing.Service
}

// Work lets go out what waited for the hold.
func (r *releaser) Work(ctx context.Context, j *river.Job[event.HoldLifted]) error {
	_, err := r.shares.SettleFor(ctx, access.SystemOf(j.Args.InstitutionID, "release"), learner.ID(j.Args.LearnerID))
	return err
}
