package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// CorrectionID names a correction: cor_ and text.
type CorrectionID string

// The causes of a correction.
const (
	OfLearner    = "learner"    // the learner's name or identifiers are others now
	OfAward      = "award"      // an award was corrected or withdrawn
	OfCredential = "credential" // a credential was revoked or suspended
)

// The states of a correction and of what is in it.
const (
	Proposed = "open" // waits for approval
	Running  = "running"
	Approved = "approved" // waits for its turn
	Done     = "done"
	Declined = "declined"
	Failed   = "failed"
)

// Correction is a list of exactly what has to be issued anew after something was
// corrected. Nothing happens before a registrar approves it, or a part of it.
type Correction struct {
	ID         CorrectionID
	LearnerID  learner.ID
	Cause      string
	Subject    string // the id of what was corrected: the learner, the award or the credential
	Reason     string
	State      string
	ProposedAt time.Time
	ProposedBy string
	DecidedAt  *time.Time
	DecidedBy  *string
	FinishedAt *time.Time
}

// CorrectionItem is one thing that has to be issued anew: a credential or a
// record.
type CorrectionItem struct {
	CorrectionID    CorrectionID
	Position        int // from 1; credentials before the records that they are in
	CredentialID    *credential.ID
	RecordID        *ID
	Why             string // a sentence
	State           string
	NewCredentialID *credential.ID // what replaced it
	NewRecordID     *ID
	Message         string // what became of it, where that needs saying
}

// Affected asks what a change affects: one of the three is given.
type Affected struct {
	Learner    string // id or reference
	Assertion  string // id or reference
	Credential string // id
	Reason     string // kept with everything that is issued anew
}

// maxCorrected bounds one correction.
const maxCorrected = 2000

// Propose lists exactly what has to be issued anew because of a change that was
// made, as a correction that waits for approval. State when nothing that was
// issued says otherwise; Conflict when a correction of the same waits already.
func (s *Service) Propose(ctx context.Context, who access.Actor, a Affected) (Correction, error) {
	if err := access.Check(who, access.Assemble); err != nil {
		return Correction{}, err
	}
	if a.Reason = strings.TrimSpace(a.Reason); a.Reason == "" || len(a.Reason) > 2000 {
		return Correction{}, fault.At("reason", "required", "Say why, in at most 2000 characters: it is kept with everything that is issued anew.")
	}
	now := pg.Instant(s.Now())
	c := Correction{Reason: a.Reason, State: Proposed, ProposedAt: now, ProposedBy: who.ID}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		l, only, err := s.subject(ctx, tx, who, a, &c)
		if err != nil {
			return err
		}
		items, err := s.affected(ctx, tx, who, l, only, c.Cause)
		switch {
		case err != nil:
			return err
		case len(items) == 0:
			return &fault.Error{Kind: fault.State, Rule: "nothing-affected", Message: "Nothing that was issued says otherwise: there is nothing to issue anew."}
		case len(items) > maxCorrected:
			return &fault.Error{Kind: fault.State, Rule: "too-many", Message: fmt.Sprintf("More than %d things are affected. Correct single awards instead.", maxCorrected)}
		}
		c.ID = CorrectionID(s.NewID("cor"))
		if err := insertCorrection(ctx, tx, who, c, items); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Assemble, Target: string(c.ID), Detail: map[string]any{"correction": c.Cause, "subject": c.Subject, "items": len(items)}})
	})
	return c, err
}

