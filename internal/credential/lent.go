package credential

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/spec/bitstring"
)

// Lend hands out a place in the institution's status list of a purpose,
// revocation or suspension, for a credential that is signed here and kept
// elsewhere. A place is never handed out twice.
func (s *Service) Lend(ctx context.Context, who access.Actor, credentialID, purpose string) (bitstring.Entry, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return bitstring.Entry{}, err
	}
	places, err := s.take(ctx, who, purpose, 1)
	if err != nil {
		return bitstring.Entry{}, err
	}
	at := places[0]
	system := access.SystemOf(who.InstitutionID, "status")
	var in institution.Institution
	err = s.DB.Tenant(ctx, system, func(tx pgx.Tx) (err error) {
		if in, err = institution.InTx(ctx, tx, system); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			insert into lent_place (institution_id, list, index, credential_id, lent_at)
			values (@institution, @list, @index, @credential, @now)`,
			pgx.NamedArgs{"institution": who.InstitutionID, "list": at.List, "index": at.Index, "credential": credentialID, "now": pg.Instant(s.Now())})
		return err
	})
	return at.entry(in.Base(s.Origin), purpose), err
}

// MarkLent sets the bit of a place that was lent for a credential, or clears it;
// doing so again changes nothing. A revocation is final: State when it is to be
// cleared. NotFound for a place that was not lent, or for another one, or in a
// list of another purpose.
func (s *Service) MarkLent(ctx context.Context, who access.Actor, credentialID string, e bitstring.Entry, set bool) error {
	if err := access.Check(who, access.Issue); err != nil {
		return err
	}
	if !set && e.Purpose != bitstring.Suspension {
		return &fault.Error{Kind: fault.State, Rule: "revocation-final", Message: "A revocation is final: its bit is not cleared."}
	}
	index, err := strconv.Atoi(e.Index)
	if err != nil {
		return fault.At("credentialStatus.statusListIndex", "index", "%q is not a place in a list.", e.Index)
	}
	system := access.SystemOf(who.InstitutionID, "status")
	return s.DB.Tenant(ctx, system, func(tx pgx.Tx) error {
		in, err := institution.InTx(ctx, tx, system)
		if err != nil {
			return err
		}
		number, ok := strings.CutPrefix(e.Credential, in.Base(s.Origin)+"/status/")
		list, err := strconv.Atoi(number)
		if !ok || err != nil {
			return fault.Missing("credential")
		}
		now := pg.Instant(s.Now())
		done, err := tx.Exec(ctx, `
			update lent_place p
			set revoked_at = case when @set then coalesce(p.revoked_at, @now) end
			from status_list l
			where p.institution_id = @institution and p.list = @list and p.index = @index and p.credential_id = @credential
			  and l.institution_id = p.institution_id and l.number = p.list and l.purpose = @purpose`,
			pgx.NamedArgs{"institution": who.InstitutionID, "list": list, "index": index, "credential": credentialID, "now": now, "set": set, "purpose": e.Purpose})
		if err == nil && done.RowsAffected() == 0 {
			err = fault.Missing("credential")
		}
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Issue, Target: e.ID, Detail: map[string]any{"status": e.Purpose, "set": set}})
	})
}
