package archive

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/verify"
)

// The limits of what is read of an archive that anybody may have made.
const (
	maxSmall = 1 << 20  // a manifest, a key document, a line of an account
	maxFile  = 16 << 20 // a credential, a learner's list
)

// Anchor is what a reader has of the institution from elsewhere.
type Anchor struct {
	Fingerprint string // of the archive; empty: not known
	Keys        []byte // the key document that the institution published; nil: not at hand
	Copy        bool   // Keys are a copy, which may be older than the archive
}

// Report is what was found about an archive, check by check: files, manifest, keys,
// credentials, statuses, deposits and accounts.
type Report struct {
	Outcome     verify.Outcome
	Contents    Contents
	At          string // the moment that it is of
	Fingerprint string
	Checks      []verify.Check
	Tally       Tally
}

// Tally counts the credentials of the institution as they stood.
type Tally struct {
	Total, Stand, Revoked, Suspended, Withdrawn, Superseded, Expired int
}

// ErrNone is what is not an archive.
var ErrNone = errors.New("this is no archive: it has no manifest of one")

// Open opens a folder or ZIP file that holds an archive, by itself or within one
// folder. The error is ErrNone where there is none.
func Open(name string) (fs.FS, io.Closer, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		root, err := os.OpenRoot(name)
		if err != nil {
			return nil, nil, err
		}
		return opened(root.FS(), nil, root)
	}
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, nil, ErrNone
	}
	return opened(&z.Reader, z.File, z)
}

// Within is the archive in a ZIP that is at hand, as Open opens one of a file.
func Within(z *zip.Reader) (fs.FS, error) {
	in, _, err := opened(z, z.File, io.NopCloser(nil))
	return in, err
}

func opened(in fs.FS, entries []*zip.File, closer io.Closer) (fs.FS, io.Closer, error) {
	in, err := inside(in)
	if err == nil {
		err = plain(entries)
	}
	if err != nil {
		return nil, nil, errors.Join(err, closer.Close())
	}
	return in, closer, nil
}

// plain refuses a ZIP whose entries are not what a walk over it shows: two of one
// name, or names that lead elsewhere.
func plain(all []*zip.File) error {
	seen := make(map[string]bool, len(all))
	for _, f := range all {
		name := strings.TrimSuffix(f.Name, "/")
		if !fs.ValidPath(name) || seen[name] {
			return fmt.Errorf("the ZIP has an entry %q that no archive has: twice, or by a path that leads elsewhere", f.Name)
		}
		seen[name] = true
	}
	return nil
}

// inside is the archive: the folder itself, or the only one in it.
func inside(in fs.FS) (fs.FS, error) {
	if isArchive(in) {
		return in, nil
	}
	all, err := fs.ReadDir(in, ".")
	if err == nil && len(all) == 1 && all[0].IsDir() {
		if sub, err := fs.Sub(in, all[0].Name()); err == nil && isArchive(sub) {
			return sub, nil
		}
	}
	return in, ErrNone
}

func isArchive(in fs.FS) bool {
	raw, err := read(in, manifestFile, maxSmall)
	return err == nil && bytes.Contains(raw, []byte(`"`+kind+`"`))
}

// read reads a file that has at most so many bytes.
func read(in fs.FS, name string, limit int64) ([]byte, error) {
	f, err := opens(in, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = errors.New("it is larger than any such file")
	}
	return raw, err
}

