package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	credentials "github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/vc"
)

// Service verifies what anyone sends. Without a database it knows no issuer of
// its own; without Fetch it asks nobody.
type Service struct {
	DB           *pg.DB // nil: no issuers of its own
	Now          func() time.Time
	Institutions *institution.Service
	Keys         *keyring.Service
	Origin       string            // of the ids of its own issuers
	Fetch        Fetch             // of key documents; nil: none
	Copy         func(string) bool // whether Fetch has for an address only a copy of some day; nil: of none
	Getter       Getter            // of everything else; nil: what Fetch gives
	Trust        List              // nil: no list of known issuers
	Contexts     map[string][]byte // that the operator pinned, by address; none is ever fetched
	Unfiled      institution.ID    // whose keys sign what is kept elsewhere: that of the VC API; "": nobody's
}

// Getter asks for documents; *Fetcher is one.
type Getter interface {
	Get(ctx context.Context, w Want) (Fetched, error)
}

// File is something that a person holds, and its name among several.
type File struct {
	Name string
	Raw  []byte
}

// The limits of what is verified.
const (
	maxDocument = 16 << 20
	maxMethods  = 200 // different keys that one report looks for
	maxControls = 20  // different key documents of others that one report fetches
)

// maxTogether is how many files are verified at once.
const maxTogether = 100

// Report verifies a credential, or anything else that a person holds. Limit when
// it is too large, Invalid when it is nothing that can be verified; everything
// else is in the report.
func (s *Service) Report(ctx context.Context, who access.Actor, material []byte) (Report, error) {
	return s.ReportTo(ctx, who, material, nil)
}

// ReportTo is Report, and whether it is about somebody: nil is anybody.
func (s *Service) ReportTo(ctx context.Context, who access.Actor, material []byte, about *Recipient) (Report, error) {
	if err := access.Check(who, access.Verify); err != nil {
		return Report{}, err
	}
	if err := acceptable("credential", material); err != nil {
		return Report{}, err
	}
	ctx, done := Budgeted(ctx)
	defer done()
	return s.examine(ctx, who, material, about, "")
}

// ReportPresented is Report of what is shown to somebody: a presentation that was
// made for another audience fails.
func (s *Service) ReportPresented(ctx context.Context, who access.Actor, material []byte, audience string) (Report, error) {
	if err := access.Check(who, access.Verify); err != nil {
		return Report{}, err
	}
	if err := acceptable("credential", material); err != nil {
		return Report{}, err
	}
	ctx, done := Budgeted(ctx)
	defer done()
	return s.examine(ctx, who, material, nil, audience)
}

// Reports verifies several files, each on its own: one that cannot be read, or
// is too large, has a report that says so. They share one budget of fetches.
func (s *Service) Reports(ctx context.Context, who access.Actor, files []File, about *Recipient) ([]Report, error) {
	if err := access.Check(who, access.Verify); err != nil {
		return nil, err
	}
	total := 0
	for _, f := range files {
		total += len(f.Raw)
	}
	if len(files) > maxTogether || total > maxDocument {
		return nil, &fault.Error{Kind: fault.Limit, Field: "credentials", Rule: "size", Message: fmt.Sprintf("At most %d files of %d MB in all are verified at once.", maxTogether, maxDocument>>20)}
	}
	ctx, done := Budgeted(ctx)
	defer done()
	all := make([]Report, len(files))
	for i, f := range files {
		var refusal *fault.Error
		if err := acceptable("credential", f.Raw); errors.As(err, &refusal) {
			all[i] = refused("", "VCDM 2.0 §4", "%s", refusal.Message)
		} else {
			var err error
			if all[i], err = s.examine(ctx, who, f.Raw, about, ""); err != nil {
				return nil, err
			}
		}
		if all[i].Name == "" {
			all[i].Name = f.Name
		}
	}
	return all, nil
}

// acceptable is the fault of what is not examined at all.
func acceptable(field string, material []byte) error {
	if len(material) > maxDocument {
		return &fault.Error{Kind: fault.Limit, Field: field, Rule: "size", Message: fmt.Sprintf("A credential to verify has at most %d MB.", maxDocument>>20)}
	}
	if !Recognised(material) {
		return fault.At(field, "json", "This is nothing that can be verified. Send the credential as it was given to you: JSON with its proof, a signed token, a PNG or SVG picture, the address of a badge, or a ZIP of such files.")
	}
	return nil
}

