package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/testamur/testamur/graph/model"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/transcript"
	"github.com/testamur/testamur/internal/verify"
)

func args(first *int, after *string) page.Args { return page.Args{First: first, After: after} }

func value[T any](v *T) T {
	var zero T
	if v == nil {
		return zero
	}
	return *v
}

// set puts a field that was sent into its place; one that was left out stays.
func set[T any](place *T, sent graphql.Omittable[T]) {
	if v, ok := sent.ValueOK(); ok {
		*place = v
	}
}

// setText is set for a text that is never null; null empties it, which the noun
// then refuses.
func setText(place *string, sent graphql.Omittable[*string]) {
	if v, ok := sent.ValueOK(); ok {
		*place = value(v)
	}
}

// expected is the version to change: the one that the caller knows, or the one
// that was just read.
func expected(sent *int, read int) *int {
	if sent != nil {
		return sent
	}
	return &read
}

func assertionFilter(f *model.AssertionFilter) assertion.Filter {
	if f == nil {
		return assertion.Filter{}
	}
	return assertion.Filter{Term: f.Term, AchievedFrom: f.AchievedFrom, AchievedUntil: f.AchievedUntil, Withdrawn: value(f.Withdrawn)}
}

func competencyFilter(f *model.CompetencyFilter) framework.ItemFilter {
	if f == nil {
		return framework.ItemFilter{}
	}
	return framework.ItemFilter{Text: f.Text, Type: f.Type, Retired: value(f.Retired)}
}

// definition is an achievement as GraphQL has it: the same fields under the
// same names.
func definition(d achievement.Definition) (*model.AchievementDefinition, error) {
	var out model.AchievementDefinition
	return &out, recast(d, &out)
}

// defined is the achievement of an input.
func defined(in *model.AchievementDefinitionInput) (achievement.Definition, error) {
	var d achievement.Definition
	return d, recast(in, &d)
}

// recast gives one value the form of another with the same names.
func recast(from, to any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, to)
}

func facts(in *model.AssertionFactsInput) assertion.Facts {
	f := assertion.Facts{AchievedOn: in.AchievedOn, Term: value(in.Term), Grade: in.Grade, CreditsEarned: in.CreditsEarned, Narrative: in.Narrative,
		Role: in.Role, LicenseNumber: in.LicenseNumber, ActivityStartOn: in.ActivityStartOn, ActivityEndOn: in.ActivityEndOn}
	for _, r := range in.Results {
		f.Results = append(f.Results, assertion.Result{Description: r.ResultDescription, Level: value(r.AchievedLevel), Value: value(r.Value), Status: value(r.Status)})
	}
	for _, e := range in.Evidence {
		f.Evidence = append(f.Evidence, assertion.Evidence{URL: value(e.URL), Name: value(e.Name), Description: value(e.Description),
			Narrative: value(e.Narrative), Genre: value(e.Genre)})
	}
	return f
}

func award(in *model.AwardInput) assertion.Award {
	return assertion.Award{LearnerID: in.LearnerID, AchievementID: value(in.AchievementID), CourseID: value(in.CourseID), Ref: in.ExternalRef, Facts: facts(in.Facts)}
}

func order(in model.StartImportInput) exchange.Order {
	return exchange.Order{Kind: in.Kind, UploadID: in.UploadID, Options: exchange.Options{System: value(in.System), Columns: in.Columns, Format: value(in.Format),
		Encoding: value(in.Encoding), Delimiter: value(in.Delimiter), DateFormat: value(in.DateFormat), ErrorPolicy: string(in.ErrorPolicy), Framework: value(in.FrameworkID),
		RecordType: value(in.RecordType), Program: value(in.ProgramID)}}
}

// frameworkOrder is the order to preview or apply a file.
func frameworkOrder(upload string, kind *exchange.Kind, of *string) exchange.Order {
	o := exchange.Order{Kind: exchange.CasePackage, UploadID: upload, Options: exchange.Options{Framework: value(of)}}
	if kind != nil {
		o.Kind = *kind
	}
	return o
}

// holders is how many learners hold a competency, or null for who may not know.
func holders(ctx context.Context, item *framework.ItemID) (*int, error) {
	if item == nil {
		return nil, nil
	}
	n, err := load(ctx).holders.Load(ctx, *item)
	if fault.KindOf(err) == fault.Forbidden {
		return nil, nil
	}
	if n == nil && err == nil {
		n = new(int)
	}
	return n, err
}

