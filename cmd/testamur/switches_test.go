package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/testamur/testamur/internal/verify"
)

// TestWhatIsForTestsIsOffAndLoud: the switches for tests are off unless they are
// asked for, each changes what it says and nothing else, and the log tells.
func TestWhatIsForTestsIsOffAndLoud(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   []string
		fetch  bool   // what is fetched with changes
		log    string // what is told
		failed string
	}{
		{args: nil},
		{args: []string{"--development"}, fetch: true, log: "DEVELOPMENT"},
		{args: []string{"--vc-api-open"}, failed: "which is not served"},
	} {
		var line cli
		parser, err := kong.New(&line)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(append([]string{"serve"}, c.args...)); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s := &services{verifier: &verify.Service{}, log: slog.New(slog.NewTextHandler(&log, nil))}
		err = line.Serve.optional(t.Context(), s)
		if (err == nil) != (c.failed == "") || err != nil && !strings.Contains(err.Error(), c.failed) {
			t.Errorf("%v: %v", c.args, err)
		}
		if (s.verifier.Fetch != nil) != c.fetch || (s.verifier.Getter != nil) != c.fetch || s.vcapi != nil {
			t.Errorf("%v changes %+v", c.args, s)
		}
		if told := log.String(); c.log == "" && told != "" || c.log != "" && !(strings.Contains(told, c.log) && strings.Contains(told, "level=WARN")) {
			t.Errorf("%v: the log says %q", c.args, told)
		}
	}
}
