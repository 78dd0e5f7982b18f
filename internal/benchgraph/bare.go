package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// picture is what is asked of the API, and byID; the bare handlers answer the
// same for the last part of their path.
const (
	picture = `query Picture($id: ID!) { learner(id: $id) { id displayName assertions(first: 100) { nodes {
		id achievedOn term grade
		results { resultDescription { name } achievedLevel { name level } }
		achievement { id definition { name description achievementType criteria { narrative } }
			alignments { targetName targetUrl competency { id identifier uri fullStatement abbreviatedStatement humanCodingScheme } } } } } } }`
	search = `query Search($id: ID!) { searchLearners(where: {competency: $id, since: "2021-01-01"}, first: 25) { nodes {
		learnerId learnerName achievedOn competency { id fullStatement } achievement { id definition { name } } } } }`
	byID = `query Assertion($id: ID!) { assertion(id: $id) { id achievedOn term grade recordedAt version } }`
)

// onePicture is the picture as one statement.
const onePicture = `
select json_build_object('data', json_build_object('learner', json_build_object('id', l.id, 'displayName', l.display_name, 'assertions', json_build_object('nodes', (
	select coalesce(json_agg(json_build_object('id', a.id, 'achievedOn', a.achieved_on, 'term', a.term, 'grade', a.grade,
		'results', (
			select json_agg(json_build_object('resultDescription', json_build_object('name', d ->> 'name'), 'achievedLevel', json_build_object('name', v ->> 'name', 'level', v ->> 'level')))
			from jsonb_array_elements(a.results) as r
			join lateral jsonb_array_elements(p.definition -> 'resultDescription') as d on d ->> 'id' = r ->> 'resultDescription'
			join lateral jsonb_array_elements(d -> 'rubricCriterionLevel') as v on v ->> 'id' = r ->> 'achievedLevel'),
		'achievement', json_build_object('id', h.id,
			'definition', json_build_object('name', c.definition ->> 'name', 'description', c.definition ->> 'description', 'achievementType', c.definition ->> 'achievementType',
				'criteria', json_build_object('narrative', c.definition #>> '{criteria,narrative}')),
			'alignments', (
				select coalesce(json_agg(json_build_object('targetName', g.target_name, 'targetUrl', g.target_url, 'competency', json_build_object('id', i.id, 'identifier', i.identifier, 'uri', i.uri,
					'fullStatement', i.full_statement, 'abbreviatedStatement', i.abbreviated_statement, 'humanCodingScheme', i.human_coding_scheme)) order by g.position), '[]')
				from achievement_alignment g join framework_item i on i.institution_id = g.institution_id and i.id = g.item_id
				where g.institution_id = a.institution_id and g.achievement_id = a.achievement_id)))
		order by a.achieved_on desc, a.id), '[]')
	from (select * from assertion where institution_id = $1 and learner_id = l.id and withdrawn_at is null order by achieved_on desc, id limit 100) as a
	join achievement h on h.institution_id = a.institution_id and h.id = a.achievement_id
	join achievement_version c on c.institution_id = h.institution_id and c.achievement_id = h.id and c.version = h.version
	join achievement_version p on p.institution_id = a.institution_id and p.achievement_id = a.achievement_id and p.version = a.achievement_version)))))::text
from learner l where l.institution_id = $1 and l.id = $2`

const oneAssertion = `
select json_build_object('data', json_build_object('assertion', json_build_object('id', id, 'achievedOn', achieved_on, 'term', term, 'grade', grade,
	'recordedAt', to_char(recorded_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'version', version)))::text
from assertion where institution_id = $1 and id = $2`

// bare answers without GraphQL, without a token and without row security.
type bare struct {
	pool        *pgxpool.Pool
	institution string
	fragments   map[string][]byte            // achievement to its JSON
	results     map[string]map[string][]byte // achievement and level to the results' JSON
	said        map[string][][16]byte        // competency to the sayings that speak for it
	of          map[[16]byte]string          // saying to its achievement
	names       map[string]string            // of achievements and competencies
}

