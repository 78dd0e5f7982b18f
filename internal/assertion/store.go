package assertion

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
)

func itoa(n int) string { return strconv.Itoa(n) }

const (
	columns = scalars + `, a.results, a.evidence`
	brief   = scalars + `, null::jsonb as results, null::jsonb as evidence`
	scalars = `a.id, a.learner_id, a.achievement_id, a.achievement_version, a.ref_system, a.ref_value, a.achieved_on, a.recorded_at,
	a.recorded_by, a.updated_at, a.version, a.term, a.grade, a.credits_earned, a.narrative, a.role, a.license_number, a.activity_start_on,
	a.activity_end_on, a.withdrawn_at, a.withdrawn_by, a.withdrawn_reason`
)

func args(who access.Actor, a Assertion) pgx.NamedArgs {
	return pgx.NamedArgs{"institution": who.InstitutionID, "id": a.ID, "learner": a.LearnerID, "achievement": a.AchievementID,
		"achievement_version": a.AchievementVersion, "system": a.RefSystem, "value": a.RefValue, "on": a.AchievedOn, "recorded": a.RecordedAt,
		"by": a.RecordedBy, "updated": a.UpdatedAt, "version": a.Version, "term": a.Term, "grade": a.Grade, "credits": a.CreditsEarned,
		"narrative": a.Narrative, "role": a.Role, "license": a.LicenseNumber, "start": a.ActivityStartOn, "end": a.ActivityEndOn,
		"results": a.Results, "evidence": a.Evidence, "withdrawn_at": a.WithdrawnAt, "withdrawn_by": a.WithdrawnBy, "reason": a.WithdrawnReason}
}

func insert(ctx context.Context, tx pgx.Tx, who access.Actor, a Assertion) error {
	_, err := tx.Exec(ctx, `
		insert into assertion (institution_id, id, learner_id, achievement_id, achievement_version, ref_system, ref_value, achieved_on,
			recorded_at, recorded_by, updated_at, version, term, grade, credits_earned, narrative, role, license_number,
			activity_start_on, activity_end_on, results, evidence)
		values (@institution, @id, @learner, @achievement, @achievement_version, @system, @value, @on, @recorded, @by, @updated, @version,
			@term, @grade, @credits, @narrative, @role, @license, @start, @end, @results, @evidence)`, args(who, a))
	return taken(err)
}

func update(ctx context.Context, tx pgx.Tx, who access.Actor, a Assertion) error {
	_, err := tx.Exec(ctx, `
		update assertion set achieved_on = @on, updated_at = @updated, version = @version, term = @term, grade = @grade,
			credits_earned = @credits, narrative = @narrative, role = @role, license_number = @license, activity_start_on = @start,
			activity_end_on = @end, results = @results, evidence = @evidence, withdrawn_at = @withdrawn_at,
			withdrawn_by = @withdrawn_by, withdrawn_reason = @reason
		where institution_id = @institution and id = @id`, args(who, a))
	return taken(err)
}

func taken(err error) error {
	switch pg.Constraint(err) {
	case "assertion_once_per_activity":
		return &fault.Error{Kind: fault.Conflict, Field: "achievementId", Rule: "once-per-activity",
			Message: "This learner has this achievement for the same day and term already. Correct that award, or withdraw it first."}
	case "assertion_ref_once":
		return &fault.Error{Kind: fault.Conflict, Field: "externalRef", Rule: "ref-once", Message: "Another assertion has this external reference."}
	}
	return err
}

// InTx is one assertion in another noun's transaction.
func InTx(ctx context.Context, tx pgx.Tx, who access.Actor, assertion string) (Assertion, error) {
	return find(ctx, tx, who, assertion, "")
}

func find(ctx context.Context, tx pgx.Tx, who access.Actor, assertion, lock string) (Assertion, error) {
	ref, _ := id.ParseRef(assertion)
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from assertion a
		where institution_id = @institution
		  and (id = @id or (ref_system = @system and ref_value = @value))
		  and (@only::text is null or learner_id = @only)`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": assertion, "system": ref.System, "value": ref.Value, "only": who.OnlyLearner()})
	a, err := pg.CollectOne[Assertion](rows)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, fault.Missing("assertion")
	}
	return a, err
}

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Assertion, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from (select distinct unnest(@ids::text[]) as id) as k
		cross join lateral (
			select * from assertion
			where institution_id = @institution and id = k.id and (@only::text is null or learner_id = @only)
			offset 0) as a`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pg.Collect[Assertion](rows, len(ids))
}

