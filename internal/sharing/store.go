package sharing

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/record"
)

const columns = `s.id, s.learner_id, s.kind, s.record_id, s.credential_id, s.recipient, s.address, s.open, s.purpose, s.language, s.consent_id, s.order_id,
	s.pin_hash is not null as has_pin, s.pin_tries, s.pin_locked_until, s.max_openings, s.openings, s.notify, s.notify_openings, s.created_at, s.created_by, s.expires_at,
	s.ended_at, s.ended_by`

// shown is a credential that is shown, as it is now.
type shown struct {
	CredentialID credential.ID
	LearnerID    learner.ID
	Kind         string
	Status       string
	Document     string
	ValidUntil   *time.Time
	SupersededOn *time.Time // when another took its place
	RevokedOn    *time.Time
	Cause        *string // of its revocation
	Derived      *string // what is shown in its place
	parts        []string
	derived      []byte
}

// stands reports whether the issuer stands by it, and nothing has replaced it.
func (x shown) stands(now time.Time) bool {
	return x.Status == credential.Active && x.SupersededOn == nil && (x.ValidUntil == nil || now.Before(*x.ValidUntil))
}

const asShown = `c.id as credential_id, c.learner_id, c.kind, c.status, coalesce(c.document, '') as document, c.valid_until, n.issued_at as superseded_on,
	e.at as revoked_on, e.cause`

const ofShown = `
	left join lateral (
		select n.issued_at from credential n
		where n.institution_id = c.institution_id and n.supersedes = c.id and n.state = 'issued'
		limit 1) as n on true
	left join lateral (
		select e.at, e.cause from credential_event e
		where e.institution_id = c.institution_id and e.credential_id = c.id and c.status <> 'active' and e.kind = c.status
		order by e.position desc
		limit 1) as e on true`

func byCredential(ctx context.Context, tx pgx.Tx, who access.Actor, ids []credential.ID) ([]shown, error) {
	rows, _ := tx.Query(ctx, `
		select `+asShown+`, null as derived
		from credential c`+ofShown+`
		where c.institution_id = @institution and c.id = any(@ids) and c.state = 'issued' and (@only::text is null or c.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[shown])
}

// inRecord are the credentials that a record embeds, in its order.
func inRecord(ctx context.Context, tx pgx.Tx, who access.Actor, r record.ID) ([]shown, error) {
	rows, _ := tx.Query(ctx, `
		select `+asShown+`, null as derived
		from record r
		cross join unnest(r.items) with ordinality as i (id, position)
		join credential c on c.institution_id = r.institution_id and c.id = i.id`+ofShown+`
		where r.institution_id = @institution and r.id = @record and (@only::text is null or r.learner_id = @only)
		order by i.position`, pgx.NamedArgs{"institution": who.InstitutionID, "record": r, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[shown])
}

// ofShare are the chosen credentials of a share, in its order.
func ofShare(ctx context.Context, tx pgx.Tx, who access.Actor, s ID) ([]shown, error) {
	rows, _ := tx.Query(ctx, `
		select `+asShown+`, i.document as derived
		from share_item i
		join credential c on c.institution_id = i.institution_id and c.id = i.credential_id`+ofShown+`
		where i.institution_id = @institution and i.share_id = @share
		order by i.position`, pgx.NamedArgs{"institution": who.InstitutionID, "share": s})
	return pgx.CollectRows(rows, pgx.RowToStructByName[shown])
}

// printedName is what a credential or record calls its learner.
func printedName(document string) string {
	var d struct {
		Subject struct {
			Identifier []struct {
				Hash string `json:"identityHash"`
				Type string `json:"identityType"`
			} `json:"identifier"`
		} `json:"credentialSubject"`
	}
	if json.Unmarshal([]byte(document), &d) != nil {
		return ""
	}
	for _, i := range d.Subject.Identifier {
		if i.Type == "name" {
			return i.Hash
		}
	}
	return ""
}

func insert(ctx context.Context, tx pgx.Tx, who access.Actor, s Share, x secrets, f found) error {
	var presentation *string
	if x.presentation != nil {
		text := string(x.presentation)
		presentation = &text
	}
	_, err := tx.Exec(ctx, `
		insert into share (institution_id, id, learner_id, kind, record_id, credential_id, recipient, address, open, purpose, language, printed_name, presentation,
			consent_id, order_id, token_hash, pin_hash, max_openings, notify, notify_openings, created_at, created_by, expires_at)
		values (@institution, @id, @learner, @kind, @record, @credential, @recipient, @address, @open, @purpose, @language, @printed, @presentation,
			@consent, @order, @token, @pin, @openings, @notify, @tell, @created, @by, @expires)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": s.ID, "learner": s.LearnerID, "kind": s.Kind, "record": s.RecordID, "credential": s.CredentialID,
			"recipient": s.Recipient, "address": s.Address, "open": s.Open, "purpose": s.Purpose, "language": s.Language, "printed": f.printed,
			"presentation": presentation, "consent": s.ConsentID, "order": s.OrderID, "token": hashOf(x.token), "pin": x.pinHash, "openings": s.MaxOpenings,
			"notify": s.Notify, "tell": s.NotifyOpenings, "created": s.CreatedAt, "by": s.CreatedBy, "expires": s.ExpiresAt})
	if err != nil || s.Kind == OfRecord {
		return err
	}
	var b pgx.Batch
	for i, it := range f.shown {
		var document *string
		if it.derived != nil {
			text := string(it.derived)
			document = &text
		}
		b.Queue(`
			insert into share_item (institution_id, share_id, position, learner_id, credential_id, parts, document)
			values (@institution, @share, @position, @learner, @credential, @parts, @document)`,
			pgx.NamedArgs{"institution": who.InstitutionID, "share": s.ID, "position": i + 1, "learner": s.LearnerID, "credential": it.CredentialID,
				"parts": it.parts, "document": document})
	}
	return tx.SendBatch(ctx, &b).Close()
}

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Share, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from share s
		where s.institution_id = @institution and s.id = any(@ids) and (@only::text is null or s.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Share])
}