// opens opens a file that is one: a pipe, which somebody may have put in its place,
// would be waited for.
func opens(in fs.FS, name string) (fs.File, error) {
	info, err := fs.Stat(in, name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if err != nil {
		return nil, err
	}
	return in.Open(name)
}

func fingerprint(manifest []byte) string {
	sum := sha256.Sum256(manifest)
	return hex.EncodeToString(sum[:])
}

// checking is one examination.
type checking struct {
	ctx      context.Context
	in       fs.FS
	manifest Manifest
	raw      []byte // of the manifest
	at       time.Time
	keys     []byte // the archive's own
	report   Report
	told     func(done, total int64)
	done     int64
}

// Check examines an archive, with no network: what is not in it, and is not given,
// is not known. told hears how many bytes of the files were compared; it may be nil.
func Check(ctx context.Context, in fs.FS, known Anchor, told func(done, total int64)) (Report, error) {
	c := &checking{ctx: ctx, in: in, told: told}
	var err error
	if c.raw, err = read(in, manifestFile, maxSmall); err != nil {
		return Report{}, fmt.Errorf("%s cannot be read: %w", manifestFile, err)
	}
	if err := json.Unmarshal(c.raw, &c.manifest); err != nil || !slices.Contains(c.manifest.Type, kind) {
		return Report{}, ErrNone
	}
	c.keys, _ = read(in, keysFile, maxSmall) // missing: no proof holds
	c.at, err = time.Parse(time.RFC3339, c.manifest.ValidFrom)
	c.report = Report{Contents: c.manifest.Subject, At: c.manifest.ValidFrom, Fingerprint: fingerprint(c.raw)}
	if err != nil || c.manifest.Subject.FormatNumber != format {
		c.add("manifest", verify.Failed, clauseVC, "manifest.json is of a form that is not read here: version %d.", c.manifest.Subject.FormatNumber)
		c.report.Outcome = verify.Failed
		return c.report, nil
	}
	for _, step := range []func() error{c.files, c.signed, func() error { c.anchor(known); return nil }, c.learners, c.accounts} {
		if err := step(); err != nil {
			return c.report, err
		}
		if err := ctx.Err(); err != nil {
			return c.report, err
		}
	}
	c.report.Outcome = verify.Passed
	for _, k := range c.report.Checks {
		switch {
		case k.Outcome == verify.Failed:
			c.report.Outcome = verify.Failed
		case k.Outcome == verify.NotChecked && c.report.Outcome == verify.Passed:
			c.report.Outcome = verify.NotChecked
		}
	}
	return c.report, nil
}

// The clauses of the checks.
const (
	clauseSums   = "FIPS 180-4"
	clauseVC     = "VC-DI EdDSA 1.0 §3.3"
	clauseKeys   = "CID 1.0 §3.3"
	clauseStatus = "Bitstring Status List 1.0 §3.2"
	clauseCred   = "VCDM 2.0 §7"
)

func (c *checking) add(name string, o verify.Outcome, clause, reason string, args ...any) {
	c.report.Checks = append(c.report.Checks, verify.Check{Name: name, Outcome: o, Reason: fmt.Sprintf(reason, args...), Clause: clause})
}

// wrong are things that do not fit: the first by name, the others by number.
type wrong struct {
	first string
	n     int
}

func (w *wrong) add(format string, args ...any) {
	if w.n++; w.n == 1 {
		w.first = fmt.Sprintf(format, args...)
	}
}

// said is the first, and how many there are besides.
func (w wrong) said() string {
	switch {
	case w.n <= 1:
		return w.first
	case w.n == 2:
		return w.first + " One more does not fit."
	}
	return fmt.Sprintf("%s %d more do not fit.", w.first, w.n-1)
}

// files compares every file with the list, and the list with the manifest.
func (c *checking) files() error {
	hash, _, err := c.hash(sumsFile)
	if err != nil {
		c.add("files", verify.Failed, clauseSums, "%s is missing or cannot be read.", sumsFile)
		return nil
	}
	if hash != c.manifest.Subject.Sums {
		c.add("files", verify.Failed, clauseSums, "%s was changed: it is not the list that the manifest names.", sumsFile)
		return nil
	}
	var bad wrong
	n, err := c.compare(&bad)
	if err != nil {
		return err
	}
	if bad.n > 0 {
		c.add("files", verify.Failed, clauseSums, "%s", bad.said())
		return nil
	}
	if n != c.manifest.Subject.Files || c.done != c.manifest.Subject.Bytes {
		c.add("files", verify.Failed, clauseSums, "There are %d files of %d bytes, and the manifest says %d of %d.", n, c.done, c.manifest.Subject.Files, c.manifest.Subject.Bytes)
		return nil
	}
	c.add("files", verify.Passed, clauseSums, "Each of the %d files is as it was written; none is missing and none was added.", n)
	return nil
}

// compare walks the folder and the list side by side: both are in the same order,
// so that neither is in memory.
func (c *checking) compare(bad *wrong) (n int, err error) {
	f, err := c.in.Open(sumsFile)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	next := func() (s sum, ok bool) {
		if !lines.Scan() {
			return sum{}, false
		}
		hash, name, cut := strings.Cut(lines.Text(), "  ")
		return sum{name, hash}, cut
	}
	found, stop := iter.Pull2(walk(c.in))
	defer stop()
	want, more := next()
	for {
		name, entry, there := found()
		for more && (!there || before(want.name, name)) {
			bad.add("%s is missing.", want.name)
			n++
			want, more = next()
		}
		switch {
		case !there:
			return n, errors.Join(lines.Err(), c.ctx.Err())
		case name == manifestFile || name == sumsFile:
			continue
		case !more || want.name != name:
			bad.add("%s was added: the list does not have it.", name)
			continue
		}
		n++
		if !entry.regular {
			bad.add("%s was changed: it is no ordinary file.", name)
		} else if hash, size, err := c.hash(name); err != nil {
			bad.add("%s cannot be read.", name)
		} else {
			c.done += size
			if hash != want.hash {
				bad.add("%s was changed.", name)
			}
		}
		if c.told != nil {
			c.told(c.done, c.manifest.Subject.Bytes)
		}
		if err := c.ctx.Err(); err != nil {
			return n, err
		}
		want, more = next()
	}
}

// found is a file of a walk.
type found struct{ regular bool }

// walk gives the files of a folder in their order. A folder that cannot be read
// is given as a file that is none.
func walk(in fs.FS) iter.Seq2[string, found] {
	return func(yield func(string, found) bool) {
		_ = fs.WalkDir(in, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				return nil
			}
			if !yield(name, found{err == nil && d.Type().IsRegular()}) {
				return fs.SkipAll
			}
			if err != nil && d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		})
	}
}