// subject finds what was corrected; only is the award that the list is narrowed to.
func (s *Service) subject(ctx context.Context, tx pgx.Tx, who access.Actor, a Affected, c *Correction) (l learner.Learner, only assertion.ID, err error) {
	given := 0
	for _, v := range []string{a.Learner, a.Assertion, a.Credential} {
		if v != "" {
			given++
		}
	}
	if given != 1 {
		return l, "", fault.At("learnerId", "one-of", "Say what was corrected: one learner, assertion or credential.")
	}
	field := "learnerId"
	switch {
	case a.Assertion != "":
		field = "assertionId"
		found, err := assertion.InTx(ctx, tx, who, a.Assertion)
		if err != nil {
			return l, "", within(err, field)
		}
		only, c.Cause, c.Subject, c.LearnerID = found.ID, OfAward, string(found.ID), found.LearnerID
	case a.Credential != "":
		field = "credentialId"
		found, err := credential.InTx(ctx, tx, who, a.Credential)
		if err != nil {
			return l, "", within(err, field)
		}
		if found.AssertionID == nil {
			return l, "", fault.At(field, "award", "That is no credential of an award.")
		}
		only, c.Cause, c.Subject, c.LearnerID = *found.AssertionID, OfCredential, string(found.ID), found.LearnerID
	default:
		c.Cause = OfLearner
	}
	name := a.Learner
	if name == "" {
		name = string(c.LearnerID)
	}
	if l, err = learner.InTx(ctx, tx, who, name); err != nil {
		return l, "", within(err, field)
	}
	if c.LearnerID = l.ID; c.Cause == OfLearner {
		c.Subject = string(l.ID)
	}
	return l, only, nil
}

func within(err error, field string) error {
	if f, ok := fault.Of(err); ok {
		return f.Within(field)
	}
	return err
}

// affected are the credentials that tell something else than what is on file,
// and the latest versions of the records that hold one of them, or one that does
// not stand any more, or that name the learner otherwise. What is older was
// replaced already.
func (s *Service) affected(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.Learner, only assertion.ID, cause string) ([]CorrectionItem, error) {
	stale, err := s.Credentials.StaleInTx(ctx, who, tx, l, only)
	if err != nil {
		return nil, err
	}
	titles := map[credential.ID]string{}
	var items []CorrectionItem
	for _, c := range stale {
		titles[c.ID] = titleOf(*c.Document)
		items = append(items, CorrectionItem{CredentialID: &c.ID, State: Proposed, Why: fmt.Sprintf("%s is on file otherwise than it tells.", titles[c.ID])})
	}
	latest, err := latestOf(ctx, tx, who, l.ID)
	if err != nil {
		return nil, err
	}
	ids := make([]ID, len(latest))
	for i, r := range latest {
		ids[i] = r.ID
	}
	embedded, err := itemsOf(ctx, tx, who, ids)
	if err != nil {
		return nil, err
	}
	gone, err := goneOf(ctx, tx, who, ids, embedded, only)
	if err != nil {
		return nil, err
	}
	for _, r := range latest {
		var why []string
		if name := nameIn(r.Document); cause == OfLearner && name != l.DisplayName {
			why = append(why, "It names the learner otherwise.")
		}
		for _, c := range embedded[r.ID] {
			if title, ok := titles[c]; ok {
				why = append(why, fmt.Sprintf("It holds %s as it was.", title))
			}
			if g, ok := gone[c]; ok {
				why = append(why, g.why())
			}
		}
		if n := len(why); n > 0 {
			if n > 3 {
				why = append(why[:3], fmt.Sprintf("And %d more.", n-3))
			}
			items = append(items, CorrectionItem{RecordID: &r.ID, State: Proposed, Why: strings.Join(why, " ")})
		}
	}
	for i := range items {
		items[i].Position = i + 1
	}
	return items, nil
}

// fallen is a credential that does not stand any more, or was replaced.
type fallen struct {
	ID          credential.ID
	AssertionID *assertion.ID
	Status      string
	Document    string
}

func (f fallen) why() string {
	title := titleOf(f.Document)
	switch f.Status {
	case credential.Revoked:
		return fmt.Sprintf("It holds %s, which was revoked.", title)
	case credential.Suspended:
		return fmt.Sprintf("It holds %s, which is suspended.", title)
	}
	return fmt.Sprintf("It holds %s, which was replaced.", title)
}

// titleOf is what a signed award or record is called.
func titleOf(document string) string { return read(document).Name }

// nameIn is what a signed record calls the learner.
func nameIn(document string) string {
	return person("", read(document).CredentialSubject.Identifier).Name
}

