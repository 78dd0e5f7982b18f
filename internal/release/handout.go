package release

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
)

// Piece is something signed that somebody asks for.
type Piece struct {
	ID        string // of the signed document
	LearnerID learner.ID
	Terms     []string // the payment periods that it tells of; none: it tells of none
	Besides   []string // ids of what goes out with it, for the account
	Brought   bool     // another issuer signed it, and the learner brought it: no hold reaches it
}

// Sealed is a piece with its bytes, which nobody reads before they are cleared.
type Sealed struct {
	Piece
	raw []byte
}

// Seal closes the bytes of a piece.
func Seal(p Piece, raw []byte) Sealed { return Sealed{p, raw} }

// Open is the bytes, where they were cleared; the refusal where they were not.
func (s Sealed) Open(c Cleared) ([]byte, error) {
	no, asked := c.asked[s.ID]
	switch {
	case !asked:
		return nil, fault.New(fault.Internal, "release was not asked for %s", s.ID)
	case no != nil:
		return nil, no
	}
	return s.raw, nil
}

// Cleared is what release said of the pieces that it was asked for. Only this
// package makes one that says yes to anything.
type Cleared struct {
	asked map[string]*fault.Error // by piece; nil: it goes out
}

// Refusal is why one of the pieces does not go out; nil where all do.
func (c Cleared) Refusal() *fault.Error {
	for _, id := range slices.Sorted(maps.Keys(c.asked)) {
		if no := c.asked[id]; no != nil {
			return no
		}
	}
	return nil
}

// Taking is how, and for whom, pieces are asked for.
type Taking struct {
	Channel string // of the account
	Purpose string
	Party   string // to whom they are to go; empty: to whoever asks
}

// HeldBack is the rule of a refusal because of a hold.
const HeldBack = "hold"

// HandOut clears pieces for somebody who may read them, and writes down what goes
// out and what does not, in one transaction: without the line there are no bytes.
// Forbidden, piece by piece, where the institution holds something back.
func (s *Service) HandOut(ctx context.Context, who access.Actor, t Taking, pieces ...Piece) (Cleared, error) {
	return s.clear(ctx, who, t, true, pieces)
}

// HandOver is HandOut of one piece, with its bytes. NotFound for the zero Sealed.
func (s *Service) HandOver(ctx context.Context, who access.Actor, t Taking, one Sealed) ([]byte, error) {
	if one.ID == "" {
		return nil, fault.Missing("credential")
	}
	c, err := s.HandOut(ctx, who, t, one.Piece)
	if err != nil {
		return nil, err
	}
	return one.Open(c)
}

// Ask is HandOut for what does not give out bytes yet, such as making a print or a
// link: what is refused is written down, and is the error.
func (s *Service) Ask(ctx context.Context, who access.Actor, t Taking, pieces ...Piece) error {
	c, err := s.clear(ctx, who, t, false, pieces)
	if no := c.Refusal(); err == nil && no != nil {
		return no
	}
	return err
}

// Weigh is what HandOut would say now. Whoever gives out on the strength of it has
// HandOut say it again, of just what was given, before the answer leaves.
func (s *Service) Weigh(ctx context.Context, who access.Actor, pieces ...Piece) (Cleared, error) {
	if err := mayTake(who, pieces); err != nil {
		return Cleared{}, err
	}
	var c Cleared
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		c, err = weigh(ctx, tx, who, Taking{}, pieces)
		return err
	})
	return c, err
}

func (s *Service) clear(ctx context.Context, who access.Actor, t Taking, granted bool, pieces []Piece) (Cleared, error) {
	if err := mayTake(who, pieces); err != nil || len(pieces) == 0 {
		return Cleared{}, err
	}
	system := access.SystemOf(who.InstitutionID, "release")
	now := pg.Instant(s.Now())
	var c Cleared
	err := s.DB.Tenant(ctx, system, func(tx pgx.Tx) (err error) {
		if c, err = weigh(ctx, tx, who, t, pieces); err != nil {
			return err
		}
		return disclosure.Write(ctx, tx, system, s.lines(who, t, granted, pieces, c, now)...)
	})
	if err != nil {
		return Cleared{}, err
	}
	return c, nil
}