// hash is the SHA-256 of a file, of no more than the whole archive has.
func (c *checking) hash(name string) (string, int64, error) {
	f, err := opens(c.in, name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, max(c.manifest.Subject.Bytes, int64(c.manifest.Subject.Files)*4096)+maxSmall))
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// resolve finds a key in the archive.
func (c *checking) resolve(method, purpose string) (vc.Key, error) {
	if strings.HasPrefix(method, "did:key:") {
		return vc.DIDKey(method)
	}
	if controller, _, _ := strings.Cut(method, "#"); controller != c.manifest.Issuer {
		return vc.Key{}, &vc.Failure{Code: vc.NoKey, Reason: fmt.Sprintf("The archive does not hold the keys of %s.", controller)}
	}
	return vc.KeyOf(c.keys, method, purpose)
}

// signed checks the proof of the manifest, and that no byte of it is other than
// the one form in which it is written.
func (c *checking) signed() error {
	form, err := written(c.raw)
	if err != nil || !bytes.Equal(form, c.raw) {
		c.add("manifest", verify.Failed, clauseVC, "manifest.json was changed: it does not have the form in which it is written.")
		return nil
	}
	method, err := proven(c.raw, c.manifest.Issuer, c.resolve, c.at)
	if err != nil {
		c.add("manifest", verify.Failed, clauseVC, "manifest.json does not hold: %s", sentence(err))
		return nil
	}
	c.add("manifest", verify.Passed, clauseVC, "The manifest is as the key %s signed it.", method)
	return nil
}

// proven is the key by which the issuer signed a document.
func proven(raw []byte, issuer string, keys vc.Resolver, at time.Time) (method string, err error) {
	all, err := vc.Verify(raw, keys, at)
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", errors.New("It carries no proof, or more than one.")
	}
	p := all[0]
	if p.Err == nil && (p.Key.Controller != issuer || p.Proof.Cryptosuite != vc.EdDSAJCS) {
		return "", fmt.Errorf("The key belongs to %s, and the manifest is of %s.", p.Key.Controller, issuer)
	}
	return p.Proof.VerificationMethod, p.Err
}

func sentence(err error) string {
	var f *vc.Failure
	if errors.As(err, &f) {
		return f.Reason
	}
	return err.Error()
}