// goneOf are the credentials of awards in records that do not stand any more or
// were replaced: those of one award, or all.
func goneOf(ctx context.Context, tx pgx.Tx, who access.Actor, records []ID, embedded map[ID][]credential.ID, only assertion.ID) (map[credential.ID]fallen, error) {
	var ids []credential.ID
	for _, r := range records {
		ids = append(ids, embedded[r]...)
	}
	rows, _ := tx.Query(ctx, `
		select c.id, c.assertion_id, c.status, c.document
		from credential c
		left join assertion a on a.institution_id = c.institution_id and a.id = c.assertion_id
		where c.institution_id = @institution and c.id = any(@ids) and c.kind = 'achievement' and (@only = '' or c.assertion_id = @only)
		  and (c.status <> 'active' or a.withdrawn_at is not null or exists (
			select from credential n where n.institution_id = c.institution_id and n.supersedes = c.id and n.state = 'issued'))`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": only})
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[fallen])
	all := make(map[credential.ID]fallen, len(found))
	for _, f := range found {
		all[f.ID] = f
	}
	return all, err
}

// latestOf are the latest versions of all series of a learner whose own
// credential stands.
func latestOf(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID) ([]shown, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`, r.frame, c.document, null as before, null::timestamptz as before_at
		from record r
		join credential c on c.institution_id = r.institution_id and c.id = r.credential_id
		where r.institution_id = @institution and r.learner_id = @learner and c.status = 'active' and not exists (
			select from record n
			where n.institution_id = r.institution_id and n.learner_id = r.learner_id and n.series = r.series and n.version = r.version + 1)
		order by r.series`, pgx.NamedArgs{"institution": who.InstitutionID, "learner": l})
	return pgx.CollectRows(rows, pgx.RowToStructByName[shown])
}

// Decide approves the things of a correction that are named by their positions,
// or all of them when none is, and declines the others. What was approved is then
// done in the background. Declining everything is for Decline. State when it was
// decided before.
func (s *Service) Decide(ctx context.Context, who access.Actor, correction string, positions []int) (Correction, error) {
	return s.decide(ctx, who, correction, func(c *Correction, items []CorrectionItem) *fault.Error {
		for _, p := range positions {
			if p < 1 || p > len(items) {
				return fault.At("positions", "known", "This correction has no position %d.", p)
			}
		}
		c.State = Running
		for i := range items {
			if items[i].State = Declined; len(positions) == 0 || slices.Contains(positions, items[i].Position) {
				items[i].State = Approved
			}
		}
		return nil
	})
}

// Decline leaves everything as it is. State when it was decided before.
func (s *Service) Decline(ctx context.Context, who access.Actor, correction string) (Correction, error) {
	return s.decide(ctx, who, correction, func(c *Correction, items []CorrectionItem) *fault.Error {
		c.State, c.FinishedAt = Declined, c.DecidedAt
		for i := range items {
			items[i].State = Declined
		}
		return nil
	})
}

func (s *Service) decide(ctx context.Context, who access.Actor, correction string, how func(*Correction, []CorrectionItem) *fault.Error) (Correction, error) {
	for _, do := range []access.Action{access.Assemble, access.Issue, access.Revoke} {
		if err := access.Check(who, do); err != nil {
			return Correction{}, err
		}
	}
	var c Correction
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if c, err = findCorrection(ctx, tx, who, CorrectionID(correction), " for update"); err != nil {
			return err
		}
		if c.State != Proposed {
			return &fault.Error{Kind: fault.State, Field: "id", Rule: "open", Message: "This correction was decided already."}
		}
		items, err := correctionItems(ctx, tx, who, []CorrectionID{c.ID})
		if err != nil {
			return err
		}
		now := pg.Instant(s.Now())
		c.DecidedAt, c.DecidedBy = &now, &who.ID
		if no := how(&c, items); no != nil {
			return no
		}
		if err := updateCorrection(ctx, tx, who, c); err != nil {
			return err
		}
		approved := 0
		for _, i := range items {
			if i.State == Approved {
				approved++
			}
			if err := updateItem(ctx, tx, who, i); err != nil {
				return err
			}
		}
		if c.State == Running {
			if err := s.Outbox.Emit(ctx, tx, event.CorrectionApproved{InstitutionID: who.InstitutionID, CorrectionID: string(c.ID)}); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Assemble, Target: string(c.ID), Detail: map[string]any{"correction": c.State, "approved": approved, "of": len(items)}})
	})
	return c, err
}

