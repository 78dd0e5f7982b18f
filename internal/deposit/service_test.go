package deposit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/spec/baking"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/trust"
	"github.com/testamur/testamur/internal/verify"
)

// house is a service with a learner who has something on file.
type house struct {
	*testbed.Bed
	ada, bob learner.Learner
}

const adasDID = "did:example:ada"

func open(t *testing.T) *house {
	t.Helper()
	b := testbed.New(t)
	email, did := "ada@lakeview.example", adasDID
	ada, err := b.Learners.Define(t.Context(), b.Registrar(), learner.Definition{DisplayName: "Ada", Email: &email, DID: &did, Identifiers: []learner.Identifier{{Type: "sisSourcedId", Value: "S1"}, {Type: "name", Value: "Ada"}}})
	testbed.Must(t, ada, err)
	bob, err := b.Learners.Define(t.Context(), b.Registrar(), learner.Definition{DisplayName: "Bob"})
	return &house{b, ada, testbed.Must(t, bob, err)}
}

func (h *house) own(l learner.Learner) access.Actor {
	who := h.As(access.Learner)
	who.LearnerID = string(l.ID)
	return who
}

func (h *house) bring(t *testing.T, who access.Actor, b deposit.Brought) (deposit.Deposit, bool, error) {
	t.Helper()
	if b.LearnerID == "" {
		b.LearnerID = string(h.ada.ID)
	}
	return h.Deposits.Bring(t.Context(), who, b)
}

func hashed(kind, value string) openbadges.IdentityObject {
	return openbadges.NewIdentity(kind, value, "salt")
}

func TestWhatHoldsIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	h, a := open(t), testbed.NewAbroad(1)
	if _, err := h.Trust.Add(t.Context(), h.Registrar(), trust.Entry{Name: "Red Cross", Issuer: a.DID}); err != nil {
		t.Fatal(err)
	}
	var img bytes.Buffer
	if err := png.Encode(&img, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	in := a.Signed(t, a.Badge(3, adasDID))
	baked, err := baking.Bake(img.Bytes(), baking.OpenBadges3, in)
	testbed.Must(t, baked, err)
	badge := a.Signed(t, a.Badge(1, adasDID))
	record, err := clr.Compose(clr.Credential{ID: "urn:uuid:00000000-0000-4000-8000-00000000000a", Name: "Record", Issuer: a.Badge(1, "").Issuer, ValidFrom: "2026-03-01T00:00:00Z",
		CredentialSubject: clr.Subject{ID: adasDID, VerifiableCredential: []json.RawMessage{badge}}})
	signed := a.Sign(t, testbed.Must(t, record, err))
	for what, c := range map[string]struct {
		material         []byte
		kind, format, by string
		kept             []byte
	}{
		"by the id of its subject": {badge, deposit.OfAchievement, "json", deposit.BySubject, badge},
		"as a token":               {a.Token(t, a.Badge(2, adasDID)), deposit.OfAchievement, "jwt", deposit.BySubject, nil},
		"in a picture":             {baked, deposit.OfAchievement, "json", deposit.BySubject, in},
		"by a hashed address":      {a.Signed(t, a.Badge(4, "urn:uuid:00000000-0000-4000-8000-0000000000fe", hashed("emailAddress", "ada@lakeview.example"))), deposit.OfAchievement, "json", "emailAddress", nil},
		"by an identifier":         {a.Signed(t, a.Badge(5, "urn:uuid:00000000-0000-4000-8000-0000000000ff", hashed("sisSourcedId", "S1"))), deposit.OfAchievement, "json", "sisSourcedId", nil},
		"a record":                 {signed, deposit.OfRecord, "json", deposit.BySubject, signed},
	} {
		d, created, err := h.bring(t, h.own(h.ada), deposit.Brought{Material: c.material})
		if err != nil || !created {
			t.Errorf("%s: %v %v", what, created, err)
			continue
		}
		if c.kept == nil {
			c.kept = []byte(d.Document)
		}
		found, err := h.Deposits.ByIDs(t.Context(), h.own(h.ada), []deposit.ID{d.ID})
		got := found[d.ID]
		if err != nil || got.Kind != c.kind || got.Format != c.format || got.Identity != c.by || got.Document != string(c.kept) || got.IssuerID != a.DID || got.Version != 1 ||
			!got.IssuerKnown() || got.Outcome() != verify.Passed || got.IssuerName != "Red Cross" {
			t.Errorf("%s: %v %.600s", what, err, fmt.Sprintf("%+v", got))
		}
	}
	mine, err := h.Deposits.OfLearners(t.Context(), h.own(h.ada), []learner.ID{h.ada.ID}, page.Args{})
	if err != nil || len(mine[h.ada.ID].Nodes) != 6 || mine[h.ada.ID].Nodes[0].Kind != deposit.OfRecord {
		t.Error(len(mine[h.ada.ID].Nodes), err)
	}
	for name, who := range map[string]access.Actor{"another learner": h.own(h.bob), "a neighbour": {ID: "n", InstitutionID: string(h.Neighbour.ID), Roles: access.Grantable()}} {
		if all, err := h.Deposits.OfLearners(t.Context(), who, []learner.ID{h.ada.ID}, page.Args{}); err != nil || len(all[h.ada.ID].Nodes) != 0 {
			t.Errorf("%s sees %d, %v", name, len(all[h.ada.ID].Nodes), err)
		}
	}
	err = h.DB.Snapshot(t.Context(), h.Registrar(), func(tx pgx.Tx) error {
		found, err := deposit.OfLearnersInTx(t.Context(), tx, h.Registrar(), []learner.ID{h.ada.ID})
		all := found[h.ada.ID]
		if len(all) != 6 || all[5].Kind != deposit.OfRecord {
			t.Error(len(all))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestALaterCopyReplacesAnEarlier(t *testing.T) {
	t.Parallel()
	h, a := open(t), testbed.NewAbroad(1)
	at := func(from string) []byte {
		c := a.Badge(1, adasDID)
		c.ValidFrom = from
		return a.Signed(t, c)
	}
	first, second, third := at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"), at("2026-02-01T00:00:00.5Z")
	for i, c := range []struct {
		material []byte
		created  bool
		version  int
		rule     string
	}{
		{second, true, 1, ""}, {second, false, 1, ""}, {first, false, 0, "later"}, {third, false, 2, ""}, {second, false, 0, "later"},
	} {
		d, created, err := h.bring(t, h.own(h.ada), deposit.Brought{Material: c.material})
		f, bad := fault.Of(err)
		if bad != (c.rule != "") || bad && (f.Rule != c.rule || f.Kind != fault.Conflict) || !bad && (created != c.created || d.Version != c.version) {
			t.Errorf("%d: %v version %d, %v", i, created, d.Version, err)
		}
	}
	// Another learner's is another deposit, and another issuer's of the same id.
	if _, created, err := h.bring(t, h.Registrar(), deposit.Brought{LearnerID: string(h.bob.ID), Material: first, Vouch: "His old number was hers."}); err != nil || !created {
		t.Error(created, err)
	}
	if _, created, err := h.bring(t, h.own(h.ada), deposit.Brought{Material: testbed.NewAbroad(2).Signed(t, testbed.NewAbroad(2).Badge(1, adasDID))}); err != nil || !created {
		t.Error(created, err)
	}
}

func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	h, a := open(t), testbed.NewAbroad(1)
	good := a.Badge(1, adasDID)
	expired, nameless, later := good, good, good
	expired.ValidUntil, nameless.ID, later.ValidFrom = "2026-02-01T00:00:00Z", "", "2027-01-01T00:00:00Z"
	unsigned, err := openbadges.Compose(good)
	testbed.Must(t, unsigned, err)
	stolen := good
	stolen.Issuer.ID = testbed.NewAbroad(2).DID
	foreign := good
	foreign.Issuer.ID = "did:web:elsewhere.example"
	own, err := h.Home.DID(testbed.Origin)
	ours := good
	ours.Issuer.ID = testbed.Must(t, own, err)
	for what, c := range map[string]struct {
		who  access.Actor
		in   deposit.Brought
		rule string
		kind fault.Kind
	}{
		"not JSON":                            {h.own(h.ada), deposit.Brought{Material: []byte("{")}, "json", fault.Invalid},
		"something else":                      {h.own(h.ada), deposit.Brought{Material: []byte(`{"type":"VerifiableCredential"}`)}, "kind", fault.Invalid},
		"a badge where a record is taken":     {h.own(h.ada), deposit.Brought{Material: a.Signed(t, good), Kind: deposit.OfRecord}, "kind", fault.Invalid},
		"a presentation as a token":           {h.own(h.ada), deposit.Brought{Material: []byte("eyJhbGciOiJFZERTQSIsInR5cCI6InZwK2p3dCJ9.eyJAY29udGV4dCI6WyJodHRwczovL3d3dy53My5vcmcvbnMvY3JlZGVudGlhbHMvdjIiXSwidHlwZSI6IlZlcmlmaWFibGVQcmVzZW50YXRpb24ifQ.AAAA")}, "kind", fault.Invalid},
		"too large":                           {h.own(h.ada), deposit.Brought{Material: bytes.Repeat([]byte(" "), 4<<20+1)}, "size", fault.Limit},
		"without an id":                       {h.own(h.ada), deposit.Brought{Material: unidentified(t, a.Signed(t, good))}, "identified", fault.Invalid},
		"not signed":                          {h.own(h.ada), deposit.Brought{Material: unsigned}, "proof", fault.Invalid},
		"changed":                             {h.own(h.ada), deposit.Brought{Material: bytes.Replace(a.Signed(t, good), []byte("two days"), []byte("ten days"), 1)}, "proof", fault.Invalid},
		"signed by another than its issuer":   {h.own(h.ada), deposit.Brought{Material: a.Signed(t, stolen)}, "issuer", fault.Invalid},
		"of an issuer that cannot be reached": {h.own(h.ada), deposit.Brought{Material: badlyKeyed(t, a, foreign)}, "proof", fault.Invalid},
		"expired":                             {h.own(h.ada), deposit.Brought{Material: a.Signed(t, expired)}, "dates", fault.Invalid},
		"not valid yet":                       {h.own(h.ada), deposit.Brought{Material: a.Signed(t, later)}, "dates", fault.Invalid},
		"about somebody else":                 {h.own(h.ada), deposit.Brought{Material: a.Signed(t, a.Badge(1, "did:example:eve"))}, "recipient", fault.Invalid},
		"about somebody else's address":       {h.own(h.ada), deposit.Brought{Material: a.Signed(t, a.Badge(1, "urn:x:1", hashed("emailAddress", "eve@x.example")))}, "recipient", fault.Invalid},
		"about somebody of the same name":     {h.own(h.ada), deposit.Brought{Material: a.Signed(t, a.Badge(1, "urn:x:1", hashed("name", "Ada")))}, "recipient", fault.Invalid},
		"about nobody, vouched for by oneself": {h.own(h.ada), deposit.Brought{Material: a.Signed(t, a.Badge(1, "urn:x:1")), Vouch: "It is mine."},
			"registrar", fault.Invalid},
		"for another learner":          {h.own(h.bob), deposit.Brought{Material: a.Signed(t, good)}, "", fault.NotFound},
		"by an assessor":               {h.As(access.Assessor), deposit.Brought{Material: a.Signed(t, good)}, "", fault.Forbidden},
		"issued here":                  {h.own(h.ada), deposit.Brought{Material: a.Signed(t, ours)}, "another-issuer", fault.Invalid},
		"vouched for, and not holding": {h.Registrar(), deposit.Brought{Material: a.Signed(t, expired), Vouch: "I know her."}, "dates", fault.Invalid},
	} {
		_, _, err := h.bring(t, c.who, c.in)
		f, ok := fault.Of(err)
		if !ok || f.Kind != c.kind || f.Rule != c.rule {
			t.Errorf("%s: %v", what, err)
		}
	}
	all, total, err := h.Deposits.Listed(t.Context(), h.Registrar(), deposit.Listing{Kind: deposit.OfAchievement, Limit: 10})
	if err != nil || total != 0 || len(all) != 0 {
		t.Error("something was kept all the same", total, err)
	}
}

// unidentified is a document without its id.
func unidentified(t *testing.T, doc []byte) []byte {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(doc, &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "id")
	out, err := json.Marshal(m)
	return testbed.Must(t, out, err)
}

// badlyKeyed is a badge whose proof names a key that is not to be had.
func badlyKeyed(t *testing.T, a testbed.Abroad, c openbadges.Credential) []byte {
	t.Helper()
	a.Method = c.Issuer.ID + "#key-1"
	return a.Signed(t, c)
}

// FuzzBring holds what is read of a deposit to what the database takes: nothing
// that a stranger writes ends in an error that nobody foresaw.
func FuzzBring(f *testing.F) {
	a := testbed.NewAbroad(1)
	f.Add(a.Signed(f, a.Badge(1, adasDID)))
	f.Add(a.Token(f, a.Badge(1, adasDID)))
	f.Add([]byte(`{"type":["VerifiableCredential","AchievementCredential"],"id":"a\u0000","issuer":"b","validFrom":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := deposit.Read(raw)
		if fl, ok := fault.Of(err); err != nil && (!ok || fl.Message == "") {
			t.Fatalf("%q: %v", raw, err)
		}
		if err == nil && (d.IssuerID == "" || d.CredentialID == "" || d.Kind == "" || d.ValidFrom.IsZero() || strings.ContainsRune(d.Document, 0)) {
			t.Fatalf("%q: %+v", raw, d)
		}
	})
}
