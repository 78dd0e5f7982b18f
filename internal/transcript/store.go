package transcript

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
)

const columns = `d.id, d.learner_id, d.record_id, d.paper, d.recipient, d.made_at, d.made_by, d.signed_at, d.key_id, d.revoked_at, d.revoked_by, d.revoked_for,
	d.token_hash, d.printed`

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Document, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from document d
		where d.institution_id = @institution and d.id = any(@ids) and (@only::text is null or d.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Document])
}

// present is the document of a record that is for nobody in particular.
func present(ctx context.Context, tx pgx.Tx, who access.Actor, of record.ID, paper string) ([]Document, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from document d
		where d.institution_id = @institution and d.record_id = @record and d.paper = @paper and d.recipient = '' and d.revoked_at is null
			and (@only::text is null or d.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "record": of, "paper": paper, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Document])
}

func ofRecords(ctx context.Context, tx pgx.Tx, who access.Actor, ids []record.ID, limit int) ([]Document, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from unnest(@ids::text[]) as k (id)
		cross join lateral (
			select * from document
			where institution_id = @institution and record_id = k.id and (@only::text is null or learner_id = @only)
			order by made_at desc, id desc
			limit @limit) as d
		order by d.record_id, d.made_at desc, d.id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner(), "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Document])
}

// owner is whose a record is.
func owner(ctx context.Context, tx pgx.Tx, who access.Actor, of record.ID) (id learner.ID, err error) {
	err = tx.QueryRow(ctx, `select learner_id from record where institution_id = @institution and id = @record and (@only::text is null or learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "record": of, "only": who.OnlyLearner()}).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.Missing("record")
	}
	return id, err
}

// signed is the signed document of a record.
func signed(ctx context.Context, tx pgx.Tx, who access.Actor, of record.ID) (document []byte, err error) {
	var text string
	err = tx.QueryRow(ctx, `
		select c.document
		from record r
		join credential c on c.institution_id = r.institution_id and c.id = r.credential_id
		where r.institution_id = @institution and r.id = @record and (@only::text is null or r.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "record": of, "only": who.OnlyLearner()}).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.Missing("record")
	}
	return []byte(text), err
}

func insert(ctx context.Context, tx pgx.Tx, who access.Actor, d *Document) error {
	return tx.QueryRow(ctx, `
		insert into document (institution_id, id, learner_id, record_id, paper, recipient, made_at, made_by, signed_at, key_id, token_hash, printed)
		select r.institution_id, @id, r.learner_id, r.id, @paper, @recipient, @made, @by, @made, @key, @token, @printed
		from record r
		where r.institution_id = @institution and r.id = @record
		returning learner_id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": d.ID, "record": d.RecordID, "paper": d.Paper, "recipient": d.Recipient, "made": d.MadeAt, "by": d.MadeBy,
			"key": d.KeyID, "token": d.TokenHash, "printed": d.Printed}).Scan(&d.LearnerID)
}

func revoke(ctx context.Context, tx pgx.Tx, who access.Actor, d Document) error {
	done, err := tx.Exec(ctx, `
		update document set revoked_at = @at, revoked_by = @by, revoked_for = @reason
		where institution_id = @institution and id = @id and revoked_at is null`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": d.ID, "at": d.RevokedAt, "by": d.RevokedBy, "reason": d.RevokedFor})
	if err == nil && done.RowsAffected() == 0 {
		return &fault.Error{Kind: fault.Conflict, Rule: "revoked-at-once", Message: "Somebody else revoked this document at the same moment."}
	}
	return err
}

func sign(ctx context.Context, tx pgx.Tx, who access.Actor, d Document) error {
	_, err := tx.Exec(ctx, `update document set key_id = @key, signed_at = @at where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": d.ID, "key": d.KeyID, "at": d.SignedAt})
	return err
}

// became is what became of a document.
type became struct {
	ID           ID
	Institution  string
	MadeAt       time.Time
	RevokedAt    *time.Time
	Printed      map[string]string
	Status       string     // of the record's credential
	ChangedAt    *time.Time // when it became that
	SupersededAt *time.Time // when a newer version of the record was made
}

const becoming = `
	select d.id, i.name as institution, d.made_at, d.revoked_at, d.printed, c.status, e.at as changed_at, coalesce(n.assembled_at, m.issued_at) as superseded_at
	from document d
	join institution i on i.institution_id = d.institution_id
	join record r on r.institution_id = d.institution_id and r.id = d.record_id
	join credential c on c.institution_id = r.institution_id and c.id = r.credential_id
	left join record n on n.institution_id = r.institution_id and n.learner_id = r.learner_id and n.series = r.series and n.version = r.version + 1
	left join credential m on m.institution_id = c.institution_id and m.supersedes = c.id and m.state = 'issued'
	left join lateral (
		select e.at from credential_event e
		where e.institution_id = c.institution_id and e.credential_id = c.id and c.status <> 'active' and e.kind = c.status
		order by e.position desc
		limit 1) as e on true
	where d.institution_id = @institution`

func byToken(ctx context.Context, tx pgx.Tx, who access.Actor, hash []byte) (became, error) {
	rows, _ := tx.Query(ctx, becoming+` and d.token_hash = @hash`, pgx.NamedArgs{"institution": who.InstitutionID, "hash": hash})
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[became])
}

func becameOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]became, error) {
	rows, _ := tx.Query(ctx, becoming+` and d.id = any(@ids) and (@only::text is null or d.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[became])
}
