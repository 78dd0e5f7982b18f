package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
)

// form is a page that asks for something to be done.
type form struct {
	Title  string // of the page
	About  string // whom or what it is about, as it is called
	Intro  string // a sentence
	Quote  string // what the service says of it
	Note   string // what somebody wrote of it
	Submit string // what the button says
	Back   string // where to go instead
	Danger bool   // it cannot be undone
	Fields []field
	Fault  *fault.Error // why it was refused
	Values url.Values
	File   bool
	Views  *views // who was shown the credential that it changes
}

// field is one thing that a form asks for.
type field struct {
	Name     string // as the fault's Field names it
	Label    string
	Help     string
	Type     string // text, textarea, date, email, number, select, checkbox or file
	Options  []option
	Value    string // to begin with
	Required bool
	Auto     string // autocomplete
	Accept   string
	Wrong    bool
}

// option is one of what may be chosen.
type option struct {
	Value string
	Label string
	Group string
	Other bool // in another language than the page's: somebody wrote it
}

// asking is a form and what sending it does.
type asking struct {
	who   need
	build func(v *visit) (form, error)
	// do acts on what was sent and gives the page to go to and the mark of what
	// was done; no page when it has shown one itself.
	do func(v *visit, in url.Values) (to, mark string, err error)
}

// ask registers a form: opened by GET, sent by POST to the same address.
func (s *site) ask(mux *http.ServeMux, path string, a asking) {
	s.page(mux, "GET "+path, a.who, func(v *visit) error {
		f, err := a.build(v)
		if err != nil {
			return err
		}
		f.Values = v.r.URL.Query()
		return v.show(http.StatusOK, "form", f.Title, f.filled())
	})
	s.page(mux, "POST "+path, a.who, func(v *visit) error {
		if err := v.form(); err != nil {
			return err
		}
		to, mark, err := a.do(v, v.r.PostForm)
		if err == nil && to == "" {
			return nil
		}
		if err == nil {
			return v.done(to, mark)
		}
		if k := fault.KindOf(err); k != fault.Invalid && k != fault.Conflict && k != fault.State && k != fault.Limit {
			return err
		}
		f, broken := a.build(v)
		if broken != nil {
			return broken
		}
		f.Fault, f.Values = v.understood(err), v.r.PostForm
		return v.show(statusOf[f.Fault.Kind], "form", f.Title, f.filled())
	})
}

// filled is the form with what was sent in its fields, and the one at fault
// marked.
func (f form) filled() form {
	f.Fields = append([]field(nil), f.Fields...)
	for i := range f.Fields {
		x := &f.Fields[i]
		if sent, ok := f.Values[x.Name]; ok && len(sent) > 0 {
			x.Value = sent[0]
		} else if f.Fault != nil && x.Type == "checkbox" {
			x.Value = ""
		}
		if f.Fault != nil {
			name := f.Fault.Field
			x.Wrong = name == x.Name || strings.HasPrefix(name, x.Name+".")
		}
	}
	return f
}

// AtField is the name of the field at fault, if it is on the form.
func (f form) AtField() string {
	for _, x := range f.Fields {
		if x.Wrong {
			return x.Name
		}
	}
	return ""
}

// sent is a field without blanks around it.
func sent(in url.Values, name string) string { return strings.TrimSpace(in.Get(name)) }

// optional is a field, or nil when it was left empty.
func optional(in url.Values, name string) *string {
	if v := sent(in, name); v != "" {
		return &v
	}
	return nil
}

// dated is a day that was sent, or nil.
func dated(in url.Values, name string) (*day.Date, error) {
	v := sent(in, name)
	if v == "" {
		return nil, nil
	}
	d, err := day.Parse(v)
	if err != nil {
		return nil, fault.At(name, "date", "%q is not a date: write it as YYYY-MM-DD.", v)
	}
	return &d, nil
}
