package credential

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
)

const columns = bare + `, c.document, null::bytea as kept`

// closed are the columns without the signed bytes: readers have these, and the
// bytes Sealed.
const closed = bare + `, null::text as document, null::bytea as kept`

const bare = `c.id, c.kind, c.state, c.status, c.learner_id, c.assertion_id, c.assertion_version, c.key_id, c.content_hash, c.status_list,
	c.status_index, c.supersedes, (
		select n.id from credential n
		where n.institution_id = c.institution_id and n.supersedes = c.id and n.state = 'issued') as superseded_by,
	coalesce(c.draft, '') as draft, c.valid_until, coalesce(c.basis, '') as basis, c.drafted_at, c.issued_at, c.issued_by`

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
		select `+closed+`
		from credential c
		where c.institution_id = @institution and c.id = any(@ids) and (@only::text is null or c.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Credential])
}

// withBytes are credentials by id with what was signed, for the nouns alone.
func withBytes(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Credential, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from credential c
		where c.institution_id = @institution and c.id = any(@ids) and (@only::text is null or c.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Credential])
}

func ofAssertions(ctx context.Context, tx pgx.Tx, who access.Actor, ids []assertion.ID) ([]Credential, error) {
	rows, _ := tx.Query(ctx, `
		select `+closed+`
		from credential c
		where c.institution_id = @institution and c.assertion_id = any(@ids) and c.state = 'issued'
		  and (@only::text is null or c.learner_id = @only)
		order by c.assertion_id, c.drafted_at desc, c.id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Credential])
}

const ofListing = `
	from credential c
	where c.institution_id = @institution and c.state = 'issued' and c.kind = @kind
	  and (@only::text is null or c.learner_id = @only) and (@since::timestamptz is null or c.issued_at > @since)`

func (l Listing) args(who access.Actor) pgx.NamedArgs {
	return pgx.NamedArgs{"institution": who.InstitutionID, "kind": l.Kind, "only": who.OnlyLearner(), "since": l.Since, "limit": l.Limit, "offset": l.Offset}
}

// signedRow is the bytes of a credential, with whose it is.
type signedRow struct {
	ID        ID
	LearnerID learner.ID
	Document  string
}

func signedOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]signedRow, error) {
	rows, _ := tx.Query(ctx, `
		select c.id, c.learner_id, c.document
		from credential c
		where c.institution_id = @institution and c.id = any(@ids) and c.state = 'issued' and (@only::text is null or c.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[signedRow])
}

// TermsInTx are the payment periods that credentials tell of, in another noun's
// transaction: an award's own; of a record, those of everything in it; of what a
// record concludes or adds up to, those of the records that contain it. One that
// tells of none is left out.
func TermsInTx(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) (map[ID][]string, error) {
	rows, err := tx.Query(ctx, `
		select c.id, a.term
		from credential c
		join assertion a on a.institution_id = c.institution_id and a.id = c.assertion_id
		where c.institution_id = @institution and c.id = any(@ids) and a.term <> ''
		union
		select c.id, a.term
		from credential c
		join record r on r.institution_id = c.institution_id and r.learner_id = c.learner_id and (r.credential_id = c.id or r.items @> array[c.id])
		cross join unnest(r.items) as i (id)
		join credential e on e.institution_id = r.institution_id and e.id = i.id
		join assertion a on a.institution_id = e.institution_id and a.id = e.assertion_id
		where c.institution_id = @institution and c.id = any(@ids) and c.assertion_id is null and a.term <> ''`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	if err != nil {
		return nil, err
	}
	all := map[ID][]string{}
	var id ID
	var term string
	_, err = pgx.ForEachRow(rows, []any{&id, &term}, func() error { all[id] = append(all[id], term); return nil })
	return all, err
}

func count(ctx context.Context, tx pgx.Tx, who access.Actor, l Listing) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(*)`+ofListing, l.args(who)).Scan(&n)
	return n, err
}

func numbered(ctx context.Context, tx pgx.Tx, who access.Actor, l Listing) ([]signedRow, error) {
	rows, _ := tx.Query(ctx, `select c.id, c.learner_id, c.document`+ofListing+` order by c.issued_at, c.id limit @limit offset @offset`, l.args(who))
	return pgx.CollectRows(rows, pgx.RowToStructByName[signedRow])
}

// allNumbered are the ids of a whole listing, in its order.
func allNumbered(ctx context.Context, tx pgx.Tx, who access.Actor, l Listing) ([]ID, error) {
	rows, _ := tx.Query(ctx, `select c.id`+ofListing+` order by c.issued_at, c.id`, l.args(who))
	return pgx.CollectRows(rows, pgx.RowTo[ID])
}

// present are the badges of assertions that nothing has replaced, with their
// canonical forms, and what was drafted for them. Each is looked up by itself,
// and what replaced it as well, whatever the planner believes of a table that has
// just grown: the two OFFSETs keep it from joining.
func present(ctx context.Context, tx pgx.Tx, who access.Actor, assertions []assertion.ID) ([]Credential, error) {
	rows, err := tx.Query(ctx, `
		select c.id, c.kind, c.state, c.status, c.learner_id, c.assertion_id, c.assertion_version, c.key_id, c.content_hash, c.status_list,
			c.status_index, c.supersedes, coalesce(c.draft, '') as draft, c.document, c.valid_until,
			coalesce(c.basis, '') as basis, c.drafted_at, c.issued_at, c.issued_by, c.kept
		from unnest(@assertions::text[]) as k (id)
		cross join lateral (
			select * from credential c
			where c.institution_id = @institution and c.kind = 'achievement' and c.assertion_id = k.id and c.state <> 'discarded'
			  and not exists (
				select from credential n where n.institution_id = @institution and n.supersedes = c.id and n.state = 'issued' offset 0)
			offset 0) as c`,
		pgx.NamedArgs{"institution": who.InstitutionID, "assertions": assertions})
	if err != nil {
		return nil, err
	}
	all := make([]Credential, 0, len(assertions))
	var c Credential
	_, err = pgx.ForEachRow(rows, []any{&c.ID, &c.Kind, &c.State, &c.Status, &c.LearnerID, &c.AssertionID, &c.AssertionVersion, &c.KeyID, &c.ContentHash,
		&c.StatusList, &c.StatusIndex, &c.Supersedes, &c.Draft, &c.Document, &c.ValidUntil, &c.Basis, &c.DraftedAt, &c.IssuedAt, &c.IssuedBy, &c.Kept},
		func() error { all, c = append(all, c), Credential{}; return nil })
	return all, err
}

// recordDrafts are the drafts that attempts at records of these learners, and at
// the summaries in them, left.
func recordDrafts(ctx context.Context, tx pgx.Tx, who access.Actor, learners []learner.ID) ([]Credential, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from credential c
		where c.institution_id = @institution and c.kind <> 'achievement' and c.state = 'drafted' and c.learner_id = any(@learners)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learners": learners})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Credential])
}

// insert writes drafts in one statement; one that another attempt wrote at the
// same moment is a Conflict.
func insert(ctx context.Context, tx pgx.Tx, who access.Actor, all []Credential) error {
	if len(all) == 0 {
		return nil
	}
	var c columnsOf
	for _, x := range all {
		c.add(x)
	}
	_, err := tx.Exec(ctx, `
		insert into credential (institution_id, id, kind, state, learner_id, assertion_id, assertion_version, key_id, content_hash,
			status_list, status_index, supersedes, valid_until, draft, basis, drafted_at, issued_by)
		select @institution, id, kind, 'drafted', learner, assertion, version, key, hash, list, place, supersedes, until, draft, nullif(basis, ''), drafted, by_id
		from unnest(@ids::text[], @kinds::text[], @learners::text[], @assertions::text[], @versions::int[], @keys::text[], @hashes::bytea[],
			@lists::int[], @places::int[], @supersedes::text[], @untils::timestamptz[], @drafts::text[], @bases::text[], @drafted::timestamptz[],
			@by::text[])
			as r (id, kind, learner, assertion, version, key, hash, list, place, supersedes, until, draft, basis, drafted, by_id)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": c.ids, "kinds": c.kinds, "learners": c.learners, "assertions": c.assertions,
			"versions": c.versions, "keys": c.keys, "hashes": c.hashes, "lists": c.lists, "places": c.places, "supersedes": c.supersedes,
			"untils": c.untils, "drafts": c.drafts, "bases": c.bases, "drafted": c.drafted, "by": c.by})
	switch pg.Constraint(err) {
	case "credential_once_per_content", "credential_draft_once_per_content":
		return atOnce(err)
	}
	return err
}

