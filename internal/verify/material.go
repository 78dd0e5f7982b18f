package verify

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/spec/baking"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/openbadges2"
	"github.com/testamur/testamur/internal/spec/pdf"
	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/spec/vc"
)

// The limits of a bundle.
const (
	maxFiles    = 500
	maxExpanded = 128 << 20 // bytes, of all files together
)

// Recognised reports whether a file is of a kind that can be examined, by its
// first bytes.
func Recognised(file []byte) bool {
	text := trimmed(file)
	if bytes.HasPrefix(text, []byte("{")) {
		return true
	}
	_, isText := baking.FormOf(text)
	return isText || isZIP(file) || pdf.Is(file) || baking.Picture(file) != ""
}

func trimmed(file []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(file, []byte("\xef\xbb\xbf")))
}

func isZIP(file []byte) bool { return bytes.HasPrefix(file, []byte("PK\x03\x04")) }

// material decides by content what was given.
func (x Examiner) material(file []byte) Report {
	switch media := baking.Picture(file); {
	case isZIP(file):
		return x.bundle(file)
	case pdf.Is(file):
		return x.document(file)
	case media != "":
		return x.picture(file, strings.TrimSuffix(strings.TrimPrefix(media, "image/"), "+xml"))
	}
	text := trimmed(file)
	form, _ := baking.FormOf(text)
	switch form {
	case baking.JSON:
		v, err := jsonld.Read(text)
		if err != nil {
			return refused("json", "VCDM 2.0 §4", "This cannot be read as JSON: %s.", strings.TrimPrefix(err.Error(), "JSON-LD: "))
		}
		if x.read != nil {
			x.read(v)
		}
		return x.object(v)
	case baking.JWS:
		return x.token(text)
	case baking.URL:
		return x.address(string(text))
	}
	return refused("", "VCDM 2.0 §4", "This is none of what can be verified: a credential as JSON or as a signed token, a PDF or a PNG or SVG picture with one in it, the address of a badge, or a ZIP of such files.")
}

// value examines a credential that stands within a document.
func (x Examiner) value(v jsonld.Value) Report {
	if s, ok := v.Text(); ok {
		return x.token([]byte(s))
	}
	if !v.IsObject() {
		return refused("json", "VCDM 2.0 §4", "This is not a credential.")
	}
	return x.object(v)
}

// object examines a JSON object.
func (x Examiner) object(v jsonld.Value) Report {
	types := v.Member("type").Texts()
	if token, ok := clr.Enveloped(v); ok {
		return x.token([]byte(token))
	}
	if slices.Contains(types, "EnvelopedVerifiablePresentation") {
		token, _, err := vc.Enveloped(v.Raw())
		if err != nil {
			return unread(err)
		}
		return x.token([]byte(token))
	}
	switch {
	case slices.Contains(types, "VerifiablePresentation"):
		r := x.presentation(v, func(r *Report) { r.presentedBy(x, v) })
		return r.close()
	case slices.Contains(types, "VerifiableCredential"):
	case openbadges2.Kind(v) == "Assertion" && !clr.IsV1(v), openbadges2.Kind(v) == "Endorsement":
		return x.badge2(v.Raw())
	case clr.IsV1(v):
		return recordV1(v)
	}
	return x.credential(v, nil)
}

// picture examines what is baked into a picture.
func (x Examiner) picture(file []byte, format string) Report {
	b, err := baking.Extract(file)
	if err != nil {
		r := refused(format, "OB 3.0 §5.3", "%v", err)
		var f *baking.Refusal
		if errors.As(err, &f) && f.Rule == baking.Twice {
			r.Checks[0].Name = "binding"
		}
		return r
	}
	var r Report
	if b.Standard == baking.OpenBadges2 {
		r = x.badge2(b.Payload)
	} else {
		r = x.material(b.Payload)
	}
	r.Format = format
	return r
}

