package learner

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/pg"
)

const columns = `id, ref_system, ref_value, display_name, given_name, family_name, additional_name, email, birth_on, did,
	version, created_at, updated_at`

func insert(ctx context.Context, tx pgx.Tx, who access.Actor, l Learner) error {
	_, err := tx.Exec(ctx, `
		insert into learner (institution_id, id, ref_system, ref_value, display_name, given_name, family_name,
			additional_name, email, birth_on, did, version, created_at, updated_at)
		values (@institution, @id, @system, @value, @display, @given, @family, @additional, @email, @birth, @did, 1, @now, @now)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": l.ID, "system": l.RefSystem, "value": l.RefValue,
			"display": l.DisplayName, "given": l.GivenName, "family": l.FamilyName, "additional": l.AdditionalName,
			"email": l.Email, "birth": l.BirthOn, "did": l.DID, "now": l.CreatedAt})
	if pg.Constraint(err) == "learner_ref_once" {
		return &fault.Error{Kind: fault.Conflict, Field: "externalRef", Rule: "ref-once", Message: "A learner with this external reference is there already."}
	}
	return err
}

func update(ctx context.Context, tx pgx.Tx, who access.Actor, l Learner) error {
	_, err := tx.Exec(ctx, `
		update learner set display_name = @display, given_name = @given, family_name = @family, additional_name = @additional,
			email = @email, birth_on = @birth, did = @did, version = @version, updated_at = @now
		where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": l.ID, "display": l.DisplayName, "given": l.GivenName,
			"family": l.FamilyName, "additional": l.AdditionalName, "email": l.Email, "birth": l.BirthOn, "did": l.DID,
			"version": l.Version, "now": l.UpdatedAt})
	return err
}

func insertName(ctx context.Context, tx pgx.Tx, who access.Actor, n Name) error {
	_, err := tx.Exec(ctx, `
		insert into learner_name (institution_id, learner_id, position, display_name, given_name, family_name,
			additional_name, effective_on, recorded_at, recorded_by, reason)
		values (@institution, @learner, @position, @display, @given, @family, @additional, @effective, @recorded, @by, @reason)`,
		nameArgs(who, n))
	return err
}

// appendName adds a name behind those that are there.
func appendName(ctx context.Context, tx pgx.Tx, who access.Actor, n Name) error {
	_, err := tx.Exec(ctx, `
		insert into learner_name (institution_id, learner_id, position, display_name, given_name, family_name,
			additional_name, effective_on, recorded_at, recorded_by, reason)
		select @institution, @learner, coalesce(max(position), 0) + 1, @display, @given, @family, @additional, @effective,
			@recorded, @by, @reason
		from learner_name
		where institution_id = @institution and learner_id = @learner`, nameArgs(who, n))
	return err
}

func nameArgs(who access.Actor, n Name) pgx.NamedArgs {
	return pgx.NamedArgs{"institution": who.InstitutionID, "learner": n.LearnerID, "position": n.Position, "display": n.DisplayName,
		"given": n.GivenName, "family": n.FamilyName, "additional": n.AdditionalName, "effective": n.EffectiveOn,
		"recorded": n.RecordedAt, "by": n.RecordedBy, "reason": n.Reason}
}

