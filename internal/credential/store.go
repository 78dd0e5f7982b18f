package credential

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
)

const columns = `id, kind, state, learner_id, assertion_id, assertion_version, key_id, content_hash, draft, document,
	drafted_at, issued_at, issued_by`

func find(ctx context.Context, tx pgx.Tx, who access.Actor, credential string) (Credential, error) {
	all, err := byIDs(ctx, tx, who, []ID{ID(credential)})
	if err == nil && len(all) == 0 {
		return Credential{}, fault.Missing("credential")
	}
	if err != nil {
		return Credential{}, err
	}
	return all[0], nil
}

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Credential, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from credential
		where institution_id = @institution and id = any(@ids) and (@only::text is null or learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Credential])
}

func ofAssertions(ctx context.Context, tx pgx.Tx, who access.Actor, ids []assertion.ID) ([]Credential, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from credential
		where institution_id = @institution and assertion_id = any(@ids) and state = 'issued'
		  and (@only::text is null or learner_id = @only)
		order by assertion_id, drafted_at desc, id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Credential])
}

// earlier are the badges of these contents, issued or drafted.
func earlier(ctx context.Context, tx pgx.Tx, who access.Actor, assertions []assertion.ID, hashes [][]byte) ([]Credential, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from credential
		where institution_id = @institution and kind = 'achievement'
		  and (assertion_id, content_hash) in (select * from unnest(@assertions::text[], @hashes::bytea[]))`,
		pgx.NamedArgs{"institution": who.InstitutionID, "assertions": assertions, "hashes": hashes})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Credential])
}

// draftOf is the draft that an attempt at the same record left.
func draftOf(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID, hash []byte) (c Credential, ok bool, err error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from credential
		where institution_id = @institution and kind = 'record' and state = 'drafted' and learner_id = @learner and content_hash = @hash`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learner": l, "hash": hash})
	c, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Credential])
	if errors.Is(err, pgx.ErrNoRows) {
		return c, false, nil
	}
	return c, err == nil, err
}

// insert writes drafts; one that another attempt wrote at the same moment is a
// Conflict.
func insert(ctx context.Context, tx pgx.Tx, who access.Actor, all []Credential) error {
	b := &pgx.Batch{}
	for _, c := range all {
		b.Queue(`
			insert into credential (institution_id, id, kind, state, learner_id, assertion_id, assertion_version, key_id, content_hash,
				draft, drafted_at, issued_by)
			values (@institution, @id, @kind, @state, @learner, @assertion, @version, @key, @hash, @draft, @drafted, @by)`,
			pgx.NamedArgs{"institution": who.InstitutionID, "id": c.ID, "kind": c.Kind, "state": c.State, "learner": c.LearnerID,
				"assertion": c.AssertionID, "version": c.AssertionVersion, "key": c.KeyID, "hash": c.ContentHash, "draft": c.Draft,
				"drafted": c.DraftedAt, "by": c.IssuedBy})
	}
	return tx.SendBatch(ctx, b).Close()
}

// seal keeps the signed documents of drafts. A draft that somebody else sealed
// meanwhile is a Conflict, so that nobody is shown bytes that are not on file.
func seal(ctx context.Context, tx pgx.Tx, who access.Actor, all []Credential) error {
	b := &pgx.Batch{}
	for _, c := range all {
		b.Queue(`
			update credential set state = 'issued', key_id = @key, document = @document, issued_at = @issued, issued_by = @by
			where institution_id = @institution and id = @id and state = 'drafted'`,
			pgx.NamedArgs{"institution": who.InstitutionID, "id": c.ID, "key": c.KeyID, "document": c.Document, "issued": c.IssuedAt, "by": c.IssuedBy}).
			Exec(func(tag pgconn.CommandTag) error {
				if tag.RowsAffected() == 0 {
					return atOnce(nil)
				}
				return nil
			})
	}
	return tx.SendBatch(ctx, b).Close()
}

func atOnce(err error) *fault.Error {
	return &fault.Error{Kind: fault.Conflict, Rule: "issued-at-once", Err: err,
		Message: "The same is being issued by somebody else at this moment. Try again: what they issued will be taken."}
}