// lock is one share, until the transaction ends.
func lock(ctx context.Context, tx pgx.Tx, who access.Actor, s ID) (Share, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from share s
		where s.institution_id = @institution and s.id = @id and (@only::text is null or s.learner_id = @only)
		for no key update`, pgx.NamedArgs{"institution": who.InstitutionID, "id": s, "only": who.OnlyLearner()})
	x, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Share])
	if errors.Is(err, pgx.ErrNoRows) {
		return x, fault.Missing("share")
	}
	return x, err
}

func end(ctx context.Context, tx pgx.Tx, who access.Actor, s Share) error {
	_, err := tx.Exec(ctx, `update share set ended_at = @at, ended_by = @by where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": s.ID, "at": s.EndedAt, "by": s.EndedBy})
	return err
}

func setToken(ctx context.Context, tx pgx.Tx, who access.Actor, s Share, hash []byte) error {
	_, err := tx.Exec(ctx, `
		update share set token_hash = @hash, pin_tries = 0, pin_locked_until = null
		where institution_id = @institution and id = @id`, pgx.NamedArgs{"institution": who.InstitutionID, "id": s.ID, "hash": hash})
	return err
}

func ofLearners(ctx context.Context, tx pgx.Tx, who access.Actor, ids []learner.ID, before page.Moment, limit int) ([]Share, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from unnest(@ids::text[]) as k (id)
		cross join lateral (
			select * from share
			where institution_id = @institution and learner_id = k.id and (@only::text is null or learner_id = @only)
			  and (@before::timestamptz is null or (created_at, id) < (@before, @id))
			order by created_at desc, id desc
			limit @limit) as s
		order by k.id, s.created_at desc, s.id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner(), "before": before.When(), "id": before.ID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Share])
}

func itemsOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Chosen, error) {
	rows, _ := tx.Query(ctx, `
		select share_id, credential_id, parts
		from share_item
		where institution_id = @institution and share_id = any(@ids) and (@only::text is null or learner_id = @only)
		order by share_id, position`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Chosen])
}

// opening is a share as its token finds it, with all that decides whether it is
// shown, in one row.
type opening struct {
	Share
	PINHash       *string `db:"pin_hash"`
	PrintedName   string
	Presentation  *string
	DisplayName   string
	ConsentEnds   *time.Time
	Withdrawn     bool
	Blocked       bool
	Held          bool // there is an open hold, whatever it is of
	Status        *string
	Document      *string
	SupersededOn  *time.Time
	RevokedOn     *time.Time `db:"-"`
	Partial       *bool
	Omissions     []record.Omission // of a partial record
	RecordVersion *int
}

