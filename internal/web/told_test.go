package web

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"html/template"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// spanish is what is told in Spanish, and what of it was not known.
func spanish(t testing.TB) (*teller, *[]string) {
	t.Helper()
	var unsaid []string
	w := &words{lang: "es", unsaid: func(text string) { unsaid = append(unsaid, text) }}
	raw, err := files.ReadFile("message/es.json")
	if err == nil {
		err = json.Unmarshal(raw, &w.by)
	}
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = files.ReadFile("message/told.es.txt"); err != nil {
		t.Fatal(err)
	}
	x, err := newTeller(w, string(raw))
	if err != nil {
		t.Fatal(err)
	}
	return x, &unsaid
}

var tag = regexp.MustCompile(`<[^>]*>`)

// TestWhatIsToldInSpanish tells sentences as other packages make them: names stay,
// and are marked; dates and parts of sentences are told as well.
func TestWhatIsToldInSpanish(t *testing.T) {
	t.Parallel()
	x, unsaid := spanish(t)
	for in, want := range map[string]string{
		"A.1 Is what it is, and is not met, is not met.":                                                                               "A.1 Is what it is, and is not met, está sin cumplir.",
		"A Data Foundations is met at Advanced since 12 May 2025 and lapses on 1 June 2027 unless it is shown again.":                  "A Data Foundations está cumplida en el nivel Advanced desde el 12 de mayo de 2025, y caduca el 1 de junio de 2027 si no se demuestra otra vez.",
		"B is lapsed, last met at Proficient; it lapsed on 3 June 2026.":                                                               "B está caducada el 3 de junio de 2026; la última vez se cumplió en el nivel Proficient.",
		"C is met by crosswalk since 3 June 2026.":                                                                                     "C está cumplida por equivalencia entre marcos desde el 3 de junio de 2026.",
		"Client Studio was completed on 22 May 2025 with the grade A-, recorded on 24 November 2026, and shows Proficient. It counts.": "Client Studio se completó el 22 de mayo de 2025 con la calificación A-, se registró el 24 de noviembre de 2026 y demuestra Proficient. Cuenta.",
		"St. John was awarded on 29 May 2026, and names no level. It does not count: it was withdrawn on 1 June 2026 (Wrong. Person).": "St. John se otorgó el 29 de mayo de 2026 y no nombra ningún nivel. No cuenta: se retiró el 1 de junio de 2026 (Wrong. Person).",
		`By the rule "R", version 2, which holds from 1 August 2022: It must be shown twice among the latest 5 at 3 or above; and 2 of its parts must be met. Evidence counts for 1 month. The competency has no level called "P", so what each award requires decides.`: "Según la regla «R», versión 2, que rige desde el 1 de agosto de 2022: debe demostrarse dos veces entre las últimas 5 en 3 o más; y deben cumplirse 2 de sus partes. Las pruebas cuentan durante 1 mes. La competencia no tiene un nivel llamado «P», así que decide lo que exige cada reconocimiento.",
		"D, which is met at Good, counts as E by crosswalk (an exact match, which holds both ways, approved by Dean on 1 May 2024; then a translation). It counts.":                                                                                                      "D, que está cumplida en el nivel Good, cuenta como E por equivalencia (una correspondencia exacta, que vale en los dos sentidos, aprobada por Dean el 1 de mayo de 2024; después una traducción). Cuenta.",
		"Missing: It must be shown once more at Good or above; it has been shown 3 times so far.":                                                                                                                                                                        "Falta: debe demostrarse una vez más en Good o más; hasta ahora se ha demostrado 3 veces.",
		"Missing: 1 of the 3 parts that are needed are met; still to come: F (not met), G (in progress, at Good), and 4 more.":                                                                                                                                           "Falta: 1 de las 3 partes que hacen falta están cumplida; faltan: F (sin cumplir), G (en curso, en el nivel Good), y 4 más.",
		"The issuer revoked it on 2 May 2026: it was issued in error.":                                                                                                                                                                                                   "El emisor la revocó el 2 de mayo de 2026: se emitió por error.",
		"It was valid until 2026-05-02T00:00:00Z.":       "Fue válida hasta el 2 de mayo de 2026, 00:00 UTC.",
		"DB 210 Databases: grade changed from B to A.":   "DB 210 Databases: la calificación cambió de B a A.",
		"The learner: name is now Robin <b>Ashdown</b>.": "el estudiante: el nombre es ahora Robin &lt;b&gt;Ashdown&lt;/b&gt;.",
		"Alder Sound College holds this back: requested action, for Fall 2026. Please return the camera. Ask the registrar (registrar@aldersound.example) what is to be done.": "Alder Sound College retiene esto: hay que hacer algo antes, por Fall 2026. Please return the camera. Pregunte a la secretaría (registrar@aldersound.example) qué hay que hacer.",
		"whoever has the link (says: Harbour <i>Library</i>)": "quien tenga el enlace (dice: Harbour &lt;i&gt;Library&lt;/i&gt;)",
		"There is no such share, or you may not see it.":      "No existe ese enlace o no está a su alcance.",
	} {
		if got := tag.ReplaceAllString(string(x.tell(in)), ""); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
	if len(*unsaid) > 0 {
		t.Errorf("not told: %q", *unsaid)
	}
	if got, want := x.tell("It was made for <i>Dana</i>."), template.HTML(`Se hizo para <span lang="und">&lt;i&gt;Dana&lt;/i&gt;</span>.`); got != want {
		t.Errorf("a name: %s", got)
	}
	if got, want := x.tell("Nobody <b>knows</b> this."), template.HTML(`<span lang="en">Nobody &lt;b&gt;knows&lt;/b&gt; this.</span>`); got != want {
		t.Errorf("what is not known: %s", got)
	}
}

// TestTellingIsBounded tries what would take very long if every way was tried.
func TestTellingIsBounded(t *testing.T) {
	t.Parallel()
	x, _ := spanish(t)
	for _, part := range []string{"a. ", " is ", "; or ", " since 1 May 2026", " with the grade ", ": ", ", "} {
		began := time.Now()
		x.tell(strings.Repeat(part, maxTold/len(part)))
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("%q: %v", part, d)
		}
	}
}