// several are things by key, in order; one that is not there is left out.
func several[K comparable, V any](ctx context.Context, l *loader[K, *V], s *seen[K], keys []K) ([]V, error) {
	s.add(keys)
	all := make([]V, 0, len(keys))
	for _, k := range keys {
		v, err := l.Load(ctx, k)
		if err != nil {
			return nil, err
		}
		if v != nil {
			all = append(all, *v)
		}
	}
	return all, nil
}

// results are the results of an award with what their ids mean in the version
// that was awarded.
func results(all []assertion.Result, d *model.AchievementDefinition) []model.Result {
	out := make([]model.Result, len(all))
	for i, r := range all {
		out[i] = model.Result{Value: optional(r.Value), Status: optional(r.Status)}
		rd := standing(d.ResultDescription, func(x *model.ResultDescription) bool { return x.ID == r.Description })
		if rd == nil {
			continue
		}
		out[i].ResultDescription = rd
		out[i].AchievedLevel = standing(rd.RubricCriterionLevel, func(x *model.RubricCriterionLevel) bool { return x.ID == r.Level })
	}
	return out
}

// standing is where the first of a list stands that is meant; nil when none is.
func standing[T any](all []T, meant func(*T) bool) *T {
	for i := range all {
		if meant(&all[i]) {
			return &all[i]
		}
	}
	return nil
}

// node is any noun by its own id.
func (r *Resolver) node(ctx context.Context, name string) (model.Node, error) {
	l := load(ctx)
	switch id.Prefix(name) {
	case "ins":
		in, err := l.institution.Load(ctx, struct{}{})
		if in != nil && string(in.ID) != name {
			in = nil
		}
		return asNode(in, err)
	case "lrn":
		return asNode(l.learner.Load(ctx, learner.ID(name)))
	case "fwk":
		return asNode(l.framework.Load(ctx, framework.ID(name)))
	case "itm":
		return asNode(l.item.Load(ctx, framework.ItemID(name)))
	case "crs":
		return asNode(l.course.Load(ctx, course.ID(name)))
	case "ach":
		return asNode(l.achievement.Load(ctx, achievement.ID(name)))
	case "asn":
		return asNode(l.assertion.Load(ctx, assertion.ID(name)))
	case "crd":
		return asNode(l.credential.Load(ctx, credential.ID(name)))
	case "rec":
		return asNode(l.record.Load(ctx, record.ID(name)))
	case "cor":
		return asNode(l.correction.Load(ctx, record.CorrectionID(name)))
	case "job":
		return asNode(l.job.Load(ctx, name))
	case "prg":
		return asNode(l.program.Load(ctx, program.ID(name)))
	case "shr":
		return asNode(l.share.Load(ctx, sharing.ID(name)))
	case "eqv":
		return asNode(l.equivalency.Load(ctx, program.EquivalencyID(name)))
	case "app":
		return asNode(l.proposal.Load(ctx, program.ProposalID(name)))
	case "hld":
		return asNode(l.hold.Load(ctx, release.ID(name)))
	case "doc":
		return asNode(l.print.Load(ctx, transcript.ID(name)))
	case "dep":
		return asNode(l.deposit.Load(ctx, deposit.ID(name)))
	case "dsc":
		return asNode(l.disclosure.Load(ctx, disclosure.ID(name)))
	case "cns":
		return asNode(l.consent.Load(ctx, consent.ID(name)))
	case "iss":
		return asNode(found(r.Trust.Find(ctx, actor(ctx), name)))
	}
	return nil, nil
}

// asNode is one thing or null, as found has it.
func asNode[T any](v *T, err error) (model.Node, error) {
	if k := fault.KindOf(err); err != nil && k != fault.NotFound && k != fault.Forbidden {
		return nil, err
	}
	if v == nil || err != nil {
		return nil, nil
	}
	return v, nil
}

// algorithm is that of the keys that sign credentials, unless another is named.
func algorithm(named *string) string {
	if named == nil {
		return keyring.Ed25519
	}
	return *named
}

// inOrder are credentials in the order of a record; one that the caller may not
// see is left out.
func inOrder(all []*credential.Credential) []credential.Credential {
	out := make([]credential.Credential, 0, len(all))
	for _, c := range all {
		if c != nil {
			out = append(out, *c)
		}
	}
	return out
}

// made is a share with its link, or neither.
func made(m *sharing.Made) (*sharing.Share, *string) {
	if m == nil {
		return nil, nil
	}
	return &m.Share, &m.Link
}

// begun is a watch with its secret, or neither.
func begun(w *sharing.Watched) (*sharing.Watch, *string) {
	if w == nil {
		return nil, nil
	}
	return &w.Watch, w.Secret
}

