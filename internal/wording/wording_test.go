package wording

import (
	"strings"
	"testing"
)

func TestWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"  Acme  ":             "Acme",
		"Nguye\u0302\u0303n":   "Nguyễn",
		"محمد علي":             "محمد علي",
		"<script>x</script>":   "<script>x</script>", // whoever prints it escapes it
		"👩\u200d🎓":             "👩\u200d🎓",
		"":                     "!required",
		"a\nb":                 "!plain-text",
		"a\x00b":               "!plain-text",
		"evil\u202etxt.exe":    "!plain-text",
		"a\u2066b\u2069":       "!plain-text",
		"\xff":                 "!too-long",
		strings.Repeat("é", 9): "!too-long",
		strings.Repeat("é", 8): strings.Repeat("é", 8),
	} {
		limit := 8
		if strings.Contains(in, "script") || strings.Contains(in, "evil") || len(in) > 9 && in[0] > 0x7f && !strings.HasPrefix(in, "é") {
			limit = 40
		}
		got, err := Line("name", in, limit)
		if err != nil {
			got = "!" + err.Rule
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got, err := Lines("reason", "one\r\ntwo", 20); err != nil || got != "one\ntwo" {
		t.Error(got, err)
	}
	if got, err := Optional("reason", " ", 20); err != nil || got != "" {
		t.Error(got, err)
	}
}
