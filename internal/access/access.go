// Package access decides who may do what: a pure table of action by role.
//
// Every operation of a noun begins with Check. An actor belongs to exactly one
// institution and may do nothing in another. Roles add up; scopes of an API
// client only take away. What is not in the table is refused. The same rules
// stand a second time in the database's row-level security policies, so that
// either alone keeps institutions and roles apart.
package access

import (
	"slices"

	"github.com/testamur/testamur/internal/fault"
)

// Role is what somebody is in an institution.
type Role string

// The roles. System is the service's own background work and is never given to
// a token; Visitor is anyone without an account.
const (
	Administrator Role = "administrator"    // the institution's profile, staff, API clients and keys
	Registrar     Role = "registrar"        // learners, what they earned, records, imports
	Designer      Role = "program_designer" // frameworks, courses, achievements and their links
	Assessor      Role = "assessor"         // awards achievements and results
	Learner       Role = "learner"          // one's own record
	Reader        Role = "reader"           // an outside reader: the catalogue, and verifying
	Employer      Role = "employer"         // a reader who may search among learners who consented to be found
	Visitor       Role = "visitor"          // no account: public profile, keys and achievements, and verifying
	System        Role = "system"           // background work inside one institution
)

// Grantable are the roles that a token may carry.
func Grantable() []Role {
	return []Role{Administrator, Registrar, Designer, Assessor, Learner, Reader, Employer}
}

// Action is something an operation does.
type Action string

// The actions.
const (
	ReadProfile        Action = "institution.read"
	ManageInstitution  Action = "institution.manage" // profile, staff, API clients, keys
	ReadStaff          Action = "staff.read"
	ReadCatalog        Action = "catalog.read"
	DefineCatalog      Action = "catalog.define" // frameworks, courses, achievements, alignments, maps
	ReadLearner        Action = "learner.read"
	ExportLearner      Action = "learner.export" // what ReadLearner finds, as a file
	ManageLearner      Action = "learner.manage"
	Award              Action = "assertion.award"
	Withdraw           Action = "assertion.withdraw"
	Issue              Action = "credential.issue"
	Revoke             Action = "credential.revoke"    // suspend and lift as well
	Reconcile          Action = "credential.reconcile" // finish what was cut off
	Assemble           Action = "record.assemble"
	MakeDocument       Action = "document.make"
	Import             Action = "import.run" // the kind of file decides on DefineCatalog or ManageLearner besides
	ReadJob            Action = "job.read"
	ReadAudit          Action = "audit.read"
	Verify             Action = "credential.verify"
	ReadTrust          Action = "trust.read"
	ManageTrust        Action = "trust.manage"   // the list of known issuers
	SearchLearners     Action = "learner.search" // by competency, among those who consented
	ReadRelease        Action = "release.read"   // consents, directory choices, holds, orders, shares
	GiveConsent        Action = "consent.give"   // withdraw it, and block directory information, as well
	DesignateDirectory Action = "directory.designate"
	Share              Action = "share.make" // one's own records; end it as well
	OpenShare          Action = "share.open"
	EndWatch           Action = "share.unwatch"
	OrderRecord        Action = "order.make"   // cancel it as well
	SendMessages       Action = "message.send" // to who watches a link, and again what failed
	ManageHolds        Action = "hold.manage"
	RecordDisclosure   Action = "disclosure.record"
	ExportDisclosures  Action = "disclosure.export"
	Deposit            Action = "credential.deposit" // what others issued, for a learner
	SignIn             Action = "session.begin"
	ReadProposal       Action = "proposal.read" // awards to make or to take back, by the rules of programs
	Propose            Action = "proposal.make"
	Archive            Action = "institution.archive" // all of it, as files
)

// Scope limits an API client to a group of actions.
type Scope string

