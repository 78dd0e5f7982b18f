// Package exchange is the registrar's files coming in: uploads, and the jobs
// that read them.
//
// A file is read as a stream, in batches that commit together with their
// outcomes and with how far the job has come, so that one that was cut off goes
// on behind the last committed line. Every row has an outcome; one that fails
// names its line, column, rule and value, and loses nothing else. Reading the
// same file again changes nothing.
package exchange

import (
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/tabular"
)

// Kind is what a file holds.
type Kind string

// The kinds.
const (
	CasePackage  Kind = "CASE_PACKAGE"    // a CASE 1.0 or 1.1 CFPackage, JSON
	CtdlASN      Kind = "CTDL_ASN"        // a CTDL-ASN competency framework, JSON-LD
	Table        Kind = "FRAMEWORK_TABLE" // CSV or NDJSON, whole like the two before
	Courses      Kind = "COURSES"         // CSV or NDJSON, as all that follow but achievements
	CourseMap    Kind = "COURSE_MAP"
	Achievements Kind = "ACHIEVEMENTS" // Open Badges 3.0 Achievement or 2.0 BadgeClass: one, a JSON array, or NDJSON
	Learners     Kind = "LEARNERS"
	Results      Kind = "RESULTS" // completed courses
	Awards       Kind = "AWARDS"

	IssueCredentials   Kind = "ISSUE_CREDENTIALS" // what is done to credentials; CSV or NDJSON, as those before
	ReissueCredentials Kind = "REISSUE_CREDENTIALS"
	RevokeCredentials  Kind = "REVOKE_CREDENTIALS"
	SuspendCredentials Kind = "SUSPEND_CREDENTIALS"
	LiftSuspensions    Kind = "LIFT_SUSPENSIONS"
	Graduation         Kind = "GRADUATION" // learners whose records are made
)

// Kinds are all kinds, in the order in which files depend on each other.
func Kinds() []Kind {
	return []Kind{CasePackage, CtdlASN, Table, Courses, CourseMap, Achievements, Learners, Results, Awards,
		IssueCredentials, ReissueCredentials, RevokeCredentials, SuspendCredentials, LiftSuspensions, Graduation}
}

// framework is the form of a framework's file, or empty for what is none.
func (k Kind) framework() string {
	return map[Kind]string{CasePackage: framework.CASE, CtdlASN: framework.CTDL, Table: framework.Table}[k]
}

// action is what an actor must be allowed besides importing.
func (k Kind) action() access.Action {
	switch k {
	case Learners:
		return access.ManageLearner
	case Results, Awards:
		return access.Award
	case IssueCredentials, ReissueCredentials:
		return access.Issue
	case RevokeCredentials, SuspendCredentials, LiftSuspensions:
		return access.Revoke
	case Graduation:
		return access.Assemble
	}
	return access.DefineCatalog
}

// told reports whether the actor may know what stands in a file of this kind, row
// by row: whoever may write it, and for what tells of learners whoever may read
// those.
func (k Kind) told(who access.Actor) bool {
	do := k.action()
	return do == access.DefineCatalog || access.Allowed(who, do) || access.Allowed(who, access.ReadLearner)
}

// toldTo are the kinds of files of which the actor may know what stands in them.
func toldTo(who access.Actor) (all []Kind) {
	for _, k := range Kinds() {
		if k.told(who) {
			all = append(all, k)
		}
	}
	return all
}

// The states of a job.
const (
	Queued    = "queued"
	Running   = "running"
	Succeeded = "succeeded" // read to its end; single rows may have failed
	Stopped   = "failed"    // nothing more was read; Failure says why
	Cancelled = "cancelled"
)

// The ways to treat rows that break a rule.
const (
	RejectFailedRows = "REJECT_FAILED_ROWS" // the others are imported
	RejectAll        = "REJECT_ALL"         // nothing is imported unless every row holds
)

// Column says which header of the file a field stands under.
type Column struct {
	Field  string `json:"field"`
	Header string `json:"header"`
}

// Options say how to read a file. The zero value looks at the file.
type Options struct {
	System      string   `json:"system,omitempty"` // that the ids in the file belong to; default "import"
	Columns     []Column `json:"columns,omitempty"`
	Format      string   `json:"format,omitempty"`     // csv or ndjson
	Encoding    string   `json:"encoding,omitempty"`   // utf-8, utf-16 or windows-1252
	Delimiter   string   `json:"delimiter,omitempty"`  // , ; | or a tab
	DateFormat  string   `json:"dateFormat,omitempty"` // YYYY-MM-DD, MM/DD/YYYY, DD/MM/YYYY, DD.MM.YYYY or YYYYMMDD
	ErrorPolicy string   `json:"errorPolicy,omitempty"`
	Framework   string   `json:"framework,omitempty"`  // that a table is of; a new one unless said
	RecordType  string   `json:"recordType,omitempty"` // of a graduation: full unless said
	Program     string   `json:"program,omitempty"`    // of a graduation: that the records are about
}

