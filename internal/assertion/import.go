package assertion

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
)

// The facts that a row may leave alone.
const (
	NoTerm bulk.Absent = 1 << iota
	NoGrade
	NoCredits
	NoNarrative
	NoRole
	NoLicenseNumber
	NoActivityStart
	NoActivityEnd
	NoResults
	NoEvidence
)

// Row is one award of an import, with learner and achievement found already.
type Row struct {
	RefValue    string // value of the external system; empty: found by learner, achievement, day and term
	LearnerID   learner.ID
	Achievement achievement.Achievement
	Facts       Facts
	Absent      bulk.Absent // stays as it is, where the award is there
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
			role text, license_number text, activity_start_on date, activity_end_on date, results jsonb, evidence jsonb, absent int, grade_of text) on commit drop;
		truncate import_assertion`)
	if err != nil {
		return nil, err
	}
	i := -1
	source := pgx.CopyFromFunc(func() ([]any, error) {
		for i++; i < len(rows); i++ {
			r := &rows[i]
			r.Facts = r.Facts.withGrade(r.Achievement.Definition)
			if r.Absent&NoResults == 0 && gradeOf(r.Achievement.Definition) != "" {
				r.Absent &^= NoGrade // the results say it, or that there is none
			}
			if err := r.check(today); err != nil {
				out[i] = bulk.Fail(err)
				continue
			}
			out[i] = bulk.Outcome{Change: bulk.Created, ID: b.NewID("asn")}
			return r.values(i, out[i].ID), nil
		}
		return nil, nil
	})
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"import_assertion"}, []string{"n", "id", "learner_id", "achievement_id", "achievement_version", "ref_value",
		"achieved_on", "term", "grade", "credits_earned", "narrative", "role", "license_number", "activity_start_on", "activity_end_on",
		"results", "evidence", "absent", "grade_of"}, source)
	if err != nil {
		return nil, err
	}
	return out, bulk.Hashed(ctx, tx, func() error { return merge(ctx, tx, who, b, system, rows, out) })
}

func (r *Row) check(today day.Date) *fault.Error {
	if r.Achievement.RetiredAt != nil {
		return &fault.Error{Kind: fault.State, Field: "achievement", Rule: "in-use", Message: "This achievement is retired and is not awarded any more."}
	}
	return r.Facts.Check(r.Achievement.Definition, today)
}

func (r *Row) values(n int, newID string) []any {
	f := &r.Facts
	var ref, gradeIs *string
	if r.RefValue != "" {
		ref = &r.RefValue
	}
	if r.Absent&NoResults != 0 && r.Absent&NoGrade == 0 {
		if of := gradeOf(r.Achievement.Definition); of != "" {
			gradeIs = &of
		}
	}
	return []any{n, newID, r.LearnerID, r.Achievement.ID, r.Achievement.Version, ref, f.AchievedOn.Midnight(), f.Term, f.Grade, f.CreditsEarned,
		f.Narrative, f.Role, f.LicenseNumber, f.ActivityStartOn, f.ActivityEndOn, listJSON(f.Results), listJSON(f.Evidence), int32(r.Absent), gradeIs}
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

// merge finds what is there, corrects what differs and inserts the rest. Where it
// looks as if nothing was there, as in a first import, that comes first, and
// whatever stands against it has the rest done.
func merge(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, system string, rows []Row, out []bulk.Outcome) error {
	args := pgx.NamedArgs{"institution": who.InstitutionID, "system": system, "now": pg.Instant(b.Now), "by": who.ID}
	seemsNew, err := unseen(ctx, tx, args, rows, out)
	if err != nil {
		return err
	}
	if seemsNew {
		if err := insertAll(ctx, tx, args); !isThere(err) {
			return err
		}
	}
	there, err := existing(ctx, tx, args, rows, out)
	if err != nil {
		return err
	}
	if err := settle(ctx, tx, args, there, out); err != nil {
		return err
	}
	if err := insertAll(ctx, tx, args); !isThere(err) {
		return err
	}
	if _, err := tx.Exec(ctx, insertStaged+" on conflict do nothing", args); err != nil {
		return err
	}
	return refuseTwice(ctx, tx, args, out)
}

// looked is how many rows of a batch are looked for before all are taken for new.
const looked = 16

// unseen reports whether none of some of the rows is there. It says no where a
// row has no reference to look for.
func unseen(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, rows []Row, out []bulk.Outcome) (bool, error) {
	var some []string
	for i, r := range rows {
		switch {
		case out[i].Change == bulk.Failed:
		case r.RefValue == "":
			return false, nil
		case i%(len(rows)/looked+1) == 0:
			some = append(some, r.RefValue)
		}
	}
	args["some"] = some
	found := false
	err := tx.QueryRow(ctx, `select exists (select from assertion where institution_id = @institution and ref_system = @system and ref_value = any(@some))`,
		bulk.Planned, args).Scan(&found)
	return !found, err
}

// insertAll inserts what is staged, all or nothing. Looking out for conflicts
// costs a quarter more, so that is left for when there is one.
func insertAll(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs) error {
	return pgx.BeginFunc(ctx, tx, func(sub pgx.Tx) error {
		_, err := sub.Exec(ctx, insertStaged, args)
		return err
	})
}

// isThere reports whether an assertion was in the way of one.
func isThere(err error) bool {
	c := pg.Constraint(err)
	return c == "assertion_once_per_activity" || c == "assertion_ref_once"
}

const insertStaged = `
		insert into assertion (institution_id, id, learner_id, achievement_id, achievement_version, ref_system, ref_value, achieved_on,
			recorded_at, recorded_by, updated_at, version, term, grade, credits_earned, narrative, role, license_number,
			activity_start_on, activity_end_on, results, evidence)
		select @institution, id, learner_id, achievement_id, achievement_version, case when ref_value is not null then @system end, ref_value,
			achieved_on, @now, @by, @now, 1, term, grade, credits_earned, narrative, role, license_number, activity_start_on,
			activity_end_on, results, evidence
		from import_assertion`

// match is a staged row and the assertion that it means.
type match struct {
	N    int
	ID   string
	Same bool // the same learner and achievement
}

// existing looks the staged rows up, by reference or else by activity. What is
// there is fetched first, by lists of values: that is a look-up in an index or,
// where the planner believes a table to be empty that is growing under it, one
// walk through the table, but never one for each row.
func existing(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, rows []Row, out []bulk.Outcome) ([]match, error) {
	var refs []string
	var learners []learner.ID
	var first, last day.Date
	for i, r := range rows {
		switch {
		case out[i].Change == bulk.Failed:
		case r.RefValue != "":
			refs = append(refs, r.RefValue)
		default:
			if len(learners) == 0 || r.Facts.AchievedOn.Before(first) {
				first = r.Facts.AchievedOn
			}
			if len(learners) == 0 || r.Facts.AchievedOn.After(last) {
				last = r.Facts.AchievedOn
			}
			learners = append(learners, r.LearnerID)
		}
	}
	var all []match
	if len(refs) > 0 {
		args["refs"] = refs
		found, err := matches(ctx, tx, args, `ref_system = @system and ref_value = any(@refs)`, `p.ref_value = a.ref_value`)
		if err != nil {
			return nil, err
		}
		all = found
	}
	if len(learners) == 0 {
		return all, nil
	}
	args["learners"], args["first"], args["last"] = learners, first, last
	found, err := matches(ctx, tx, args, `learner_id = any(@learners) and achieved_on between @first and @last and withdrawn_at is null`,
		`p.ref_value is null and p.learner_id = a.learner_id and p.achievement_id = a.achievement_id and p.achieved_on = a.achieved_on and p.term = a.term`)
	return append(all, found...), err
}

// matches are the staged rows that mean an assertion among those that the
// condition fetches.
func matches(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, fetched, same string) ([]match, error) {
	rows, _ := tx.Query(ctx, `
		with a as materialized (
			select * from assertion where institution_id = @institution and `+fetched+`)
		select p.n, a.id, a.learner_id = p.learner_id and a.achievement_id = p.achievement_id as same
		from import_assertion p
		join a on `+same, bulk.Planned, args)
	return pgx.CollectRows(rows, pgx.RowToStructByName[match])
}

// settle corrects the assertions that differ, leaves the other results where a row
// gives the grade alone, refuses the rows that would move
// one to another learner or achievement, and takes all of them out of the stage.
func settle(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, there []match, out []bulk.Outcome) error {
	if len(there) == 0 {
		return nil
	}
	slices.SortFunc(there, func(a, b match) int { return a.N - b.N })
	var done, same []int
	var ids []string
	met := make(map[string]bool, len(there))
	for _, m := range there {
		done = append(done, m.N)
		twice := met[m.ID]
		if met[m.ID] = true; twice {
			out[m.N] = bulk.Fail(conflict("once-in-file", "A row before this one means the same award under another name. Keep one of them."))
			continue
		}
		if !m.Same {
			out[m.N] = bulk.Fail(conflict("ref-moved", "This id belongs to an award of another learner or achievement. Withdraw that one, or use another id."))
			continue
		}
		out[m.N] = bulk.Outcome{Change: bulk.Unchanged, ID: m.ID}
		same, ids = append(same, m.N), append(ids, m.ID)
	}
	args["same"], args["ids"], args["done"] = same, ids, done
	rows, _ := tx.Query(ctx, `
		with a as materialized (
			select * from assertion where institution_id = @institution and id = any(@ids) and withdrawn_at is null),
		p as (
			select c.n, a.id, p.achieved_on,
				case when p.absent & 1 <> 0 then a.term else p.term end as term,
				case when p.absent & 2 <> 0 then a.grade else p.grade end as grade,
				case when p.absent & 4 <> 0 then a.credits_earned else p.credits_earned end as credits_earned,
				case when p.absent & 8 <> 0 then a.narrative else p.narrative end as narrative,
				case when p.absent & 16 <> 0 then a.role else p.role end as role,
				case when p.absent & 32 <> 0 then a.license_number else p.license_number end as license_number,
				case when p.absent & 64 <> 0 then a.activity_start_on else p.activity_start_on end as activity_start_on,
				case when p.absent & 128 <> 0 then a.activity_end_on else p.activity_end_on end as activity_end_on,
				case
					when p.absent & 256 = 0 then p.results
					when p.grade_of is null or p.grade is not distinct from a.grade then a.results
					else (select coalesce(jsonb_agg(r order by n), '[]') from jsonb_array_elements(a.results) with ordinality as x (r, n)
						where r->>'resultDescription' is distinct from p.grade_of) || p.results
				end as results,
				case when p.absent & 512 <> 0 then a.evidence else p.evidence end as evidence
			from unnest(@same::int[], @ids::text[]) as c (n, id)
			join import_assertion p on p.n = c.n
			join a on a.id = c.id)
		update assertion a set achieved_on = p.achieved_on, term = p.term, grade = p.grade, credits_earned = p.credits_earned,
			narrative = p.narrative, role = p.role, license_number = p.license_number, activity_start_on = p.activity_start_on,
			activity_end_on = p.activity_end_on, results = p.results, evidence = p.evidence, version = a.version + 1, updated_at = @now
		from p
		where a.institution_id = @institution and a.id = any(@ids) and a.id = p.id
		  and (a.achieved_on, a.term, a.grade, a.credits_earned, a.narrative, a.role, a.license_number, a.activity_start_on,
				a.activity_end_on, a.results, a.evidence) is distinct from (p.achieved_on, p.term, p.grade, p.credits_earned,
				p.narrative, p.role, p.license_number, p.activity_start_on, p.activity_end_on, p.results, p.evidence)
		returning p.n, a.id`, bulk.Planned, args)
	var n int
	var id string
	_, err := pgx.ForEachRow(rows, []any{&n, &id}, func() error {
		out[n] = bulk.Outcome{Change: bulk.Updated, ID: id}
		return nil
	})
	if err != nil {
		return taken(err)
	}
	_, err = tx.Exec(ctx, `delete from import_assertion where n = any(@done::int[])`, bulk.Planned, args)
	return err
}

func conflict(rule, message string) *fault.Error {
	return &fault.Error{Kind: fault.Conflict, Field: "achievement", Rule: rule, Message: message}
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
	var n int
	_, err = pgx.ForEachRow(rows, []any{&n}, func() error {
		out[n] = bulk.Fail(conflict("once-per-activity", "This learner has this achievement for the same day and term already, under another id."))
		return nil
	})
	return err
}