// ordered is an order with its link, or neither.
func ordered(o *sharing.Ordered) (*sharing.Order, *string) {
	if o == nil {
		return nil, nil
	}
	return &o.Order, o.Link
}

// visibleAll is visible for a list.
func visibleAll[T any](all []T, err error) ([]T, error) {
	if fault.KindOf(err) == fault.Forbidden {
		return nil, nil
	}
	return all, err
}

// visible is what an edge that needs a right leads to, or null without it.
func visible[T any](c *T, err error) (*T, error) {
	if fault.KindOf(err) == fault.Forbidden {
		return nil, nil
	}
	return c, err
}

// awarded are the outcomes of many awards.
func awarded(ctx context.Context, all []assertion.Awarded) []model.AwardResult {
	out := make([]model.AwardResult, len(all))
	var made []assertion.Assertion
	for i, a := range all {
		if a.Assertion != nil {
			made = append(made, *a.Assertion)
		}
		out[i] = model.AwardResult{Assertion: a.Assertion, UserErrors: userErrors(a.Err)}
	}
	note(load(ctx), made)
	return out
}

// outcomes are what became of many credentials.
func outcomes(ctx context.Context, all []credential.Outcome) []model.CredentialResult {
	out := make([]model.CredentialResult, len(all))
	var made []credential.Credential
	for i, o := range all {
		if o.Credential != nil {
			made = append(made, *o.Credential)
		}
		out[i] = model.CredentialResult{Credential: o.Credential, UserErrors: userErrors(o.Err)}
	}
	note(load(ctx), made)
	return out
}

// base is the address that the institution's things lie under.
func (r *Resolver) base(ctx context.Context) (string, error) {
	in, err := load(ctx).institution.Load(ctx, struct{}{})
	if err != nil {
		return "", err
	}
	return in.Base(r.origin()), nil
}

// another is the credential that one points to, if it does.
func another(ctx context.Context, id *credential.ID) (*credential.Credential, error) {
	if id == nil {
		return nil, nil
	}
	return load(ctx).credential.Load(ctx, *id)
}

// recordWanted is the record that is to be assembled.
func recordWanted(in model.AssembleRecordInput) record.Want {
	return record.Want{Type: value(in.Type), Program: program.ID(value(in.ProgramID)), Held: leftOut(in.Held), Chosen: leftOut(in.Chosen)}
}

func leftOut(in *model.RecordWithoutInput) record.LeftOut {
	if in == nil {
		return record.LeftOut{}
	}
	out := record.LeftOut{Terms: in.Terms}
	for _, c := range in.CredentialIds {
		out.Credentials = append(out.Credentials, credential.ID(c))
	}
	return out
}

// at is what an id that may be missing leads to, or nil.
func at[K comparable, V any](ctx context.Context, from *loader[K, *V], id *K) (*V, error) {
	if id == nil {
		return nil, nil
	}
	return from.Load(ctx, *id)
}

// neighbour is the version before or after a record, or nil.
func neighbour(ctx context.Context, of record.ID, which func(record.Around) *record.ID) (*record.Record, error) {
	around, err := load(ctx).around.Load(ctx, of)
	if err != nil || around == nil {
		return nil, err
	}
	return at(ctx, load(ctx).record, which(*around))
}

// inRecord are credentials of a record, by what lists them.
func inRecord(ctx context.Context, from *loader[record.ID, []credential.ID], obj *record.Record) ([]credential.Credential, error) {
	ids, err := from.Load(ctx, obj.ID)
	if err != nil {
		return nil, err
	}
	all := make([]*credential.Credential, len(ids))
	for i, id := range ids {
		if all[i], err = load(ctx).credential.Load(ctx, id); err != nil {
			return nil, err
		}
	}
	return inOrder(all), nil
}

// viewer is who asks, with what belongs to them.
func (r *Resolver) viewer(ctx context.Context) (*model.Viewer, error) {
	who := actor(ctx)
	v := &model.Viewer{ID: who.ID, Roles: who.Roles, Scopes: append([]access.Scope{}, who.Scopes...)}
	if who.InstitutionID == "" {
		return v, nil
	}
	var err error
	if v.Institution, err = found(r.Institutions.Find(ctx, who)); err != nil || who.LearnerID == "" {
		return v, err
	}
	v.Learner, err = found(r.Learners.Find(ctx, who, who.LearnerID))
	return v, err
}

