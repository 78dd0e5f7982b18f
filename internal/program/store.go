package program

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
)

const columns = `p.id, p.code, v.version, v.effective_on, v.definition, v.recorded_at, v.recorded_by, p.retired_at`

const versions = `program p
	join program_version v on v.institution_id = p.institution_id and v.program_id = p.id`

func insert(ctx context.Context, tx pgx.Tx, who access.Actor, p Program) error {
	_, err := tx.Exec(ctx, `
		insert into program (institution_id, id, code, version, created_at, updated_at)
		values (@institution, @id, @code, 1, @now, @now)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": p.ID, "code": p.Code, "now": p.RecordedAt})
	if pg.Constraint(err) == "program_code_once" {
		return &fault.Error{Kind: fault.Conflict, Field: "code", Rule: "code-once", Message: "Another program has this code."}
	}
	if err != nil {
		return err
	}
	return insertVersion(ctx, tx, who, p)
}

func insertVersion(ctx context.Context, tx pgx.Tx, who access.Actor, p Program) error {
	_, err := tx.Exec(ctx, `
		with latest as (
			update program set version = @version, updated_at = @now where institution_id = @institution and id = @id)
		insert into program_version (institution_id, program_id, version, definition, effective_on, recorded_at, recorded_by)
		values (@institution, @id, @version, @definition, @on, @now, @by)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": p.ID, "version": p.Version, "definition": p.Definition, "on": p.EffectiveOn,
			"now": p.RecordedAt, "by": p.RecordedBy})
	return err
}

func retire(ctx context.Context, tx pgx.Tx, who access.Actor, p Program, now time.Time) error {
	_, err := tx.Exec(ctx, `update program set retired_at = @now, updated_at = @now where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": p.ID, "now": now})
	return err
}

// find is a program by id or code in its latest version.
func find(ctx context.Context, tx pgx.Tx, who access.Actor, name, lock string) (Program, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from `+versions+` and v.version = p.version
		where p.institution_id = @institution and (p.id = @name or p.code = @name)
		order by p.id <> @name
		limit 1`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "name": name})
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Program])
	if errors.Is(err, pgx.ErrNoRows) {
		return p, fault.Missing("program")
	}
	return p, err
}

func list(ctx context.Context, tx pgx.Tx, who access.Actor, f Filter, after cursor, limit int) ([]Program, error) {
	var text *string
	if f.Text != nil {
		t := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(*f.Text) + "%"
		text = &t
	}
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from `+versions+` and v.version = p.version
		where p.institution_id = @institution and (p.code collate "C", p.id) > (@code, @id)
		  and (@retired or p.retired_at is null)
		  and (@text::text is null or p.code ilike @text or v.definition ->> 'title' ilike @text)
		order by p.code collate "C", p.id
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "code": after.Code, "id": after.ID, "retired": f.Retired, "text": text, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Program])
}

// versionsOf are all versions of programs, the newest first.
func versionsOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Program, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from `+versions+`
		where p.institution_id = @institution and p.id = any(@ids)
		order by p.id, v.version desc`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Program])
}

// inForce is the version that holds on a day: the latest whose day has begun, or
// the first.
func inForce(all []Program, on day.Date) Program {
	var out Program
	for _, p := range all { // the newest first
		if out = p; !p.EffectiveOn.After(on) {
			return p
		}
	}
	return out
}

// strangers are those of the ids that name nothing here.
func strangers(ctx context.Context, tx pgx.Tx, who access.Actor, items, courses, badges []string) ([]string, error) {
	rows, _ := tx.Query(ctx, `
		select n from unnest(@items::text[]) n where not exists (select from framework_item where institution_id = @institution and id = n)
		union all
		select n from unnest(@courses::text[]) n where not exists (select from course where institution_id = @institution and id = n)
		union all
		select n from unnest(@badges::text[]) n where not exists (select from achievement where institution_id = @institution and id = n)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "items": items, "courses": courses, "badges": badges})
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func putEnrollment(ctx context.Context, tx pgx.Tx, who access.Actor, e Enrollment) error {
	_, err := tx.Exec(ctx, `
		insert into program_enrollment (institution_id, program_id, learner_id, version, enrolled_on, ended_on, recorded_at, recorded_by)
		values (@institution, @program, @learner, @version, @on, @ended, @now, @by)
		on conflict (institution_id, program_id, learner_id) do update
			set version = excluded.version, enrolled_on = excluded.enrolled_on, ended_on = excluded.ended_on, recorded_at = excluded.recorded_at, recorded_by = excluded.recorded_by`,
		pgx.NamedArgs{"institution": who.InstitutionID, "program": e.ProgramID, "learner": e.LearnerID, "version": e.Version, "on": e.EnrolledOn,
			"ended": e.EndedOn, "now": e.RecordedAt, "by": e.RecordedBy})
	return err
}

