package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// The size of the data at scale 1.
const (
	learners     = 100_000
	assertions   = 2_000_000
	achievements = 200
	heavy        = 5_000 // learners with a hundred assertions, whose pictures are asked for
	each         = 100
	competencies = 5_000
)

// data is what a run asks.
type data struct {
	url         string // of the database
	token       string // of a registrar
	institution string
	learners    []string // with a hundred assertions
	assertions  []string

	employer     string   // its token
	competencies []string // that somebody showed
}

// prepare makes the database, unless it is there from an earlier run; one that
// was made by an earlier version of the service is migrated.
func prepare(ctx context.Context, o options, server string) (data, error) {
	name := strings.ReplaceAll(fmt.Sprintf("bench_%g_%s", o.scale, version(o.scale)), ".", "_")
	u, err := url.Parse(server)
	if err != nil {
		return data{}, err
	}
	u.Path = "/" + name
	d := data{url: u.String()}
	admin, err := pgx.Connect(ctx, server)
	if err != nil {
		return d, err
	}
	defer admin.Close(ctx)
	var there bool
	if err := admin.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&there); err != nil {
		return d, err
	}
	if !there {
		if err := build(ctx, o, admin, name, d.url); err != nil {
			return d, err
		}
	}
	return d.find(ctx, o)
}

// version tells data apart that other statements made.
func version(scale float64) string {
	sum := sha256.New()
	for _, s := range statements(scale) {
		fmt.Fprintln(sum, s.sql)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

// build makes the database under another name first, so that one whose making
// was cut off is not taken for whole.
func build(ctx context.Context, o options, admin *pgx.Conn, name, whole string) error {
	start := time.Now()
	part := name + "_part"
	for _, sql := range []string{"drop database if exists " + part + " with (force)", "create database " + part} {
		if _, err := admin.Exec(ctx, sql); err != nil {
			return err
		}
	}
	at := strings.Replace(whole, "/"+name, "/"+part, 1)
	if _, err := testamur(ctx, o, at, "institution", "create", "--name", "Bench College", "bench"); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, at)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, s := range statements(o.scale) {
		fmt.Fprintf(os.Stderr, "making %s ... ", s.what)
		before := time.Now()
		if _, err := conn.Exec(ctx, s.sql); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
		fmt.Fprintf(os.Stderr, "%.1f s\n", time.Since(before).Seconds())
	}
	conn.Close(ctx)
	if _, err := admin.Exec(ctx, fmt.Sprintf("alter database %s rename to %s", part, name)); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "made the data in %.0f s\n", time.Since(start).Seconds())
	return nil
}

type statement struct{ what, sql string }

func scaled(n int, scale float64) int { return int(float64(n) * scale) }