// RunCorrection does what was approved and is not done yet, one thing after the
// other, in the name of who approved it. A run that was cut off goes on where it
// was. A thing that cannot be done says why and holds up no other.
func (s *Service) RunCorrection(ctx context.Context, system access.Actor, correction string) error {
	if err := access.Check(system, access.Reconcile); err != nil {
		return err
	}
	var c Correction
	var items []CorrectionItem
	err := s.DB.Snapshot(ctx, system, func(tx pgx.Tx) (err error) {
		if c, err = findCorrection(ctx, tx, system, CorrectionID(correction), ""); err != nil {
			return err
		}
		items, err = correctionItems(ctx, tx, system, []CorrectionID{c.ID})
		return err
	})
	if err != nil || c.State != Running {
		return err
	}
	who := system
	who.ID = *c.DecidedBy // what is done is done for whoever approved it
	for _, i := range items {
		if i.State != Approved {
			continue
		}
		if err := s.redo(ctx, who, c, &i); err != nil {
			return err
		}
		if err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error { return updateItem(ctx, tx, who, i) }); err != nil {
			return err
		}
	}
	return s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		now := pg.Instant(s.Now())
		c.State, c.FinishedAt = Done, &now
		return updateCorrection(ctx, tx, who, c)
	})
}

// redo issues one thing anew.
func (s *Service) redo(ctx context.Context, who access.Actor, c Correction, i *CorrectionItem) error {
	var err error
	if i.CredentialID != nil {
		err = s.redoCredential(ctx, who, c, i)
	} else {
		err = s.redoRecord(ctx, who, c, i)
	}
	if f, ok := fault.Of(err); ok && f.Kind != fault.Unavailable && f.Kind != fault.Forbidden && f.Rule != "issued-at-once" {
		i.State, i.Message = Failed, f.Message
		return nil
	}
	if err == nil {
		i.State = Done
	}
	return err
}

// redoCredential replaces a credential. After a change of name the old one stays
// good, because what it says was true, unless the award was corrected as well;
// what was wrong is revoked as superseded.
func (s *Service) redoCredential(ctx context.Context, who access.Actor, c Correction, i *CorrectionItem) error {
	old, err := s.Credentials.Find(ctx, who, string(*i.CredentialID))
	if err != nil {
		return err
	}
	if old.SupersededBy != nil { // by an import, or by this run before it was cut off
		i.NewCredentialID = old.SupersededBy
		return nil
	}
	keep := c.Cause == OfLearner && old.AssertionID != nil && old.AssertionVersion != nil
	if keep {
		err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
			a, err := assertion.InTx(ctx, tx, who, string(*old.AssertionID))
			keep = a.Version == *old.AssertionVersion
			return err
		})
		if err != nil {
			return err
		}
	}
	key := string(c.ID) + ":" + strconv.Itoa(i.Position)
	made, err := s.Credentials.Reissue(ctx, who, &key, credential.Reissue{ID: string(old.ID), Reason: c.Reason, ValidUntil: old.ValidUntil, Keep: keep})
	if err == nil {
		i.NewCredentialID = &made.ID
	}
	return err
}

