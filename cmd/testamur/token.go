package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/institution"
)

// within says which institution a command works in.
type within struct {
	Institution string `help:"The slug of the institution; the only one there is unless said." env:"TESTAMUR_INSTITUTION" placeholder:"SLUG"`
}

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Create an API client and print its bearer token, which is shown this once."`
	Revoke tokenRevokeCmd `cmd:"" help:"End an API client's token at once."`
}

type tokenCreateCmd struct {
	store
	within
	Role    []string `required:"" help:"What the client is: administrator, registrar, program_designer, assessor, learner, reader or employer. May be given more than once." placeholder:"ROLE"`
	Learner string   `help:"Whose client it is, for the role learner: id or ref:SYSTEM:VALUE." placeholder:"ID"`
	Scope   []string `help:"What it may do at most: catalog:read, catalog:write, learner:read, learner:write, learner:search, award:write, record:write, import, audit:read or admin. All that the roles allow unless said." placeholder:"SCOPE"`
	Expires string   `help:"How long it holds, such as 12h or 30d, or until which day, as YYYY-MM-DD. For ever unless said." placeholder:"TIME"`
	Name    string   `help:"What the audit calls it." default:"terminal"`
}

// Run prints the token on a line of its own, and nothing else.
func (c *tokenCreateCmd) Run(p *place) error {
	n := institution.NewClient{Name: c.Name}
	for _, r := range c.Role {
		n.Roles = append(n.Roles, access.Role(strings.ReplaceAll(strings.ToLower(r), "-", "_")))
	}
	for _, s := range c.Scope {
		n.Scopes = append(n.Scopes, access.Scope(strings.ToLower(s)))
	}
	expires, err := until(c.Expires, time.Now())
	if err != nil {
		return err
	}
	n.ExpiresAt = expires
	return c.with(p, func(s *services) error {
		who, err := s.operator(p.ctx, c.Institution)
		if err != nil {
			return err
		}
		if c.Learner != "" {
			l, err := s.learners.Find(p.ctx, who, c.Learner)
			if err != nil {
				return err
			}
			id := string(l.ID)
			n.LearnerID = &id
		}
		client, token, err := s.institutions.CreateClient(p.ctx, who, n)
		if err != nil {
			return err
		}
		p.say("client %s (%s); keep the token, it cannot be shown again", client.ID, strings.Join(c.Role, ", "))
		p.print("%s", token)
		return nil
	})
}

// until reads a duration with days, or a day; nil for neither.
func until(text string, now time.Time) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return &at, nil
	}
	var days int
	if _, err := fmt.Sscanf(text, "%dd", &days); err == nil && text == fmt.Sprintf("%dd", days) {
		at := now.AddDate(0, 0, days)
		return &at, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("--expires %q is neither a time such as 12h or 30d nor a day such as 2027-06-30", text)
	}
	at := now.Add(d)
	return &at, nil
}

type tokenRevokeCmd struct {
	store
	within
	Client string `arg:"" help:"The client's id, as create told it."`
}

// Run ends the token.
func (c *tokenRevokeCmd) Run(p *place) error {
	return c.with(p, func(s *services) error {
		who, err := s.operator(p.ctx, c.Institution)
		if err != nil {
			return err
		}
		client, err := s.institutions.RevokeClient(p.ctx, who, c.Client)
		if err != nil {
			return err
		}
		p.print("%s is revoked", client.ID)
		return nil
	})
}

type institutionCmd struct {
	Create institutionCreateCmd `cmd:"" help:"Create an institution."`
	List   institutionListCmd   `cmd:"" help:"List the institutions."`
}

type institutionCreateCmd struct {
	store
	Slug  string `arg:"" help:"The last part of its address and of its decentralized identifier: small letters, digits and hyphens."`
	Name  string `required:"" help:"The name, as its credentials carry it."`
	URL   string `name:"url" help:"Its web address."`
	Email string `help:"Its e-mail address."`
}

// Run prints the institution's id.
func (c *institutionCreateCmd) Run(p *place) error {
	profile := institution.Profile{Name: c.Name}
	if c.URL != "" {
		profile.URL = &c.URL
	}
	if c.Email != "" {
		profile.Email = &c.Email
	}
	return c.with(p, func(s *services) error {
		in, err := s.institutions.Found(p.ctx, c.Slug, profile)
		if err != nil {
			return err
		}
		p.print("%s", in.ID)
		return nil
	})
}

type institutionListCmd struct{ store }

// Run prints slug and id of each.
func (c *institutionListCmd) Run(p *place) error {
	return c.with(p, func(s *services) error {
		all, err := s.institutions.Slugs(p.ctx)
		if err != nil {
			return err
		}
		var lines []string
		for slug, in := range all {
			lines = append(lines, slug+"\t"+string(in))
		}
		slices.Sort(lines)
		for _, l := range lines {
			p.print("%s", l)
		}
		return nil
	})
}

type migrateCmd struct{ store }

// Run migrates the database.
func (c *migrateCmd) Run(p *place) error {
	url, private, _, err := c.database(p, true)
	if err != nil {
		return err
	}
	if err := migrate(p.ctx, url); err != nil {
		return err
	}
	p.print("the database is at the newest version")
	if private != nil {
		return private.Stop()
	}
	return nil
}
