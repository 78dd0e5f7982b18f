package verify

import "fmt"

// Step is one of the five questions that a reader has of a credential.
type Step struct {
	Name    string  // intact, issuer, status, dates or recipient
	Outcome Outcome // the worst of its checks
	Reason  string  // of the check that decided it
}

// The five steps, in the order in which a reader asks them.
const (
	StepIntact    = "intact"    // it is as it was signed
	StepIssuer    = "issuer"    // who signed it is who they say, and is known
	StepStatus    = "status"    // the issuer stands by it
	StepDates     = "dates"     // it holds now
	StepRecipient = "recipient" // it is about the one person, and shown to whom it was made for
)

var stepOf = map[string]string{"shape": StepIntact, "context": StepIntact, "proof": StepIntact, "schema": StepIntact, "associations": StepIntact, "binding": StepIntact, "pages": StepIntact,
	"issuer": StepIssuer, "trust": StepIssuer, "status": StepStatus, "refresh": StepStatus, "dates": StepDates, "recipient": StepRecipient, "audience": StepRecipient}

// Steps is a report as five steps, each passed, failed or not checked, with the
// reason of the check that decided it, those of embedded credentials among them.
// What others say of a credential decides nothing. A step of which nothing was
// looked at is not checked.
func (r Report) Steps() []Step {
	names := []string{StepIntact, StepIssuer, StepStatus, StepDates, StepRecipient}
	worst := map[string]*decided{}
	r.gather(worst, "")
	all := make([]Step, len(names))
	for i, n := range names {
		all[i] = Step{n, NotChecked, "Nothing of this was looked at."}
		if s := worst[n]; s != nil {
			all[i] = s.Step
		}
		if s := worst[StepIntact]; n == StepRecipient && worst[n] == nil && s != nil && s.Outcome == Passed {
			all[i] = Step{n, Passed, "It names one learner, and nobody for whom alone it was made."}
		}
	}
	return all
}

// severity orders outcomes.
var severity = map[Outcome]int{Passed: 0, NotChecked: 1, Failed: 2}

// decided is a step and the check that decided it.
type decided struct {
	Step
	by string
}

// tells is whether what another check found, when both passed, says more than
// what is there: that a signature fits more than that the form is right, whose key
// it is more than that its owner is known.
func (d *decided) tells(c Check) bool {
	return c.Name == "proof" || c.Name == "issuer" && d.by == "trust"
}

func (r Report) gather(worst map[string]*decided, of string) {
	for _, c := range r.Checks {
		n, ok := stepOf[c.Name]
		if !ok {
			continue
		}
		reason := c.Reason
		if of != "" && c.Outcome != Passed {
			reason = of + ": " + reason
		}
		s := worst[n]
		if s == nil || severity[c.Outcome] > severity[s.Outcome] || c.Outcome == Passed && s.Outcome == Passed && s.tells(c) {
			worst[n] = &decided{Step{n, c.Outcome, reason}, c.Name}
		}
	}
	for i, e := range r.Embedded {
		name := e.Name
		if name == "" {
			name = fmt.Sprintf("credential %d", i+1)
		}
		e.gather(worst, name)
	}
}
