package framework

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"reflect"
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
	return load(ctx, tx, who, b, r, part{reason: "imported"})
}

// part says how much of a framework a package is.
type part struct {
	reason string   // for the account of versions
	only   bool     // what the package does not have stays as it is
	gone   []string // identifiers to take out though the rest stays
	home   bool     // made here
}

func load(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, r io.Reader, p part) (Loaded, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Loaded{}, err
	}
	s := &stage{ctx: ctx, tx: tx, who: who, b: b, part: p, items: map[string]bool{}}
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
	l := Loaded{CaseVersion: pkg.Version, Notices: oddities(pkg.Document.Identifier, s.items, s.children, s.edges)}
	l.Notices = append(l.Notices, pkg.Liberties...)
	if p.only {
		l.Notices = nil
	}
	return l, s.put(pkg, &l)
}

// stage copies the parts of a package into temporary tables as they are read.
type stage struct {
	ctx                                       context.Context
	tx                                        pgx.Tx
	who                                       access.Actor
	b                                         bulk.Batch
	part                                      part
	items                                     map[string]bool
	children, edges                           []edge
	itemRows, linkRows                        [][]any
	rubricRows, critRows, levelRows           [][]any
	itemCount, linkCount, rubricCount, critNo int
}

// flushAt is how many rows are gathered before they are copied.
const flushAt = 2000

// open makes the temporary tables, which a connection then keeps, and empties
// them, in case this transaction has staged something before.
func (s *stage) open() error {
	_, err := s.tx.Exec(s.ctx, `
		create temp table if not exists import_item (id text collate "C", identifier text, uri text, full_statement text,
			abbreviated_statement text, human_coding_scheme text, list_enumeration text, item_type text, education_level text[],
			concept_keywords text[], language text, notes text, status_start_on date, status_end_on date, changed_at timestamptz,
			position int, source text) on commit delete rows;
		create temp table if not exists import_link (id text collate "C", identifier text, uri text, type text, origin_identifier text, origin_uri text,
			destination_identifier text, destination_uri text, sequence_number int, changed_at timestamptz, position int, source text) on commit delete rows;
		create temp table if not exists import_rubric (id text collate "C", identifier text, uri text, title text, description text, position int, source text) on commit delete rows;
		create temp table if not exists import_criterion (rubric text, id text collate "C", identifier text, uri text, category text, description text,
			item_identifier text, weight double precision, position int) on commit delete rows;
		create temp table if not exists import_level (criterion text, id text collate "C", identifier text, uri text, quality text, description text,
			feedback text, score double precision, position int) on commit delete rows;
		delete from import_item; delete from import_link; delete from import_rubric; delete from import_criterion; delete from import_level`)
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
		a.Destination.Identifier, a.Destination.URI, (*int)(a.SequenceNumber), instant(a.LastChangeDateTime), s.linkCount, string(a.Raw)})
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

// base is a framework as it was before a package.
type base struct {
	id                      ID
	version, since          int
	caseVersion, source     string
	definitions, extensions *string
}

// put brings the framework up to what was staged. Nothing is written when the
// package says what is here already.
func (s *stage) put(pkg imscase.Package, l *Loaded) error {
	var old base
	err := s.tx.QueryRow(s.ctx, `
		select id, version, since_version, case_version, source, definitions, extensions
		from framework
		where institution_id = @institution and identifier = @identifier
		for update`, pgx.NamedArgs{"institution": s.who.InstitutionID, "identifier": pkg.Document.Identifier}).
		Scan(&old.id, &old.version, &old.since, &old.caseVersion, &old.source, &old.definitions, &old.extensions)
	if errors.Is(err, pgx.ErrNoRows) {
		return s.add(pkg, l)
	}
	if err != nil {
		return err
	}
	l.Framework, l.Before, l.Version = old.id, old.version, old.version
	if s.part.only {
		pkg.Version, pkg.Definitions, pkg.Extensions = old.caseVersion, raw(old.definitions), raw(old.extensions)
	}
	changed := pkg.Version != old.caseVersion || !sameJSON(wrapped(pkg.Document.Raw, pkg.Definitions, pkg.Extensions),
		wrapped(json.RawMessage(old.source), raw(old.definitions), raw(old.extensions)))
	args := s.args(old.id, old.version+1)
	if err := s.forgive(args); err != nil {
		return err
	}
	moved, err := s.merge(args, l)
	if err != nil {
		return err
	}
	if l.Unchanged = 1 + s.itemCount + s.linkCount + s.rubricCount - l.Created - l.Updated; changed {
		l.Updated, l.Unchanged = l.Updated+1, l.Unchanged-1
		if err := s.keepDocument(old, args); err != nil {
			return err
		}
	}
	if l.Created+l.Updated+l.Retired+moved == 0 {
		return nil
	}
	l.Version = old.version + 1
	return errors.Join(s.write(updateFramework, pkg, old, changed, l), s.note(pkg, l))
}

