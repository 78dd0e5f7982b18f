package search

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
)

// count is how many sayings there are.
func count(ctx context.Context, tx pgx.Tx, who access.Actor) (int64, error) {
	var n int64
	err := tx.QueryRow(ctx, `select sayings from search_count where institution_id = @institution`, pgx.NamedArgs{"institution": who.InstitutionID}).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// sayings are those above a number, and the number of the last.
func sayings(ctx context.Context, tx pgx.Tx, who access.Actor, above int64) (all []said, last int64, err error) {
	rows, err := tx.Query(ctx, `
		select said, number, achievement_id, achievement_version, grade, credits, results::text
		from search_saying
		where institution_id = @institution and number > @above
		order by number`, pgx.NamedArgs{"institution": who.InstitutionID, "above": above})
	if err != nil {
		return nil, above, err
	}
	last = above
	var s said
	var results string
	_, err = pgx.ForEachRow(rows, []any{&s.key, &last, &s.of.Of.AchievementID, &s.of.Of.Version, &s.of.Grade, &s.of.Credits, &results}, func() error {
		all = append(all, said{s.key, mastery.Saying{Of: achievement.Pin{AchievementID: s.of.Of.AchievementID, Version: s.of.Of.Version}, Grade: s.of.Grade,
			Credits: copied(s.of.Credits), Results: []byte(results)}})
		return nil
	})
	return all, last, err
}

func copied(v *float64) *float64 {
	if v == nil {
		return nil
	}
	c := *v
	return &c
}

// cursor is the place of a match in the list.
type cursor struct {
	On      day.Date   `json:"on"`
	Learner learner.ID `json:"l"`
}

// found is a row of the list.
type found struct {
	LearnerID   learner.ID
	Name        string
	ConsentID   consent.ID
	Said        [16]byte
	AchievedOn  day.Date
	AssertionID assertion.ID
}

// standing is what makes a learner findable at a moment: the row is gone with
// the consent or by a block, and a consent that ends by its date ends here.
const standing = `
	join search_person p on p.institution_id = a.institution_id and p.learner_id = a.learner_id and (p.until is null or p.until > @now)`

// page are the learners with the newest evidence, each once by the newest that
// they have, behind a cursor. Each saying is read in order and no further than
// the page needs.
func list(ctx context.Context, tx pgx.Tx, who access.Actor, w wanted, now time.Time, after *cursor, limit int) ([]found, error) {
	args := pgx.NamedArgs{"institution": who.InstitutionID, "said": w.said, "since": w.since, "now": now, "limit": limit, "on": nil, "learner": nil}
	if after != nil {
		args["on"], args["learner"] = after.On, after.Learner
	}
	rows, _ := tx.Query(ctx, `
		select f.learner_id, f.display_name, f.consent_id, f.said, f.achieved_on, f.assertion_id
		from unnest(@said::uuid[], @since::date[]) as s (said, since)
		cross join lateral (
			select a.learner_id, p.display_name, p.consent_id, a.said, a.achieved_on, a.assertion_id
			from search_award a`+standing+`
			where a.institution_id = @institution and a.said = s.said and a.achieved_on >= s.since
			  and (@on::date is null or (a.achieved_on, a.learner_id) < (@on, @learner::text))
			  and not exists (
				select from search_award b
				where b.institution_id = @institution and b.learner_id = a.learner_id and b.achieved_on >= a.achieved_on
				  and (b.achieved_on, b.assertion_id) > (a.achieved_on, a.assertion_id)
				  and b.said = any(@said) and b.achieved_on >= (@since::date[])[array_position(@said, b.said)])
			order by a.achieved_on desc, a.learner_id desc, a.assertion_id desc
			limit @limit) as f
		order by f.achieved_on desc, f.learner_id desc
		limit @limit`, args)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[found])
}

// counted is how many learners match, counted up to a bound.
func counted(ctx context.Context, tx pgx.Tx, who access.Actor, w wanted, now time.Time, most int) (n int, err error) {
	err = tx.QueryRow(ctx, `
		select count(*) from (
			select distinct a.learner_id
			from unnest(@said::uuid[], @since::date[]) as s (said, since)
			join search_award a on a.institution_id = @institution and a.said = s.said and a.achieved_on >= s.since`+standing+`
			limit @most) as m`,
		pgx.NamedArgs{"institution": who.InstitutionID, "said": w.said, "since": w.since, "now": now, "most": most}).Scan(&n)
	return n, err
}
