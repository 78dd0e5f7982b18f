package archive

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/transcript"
	"github.com/testamur/testamur/internal/verify"
)

// Service writes archives.
type Service struct {
	DB          *pg.DB
	Now         func() time.Time
	Learners    *learner.Service
	Frameworks  *framework.Service
	Keys        *keyring.Service
	Credentials *credential.Service
	Disclosures *disclosure.Service
	Documents   *transcript.Service
	Origin      string // that addresses begin with
	Application string // its name and version
	PerPage     int    // learners on one page of the list; 0: 500
}

// Order is what is to be archived.
type Order struct {
	To       string   // a folder that is not there yet, or a file whose name ends in .zip
	Learners []string // only these, by id or ref:SYSTEM:VALUE; empty: the institution
}

// Progress is how far an archive is.
type Progress struct {
	Learners, Of int
	Files        int
	Bytes        int64
}

// Made is an archive that was written.
type Made struct {
	Contents
	// Fingerprint is the SHA-256 of its manifest, in hexadecimal: kept elsewhere,
	// it tells a reader that this is the archive which was made here.
	Fingerprint string
}

// Write writes an archive: all of it from one moment, a learner at a time, so that
// little is in memory however large the institution is. It stands under its name
// when it is whole, and not before. NotFound when a learner is not there.
func (s *Service) Write(ctx context.Context, who access.Actor, o Order, told func(Progress)) (Made, error) {
	if err := access.Check(who, access.Archive); err != nil {
		return Made{}, err
	}
	key, err := s.Keys.Ensure(ctx, who) // made, if there is none, before the moment of the archive
	if err != nil {
		return Made{}, err
	}
	ctx, done := s.DB.View(ctx, who, "")
	defer done()
	w := &writing{Service: s, who: who, at: s.Now().UTC().Truncate(time.Second), told: told, key: key.ID}
	if err := w.begin(ctx, o.Learners); err != nil {
		return Made{}, err
	}
	err = atomically(o.To, w.at, func(to sink, scratch string) (err error) {
		if w.folder, err = newFolder(to, scratch); err != nil {
			return err
		}
		return errors.Join(w.all(ctx), w.forget())
	})
	if err != nil {
		return Made{}, err
	}
	return w.made, s.DB.Tenant(context.WithoutCancel(ctx), who, func(tx pgx.Tx) error {
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Archive, Target: who.InstitutionID,
			Detail: map[string]any{"fingerprint": w.made.Fingerprint, "learners": w.made.Learners, "credentials": w.made.Credentials, "whole": w.made.Whole}})
	})
}

// writing is one archive on its way.
type writing struct {
	*Service
	*folder
	who      access.Actor
	at       time.Time
	in       institution.Institution
	did      string
	base     string
	some     []learner.ID // nil: all
	contents Contents
	progress Progress
	told     func(Progress)
	lists    []string // the files of status lists
	packages []link   // of frameworks
	key      string   // that signs it
	made     Made
}

// begin finds whom and what it is about.
func (w *writing) begin(ctx context.Context, names []string) error {
	return w.DB.Snapshot(ctx, w.who, func(tx pgx.Tx) (err error) {
		if w.in, err = institution.InTx(ctx, tx, w.who); err != nil {
			return err
		}
		if w.did, err = w.in.DID(w.Origin); err != nil {
			return err
		}
		w.base = w.in.Base(w.Origin)
		for _, name := range names {
			l, err := learner.InTx(ctx, tx, w.who, name)
			if fault.KindOf(err) == fault.NotFound {
				return fault.New(fault.NotFound, "There is no learner %q in this institution.", name)
			}
			if err != nil {
				return err
			}
			w.some = append(w.some, l.ID)
		}
		w.progress.Of = len(w.some)
		if w.some == nil {
			w.progress.Of, err = counted(ctx, tx, w.who)
		}
		w.contents = Contents{Type: kind, ID: w.did, Name: w.in.Name, InstitutionID: string(w.in.ID), Base: w.base, Whole: w.some == nil, Application: w.Application, FormatNumber: format}
		return err
	})
}

