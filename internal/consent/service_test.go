package consent_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pgtest"
)

var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

type bench struct {
	*consent.Service
	registrar, own, other access.Actor
	ada                   learner.ID
}

func setup(t *testing.T) *bench {
	t.Helper()
	db := pgtest.New(t)
	clock := func() time.Time { return now }
	b := &bench{Service: &consent.Service{DB: db, Now: clock, NewID: id.New}}
	in, err := (&institution.Service{DB: db, Now: clock, NewID: id.New}).Found(t.Context(), "lakeview", institution.Profile{Name: "Lakeview"})
	if err != nil {
		t.Fatal(err)
	}
	b.registrar = access.Actor{ID: "cli_r", InstitutionID: string(in.ID), Roles: []access.Role{access.Registrar}}
	people := &learner.Service{DB: db, Now: clock, NewID: id.New}
	for name, who := range map[string]*access.Actor{"Ada": &b.own, "Bob": &b.other} {
		l, err := people.Define(t.Context(), b.registrar, learner.Definition{DisplayName: name})
		if err != nil {
			t.Fatal(err)
		}
		*who = access.Actor{ID: "cli_" + name, InstitutionID: string(in.ID), Roles: []access.Role{access.Learner}, LearnerID: string(l.ID)}
	}
	b.ada = learner.ID(b.own.LearnerID)
	return b
}

func (b *bench) standing(t *testing.T) consent.Standing {
	t.Helper()
	all, err := b.StandingsOf(t.Context(), b.registrar, []learner.ID{b.ada})
	if err != nil {
		t.Fatal(err)
	}
	return all[b.ada]
}

func (b *bench) searchable(t *testing.T) bool { t.Helper(); return b.standing(t).Searchable(now) }

func TestALearnerIsFoundFromConsentUntilWithdrawal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if b.searchable(t) {
		t.Error("nobody is found who did not say so")
	}
	c, err := b.Give(t.Context(), b.own, consent.Grant{LearnerID: string(b.ada), Scope: consent.ToSearch})
	if err != nil || !b.searchable(t) || *b.standing(t).SearchID != c.ID {
		t.Fatal(c, err)
	}
	if c.Method != consent.BySignIn || c.Party == "" || !strings.HasPrefix(c.Statement, "I allow Lakeview to let Employers who search by competency find me") {
		t.Errorf("%+v", c)
	}
	if _, err := b.Give(t.Context(), b.own, consent.Grant{LearnerID: string(b.ada), Scope: consent.ToSearch, Party: "Acme"}); fault.KindOf(err) != fault.Invalid {
		t.Error("who searches is promised to be one alone, and is not", err)
	}
	if _, err := b.Preview(t.Context(), b.own, 0, consent.Grant{Scope: consent.ToSearch, Party: c.Party}); err != nil {
		t.Error("what is shown is not taken back", err)
	}
	if _, err := b.Withdraw(t.Context(), b.other, string(c.ID), ""); fault.KindOf(err) != fault.NotFound || !b.searchable(t) {
		t.Error("somebody else withdrew it", err)
	}
	w, err := b.Withdraw(t.Context(), b.own, string(c.ID), "I have a job")
	if err != nil || b.searchable(t) || !w.WithdrawnAt.Equal(now) || *w.Withdrawal != "I have a job" {
		t.Error(w, err)
	}
	if _, err := b.Withdraw(t.Context(), b.own, string(c.ID), ""); fault.KindOf(err) != fault.State {
		t.Error("withdrawn twice", err)
	}
	all, err := b.OfLearners(t.Context(), b.own, []learner.ID{b.ada}, page.Args{})
	if n := all[b.ada].Nodes; err != nil || len(n) != 1 || n[0].WithdrawnAt == nil || n[0].Statement != c.Statement {
		t.Error("the history is not as it was", n, err)
	}
}

func TestABlockOfTheDirectoryOutlivesAConsentToSearch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.Give(t.Context(), b.own, consent.Grant{LearnerID: string(b.ada), Scope: consent.ToSearch, Language: consent.Spanish}); err != nil {
		t.Fatal(err)
	}
	for _, blocked := range []bool{true, true, false} {
		if _, err := b.Choose(t.Context(), b.own, string(b.ada), blocked, "privacy"); err != nil || b.searchable(t) == blocked {
			t.Error(blocked, err)
		}
	}
	choices, err := b.ChoicesOf(t.Context(), b.registrar, []learner.ID{b.ada})
	if c := choices[b.ada]; err != nil || len(c) != 2 || c[0].Blocked || !c[1].Blocked {
		t.Error("saying it twice is one choice", c, err)
	}
	if _, err := b.Choose(t.Context(), b.other, string(b.ada), true, ""); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}

func TestAConsentThatEndsHoldsUntilThen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	until := now.Add(24 * time.Hour)
	c, err := b.Give(t.Context(), b.own, consent.Grant{LearnerID: string(b.ada), Scope: consent.ToSearch, ExpiresAt: &until})
	if err != nil {
		t.Fatal(err)
	}
	s := b.standing(t)
	if !s.Searchable(until.Add(-time.Second)) || s.Searchable(until) || c.InForce(until) || !c.InForce(now) {
		t.Error("the end is not where it was set", s)
	}
	if !strings.Contains(c.Statement, "This ends on 2026-11-25") {
		t.Error(c.Statement)
	}
}

