package sharing

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/verify"
)

// Verdict says whether what a link shows can be relied on, as the service's own
// verifier finds: the record, or the presentation for its audience, or each
// credential alone where one of them is not shown.
func (s *Service) Verdict(ctx context.Context, who access.Actor, o Opened) (verify.Report, error) {
	if o.Record != nil {
		return s.Verifier.Report(ctx, who, o.Record)
	}
	if o.Presentation != nil {
		return s.Verifier.ReportPresented(ctx, who, o.Presentation, o.Audience)
	}
	all := verify.Report{Outcome: verify.Passed, Checks: []verify.Check{o.recipient()}}
	var files []verify.File
	for _, it := range o.Items {
		if it.Document != nil {
			files = append(files, verify.File{Name: string(it.CredentialID), Raw: it.Document})
		}
	}
	reports, err := s.Verifier.Reports(ctx, who, files, nil)
	all.Embedded = reports
	if all.Checks[0].Outcome == verify.Failed {
		all.Outcome = verify.Failed
	}
	for _, r := range reports {
		if r.Outcome == verify.Failed || all.Outcome == verify.Passed {
			all.Outcome = r.Outcome
		}
	}
	return all, err
}

// recipient is whose the credentials are, and whom the link was made for, where no
// one signature covers them: what was signed for the recipient shows all that was
// chosen, or is not shown.
func (o Opened) recipient() verify.Check {
	const clause = "VCDM 2.0 §4.13"
	of := map[string]bool{}
	for _, it := range o.Items {
		var c struct {
			Subject struct {
				ID string `json:"id"`
			} `json:"credentialSubject"`
		}
		if it.Document == nil {
			continue
		}
		if json.Unmarshal(it.Document, &c) != nil || c.Subject.ID == "" {
			return verify.Check{Name: "recipient", Outcome: verify.NotChecked, Reason: "Not every credential says whom it is about.", Clause: clause}
		}
		of[c.Subject.ID] = true
	}
	switch {
	case len(of) > 1:
		return verify.Check{Name: "recipient", Outcome: verify.Failed, Reason: "These credentials are not about one and the same learner.", Clause: clause}
	case o.Share.Open:
		return verify.Check{Name: "recipient", Outcome: verify.Passed, Reason: "What is shown is about one learner, and the link is for whoever has it.", Clause: clause}
	}
	return verify.Check{Name: "recipient", Outcome: verify.Passed, Clause: clause,
		Reason: fmt.Sprintf("What is shown is about one learner. The link was made for %s alone; no signature says so any more, because not all that was signed for them is shown.", o.Share.Recipient)}
}
