package record

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/pg"
)

// The types that come with the service.
const (
	Full         = "full"
	Transcript   = "transcript"
	Skills       = "skills"
	OfProgram    = "program"
	CoCurricular = "co_curricular"
)

// The headings under which lines stand.
const (
	ByTerm       = "term"
	ByCompetency = "competency"
	ByType       = "type"
)

// The orders of the lines under a heading.
const (
	OldestFirst = "oldest"
	NewestFirst = "newest"
	ByTitle     = "title"
)

// Content is what a version of a record type says: what such a record holds, in
// which order, and under which headings.
type Content struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	// AchievementTypes are those that are in it, as Open Badges names them; empty
	// for all. Without are those that are not.
	AchievementTypes []string `json:"achievementTypes,omitempty"`
	Without          []string `json:"without,omitempty"`
	Program          bool     `json:"program,omitempty"`      // only what counts toward one program
	Conclusions      bool     `json:"conclusions,omitempty"`  // also competencies that were concluded, not awarded
	Deposited        bool     `json:"deposited,omitempty"`    // also what the learner brought from other issuers
	Requirements     bool     `json:"requirements,omitempty"` // also what of the learner's programs is in progress or open
	Summary          bool     `json:"summary,omitempty"`      // credits, and the grade point average where a policy says how
	Legend           bool     `json:"legend,omitempty"`       // what the grades mean
	Headings         string   `json:"headings"`
	Order            string   `json:"order"`
}

// Type is a record type in one of its versions.
type Type struct {
	Key        string
	Version    int
	Content    Content
	RecordedAt *time.Time // nil: it came with the service
	RecordedBy *string
}

// builtIn are the types as they come, in the order in which they are listed.
var builtIn = []Type{
	{Key: Full, Version: 1, Content: Content{Title: "Comprehensive Learner Record", Description: "Everything that the institution has on file.",
		Conclusions: true, Deposited: true, Requirements: true, Summary: true, Legend: true, Headings: ByType, Order: OldestFirst}},
	{Key: Transcript, Version: 1, Content: Content{Title: "Official Transcript", Description: "Courses and units by term, what was conferred, credits and grades.",
		AchievementTypes: []string{"Course", "CompetencyUnit", "ext:CompetencyUnit", "Assessment", "LearningProgram", "Certificate", "CertificateOfCompletion", "Degree", "AssociateDegree",
			"BachelorDegree", "MasterDegree", "DoctoralDegree", "ProfessionalDoctorate", "ResearchDoctorate", "Diploma", "SecondarySchoolDiploma"},
		Requirements: true, Summary: true, Legend: true, Headings: ByTerm, Order: OldestFirst}},
	{Key: Skills, Version: 1, Content: Content{Title: "Skills Record", Description: "What the learner can do, by competency.",
		AchievementTypes: []string{"Competency", "Badge", "MicroCredential", "ext:Skill"}, Conclusions: true, Headings: ByCompetency, Order: OldestFirst}},
	{Key: OfProgram, Version: 1, Content: Content{Title: "Program Record", Description: "What counts toward one program, and what is still open.",
		Program: true, Requirements: true, Legend: true, Headings: ByType, Order: OldestFirst}},
	{Key: CoCurricular, Version: 1, Content: Content{Title: "Co-Curricular Record", Description: "What was done beside the courses.",
		AchievementTypes: []string{"CoCurricular", "CommunityService", "Membership", "Award", "Fieldwork"}, Headings: ByTerm, Order: OldestFirst}},
}

var keyForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// The bounds of a type.
const (
	maxTitle      = 200
	maxTypes      = 60
	maxTypesThere = 100
)

func (c Content) check() *fault.Error {
	switch {
	case strings.TrimSpace(c.Title) == "" || len(c.Title) > maxTitle:
		return fault.At("title", "required", "A record type needs a title of at most %d characters.", maxTitle)
	case len(c.Description) > 2000:
		return fault.At("description", "too-long", "A description has at most 2000 characters.")
	case len(c.AchievementTypes) > maxTypes || len(c.Without) > maxTypes:
		return fault.At("achievementTypes", "too-many", "Name at most %d types of achievements.", maxTypes)
	case !slices.Contains([]string{ByTerm, ByCompetency, ByType}, c.Headings):
		return fault.At("headings", "known", "%q is no heading: use term, competency or type.", c.Headings)
	case !slices.Contains([]string{OldestFirst, NewestFirst, ByTitle}, c.Order):
		return fault.At("order", "known", "%q is no order: use oldest, newest or title.", c.Order)
	}
	return nil
}

// holds reports whether achievements of a type are in such a record.
func (c Content) holds(achievementType string) bool {
	if achievementType == "" {
		achievementType = "Achievement"
	}
	return (len(c.AchievementTypes) == 0 || slices.Contains(c.AchievementTypes, achievementType)) && !slices.Contains(c.Without, achievementType)
}

// Types are the record types in their latest versions: those that come with the
// service first, then the institution's own by key.
func (s *Service) Types(ctx context.Context, who access.Actor) ([]Type, error) {
	var all []Type
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = types(ctx, tx, who)
		return err
	})
	return all, err
}

func types(ctx context.Context, tx pgx.Tx, who access.Actor) ([]Type, error) {
	own, err := ownTypes(ctx, tx, who)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(builtIn)
	for _, t := range own {
		if i := slices.IndexFunc(all, func(b Type) bool { return b.Key == t.Key }); i >= 0 {
			all[i] = t
			continue
		}
		all = append(all, t)
	}
	return all, nil
}

// typeOf is a record type in its latest version.
func typeOf(ctx context.Context, tx pgx.Tx, who access.Actor, key string) (Type, error) {
	all, err := types(ctx, tx, who)
	if err != nil {
		return Type{}, err
	}
	i := slices.IndexFunc(all, func(t Type) bool { return t.Key == key })
	if i < 0 {
		return Type{}, fault.At("type", "type-known", "There is no record type %q here.", key)
	}
	return all[i], nil
}

// ReviseType adds a version of a record type, one that came with the service as
// well, or a type of the institution's own when the key is new. Records that
// were made stay as they are. Conflict when expected is given and is not the
// latest version; 0 expects that there is none.
func (s *Service) ReviseType(ctx context.Context, who access.Actor, key string, expected *int, c Content) (Type, error) {
	if err := access.Check(who, access.Assemble); err != nil {
		return Type{}, err
	}
	if !keyForm.MatchString(key) {
		return Type{}, fault.At("key", "key-form", "The key of a record type is small letters, digits and _, at most 40, and begins with a letter.")
	}
	if err := c.check(); err != nil {
		return Type{}, err
	}
	now := pg.Instant(s.Now())
	t := Type{Key: key, Content: c, RecordedAt: &now, RecordedBy: &who.ID}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		all, err := types(ctx, tx, who)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(t Type) bool { return t.Key == key })
		before := 0
		if i >= 0 {
			before = all[i].Version
		}
		switch {
		case expected != nil && *expected != before:
			return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version", Message: "This record type was changed since you read it. Read it again and decide."}
		case i < 0 && len(all) >= maxTypesThere:
			return fault.At("key", "too-many", "There are at most %d record types.", maxTypesThere)
		case i >= 0 && fmt.Sprintf("%#v", all[i].Content) == fmt.Sprintf("%#v", c):
			t = all[i]
			return nil
		}
		t.Version = before + 1
		if err := insertType(ctx, tx, who, t); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Assemble, Target: who.InstitutionID, Detail: map[string]any{"recordType": key, "version": t.Version}})
	})
	return t, err
}
