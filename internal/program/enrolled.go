package program

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/learner"
)

// Enrolled are learners who are enrolled in a program on a day, by id, so many
// of those after another one at most. A learner finds itself only.
func (s *Service) Enrolled(ctx context.Context, who access.Actor, p ID, on day.Date, after learner.ID, most int) ([]Enrollment, error) {
	var all []Enrollment
	err := s.read(ctx, who, access.ReadLearner, func(tx pgx.Tx) (err error) {
		rows, _ := tx.Query(ctx, `
			select `+enrollmentColumns+`
			from program_enrollment
			where institution_id = @institution and program_id = @program and enrolled_on <= @on and (ended_on is null or ended_on >= @on)
			  and learner_id > @after and (@only::text is null or learner_id = @only)
			order by learner_id
			limit @limit`,
			pgx.NamedArgs{"institution": who.InstitutionID, "program": p, "on": on, "after": after, "limit": most, "only": who.OnlyLearner()})
		all, err = pgx.CollectRows(rows, pgx.RowToStructByName[Enrollment])
		return err
	})
	return all, err
}
