package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Claim is what veraPDF says of a file that claims to be PDF/A-3a or PDF/UA-1.
type Claim struct {
	File    string
	Profile string // PDFA-3A or PDFUA-1
	Keeps   bool
	Asked   string   // how many times a rule was asked
	Broken  []string // rules by clause, in words, with where
}

// Claims has veraPDF validate files by both profiles. A Java that compiles is
// needed, from 11 on.
func Claims(t testing.TB, files ...string) []Claim {
	t.Helper()
	if _, err := exec.LookPath("javac"); err != nil {
		Unavailable(t, "veraPDF cannot be run: there is no Java that compiles")
	}
	dir, err := install()
	if err != nil {
		unavailable(t, err)
	}
	source, err := packed.ReadFile("java/Validate.java")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "Validate.java")
	if err := os.WriteFile(program, source, 0o600); err != nil {
		t.Fatal(err)
	}
	jar := filepath.Join(dir, "node_modules", "@opendataloader", "pdf", "lib", "opendataloader-pdf-cli.jar")
	cmd := exec.Command("java", append([]string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", jar, program}, files...)...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("veraPDF: %v %s", err, said.String())
	}
	var all []Claim
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 {
			t.Fatalf("veraPDF says %q", line)
		}
		if f[2] != "rule" {
			all = append(all, Claim{File: f[0], Profile: f[1], Keeps: f[2] == "keeps", Asked: f[3]})
			continue
		}
		c := &all[len(all)-1]
		c.Broken = append(c.Broken, f[3]+": "+f[4]+", in "+f[5])
	}
	return all
}