// add puts in a framework that was not here.
func (s *stage) add(pkg imscase.Package, l *Loaded) error {
	l.Framework, l.Version = ID(s.b.NewID("fwk")), 1
	if err := s.write(insertFramework, pkg, base{id: l.Framework}, true, l); err != nil {
		return err
	}
	args := s.args(l.Framework, 1)
	for _, sql := range []string{insertItems, insertLinks, insertRubrics, insertCriteria, insertLevels} {
		if _, err := s.tx.Exec(s.ctx, sql, args); err != nil {
			return err
		}
	}
	l.Created = 1 + s.itemCount + s.linkCount + s.rubricCount
	return s.note(pkg, l)
}

func (s *stage) args(f ID, version int) pgx.NamedArgs {
	return pgx.NamedArgs{"institution": s.who.InstitutionID, "framework": f, "now": pg.Instant(s.b.Now), "version": version,
		"only": s.part.only, "gone": list(s.part.gone)}
}

// forgive gives what was staged the bytes that are here, where both say the
// same in another order or with other blanks.
func (s *stage) forgive(args pgx.NamedArgs) error {
	for _, t := range []struct{ staged, here string }{{"import_item", "framework_item"}, {"import_link", "framework_association"}, {"import_rubric", "rubric"}} {
		rows, err := s.tx.Query(s.ctx, `
			select n.identifier, n.source, h.source
			from `+t.staged+` n
			join `+t.here+` h on h.institution_id = @institution and h.framework_id = @framework and h.identifier = n.identifier
			where h.source <> n.source`, args)
		if err != nil {
			return err
		}
		var same []string
		var identifier, staged, here string
		if _, err = pgx.ForEachRow(rows, []any{&identifier, &staged, &here}, func() error {
			if sameJSON([]byte(staged), []byte(here)) {
				same = append(same, identifier)
			}
			return nil
		}); err != nil {
			return err
		}
		if len(same) == 0 {
			continue
		}
		if _, err := s.tx.Exec(s.ctx, `
			update `+t.staged+` n set source = h.source
			from `+t.here+` h
			where h.institution_id = @institution and h.framework_id = @framework and h.identifier = n.identifier and n.identifier = any(@same)`,
			pgx.NamedArgs{"institution": s.who.InstitutionID, "framework": args["framework"], "same": same}); err != nil {
			return err
		}
	}
	return nil
}

// merge brings items, associations and rubrics up to date, set by set, and says
// how many only stand elsewhere in the list.
func (s *stage) merge(args pgx.NamedArgs, l *Loaded) (moved int, err error) {
	var again int
	for _, step := range []struct {
		sql   string
		count *int
	}{
		{placeItems, nil}, {placeLinks, nil},
		{keepItems, nil}, {keepLinks, nil}, {keepRubrics, nil},
		{retireItems, &l.Retired}, {updateItems, &l.Updated}, {moveItems, &moved}, {insertItems, &l.Created},
		{deleteLinks, &l.Retired}, {updateLinks, &l.Updated}, {moveLinks, &moved}, {insertLinks, &l.Created},
		{adoptLevels, nil}, {adoptCriteria, nil}, {adoptRubrics, nil}, // a changed rubric is taken out and put in again, under the ids it had
		{dropRubrics, &l.Retired}, {replaceRubrics, &again}, {moveRubrics, &moved}, {insertRubrics, &l.Created},
		{insertCriteria, nil}, {insertLevels, nil},
	} {
		tag, err := s.tx.Exec(s.ctx, step.sql, args)
		if err != nil {
			return 0, err
		}
		if step.count != nil {
			*step.count += int(tag.RowsAffected())
		}
	}
	l.Created, l.Updated = l.Created-again, l.Updated+again
	return moved, nil
}

