package record

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/program"
)

// LeftOut names what a record is to be made without.
type LeftOut struct {
	Terms       []string        `json:"terms,omitempty"`       // all that was earned in these
	Awards      []assertion.ID  `json:"awards,omitempty"`      // whichever credential tells of them
	Credentials []credential.ID `json:"credentials,omitempty"` // the awards of these; what others issued, by the ids of deposits
	Deposits    []deposit.ID    `json:"deposits,omitempty"`
}

func (l LeftOut) empty() bool {
	return len(l.Terms)+len(l.Awards)+len(l.Credentials)+len(l.Deposits) == 0
}

// Want says which record is wanted.
type Want struct {
	Type    string     // key of a record type; empty: full
	Program program.ID // that a record of one program is about
	Held    LeftOut    // because the institution holds it back
	Chosen  LeftOut    // because the learner chose to
}

const maxLeftOut = 1000

func (w Want) check() *fault.Error {
	for _, l := range []LeftOut{w.Held, w.Chosen} {
		if len(l.Terms)+len(l.Awards)+len(l.Credentials)+len(l.Deposits) > maxLeftOut {
			return fault.At("without", "too-many", "Leave out at most %d things.", maxLeftOut)
		}
	}
	return nil
}

// whole is the want in the one form that it is compared in.
func (w Want) whole() Want {
	w.Type = cmp.Or(w.Type, Full)
	for _, l := range []*LeftOut{&w.Held, &w.Chosen} {
		l.Terms, l.Credentials = distinct(l.Terms), distinct(l.Credentials)
		l.Awards, l.Deposits = distinct(l.Awards), distinct(l.Deposits)
	}
	return w
}

func distinct[T cmp.Ordered](all []T) []T { return slices.Compact(slices.Sorted(slices.Values(all))) }

// resolved is the want with awards in the place of their credentials.
func (w Want) resolved(ctx context.Context, tx pgx.Tx, who access.Actor) (Want, error) {
	named := slices.Concat(w.Held.Credentials, w.Chosen.Credentials)
	if len(named) == 0 {
		return w, nil
	}
	from, err := origins(ctx, tx, who, named)
	if err != nil {
		return w, err
	}
	brought, err := deposit.ByIDsInTx(ctx, tx, who, asDeposits(named))
	if err != nil {
		return w, err
	}
	for _, l := range []*LeftOut{&w.Held, &w.Chosen} {
		for _, c := range l.Credentials {
			if d, ok := brought[deposit.ID(c)]; ok {
				l.Deposits = append(l.Deposits, d.ID)
				continue
			}
			o, ok := from[string(c)]
			if !ok || o.Assertion == "" {
				return w, fault.At("credentialIds", "known", "There is no credential %q of an award here.", c)
			}
			l.Awards = append(l.Awards, assertion.ID(o.Assertion))
		}
		l.Credentials = nil
	}
	return w.whole(), nil
}

// asDeposits are those of the ids that are of deposits.
func asDeposits(all []credential.ID) (out []deposit.ID) {
	for _, c := range all {
		if strings.HasPrefix(string(c), "dep_") {
			out = append(out, deposit.ID(c))
		}
	}
	return out
}

// series is what versions are counted in: a record that leaves something out
// does not replace one that does not.
func (w Want) series() string {
	s := w.Type
	if w.Program != "" {
		s += ":" + string(w.Program)
	}
	if w.Held.empty() && w.Chosen.empty() {
		return s
	}
	raw, err := json.Marshal([]LeftOut{w.Held, w.Chosen})
	if err != nil {
		panic(err) // plain values
	}
	sum := sha256.Sum256(raw)
	return s + "~" + hex.EncodeToString(sum[:6])
}

// names reports whether what is left out names a credential; term is asked only
// where terms are named.
func (l LeftOut) names(c credential.Credential, term func() string) bool {
	return c.AssertionID != nil && slices.Contains(l.Awards, *c.AssertionID) || len(l.Terms) > 0 && slices.Contains(l.Terms, term())
}

// tally counts what a record is made without, by the sentence that says why.
type tally struct {
	all     []Omission
	partial bool
}

// leave counts one thing; partial says that the institution stands by it.
func (t *tally) leave(reason string, partial bool) {
	t.partial = t.partial || partial
	i := slices.IndexFunc(t.all, func(o Omission) bool { return o.Reason == reason })
	if i < 0 {
		i, t.all = len(t.all), append(t.all, Omission{Reason: reason})
	}
	t.all[i].Count++
}

// whole is everything that was left out; never nil.
func (t tally) whole() []Omission { return append([]Omission{}, t.all...) }

// said is everything that was left out, in one sentence after the other.
func (t tally) said() string {
	all := make([]string, len(t.all))
	for i, o := range t.all {
		all[i] = o.Reason
	}
	return strings.Join(all, " ")
}

// The sentences of what is left out.
const (
	suspendedOmitted = "Credentials that are suspended are not part of a record."
	revokedOmitted   = "Credentials that were revoked are not part of a record."
	expiredOmitted   = "Credentials that have expired are not part of a record."
	withdrawnOmitted = "Awards that were withdrawn are not part of a record."
	heldOmitted      = "The institution holds these credentials back."
	chosenOmitted    = "The learner chose to leave these credentials out."
)

// byPolicy is the sentence of an achievement type that a record type does not hold.
func byPolicy(c Content, achievementType string) string {
	return fmt.Sprintf("A record of the type %q does not hold achievements of the type %s.", c.Title, plainType(achievementType))
}

// elsewhere is the sentence of what does not count toward the program of a record.
func elsewhere(title string) string {
	return fmt.Sprintf("Credentials that do not count toward %s are not part of this record.", title)
}

// plainType is a type of achievement in words: "Community service".
func plainType(t string) string {
	t = strings.TrimPrefix(cmp.Or(t, "Achievement"), "ext:")
	var b strings.Builder
	for i, r := range t {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// everything reports whether nothing of what the type has is to be left out.
func (w Want) everything() bool { return w.Held.empty() && w.Chosen.empty() }
