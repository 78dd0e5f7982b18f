package mastery

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
)

const ruleColumns = `r.id, v.version, r.framework_id, r.item_id, r.branch, v.name, v.effective_on, v.recorded_at, v.recorded_by, v.retired, v.definition`

const ruleVersions = `mastery_rule r
	join mastery_rule_version v on v.institution_id = r.institution_id and v.rule_id = r.id`

// stamps are what changes when rules or the curriculum map do.
func stamps(ctx context.Context, tx pgx.Tx, who access.Actor) (map[string]string, error) {
	rows, err := tx.Query(ctx, `select part, stamp from mastery_stamp where institution_id = @institution`, pgx.NamedArgs{"institution": who.InstitutionID})
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	var part, stamp string
	_, err = pgx.ForEachRow(rows, []any{&part, &stamp}, func() error { all[part] = stamp; return nil })
	return all, err
}

// allRules are all versions of all rules.
func allRules(ctx context.Context, tx pgx.Tx, who access.Actor) ([]Rule, error) {
	rows, _ := tx.Query(ctx, `select `+ruleColumns+` from `+ruleVersions+` where r.institution_id = @institution order by r.id, v.version`,
		pgx.NamedArgs{"institution": who.InstitutionID})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Rule])
}

// cell is what a cell of the curriculum map says, and from when to when that is
// what is on file; no end while it is.
type cell struct {
	course.Mapping
	KnownFrom  time.Time
	KnownUntil *time.Time
}

// curriculum is all that the curriculum map says or ever said.
func curriculum(ctx context.Context, tx pgx.Tx, who access.Actor) ([]cell, error) {
	rows, _ := tx.Query(ctx, `
		select course_id, item_id, stage, target_level, known_from, null::timestamptz as known_until
		from course_competency
		where institution_id = @institution
		union all
		select course_id, item_id, stage, target_level, known_from, known_until
		from course_competency_past
		where institution_id = @institution
		order by course_id, item_id, stage, known_from`, pgx.NamedArgs{"institution": who.InstitutionID})
	return pgx.CollectRows(rows, pgx.RowToStructByName[cell])
}

