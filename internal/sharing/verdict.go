package sharing

import (
	"context"

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
	all := verify.Report{Outcome: verify.Passed}
	var files []verify.File
	for _, it := range o.Items {
		if it.Document != nil {
			files = append(files, verify.File{Name: string(it.CredentialID), Raw: it.Document})
		}
	}
	reports, err := s.Verifier.Reports(ctx, who, files, nil)
	all.Embedded = reports
	for _, r := range reports {
		if r.Outcome == verify.Failed || all.Outcome == verify.Passed {
			all.Outcome = r.Outcome
		}
	}
	return all, err
}