// elsewhere are the packages whose sentences people read on the pages of learners
// and of everybody, with what is no sentence to them.
var elsewhere = map[string]*regexp.Regexp{
	"access": nil, "page": nil, "wording": nil, "fault": nil, "learner": nil, "disclosure": nil, "session": nil, "deposit": nil,
	"release": regexp.MustCompile(`^%s what is to be done`),                    // the end of one that is told whole, above
	"consent": regexp.MustCompile(`^(I allow|Permito)`),                        // a statement in each language
	"sharing": regexp.MustCompile(`words.go|a credential that you were shown`), // letters, which have their own
	"verify":  regexp.MustCompile(`DEVELOPMENT|^Testamur|^VC-|^%s%s`),          // a warning to operators
	"web":     regexp.MustCompile(`^\(`),
}

// TestWhatIsSaidElsewhereIsToldInSpanish reads the sentences in the sources of
// other packages, fills their blanks, and has each told.
func TestWhatIsSaidElsewhereIsToldInSpanish(t *testing.T) {
	t.Parallel()
	x, _ := spanish(t)
	n := 0
	for name, but := range elsewhere {
		sources, err := filepath.Glob("../" + name + "/*.go")
		if err != nil || len(sources) == 0 {
			t.Fatal(name, err)
		}
		for _, source := range sources {
			if strings.HasSuffix(source, "_test.go") || but != nil && but.MatchString(filepath.Base(source)) {
				continue
			}
			for _, text := range sentences(t, source) {
				if _, ours := x.by[text]; ours || but != nil && but.MatchString(text) {
					continue
				}
				n++
				if !slices.ContainsFunc(fillings, func(with string) bool {
					_, ok := (&reading{teller: x, left: maxSteps, told: map[string]*string{}, parts: map[string]string{}}).sentences(sample(text, with))
					return ok
				}) {
					t.Errorf("%s: not told in Spanish: %q", source, text)
				}
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d sentences were found", n)
	}
}

var verb = regexp.MustCompile(`%[+#]?[.0-9]*([a-z%])`)

// fillings are what a blank may be filled with: somebody's words, a day, a state, a
// noun, a sentence, or nothing.
var fillings = []string{"Xy", "2 May 2026", "2026-05-02T00:00:00Z", "released", "credential", "revocation", "It does not expire.", ""}

// sample fills the blanks of a format.
func sample(format, with string) string {
	return verb.ReplaceAllStringFunc(format, func(v string) string {
		switch v[len(v)-1] {
		case '%':
			return "%"
		case 'd':
			return "7"
		case 'q':
			return `"Xy"`
		}
		return with
	})
}

// sentences are the string constants of a file that begin with a capital or a
// blank and end as sentences do.
func sentences(t *testing.T, source string) (all []string) {
	t.Helper()
	raw, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), source, raw, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch e := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BinaryExpr, *ast.BasicLit:
			text, whole := flat(e.(ast.Expr))
			if whole && len(text) > 8 && strings.Contains(text, " ") && regexp.MustCompile(`^[A-Z%].*[.?]$`).MatchString(text) {
				all = append(all, text)
			}
			return false
		}
		return true
	})
	return all
}

// flat is an expression as a format; false for what is more than text with blanks.
func flat(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
		return "", false
	case *ast.BinaryExpr:
		a, ok1 := flat(e.X)
		b, ok2 := flat(e.Y)
		return a + b, e.Op == token.ADD && ok1 && ok2
	}
	return "%s", true
}
