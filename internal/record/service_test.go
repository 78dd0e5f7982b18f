package record_test

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/testbed"
)

type bench struct {
	*record.Service
	in                   institution.Institution
	registrar, neighbour access.Actor
	awards               *assertion.Service
	learners             *learner.Service
	keys                 *keyring.Service
	achievements         []achievement.Achievement
	ada                  learner.Learner
	audit                *audit.Service
	found                *institution.Service
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func setup(t testing.TB) *bench {
	t.Helper()
	ctx := context.Background()
	db := pgtest.New(t)
	now := func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }
	b := &bench{audit: &audit.Service{DB: db}}
	found := &institution.Service{DB: db, Now: now, NewID: id.New}
	b.found = found
	for slug, who := range map[string]*access.Actor{"lakeview": &b.registrar, "hillside": &b.neighbour} {
		in := must(found.Found(ctx, slug, institution.Profile{Name: slug}))
		*who = access.Actor{ID: "cli_" + slug, InstitutionID: string(in.ID), Roles: []access.Role{access.Registrar}}
	}
	b.in = must(found.Find(ctx, b.registrar))
	master := must(keyring.ParseMaster(must(keyring.NewMaster())))
	b.keys = &keyring.Service{DB: db, Now: now, NewID: id.New, Master: master}
	issuer := &credential.Service{DB: db, Now: now, NewID: id.New, Keys: b.keys, Origin: "https://records.example"}
	b.Service = &record.Service{DB: db, Now: now, NewID: id.New, Credentials: issuer}
	b.awards = &assertion.Service{DB: db, Now: now, NewID: id.New}
	b.learners = &learner.Service{DB: db, Now: now, NewID: id.New}
	files := demo.Files()
	must((&framework.Service{DB: db, Now: now, NewID: id.New}).Import(ctx, b.registrar, bytes.NewReader(files[0].Data)))
	b.achievements = imported(t, b, files[3].Data)
	ref := id.Ref{System: "sis", Value: "S1"}
	b.ada = must(b.learners.Define(ctx, b.registrar, learner.Definition{DisplayName: "Ada <Byron> & Söhne", Ref: &ref}))
	return b
}

