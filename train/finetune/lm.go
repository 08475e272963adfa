package finetune

import (
	"slices"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/pkg/errors"
)

// lm is the task of going on with texts: pretraining continues on texts of one's own. Each token carries loss, the one
// that ends a text too.
type lm struct{ causal }

func (*lm) about() string { return "going on with a text: --text COLUMN" }

func (*lm) columns(d *DataSettings, r *record.Records) error {
	if d.Text == "" && hasColumn(r, "text") {
		d.Text = "text"
	}
	return column(r, "text", d.Text)
}

// make cuts a text into pieces of the context's length, each of which is an example. In a later piece the first token
// has the last one before it as context, and no more. Of held-out texts, with the setting stride, a piece begins that
// many tokens after the one before. An empty text gives none.
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

// textTargets is a whole text, of any length: one id in front that nothing foretells, then the text's and, where the
// tokenizer has one, the token between texts. Values are the bytes that each target stands for.
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

// begun returns the ids of a text behind one that stands for its beginning, and the bytes of each but that: the begin
// token where the model's files ask for one, else the one between texts.
func (s *Setup) begun(text string) (ids []int32, spans [][2]int, err error) {
	first, err := gpt.PromptIDs(s.Tokenizer, "", token.AsText)
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

// separators end a text in pretraining, where the end token of a model for chats ends a turn: the first is that of GPT-2,
// SmolLM2 and Qwen, the second that of Llama 3.
var separators = []string{"<|endoftext|>", "<|end_of_text|>"}

// separator is the token between texts.
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

// windows cuts a text into pieces of n tokens, each of which begins stride tokens after the one before. A target counts
// in the first piece that has it, where it has the most context.
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

// predict goes on with each text.
func (*lm) predict(p *Predictor, texts []string) ([]Answer, error) {
	prompts := make([][]int32, len(texts))
	for i, t := range texts {
		var err error
		if prompts[i], _, err = p.begun(t); err != nil {
			return nil, errors.Wrapf(err, "finetune: text %d", i)
		}
	}
	var o gpt.SampleOptions
	if id, ok := p.separator(); ok {
		o.End = []int32{id}
	}
	return textAnswers(p.write(prompts, o))
}

func (l *lm) next(s Settings, run string) []string { return l.nextCommand("generate", s, run) }

// ends are the model's, and the token behind texts that it has learnt.
func (*lm) ends(s *Setup) []int32 {
	id, ok := s.separator()
	if !ok || slices.Contains(s.Source.End, id) {
		return s.Source.End
	}
	return append(slices.Clone(s.Source.End), id)
}
