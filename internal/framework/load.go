package framework

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/spec/imscase"
)

// Load reads a CASE package into the caller's transaction. A package that the
// standard refuses comes back as *imscase.Refused, and the caller must roll
// back. It writes no audit line: the job does.
func Load(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, r io.Reader) (Loaded, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Loaded{}, err
	}
	s := &stage{ctx: ctx, tx: tx, b: b, items: map[string]bool{}}
	if err := s.open(); err != nil {
		return Loaded{}, err
	}
	pkg, err := imscase.Read(r, imscase.Sink{Item: s.item, Association: s.association, Rubric: s.rubric})
	if err != nil {
		return Loaded{}, err
	}
	if err := s.flushAll(); err != nil {
		return Loaded{}, err
	}
	l := Loaded{Version: pkg.Version, Notices: oddities(pkg.Document.Identifier, s.items, s.children, s.edges)}
	if l.Framework, err = putFramework(ctx, tx, who, b, pkg, &l); err != nil {
		return Loaded{}, err
	}
	return l, s.merge(who, l.Framework, &l)
}

// stage copies the parts of a package into temporary tables as they are read.
type stage struct {
	ctx                                       context.Context
	tx                                        pgx.Tx
	b                                         bulk.Batch
	items                                     map[string]bool
	children, edges                           []edge
	itemRows, linkRows                        [][]any
	rubricRows, critRows, levelRows           [][]any
	itemCount, linkCount, rubricCount, critNo int
}

// flushAt is how many rows are gathered before they are copied.
const flushAt = 2000

func (s *stage) open() error {
	_, err := s.tx.Exec(s.ctx, `
		create temp table import_item (id text collate "C", identifier text, uri text, full_statement text,
			abbreviated_statement text, human_coding_scheme text, list_enumeration text, item_type text, education_level text[],
			concept_keywords text[], language text, notes text, status_start_on date, status_end_on date, changed_at timestamptz,
			position int, source text) on commit drop;
		create temp table import_link (id text collate "C", identifier text, uri text, type text, origin_identifier text, origin_uri text,
			destination_identifier text, destination_uri text, sequence_number int, changed_at timestamptz, position int, source text) on commit drop;
		create temp table import_rubric (id text collate "C", identifier text, uri text, title text, description text, position int, source text) on commit drop;
		create temp table import_criterion (rubric text, id text collate "C", identifier text, uri text, category text, description text,
			item_identifier text, weight double precision, position int) on commit drop;
		create temp table import_level (criterion text, id text collate "C", identifier text, uri text, quality text, description text,
			feedback text, score double precision, position int) on commit drop`)
	return err
}

func (s *stage) item(i imscase.Item) error {
	s.items[i.Identifier] = true
	s.itemCount++
	s.itemRows = append(s.itemRows, []any{s.b.NewID("itm"), i.Identifier, i.URI, i.FullStatement, text(i.AbbreviatedStatement),
		text(i.HumanCodingScheme), text(i.ListEnumeration), text(i.ItemType), list(i.EducationLevel), list(i.ConceptKeywords),
		text(i.Language), text(i.Notes), date(i.StatusStartDate), date(i.StatusEndDate), instant(i.LastChangeDateTime), s.itemCount, string(i.Raw)})
	return s.flush(&s.itemRows, flushAt, "import_item", itemColumns)
}

func (s *stage) association(a imscase.Association) error {
	s.linkCount++
	e := edge{a.Origin.Identifier, a.Destination.Identifier}
	s.edges = append(s.edges, e)
	if a.Type == "isChildOf" {
		s.children = append(s.children, e)
	}
	s.linkRows = append(s.linkRows, []any{s.b.NewID("asc"), a.Identifier, a.URI, a.Type, a.Origin.Identifier, a.Origin.URI,
		a.Destination.Identifier, a.Destination.URI, a.SequenceNumber, instant(a.LastChangeDateTime), s.linkCount, string(a.Raw)})
	return s.flush(&s.linkRows, flushAt, "import_link", linkColumns)
}

func (s *stage) rubric(r imscase.Rubric) error {
	s.rubricCount++
	s.rubricRows = append(s.rubricRows, []any{s.b.NewID("rub"), r.Identifier, r.URI, text(r.Title), text(r.Description), s.rubricCount, string(r.Raw)})
	for _, c := range r.Criteria {
		s.critNo++
		var item *string
		if c.Item != nil {
			item = &c.Item.Identifier
		}
		s.critRows = append(s.critRows, []any{r.Identifier, s.b.NewID("crt"), c.Identifier, c.URI, text(c.Category), text(c.Description), item, c.Weight, s.critNo})
		for n, l := range c.Levels {
			s.levelRows = append(s.levelRows, []any{c.Identifier, s.b.NewID("lvl"), l.Identifier, l.URI, text(l.Quality), text(l.Description),
				text(l.Feedback), l.Score, n + 1})
		}
	}
	return nil
}

