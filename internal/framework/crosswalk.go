package framework

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// The directions of a crosswalk.
const (
	Forward = "forward" // what holds of the origin holds of the destination
	Both    = "both"    // and the other way round
)

// Crosswalk is what this institution says that two competencies of different
// frameworks have to do with each other. It counts from its approval to its
// withdrawal; neither is undone, so that any day can be judged by what held.
type Crosswalk struct {
	ID                string
	Type              string // a CASE association type: origin type destination
	Direction         string
	OriginItemID      ItemID
	DestinationItemID ItemID
	Strength          float64 // above 0 to 1
	Note              *string
	ProposedAt        time.Time
	ProposedBy        string
	ApprovedAt        *time.Time
	ApprovedBy        *string // who approved it here
	Approver          *string // the person or body that stands for it
	WithdrawnAt       *time.Time
	WithdrawnBy       *string
	WithdrawnBecause  *string
	Version           int
}

// Proposal is a crosswalk to be.
type Proposal struct {
	OriginID      string // id or CASE identifier
	DestinationID string
	Type          string
	Direction     string
	Strength      float64
	Note          *string
}

var crosswalkTypes = []string{"exactMatchOf", "isPartOf", "isPeerOf", "isRelatedTo", "precedes", "replacedBy", "isTranslationOf", "exemplar", "hasSkillLevel"}

var extensionType = regexp.MustCompile(`^ext:[A-Za-z0-9.\-_]{1,100}$`)

// maxNote is the longest note or reason in bytes.
const maxNote = 2000

func (p Proposal) check() *fault.Error {
	switch {
	case p.Type == "isChildOf":
		return fault.At("type", "hierarchy", "isChildOf is the place of a competency in its own framework and cannot lead to another.")
	case !slices.Contains(crosswalkTypes, p.Type) && !extensionType.MatchString(p.Type):
		return fault.At("type", "case-association-type", "%q is not an association type of CASE. Use one of: %s; or ext: and a name.", p.Type, strings.Join(crosswalkTypes, " "))
	case p.Direction != Forward && p.Direction != Both:
		return fault.At("direction", "known", "%q is not a direction: use forward or both.", p.Direction)
	case p.Strength <= 0 || p.Strength > 1:
		return fault.At("strength", "range", "A strength is above 0 and at most 1.")
	case p.Note != nil && len(*p.Note) > maxNote:
		return fault.At("note", "too-long", "A note has at most %d bytes.", maxNote)
	}
	return nil
}

const crosswalkColumns = `id, type, direction, origin_item_id, destination_item_id, strength, note, proposed_at, proposed_by, approved_at,
	approved_by, approver, withdrawn_at, withdrawn_by, withdrawn_because, version`

// ProposeCrosswalk notes a crosswalk between two frameworks. It does not count until it
// is approved. Conflict when the same is proposed or in force already.
func (s *Service) ProposeCrosswalk(ctx context.Context, who access.Actor, p Proposal) (Crosswalk, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Crosswalk{}, err
	}
	if err := p.check(); err != nil {
		return Crosswalk{}, err
	}
	c := Crosswalk{ID: s.NewID("xwk"), Type: p.Type, Direction: p.Direction, Strength: p.Strength, Note: p.Note,
		ProposedAt: pg.Instant(s.Now()), ProposedBy: who.ID, Version: 1}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		origin, err := end(ctx, tx, who, "originId", p.OriginID)
		if err != nil {
			return err
		}
		destination, err := end(ctx, tx, who, "destinationId", p.DestinationID)
		if err != nil {
			return err
		}
		if origin.FrameworkID == destination.FrameworkID {
			return fault.At("destinationId", "another-framework", "Both competencies are in one framework: associate them there instead.")
		}
		c.OriginItemID, c.DestinationItemID = origin.ID, destination.ID
		_, err = tx.Exec(ctx, `
			insert into crosswalk (institution_id, id, type, direction, origin_item_id, destination_item_id, strength, note, proposed_at, proposed_by)
			values (@institution, @id, @type, @direction, @origin, @destination, @strength, @note, @now, @by)`,
			pgx.NamedArgs{"institution": who.InstitutionID, "id": c.ID, "type": c.Type, "direction": c.Direction, "origin": c.OriginItemID,
				"destination": c.DestinationItemID, "strength": c.Strength, "note": c.Note, "now": c.ProposedAt, "by": c.ProposedBy})
		if pg.Constraint(err) == "crosswalk_once" {
			return &fault.Error{Kind: fault.Conflict, Field: "destinationId", Rule: "crosswalk-once", Message: "This crosswalk is proposed or in force already."}
		}
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, c.ProposedAt, who, audit.Entry{Action: access.DefineCatalog, Target: c.ID,
			Detail: map[string]any{"type": c.Type, "origin": c.OriginItemID, "destination": c.DestinationItemID, "strength": c.Strength}})
	})
	return c, err
}

func end(ctx context.Context, tx pgx.Tx, who access.Actor, field, name string) (Item, error) {
	i, err := ItemInTx(ctx, tx, who, name)
	if f, ok := fault.Of(err); ok {
		return i, f.Within(field)
	}
	return i, err
}