// versionsAt are the versions of frameworks that were the present ones at a
// moment, where those are others than the present ones now. Of a framework that
// was not here yet it is the first: what was known then is a question about what
// was on file of the learner.
func versionsAt(ctx context.Context, tx pgx.Tx, who access.Actor, at time.Time) (map[framework.ID]int, error) {
	rows, err := tx.Query(ctx, `
		select framework_id, coalesce(max(version) filter (where recorded_at <= @at), min(version))
		from framework_version
		where institution_id = @institution
		group by framework_id
		having bool_or(recorded_at > @at)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "at": at})
	if err != nil {
		return nil, err
	}
	all := map[framework.ID]int{}
	var f framework.ID
	var n int
	_, err = pgx.ForEachRow(rows, []any{&f, &n}, func() error { all[f] = n; return nil })
	return all, err
}

// graphs are the frameworks as they were at the moment of knowing, by id.
func (s *Service) graphs(ctx context.Context, tx pgx.Tx, who access.Actor, b *Basis) ([]*framework.Graph, error) {
	present, err := s.Frameworks.GraphsInTx(ctx, who, tx, nil)
	if err != nil {
		return nil, err
	}
	if !b.present {
		earlier, err := versionsAt(ctx, tx, who, b.Asked)
		if err != nil {
			return nil, err
		}
		for f, version := range earlier {
			if present[f], err = s.Frameworks.GraphInTx(ctx, who, tx, f, version); err != nil {
				return nil, err
			}
		}
	}
	all := make([]*framework.Graph, 0, len(present))
	for _, g := range present {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *framework.Graph) int { return cmp.Compare(a.Framework, b.Framework) })
	return all, nil
}

// rules are all versions of all rules, kept under the stamp of the rules.
func (s *Service) rules(ctx context.Context, tx pgx.Tx, who access.Actor, stamp string) ([]Rule, error) {
	if stamp == "" {
		return nil, nil
	}
	name := who.InstitutionID + "/" + stamp
	if all, ok := s.known.find(name); ok {
		return all, nil
	}
	all, err := allRules(ctx, tx, who)
	if err == nil {
		s.known.keep(name, all)
	}
	return all, err
}

func versionsOf(rules []Rule) string {
	var b strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&b, "%s:%d ", r.ID, r.Version)
	}
	return b.String()
}

// Which is which evidence is read.
type Which int

// What to read: only what can count at the clock, or everything that was ever on
// file, so that what does not count can be told of.
const (
	Counting Which = iota
	Everything
)

// The statements that read evidence. Each learner is looked up for itself, by an
// index whatever the planner believes about the table: as one condition on all of
// them, a table whose statistics are old is read whole for each request.
const (
	evidenceOf = `
		select l.id, e.*
		from unnest(@learners::text[]) with ordinality as l (id, place)
		cross join lateral (`
	evidenceColumns = `, achievement_id, achievement_version, achieved_on, recorded_at, coalesce(grade, ''), credits_earned::double precision, results`
	evidenceFirst   = `, case when version = 1 then recorded_at else updated_at end, null::timestamptz`
	evidenceWhere   = `
			where institution_id = @institution and learner_id = l.id and (@only::text is null or learner_id = @only)`
	evidenceNow = evidenceOf + `
			select id` + evidenceColumns + evidenceFirst + `, null::text
			from assertion` + evidenceWhere + ` and withdrawn_at is null and achieved_on <= @on
			offset 0) as e
		order by l.place`
	evidenceEver = evidenceOf + `
			select id` + evidenceColumns + evidenceFirst + `, null::text
			from assertion` + evidenceWhere + ` and withdrawn_at is null
			union all
			select id` + evidenceColumns + evidenceFirst + `, withdrawn_reason
			from assertion` + evidenceWhere + ` and withdrawn_at is not null
			union all
			select assertion_id` + evidenceColumns + `, known_from, known_until, withdrawn_reason
			from assertion_past` + evidenceWhere + `) as e
		order by l.place`
)

// batch is how many learners are read at once.
const batch = 500

// Evidence reads the evidence of learners, in the order in which they are given,
// and hands over each learner's; a learner without any comes with none. The
// pieces are the callee's until it returns. Memory does not grow with the number
// of learners.
func (s *Service) Evidence(ctx context.Context, who access.Actor, tx pgx.Tx, b *Basis, learners []learner.ID, which Which, each func(learner.ID, []Piece) error) error {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return err
	}
	r := &reading{tx: tx, who: who, b: b}
	for some := range slices.Chunk(learners, batch) {
		if err := r.read(ctx, some, which); err != nil {
			return err
		}
		for _, l := range some {
			if err := each(l, r.of(l)); err != nil {
				return err
			}
		}
	}
	return nil
}

// reading is a batch of evidence as it is read.
type reading struct {
	tx      pgx.Tx
	who     access.Actor
	b       *Basis
	pieces  []Piece
	spans   map[learner.ID][2]int
	missing []missing
	key     []byte
}

// missing is a piece that says what has not been read before.
type missing struct {
	piece int
	key   string
	said  *saying
}

func (r *reading) of(l learner.ID) []Piece {
	span := r.spans[l]
	return r.pieces[span[0]:span[1]:span[1]]
}

// read reads the evidence of some learners. At the present moment everything
// known counts; for another one the past has to be read as well.
func (r *reading) read(ctx context.Context, learners []learner.ID, which Which) error {
	sql := evidenceNow
	if which == Everything || !r.b.present {
		sql = evidenceEver
	}
	r.pieces, r.missing, r.spans = r.pieces[:0], r.missing[:0], make(map[learner.ID][2]int, len(learners))
	rows, err := r.tx.Query(ctx, sql, pgx.NamedArgs{"institution": r.who.InstitutionID, "learners": learners, "only": r.who.OnlyLearner(), "on": r.b.At.AsOf.Date()})
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := r.scan(rows); err != nil {
		return err
	}
	rows.Close()
	return r.fill(ctx)
}

func (r *reading) scan(rows pgx.Rows) error {
	for _, f := range rows.FieldDescriptions() {
		if want, ok := formats[f.DataTypeOID]; ok && f.Format != want {
			return fmt.Errorf("evidence: column %s has format %d", f.Name, f.Format)
		}
	}
	var whose []byte
	var name learner.ID
	for rows.Next() {
		raw := rows.RawValues()
		if string(raw[0]) != string(whose) {
			name = learner.ID(raw[0])
			whose = []byte(name)
			r.spans[name] = [2]int{len(r.pieces), len(r.pieces)}
		}
		r.row(raw)
		r.spans[name] = [2]int{r.spans[name][0], len(r.pieces)}
	}
	return rows.Err()
}

// row adds the piece of a row. It is read from its bytes, because a cohort has
// half a million of them and most of what they say has been read before.
func (r *reading) row(raw [][]byte) {
	p := Piece{ID: assertion.ID(raw[1]), On: Day(int32(binary.BigEndian.Uint32(raw[4]))), Recorded: instant(raw[5]), From: instant(raw[9]), Until: Ever}
	if raw[10] != nil {
		p.Until = instant(raw[10])
	}
	if raw[11] != nil {
		p.Withdrawn, p.Why = true, string(raw[11])
	}
	r.key = r.key[:0]
	for _, i := range []int{2, 3, 6, 7, 8} { // each behind its length, so that no two rows share a key
		r.key = append(binary.AppendUvarint(r.key, uint64(len(raw[i]))), raw[i]...)
	}
	r.b.reached.mu.RLock()
	said, ok := r.b.reached.all[string(r.key)]
	r.b.reached.mu.RUnlock()
	if !ok {
		said = &saying{of: achievement.Pin{AchievementID: achievement.ID(raw[2]), Version: int(binary.BigEndian.Uint32(raw[3]))}, grade: string(raw[6]),
			credits: number(raw[7]), results: slices.Clone(raw[8])}
		r.missing = append(r.missing, missing{len(r.pieces), string(r.key), said})
	}
	p.Of, p.Grade, p.Credits = said.of, said.grade, said.credits
	p.says(said)
	r.pieces = append(r.pieces, p)
}

// The formats in which row expects its columns: dates, times and numbers in
// binary, texts and JSON as text.
var formats = map[uint32]int16{pgtype.DateOID: pgx.BinaryFormatCode, pgtype.TimestamptzOID: pgx.BinaryFormatCode, pgtype.Int4OID: pgx.BinaryFormatCode,
	pgtype.Float8OID: pgx.BinaryFormatCode, pgtype.JSONBOID: pgx.TextFormatCode}

func instant(raw []byte) Instant { return Instant(binary.BigEndian.Uint64(raw)) }

func number(raw []byte) *float64 {
	if raw == nil {
		return nil
	}
	v := math.Float64frombits(binary.BigEndian.Uint64(raw))
	return &v
}

// fill finds out what the pieces say that were not known. One statement reads
// all the versions of achievements that have not been read.
func (r *reading) fill(ctx context.Context) error {
	if len(r.missing) == 0 {
		return nil
	}
	var ids []achievement.ID
	var versions []int
	asked := map[achievement.Pin]bool{}
	for _, m := range r.missing {
		if _, ok := r.b.offers.find(m.said.of); !ok && !asked[m.said.of] {
			asked[m.said.of] = true
			ids, versions = append(ids, m.said.of.AchievementID), append(versions, m.said.of.Version)
		}
	}
	if err := r.offers(ctx, ids, versions); err != nil {
		return err
	}
	for _, m := range r.missing {
		if said, ok := r.b.reached.find(m.key); ok {
			r.pieces[m.piece].says(said)
			continue
		}
		if err := r.b.say(m.said); err != nil {
			return fmt.Errorf("evidence %s: %w", r.pieces[m.piece].ID, err)
		}
		r.b.reached.keep(m.key, m.said)
		r.pieces[m.piece].says(m.said)
	}
	return nil
}

// says puts on a piece what is known of such an award.
func (p *Piece) says(s *saying) { p.Hits, p.Open, p.Failed = s.hits, s.open, s.failed }

func (r *reading) offers(ctx context.Context, ids []achievement.ID, versions []int) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := r.tx.Query(ctx, `
		select v.achievement_id, v.version, v.definition, a.course_id
		from unnest(@ids::text[], @versions::int[]) as p (id, version)
		join achievement_version v on v.institution_id = @institution and v.achievement_id = p.id and v.version = p.version
		join achievement a on a.institution_id = v.institution_id and a.id = v.achievement_id`,
		pgx.NamedArgs{"institution": r.who.InstitutionID, "ids": ids, "versions": versions})
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var p achievement.Pin
		var d achievement.Definition
		var c *course.ID
		if err := rows.Scan(&p.AchievementID, &p.Version, &d, &c); err != nil {
			return err
		}
		r.b.offer(p, d, c)
	}
	return rows.Err()
}

// ruleFor reads a rule in its latest version; the lock is kept while a version
// is added.
func findRule(ctx context.Context, tx pgx.Tx, who access.Actor, rule RuleID, lock string) (Rule, error) {
	rows, _ := tx.Query(ctx, `
		select `+ruleColumns+`
		from `+ruleVersions+` and v.version = r.version
		where r.institution_id = @institution and r.id = @id`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": rule})
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Rule])
	if errors.Is(err, pgx.ErrNoRows) {
		return r, fault.Missing("rule")
	}
	return r, err
}

func insertRule(ctx context.Context, tx pgx.Tx, who access.Actor, r Rule) error {
	_, err := tx.Exec(ctx, `
		insert into mastery_rule (institution_id, id, framework_id, item_id, branch, version, created_at, updated_at)
		values (@institution, @id, @framework, @item, @branch, 1, @now, @now)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": r.ID, "framework": r.FrameworkID, "item": r.ItemID, "branch": r.Branch, "now": r.RecordedAt})
	if pg.Constraint(err) == "mastery_rule_once" {
		return &fault.Error{Kind: fault.Conflict, Field: "about", Rule: "rule-once", Message: "There is a rule for this already. Revise it, or retire it first."}
	}
	if err != nil {
		return err
	}
	return insertRuleVersion(ctx, tx, who, r)
}

