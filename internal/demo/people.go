package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
)

// learnerCount is how many people study at the college.
const learnerCount = 200

// Names that occur together in many places; no pair is meant to be anybody.
var givenNames = strings.Fields(`Amara Benedikt Chiara Dmitri Elowen Farid Greta Hamish Imani Joaquín Keiko Lorcan
	Mireille Nikhil Oluwaseun Priya Quentin Rosalind Søren Tamsin Umar Valentina Wen Ximena Yusuf Zoë Anneliese Bao
	Catriona Désirée Emeka Fiorella Goran Hana Ishaan Jovana Kwame Leilani Marek Ngozi Oscar Paloma Rafael Sibusiso
	Thandiwe Ulla Viktor Wilhelmina Xavier Yara`)

var familyNames = strings.Fields(`Abernathy Bergström Castellanos Dlamini Eriksen Fairweather Ghorbani Hollingsworth
	Iwasaki Jørgensen Kowalczyk Lindqvist Mbeki Nakagawa Okonkwo Pellegrini Quispe Rasmussen Szabó Thackeray Ulloa
	Vasquez Whitlock Xiong Yamamoto Zielińska Achterberg Blackwood Çelik Drummond Escobedo Fontaine Guðmundsson
	Haverford Ilić Jankowski Krishnamurthy Llewellyn Marchetti Ndiaye`)

// learner is one student; strength decides how far and how well.
type learner struct {
	number               string
	given, family, email string
	born                 day.Date
	startYear            int
	strength             float64 // 0 to 1
}

// entry is the year in which a student began, and studentNumber the number in the
// college's system.
func entry(i int) int { return 2022 + i*4/learnerCount }

func studentNumber(i int) string { return fmt.Sprintf("S%06d", 100001+i) }

// people are the students, the same each time for the same source of chance.
func people(r *rand.Rand) []learner {
	all := make([]learner, learnerCount)
	taken := map[string]bool{}
	for i := range all {
		given, family := givenNames[r.IntN(len(givenNames))], familyNames[r.IntN(len(familyNames))]
		for taken[given+family] {
			given, family = givenNames[r.IntN(len(givenNames))], familyNames[r.IntN(len(familyNames))]
		}
		taken[given+family] = true
		start := entry(i)
		all[i] = learner{
			number: studentNumber(i), given: given, family: family,
			email:     fmt.Sprintf("%s.%s@students.aldersound.example", plainName(given), plainName(family)),
			born:      day.Of(start-18-r.IntN(12), 1, 1).AddDays(r.IntN(365)),
			startYear: start,
			strength:  min(0.98, max(0.35, 0.72+0.16*r.NormFloat64())),
		}
	}
	return all
}

// plainName is a name in the letters that an address allows.
func plainName(s string) string {
	s = strings.NewReplacer("ø", "o", "Ø", "o", "ð", "d", "ı", "i", "ł", "l").Replace(s)
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		if r < unicode.MaxASCII && unicode.IsLetter(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func learnerRows(all []learner) [][]string {
	rows := [][]string{{"learner_id", "given_name", "family_name", "email", "birth_date", "identifiers"}}
	for _, l := range all {
		rows = append(rows, []string{l.number, l.given, l.family, l.email, l.born.String(),
			"sisSourcedId=" + l.number + "|emailAddress=" + l.email})
	}
	return rows
}

// Member is somebody who works at the college.
type Member struct {
	Name  string
	Email string
	Role  access.Role
}

// Staff are those who can be chosen to sign in as, one for each role.
func Staff() []Member {
	return []Member{
		{"Ingrid Halloran", "ingrid.halloran@aldersound.example", access.Registrar},
		{"Teodoro Marchetti", "teodoro.marchetti@aldersound.example", access.Designer},
		{"Adaeze Whitlock", "adaeze.whitlock@aldersound.example", access.Assessor},
		{"Casimir Voss", "casimir.voss@aldersound.example", access.Administrator},
	}
}
