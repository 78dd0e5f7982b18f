package disclosure

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/tabular"
	"github.com/testamur/testamur/internal/wording"
)

// Service reads the account, and takes entries of what was told elsewhere.
type Service struct {
	DB    *pg.DB
	Now   func() time.Time
	NewID id.Source
}

// The longest texts in characters.
const (
	maxParty = 300
	maxNote  = 2000
)

// Record enters what was disclosed, or refused, outside of this service. State
// when it is said to rest on a consent that did not hold then, or on the
// directory where that was not designated or is blocked.
func (s *Service) Record(ctx context.Context, who access.Actor, m Manual) (Line, error) {
	if err := access.Check(who, access.RecordDisclosure); err != nil {
		return Line{}, err
	}
	now := pg.Instant(s.Now())
	l, no := m.line(now, who)
	if no != nil {
		return Line{}, no
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		person, err := learner.InTx(ctx, tx, who, m.LearnerID)
		if err != nil {
			return err
		}
		l.ID, l.LearnerID = ID(s.NewID("dsc")), person.ID
		if l.Outcome == Granted {
			if err := m.founded(ctx, tx, who, l); err != nil {
				return err
			}
		}
		if err := Write(ctx, tx, who, l); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.RecordDisclosure, Target: string(l.ID), Detail: map[string]any{"learner": l.LearnerID, "basis": l.Basis}})
	})
	return l, err
}

// line is the entry as it is kept.
func (m Manual) line(now time.Time, who access.Actor) (l Line, no *fault.Error) {
	l = Line{At: now, Outcome: Granted, Channel: ByHand, Basis: m.Basis, ConsentID: m.ConsentID, ActorID: who.ID}
	if m.At != nil {
		l.At = pg.Instant(*m.At)
	}
	if l.Party, no = wording.Line("party", m.Party, maxParty); no != nil {
		return l, no
	}
	if l.Purpose, no = wording.Line("purpose", m.Purpose, maxParty); no != nil {
		return l, no
	}
	if m.Note, no = wording.Lines("note", m.Note, maxNote); no != nil {
		return l, no
	}
	if no = m.check(now); no != nil {
		return l, no
	}
	l.Note = m.Note
	for i, item := range m.Items {
		if item, no = wording.Line(fmt.Sprintf("items.%d", i), item, maxParty); no != nil {
			return l, no
		}
		l.Items = append(l.Items, item)
	}
	if m.Basis == OfDirectory {
		l.Items = append(l.Items, m.Categories...)
	}
	if m.Refusal != nil {
		reason, no := wording.Line("refusal", *m.Refusal, maxParty)
		if no != nil {
			return l, no
		}
		l.Outcome, l.Basis, l.ConsentID, l.Refusal = Refused, OnNothing, nil, &reason
	}
	return l, nil
}

// founded checks that what an entry rests on was there at its time.
func (m Manual) founded(ctx context.Context, tx pgx.Tx, who access.Actor, l Line) error {
	no := func(field, rule, format string, args ...any) error {
		return &fault.Error{Kind: fault.State, Field: field, Rule: rule, Message: fmt.Sprintf(format, args...)}
	}
	switch l.Basis {
	case OnConsent:
		c, err := consent.FindInTx(ctx, tx, who, *l.ConsentID)
		switch {
		case err != nil:
			return err
		case c.LearnerID != l.LearnerID:
			return fault.Missing("consent")
		case !c.Held(l.At):
			return no("consentId", "in-force", "This consent did not hold at that time.")
		}
	case OfDirectory:
		n, err := consent.NoticeInTx(ctx, tx, who, day.On(l.At))
		if err != nil {
			return err
		}
		blocked, err := consent.BlockedInTx(ctx, tx, who, l.LearnerID, l.At)
		if err != nil {
			return err
		}
		if blocked {
			return no("basis", "not-blocked", "This learner had blocked directory information at that time: without consent nothing of it is told.")
		}
		for _, c := range m.Categories {
			if !slices.Contains(n.Categories, c) {
				return no("categories", "designated", "%q was not designated as directory information at that time.", strings.ReplaceAll(c, "_", " "))
			}
		}
	}
	return nil
}

