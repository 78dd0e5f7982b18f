package framework

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/spec/imscase"
)

// Pin names an item as it stood in a version of its framework.
type Pin struct {
	ItemID  ItemID
	Version int
}

// Pinned is what an item said in a version.
type Pinned struct {
	Pin
	FullStatement     string
	HumanCodingScheme *string
	ChangedSince      bool // it reads otherwise by now
	RetiredSince      bool
}

// PinnedInTx are items as they stood in versions. An item that was not in the
// framework yet is given as it first stood.
func PinnedInTx(ctx context.Context, tx pgx.Tx, who access.Actor, pins []Pin) (map[Pin]Pinned, error) {
	items, versions := make([]ItemID, len(pins)), make([]int, len(pins))
	for i, p := range pins {
		items[i], versions[i] = p.ItemID, p.Version
	}
	rows, err := tx.Query(ctx, `
		select p.item, p.version, coalesce(past.source, i.source), past.source is not null and past.source <> i.source, i.retired_at is not null
		from unnest(@items::text[], @versions::int[]) as p (item, version)
		join framework_item i on i.institution_id = @institution and i.id = p.item
		left join lateral (
			select o.source
			from framework_past o
			where o.institution_id = @institution and o.framework_id = i.framework_id and o.kind = 'item' and o.identifier = i.identifier
			  and o.until_version > p.version and i.since_version > p.version
			order by o.since_version
			limit 1) as past on true`,
		pgx.NamedArgs{"institution": who.InstitutionID, "items": items, "versions": versions})
	if err != nil {
		return nil, err
	}
	all := make(map[Pin]Pinned, len(pins))
	var p Pinned
	var source string
	_, err = pgx.ForEachRow(rows, []any{&p.ItemID, &p.Version, &source, &p.ChangedSince, &p.RetiredSince}, func() error {
		var i imscase.Item
		if err := json.Unmarshal([]byte(source), &i); err != nil {
			return err
		}
		p.FullStatement, p.HumanCodingScheme = i.FullStatement, text(i.HumanCodingScheme)
		all[p.Pin] = p
		return nil
	})
	return all, err
}
