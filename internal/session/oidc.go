package session

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/jackc/pgx/v5"
	"golang.org/x/oauth2"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
)

// Settings name an OpenID Connect provider for one institution. Whom it signs in
// is a member of staff by a verified e-mail address, or a learner by an
// identifier; a provider of one institution never signs in to another.
type Settings struct {
	Institution  string `json:"institution"` // its slug
	Label        string `json:"label"`       // on the button, such as "Aldersound account"
	Issuer       string `json:"issuer"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	// Claim names the claim of the ID token that holds a learner's identifier,
	// and Identifier the type that it has here: emailAddress by default, of a
	// verified address.
	Claim      string   `json:"claim,omitempty"`
	Identifier string   `json:"identifier,omitempty"`
	Scopes     []string `json:"scopes,omitempty"` // besides openid; email and profile unless said
}

// ParseSettings reads the operator's list of providers, and says what is wrong
// with it.
func ParseSettings(raw []byte) ([]Settings, error) {
	var all []Settings
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("a list of providers is a JSON array of objects: %w", err)
	}
	for i := range all {
		if err := all[i].complete(); err != nil {
			return nil, fmt.Errorf("provider %d: %w", i+1, err)
		}
		if slices.ContainsFunc(all[:i], func(o Settings) bool { return o.Institution == all[i].Institution }) {
			return nil, fmt.Errorf("provider %d: institution %s has one already, and an answer would be taken for that one's", i+1, all[i].Institution)
		}
	}
	return all, nil
}

func (s *Settings) complete() error {
	u, err := url.Parse(s.Issuer)
	switch {
	case s.Institution == "" || s.Label == "" || s.ClientID == "":
		return fmt.Errorf("institution, label and clientId are needed")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1":
		return fmt.Errorf("issuer %q is not an https address", s.Issuer)
	case (s.Claim == "") != (s.Identifier == ""):
		return fmt.Errorf("claim and identifier belong together")
	}
	if s.Claim == "" {
		s.Claim, s.Identifier = "email", "emailAddress"
	}
	if s.Scopes == nil {
		s.Scopes = []string{"email", "profile"}
	}
	return nil
}

// Provider signs people in by OpenID Connect: the authorization code flow with
// PKCE, a state and a nonce.
type Provider struct {
	Settings
	Service  *Service
	Callback string // the address that the provider sends the browser back to
	HTTP     *http.Client

	mu     sync.Mutex
	known  *oidc.Provider
	asking chan struct{} // closed when somebody who asks for it has an answer; nil: nobody asks
}

// answerWithin is how long a provider may take.
const answerWithin = 15 * time.Second

// Attempt is one sign-in between going and coming back. The browser keeps it in
// a cookie that lasts minutes.
type Attempt struct {
	For      string `json:"i"` // the institution whose provider was asked
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Learner  bool   `json:"l,omitempty"` // to the learner's own record, not to the desk
	Next     string `json:"x,omitempty"` // the page to go to
}

// Start is a new attempt and the address to send the browser to.
func (p *Provider) Start(ctx context.Context, learner bool, next string) (Attempt, string, error) {
	known, ctx, done, err := p.discover(ctx)
	if err != nil {
		return Attempt{}, "", err
	}
	defer done()
	_ = ctx
	a := Attempt{For: p.Institution, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Learner: learner, Next: next}
	return a, p.client(known).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

func (p *Provider) client(known *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: known.Endpoint(), RedirectURL: p.Callback,
		Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...)}
}

// discover is what the provider says of itself, asked for once.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, context.Context, func(), error) {
	ctx, done := context.WithTimeout(ctx, answerWithin)
	client := p.HTTP
	if client == nil {
		client = &http.Client{Timeout: answerWithin}
	}
	ctx = oidc.ClientContext(ctx, client)
	p.mu.Lock()
	known, asking := p.known, p.asking
	if known == nil && asking == nil {
		p.asking = make(chan struct{})
	}
	p.mu.Unlock()
	if known != nil {
		return known, ctx, done, nil
	}
	var err error
	if asking == nil {
		// The provider's keys are asked for again long after this request.
		err = p.ask(oidc.ClientContext(context.WithoutCancel(ctx), client))
	} else {
		// One asks for all who come meanwhile: a provider that is silent is not
		// waited for by one after the other.
		select {
		case <-asking:
		case <-ctx.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		done()
		return nil, nil, nil, fault.New(fault.Unavailable, "The sign-in of %s does not answer. Try again in a moment.", p.Label).Because(err)
	}
	return p.known, ctx, done, nil
}

func (p *Provider) ask(ctx context.Context) error {
	found, err := oidc.NewProvider(ctx, p.Issuer)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.known = found
	}
	close(p.asking)
	p.asking = nil
	return err
}

// errAttempt is of an answer that no attempt of this browser asked for.
var errAttempt = fault.New(fault.Invalid, "This sign-in took too long or was begun elsewhere. Begin it again.")

// Finish takes the provider's answer to an attempt and begins a session for the
// person. Invalid when it is no answer to the attempt, Forbidden when the
// institution does not know the person.
func (p *Provider) Finish(ctx context.Context, who access.Actor, a Attempt, answer url.Values) (string, error) {
	if a.State == "" || a.For != p.Institution || subtle.ConstantTimeCompare([]byte(a.State), []byte(answer.Get("state"))) != 1 {
		return "", errAttempt
	}
	if answer.Get("error") != "" {
		return "", fault.New(fault.Forbidden, "Your provider did not sign you in.")
	}
	claims, err := p.claims(ctx, a, answer.Get("code"))
	if err != nil {
		return "", err
	}
	person, err := p.person(ctx, who, a.Learner, claims)
	if err != nil {
		return "", err
	}
	return p.Service.Begin(ctx, who, person, ByOIDC)
}

// claims are those of the ID token that the code stands for, whose signature,
// issuer, audience, time and nonce hold.
func (p *Provider) claims(ctx context.Context, a Attempt, code string) (map[string]any, error) {
	known, ctx, done, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	refused := fault.New(fault.Forbidden, "Your provider's answer could not be checked. Begin the sign-in again; if it happens again, tell the operator.")
	token, err := p.client(known).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return nil, refused.Because(err)
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := known.Verifier(&oidc.Config{ClientID: p.ClientID, Now: p.Service.Now}).Verify(ctx, raw)
	if err != nil {
		return nil, refused.Because(err)
	}
	if subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(a.Nonce)) != 1 {
		return nil, errAttempt
	}
	var claims map[string]any
	if err := verified.Claims(&claims); err != nil {
		return nil, refused.Because(err)
	}
	return claims, nil
}

// person is whom the claims name here.
func (p *Provider) person(ctx context.Context, who access.Actor, learner bool, claims map[string]any) (found Person, err error) {
	email, _ := claims["email"].(string)
	if verified, _ := claims["email_verified"].(bool); !verified {
		email = ""
	}
	name, _ := claims[p.Claim].(string)
	if p.Claim == "email" {
		name = email
	}
	err = p.Service.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		if learner && name != "" {
			found.LearnerID, err = learnerWith(ctx, tx, who.InstitutionID, p.Identifier, name)
		}
		if !learner && email != "" {
			found.StaffID, err = staffAt(ctx, tx, who.InstitutionID, email)
		}
		return err
	})
	if err == nil && found == (Person{}) {
		err = errStranger
	}
	return found, err
}
