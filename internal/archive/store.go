package archive

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/verify"
)

// learnersFrom are the learners behind an id, by id: all of them, or some.
func learnersFrom(ctx context.Context, tx pgx.Tx, who access.Actor, some []learner.ID, after learner.ID, limit int) ([]learner.ID, error) {
	rows, _ := tx.Query(ctx, `
		select id from learner
		where institution_id = @institution and id > @after and (@some::text[] is null or id = any(@some))
		order by id
		limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "some": some, "after": after, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowTo[learner.ID])
}

// listed is a learner as the pages list them.
type listed struct {
	ID        learner.ID
	Name      string
	Sorted    string // by this the list is in order
	Reference string
	Issued    int // credentials, records aside
	Records   int
}

// eachListed hands out the learners in the order of their family names.
func eachListed(ctx context.Context, tx pgx.Tx, who access.Actor, some []learner.ID, told func(listed) error) error {
	rows, err := tx.Query(ctx, `
		select l.id, l.display_name, coalesce(l.family_name, l.display_name), coalesce(l.ref_value, ''),
			(select count(*) from credential c where c.institution_id = l.institution_id and c.learner_id = l.id and c.state = 'issued' and c.kind <> 'record'),
			(select count(*) from credential c where c.institution_id = l.institution_id and c.learner_id = l.id and c.state = 'issued' and c.kind = 'record')
		from learner l
		where l.institution_id = @institution and (@some::text[] is null or l.id = any(@some))
		order by folded(coalesce(l.family_name, l.display_name)) collate "C", folded(l.display_name) collate "C", l.id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "some": some})
	if err != nil {
		return err
	}
	var l listed
	_, err = pgx.ForEachRow(rows, []any{&l.ID, &l.Name, &l.Sorted, &l.Reference, &l.Issued, &l.Records}, func() error { return told(l) })
	return err
}

// issued is a credential as it is read for an archive.
type issued struct {
	ID, Kind, Status       string
	Document               string
	IssuedAt, ValidUntil   *time.Time
	ChangedAt, WithdrawnAt *time.Time
	Cause                  *string
	NewerID                *string
	NewerAt                *time.Time
	Record                 *string
	Version                *int
}

// eachIssued hands out what was issued to a learner, by id, one at a time.
func eachIssued(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID, told func(issued) error) error {
	rows, err := tx.Query(ctx, `
		select c.id, c.kind, c.status, c.document, c.issued_at, c.valid_until, e.at, e.cause, a.withdrawn_at, n.id, n.issued_at, r.id, r.version
		from credential c
		left join assertion a on a.institution_id = c.institution_id and a.id = c.assertion_id
		left join credential n on n.institution_id = c.institution_id and n.supersedes = c.id and n.state = 'issued'
		left join record r on r.institution_id = c.institution_id and r.learner_id = c.learner_id and r.credential_id = c.id
		left join lateral (
			select e.cause, e.at from credential_event e
			where e.institution_id = c.institution_id and e.credential_id = c.id and c.status <> 'active' and e.kind = c.status
			order by e.position desc
			limit 1) as e on true
		where c.institution_id = @institution and c.learner_id = @learner and c.state = 'issued'
		order by c.id`, pgx.NamedArgs{"institution": who.InstitutionID, "learner": l})
	if err != nil {
		return err
	}
	var c issued
	_, err = pgx.ForEachRow(rows, []any{&c.ID, &c.Kind, &c.Status, &c.Document, &c.IssuedAt, &c.ValidUntil, &c.ChangedAt, &c.Cause, &c.WithdrawnAt, &c.NewerID, &c.NewerAt, &c.Record, &c.Version},
		func() error { defer func() { c = issued{} }(); return told(c) })
	return err
}

// deposited is what a learner brought, as it is read for an archive.
type deposited struct {
	ID, Format, CredentialID, IssuerID, IssuerName, Name, Document string
	VerifiedAt                                                     time.Time
	Checks                                                         []verify.Check
}

// eachDeposited hands out what a learner brought, by id, one at a time.
func eachDeposited(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID, told func(deposited) error) error {
	rows, err := tx.Query(ctx, `
		select id, format, credential_id, issuer_id, issuer_name, name, document, verified_at, checks
		from deposit
		where institution_id = @institution and learner_id = @learner
		order by id`, pgx.NamedArgs{"institution": who.InstitutionID, "learner": l})
	if err != nil {
		return err
	}
	var d deposited
	_, err = pgx.ForEachRow(rows, []any{&d.ID, &d.Format, &d.CredentialID, &d.IssuerID, &d.IssuerName, &d.Name, &d.Document, &d.VerifiedAt, &d.Checks},
		func() error { defer func() { d = deposited{} }(); return told(d) })
	return err
}

// eachLine hands out the account of what was done, from its beginning.
func eachLine(ctx context.Context, tx pgx.Tx, who access.Actor, told func(audit.Line) error) error {
	rows, err := tx.Query(ctx, `
		select sequence, at, actor_id, action, target, detail, previous_hash, hash
		from audit
		where institution_id = @institution
		order by sequence`, pgx.NamedArgs{"institution": who.InstitutionID})
	if err != nil {
		return err
	}
	var l audit.Line
	_, err = pgx.ForEachRow(rows, []any{&l.Sequence, &l.At, &l.ActorID, &l.Action, &l.Target, &l.Detail, &l.PreviousHash, &l.Hash},
		func() error { defer func() { l = audit.Line{} }(); return told(l) })
	return err
}

// counted is how many learners there are.
func counted(ctx context.Context, tx pgx.Tx, who access.Actor) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(*) from learner where institution_id = @institution`, pgx.NamedArgs{"institution": who.InstitutionID}).Scan(&n)
	return n, err
}
