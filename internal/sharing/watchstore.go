package sharing

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
)

const watchColumns = `w.id, w.share_id, w.channel, w.address, w.created_at, w.ended_at, w.ended_by`

func insertWatch(ctx context.Context, tx pgx.Tx, who access.Actor, w Watch, l learner.ID, hash []byte) error {
	_, err := tx.Exec(ctx, `
		insert into share_watch (institution_id, id, learner_id, share_id, channel, address, token_hash, created_at)
		values (@institution, @id, @learner, @share, @channel, @address, @hash, @at)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": w.ID, "learner": l, "share": w.ShareID, "channel": w.Channel, "address": w.Address, "hash": hash, "at": w.CreatedAt})
	return err
}

func setWatchEnded(ctx context.Context, tx pgx.Tx, who access.Actor, w Watch) error {
	_, err := tx.Exec(ctx, `update share_watch set ended_at = @at, ended_by = @by where institution_id = @institution and id = @id and ended_at is null`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": w.ID, "at": w.EndedAt, "by": w.EndedBy})
	return err
}

func watchesOf(ctx context.Context, tx pgx.Tx, who access.Actor, shares []ID) ([]Watch, error) {
	rows, _ := tx.Query(ctx, `
		select `+watchColumns+`
		from share_watch w
		where w.institution_id = @institution and w.share_id = any(@shares) and (@only::text is null or w.learner_id = @only)
		order by w.share_id, w.created_at, w.id`, pgx.NamedArgs{"institution": who.InstitutionID, "shares": shares, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Watch])
}

func watchesByIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []string) ([]Watch, error) {
	rows, _ := tx.Query(ctx, `
		select `+watchColumns+`
		from share_watch w
		where w.institution_id = @institution and w.id = any(@ids) and (@only::text is null or w.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Watch])
}

// lockWatch is one watch by its id or by the hash of its token, until the
// transaction ends.
func lockWatch(ctx context.Context, tx pgx.Tx, who access.Actor, name string, hash []byte) (Watch, error) {
	return oneWatch(ctx, tx, who, name, hash, " for no key update")
}

func watchByHash(ctx context.Context, tx pgx.Tx, who access.Actor, hash []byte) (Watch, error) {
	return oneWatch(ctx, tx, who, "", hash, "")
}

func oneWatch(ctx context.Context, tx pgx.Tx, who access.Actor, name string, hash []byte, lock string) (Watch, error) {
	rows, _ := tx.Query(ctx, `
		select `+watchColumns+`
		from share_watch w
		where w.institution_id = @institution and (w.id = @id or w.token_hash = @hash) and (@only::text is null or w.learner_id = @only)`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": name, "hash": hash, "only": who.OnlyLearner()})
	w, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Watch])
	if errors.Is(err, pgx.ErrNoRows) {
		return w, fault.Missing("watch")
	}
	return w, err
}

// How many messages are written, and watches ended, in one transaction.
const (
	maxUntold = 1000
	maxOver   = 500
)

// over is a watch of a link that has come to its end.
type over struct {
	Watch
	LearnerID learner.ID
	Expired   bool // by its date
}

func overWatches(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time) ([]over, error) {
	rows, _ := tx.Query(ctx, `
		select `+watchColumns+`, w.learner_id, s.expires_at <= @now as expired
		from share_watch w
		join share s on s.institution_id = w.institution_id and s.id = w.share_id
		where w.institution_id = @institution and w.ended_at is null
		  and (s.expires_at <= @now or s.ended_at is not null or exists (
			select from consent_withdrawal k where k.institution_id = s.institution_id and k.consent_id = s.consent_id))
		order by w.id
		limit @most
		for no key update of w skip locked`, pgx.NamedArgs{"institution": who.InstitutionID, "now": now, "most": maxOver})
	return pgx.CollectRows(rows, pgx.RowToStructByName[over])
}

// untold is what happened to credentials behind links that are watched, and was
// not told. What happened in the minute before a watch began may have been
// written while it was made, and is told.
func untold(ctx context.Context, tx pgx.Tx, who access.Actor, ids []string, now time.Time) ([]message, error) {
	rows, _ := tx.Query(ctx, `
		select '' as id, w.learner_id, w.share_id, w.id as watch_id, e.kind, w.channel, e.credential_id, e.at as about_at,
			w.id || '/' || e.credential_id || '/' || e.position as once
		from share_watch w
		join share s on s.institution_id = w.institution_id and s.id = w.share_id
		left join record r on r.institution_id = s.institution_id and r.id = s.record_id
		cross join lateral (
			select s.credential_id as id where s.credential_id is not null
			union select unnest(r.items)
			union select i.credential_id from share_item i where i.institution_id = s.institution_id and i.share_id = s.id) as c
		join credential_event e on e.institution_id = w.institution_id and e.credential_id = c.id
		where w.institution_id = @institution and w.ended_at is null and s.ended_at is null and s.expires_at > @now
		  and e.at >= w.created_at - interval '1 minute' and (@ids::text[] is null or c.id = any(@ids))
		  and not exists (
			select from consent_withdrawal k where k.institution_id = s.institution_id and k.consent_id = s.consent_id)
		  and not (e.kind = 'revoked' and e.cause = 'superseded' and exists (
			select from credential_event o where o.institution_id = e.institution_id and o.credential_id = e.credential_id and o.kind = 'superseded'))
		  and not exists (
			select from message m where m.institution_id = w.institution_id and m.once = w.id || '/' || e.credential_id || '/' || e.position)
		order by e.at, w.id, e.credential_id, e.position
		limit @most`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "now": now, "most": maxUntold})
	return pgx.CollectRows(rows, pgx.RowToStructByName[message])
}

