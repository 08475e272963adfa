package finetune

import (
	"slices"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/pkg/errors"
)

// lm is the task of going on with texts: pretraining goes on, on texts of one's own. Each token carries loss, the one
// that ends a text too.
type lm struct{ causal }

func (*lm) columns(j *Job, r *record.Records) error {
	if d := &j.Settings.Data; d.Text == "" && slices.Contains(r.Columns(), "text") {
		d.Text = "text"
	}
	return column(r, "text", j.Settings.Data.Text)
}

func (*lm) open(*Job, *record.Records) error { return nil }

func (*lm) restore(*Job) error { return nil }

// example is a whole text, of any length: one id in front that nothing foretells, then the text's and, where the
// tokenizer has one, the token between texts. Values are the bytes that each target stands for.
func (*lm) example(j *Job, r *record.Records, row int, _ bool, _ uint64) (e data.Sequence, err error) {
	text, err := r.Text(row, j.Settings.Data.Text)
	if err != nil {
		return e, err
	}
	ids, spans, err := j.begun(text)
	if err != nil || len(ids) == 1 {
		return e, err
	}
	if id, ok := j.separator(); ok {
		ids, spans = append(ids, id), append(spans, [2]int{})
	}
	e.IDs, e.Y = ids[:len(ids)-1], ids[1:]
	for _, s := range spans {
		e.Values = append(e.Values, float32(s[1]-s[0]))
	}
	return e, nil
}

// begun returns the ids of a text behind one that stands for its beginning, and the bytes of each but that: the begin
// token where the model's files ask for one, else the one between texts.
func (j *Job) begun(text string) (ids []int32, spans [][2]int, err error) {
	first, err := generate.PromptIDs(j.Tokenizer, "", token.AsText)
	if err != nil {
		return nil, nil, err
	}
	if id, ok := j.separator(); ok {
		first[0] = id
	}
	if t, ok := j.Tokenizer.(token.Subword); ok {
		added, err := t.EncodeWith(nil, token.Options{Add: true})
		if err != nil {
			return nil, nil, err
		}
		if id, ok := t.Begin(); ok && len(added) > 0 && added[0] == id {
			first[0] = id
		}
	}
	ids, spans, err = token.Offsets(j.Tokenizer, []byte(text), token.Options{Policy: token.AsText})
	return append(first[:1:1], ids...), spans, err
}

// separators end a text in pretraining, where the end token of a model for chats ends a turn: those of GPT-2, SmolLM2
// and Qwen; of Llama 3.
var separators = []string{"<|endoftext|>", "<|end_of_text|>"}

// separator is the token between texts.
func (j *Job) separator() (int32, bool) {
	if t, ok := j.Tokenizer.(token.Subword); ok {
		for _, name := range separators {
			if id, ok := t.ID(name); ok {
				return id, true
			}
		}
	}
	return j.end()
}

// measurePart cuts the texts of a part into pieces of the context's length, each of which is an example, and keeps
// them: 12 bytes a token. In a later piece the first token has the last one before it as context, and no more; of
// held-out texts, with the setting stride, all but that many of a context's.
func (l *lm) measurePart(j *Job, p *part) error {
	kept := make([]int, 0, len(p.rows))
	p.pieces, p.lengths = nil, []int32{}
	for _, row := range p.rows {
		e, err := l.example(j, p.r, row, false, 0)
		if err != nil {
			return errors.Wrapf(err, "finetune: %s", p.r.Where(row))
		}
		if len(e.IDs) == 0 {
			j.Counts.LeftOut++
			continue
		}
		kept = append(kept, row)
		stride := j.Settings.Data.Context
		if p != j.train && j.Settings.Data.Stride > 0 {
			stride = min(stride, j.Settings.Data.Stride)
		}
		for _, piece := range windows(e, j.Settings.Data.Context, stride) {
			p.pieces, p.lengths = append(p.pieces, piece), append(p.lengths, int32(len(piece.IDs)))
		}
	}
	p.rows = kept
	return nil
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