var (
	itemColumns = []string{"id", "identifier", "uri", "full_statement", "abbreviated_statement", "human_coding_scheme", "list_enumeration",
		"item_type", "education_level", "concept_keywords", "language", "notes", "status_start_on", "status_end_on", "changed_at", "position", "source"}
	linkColumns = []string{"id", "identifier", "uri", "type", "origin_identifier", "origin_uri", "destination_identifier", "destination_uri",
		"sequence_number", "changed_at", "position", "source"}
)

func (s *stage) flush(rows *[][]any, at int, table string, columns []string) error {
	if len(*rows) < at || len(*rows) == 0 {
		return nil
	}
	_, err := s.tx.CopyFrom(s.ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(*rows))
	*rows = (*rows)[:0]
	return err
}

func (s *stage) flushAll() error {
	return errors.Join(
		s.flush(&s.itemRows, 1, "import_item", itemColumns),
		s.flush(&s.linkRows, 1, "import_link", linkColumns),
		s.flush(&s.rubricRows, 1, "import_rubric", []string{"id", "identifier", "uri", "title", "description", "position", "source"}),
		s.flush(&s.critRows, 1, "import_criterion", []string{"rubric", "id", "identifier", "uri", "category", "description", "item_identifier", "weight", "position"}),
		s.flush(&s.levelRows, 1, "import_level", []string{"criterion", "id", "identifier", "uri", "quality", "description", "feedback", "score", "position"}))
}

// putFramework adds the document or brings it up to date.
func putFramework(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, pkg imscase.Package, l *Loaded) (ID, error) {
	d, now := pkg.Document, pg.Instant(b.Now)
	hash := sha256.Sum256([]byte(fmt.Sprintf("%s\n%s\n%s\n%s", pkg.Version, d.Raw, pkg.Definitions, pkg.Extensions)))
	var old ID
	var same bool
	err := tx.QueryRow(ctx, `select id, content_hash = @hash from framework where institution_id = @institution and identifier = @identifier for update`,
		pgx.NamedArgs{"institution": who.InstitutionID, "identifier": d.Identifier, "hash": hash[:]}).Scan(&old, &same)
	if same {
		l.Unchanged++
		return old, nil
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", err
	}
	args := pgx.NamedArgs{"institution": who.InstitutionID, "id": b.NewID("fwk"), "identifier": d.Identifier, "uri": d.URI, "case": pkg.Version,
		"title": d.Title, "creator": d.Creator, "publisher": text(d.Publisher), "description": text(d.Description), "language": text(d.Language),
		"version": text(d.Version), "status": text(d.AdoptionStatus), "start": date(d.StatusStartDate), "end": date(d.StatusEndDate),
		"changed": instant(d.LastChangeDateTime), "source": string(d.Raw), "definitions": text(string(pkg.Definitions)),
		"extensions": text(string(pkg.Extensions)), "hash": hash[:], "now": now}
	if l.Updated++; old == "" {
		l.Updated, l.Created = l.Updated-1, l.Created+1
	}
	var put ID
	err = tx.QueryRow(ctx, `
		insert into framework as f (institution_id, id, identifier, uri, case_version, title, creator, publisher, description, language,
			framework_version, adoption_status, status_start_on, status_end_on, changed_at, source, definitions, extensions,
			content_hash, created_at, updated_at)
		values (@institution, @id, @identifier, @uri, @case, @title, @creator, @publisher, @description, @language, @version, @status,
			@start, @end, @changed, @source, @definitions, @extensions, @hash, @now, @now)
		on conflict (institution_id, identifier) do update set uri = excluded.uri, case_version = excluded.case_version,
			title = excluded.title, creator = excluded.creator, publisher = excluded.publisher, description = excluded.description,
			language = excluded.language, framework_version = excluded.framework_version, adoption_status = excluded.adoption_status,
			status_start_on = excluded.status_start_on, status_end_on = excluded.status_end_on, changed_at = excluded.changed_at,
			source = excluded.source, definitions = excluded.definitions, extensions = excluded.extensions,
			content_hash = excluded.content_hash, version = f.version + 1, updated_at = excluded.updated_at
		returning id`, args).Scan(&put)
	return put, err
}

// merge brings items, associations and rubrics up to date, set by set.
func (s *stage) merge(who access.Actor, f ID, l *Loaded) error {
	args := pgx.NamedArgs{"institution": who.InstitutionID, "framework": f, "now": pg.Instant(s.b.Now)}
	for _, step := range []struct {
		sql   string
		count *int
	}{
		{retireItems, &l.Retired},
		{updateItems, &l.Updated},
		{insertItems, &l.Created},
		{deleteLinks, &l.Retired},
		{updateLinks, &l.Updated},
		{insertLinks, &l.Created},
		{deleteRubrics, nil}, // a changed rubric is taken out and put in again
		{insertRubrics, &l.Created},
		{insertCriteria, nil},
		{insertLevels, nil},
	} {
		tag, err := s.tx.Exec(s.ctx, step.sql, args)
		if err != nil {
			return err
		}
		if step.count != nil {
			*step.count += int(tag.RowsAffected())
		}
	}
	l.Unchanged = max(0, 1+s.itemCount+s.linkCount+s.rubricCount-l.Created-l.Updated)
	return nil
}

