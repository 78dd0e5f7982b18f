package jsonld

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFeatures holds each feature of JSON-LD against another processor.
func TestFeatures(t *testing.T) {
	data, err := os.ReadFile("testdata/features.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(string(data), "\n== ")[1:]
	if len(cases) < 50 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		name, rest, _ := strings.Cut(c, "\n")
		doc, want, ok := strings.Cut(rest, "\n=>\n")
		if !ok {
			t.Fatalf("malformed case %q", name)
		}
		t.Run(name, func(t *testing.T) {
			got, err := Canonize([]byte(doc))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(string(got))); diff != "" {
				t.Errorf("%s\n%s", doc, diff)
			}
		})
	}
}

// TestRefusals: each refusal has its code, its place and a sentence.
func TestRefusals(t *testing.T) {
	data, err := os.ReadFile("testdata/refusals.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(string(data), "\n== ")[1:]
	if len(cases) < 80 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		name, rest, _ := strings.Cut(c, "\n")
		want, doc, ok := strings.Cut(rest, "\n")
		code, pointer, spaced := strings.Cut(want, " ")
		if !ok || !spaced {
			t.Fatalf("malformed case %q", name)
		}
		t.Run(name, func(t *testing.T) {
			got, err := Canonize([]byte(strings.TrimSuffix(doc, "\n")))
			var refusal *Error
			if !errors.As(err, &refusal) {
				t.Fatalf("%s\nis let through (%v):\n%s", doc, err, got)
			}
			if string(refusal.Code) != code || refusal.Pointer != pointer {
				t.Errorf("%s\n%s at %q, want %s at %q: %s", doc, refusal.Code, refusal.Pointer, code, pointer, refusal.Reason)
			}
			if len(refusal.Reason) < 12 {
				t.Errorf("the reason %q says too little", refusal.Reason)
			}
		})
	}
}