// address examines what lies at an address. A badge of version 2.0 is what its
// address gives; of anything else the address does not matter.
func (x Examiner) address(url string) Report {
	if x.Get == nil {
		return Report{Outcome: NotChecked, Format: "address", ID: url, Checks: []Check{{"shape", NotChecked, "This is an address, which was not asked.", "OB 2.0 §HostedBadge"}}}
	}
	got, err := x.Get(Want{URL: url})
	if err != nil {
		return Report{Outcome: NotChecked, Format: "address", ID: url, Checks: []Check{{"shape", NotChecked, "What lies at the address could not be read: " + err.Error() + ".", "OB 2.0 §HostedBadge"}}}
	}
	var r Report
	v, err := jsonld.Read(trimmed(got.Body))
	switch {
	case got.Status != 200, err == nil && openbadges2.Kind(v) == "Assertion" && !slices.Contains(v.Member("type").Texts(), "VerifiableCredential"):
		r = x.badge2([]byte(url))
	case baking.Picture(got.Body) == "" && bytes.HasPrefix(trimmed(got.Body), []byte("http")):
		r = refused("address", "OB 2.0 §HostedBadge", "What lies at the address is another address.")
	default:
		r = x.material(got.Body)
	}
	r.Format = "address"
	return r
}

// badge2 verifies a badge of version 2.0.
func (x Examiner) badge2(input []byte) Report {
	var fetch openbadges2.Fetch
	if x.Get != nil {
		fetch = func(address string) (openbadges2.Answer, error) {
			got, err := x.Get(Want{URL: address})
			return openbadges2.Answer{Status: got.Status, Body: got.Body}, err
		}
	}
	found := openbadges2.Verify(input, fetch, x.Now)
	r := x.told2(found)
	if x.Recipient != nil {
		r.add(x.Recipient.of("", []openbadges.IdentityObject{openbadges2.Identity(found.Document)}))
		r.Outcome = overall(r.Checks)
	}
	return r
}

// told2 is what was found about a badge of version 2.0, in our words.
func (x Examiner) told2(found openbadges2.Result) Report {
	v := found.Document
	r := Report{Kind: openbadges2.Kind(v), Format: "json", ID: text(v, "id"), Name: text(found.Badge, "name"), IssuerID: found.IssuerID,
		IssuerName: text(found.Issuer, "name"), SubjectID: text(v.Member("claim").One(), "id")}
	if found.Signed {
		r.Format = "jwt"
	}
	if t, ok := shape.ISOInstant(text(v, "issuedOn")); ok {
		r.ValidFrom = &t
	}
	if t, ok := shape.ISOInstant(text(v, "expires")); ok {
		r.ValidUntil = &t
	}
	outcomes := map[openbadges2.Found]Outcome{openbadges2.Held: Passed, openbadges2.Broken: Failed, openbadges2.Unknown: NotChecked}
	names := map[string]string{"period": "dates", "badge": "embedded", "subject": "recipient"}
	for _, s := range found.Steps {
		name := s.Name
		if other, ok := names[name]; ok {
			name = other
		}
		r.add(Check{name, outcomes[s.Found], s.Reason, s.Clause})
	}
	for _, e := range found.Endorsement {
		r.Endorsements = append(r.Endorsements, x.told2(e))
	}
	if n := len(r.Endorsements); n > 0 {
		bad := 0
		for _, e := range r.Endorsements {
			if e.Outcome != Passed {
				bad++
			}
		}
		if bad == 0 {
			r.add(Check{"endorsements", Passed, "Each of its endorsements holds on its own.", "OB 2.0 §Endorsement"})
		} else {
			r.add(Check{"endorsements", NotChecked, "Some of its endorsements do not hold or could not be checked: give those no weight.", "OB 2.0 §Endorsement"})
		}
	}
	return r.close()
}

