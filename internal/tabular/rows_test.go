package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/cost"
)

func TestNoGoodRowIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		o    Options
		want []string
	}{
		"open quote at the end": {"learner_id,name\nS1,a\nS2,\"b\n", Options{}, []string{"2: S1|a|", "3: quote "}},
		"open quote, the next one opens too": {"learner_id,name\nS1,\"a\nS2,\"b\nS3,\"c\nS4,d\n", Options{},
			[]string{"2: quote ", "3: quote ", "4: quote ", "5: S4|d|"}},
		"open quote, closed behind good rows, does not fit": {"learner_id,name,note\nS1,\"a,x\nS2,b,y\nS3,c\",z\",\nS4,d,w\n", Options{},
			[]string{"2: quote ", "3: S2|b|y", "4: quote ", "5: S4|d|w"}},
		"open quote, too few cells": {"learner_id,name,note\nS1,\"a\nS2,b,y\nS3,\"\nS4,d,w\n", Options{},
			[]string{"2: quote ", "3: S2|b|y", "4: quote ", "5: S4|d|w"}},
		"two strays that hide rows are told": {"learner_id,name,note\nS1,\"5 in,x\nS2,b,y\nS3,c,y\nS4,6\",z\nS5,d,w\n", Options{},
			[]string{"2: quote ", "6: S5|d|w"}},
		"a letter of several lines": {"learner_id,name,note\nS1,a,\"Dear Ada,\n\nyou did, as ever, well.\nYours, G.\"\nS2,b,c\n", Options{},
			[]string{"2: S1|a|Dear Ada,\n\nyou did, as ever, well.\nYours, G.", "6: S2|b|c"}},
		"rows inside a text are not rows": {"learner_id,name,note\nS1,a,\"x\nS9,forged,y\nS9,forged,z\n\"\nS2,b,c\n", Options{},
			[]string{"2: quote ", "6: S2|b|c"}},
		"not UTF-8 on the second line of a cell": {"learner_id,name\nS1,\"é\nS9,\xff\nx\"\nS2,éé\n", Options{Encoding: "utf-8"},
			[]string{"2: encoding name", "5: S2|éé|"}},
		"many cells over several lines are one error": {"learner_id,name\nS1,\"x\ny\",z\nS2,b\n", Options{}, []string{"2: cells ", "4: S2|b|"}},
		"something behind a quote":                    {"learner_id,name\nS1,\"a\"b\nS2,\"b\" \nS3, \"c\"\n", Options{}, []string{"2: quote ", "3: S2|b|", "4: S3|c|"}},
		"quotes in a cell without":                    {"learner_id,name\nS1,Robert \"Bob\" Smith\nS2,b\n", Options{}, []string{"2: quote ", "3: S2|b|"}},
		"only delimiters":                             {"learner_id,name\n,\nS1,a\n,,,,\n\"\", \nS2,b\n", Options{}, []string{"3: S1|a|", "6: S2|b|"}},
		"mixed line ends":                             {"learner_id,name\r\nS1,a\nS2,b\rS3,\"c\rd\"\r\n\r\nS4,e", Options{}, []string{"2: S1|a|", "3: S2|b|", "4: S3|c\nd|", "7: S4|e|"}},
		"an empty last line":                          {"learner_id\nS1\n\n\n", Options{}, []string{"2: S1||"}},
		"too long in the middle of quotes": {"learner_id,name\nS1,\"a\n" + strings.Repeat("y", 300) + "\"\nS2,b\n", Options{MaxRowBytes: 100},
			[]string{"2: quote ", "3: row-size ", "4: S2|b|"}},
		"too long over several lines": {"learner_id,name\nS1,\"a\n" + strings.Repeat("S8,x\n", 30) + "\"\nS2,b\n", Options{MaxRowBytes: 100},
			append(append([]string{"2: quote "}, repeat("S8|x|", 3, 30)...), "33: quote ", "34: S2|b|")},
		"too long, last": {"learner_id,name\nS1,a\nS2," + strings.Repeat("y", 300), Options{MaxRowBytes: 100}, []string{"2: S1|a|", "3: row-size "}},
		"too long, ended by CRLF": {"learner_id,name\r\nS1," + strings.Repeat("y", 300) + "\r\nS2,b\r\n", Options{MaxRowBytes: 100},
			[]string{"2: row-size ", "3: S2|b|"}},
		"ndjson, too long":           {`{"learner_id":"` + strings.Repeat("y", 300) + "\"}\n{\"learner_id\":\"S2\"}", Options{MaxRowBytes: 100}, []string{"1: row-size ", "2: S2||"}},
		"ndjson, not UTF-8":          {"{\"learner_id\":\"S1\",\"name\":\"é\"}\n{\"name\":\"\xff\"}\n{\"learner_id\":\"S2\"}", Options{Encoding: "utf-8"}, []string{"1: S1|é|", "2: encoding ", "3: S2||"}},
		"ndjson, half a character":   {`{"learner_id":"\ud83d\ude00 \\ud800"}` + "\n" + `{"name":"\ud83d"}` + "\n" + `{"name":"\ude00\ud83d"}`, Options{}, []string{`1: 😀 \ud800||`, "2: encoding name", "3: encoding name"}},
		"ndjson, NUL":                {`{"learner_id":"a\u0000"}` + "\n" + `{"note":{"x":["\u0000"]}}` + "\n" + `{"learner_id":"\\u0000"}`, Options{}, []string{"1: nul learner_id", "2: nul note", `3: \u0000||`}},
		"ndjson, names twice":        {`{"x":1,"x":2}` + "\n" + `{"learner_id":1,"Learner-ID":2}` + "\n" + `{"note":[{"a":{"b":1,"\u0062":2}}]}` + "\n" + `{"note":[{"a":1},{"a":1}]}`, Options{}, []string{"1: column-once x", "2: column-once Learner-ID", "3: column-once note", "4: ||"}},
		"ndjson, numbers as written": {`{"learner_id":12345678901234567890123,"name":1.10,"note":1e2}`, Options{}, []string{"1: 12345678901234567890123|1.10|1e2"}},
		"ndjson, spaces":             {" { \"learner_id\" : \" S1 \" ,\t\"name\" : false } \r\n", Options{}, []string{"1: S1|false|"}},
		"ndjson, mapped":             {`{"sid":"S1","learner_id":"no"}`, Options{Columns: map[string]string{"learner_id": "SID"}}, []string{"1: S1||"}},
		"ndjson, shapes":             {"{\"learner_id\":1}\n{\"name\":2,\"learner_id\":3}\n{}\n{\"learner_id\":4}", Options{}, []string{"1: 1||", "2: 3|2|", "3: ||", "4: 4||"}},
		"ndjson, brackets in a text": {`{"note":{"a":"}]\"{"},"learner_id":"S1"}`, Options{}, []string{"1: S1||"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, read(t, c.file, c.o)); diff != "" {
				t.Error(diff)
			}
			holds(t, []byte(c.file), Options{Fields: known, Columns: c.o.Columns, Encoding: c.o.Encoding, MaxRowBytes: c.o.MaxRowBytes})
		})
	}
}

