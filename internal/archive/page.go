package archive

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/transcript"
)

//go:embed template
var files embed.FS

// style is that of the pages of records, and what only an archive has. It stands
// in each page, so that a page that was taken out is whole.
var style = func() template.CSS {
	raw, err := files.ReadFile("template/archive.css")
	if err != nil {
		panic(err) // it is part of the program
	}
	return transcript.Style() + template.CSS(raw)
}()

var templates = template.Must(template.New("").Funcs(template.FuncMap{"day": dayOf, "state": stateOf, "kind": kindOf, "plural": plural, "label": labelOf}).ParseFS(files, "template/*.html", "template/*.txt"))

// link is a file and how it is called.
type link struct{ File, Name string }

// frame is what every page shows around what it is about.
type frame struct {
	Style       template.CSS
	Title       string
	Institution string
	At          string // instant
	Up          string // the way to the top of the archive
}

func (w *writing) frame(title, up string) frame {
	return frame{style, title, w.in.Name, w.at.Format(time.RFC3339), up}
}

func (w *writing) page(to io.Writer, name string, data any) error {
	return templates.ExecuteTemplate(to, name, data)
}

// onPage is how many learners one page lists, unless said.
const onPage = 500

// listing is a page of the list of learners.
type listing struct {
	frame
	People         []listed
	Before, Behind string // the pages around it
}

// chapter is a page of the list as the first page names it.
type chapter struct {
	File        string
	First, Last string
	Count       int
}

// pages writes the list of learners and the page that opens the archive.
func (w *writing) pages(ctx context.Context) error {
	total, onPage := w.contents.Learners, cmp.Or(w.PerPage, onPage)
	var people []listed
	var chapters []chapter
	put := func() error {
		n := len(chapters) + 1
		c := chapter{pageName(n), people[0].Sorted, people[len(people)-1].Sorted, len(people)}
		l := listing{frame: w.frame(fmt.Sprintf("Learners, page %d of %d", n, (total+onPage-1)/onPage), "../"), People: people}
		if n > 1 {
			l.Before = "../" + pageName(n-1)
		}
		if n*onPage < total {
			l.Behind = "../" + pageName(n+1)
		}
		chapters, people = append(chapters, c), nil
		return w.file(c.File, func(to io.Writer) error { return w.page(to, "people.html", l) })
	}
	err := w.DB.Snapshot(ctx, w.who, func(tx pgx.Tx) error {
		return eachListed(ctx, tx, w.who, w.some, func(l listed) error {
			if people = append(people, l); total > onPage && len(people) == onPage {
				return put()
			}
			return nil
		})
	})
	if err == nil && total > onPage && len(people) > 0 {
		err = put()
	}
	if err != nil {
		return err
	}
	return w.file(indexFile, func(to io.Writer) error {
		return w.page(to, "index.html", struct {
			frame
			Contents
			Contact  []string
			People   []listed
			Chapters []chapter
			Lists    []string
			Packages []link
			History  bool
		}{w.frame(w.in.Name+", archive", ""), w.contents, contact(w), people, chapters, w.lists, w.packages, w.some == nil})
	})
}

func pageName(n int) string { return fmt.Sprintf("%s/%04d.html", pagesFolder, n) }

func contact(w *writing) (all []string) {
	for _, c := range []*string{w.in.URL, w.in.Email, w.in.Phone} {
		if c != nil && *c != "" {
			all = append(all, *c)
		}
	}
	return all
}

// row is a credential as a learner's page lists it.
type row struct {
	Held
	Page string // of a record
}