const enrollmentColumns = `program_id, learner_id, version, enrolled_on, ended_on, recorded_at, recorded_by`

func enrollments(ctx context.Context, tx pgx.Tx, who access.Actor, learners []learner.ID) ([]Enrollment, error) {
	rows, _ := tx.Query(ctx, `
		select `+enrollmentColumns+`
		from program_enrollment
		where institution_id = @institution and learner_id = any(@learners) and (@only::text is null or learner_id = @only)
		order by learner_id, enrolled_on, program_id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learners": learners, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Enrollment])
}

const equivalencyColumns = `id, learner_id, ground, given, instead, reason, effective_on, approved_by, recorded_at, withdrawn_at`

func insertEquivalency(ctx context.Context, tx pgx.Tx, who access.Actor, e Equivalency) error {
	_, err := tx.Exec(ctx, `
		insert into program_equivalency (institution_id, id, learner_id, ground, given, instead, reason, effective_on, approved_by, recorded_at)
		values (@institution, @id, @learner, @ground, @given, @instead, @reason, @on, @by, @now)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": e.ID, "learner": e.LearnerID, "ground": e.Ground, "given": e.Given, "instead": e.Instead,
			"reason": e.Reason, "on": e.EffectiveOn, "by": e.ApprovedBy, "now": e.RecordedAt})
	return err
}

