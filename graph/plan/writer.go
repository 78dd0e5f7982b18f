package plan

import (
	"context"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// Writer writes one answer. A write that gives false has written nothing: the
// value is null, and whoever asked for it decides whether null may stand there.
type Writer struct {
	Ctx   context.Context // of the request; resolvers are called with it
	op    *graphql.OperationContext
	plan  *Plan
	buf   []byte
	steps []step // to the field being written, for the path of an error
	args  []arguments

	fragments Fragments // nil: none are kept
	failed    int       // how often something went wrong
}

// step is one part of a path: a field, or a place in a list.
type step struct {
	field *Field
	index int
}

// arguments of one field, which are the same wherever the field stands in the
// answer.
type arguments struct {
	known  bool
	values map[string]any
	err    error
}

// buffers are those of answers that were sent.
var buffers sync.Pool

// maxKept is how large a buffer is kept, in bytes.
const maxKept = 1 << 20

// Sent takes the answer of Done back, to write another one into it. The answer
// must not be used any more.
func Sent(answer []byte) {
	if cap(answer) > 0 && cap(answer) <= maxKept {
		buffers.Put(&answer)
	}
}

// buffer is one with room for n bytes.
func buffer(n int) []byte {
	if b, ok := buffers.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:0]
	}
	return make([]byte, 0, n)
}

// NewWriter writes the answer of a planned query.
func NewWriter(ctx context.Context, o *graphql.OperationContext, p *Plan) *Writer {
	fragments, _ := ctx.Value(fragmentsKey{}).(Fragments)
	return &Writer{Ctx: ctx, op: o, plan: p, buf: buffer(p.room()), steps: make([]step, 0, 16), args: make([]arguments, p.slots), fragments: fragments}
}

// Done is what was written.
func (w *Writer) Done() []byte {
	w.plan.took(len(w.buf))
	return w.buf
}

// Mark is a place to go back to.
func (w *Writer) Mark() int { return len(w.buf) }

// Back takes back what was written since the mark, because a null took it away.
// It gives false, as a write that wrote nothing.
func (w *Writer) Back(mark int) bool {
	w.buf = w.buf[:mark]
	return false
}

// Open begins an object and Close ends it.
func (w *Writer) Open() { w.buf = append(w.buf, '{') }

// Close ends an object.
func (w *Writer) Close() bool {
	w.buf = append(w.buf, '}')
	return true
}

