package deposit

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
)

const columns = `d.id, d.learner_id, d.kind, d.format, d.issuer_id, d.issuer_name, d.credential_id, d.name, d.valid_from, d.valid_until, d.identity, d.vouch,
	d.checks, d.verified_at, d.document, d.version, d.deposited_at, d.deposited_by, d.key_hash`

func (d Deposit) args(who access.Actor) pgx.NamedArgs {
	return pgx.NamedArgs{"institution": who.InstitutionID, "id": d.ID, "learner": d.LearnerID, "kind": d.Kind, "format": d.Format, "issuer": d.IssuerID,
		"issuer_name": d.IssuerName, "credential": d.CredentialID, "name": d.Name, "from": d.ValidFrom, "until": d.ValidUntil, "identity": d.Identity, "vouch": d.Vouch,
		"checks": d.Checks, "verified": d.VerifiedAt, "document": d.Document, "version": d.Version, "at": d.DepositedAt, "by": d.DepositedBy, "key": d.Key, "most": maxDeposits}
}

// insert keeps a deposit; Limit when the learner has too many.
func insert(ctx context.Context, tx pgx.Tx, who access.Actor, d Deposit) error {
	done, err := tx.Exec(ctx, `
		insert into deposit (institution_id, id, learner_id, kind, format, issuer_id, issuer_name, credential_id, name, valid_from, valid_until, identity, vouch,
			checks, verified_at, document, version, deposited_at, deposited_by, key_hash)
		select @institution, @id, @learner, @kind, @format, @issuer, @issuer_name, @credential, @name, @from, @until, @identity, @vouch,
			@checks, @verified, @document, @version, @at, @by, @key
		where (select count(*) from deposit where institution_id = @institution and learner_id = @learner) < @most`, d.args(who))
	if err == nil && done.RowsAffected() == 0 {
		return &fault.Error{Kind: fault.Limit, Field: "credential", Rule: "too-many", Message: "The learner has as many deposited credentials as are kept."}
	}
	return err
}

func update(ctx context.Context, tx pgx.Tx, who access.Actor, d Deposit) error {
	_, err := tx.Exec(ctx, `
		update deposit
		set kind = @kind, format = @format, issuer_name = @issuer_name, name = @name, valid_from = @from, valid_until = @until, identity = @identity, vouch = @vouch,
			checks = @checks, verified_at = @verified, document = @document, version = @version, deposited_at = @at, deposited_by = @by
		where institution_id = @institution and id = @id`, d.args(who))
	return err
}

// sameForUpdate is the learner's deposit of the same issuer and id, locked; nil
// where there is none.
func sameForUpdate(ctx context.Context, tx pgx.Tx, who access.Actor, d Deposit) (*Deposit, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from deposit d
		where d.institution_id = @institution and d.learner_id = @learner and d.key_hash = @key
		for update`, pgx.NamedArgs{"institution": who.InstitutionID, "learner": d.LearnerID, "key": d.Key})
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Deposit])
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Deposit, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from deposit d
		where d.institution_id = @institution and d.id = any(@ids) and (@only::text is null or d.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Deposit])
}

func ofLearners(ctx context.Context, tx pgx.Tx, who access.Actor, ids []learner.ID, before *time.Time, id ID, limit int) ([]Deposit, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from unnest(@ids::text[]) as k (id)
		cross join lateral (
			select * from deposit
			where institution_id = @institution and learner_id = k.id and (@only::text is null or learner_id = @only)
			  and (@before::timestamptz is null or (valid_from, id) < (@before, @id))
			order by valid_from desc, id desc
			limit @limit) as d
		order by k.id, d.valid_from desc, d.id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner(), "before": before, "id": id, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Deposit])
}

const ofListing = `
	from deposit d
	where d.institution_id = @institution and d.kind = @kind and (@only::text is null or d.learner_id = @only) and (@since::timestamptz is null or d.valid_from > @since)`

func (l Listing) args(who access.Actor) pgx.NamedArgs {
	return pgx.NamedArgs{"institution": who.InstitutionID, "kind": l.Kind, "only": who.OnlyLearner(), "since": l.Since, "limit": l.Limit, "offset": l.Offset}
}

func count(ctx context.Context, tx pgx.Tx, who access.Actor, l Listing) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(*)`+ofListing, l.args(who)).Scan(&n)
	return n, err
}

func numbered(ctx context.Context, tx pgx.Tx, who access.Actor, l Listing) ([]Deposit, error) {
	rows, _ := tx.Query(ctx, `select `+columns+ofListing+` order by d.valid_from, d.id limit @limit offset @offset`, l.args(who))
	return pgx.CollectRows(rows, pgx.RowToStructByName[Deposit])
}

// OfLearnersInTx are the deposits of learners, of each the earliest valid first, in
// the transaction of another noun: what a record may embed, each as it came.
func OfLearnersInTx(ctx context.Context, tx pgx.Tx, who access.Actor, ids []learner.ID) (map[learner.ID][]Deposit, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from deposit d
		where d.institution_id = @institution and d.learner_id = any(@ids) and (@only::text is null or d.learner_id = @only)
		order by d.learner_id, d.valid_from, d.id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Deposit])
	all := map[learner.ID][]Deposit{}
	for _, d := range found {
		all[d.LearnerID] = append(all[d.LearnerID], d)
	}
	return all, err
}

// ByIDsInTx are deposits by id, in the transaction of another noun.
func ByIDsInTx(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) (map[ID]Deposit, error) {
	all := map[ID]Deposit{}
	if len(ids) == 0 {
		return all, nil
	}
	found, err := byIDs(ctx, tx, who, ids)
	for _, d := range found {
		all[d.ID] = d
	}
	return all, err
}
