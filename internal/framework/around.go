package framework

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
)

// Link is an association between two items by their uris.
type Link struct {
	Type        string
	Origin      string
	Destination string
}

// Around are the items with the given uris and everything above them, in the
// order of their frameworks, and the associations among them. A cycle ends
// where it closes.
func Around(ctx context.Context, tx pgx.Tx, who access.Actor, uris []string) ([]Item, []Link, error) {
	rows, _ := tx.Query(ctx, `
		with recursive up as (
			select i.id, i.framework_id, i.identifier
			from framework_item i
			where i.institution_id = @institution and i.uri = any(@uris)
			union
			select p.id, p.framework_id, p.identifier
			from up
			join framework_association a on a.institution_id = @institution and a.framework_id = up.framework_id
				and a.type = 'isChildOf' and a.origin_identifier = up.identifier
			join framework_item p on p.institution_id = @institution and p.framework_id = up.framework_id and p.identifier = a.destination_identifier)
		select `+itemColumnsOf+`
		from up
		join framework_item i on i.institution_id = @institution and i.id = up.id
		order by i.framework_id, i.position, i.id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "uris": uris})
	items, err := pgx.CollectRows(rows, pgx.RowToStructByName[Item])
	if err != nil {
		return nil, nil, err
	}
	ids := make([]ItemID, len(items))
	for i, it := range items {
		ids[i] = it.ID
	}
	rows, _ = tx.Query(ctx, `
		select distinct a.type, o.uri as origin, d.uri as destination
		from framework_association a
		join framework_item o on o.institution_id = a.institution_id and o.identifier = a.origin_identifier and o.id = any(@ids)
		join framework_item d on d.institution_id = a.institution_id and d.identifier = a.destination_identifier and d.id = any(@ids)
		where a.institution_id = @institution
		order by 1, 2, 3`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	links, err := pgx.CollectRows(rows, pgx.RowToStructByName[Link])
	return items, links, err
}
