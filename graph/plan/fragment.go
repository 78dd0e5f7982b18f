package plan

import "context"

// Fragments keeps the JSON of closed values between answers. It belongs to one
// answer, and so to one caller and one state of what is shared.
type Fragments interface {
	// Find is the JSON of the field's value of what the key names.
	Find(f *Field, key any) ([]byte, bool)
	// Keep keeps a copy of it.
	Keep(f *Field, key any, json []byte)
}

type fragmentsKey struct{}

// WithFragments gives a context whose planned queries keep fragments.
func WithFragments(ctx context.Context, f Fragments) context.Context {
	return context.WithValue(ctx, fragmentsKey{}, f)
}

// Kept writes the value of a closed field, whose plan is kept, of what the key names, if it is
// known; otherwise write does, and what it wrote is kept. Once something went
// wrong nothing is: what is read after it may be of a later moment.
func (w *Writer) Kept(f *Field, key any, write func() bool) bool {
	if f.Number == 0 || w.fragments == nil || w.failed > 0 {
		return write()
	}
	if json, ok := w.fragments.Find(f, key); ok {
		w.buf = append(w.buf, json...)
		return true
	}
	mark := w.Mark()
	if !write() {
		return false
	}
	if w.failed == 0 {
		w.fragments.Keep(f, key, w.buf[mark:])
	}
	return true
}