// all writes every file, the manifest last.
func (w *writing) all(ctx context.Context) error {
	for _, step := range []func(context.Context) error{w.keys, w.profile, w.status, w.frameworks, w.learners, w.disclosed, w.history, w.pages, w.readme, w.manifest} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// keys writes the institution's key document.
func (w *writing) keys(ctx context.Context) error {
	all, err := w.Keys.List(ctx, w.who)
	if err != nil {
		return err
	}
	return w.json(keysFile, vc.NewController(w.did, keyring.Methods(w.did, all)))
}

func (w *writing) profile(context.Context) error {
	return w.json(profileFile, w.in.Issuer(w.did))
}

// json writes a value for people and programs.
func (f *folder) json(name string, v any) error {
	return f.file(name, func(to io.Writer) error {
		e := json.NewEncoder(to)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}

// status writes the status lists, signed as of this moment.
func (w *writing) status(ctx context.Context) error {
	return w.Credentials.EachList(ctx, w.who, w.at, func(number int, document []byte) error {
		name := fmt.Sprintf("%s/%d.json", statusFolder, number)
		w.lists = append(w.lists, name)
		return w.raw(name, document)
	})
}

// frameworks writes the institution's competency frameworks as CASE packages.
func (w *writing) frameworks(ctx context.Context) error {
	if w.some != nil {
		return nil
	}
	first := page.MaxFirst
	for a := (page.Args{First: &first}); ; {
		all, err := w.Frameworks.List(ctx, w.who, framework.Filter{}, a)
		if err != nil {
			return err
		}
		for _, f := range all.Nodes {
			name := fmt.Sprintf("%s/%s.json", frameworkFolder, f.ID)
			w.packages = append(w.packages, link{name, f.Title})
			if err := w.file(name, func(to io.Writer) error { return w.Frameworks.Export(ctx, w.who, string(f.ID), 0, to) }); err != nil {
				return err
			}
		}
		if !all.PageInfo.HasNextPage {
			return nil
		}
		a.After = all.PageInfo.EndCursor
	}
}

// together is how many learners are read at once.
const together = 50

func (w *writing) learners(ctx context.Context) error {
	for after := learner.ID(""); ; {
		var ids []learner.ID
		err := w.DB.Snapshot(ctx, w.who, func(tx pgx.Tx) (err error) {
			ids, err = learnersFrom(ctx, tx, w.who, w.some, after, together)
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		if err := w.some50(ctx, ids); err != nil {
			return err
		}
	}
}

// some50 writes the folders of some learners.
func (w *writing) some50(ctx context.Context, ids []learner.ID) error {
	people, err := w.Learners.ByIDs(ctx, w.who, ids)
	if err != nil {
		return err
	}
	names, err := w.Learners.NamesOf(ctx, w.who, ids)
	if err != nil {
		return err
	}
	known, err := w.Learners.IdentifiersOf(ctx, w.who, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := w.learner(ctx, personOf(people[id], names[id], known[id])); err != nil {
			return err
		}
		w.contents.Learners++
		w.progress.Learners, w.progress.Files, w.progress.Bytes = w.contents.Learners, w.files, w.bytes
		if w.told != nil {
			w.told(w.progress)
		}
	}
	return nil
}

func personOf(l learner.Learner, names []learner.Name, known []learner.Identifier) Person {
	p := Person{ID: string(l.ID), Name: l.DisplayName, Names: []Named{}, Identifiers: []Known{}, Credentials: []Held{}, Deposits: []Brought{}, Pages: []RecordAs{}}
	if r := l.ExternalRef(); r != nil {
		p.Reference = r.System + ":" + r.Value
	}
	if l.Email != nil {
		p.Email = *l.Email
	}
	if l.BirthOn != nil {
		p.BirthOn = l.BirthOn.String()
	}
	for _, n := range names {
		p.Names = append(p.Names, Named{n.DisplayName, n.EffectiveOn.String()})
	}
	for _, k := range known {
		p.Identifiers = append(p.Identifiers, Known{k.Type, k.Value})
	}
	return p
}

// learner writes the folder of one learner, in the order of its names.
func (w *writing) learner(ctx context.Context, p Person) error {
	in := learnersFolder + "/" + p.ID + "/"
	err := w.DB.Snapshot(ctx, w.who, func(tx pgx.Tx) error {
		err := eachIssued(ctx, tx, w.who, learner.ID(p.ID), func(c issued) error {
			h, err := w.held(c)
			if err != nil {
				return err
			}
			p.Credentials = append(p.Credentials, h)
			return w.text(in+h.File, c.Document)
		})
		if err != nil {
			return err
		}
		return eachDeposited(ctx, tx, w.who, learner.ID(p.ID), func(d deposited) error {
			b := brought(d)
			p.Deposits = append(p.Deposits, b)
			return w.text(in+b.File, d.Document)
		})
	})
	if err != nil {
		return err
	}
	w.contents.Credentials += len(p.Credentials)
	w.contents.Deposits += len(p.Deposits)
	shown := map[string][]byte{}
	for _, h := range p.Credentials {
		if h.Record == "" || h.SupersededBy != "" || !h.stands(w.at) {
			continue
		}
		raw, err := w.Documents.HTML(ctx, w.who, h.Record)
		if fault.KindOf(err) == fault.State { // under a former name, which no page shows any more
			continue
		}
		if err != nil {
			return err
		}
		as := RecordAs{File: "records/" + h.Record + ".html", Record: h.Record}
		p.Pages = append(p.Pages, as)
		shown[as.File] = raw
	}
	if err := w.file(in+indexFile, func(to io.Writer) error { return w.learnerPage(to, p) }); err != nil {
		return err
	}
	if err := w.json(in+personFile, p); err != nil {
		return err
	}
	for _, as := range sorted(p.Pages) {
		if err := w.raw(in+as.File, shown[as.File]); err != nil {
			return err
		}
	}
	return nil
}

// held is what is on file of a credential. It is refused where the credential
// names another issuer than this service is told to be: its keys and lists would
// not be found under the addresses that it gives.
func (w *writing) held(c issued) (Held, error) {
	var d struct {
		ID, Name string
		Issuer   struct{ ID string }
	}
	if err := json.Unmarshal([]byte(c.Document), &d); err != nil {
		return Held{}, fmt.Errorf("credential %s: %w", c.ID, err)
	}
	if plain, err := url.PathUnescape(w.did); d.Issuer.ID != w.did && (err != nil || d.Issuer.ID != plain) {
		return Held{}, fmt.Errorf("credential %s was issued by %s and this is %s: give the --public-url under which it was issued", c.ID, d.Issuer.ID, w.did)
	}
	h := Held{File: "credentials/" + c.ID + ".json", ID: d.ID, Kind: c.Kind, Name: d.Name, IssuedAt: instant(c.IssuedAt), ValidUntil: instant(c.ValidUntil), Status: c.Status,
		Since: instant(c.ChangedAt), WithdrawnAt: instant(c.WithdrawnAt), SupersededAt: instant(c.NewerAt)}
	if c.Cause != nil {
		h.Cause = *c.Cause
	}
	if c.NewerID != nil {
		h.SupersededBy = credential.URL(w.base, credential.ID(*c.NewerID))
	}
	if c.Record != nil && c.Version != nil {
		h.Record, h.Version = *c.Record, *c.Version
	}
	return h, nil
}

func brought(d deposited) Brought {
	ending := ".json"
	if d.Format == "jwt" {
		ending = ".jwt"
	}
	b := Brought{File: "deposits/" + d.ID + ending, ID: d.CredentialID, Issuer: d.IssuerID, IssuerName: d.IssuerName, Name: d.Name, VerifiedAt: instant(&d.VerifiedAt), Outcome: string(verify.Passed)}
	for _, c := range d.Checks {
		if c.Outcome == verify.NotChecked {
			b.Outcome = string(verify.NotChecked)
		}
	}
	return b
}

// disclosed writes the account of what was told of whom.
func (w *writing) disclosed(ctx context.Context) error {
	return w.file(disclosuresFile, func(to io.Writer) error {
		lines := &counting{to: to}
		defer func() { w.contents.Disclosures = lines.n }()
		if w.some == nil {
			return w.Disclosures.Export(ctx, w.who, disclosure.Filter{}, disclosure.NDJSON, lines)
		}
		for _, id := range w.some {
			name := string(id)
			if err := w.Disclosures.Export(ctx, w.who, disclosure.Filter{LearnerID: &name}, disclosure.NDJSON, lines); err != nil {
				return err
			}
		}
		return nil
	})
}

// counting counts the lines that go by.
type counting struct {
	to io.Writer
	n  int
}

// Write writes, and counts.
func (c *counting) Write(p []byte) (int, error) {
	c.n += strings.Count(string(p), "\n")
	return c.to.Write(p)
}

// done is a line of the audit in its file.
type done struct {
	Sequence int64           `json:"sequence"`
	At       string          `json:"at"`
	Actor    string          `json:"actor"`
	Action   string          `json:"action"`
	Target   string          `json:"target"`
	Detail   json.RawMessage `json:"detail"`
	Previous string          `json:"previousHash"`
	Hash     string          `json:"hash"`
}

// history writes the account of what was done; that of an institution tells of
// all of its learners, so it is not in an archive of some.
func (w *writing) history(ctx context.Context) error {
	if w.some != nil {
		return nil
	}
	return w.file(auditFile, func(to io.Writer) error {
		e := json.NewEncoder(to)
		return w.DB.Snapshot(ctx, w.who, func(tx pgx.Tx) error {
			return eachLine(ctx, tx, w.who, func(l audit.Line) error {
				w.contents.AuditLines++
				w.contents.AuditHead = hex.EncodeToString(l.Hash)
				return e.Encode(done{l.Sequence, l.At.UTC().Format(time.RFC3339Nano), l.ActorID, string(l.Action), l.Target, l.Detail, hex.EncodeToString(l.PreviousHash), w.contents.AuditHead})
			})
		})
	})
}

// manifest writes the list of files, and the manifest over it, signed.
func (w *writing) manifest(ctx context.Context) error {
	w.contents.Files, w.contents.Bytes = w.files, w.bytes
	sums, err := w.sums()
	if err != nil {
		return err
	}
	w.contents.Sums = sums
	raw, err := json.Marshal(Manifest{Context: contexts, Type: []string{"VerifiableCredential", kind}, Issuer: w.did, ValidFrom: w.at.Format(time.RFC3339), Subject: w.contents})
	if err != nil {
		return err
	}
	key, err := w.Keys.Ensure(ctx, w.who)
	if err != nil {
		return err
	}
	if key.ID != w.key { // status lists may be signed with one that the archive does not hold
		return &fault.Error{Kind: fault.State, Rule: "rotated", Message: "The signing key was rotated while the archive was written. Write it again."}
	}
	d, err := vc.Prepare(raw, vc.EdDSAJCS, keyring.Method(w.did, key.ID), w.at)
	if err != nil {
		return err
	}
	signatures, err := w.Keys.Sign(ctx, w.who, key.ID, d.Hash)
	if err != nil {
		return err
	}
	if raw, err = vc.Secure(raw, d.Attach(signatures[0])); err != nil {
		return err
	}
	if raw, err = written(raw); err != nil {
		return err
	}
	out, err := w.to.create(manifestFile)
	if err != nil {
		return err
	}
	_, err = out.Write(raw)
	w.made = Made{w.contents, fingerprint(raw)}
	return errors.Join(err, out.Close())
}