func (s *stage) keepDocument(old base, args pgx.NamedArgs) error {
	_, err := s.tx.Exec(s.ctx, `
		insert into framework_past (institution_id, framework_id, kind, identifier, since_version, until_version, object_id, position, source)
		select institution_id, id, 'document', identifier, since_version, @version, id, 0, @source
		from framework
		where institution_id = @institution and id = @framework`,
		pgx.NamedArgs{"institution": args["institution"], "framework": args["framework"], "version": args["version"],
			"source": string(wrapped(json.RawMessage(old.source), raw(old.definitions), raw(old.extensions)))})
	return err
}

// write puts the document and the version into the framework's row.
func (s *stage) write(sql string, pkg imscase.Package, old base, changed bool, l *Loaded) error {
	d := pkg.Document
	hash := sha256.Sum256(wrapped(d.Raw, pkg.Definitions, pkg.Extensions))
	since := l.Version
	if !changed {
		since = old.since
	}
	var license *string
	if d.LicenseURI != nil {
		license = text(d.LicenseURI.URI)
	}
	_, err := s.tx.Exec(s.ctx, sql, pgx.NamedArgs{"institution": s.who.InstitutionID, "id": old.id, "identifier": d.Identifier, "uri": d.URI,
		"case": pkg.Version, "title": d.Title, "creator": d.Creator, "publisher": text(d.Publisher), "description": text(d.Description),
		"language": text(d.Language), "label": text(d.Version), "status": text(d.AdoptionStatus), "start": date(d.StatusStartDate),
		"end": date(d.StatusEndDate), "changed": instant(d.LastChangeDateTime), "source": string(d.Raw),
		"definitions": text(string(pkg.Definitions)), "extensions": text(string(pkg.Extensions)), "license": license, "hash": hash[:],
		"version": l.Version, "since": since, "home": s.part.home, "now": pg.Instant(s.b.Now)})
	return err
}

// note writes the version into the account of versions.
func (s *stage) note(pkg imscase.Package, l *Loaded) error {
	_, err := s.tx.Exec(s.ctx, `
		insert into framework_version (institution_id, framework_id, version, id, label, reason, added, changed, retired, recorded_at, recorded_by)
		values (@institution, @framework, @version, @id, @label, @reason, @added, @changed, @retired, @now, @by)`,
		pgx.NamedArgs{"institution": s.who.InstitutionID, "framework": l.Framework, "version": l.Version, "id": s.b.NewID("fwv"),
			"label": text(pkg.Document.Version), "reason": s.part.reason, "added": l.Created, "changed": l.Updated, "retired": l.Retired,
			"now": pg.Instant(s.b.Now), "by": s.who.ID})
	return err
}

// wrapped is a document with its definitions and extensions, as one object.
func wrapped(document, definitions, extensions json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	b.WriteString(`{"CFDocument":`)
	b.Write(document)
	if definitions != nil {
		b.WriteString(`,"CFDefinitions":`)
		b.Write(definitions)
	}
	if extensions != nil {
		b.WriteString(`,"extensions":`)
		b.Write(extensions)
	}
	b.WriteString(`}`)
	return b.Bytes()
}

func raw(s *string) json.RawMessage {
	if s == nil {
		return nil
	}
	return json.RawMessage(*s)
}

