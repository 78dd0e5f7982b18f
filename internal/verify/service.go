package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	credentials "github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/trust"
)

// Service verifies what anyone sends. Without a database it knows no issuer of
// its own; without Fetch it asks nobody.
type Service struct {
	DB           *pg.DB // nil: no issuers of its own
	Now          func() time.Time
	Institutions *institution.Service
	Keys         *keyring.Service
	Origin       string         // of the ids of its own issuers
	Fetch        Fetch          // nil: none
	Trust        *trust.Service // nil: no list of known issuers
}

// The limits of what is verified.
const (
	maxDocument = 16 << 20
	maxControls = 20 // different key documents of others that one report fetches
)

// Report verifies a credential. Limit when it is too large, Invalid when it is
// no JSON object; everything else is in the report.
func (s *Service) Report(ctx context.Context, who access.Actor, document []byte) (Report, error) {
	if err := access.Check(who, access.Verify); err != nil {
		return Report{}, err
	}
	if len(document) > maxDocument {
		return Report{}, &fault.Error{Kind: fault.Limit, Field: "credential", Rule: "size", Message: fmt.Sprintf("A credential to verify has at most %d MB.", maxDocument>>20)}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(document, &object); err != nil || object == nil {
		return Report{}, fault.At("credential", "json", "This is not a JSON object. Send the credential as it was given to you, as JSON with its proof.")
	}
	ctx, done := Budgeted(ctx)
	defer done()
	k := &keys{s: s, ctx: ctx, ids: idsOf(document, 0), documents: map[string]answer{}, owners: map[string]institution.ID{},
		standings: map[institution.ID]map[string]standing{}}
	r := Examine(document, k.resolve, k.status, s.Now())
	if k.err != nil {
		return Report{}, k.err
	}
	return r, s.trust(ctx, who, &r)
}

// trust says of each issuer whether the institution of whoever asks knows it.
// One without a list, or somebody of no institution, is told nothing: there is
// no register that an issuer could be missing from.
func (s *Service) trust(ctx context.Context, who access.Actor, r *Report) error {
	if s.Trust == nil || who.InstitutionID == "" {
		return nil
	}
	empty, err := s.Trust.Empty(ctx, who)
	if err != nil || empty {
		return err
	}
	var all []string
	r.each(func(r *Report) { all = append(all, r.IssuerID) })
	known, err := s.Trust.Known(ctx, who, all)
	if err != nil {
		return err
	}
	today := day.On(s.Now())
	r.each(func(r *Report) { r.add(s.known(known, r, today)) })
	r.settle()
	return nil
}

// each visits a report and those of what is embedded.
func (r *Report) each(visit func(*Report)) {
	visit(r)
	for i := range r.Embedded {
		r.Embedded[i].each(visit)
	}
}

// settle makes the outcomes new, from the innermost outwards.
func (r *Report) settle() {
	for i := range r.Embedded {
		r.Embedded[i].settle()
	}
	r.Outcome = overall(r.Checks)
}

// known is whether an issuer is on the list. An issuer who is not is no failure:
// the signature is as good, and whose it is was not found out.
func (s *Service) known(all map[string]trust.Issuer, r *Report, today day.Date) Check {
	const clause = "VCDM 2.0 §8.1"
	if prefix, err := vc.DIDWeb(s.Origin + "/i"); err == nil && strings.HasPrefix(r.IssuerID, prefix+":") {
		return Check{"trust", Passed, "The issuer is an institution of this service.", clause}
	}
	i, ok := all[r.IssuerID]
	if !ok {
		return Check{"trust", NotChecked, "The issuer is not in any registry you trust: the signature is the issuer's, and who that is was not found out.", clause}
	}
	on := today
	if r.ValidFrom != nil {
		on = day.On(*r.ValidFrom)
	}
	if !i.Knows(on) {
		return Check{"trust", NotChecked, fmt.Sprintf("The issuer is known to you as %s, but not for the day on which this was issued.", i.Name), clause}
	}
	return Check{"trust", Passed, fmt.Sprintf("The issuer is known to you as %s.", i.Name), clause}
}

// answer is a key document, or why there is none.
type answer struct {
	document []byte
	err      error
}

// keys finds the keys of one report, each document once.
type keys struct {
	s         *Service
	ctx       context.Context
	ids       []string // of the credentials in the document
	documents map[string]answer
	owners    map[string]institution.ID // by slug
	standings map[institution.ID]map[string]standing
	err       error // of the database: no report can be given
}

func (k *keys) resolve(method, purpose string) (vc.Key, error) {
	if strings.HasPrefix(method, "did:key:") {
		return vc.DIDKey(method)
	}
	controller, _, _ := strings.Cut(method, "#")
	a, ok := k.documents[controller]
	if !ok {
		a = k.find(controller)
		k.documents[controller] = a
	}
	if a.err != nil {
		return vc.Key{}, a.err
	}
	return vc.KeyOf(a.document, method, purpose)
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
		return answer{document, err}
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
	document, err := k.s.Fetch(k.ctx, address)
	if err != nil {
		return answer{err: &vc.Failure{Code: vc.NoKey, Reason: fmt.Sprintf("The issuer's key lies at %s, which did not give it.", address), Err: err}}
	}
	return answer{document: document}
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
	State       string
	Status      string
	Cause       *string // of its revocation
	ChangedAt   *time.Time
	WithdrawnAt *time.Time
	Superseded  bool
}

// status is whether an institution of ours still stands by a credential: it is
// the one on file, and what it tells was not withdrawn.
func (k *keys) status(issuer, id string) (Check, bool) {
	in, ours, err := k.ours(issuer)
	if err != nil || !ours {
		return Check{}, false
	}
	if k.standings[in] == nil {
		if k.standings[in], err = k.onFile(in); err != nil {
			k.err = err
			return Check{}, false
		}
	}
	s, ok := k.standings[in][lastPart(id)]
	switch {
	case !ok || s.State != "issued":
		return Check{"status", Failed, "The issuer has no such credential on file.", "VCDM 2.0 §4.10"}, true
	case s.Status == credentials.Revoked:
		return Check{"status", Failed, "The issuer revoked it" + on(s.ChangedAt) + because(s.Cause) + ".", "VCDM 2.0 §4.10"}, true
	case s.Status == credentials.Suspended:
		return Check{"status", Failed, "The issuer suspended it" + on(s.ChangedAt) + ": it is not to be relied on until that is lifted.", "VCDM 2.0 §4.10"}, true
	case s.WithdrawnAt != nil:
		return Check{"status", Failed, "The issuer withdrew this award on " + s.WithdrawnAt.Format("2 January 2006") + ".", "VCDM 2.0 §4.10"}, true
	}
	if s.Superseded {
		return Check{"status", Passed, "The issuer has it on file and stands by it; there is a newer one that replaces it.", "VCDM 2.0 §4.10"}, true
	}
	return Check{"status", Passed, "The issuer has it on file and stands by it.", "VCDM 2.0 §4.10"}, true
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

// onFile reads, in one statement, what is on file about every credential of
// the document.
func (k *keys) onFile(in institution.ID) (map[string]standing, error) {
	all := map[string]standing{}
	who := access.SystemOf(string(in), "verify")
	err := k.s.DB.Snapshot(k.ctx, who, func(tx pgx.Tx) error {
		rows, err := tx.Query(k.ctx, `
			select c.id, c.state, c.status, e.cause, e.at, a.withdrawn_at, exists (
				select from credential n where n.institution_id = c.institution_id and n.supersedes = c.id and n.state = 'issued')
			from credential c
			left join assertion a on a.institution_id = c.institution_id and a.id = c.assertion_id
			left join lateral (
				select e.cause, e.at
				from credential_event e
				where e.institution_id = c.institution_id and e.credential_id = c.id and c.status <> 'active' and e.kind = c.status
				order by e.position desc
				limit 1) as e on true
			where c.institution_id = @institution and c.id = any(@ids)`,
			pgx.NamedArgs{"institution": who.InstitutionID, "ids": k.ids})
		if err != nil {
			return err
		}
		var id string
		var s standing
		_, err = pgx.ForEachRow(rows, []any{&id, &s.State, &s.Status, &s.Cause, &s.ChangedAt, &s.WithdrawnAt, &s.Superseded}, func() error {
			all[id] = s
			s = standing{}
			return nil
		})
		return err
	})
	return all, err
}

// idsOf are the last parts of the ids of a credential and of those in it, which
// for a credential of ours is what it is kept under.
func idsOf(document []byte, depth int) []string {
	var head struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(document, &head) != nil {
		return nil
	}
	ids := []string{lastPart(head.ID)}
	embedded, err := clr.Embedded(document)
	if err != nil || depth >= maxNesting {
		return ids
	}
	for _, e := range embedded {
		ids = append(ids, idsOf(e, depth+1)...)
	}
	return ids
}

func lastPart(id string) string { return id[strings.LastIndex(id, "/")+1:] }
