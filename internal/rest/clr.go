package rest

import (
	"net/http"

	"github.com/testamur/testamur/internal/credential"
)

// comprehensive registers the CLR 2.0 API, which has the shape of Open Badges'.
func (s Services) comprehensive(mux *http.ServeMux) {
	s.mount(mux, service{base: "/ims/clr/v2p0", scope: "https://purl.imsglobal.org/spec/clr/v2p0/scope/", title: "CLR Standard 2.0", kind: credential.OfRecord})
}
