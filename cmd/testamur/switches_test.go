package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/testamur/testamur/internal/sharing"
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
		s := &services{verifier: &verify.Service{}, shares: &sharing.Service{}, log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
		err = line.Serve.optional(t.Context(), s)
		if (err == nil) != (c.failed == "") || err != nil && !strings.Contains(err.Error(), c.failed) {
			t.Errorf("%v: %v", c.args, err)
		}
		if (s.verifier.Fetch != nil) != c.fetch || (s.verifier.Getter != nil) != c.fetch || (s.shares.Webhooks != nil) != c.fetch || s.vcapi != nil {
			t.Errorf("%v changes %+v", c.args, s)
		}
		if told := log.String(); c.log == "" && told != "" || c.log != "" && !(strings.Contains(told, c.log) && strings.Contains(told, "level=WARN")) {
			t.Errorf("%v: the log says %q", c.args, told)
		}
	}
}

// TestContextsAreAsTheirHashSays: what a service verifies with is what the operator
// named, byte for byte.
func TestContextsAreAsTheirHashSays(t *testing.T) {
	t.Parallel()
	const name, text = "x.example/contexts/v1.jsonld", `{"@context":{"a":"https://x.example/a"}}`
	line := fmt.Sprintf("%x  ./%s\n", sha256.Sum256([]byte(text)), name)
	for what, c := range map[string]struct {
		files  map[string]string
		failed string
	}{
		"as it says":   {map[string]string{name: text, sums: line}, ""},
		"no hashes":    {map[string]string{name: text}, sums},
		"another text": {map[string]string{name: text + " ", sums: line}, "is not as"},
		"not listed":   {map[string]string{name: text, "x.example/other": text, sums: line}, "is not as"},
		"not there":    {map[string]string{"x.example/contexts/v2": text, sums: strings.Replace(line, "v1.jsonld", "v2", 1) + line}, "which is not in"},
		"not a hash":   {map[string]string{name: text, sums: "hash\n"}, "is not a hash and a file"},
	} {
		dir := t.TempDir()
		for f, text := range c.files {
			at := filepath.Join(dir, f)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		all, err := contextsIn(dir, true)
		if (err == nil) != (c.failed == "") || err != nil && !strings.Contains(err.Error(), c.failed) {
			t.Errorf("%s: %v", what, err)
		}
		if err == nil && (string(all["https://x.example/contexts/v1"]) != text || string(all["https://"+name]) != text) {
			t.Errorf("%s: %q", what, all)
		}
	}
	if all, err := contextsIn("", true); err != nil || all != nil {
		t.Error(all, err)
	}
}
