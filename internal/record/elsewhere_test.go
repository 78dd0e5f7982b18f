package record_test

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/interop"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/vc"
)

// TestAnAssembledRecordIsGoodElsewhere takes a record that the service made of
// stored awards to the official schemas and to Digital Bazaar's verifier, whole
// and credential by credential, and then with every single thing changed.
func TestAnAssembledRecordIsGoodElsewhere(t *testing.T) {
	t.Parallel()
	judges := []*interop.Verifier{interop.Node(t), interop.Node(t)} // one for each core the tests may count on
	b := setup(t)
	b.award(t, 0, "2026-05-01")
	r := must(b.Assemble(t.Context(), b.registrar, nil, "ref:sis:S1"))
	document := b.document(t, r)
	did := must(b.in.DID(b.Credentials.Origin))
	controllers := map[string][]byte{did: must(json.Marshal(vc.NewController(did, keyring.Methods(did, must(b.keys.List(t.Context(), b.registrar))))))}
	for _, j := range judges {
		j.Now = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	}
	interop.ValidateCLR(t, document)
	if got := judges[0].Verify(t, document, controllers); !got.Verified() || len(got.Proofs) != 3 {
		t.Fatalf("%+v", got)
	}
	for _, e := range must(clr.Embedded(document)) {
		interop.ValidateOB(t, e)
		if got := judges[0].Verify(t, e, controllers); !got.Verified() || len(got.Proofs) != 1 {
			t.Fatalf("%+v", got)
		}
	}
	everyChangeIsRefused(t, judges, document, controllers)
}

func everyChangeIsRefused(t *testing.T, judges []*interop.Verifier, document []byte, controllers map[string][]byte) {
	t.Helper()
	type change struct {
		path     string
		document []byte
	}
	work := make(chan change)
	var group sync.WaitGroup
	for _, j := range judges {
		group.Go(func() {
			for c := range work {
				if j.Verify(t, c.document, controllers).Verified() {
					t.Errorf("%s was not refused", c.path)
				}
			}
		})
	}
	var kinds []string
	asked := 0
	err := interop.EachFieldChanged(document, func(path string, changed []byte) {
		kind, _, _ := strings.Cut(path, " ")
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
		asked++
		work <- change{path, changed}
	})
	close(work)
	group.Wait()
	if err != nil || asked < 150 || len(kinds) < 4 {
		t.Errorf("%d changes of the kinds %v, %v", asked, kinds, err)
	}
	t.Logf("%d changes", asked)
}
