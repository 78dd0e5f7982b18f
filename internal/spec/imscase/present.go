package imscase

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Present is an object of a class as a version of the standard has it, whatever
// version it came in as: what the version does not know is left out, or moves
// into extensions where it has those; liberties that were taken are made good.
// add are members to put in, such as CFDocumentURI. It is false for an
// association of a type that the version does not have.
func Present(version, class string, raw json.RawMessage, add map[string]any) (json.RawMessage, bool) {
	p := presenter{v11: version == V11}
	m, ok := p.object(class, raw)
	if !ok {
		return nil, false
	}
	if class == "CFDocument" && p.v11 {
		m["caseVersion"] = json.RawMessage(`"1.1"`)
	}
	for name, v := range add {
		value, err := json.Marshal(v)
		if err != nil {
			return nil, false
		}
		m[name] = value
	}
	out, err := json.Marshal(m)
	return out, err == nil
}

type presenter struct{ v11 bool }

func (p presenter) object(class string, raw json.RawMessage) (map[string]json.RawMessage, bool) {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil || m == nil {
		return nil, false
	}
	extra := map[string]json.RawMessage{}
	for name, v := range m {
		def, known := classes[class][name]
		switch {
		case string(v) == "null", def.since11 && !p.v11:
			delete(m, name)
		case !known && p.v11:
			extra[name] = v
			delete(m, name)
		case known:
			value, ok := p.value(def.kind, v)
			if !ok {
				return nil, false
			}
			m[name] = value
		}
	}
	if _, ok := m["description"]; class == "CFItemType" && !ok {
		m["description"] = m["title"]
	}
	if _, has := classes[class]["extensions"]; has && len(extra) > 0 {
		var known map[string]json.RawMessage
		_ = json.Unmarshal(m["extensions"], &known) // what is no object is replaced
		for name, v := range known {
			extra[name] = v
		}
		m["extensions"], _ = json.Marshal(extra) // texts that were parsed
	}
	return m, true
}

// value is a member's value; false when the version cannot say it.
func (p presenter) value(kind string, raw json.RawMessage) (json.RawMessage, bool) {
	switch kind {
	case "link":
		return p.nested("LinkURI", raw)
	case "genlink":
		return p.nested("LinkGenURI", raw)
	case "links":
		return p.list("LinkURI", raw)
	case "texts":
		if raw[0] == '"' {
			return slices.Concat(json.RawMessage("["), raw, json.RawMessage("]")), true
		}
		return raw, true
	case "integer":
		if Quoted.Match(raw) {
			return raw[1 : len(raw)-1], true
		}
		return raw, true
	}
	if _, ok := classes[kind]; ok {
		return p.list(kind, raw)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return raw, true // a number or an object
	}
	switch kind {
	case "uuid":
		s = strings.ToLower(s)
	case "datetime":
		if _, err := time.Parse(Naive, s); err == nil {
			s += "Z"
		}
	case "date":
		if len(s) > len(time.DateOnly) && p.v11 {
			s = s[:len(time.DateOnly)]
		}
	case "association":
		if !p.v11 && !slices.Contains(associationTypes, s) {
			return nil, false
		}
	default:
		return raw, true
	}
	out, err := json.Marshal(s)
	return out, err == nil
}

func (p presenter) nested(class string, raw json.RawMessage) (json.RawMessage, bool) {
	m, ok := p.object(class, raw)
	if !ok {
		return nil, false
	}
	out, err := json.Marshal(m)
	return out, err == nil
}

func (p presenter) list(class string, raw json.RawMessage) (json.RawMessage, bool) {
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil, false
	}
	for i := range all {
		out, ok := p.nested(class, all[i])
		if !ok {
			return nil, false
		}
		all[i] = out
	}
	out, err := json.Marshal(all)
	return out, err == nil
}

// Definitions are the CFDefinitions of a package as a version has them; nil
// for none.
func Definitions(version string, raw json.RawMessage) json.RawMessage {
	out, ok := presenter{v11: version == V11}.nested("CFDefinitions", raw)
	if !ok || string(out) == "{}" {
		return nil // 1.0 lets it be an empty list
	}
	return out
}

// Member is one kind of definitions, by the name of its list in CFDefinitions.
func Member(definitions json.RawMessage, list string) []json.RawMessage {
	var m map[string]json.RawMessage
	var all []json.RawMessage
	if json.Unmarshal(definitions, &m) != nil || json.Unmarshal(m[list], &all) != nil {
		return nil
	}
	return all
}

// IsHexUUID reports whether a text has the form of a UUID, which is what the
// schema of 1.0 asks of an identifier.
func IsHexUUID(s string) bool { return uuid10.MatchString(s) }

// IsUUID reports whether a text is an identifier as both versions' endpoints
// want it: versions 1 to 5 in lower case.
func IsUUID(s string) bool { return uuid11.MatchString(s) }

// Kind is the kind of a field that documents can be filtered and sorted by: the
// name of a member of CFDocument, or of a link in it behind a dot. Empty for a
// name that is none.
func Kind(field string) string {
	name, of, nested := strings.Cut(field, ".")
	def := classes["CFDocument"][name]
	if name == "CFPackageURI" {
		def.kind = "link"
	}
	if !nested {
		return def.kind
	}
	if def.kind != "link" && def.kind != "links" {
		return ""
	}
	return classes["LinkURI"][of].kind
}
