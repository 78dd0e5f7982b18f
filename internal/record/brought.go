package record

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/spec/jsonld"
)

// maxBrought is how many bytes of what others issued stand in one record: who
// takes it is to be able to read it.
const maxBrought = 4 << 20

// The sentences of what others issued and a record leaves out.
const (
	broughtExpired  = "Credentials of other issuers that have expired are not part of a record."
	broughtToken    = "Credentials of other issuers that are signed as tokens have no place in a record of this standard; the learner has them by themselves."
	broughtForeign  = "Credentials of other issuers whose terms cannot stand within a record are left out; the learner has them by themselves."
	broughtTooLarge = "Credentials of other issuers that would make the record larger than is read elsewhere are left out."
)

// bring puts what learners brought from other issuers into their records, byte for
// byte, or says what is left out and why. The institution knows of it, so a record
// without it is a partial one, CLR 2.0 §ClrCredential partial.
func (s *Service) bring(ctx context.Context, tx pgx.Tx, who access.Actor, w order, all []*one, ids []learner.ID) error {
	found, err := deposit.OfLearnersInTx(ctx, tx, who, ids)
	if err != nil {
		return err
	}
	for _, o := range all {
		size := 0
		for _, d := range found[o.Learner.ID] {
			text := strings.TrimSpace(strings.TrimPrefix(d.Document, "\ufeff"))
			if reason := o.unbrought(w, d, text, size, s.Now()); reason != "" {
				o.left.leave(reason, true)
				continue
			}
			size += len(text)
			o.Brought = append(o.Brought, text)
		}
	}
	return nil
}

// unbrought is why a credential of another issuer is not part of such a record;
// empty when it is.
func (o *one) unbrought(w order, d deposit.Deposit, text string, before int, now time.Time) string {
	switch {
	case !w.of.Content.Deposited:
		return fmt.Sprintf("A record of the type %q does not hold what others issued.", w.of.Content.Title)
	case d.ValidUntil != nil && now.After(*d.ValidUntil):
		return broughtExpired
	case slices.Contains(w.Held.Deposits, d.ID):
		return heldOmitted
	case slices.Contains(w.Chosen.Deposits, d.ID):
		return chosenOmitted
	case before+len(text) > maxBrought:
		return broughtTooLarge
	case d.Format != "json":
		return broughtToken
	case !o.stands(text):
		return broughtForeign
	}
	return ""
}

// stands reports whether a credential can stand within a record: every member of
// it means something there. One that uses contexts that are not known here, or
// that contradict those of a record, would keep the whole from being signed.
func (o *one) stands(text string) bool {
	document, err := Facts{Issuer: o.Issuer, Learner: o.Learner, Brought: []string{text}}.Compose("urn:uuid:00000000-0000-4000-8000-000000000000", "2000-01-01T00:00:00Z")
	if err != nil {
		return false
	}
	_, err = jsonld.Canonize(document)
	return err == nil
}