const (
	retireItems = `
		update framework_item i set retired_at = @now
		where institution_id = @institution and framework_id = @framework and retired_at is null
		  and not exists (select from import_item n where n.identifier = i.identifier)`
	updateItems = `
		update framework_item i set uri = n.uri, full_statement = n.full_statement, abbreviated_statement = n.abbreviated_statement,
			human_coding_scheme = n.human_coding_scheme, list_enumeration = n.list_enumeration, item_type = n.item_type,
			education_level = n.education_level, concept_keywords = n.concept_keywords, language = n.language, notes = n.notes,
			status_start_on = n.status_start_on, status_end_on = n.status_end_on, changed_at = n.changed_at, position = n.position,
			source = n.source, retired_at = null
		from import_item n
		where i.institution_id = @institution and i.framework_id = @framework and i.identifier = n.identifier
		  and (i.source is distinct from n.source or i.position <> n.position or i.retired_at is not null)`
	insertItems = `
		insert into framework_item (institution_id, framework_id, id, identifier, uri, full_statement, abbreviated_statement,
			human_coding_scheme, list_enumeration, item_type, education_level, concept_keywords, language, notes, status_start_on,
			status_end_on, changed_at, position, source)
		select @institution, @framework, id, identifier, uri, full_statement, abbreviated_statement, human_coding_scheme,
			list_enumeration, item_type, education_level, concept_keywords, language, notes, status_start_on, status_end_on,
			changed_at, position, source
		from import_item
		on conflict (institution_id, framework_id, identifier) do nothing`
	deleteLinks = `
		delete from framework_association a
		where institution_id = @institution and framework_id = @framework
		  and not exists (select from import_link n where n.identifier = a.identifier)`
	updateLinks = `
		update framework_association a set type = n.type, origin_identifier = n.origin_identifier, origin_uri = n.origin_uri,
			destination_identifier = n.destination_identifier, destination_uri = n.destination_uri,
			sequence_number = n.sequence_number, changed_at = n.changed_at, position = n.position, source = n.source
		from import_link n
		where a.institution_id = @institution and a.framework_id = @framework and a.identifier = n.identifier
		  and (a.source is distinct from n.source or a.position <> n.position)`
	insertLinks = `
		insert into framework_association (institution_id, framework_id, id, identifier, type, origin_identifier, origin_uri,
			destination_identifier, destination_uri, sequence_number, changed_at, position, source)
		select @institution, @framework, id, identifier, type, origin_identifier, origin_uri, destination_identifier,
			destination_uri, sequence_number, changed_at, position, source
		from import_link
		on conflict (institution_id, framework_id, identifier) do nothing`
	deleteRubrics = `
		delete from rubric r
		where institution_id = @institution and framework_id = @framework
		  and not exists (select from import_rubric n where n.identifier = r.identifier and n.source = r.source and n.position = r.position)`
	insertRubrics = `
		insert into rubric (institution_id, framework_id, id, identifier, uri, title, description, position, source)
		select @institution, @framework, id, identifier, uri, title, description, position, source
		from import_rubric
		on conflict (institution_id, framework_id, identifier) do nothing`
	insertCriteria = `
		insert into rubric_criterion (institution_id, rubric_id, id, identifier, uri, category, description, item_identifier, weight, position)
		select @institution, r.id, c.id, c.identifier, c.uri, c.category, c.description, c.item_identifier, c.weight, c.position
		from import_criterion c
		join import_rubric n on n.identifier = c.rubric
		join rubric r on r.institution_id = @institution and r.id = n.id`
	insertLevels = `
		insert into rubric_level (institution_id, criterion_id, id, identifier, uri, quality, description, feedback, score, position)
		select @institution, c.id, l.id, l.identifier, l.uri, l.quality, l.description, l.feedback, l.score, l.position
		from import_level l
		join import_criterion n on n.identifier = l.criterion
		join rubric_criterion c on c.institution_id = @institution and c.id = n.id`
)

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func list(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

// date reads a day, or the day of an instant; what is neither was refused.
func date(s string) *day.Date {
	if len(s) > len("2006-01-02") {
		s = s[:len("2006-01-02")]
	}
	d, err := day.Parse(s)
	if err != nil {
		return nil
	}
	return &d
}

func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return pg.Instant(t)
}

// Refusal is a refused package as a fault for a caller who sent it whole.
func Refusal(err error) error {
	var r *imscase.Refused
	if !errors.As(err, &r) {
		return err
	}
	v := r.Violations[0]
	return &fault.Error{Kind: fault.Invalid, Field: v.Pointer, Rule: v.Rule, Message: v.Message}
}