// recordV1 tells of a record of version 1.0 what its form is. Its proofs are of
// its time: it is believed where it is hosted, or not at all.
func recordV1(v jsonld.Value) Report {
	r := Report{Kind: "Clr", Format: "json", ID: text(v, "id"), Name: text(v, "name"), IssuerID: text(v.Member("publisher"), "id"),
		IssuerName: text(v.Member("publisher"), "name"), SubjectID: text(v.Member("learner"), "id"), ValidFrom: instant(v.Member("issuedOn"))}
	all, problems := clr.ReadV1(v)
	if len(problems) > 0 {
		r.add(Check{"shape", Failed, shape.Told(problems), problems[0].Clause})
	} else {
		r.add(Check{"shape", Passed, "It has the form of a record of version 1.0.", "CLR 1.0 §Clr"})
	}
	for _, one := range all {
		if one.Revoked {
			r.add(Check{"status", Failed, "Its publisher revoked it. " + one.Reason, "CLR 1.0 §Clr"})
		}
	}
	r.add(Check{"proof", NotChecked, "A record of version 1.0 carries no proof of its own: only its publisher can say whether it is as it was issued.", "CLR 1.0 §Verification"})
	return r.close()
}

// presentation checks each credential that is presented; who presents them is
// asked of signed.
func (x Examiner) presentation(v jsonld.Value, signed func(*Report)) Report {
	r := Report{Kind: "VerifiablePresentation", Format: "json", ID: text(v, "id"), IssuerID: identity(v.Member("holder"))}
	all := v.Member("verifiableCredential")
	if x.depth >= maxNesting || all.Len() > x.budget.credentials {
		return refused("json", "VCDM 2.0 §4.13", "There is too much in this presentation to look at each credential.")
	}
	if all.IsZero() || all.IsArray() && all.Len() == 0 {
		r.add(Check{"shape", Failed, "The presentation holds no credential.", "VCDM 2.0 §4.13"})
		return r
	}
	r.add(Check{"shape", Passed, "It has the form of a presentation.", "VCDM 2.0 §4.13"})
	signed(&r)
	x.depth++
	for _, e := range all.Elements() {
		r.Embedded = append(r.Embedded, x.value(e))
	}
	c := r.credentials()
	c.Clause = "VCDM 2.0 §4.13"
	r.add(c)
	return r
}

// presentedBy checks the proofs within a presentation, which are for
// authentication.
func (r *Report) presentedBy(x Examiner, v jsonld.Value) {
	if v.Member("proof").IsZero() {
		r.add(Check{"proof", NotChecked, "The presentation is not signed: nothing tells who presents these credentials.", "VCDM 2.0 §4.13"})
		return
	}
	checked, err := vc.Verifier{Keys: x.Keys, Now: x.Now, Purpose: vc.Authentication, Contexts: x.Contexts}.VerifyValue(v)
	if err != nil {
		r.add(proofFailed(signature{suite: "The proof", err: err}))
		return
	}
	for i, s := range signaturesOf(checked) {
		r.presented(x, s, checked[i].Proof.Domains(), checked[i].Proof.Challenge)
	}
}

// presented takes a signature of a presentation into account, and whom it was
// made for: a presentation that answers the question of somebody else shows only
// that its holder once showed it to them.
func (r *Report) presented(x Examiner, s signature, audience []string, question string) {
	const clause = "VCDM 2.0 §4.13"
	switch {
	case s.err != nil:
		r.add(proofFailed(s))
		return
	case s.controller == "":
		r.add(Check{"issuer", NotChecked, "The key came with the presentation itself; whose it is was not found out.", clause})
		return
	case r.IssuerID != "" && s.controller != r.IssuerID:
		r.add(Check{"issuer", Failed, "The key belongs to " + s.controller + ", and the presentation says that " + r.IssuerID + " presents it.", clause})
		return
	}
	r.add(Check{"proof", Passed, "The " + s.suite + " signature of the one who presents it, " + s.controller + ", fits.", "VC-DI 1.0 §4.3"})
	switch {
	case x.Audience != "":
		r.madeFor(audience, x.Audience)
	case len(audience) > 0 || question != "":
		to := "whoever asked"
		if len(audience) > 0 {
			to = strings.Join(audience, ", ")
		}
		r.add(Check{"audience", NotChecked, "It was made for " + to + " alone. Whether that is you, and whether it answers what you asked just now, is not known here.", clause})
	}
}