// anchor compares the archive with what is known of the institution from elsewhere.
func (c *checking) anchor(known Anchor) {
	name := c.manifest.Subject.Name
	switch {
	case known.Fingerprint != "" && !strings.EqualFold(known.Fingerprint, c.report.Fingerprint):
		c.add("keys", verify.Failed, clauseSums, "The fingerprint of this archive is %s and not the one that was given: it is another archive, or was changed.", c.report.Fingerprint)
	case known.Keys != nil:
		c.published(known)
	case known.Fingerprint != "":
		c.add("keys", verify.Passed, clauseSums, "The archive has the fingerprint that was given.")
	default:
		c.add("keys", verify.NotChecked, clauseKeys, "The keys came with the archive itself. To know that they are those of %q, compare its fingerprint, %s, with the one that the institution gave (--fingerprint), or its keys with those that it published (--with did.json).", name, c.report.Fingerprint)
	}
}

// published compares the keys of the archive with those that the institution
// published: each has to be among them, the same. One that is not in a copy may
// be newer than it.
func (c *checking) published(known Anchor) {
	var own, other vc.Controller
	if json.Unmarshal(c.keys, &own) != nil || json.Unmarshal(known.Keys, &other) != nil {
		c.add("keys", verify.Failed, clauseKeys, "A key document cannot be read.")
		return
	}
	for _, m := range own.Methods {
		at := slices.IndexFunc(other.Methods, func(o vc.Method) bool { return o.ID == m.ID })
		switch {
		case at < 0 && known.Copy:
			c.add("keys", verify.NotChecked, clauseKeys, "The key %s of the archive is not in the key document that was given, which may be older than the key. Get the document anew from the institution, or compare the fingerprint (--fingerprint).", m.ID)
			return
		case at < 0 || other.Methods[at].PublicKey != m.PublicKey:
			c.add("keys", verify.Failed, clauseKeys, "The key %s of the archive is not one that the institution published.", m.ID)
			return
		}
	}
	keys := func(method, purpose string) (vc.Key, error) { return vc.KeyOf(known.Keys, method, purpose) }
	if _, err := proven(c.raw, c.manifest.Issuer, keys, c.at); err != nil {
		c.add("keys", verify.Failed, clauseKeys, "By the key document that was given the manifest does not hold: %s", sentence(err))
		return
	}
	c.add("keys", verify.Passed, clauseKeys, "The keys of the archive are those in the key document that was given.")
}

// examiner checks credentials with what the archive holds, as of its moment.
func (c *checking) examiner() verify.Examiner {
	lists := c.manifest.Subject.Base + "/status/"
	return verify.Examiner{Keys: c.resolve, Now: c.at, Get: func(w verify.Want) (verify.Fetched, error) {
		number, ok := strings.CutPrefix(w.URL, lists)
		if !ok || strings.Trim(number, "0123456789") != "" {
			return verify.Fetched{}, errors.New("the archive does not hold it")
		}
		raw, err := read(c.in, statusFolder+"/"+number+".json", maxFile)
		return verify.Fetched{URL: w.URL, Status: 200, Body: raw}, err
	}}
}

