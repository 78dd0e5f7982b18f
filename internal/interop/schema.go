package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/standards"
)

// The official schemas of the two credentials, below the folder of schemas, all
// draft 2019-09. Of Open Badges there is the canonical form, with a list
// wherever there may be many, and the JSON-LD form, which takes one value in a
// list's place; the CLR brings a JSON-LD form of its own for the badges in it.
// Of the ClrCredential there is the JSON-LD form only. (The draft-04 editions
// that 1EdTech's validator carries are of the time before VC 2.0: they ask for
// issuanceDate, so no credential of today fits them.)
var (
	obSchemas = []string{
		"ob3/ob_v3p0_achievementcredential_schema.json",
		"ob3/json-ld-variant/ob_v3p0_achievementcredential_schema.json",
		"clr2/json-ld-variant/clr_v2p0_achievementcredential_schema.json",
	}
	clrSchemas = []string{
		"clr2/json-ld-variant/clr_v2p0_clrcredential_schema.json",
	}
)

// Schema is an official JSON schema by its path below the folder of schemas.
// Formats are checked. What it refers to is found, by the last part of the
// address, among the files beside it, and nowhere else.
func Schema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	dir := filepath.Join(standards.Dir(t), "schemas", filepath.FromSlash(filepath.Dir(name)))
	c := jsonschema.NewCompiler()
	c.UseLoader(beside(dir))
	c.AssertFormat()
	s, err := c.Compile("https://schemas.invalid/" + filepath.Base(name))
	if err != nil {
		t.Fatalf("official schema %s: %v", name, err)
	}
	return s
}

// beside loads any address from the file of its name in one folder.
type beside string

// Load is the schema at an address. Its own $id is taken off, because it is not
// always the address it is published at.
func (dir beside) Load(url string) (any, error) {
	raw, err := os.ReadFile(filepath.Join(string(dir), url[strings.LastIndexByte(url, '/')+1:]))
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if members, ok := doc.(map[string]any); ok {
		delete(members, "$id")
	}
	return doc, nil
}

// ValidateOB fails the test where an AchievementCredential does not fit one of
// the official schemas of Open Badges 3.0.
func ValidateOB(t testing.TB, document []byte) {
	t.Helper()
	validate(t, document, obSchemas)
}

// ValidateCLR fails the test where a ClrCredential does not fit one of the
// official schemas of the CLR 2.0, or an AchievementCredential in it one of
// those of Open Badges.
func ValidateCLR(t testing.TB, documents ...[]byte) {
	t.Helper()
	var badges [][]byte
	for _, document := range documents {
		embedded, err := clr.Embedded(document)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range embedded {
			var head struct{ Type []string }
			if err := json.Unmarshal(e, &head); err != nil {
				t.Fatalf("embedded credential %d: %v", i, err)
			}
			if slices.Contains(head.Type, "AchievementCredential") || slices.Contains(head.Type, "OpenBadgeCredential") {
				badges = append(badges, e)
			}
		}
	}
	for _, problem := range misfits(t, documents, clrSchemas) {
		t.Errorf("document %s", problem)
	}
	for _, problem := range misfits(t, badges, obSchemas) {
		t.Errorf("embedded credential %s", problem)
	}
}

func validate(t testing.TB, document []byte, schemas []string) {
	t.Helper()
	for _, problem := range misfits(t, [][]byte{document}, schemas) {
		t.Errorf("document %s", problem)
	}
}

// misfits says which documents do not fit which schemas.
func misfits(t testing.TB, documents [][]byte, schemas []string) []string {
	t.Helper()
	var out []string
	for _, name := range schemas {
		s := Schema(t, name)
		for i, d := range documents {
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(d))
			if err != nil {
				t.Fatalf("document %d: %v", i, err)
			}
			if err := s.Validate(v); err != nil {
				out = append(out, fmt.Sprintf("%d does not fit %s: %v", i, name, err))
			}
		}
	}
	return out
}
