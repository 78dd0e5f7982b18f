package ctdlasn

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/spec/imscase"
)

// sample is a framework in the form of the registry (CTDL-ASN, REFERENCE of its
// schema): two languages, alignments of each kind, members CASE has not.
const sample = `{"@context":"https://credreg.net/ctdlasn/schema/context/json","@graph":[
{"@id":"https://credentialengineregistry.org/resources/ce-11111111-1111-4111-8111-111111111111","@type":"ceasn:CompetencyFramework",
 "ceterms:ctid":"ce-11111111-1111-4111-8111-111111111111","ceasn:name":{"en-US":"Nursing"},"ceasn:description":{"en-US":"What nurses do."},
 "ceasn:inLanguage":["en-US"],"ceasn:creator":["https://nurses.example/"],"ceasn:license":"https://creativecommons.org/licenses/by/4.0/",
 "ceasn:rights":{"en-US":"Some reserved."},"ceasn:publicationStatusType":"publicationStatus:Published","ceasn:dateValidFrom":"2024-01-01",
 "ceasn:dateModified":"2024-02-03T04:05:06Z","ceasn:source":["https://nurses.example/source"],
 "ceasn:hasTopChild":["https://credentialengineregistry.org/resources/ce-22222222-2222-4222-8222-222222222222"]},
{"@id":"https://credentialengineregistry.org/resources/ce-33333333-3333-4333-8333-333333333333","@type":"ceasn:Competency",
 "ceterms:ctid":"ce-33333333-3333-4333-8333-333333333333","ceasn:competencyText":{"en-US":"Takes vital signs.","es":"Toma signos vitales."},
 "ceasn:competencyLabel":{"en-US":"Vital signs"},"ceasn:codedNotation":"N.1.1","ceasn:listID":"1","ceasn:competencyCategory":{"en-US":"Skill"},
 "ceasn:inLanguage":["en-US"],"ceasn:isPartOf":"https://credentialengineregistry.org/resources/ce-11111111-1111-4111-8111-111111111111",
 "ceasn:isChildOf":["https://credentialengineregistry.org/resources/ce-22222222-2222-4222-8222-222222222222"],
 "ceasn:exactAlignment":["https://other.example/a"],"ceasn:broadAlignment":["https://other.example/b"],
 "ceasn:prerequisiteAlignment":["https://other.example/c"],"ceasn:complexityLevel":["https://other.example/level"],"ceasn:weight":0.5},
{"@id":"https://credentialengineregistry.org/resources/ce-22222222-2222-4222-8222-222222222222","@type":"ceasn:Competency",
 "ceterms:ctid":"ce-22222222-2222-4222-8222-222222222222","ceasn:competencyText":{"en-US":"Observes the patient."},"ceasn:inLanguage":["en-US"],
 "ceasn:isPartOf":"https://credentialengineregistry.org/resources/ce-11111111-1111-4111-8111-111111111111",
 "ceasn:isTopChildOf":"https://credentialengineregistry.org/resources/ce-11111111-1111-4111-8111-111111111111",
 "ceasn:hasChild":["https://credentialengineregistry.org/resources/ce-33333333-3333-4333-8333-333333333333"]}]}`