func withdrawEquivalency(ctx context.Context, tx pgx.Tx, who access.Actor, e EquivalencyID, now time.Time) error {
	done, err := tx.Exec(ctx, `update program_equivalency set withdrawn_at = @now where institution_id = @institution and id = @id and withdrawn_at is null`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": e, "now": now})
	if err == nil && done.RowsAffected() == 0 {
		return fault.Missing("equivalency")
	}
	return err
}

func findEquivalency(ctx context.Context, tx pgx.Tx, who access.Actor, e EquivalencyID) (Equivalency, error) {
	rows, _ := tx.Query(ctx, `
		select `+equivalencyColumns+` from program_equivalency
		where institution_id = @institution and id = @id and (@only::text is null or learner_id is null or learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": e, "only": who.OnlyLearner()})
	out, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Equivalency])
	if errors.Is(err, pgx.ErrNoRows) {
		return out, fault.Missing("equivalency")
	}
	return out, err
}

// equivalencies are those that hold for everybody or for one of the learners on
// a day, as known at a moment.
func equivalencies(ctx context.Context, tx pgx.Tx, who access.Actor, learners []learner.ID, on day.Date, known time.Time) ([]Equivalency, error) {
	rows, _ := tx.Query(ctx, `
		select `+equivalencyColumns+`
		from program_equivalency
		where institution_id = @institution and (learner_id is null or learner_id = any(@learners))
		  and (@only::text is null or learner_id is null or learner_id = @only)
		  and effective_on <= @on and recorded_at <= @known and (withdrawn_at is null or withdrawn_at > @known)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learners": learners, "on": on, "known": known, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Equivalency])
}

func listEquivalencies(ctx context.Context, tx pgx.Tx, who access.Actor, f EquivalencyFilter, after EquivalencyID, limit int) ([]Equivalency, error) {
	rows, _ := tx.Query(ctx, `
		select `+equivalencyColumns+`
		from program_equivalency
		where institution_id = @institution and id > @after and (@learner::text is null or learner_id = @learner) and (@withdrawn or withdrawn_at is null)
		  and (@only::text is null or learner_id is null or learner_id = @only)
		order by id
		limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "after": after, "learner": f.LearnerID, "withdrawn": f.Withdrawn, "limit": limit, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Equivalency])
}

func equivalenciesByIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []EquivalencyID) ([]Equivalency, error) {
	rows, _ := tx.Query(ctx, `
		select `+equivalencyColumns+`
		from program_equivalency
		where institution_id = @institution and id = any(@ids) and (@only::text is null or learner_id is null or learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Equivalency])
}

// completion is an achievement that is the completion of a course, and what the
// course is worth.
type completion struct {
	ID       achievement.ID
	Version  int
	CourseID course.ID
	Credits  float64
}

// completions are the completions of courses.
func completions(ctx context.Context, tx pgx.Tx, who access.Actor) (map[achievement.ID]completion, error) {
	rows, _ := tx.Query(ctx, `
		select a.id, a.version, a.course_id, coalesce(c.credits, 0)::float8 as credits
		from achievement a
		join course c on c.institution_id = a.institution_id and c.id = a.course_id
		where a.institution_id = @institution`, pgx.NamedArgs{"institution": who.InstitutionID})
	all := map[achievement.ID]completion{}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[completion])
	for _, c := range found {
		all[c.ID] = c
	}
	return all, err
}

// InTx is one program by id or code, in its latest version, in another noun's
// transaction.
func InTx(ctx context.Context, tx pgx.Tx, who access.Actor, program string) (Program, error) {
	return find(ctx, tx, who, program, "")
}

// ruledBy narrows enrolments e to those that a rule that awards applies to, or
// that have something open.
const ruledBy = `(exists (
		select from program_version v
		where v.institution_id = e.institution_id and v.program_id = e.program_id and v.version = e.version and v.definition -> 'awards' <> '[]')
	or exists (
		select from program_proposal o
		where o.institution_id = e.institution_id and o.program_id = e.program_id and o.learner_id = e.learner_id and o.state = 'open'))`

// ruledEnrollments are the enrolments of learners that rules apply to. They are
// locked, so that one at a time concludes on a learner.
func ruledEnrollments(ctx context.Context, tx pgx.Tx, who access.Actor, learners []learner.ID) ([]Enrollment, error) {
	rows, _ := tx.Query(ctx, `
		select `+enrollmentColumns+`
		from program_enrollment e
		where institution_id = @institution and learner_id = any(@learners) and `+ruledBy+`
		order by learner_id, program_id
		for update of e`, pgx.NamedArgs{"institution": who.InstitutionID, "learners": learners})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Enrollment])
}

// ruledLearners are learners to whom rules apply, by id.
func ruledLearners(ctx context.Context, tx pgx.Tx, who access.Actor, after learner.ID, limit int) ([]learner.ID, error) {
	rows, _ := tx.Query(ctx, `
		select distinct learner_id
		from program_enrollment e
		where institution_id = @institution and learner_id > @after and `+ruledBy+`
		order by learner_id
		limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "after": after, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowTo[learner.ID])
}

const proposalColumns = `p.id, p.program_id, p.version, p.learner_id, p.achievement_id, p.requirement, p.kind, p.state, p.reason, p.met_on, p.obstacle, p.assertion_id,
	p.proposed_at, p.decided_at, p.decided_by, p.decision, p.ended_at`

func findProposal(ctx context.Context, tx pgx.Tx, who access.Actor, id ProposalID, lock string) (Proposal, error) {
	rows, _ := tx.Query(ctx, `select `+proposalColumns+` from program_proposal p where p.institution_id = @institution and p.id = @id`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": id})
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Proposal])
	if errors.Is(err, pgx.ErrNoRows) {
		return p, fault.Missing("proposal")
	}
	return p, err
}

func proposalsByIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ProposalID) ([]Proposal, error) {
	rows, _ := tx.Query(ctx, `select `+proposalColumns+` from program_proposal p where p.institution_id = @institution and p.id = any(@ids)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Proposal])
}