// madeFor is whether a presentation was made for the one who is known to look at
// it. One that names nobody is for everyone.
func (r *Report) madeFor(domain []string, audience string) {
	const clause = "VC-DI 1.0 §2.1 domain"
	to := strings.Join(domain, ", ")
	switch {
	case len(domain) == 0:
	case slices.ContainsFunc(domain, func(d string) bool { return strings.EqualFold(d, audience) }):
		r.add(Check{"audience", Passed, "It was made for " + to + ".", clause})
	default:
		r.add(Check{"audience", Failed, "It was made for " + to + ", not for " + audience + ".", clause})
	}
}

// bundle examines each file of a ZIP. One that cannot be read does not stop the
// others.
func (x Examiner) bundle(file []byte) Report {
	r := Report{Kind: "Bundle", Format: "zip"}
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return refused("zip", "ZIP", "This ZIP cannot be read: it is damaged or not whole.")
	}
	if x.depth >= maxNesting {
		return refused("zip", "ZIP", "ZIPs lie too deep in ZIPs to look at.")
	}
	x.depth++
	for _, f := range z.File {
		if f.FileInfo().IsDir() || strings.HasPrefix(path.Base(f.Name), ".") || strings.HasPrefix(f.Name, "__MACOSX/") {
			continue
		}
		if x.budget.files--; x.budget.files < 0 {
			r.add(Check{"embedded", NotChecked, "There are more files in this ZIP than are looked at.", "ZIP"})
			break
		}
		raw, read, err := expand(f, min(x.budget.expanded, maxDocument))
		x.budget.expanded -= read
		var one Report
		switch {
		case err != nil:
			one = refused("", "ZIP", "%v", err)
		default:
			one = x.material(raw)
		}
		if one.Name == "" {
			one.Name = f.Name
		}
		r.Embedded = append(r.Embedded, one)
	}
	if len(r.Embedded) == 0 {
		r.add(Check{"embedded", Failed, "There is no file in this ZIP.", "ZIP"})
		return r.close()
	}
	r.add(r.files())
	return r.close()
}

// files tells what came of the files of a bundle, which may hold the same
// credential twice.
func (r *Report) files() Check {
	n := map[Outcome]int{}
	for _, e := range r.Embedded {
		n[e.Outcome]++
	}
	total := len(r.Embedded)
	switch {
	case n[Failed] > 0:
		return Check{"embedded", Failed, fmt.Sprintf("%d of %d files do not hold.", n[Failed], total), "ZIP"}
	case n[NotChecked] > 0:
		return Check{"embedded", NotChecked, fmt.Sprintf("%d of %d files could not be checked.", n[NotChecked], total), "ZIP"}
	}
	return Check{"embedded", Passed, fmt.Sprintf("Each of the %d files holds.", total), "ZIP"}
}

// expand reads one file of a ZIP, up to a limit that does not trust what the ZIP
// says of its size. What was read counts also where it is refused.
func expand(f *zip.File, limit int64) (raw []byte, read int64, err error) {
	in, err := f.Open()
	if err != nil {
		return nil, 0, errors.New("This file cannot be read: " + err.Error() + ".")
	}
	defer in.Close()
	raw, err = io.ReadAll(io.LimitReader(in, limit+1))
	read = int64(len(raw))
	if err != nil {
		return nil, read, errors.New("This file is damaged.")
	}
	if read > limit {
		return nil, read, errors.New("This file expands to more than is read.")
	}
	return raw, read, nil
}