// byID are the nodes of a graph by @id.
func byID(t *testing.T, text []byte) map[string]map[string]any {
	t.Helper()
	var g struct {
		Graph []map[string]any `json:"@graph"`
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for _, n := range g.Graph {
		all[n["@id"].(string)] = n
	}
	return all
}

func TestWhatComesInComesOut(t *testing.T) {
	pkg, losses, err := Read(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, pkg); err != nil {
		t.Fatal(err)
	}
	before, after := byID(t, []byte(sample)), byID(t, out.Bytes())
	if len(before) != len(after) {
		t.Errorf("%d nodes, then %d", len(before), len(after))
	}
	for id, n := range before {
		for name, v := range n {
			if !reflect.DeepEqual(after[id][name], v) {
				t.Errorf("%s of %s: %v, then %v", name, id, v, after[id][name])
			}
		}
		for name, v := range after[id] { // what it adds, CASE says of it
			if _, ok := n[name]; !ok && name != "ceasn:dateModified" {
				t.Errorf("%s of %s is new: %v", name, id, v)
			}
		}
	}
	lost := map[string]int{}
	for _, l := range losses {
		lost[l.Member] = l.Count
	}
	want := map[string]int{"ceasn:rights": 1, "ceasn:competencyText": 1, "ceasn:broadAlignment": 1, "ceasn:complexityLevel": 1, "ceasn:weight": 1}
	if !reflect.DeepEqual(lost, want) {
		t.Errorf("kept in extensions: %v, want %v", lost, want)
	}
}

func TestCASESaysWhatItCan(t *testing.T) {
	pkg, _, err := Read(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	var items []imscase.Item
	links := map[string]bool{}
	read, err := imscase.Read(bytes.NewReader(pkg), imscase.Sink{
		Item: func(i imscase.Item) error { items = append(items, i); return nil },
		Association: func(a imscase.Association) error {
			links[a.Type+" "+a.Origin.URI[len(a.Origin.URI)-2:]+" "+a.Destination.URI[len(a.Destination.URI)-2:]] = true
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	d := read.Document
	if read.Version != imscase.V11 || d.Identifier != "11111111-1111-4111-8111-111111111111" || d.Title != "Nursing" || d.AdoptionStatus != "Implemented" ||
		d.StatusStartDate != "2024-01-01" || d.Language != "en-US" || d.LicenseURI.URI != "https://creativecommons.org/licenses/by/4.0/" {
		t.Errorf("%+v", d)
	}
	if len(items) != 2 || items[0].FullStatement != "Observes the patient." || items[1].AbbreviatedStatement != "Vital signs" || items[1].HumanCodingScheme != "N.1.1" ||
		items[1].ListEnumeration != "1" || items[1].ItemType != "Skill" {
		t.Errorf("%+v", items)
	}
	for _, want := range []string{"isChildOf 22 11", "isChildOf 33 22", "exactMatchOf 33 /a", "isRelatedTo 33 /b", "precedes /c 33"} {
		if !links[want] {
			t.Errorf("no %s in %v", want, links)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	for rule, text := range map[string]string{
		"json":               `[`,
		"ctdl-framework":     `{"@id":"https://x.example/1","@type":"ceasn:Competency","ceasn:competencyText":"t"}`,
		"ctdl-graph":         `{"@graph":7}`,
		"ctdl-id":            `{"@graph":[{"@type":"ceasn:CompetencyFramework"}]}`,
		"ctdl-once":          `{"@graph":[{"@id":"https://x.example/1"},{"@id":"https://x.example/1"}]}`,
		"ctdl-one-framework": `{"@graph":[{"@id":"https://x.example/1","@type":"ceasn:CompetencyFramework"},{"@id":"https://x.example/2","@type":"ceasn:CompetencyFramework"}]}`,
		"ctdl-required":      strings.Replace(sample, `"ceasn:name":{"en-US":"Nursing"},`, ``, 1),
	} {
		var e *Error
		if _, _, err := Read(strings.NewReader(text)); !errors.As(err, &e) || e.Rule != rule {
			t.Errorf("%s: %v", rule, err)
		}
	}
	var refused *imscase.Refused
	if _, _, err := Read(strings.NewReader(strings.Replace(sample, "2024-01-01", "soon enough", 1))); !errors.As(err, &refused) {
		t.Errorf("a day that is none: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample)
	f.Add(`{"@graph":[{"@id":"a","@type":["ceasn:CompetencyFramework"],"ceasn:name":"n","ceasn:hasTopChild":"a"},{"@id":"b","@type":"ceasn:Competency","ceasn:competencyText":"t","ceasn:hasChild":["b"],"ceasn:isChildOf":{"@id":"b"}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		pkg, _, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		if err := Write(&bytes.Buffer{}, pkg); err != nil {
			t.Errorf("what was read cannot be written: %v\n%s", err, pkg)
		}
	})
}