// columnsOf are credentials column by column.
type columnsOf struct {
	ids, kinds, learners, keys, drafts, documents, by []string
	assertions, supersedes                            []*string
	versions, lists, places                           []*int
	hashes                                            [][]byte
	untils, issued                                    []*time.Time
	drafted                                           []time.Time
	bases                                             []string
	kept                                              [][]byte
}

func (c *columnsOf) add(x Credential) {
	c.ids, c.kinds, c.learners, c.keys = append(c.ids, string(x.ID)), append(c.kinds, x.Kind), append(c.learners, string(x.LearnerID)), append(c.keys, x.KeyID)
	c.bases, c.kept = append(c.bases, x.Basis), append(c.kept, x.Kept)
	if x.Kind == OfRecord {
		x.Draft = "" // large, and made of what is on file: composed again where it is wanted
	}
	c.drafts, c.by, c.documents = append(c.drafts, x.Draft), append(c.by, x.IssuedBy), append(c.documents, text(x.Document))
	c.assertions, c.supersedes = append(c.assertions, (*string)(x.AssertionID)), append(c.supersedes, (*string)(x.Supersedes))
	c.versions, c.lists, c.places = append(c.versions, x.AssertionVersion), append(c.lists, x.StatusList), append(c.places, x.StatusIndex)
	c.hashes, c.untils, c.issued, c.drafted = append(c.hashes, x.ContentHash), append(c.untils, x.ValidUntil), append(c.issued, x.IssuedAt), append(c.drafted, x.DraftedAt)
}