// redoRecord makes the next version of a record. One for which nothing is left is
// revoked.
func (s *Service) redoRecord(ctx context.Context, who access.Actor, c Correction, i *CorrectionItem) error {
	var old shown
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		rows, err := shownOf(ctx, tx, who, []ID{*i.RecordID})
		if err == nil && len(rows) == 0 {
			return fault.Missing("record")
		}
		if err == nil {
			old = rows[0]
		}
		return err
	})
	if err != nil {
		return err
	}
	r, err := s.AssembleAs(ctx, who, nil, string(old.LearnerID), old.framed().want())
	if f, ok := fault.Of(err); ok && f.Rule == "something-earned" {
		_, err = s.Credentials.Revoke(ctx, who, nil, string(old.CredentialID), credential.Revocation{Cause: credential.IssuedInError, Reason: c.Reason})
		if f, ok := fault.Of(err); ok && f.Rule == "not-revoked" {
			err = nil
		}
		i.Message = "Nothing is left to put into it, so it was revoked."
		return err
	}
	if err == nil && r.ID != old.ID {
		i.NewRecordID = &r.ID
	}
	if err == nil && r.ID == old.ID {
		i.Message = "It says what is on file already."
	}
	return err
}

// ResumeCorrections asks again for every correction that was approved and is not
// done: a process that ended may have left it half done.
func (s *Service) ResumeCorrections(ctx context.Context, who access.Actor) (int, error) {
	if err := access.Check(who, access.Reconcile); err != nil {
		return 0, err
	}
	var open []CorrectionID
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `select id from correction where institution_id = @institution and state = 'running' order by id`, pgx.NamedArgs{"institution": who.InstitutionID})
		var err error
		if open, err = pgx.CollectRows(rows, pgx.RowTo[CorrectionID]); err != nil {
			return err
		}
		for _, c := range open {
			if err := s.Outbox.Emit(ctx, tx, event.CorrectionApproved{InstitutionID: who.InstitutionID, CorrectionID: string(c)}); err != nil {
				return err
			}
		}
		return nil
	})
	return len(open), err
}

// Correction is one correction by id. Learners see none.
func (s *Service) Correction(ctx context.Context, who access.Actor, correction string) (Correction, error) {
	all, err := s.CorrectionsByIDs(ctx, who, []CorrectionID{CorrectionID(correction)})
	if err != nil {
		return Correction{}, err
	}
	if c, ok := all[CorrectionID(correction)]; ok {
		return c, nil
	}
	return Correction{}, fault.Missing("correction")
}

