// Package gpt has language models: GPT-2 ([GPT2]), Llama with its variants ([Llama]), [Gemma3], [Phi3], [Olmo2] and
// [SmolLM3]. It has the tasks that train them ([CausalLM], [Classify], [Tag]) and says how published files hold them
// ([Architecture]). Package gpt/generate continues texts with a model; package pretrained reads and writes the files.
//
//	cfg := gpt.ShakespeareChar
//	cfg.Vocab = text.Vocab()
//	t := train.Trainer{Model: cfg, Loss: nn.CrossEntropy{}, Optimizer: train.AdamW{LR: 1e-3}, Steps: 5000}
//	run, err := t.Fit(text)
package gpt

import (
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Model is a decoder: an nn.Layer from ids (B, T) to logits (B, T, Vocab) whose trunk and head can be built apart. Each
// family has a type that implements it, such as [GPT2] and [Llama] (with Qwen2, Qwen3, Mistral).
type Model interface {
	nn.Layer
	// Hidden takes ids (B, T), int32, and returns the last block's normalised output (B, T, Width), floats.
	Hidden(s *nn.Scope, ids *graph.Node) *graph.Node
	// Head takes the output of Hidden (…, Width), floats, and returns logits (…, Vocab) of the same dtype.
	Head(s *nn.Scope, x *graph.Node) *graph.Node
	// Validate returns an error that names the first setting with an impossible value.
	Validate() error
	// Dims returns the model's sizes.
	Dims() Dims
	// Params returns the number of parameters by the closed formula, a tied head counted once.
	Params() int
}

// Dims are the sizes that a program needs to run a model.
type Dims struct {
	Vocab   int
	Context int // tokens
	Layers  int
	Width   int
}

// MaxSize bounds every size of a model, so that a product of three sizes fits in an int.
const MaxSize = 1 << 20

// setting is a size by its name.
type setting struct {
	name string
	v    int
}

// positive returns an error that names the first setting outside 1 … MaxSize.
func positive(settings []setting) error {
	for _, f := range settings {
		if f.v < 1 || f.v > MaxSize {
			return errors.Errorf("gpt: %s is %d; it must be from 1 to %d", f.name, f.v, MaxSize)
		}
	}
	return nil
}

// Declare returns the register of a model's parameters, float32, from a graph of one token. It computes no value. An
// impossible setting is an error.
func Declare(m Model) (*nn.Params, error) {
	params := nn.NewParams(graph.Float32)
	s := nn.NewScope(graph.New(), params, nn.Eval)
	m.Forward(s, s.Input(field.IDs, graph.Of(graph.Int32, 1, 1)))
	return params, s.Err()
}
