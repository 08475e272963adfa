package generate

import (
	"slices"

	"github.com/ceto-ml/ceto/data/token"
)

// reader turns the ids of one sequence into its text: whole characters, without the token that ended it, cut before a
// stop text. A nil reader reads nothing.
type reader struct {
	o      Options
	stream *token.Stream
	stop   *stopper
}

func newReader(t token.Tokenizer, o Options) *reader {
	return &reader{o, token.NewStream(t), newStopper(o.Stop)}
}

// next returns the text that id completes, and whether a stop text has come. The result is the caller's.
func (r *reader) next(id int32) (text []byte, stopped bool) {
	if r == nil || slices.Contains(r.o.End, id) {
		return nil, false
	}
	text, stopped = r.stop.write(r.stream.Next(id))
	return slices.Clone(text), stopped
}

// flush returns what was held back, at the end of the sequence.
func (r *reader) flush() []byte {
	if r == nil {
		return nil
	}
	text, stopped := r.stop.write(r.stream.Flush())
	text = slices.Clone(text)
	if !stopped {
		text = append(text, r.stop.flush()...)
	}
	return text
}

// textOf returns the text of ids.
func (g *Generator) textOf(ids []int32, o Options) string {
	if g.Tokenizer == nil {
		return ""
	}
	r := newReader(g.Tokenizer, o)
	var text []byte
	for _, id := range ids {
		more, stopped := r.next(id)
		if text = append(text, more...); stopped {
			return string(text)
		}
	}
	return string(append(text, r.flush()...))
}

// stops returns a function that tells beam search whether an answer has come to a stop text. It is nil where there is
// none.
func (g *Generator) stops(o Options) func(ids []int32) bool {
	if len(o.Stop) == 0 {
		return nil
	}
	return func(ids []int32) bool {
		r := newReader(g.Tokenizer, o)
		for _, id := range ids {
			if _, stopped := r.next(id); stopped {
				return true
			}
		}
		return false
	}
}
