package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/session"
)

//go:embed template asset message
var files embed.FS

// Languages are those that the pages speak, the first unless another is asked
// for.
var languages = []string{"en", "es"}

var matcher = language.NewMatcher([]language.Tag{language.English, language.Spanish})

// langCookie keeps a language that somebody chose.
const langCookie = "lang"

// Language is what the reader asks for: by choice, else by the browser.
func Language(r *http.Request) string {
	if c, err := r.Cookie(langCookie); err == nil {
		for _, l := range languages {
			if c.Value == l {
				return l
			}
		}
	}
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(tags) == 0 {
		return languages[0]
	}
	_, i, confidence := matcher.Match(tags...)
	if confidence == language.No {
		return languages[0]
	}
	return languages[i]
}

// words are the sentences of a language by the English one.
type words struct {
	lang   string
	by     map[string]string
	unsaid func(text string) // hears of what is not there
}

// say is a sentence in the language, with its blanks filled.
func (w *words) say(text string, args ...any) string {
	if w.by != nil && text != "" {
		other, ok := w.by[text]
		if ok {
			text = other
		} else {
			w.unsaid(text)
		}
	}
	if len(args) == 0 {
		return text
	}
	filled := make([]any, len(args))
	for i, a := range args {
		filled[i] = a
		if n, ok := a.(int); ok {
			filled[i] = number(w.lang, n)
		}
	}
	return fmt.Sprintf(strings.ReplaceAll(text, "%d", "%v"), filled...)
}

// count is one of two sentences by a number, which fills their first blank.
func (w *words) count(n int, one, many string, args ...any) string {
	text := many
	if n == 1 {
		text = one
	}
	return w.say(text, append([]any{n}, args...)...)
}

// number is n with its thousands parted.
func number(lang string, n int) string {
	digits := strconv.Itoa(n)
	mark := map[string]string{"en": ",", "es": "."}[lang]
	if n < 0 || len(digits) < 4 || lang == "es" && len(digits) < 5 {
		return digits
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(mark)
		}
		b.WriteRune(d)
	}
	return b.String()
}

var months = map[string][]string{
	"en": strings.Fields("January February March April May June July August September October November December"),
	"es": strings.Fields("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
}

// date is a day in words, which does not break; empty for none.
func (w *words) date(v any) template.HTML {
	var t time.Time
	switch d := v.(type) {
	case time.Time:
		t = d
	case *time.Time:
		if d != nil {
			t = *d
		}
	case day.Date:
		t, _ = time.Parse(time.DateOnly, d.String())
	case *day.Date:
		if d != nil {
			t, _ = time.Parse(time.DateOnly, d.String())
		}
	case string:
		var err error
		if t, err = time.Parse(time.DateOnly, d[:min(len(d), len(time.DateOnly))]); err != nil {
			return template.HTML(template.HTMLEscapeString(d))
		}
	}
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.DateOnly) + `">` + w.day(t) + `</time>`)
}

// day is a day in words.
func (w *words) day(t time.Time) string {
	month := months[w.lang][t.Month()-1]
	if w.lang == "es" {
		return fmt.Sprintf("%d de %s de %d", t.Day(), month, t.Year())
	}
	return fmt.Sprintf("%d %s %d", t.Day(), month, t.Year())
}

// moment is a day with the time of day, in UTC. It may break between the two.
func (w *words) moment(v any) template.HTML {
	t, ok := v.(time.Time)
	if p, is := v.(*time.Time); is && p != nil {
		t, ok = *p, true
	}
	if !ok || t.IsZero() {
		return ""
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format("2006-01-02T15:04Z") + `">` + w.day(t) + `, <wbr>` + t.Format("15:04") + ` UTC</time>`)
}

// set is the templates in one language.
type set struct {
	*teller
	pages *template.Template
}

// parse reads templates, sentences and assets, once for each language.
func (s *site) parse() error {
	s.assets = assets{}
	if err := s.assets.read(); err != nil {
		return err
	}
	s.sets = map[string]*set{}
	for _, lang := range languages {
		w := &words{lang: lang, unsaid: func(string) {}}
		if s.Unsaid != nil {
			w.unsaid = s.Unsaid
		}
		if lang != languages[0] {
			raw, err := files.ReadFile("message/" + lang + ".json")
			if err != nil {
				return err
			}
			if err := json.Unmarshal(raw, &w.by); err != nil {
				return fmt.Errorf("message/%s.json: %w", lang, err)
			}
		}
		var told string
		if lang != languages[0] {
			raw, err := files.ReadFile("message/told." + lang + ".txt")
			if err != nil {
				return err
			}
			told = string(raw)
		}
		t, err := newTeller(w, told)
		if err != nil {
			return fmt.Errorf("message/told.%s.txt: %w", lang, err)
		}
		one := &set{teller: t}
		if one.pages, err = template.New("").Funcs(s.funcs(one)).ParseFS(files, "template/*.html"); err != nil {
			return err
		}
		s.sets[lang] = one
	}
	return nil
}

