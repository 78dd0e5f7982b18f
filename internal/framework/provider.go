package framework

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/spec/imscase"
)

// What follows is the provider. It serves frameworks as the CASE REST API has them, in the version
// that is asked for, whatever version they came in as. Members of the
// institution read every framework; everybody else those that are published:
// see ByStatus.

// published is the condition on f for a reader without an account.
const published = `(not @visitor or f.publication = 'public' or f.publication = 'by_status'
	and lower(coalesce(f.adoption_status, '')) not in ('draft', 'private draft') and (f.license_uri is not null or f.home))`

func providerArgs(who access.Actor, identifier string) pgx.NamedArgs {
	visitor := !slices.ContainsFunc(who.Roles, func(r access.Role) bool { return r != access.Visitor })
	return pgx.NamedArgs{"institution": who.InstitutionID, "visitor": visitor, "identifier": identifier, "whole": true}
}

// provided is a framework as the provider sees it.
type provided struct {
	ID          ID
	Identifier  string
	URI         string `db:"uri"`
	Title       string
	CaseVersion string
	Stamp       string // names its version for good
	Source      string
	Definitions *string
	Extensions  *string
}

const providedColumns = `f.id, f.identifier, f.uri, f.title, f.case_version, f.source,
	case when @whole then f.definitions end as definitions, case when @whole then f.extensions end as extensions,
	(select v.id from framework_version v where v.institution_id = f.institution_id and v.framework_id = f.id and v.version = f.version) as stamp`

func providedWhere(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, where string) ([]provided, error) {
	rows, _ := tx.Query(ctx, `
		select `+providedColumns+`
		from framework f
		where f.institution_id = @institution and `+published+` and `+where+`
		order by f.identifier`, args)
	return pgx.CollectRows(rows, pgx.RowToStructByName[provided])
}

// openTo is a framework that the actor may take away whole.
func openTo(ctx context.Context, tx pgx.Tx, who access.Actor, name string) (Framework, error) {
	f, err := find(ctx, tx, who, name)
	if err != nil {
		return f, err
	}
	all, err := providedWhere(ctx, tx, providerArgs(who, string(f.ID)), `f.id = @identifier`)
	if err == nil && len(all) == 0 {
		err = fault.Missing("framework")
	}
	return f, err
}

// asked is an identifier from an address. NotFound, with the rule uuid, for
// what is none: the standard wants the status of what is not there.
func asked(identifier string) error {
	if !imscase.IsHexUUID(identifier) {
		return unknown("object", identifier)
	}
	return nil
}

func unknown(class, identifier string) error {
	if !imscase.IsUUID(identifier) {
		return &fault.Error{Kind: fault.NotFound, Field: "sourcedId", Rule: "uuid", Message: "The identifier is not a UUID of version 1 to 5 in lower case."}
	}
	return &fault.Error{Kind: fault.NotFound, Field: "sourcedId", Rule: "unknown", Message: "There is no " + class + " with this identifier."}
}

// base is where the provider's addresses of a version begin.
func (s *Service) base(ctx context.Context, tx pgx.Tx, who access.Actor, version string) (string, error) {
	in, err := institution.InTx(ctx, tx, who)
	return in.Base(s.Origin) + "/ims/case/v" + strings.ReplaceAll(version, ".", "p") + "/", err
}

func (f provided) document(version, base string) json.RawMessage {
	raw, _ := imscase.Present(version, "CFDocument", json.RawMessage(f.Source),
		map[string]any{"CFPackageURI": link(f.Title, f.Identifier, base+"CFPackages/"+f.Identifier)})
	return raw
}

// CaseDocuments are all CFDocuments that the actor may read, by identifier, as
// they stand outside of a package.
func (s *Service) CaseDocuments(ctx context.Context, who access.Actor, version string) ([]json.RawMessage, error) {
	all := []json.RawMessage{}
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		base, err := s.base(ctx, tx, who, version)
		if err != nil {
			return err
		}
		args := providerArgs(who, "")
		args["whole"] = false
		found, err := providedWhere(ctx, tx, args, "true")
		for _, f := range found {
			all = append(all, f.document(version, base))
		}
		return err
	})
	return all, err
}

