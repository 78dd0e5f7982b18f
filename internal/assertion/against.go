package assertion

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/framework"
)

// Against is a competency that an assertion was made against, as it stood in
// the version of its framework that was in force when the assertion was
// recorded. A newer version of the framework does not change it.
type Against struct {
	AssertionID ID
	framework.Pinned
}

// AgainstOf are the competencies that each assertion was made against: those
// that the awarded version of its achievement is aligned to.
func (s *Service) AgainstOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Against, error) {
	all := make(map[ID][]Against, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select distinct a.id as assertion_id, i.id as item_id, i.position, coalesce((
				select max(v.version)
				from framework_version v
				where v.institution_id = a.institution_id and v.framework_id = i.framework_id and v.recorded_at < a.recorded_at), 1) as version
			from assertion a
			join achievement_version d on d.institution_id = a.institution_id and d.achievement_id = a.achievement_id and d.version = a.achievement_version
			cross join lateral jsonb_path_query(d.definition, '$.alignment[*].targetUrl') as target (url)
			join framework_item i on i.institution_id = a.institution_id and i.uri = target.url #>> '{}'
			where a.institution_id = @institution and a.id = any(@ids) and (@only::text is null or a.learner_id = @only)
			order by a.id, i.position, i.id`,
			pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
		made, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (x Against, err error) {
			var position int
			err = r.Scan(&x.AssertionID, &x.ItemID, &position, &x.Version)
			return x, err
		})
		if err != nil || len(made) == 0 {
			return err
		}
		var pins []framework.Pin
		for _, x := range made {
			pins = append(pins, x.Pin)
		}
		then, err := framework.PinnedInTx(ctx, tx, who, pins)
		for _, x := range made {
			if p, ok := then[x.Pin]; ok {
				all[x.AssertionID] = append(all[x.AssertionID], Against{x.AssertionID, p})
			}
		}
		return err
	})
	return all, err
}
