package tabular

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var known = []Field{{"learner_id", true}, {"name", false}, {"note", false}}

// read is a file as text: each row's fields, or its line, column and rule.
func read(t testing.TB, file string, o Options) []string {
	t.Helper()
	if o.Fields == nil {
		o.Fields = known
	}
	return readFrom(t, strings.NewReader(file), o)
}

func readFrom(t testing.TB, file io.Reader, o Options) []string {
	t.Helper()
	r, err := NewReader(file, o)
	var bad *Error
	if errors.As(err, &bad) {
		return []string{fmt.Sprintf("file: %s", bad.Rule)}
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for {
		row, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if row.Err != nil {
			all = append(all, fmt.Sprintf("%d: %s %s", row.Err.Line, row.Err.Rule, row.Err.Column))
			continue
		}
		all = append(all, fmt.Sprintf("%d: %s|%s|%s", row.Line, row.Text("learner_id"), row.Text("name"), row.Text("note")))
	}
}

func TestWhatRegistrarsExport(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		o    Options
		want []string
	}{
		"plain":                   {"learner_id,name,note\nS1,Ada,x\nS2,Grace,\n", Options{}, []string{"2: S1|Ada|x", "3: S2|Grace|"}},
		"byte order mark":         {"\xef\xbb\xbflearner_id,name\nS1,Zoë\n", Options{}, []string{"2: S1|Zoë|"}},
		"headers as people write": {"Learner ID;Name ;Other\r\nS1;Ada;z\r\n", Options{}, []string{"2: S1|Ada|"}},
		"old line ends":           {"learner_id,name\rS1,Ada\rS2,Grace", Options{}, []string{"2: S1|Ada|", "3: S2|Grace|"}},
		"tabs":                    {"learner_id\tname\nS1\tA, B\n", Options{}, []string{"2: S1|A, B|"}},
		"bars":                    {"learner_id|name\nS1|Ada\n", Options{}, []string{"2: S1|Ada|"}},
		"Excel's delimiter line":  {"sep=;\nlearner_id;name\nS1;Ada\n", Options{}, []string{"3: S1|Ada|"}},
		"windows-1252 unasked":    {"learner_id,name\nS1,Zo\xeb \x96 x\n", Options{}, []string{"2: S1|Zoë – x|"}},
		"windows-1252 asked":      {"learner_id,name\nS1,Zo\xeb\n", Options{Encoding: "windows-1252"}, []string{"2: S1|Zoë|"}},
		"utf-16":                  {"\xff\xfel\x00e\x00a\x00r\x00n\x00e\x00r\x00_\x00i\x00d\x00\n\x00S\x001\x00\n\x00", Options{}, []string{"2: S1||"}},
		"quotes":                  {"learner_id,name,note\nS1,\"Byron, Ada\",\"say \"\"hi\"\"\"\n", Options{}, []string{`2: S1|Byron, Ada|say "hi"`}},
		"quoted newline":          {"learner_id,name,note\nS1,\"Ada\r\nByron\",x\nS2,b,c\n", Options{}, []string{"2: S1|Ada\nByron|x", "4: S2|b|c"}},
		"mapped":                  {"Student Number,Full name\nS1,Ada\n", Options{Columns: map[string]string{"learner_id": "student_number", "name": "Full Name"}}, []string{"2: S1|Ada|"}},
		"trailing delimiters":     {"learner_id,name,,\nS1,Ada,,\nS2,Grace\n", Options{}, []string{"2: S1|Ada|", "3: S2|Grace|"}},
		"blank lines":             {"\n\nlearner_id,name\n\nS1,Ada\n   \nS2,Grace\n", Options{}, []string{"5: S1|Ada|", "7: S2|Grace|"}},
		"one column":              {"learner_id\nS1\nS2\n", Options{}, []string{"2: S1||", "3: S2||"}},
		"too many cells":          {"learner_id,name\nS1,Byron, Ada\nS2,Grace\n", Options{}, []string{"2: cells ", "3: S2|Grace|"}},
		"too few cells":           {"learner_id,name,note\nS1,Ada\nS2,a,b\n", Options{}, []string{"2: cells ", "3: S2|a|b"}},
		"stray quote":             {"learner_id,name\nS1,5\" pipe\nS2,Grace\n", Options{}, []string{"2: quote ", "3: S2|Grace|"}},
		"open quote":              {"learner_id,name\nS1,\"Ada\nS2,Grace\nS3,Edsger\n", Options{}, []string{"2: quote ", "3: S2|Grace|", "4: S3|Edsger|"}},
		"open quote, others closed": {"learner_id,name\nS1,\"Ada\nS2,\"Grace\"\nS3,\"Edsger\"\n", Options{},
			[]string{"2: quote ", "3: S2|Grace|", "4: S3|Edsger|"}},
		"not UTF-8 far down": {"learner_id,name\n" + strings.Repeat("S1,Ada\n", 20000) + "S2,Zo\xeb\nS3,Grace\n", Options{},
			append(numbered(20000), "20002: encoding name", "20003: S3|Grace|")},
		"nul":               {"learner_id,name\nS1,A\x00\nS2,b\n", Options{}, []string{"2: nul name", "3: S2|b|"}},
		"too long":          {"learner_id,name\nS1," + strings.Repeat("x", 200) + "\nS2,b\n", Options{MaxRowBytes: 100}, []string{"2: row-size ", "3: S2|b|"}},
		"no such column":    {"id,name\nS1,Ada\n", Options{}, []string{"file: column-missing"}},
		"column twice":      {"learner_id,Learner-ID\nS1,S1\n", Options{}, []string{"file: column-once"}},
		"empty":             {"", Options{}, []string{"file: not-empty"}},
		"only blank":        {" \n\n", Options{}, []string{"file: not-empty"}},
		"unclear delimiter": {"a,b;c\n", Options{}, []string{"file: delimiter"}},
		"workbook":          {"PK\x03\x04...", Options{}, []string{"file: table"}},
		"unknown encoding":  {"learner_id\n", Options{Encoding: "ebcdic"}, []string{"file: encoding"}},
		"ndjson":            {"{\"learner_id\":\"S1\",\"name\":12.50,\"note\":true}\n\n{\"Learner ID\":\"S2\",\"name\":null}\n", Options{}, []string{"1: S1|12.50|true", "3: S2||"}},
		"ndjson, bad lines": {"{\"learner_id\":\"S1\"}\n{\"learner_id\":\nx\n{\"learner_id\":\"S4\",\"learner_id\":\"S5\"}\n[1]\n{\"learner_id\":\"S6\"} {}\n{\"learner_id\":\"S7\"}\n", Options{},
			[]string{"1: S1||", "2: json ", "3: json ", "4: column-once learner_id", "5: json ", "6: json ", "7: S7||"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, read(t, c.file, c.o)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func numbered(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%d: S1|Ada|", i+2))
	}
	return all
}

func TestAMissingColumnSaysWhichIsNear(t *testing.T) {
	_, err := NewReader(strings.NewReader("Learner_Ids,name\n"), Options{Fields: known})
	var bad *Error
	if !errors.As(err, &bad) || !strings.Contains(bad.Message, `If "Learner_Ids" is meant`) || bad.Column != "learner_id" {
		t.Errorf("%v", err)
	}
}

func TestADuplicateKeyOrNestingKeepsItsJSON(t *testing.T) {
	r, err := NewReader(strings.NewReader(`{"learner_id":"a","note":[{"x":1}]}`), Options{Fields: known})
	if err != nil {
		t.Fatal(err)
	}
	row, err := r.Next()
	if err != nil || string(row.Raw("note")) != `[{"x":1}]` || row.Text("note") != "" || !row.Has("note") || row.Header("note") != "note" {
		t.Errorf("%+v, %v", row, err)
	}
}

// endless is a table of any length.
type endless struct {
	rows int
	rest []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.rows == 0 {
			return 0, io.EOF
		}
		e.rows--
		e.rest = []byte("S1,\"Ada, Countess\",a note of some length that goes on for a while\n")
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	const rows = 3_000_000 // 200 MB
	r, err := NewReader(io.MultiReader(strings.NewReader("learner_id,name,note\n"), &endless{rows: rows}), Options{Fields: known})
	if err != nil {
		t.Fatal(err)
	}
	var most uint64
	for n := 0; ; n++ {
		row, err := r.Next()
		if err == io.EOF {
			if n != rows {
				t.Errorf("%d rows", n)
			}
			break
		}
		if err != nil || row.Err != nil {
			t.Fatal(err, row.Err)
		}
		if n%500_000 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	if most > 32<<20 {
		t.Errorf("%d MB on the heap", most>>20)
	}
}

func TestDatesAndNumbers(t *testing.T) {
	for _, c := range []struct{ text, format, want string }{
		{"2026-05-01", "", "2026-5-1"}, {"2026-05-01T10:00:00Z", "", "2026-5-1"}, {"5/1/2026", "MM/DD/YYYY", "2026-5-1"},
		{"05/01/2026", "DD/MM/YYYY", "2026-1-5"}, {"01.05.2026", "DD.MM.YYYY", "2026-5-1"}, {"20260501", "YYYYMMDD", "2026-5-1"},
		{"2026-02-30", "", "no"}, {"05/01/2026", "", "no"}, {"0026-05-01", "", "no"}, {"2026-05-01x", "", "no"}, {"2026-05-01", "odd", "no"},
		{"2026-05-01 23:59:59.123+02:00", "", "2026-5-1"}, {"2026-05-01Tnoon", "", "no"}, {"2026-05-01T", "", "no"}, {"5/1/2026 00:00", "MM/DD/YYYY", "2026-5-1"},
		{"", "", "no"}, {"20261301", "YYYYMMDD", "no"}, {"29.02.2024", "DD.MM.YYYY", "2024-2-29"}, {"29.02.2026", "DD.MM.YYYY", "no"},
	} {
		got := "no"
		if y, m, d, ok := Date(c.text, c.format); ok {
			got = fmt.Sprintf("%d-%d-%d", y, m, d)
		}
		if got != c.want {
			t.Errorf("%q as %q: %s, want %s", c.text, c.format, got, c.want)
		}
	}
	for text, want := range map[string]string{"3": "3", "3.5": "3.5", "3,5": "3.5", "12,75": "12.75", "1,234": "no", "1.234,5": "no", "": "no",
		"0,125": "0.125", "-0,125": "-0.125", "1234,567": "1234.567", "1,234,567": "no", "-1,234": "no", ",5": "no", "5,": "no", "3,-5": "no",
		"-": "no", "1-2": "no", "--1": "no", ".": "no", "1_000": "no", strings.Repeat("9", 400): "no", "abc": "no", "1e3": "no", "NaN": "no", "-2": "-2", "0x10": "no", "Inf": "no"} {
		got := "no"
		if n, ok := Number(text); ok {
			got = fmt.Sprint(n)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestAnErrorFileHoldsNoFormula(t *testing.T) {
	var b bytes.Buffer
	rows := []Error{{Line: 3, Column: "grade", Rule: "r", Value: "=HYPERLINK(1)", Message: "No."}}
	err := WriteErrors(&b, func() (Error, bool, error) {
		if len(rows) == 0 {
			return Error{}, false, nil
		}
		e := rows[0]
		rows = rows[1:]
		return e, true, nil
	})
	if want := "line,column,rule,value,message\n3,grade,r,'=HYPERLINK(1),No.\n"; err != nil || b.String() != want {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"learner_id,name,note\nS1,\"a\nS2,b,c\nS3,d,e\nS4,f\",g\n", "learner_id,\"na\nme\"\rS1,\"\"\"\"\r", "learner_id\tname\n\"\t\"\"\n\t\"x\t\n",
		"learner_id,name\nS1,\xc3\nS2,\xc3\xa9\xe9\n", strings.Repeat("learner_id,", 99), "{\"learner_id\":\"\\u0000\"}\n{\"name\":[{\"a\":1,\"a\":2}]}\n", "learner_id,name\nS1,\"a\nb\"\n", "learner_id;name\r\nS1;\"x\"\"y\"\r\n", "sep=;\nlearner_id;b", "learner_id\r\"", "\xff\xfea\x00", "{\"learner_id\":1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, o := range []Options{{}, {Format: "csv", Delimiter: ",", Encoding: "windows-1252"}, {Format: "csv", MaxRowBytes: 20}} {
			o.Fields = known
			holds(t, file, o)
		}
	})
}

func FuzzNDJSON(f *testing.F) {
	for _, s := range []string{`{"learner_id":"S1","name":12.50,"note":{"a":[1,"}",{"b":null}]}}`, `{"Learner ID" : "\u00e9\ud83d\ude00" , "x":true }`, "{}\n[]\n{\"a\":1}{\n\r{\"note\":\"\\ud800\"}",
		`{"note":{"a":1,"\u0061":2}}`, `{"":"","":1}`, `{"learner_id":-1e5,"learner-id":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		holds(t, file, Options{Format: "ndjson", Fields: known})
		var want map[string]any
		dec := json.NewDecoder(bytes.NewReader(file))
		dec.UseNumber()
		if !json.Valid(file) || bytes.ContainsAny(file, "\r\n") || dec.Decode(&want) != nil {
			return
		}
		r, err := NewReader(bytes.NewReader(file), Options{Format: "ndjson", Encoding: "utf-8", Fields: known})
		if err != nil {
			return
		}
		row, err := r.Next()
		if err != nil || row.Err != nil {
			return // what else is refused is told by the tables
		}
		for name, v := range want {
			text, isText := v.(string)
			if n, isNumber := v.(json.Number); isNumber {
				text, isText = string(n), true
			}
			for _, f := range known {
				if isText && row.Header(f.Name) == name && folded(name) == folded(f.Name) && row.Text(f.Name) != strings.TrimSpace(text) {
					t.Fatalf("%s is %q, want %q", name, row.Text(f.Name), text)
				}
			}
		}
	})
}

// holds reads a file and checks what is true of any: lines and offsets go
// forward, the end is reached, and nothing that a database cannot hold comes out.
func holds(t *testing.T, file []byte, o Options) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file), o)
	var bad *Error
	if errors.As(err, &bad) {
		tells(t, bad)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	last, offset := 0, int64(0)
	for {
		row, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if row.Line <= last || row.LastLine < row.Line || row.Offset < offset || row.Offset > int64(len(file)) {
			t.Fatalf("line %d to %d behind line %d, offset %d behind %d of %d", row.Line, row.LastLine, last, row.Offset, offset, len(file))
		}
		last, offset = row.LastLine, row.Offset
		if row.Err != nil {
			tells(t, row.Err)
		}
		for _, f := range known {
			if v := row.Text(f.Name); !storable(v) || !storable(row.Header(f.Name)) || row.Err != nil && (v != "" || row.Has(f.Name)) {
				t.Fatalf("value %q", v)
			}
			if raw := row.Raw(f.Name); raw != nil && !json.Valid(raw) {
				t.Fatalf("raw %q", raw)
			}
		}
	}
}

func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// tells checks that an error can be stored and shown.
func tells(t *testing.T, e *Error) {
	t.Helper()
	for _, s := range []string{e.Column, e.Rule, e.Value, e.Message} {
		if !storable(s) {
			t.Fatalf("%q", s)
		}
	}
	if e.Rule == "" || e.Message == "" || utf8.RuneCountInString(e.Value) > 100 || utf8.RuneCountInString(e.Column) > 100 {
		t.Fatalf("%+v", e)
	}
}

func FuzzWrittenIsReadBack(f *testing.F) {
	f.Add("S1", "Ada \"x\"\n, y", "note")
	f.Add("a", "", "\r\n;")
	f.Fuzz(func(t *testing.T, id, name, note string) {
		want := []string{id, name, note}
		for i, v := range want {
			if !utf8.ValidString(v) || strings.ContainsAny(v, "\x00\r") || len(v) > 1000 {
				return
			}
			want[i] = strings.TrimSpace(v)
		}
		if want[0]+want[1]+want[2] == "" {
			return // a blank row is none
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.WriteAll([][]string{{"learner_id", "name", "note"}, {id, name, note}, {"S2", "x", "y"}})
		r, err := NewReader(&b, Options{Fields: known, Delimiter: ","})
		if err != nil {
			t.Fatal(err)
		}
		row, err := r.Next()
		if err == nil && row.Err != nil && strings.Contains(row.Err.Message, "look like rows") && strings.Count(id+name+note, "\n") > 2 {
			return
		}
		if err != nil || row.Err != nil {
			t.Fatal(err, row.Err)
		}
		if got := []string{row.Text("learner_id"), row.Text("name"), row.Text("note")}; !cmp.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
		if row, err = r.Next(); err != nil || row.Text("learner_id") != "S2" {
			t.Fatalf("the next row is %q, %v", row.Text("learner_id"), err)
		}
	})
}

func BenchmarkCSV(b *testing.B) {
	for _, c := range []struct{ name, header, row string }{
		{"quoted", "learner_id,name,note\n", "S%06d,\"Byron, Ada %d\",Spring 2026\n"},
		{"plain", "learner_id,course_code,completed_on,term,grade,credits,status,name\n", "S%06d,MATH-101-%d,2026-05-01,Spring 2026,A-,3.0,Completed,Zoë\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var file bytes.Buffer
			file.WriteString(c.header)
			for i := range 10_000 {
				fmt.Fprintf(&file, c.row, i, i)
			}
			compare(b, file)
		})
	}
}

// compare reads a file with ours and with the standard library's reader.
func compare(b *testing.B, file bytes.Buffer) {
	b.Run("testamur", func(b *testing.B) {
		b.SetBytes(int64(file.Len()))
		b.ReportAllocs()
		for b.Loop() {
			r, err := NewReader(bytes.NewReader(file.Bytes()), Options{Fields: known})
			if err != nil {
				b.Fatal(err)
			}
			for {
				if _, err := r.Next(); err != nil {
					break
				}
			}
		}
	})
	b.Run("encoding-csv", func(b *testing.B) {
		b.SetBytes(int64(file.Len()))
		b.ReportAllocs()
		for b.Loop() {
			r := csv.NewReader(bytes.NewReader(file.Bytes()))
			for {
				if _, err := r.Read(); err != nil {
					break
				}
			}
		}
	})
}

func BenchmarkNDJSON(b *testing.B) {
	var file bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&file, "{\"learner_id\":\"S%06d\",\"name\":\"Byron, Ada %d\",\"note\":12.50}\n", i, i)
	}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(file.Bytes()), Options{Fields: known})
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