// statements make the data from nothing but numbers, so that each run has the
// same. An id is its prefix and a number in 26 places.
func statements(scale float64) []statement {
	id := func(prefix, n string) string { return "'" + prefix + "_' || lpad((" + n + ")::text, 26, '0')" }
	uuid := func(kind int, n string) string {
		return fmt.Sprintf("'00000000-0000-4000-8%03d-' || lpad((%s)::text, 12, '0')", kind, n)
	}
	const in, now = "(select institution_id from institution)", "timestamptz '2026-01-01'"
	people, awards, heavy := scaled(learners, scale), scaled(assertions, scale), scaled(heavy, min(scale, 1))
	rest := (awards - heavy*each) / (people - heavy)
	definition := fmt.Sprintf(`jsonb_build_object('name', 'Achievement ' || n, 'description', 'What a learner shows who earns achievement number ' || n || '.',
		'achievementType', (array['Course','Badge','Certificate','Competency'])[1 + n %% 4],
		'criteria', jsonb_build_object('narrative', 'Pass the assessment of unit ' || n || ' at the level that is required.'),
		'alignment', (select jsonb_agg(jsonb_build_object('type', jsonb_build_array('Alignment'), 'targetType', 'CFItem', 'targetName', 'Topic ' || i, 'targetUrl', 'https://bench.example/item/' || i) order by k)
			from generate_series(0, 1) as k, lateral (select 211 + (n * 23 + k * 7) %% 4700 as i) as x),
		'resultDescription', jsonb_build_array(jsonb_build_object('id', '#level', 'name', 'Level reached', 'type', jsonb_build_array('ResultDescription'), 'resultType', 'RubricCriterionLevel',
			'rubricCriterionLevel', (select jsonb_agg(jsonb_build_object('id', '#level-' || l, 'name', (array['Emerging','Developing','Proficient','Advanced'])[l], 'level', l::text, 'type', jsonb_build_array('RubricCriterionLevel')) order by l) from generate_series(1, 4) as l))))`)
	award := func(n, person, k string) string {
		return fmt.Sprintf(`select %s, %s, %s, %s, 1, date '2020-01-01' + ((%s * 31 + %s * 17) %% 2000), %s, 'bench', %s, 1, 'T' || (%s %% 12), (array['A','B','C'])[1 + %s %% 3],
			jsonb_build_array(jsonb_build_object('resultDescription', '#level', 'achievedLevel', '#level-' || (1 + (%s + %s) %% 4)))`,
			in, id("asn", n), id("lrn", person), id("ach", "("+person+" * 7 + "+k+" * 3) % "+fmt.Sprint(achievements)), person, k, now, now, k, k, person, k)
	}
	const columns = `institution_id, id, learner_id, achievement_id, achievement_version, achieved_on, recorded_at, recorded_by, updated_at, version, term, grade, results`
	return []statement{
		{"a framework of competencies", fmt.Sprintf(`
			insert into framework (institution_id, id, identifier, uri, case_version, title, creator, changed_at, source, content_hash, created_at, updated_at)
			values (%s, %s, %s, 'https://bench.example/framework', '1.1', 'Bench framework', 'Bench College', %s, '{}', '\x00', %s, %s);
			insert into framework_version (institution_id, framework_id, version, id, reason, added, changed, retired, recorded_at, recorded_by)
			select institution_id, id, version, 'fwv_' || substr(id, 5), 'imported', 0, 0, 0, created_at, 'bench' from framework;
			insert into framework_item (institution_id, framework_id, id, identifier, uri, full_statement, abbreviated_statement, human_coding_scheme, item_type, changed_at, position, source)
			select %s, %s, %s, %s, 'https://bench.example/item/' || n,
				'The learner explains, applies and judges topic number ' || n || ' in a situation that is new to them.', 'Topic ' || n, 'B.' || n, 'Competency', %s, n, '{}'
			from generate_series(1, %d) as n;
			insert into framework_association (institution_id, framework_id, id, identifier, type, origin_identifier, origin_uri, destination_identifier, destination_uri, changed_at, position, source)
			select %s, %s, %s, %s, 'isChildOf', %s, 'https://bench.example/item/' || n,
				case when n <= 10 then %s else %s end,
				'https://bench.example/item/' || case when n <= 10 then 0 when n <= 210 then 1 + n %% 10 else 11 + n %% 200 end, %s, n, '{}'
			from generate_series(1, %d) as n`,
			in, id("fwk", "1"), uuid(1, "1"), now, now, now,
			in, id("fwk", "1"), id("itm", "n"), uuid(2, "n"), now, competencies,
			in, id("fwk", "1"), id("fas", "n"), uuid(3, "n"), uuid(2, "n"), uuid(1, "1"), uuid(2, "case when n <= 210 then 1 + n % 10 else 11 + n % 200 end"), now, competencies)},
		{"achievements", fmt.Sprintf(`
			insert into achievement (institution_id, id, name, achievement_type, content_hash, created_at, updated_at)
			select %s, %s, 'Achievement ' || n, (array['Course','Badge','Certificate','Competency'])[1 + n %% 4], '\x00', %s, %s from generate_series(0, %d) as n;
			insert into achievement_version (institution_id, achievement_id, version, definition, content_hash, recorded_at, recorded_by)
			select %s, %s, 1, %s, '\x00', %s, 'bench' from generate_series(0, %d) as n;
			insert into achievement_alignment (institution_id, achievement_id, position, target_type, target_url, target_name, item_id)
			select %s, %s, k, 'CFItem', 'https://bench.example/item/' || i, 'Topic ' || i, %s
			from generate_series(0, %d) as n, generate_series(0, 1) as k, lateral (select 211 + (n * 23 + k * 7) %% 4700 as i) as x`,
			in, id("ach", "n"), now, now, achievements-1, in, id("ach", "n"), definition, now, achievements-1, in, id("ach", "n"), id("itm", "i"), achievements-1)},
		{fmt.Sprintf("%d learners", people), fmt.Sprintf(`
			insert into learner (institution_id, id, ref_system, ref_value, display_name, given_name, family_name, created_at, updated_at)
			select %s, %s, 'sis', 'B' || n, 'Given' || n %% 1000 || ' Family' || n %% 7919, 'Given' || n %% 1000, 'Family' || n %% 7919, %s, %s from generate_series(1, %d) as n`,
			in, id("lrn", "n"), now, now, people)},
		{"the assertions of learners with many", fmt.Sprintf(`insert into assertion (%s) %s from generate_series(0, %d) as n, lateral (select 1 + n / %d as p, n %% %d as k) as x`,
			columns, award("n", "p", "k"), heavy*each-1, each, each)},
		{"the other assertions", fmt.Sprintf(`insert into assertion (%s) %s from generate_series(0, %d) as n, lateral (select %d + n / %d as p, n %% %d as k) as x`,
			columns, award(fmt.Sprint(heavy*each)+" + n", "p", "k"), (people-heavy)*rest-1, heavy+1, rest, rest)},
		// As the triggers keep it, which would do it learner by learner.
		{"who may be found by employers", fmt.Sprintf(`
			set session_replication_role = replica;
			insert into consent (institution_id, id, learner_id, scope, purpose, party, open, language, text_version, statement, method, signed_at, recorded_at, recorded_by)
			select %s, %s, %s, 'search', 'Recruiting', 'Employers', true, 'en', '1', 'I allow it.', 'signature', %s, %s, 'bench' from generate_series(2, %d, 2) as n;
			insert into learner_release (institution_id, learner_id, search_consent_id, updated_at) select institution_id, learner_id, id, signed_at from consent;
			insert into search_person (institution_id, learner_id, display_name, consent_id)
			select r.institution_id, r.learner_id, l.display_name, r.search_consent_id from learner_release r join learner l on l.institution_id = r.institution_id and l.id = r.learner_id;
			insert into search_award (institution_id, said, achieved_on, learner_id, assertion_id)
			select a.institution_id, search_said(a.achievement_id, a.achievement_version, a.grade, a.credits_earned, a.results), a.achieved_on, a.learner_id, a.id
			from assertion a join search_person p on p.institution_id = a.institution_id and p.learner_id = a.learner_id;
			insert into search_saying (institution_id, said, number, achievement_id, achievement_version, grade, credits, results)
			select institution_id, said, row_number() over (order by said), achievement_id, achievement_version, grade, credits_earned, results
			from (select distinct on (said) * from (
				select a.institution_id, search_said(a.achievement_id, a.achievement_version, a.grade, a.credits_earned, a.results) as said,
					a.achievement_id, a.achievement_version, coalesce(a.grade, '') as grade, a.credits_earned, a.results
				from assertion a where a.learner_id in (select learner_id from search_person)) as x order by said) as y;
			insert into search_count (institution_id, sayings) select institution_id, count(*) from search_saying group by institution_id;
			set session_replication_role = default`, in, id("cns", "n"), id("lrn", "n"), now, now, people)},
		{"statistics", "vacuum analyze"},
	}
}