func (r *Resolver) reviseInstitution(ctx context.Context, in model.ReviseInstitutionInput) (institution.Institution, error) {
	old, err := r.Institutions.Find(ctx, actor(ctx))
	if err != nil {
		return old, err
	}
	p := institution.Profile{Name: old.Name, URL: old.URL, Email: old.Email, Phone: old.Phone, Description: old.Description, ImageURL: old.ImageURL,
		Official: old.Official, Address: old.Address, OtherIdentifier: old.OtherIdentifier}
	setText(&p.Name, in.Name)
	set(&p.URL, in.URL)
	set(&p.Email, in.Email)
	set(&p.Phone, in.Phone)
	set(&p.Description, in.Description)
	set(&p.ImageURL, in.ImageURL)
	set(&p.Official, in.Official)
	set(&p.Address, in.Address)
	set(&p.OtherIdentifier, in.OtherIdentifiers)
	return r.Institutions.Revise(ctx, actor(ctx), expected(in.ExpectedVersion, old.Version), p)
}

func (r *Resolver) reviseCourse(ctx context.Context, in model.ReviseCourseInput) (course.Course, error) {
	old, err := r.Courses.Find(ctx, actor(ctx), in.ID)
	if err != nil {
		return old, err
	}
	d := course.Definition{Ref: old.ExternalRef(), Code: old.Code, Title: old.Title, Description: old.Description, Credits: old.Credits, Level: old.Level,
		FieldOfStudy: old.FieldOfStudy, Language: old.Language}
	setText(&d.Code, in.Code)
	setText(&d.Title, in.Title)
	set(&d.Description, in.Description)
	set(&d.Credits, in.Credits)
	set(&d.Level, in.Level)
	set(&d.FieldOfStudy, in.FieldOfStudy)
	set(&d.Language, in.Language)
	return r.Courses.Revise(ctx, actor(ctx), in.ID, expected(in.ExpectedVersion, old.Version), d)
}

func (r *Resolver) reviseLearner(ctx context.Context, in model.ReviseLearnerInput) (learner.Learner, error) {
	old, err := r.Learners.Find(ctx, actor(ctx), in.ID)
	if err != nil {
		return old, err
	}
	c := learner.Contact{Email: old.Email, BirthOn: old.BirthOn, DID: old.DID}
	set(&c.Email, in.Email)
	set(&c.BirthOn, in.BirthOn)
	set(&c.DID, in.Did)
	return r.Learners.Revise(ctx, actor(ctx), in.ID, expected(in.ExpectedVersion, old.Version), c)
}

// look is how often a followed job is looked at.
const look = 250 * time.Millisecond

// follow gives the job whenever it has come further, until it has finished.
func (r *Resolver) follow(ctx context.Context, job string) (<-chan *exchange.Job, error) {
	who := actor(ctx)
	last, err := r.Exchange.Find(ctx, who, job)
	if err != nil {
		return nil, err
	}
	out := make(chan *exchange.Job, 1)
	first := last
	out <- &first
	go func() {
		defer close(out)
		tick := time.NewTicker(look)
		defer tick.Stop()
		for !last.Finished() {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now, err := r.Exchange.Find(ctx, who, job)
			if err != nil {
				return
			}
			if now.State == last.State && now.LineDone == last.LineDone && now.BytesDone == last.BytesDone {
				continue
			}
			last = now
			forget(ctx) // what was loaded for the event before
			select {
			case out <- &now:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// material is what is to be verified, out of its encoding.
func material(field, text string, encoding model.VerificationEncoding) ([]byte, error) {
	if encoding != model.VerificationEncodingBase64 {
		return []byte(text), nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fault.At(field, "base64", "This is not base64. Send the file as it is, written in base64, or choose the encoding TEXT.")
	}
	return raw, nil
}

// materials are files to verify. One whose encoding cannot be read is passed on
// as it is, so that its own report says so.
func materials(files []model.VerificationFileInput) []verify.File {
	all := make([]verify.File, len(files))
	for i, f := range files {
		if f.Name != nil {
			all[i].Name = *f.Name
		}
		raw, err := material("files", f.Content, f.Encoding)
		if err != nil {
			raw = []byte(f.Content)
		}
		all[i].Raw = raw
	}
	return all
}

func about(r *model.VerificationRecipientInput) *verify.Recipient {
	if r == nil {
		return nil
	}
	return &verify.Recipient{Type: r.Type, Value: r.Value}
}

// when is a value, or null where nothing was done.
func when[T any](done bool, v T) *T {
	if !done {
		return nil
	}
	return &v
}
