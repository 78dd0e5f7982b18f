package graph_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
)

func quoteJSON(s string) string { b, _ := json.Marshal(s); return string(b) }
func newReq(body string) *http.Request {
	r := httptest.NewRequest("POST", "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}
func newRec() *httptest.ResponseRecorder { return httptest.NewRecorder() }
