package main

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// How long an answer may take to go out: an ordinary one, and a stream of
// events, whose reader comes back when it is cut off.
const (
	answerWithin = 2 * time.Minute
	streamWithin = time.Hour
)

// guard stands before every way in: it names the request, sets the headers that
// every answer has, keeps a panic from the client, and writes one line to the
// log. The line has the route and never the address, a query, a token or a name.
func guard(next http.Handler, log *slog.Logger, https bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := strings.ToLower(rand.Text()[:16])
		h := w.Header()
		h.Set("X-Request-Id", id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if https {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		seen := &seen{ResponseWriter: w}
		limit := answerWithin
		if r.Method == http.MethodPost && r.URL.Path == "/graphql" && strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			limit = streamWithin
		}
		// Not every writer has deadlines; without them the client's patience holds.
		_ = http.NewResponseController(w).SetWriteDeadline(start.Add(limit))
		// The muxes below note their pattern in the request they are given.
		inner := r.WithContext(r.Context())
		defer func() {
			if v := recover(); v != nil {
				recovered(seen, log, id, v)
			}
			log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("request", id), slog.String("method", known(r.Method)),
				slog.String("route", inner.Pattern), slog.Int("status", seen.code()), slog.Int64("bytes", seen.bytes),
				slog.Duration("took", time.Since(start)))
		}()
		next.ServeHTTP(seen, inner)
	})
}

// recovered answers for a handler that panicked.
func recovered(w *seen, log *slog.Logger, id string, v any) {
	if v == http.ErrAbortHandler {
		panic(v) // the way to cut a connection off
	}
	log.Error("panic", "request", id, "error", fmt.Sprint(v), "stack", string(debug.Stack()))
	if w.status == 0 {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, `{"title":"Internal Server Error","status":500,"code":"INTERNAL","detail":"Something went wrong in the service. Tell its operator this request id: %s.","requestId":"%s"}`+"\n", id, id)
	}
}

// known keeps a method that somebody made up out of the log.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// seen notes what was answered.
type seen struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader notes the status.
func (s *seen) WriteHeader(code int) {
	if s.status == 0 {
		s.status = code
	}
	s.ResponseWriter.WriteHeader(code)
}

// Write notes the size.
func (s *seen) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	n, err := s.ResponseWriter.Write(b)
	s.bytes += int64(n)
	return n, err
}

// Flush sends what was written, for streams.
func (s *seen) Flush() {
	if f, ok := s.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap lets a handler set deadlines.
func (s *seen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *seen) code() int {
	if s.status == 0 {
		return http.StatusOK
	}
	return s.status
}