func (s *Service) examine(ctx context.Context, who access.Actor, material []byte, about *Recipient, audience string) (Report, error) {
	k := s.keysFor(ctx)
	x := Examiner{read: func(v jsonld.Value) { k.ids = append(k.ids, idsIn(v, 0)...) }, Keys: k.resolve, Contexts: s.Contexts, Status: k.status, Recipient: about, Audience: audience, Now: s.Now()}
	if s.Getter != nil || s.Fetch != nil {
		x.Get = k.get
	}
	r := x.Examine(material)
	if k.err != nil {
		return Report{}, k.err
	}
	err := s.trust(ctx, who, &r)
	return r, err
}

// Verifier checks proofs with the keys that this service finds: its own
// institutions' in the database, others' over the network within one budget of
// fetches. Failed tells, after use, of a database that did not answer.
func (s *Service) Verifier(ctx context.Context, who access.Actor) (v vc.Verifier, failed func() error, err error) {
	if err := access.Check(who, access.Verify); err != nil {
		return v, nil, err
	}
	k := s.keysFor(ctx)
	return vc.Verifier{Keys: k.resolve, Now: s.Now(), Contexts: s.Contexts}, func() error { return k.err }, nil
}

// keysFor looks for the keys of one report.
func (s *Service) keysFor(ctx context.Context) *keys {
	return &keys{s: s, ctx: ctx, documents: map[string]answer{}, resolved: map[string]resolved{}, owners: map[string]institution.ID{},
		standings: map[institution.ID]map[string]standing{}, asked: map[institution.ID]map[string]bool{}}
}

// get asks for a document. Without a Getter it is what Fetch gives.
func (k *keys) get(w Want) (Fetched, error) {
	if k.s.Getter != nil {
		return k.s.Getter.Get(k.ctx, w)
	}
	body, err := k.s.Fetch(k.ctx, w.URL)
	return Fetched{URL: w.URL, Status: 200, Body: body}, err
}

// answer is a key document, or why there is none.
type answer struct {
	document []byte
	address  string // of others, where it was fetched from
	anew     bool   // past whatever was kept of it
	err      error
}

// keys finds the keys of one report, each document once.
type keys struct {
	s         *Service
	ctx       context.Context
	ids       []string // of the credentials in the documents that were read
	documents map[string]answer
	resolved  map[string]resolved       // by method and purpose
	owners    map[string]institution.ID // by slug
	standings map[institution.ID]map[string]standing
	asked     map[institution.ID]map[string]bool
	err       error // of the database: no report can be given
}

func (k *keys) resolve(method, purpose string) (vc.Key, error) {
	if strings.HasPrefix(method, "did:key:") {
		return vc.DIDKey(method)
	}
	name := method + " " + purpose
	if known, ok := k.resolved[name]; ok {
		return known.key, known.err
	}
	if len(k.resolved) >= maxMethods {
		return vc.Key{}, &vc.Failure{Code: vc.NoKey, Reason: fmt.Sprintf("It names more than %d different keys; this one was not asked for.", maxMethods)}
	}
	var r resolved
	r.key, r.err = k.look(method, purpose)
	k.resolved[name] = r
	return r.key, r.err
}

// resolved is a key, or why there is none.
type resolved struct {
	key vc.Key
	err error
}

// look finds a key in its controller's document.
func (k *keys) look(method, purpose string) (vc.Key, error) {
	controller, _, _ := strings.Cut(method, "#")
	a, ok := k.documents[controller]
	if !ok {
		a = k.find(controller)
		k.documents[controller] = a
	}
	if a.err != nil {
		return vc.Key{}, a.err
	}
	found, err := vc.KeyOf(a.document, method, purpose)
	if a.address == "" || !missing(err) {
		return found, err
	}
	if !a.anew { // what was kept may be older than the key
		a = k.fetch(a.address, true)
		k.documents[controller] = a
		if a.err != nil {
			return vc.Key{}, a.err
		}
		found, err = vc.KeyOf(a.document, method, purpose)
	}
	if missing(err) && k.s.Copy != nil && k.s.Copy(a.address) {
		return vc.Key{}, &vc.Failure{Code: vc.NoKey, Reason: fmt.Sprintf("The key %q is not in the copy of the issuer's key document that is at hand, which may be older than the key. Get the document anew from %s and check again.", method, a.address)}
	}
	return found, err
}