func repeat(row string, from, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%d: %s", from+i, row))
	}
	return all
}

func TestHeadersOfAllKinds(t *testing.T) {
	codes := []Field{{"code", true}, {"title", false}, {"credits", false}}
	for name, c := range map[string]struct {
		file string
		o    Options
		want string // code|title|credits of the first row, or the rule
	}{
		"over two lines":                   {"\"Co\r\nde\",Title\nA1,x\n", Options{}, "A1|x|"},
		"behind blank rows":                {";;;\n\ncode;title\nA1;x\n", Options{}, "A1|x|"},
		"sep with blank rows":              {"sep=\t\n\ncode\ttitle\nA1\tx\n", Options{}, "A1|x|"},
		"sep that is none":                 {"sep=x\ncodextitle\n", Options{}, "delimiter"},
		"sep and no more":                  {"sep=;\n", Options{}, "not-empty"},
		"the mapped goes before the named": {"code,title,Number\nno,x,A1\n", Options{Columns: map[string]string{"code": "number"}}, "A1|x|"},
		"a name taken by a mapping":        {"title,code\nA1,x\n", Options{Columns: map[string]string{"code": "title"}}, "A1||"},
		"one column for two fields":        {"Name\nA1\n", Options{Columns: map[string]string{"code": "name", "title": "name"}}, "A1|A1|"},
		"signs tell columns apart":         {"Code,Credits,Credits %\nA1,3,100\n", Options{}, "A1||3"},
		"a sign for a name":                {"#,Title\nA1,x\n", Options{Columns: map[string]string{"code": "#"}}, "A1|x|"},
		"required marks":                   {"Code*,Title:\nA1,x\n", Options{}, "A1|x|"},
		"two the same that nobody asks":    {"code,note,note\nA1,x,y\n", Options{}, "A1||"},
		"delimiter asked for":              {"code|title,x\nA1|b,c\n", Options{Delimiter: "|"}, "A1||"},
		"known columns decide":             {"code;title,a,b,c\nA1;x,y\n", Options{}, "A1||"},
		"quoted delimiters do not count":   {"code;\"a,b,c,d\"\nA1;x\n", Options{}, "A1||"},
		"not there":                        {"number,title\n", Options{}, "column-missing"},
		"mapped and not there":             {"code\n", Options{Columns: map[string]string{"title": "Name"}}, "column-missing"},
		"mapping of no field":              {"code\n", Options{Columns: map[string]string{"tilte": "Name"}}, "column-mapping"},
		"open quote":                       {"code,\"title\nA1,x\n", Options{}, "header"},
		"stray quote":                      {"code,5\" x\nA1,x\n", Options{}, "header"},
		"too long":                         {strings.Repeat("code,", 100) + "\n", Options{MaxRowBytes: 50}, "row-size"},
		"not the encoding":                 {"code,Zo\xeb\n", Options{Encoding: "utf-8"}, "encoding"},
		"NUL":                              {"code,a\x00b\n", Options{}, "nul"},
		"a byte order mark that differs":   {"\xef\xbb\xbfcode\nA1\n", Options{Encoding: "windows-1252"}, "encoding"},
		"UTF-16 unasked":                   {"c\x00o\x00d\x00e\x00\n\x00A\x00", Options{}, "encoding"},
		"asked for UTF-16":                 {"code\n", Options{Encoding: "utf-16"}, "encoding"},
		"JSON over lines":                  {"{\n\"code\":\"A1\"\n}\n", Options{}, "table"},
		"a JSON list":                      {"[\n {\"code\":\"A1\"}]\n", Options{}, "table"},
		"brackets around a header":         {"[code],[title]\nA1,x\n", Options{}, "A1|x|"},
		"a web page":                       {"\n<!doctype html><table>", Options{}, "table"},
		"unknown format":                   {"code\n", Options{Format: "xlsx"}, "format"},
		"unknown delimiter":                {"code\n", Options{Delimiter: "::"}, "delimiter"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Fields = codes
			if got := firstOf(t, c.file, c.o); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func firstOf(t *testing.T, file string, o Options) string {
	t.Helper()
	r, err := NewReader(strings.NewReader(file), o)
	var bad *Error
	if errors.As(err, &bad) {
		tells(t, bad)
		return bad.Rule
	}
	if err != nil {
		t.Fatal(err)
	}
	row, err := r.Next()
	if err != nil || row.Err != nil {
		t.Fatal(err, row.Err)
	}
	return row.Text("code") + "|" + row.Text("title") + "|" + row.Text("credits")
}

func TestSentencesSayWhatToDo(t *testing.T) {
	for file, want := range map[string]string{
		"learner_id,name\nS1,a,b\n":             "The row has 3 cells, and the header has 2.",
		"learner_id,name\nS1\n":                 "The row has 1 cell, and the header has 2.",
		"learner_id,name\nS1,\"a\nb\",\"x\nS2,": "A quote opens on line 3 and is not closed",
		"learner_id,name\né,\xe9\néé,\n":        "The byte 0xE9, character 1 of this cell, is not UTF-8. Save the file as UTF-8, or say that its encoding is windows-1252.",
		"{\"learner_id\":1}{}":                  "Something follows the object on its line, from character 17 on.",
		"{\"é\":1,\"b\":x}":                     "The line is not JSON from its character 12 on.",
		"{\"a\":":                               "cut off behind character 5.",
		"{\"a\":1}\n[]\n":                       "The line is not a JSON object.",
		"learner_id,a\tb\n":                     "",
		"a,b;c\n":                               `It is not clear what stands between the columns: ',' and ';' are there as often.`,
		"\x1f\x8b\x08":                          "This is a gzip file, not a table as text.",
		"learner id;full name\nx;y":             "",
		"student,full name\nx,y":                `The column "learner_id" is missing. The file has: "student", "full name". If one of them is meant, map learner_id to it.`,
	} {
		if got := complaints(t, file); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %s\nwant %s", file, got, want)
		}
	}
}

// complaints are the errors of a file.
func complaints(t *testing.T, file string) string {
	t.Helper()
	r, err := NewReader(strings.NewReader(file), Options{Fields: known})
	if err != nil {
		return err.Error()
	}
	all := ""
	for {
		row, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if row.Err != nil {
			all += row.Err.Error() + "\n"
		}
	}
}

func TestOffsetsEndWithTheFile(t *testing.T) {
	text := "learner_id,name\n" + strings.Repeat("S1,Zoë €\r\nS2,\"a\r\nb\"\n", 9000)
	utf16le := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(strings.ReplaceAll(text, "€", "😀"))) {
		utf16le = append(utf16le, byte(u), byte(u>>8))
	}
	utf16be := []byte{0xfe, 0xff}
	for i := 2; i < len(utf16le); i += 2 {
		utf16be = append(utf16be, utf16le[i+1], utf16le[i])
	}
	for encoding, file := range map[string][]byte{
		"utf-8":        []byte("\xef\xbb\xbf" + text),
		"windows-1252": []byte(strings.NewReplacer("ë", "\xeb", "€", "\x80").Replace(text)),
		"utf-16":       utf16le,
		"utf-16 big":   utf16be,
	} {
		r, err := NewReader(bytes.NewReader(file), Options{Fields: known})
		if err != nil || !strings.HasPrefix(encoding, r.Encoding()) {
			t.Fatalf("%s: %v", encoding, err)
		}
		var last Row
		first := int64(0)
		for {
			row, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil || row.Err != nil || row.Offset <= last.Offset {
				t.Fatalf("%s: %v, %v, offset %d behind %d", encoding, err, row.Err, row.Offset, last.Offset)
			}
			if last = row; first == 0 {
				first = row.Offset
			}
		}
		if last.Offset != int64(len(file)) || first > int64(len(file))/1000 {
			t.Errorf("%s: the first row ends at %d and the last at %d of %d", encoding, first, last.Offset, len(file))
		}
	}
}

func TestReadsTheSameByteByByte(t *testing.T) {
	file := "\xef\xbb\xbflearner_id,name,note\r\n" + strings.Repeat("S1,\"Zoë\r\nX\",é\r\nS2,\"b,c\nS3,a\x00,\xff\n", 5000)
	want := read(t, file, Options{})
	for name, r := range map[string]io.Reader{"one": iotest.OneByteReader(strings.NewReader(file)), "half": iotest.HalfReader(strings.NewReader(file)), "data with EOF": iotest.DataErrReader(strings.NewReader(file))} {
		if diff := cmp.Diff(want, readFrom(t, r, Options{Fields: known})); diff != "" {
			t.Errorf("%s: %.500s", name, diff)
		}
	}
	if len(want) != 15000 {
		t.Errorf("%d rows", len(want))
	}
}

func TestAStreamThatBreaksIsNoEnd(t *testing.T) {
	for _, broken := range []error{errors.New("reset"), io.ErrUnexpectedEOF} {
		for _, begun := range []string{"", "learner_id\n", "learner_id\nS1\n", "learner_id\nS1\nS", "learner_id\nS1\n\"S", "{\"learner_id\":1}\n{"} {
			r, err := NewReader(io.MultiReader(strings.NewReader(begun), iotest.ErrReader(broken)), Options{Fields: known})
			for err == nil {
				_, err = r.Next()
			}
			if !errors.Is(err, broken) {
				t.Errorf("%q: %v", begun, err)
			}
		}
	}
}

// A file of nothing but traps must cost no more than its length.
func TestTrapsCostNoMoreThanOthers(t *testing.T) {
	for name, line := range map[string]string{
		"open quotes":     "S1,\"a\n",
		"doubled quotes":  "\"\"\"\"\"\"\n",
		"one open":        "S1,\"\"\n",
		"CR alone":        "S1,a\r",
		"nested":          "{\"note\":" + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}\n",
		"unclosed nested": strings.Repeat("{\"note\":", 100) + "\n",
	} {
		header := "learner_id,name\nS0,\"open\n"
		if line[0] == '{' {
			header = ""
		}
		cost.Linear(t, name, 2<<20, func(n int) { holds(t, []byte(header+strings.Repeat(line, n/len(line))), Options{Fields: known}) })
	}
}

