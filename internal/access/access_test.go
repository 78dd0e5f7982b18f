package access

import (
	"testing"

	"github.com/testamur/testamur/internal/fault"
)

func actor(roles ...Role) Actor {
	return Actor{ID: "cli_1", InstitutionID: "ins_1", Roles: roles}
}

func TestCheck(t *testing.T) {
	limited := actor(Registrar)
	limited.Scopes = []Scope{ScopeLearnerRead}
	auditor := actor(Registrar)
	auditor.Scopes = []Scope{ScopeAuditRead}
	nowhere := actor(Registrar)
	nowhere.InstitutionID = ""
	for _, c := range []struct {
		name string
		who  Actor
		do   Action
		want fault.Kind // "" is allowed
	}{
		{"registrar awards", actor(Registrar), Award, ""},
		{"assessor awards", actor(Assessor), Award, ""},
		{"assessor does not withdraw", actor(Assessor), Withdraw, fault.Forbidden},
		{"administrator does not award", actor(Administrator), Award, fault.Forbidden},
		{"roles add up", actor(Administrator, Registrar), Award, ""},
		{"learner reads the record", actor(Learner), ReadLearner, ""},
		{"reader does not read learners", actor(Reader), ReadLearner, fault.Forbidden},
		{"scope takes away", limited, Award, fault.Forbidden},
		{"scope leaves", limited, ReadLearner, ""},
		{"auditor exports disclosures", auditor, ExportDisclosures, ""},
		{"auditor reads the audit", auditor, ReadAudit, ""},
		{"auditor reads no learner", auditor, ReadLearner, fault.Forbidden},
		{"auditor reads no order", auditor, ReadRelease, fault.Forbidden},
		{"auditor manages nothing", auditor, ManageInstitution, fault.Forbidden},
		{"auditor discloses nothing", auditor, RecordDisclosure, fault.Forbidden},
		{"no institution", nowhere, Award, fault.Unauthenticated},
		{"anonymous verifies", Anonymous(), Verify, ""},
		{"anonymous reads nothing", Anonymous(), ReadCatalog, fault.Unauthenticated},
		{"unlisted action", actor(System), "everything", fault.Forbidden},
	} {
		got := fault.Kind("")
		if err := Check(c.who, c.do); err != nil {
			got = fault.KindOf(err)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestSystemIsNotGrantable(t *testing.T) {
	for _, r := range Grantable() {
		if r == System || r == Visitor {
			t.Errorf("%s can be granted", r)
		}
	}
}

func TestOnlyLearner(t *testing.T) {
	if got := actor(Assessor).OnlyLearner(); got != nil {
		t.Errorf("staff are limited to %q", *got)
	}
	own := actor(Learner)
	own.LearnerID = "lrn_1"
	if got := own.OnlyLearner(); got == nil || *got != "lrn_1" {
		t.Errorf("a learner is limited to %v", got)
	}
	stray := actor(Reader)
	stray.LearnerID = "lrn_1"
	if got := stray.OnlyLearner(); got == nil || *got != "" {
		t.Errorf("a reader is limited to %v, want nobody", got)
	}
}
