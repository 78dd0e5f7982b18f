package pdf

import (
	"bytes"
	"errors"
	"slices"
	"unicode/utf16"
)

// AttachedFile is a file that was found in a document.
type AttachedFile struct {
	Name         string
	Media        string
	Relationship string
	Data         []byte
	Err          error // it cannot be read
}

// Files are the attached files: those that are associated with the document, and
// then those that it only names. ISO 32000-1 §7.11.4, ISO 19005-3 §6.8.
func (f *File) Files() []AttachedFile {
	catalog := f.dict(f.trailer["Root"])
	var specs []any
	add := func(v any) {
		if len(specs) < maxFiles && !slices.ContainsFunc(specs, func(o any) bool { r, ok := o.(reference); return ok && o == v && r.number > 0 }) {
			specs = append(specs, v)
		}
	}
	for _, v := range f.list(catalog["AF"]) {
		add(v)
	}
	nodes := maxFields
	f.tree(f.dict(catalog["Names"])["EmbeddedFiles"], 0, &nodes, add)
	var all []AttachedFile
	for _, v := range specs {
		spec := f.dict(v)
		a := AttachedFile{Name: f.words(spec["UF"])}
		if a.Name == "" {
			a.Name = f.words(spec["F"])
		}
		if n, ok := f.get(spec["AFRelationship"]).(nameObject); ok {
			a.Relationship = string(n)
		}
		ef := f.dict(spec["EF"])
		s, ok := f.get(ef["UF"]).(streamed)
		if !ok {
			s, ok = f.get(ef["F"]).(streamed)
		}
		if !ok {
			continue // it stands outside of the document
		}
		if n, ok := f.get(s.dict["Subtype"]).(nameObject); ok {
			a.Media = string(n)
		}
		a.Data, a.Err = f.expand(s)
		all = append(all, a)
	}
	return all
}

// tree goes through the values of a name tree, ISO 32000-1 §7.9.6.
func (f *File) tree(v any, depth int, left *int, add func(any)) {
	if *left--; depth > 16 || *left < 0 {
		return
	}
	node := f.dict(v)
	names := f.list(node["Names"])
	for i := 1; i < len(names) && i < 2*maxFiles; i += 2 {
		add(names[i])
	}
	kids := f.list(node["Kids"])
	for _, k := range kids[:min(len(kids), maxFiles)] {
		f.tree(k, depth+1, left, add)
	}
}

// words are a text string.
func (f *File) words(v any) string {
	raw, _ := f.get(v).([]byte)
	if !bytes.HasPrefix(raw, []byte{0xFE, 0xFF}) {
		return string(bytes.ToValidUTF8(raw, []byte("?")))
	}
	var units []uint16
	for i := 2; i+1 < len(raw); i += 2 {
		units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
	}
	return string(utf16.Decode(units))
}

// Signed is a signature that was found in a document.
type Signed struct {
	Form  string // SubFilter
	Name  string // who signs, as the dictionary says
	At    string // when, as the dictionary says: D:YYYYMMDDHHMMSSZ
	CMS   []byte
	parts [2][]byte // what is signed
	// Whole: every byte of the file is signed, but the signature itself. Nothing
	// was changed or added since.
	Whole bool
}

// Signatures are the signatures of the document, ISO 32000-1 §12.8. One whose
// range is not what the standard says is an error.
func (f *File) Signatures() ([]Signed, error) {
	form := f.dict(f.dict(f.trailer["Root"])["AcroForm"])
	var values []any
	visited := 0
	f.fields(f.list(form["Fields"]), nil, 0, &visited, func(v any) { values = append(values, v) })
	if visited > maxFields || len(values) > maxSigned {
		return nil, errors.New("it has too many fields or signatures to look at")
	}
	var all []Signed
	for _, v := range values {
		d := f.dict(v)
		if d == nil {
			return nil, errors.New("its signature cannot be read")
		}
		s, err := f.signed(d)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// fields goes through the form for signature fields.
func (f *File) fields(all array, kind any, depth int, visited *int, add func(any)) {
	if depth > 16 {
		return
	}
	for _, v := range all {
		if *visited++; *visited > maxFields {
			return
		}
		d := f.dict(v)
		own := kind
		if t := f.get(d["FT"]); t != nil {
			own = t
		}
		if own == nameObject("Sig") && d["V"] != nil {
			add(d["V"])
		}
		f.fields(f.list(d["Kids"]), own, depth+1, visited, add)
	}
}

// signed is a signature with what it covers. The gap in its range must be the
// signature itself and nothing else: otherwise something could hide there.
func (f *File) signed(d dictionary) (Signed, error) {
	outside := errors.New("the range of its signature is not what the standard says")
	r, ok := numbers(f.get(d["ByteRange"]), 4)
	contents, is := f.get(d["Contents"]).([]byte)
	if !ok || !is {
		return Signed{}, outside
	}
	from, to := r[1], r[2]
	if r[0] != 0 || from > to || to > len(f.data) || r[3] > len(f.data)-to || to-from < 2 {
		return Signed{}, outside
	}
	gap := f.data[from:to]
	if gap[0] != '<' || gap[len(gap)-1] != '>' {
		return Signed{}, outside
	}
	p := &parser{data: gap}
	inside, err := p.hex()
	if err != nil || p.at != len(gap) || !bytes.Equal(inside, contents) {
		return Signed{}, outside
	}
	form, _ := f.get(d["SubFilter"]).(nameObject)
	at, _ := f.get(d["M"]).([]byte)
	return Signed{Form: string(form), Name: f.words(d["Name"]), At: string(at), CMS: contents, parts: [2][]byte{f.data[:from], f.data[to : to+r[3]]}, Whole: to+r[3] == len(f.data)}, nil
}