// ByIDsInTx are assertions by id, in no order.
func ByIDsInTx(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Assertion, error) {
	return byIDs(ctx, tx, who, ids)
}

// EarnedByAll are the awards of many learners that were not withdrawn, each
// learner's oldest first, without their results and evidence. Each learner's are looked up by themselves, whatever
// the planner believes of a table that has just grown.
func EarnedByAll(ctx context.Context, tx pgx.Tx, who access.Actor, all []learner.ID) ([]Assertion, error) {
	rows, _ := tx.Query(ctx, `
		select `+brief+`
		from unnest(@learners::text[]) as k (id)
		cross join lateral (
			select * from assertion
			where institution_id = @institution and learner_id = k.id and withdrawn_at is null and (@only::text is null or learner_id = @only)
			offset 0) as a
		order by a.learner_id, a.achieved_on, a.id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learners": all, "only": who.OnlyLearner()})
	return pg.Collect[Assertion](rows, len(all))
}

// EarnedBy are all assertions of a learner that were not withdrawn, oldest
// first, in another noun's transaction.
func EarnedBy(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID) ([]Assertion, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from assertion a
		where institution_id = @institution and learner_id = @learner and withdrawn_at is null and (@only::text is null or learner_id = @only)
		order by achieved_on, id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learner": l, "only": who.OnlyLearner()})
	return pg.Collect[Assertion](rows, 64)
}

// narrow is what narrows and orders the statement of a page: only what is asked
// for, so that each form has a plan of its own that the database can keep.
func (f Filter) narrow(only *string, after *day.Date) string {
	var b strings.Builder
	for _, c := range []struct {
		given bool
		sql   string
	}{
		{only != nil, "learner_id = @only"},
		{!f.Withdrawn, "withdrawn_at is null"},
		{f.Term != nil, "term = @term"},
		{f.AchievedFrom != nil, "achieved_on >= @from"},
		{f.AchievedUntil != nil, "achieved_on <= @until"},
		{after != nil, "(achieved_on < @on or (achieved_on = @on and id > @id))"},
	} {
		if c.given {
			b.WriteString(" and " + c.sql)
		}
	}
	return b.String() + " order by achieved_on desc, id limit @limit"
}

// row is an assertion with the key of the page it belongs to.
type row struct {
	Key string
	Assertion
}

// perKey is the statement of a page for each of @keys; the condition says which
// assertions belong to the key k.id. A key alone has the plainest statement: the
// database sorts once and keeps its plan.
func perKey(condition, narrow string, args pgx.NamedArgs) string {
	if keys := args["keys"].([]string); len(keys) == 1 {
		args["key"] = keys[0]
		return `
		select @key::text as key, ` + columns + `
		from assertion a
		where institution_id = @institution and ` + strings.ReplaceAll(condition, "k.id", "@key") + narrow
	}
	return `
		select k.id as key, ` + columns + `
		from unnest(@keys::text[]) as k (id)
		cross join lateral (
			select * from assertion
			where institution_id = @institution and ` + condition + narrow + `) as a
		order by k.id, a.achieved_on desc, a.id`
}

func ofLearners(ctx context.Context, tx pgx.Tx, narrow string, args pgx.NamedArgs) ([]row, error) {
	rows, _ := tx.Query(ctx, perKey(`learner_id = k.id`, narrow, args), args)
	return pg.Collect[row](rows, args["limit"].(int))
}

func ofAchievements(ctx context.Context, tx pgx.Tx, narrow string, args pgx.NamedArgs) ([]row, error) {
	rows, _ := tx.Query(ctx, perKey(`achievement_id = k.id`, narrow, args), args)
	return pg.Collect[row](rows, args["limit"].(int))
}

func ofItems(ctx context.Context, tx pgx.Tx, narrow string, args pgx.NamedArgs) ([]row, error) {
	rows, _ := tx.Query(ctx, perKey(`achievement_id in (
				select l.achievement_id from achievement_alignment l where l.institution_id = @institution and l.item_id = k.id)`, narrow, args), args)
	return pg.Collect[row](rows, args["limit"].(int))
}

func everyone(ctx context.Context, tx pgx.Tx, narrow string, args pgx.NamedArgs) ([]row, error) {
	rows, _ := tx.Query(ctx, `
		select '' as key, `+columns+`
		from (select * from assertion where institution_id = @institution`+narrow+`) as a`, args)
	return pg.Collect[row](rows, args["limit"].(int))
}