// The scopes. A client without any has all that its roles allow.
const (
	ScopeCatalogRead   Scope = "catalog:read"
	ScopeCatalogWrite  Scope = "catalog:write"
	ScopeLearnerRead   Scope = "learner:read"
	ScopeLearnerWrite  Scope = "learner:write"
	ScopeLearnerSearch Scope = "learner:search"
	ScopeAwardWrite    Scope = "award:write"
	ScopeRecordWrite   Scope = "record:write"
	ScopeImport        Scope = "import"
	ScopeAuditRead     Scope = "audit:read" // for an auditor: what was disclosed and done, and nothing else of a learner
	ScopeAdmin         Scope = "admin"
)

// Scopes are all scopes.
func Scopes() []Scope {
	return []Scope{ScopeCatalogRead, ScopeCatalogWrite, ScopeLearnerRead, ScopeLearnerWrite, ScopeLearnerSearch,
		ScopeAwardWrite, ScopeRecordWrite, ScopeImport, ScopeAuditRead, ScopeAdmin}
}

// rule is who may do an action, and the scope an API client needs for it
// besides; no scope means that every client of those roles may.
type rule struct {
	roles []Role
	scope Scope
	or    Scope // that is enough as well; empty: none
}

var table = map[Action]rule{
	ReadProfile:        {roles: []Role{Administrator, Registrar, Designer, Assessor, Learner, Reader, Visitor, System}},
	ManageInstitution:  {roles: []Role{Administrator, System}, scope: ScopeAdmin},
	ReadStaff:          {roles: []Role{Administrator, System}, scope: ScopeAdmin},
	ReadCatalog:        {roles: []Role{Administrator, Registrar, Designer, Assessor, Learner, Reader, Visitor, System}, scope: ScopeCatalogRead},
	DefineCatalog:      {roles: []Role{Designer, Registrar, System}, scope: ScopeCatalogWrite},
	ReadLearner:        {roles: []Role{Administrator, Registrar, Designer, Assessor, Learner, System}, scope: ScopeLearnerRead},
	ExportLearner:      {roles: []Role{Administrator, Registrar, Designer, Assessor, Learner, System}, scope: ScopeLearnerRead},
	ManageLearner:      {roles: []Role{Registrar, System}, scope: ScopeLearnerWrite},
	Award:              {roles: []Role{Registrar, Assessor, System}, scope: ScopeAwardWrite},
	Withdraw:           {roles: []Role{Registrar, System}, scope: ScopeAwardWrite},
	Issue:              {roles: []Role{Registrar, System}, scope: ScopeRecordWrite},
	Revoke:             {roles: []Role{Registrar, System}, scope: ScopeRecordWrite},
	Reconcile:          {roles: []Role{System}},
	Archive:            {roles: []Role{System}},
	SignIn:             {roles: []Role{System}},
	Assemble:           {roles: []Role{Registrar, System}, scope: ScopeRecordWrite},
	MakeDocument:       {roles: []Role{Registrar, Learner, System}, scope: ScopeRecordWrite},
	Import:             {roles: []Role{Registrar, Designer, System}, scope: ScopeImport},
	ReadJob:            {roles: []Role{Registrar, Designer, System}, scope: ScopeImport},
	ReadAudit:          {roles: []Role{Administrator, Registrar, System}, scope: ScopeAdmin, or: ScopeAuditRead},
	ReadTrust:          {roles: []Role{Administrator, Registrar, Designer, Assessor, System}},
	SearchLearners:     {roles: []Role{Registrar, Employer, System}, scope: ScopeLearnerSearch},
	ManageTrust:        {roles: []Role{Administrator, Registrar, System}, scope: ScopeAdmin},
	ReadRelease:        {roles: []Role{Administrator, Registrar, Learner, System}, scope: ScopeLearnerRead},
	GiveConsent:        {roles: []Role{Registrar, Learner, System}, scope: ScopeLearnerWrite},
	DesignateDirectory: {roles: []Role{Administrator, Registrar, System}, scope: ScopeAdmin},
	Share:              {roles: []Role{Learner, System}, scope: ScopeRecordWrite},
	OpenShare:          {roles: []Role{Administrator, Registrar, Designer, Assessor, Learner, Reader, Visitor, System}},
	EndWatch:           {roles: []Role{Registrar, Learner, System}, scope: ScopeRecordWrite},
	SendMessages:       {roles: []Role{Registrar, System}, scope: ScopeLearnerWrite},
	OrderRecord:        {roles: []Role{Registrar, Learner, System}, scope: ScopeRecordWrite},
	ManageHolds:        {roles: []Role{Registrar, System}, scope: ScopeLearnerWrite},
	RecordDisclosure:   {roles: []Role{Registrar, System}, scope: ScopeLearnerWrite},
	ExportDisclosures:  {roles: []Role{Administrator, Registrar, System}, scope: ScopeAdmin, or: ScopeAuditRead},
	Deposit:            {roles: []Role{Registrar, Learner, System}, scope: ScopeLearnerWrite},
	ReadProposal:       {roles: []Role{Administrator, Registrar, Designer, Assessor, System}, scope: ScopeLearnerRead},
	Propose:            {roles: []Role{System}},
	Verify:             {roles: []Role{Administrator, Registrar, Designer, Assessor, Learner, Reader, Visitor, System}},
}