// Into enters the i-th field of an object and writes its name, with a comma but
// before the first. Out leaves it again.
func (w *Writer) Into(f *Field, i int) {
	if i > 0 {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(w.buf, f.Key...)
	w.steps = append(w.steps, step{field: f})
}

// Begin begins a list.
func (w *Writer) Begin() { w.buf = append(w.buf, '[') }

// Item enters the i-th entry of a list. Out leaves it again.
func (w *Writer) Item(i int) {
	if i > 0 {
		w.buf = append(w.buf, ',')
	}
	w.steps = append(w.steps, step{index: i})
}

// End ends a list.
func (w *Writer) End() bool {
	w.buf = append(w.buf, ']')
	return true
}

// Null writes null.
func (w *Writer) Null() bool {
	w.buf = append(w.buf, "null"...)
	return true
}

// Out leaves what was entered last.
func (w *Writer) Out() { w.steps = w.steps[:len(w.steps)-1] }

// context is the request's context with the path to where the writer stands, as
// gqlgen's executor has it. It is made when something went wrong, and for
// arguments.
func (w *Writer) context() context.Context {
	w.failed++
	ctx := w.Ctx
	for i := range w.steps {
		s := &w.steps[i]
		fc := &graphql.FieldContext{}
		if s.field != nil {
			fc.Object, fc.Field = s.field.Type, s.field.Collected
			if s.field.slot >= 0 {
				fc.Args = w.args[s.field.slot].values
			}
		} else {
			fc.Index = &s.index
		}
		ctx = graphql.WithFieldContext(ctx, fc)
	}
	return ctx
}

// Fail tells what a resolver said went wrong with the field that was entered.
func (w *Writer) Fail(err error) bool {
	ctx := w.context()
	w.op.Error(ctx, graphql.AddFieldLocationToError(ctx, err))
	return false
}

// Missing tells that there is a null where none may be.
func (w *Writer) Missing(declared string) bool {
	graphql.AddInvalidNullError(w.context(), declared)
	return false
}

// Guard makes an error of a panic; it is deferred around a resolver.
func (w *Writer) Guard(err *error) {
	if v := recover(); v != nil {
		*err = w.op.Recover(w.context(), v)
	}
}

// Args are the arguments of a field, read once for an answer. When they cannot
// be read that is told for each place where the field stands.
func (w *Writer) Args(f *Field, read func(context.Context, map[string]any) (map[string]any, error)) (graphql.FieldContext, bool) {
	a := &w.args[f.slot]
	if !a.known {
		a.known = true
		a.values, a.err = read(w.context(), f.Collected.ArgumentMap(w.op.Variables))
		w.failed-- // nothing did
	}
	if a.err != nil {
		w.op.Error(w.context(), a.err)
		return graphql.FieldContext{}, false
	}
	return graphql.FieldContext{Args: a.values}, true
}

// Leaf writes a value that only its marshaler knows how to write.
func (w *Writer) Leaf(m graphql.Marshaler, required bool, declared string) bool {
	if m == graphql.Null {
		if required {
			graphql.AddInvalidNullFromMarshaler(w.context(), declared)
		}
		return false
	}
	m.MarshalGQL((*sink)(w))
	return true
}

// Fallible is Leaf for a marshaler that may fail; what it wrote is taken back.
func (w *Writer) Fallible(m graphql.ContextMarshaler) bool {
	mark := w.Mark()
	ctx := w.context()
	if err := m.MarshalGQLContext(ctx, (*sink)(w)); err != nil {
		graphql.AddError(ctx, err)
		w.Back(mark)
		return w.Null()
	}
	return true
}

// sink is the writer as marshalers want it.
type sink Writer

// Write appends to the answer; it never fails.
func (s *sink) Write(p []byte) (int, error) {
	s.buf = append(s.buf, p...)
	return len(p), nil
}

// WriteString appends to the answer; it never fails.
func (s *sink) WriteString(p string) (int, error) {
	s.buf = append(s.buf, p...)
	return len(p), nil
}

// Int writes a whole number.
func (w *Writer) Int(v int64) bool {
	w.buf = strconv.AppendInt(w.buf, v, 10)
	return true
}

// Float writes a number as gqlgen writes it.
func (w *Writer) Float(v float64) bool {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return w.Fallible(graphql.MarshalFloatContext(v))
	}
	// %g of package fmt, which has an exponent of two digits from 1e+21 on
	w.buf = strconv.AppendFloat(w.buf, v, 'g', -1, 64)
	return true
}

// Bool writes true or false.
func (w *Writer) Bool(v bool) bool {
	w.buf = strconv.AppendBool(w.buf, v)
	return true
}

// Time writes an instant; the zero time is null.
func (w *Writer) Time(t time.Time, required bool, declared string) bool {
	if t.IsZero() {
		return w.Leaf(graphql.Null, required, declared)
	}
	w.buf = append(w.buf, '"')
	w.buf = t.AppendFormat(w.buf, time.RFC3339Nano)
	w.buf = append(w.buf, '"')
	return true
}

// escaped are the bytes that a JSON string does not hold as they are.
var escaped = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

// String writes a text as gqlgen writes it: only what JSON demands is escaped.
func (w *Writer) String(s string) bool {
	w.buf = append(w.buf, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !escaped[c] {
			continue
		}
		w.buf = append(w.buf, s[start:i]...)
		switch start = i + 1; c {
		case '\t':
			w.buf = append(w.buf, `\t`...)
		case '\r':
			w.buf = append(w.buf, `\r`...)
		case '\n':
			w.buf = append(w.buf, `\n`...)
		case '\\', '"':
			w.buf = append(w.buf, '\\', c)
		default:
			const hex = "0123456789ABCDEF"
			w.buf = append(w.buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	w.buf = append(append(w.buf, s[start:]...), '"')
	return true
}