// seal keeps the signed documents of drafts in one statement. A draft that
// somebody else sealed meanwhile is a Conflict, so that nobody is shown bytes
// that are not on file.
func seal(ctx context.Context, tx pgx.Tx, who access.Actor, all []Credential) error {
	if len(all) == 0 {
		return nil
	}
	var c columnsOf
	for _, x := range all {
		c.add(x)
	}
	done, err := tx.Exec(ctx, `
		update credential c
		set state = 'issued', draft = null, key_id = r.key, document = r.document, kept = r.kept, issued_at = r.issued, issued_by = r.by_id
		from unnest(@ids::text[], @keys::text[], @documents::text[], @kept::bytea[], @issued::timestamptz[], @by::text[])
			as r (id, key, document, kept, issued, by_id)
		where c.institution_id = @institution and c.id = r.id and c.state = 'drafted'`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": c.ids, "keys": c.keys, "documents": c.documents, "kept": c.kept, "issued": c.issued, "by": c.by})
	if err == nil && int(done.RowsAffected()) != len(all) || pg.Constraint(err) == "credential_superseded_once" {
		return atOnce(err)
	}
	return err
}

func atOnce(err error) *fault.Error {
	return &fault.Error{Kind: fault.Conflict, Rule: "issued-at-once", Err: err,
		Message: "The same is being issued by somebody else at this moment. Try again: what they issued will be taken."}
}

// SummariesInTx are the summaries that stand at the end of the series of that
// basis, of learners who have one, in another noun's transaction.
func SummariesInTx(ctx context.Context, tx pgx.Tx, who access.Actor, basis string, learners []learner.ID) (map[learner.ID]Credential, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from unnest(@learners::text[]) as k (id)
		cross join lateral (
			select * from credential c
			where c.institution_id = @institution and c.learner_id = k.id and c.kind = 'summary' and c.state = 'issued' and c.basis = @basis
			  and not exists (
				select from credential n where n.institution_id = @institution and n.supersedes = c.id and n.state = 'issued' offset 0)
			offset 0) as c`,
		pgx.NamedArgs{"institution": who.InstitutionID, "basis": basis, "learners": learners})
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Credential])
	all := make(map[learner.ID]Credential, len(found))
	for _, c := range found {
		all[c.LearnerID] = c
	}
	return all, err
}
