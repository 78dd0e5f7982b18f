package web

import (
	"fmt"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/sharing"
)

// TestEvidenceIsReadAsFarAsAPageShowsIt reads what a credential says of its
// evidence, one piece or too many.
func TestEvidenceIsReadAsFarAsAPageShowsIt(t *testing.T) {
	t.Parallel()
	read := func(evidence string) part {
		return partOf(sharing.Shown{State: sharing.Current, Document: []byte(`{"name": "A", "evidence": ` + evidence + `}`)})
	}
	p := read(`{"id": "https://work.example/1", "name": "Portfolio", "genre": "Report", "description": "Three studies.", "narrative": "Made in <b>May</b>."}`)
	want := evidenceTold{"Portfolio", "https://work.example/1", "Report", "Three studies.", "Made in <b>May</b>."}
	if len(p.Evidence) != 1 || p.Evidence[0] != want || p.More != 0 {
		t.Errorf("%+v", p)
	}
	if p := read(`[{"id": "javascript:alert(1)", "name": "x"}]`); p.Evidence[0].URL != "" {
		t.Errorf("%+v", p.Evidence)
	}
	var many []string
	for i := range maxEvidence + 5 {
		many = append(many, fmt.Sprintf(`{"name": "%d", "narrative": %q}`, i, strings.Repeat("é", maxEvidenceText+1)))
	}
	if p = read("[" + strings.Join(many, ",") + "]"); len(p.Evidence) != maxEvidence || p.More != 5 || len([]rune(p.Evidence[0].Narrative)) != maxEvidenceText+1 || !strings.HasSuffix(p.Evidence[0].Narrative, "é…") {
		t.Errorf("%d pieces, %d more, %d characters", len(p.Evidence), p.More, len(p.Evidence[0].Narrative))
	}
}
