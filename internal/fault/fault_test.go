package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestAFaultIsFoundThroughWrapping(t *testing.T) {
	t.Parallel()
	f := Missing("course").Because(io.EOF)
	wrapped := fmt.Errorf("assemble record: %w", f)
	if got, ok := Of(wrapped); !ok || got != f || KindOf(wrapped) != NotFound || !errors.Is(wrapped, io.EOF) {
		t.Errorf("%v, %v", got, ok)
	}
	if _, ok := Of(io.EOF); ok || KindOf(io.EOF) != Internal {
		t.Error("an error that nobody wrote for a caller is shown to one")
	}
}

func TestWithinNamesThePath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ field, prefix, want string }{
		{"value", "results.0", "results.0.value"}, {"", "learnerId", "learnerId"}, {"value", "", "value"}, {"", "", ""},
	} {
		f := At(c.field, "rule", "A sentence.")
		if got := f.Within(c.prefix); got.Field != c.want || got.Rule != "rule" || f.Field != c.field {
			t.Errorf("%q within %q is %q; the fault itself says %q", c.field, c.prefix, got.Field, f.Field)
		}
	}
}

func TestMissingDoesNotTellWhetherItExists(t *testing.T) {
	t.Parallel()
	if m := Missing("learner"); m.Field != "" || m.Rule != "" || m.Message != "There is no such learner, or you may not see it." {
		t.Errorf("%+v", m)
	}
}