// missing reports whether a key document does not have the key.
func missing(err error) bool {
	var f *vc.Failure
	return errors.As(err, &f) && f.Code == vc.MissingKey
}

// find is a controller's document: of an institution of ours from the database,
// of others over the network.
func (k *keys) find(controller string) answer {
	in, ours, err := k.ours(controller)
	if err != nil {
		return answer{err: err}
	}
	if ours {
		all, err := k.s.Keys.List(k.ctx, access.VisitorOf(string(in)))
		if err != nil {
			k.err = err
			return answer{err: err}
		}
		document, err := json.Marshal(vc.NewController(controller, keyring.Methods(controller, all)))
		return answer{document: document, err: err}
	}
	address, err := vc.DIDWebURL(controller)
	if err != nil && strings.HasPrefix(controller, "https://") {
		address, err = controller, nil
	}
	if err != nil {
		return answer{err: &vc.Failure{Code: vc.NoKey, Reason: fmt.Sprintf("The issuer's key is named in a way this cannot follow: %q.", controller)}}
	}
	if k.s.Fetch == nil || len(k.documents) >= maxControls {
		return answer{err: &vc.Failure{Code: vc.NoKey, Reason: fmt.Sprintf("The issuer's key lies at %s, which was not asked.", address)}}
	}
	return k.fetch(address, false)
}

// fetch asks for a key document; anew: past whatever is kept of it.
func (k *keys) fetch(address string, anew bool) answer {
	ctx := k.ctx
	if anew {
		ctx = Anew(ctx)
	}
	document, err := k.s.Fetch(ctx, address)
	if err != nil {
		err = &vc.Failure{Code: vc.NoKey, Reason: fmt.Sprintf("The issuer's key lies at %s, which did not give it.", address), Err: err}
	}
	return answer{document, address, anew, err}
}

// ours is the institution of ours that a DID names.
func (k *keys) ours(did string) (in institution.ID, ok bool, err error) {
	if k.s.DB == nil {
		return "", false, nil
	}
	prefix, err := vc.DIDWeb(k.s.Origin + "/i")
	if err != nil {
		return "", false, err
	}
	slug, ok := strings.CutPrefix(did, prefix+":")
	if !ok {
		return "", false, nil
	}
	if in, ok := k.owners[slug]; ok {
		return in, true, nil
	}
	in, err = k.s.Institutions.BySlug(k.ctx, slug)
	if fault.KindOf(err) == fault.NotFound {
		return "", false, &vc.Failure{Code: vc.WrongKey, Reason: "There is no such issuer here."}
	}
	if err != nil {
		k.err = err
		return "", false, err
	}
	k.owners[slug] = in
	return in, true, nil
}

// standing is what is on file about a credential of ours.
type standing struct {
	State        string
	Status       string
	Cause        *string // of its revocation
	ChangedAt    *time.Time
	WithdrawnAt  *time.Time
	SupersededAt *time.Time // when a newer one was issued
}