// insertMessages writes what is not written yet, and gives how many those were.
func insertMessages(ctx context.Context, tx pgx.Tx, who access.Actor, all []message, now time.Time) (n int, err error) {
	if len(all) == 0 {
		return 0, nil
	}
	var b pgx.Batch
	for _, m := range all {
		b.Queue(`
			insert into message (institution_id, id, learner_id, share_id, watch_id, kind, channel, credential_id, about_at, once, created_at, next_at)
			values (@institution, @id, @learner, @share, @watch, @kind, @channel, @credential, @about, @once, @now, @now)
			on conflict (institution_id, once) do nothing`,
			pgx.NamedArgs{"institution": who.InstitutionID, "id": m.ID, "learner": m.LearnerID, "share": m.ShareID, "watch": m.WatchID, "kind": m.Kind,
				"channel": m.Channel, "credential": m.CredentialID, "about": m.AboutAt, "once": m.Once, "now": now})
	}
	sent := tx.SendBatch(ctx, &b)
	for range all {
		done, err := sent.Exec()
		if err != nil {
			return n, errors.Join(err, sent.Close())
		}
		n += int(done.RowsAffected())
	}
	return n, sent.Close()
}

const messageColumns = `m.id, m.learner_id, m.share_id, m.watch_id, m.kind, m.channel, m.credential_id, m.about_at, m.created_at, m.state, m.attempts, m.next_at,
	m.trouble, m.settled_at`

// nextMessage is the next that is due, locked; nil when there is none, or others
// have it.
func nextMessage(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time, mails bool) (*parcel, error) {
	rows, _ := tx.Query(ctx, `
		select `+messageColumns+`, m.institution_id, n.name as institution, n.slug, n.email as reply_to,
			case m.kind when 'opened' then l.email when 'released' then s.address else w.address end as address, w.ended_at as watch_ended_at,
			exists (select from consent_withdrawal k where k.institution_id = s.institution_id and k.consent_id = s.consent_id) as withdrawn,
			s.token_hash, s.language, s.recipient, s.purpose, s.consent_id, s.expires_at, s.ended_at as share_ended_at
		from message m
		join institution n on n.institution_id = m.institution_id
		join share s on s.institution_id = m.institution_id and s.id = m.share_id
		join learner l on l.institution_id = m.institution_id and l.id = m.learner_id
		left join share_watch w on w.institution_id = m.institution_id and w.id = m.watch_id
		where m.institution_id = @institution and m.state = 'waiting' and m.next_at <= @now and (@mails or m.channel <> 'mail')
		order by m.next_at, m.id
		limit 1
		for update of m skip locked`, pgx.NamedArgs{"institution": who.InstitutionID, "now": now, "mails": mails})
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[parcel])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &p, err
}

func setMessage(ctx context.Context, tx pgx.Tx, who access.Actor, m Message) error {
	_, err := tx.Exec(ctx, `
		update message set state = @state, attempts = @attempts, next_at = @next, trouble = @trouble, settled_at = @settled
		where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": m.ID, "state": m.State, "attempts": m.Attempts, "next": m.NextAt, "trouble": m.Trouble, "settled": m.SettledAt})
	return err
}

func lockMessage(ctx context.Context, tx pgx.Tx, who access.Actor, name string) (Message, error) {
	rows, _ := tx.Query(ctx, `
		select `+messageColumns+`
		from message m
		where m.institution_id = @institution and m.id = @id and (@only::text is null or m.learner_id = @only)
		for no key update`, pgx.NamedArgs{"institution": who.InstitutionID, "id": name, "only": who.OnlyLearner()})
	m, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Message])
	if errors.Is(err, pgx.ErrNoRows) {
		return m, fault.Missing("message")
	}
	return m, err
}

func messages(ctx context.Context, tx pgx.Tx, who access.Actor, f MessageFilter, before page.Moment, limit int) ([]Message, error) {
	rows, _ := tx.Query(ctx, `
		select `+messageColumns+`
		from message m
		where m.institution_id = @institution and (@only::text is null or m.learner_id = @only) and (@state::text is null or m.state = @state)
		  and (@before::timestamptz is null or (m.created_at, m.id) < (@before, @id))
		order by m.created_at desc, m.id desc
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "only": who.OnlyLearner(), "state": f.State, "before": before.When(), "id": before.ID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Message])
}

func messagesOf(ctx context.Context, tx pgx.Tx, who access.Actor, watches []string) ([]Message, error) {
	rows, _ := tx.Query(ctx, `
		select m.*
		from unnest(@watches::text[]) as k (id)
		cross join lateral (
			select `+messageColumns+`
			from message m
			where m.institution_id = @institution and m.watch_id = k.id and (@only::text is null or m.learner_id = @only)
			order by m.created_at desc, m.id desc
			limit 50) as m
		order by m.watch_id, m.created_at desc, m.id desc`, pgx.NamedArgs{"institution": who.InstitutionID, "watches": watches, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Message])
}