// Filter narrows a list to a period, a learner, an outcome or a basis.
type Filter struct {
	From      *time.Time
	Until     *time.Time // the first instant behind the period
	LearnerID *string
	Outcome   *string
	Basis     *string
	// CredentialID is of what tells of one credential: by itself, or in a record
	// that contains it.
	CredentialID *string
}

func keyOf(l Line) page.Moment { return page.Moment{At: l.At, ID: string(l.ID)} }

// List is the account, newest first; a learner sees their own.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter, a page.Args) (page.Connection[Line], error) {
	var c page.Connection[Line]
	limit, after, _, err := page.Start[page.Moment](a)
	if err != nil {
		return c, err
	}
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := list(ctx, tx, who, f, after, limit+1)
		c = page.Of(rows, limit, a, keyOf)
		return err
	})
	return c, err
}

// ByIDs are lines by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Line, error) {
	all := make(map[ID]Line, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := byIDs(ctx, tx, who, ids)
		for _, l := range rows {
			all[l.ID] = l
		}
		return err
	})
	return all, err
}

// OfLearners are the lines of each learner, newest first, one page of each.
func (s *Service) OfLearners(ctx context.Context, who access.Actor, ids []learner.ID, a page.Args) (map[learner.ID]page.Connection[Line], error) {
	return pagesOf(ctx, s, who, ids, a, ofLearners, func(l Line) learner.ID { return l.LearnerID })
}

// OfSources are the lines of each share or order, newest first, one page of each.
func (s *Service) OfSources(ctx context.Context, who access.Actor, ids []string, a page.Args) (map[string]page.Connection[Line], error) {
	return pagesOf(ctx, s, who, ids, a, ofSources, func(l Line) string { return *l.SourceID })
}

// OfCredentials are the times that each credential was shown since it was issued,
// by itself or in a record that contains it, newest first, one page of each.
func (s *Service) OfCredentials(ctx context.Context, who access.Actor, ids []string, a page.Args) (map[string]page.Connection[Line], error) {
	limit, after, _, err := page.Start[page.Moment](a)
	if err != nil {
		return nil, err
	}
	of := make(map[string][]Line, len(ids))
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := ofCredentials(ctx, tx, who, ids, after, limit+1)
		for _, r := range rows {
			of[r.Of] = append(of[r.Of], r.Line)
		}
		return err
	})
	out := make(map[string]page.Connection[Line], len(ids))
	for _, id := range ids {
		out[id] = page.Of(of[id], limit, a, keyOf)
	}
	return out, err
}

func pagesOf[K comparable](ctx context.Context, s *Service, who access.Actor, ids []K, a page.Args,
	fetch func(context.Context, pgx.Tx, access.Actor, []K, page.Moment, int) ([]Line, error), of func(Line) K) (map[K]page.Connection[Line], error) {
	limit, after, _, err := page.Start[page.Moment](a)
	if err != nil {
		return nil, err
	}
	var out map[K]page.Connection[Line]
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := fetch(ctx, tx, who, ids, after, limit+1)
		out = page.Each(ids, rows, limit, a, of, keyOf)
		return err
	})
	return out, err
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadRelease); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}

// The forms of an export.
const (
	CSV    = "text/csv"
	NDJSON = "application/x-ndjson"
)

// exportPage is how many lines are read at once for an export.
const exportPage = 1000

