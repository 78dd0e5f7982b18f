// Package framework is competency frameworks as 1EdTech CASE gives them:
// documents, items, associations and rubrics.
//
// A package comes in as a stream and whole or not at all. Each object keeps the
// bytes it came in with, so that it goes out again equal. A newer package
// changes what changed, adds what is new and retires what is gone; nothing is
// deleted, because awards point at it. Every change makes a new version of the
// framework, and what it replaced is kept, so that any version can be read,
// compared and served again. Walks up and down the hierarchy end even where a
// package has a cycle.
//
// To compute with a framework, take its Graph: the items numbered depth first,
// what is above and below each without cycles, the associations by type, and
// the levels of its rubrics. GraphsInTx gives the present graphs of an
// institution and CrossingsInTx the ways between them, from memory after one
// statement that asks whether they have changed. Both are immutable: a caller
// may keep them, and anything derived from them under their address.
package framework

import (
	"slices"
	"time"

	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/id"
)

// ID names a framework: fwk_ and text.
type ID string

// ItemID names an item of a framework: itm_ and text.
type ItemID string

// Framework is a CFDocument.
type Framework struct {
	ID               ID
	RefSystem        *string
	RefValue         *string
	Identifier       string // the CASE identifier, a UUID
	URI              string `db:"uri"`
	CaseVersion      string // "1.0" or "1.1"
	Title            string
	Creator          string
	Publisher        *string
	Description      *string
	Language         *string
	FrameworkVersion *string
	AdoptionStatus   *string
	StatusStartOn    *day.Date
	StatusEndOn      *day.Date
	ChangedAt        time.Time // lastChangeDateTime
	LicenseURI       *string   `db:"license_uri"`
	Publication      string    // one of the three below
	Home             bool      // made here
	Version          int
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// Who may read a framework without an account.
const (
	ByStatus = "by_status" // everyone, once it is no draft and has a licence or was made here
	Public   = "public"    // everyone
	Private  = "private"   // nobody
)

// ExternalRef is what the system of origin calls the framework, or nil.
func (f Framework) ExternalRef() *id.Ref {
	if f.RefSystem == nil || f.RefValue == nil {
		return nil
	}
	return &id.Ref{System: *f.RefSystem, Value: *f.RefValue}
}

// Item is a CFItem: a competency, a skill, a heading.
type Item struct {
	FrameworkID          ID
	ID                   ItemID
	Identifier           string
	URI                  string `db:"uri"`
	FullStatement        string
	AbbreviatedStatement *string
	HumanCodingScheme    *string
	ListEnumeration      *string
	ItemType             *string
	EducationLevel       []string
	ConceptKeywords      []string
	Language             *string
	Notes                *string
	StatusStartOn        *day.Date
	StatusEndOn          *day.Date
	ChangedAt            time.Time
	Position             int // order in the package
	RetiredAt            *time.Time
}

// Association is a CFAssociation that has an item of ours at one end.
type Association struct {
	ID                    string
	Identifier            string
	Type                  string
	OriginIdentifier      string
	OriginURI             string `db:"origin_uri"`
	DestinationIdentifier string
	DestinationURI        string `db:"destination_uri"`
	SequenceNumber        *int
	ItemID                ItemID // the item that was asked for
	OtherID               *ItemID
}

// Rubric is a CFRubric.
type Rubric struct {
	FrameworkID ID
	ID          string
	Identifier  string
	URI         string `db:"uri"`
	Title       *string
	Description *string
	Position    int
}

// Criterion is a CFRubricCriterion.
type Criterion struct {
	RubricID       string
	ID             string
	Identifier     string
	URI            string `db:"uri"`
	Category       *string
	Description    *string
	ItemIdentifier *string
	Weight         *float64
	Position       int
}

// Level is a CFRubricCriterionLevel.
type Level struct {
	CriterionID string
	ID          string
	Identifier  string
	URI         string `db:"uri"`
	Quality     *string
	Description *string
	Feedback    *string
	Score       *float64
	Position    int
}

// Loaded is what an import of a package did.
type Loaded struct {
	Framework   ID
	CaseVersion string
	Before      int // the version that the framework had; 0 when it was not here
	Version     int // and has, with the package in it
	Created     int
	Updated     int
	Unchanged   int
	Retired     int
	Notices     []string // cycles and orphans, by identifier
}

// edge is one isChildOf or other association between two identifiers.
type edge struct{ from, to string }

// maxNotices bounds what is said of a package that is odd throughout.
const maxNotices = 50

// oddities are the cycles of the hierarchy and the associations whose end is
// no object of the package. Both are reported and kept: ends may lie in another
// framework, and a cycle is the publisher's to mend.
func oddities(document string, items map[string]bool, children, all []edge) []string {
	var notes []string
	for _, e := range all {
		if !items[e.from] && e.from != document && !items[e.to] && e.to != document {
			notes = append(notes, "An association between "+e.from+" and "+e.to+" has neither end in this package.")
		}
	}
	for _, c := range cycles(children) {
		notes = append(notes, "The hierarchy runs in a circle through "+c+"; walks end there.")
	}
	return notes[:min(len(notes), maxNotices)]
}

// cycles are the least identifiers of the circles that following edges runs
// into, each once.
func cycles(edges []edge) []string {
	next := map[string][]string{}
	for _, e := range edges {
		next[e.from] = append(next[e.from], e.to)
	}
	const onPath, done = 1, 2
	state := map[string]int{}
	var found []string
	for _, e := range edges {
		if state[e.from] != 0 {
			continue
		}
		// an explicit stack, because a hostile hierarchy can be deep
		type frame struct {
			node string
			i    int
		}
		stack := []frame{{e.from, 0}}
		state[e.from] = onPath
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.i == len(next[top.node]) {
				state[top.node] = done
				stack = stack[:len(stack)-1]
				continue
			}
			to := next[top.node][top.i]
			top.i++
			switch state[to] {
			case 0:
				state[to] = onPath
				stack = append(stack, frame{to, 0})
			case onPath:
				least := to
				for k := len(stack) - 1; k >= 0 && stack[k].node != to; k-- {
					least = min(least, stack[k].node)
				}
				if !slices.Contains(found, least) {
					found = append(found, least)
				}
			}
		}
	}
	slices.Sort(found)
	return found
}
