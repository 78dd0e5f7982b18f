package main

import (
	"mime"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzhttp"
)

const (
	compressFrom = 1400 // bytes: what fits one packet gains nothing
	// Up to so many bytes of padding hide the length that a secret beside text
	// of a stranger compresses to.
	padding = 32
	// encodedTag and the encoding end the ETag of a compressed answer: RFC 9110
	// §8.8.3.3 wants another one than the plain answer has.
	encodedTag = "-as"
)

// plainTags makes the ETags of compressed answers those of the plain ones.
var plainTags = strings.NewReplacer(encodedTag+`-gzip"`, `"`, encodedTag+`-zstd"`, `"`)

// compressed sends text compressed to clients that take zstd or gzip. A stream of
// events goes out as it is, since what is held back is late.
func compressed(next http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(compressFrom), gzhttp.CompressionLevel(1), gzhttp.RandomJitter(padding, 0, false),
		gzhttp.SuffixETag(encodedTag), gzhttp.ContentTypeFilter(compressible))
	if err != nil {
		return nil, err
	}
	inner := wrap(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tags := r.Header.Get("If-None-Match"); tags != "" {
			r.Header.Set("If-None-Match", plainTags.Replace(tags))
		}
		inner.ServeHTTP(w, r)
	}), nil
}

func compressible(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || media == "text/event-stream" {
		return false
	}
	return strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "json") || strings.HasSuffix(media, "xml") ||
		media == "application/javascript" || strings.HasSuffix(media, "jwt")
}