// one is the published framework that an identifier is of.
func one(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, where, class string) (provided, error) {
	all, err := providedWhere(ctx, tx, args, where)
	if err == nil && len(all) == 0 {
		err = unknown(class, args["identifier"].(string))
	}
	if err != nil {
		return provided{}, err
	}
	return all[0], nil
}

// CaseObject is one object outside of a package: a CFDocument, CFItem,
// CFAssociation or CFRubric, or a definition of the class; NotFound with the
// rule uuid or unknown.
func (s *Service) CaseObject(ctx context.Context, who access.Actor, version, class, identifier string) (json.RawMessage, error) {
	if err := asked(identifier); err != nil {
		return nil, err
	}
	var raw json.RawMessage
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		base, err := s.base(ctx, tx, who, version)
		if err != nil {
			return err
		}
		args := providerArgs(who, identifier)
		switch class {
		case "CFDocument":
			f, err := one(ctx, tx, args, `lower(f.identifier) = @identifier`, class)
			raw = f.document(version, base)
			return err
		case "CFItem", "CFAssociation", "CFRubric":
			raw, err = inFramework(ctx, tx, args, version, class)
			return err
		}
		_, all, err := definitions(ctx, tx, args, class)
		if err != nil {
			return err
		}
		raw, _ = imscase.Present(version, class, all[0], nil)
		return nil
	})
	return raw, err
}

// tables are where the objects of a framework are, by class.
var tables = map[string]string{"CFItem": "framework_item", "CFAssociation": "framework_association", "CFRubric": "rubric"}

// inFramework is an item, association or rubric.
func inFramework(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, version, class string) (json.RawMessage, error) {
	live := ""
	if class == "CFItem" {
		live = " and o.retired_at is null"
	}
	var title, identifier, uri, source string
	err := tx.QueryRow(ctx, `
		select f.title, f.identifier, f.uri, o.source
		from `+tables[class]+` o
		join framework f on f.institution_id = o.institution_id and f.id = o.framework_id
		where o.institution_id = @institution and o.identifier = any(array[@identifier, upper(@identifier)]) and `+published+live+`
		order by f.id
		limit 1`, args).Scan(&title, &identifier, &uri, &source)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, unknown(class, args["identifier"].(string))
	}
	if err != nil {
		return nil, err
	}
	var add map[string]any
	if class != "CFRubric" {
		add = map[string]any{"CFDocumentURI": link(title, strings.ToLower(identifier), uri)}
	}
	raw, ok := imscase.Present(version, class, json.RawMessage(source), add)
	if !ok {
		return nil, unknown(class, args["identifier"].(string))
	}
	return raw, nil
}

// CaseAssociations are an item and every association that has it at an end.
func (s *Service) CaseAssociations(ctx context.Context, who access.Actor, version, identifier string) (item json.RawMessage, links []json.RawMessage, err error) {
	if err := asked(identifier); err != nil {
		return nil, nil, err
	}
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		args := providerArgs(who, identifier)
		if item, err = inFramework(ctx, tx, args, version, "CFItem"); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `
			select o.source
			from framework_association o
			join framework f on f.institution_id = o.institution_id and f.id = o.framework_id
			where o.institution_id = @institution and `+published+`
			  and (o.origin_identifier = any(array[@identifier, upper(@identifier)]) or o.destination_identifier = any(array[@identifier, upper(@identifier)]))
			order by f.id, o.position, o.id`, args)
		sources, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, source := range sources {
			if raw, ok := imscase.Present(version, "CFAssociation", json.RawMessage(source), nil); ok {
				links = append(links, raw)
			}
		}
		return err
	})
	return item, links, err
}

