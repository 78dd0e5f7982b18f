package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/verify"
)

// The limits of what is verified on a page.
const (
	maxVerified  = 48 << 20 // bytes in all
	maxFiles     = 1000     // files at once
	maxTogether  = 100      // files in one go of the verifier
	maxTogetherB = 12 << 20 // bytes in one go
	maxSmall     = 2 << 20  // bytes up to which nobody waits for others, but for ZIPs
	maxChecks    = 4        // visitors who bring more than that, or ZIPs, at one moment
)

func (s *site) verifying(mux *http.ServeMux) {
	s.page(mux, "GET /verify", anyone, func(v *visit) error {
		return v.show(http.StatusOK, "verify", "Verify a credential", verdicts{})
	})
	s.page(mux, "POST /verify", anyone, s.verify)
}

// verdicts are what was found about the files that somebody brought.
type verdicts struct {
	All   []verdict
	Fault *fault.Error
}

// Count is how many had an outcome.
func (d verdicts) Count(outcome string) (n int) {
	for _, x := range d.All {
		if string(x.Outcome) == outcome {
			n++
		}
	}
	return n
}

// verdict is a report as people read it: five steps, and beneath them everything
// that was looked at.
type verdict struct {
	verify.Report
	File  string
	Whole bool      // an archive: it has checks and no steps
	Parts []verdict // the credentials in it
	Ends  []verdict // the endorsements
}

// maxShown is how many credentials of one record are shown with their steps.
const maxShown = 500

// told is a report with those of what is in it, as far as there is room.
func told(r verify.Report, room *int) verdict {
	d := verdict{Report: r, File: r.Name}
	within := func(all []verify.Report) (out []verdict) {
		for _, part := range all {
			if *room--; *room < 0 {
				break
			}
			out = append(out, told(part, room))
		}
		return out
	}
	d.Parts, d.Ends = within(r.Embedded), within(r.Endorsements)
	return d
}

// verify checks what was sent, keeps none of it, and shows what was found.
func (s *site) verify(v *visit) error {
	large := v.r.ContentLength < 0 || v.r.ContentLength > maxSmall
	if large {
		leave, err := s.room()
		if err != nil {
			return err
		}
		defer leave()
	}
	sent, err := v.material()
	if err == nil && len(sent) == 0 {
		err = fault.New(fault.Invalid, "Choose a file, or paste what you were given.")
	}
	if !large && slices.ContainsFunc(sent, zipped) {
		leave, err := s.room()
		if err != nil {
			return err
		}
		defer leave()
	}
	var d verdicts
	if err == nil {
		d, err = s.verdicts(v, sent)
	}
	if err != nil {
		d = verdicts{Fault: v.understood(err)}
		return v.show(statusOf[d.Fault.Kind], "verify", "Verify a credential", d)
	}
	return v.show(http.StatusOK, "verify", "What was found", d)
}

// zipped reports whether a file may come to much more than its size.
func zipped(f verify.File) bool { return bytes.HasPrefix(f.Raw, []byte("PK")) }

// room is a place among those who have much verified at one moment, until it is
// left.
func (s *site) room() (leave func(), err error) {
	select {
	case s.checks <- struct{}{}:
		return func() { <-s.checks }, nil
	default:
		return nil, fault.New(fault.Unavailable, "Many people are having large files verified at this moment. Try again in a minute.")
	}
}

func (s *site) verdicts(v *visit, sent []verify.File) (verdicts, error) {
	var d verdicts
	room, left := maxShown, uint64(maxUnpacked)
	sent = slices.DeleteFunc(sent, func(f verify.File) bool {
		one, is := s.archived(v, f, &left)
		if is {
			d.All = append(d.All, one)
		}
		return is
	})
	for len(sent) > 0 {
		n, size := 0, 0
		for n < len(sent) && n < maxTogether && (n == 0 || size+len(sent[n].Raw) <= maxTogetherB) {
			size += len(sent[n].Raw)
			n++
		}
		found, err := s.Verifier.Reports(v.ctx(), v.who, sent[:n], nil)
		if err != nil {
			return d, err
		}
		for i, r := range found {
			one := told(r, &room)
			one.File = sent[i].Name
			d.All = append(d.All, one)
		}
		sent = sent[n:]
	}
	return d, nil
}

// material is what was sent: the files, and the text that was pasted.
func (v *visit) material() ([]verify.File, error) {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxVerified)
	unread := fault.New(fault.Invalid, "The form could not be read. Open the page and send it again.")
	parts, err := v.r.MultipartReader()
	if err != nil {
		return nil, unread.Because(err)
	}
	var all []verify.File
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		var raw []byte
		if err == nil {
			raw, err = io.ReadAll(part)
		}
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, err
		}
		if err != nil {
			return nil, unread.Because(err)
		}
		if f, ok := brought(part, raw); ok {
			all = append(all, f)
		}
		if len(all) > maxFiles {
			return nil, fault.New(fault.Limit, "At most %d files are verified at once.", maxFiles)
		}
	}
}

// brought is a part of the form as something to verify; false for an empty one.
func brought(part *multipart.Part, raw []byte) (verify.File, bool) {
	switch part.FormName() {
	case "file":
		return verify.File{Name: fmt.Sprintf("%.200s", part.FileName()), Raw: raw}, part.FileName() != "" && len(raw) > 0
	case "text":
		text := strings.TrimSpace(string(raw))
		return verify.File{Raw: []byte(text)}, text != ""
	}
	return verify.File{}, false
}
