package rest

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/vcapi"
)

// maxVCAPI is the largest request in bytes.
const maxVCAPI = 4 << 20

// vcAPI registers the VC API (VCALM), for the interoperability suites of the
// W3C and other people's wallets and verifiers. Nothing is registered where the
// operator has not turned it on.
func (s Services) vcAPI(mux *http.ServeMux) {
	if s.VCAPI == nil {
		return
	}
	for address, h := range map[string]handler{
		"/vc-api/issuers/{name}/credentials/issue": s.vcIssue,
		"/vc-api/credentials/issue":                s.vcIssue,
		"/vc-api/credentials/verify":               s.vcVerify,
		"/vc-api/credentials/derive":               s.vcDerive,
		"/vc-api/credentials/status":               s.vcStatus,
		"/vc-api/presentations/verify":             s.vcVerifyPresentation,
	} {
		s.handle(mux, address, s.problem, methods{http.MethodPost: s.refusing(h)})
	}
}

// refusing answers what is wrong with what was sent with 400 and every problem.
func (s Services) refusing(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		var refusal *vcapi.Refusal
		if !errors.As(err, &refusal) {
			return err
		}
		first := refusal.Problems[0]
		writeJSON(w, http.StatusBadRequest, "application/problem+json", struct {
			vcapi.Problem
			Status   int             `json:"status"`
			Problems []vcapi.Problem `json:"problemDetails"`
		}{first, http.StatusBadRequest, refusal.Problems})
		return nil
	}
}

// vcRequest reads the body of a request into a struct.
func vcRequest(w http.ResponseWriter, r *http.Request, to any) error {
	raw, err := body(w, r, maxVCAPI, "application/json", "application/ld+json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fault.At("", "json", "The body is not the JSON that this address takes: %v.", err)
	}
	return nil
}

// oneOrMore is a text, or a list of them.
type oneOrMore []string

// UnmarshalJSON reads either.
func (o *oneOrMore) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(o))
}

// vcIssue: 201 with the signed credential.
func (s Services) vcIssue(w http.ResponseWriter, r *http.Request) error {
	who, err := s.Actor(r)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	if name == "" {
		name = vcapi.Instances[0].Name
	}
	by, err := vcapi.Find(name)
	if err != nil {
		return err
	}
	var in struct {
		Credential json.RawMessage
		Options    struct {
			CredentialID      string
			MandatoryPointers []string
			PreviousProof     oneOrMore
			ProofID           string
		}
	}
	if err := vcRequest(w, r, &in); err != nil {
		return err
	}
	signed, err := s.VCAPI.Issue(r.Context(), who, by, in.Credential, vcapi.Options{CredentialID: in.Options.CredentialID,
		MandatoryPointers: in.Options.MandatoryPointers, PreviousProof: in.Options.PreviousProof, ProofID: in.Options.ProofID})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, "application/json", map[string]json.RawMessage{"verifiableCredential": signed})
	return nil
}

// vcDerive: 201 with what is disclosed of a credential.
func (s Services) vcDerive(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		VerifiableCredential json.RawMessage
		Options              struct{ SelectivePointers []string }
	}
	if err := vcRequest(w, r, &in); err != nil {
		return err
	}
	derived, err := s.VCAPI.Derive(r.Context(), access.Anonymous(), in.VerifiableCredential, in.Options.SelectivePointers)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, "application/json", map[string]json.RawMessage{"verifiableCredential": derived})
	return nil
}

// vcStatus: 200 when the list says it.
func (s Services) vcStatus(w http.ResponseWriter, r *http.Request) error {
	who, err := s.Actor(r)
	if err != nil {
		return err
	}
	var in struct {
		CredentialID     string
		CredentialStatus json.RawMessage
		Status           *bool
	}
	if err := vcRequest(w, r, &in); err != nil {
		return err
	}
	set := in.Status == nil || *in.Status
	if err := s.VCAPI.SetStatus(r.Context(), who, in.CredentialID, in.CredentialStatus, set); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, "application/json", map[string]bool{"status": set})
	return nil
}

// vcOptions are those of the verifying requests; what is not known is let be.
type vcOptions struct {
	Checks    []string
	Challenge string
	Domain    oneOrMore

	ReturnCredential, ReturnPresentation bool
}

func (o vcOptions) asked() vcapi.Asked {
	return vcapi.Asked{Checks: o.Checks, Challenge: o.Challenge, Domain: o.Domain}
}

// vcVerify: 200 when the credential is verified, else 422 with what was found.
func (s Services) vcVerify(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		VerifiableCredential json.RawMessage
		Options              vcOptions
	}
	if err := vcRequest(w, r, &in); err != nil {
		return err
	}
	a, err := s.VCAPI.Verify(r.Context(), access.Anonymous(), material(in.VerifiableCredential), in.Options.asked())
	if err != nil {
		return err
	}
	answer := struct {
		vcapi.Answer
		Credential json.RawMessage `json:"credential,omitempty"`
	}{Answer: a}
	if in.Options.ReturnCredential {
		answer.Credential = in.VerifiableCredential
	}
	writeJSON(w, verified(a.Verified), "application/json", answer)
	return nil
}

// vcVerifyPresentation: 200 when the presentation and all in it is verified,
// else 422 with what was found.
func (s Services) vcVerifyPresentation(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		VerifiablePresentation json.RawMessage
		Presentation           json.RawMessage // one without proof, in older drafts
		Options                vcOptions
	}
	if err := vcRequest(w, r, &in); err != nil {
		return err
	}
	if in.VerifiablePresentation == nil {
		in.VerifiablePresentation = in.Presentation
	}
	a, err := s.VCAPI.VerifyPresentation(r.Context(), access.Anonymous(), material(in.VerifiablePresentation), in.Options.asked())
	if err != nil {
		return err
	}
	answer := struct {
		vcapi.PresentationAnswer
		Presentation json.RawMessage `json:"verifiablePresentation,omitempty"`
	}{PresentationAnswer: a}
	if in.Options.ReturnPresentation {
		answer.Presentation = in.VerifiablePresentation
	}
	writeJSON(w, verified(a.Verified), "application/json", answer)
	return nil
}

// material is a document, or the token that a JSON string holds.
func material(raw json.RawMessage) []byte {
	var token string
	if json.Unmarshal(raw, &token) == nil {
		return []byte(token)
	}
	return raw
}

func verified(ok bool) int {
	if ok {
		return http.StatusOK
	}
	return http.StatusUnprocessableEntity
}