// serveBare listens and prints its address.
func serveBare(ctx context.Context, kind, url string) error {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	cfg.MaxConns = 10
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	b := &bare{pool: pool}
	if err := pool.QueryRow(ctx, "select institution_id from institution").Scan(&b.institution); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/assertion/{id}", b.statement(oneAssertion))
	mux.HandleFunc("/learner/{id}", b.statement(onePicture))
	if kind == "fragments" {
		if err := errors.Join(b.load(ctx), b.sayings(ctx)); err != nil {
			return err
		}
		mux = http.NewServeMux()
		mux.HandleFunc("/assertion/{id}", b.statement(oneAssertion))
		mux.HandleFunc("/learner/{id}", b.picture)
		mux.HandleFunc("/competency/{id}", b.search)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, listener.Addr())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func (b *bare) statement(sql string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var answer []byte
		if err := b.pool.QueryRow(r.Context(), sql, b.institution, r.PathValue("id")).Scan(&answer); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		send(w, answer)
	}
}

func send(w http.ResponseWriter, answer []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer)
}

// found is the statement of the service's own index, without its row security,
// and told what each learner is told of it: a line in the account of disclosures.
const found = `
with f as materialized (
	select f.* from unnest($2::uuid[]) as s (said)
	cross join lateral (
		select a.learner_id, p.display_name, p.consent_id, a.said, a.achieved_on, a.assertion_id
		from search_award a
		join search_person p on p.institution_id = a.institution_id and p.learner_id = a.learner_id and (p.until is null or p.until > $3)
		where a.institution_id = $1 and a.said = s.said and a.achieved_on >= '2021-01-01'
		  and not exists (
			select from search_award b
			where b.institution_id = $1 and b.learner_id = a.learner_id and b.achieved_on >= a.achieved_on
			  and (b.achieved_on, b.assertion_id) > (a.achieved_on, a.assertion_id) and b.said = any($2))
		order by a.achieved_on desc, a.learner_id desc, a.assertion_id desc
		limit 25) as f
	order by f.achieved_on desc, f.learner_id desc
	limit 25),
told as (
	insert into disclosure (institution_id, id, learner_id, at, outcome, channel, party, purpose, basis, consent_id, items, actor_id)
	select $1, $4 || learner_id, learner_id, $3, 'granted', 'search', 'bench', 'bench', 'consent', consent_id, array[assertion_id], 'bench' from f)
select learner_id, display_name, said, achieved_on::text from f order by achieved_on desc, learner_id desc`