func (s *site) funcs(one *set) template.FuncMap {
	return template.FuncMap{
		"t": one.say, "n": one.count, "told": one.tell, "who": one.party, "date": one.date, "moment": one.moment,
		"num":   func(n int) string { return number(one.lang, n) },
		"asset": s.assets.address,
		"text":  deref,
		"mail":  func(p *string) template.HTML { return place(deref(p)) },
		"place": place,
		"body": func(name string, p sheet) (template.HTML, error) {
			var b bytes.Buffer
			err := one.pages.ExecuteTemplate(&b, name, p)
			return template.HTML(b.String()), err // written by this package's own templates
		},
		"dict":   dict,
		"plain":  plainNumber,
		"status": func(v any) string { return strings.ToLower(fmt.Sprint(v)) },
	}
}

// dict makes a map of names and values, for templates within templates.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict of %d", len(pairs))
	}
	all := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		all[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return all, nil
}

// place is an e-mail address or the name of a host, which a narrow page breaks
// before the @ and before dots.
func place(address string) template.HTML {
	return template.HTML(strings.NewReplacer("@", "<wbr>@", ".", "<wbr>.").Replace(template.HTMLEscapeString(address)))
}

// deref is the text behind a pointer; empty for nil.
func deref(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// plainNumber is a number without needless zeros; empty for nil.
func plainNumber(v any) string {
	switch f := v.(type) {
	case float64:
		return strconv.FormatFloat(f, 'f', -1, 64)
	case *float64:
		if f != nil {
			return strconv.FormatFloat(*f, 'f', -1, 64)
		}
	}
	return ""
}

// sheet is what the layout shows.
type sheet struct {
	Name    string // of the template
	Lang    string
	Title   string
	Named   bool // the title is somebody's word, not ours
	Path    string
	Again   bool // the path can be opened again
	In      *session.Session
	Who     access.Actor
	Nav     []link
	Done    string // what was just done
	Choose  bool
	Version string
	Wide    bool
	Live    int // seconds after which a browser without script looks again; 0: never
	Data    any
}

// link is a place to go to.
type link struct {
	To    string
	Label string
	Here  bool
}

// May reports whether the reader may do an action.
func (p sheet) May(do string) bool { return access.Allowed(p.Who, access.Action(do)) }

// show writes a page.
func (v *visit) show(code int, name, title string, data any) error {
	return v.write(code, v.sheet(name, title, data))
}

// showNamed is show of a page that bears the name of what it is about.
func (v *visit) showNamed(name, title string, data any) error {
	p := v.sheet(name, title, data)
	p.Named = true
	return v.write(http.StatusOK, p)
}

func (v *visit) sheet(name, title string, data any) sheet {
	p := sheet{Name: name, Lang: v.lang, Title: title, Path: v.r.URL.RequestURI(), Again: v.r.Method == http.MethodGet, In: v.in, Who: v.who, Choose: v.s.Choose, Version: v.s.Version, Data: data}
	p.Nav = v.nav()
	p.Done = done[v.r.URL.Query().Get("done")]
	return p
}

func (v *visit) write(code int, p sheet) error {
	var b bytes.Buffer
	if err := v.s.sets[v.lang].pages.ExecuteTemplate(&b, "layout", p); err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.lang)
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	v.w.WriteHeader(code)
	if v.r.Method == http.MethodHead {
		return nil
	}
	_, _ = v.w.Write(b.Bytes()) // who went away does not hear of it
	return nil
}

// say is a sentence in the reader's language.
func (v *visit) say(text string, args ...any) string { return v.s.sets[v.lang].say(text, args...) }

