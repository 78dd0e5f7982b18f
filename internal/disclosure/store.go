package disclosure

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
)

const columns = `d.id, d.learner_id, d.at, d.outcome, d.refusal, d.channel, d.party, d.purpose, d.basis, d.consent_id, d.items, d.source_id,
	d.actor_id, d.network, d.note`

// insert adds lines that are given as one JSON array.
const insert = `
	insert into disclosure (institution_id, id, learner_id, at, outcome, refusal, channel, party, purpose, basis, consent_id, items, source_id, actor_id,
		network, note)
	select @institution, x.*
	from jsonb_to_recordset(@lines::jsonb) as x (id text, learner_id text, at timestamptz, outcome text, refusal text, channel text, party text, purpose text,
		basis text, consent_id text, items text[], source_id text, actor_id text, network text, note text)`

// insertOne adds one line: half of the work.
const insertOne = `
	insert into disclosure (institution_id, id, learner_id, at, outcome, refusal, channel, party, purpose, basis, consent_id, items, source_id, actor_id,
		network, note)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

// row is a line by the names of its columns.
func (l Line) row() map[string]any {
	if l.Items == nil {
		l.Items = []string{}
	}
	return map[string]any{"id": l.ID, "learner_id": l.LearnerID, "at": l.At, "outcome": l.Outcome, "refusal": l.Refusal, "channel": l.Channel, "party": l.Party,
		"purpose": l.Purpose, "basis": l.Basis, "consent_id": l.ConsentID, "items": l.Items, "source_id": l.SourceID, "actor_id": l.ActorID,
		"network": l.Network, "note": l.Note}
}

// Write adds lines in the transaction that gives the data out, in one statement.
func Write(ctx context.Context, tx pgx.Tx, who access.Actor, lines ...Line) error {
	if len(lines) == 0 {
		return nil
	}
	sql, args := adding(who, lines)
	_, err := tx.Exec(ctx, sql, args...)
	return err
}

// Queue has lines added with what ends the transaction that gives the data out.
func Queue(end *pgx.Batch, who access.Actor, lines ...Line) {
	if len(lines) > 0 {
		sql, args := adding(who, lines)
		end.Queue(sql, args...)
	}
}

// adding is the statement that adds lines.
func adding(who access.Actor, lines []Line) (sql string, args []any) {
	if len(lines) == 1 {
		l := lines[0]
		if l.Items == nil {
			l.Items = []string{}
		}
		return insertOne, []any{who.InstitutionID, l.ID, l.LearnerID, l.At, l.Outcome, l.Refusal, l.Channel, l.Party, l.Purpose, l.Basis, l.ConsentID, l.Items, l.SourceID, l.ActorID,
			l.Network, l.Note}
	}
	all := make([]map[string]any, len(lines))
	for i, l := range lines {
		all[i] = l.row()
	}
	return insert, []any{pgx.NamedArgs{"institution": who.InstitutionID, "lines": all}}
}

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Line, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from disclosure d
		where d.institution_id = @institution and d.id = any(@ids) and (@only::text is null or d.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Line])
}

func ofLearners(ctx context.Context, tx pgx.Tx, who access.Actor, ids []learner.ID, before page.Moment, limit int) ([]Line, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from unnest(@ids::text[]) as k (id)
		cross join lateral (
			select * from disclosure
			where institution_id = @institution and learner_id = k.id and (@only::text is null or learner_id = @only)
			  and (@before::timestamptz is null or (at, id) < (@before, @id))
			order by at desc, id desc
			limit @limit) as d
		order by k.id, d.at desc, d.id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner(), "before": before.When(), "id": before.ID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Line])
}

func ofSources(ctx context.Context, tx pgx.Tx, who access.Actor, ids []string, before page.Moment, limit int) ([]Line, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from unnest(@ids::text[]) as k (id)
		cross join lateral (
			select * from disclosure
			where institution_id = @institution and source_id = k.id and (@only::text is null or learner_id = @only)
			  and (@before::timestamptz is null or (at, id) < (@before, @id))
			order by at desc, id desc
			limit @limit) as d
		order by k.id, d.at desc, d.id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner(), "before": before.When(), "id": before.ID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Line])
}

// viewed is a line that tells of a credential.
type viewed struct {
	Line
	Of string // its id
}

// ofCredentials are the lines that tell of each credential.
func ofCredentials(ctx context.Context, tx pgx.Tx, who access.Actor, ids []string, before page.Moment, limit int) ([]viewed, error) {
	rows, _ := tx.Query(ctx, `
		select c.id as of, `+columns+`
		from credential c
		cross join lateral (
			select array[c.id] || array(
				select unnest(array[r.id, r.credential_id])
				from record r
				where r.institution_id = @institution and r.learner_id = c.learner_id and r.items @> array[c.id]) as ids) as t
		cross join lateral (
			select * from disclosure
			where institution_id = @institution and learner_id = c.learner_id and (@only::text is null or learner_id = @only) and outcome = 'granted' and items && t.ids
			  and (@before::timestamptz is null or (at, id) < (@before, @id))
			order by at desc, id desc
			limit @limit) as d
		where c.institution_id = @institution and c.id = any(@ids)
		order by c.id, d.at desc, d.id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner(), "before": before.When(), "id": before.ID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[viewed])
}