// CorrectionsByIDs are corrections by id.
func (s *Service) CorrectionsByIDs(ctx context.Context, who access.Actor, ids []CorrectionID) (map[CorrectionID]Correction, error) {
	all := make(map[CorrectionID]Correction, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select `+correctionColumns+`
			from correction
			where institution_id = @institution and id = any(@ids) and @only::text is null`,
			pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
		found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Correction])
		for _, c := range found {
			all[c.ID] = c
		}
		return err
	})
	return all, err
}

// CorrectionItemsOf are the things of each correction, in their order.
func (s *Service) CorrectionItemsOf(ctx context.Context, who access.Actor, ids []CorrectionID) (map[CorrectionID][]CorrectionItem, error) {
	all := make(map[CorrectionID][]CorrectionItem, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := correctionItems(ctx, tx, who, ids)
		for _, i := range rows {
			all[i.CorrectionID] = append(all[i.CorrectionID], i)
		}
		return err
	})
	return all, err
}

// CorrectionFilter narrows a list of corrections.
type CorrectionFilter struct {
	State     *string
	LearnerID *learner.ID
}

type correctionCursor struct {
	At time.Time    `json:"t"`
	ID CorrectionID `json:"i"`
}

// Corrections are the corrections, newest first.
func (s *Service) Corrections(ctx context.Context, who access.Actor, f CorrectionFilter, a page.Args) (page.Connection[Correction], error) {
	var c page.Connection[Correction]
	limit, after, _, err := page.Start[correctionCursor](a)
	if err != nil {
		return c, err
	}
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := listCorrections(ctx, tx, who, f, after, limit+1)
		c = page.Of(rows, limit, a, func(c Correction) correctionCursor { return correctionCursor{c.ProposedAt, c.ID} })
		return err
	})
	return c, err
}

const correctionColumns = `id, learner_id, cause, subject, reason, state, proposed_at, proposed_by, decided_at, decided_by, finished_at`

func insertCorrection(ctx context.Context, tx pgx.Tx, who access.Actor, c Correction, items []CorrectionItem) error {
	_, err := tx.Exec(ctx, `
		insert into correction (institution_id, id, learner_id, cause, subject, reason, state, proposed_at, proposed_by)
		values (@institution, @id, @learner, @cause, @subject, @reason, @state, @at, @by)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": c.ID, "learner": c.LearnerID, "cause": c.Cause, "subject": c.Subject, "reason": c.Reason, "state": c.State,
			"at": c.ProposedAt, "by": c.ProposedBy})
	if pg.Constraint(err) == "correction_open_once" {
		return &fault.Error{Kind: fault.Conflict, Rule: "open-once", Message: "A correction of the same is waiting or running already. Decide that one first."}
	}
	if err != nil {
		return err
	}
	credentials, records, why := make([]*string, len(items)), make([]*string, len(items)), make([]string, len(items))
	for n, i := range items {
		credentials[n], records[n], why[n] = (*string)(i.CredentialID), (*string)(i.RecordID), i.Why
	}
	_, err = tx.Exec(ctx, `
		insert into correction_item (institution_id, correction_id, position, credential_id, record_id, why, state)
		select @institution, @id, position, credential, record, why, @state
		from unnest(@credentials::text[], @records::text[], @why::text[]) with ordinality as i (credential, record, why, position)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": c.ID, "state": Proposed, "credentials": credentials, "records": records, "why": why})
	return err
}

func findCorrection(ctx context.Context, tx pgx.Tx, who access.Actor, id CorrectionID, lock string) (Correction, error) {
	rows, _ := tx.Query(ctx, `
		select `+correctionColumns+`
		from correction
		where institution_id = @institution and id = @id and @only::text is null`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": id, "only": who.OnlyLearner()})
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Correction])
	if errors.Is(err, pgx.ErrNoRows) {
		return c, fault.Missing("correction")
	}
	return c, err
}

func listCorrections(ctx context.Context, tx pgx.Tx, who access.Actor, f CorrectionFilter, after correctionCursor, limit int) ([]Correction, error) {
	rows, _ := tx.Query(ctx, `
		select `+correctionColumns+`
		from correction
		where institution_id = @institution and @only::text is null and (@state::text is null or state = @state)
		  and (@learner::text is null or learner_id = @learner)
		  and (@after::text = '' or (proposed_at, id) < (@at, @after))
		order by proposed_at desc, id desc
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "state": f.State, "learner": f.LearnerID, "after": after.ID, "at": after.At, "limit": limit, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Correction])
}

func updateCorrection(ctx context.Context, tx pgx.Tx, who access.Actor, c Correction) error {
	_, err := tx.Exec(ctx, `
		update correction set state = @state, decided_at = @decided, decided_by = @by, finished_at = @finished
		where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": c.ID, "state": c.State, "decided": c.DecidedAt, "by": c.DecidedBy, "finished": c.FinishedAt})
	return err
}

func correctionItems(ctx context.Context, tx pgx.Tx, who access.Actor, ids []CorrectionID) ([]CorrectionItem, error) {
	rows, _ := tx.Query(ctx, `
		select correction_id, position, credential_id, record_id, why, state, new_credential_id, new_record_id, message
		from correction_item
		where institution_id = @institution and correction_id = any(@ids) and @only::text is null
		order by correction_id, position`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[CorrectionItem])
}

func updateItem(ctx context.Context, tx pgx.Tx, who access.Actor, i CorrectionItem) error {
	_, err := tx.Exec(ctx, `
		update correction_item set state = @state, new_credential_id = @credential, new_record_id = @record, message = @message
		where institution_id = @institution and correction_id = @correction and position = @position`,
		pgx.NamedArgs{"institution": who.InstitutionID, "correction": i.CorrectionID, "position": i.Position, "state": i.State, "credential": i.NewCredentialID,
			"record": i.NewRecordID, "message": i.Message})
	return err
}