func insertIdentifiers(ctx context.Context, tx pgx.Tx, who access.Actor, l ID, all []Identifier) error {
	if len(all) == 0 {
		return nil
	}
	var types, values []string
	for _, i := range all {
		types, values = append(types, i.Type), append(values, i.Value)
	}
	_, err := tx.Exec(ctx, `
		insert into learner_identifier (institution_id, learner_id, type, value)
		select distinct @institution, @learner, t, v from unnest(@types::text[], @values::text[]) as i (t, v)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learner": l, "types": types, "values": values})
	return identifierFault(err)
}

func identifierFault(err error) error {
	if c := pg.Constraint(err); c == "learner_identifier_once" || c == "learner_identifier_pkey" {
		return &fault.Error{Kind: fault.Conflict, Field: "identifiers", Rule: "identifier-once", Message: "One of these identifiers belongs to another learner."}
	}
	return err
}

func deleteIdentifier(ctx context.Context, tx pgx.Tx, who access.Actor, l ID, i Identifier) error {
	tag, err := tx.Exec(ctx, `
		delete from learner_identifier
		where institution_id = @institution and learner_id = @learner and type = @type and value = @value`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learner": l, "type": i.Type, "value": i.Value})
	if err == nil && tag.RowsAffected() == 0 {
		return fault.Missing("identifier")
	}
	return err
}

// key splits what a caller names a thing by: our id, or another system's.
func key(name string) (ours string, ref id.Ref) {
	if r, ok := id.ParseRef(name); ok {
		return "", r
	}
	return name, id.Ref{}
}

// InTx is one learner by id or ref:SYSTEM:VALUE in another noun's transaction.
func InTx(ctx context.Context, tx pgx.Tx, who access.Actor, learner string) (Learner, error) {
	return find(ctx, tx, who, learner, "")
}

func findForUpdate(ctx context.Context, tx pgx.Tx, who access.Actor, learner string) (Learner, error) {
	return find(ctx, tx, who, learner, " for update")
}

func find(ctx context.Context, tx pgx.Tx, who access.Actor, learner, lock string) (Learner, error) {
	ours, ref := key(learner)
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from learner
		where institution_id = @institution
		  and (id = @id or (ref_system = @system and ref_value = @value))
		  and (@only::text is null or id = @only)`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": ours, "system": ref.System, "value": ref.Value, "only": who.OnlyLearner()})
	l, err := pg.CollectOne[Learner](rows)
	if errors.Is(err, pgx.ErrNoRows) {
		return l, fault.Missing("learner")
	}
	return l, err
}

func list(ctx context.Context, tx pgx.Tx, who access.Actor, f Filter, after cursor, limit int) ([]Learner, error) {
	var kind, value, system, refValue, text *string
	if f.Identifier != nil {
		kind, value = &f.Identifier.Type, &f.Identifier.Value
	}
	if f.Ref != nil {
		system, refValue = &f.Ref.System, &f.Ref.Value
	}
	if f.Text != nil {
		t := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(*f.Text) + "%"
		text = &t
	}
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from learner l
		where institution_id = @institution
		  and (@only::text is null or id = @only)
		  and (display_name collate "C", id) > (@name, @id)
		  and (@text::text is null or display_name ilike @text)
		  and (@system::text is null or (ref_system = @system and ref_value = @ref_value))
		  and (@type::text is null or exists (
			select from learner_identifier i
			where i.institution_id = l.institution_id and i.learner_id = l.id and i.type = @type and i.value = @value))
		order by display_name collate "C", id
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "only": who.OnlyLearner(), "name": after.Name, "id": after.ID, "text": text,
			"system": system, "ref_value": refValue, "type": kind, "value": value, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Learner])
}

// search looks through the folded names of the institution in their order: a row
// costs little, and row security keeps an index of words from being used.
func search(ctx context.Context, tx pgx.Tx, who access.Actor, words []string, limit int) ([]Learner, error) {
	starts := make([]string, len(words))
	for i, w := range words {
		starts[i] = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(w)
	}
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from learner l
		where institution_id = @institution
		  and (@only::text is null or id = @only)
		  and search like all (array(select '% ' || folded(w) || '%' from unnest(@starts::text[]) w))
		order by display_name collate "C", id
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "only": who.OnlyLearner(), "starts": starts, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Learner])
}

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Learner, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from learner
		where institution_id = @institution and id = any(@ids) and (@only::text is null or id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Learner])
}

// ByIDsInTx are learners by id in another noun's transaction.
func ByIDsInTx(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) (map[ID]Learner, error) {
	rows, err := byIDs(ctx, tx, who, ids)
	all := make(map[ID]Learner, len(rows))
	for _, l := range rows {
		all[l.ID] = l
	}
	return all, err
}

func namesOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Name, error) {
	rows, _ := tx.Query(ctx, `
		select learner_id, position, display_name, given_name, family_name, additional_name, effective_on, recorded_at,
			recorded_by, reason
		from learner_name
		where institution_id = @institution and learner_id = any(@ids) and (@only::text is null or learner_id = @only)
		order by learner_id, position`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Name])
}

func identifiersOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Identifier, error) {
	rows, _ := tx.Query(ctx, `
		select learner_id, type, value
		from learner_identifier
		where institution_id = @institution and learner_id = any(@ids) and (@only::text is null or learner_id = @only)
		order by learner_id, type, value`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Identifier])
}

// IdentifiersInTx are what a learner is called elsewhere, in another noun's
// transaction.
func IdentifiersInTx(ctx context.Context, tx pgx.Tx, who access.Actor, l ID) ([]Identifier, error) {
	return identifiersOf(ctx, tx, who, []ID{l})
}

// Resolve finds learners for an import: each name is our id, a value of the
// external system, or any identifier but an e-mail address. Names that nobody
// or more than one has are left out.
func Resolve(ctx context.Context, tx pgx.Tx, who access.Actor, system string, names []string) (map[string]ID, error) {
	rows, err := tx.Query(ctx, `
		select n, min(id), count(distinct id)
		from (
			select ref_value as n, id from learner
			where institution_id = @institution and ref_system = @system and ref_value = any(@names)
			union all
			select id, id from learner where institution_id = @institution and id = any(@names)
			union all
			select value, learner_id from learner_identifier
			where institution_id = @institution and type <> 'emailAddress' and value = any(@names)) as found
		group by n`, bulk.Planned, pgx.NamedArgs{"institution": who.InstitutionID, "system": system, "names": names})
	if err != nil {
		return nil, err
	}
	all := make(map[string]ID, len(names))
	var name string
	var l ID
	var count int
	_, err = pgx.ForEachRow(rows, []any{&name, &l, &count}, func() error {
		if count == 1 {
			all[name] = l
		}
		return nil
	})
	return all, err
}
