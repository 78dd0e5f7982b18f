// Package demo makes the files of a demonstration institution: Alder Sound
// College, a competency-based programme in applied data analytics, its
// framework, courses and achievements, 200 learners and what they earned.
//
// It makes files and nothing else: they go in through the same import as a
// registrar's, so that the demonstration shows the product and not itself. The
// college and its people are invented, every name and address ends in .example,
// and the same files come out each time.
package demo

import (
	"bytes"
	"encoding/csv"
	"math/rand/v2"
)

// The institution, as it is founded before the files are imported.
const (
	Slug   = "aldersound"
	Name   = "Alder Sound College"
	URL    = "https://aldersound.example"
	Email  = "registrar@aldersound.example"
	Phone  = "+1 555 0100"
	Number = "99999900" // in the register of the Office of Postsecondary Education, where there is no such
	About  = "A fictional college on a fictional coast, known for its competency-based programme in applied data analytics."
	System = "sis" // the external system of the ids in the files
)

// File is one file to import.
type File struct {
	Name string
	Kind string // the kind of import, as exchange names it
	Data []byte
}

// seed fixes the chance in the data.
const seed = 20260601

// Files are all files in the order in which they are imported.
func Files() []File {
	r := rand.New(rand.NewPCG(seed, seed))
	all := people(r)
	e := earn(all, r)
	return []File{
		{"framework.json", "CASE_PACKAGE", framework()},
		{"courses.csv", "COURSES", table(courseRows())},
		{"course-map.csv", "COURSE_MAP", table(courseMapRows())},
		{"achievements.json", "ACHIEVEMENTS", achievements()},
		{"learners.csv", "LEARNERS", table(learnerRows(all))},
		{"results.csv", "RESULTS", table(e.results)},
		{"awards.csv", "AWARDS", table(e.awards)},
	}
}

func table(rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.WriteAll(rows) // a bytes.Buffer does not fail
	return b.Bytes()
}