// learners checks each credential.
func (c *checking) learners() error {
	all, err := fs.ReadDir(c.in, learnersFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	e := examined{checking: c, Examiner: c.examiner()}
	for _, d := range all {
		if !d.IsDir() {
			continue
		}
		e.learner(learnersFolder + "/" + d.Name())
		if err := c.ctx.Err(); err != nil {
			return err
		}
	}
	e.tell()
	return nil
}

// examined is what was found of the credentials.
type examined struct {
	*checking
	verify.Examiner
	people, deposits, unknown int
	credentials, statuses     wrong
	unread                    wrong // statuses that could not be found out
	brought                   wrong
	others                    int // credentials of other issuers within records
}

// learner checks what was issued to one learner, and brought.
func (e *examined) learner(folder string) {
	raw, err := read(e.in, folder+"/"+personFile, maxFile)
	var p Person
	if err != nil || json.Unmarshal(raw, &p) != nil {
		e.credentials.add("%s/%s cannot be read.", folder, personFile)
		return
	}
	e.people++
	for _, h := range p.Credentials {
		e.one(folder, h)
	}
	for _, b := range p.Deposits {
		e.deposits++
		raw, err := read(e.in, path.Join(folder, b.File), maxFile)
		r := verify.Report{Outcome: verify.Failed}
		if err == nil {
			r = e.Examine(raw)
		}
		switch worst(r, "proof", "issuer", "binding") {
		case verify.Failed:
			e.brought.add("%s/%s does not hold.", folder, b.File)
		case verify.NotChecked:
			e.unknown++
		}
	}
}

// one checks a credential of the institution, and whether its status is what the
// archive says.
func (e *examined) one(folder string, h Held) {
	t := &e.report.Tally
	t.Total++
	name := path.Join(folder, h.File)
	raw, err := read(e.in, name, maxFile)
	if err != nil {
		e.credentials.add("%s cannot be read.", name)
		return
	}
	r := e.Examine(raw)
	switch {
	case h.Status == Revoked:
		t.Revoked++
	case h.Status == Suspended:
		t.Suspended++
	case h.WithdrawnAt != "":
		t.Withdrawn++
	case h.SupersededBy != "":
		t.Superseded++
	case !h.stands(e.at):
		t.Expired++
	default:
		t.Stand++
	}
	if r.ID != h.ID || r.IssuerID != e.manifest.Issuer {
		e.credentials.add("%s is another credential than its list says.", name)
		return
	}
	if k, holds := e.intact(r); !holds {
		if h.Status != Revoked { // of one that was signed by a key that was withdrawn, that is all there is to know
			e.credentials.add("%s does not hold. %s", name, k.Reason)
		}
		return
	}
	for _, k := range r.Checks {
		switch {
		case k.Name != "status":
		case k.Outcome == verify.NotChecked:
			e.unread.add("%s: %s", name, k.Reason)
		case (k.Outcome == verify.Passed) != (h.Status == Active):
			e.statuses.add("%s is %s by its list, and its status list says otherwise.", name, h.Status)
		}
	}
}

// bearing are the checks that say whether a credential is as its issuer signed it.
var bearing = []string{"shape", "context", "proof", "issuer", "schema", "associations", "binding"}

// intact reports whether a credential is as it was signed, and those of this
// issuer within it; else the check that says no. Those of others are counted.
func (e *examined) intact(r verify.Report) (verify.Check, bool) {
	for _, k := range r.Checks {
		if slices.Contains(bearing, k.Name) && k.Outcome != verify.Passed {
			return k, false
		}
	}
	for _, in := range r.Embedded {
		if in.IssuerID != e.manifest.Issuer {
			e.others++
			if worst(in, "proof", "issuer") != verify.Failed {
				continue
			}
		}
		if k, ok := e.intact(in); !ok {
			return k, false
		}
	}
	return verify.Check{}, true
}

// worst is the worst outcome of some checks.
func worst(r verify.Report, names ...string) verify.Outcome {
	out, any := verify.Passed, false
	for _, k := range r.Checks {
		if !slices.Contains(names, k.Name) {
			continue
		}
		any = true
		if k.Outcome == verify.Failed || out == verify.Passed {
			out = k.Outcome
		}
		if out == verify.Failed {
			break
		}
	}
	if !any {
		return verify.Failed
	}
	return out
}

// tell says what was found of all credentials.
func (e *examined) tell() {
	want, t := e.manifest.Subject, e.report.Tally
	switch {
	case e.credentials.n > 0:
		e.add("credentials", verify.Failed, clauseCred, "%s", e.credentials.said())
	case t.Total != want.Credentials || e.people != want.Learners:
		e.add("credentials", verify.Failed, clauseCred, "There are %d credentials of %d learners, and the manifest says %d of %d.", t.Total, e.people, want.Credentials, want.Learners)
	default:
		e.add("credentials", verify.Passed, clauseCred, "Each of the %d credentials of %d learners is as the institution signed it.", t.Total, e.people)
	}
	day := e.at.Format("2 January 2006")
	switch {
	case e.statuses.n > 0:
		e.add("statuses", verify.Failed, clauseStatus, "%s", e.statuses.said())
	case e.unread.n > 0:
		e.add("statuses", verify.NotChecked, clauseStatus, "%s", e.unread.said())
	default:
		e.add("statuses", verify.Passed, clauseStatus, "The status lists agree. On %s %s. What became of them since is not known here.", day, t.said())
	}
	switch {
	case want.Deposits != e.deposits:
		e.add("deposits", verify.Failed, clauseCred, "There are %d credentials that learners brought, and the manifest says %d.", e.deposits, want.Deposits)
	case e.brought.n > 0:
		e.add("deposits", verify.Failed, clauseCred, "%s", e.brought.said())
	case e.unknown > 0:
		e.add("deposits", verify.NotChecked, clauseCred, "%d of %d credentials that learners brought were signed with keys that the archive does not hold; the institution checked them when they were brought.", e.unknown, e.deposits)
	case e.deposits > 0:
		e.add("deposits", verify.Passed, clauseCred, "Each of the %d credentials that learners brought is as its issuer signed it.", e.deposits)
	}
}

// said is a tally in words.
func (t Tally) said() string {
	all := []string{fmt.Sprintf("%d of %d stood", t.Stand, t.Total)}
	for _, k := range []struct {
		n    int
		what string
	}{{t.Revoked, "revoked"}, {t.Suspended, "suspended"}, {t.Withdrawn, "withdrawn"}, {t.Superseded, "superseded"}, {t.Expired, "expired"}} {
		if k.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", k.n, k.what))
		}
	}
	return strings.Join(all, ", ")
}

