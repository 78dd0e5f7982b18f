package interop

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func changesOf(t *testing.T, document string) []string {
	t.Helper()
	var out []string
	err := EachFieldChanged([]byte(document), func(path string, changed []byte) {
		out = append(out, path+" = "+string(changed))
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryKindOfChange(t *testing.T) {
	tests := map[string]struct {
		document string
		want     []string
	}{
		"leaves": {`{"a": "x", "b":1.5 ,"c":true,"d":null}`, []string{
			`added /addedByNobody = {"a": "x", "b":1.5 ,"c":true,"d":null,"addedByNobody":"added"}`,
			`added /https:~1~1added.example~1term = {"a": "x", "b":1.5 ,"c":true,"d":null,"https://added.example/term":"added"}`,
			`removed /a = {"b":1.5 ,"c":true,"d":null}`, `changed /a = {"a": "xx", "b":1.5 ,"c":true,"d":null}`,
			`removed /b = {"a": "x", "c":true,"d":null}`, `changed /b = {"a": "x", "b":2.5 ,"c":true,"d":null}`,
			`removed /c = {"a": "x", "b":1.5 ,"d":null}`, `changed /c = {"a": "x", "b":1.5 ,"c":false,"d":null}`,
			`removed /d = {"a": "x", "b":1.5 ,"c":true}`, `changed /d = {"a": "x", "b":1.5 ,"c":true,"d":true}`}},
		"texts keep their shape": {`["2026-02-28T10:00:00+02:00","2026-12-31","7","a\"}é",""]`, []string{
			`changed /0 = ["2026-03-01T10:00:00+02:00","2026-12-31","7","a\"}é",""]`,
			`changed /1 = ["2026-02-28T10:00:00+02:00","2027-01-01","7","a\"}é",""]`,
			`changed /2 = ["2026-02-28T10:00:00+02:00","2026-12-31","8","a\"}é",""]`,
			`changed /3 = ["2026-02-28T10:00:00+02:00","2026-12-31","7","a\"}éx",""]`,
			`changed /4 = ["2026-02-28T10:00:00+02:00","2026-12-31","7","a\"}é","x"]`}},
		"lists": {`[{"c":1,"r":{"v":"A"},"s":"t"}, {"s":"t","c":2,"r":{"v":"B"}}]`, []string{
			`reordered /0 /1 = [{"s":"t","c":2,"r":{"v":"B"}}, {"c":1,"r":{"v":"A"},"s":"t"}]`,
			`swapped /0/c /1/c = [{"c":2,"r":{"v":"A"},"s":"t"}, {"s":"t","c":1,"r":{"v":"B"}}]`,
			`swapped /0/r /1/r = [{"c":1,"r":{"v":"B"},"s":"t"}, {"s":"t","c":2,"r":{"v":"A"}}]`,
			`swapped /0/r/v /1/r/v = [{"c":1,"r":{"v":"B"},"s":"t"}, {"s":"t","c":2,"r":{"v":"A"}}]`}},
		"proofs are let be": {`{"proof":[{"v":1}],"e":{"proof":{"v":1}}}`, []string{
			`removed /e = {"proof":[{"v":1}]}`}},
		"empty": {`{}`, []string{`added /addedByNobody = {"addedByNobody":"added"}`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := changesOf(t, test.document)
			if name == "leaves" {
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
			}
			for _, w := range test.want {
				if !slices.Contains(got, w) {
					t.Errorf("no %s among\n%s", w, strings.Join(got, "\n"))
				}
			}
		})
	}
	for _, c := range changesOf(t, tests["proofs are let be"].document) {
		if strings.Contains(c[:strings.Index(c, " = ")], "proof") {
			t.Error(c)
		}
	}
}

func TestOnlyJSONIsChanged(t *testing.T) {
	for _, bad := range []string{"", "{", `{"a":}`, "{} {}"} {
		err := EachFieldChanged([]byte(bad), func(path string, _ []byte) { t.Errorf("%q: %s", bad, path) })
		if err == nil {
			t.Errorf("%q was taken for JSON", bad)
		}
	}
}

func FuzzEachFieldChanged(f *testing.F) {
	f.Add([]byte(` { "a\"b" : [ 1 , {"x":"\\"} , {"x":"y"} ] , "proof":{}, "é":1e400 } `))
	f.Add([]byte(`"2026-01-01T00:00:00Z"`))
	f.Add([]byte(`[[],[[]],{},{"a":{}},{"a":{"b":-0.5}}]`))
	f.Fuzz(func(t *testing.T, document []byte) {
		if len(document) > 400 {
			return
		}
		err := EachFieldChanged(document, func(path string, changed []byte) {
			if !json.Valid(changed) {
				t.Fatalf("%s of %q is not JSON: %q", path, document, changed)
			}
			if string(changed) == string(document) {
				t.Fatalf("%s of %q changes nothing", path, document)
			}
		})
		if (err == nil) != json.Valid(document) {
			t.Fatalf("%q: %v", document, err)
		}
	})
}
