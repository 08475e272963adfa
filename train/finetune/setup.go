package finetune

import (
	"slices"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
)

// Setup is what a task is done with: the settings, the model's files and its tokenizer.
type Setup struct {
	Settings  Settings // resolved
	Source    *pretrained.Source
	Tokenizer token.Tokenizer

	task task
}

// openSetup opens the model's header and tokenizer and resolves the settings.
func openSetup(s Settings, t task) (*Setup, error) {
	path, err := train.Resolve(s.Model, nil)
	if err != nil {
		return nil, err
	}
	source, err := pretrained.Open(path)
	if err != nil {
		return nil, err
	}
	u := &Setup{Settings: s, Source: source, task: t}
	if err = u.Settings.resolve(t, source.Model); err == nil {
		u.Tokenizer, err = source.Tokenizer()
	}
	if err != nil {
		source.Close()
		return nil, err
	}
	return u, nil
}

// ids encodes a text and cuts it to the context. cut tells whether it was longer.
func (s *Setup) ids(text string) (ids []int32, cut bool, err error) {
	if ids, err = generate.PromptIDs(s.Tokenizer, text, token.AsText); err != nil {
		return nil, false, err
	}
	n, cut, err := s.fits("text", len(ids))
	return ids[:n], cut, err
}

// fits returns how many of n ids the context holds. cut tells whether they are fewer than n. With the setting strict
// fewer is an error.
func (s *Setup) fits(what string, n int) (most int, cut bool, err error) {
	context := s.Settings.Data.Context
	if n <= context {
		return n, false, nil
	}
	if s.Settings.Data.Strict {
		return 0, false, errors.Errorf("a %s of %d tokens, the context holds %d", what, n, context)
	}
	return context, true, nil
}

// end returns the token that ends a text, where the tokenizer has one.
func (s *Setup) end() (int32, bool) {
	if t, ok := s.Tokenizer.(token.Subword); ok {
		return t.End()
	}
	return 0, false
}

// ending returns the model's files, with the ids that end a text after the task was learned.
func (s *Setup) ending() *pretrained.Source {
	ends := s.task.ends(s)
	if slices.Equal(ends, s.Source.End) {
		return s.Source
	}
	changed := *s.Source
	changed.End = ends
	return &changed
}

// headPattern matches the parameters of a new head.
const headPattern = "score.*"

// lora returns the settings of LoRA for the trainer, or nil where all parameters are trained. With method head they
// match no layer, so that only the head is trained.
func (s Settings) lora() *nn.LoRA {
	if s.Method == Full {
		return nil
	}
	l := s.LoRA
	if s.Method == HeadOnly {
		return &nn.LoRA{Targets: []string{nn.NoLayer}, Rank: 1, Also: []string{headPattern}}
	}
	return &nn.LoRA{Targets: l.Targets, Rank: l.Rank, Alpha: l.Alpha, Dropout: l.Dropout, Also: []string{headPattern}}
}
