package assertion

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
)

// Row is one award of an import, with learner and achievement found already.
type Row struct {
	RefValue    string // value of the external system; empty: found by learner, achievement, day and term
	LearnerID   learner.ID
	Achievement achievement.Achievement
	Facts       Facts
}

// Import adds or corrects many assertions in the caller's transaction. No two
// rows may mean the same award. A row without a change changes nothing; an
// existing award keeps the version it was made under. It takes the same few
// statements for any number of rows and writes no audit line: the job does.
func Import(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, system string, rows []Row) ([]bulk.Outcome, error) {
	if err := access.Check(who, access.Award); err != nil {
		return nil, err
	}
	out := make([]bulk.Outcome, len(rows))
	today := day.On(b.Now)
	_, err := tx.Exec(ctx, `
		create temp table if not exists import_assertion (n int, id text collate "C", learner_id text collate "C", achievement_id text collate "C",
			achievement_version int, ref_value text, achieved_on date, term text, grade text, credits_earned numeric(8, 3), narrative text,
			role text, license_number text, activity_start_on date, activity_end_on date, results jsonb, evidence jsonb) on commit drop;
		truncate import_assertion`)
	if err != nil {
		return nil, err
	}
	staged := 0
	i := -1
	source := pgx.CopyFromFunc(func() ([]any, error) {
		for i++; i < len(rows); i++ {
			r := &rows[i]
			r.Facts = r.Facts.withGrade(r.Achievement.Definition)
			if err := r.check(today); err != nil {
				out[i] = bulk.Fail(err)
				continue
			}
			out[i] = bulk.Outcome{Change: bulk.Created, ID: b.NewID("asn")}
			staged++
			return r.values(i, out[i].ID), nil
		}
		return nil, nil
	})
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"import_assertion"}, []string{"n", "id", "learner_id", "achievement_id", "achievement_version", "ref_value",
		"achieved_on", "term", "grade", "credits_earned", "narrative", "role", "license_number", "activity_start_on", "activity_end_on",
		"results", "evidence"}, source)
	if err != nil {
		return nil, err
	}
	// without statistics the planner takes a temporary table for a large one
	if _, err := tx.Exec(ctx, `analyze import_assertion (ref_value, learner_id)`); err != nil {
		return nil, err
	}
	return out, merge(ctx, tx, who, b, system, staged, out)
}

func (r *Row) check(today day.Date) *fault.Error {
	if r.Achievement.RetiredAt != nil {
		return &fault.Error{Kind: fault.State, Field: "achievement", Rule: "in-use", Message: "This achievement is retired and is not awarded any more."}
	}
	return r.Facts.Check(r.Achievement.Definition, today)
}

func (r *Row) values(n int, newID string) []any {
	f := &r.Facts
	var ref *string
	if r.RefValue != "" {
		ref = &r.RefValue
	}
	return []any{n, newID, r.LearnerID, r.Achievement.ID, r.Achievement.Version, ref, f.AchievedOn.Midnight(), f.Term, f.Grade, f.CreditsEarned,
		f.Narrative, f.Role, f.LicenseNumber, f.ActivityStartOn, f.ActivityEndOn, listJSON(f.Results), listJSON(f.Evidence)}
}

// listJSON is the text for a jsonb column; most rows have nothing to marshal.
func listJSON[T any](all []T) []byte {
	if len(all) == 0 {
		return []byte("[]")
	}
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err) // structs of text
	}
	return raw
}

// merge finds what is there, corrects what differs and inserts the rest.
func merge(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, system string, staged int, out []bulk.Outcome) error {
	args := pgx.NamedArgs{"institution": who.InstitutionID, "system": system, "now": pg.Instant(b.Now), "by": who.ID}
	found, err := existing(ctx, tx, args, out)
	if err != nil {
		return err
	}
	if err := refuseMoved(ctx, tx, args, out); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `
		insert into assertion (institution_id, id, learner_id, achievement_id, achievement_version, ref_system, ref_value, achieved_on,
			recorded_at, recorded_by, updated_at, version, term, grade, credits_earned, narrative, role, license_number,
			activity_start_on, activity_end_on, results, evidence)
		select @institution, id, learner_id, achievement_id, achievement_version, case when ref_value is not null then @system end, ref_value,
			achieved_on, @now, @by, @now, 1, term, grade, credits_earned, narrative, role, license_number, activity_start_on,
			activity_end_on, results, evidence
		from import_assertion
		on conflict do nothing`, args)
	if err != nil {
		return err
	}
	if int(tag.RowsAffected()) == staged-found {
		return nil
	}
	return refuseTwice(ctx, tx, args, out)
}

