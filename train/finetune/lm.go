package finetune

import (
	"slices"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
)

// lm is the task of continuing texts: pretraining goes on, with texts of one's own. Each token carries loss, and so
// does the one that ends a text.
type lm struct{ causal }

func (*lm) about() string { return "going on with a text: --text COLUMN" }

func (*lm) columns(d *DataSettings, r *record.Records) error {
	if d.Text == "" && r.Has("text") {
		d.Text = "text"
	}
	return column(r, "text", d.Text)
}

// make cuts a text into pieces of the context's length. Each piece is an example. The first target of a later piece
// is predicted from one token. With the setting stride, pieces of held-out texts overlap: each begins that many tokens
// after the one before. An empty text gives no example.
func (*lm) make(s *Setup, e entry) ([]example, error) {
	whole, err := s.textTargets(e)
	if err != nil || len(whole.IDs) == 0 {
		return nil, err
	}
	context := s.Settings.Data.Context
	stride := context
	if e.held && s.Settings.Data.Stride > 0 {
		stride = min(stride, s.Settings.Data.Stride)
	}
	var all []example
	for _, piece := range windows(whole, context, stride) {
		all = append(all, example{Sequence: piece})
	}
	return all, nil
}

// textTargets returns a whole text of any length as ids and targets. The first id marks the beginning. The last
// target is the token between texts, where the tokenizer has one. Values has the number of bytes of each target.
func (s *Setup) textTargets(e entry) (x data.Sequence, err error) {
	text, err := e.Text(e.row, s.Settings.Data.Text)
	if err != nil {
		return x, err
	}
	ids, spans, err := s.begun(text)
	if err != nil || len(ids) == 1 {
		return x, err
	}
	if id, ok := s.separator(); ok {
		ids, spans = append(ids, id), append(spans, [2]int{})
	}
	x.IDs, x.Y = ids[:len(ids)-1], ids[1:]
	for _, b := range spans {
		x.Values = append(x.Values, float32(b[1]-b[0]))
	}
	return x, nil
}

// begun returns the ids of a text after an id that marks its beginning, and the byte range of each id of the text. The
// first id is the begin token where the model's files ask for one, else the token between texts.
func (s *Setup) begun(text string) (ids []int32, spans [][2]int, err error) {
	first, err := generate.PromptIDs(s.Tokenizer, "", token.AsText)
	if err != nil {
		return nil, nil, err
	}
	if id, ok := s.separator(); ok {
		first[0] = id
	}
	if t, ok := s.Tokenizer.(token.Subword); ok {
		added, err := t.EncodeWith(nil, token.Options{Add: true})
		if err != nil {
			return nil, nil, err
		}
		if id, ok := t.Begin(); ok && len(added) > 0 && added[0] == id {
			first[0] = id
		}
	}
	ids, spans, err = token.Offsets(s.Tokenizer, []byte(text), token.Options{Policy: token.AsText})
	return append(first[:1:1], ids...), spans, err
}

// separators are tokens that end a text in pretraining. The end token of a model for chats ends a turn instead. GPT-2,
// SmolLM2 and Qwen have the first, Llama 3 the second.
var separators = []string{"<|endoftext|>", "<|end_of_text|>"}

// separator returns the token between texts, where the tokenizer has one.
func (s *Setup) separator() (int32, bool) {
	if t, ok := s.Tokenizer.(token.Subword); ok {
		for _, name := range separators {
			if id, ok := t.ID(name); ok {
				return id, true
			}
		}
	}
	return s.end()
}

// windows cuts a text into pieces of n tokens. Each begins stride tokens after the one before. A target counts only in
// the first piece that has it, since it has the most context there.
func windows(e data.Sequence, n, stride int) (pieces []data.Sequence) {
	for from, end := 0, 0; end < len(e.IDs); from += stride {
		to := min(from+n, len(e.IDs))
		w := data.Sequence{IDs: e.IDs[from:to], Y: slices.Clone(e.Y[from:to]), Values: slices.Clone(e.Values[from:to])}
		for i := range end - from {
			w.Y[i], w.Values[i] = -1, 0
		}
		pieces, end = append(pieces, w), to
	}
	return pieces
}

// predict continues each text.
func (*lm) predict(p *Predictor, texts []string) ([]Answer, error) {
	var o generate.Options
	if id, ok := p.separator(); ok {
		o.End = []int32{id}
	}
	return p.respond(len(texts), func(i int) ([]int32, error) {
		ids, _, err := p.begun(texts[i])
		return ids, err
	}, o)
}

func (l *lm) next(s Settings, run string) []string { return l.nextCommand("generate", s, run) }

// ends returns the model's end tokens and the token between texts, which the model has learned to write.
func (*lm) ends(s *Setup) []int32 {
	id, ok := s.separator()
	if !ok || slices.Contains(s.Source.End, id) {
		return s.Source.End
	}
	return append(slices.Clone(s.Source.End), id)
}
