package jsonld

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/standards"
)

var update = flag.Bool("update", false, "write the context tables anew from the official files")

// official are the published files behind the tables: by table, URL and file.
var official = []struct {
	table, name string
	urls        []string
	file        string
}{
	{"w3c", "credentialsV1", []string{"https://www.w3.org/2018/credentials/v1"}, "w3c-credentials-v1.jsonld"},
	{"w3c", "credentialsV2", []string{"https://www.w3.org/ns/credentials/v2"}, "w3c-credentials-v2.jsonld"},
	{"w3c", "examplesV1", []string{"https://www.w3.org/2018/credentials/examples/v1"}, "w3c-credentials-examples-v1.jsonld"},
	{"w3c", "examplesV2", []string{"https://www.w3.org/ns/credentials/examples/v2"}, "w3c-credentials-examples-v2.jsonld"},
	{"w3c", "undefinedTermsV2", []string{"https://www.w3.org/ns/credentials/undefined-terms/v2"}, "w3c-credentials-undefined-terms-v2.jsonld"},
	{"w3c", "statusListV1", []string{"https://www.w3.org/ns/credentials/status/v1"}, "w3c-bitstring-status-list-v1.jsonld"},
	{"w3c", "statusList2021", []string{"https://w3id.org/vc/status-list/2021/v1"}, "w3c-status-list-2021-v1.jsonld"},
	{"security", "dataIntegrityV1", []string{"https://w3id.org/security/data-integrity/v1"}, "w3c-data-integrity-v1.jsonld"},
	{"security", "dataIntegrityV2", []string{"https://w3id.org/security/data-integrity/v2"}, "w3c-data-integrity-v2.jsonld"},
	{"security", "multikeyV1", []string{"https://w3id.org/security/multikey/v1"}, "w3c-multikey-v1.jsonld"},
	{"security", "jwkV1", []string{"https://w3id.org/security/jwk/v1"}, "w3c-jwk-v1.jsonld"},
	{"security", "ed25519V2020", []string{"https://w3id.org/security/suites/ed25519-2020/v1"}, "w3c-ed25519-2020-v1.jsonld"},
	{"security", "didV1", []string{"https://www.w3.org/ns/did/v1"}, "w3c-did-v1.jsonld"},
	{"security", "cidV1", []string{"https://www.w3.org/ns/cid/v1"}, "w3c-cid-v1.jsonld"},
	{"ob2", "openBadges20", []string{"https://w3id.org/openbadges/v2"}, "ob-v2p0-context.json"},
	{"ob2", "openBadges21", []string{"https://purl.imsglobal.org/spec/ob/v2p1/ob_v2p1.jsonld"}, "ob-v2p1-context.jsonld"},
	{"ob300", "openBadges300", []string{"https://purl.imsglobal.org/spec/ob/v3p0/context.json"}, "ob-v3p0-context.json"},
	{"ob301", "openBadges301", []string{"https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.1.json"}, "ob-v3p0-context-3.0.1.json"},
	{"ob302", "openBadges302", []string{"https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.2.json"}, "ob-v3p0-context-3.0.2.json"},
	{"ob303", "openBadges303", []string{"https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"}, "ob-v3p0-context-3.0.3.json"},
	{"extensions", "extensions", []string{"https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"}, "ob-v3p0-extensions.json"},
	{"extensions", "accessibility300", []string{"https://w3id.org/openbadges/extensions/accessibilityExtension/context-3.0.0.json", "https://openbadgespec.org/extensions/accessibilityExtension/context-3.0.0.json"}, "extensions/accessibilityExtension-3.0.0.json"},
	{"extensions", "applyLink300", []string{"https://w3id.org/openbadges/extensions/applyLinkExtension/context-3.0.0.json", "https://openbadgespec.org/extensions/applyLinkExtension/context-3.0.0.json"}, "extensions/applyLinkExtension-3.0.0.json"},
	{"extensions", "assessment20", []string{"https://w3id.org/openbadges/extensions/assessmentExtension/v2p0/context.json", "https://openbadgespec.org/extensions/assessmentExtension/v2p0/context.json"}, "extensions/assessmentExtension-v2p0.json"},
	{"extensions", "geoCoordinates300", []string{"https://w3id.org/openbadges/extensions/geoCoordinatesExtension/context-3.0.0.json", "https://openbadgespec.org/extensions/geoCoordinatesExtension/context-3.0.0.json"}, "extensions/geoCoordinatesExtension-3.0.0.json"},
	{"extensions", "issuerAccreditation20", []string{"https://w3id.org/openbadges/extensions/issuerAccreditationExtension/v2p0/context.json", "https://openbadgespec.org/extensions/issuerAccreditationExtension/v2p0/context.json"}, "extensions/issuerAccreditationExtension-v2p0.json"},
	{"extensions", "license300", []string{"https://w3id.org/openbadges/extensions/licenseExtension/context-3.0.0.json", "https://openbadgespec.org/extensions/licenseExtension/context-3.0.0.json"}, "extensions/licenseExtension-3.0.0.json"},
	{"clr", "clr200", []string{"https://purl.imsglobal.org/spec/clr/v2p0/context.json"}, "clr-v2p0-context.json"},
	{"clr", "clr201", []string{"https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json"}, "clr-v2p0-context-2.0.1.json"},
}

// readOfficial reads a published context with the general reader.
func readOfficial(t *testing.T, file string) source {
	t.Helper()
	src, err := readContext(standards.Read(t, "contexts/"+file))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return src
}

