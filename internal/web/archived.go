package web

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/archive"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/verify"
)

// maxUnpacked is what the archives of one request come to at most, out of their
// ZIPs, in bytes, each counted as perArchive more than it is. Larger ones are for
// the command, which anybody can run.
const (
	maxUnpacked = 18 << 20
	perArchive  = 2 << 20
)

// archived is what was found about an archive of an institution, which takes of
// what is left of maxUnpacked; false for what is none, which the verifier tells
// more of.
func (s *site) archived(v *visit, f verify.File, left *uint64) (verdict, bool) {
	z, err := zip.NewReader(bytes.NewReader(f.Raw), int64(len(f.Raw)))
	if err != nil {
		return verdict{}, false
	}
	in, err := archive.Within(z)
	if errors.Is(err, archive.ErrNone) {
		return verdict{}, false
	}
	d := verdict{Report: verify.Report{Kind: "InstitutionArchive", Name: f.Name, Outcome: verify.NotChecked}, File: f.Name, Whole: true}
	not := func(o verify.Outcome, reason string) (verdict, bool) {
		d.Outcome, d.Checks = o, []verify.Check{{Name: "files", Outcome: o, Reason: reason, Clause: "ZIP"}}
		return d, true
	}
	if err != nil {
		return not(verify.Failed, "The archive cannot be read: "+err.Error()+".")
	}
	size := uint64(perArchive)
	for _, e := range z.File {
		if size += e.UncompressedSize64; e.UncompressedSize64 > *left || size > *left {
			return not(verify.NotChecked, "This is more than is checked on a page. Check it on your own machine: testamur verify FILE.")
		}
	}
	*left -= size
	var known archive.Anchor
	if about, err := archive.About(in); err == nil {
		known.Keys = s.published(v.ctx(), about)
	}
	r, err := archive.Check(v.ctx(), in, known, nil)
	if err != nil {
		return not(verify.Failed, "The archive cannot be read: "+err.Error()+".")
	}
	d.Outcome, d.Checks = r.Outcome, r.Checks
	d.Name, d.IssuerID, d.IssuerName = r.Contents.Name, r.Contents.ID, r.Contents.Name
	return d, true
}

// published is the key document that an institution publishes: of one that is here
// from the database, of another over the network; nil when it is not to be had.
func (s *site) published(ctx context.Context, about archive.Contents) []byte {
	slugs, err := s.Institutions.Slugs(ctx)
	if err != nil {
		return nil
	}
	for _, id := range slugs {
		who := access.VisitorOf(string(id))
		in, err := s.Institutions.Find(ctx, who)
		if err != nil {
			continue
		}
		did, err := in.DID(s.Origin)
		if err != nil || did != about.ID {
			continue
		}
		keys, err := s.Keys.List(ctx, who)
		if err != nil {
			return nil
		}
		raw, err := json.Marshal(vc.NewController(did, keyring.Methods(did, keys)))
		if err != nil {
			return nil
		}
		return raw
	}
	address, err := about.Document()
	if err != nil || s.Verifier.Fetch == nil {
		return nil
	}
	ctx, done := verify.Budgeted(ctx)
	defer done()
	raw, err := s.Verifier.Fetch(ctx, address)
	if err != nil {
		return nil
	}
	return raw
}
