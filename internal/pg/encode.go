package pg

import (
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
)

// makingRoom has lists of texts and of bytes written into a message that has
// room for all of them. pgx would enlarge the message as it writes, which for
// documents of some MB costs several times their size in memory.
func makingRoom(m *pgtype.Map) {
	m.TryWrapEncodePlanFuncs = append([]pgtype.TryWrapEncodePlanFunc{roomFor}, m.TryWrapEncodePlanFuncs...)
}

func roomFor(value any) (pgtype.WrappedEncodePlanNextSetter, any, bool) {
	switch v := value.(type) {
	case []string:
		return &listPlan[string]{}, pgtype.FlatArray[string](v), true
	case [][]byte:
		return &listPlan[[]byte]{}, pgtype.FlatArray[[]byte](v), true
	}
	return nil, nil, false
}

// listPlan writes a list whose elements know their size.
type listPlan[T string | []byte] struct{ next pgtype.EncodePlan }

// SetNext takes the plan that writes the list.
func (p *listPlan[T]) SetNext(next pgtype.EncodePlan) { p.next = next }

// Encode writes the list, a nil one as null.
func (p *listPlan[T]) Encode(value any, buf []byte) ([]byte, error) {
	all, ok := value.([]T)
	if !ok || all == nil {
		return nil, nil
	}
	size := 20 // of the head of a list; each element has four bytes before it
	for _, t := range all {
		size += 4 + len(t)
	}
	return p.next.Encode(pgtype.FlatArray[T](all), slices.Grow(buf, size))
}
