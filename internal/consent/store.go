package consent

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
)

const columns = `c.id, c.learner_id, c.scope, c.items, c.purpose, c.party, c.open, c.language, c.text_version, c.statement, c.method, c.signed_at,
	c.expires_at, c.recorded_at, c.recorded_by, w.withdrawn_at, w.withdrawn_by, nullif(w.reason, '') as withdrawal`

func insert(ctx context.Context, tx pgx.Tx, who access.Actor, c Consent) error {
	_, err := tx.Exec(ctx, `
		insert into consent (institution_id, id, learner_id, scope, items, purpose, party, open, language, text_version, statement, method,
			signed_at, expires_at, recorded_at, recorded_by)
		values (@institution, @id, @learner, @scope, @items, @purpose, @party, @open, @language, @version, @statement, @method, @signed, @expires,
			@recorded, @by)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": c.ID, "learner": c.LearnerID, "scope": c.Scope, "items": c.Items, "purpose": c.Purpose,
			"party": c.Party, "open": c.Open, "language": c.Language, "version": c.TextVersion, "statement": c.Statement, "method": c.Method,
			"signed": c.SignedAt, "expires": c.ExpiresAt, "recorded": c.RecordedAt, "by": c.RecordedBy})
	return err
}

func insertWithdrawal(ctx context.Context, tx pgx.Tx, who access.Actor, c Consent) error {
	_, err := tx.Exec(ctx, `
		insert into consent_withdrawal (institution_id, consent_id, learner_id, withdrawn_at, withdrawn_by, reason)
		values (@institution, @consent, @learner, @at, @by, coalesce(@reason, ''))`,
		pgx.NamedArgs{"institution": who.InstitutionID, "consent": c.ID, "learner": c.LearnerID, "at": c.WithdrawnAt, "by": c.WithdrawnBy, "reason": c.Withdrawal})
	return err
}

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Consent, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from consent c
		left join consent_withdrawal w on w.institution_id = c.institution_id and w.consent_id = c.id
		where c.institution_id = @institution and c.id = any(@ids) and (@only::text is null or c.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Consent])
}

func find(ctx context.Context, tx pgx.Tx, who access.Actor, consent ID) (Consent, error) {
	all, err := byIDs(ctx, tx, who, []ID{consent})
	if err == nil && len(all) == 0 {
		err = fault.Missing("consent")
	}
	if err != nil {
		return Consent{}, err
	}
	return all[0], nil
}

// FindInTx is one consent in another noun's transaction.
func FindInTx(ctx context.Context, tx pgx.Tx, who access.Actor, consent ID) (Consent, error) {
	return find(ctx, tx, who, consent)
}

func ofLearners(ctx context.Context, tx pgx.Tx, who access.Actor, ids []learner.ID, before page.Moment, limit int) ([]Consent, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from unnest(@ids::text[]) as k (id)
		cross join lateral (
			select * from consent
			where institution_id = @institution and learner_id = k.id and (@only::text is null or learner_id = @only)
			  and (@before::timestamptz is null or (recorded_at, id) < (@before, @id))
			order by recorded_at desc, id desc
			limit @limit) as c
		left join consent_withdrawal w on w.institution_id = c.institution_id and w.consent_id = c.id
		order by k.id, c.recorded_at desc, c.id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "before": before.When(), "id": before.ID, "limit": limit, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Consent])
}

// refresh writes what holds of a learner now from what was said.
func refresh(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID, now time.Time) error {
	_, err := tx.Exec(ctx, `
		insert into learner_release (institution_id, learner_id, blocked, search_consent_id, search_until, updated_at)
		select @institution, @learner, coalesce((
				select d.blocked from directory_choice d
				where d.institution_id = @institution and d.learner_id = @learner
				order by d.position desc
				limit 1), false), s.id, s.expires_at, @now
		from (select 1) as one
		left join lateral (
			select c.id, c.expires_at
			from consent c
			where c.institution_id = @institution and c.learner_id = @learner and c.scope = 'search' and (c.expires_at is null or c.expires_at > @now)
			  and not exists (select from consent_withdrawal w where w.institution_id = @institution and w.consent_id = c.id)
			order by c.expires_at desc nulls first, c.id desc
			limit 1) as s on true
		on conflict (institution_id, learner_id) do update
		set blocked = excluded.blocked, search_consent_id = excluded.search_consent_id, search_until = excluded.search_until, updated_at = excluded.updated_at`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learner": l, "now": now})
	return err
}

// lock takes the learner's row, so that what is said of one learner at one
// moment is written one after the other.
func lock(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID) error {
	_, err := tx.Exec(ctx, `
		insert into learner_release as r (institution_id, learner_id, updated_at)
		values (@institution, @learner, 'epoch')
		on conflict (institution_id, learner_id) do update set updated_at = r.updated_at`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learner": l})
	return err
}

func standings(ctx context.Context, tx pgx.Tx, who access.Actor, ids []learner.ID) ([]Standing, error) {
	rows, _ := tx.Query(ctx, `
		select k.id, coalesce(r.blocked, false), r.search_consent_id, r.search_until
		from unnest(@ids::text[]) as k (id)
		left join learner_release r on r.institution_id = @institution and r.learner_id = k.id
		where (@only::text is null or k.id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Standing])
}

func insertChoice(ctx context.Context, tx pgx.Tx, who access.Actor, c Choice) error {
	_, err := tx.Exec(ctx, `
		insert into directory_choice (institution_id, learner_id, position, blocked, at, by_id, reason)
		select @institution, @learner, coalesce(max(position), 0) + 1, @blocked, @at, @by, @reason
		from directory_choice where institution_id = @institution and learner_id = @learner`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learner": c.LearnerID, "blocked": c.Blocked, "at": c.At, "by": c.ByID, "reason": c.Reason})
	return err
}

func choicesOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []learner.ID) ([]Choice, error) {
	rows, _ := tx.Query(ctx, `
		select learner_id, blocked, at, by_id, reason
		from directory_choice
		where institution_id = @institution and learner_id = any(@ids) and (@only::text is null or learner_id = @only)
		order by learner_id, position desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Choice])
}

func insertNotice(ctx context.Context, tx pgx.Tx, who access.Actor, n *Notice) error {
	return tx.QueryRow(ctx, `
		insert into directory_notice (institution_id, version, categories, published_where, effective_on, published_at, published_by)
		select @institution, coalesce(max(version), 0) + 1, @categories, @where, @on, @at, @by
		from directory_notice where institution_id = @institution
		returning version`,
		pgx.NamedArgs{"institution": who.InstitutionID, "categories": n.Categories, "where": n.Where, "on": n.EffectiveOn, "at": n.PublishedAt, "by": n.PublishedBy}).Scan(&n.Version)
}

// maxNotices is how many notices are read at most, the newest first.
const maxNotices = 100

func notices(ctx context.Context, tx pgx.Tx, who access.Actor) ([]Notice, error) {
	rows, _ := tx.Query(ctx, `
		select version, categories, published_where, effective_on, published_at, published_by
		from directory_notice
		where institution_id = @institution
		order by version desc
		limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "limit": maxNotices})
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Notice])
}