// search asks the index and joins the rows to what is in memory.
func (b *bare) search(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	rows, _ := b.pool.Query(r.Context(), found, b.institution, b.said[id], time.Now(), rand.Text())
	out := []byte(`{"data":{"searchLearners":{"nodes":[`)
	var learner, name, on string
	var said [16]byte
	first := true
	_, err := pgx.ForEachRow(rows, []any{&learner, &name, &said, &on}, func() error {
		if !first {
			out = append(out, ',')
		}
		first = false
		out = fmt.Appendf(out, `{"learnerId":%q,"learnerName":%q,"achievedOn":%q,"competency":{"id":%q,"fullStatement":%q},"achievement":{"id":%q,"definition":{"name":%q}}}`,
			learner, name, on, id, b.names[id], b.of[said], b.names[b.of[said]])
		return nil
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, append(out, "]}}}"...))
}

// sayings loads what speaks for each competency.
func (b *bare) sayings(ctx context.Context) error {
	b.said, b.of, b.names = map[string][][16]byte{}, map[[16]byte]string{}, map[string]string{}
	rows, _ := b.pool.Query(ctx, `
		select g.item_id, i.full_statement, s.said, s.achievement_id, h.name
		from search_saying s
		join achievement h on h.institution_id = s.institution_id and h.id = s.achievement_id
		join achievement_alignment g on g.institution_id = s.institution_id and g.achievement_id = s.achievement_id
		join framework_item i on i.institution_id = g.institution_id and i.id = g.item_id`)
	var item, statement, achievement, name string
	var said [16]byte
	_, err := pgx.ForEachRow(rows, []any{&item, &statement, &said, &achievement, &name}, func() error {
		b.said[item], b.of[said] = append(b.said[item], said), achievement
		b.names[item], b.names[achievement] = statement, name
		return nil
	})
	return err
}

// load makes the JSON of every achievement.
func (b *bare) load(ctx context.Context) error {
	b.fragments, b.results = map[string][]byte{}, map[string]map[string][]byte{}
	rows, _ := b.pool.Query(ctx, `
		select h.id, json_build_object('id', h.id,
			'definition', json_build_object('name', c.definition ->> 'name', 'description', c.definition ->> 'description', 'achievementType', c.definition ->> 'achievementType',
				'criteria', json_build_object('narrative', c.definition #>> '{criteria,narrative}')),
			'alignments', (
				select coalesce(json_agg(json_build_object('targetName', g.target_name, 'targetUrl', g.target_url, 'competency', json_build_object('id', i.id, 'identifier', i.identifier, 'uri', i.uri,
					'fullStatement', i.full_statement, 'abbreviatedStatement', i.abbreviated_statement, 'humanCodingScheme', i.human_coding_scheme)) order by g.position), '[]')
				from achievement_alignment g join framework_item i on i.institution_id = g.institution_id and i.id = g.item_id
				where g.institution_id = h.institution_id and g.achievement_id = h.id))::text, c.definition::text
		from achievement h join achievement_version c on c.institution_id = h.institution_id and c.achievement_id = h.id and c.version = h.version`)
	var id, fragment, definition string
	_, err := pgx.ForEachRow(rows, []any{&id, &fragment, &definition}, func() error {
		var d struct {
			ResultDescription []struct {
				ID, Name             string
				RubricCriterionLevel []struct{ ID, Name, Level string }
			}
		}
		if err := json.Unmarshal([]byte(definition), &d); err != nil {
			return err
		}
		b.fragments[id], b.results[id] = []byte(fragment), map[string][]byte{}
		for _, r := range d.ResultDescription {
			for _, l := range r.RubricCriterionLevel {
				b.results[id][r.ID+l.ID] = fmt.Appendf(nil, `{"resultDescription":{"name":%q},"achievedLevel":{"name":%q,"level":%q}}`, r.Name, l.Name, l.Level)
			}
		}
		return nil
	})
	return err
}

// picture reads the rows and joins them to what is in memory.
func (b *bare) picture(w http.ResponseWriter, r *http.Request) {
	ctx, id := r.Context(), r.PathValue("id")
	batch := &pgx.Batch{}
	batch.Queue("select display_name from learner where institution_id = $1 and id = $2", b.institution, id)
	batch.Queue(`select id, achieved_on::text, term, grade, achievement_id, results from assertion
		where institution_id = $1 and learner_id = $2 and withdrawn_at is null order by achieved_on desc, id limit 100`, b.institution, id)
	all := b.pool.SendBatch(ctx, batch)
	defer all.Close()
	var name string
	if err := all.QueryRow().Scan(&name); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	rows, _ := all.Query()
	out := fmt.Appendf(make([]byte, 0, 128<<10), `{"data":{"learner":{"id":%q,"displayName":%q,"assertions":{"nodes":[`, id, name)
	var assertion, on, term, achievement string
	var grade *string
	var results []struct{ ResultDescription, AchievedLevel string }
	first := true
	_, err := pgx.ForEachRow(rows, []any{&assertion, &on, &term, &grade, &achievement, &results}, func() error {
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(append(out, `{"id":"`...), assertion...)
		out = append(append(out, `","achievedOn":"`...), on...)
		out = append(append(out, `","term":"`...), term...)
		out = append(append(out, `","grade":"`...), *grade...)
		out = append(out, `","results":[`...)
		for i, r := range results {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, b.results[achievement][r.ResultDescription+r.AchievedLevel]...)
		}
		out = append(append(append(out, `],"achievement":`...), b.fragments[achievement]...), '}')
		results = results[:0]
		return nil
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, append(out, "]}}}}"...))
}
