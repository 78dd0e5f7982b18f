package institution

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/pg"
)

func itoa(n int) string { return strconv.Itoa(n) }

func insertLocator(ctx context.Context, tx pgx.Tx, slug string, in ID) error {
	_, err := tx.Exec(ctx, `insert into institution_locator (slug, institution_id) values (@slug, @institution)`,
		pgx.NamedArgs{"slug": slug, "institution": in})
	if pg.Constraint(err) == "institution_locator_pkey" {
		return &fault.Error{Kind: fault.Conflict, Field: "slug", Rule: "slug-once", Message: "There is an institution at this address already."}
	}
	return err
}

func upsert(ctx context.Context, tx pgx.Tx, in Institution) error {
	var address *string
	if in.Address != nil {
		text := jsonText(in.Address)
		address = &text
	}
	_, err := tx.Exec(ctx, `
		insert into institution (institution_id, slug, name, url, email, phone, description, image_url, official,
			address, other_identifier, version, created_at, updated_at)
		values (@id, @slug, @name, @url, @email, @phone, @description, @image, @official,
			@address, @identifiers, @version, @created, @updated)
		on conflict (institution_id) do update set name = excluded.name, url = excluded.url, email = excluded.email,
			phone = excluded.phone, description = excluded.description, image_url = excluded.image_url,
			official = excluded.official, address = excluded.address, other_identifier = excluded.other_identifier,
			version = excluded.version, updated_at = excluded.updated_at`,
		pgx.NamedArgs{"id": in.ID, "slug": in.Slug, "name": in.Name, "url": in.URL, "email": in.Email, "phone": in.Phone,
			"description": in.Description, "image": in.ImageURL, "official": in.Official, "address": address,
			"identifiers": jsonText(in.OtherIdentifier), "version": in.Version, "created": in.CreatedAt, "updated": in.UpdatedAt})
	return err
}

// InTx is the actor's institution within another noun's transaction.
func InTx(ctx context.Context, tx pgx.Tx, who access.Actor) (Institution, error) {
	rows, _ := tx.Query(ctx, own, pgx.NamedArgs{"institution": who.InstitutionID})
	return one(rows)
}

// Queue has the actor's institution read with a batch.
func Queue(b *pgx.Batch, who access.Actor, into *Institution) {
	b.Queue(own, pgx.NamedArgs{"institution": who.InstitutionID}).Query(func(rows pgx.Rows) (err error) {
		*into, err = one(rows)
		return err
	})
}

const own = `
	select institution_id, slug, name, url, email, phone, description, image_url, official, address, other_identifier, version, created_at, updated_at
	from institution
	where institution_id = @institution`

func one(rows pgx.Rows) (Institution, error) {
	in, err := pg.CollectOne[Institution](rows)
	if errors.Is(err, pgx.ErrNoRows) {
		return in, fault.Missing("institution")
	}
	return in, err
}

func insertStaff(ctx context.Context, tx pgx.Tx, who access.Actor, st Staff) error {
	_, err := tx.Exec(ctx, `
		insert into staff (institution_id, id, email, name, roles, version, created_at, updated_at)
		values (@institution, @id, @email, @name, @roles, @version, @created, @updated)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": st.ID, "email": st.Email, "name": st.Name, "roles": st.Roles,
			"version": st.Version, "created": st.CreatedAt, "updated": st.UpdatedAt})
	return staffFault(err)
}

func updateStaff(ctx context.Context, tx pgx.Tx, who access.Actor, st Staff) error {
	_, err := tx.Exec(ctx, `
		update staff set email = @email, name = @name, roles = @roles, version = @version, updated_at = @updated,
			deactivated_at = @deactivated
		where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": st.ID, "email": st.Email, "name": st.Name, "roles": st.Roles,
			"version": st.Version, "updated": st.UpdatedAt, "deactivated": st.DeactivatedAt})
	return staffFault(err)
}

func staffFault(err error) error {
	if pg.Constraint(err) == "staff_email_once" {
		return &fault.Error{Kind: fault.Conflict, Field: "email", Rule: "email-once", Message: "A member of staff with this address is there already."}
	}
	return err
}

func findStaff(ctx context.Context, tx pgx.Tx, who access.Actor, staffID string) (Staff, error) {
	rows, _ := tx.Query(ctx, `
		select id, email, name, roles, version, created_at, updated_at, deactivated_at
		from staff
		where institution_id = @institution and id = @id
		for update`, pgx.NamedArgs{"institution": who.InstitutionID, "id": staffID})
	st, err := pg.CollectOne[Staff](rows)
	if errors.Is(err, pgx.ErrNoRows) {
		return st, fault.Missing("member of staff")
	}
	return st, err
}

func listStaff(ctx context.Context, tx pgx.Tx, who access.Actor, after string, limit int) ([]Staff, error) {
	rows, _ := tx.Query(ctx, `
		select id, email, name, roles, version, created_at, updated_at, deactivated_at
		from staff
		where institution_id = @institution and email > @after
		order by email
		limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "after": after, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Staff])
}

func insertClient(ctx context.Context, tx pgx.Tx, who access.Actor, c Client, hash []byte) error {
	_, err := tx.Exec(ctx, `
		insert into api_client (institution_id, id, name, roles, scopes, learner_id, secret_hash, created_at, expires_at)
		values (@institution, @id, @name, @roles, @scopes, @learner, @hash, @created, @expires)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": c.ID, "name": c.Name, "roles": c.Roles, "scopes": c.Scopes,
			"learner": c.LearnerID, "hash": hash, "created": c.CreatedAt, "expires": c.ExpiresAt})
	if pg.Constraint(err) == "api_client_learner" {
		return fault.Missing("learner").Within("learnerId")
	}
	return err
}

func revokeClient(ctx context.Context, tx pgx.Tx, who access.Actor, clientID string, now time.Time) error {
	_, err := tx.Exec(ctx, `update api_client set revoked_at = @now where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": clientID, "now": now})
	return err
}

// clientRow is a client with the hash of its secret, and the count of the
// institution's changes in which it is so.
type clientRow struct {
	Client
	SecretHash []byte
	Generation *int64
}

const clientByID = `
	select id, name, roles, scopes, learner_id, created_at, expires_at, revoked_at, secret_hash,
		(select catalogue from audit_head where institution_id = $1) as generation
	from api_client
	where institution_id = $1 and id = $2`

func findClient(ctx context.Context, tx pgx.Tx, institution, clientID string) (Client, error) {
	rows, _ := tx.Query(ctx, clientByID, institution, clientID)
	r, err := oneClient(rows)
	return r.Client, err
}

// oneClient is the client of clientByID.
func oneClient(rows pgx.Rows) (clientRow, error) {
	r, err := pg.CollectOne[clientRow](rows)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.Missing("client")
	}
	return r, err
}

func listClients(ctx context.Context, tx pgx.Tx, who access.Actor, after string, limit int) ([]Client, error) {
	rows, _ := tx.Query(ctx, `
		select id, name, roles, scopes, learner_id, created_at, expires_at, revoked_at
		from api_client
		where institution_id = @institution and id > @after
		order by id
		limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "after": after, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Client])
}
