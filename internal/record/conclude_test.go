package record_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/interop"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/testbed"
)

// A record tells what the rules of the institution conclude, signed, with the
// derivation of each competency as its evidence; and says what was awarded.
func TestConclusions(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	b.Load(t)
	b.Degree(t)
	ctx, who := t.Context(), b.Registrar()
	student := "ref:" + demo.System + ":" + demo.Students()[120].Number
	made := func(w record.Want) (record.Record, []byte, record.Model) {
		t.Helper()
		r, err := b.Records.AssembleAs(ctx, who, nil, student, w)
		if err != nil {
			t.Fatal(err)
		}
		c := testbed.Whole(t, b.Credentials, who, string(r.CredentialID))
		m, err := record.Read([]byte(*c.Document), record.Frame{Headings: record.ByType})
		if err != nil {
			t.Fatal(err)
		}
		return r, []byte(*c.Document), m
	}
	of := func(m record.Model, code string) *record.Conclusion {
		for i := range m.Conclusions {
			if m.Conclusions[i].Code == code {
				return &m.Conclusions[i]
			}
		}
		return nil
	}

	first, document, full := made(record.Want{})
	exploring, crossed := of(full, "B.1"), of(full, "W.3")
	switch {
	case exploring == nil || crossed == nil:
		t.Fatalf("concluded is %+v", full.Conclusions)
	case !exploring.Asserted || exploring.Level == "" || !strings.Contains(exploring.Derived, `By the rule "Mastery at Alder Sound", version 1`) || !strings.Contains(exploring.Derived, " Credential crd_"):
		t.Errorf("%+v", exploring)
	case crossed.Asserted || !strings.Contains(crossed.Derived, "an exact match, approved by Joint Curriculum Board"):
		t.Errorf("%+v", crossed)
	case !bytes.Contains(document, []byte(`"associationType":"exactMatchOf"`)):
		t.Error("the crosswalk is no association")
	}
	for _, c := range full.Conclusions {
		if strings.Contains(c.Derived, "not met") || strings.Contains(c.Derived, "does not count") {
			t.Errorf("%s tells of what does not count:\n%s", c.Code, c.Derived)
		}
	}
	interop.ValidateCLR(t, document)
	did, err := b.Home.DID(testbed.Origin)
	if err != nil {
		t.Fatal(err)
	}
	published, err := b.Keys.List(ctx, who)
	if err != nil {
		t.Fatal(err)
	}
	keys := keyring.Resolver(did, published)
	checkProofs(t, document, keys, 2)
	if p := append(clr.Check(must(jsonld.Read(document)), shape.Canonical), clr.CheckLinks(must(jsonld.Read(document)))...); len(p) > 0 {
		t.Errorf("it is not as the standard asks: %v", p)
	}
	beside := concludedIn(t, document)
	if len(beside) != 1 {
		t.Fatalf("%d credentials of conclusions", len(beside))
	}
	interop.ValidateOB(t, beside[0])
	checkProofs(t, beside[0], keys, 1)

	if again, same, _ := made(record.Want{}); again.ID != first.ID || !bytes.Equal(same, document) {
		t.Error("what has not changed is another version")
	}

	// Types that ask for no conclusions hold none; one that holds no courses
	// names none.
	if _, raw, m := made(record.Want{Type: record.Transcript}); len(m.Conclusions) > 0 || bytes.Contains(raw, []byte("Conclusions")) {
		t.Error("a transcript concludes")
	}
	_, _, skills := made(record.Want{Type: record.Skills})
	if x := of(skills, "B.1"); x == nil || strings.Contains(x.Derived, "was completed") || !strings.Contains(x.Derived, "Evidence of a kind that this record does not hold") {
		t.Errorf("a record without courses says %+v", x)
	}

	// What the learner leaves out is not told by what follows from it.
	left := full.Sections[slices.IndexFunc(full.Sections, func(s record.Section) bool { return s.Title == "Competency" })]
	i := slices.IndexFunc(left.Lines, func(l record.Line) bool {
		return slices.ContainsFunc(l.Competencies, func(a record.Aligned) bool { return a.URI == exploring.URI })
	})
	address := left.Lines[i].CredentialID
	id := credential.ID(address[strings.LastIndex(address, "/")+1:])
	r, raw, partial := made(record.Want{Chosen: record.LeftOut{Credentials: []credential.ID{id}}})
	if of(partial, "B.1") != nil || bytes.Contains(raw, []byte(id)) {
		t.Error("what was left out is told by a conclusion")
	}
	if !slices.ContainsFunc(r.Omissions, func(o record.Omission) bool { return strings.HasPrefix(o.Reason, "Competencies that follow from") }) || of(partial, "C.1") == nil {
		t.Errorf("omissions %+v", r.Omissions)
	}
}

// concludedIn are the credentials of conclusions in a record.
func concludedIn(t *testing.T, document []byte) []json.RawMessage {
	t.Helper()
	all, err := clr.Embedded(document)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e json.RawMessage) bool { return !bytes.Contains(e, []byte(record.ConclusionType)) })
}