// learnerPage is the page of one learner: records first, then what each award was
// issued as, then what others issued.
func (w *writing) learnerPage(to io.Writer, p Person) error {
	var records, badges []row
	for _, h := range p.Credentials {
		r := row{Held: h}
		for _, as := range p.Pages {
			if as.Record == h.Record {
				r.Page = as.File
			}
		}
		r.Name = strings.TrimSuffix(r.Name, " of "+p.Name)
		if former := formerIn(p, h.Name); former != "" { // what it was issued under stands in the signed file
			r.Name = strings.TrimSuffix(h.Name, " of "+former)
		}
		if h.Kind == "record" {
			records = append(records, r)
		} else {
			badges = append(badges, r)
		}
	}
	newest := func(a, b row) int { return strings.Compare(b.IssuedAt, a.IssuedAt) }
	slices.SortStableFunc(records, newest)
	slices.SortStableFunc(badges, newest)
	others := slices.DeleteFunc(slices.Clone(p.Identifiers), func(k Known) bool {
		return k.Value == p.Email || strings.HasSuffix(p.Reference, ":"+k.Value)
	})
	return w.page(to, "learner.html", struct {
		frame
		Person
		Records, Badges []row
		Others          []Known // identifiers that the page does not show already
	}{w.frame(p.Name, "../../"), p, records, badges, others})
}

// formerIn is the former name that the title of a record ends with, or "".
func formerIn(p Person, title string) string {
	for _, n := range p.Names {
		if n.Name != p.Name && strings.HasSuffix(title, " of "+n.Name) {
			return n.Name
		}
	}
	return ""
}

func sorted(all []RecordAs) []RecordAs {
	return slices.SortedFunc(slices.Values(all), func(a, b RecordAs) int { return strings.Compare(a.File, b.File) })
}

// readme says in plain text what this is and how it is checked with nothing but
// what every machine has.
func (w *writing) readme(context.Context) error {
	return w.file(readmeFile, func(to io.Writer) error {
		return w.page(to, "readme.txt", struct {
			frame
			Contents
			History bool
		}{w.frame("", ""), w.contents, w.some == nil})
	})
}

// labels are the kinds of identifiers of Open Badges in words.
var labels = map[string]string{"emailAddress": "Email", "systemId": "System id", "sourcedId": "Sourced id", "sisSourcedId": "Student number", "userName": "User name", "accountId": "Account",
	"nationalIdentityNumber": "Identity number", "oneRosterSourcedId": "OneRoster id", "ltiUserId": "LTI user", "identifier": "Identifier", "ext:studentId": "Student number"}

func labelOf(kind string) string {
	if l, ok := labels[kind]; ok {
		return l
	}
	return strings.TrimPrefix(kind, "ext:")
}

func dayOf(instant string) string {
	if t, err := time.Parse(time.RFC3339, instant); err == nil {
		return t.UTC().Format("2 January 2006")
	}
	return instant
}

var causes = map[string]string{"issued_in_error": "it was issued in error", "withdrawn": "the award was withdrawn", "superseded": "another replaced it",
	"key_compromised": "the key that signed it was in other hands", "misconduct": "misconduct", "other": "another reason"}

// stateOf is what was true of a credential at the moment of the archive.
func stateOf(h row, at string) string {
	since := func(s string) string {
		if s == "" {
			return ""
		}
		return " on " + dayOf(s)
	}
	switch {
	case h.Status == Revoked && h.Cause != "":
		return "Revoked" + since(h.Since) + ": " + causes[h.Cause]
	case h.Status == Revoked:
		return "Revoked" + since(h.Since)
	case h.Status == Suspended:
		return "Suspended" + since(h.Since)
	case h.WithdrawnAt != "":
		return "Award withdrawn" + since(h.WithdrawnAt)
	case h.SupersededBy != "":
		return "Superseded" + since(h.SupersededAt)
	}
	moment, err := time.Parse(time.RFC3339, at)
	if err == nil && !h.stands(moment) {
		return "Expired" + since(h.ValidUntil)
	}
	if h.ValidUntil != "" {
		return "Stands, until " + dayOf(h.ValidUntil)
	}
	return "Stands"
}

var kinds = map[string]string{"achievement": "Award", "record": "Record", "summary": "Summary of a record"}

func kindOf(kind string) string { return kinds[kind] }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
