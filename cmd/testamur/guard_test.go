package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestGuard keeps a panic and what a caller wrote from the client and the log.
func TestGuard(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	mux := http.NewServeMux()
	mux.HandleFunc("GET /learners/{name}", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok")) })
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("confidential") })
	h := guard(mux, slog.New(slog.NewJSONHandler(&log, nil)), true)
	ask := func(method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Authorization", "Bearer tmr1.secret")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := ask("GET", "/learners/Ada?token=tmr1.secret")
	if w.Code != http.StatusOK || w.Header().Get("X-Request-Id") == "" || w.Header().Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if line := log.String(); !strings.Contains(line, `"route":"GET /learners/{name}"`) || !strings.Contains(line, `"status":200`) || !strings.Contains(line, w.Header().Get("X-Request-Id")) {
		t.Errorf("log: %s", line)
	}
	p := ask("GET", "/panic")
	if p.Code != http.StatusInternalServerError || strings.Contains(p.Body.String(), "confidential") || strings.Contains(p.Body.String(), "goroutine") ||
		!strings.Contains(p.Body.String(), p.Header().Get("X-Request-Id")) {
		t.Errorf("%d %s", p.Code, p.Body)
	}
	if !strings.Contains(log.String(), "goroutine") {
		t.Error("the stack is not in the log")
	}
	ask("INVENTED", "/learners/Ada")
	for _, secret := range []string{"Ada", "tmr1.secret", "INVENTED"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, &log)
		}
	}
}