// Export writes the lines of a period in the order of time, a page at a time:
// however long it is, little of it is in memory, and no transaction is held open
// for a slow reader. Each line names its party, purpose, basis, items and time,
// and the consent with the instant at which it was signed. That it was exported
// is in the audit. Nothing is written before the first page was read.
func (s *Service) Export(ctx context.Context, who access.Actor, f Filter, form string, w io.Writer) error {
	if err := access.Check(who, access.ExportDisclosures); err != nil {
		return err
	}
	if f.LearnerID != nil {
		if err := s.resolve(ctx, who, &f); err != nil {
			return err
		}
	}
	write, end, err := writer(form, w)
	if err != nil {
		return err
	}
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.ExportDisclosures, Target: who.InstitutionID, Detail: map[string]any{"from": f.From, "until": f.Until, "learner": f.LearnerID, "credential": f.CredentialID}})
	})
	if err != nil {
		return err
	}
	for behind, more := (page.Moment{}), true; more; {
		var rows []Exported
		err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
			rows, err = forExport(ctx, tx, who, f, behind, exportPage)
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := write(r); err != nil {
				return err
			}
			behind = keyOf(r.Line)
		}
		more = len(rows) == exportPage
	}
	return end()
}

// resolve puts our id in the place of another system's.
func (s *Service) resolve(ctx context.Context, who access.Actor, f *Filter) error {
	return s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		l, err := learner.InTx(ctx, tx, who, *f.LearnerID)
		own := string(l.ID)
		f.LearnerID = &own
		return err
	})
}

// writer writes lines in a form. The columns and members are the same.
func writer(form string, w io.Writer) (write func(Exported) error, end func() error, err error) {
	switch form {
	case NDJSON:
		enc := json.NewEncoder(w)
		return func(x Exported) error { return enc.Encode(x.row()) }, func() error { return nil }, nil
	case CSV:
		out := csv.NewWriter(w)
		out.UseCRLF = true // RFC 4180
		head := []string{"id", "at", "learner", "outcome", "refusal", "channel", "party", "purpose", "basis", "consent", "consent_signed_at", "items", "source", "actor", "network", "note"}
		if err := out.Write(head); err != nil {
			return nil, nil, err
		}
		return func(x Exported) error { return out.Write(x.row().cells()) }, func() error { out.Flush(); return out.Error() }, nil
	}
	return nil, nil, fault.At("format", "format", "An export is text/csv or application/x-ndjson.")
}

// row is a line as it is exported.
type row struct {
	ID              ID         `json:"id"`
	At              string     `json:"at"`
	Learner         learner.ID `json:"learner"`
	Outcome         string     `json:"outcome"`
	Refusal         string     `json:"refusal,omitempty"`
	Channel         string     `json:"channel"`
	Party           string     `json:"party"`
	Purpose         string     `json:"purpose"`
	Basis           string     `json:"basis"`
	Consent         string     `json:"consent,omitempty"`
	ConsentSignedAt string     `json:"consentSignedAt,omitempty"`
	Items           []string   `json:"items"`
	Source          string     `json:"source,omitempty"`
	Actor           string     `json:"actor"`
	Network         string     `json:"network,omitempty"`
	Note            string     `json:"note,omitempty"`
}

func (x Exported) row() row {
	r := row{ID: x.ID, At: stamp(&x.At), Learner: x.LearnerID, Outcome: x.Outcome, Channel: x.Channel, Party: x.Party, Purpose: x.Purpose, Basis: x.Basis,
		ConsentSignedAt: stamp(x.ConsentSignedAt), Items: x.Items, Actor: x.ActorID, Network: x.Network, Note: x.Note}
	for to, from := range map[*string]*string{&r.Refusal: x.Refusal, &r.Consent: (*string)(x.ConsentID), &r.Source: x.SourceID} {
		if from != nil {
			*to = *from
		}
	}
	return r
}

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// cells are the fields of a row. What a spreadsheet would take for a formula is
// quoted: a stranger may have written it.
func (r row) cells() []string {
	all := []string{string(r.ID), r.At, string(r.Learner), r.Outcome, r.Refusal, r.Channel, r.Party, r.Purpose, r.Basis, r.Consent, r.ConsentSignedAt,
		strings.Join(r.Items, " "), r.Source, r.Actor, r.Network, r.Note}
	for i, c := range all {
		all[i] = tabular.Cell(c)
	}
	return all
}
