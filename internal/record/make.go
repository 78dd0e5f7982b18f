package record

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// Assembled is what became of one learner's record.
type Assembled struct {
	LearnerID learner.ID
	Record    *Record      // nil when there is none
	New       bool         // it was made now
	Err       *fault.Error // why there is none
}

// one is a record on its way.
type one struct {
	Facts
	frame    Frame
	left     tally
	counts   counting              // toward the program that it is about
	awards   []assertion.Assertion // of the credentials, before the summary
	greatest float64               // grade points that a grade has
	aside    map[assertion.ID]bool // awards of a kind that such a record never holds
	hidden   []attempt             // what the learner chose to leave out

	concluded []concluded
	items     map[framework.ItemID]framework.Item // that it is about
	titles    map[framework.ID]framework.Framework

	latest      latest
	content     []byte
	contentHash []byte
	framed      []byte // the frame as it is kept
	out         *Assembled
}

// order is a kind of record that is made for one or many learners.
type order struct {
	Want
	of      Type
	program *program.Program // of the want
	known   aligned          // what is known of achievements already; may be nil
}

// ordered finds what a want asks for.
func (s *Service) ordered(ctx context.Context, tx pgx.Tx, who access.Actor, w Want) (order, error) {
	w, err := w.whole().resolved(ctx, tx, who)
	if err != nil {
		return order{}, err
	}
	t, err := typeOf(ctx, tx, who, w.Type)
	if err != nil {
		return order{}, err
	}
	o := order{Want: w, of: t}
	if t.Content.Program != (w.Program != "") {
		if t.Content.Program {
			return o, fault.At("programId", "required", "A record of the type %q is about one program: say which.", t.Content.Title)
		}
		return o, fault.At("programId", "no-program", "A record of the type %q is about no program.", t.Content.Title)
	}
	if w.Program == "" {
		return o, nil
	}
	p, err := program.InTx(ctx, tx, who, string(w.Program))
	if err != nil {
		if f, ok := fault.Of(err); ok {
			return o, f.Within("programId")
		}
		return o, err
	}
	if s.Programs == nil {
		return o, fault.At("programId", "no-program", "This service knows no programs.")
	}
	o.program, o.Program = &p, p.ID
	return o, nil
}

// latest is a learner's newest version, with what its credential is worth.
type latest struct {
	Record
	Status string // of its credential; empty when there is no version
}

// make assembles the records of learners together, in the same few statements
// for any number of them. A learner for whom there is nothing to assemble holds
// up no other. then runs in the transaction that keeps a new version.
func (s *Service) make(ctx context.Context, who access.Actor, w order, learners []learner.Learner, then func(pgx.Tx, Record) error) ([]Assembled, error) {
	earned, err := s.Credentials.IssueEarned(ctx, who, learners...)
	if err != nil {
		return nil, err
	}
	progress, err := s.standings(ctx, who, w, learners)
	if err != nil {
		return nil, err
	}
	out := make([]Assembled, len(learners))
	var open []*one
	known := w.known
	if known == nil {
		known = aligned{}
	}
	for i, l := range learners {
		out[i].LearnerID = l.ID
		o := &one{out: &out[i], frame: w.of.frame()}
		o.Facts = Facts{Learner: l, Title: w.of.Content.Title, known: known}
		if !w.Held.empty() || !w.Chosen.empty() {
			o.frame.Held, o.frame.Chosen = &w.Held, &w.Chosen
		}
		if w.program != nil {
			name := nameOf(*w.program)
			o.frame.Program, o.counts = &name, progress.counting(l.ID)
		}
		// How far a learner is with a program tells of what was left out as well.
		if w.of.Content.Requirements && w.everything() {
			o.frame.Programs = progress.told(l.ID)
			o.Programs = o.frame.Programs
		}
		if err := s.standing(o, w, earned[l.ID]); err != nil {
			return nil, err
		}
		switch {
		case len(earned[l.ID].Credentials) == 0:
			out[i].Err = nothing("Nothing has been recorded for this learner yet, so there is nothing to put into a record. Award something first.")
		case len(o.Credentials) == 0 && o.left.partial:
			out[i].Err = nothing("Nothing that this learner has earned is part of such a record: " + o.left.said())
		case len(o.Credentials) == 0:
			out[i].Err = nothing("None of this learner's credentials stands: each was suspended or revoked, or has expired. There is nothing to put into a record.")
		default:
			open = append(open, o)
		}
	}
	if len(open) == 0 {
		return out, nil
	}
	if err := s.conclude(ctx, who, w, open); err != nil {
		return nil, err
	}
	if err := s.complete(ctx, who, w, open); err != nil {
		return nil, err
	}
	if err := s.sealConclusions(ctx, who, w, open); err != nil {
		return nil, err
	}
	if err := s.reckon(ctx, who, w, open); err != nil {
		return nil, err
	}
	fresh, err := s.changed(who, w, open)
	if err != nil || len(fresh) == 0 {
		return out, err
	}
	return out, s.seal(ctx, who, fresh, then)
}