func insertRuleVersion(ctx context.Context, tx pgx.Tx, who access.Actor, r Rule) error {
	_, err := tx.Exec(ctx, `
		with latest as (
			update mastery_rule set version = @version, branch = @branch, updated_at = @now, retired_at = case when @retired then @now::timestamptz end
			where institution_id = @institution and id = @id)
		insert into mastery_rule_version (institution_id, rule_id, version, name, definition, effective_on, retired, recorded_at, recorded_by)
		values (@institution, @id, @version, @name, @definition, @on, @retired, @now, @by)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": r.ID, "version": r.Version, "branch": r.Branch, "name": r.Name, "definition": r.Definition,
			"on": r.EffectiveOn, "retired": r.Retired, "now": r.RecordedAt, "by": r.RecordedBy})
	return err
}

func listRules(ctx context.Context, tx pgx.Tx, who access.Actor, f RuleFilter, after ruleCursor, limit int) ([]Rule, error) {
	rows, _ := tx.Query(ctx, `
		select `+ruleColumns+`
		from `+ruleVersions+` and v.version = r.version
		where r.institution_id = @institution and r.id > @after
		  and (@retired or r.retired_at is null)
		  and (@framework::text is null or r.framework_id = @framework or r.item_id in (
			select i.id from framework_item i where i.institution_id = @institution and i.framework_id = @framework))
		order by r.id
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "after": after.ID, "retired": f.Retired, "framework": f.FrameworkID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Rule])
}