// DefaultSystem is the external system of ids in a file that names none.
const DefaultSystem = "import"

var (
	encodings   = []string{"", "utf-8", "utf-16", "windows-1252"}
	delimiters  = []string{"", ",", ";", "\t", "|"}
	dateFormats = []string{"", "YYYY-MM-DD", "MM/DD/YYYY", "DD/MM/YYYY", "DD.MM.YYYY", "YYYYMMDD"}
	policies    = []string{"", RejectFailedRows, RejectAll}
	formats     = []string{"", "csv", "ndjson"}
)

// Order asks for a file to be imported.
type Order struct {
	Kind     Kind
	UploadID string
	Options  Options
}

// check is the first rule that the order breaks, or nil.
func (o Order) check() *fault.Error {
	if !slices.Contains(Kinds(), o.Kind) {
		return fault.At("kind", "kind", "%q is not a kind of import.", o.Kind)
	}
	for _, x := range []struct {
		field, value string
		known        []string
	}{{"encoding", o.Options.Encoding, encodings}, {"delimiter", o.Options.Delimiter, delimiters}, {"dateFormat", o.Options.DateFormat, dateFormats},
		{"errorPolicy", o.Options.ErrorPolicy, policies}, {"format", o.Options.Format, formats}} {
		if !slices.Contains(x.known, x.value) {
			return fault.At("options."+x.field, "known", "%q is not one of: %s.", x.value, strings.Join(x.known[1:], " "))
		}
	}
	if o.Kind.acts() && o.Options.ErrorPolicy == RejectAll {
		return fault.At("options.errorPolicy", "row-by-row", "What is done to credentials is done row by row: what was signed or revoked cannot be undone because a later row fails.")
	}
	if o.Kind == Graduation && o.Options.ErrorPolicy == RejectAll {
		return fault.At("options.errorPolicy", "known", "A record that is signed is not taken back: a graduation rejects only the rows that fail.")
	}
	for _, c := range o.Options.Columns {
		if !slices.ContainsFunc(fields[o.Kind], func(f tabular.Field) bool { return f.Name == c.Field }) {
			return fault.At("options.columns", "field-known", "%s has no field %q. It has: %s.", o.Kind, c.Field, strings.Join(names(o.Kind), ", "))
		}
	}
	if strings.ContainsAny(o.Options.System, ": \t\n") || len(o.Options.System) > 100 {
		return fault.At("options.system", "system", "The name of a system is one word without a colon.")
	}
	return nil
}

func names(k Kind) []string {
	var all []string
	for _, f := range fields[k] {
		name := f.Name
		if f.Required {
			name += "*"
		}
		all = append(all, name)
	}
	return all
}

// Fields are the columns that a kind of file may have; a star marks those that
// it must.
func Fields(k Kind) []string { return names(k) }

// Upload is a file that was sent.
type Upload struct {
	ID          string
	Name        string
	Size        int64 // bytes
	Sha256      []byte
	CreatedBy   string
	CreatedAt   time.Time
	CompletedAt *time.Time
}

// Job reads one upload.
type Job struct {
	ID             string
	Kind           Kind
	State          string
	UploadID       *string
	Options        Options
	CreatedBy      string
	CreatedAt      time.Time
	StartedAt      *time.Time
	FinishedAt     *time.Time
	BytesTotal     int64
	BytesDone      int64
	LineDone       int
	CreatedCount   int
	UpdatedCount   int
	UnchangedCount int
	FailedCount    int
	Notices        []string
	Failure        *string
}

// Finished reports whether nothing more will happen.
func (j Job) Finished() bool {
	return j.State == Succeeded || j.State == Stopped || j.State == Cancelled
}

// system is the external system of the ids in the job's file.
func (j Job) system() string {
	if j.Options.System == "" {
		return DefaultSystem
	}
	return j.Options.System
}

// Outcome is what became of neighbouring rows that went the same way.
type Outcome struct {
	Position  int
	FirstLine int
	LastLine  int
	RowCount  int
	Outcome   string  // created, updated, unchanged or failed
	Column    *string `db:"column_name"`
	Rule      *string
	Value     *string
	Message   *string
}
