package vcapi

import (
	"context"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/spec/vcdm"
	"github.com/testamur/testamur/internal/verify"
)

// Answer is what was found about a credential or presentation.
type Answer struct {
	Verified bool      `json:"verified"`
	Problems []Problem `json:"problemDetails"`
	Checks   []Check   `json:"checks"`
}

// Check is one thing that was looked at.
type Check struct {
	Name    string         `json:"name"`
	Outcome verify.Outcome `json:"outcome"`
	Reason  string         `json:"reason"`
	Clause  string         `json:"clause"`
}

// Asked is what a verify request asks for.
type Asked struct {
	Checks    []string // proof: nothing else is looked at than form and proof
	Challenge string
	Domain    []string // nil: not looked at
}

// proofOnly are the checks that proof means.
var proofOnly = []string{"shape", "context", "proof", "issuer", "binding"}

// needed are the checks that must have passed, not only not failed.
var needed = []string{"proof", "issuer", "status"}

// Verify checks a credential: JSON, an envelope, or a JWT. It is verified when
// it is in form, a proof held, and nothing that was looked at failed. Invalid
// when it is nothing that can be verified.
func (s *Service) Verify(ctx context.Context, who access.Actor, credential []byte, a Asked) (Answer, error) {
	return s.verify(ctx, who, credential, a, "")
}

// verify is Verify of a credential in a presentation that its holder, by, signed;
// "": nobody did.
func (s *Service) verify(ctx context.Context, who access.Actor, credential []byte, a Asked, by string) (Answer, error) {
	report, err := s.Verifier.Report(ctx, who, credential)
	if err != nil {
		return Answer{}, err
	}
	out := Answer{Problems: form(credential), Checks: []Check{}}
	out.judge(report, a, selfAsserted(credential, by))
	return out, nil
}

// selfAsserted reports whether a credential without a proof of its own is what
// the holder of a presentation says themself, VCDM 2.0 §4.13.4: then the proof of
// the presentation covers it.
func selfAsserted(credential []byte, by string) bool {
	v, err := jsonld.Read(credential)
	return err == nil && by != "" && v.IsObject() && v.Member("proof").IsZero() && issuerOf(v) == by
}

// form is what is wrong with the form of a credential, whatever it is wrapped in.
func form(credential []byte) []Problem {
	document := credential
	compact, enveloped, err := vc.Enveloped(credential)
	if err != nil {
		return asProblems(err)
	}
	if trimmed := strings.TrimSpace(string(credential)); !enveloped && !strings.HasPrefix(trimmed, "{") {
		compact, enveloped = trimmed, true
	}
	if enveloped {
		t, err := vc.ParseJWT(compact)
		if err != nil {
			return asProblems(err)
		}
		document = t.Document
	}
	v, err := jsonld.Read(document)
	if err != nil {
		return asProblems(err)
	}
	return described(vcdm.Credential(v))
}

func asProblems(err error) []Problem {
	if r, ok := asRefusal(err).(*Refusal); ok {
		return r.Problems
	}
	return []Problem{{Type: Parsing, Title: "Cannot be read", Detail: err.Error()}}
}

// judge takes the checks into account that were asked for. Of what is covered by
// the proof of a presentation, no proof of its own is asked.
func (a *Answer) judge(r verify.Report, asked Asked, covered bool) {
	held := covered
	if covered {
		r.Checks = slices.DeleteFunc(r.Checks, func(c verify.Check) bool { return c.Name == "proof" })
		a.Checks = append(a.Checks, Check{"proof", verify.Passed, "The holder says this themself: the proof of the presentation covers it.", "VCDM 2.0 §4.13.4"})
	}
	only := len(asked.Checks) > 0 && !slices.ContainsFunc(asked.Checks, func(c string) bool { return c != "proof" })
	for _, c := range r.Checks {
		a.Checks = append(a.Checks, Check(c))
		if only && !slices.Contains(proofOnly, c.Name) {
			continue
		}
		held = held || c.Name == "proof" && c.Outcome == verify.Passed
		if c.Outcome == verify.Failed || c.Outcome == verify.NotChecked && slices.Contains(needed, c.Name) {
			a.Problems = append(a.Problems, problemOf(c))
		}
	}
	if a.Problems == nil {
		a.Problems = []Problem{}
	}
	a.Verified = held && len(a.Problems) == 0
}

func problemOf(c verify.Check) Problem {
	p := Problem{Type: Malformed, Title: "The check " + c.Name + " failed", Detail: c.Reason, Rule: c.Name, Clause: c.Clause}
	switch c.Name {
	case "proof", "issuer", "binding", "embedded":
		p.Type = Cryptographic
	case "context":
		p.Type = Parsing
	case "dates":
		p.Type = OutOfRange
	case "status":
		p.Type = statusProblem + "STATUS_VERIFICATION_ERROR"
		if c.Outcome == verify.NotChecked {
			p.Type = statusProblem + "STATUS_RETRIEVAL_ERROR"
		}
	}
	if c.Outcome == verify.NotChecked {
		p.Title = "The check " + c.Name + " could not be made"
	}
	return p
}

// maxPresented is how many credentials of one presentation are verified.
const maxPresented = 100