func nothing(message string) *fault.Error {
	return &fault.Error{Kind: fault.State, Field: "learnerId", Rule: "something-earned", Message: message}
}

// standing are the credentials that the institution stands by and that belong
// into such a record, and what is left out because it does not. A record without
// what is on hold, has ended, or is held back is a partial one; what was revoked
// was not earned.
func (s *Service) standing(o *one, w order, all credential.Earned) error {
	n := len(all.Credentials) + 2 // with what is concluded and added up
	o.Credentials, o.Pins, o.awards = make([]credential.Credential, 0, n), make([]achievement.Pin, 0, n), make([]assertion.Assertion, 0, n)
	for i, c := range all.Credentials {
		switch {
		case c.Status == credential.Suspended:
			o.left.leave(suspendedOmitted, true)
			continue
		case c.Status == credential.Revoked:
			o.left.leave(revokedOmitted, false)
			continue
		case c.Expired(s.Now()):
			o.left.leave(expiredOmitted, true)
			continue
		}
		reason, err := o.unwanted(w, c, all.Pins[i])
		if err != nil {
			return err
		}
		if reason != "" {
			o.left.leave(reason, true)
			switch reason {
			case heldOmitted:
			case chosenOmitted:
				o.hidden = append(o.hidden, o.attempt(all.Awards[i], c, all.Pins[i]))
			default:
				o.set(all.Awards[i].ID)
			}
			continue
		}
		o.Credentials, o.Pins, o.awards = append(o.Credentials, c), append(o.Pins, all.Pins[i]), append(o.awards, all.Awards[i])
	}
	return nil
}

// set sets an award aside.
func (o *one) set(a assertion.ID) {
	if o.aside == nil {
		o.aside = map[assertion.ID]bool{}
	}
	o.aside[a] = true
}

// unwanted is why a credential that stands is not part of such a record; empty
// when it is.
func (o *one) unwanted(w order, c credential.Credential, pin achievement.Pin) (string, error) {
	a, err := o.known.of(pin, *c.Document)
	if err != nil {
		return "", err
	}
	term := func() string { return termOf(*c.Document) }
	switch {
	case !w.of.Content.holds(a.kind):
		return byPolicy(w.of.Content, a.kind), nil
	case w.program != nil && !o.counts.has(c, a):
		return elsewhere(w.program.Title()), nil
	case w.Held.names(c, term):
		return heldOmitted, nil
	case w.Chosen.names(c, term):
		return chosenOmitted, nil
	}
	return "", nil
}

// told is the little of a signed document that is asked for by itself.
type told struct {
	Name              string
	CredentialSubject struct {
		Term       string
		Identifier openbadges.List[openbadges.IdentityObject]
		Result     openbadges.List[openbadges.Result]
	}
}

// read is what a signed document says; nothing where it says nothing.
func read(document string) (t told) {
	if json.Unmarshal([]byte(document), &t) != nil {
		return told{}
	}
	return t
}

// termOf is the term of a signed award.
func termOf(document string) string { return read(document).CredentialSubject.Term }

// complete reads what records tell besides their credentials, in one moment,
// and the versions before them.
func (s *Service) complete(ctx context.Context, who access.Actor, w order, all []*one) error {
	ids := make([]learner.ID, len(all))
	targets := make([][]string, len(all))
	items, titles, err := s.about(ctx, who, all)
	if err != nil {
		return err
	}
	for i, o := range all {
		ids[i], o.items, o.titles = o.Learner.ID, items, titles
		seen := map[string]bool{}
		for n, c := range o.Credentials {
			a, err := o.known.of(o.pin(n), *c.Document)
			if err != nil {
				return err
			}
			for _, t := range a.targets {
				if !seen[t] {
					seen[t] = true
					targets[i] = append(targets[i], t)
				}
			}
		}
		for _, id := range o.conclusionTargets() {
			if t := items[id].URI; t != "" && !seen[t] {
				seen[t] = true
				targets[i] = append(targets[i], t)
			}
		}
	}
	return s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		in, err := institution.InTx(ctx, tx, who)
		if err != nil {
			return err
		}
		did, err := in.DID(s.Credentials.Origin)
		if err != nil {
			return err
		}
		gone, err := withdrawn(ctx, tx, who, ids)
		if err != nil {
			return err
		}
		versions, err := newest(ctx, tx, who, w.series(), ids)
		if err != nil {
			return err
		}
		for _, o := range all {
			o.Issuer = in.Issuer(did)
		}
		if err := s.bring(ctx, tx, who, w, all, ids); err != nil {
			return err
		}
		around := map[string]*one{} // those who reached the same competencies have the same around them
		for i, o := range all {
			o.Base, o.latest = in.Base(s.Credentials.Origin), versions[o.Learner.ID]
			if n := gone[o.Learner.ID]; n > 0 {
				o.left.all = append(o.left.all, Omission{Reason: withdrawnOmitted, Count: n})
			}
			o.Partial = o.left.partial
			key := strings.Join(targets[i], "\n")
			if like := around[key]; like != nil {
				o.Items, o.Links = like.Items, like.Links
				continue
			}
			if o.Items, o.Links, err = framework.Around(ctx, tx, who, targets[i]); err != nil {
				return err
			}
			around[key] = o
		}
		for _, o := range all {
			o.Links = append(slices.Clip(o.Links), o.crossed()...)
		}
		return nil
	})
}