func TestGrantsThatSayTooLittle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	past, tomorrow := now, day.Of(2026, 11, 25)
	for rule, g := range map[string]struct {
		who access.Actor
		consent.Grant
	}{
		"scope-known":       {b.own, consent.Grant{Scope: "everything"}},
		"required":          {b.own, consent.Grant{Scope: consent.ToRecord, Items: []string{"rec_1"}, Party: "Acme"}},
		"plain-text":        {b.own, consent.Grant{Scope: consent.ToRecord, Items: []string{"rec_1"}, Party: "Acme\u202e", Purpose: "x"}},
		"language":          {b.own, consent.Grant{Scope: consent.ToSearch, Language: "xx"}},
		"in-the-future":     {b.own, consent.Grant{Scope: consent.ToSearch, ExpiresAt: &past}},
		"method-known":      {b.registrar, consent.Grant{Scope: consent.ToSearch}},
		"not-in-the-future": {b.registrar, consent.Grant{Scope: consent.ToSearch, Method: consent.BySignature, SignedOn: &tomorrow}},
		"too-many":          {b.own, consent.Grant{Scope: consent.ToItems, Party: "a", Purpose: "b", Items: make([]string, 201)}},
	} {
		g.LearnerID = string(b.ada)
		_, err := b.Give(t.Context(), g.who, g.Grant)
		if f, ok := fault.Of(err); !ok || f.Rule != rule {
			t.Errorf("%s: %v", rule, err)
		}
	}
	reader := access.Actor{ID: "cli_x", InstitutionID: b.own.InstitutionID, Roles: []access.Role{access.Assessor}}
	if _, err := b.Give(t.Context(), reader, consent.Grant{LearnerID: string(b.ada), Scope: consent.ToSearch}); fault.KindOf(err) != fault.Forbidden {
		t.Error(err)
	}
}

func TestOnlyWhatIsDesignatedIsDirectoryInformation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	today := day.On(now)
	tomorrow := today.AddDays(1)
	if _, err := b.Designate(t.Context(), b.registrar, consent.Designation{Categories: []string{"gpa"}, Where: "catalogue"}); fault.KindOf(err) != fault.Invalid {
		t.Error("an average was designated", err)
	}
	if _, err := b.Designate(t.Context(), b.own, consent.Designation{Where: "x"}); fault.KindOf(err) != fault.Forbidden {
		t.Error(err)
	}
	for _, d := range []consent.Designation{{Categories: []string{consent.Name, consent.Degrees}, Where: "catalogue"},
		{Categories: []string{consent.Name}, Where: "catalogue", EffectiveOn: &tomorrow}} {
		if _, err := b.Designate(t.Context(), b.registrar, d); err != nil {
			t.Fatal(err)
		}
	}
	on := func(d day.Date) (n consent.Notice) {
		err := b.DB.Snapshot(t.Context(), b.registrar, func(tx pgx.Tx) (err error) {
			n, err = consent.NoticeInTx(t.Context(), tx, b.registrar, d)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s := consent.Standing{}
	if !s.May(on(today), consent.Degrees) || s.May(on(tomorrow), consent.Degrees) || s.May(on(today), consent.Honors) {
		t.Error("a notice holds from its day on and for its categories")
	}
	if (consent.Standing{Blocked: true}).May(on(today), consent.Name) {
		t.Error("a block leaves nothing")
	}
	if all, err := b.Notices(t.Context(), access.VisitorOf(b.own.InstitutionID)); err != nil || len(all) != 2 || all[0].Version != 2 {
		t.Error("a notice is public", all, err)
	}
}

// TestTheDatabaseKeepsWhatWasSaid tries, as the role of a request, to change and
// to remove what was agreed to.
func TestTheDatabaseKeepsWhatWasSaid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.Give(t.Context(), b.own, consent.Grant{LearnerID: string(b.ada), Scope: consent.ToSearch}); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"consent", "consent_withdrawal", "directory_choice", "directory_notice", "learner_release"} {
		sets := map[string]string{"consent": "purpose = 'x'", "consent_withdrawal": "reason = 'x'", "directory_choice": "reason = 'x'", "directory_notice": "published_where = 'x'"}[table]
		for _, sql := range []string{"delete from " + table, "update " + table + " set " + sets} {
			if strings.HasSuffix(sql, "set ") {
				continue
			}
			err := b.DB.Tenant(t.Context(), access.SystemOf(b.own.InstitutionID, "test"), func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), sql)
				return err
			})
			if fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
}

// TestWhatIsSaidAtOneMomentIsSettled has many withdraw, block and consent at
// once: what holds in the end follows from what is written.
func TestWhatIsSaidAtOneMomentIsSettled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			ctx := context.Background()
			c, err := b.Give(ctx, b.own, consent.Grant{LearnerID: string(b.ada), Scope: consent.ToSearch, Purpose: fmt.Sprint(i)})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := b.Choose(ctx, b.own, string(b.ada), i%2 == 0, ""); err != nil {
				t.Error(err)
			}
			if _, err := b.Withdraw(ctx, b.own, string(c.ID), ""); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	choices, err := b.ChoicesOf(t.Context(), b.own, []learner.ID{b.ada})
	if err != nil {
		t.Fatal(err)
	}
	if s := b.standing(t); s.SearchID != nil || s.Blocked != choices[b.ada][0].Blocked {
		t.Errorf("%+v after %+v", s, choices[b.ada][0])
	}
}
