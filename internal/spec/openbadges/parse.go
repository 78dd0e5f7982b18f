package openbadges

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxAchievement is the largest definition in bytes.
const maxAchievement = 1 << 20

// ParseAchievement reads one Open Badges 3.0 Achievement or 2.0 BadgeClass. The
// problem names the field; nothing is dropped silently.
func ParseAchievement(raw []byte) (Achievement, []Problem) {
	if len(raw) > maxAchievement {
		return Achievement{}, []Problem{{Rule: "too-long", Clause: clause("§B.1.2"), Message: fmt.Sprintf("A definition has at most %d bytes.", maxAchievement)}}
	}
	var head struct {
		Type  List[string]    `json:"type"`
		Proof json.RawMessage `json:"proof"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return Achievement{}, []Problem{unreadable(err)}
	}
	for _, t := range head.Type {
		switch t {
		case "BadgeClass":
			return parseBadgeClass(raw)
		case "Achievement":
			return parseAchievement(raw)
		}
	}
	return Achievement{}, []Problem{{Field: "type", Rule: "type", Clause: clause("§B.1.2"),
		Message: "This is neither an Open Badges 3.0 Achievement nor a 2.0 BadgeClass; a whole credential is not a definition."}}
}

// withContext is an achievement as it is published alone.
type withContext struct {
	Context json.RawMessage `json:"@context,omitempty"`
	Achievement
}

func parseAchievement(raw []byte) (Achievement, []Problem) {
	var a withContext
	if p := strict(raw, &a); p != nil {
		return Achievement{}, []Problem{*p}
	}
	return a.Achievement, CheckAchievement(a.Achievement)
}

// strict reads with every member known.
func strict(raw []byte, into any) *Problem {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.New("something follows the end of the object")
	}
	p := unreadable(err)
	return &p
}

func unreadable(err error) Problem {
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return Problem{Field: strings.Trim(name, `"`), Rule: "unknown-member", Clause: clause("§B.1.2"),
			Message: "The standard defines no member " + name + " here, so it could not be signed. Take it out."}
	}
	var misfit *json.UnmarshalTypeError
	if errors.As(err, &misfit) {
		return Problem{Field: misfit.Field, Rule: "type", Clause: clause("§B.1.2"), Message: fmt.Sprintf("A %s cannot stand here.", misfit.Value)}
	}
	return Problem{Rule: "json", Clause: clause("§B.1.2"), Message: "This cannot be read as JSON: " + err.Error() + "."}
}

// badgeClass is the 2.0 class, with the members that have a place in 3.0.
type badgeClass struct {
	Context     json.RawMessage       `json:"@context"`
	ID          string                `json:"id"`
	Type        List[string]          `json:"type"`
	Name        string                `json:"name"`
	Description string                `json:"description"`
	Image       *badgeImage           `json:"image"`
	Criteria    badgeCriteria         `json:"criteria"`
	Issuer      json.RawMessage       `json:"issuer"`
	Alignment   List[badgeAlignment]  `json:"alignment"`
	Tags        List[string]          `json:"tags"`
	Version     string                `json:"version"`
	Language    string                `json:"@language"`
	Related     List[badgeRelated]    `json:"related"`
	Endorsement List[json.RawMessage] `json:"endorsement"`
}

type badgeImage struct{ ID, Caption string }

// UnmarshalJSON reads an address or an object.
func (i *badgeImage) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &i.ID)
	}
	var o struct {
		ID      string `json:"id"`
		Caption string `json:"caption"`
	}
	err := json.Unmarshal(b, &o)
	i.ID, i.Caption = o.ID, o.Caption
	return err
}

type badgeCriteria Criteria

// UnmarshalJSON reads an address or an object.
func (c *badgeCriteria) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &c.ID)
	}
	return json.Unmarshal(b, (*Criteria)(c))
}

type badgeAlignment struct {
	Type              json.RawMessage `json:"type"`
	TargetName        string          `json:"targetName"`
	TargetURL         string          `json:"targetUrl"`
	TargetDescription string          `json:"targetDescription"`
	TargetFramework   string          `json:"targetFramework"`
	TargetCode        string          `json:"targetCode"`
}

type badgeRelated struct {
	ID       string          `json:"id"`
	Type     json.RawMessage `json:"type"`
	Version  string          `json:"version"`
	Language string          `json:"@language"`
}

// parseBadgeClass maps a 2.0 BadgeClass to an Achievement. The issuer is left
// to the one who publishes it; endorsements are credentials of others and are
// refused rather than lost.
func parseBadgeClass(raw []byte) (Achievement, []Problem) {
	var b badgeClass
	if p := strict(raw, &b); p != nil {
		return Achievement{}, []Problem{*p}
	}
	if len(b.Endorsement) > 0 {
		return Achievement{}, []Problem{{Field: "endorsement", Rule: "endorsement-2", Clause: clause("§BadgeClass"),
			Message: "Endorsements of version 2.0 have no place in a 3.0 definition. Take them out and keep them as files."}}
	}
	a := Achievement{ID: b.ID, Type: List[string]{"Achievement"}, AchievementType: "Badge", Name: b.Name, Description: b.Description,
		Tag: b.Tags, Version: b.Version, InLanguage: b.Language}
	if b.Criteria != (badgeCriteria{}) {
		c := Criteria(b.Criteria)
		a.Criteria = &c
	}
	if b.Image != nil {
		a.Image = &Image{ID: b.Image.ID, Type: "Image", Caption: b.Image.Caption}
	}
	for _, x := range b.Alignment {
		a.Alignment = append(a.Alignment, Alignment{Type: List[string]{"Alignment"}, TargetName: x.TargetName, TargetURL: x.TargetURL,
			TargetDescription: x.TargetDescription, TargetFramework: x.TargetFramework, TargetCode: x.TargetCode})
	}
	for _, r := range b.Related {
		a.Related = append(a.Related, Related{ID: r.ID, Type: List[string]{"Related"}, InLanguage: r.Language, Version: r.Version})
	}
	return a, CheckAchievement(a)
}