// changed are those of the records that tell something else than the version
// before, or whose version before does not stand.
func (s *Service) changed(who access.Actor, w order, all []*one) ([]*one, error) {
	var fresh []*one
	for _, o := range all {
		if o.latest.Status == credential.Suspended { // another version would go around the hold
			o.out.Err = &fault.Error{Kind: fault.State, Field: "learnerId", Rule: "not-suspended",
				Message: "The latest version of this record is suspended. Lift the suspension, or revoke it, before another is made."}
			continue
		}
		content, err := o.Compose("", "")
		if err != nil {
			return nil, err
		}
		frame, err := json.Marshal(o.frame)
		if err != nil {
			return nil, err
		}
		hash, plain := hashed(content, frame)
		if o.latest.Status == credential.Active && bytes.Equal(hash, o.latest.ContentHash) {
			o.out.Record = &o.latest.Record
			continue
		}
		o.out.Record = &Record{ID: ID(s.NewID("rec")), LearnerID: o.Learner.ID, Type: w.Type, TypeVersion: w.of.Version, Series: w.series(),
			Version: o.latest.Version + 1, ContentHash: hash, Partial: o.Partial, Omissions: o.left.whole(), AssembledAt: pg.Instant(s.Now()), AssembledBy: who.ID}
		o.out.New = true
		o.content, o.contentHash, o.framed = content, plain, frame
		fresh = append(fresh, o)
	}
	return fresh, nil
}

// hashed is the hash of everything that makes a version another one. A full
// record in the frame that comes with the service is its content alone, as it
// was before there were types. plain is that of the content alone.
func hashed(content, frame []byte) (whole, plain []byte) {
	h := sha256.New()
	h.Write(content)
	plain = h.Sum(nil)
	if bytes.Equal(frame, plainFrame) {
		return plain, plain
	}
	h.Write(frame)
	return h.Sum(nil), plain
}

// plainFrame is the frame of a full record that shows nothing besides.
var plainFrame, _ = json.Marshal(unframed())

// seal signs records and keeps each as its learner's next version. A learner
// for whom somebody else made one meanwhile is a Conflict of all.
func (s *Service) seal(ctx context.Context, who access.Actor, all []*one, then func(pgx.Tx, Record) error) error {
	drafts := make([]credential.Draft, len(all))
	learners := make([]learner.ID, len(all))
	for i, o := range all {
		learners[i] = o.Learner.ID
		drafts[i] = credential.Draft{Kind: credential.OfRecord, LearnerID: o.Learner.ID, Parts: o.parts(),
			Compose: func(string, string) ([]byte, error) { return o.content, nil }, Hash: o.contentHash}
		if o.latest.ID != "" {
			drafts[i].Supersedes = &o.latest.CredentialID
		}
	}
	_, err := s.Credentials.Seal(ctx, who, drafts, func(tx pgx.Tx, sealed []credential.Credential) error {
		if err := lock(ctx, tx, who, learners); err != nil {
			return err
		}
		now, err := newest(ctx, tx, who, all[0].out.Record.Series, learners)
		if err != nil {
			return err
		}
		ids := make([]ID, len(all))
		for i, o := range all {
			if now[o.Learner.ID].ID != o.latest.ID {
				return &fault.Error{Kind: fault.Conflict, Rule: "issued-at-once", Message: "Somebody else assembled a record of the same learner at this moment. Try again."}
			}
			o.out.Record.CredentialID, ids[i] = sealed[i].ID, o.out.Record.ID
		}
		if err := insert(ctx, tx, who, all); err != nil {
			return err
		}
		if then != nil {
			for _, o := range all {
				if err := then(tx, *o.out.Record); err != nil {
					return err
				}
			}
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Assemble, Target: string(ids[0]), Detail: account(all)})
	})
	return err
}

// account is what the audit says of records that were assembled together.
func account(all []*one) map[string]any {
	if r := all[0].out.Record; len(all) == 1 {
		return map[string]any{"learner": r.LearnerID, "series": r.Series, "version": r.Version, "credential": r.CredentialID, "credentials": len(all[0].Credentials)}
	}
	records := make([]ID, len(all))
	for i, o := range all {
		records[i] = o.out.Record.ID
	}
	return map[string]any{"records": records}
}