// status is whether an institution of ours still stands by a credential: it is
// the one on file, and what it tells was not withdrawn.
func (k *keys) status(issuer, id string) (Check, bool) {
	in, ours, err := k.ours(issuer)
	if err != nil || !ours {
		return Check{}, false
	}
	if err := k.ask(in, lastPart(id)); err != nil {
		k.err = err
		return Check{}, false
	}
	s, ok := k.standings[in][lastPart(id)]
	switch {
	case !ok && in == k.s.Unfiled:
		return Check{}, false
	case !ok || s.State != "issued":
		return Check{"status", Failed, "The issuer has no such credential on file.", "VCDM 2.0 §4.10"}, true
	case s.Status == credentials.Revoked:
		return Check{"status", Failed, "The issuer revoked it" + on(s.ChangedAt) + because(s.Cause) + ".", "VCDM 2.0 §4.10"}, true
	case s.Status == credentials.Suspended:
		return Check{"status", Failed, "The issuer suspended it" + on(s.ChangedAt) + ": it is not to be relied on until that is lifted.", "VCDM 2.0 §4.10"}, true
	case s.WithdrawnAt != nil:
		return Check{"status", Failed, "The issuer withdrew this award on " + s.WithdrawnAt.Format("2 January 2006") + ".", "VCDM 2.0 §4.10"}, true
	}
	if s.SupersededAt != nil {
		return Check{"status", Passed, "The issuer has it on file. A newer one superseded it" + on(s.SupersededAt) + ": ask the holder for the current one.", "VCDM 2.0 §4.10"}, true
	}
	return Check{"status", Passed, "The issuer has it on file and stands by it.", "VCDM 2.0 §4.10"}, true
}

// ask reads what is on file about a credential, and with the first one about all
// that were seen at once.
func (k *keys) ask(in institution.ID, id string) error {
	if k.asked[in][id] {
		return nil
	}
	ids := []string{id}
	if k.asked[in] == nil {
		k.asked[in], k.standings[in] = map[string]bool{}, map[string]standing{}
		ids = append(ids, k.ids...)
	}
	found, err := k.onFile(in, ids)
	if err != nil {
		return err
	}
	maps.Copy(k.standings[in], found)
	for _, id := range ids {
		k.asked[in][id] = true
	}
	return nil
}

func on(at *time.Time) string {
	if at == nil {
		return ""
	}
	return " on " + at.Format("2 January 2006")
}

// causes are what a stranger is told of why a credential was revoked; the
// reason itself is between the issuer and the learner.
var causes = map[string]string{credentials.IssuedInError: ": it was issued in error", credentials.Withdrawn: ": the award was withdrawn",
	credentials.Superseded: ": another replaced it", credentials.KeyCompromised: ": the key that signed it was in other hands"}

func because(cause *string) string {
	if cause == nil {
		return ""
	}
	return causes[*cause]
}

// onFile reads, in one statement, what is on file about credentials.
func (k *keys) onFile(in institution.ID, ids []string) (map[string]standing, error) {
	all := map[string]standing{}
	who := access.SystemOf(string(in), "verify")
	err := k.s.DB.Snapshot(k.ctx, who, func(tx pgx.Tx) error {
		rows, err := tx.Query(k.ctx, `
			select c.id, c.state, c.status, e.cause, e.at, a.withdrawn_at, (
				select n.issued_at from credential n where n.institution_id = c.institution_id and n.supersedes = c.id and n.state = 'issued')
			from credential c
			left join assertion a on a.institution_id = c.institution_id and a.id = c.assertion_id
			left join lateral (
				select e.cause, e.at
				from credential_event e
				where e.institution_id = c.institution_id and e.credential_id = c.id and c.status <> 'active' and e.kind = c.status
				order by e.position desc
				limit 1) as e on true
			where c.institution_id = @institution and c.id = any(@ids)`,
			pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
		if err != nil {
			return err
		}
		var id string
		var s standing
		_, err = pgx.ForEachRow(rows, []any{&id, &s.State, &s.Status, &s.Cause, &s.ChangedAt, &s.WithdrawnAt, &s.SupersededAt}, func() error {
			all[id] = s
			s = standing{}
			return nil
		})
		return err
	})
	return all, err
}

// idsIn are the last parts of the ids of a credential and of those in it, which
// for a credential of ours is what it is kept under.
func idsIn(v jsonld.Value, depth int) []string {
	id, _ := v.Member("id").Text()
	ids := []string{lastPart(id)}
	if depth >= maxNesting {
		return ids
	}
	for _, e := range clr.EmbeddedIn(v) {
		ids = append(ids, idsIn(e, depth+1)...)
	}
	for _, e := range v.Member("verifiableCredential").Elements() {
		ids = append(ids, idsIn(e, depth+1)...)
	}
	return ids
}

func lastPart(id string) string { return id[strings.LastIndex(id, "/")+1:] }