// TestTablesEqualOfficialContexts reads each official file with the general
// reader and compares it with the table, term by term and scope by scope.
func TestTablesEqualOfficialContexts(t *testing.T) {
	if *update {
		writeTables(t)
		t.Skip("tables written; run again to compare them")
	}
	urls := 0
	for _, o := range official {
		want := readOfficial(t, o.file)
		for _, url := range o.urls {
			urls++
			got, ok := known[url]
			if !ok {
				t.Errorf("%s is not compiled in", url)
				continue
			}
			diffSources(t, url, got, want)
		}
	}
	if urls != len(known) {
		t.Errorf("%d contexts are compiled in, %d are held against official files", len(known), urls)
	}
}

// diffSources names every term that differs.
func diffSources(t *testing.T, at string, got, want source) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d contexts, want %d", at, len(got), len(want))
		return
	}
	for i := range want {
		g, w := got[i].def, want[i].def
		if g == nil || w == nil {
			if got[i] != want[i] {
				t.Errorf("%s: %v, want %v", at, got[i], want[i])
			}
			continue
		}
		gotTerms, wantTerms := g.terms, w.terms
		bareGot, bareWant := *g, *w
		bareGot.terms, bareWant.terms = nil, nil
		if !bareGot.equal(&bareWant) {
			t.Errorf("%s: settings %+v, want %+v", at, bareGot, bareWant)
		}
		if len(gotTerms) != len(wantTerms) {
			t.Errorf("%s: %d terms, want %d", at, len(gotTerms), len(wantTerms))
		}
		for _, wt := range wantTerms {
			gt := g.find(wt.name)
			if gt == nil {
				t.Errorf("%s: no term %s", at, wt.name)
				continue
			}
			diffSources(t, at+" "+wt.name, gt.context, wt.context)
			if !gt.equal(wt) {
				t.Errorf("%s %s: %+v, want %+v", at, wt.name, *gt, wt)
			}
		}
	}
}

// writeTables writes the Go source of all tables.
func writeTables(t *testing.T) {
	files := map[string]*bytes.Buffer{}
	index := &bytes.Buffer{}
	index.WriteString("package jsonld\n\n// known are the contexts compiled in, by URL.\nvar known = map[string]source{\n")
	for _, o := range official {
		f := files[o.table]
		if f == nil {
			f = &bytes.Buffer{}
			f.WriteString("package jsonld\n\n// Written by TestTablesEqualOfficialContexts with -update, which also holds it\n// against the published file.\n")
			files[o.table] = f
		}
		fmt.Fprintf(f, "\n// %s is %s.\nvar %s = %s\n", o.name, o.urls[0], o.name, goSource(readOfficial(t, o.file)))
		for _, url := range o.urls {
			fmt.Fprintf(index, "%q: %s,\n", url, o.name)
		}
	}
	index.WriteString("}\n")
	files["index"] = index
	for name, f := range files {
		src, err := format.Source(f.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("table_"+name+".go", src, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func goSource(s source) string {
	var b strings.Builder
	b.WriteString("source{")
	for _, e := range s {
		switch {
		case e.def != nil:
			b.WriteString("{def: " + goDefinition(e.def) + "},")
		case e.url != "":
			fmt.Fprintf(&b, "{url: %q},", e.url)
		default:
			b.WriteString("{},")
		}
	}
	return b.String() + "}"
}

func goDefinition(d *definition) string {
	var b strings.Builder
	b.WriteString("&definition{")
	goSetting(&b, "vocab", d.vocab)
	goSetting(&b, "language", d.language)
	goSetting(&b, "direction", d.direction)
	if d.nullBase || d.imports != "" || d.propagate != missing {
		panic("no published context sets these")
	}
	if d.protected {
		b.WriteString("protected: true,")
	}
	if len(d.terms) > 0 {
		b.WriteString("terms: []entryTerm{\n")
		for _, t := range d.terms {
			b.WriteString(goTerm(t) + ",\n")
		}
		b.WriteString("},")
	}
	return b.String() + "}"
}

func goTerm(t entryTerm) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{name: %q,", t.name)
	if t.null {
		b.WriteString("null: true,")
	}
	if t.simple {
		b.WriteString("simple: true,")
	}
	goSetting(&b, "id", t.id)
	for _, f := range []struct{ name, text string }{{"reverse", t.reverse}, {"typ", t.typ}, {"nest", t.nest}, {"index", t.index}} {
		if f.text != "" {
			fmt.Fprintf(&b, "%s: %q,", f.name, f.text)
		}
	}
	if t.containers != 0 {
		var names []string
		for i, name := range []string{"asSet", "asList", "asLanguage", "asIndex", "asID", "asType", "asGraph"} {
			if t.containers&(1<<i) != 0 {
				names = append(names, name)
			}
		}
		b.WriteString("containers: " + strings.Join(names, "|") + ",")
	}
	goSetting(&b, "language", t.language)
	goSetting(&b, "direction", t.direction)
	for _, f := range []struct {
		name string
		flag tristate
	}{{"prefix", t.prefix}, {"protected", t.protected}} {
		if f.flag != missing {
			b.WriteString(f.name + ": " + []string{"", "yes", "no"}[f.flag] + ",")
		}
	}
	if t.context != nil {
		b.WriteString("context: " + goSource(t.context) + ",")
	}
	return b.String() + "}"
}

func goSetting(b *strings.Builder, name string, s setting) {
	switch s.state {
	case isNull:
		b.WriteString(name + ": setting{state: isNull},")
	case isText:
		fmt.Fprintf(b, "%s: setting{isText, %q},", name, s.text)
	}
}