// find reads what a run asks for, and makes a token.
func (d data) find(ctx context.Context, o options) (data, error) {
	token, err := testamur(ctx, o, d.url, "token", "create", "--role", "registrar", "--expires", "1d")
	if err != nil {
		return d, err
	}
	d.token = strings.TrimSpace(token)
	token, err = testamur(ctx, o, d.url, "token", "create", "--role", "employer", "--expires", "1d")
	if err != nil {
		return d, err
	}
	d.employer = strings.TrimSpace(token)
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return d, err
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, "select institution_id from institution").Scan(&d.institution); err != nil {
		return d, err
	}
	for n := range scaled(heavy, min(o.scale, 1)) {
		d.learners = append(d.learners, fmt.Sprintf("lrn_%026d", n+1))
	}
	// The competencies that achievements are aligned to.
	for n := range achievements {
		d.competencies = append(d.competencies, fmt.Sprintf("itm_%026d", 211+n*23%4700))
	}
	for n := range 20_000 {
		d.assertions = append(d.assertions, fmt.Sprintf("asn_%026d", scaled(n*90, o.scale)))
	}
	return d, nil
}

// testamur runs a command of the service on the database.
func testamur(ctx context.Context, o options, url string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, o.testamur, append(args, "--database-url", url, "--data", filepath.Join(o.data, "keys"))...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("testamur %s: %w: %s", args[0], err, said.String())
	}
	return string(out), nil
}