func versionsOfRules(ctx context.Context, tx pgx.Tx, who access.Actor, ids []RuleID) ([]Rule, error) {
	rows, _ := tx.Query(ctx, `
		select `+ruleColumns+`
		from `+ruleVersions+`
		where r.institution_id = @institution and r.id = any(@ids)
		order by r.id, v.version desc`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Rule])
}

// achievementsOf are the achievements of which any version is aligned to one of
// the names, or that are the completion of one of the courses.
func achievementsOf(ctx context.Context, tx pgx.Tx, who access.Actor, names, courses []string) ([]string, error) {
	rows, _ := tx.Query(ctx, `
		select distinct a.id
		from achievement a
		where a.institution_id = @institution and (a.course_id = any(@courses) or exists (
			select from achievement_version v
			where v.institution_id = a.institution_id and v.achievement_id = a.id
			  and (jsonb_path_query_array(v.definition, '$.**.targetUrl') || jsonb_path_query_array(v.definition, '$.**.targetCode')) ?| @names::text[]))`,
		pgx.NamedArgs{"institution": who.InstitutionID, "names": names, "courses": courses})
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// candidates are learners, by id, who have something on file of one of the
// achievements.
func candidates(ctx context.Context, tx pgx.Tx, who access.Actor, achievements []string, after learner.ID, limit int) ([]learner.ID, error) {
	rows, _ := tx.Query(ctx, `
		select distinct learner_id
		from assertion
		where institution_id = @institution and achievement_id = any(@achievements) and learner_id > @after
		  and (@only::text is null or learner_id = @only)
		order by learner_id
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "achievements": achievements, "after": after, "limit": limit, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowTo[learner.ID])
}
