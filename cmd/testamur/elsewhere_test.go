package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/interop"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/verify"
)

// elsewhere takes every record that is on file, as the registrar reads it, to the
// official schemas of the CLR 2.0 and of Open Badges, and to Digital Bazaar's
// verifier: whole, and each credential in it alone. It tells how many held.
func (s *stage) elsewhere() string {
	s.t.Helper()
	documents := s.onFile()
	interop.ValidateCLR(s.t, documents...)
	var did struct{ ID string }
	key := s.ask("visitor", "GET /i/aldersound/did.json\n").Body.Bytes()
	s.must(json.Unmarshal(key, &did))
	var whole, alone, held atomic.Int64
	work := make(chan []byte)
	var group sync.WaitGroup
	for range 2 {
		judge := interop.Node(s.t)
		judge.Now = now
		group.Go(func() {
			for document := range work {
				// Of the record, its two proofs and those of what it embeds.
				inside, err := clr.Embedded(document)
				if got := judge.Verify(s.t, document, map[string][]byte{did.ID: key}); err != nil || !got.Verified() || len(got.Proofs) != 2+len(inside) {
					s.t.Errorf("%v %+v\n%.200s", err, got, document)
					continue
				}
				whole.Add(1)
				for _, award := range inside {
					alone.Add(1)
					if got := judge.Verify(s.t, award, map[string][]byte{did.ID: key}); got.Verified() && len(got.Proofs) == 1 {
						held.Add(1)
					}
				}
			}
		})
	}
	for _, document := range documents {
		work <- document
	}
	close(work)
	group.Wait()
	return fmt.Sprintf("%d of %d records fit the schema and hold in another verifier\n%d of %d awards in them hold alone\n", whole.Load(), len(documents), held.Load(), alone.Load())
}

// outsider verifies what is kept as a program elsewhere does that knows nothing of
// this service: by the key document and the status list that it publishes.
func (s *stage) outsider() string {
	s.t.Helper()
	v := &verify.Service{Now: func() time.Time { return now.Add(time.Duration(s.passed.Load())) }, Fetch: func(_ context.Context, address string) ([]byte, error) {
		path, ours := strings.CutPrefix(address, s.all.origin)
		if !ours {
			return nil, fmt.Errorf("nobody is at %s", address)
		}
		w := s.ask("visitor", "GET "+path+"\n")
		if w.Code != http.StatusOK {
			return nil, fmt.Errorf("%s answered %d", address, w.Code)
		}
		return w.Body.Bytes(), nil
	}}
	r, err := v.Report(context.Background(), access.Anonymous(), []byte(s.kept))
	s.must(err)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", mark[r.Outcome], r.Name)
	for _, step := range r.Steps() {
		fmt.Fprintf(&b, "%s %s: %s\n", mark[step.Outcome], step.Name, step.Reason)
	}
	return counted.ReplaceAllStringFunc(b.String(), short)
}

// onFile are the documents of all records, by the API.
func (s *stage) onFile() (documents [][]byte) {
	s.t.Helper()
	after := ""
	for {
		w := s.ask("registrar", `{ learners(first: 50`+after+`) { nodes { records { nodes { credential { document } } } } pageInfo { hasNextPage endCursor } } }`)
		var a struct {
			Data struct {
				Learners struct {
					Nodes []struct {
						Records struct {
							Nodes []struct{ Credential struct{ Document string } }
						}
					}
					PageInfo struct {
						HasNextPage bool
						EndCursor   string
					}
				}
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 {
			s.t.Fatalf("%v %s", err, w.Body)
		}
		for _, l := range a.Data.Learners.Nodes {
			for _, r := range l.Records.Nodes {
				documents = append(documents, []byte(r.Credential.Document))
			}
		}
		if !a.Data.Learners.PageInfo.HasNextPage {
			return documents
		}
		after = fmt.Sprintf(`, after: %q`, a.Data.Learners.PageInfo.EndCursor)
	}
}