func imported(t testing.TB, b *bench, data []byte) []achievement.Achievement {
	t.Helper()
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	var drafts []achievement.Draft
	for _, r := range raw {
		d, problems := openbadges.ParseAchievement(r)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		drafts = append(drafts, achievement.Draft{Definition: d})
	}
	s := &achievement.Service{DB: b.DB, Now: b.Now, NewID: b.NewID}
	err := b.DB.Tenant(context.Background(), b.registrar, func(tx pgx.Tx) error {
		_, err := achievement.Import(context.Background(), tx, b.registrar, bulk.Batch{Now: b.Now(), NewID: b.NewID}, drafts)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return must(s.List(context.Background(), b.registrar, achievement.Filter{}, page.Args{})).Nodes
}

func (b *bench) award(t testing.TB, n int, on string) assertion.Assertion {
	t.Helper()
	a, err := b.awards.Award(context.Background(), b.registrar, nil, assertion.Award{LearnerID: string(b.ada.ID), AchievementID: string(b.achievements[n].ID),
		Facts: assertion.Facts{AchievedOn: must(day.Parse(on)), Term: "2026SP", Evidence: []assertion.Evidence{{URL: "https://work.example/" + on, Name: "Portfolio"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (b *bench) document(t testing.TB, r record.Record) []byte {
	t.Helper()
	return []byte(*testbed.Whole(t, b.Credentials, b.registrar, string(r.CredentialID)).Document)
}

func TestARecordVerifiesAndSoDoesEveryCredentialInIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range b.achievements {
		b.award(t, i, "2026-05-01")
	}
	r, err := b.Assemble(t.Context(), b.registrar, nil, "ref:sis:S1")
	if err != nil {
		t.Fatal(err)
	}
	document := b.document(t, r)
	keys := keyring.Resolver(must(b.in.DID(b.Credentials.Origin)), must(b.keys.List(t.Context(), b.registrar)))
	checkProofs(t, document, keys, 2)
	embedded := must(clr.Embedded(document))
	if len(embedded) != len(b.achievements) {
		t.Errorf("%d credentials of %d awards", len(embedded), len(b.achievements))
	}
	stored := must(b.ItemsOf(t.Context(), b.registrar, []record.ID{r.ID}))[r.ID]
	for _, e := range embedded {
		checkProofs(t, e, keys, 1)
		found := false
		for _, c := range stored {
			found = found || *testbed.Whole(t, b.Credentials, b.registrar, string(c)).Document == string(e)
		}
		if !found {
			t.Error("an embedded credential is not what is on file")
		}
	}
	v := must(jsonld.Read(document))
	if p := append(clr.Check(v, shape.Canonical), clr.CheckLinks(v)...); len(p) > 0 {
		t.Errorf("it is not as the standard asks: %v", p)
	}
	if !bytes.Contains(document, []byte(`"associationType":"isChildOf"`)) || !bytes.Contains(document, []byte(`"associationType":"isRelatedTo"`)) {
		t.Error("the record tells nothing of how its competencies hang together")
	}
}

func checkProofs(t *testing.T, document []byte, keys vc.Resolver, want int) {
	t.Helper()
	checked, err := vc.Verify(document, keys, time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
	if err != nil || len(checked) != want {
		t.Fatalf("%d proofs, %v", len(checked), err)
	}
	for _, c := range checked {
		if c.Err != nil {
			t.Errorf("%s: %v", c.Proof.Cryptosuite, c.Err)
		}
	}
}

func TestUnchangedDataMakesNoNewVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.award(t, 0, "2026-05-01")
	first := must(b.Assemble(t.Context(), b.registrar, nil, string(b.ada.ID)))
	bytes1 := b.document(t, first)
	again := must(b.Assemble(t.Context(), b.registrar, nil, string(b.ada.ID)))
	if first.ID != again.ID || first.Version != 1 {
		t.Errorf("version %d %s, then %d %s", first.Version, first.ID, again.Version, again.ID)
	}
	late := b.award(t, 1, "2026-04-01")
	second := must(b.Assemble(t.Context(), b.registrar, nil, string(b.ada.ID)))
	if second.Version != 2 || !bytes.Equal(bytes1, b.document(t, first)) {
		t.Errorf("version %d; the first one changed: %v", second.Version, !bytes.Equal(bytes1, b.document(t, first)))
	}
	must(b.awards.Withdraw(t.Context(), b.registrar, string(late.ID), "entered for the wrong learner"))
	third := must(b.Assemble(t.Context(), b.registrar, nil, string(b.ada.ID)))
	if third.Version != 3 || third.Partial || len(third.Omissions) != 1 || third.Omissions[0].Count != 1 {
		t.Errorf("after a withdrawal: %+v", third)
	}
	if !bytes.Equal(third.ContentHash, first.ContentHash) || third.CredentialID == first.CredentialID {
		t.Error("going back to earlier content is a version of its own with a credential of its own")
	}
	must(b.learners.Rename(t.Context(), b.registrar, string(b.ada.ID), nil, learner.Renaming{DisplayName: "Ada Lovelace", Reason: "marriage"}))
	fourth := must(b.Assemble(t.Context(), b.registrar, nil, string(b.ada.ID)))
	if fourth.Version != 4 || bytes.Contains(b.document(t, fourth), []byte("Byron")) {
		t.Errorf("version %d still prints the former name", fourth.Version)
	}
	all := must(b.OfLearners(t.Context(), b.registrar, []learner.ID{b.ada.ID}, record.Filter{}, page.Args{}))[b.ada.ID]
	if len(all.Nodes) != 4 || all.Nodes[0].ID != fourth.ID {
		t.Errorf("%d versions, newest %s", len(all.Nodes), all.Nodes[0].ID)
	}
}

func TestEverySignatureIsInTheAudit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.award(t, 0, "2026-05-01")
	r := must(b.Assemble(t.Context(), b.registrar, nil, string(b.ada.ID)))
	lines := must(b.audit.List(t.Context(), b.registrar, audit.Filter{}, page.Args{})).Nodes
	count := map[access.Action]int{}
	for _, l := range lines {
		count[l.Action]++
		if bytes.Contains(l.Detail, []byte("Byron")) {
			t.Errorf("a name is in the audit: %s", l.Detail)
		}
	}
	if count[access.Issue] != 4 || count[access.Assemble] != 1 || lines[0].Target == "" {
		t.Errorf("lines by action: %v of record %s", count, r.ID)
	}
}

func TestAReplayedAssemblyAnswersWithTheFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.award(t, 0, "2026-05-01")
	key := "k1"
	first := must(b.Assemble(t.Context(), b.registrar, &key, string(b.ada.ID)))
	b.award(t, 1, "2026-05-01")
	if again := must(b.Assemble(t.Context(), b.registrar, &key, string(b.ada.ID))); again.ID != first.ID {
		t.Errorf("a replay made %s", again.ID)
	}
	if _, err := b.Assemble(t.Context(), b.registrar, &key, "lrn_other"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("another request under the key: %v", err)
	}
}

func TestNothingEarnedIsNoRecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.Assemble(t.Context(), b.registrar, nil, string(b.ada.ID)); fault.KindOf(err) != fault.State {
		t.Errorf("%v", err)
	}
	if _, err := b.Assemble(t.Context(), b.neighbour, nil, string(b.ada.ID)); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a neighbour: %v", err)
	}
	reader := access.Actor{ID: "cli_r", InstitutionID: b.registrar.InstitutionID, Roles: []access.Role{access.Reader}}
	if _, err := b.Assemble(t.Context(), reader, nil, string(b.ada.ID)); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a reader: %v", err)
	}
}

func TestOnlyTheLearnerAndStaffReadARecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.award(t, 0, "2026-05-01")
	r := must(b.Assemble(t.Context(), b.registrar, nil, string(b.ada.ID)))
	own := access.Actor{ID: "cli_l", InstitutionID: b.registrar.InstitutionID, Roles: []access.Role{access.Learner}, LearnerID: string(b.ada.ID)}
	if _, err := b.Find(t.Context(), own, string(r.ID)); err != nil {
		t.Error(err)
	}
	own.LearnerID = id.New("lrn")
	for _, who := range []access.Actor{own, b.neighbour} {
		if _, err := b.Find(t.Context(), who, string(r.ID)); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v", err)
		}
		if _, err := b.Credentials.Find(t.Context(), who, string(r.CredentialID)); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v", err)
		}
	}
}