func TestWhatIsIgnoredIsTold(t *testing.T) {
	for file, want := range map[string][]string{
		"learner_id, Advisor ,,name,x\n":                              {"Advisor", "x"},
		"{\"learner_id\":1,\"y\":2}\n{\"x\":3}\n{\"y\":1,\"x\":null}": {"y", "x"},
	} {
		r, err := NewReader(strings.NewReader(file), Options{Fields: known})
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = r.Next()
		}
		if diff := cmp.Diff(want, r.Ignored()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestARowKnowsItsHeaders(t *testing.T) {
	r, err := NewReader(strings.NewReader("Learner ID;Full Name\nS1;\n"), Options{Fields: known, Columns: map[string]string{"name": "full name"}})
	if err != nil {
		t.Fatal(err)
	}
	row, err := r.Next()
	if err != nil || row.Header("name") != "Full Name" || row.Header("note") != "note" || row.Has("name") || row.Has("note") || !row.Has("learner_id") || row.Raw("learner_id") != nil {
		t.Errorf("%+v, %v", row, err)
	}
	if r.Format() != "csv" || r.Encoding() != "utf-8" || r.Delimiter() != ";" {
		t.Errorf("%s, %s, %s", r.Format(), r.Encoding(), r.Delimiter())
	}
	if r, err = NewReader(strings.NewReader(`{"Learner ID":"S1","name":"","note":{}}`), Options{Fields: known}); err != nil {
		t.Fatal(err)
	}
	row, err = r.Next()
	if err != nil || row.Header("learner_id") != "Learner ID" || row.Has("name") || !row.Has("note") || r.Delimiter() != "" || r.Format() != "ndjson" {
		t.Errorf("%+v, %v", row, err)
	}
}

func TestAValueIsCutToAHundredCharacters(t *testing.T) {
	for n, want := range map[int]int{99: 99, 100: 100, 101: 100, 5000: 100} {
		for _, c := range []string{"x", "é", "😀", "\xff\xe9x"} {
			got := short(strings.Repeat(c, n))
			if len([]rune(got)) > want || len(c) < 3 && len([]rune(got)) != want || strings.HasSuffix(got, "…") != (len([]rune(strings.Repeat(c, n))) > 100) {
				t.Errorf("%d of %q: %q", n, c, got)
			}
		}
	}
}

func TestBrokenUTF16IsOneRow(t *testing.T) {
	file := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune("learner_id,name\nS1,a\nS2,b~\nS3,c\n")) {
		if u == '~' {
			u = 0xd800 // half a pair
		}
		file = append(file, byte(u), byte(u>>8))
	}
	if diff := cmp.Diff([]string{"2: S1|a|", "3: encoding name", "4: S3|c|"}, read(t, string(file), Options{})); diff != "" {
		t.Error(diff)
	}
}

func TestAnErrorFileThatCannotBeMadeIsTold(t *testing.T) {
	gone := errors.New("gone")
	if err := WriteErrors(io.Discard, func() (Error, bool, error) { return Error{}, false, gone }); !errors.Is(err, gone) {
		t.Errorf("from the rows: %v", err)
	}
	n := 0
	err := WriteErrors(fullDisk{gone}, func() (Error, bool, error) { n++; return Error{Message: "No."}, n < 10_000, nil })
	if !errors.Is(err, gone) || n == 10_000 {
		t.Errorf("from the writer: %v, %d rows", err, n)
	}
}

type fullDisk struct{ err error }

func (f fullDisk) Write([]byte) (int, error) { return 0, f.err }