// narrowed is the condition of a filter on one credential.
const narrowed = `
		  and (@credential::text is null or d.learner_id = (select c.learner_id from credential c where c.institution_id = @institution and c.id = @credential)
			and d.items && (array[@credential::text] || array(
				select unnest(array[r.id, r.credential_id])
				from record r
				where r.institution_id = @institution and r.learner_id = d.learner_id and r.items @> array[@credential::text])))`

func list(ctx context.Context, tx pgx.Tx, who access.Actor, f Filter, before page.Moment, limit int) ([]Line, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from disclosure d
		where d.institution_id = @institution and (@only::text is null or d.learner_id = @only)
		  and (@before::timestamptz is null or (d.at, d.id) < (@before, @id))
		  and (@from::timestamptz is null or d.at >= @from) and (@until::timestamptz is null or d.at < @until)
		  and (@learner::text is null or d.learner_id = @learner)
		  and (@outcome::text is null or d.outcome = @outcome) and (@basis::text is null or d.basis = @basis)`+narrowed+`
		order by d.at desc, d.id desc
		limit @limit`, f.args(who, before, limit))
	return pgx.CollectRows(rows, pgx.RowToStructByName[Line])
}

func (f Filter) args(who access.Actor, from page.Moment, limit int) pgx.NamedArgs {
	return pgx.NamedArgs{"institution": who.InstitutionID, "only": who.OnlyLearner(), "before": from.When(), "id": from.ID, "from": f.From, "until": f.Until,
		"learner": f.LearnerID, "credential": f.CredentialID, "outcome": f.Outcome, "basis": f.Basis, "limit": limit}
}

// Exported is a line with what somebody who audits it asks for besides.
type Exported struct {
	Line
	ConsentSignedAt *time.Time // of the consent that it rests on
}

// forExport are lines in the order of time, behind one.
func forExport(ctx context.Context, tx pgx.Tx, who access.Actor, f Filter, behind page.Moment, limit int) ([]Exported, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`, c.signed_at as consent_signed_at
		from disclosure d
		left join consent c on c.institution_id = d.institution_id and c.id = d.consent_id
		where d.institution_id = @institution
		  and (@before::timestamptz is null or (d.at, d.id) > (@before, @id))
		  and (@from::timestamptz is null or d.at >= @from) and (@until::timestamptz is null or d.at < @until)
		  and (@learner::text is null or d.learner_id = @learner)
		  and (@outcome::text is null or d.outcome = @outcome) and (@basis::text is null or d.basis = @basis) and (@only::text is null or d.learner_id = @only)`+narrowed+`
		order by d.at, d.id
		limit @limit`, f.args(who, behind, limit))
	return pgx.CollectRows(rows, pgx.RowToStructByName[Exported])
}
