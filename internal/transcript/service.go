package transcript

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/once"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/wording"
)

// Service makes documents and tells what became of them.
type Service struct {
	DB           *pg.DB
	Now          func() time.Time
	NewID        id.Source
	Institutions *institution.Service
	Keys         *keyring.Service
	Records      *record.Service
	Holds        *release.Service
	Origin       string // that addresses begin with
}

// Make makes a document of a record. A record has one that is for nobody in
// particular, of each paper: asked again, that is the answer. State when the
// learner's name has changed since; Forbidden when a learner asks and something is
// held back.
func (s *Service) Make(ctx context.Context, who access.Actor, key *string, m Making) (Document, error) {
	if err := access.Check(who, access.MakeDocument); err != nil {
		return Document{}, err
	}
	if no := m.check(); no != nil {
		return Document{}, no
	}
	shown, err := s.Records.Model(ctx, who, m.RecordID)
	if err != nil {
		return Document{}, err
	}
	request := once.Request{Key: key, Operation: "createDocument", Input: m}
	var there []Document
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		target, replay, err := once.Find(ctx, tx, who, request)
		if err != nil {
			return err
		}
		if replay {
			there, err = byIDs(ctx, tx, who, []ID{ID(target)})
		} else if m.Recipient == "" {
			there, err = present(ctx, tx, who, shown.RecordID, m.Paper)
		}
		if err != nil || len(there) > 0 {
			return err
		}
		return nil
	})
	if err != nil {
		return Document{}, err
	}
	if err := s.named(ctx, who, shown); err != nil {
		return Document{}, err
	}
	piece, err := s.piece(ctx, who, shown.RecordID)
	if err != nil {
		return Document{}, err
	}
	if err := s.Holds.Ask(ctx, who, release.Taking{Channel: disclosure.ByDocument, Purpose: "a print of a record"}, piece); err != nil {
		return Document{}, err
	}
	if len(there) > 0 {
		return there[0], nil
	}
	return s.make(ctx, who, request, m, shown)
}

func (s *Service) make(ctx context.Context, who access.Actor, request once.Request, m Making, shown record.Model) (Document, error) {
	system := access.SystemOf(who.InstitutionID, "document")
	k, err := s.Keys.EnsureOf(ctx, system, keyring.P256)
	if err != nil {
		return Document{}, err
	}
	now := pg.Instant(s.Now())
	d := Document{ID: ID(s.NewID("doc")), RecordID: shown.RecordID, Paper: m.Paper, Recipient: m.Recipient, MadeAt: now, MadeBy: who.ID, SignedAt: now, KeyID: k.ID, Printed: map[string]string{}}
	own := secretOf(s.Keys.Master.Derive, who.InstitutionID, d.ID)
	d.TokenHash = own.hash()
	for _, f := range Printed(shown) {
		d.Printed[f.Key] = own.mark(f.Key, f.Value)
	}
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := insert(ctx, tx, who, &d); err != nil {
			return err
		}
		if err := once.Keep(ctx, tx, now, who, request, string(d.ID)); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.MakeDocument, Target: string(d.ID), Detail: map[string]any{"record": d.RecordID, "paper": d.Paper, "recipient": d.Recipient != ""}})
	})
	if pg.Constraint(err) == "document_standing" || fault.KindOf(err) == fault.Conflict && m.Recipient == "" {
		var there []Document // somebody else made it at the same moment
		err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
			there, err = present(ctx, tx, who, shown.RecordID, m.Paper)
			return err
		})
		if err == nil && len(there) > 0 {
			return there[0], nil
		}
	}
	return d, err
}

// named refuses to print a name that is not the learner's any more.
func (s *Service) named(ctx context.Context, who access.Actor, m record.Model) error {
	return s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		of, err := owner(ctx, tx, who, m.RecordID)
		if err != nil {
			return err
		}
		l, err := learner.InTx(ctx, tx, who, string(of))
		if err != nil {
			return err
		}
		if m.Learner.Name != "" && m.Learner.Name != l.DisplayName {
			return &fault.Error{Kind: fault.State, Field: "recordId", Rule: "name-changed", Message: "The learner's name has changed since this record was made. Assemble the record again and print that one: the former name is not printed any more."}
		}
		return nil
	})
}

// piece is a record as release weighs it.
func (s *Service) piece(ctx context.Context, who access.Actor, of record.ID) (p release.Piece, err error) {
	p = release.Piece{ID: string(of)}
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		r, err := record.InTx(ctx, tx, who, of)
		if err != nil {
			return err
		}
		p.LearnerID = r.LearnerID
		terms, err := credential.TermsInTx(ctx, tx, who, []credential.ID{r.CredentialID})
		p.Terms = terms[r.CredentialID]
		return err
	})
	return p, err
}

// asFile is how a record leaves.
var asFile = release.Taking{Channel: disclosure.ByDocument, Purpose: "a record as a file"}