// mayTake refuses a learner what is another's, whoever read it for them.
func mayTake(who access.Actor, pieces []Piece) error {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return err
	}
	only := who.OnlyLearner()
	if only != nil && slices.ContainsFunc(pieces, func(p Piece) bool { return string(p.LearnerID) != *only }) {
		return fault.Missing("credential")
	}
	return nil
}

// official reports whether somebody takes what is not their own as one who works
// at the institution, whom no hold concerns. What goes to others is nobody's.
func (t Taking) official(who access.Actor, l learner.ID) bool {
	return t.Party == "" && who.Staff() && who.LearnerID != string(l)
}

// weigh is what is held back of pieces.
func weigh(ctx context.Context, tx pgx.Tx, who access.Actor, t Taking, pieces []Piece) (Cleared, error) {
	c := Cleared{asked: make(map[string]*fault.Error, len(pieces))}
	holds := map[learner.ID][]Hold{}
	var in institution.Institution
	for _, p := range pieces {
		c.asked[p.ID] = nil
		if p.Brought || t.official(who, p.LearnerID) {
			continue
		}
		of, ok := holds[p.LearnerID]
		if !ok {
			var err error
			if of, err = InTx(ctx, tx, who, p.LearnerID); err != nil {
				return Cleared{}, err
			}
			holds[p.LearnerID] = of
		}
		h := Withheld(of, p.Terms...)
		if h == nil {
			continue
		}
		if in.ID == "" {
			var err error
			if in, err = institution.InTx(ctx, tx, who); err != nil {
				return Cleared{}, err
			}
		}
		c.asked[p.ID] = h.refusal(in)
	}
	return c, nil
}

// refusal tells learners, who may know, what is held back, why, and whom to ask.
func (h Hold) refusal(in institution.Institution) *fault.Error {
	message := fmt.Sprintf("%s holds this back: %s.", in.Name, strings.ReplaceAll(h.Reason, "_", " "))
	if len(h.Terms) > 0 {
		message = fmt.Sprintf("%s holds this back: %s, for %s.", in.Name, strings.ReplaceAll(h.Reason, "_", " "), strings.Join(h.Terms, ", "))
	}
	if h.Note != "" {
		message += " " + strings.TrimRight(h.Note, ". ") + "."
	}
	if in.Email != nil {
		message += fmt.Sprintf(" Ask the registrar (%s) what is to be done.", *in.Email)
	} else {
		message += " Ask the registrar what is to be done."
	}
	return &fault.Error{Kind: fault.Forbidden, Rule: HeldBack, Message: message}
}

// lines are the account of a taking: for each learner what went out, where that is
// to be written, and what did not. The service itself is nobody who takes: what it
// reads for an archive or a job is written down where somebody gets it.
func (s *Service) lines(who access.Actor, t Taking, granted bool, pieces []Piece, c Cleared, now time.Time) []disclosure.Line {
	out, kept := map[learner.ID][]string{}, map[learner.ID][]string{}
	official := map[learner.ID]bool{}
	for _, p := range pieces {
		to := out
		if c.asked[p.ID] != nil {
			to = kept
		} else if !granted || who.Has(access.System) {
			continue
		}
		to[p.LearnerID] = append(append(to[p.LearnerID], p.ID), p.Besides...)
		official[p.LearnerID] = t.official(who, p.LearnerID)
	}
	var all []disclosure.Line
	add := func(l disclosure.Line, of map[learner.ID][]string, told func(*disclosure.Line)) {
		for _, id := range slices.Sorted(maps.Keys(of)) {
			l.ID, l.LearnerID, l.Items = disclosure.ID(s.NewID("dsc")), id, of[id]
			told(&l)
			all = append(all, l)
		}
	}
	line := disclosure.Line{At: now, Channel: t.Channel, Party: cmp.Or(t.Party, who.Name, who.ID), Purpose: t.Purpose, ActorID: who.ID}
	add(line, out, func(l *disclosure.Line) {
		l.Outcome, l.Basis = disclosure.Granted, disclosure.ToSubject
		if official[l.LearnerID] {
			l.Basis = disclosure.ToOfficial
		}
	})
	why := disclosure.OnHold
	add(line, kept, func(l *disclosure.Line) {
		l.Outcome, l.Refusal, l.Basis = disclosure.Refused, &why, disclosure.OnNothing
	})
	return all
}