func byToken(ctx context.Context, tx pgx.Tx, who access.Actor, hash []byte) (opening, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`, s.pin_hash, s.printed_name, s.presentation, l.display_name, k.expires_at as consent_ends,
			exists (select from consent_withdrawal w where w.institution_id = s.institution_id and w.consent_id = s.consent_id) as withdrawn,
			coalesce(r.blocked, false) as blocked,
			exists (
				select from release_hold h
				where h.institution_id = s.institution_id and h.learner_id = s.learner_id and not exists (
					select from release_hold_lift f where f.institution_id = h.institution_id and f.hold_id = h.id)) as held,
			c.status, c.document, o.partial, case when o.partial then o.omissions end as omissions, o.version as record_version,
			(select n.issued_at from credential n where n.institution_id = s.institution_id and n.supersedes = s.credential_id and n.state = 'issued') as superseded_on
		from share s
		join learner l on l.institution_id = s.institution_id and l.id = s.learner_id
		join consent k on k.institution_id = s.institution_id and k.id = s.consent_id
		left join learner_release r on r.institution_id = s.institution_id and r.learner_id = s.learner_id
		left join record o on o.institution_id = s.institution_id and o.id = s.record_id
		left join credential c on c.institution_id = s.institution_id and c.id = s.credential_id
		where s.institution_id = $1 and s.token_hash = $2`, who.InstitutionID, hash)
	all, err := pg.Collect[opening](rows, 1)
	if err != nil {
		return opening{}, err
	}
	if len(all) == 0 {
		return opening{}, fault.Missing("share")
	}
	x := all[0]
	if x.Status != nil && *x.Status != credential.Active {
		x.RevokedOn, err = changedOn(ctx, tx, who, *x.CredentialID, *x.Status)
	}
	return x, err
}

// changedOn is when a credential came to its present status.
func changedOn(ctx context.Context, tx pgx.Tx, who access.Actor, c credential.ID, status string) (at *time.Time, err error) {
	err = tx.QueryRow(ctx, `
		select at from credential_event
		where institution_id = @institution and credential_id = @credential and kind = @status
		order by position desc
		limit 1`, pgx.NamedArgs{"institution": who.InstitutionID, "credential": c, "status": status}).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return at, err
}

// renamedOn is when the learner's present name was recorded.
func renamedOn(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID) (at time.Time, err error) {
	err = tx.QueryRow(ctx, `
		select recorded_at from learner_name
		where institution_id = @institution and learner_id = @learner
		order by position desc
		limit 1`, pgx.NamedArgs{"institution": who.InstitutionID, "learner": l}).Scan(&at)
	return at, err
}

// count takes one opening of a share that has a number of them; false when there
// is none left. Two at one moment: the second waits here and sees the first's.
func count(ctx context.Context, tx pgx.Tx, who access.Actor, s ID) (bool, error) {
	done, err := tx.Exec(ctx, `
		update share set openings = openings + 1
		where institution_id = @institution and id = @id and ended_at is null and openings < max_openings`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": s})
	return done.RowsAffected() == 1, err
}

// try takes one try of a share's PIN before it is looked at, so that many at one
// moment are no more than one after the other; "" when none is left for now.
func try(ctx context.Context, tx pgx.Tx, who access.Actor, hash []byte, now time.Time) (pinHash string, err error) {
	err = tx.QueryRow(ctx, `
		update share
		set pin_tries = pin_tries + 1, pin_locked_until = case when (pin_tries + 1) % @once = 0 then @later::timestamptz else pin_locked_until end
		where institution_id = @institution and token_hash = @hash and pin_hash is not null and pin_tries < @most
		  and (pin_locked_until is null or pin_locked_until <= @now)
		returning pin_hash`,
		pgx.NamedArgs{"institution": who.InstitutionID, "hash": hash, "once": triesAtOnce, "most": maxTries, "now": now, "later": now.Add(lockedFor)}).Scan(&pinHash)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return pinHash, err
}

// forgive forgets the wrong tries before a right one.
func forgive(ctx context.Context, tx pgx.Tx, who access.Actor, s ID) error {
	_, err := tx.Exec(ctx, `
		update share set pin_tries = 0, pin_locked_until = null
		where institution_id = @institution and id = @id and (pin_tries > 0 or pin_locked_until is not null)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": s})
	return err
}