// handOut clears a record that leaves as a file, in whatever form. Making the file
// takes a while: this is asked behind it, and sheet before it.
func (s *Service) handOut(ctx context.Context, who access.Actor, p release.Piece, raw []byte) ([]byte, error) {
	return s.Holds.HandOver(ctx, who, asFile, release.Seal(p, raw))
}

// Revoke ends a document: its verify page says so from now on. The record stays
// as it is. State when it was revoked before.
func (s *Service) Revoke(ctx context.Context, who access.Actor, document, reason string) (Document, error) {
	if err := access.Check(who, access.Revoke); err != nil {
		return Document{}, err
	}
	reason, no := wording.Line("reason", reason, 400)
	if no != nil {
		return Document{}, no
	}
	var d Document
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		all, err := byIDs(ctx, tx, who, []ID{ID(document)})
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return fault.Missing("document")
		}
		if d = all[0]; d.RevokedAt != nil {
			return &fault.Error{Kind: fault.State, Rule: "revoked", Message: "This document was revoked before."}
		}
		now := pg.Instant(s.Now())
		d.RevokedAt, d.RevokedBy, d.RevokedFor = &now, &who.ID, &reason
		if err := revoke(ctx, tx, who, d); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.MakeDocument, Target: string(d.ID), Detail: map[string]any{"revoked": true}})
	})
	return d, err
}

// Find is a document by id.
func (s *Service) Find(ctx context.Context, who access.Actor, document string) (Document, error) {
	all, err := s.ByIDs(ctx, who, []ID{ID(document)})
	if err != nil {
		return Document{}, err
	}
	if d, ok := all[ID(document)]; ok {
		return d, nil
	}
	return Document{}, fault.Missing("document")
}

// ByIDs are documents by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Document, error) {
	all := map[ID]Document{}
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := byIDs(ctx, tx, who, ids)
		for _, d := range rows {
			all[d.ID] = d
		}
		return err
	})
	return all, err
}

// maxDocuments is how many documents of a record are listed.
const maxDocuments = 50

// OfRecords are the documents of each record, newest first, at most 50 of each.
func (s *Service) OfRecords(ctx context.Context, who access.Actor, ids []record.ID) (map[record.ID][]Document, error) {
	all := make(map[record.ID][]Document, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := ofRecords(ctx, tx, who, ids, maxDocuments)
		for _, d := range rows {
			all[d.RecordID] = append(all[d.RecordID], d)
		}
		return err
	})
	return all, err
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}

// Address is the address of a document's verify page. It stands on the paper, and
// whoever has it learns what became of the document.
func (s *Service) Address(ctx context.Context, who access.Actor, document string) (string, error) {
	d, err := s.Find(ctx, who, document)
	if err != nil {
		return "", err
	}
	var in institution.Institution
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		in, err = institution.InTx(ctx, tx, who)
		return err
	})
	return s.address(in, d), err
}

// StandingsOf are what became of documents, with the addresses of their verify
// pages.
func (s *Service) StandingsOf(ctx context.Context, who access.Actor, ids []ID) (map[ID]Standing, error) {
	all := make(map[ID]Standing, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		in, err := institution.InTx(ctx, tx, who)
		if err != nil {
			return err
		}
		rows, err := becameOf(ctx, tx, who, ids)
		for _, b := range rows {
			v := b.standing()
			v.Address, v.File = s.address(in, Document{ID: b.ID}), s.Origin+"/documents/"+string(b.ID)+"/document.pdf"
			all[b.ID] = v
		}
		return err
	})
	return all, err
}

func (s *Service) address(in institution.Institution, d Document) string {
	return s.Origin + "/v/" + secretOf(s.Keys.Master.Derive, string(in.ID), d.ID).token(in.Slug)
}

// PDF is a document as a file. It is the same each time while its key signs; when
// the key was retired the document is signed again with the present one. State
// when it was revoked, or the learner's name has changed since.
func (s *Service) PDF(ctx context.Context, who access.Actor, document string) ([]byte, error) {
	d, err := s.Find(ctx, who, document)
	if err != nil {
		return nil, err
	}
	if d.RevokedAt != nil {
		return nil, &fault.Error{Kind: fault.State, Rule: "revoked", Message: "This document was revoked. Make another."}
	}
	sheet, in, piece, err := s.sheet(ctx, who, string(d.RecordID))
	if err != nil {
		return nil, err
	}
	piece.Besides = []string{string(d.ID)}
	sheet.Number, sheet.Recipient, sheet.Paper, sheet.Address = string(d.ID), d.Recipient, d.Paper, s.address(in, d)
	system := access.SystemOf(who.InstitutionID, "document")
	by, err := s.signer(ctx, system, in, d.KeyID)
	if f, ok := fault.Of(err); ok && f.Rule == "key-active" {
		if d, err = s.signAgain(ctx, system, d); err == nil {
			by, err = s.signer(ctx, system, in, d.KeyID)
		}
	}
	if err != nil {
		return nil, err
	}
	sheet.At = d.SignedAt
	raw, err := PDF(sheet, by)
	if err != nil {
		return nil, err
	}
	return s.handOut(ctx, who, piece, raw)
}