// definitions are those of a class in the framework that has the one with the
// identifier, that one first.
func definitions(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, class string) (provided, []json.RawMessage, error) {
	all, err := providedWhere(ctx, tx, args, `f.definitions ilike '%' || @identifier || '%'`)
	if err != nil {
		return provided{}, nil, err
	}
	identifier := args["identifier"].(string)
	for _, f := range all {
		list := imscase.Member(raw(f.Definitions), class+"s")
		at := slices.IndexFunc(list, func(o json.RawMessage) bool { return strings.ToLower(head(o).Identifier) == identifier })
		if at >= 0 {
			return f, slices.Concat(list[at:at+1], list[:at], list[at+1:]), nil
		}
	}
	return provided{}, nil, unknown(class, identifier)
}

type headOf struct {
	Identifier    string `json:"identifier"`
	HierarchyCode string `json:"hierarchyCode"`
}

func head(o json.RawMessage) headOf {
	var h headOf
	_ = json.Unmarshal(o, &h) // was read when it came in
	return h
}

// CaseSet is a definition of a class that has hierarchy codes, and those below
// it.
func (s *Service) CaseSet(ctx context.Context, who access.Actor, version, class, identifier string) ([]json.RawMessage, error) {
	if err := asked(identifier); err != nil {
		return nil, err
	}
	var set []json.RawMessage
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		_, all, err := definitions(ctx, tx, providerArgs(who, identifier), class)
		if err != nil {
			return err
		}
		code := head(all[0]).HierarchyCode
		for i, o := range all {
			if i > 0 && !below(code, head(o).HierarchyCode) {
				continue
			}
			if raw, ok := imscase.Present(version, class, o, nil); ok {
				set = append(set, raw)
			}
		}
		return nil
	})
	return set, err
}

// below reports whether a hierarchy code is one below another: 1.2 is below 1,
// and 12 is not.
func below(above, code string) bool {
	rest, ok := strings.CutPrefix(code, above)
	return ok && above != "" && rest != "" && strings.ContainsAny(rest[:1], ".-_/ :")
}

// CasePackage writes a CFPackage. begin is told the name of the version, which
// never names anything else, and gives where to write to, or nil when nothing
// is to be written.
func (s *Service) CasePackage(ctx context.Context, who access.Actor, version, identifier string, begin func(stamp string) io.Writer) error {
	if err := asked(identifier); err != nil {
		return err
	}
	return s.read(ctx, who, func(tx pgx.Tx) error {
		f, err := one(ctx, tx, providerArgs(who, identifier), `lower(f.identifier) = @identifier`, "CFPackage")
		if err != nil {
			return err
		}
		w := begin(f.Stamp)
		if w == nil {
			return nil
		}
		args := pgx.NamedArgs{"institution": who.InstitutionID, "framework": f.ID}
		present := func(class, sql string) iter.Seq2[json.RawMessage, error] {
			return func(yield func(json.RawMessage, error) bool) {
				for raw, err := range each(ctx, tx, sql, args) {
					if err != nil {
						yield(nil, err)
						return
					}
					out, ok := raw, true
					if f.CaseVersion != version || version == imscase.V10 {
						out, ok = imscase.Present(version, class, raw, nil)
					}
					if ok && !yield(out, nil) {
						return
					}
				}
			}
		}
		p := imscase.Parts{
			Items: present("CFItem", `select source from framework_item
				where institution_id = @institution and framework_id = @framework and retired_at is null order by position, id`),
			Associations: present("CFAssociation", `select source from framework_association
				where institution_id = @institution and framework_id = @framework order by position, id`),
			Rubrics: present("CFRubric", `select source from rubric
				where institution_id = @institution and framework_id = @framework order by position, id`),
			Definitions: imscase.Definitions(version, orEmpty(raw(f.Definitions))),
		}
		if version == imscase.V11 {
			p.Extensions = raw(f.Extensions)
		}
		p.Document, _ = imscase.Present(version, "CFDocument", json.RawMessage(f.Source), nil)
		return imscase.Write(w, p)
	})
}
