package data

import (
	"io"

	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/internal/mapped"
	"github.com/ceto-ml/ceto/internal/splitmix"
	"github.com/pkg/errors"
)

// windows is a source of windows of tokens: ids (context), and y, the same one token later.
type windows[T uint16 | uint32] struct {
	cursor
	ids            []T
	context, vocab int
	random         bool // at uniform offsets, without end; else one after the other, once
	fields         []Field
}

func newWindows[T uint16 | uint32](seed uint64, ids []T, context, vocab int, random bool) *windows[T] {
	shape := []int{context}
	return &windows[T]{cursor{seed: seed, n: max(0, (len(ids)-1)/context)}, ids, context, vocab, random,
		[]Field{{Name: field.IDs, Int: true, Shape: shape}, {Name: field.Y, Int: true, Shape: shape}}}
}

// Fields implements Source.
func (w *windows[T]) Fields() []Field { return w.fields }

// Next implements Source.
func (w *windows[T]) Next(b Batch) (int, error) {
	x, y := b[field.IDs], b[field.Y]
	size, err := b.size(w.fields)
	if err != nil {
		return 0, err
	}
	n := size
	if !w.random {
		if w.next >= int64(w.n) {
			return 0, io.EOF
		}
		n = min(size, w.n-int(w.next))
	}
	err = mapped.Guard(func() error {
		for i := range n {
			if err := w.window(x.Int[i*w.context:(i+1)*w.context], y.Int[i*w.context:(i+1)*w.context], w.next+int64(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	clear(x.Int[n*w.context:])
	clear(y.Int[n*w.context:])
	w.next += int64(n)
	return n, nil
}

// window fills x with window i and y with the token behind each of x.
func (w *windows[T]) window(x, y []int32, i int64) error {
	at := int(i) * w.context
	if w.random {
		at = below(splitmix.At(w.seed, 0, uint64(i)), len(w.ids)-w.context)
	}
	for j, id := range w.ids[at : at+w.context+1] {
		if uint(id) >= uint(w.vocab) {
			return errors.Errorf("data: token %d at place %d, but the vocabulary has %d", id, at+j, w.vocab)
		}
		if j < w.context {
			x[j] = int32(id)
		}
		if j > 0 {
			y[j-1] = int32(id)
		}
	}
	return nil
}