// sheet is a record that may be printed now, with its institution, and as release
// weighs it.
func (s *Service) sheet(ctx context.Context, who access.Actor, name string) (sheet Sheet, in institution.Institution, p release.Piece, err error) {
	shown, err := s.Records.Model(ctx, who, name)
	if err != nil {
		return sheet, in, p, err
	}
	if err := s.named(ctx, who, shown); err != nil {
		return sheet, in, p, err
	}
	if p, err = s.piece(ctx, who, shown.RecordID); err != nil {
		return sheet, in, p, err
	}
	if err := s.Holds.Ask(ctx, who, asFile, p); err != nil {
		return sheet, in, p, err
	}
	sheet = Sheet{Record: shown, At: shown.AssembledAt}
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		if sheet.Credential, err = signed(ctx, tx, who, shown.RecordID); err != nil {
			return err
		}
		in, err = institution.InTx(ctx, tx, who)
		return err
	})
	return sheet, in, p, err
}

// signer is the signature of a key.
func (s *Service) signer(ctx context.Context, system access.Actor, in institution.Institution, key string) (*Signature, error) {
	did, err := in.DID(s.Origin)
	if err != nil {
		return nil, err
	}
	if _, err := s.Keys.Sign(ctx, system, key); err != nil { // it signs no more
		return nil, err
	}
	der, err := s.Keys.Certificate(ctx, system, key, in.Name, did)
	if err != nil {
		return nil, err
	}
	return &Signature{Certificates: [][]byte{der}, Sign: func(message []byte) ([]byte, error) {
		all, err := s.Keys.Sign(ctx, system, key, message)
		if err != nil {
			return nil, err
		}
		return all[0], nil
	}}, nil
}

// signAgain gives a document the present key, and the instant from which it signs.
func (s *Service) signAgain(ctx context.Context, system access.Actor, d Document) (Document, error) {
	k, err := s.Keys.EnsureOf(ctx, system, keyring.P256)
	if err != nil {
		return d, err
	}
	d.KeyID, d.SignedAt = k.ID, pg.Instant(s.Now())
	return d, s.DB.Tenant(ctx, system, func(tx pgx.Tx) error { return sign(ctx, tx, system, d) })
}

// HTML is a record as a page that stands on its own, for whoever may read it.
func (s *Service) HTML(ctx context.Context, who access.Actor, name string) ([]byte, error) {
	sheet, _, piece, err := s.sheet(ctx, who, name)
	if err != nil {
		return nil, err
	}
	raw, err := HTML(sheet)
	if err != nil {
		return nil, err
	}
	return s.handOut(ctx, who, piece, raw)
}

// XML is a record as a PESC College Transcript, for whoever may read it, addressed
// to an institution or, with nil, for the student to take. State when this
// institution is in no register that PESC knows; Invalid when the other is not.
func (s *Service) XML(ctx context.Context, who access.Actor, name string, to *Registered) ([]byte, error) {
	sheet, _, piece, err := s.sheet(ctx, who, name)
	if err != nil {
		return nil, err
	}
	sheet.To = to
	raw, err := XML(sheet)
	if err != nil {
		return nil, err
	}
	return s.handOut(ctx, who, piece, raw)
}

// Check is what the verify page at an address tells. given are values as somebody
// read them on paper, by their keys. NotFound when no document has the address.
func (s *Service) Check(ctx context.Context, who access.Actor, token string, given map[string]string) (Standing, error) {
	if err := access.Check(who, access.Verify); err != nil {
		return Standing{}, err
	}
	none := fault.New(fault.NotFound, "No document has this address. Type it as it is printed, or scan the code again.")
	slug, own, ok := parseToken(token)
	if !ok {
		return Standing{}, none
	}
	in, err := s.Institutions.BySlug(ctx, slug)
	if fault.KindOf(err) == fault.NotFound {
		return Standing{}, none
	}
	if err != nil {
		return Standing{}, err
	}
	system := access.SystemOf(string(in), "document")
	var row became
	err = s.DB.Snapshot(ctx, system, func(tx pgx.Tx) (err error) {
		row, err = byToken(ctx, tx, system, own.hash())
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Standing{}, none
	}
	if err != nil {
		return Standing{}, err
	}
	out := row.standing()
	out.Compared = own.compare(row.Printed, given)
	return out, nil
}

// standing is the state of a document, the gravest first.
func (b became) standing() Standing {
	s := Standing{Institution: b.Institution, State: Current, MadeAt: b.MadeAt}
	switch {
	case b.RevokedAt != nil:
		s.State, s.At = Revoked, b.RevokedAt
	case b.Status == "revoked":
		s.State, s.At = Revoked, b.ChangedAt
	case b.SupersededAt != nil:
		s.State, s.At = Superseded, b.SupersededAt
	case b.Status == "suspended":
		s.State, s.At = Suspended, b.ChangedAt
	}
	return s
}