// sameJSON reports whether two texts say the same, whatever the order of
// members and the blanks between them.
func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, errX := decoded(a)
	y, errY := decoded(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func decoded(b []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

const (
	insertFramework = `
		insert into framework (institution_id, id, identifier, uri, case_version, title, creator, publisher, description, language,
			framework_version, adoption_status, status_start_on, status_end_on, changed_at, source, definitions, extensions,
			license_uri, content_hash, version, since_version, home, created_at, updated_at)
		values (@institution, @id, @identifier, @uri, @case, @title, @creator, @publisher, @description, @language, @label, @status,
			@start, @end, @changed, @source, @definitions, @extensions, @license, @hash, @version, @since, @home, @now, @now)`
	updateFramework = `
		update framework set uri = @uri, case_version = @case, title = @title, creator = @creator, publisher = @publisher,
			description = @description, language = @language, framework_version = @label, adoption_status = @status,
			status_start_on = @start, status_end_on = @end, changed_at = @changed, source = @source, definitions = @definitions,
			extensions = @extensions, license_uri = @license, content_hash = @hash, version = @version, since_version = @since, updated_at = @now
		where institution_id = @institution and id = @id`

	// in a part of a package, what is here keeps its place and what is new comes last
	placeItems = `
		update import_item n set position = coalesce(
			(select i.position from framework_item i where i.institution_id = @institution and i.framework_id = @framework and i.identifier = n.identifier),
			n.position + (select coalesce(max(i.position), 0) from framework_item i where i.institution_id = @institution and i.framework_id = @framework))
		where @only`
	placeLinks = `
		update import_link n set position = coalesce(
			(select a.position from framework_association a where a.institution_id = @institution and a.framework_id = @framework and a.identifier = n.identifier),
			n.position + (select coalesce(max(a.position), 0) from framework_association a where a.institution_id = @institution and a.framework_id = @framework))
		where @only`
	keepItems = `
		insert into framework_past (institution_id, framework_id, kind, identifier, since_version, until_version, object_id, position, source)
		select i.institution_id, i.framework_id, 'item', i.identifier, i.since_version, coalesce(i.until_version, @version), i.id, i.position, i.source
		from framework_item i
		join import_item n on n.identifier = i.identifier
		where i.institution_id = @institution and i.framework_id = @framework and (i.source <> n.source or i.retired_at is not null)`
	keepLinks = `
		insert into framework_past (institution_id, framework_id, kind, identifier, since_version, until_version, object_id, position, source)
		select a.institution_id, a.framework_id, 'association', a.identifier, a.since_version, @version, a.id, a.position, a.source
		from framework_association a
		left join import_link n on n.identifier = a.identifier
		where a.institution_id = @institution and a.framework_id = @framework
		  and (a.source <> n.source or n.identifier is null and (not @only or a.identifier = any(@gone)))`
	keepRubrics = `
		insert into framework_past (institution_id, framework_id, kind, identifier, since_version, until_version, object_id, position, source)
		select r.institution_id, r.framework_id, 'rubric', r.identifier, r.since_version, @version, r.id, r.position, r.source
		from rubric r
		left join import_rubric n on n.identifier = r.identifier
		where r.institution_id = @institution and r.framework_id = @framework
		  and (r.source <> n.source or n.identifier is null and (not @only or r.identifier = any(@gone)))`
	retireItems = `
		update framework_item i set retired_at = @now, until_version = @version
		where institution_id = @institution and framework_id = @framework and retired_at is null
		  and (not @only or identifier = any(@gone))
		  and not exists (select from import_item n where n.identifier = i.identifier)`
	updateItems = `
		update framework_item i set uri = n.uri, full_statement = n.full_statement, abbreviated_statement = n.abbreviated_statement,
			human_coding_scheme = n.human_coding_scheme, list_enumeration = n.list_enumeration, item_type = n.item_type,
			education_level = n.education_level, concept_keywords = n.concept_keywords, language = n.language, notes = n.notes,
			status_start_on = n.status_start_on, status_end_on = n.status_end_on, changed_at = n.changed_at, position = n.position,
			source = n.source, retired_at = null, since_version = @version, until_version = null
		from import_item n
		where i.institution_id = @institution and i.framework_id = @framework and i.identifier = n.identifier
		  and (i.source <> n.source or i.retired_at is not null)`
	moveItems = `
		update framework_item i set position = n.position
		from import_item n
		where i.institution_id = @institution and i.framework_id = @framework and i.identifier = n.identifier and i.position <> n.position`
	insertItems = `
		insert into framework_item (institution_id, framework_id, id, identifier, uri, full_statement, abbreviated_statement,
			human_coding_scheme, list_enumeration, item_type, education_level, concept_keywords, language, notes, status_start_on,
			status_end_on, changed_at, position, source, since_version)
		select @institution, @framework, id, identifier, uri, full_statement, abbreviated_statement, human_coding_scheme,
			list_enumeration, item_type, education_level, concept_keywords, language, notes, status_start_on, status_end_on,
			changed_at, position, source, @version
		from import_item
		on conflict (institution_id, framework_id, identifier) do nothing`
	deleteLinks = `
		delete from framework_association a
		where institution_id = @institution and framework_id = @framework
		  and (not @only or identifier = any(@gone))
		  and not exists (select from import_link n where n.identifier = a.identifier)`
	updateLinks = `
		update framework_association a set type = n.type, origin_identifier = n.origin_identifier, origin_uri = n.origin_uri,
			destination_identifier = n.destination_identifier, destination_uri = n.destination_uri,
			sequence_number = n.sequence_number, changed_at = n.changed_at, position = n.position, source = n.source, since_version = @version
		from import_link n
		where a.institution_id = @institution and a.framework_id = @framework and a.identifier = n.identifier and a.source <> n.source`
	moveLinks = `
		update framework_association a set position = n.position
		from import_link n
		where a.institution_id = @institution and a.framework_id = @framework and a.identifier = n.identifier and a.position <> n.position`
	insertLinks = `
		insert into framework_association (institution_id, framework_id, id, identifier, type, origin_identifier, origin_uri,
			destination_identifier, destination_uri, sequence_number, changed_at, position, source, since_version)
		select @institution, @framework, id, identifier, type, origin_identifier, origin_uri, destination_identifier,
			destination_uri, sequence_number, changed_at, position, source, @version
		from import_link
		on conflict (institution_id, framework_id, identifier) do nothing`
	adoptRubrics = `
		update import_rubric n set id = r.id
		from rubric r
		where r.institution_id = @institution and r.framework_id = @framework and r.identifier = n.identifier and r.source <> n.source`
	adoptCriteria = `
		with here as (
			select r.identifier as rubric, c.identifier, c.id, row_number() over (partition by c.rubric_id, c.identifier order by c.position) as nth
			from import_rubric n
			join rubric r on r.institution_id = @institution and r.framework_id = @framework and r.identifier = n.identifier and r.source <> n.source
			join rubric_criterion c on c.institution_id = @institution and c.rubric_id = r.id),
		staged as (select position, rubric, identifier, row_number() over (partition by rubric, identifier order by position) as nth from import_criterion)
		update import_criterion n set id = here.id
		from staged join here using (rubric, identifier, nth)
		where n.position = staged.position`
	adoptLevels = `
		with here as (
			select c.identifier as criterion, l.identifier, l.id, row_number() over (partition by c.identifier, l.identifier order by l.criterion_id, l.position) as nth
			from import_rubric n
			join rubric r on r.institution_id = @institution and r.framework_id = @framework and r.identifier = n.identifier and r.source <> n.source
			join rubric_criterion c on c.institution_id = @institution and c.rubric_id = r.id
			join rubric_level l on l.institution_id = @institution and l.criterion_id = c.id),
		staged as (select ctid as place, criterion, identifier, row_number() over (partition by criterion, identifier order by position, ctid) as nth from import_level)
		update import_level n set id = here.id
		from staged join here using (criterion, identifier, nth)
		where n.ctid = staged.place`
	dropRubrics = `
		delete from rubric r
		where institution_id = @institution and framework_id = @framework
		  and (not @only or identifier = any(@gone))
		  and not exists (select from import_rubric n where n.identifier = r.identifier)`
	replaceRubrics = `
		delete from rubric r using import_rubric n
		where r.institution_id = @institution and r.framework_id = @framework and n.identifier = r.identifier and n.source <> r.source`
	moveRubrics = `
		update rubric r set position = n.position
		from import_rubric n
		where r.institution_id = @institution and r.framework_id = @framework and r.identifier = n.identifier and r.position <> n.position`
	insertRubrics = `
		insert into rubric (institution_id, framework_id, id, identifier, uri, title, description, position, source, since_version)
		select @institution, @framework, id, identifier, uri, title, description, position, source, @version
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
	for _, form := range []string{time.RFC3339, imscase.Naive} {
		if t, err := time.Parse(form, s); err == nil {
			return pg.Instant(t)
		}
	}
	return time.Time{}
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
