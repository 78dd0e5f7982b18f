package record

// Average is a grade point average with what it was reckoned from.
type Average struct {
	Value    string  `json:"value"`    // with the decimals that the policy says
	Credits  float64 `json:"credits"`  // that count in it
	Points   float64 `json:"points"`   // grade points times credits
	Attempts int     `json:"attempts"` // how many lines count
}

// Summary is what a record adds up to.
type Summary struct {
	CreditsEarned    float64       `json:"creditsEarned"`
	CreditsAttempted float64       `json:"creditsAttempted"`
	Average          *Average      `json:"average,omitempty"` // nil: no policy says how
	Terms            []TermSummary `json:"terms,omitempty"`
	Policy           string        `json:"policy,omitempty"` // the rule of the average, in sentences
	PolicyVersion    int           `json:"policyVersion,omitempty"`
}

// TermSummary is what a term adds up to.
type TermSummary struct {
	Term          string   `json:"term"`
	CreditsEarned float64  `json:"creditsEarned"`
	Average       *Average `json:"average,omitempty"`
}

// Legend is what the grades mean.
type Legend struct {
	Name    string       `json:"name"`
	Version int          `json:"version"`
	Grades  []LegendLine `json:"grades"`
	Policy  string       `json:"policy,omitempty"` // the rule of the average, in sentences
}

// LegendLine is one grade with what it means.
type LegendLine struct {
	Mark    string `json:"mark"`
	Points  string `json:"points,omitempty"` // empty: it has none
	Counts  bool   `json:"counts"`           // in the average
	Earns   bool   `json:"earns"`            // it earns the credits
	Meaning string `json:"meaning,omitempty"`
}

// ofTerm is the average of a section that is a term.
func (s *Summary) ofTerm(of Section) *Average {
	if s == nil || of.Kind != TermSection {
		return nil
	}
	for _, t := range s.Terms {
		if t.Term == of.Title {
			return t.Average
		}
	}
	return nil
}
