package mastery

import "testing"

// Two requests that come at once may each make a basis; those that follow share
// one, and with it what others keep by its model.
func TestBasesThatWereMadeAtOnceDoNotTakeTurns(t *testing.T) {
	t.Parallel()
	var b bases
	for range 2 {
		b.keep("ins_a", &Basis{Model: &Model{}, until: Ever})
	}
	asked := &Basis{At: Clock{KnownAt: Ever - 1}}
	any := func(*Basis) bool { return true }
	first := b.find("ins_a", asked, any)
	for range 3 {
		if next := b.find("ins_a", asked, any); first == nil || next == nil || next.Model != first.Model {
			t.Fatal("the model changes though nothing did")
		}
	}
	if b.find("ins_b", asked, any) != nil {
		t.Error("a basis of another institution was found")
	}
}