// nav are the places that the reader may go to.
func (v *visit) nav() []link {
	var all []link
	add := func(to, label string, besides ...string) {
		here := v.r.URL.Path == to
		for _, at := range append(besides, to) {
			here = here || at != "/desk" && at != "/me" && strings.HasPrefix(v.r.URL.Path+"/", at+"/")
		}
		all = append(all, link{to, label, here})
	}
	switch {
	case v.in == nil:
	case v.in.Staff():
		if access.Allowed(v.who, access.ReadLearner) {
			add("/desk", "Learners", "/desk/learners", "/desk/records", "/desk/awards", "/desk/credentials", "/desk/documents")
		}
		if access.Allowed(v.who, access.Assemble) {
			add("/desk/corrections", "Corrections")
		}
		if access.Allowed(v.who, access.ReadRelease) {
			add("/desk/orders", "Release", "/desk/messages", "/desk/holds")
		}
		if access.Allowed(v.who, access.ReadProposal) {
			add("/desk/proposals", "Proposals")
		}
		if access.Allowed(v.who, access.ReadJob) {
			add("/desk/imports", "Jobs", "/desk/graduation")
		}
		if access.Allowed(v.who, access.ExportDisclosures) {
			add("/desk/disclosures", "Disclosures")
		}
		add("/curriculum", "Curriculum")
		add("/desk/institution", "Institution")
	default:
		add("/me", "My record", "/me/records", "/me/credentials", "/me/brought")
		add("/me/competencies", "My competencies")
		add("/me/orders", "My orders")
		add("/me/shares", "My shares")
		add("/me/privacy", "My privacy", "/me/directory", "/me/consents")
	}
	add("/verify", "Verify")
	return all
}

// done are the words about what was done, by the mark in the address.
var done = map[string]string{
	"signed-out":            "You are signed out.",
	"signed-out-everywhere": "You are signed out on every device.",
	"awarded":               "The award is recorded.",
	"corrected":             "The award is corrected.",
	"withdrawn":             "The award is withdrawn.",
	"issued":                "The credential is signed.",
	"reissued":              "The credential is issued anew.",
	"revoked":               "The credential is revoked. Its status list says so within a minute.",
	"suspended":             "The credential is suspended.",
	"lifted":                "The suspension is lifted.",
	"assembled":             "The record is assembled and signed.",
	"renamed":               "The new name is recorded. Assemble the record again so that it shows it.",
	"revised":               "The change is recorded.",
	"added":                 "The learner is added.",
	"held":                  "The hold is placed.",
	"hold-lifted":           "The hold is lifted.",
	"blocked":               "Directory information is blocked.",
	"allowed":               "Directory information is allowed again.",
	"consent-withdrawn":     "The consent is withdrawn.",
	"import-started":        "The file has arrived and is being read.",
	"import-cancelled":      "The job is cancelled. What was done before stays.",
	"graduation-started":    "The records are being made.",
	"brought":               "It holds, it is yours, and it is kept.",
	"ordered":               "The order is taken. It goes out by itself when nothing keeps it back.",
	"order-cancelled":       "The order is taken back.",
	"printed":               "The print is made.",
	"print-withdrawn":       "The print is withdrawn. Whoever checks it is told so.",
	"accepted":              "What was proposed is done.",
	"left":                  "The proposal is declined. It does not come again before what led to it is over.",
	"key-rotated":           "A new key signs from now on. The old one still verifies what it signed.",
	"key-withdrawn":         "The key is withdrawn. What it signed since does not verify any more.",
	"proposed":              "This is what has to be issued anew. Look at it and approve.",
	"approved":              "What is approved is issued anew now.",
	"declined":              "Everything stays as it was issued.",
	"resent":                "It is sent again now.",
	"share-ended":           "The link is ended. Whoever opens it is told so.",
	"watch-ended":           "They are told of no more changes.",
	"disclosure-recorded":   "The disclosure is on file.",
}

// assets are the files beside the pages, by the name with their hash.
type assets map[string]file

type file struct {
	media string
	raw   []byte
}

func (a assets) read() error {
	all, err := fs.Glob(files, "asset/*")
	if err != nil {
		return err
	}
	for _, name := range all {
		raw, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(raw)
		ext := path.Ext(name)
		stem := strings.TrimSuffix(path.Base(name), ext)
		media := mime.TypeByExtension(ext)
		a[stem+"-"+hex.EncodeToString(sum[:6])+ext] = file{media, raw}
	}
	return nil
}

// address is where an asset is, which changes when it does.
func (a assets) address(name string) (string, error) {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext) + "-"
	for full := range maps.Keys(a) {
		if strings.HasPrefix(full, stem) && strings.HasSuffix(full, ext) {
			return "/assets/" + full, nil
		}
	}
	return "", fmt.Errorf("no asset %s", name)
}

func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	f, ok := a[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Length", strconv.Itoa(len(f.raw)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(f.raw)
	}
}
