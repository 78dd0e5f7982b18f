// Package transcript shows a record: as a page, as a print with the signed record
// in it, and as a PESC College Transcript; and keeps account of the documents
// that were made of it.
//
// All three say what the record's model says and nothing else. A print is a
// document with a row: which version of the record it shows, and what a reader of
// paper may compare. Its verify page, found by an address that cannot be guessed,
// tells whether the document is still current and whether what somebody reads on
// paper is what was printed, and nothing that was not on the paper. It outlives
// every share. Standards: ISO 19005-3, ISO 14289-1, ETSI EN 319 142-1, WCAG 2.2,
// PESC College Transcript 1.6.0.
package transcript