// PresentationAnswer is what was found about a presentation and each credential
// in it.
type PresentationAnswer struct {
	Answer
	Credentials []Answer `json:"credentials"`
}

// VerifyPresentation checks a presentation: JSON with or without a proof, an
// envelope, or a JWT. One without proof is verified when its credentials are,
// unless a challenge or a domain is asked for: nobody answered that.
func (s *Service) VerifyPresentation(ctx context.Context, who access.Actor, presentation []byte, a Asked) (PresentationAnswer, error) {
	v, failed, err := s.Verifier.Verifier(ctx, who)
	if err != nil {
		return PresentationAnswer{}, err
	}
	v.Purpose, v.Domain, v.Challenge = vc.Authentication, a.Domain, a.Challenge
	out := PresentationAnswer{Answer: Answer{Problems: []Problem{}, Checks: []Check{}}, Credentials: []Answer{}}
	document, by := out.proofs(v, presentation)
	if err := failed(); err != nil {
		return out, err
	}
	if document == nil {
		return out, nil
	}
	p, err := jsonld.Read(document)
	if err != nil {
		out.Problems = append(out.Problems, asProblems(err)...)
		return out, nil
	}
	out.Problems = append(out.Problems, described(vcdm.Presentation(p))...)
	all := p.Member("verifiableCredential")
	if all.IsArray() && all.Len() > maxPresented {
		return out, &fault.Error{Kind: fault.Limit, Field: "verifiablePresentation", Rule: "size", Message: "This presentation holds more credentials than are verified at once."}
	}
	for _, c := range all.Elements() {
		raw := []byte(c.Raw())
		if token, ok := c.Text(); ok {
			raw = []byte(token)
		}
		one, err := s.verify(ctx, who, raw, a, by)
		if f, ok := fault.Of(err); ok && f.Kind == fault.Invalid {
			one = Answer{Problems: []Problem{{Type: Parsing, Title: "Not a credential", Detail: f.Message}}, Checks: []Check{}}
		} else if err != nil {
			return out, err
		}
		out.Credentials = append(out.Credentials, one)
	}
	out.Verified = len(out.Problems) == 0 && !slices.ContainsFunc(out.Credentials, func(a Answer) bool { return !a.Verified })
	return out, nil
}

// proofs checks those of the presentation, and gives the presentation itself and
// the holder who signed all of it; "" when nobody is known to.
func (a *PresentationAnswer) proofs(v vc.Verifier, presentation []byte) (document []byte, by string) {
	compact, enveloped, err := vc.Enveloped(presentation)
	if trimmed := strings.TrimSpace(string(presentation)); err == nil && !enveloped && !strings.HasPrefix(trimmed, "{") {
		compact, enveloped = trimmed, true
	}
	if err != nil {
		a.Problems = append(a.Problems, asProblems(err)...)
		return nil, ""
	}
	if enveloped {
		t, c, err := v.VerifyJWT(compact)
		if err == nil && !t.Presentation {
			err = refuse(Malformed, "Not a presentation", "This is a credential, not a presentation.")
		}
		if err != nil {
			a.Problems = append(a.Problems, asProblems(err)...)
			return nil, ""
		}
		if a.proof(c, t.Issuer) {
			by = t.Issuer
		}
		return t.Document, by
	}
	checked, err := v.Verify(presentation)
	if err != nil {
		a.Problems = append(a.Problems, asProblems(err)...)
		return nil, ""
	}
	if len(checked) == 0 && (v.Challenge != "" || v.Domain != nil) {
		a.Problems = append(a.Problems, Problem{Type: Cryptographic, Title: "Not signed", Detail: "A challenge or domain is asked for, and the presentation is not signed: nobody answered it.", Rule: "proof"})
	}
	p, err := jsonld.Read(presentation)
	if err != nil {
		a.Problems = append(a.Problems, asProblems(err)...)
		return nil, ""
	}
	holder := p.Member("holder")
	if holder.IsObject() {
		holder = holder.Member("id")
	}
	id, _ := holder.Text()
	for _, c := range checked {
		if a.proof(c, id) {
			by = id
		}
	}
	return presentation, by
}

// proof takes one proof into account, and that it is the holder's. It reports
// whether it holds.
func (a *PresentationAnswer) proof(c vc.Checked, holder string) bool {
	suite := c.Proof.Cryptosuite
	if c.Err == nil && holder != "" && c.Key.Controller != holder {
		c.Err = &vc.Failure{Code: vc.WrongKey, Reason: "The key belongs to " + c.Key.Controller + ", and the presentation says that " + holder + " holds it."}
	}
	if c.Err != nil {
		a.Checks = append(a.Checks, Check{Name: "proof", Outcome: verify.Failed, Reason: c.Err.Error(), Clause: "VC-DI 1.0 §4.3"})
		a.Problems = append(a.Problems, asProblems(c.Err)...)
		return false
	}
	a.Checks = append(a.Checks, Check{Name: "proof", Outcome: verify.Passed, Reason: "The " + suite + " signature of " + c.Key.Controller + " fits.", Clause: "VC-DI 1.0 §4.3"})
	return true
}
