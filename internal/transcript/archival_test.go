package transcript

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/interop"
)

// pdfObjects is a PDF as qpdf reads it, which is not this project's reader.
type pdfObjects map[string]struct {
	Value  any
	Stream *struct {
		Dict map[string]any
		Data string
	}
}

// objectsOf reads a file with qpdf, its streams expanded.
func objectsOf(t *testing.T, file string) pdfObjects {
	t.Helper()
	said, ok := interop.Run(t, "qpdf", "--json=2", "--json-stream-data=inline", "--decode-level=generalized", file)
	if at := strings.IndexByte(said, '{'); at > 0 {
		said = said[at:]
	}
	var out struct{ QPDF []json.RawMessage }
	if err := json.NewDecoder(strings.NewReader(said)).Decode(&out); !ok || err != nil || len(out.QPDF) != 2 {
		t.Fatalf("qpdf: %v %v %.300s", ok, err, said)
	}
	var all pdfObjects
	if err := json.Unmarshal(out.QPDF[1], &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// dict is a dictionary, or that of a stream, wherever it stands.
func (o pdfObjects) dict(v any) map[string]any {
	if ref, ok := v.(string); ok && strings.HasSuffix(ref, " R") {
		x := o["obj:"+ref]
		if x.Stream != nil {
			return x.Stream.Dict
		}
		v = x.Value
	}
	d, _ := v.(map[string]any)
	return d
}

func (o pdfObjects) list(v any) []any {
	if ref, ok := v.(string); ok && strings.HasSuffix(ref, " R") {
		v = o["obj:"+ref].Value
	}
	l, _ := v.([]any)
	return l
}

// data is the content of a stream.
func (o pdfObjects) data(v any) string {
	ref, _ := v.(string)
	if s := o["obj:"+ref].Stream; s != nil {
		raw, err := base64.StdEncoding.DecodeString(s.Data)
		if err == nil {
			return string(raw)
		}
	}
	return ""
}

// each hands out every dictionary of a type, with its reference.
func (o pdfObjects) each(kind string, told func(ref string, d map[string]any)) (n int) {
	for name := range o {
		ref := strings.TrimPrefix(name, "obj:")
		if d := o.dict(ref); d != nil && d["/Type"] == kind {
			n++
			told(ref, d)
		}
	}
	return n
}

// archival says where a file does not keep to ISO 19005-3 (PDF/A-3a) or ISO 14289-1
// (PDF/UA-1), by clause, as far as a print can break them. Where a validator of
// either can be had, it says more.
func archival(t *testing.T, file string, raw []byte) (all []string) {
	t.Helper()
	o := objectsOf(t, file)
	no := func(clause string, format string, args ...any) {
		all = append(all, clause+": "+fmt.Sprintf(format, args...))
	}
	need := func(ok bool, clause, format string, args ...any) {
		if !ok {
			no(clause, format, args...)
		}
	}
	head := regexp.MustCompile(`^%PDF-1\.[0-7]\r?\n%[\x80-\xff]{4}`)
	need(head.Match(raw[:min(20, len(raw))]) || bytes.HasPrefix(raw, []byte("%PDF-1.7\n%")) && raw[10] > 127 && raw[13] > 127, "A 6.1.2", "the head is %q", raw[:16])
	trailer := o["trailer"].Value.(map[string]any)
	need(trailer["/Encrypt"] == nil && len(o.list(trailer["/ID"])) == 2, "A 6.1.3", "encrypted, or without an identity")
	root := o.dict(trailer["/Root"])
	intents := o.list(root["/OutputIntents"])
	need(len(intents) == 1, "A 6.2.3", "%d output intents", len(intents))
	for _, i := range intents {
		d := o.dict(i)
		profile := o.dict(d["/DestOutputProfile"])
		need(d["/S"] == "/GTS_PDFA1" && fmt.Sprint(profile["/N"]) == "3" && strings.Contains(o.data(d["/DestOutputProfile"]), "acsp"), "A 6.2.3", "the intent %v has no profile of RGB", d["/S"])
	}
	fonts := o.each("/Font", func(ref string, d map[string]any) {
		switch d["/Subtype"] {
		case "/Type0":
			need(len(o.list(d["/DescendantFonts"])) == 1 && strings.Contains(o.data(d["/ToUnicode"]), "beginbf"), "A 6.2.11.7", "font %s does not say which characters it shows", ref)
		case "/CIDFontType2":
			f := o.dict(d["/FontDescriptor"])
			program := o.data(f["/FontFile2"])
			need(len(program) > 100 && strings.Contains(program[:100], "glyf"), "A 6.2.11.4", "font %v is not embedded: %d bytes", d["/BaseFont"], len(program))
			need(d["/CIDToGIDMap"] != nil, "A 6.2.11.3", "font %v does not say which glyphs it means", d["/BaseFont"])
		default:
			no("A 6.2.11.2", "font %s of the kind %v", ref, d["/Subtype"])
		}
	})
	need(fonts > 2, "A 6.2.11", "only %d fonts", fonts)
	for name, x := range o {
		d := o.dict(strings.TrimPrefix(name, "obj:"))
		if x.Stream != nil {
			filter := fmt.Sprint(d["/Filter"])
			need(!strings.Contains(filter, "LZW") && !strings.Contains(filter, "Crypt") && d["/F"] == nil, "A 6.1.7", "%s is packed by %s", name, filter)
		}
		for _, never := range []string{"/SMask", "/BM", "/TR", "/HTP", "/OPI", "/JS", "/XFA"} {
			need(d[never] == nil, "A 6.2.5", "%s has %s", name, never)
		}
		need(d["/S"] != "/Transparency" && d["/S"] != "/Launch" && d["/S"] != "/JavaScript", "A 6.2.10", "%s is %v", name, d["/S"])
		for _, alpha := range []string{"/ca", "/CA"} {
			v, ok := d[alpha].(float64)
			need(!ok || v == 1, "A 6.2.10", "%s lets shine through", name)
		}
	}
	xmp := o.data(root["/Metadata"])
	need(o.dict(root["/Metadata"])["/Subtype"] == "/XML" && bytes.Contains(raw, []byte("<pdfaid:part>3</pdfaid:part>")), "A 6.6.2", "the metadata is packed")
	for _, want := range []string{"<pdfaid:conformance>A</pdfaid:conformance>", "<pdfuaid:part>1</pdfuaid:part>", "dc:title", "xmp:CreateDate"} {
		need(strings.Contains(xmp, want), "A 6.6.4", "the metadata does not have %s", want)
	}
	title := strings.TrimPrefix(fmt.Sprint(o.dict(trailer["/Info"])["/Title"]), "u:")
	need(title != "" && strings.Contains(xmp, strings.ReplaceAll(title, "&", "&amp;")), "A 6.6.3", "the title %q is not that of the metadata", title)
	attached := o.list(root["/AF"])
	need(len(attached) == 1, "A 6.8", "%d files are associated", len(attached))
	for _, a := range attached {
		d := o.dict(a)
		e := o.dict(o.dict(d["/EF"])["/F"])
		need(d["/F"] != nil && d["/UF"] != nil && d["/AFRelationship"] == "/Source" && d["/Desc"] != nil && e["/Subtype"] != nil && o.dict(e["/Params"])["/ModDate"] != nil, "A 6.8", "the attachment is not described: %v %v", d, e)
	}
	need(o.dict(root["/MarkInfo"])["/Marked"] == true && o.dict(root["/MarkInfo"])["/Suspects"] != true, "UA 7.1", "not marked")
	need(root["/Lang"] == "u:en", "UA 7.2", "the language is %v", root["/Lang"])
	need(o.dict(root["/ViewerPreferences"])["/DisplayDocTitle"] == true, "UA 7.1", "the title is not shown")
	form := o.dict(root["/AcroForm"])
	need(form["/NeedAppearances"] != true, "A 6.4.1", "a reader is to make up the form")
	need(root["/Perms"] == nil || form != nil, "A 6.4.3", "permissions without a form")
	o.pages(root, need)
	o.structure(root, need)
	return all
}

type needing func(ok bool, clause, format string, args ...any)

var (
	operators = regexp.MustCompile(`(?:^|\s)(BDC|BMC|EMC|Tj|TJ|f|S|k|K|cs|gs|Do)(?:\s|$)`)
	artifact  = regexp.MustCompile(`/Artifact\s`)
)

// pages looks at each page: what is drawn stands in a mark, nothing is in ink of
// printers, and what can be touched is described.
func (o pdfObjects) pages(root map[string]any, need needing) {
	n := o.each("/Page", func(ref string, d map[string]any) {
		need(d["/Group"] == nil, "A 6.2.10", "page %s is a group", ref)
		need(d["/StructParents"] != nil, "UA 7.1", "page %s is not in the structure", ref)
		content := ""
		if parts := o.list(d["/Contents"]); parts != nil {
			for _, p := range parts {
				content += o.data(p) + "\n"
			}
		} else {
			content = o.data(d["/Contents"])
		}
		depth, drawn := 0, 0
		for line := range strings.Lines(content) {
			for _, m := range operators.FindAllStringSubmatch(line, -1) {
				switch m[1] {
				case "BDC", "BMC":
					depth++
				case "EMC":
					depth--
				case "k", "K":
					need(false, "A 6.2.4.3", "page %s uses ink of printers", ref)
				default:
					drawn++
					need(depth > 0, "UA 7.1", "page %s draws outside of every mark: %q", ref, strings.TrimSpace(line))
				}
			}
		}
		need(depth == 0 && drawn > 20, "UA 7.1", "page %s ends %d deep after %d things", ref, depth, drawn)
		need(artifact.MatchString(content), "UA 7.8", "the foot of page %s is no artifact", ref)
		annotations := o.list(d["/Annots"])
		need(len(annotations) == 0 || d["/Tabs"] == "/S", "UA 7.18.3", "page %s has another order of tabs", ref)
		for _, a := range annotations {
			x := o.dict(a)
			flags, _ := x["/F"].(float64)
			need(int(flags)&4 != 0 && int(flags)&(1|2|32) == 0, "A 6.3.2", "an annotation is not printed: %v", x["/F"])
			need(x["/StructParent"] != nil, "UA 7.18.1", "an annotation is not in the structure")
			switch x["/Subtype"] {
			case "/Link":
				need(x["/Contents"] != nil, "UA 7.18.5", "a link does not say where it leads")
			case "/Widget":
				need(x["/TU"] != nil, "UA 7.18.4", "a field does not say what it is")
				need(o.dict(x["/AP"])["/N"] != nil, "A 6.3.3", "a field has no appearance")
			}
		}
	})
	need(n > 0, "A 6.1", "no pages")
}

// structure walks the elements in reading order.
func (o pdfObjects) structure(root map[string]any, need needing) {
	tree := o.dict(root["/StructTreeRoot"])
	need(tree != nil && tree["/ParentTree"] != nil, "UA 7.1", "no structure")
	known := []string{"/Document", "/H1", "/H2", "/H3", "/P", "/Span", "/Figure", "/Table", "/TR", "/TH", "/TD", "/L", "/LI", "/Lbl", "/LBody", "/Link", "/Form", "/Sect", "/Div", "/THead", "/TBody"}
	within := map[string]string{"/TR": "/Table /THead /TBody", "/TH": "/TR", "/TD": "/TR", "/LI": "/L", "/LBody": "/LI", "/Lbl": "/LI"}
	level, elements, figures, objects := 0, 0, 0, 0
	var walk func(v any, parent string)
	walk = func(v any, parent string) {
		if all := o.list(v); all != nil {
			for _, x := range all {
				walk(x, parent)
			}
			return
		}
		d := o.dict(v)
		if d["/Type"] == "/OBJR" {
			objects++
		}
		kind, ok := d["/S"].(string)
		if !ok {
			return
		}
		elements++
		need(slices.Contains(known, kind), "UA 7.1", "an element of the kind %s", kind)
		need(within[kind] == "" || slices.Contains(strings.Fields(within[kind]), parent), "UA 7.5", "%s in %s", kind, parent)
		var h int
		if n, _ := fmt.Sscanf(kind, "/H%d", &h); n == 1 {
			need(h <= level+1 && (level > 0 || h == 1), "UA 7.4.2", "a heading of level %d after %d", h, level)
			level = h
		}
		if kind == "/Figure" {
			figures++
			need(d["/Alt"] != nil, "UA 7.3", "a figure without words")
		}
		if kind == "/TH" {
			scoped := false
			for _, a := range append(o.list(d["/A"]), d["/A"]) {
				scoped = scoped || o.dict(a)["/Scope"] != nil
			}
			need(scoped, "UA 7.5", "a head of a table without a scope")
		}
		walk(d["/K"], kind)
	}
	walk(tree["/K"], "")
	need(elements > 50 && figures >= 2 && objects >= 2 && level > 0, "UA 7.1", "%d elements, %d figures, %d objects", elements, figures, objects)
}

func TestAPrintKeepsToTheClausesOfArchivesAndAccess(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Sheet){"the sample": func(*Sheet) {}, "in Arabic": func(s *Sheet) { s.Record.Learner.Name = "عبد الرحمن بن محمد الخوارزمي" },
		"in Chinese": func(s *Sheet) { s.Record.Learner.Name = "欧阳修文" }, "in Devanagari": func(s *Sheet) {
			s.Record.Learner.Name = "श्रीमती ज्ञानेश्वरी क्षत्रिय"
		}} {
		s := sheet()
		change(&s)
		file, raw := printed(t, s)
		for _, p := range archival(t, file, raw) {
			t.Errorf("%s: %s", name, p)
		}
	}
}

// A search that finds nothing is no proof: what is broken on purpose is found.
func TestTheClausesRefuse(t *testing.T) {
	t.Parallel()
	file, raw := printed(t, sheet())
	tried := 0
	for name, change := range map[string][2]string{"the language": {"/Lang (en)", "/Lung (en)"}, "marks": {"/Marked true", "/Morked true"}, "the order of tabs": {"/Tabs /S", "/Tabs /R"},
		"the relationship": {"/AFRelationship /Source", "/AFRelationshop /Source"}, "the intent": {"/S /GTS_PDFA1", "/S /GTS_PDFX1"}, "words for a figure": {"/Alt ", "/Olt "}, "a scope": {"/Scope ", "/Scupe "}} {
		bad := bytes.ReplaceAll(raw, []byte(change[0]), []byte(change[1]))
		if bytes.Equal(bad, raw) {
			continue // it is packed
		}
		tried++
		write(t, file, bad)
		if len(archival(t, file, bad)) == 0 {
			t.Errorf("%s: nothing is found", name)
		}
	}
	if tried < 5 {
		t.Errorf("only %d things were broken", tried)
	}
}

func write(t *testing.T, name string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// veraPDF, which archives go by, finds nothing: in no kind of record, whatever the
// script of a name.
func TestVeraPDFFindsNothing(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(*Sheet){
		"sample": func(*Sheet) {}, // the name has eight scripts
		"long": func(s *Sheet) {
			s.Paper, s.Recipient = A4, "Graduate School of the University of the Northern Territories and Islands"
			s.Record.Learner.Name = strings.Repeat("Wolfeschlegelsteinhausenbergerdorff ", 4)
			s.Record.Sections[0].Lines[0].Title = strings.Repeat("A title without an end ", 70)
			s.Record.Sections[0].Lines[1].Title = "Hieroglyphs 𓀀 and marks Z\u0331\u030Coe\u0323\u0302"
		},
		"bare": func(s *Sheet) {
			s.Record.Partial, s.Record.Omissions, s.Record.Programs, s.Record.Equivalencies, s.Record.Summary, s.Record.Legend = false, nil, nil, nil, nil, nil
			s.Record.Sections, s.Number, s.Address = s.Record.Sections[:1], "", ""
		},
	}
	var files []string
	for name, change := range kinds {
		s := sheet()
		change(&s)
		file, raw := printed(t, s)
		named := strings.TrimSuffix(file, "record.pdf") + name + ".pdf"
		write(t, named, raw)
		files = append(files, named)
	}
	broken := strings.TrimSuffix(files[0], ".pdf") + "-broken.pdf" // of which both are to find something
	_, raw := printed(t, sheet())
	write(t, broken, bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("/S /GTS_PDFA1"), []byte("/S /GTS_PDFX1")), []byte("/Scope /Row"), []byte("/Scupe /Row")))
	claims := interop.Claims(t, append(files, broken)...)
	if len(claims) != 2*len(files)+2 {
		t.Fatalf("veraPDF says %d things of %d files", len(claims), len(files)+1)
	}
	for _, c := range claims {
		if c.Keeps == (c.File == broken) {
			t.Errorf("%s by %s, %s rules: %s", c.File, c.Profile, c.Asked, strings.Join(c.Broken, "; "))
		}
	}
}