// existing takes the rows that are there already out of the staged ones, after
// it corrected those that differ. It answers how many there were.
func existing(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, out []bulk.Outcome) (int, error) {
	found := 0
	for _, match := range []string{byRef, byActivity} {
		corrected, err := numbers(ctx, tx, `
			update assertion a set achieved_on = p.achieved_on, term = p.term, grade = p.grade, credits_earned = p.credits_earned,
				narrative = p.narrative, role = p.role, license_number = p.license_number, activity_start_on = p.activity_start_on,
				activity_end_on = p.activity_end_on, results = p.results, evidence = p.evidence, version = a.version + 1, updated_at = @now
			from import_assertion p
			where `+match+changed+`
			returning p.n, a.id`, args)
		if err != nil {
			return 0, taken(err)
		}
		there, err := numbers(ctx, tx, `delete from import_assertion p using assertion a where `+match+sameAward+` returning p.n, a.id`, args)
		if err != nil {
			return 0, err
		}
		for n, a := range there {
			out[n] = bulk.Outcome{Change: bulk.Unchanged, ID: a}
			if _, ok := corrected[n]; ok {
				out[n].Change = bulk.Updated
			}
		}
		found += len(there)
	}
	return found, nil
}

// numbers are the rows that a statement returns, by number, with their ids.
func numbers(ctx context.Context, tx pgx.Tx, sql string, args pgx.NamedArgs) (map[int]string, error) {
	rows, err := tx.Query(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	all := map[int]string{}
	var n int
	var a string
	_, err = pgx.ForEachRow(rows, []any{&n, &a}, func() error { all[n] = a; return nil })
	return all, err
}

const (
	byRef      = `a.institution_id = @institution and p.ref_value is not null and a.ref_system = @system and a.ref_value = p.ref_value`
	byActivity = `a.institution_id = @institution and p.ref_value is null and a.learner_id = p.learner_id and a.achievement_id = p.achievement_id
		and a.achieved_on = p.achieved_on and a.term = p.term and a.withdrawn_at is null`
	sameAward = ` and a.learner_id = p.learner_id and a.achievement_id = p.achievement_id`
	changed   = sameAward + ` and a.withdrawn_at is null
		and (a.achieved_on, a.term, a.grade, a.credits_earned, a.narrative, a.role, a.license_number, a.activity_start_on, a.activity_end_on, a.results, a.evidence)
		is distinct from (p.achieved_on, p.term, p.grade, p.credits_earned, p.narrative, p.role, p.license_number, p.activity_start_on, p.activity_end_on, p.results, p.evidence)`
)

// refuseMoved fails the rows whose reference belongs to an award of another
// learner or achievement: that is not a correction.
func refuseMoved(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, out []bulk.Outcome) error {
	rows, err := tx.Query(ctx, `delete from import_assertion p using assertion a where `+byRef+` returning p.n`, args)
	if err != nil {
		return err
	}
	return refuse(rows, out, "ref-moved", "This id belongs to an award of another learner or achievement. Withdraw that one, or use another id.")
}

// refuseTwice fails the staged rows that were not inserted because the learner
// has the achievement for that day and term already.
func refuseTwice(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, out []bulk.Outcome) error {
	rows, err := tx.Query(ctx, `
		select p.n from import_assertion p
		where not exists (select from assertion a where a.institution_id = @institution and a.id = p.id)`, args)
	if err != nil {
		return err
	}
	return refuse(rows, out, "once-per-activity", "This learner has this achievement for the same day and term already, under another id.")
}

func refuse(rows pgx.Rows, out []bulk.Outcome, rule, message string) error {
	var n int
	_, err := pgx.ForEachRow(rows, []any{&n}, func() error {
		out[n] = bulk.Fail(&fault.Error{Kind: fault.Conflict, Field: "achievement", Rule: rule, Message: message})
		return nil
	})
	return err
}
