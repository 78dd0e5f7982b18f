package rest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// document is something that is read again and again.
type document struct {
	media   string
	raw     []byte
	private bool   // only for whoever sent the token
	unkept  bool   // no cache keeps it at all: it may be held back tomorrow
	vary    string // the headers that it depends on; Accept and Authorization unless said
	maxAge  int    // seconds that a cache may keep it without asking
}

// serve answers with a document under the tag of its bytes, RFC 9110 §8.8.3; who
// has it already is told so.
func (d document) serve(w http.ResponseWriter, r *http.Request) {
	sum := sha256.Sum256(append([]byte(d.media+"\n"), d.raw...))
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Vary", cmp.Or(d.vary, "Accept, Authorization"))
	switch {
	case d.unkept:
		h.Set("Cache-Control", "private, no-store")
	case d.private:
		h.Set("Cache-Control", "private, no-cache")
	default:
		h.Set("Cache-Control", "public, max-age="+strconv.Itoa(d.maxAge))
		h.Set("Access-Control-Allow-Origin", "*") // verifiers run in pages too
	}
	if known(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", d.media)
	h.Set("Content-Length", strconv.Itoa(len(d.raw)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(d.raw)
	}
}

// known reports whether If-None-Match names the tag, weakly compared.
func known(header, tag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if t == tag || t == "*" {
			return true
		}
	}
	return false
}

// negotiate is the offer that the client likes best, the earlier of two that it
// likes as much; none when it takes none of them. RFC 9110 §12.5.1.
func negotiate(r *http.Request, offers ...string) (string, error) {
	accept := r.Header.Get("Accept")
	if strings.TrimSpace(accept) == "" {
		return offers[0], nil
	}
	best, liked := "", 0.0
	for _, offer := range offers {
		if q := quality(accept, offer); q > liked {
			best, liked = offer, q
		}
	}
	if best == "" {
		return "", errNotAcceptable
	}
	return best, nil
}

// quality is how much an Accept header likes a media type: by the most precise
// range that matches it.
func quality(accept, offer string) float64 {
	media, _, err := mime.ParseMediaType(offer)
	if err != nil {
		return 0
	}
	kind, _, _ := strings.Cut(media, "/")
	q, precise := 0.0, 0
	for part := range strings.SplitSeq(accept, ",") {
		r, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		n := 0
		switch r {
		case media:
			n = 3
		case kind + "/*":
			n = 2
		case "*/*":
			n = 1
		}
		if n <= precise {
			continue
		}
		q, precise = 1, n
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil || q < 0 || q > 1 {
				q = 0
			}
		}
	}
	return q
}