// accounts checks that no line of the account of changes was taken out or altered,
// and that neither account is shorter than the manifest says.
func (c *checking) accounts() error {
	const clause = "34 CFR 99.32"
	want := c.manifest.Subject
	lines := 0
	if err := c.lines(disclosuresFile, func(raw []byte) error { lines++; return nil }); err != nil || lines != want.Disclosures {
		c.add("accounts", verify.Failed, clause, "%s does not have the %d lines that the manifest names.", disclosuresFile, want.Disclosures)
		return nil
	}
	if !want.Whole {
		c.add("accounts", verify.Passed, clause, "The account of disclosures has its %d lines.", lines)
		return nil
	}
	previous, n := make([]byte, sha256.Size), int64(0)
	err := c.lines(auditFile, func(raw []byte) error {
		var d done
		if err := json.Unmarshal(raw, &d); err != nil {
			return fmt.Errorf("line %d cannot be read", n+1)
		}
		l, err := d.line()
		if err == nil {
			err = audit.Chain(want.InstitutionID, previous, []audit.Line{l})
		}
		n++
		previous = l.Hash
		return err
	})
	switch {
	case err != nil:
		c.add("accounts", verify.Failed, clause, "%s does not hold: %v.", auditFile, err)
	case n != want.AuditLines || n > 0 && hex.EncodeToString(previous) != want.AuditHead:
		c.add("accounts", verify.Failed, clause, "%s does not have the %d lines that the manifest names.", auditFile, want.AuditLines)
	default:
		c.add("accounts", verify.Passed, clause, "The account of changes is a whole chain of %d lines, and that of disclosures has its %d.", n, lines)
	}
	return nil
}

// line is a line of the audit as it was.
func (d done) line() (audit.Line, error) {
	at, err := time.Parse(time.RFC3339Nano, d.At)
	previous, err1 := hex.DecodeString(d.Previous)
	hash, err2 := hex.DecodeString(d.Hash)
	return audit.Line{Sequence: d.Sequence, At: at, ActorID: d.Actor, Action: access.Action(d.Action), Target: d.Target, Detail: d.Detail, PreviousHash: previous, Hash: hash}, errors.Join(err, err1, err2)
}

// lines hands out the lines of a file.
func (c *checking) lines(name string, told func([]byte) error) error {
	f, err := opens(c.in, name)
	if err != nil {
		return errors.New("it is missing")
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxSmall)
	for s.Scan() {
		if err := told(s.Bytes()); err != nil {
			return err
		}
	}
	return s.Err()
}

// Document is the address at which an archive's institution publishes its keys.
func (m Contents) Document() (string, error) { return vc.DIDWebURL(m.ID) }

// About is what an archive says of itself, before anything of it was checked.
func About(in fs.FS) (Contents, error) {
	raw, err := read(in, manifestFile, maxSmall)
	if err != nil {
		return Contents{}, err
	}
	var m Manifest
	if json.Unmarshal(raw, &m) != nil {
		return Contents{}, ErrNone
	}
	return m.Subject, nil
}
