package verify

import (
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/testamur/testamur/internal/spec/baking"
	"github.com/testamur/testamur/internal/spec/pdf"
	"github.com/testamur/testamur/internal/spec/vc"
)

// document examines the credential that a PDF carries, and whether the pages are
// as its issuer signed them: a good credential says nothing for pages that
// somebody else has written around it.
func (x Examiner) document(file []byte) Report {
	f, err := pdf.Read(file)
	if errors.Is(err, pdf.ErrEncrypted) {
		return Report{Outcome: NotChecked, Format: "pdf", Checks: []Check{{"shape", NotChecked, "This PDF is locked with a password. Give one that is not.", "ISO 32000-1 §7.6"}}}
	}
	if err != nil {
		return refused("pdf", "ISO 32000-1 §7.5", "This PDF cannot be read: %v.", err)
	}
	var all []Report
	for _, a := range f.Files() {
		x.budget.expanded -= int64(len(a.Data))
		switch {
		case a.Err != nil:
			all = append(all, refused("pdf", "ISO 32000-1 §7.11.4", "The file %q in this PDF cannot be read: %v.", a.Name, a.Err))
			continue
		case x.budget.expanded < 0:
			return refused("pdf", "ISO 32000-1 §7.11.4", "The files in this PDF expand to more than is read.")
		}
		// A file of a known form, and not one that holds files itself.
		if form, ok := baking.FormOf(trimmed(a.Data)); ok && form != baking.URL {
			r := x.material(a.Data)
			if r.Name == "" {
				r.Name = a.Name
			}
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return refused("pdf", "ISO 32000-1 §7.11.4", "There is no credential in this PDF. What its pages say cannot be verified.")
	}
	r := all[0]
	if len(all) > 1 {
		r = Report{Kind: "Bundle", Embedded: all}
		r.add(r.files())
		r.IssuerID, r.IssuerName = oneIssuer(all)
	}
	r.Format = "pdf"
	r.add(x.pages(f, r))
	r.Outcome = overall(r.Checks)
	return r
}

// oneIssuer is the issuer of all, where it is one.
func oneIssuer(all []Report) (id, name string) {
	for _, r := range all {
		if r.IssuerID != all[0].IssuerID {
			return "", ""
		}
	}
	return all[0].IssuerID, all[0].IssuerName
}

// pages tells whether the pages are as the issuer of the credential signed them.
func (x Examiner) pages(f *pdf.File, r Report) Check {
	const clause = "ISO 32000-1 §12.8, ETSI EN 319 142-1"
	check := func(o Outcome, reason string, values ...any) Check {
		return Check{"pages", o, fmt.Sprintf(reason, values...), clause}
	}
	all, err := f.Signatures()
	if err != nil {
		return check(Failed, "The PDF cannot be trusted: %v.", err)
	}
	if len(all) == 0 {
		return check(NotChecked, "Nobody signed the pages of this PDF. Believe the credential in it and not what the pages say.")
	}
	for _, s := range all {
		if _, err := s.Check(); err != nil && !errors.Is(err, pdf.ErrForm) {
			return check(Failed, "The signature of the PDF does not hold: %v.", err)
		}
	}
	last := all[0]
	for _, s := range all {
		if s.Whole {
			last = s
		}
	}
	if !last.Whole {
		return check(Failed, "Something was added to the PDF after it was signed.")
	}
	c, err := last.Check()
	if err != nil {
		return check(NotChecked, "The signature of the PDF has a form that is not read here. Believe the credential in it and not what the pages say.")
	}
	return x.signer(last, c, r, check)
}

// signer tells whether the certificate's key is one that the issuer publishes.
func (x Examiner) signer(s pdf.Signed, c *x509.Certificate, r Report, check func(Outcome, string, ...any) Check) Check {
	unknown := check(NotChecked, "The pages are as %q signed them. That this is the issuer was not found out: believe the credential and not what the pages say.", c.Subject.CommonName)
	method := pdf.Method(c)
	if method == "" || x.Keys == nil {
		return unknown
	}
	k, err := x.Keys(method, "assertionMethod")
	if err != nil {
		var f *vc.Failure
		switch {
		case !errors.As(err, &f):
			return unknown
		case f.Code == vc.WrongKey || f.Code == vc.MissingKey:
			return check(Failed, "The certificate of the PDF's signature names a key that its owner does not publish: %s", f.Reason)
		}
		return check(NotChecked, "The pages are as %q signed them. That this is the issuer was not found out: %s Until then believe the credential and not what the pages say.", c.Subject.CommonName, f.Reason)
	}
	own, ok := c.PublicKey.(*ecdsa.PublicKey)
	at, errAt := time.Parse("D:20060102150405Z", s.At)
	switch {
	case !ok || !own.Equal(k.Public):
		return check(Failed, "The certificate of the PDF's signature names the key %s and has another.", method)
	case k.Controller != r.IssuerID:
		return check(NotChecked, "The pages are as %s signed them, and the credential is issued by %s. Believe the credential and not what the pages say.", k.Controller, r.IssuerID)
	case k.Revoked != nil && (errAt != nil || !at.Before(*k.Revoked)):
		return check(Failed, "The issuer withdrew the key of the PDF's signature from %s on, and this was not signed before.", k.Revoked.UTC().Format(time.RFC3339))
	}
	return check(Passed, "The pages are as the issuer signed them; no byte of the file was changed or added.")
}