func TestTwoRegistrarsAtOnceMakeOneVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 5 {
		b.award(t, i, "2026-05-01")
	}
	var wait sync.WaitGroup
	got := make([]record.Record, 4)
	for i := range got {
		wait.Go(func() {
			for {
				r, err := b.Assemble(context.Background(), b.registrar, nil, string(b.ada.ID))
				if fault.KindOf(err) == fault.Conflict {
					continue // a person would press the button again
				}
				if err != nil {
					t.Error(err)
				}
				got[i] = r
				return
			}
		})
	}
	wait.Wait()
	for _, r := range got {
		if r.Version != 1 || r.ID != got[0].ID {
			t.Errorf("%s version %d", r.ID, r.Version)
		}
	}
}

func TestARetiredKeyStillVerifiesAndADraftIsTakenUpByTheNext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.award(t, 0, "2026-05-01")
	before := must(b.Credentials.Issue(t.Context(), b.registrar, nil, credential.Order{AssertionID: string(a.ID)}))
	admin := access.Actor{ID: "cli_a", InstitutionID: b.registrar.InstitutionID, Roles: []access.Role{access.Administrator}}
	must(b.keys.Rotate(t.Context(), admin, keyring.Ed25519))
	after := must(b.Credentials.Issue(t.Context(), b.registrar, nil, credential.Order{AssertionID: string(a.ID)}))
	if before.ID != after.ID {
		t.Error("a new key makes no new credential")
	}
	keys := keyring.Resolver(must(b.in.DID(b.Credentials.Origin)), must(b.keys.List(t.Context(), b.registrar)))
	checkProofs(t, []byte(*before.Document), keys, 1)
	other := must(b.Credentials.Issue(t.Context(), b.registrar, nil, credential.Order{AssertionID: string(b.award(t, 1, "2026-05-02").ID)}))
	if other.KeyID == before.KeyID {
		t.Error("the retired key signed")
	}
}