func listProposals(ctx context.Context, tx pgx.Tx, who access.Actor, f ProposalFilter, after ProposalID, limit int) ([]Proposal, error) {
	rows, _ := tx.Query(ctx, `
		select `+proposalColumns+`
		from program_proposal p
		where p.institution_id = @institution and p.id > @after and p.state = any(@states)
		  and (@kind::text is null or p.kind = @kind)
		  and (@program::text is null or p.program_id in (select id from program where institution_id = @institution and (id = @program or code = @program)))
		  and (@learner::text is null or p.learner_id = @learner)
		  and (@achievement::text is null or p.achievement_id = @achievement)
		order by p.id
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "after": after, "states": f.States, "kind": f.Kind, "program": f.ProgramID, "learner": f.LearnerID,
			"achievement": f.AchievementID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Proposal])
}

// proposalsThatMatter are those that are open, those that were declined while
// what led to them lasts, and those that gave what still stands.
func proposalsThatMatter(ctx context.Context, tx pgx.Tx, who access.Actor, learners []learner.ID) ([]Proposal, error) {
	rows, _ := tx.Query(ctx, `
		select `+proposalColumns+`
		from program_proposal p
		where p.institution_id = @institution and p.learner_id = any(@learners)
		  and (p.state = 'open' or p.state = 'declined' and p.ended_at is null
			or p.state = 'accepted' and p.kind = 'award' and exists (
				select from assertion a where a.institution_id = p.institution_id and a.id = p.assertion_id and a.withdrawn_at is null))
		order by p.id
		for update of p`, pgx.NamedArgs{"institution": who.InstitutionID, "learners": learners})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Proposal])
}

func insertProposal(ctx context.Context, tx pgx.Tx, who access.Actor, p Proposal) error {
	_, err := tx.Exec(ctx, `
		insert into program_proposal (institution_id, id, program_id, version, learner_id, achievement_id, requirement, kind, state, reason, met_on, assertion_id, proposed_at)
		values (@institution, @id, @program, @version, @learner, @achievement, @requirement, @kind, @state, @reason, @met, @assertion, @now)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": p.ID, "program": p.ProgramID, "version": p.Version, "learner": p.LearnerID, "achievement": p.AchievementID,
			"requirement": p.Requirement, "kind": p.Kind, "state": p.State, "reason": p.Reason, "met": p.MetOn, "assertion": p.AssertionID, "now": p.ProposedAt})
	return err
}

// decideProposal writes what became of a proposal.
func decideProposal(ctx context.Context, tx pgx.Tx, who access.Actor, p Proposal) error {
	_, err := tx.Exec(ctx, `
		update program_proposal
		set state = @state, assertion_id = @assertion, obstacle = @obstacle, decided_at = @at, decided_by = @by, decision = @decision, ended_at = @ended
		where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": p.ID, "state": p.State, "assertion": p.AssertionID, "obstacle": p.Obstacle,
			"at": p.DecidedAt, "by": p.DecidedBy, "decision": p.Decision, "ended": p.EndedAt})
	return err
}

// withdrawn is an achievement that a learner had and that was taken back.
type withdrawn struct {
	LearnerID     learner.ID
	AchievementID achievement.ID
}

func withdrawnOf(ctx context.Context, tx pgx.Tx, who access.Actor, learners []learner.ID, badges []achievement.ID) (map[withdrawn]bool, error) {
	rows, _ := tx.Query(ctx, `
		select distinct learner_id, achievement_id
		from assertion
		where institution_id = @institution and learner_id = any(@learners) and achievement_id = any(@badges) and withdrawn_at is not null`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learners": learners, "badges": badges})
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[withdrawn])
	out := make(map[withdrawn]bool, len(all))
	for _, w := range all {
		out[w] = true
	}
	return out, err
}