// Actor is who asks: one identity in one institution.
type Actor struct {
	ID            string  // API client, staff or learner id; "system" or "visitor" where there is none
	Name          string  // as the institution calls the client; empty where there is none
	InstitutionID string  // the only institution the actor can see
	Roles         []Role  // what the actor is there
	LearnerID     string  // whose record the actor may see as a learner; empty without that role
	Scopes        []Scope // empty: all that the roles allow
}

// SystemOf is the service itself at work for an institution; part names what
// works, such as "import".
func SystemOf(institutionID, part string) Actor {
	return Actor{ID: "system:" + part, InstitutionID: institutionID, Roles: []Role{System}}
}

// VisitorOf is anyone who looks at an institution's public things.
func VisitorOf(institutionID string) Actor {
	return Actor{ID: "visitor", InstitutionID: institutionID, Roles: []Role{Visitor}}
}

// Anonymous is a caller without a token: an actor of no institution, who may
// verify and nothing else that touches a row.
func Anonymous() Actor { return Actor{ID: "visitor", Roles: []Role{Visitor}} }

// Has reports whether the actor has the role.
func (a Actor) Has(r Role) bool { return slices.Contains(a.Roles, r) }

// Equal reports whether both are the same actor with the same rights.
func (a Actor) Equal(b Actor) bool {
	return a.ID == b.ID && a.InstitutionID == b.InstitutionID && a.LearnerID == b.LearnerID &&
		slices.Equal(a.Roles, b.Roles) && slices.Equal(a.Scopes, b.Scopes)
}

// Staff reports whether the actor may see learners other than itself.
func (a Actor) Staff() bool {
	return a.Has(Administrator) || a.Has(Registrar) || a.Has(Designer) || a.Has(Assessor) || a.Has(System)
}

// OnlyLearner is the filter for rows that belong to a learner: nil for staff,
// the actor's own learner otherwise, which is "" and so nobody for a reader or
// a visitor. Statements compare: (@only::text is null or learner_id = @only).
func (a Actor) OnlyLearner() *string {
	if a.Staff() {
		return nil
	}
	own := ""
	if a.Has(Learner) {
		own = a.LearnerID
	}
	return &own
}

// Check says whether the actor may do the action: nil, Unauthenticated for
// anonymous callers, Forbidden for all others.
func Check(who Actor, do Action) error {
	if Allowed(who, do) {
		return nil
	}
	if who.InstitutionID == "" {
		return fault.New(fault.Unauthenticated, "Send a bearer token with this request: the action %s is not open to everyone.", do)
	}
	return fault.New(fault.Forbidden, "Your roles or scopes do not allow the action %s. Ask an administrator of your institution.", do)
}

// Allowed is Check as a predicate.
func Allowed(who Actor, do Action) bool {
	r, ok := table[do]
	if !ok || (who.InstitutionID == "" && do != Verify && do != OpenShare) {
		return false
	}
	if !slices.ContainsFunc(r.roles, who.Has) {
		return false
	}
	return r.scope == "" || len(who.Scopes) == 0 || slices.Contains(who.Scopes, r.scope) || r.or != "" && slices.Contains(who.Scopes, r.or)
}