// ApproveCrosswalk puts a crosswalk in force; approver names the person or body that
// stands for it. State when it was withdrawn; one that is approved already
// stays as it is.
func (s *Service) ApproveCrosswalk(ctx context.Context, who access.Actor, crosswalk, approver string, expected *int) (Crosswalk, error) {
	return s.change(ctx, who, crosswalk, expected, func(c *Crosswalk, now time.Time) error {
		if approver = strings.TrimSpace(approver); approver == "" || len(approver) > maxTitle {
			return fault.At("approver", "required", "Say who stands for the crosswalk: a person or a body, in at most %d bytes.", maxTitle)
		}
		if c.WithdrawnAt != nil {
			return &fault.Error{Kind: fault.State, Field: "id", Rule: "not-withdrawn", Message: "This crosswalk was withdrawn. Propose it again."}
		}
		if c.ApprovedAt == nil {
			c.ApprovedAt, c.ApprovedBy, c.Approver = &now, &who.ID, &approver
		}
		return nil
	})
}

// WithdrawCrosswalk ends a crosswalk, with a reason: it does not count from now on.
func (s *Service) WithdrawCrosswalk(ctx context.Context, who access.Actor, crosswalk, because string, expected *int) (Crosswalk, error) {
	return s.change(ctx, who, crosswalk, expected, func(c *Crosswalk, now time.Time) error {
		if because = strings.TrimSpace(because); because == "" || len(because) > maxNote {
			return fault.At("reason", "required", "Say why, in at most %d bytes.", maxNote)
		}
		if c.WithdrawnAt == nil {
			c.WithdrawnAt, c.WithdrawnBy, c.WithdrawnBecause = &now, &who.ID, &because
		}
		return nil
	})
}

func (s *Service) change(ctx context.Context, who access.Actor, crosswalk string, expected *int, decide func(*Crosswalk, time.Time) error) (Crosswalk, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Crosswalk{}, err
	}
	var c Crosswalk
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if c, err = findCrosswalk(ctx, tx, who, crosswalk, " for update"); err != nil {
			return err
		}
		if expected != nil && *expected != c.Version {
			return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version", Message: "This crosswalk was changed since you read it. Read it again and decide."}
		}
		old, now := c, pg.Instant(s.Now())
		if err := decide(&c, now); err != nil || c == old {
			return err
		}
		c.Version++
		if _, err := tx.Exec(ctx, `
			update crosswalk set approved_at = @approved, approved_by = @approvedBy, approver = @approver, withdrawn_at = @withdrawn,
				withdrawn_by = @withdrawnBy, withdrawn_because = @because, version = @version
			where institution_id = @institution and id = @id`,
			pgx.NamedArgs{"institution": who.InstitutionID, "id": c.ID, "approved": c.ApprovedAt, "approvedBy": c.ApprovedBy, "approver": c.Approver,
				"withdrawn": c.WithdrawnAt, "withdrawnBy": c.WithdrawnBy, "because": c.WithdrawnBecause, "version": c.Version}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			insert into crosswalk_stamp (institution_id, stamp) values (@institution, @stamp)
			on conflict (institution_id) do update set stamp = excluded.stamp`,
			pgx.NamedArgs{"institution": who.InstitutionID, "stamp": s.NewID("stp")}); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.DefineCatalog, Target: c.ID,
			Detail: map[string]any{"approved": c.ApprovedAt != nil, "withdrawn": c.WithdrawnAt != nil}})
	})
	return c, err
}

func findCrosswalk(ctx context.Context, tx pgx.Tx, who access.Actor, crosswalk, lock string) (Crosswalk, error) {
	rows, _ := tx.Query(ctx, `
		select `+crosswalkColumns+`
		from crosswalk
		where institution_id = @institution and id = @id`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": crosswalk})
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Crosswalk])
	if errors.Is(err, pgx.ErrNoRows) {
		return c, fault.Missing("crosswalk")
	}
	return c, err
}

// CrosswalkFilter narrows a list of crosswalks.
type CrosswalkFilter struct {
	FrameworkID *ID   // with an end in this framework
	InForce     *bool // approved and not withdrawn, or everything else
}

type crosswalkCursor struct {
	ID string `json:"i"`
}

// Crosswalks are the crosswalks in the order of their proposal.
func (s *Service) Crosswalks(ctx context.Context, who access.Actor, f CrosswalkFilter, a page.Args) (page.Connection[Crosswalk], error) {
	var c page.Connection[Crosswalk]
	limit, after, _, err := page.Start[crosswalkCursor](a)
	if err != nil {
		return c, err
	}
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select `+crosswalkColumns+`
			from crosswalk
			where institution_id = @institution and id > @after
			  and (@inForce::bool is null or (approved_at is not null and withdrawn_at is null) = @inForce)
			  and (@framework::text is null or exists (
				select from framework_item i
				where i.institution_id = @institution and i.framework_id = @framework and i.id in (origin_item_id, destination_item_id)))
			order by id
			limit @limit`,
			pgx.NamedArgs{"institution": who.InstitutionID, "after": after.ID, "inForce": f.InForce, "framework": f.FrameworkID, "limit": limit + 1})
		all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Crosswalk])
		c = page.Of(all, limit, a, func(c Crosswalk) crosswalkCursor { return crosswalkCursor{c.ID} })
		return err
	})
	return c, err
}

// CrosswalksOf are the crosswalks with each item at one end, those withdrawn
// included.
func (s *Service) CrosswalksOf(ctx context.Context, who access.Actor, ids []ItemID) (map[ItemID][]Crosswalk, error) {
	all := make(map[ItemID][]Crosswalk, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select `+crosswalkColumns+`
			from crosswalk
			where institution_id = @institution and (origin_item_id = any(@ids) or destination_item_id = any(@ids))
			order by id`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
		found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Crosswalk])
		for _, c := range found {
			for _, i := range []ItemID{c.OriginItemID, c.DestinationItemID} {
				if slices.Contains(ids, i) {
					all[i] = append(all[i], c)
				}
			}
		}
		return err
	})
	return all, err
}
