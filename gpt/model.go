package gpt

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Model is a decoder: an nn.Layer from ids (B, T) to logits (B, T, Vocab) whose trunk and head can be built apart.
// [Config] (GPT-2) and [Llama] (with Qwen2, Qwen3, Mistral) are models.
type Model interface {
	nn.Layer
	// Hidden takes ids (B, T) and returns the last block's normalised output (B, T, Width).
	Hidden(s *nn.Scope, ids *graph.Node) *graph.Node
	// Head takes the output of Hidden (…, Width) and returns logits (…, Vocab).
	Head(s *nn.Scope, x *graph.Node) *graph.Node
	// Validate returns an error that names the first setting that cannot be.
	Validate() error
	// Dims returns the model's sizes.
	Dims() Dims
	// Params is the number of parameters by the closed formula, a tied head counted once.
	Params() int
	// Architecture is the name in Hugging Face's config.json: "GPT2LMHeadModel".
	Architecture() string
}

// Dims are the sizes of a model that those who run it need.
type Dims struct {
	Vocab   int
	Context int // tokens
	Layers  int
	Width   int
}

// maxSetting bounds every size of a model, so that products of three stay in range.
const maxSetting = 1 << 20

// setting is a size by its name.
type setting struct {
	name string
	v    int
}

// positive returns an error that names the first setting outside 1 … maxSetting.
func positive(settings []setting) error {
	for _, f := range settings {
		if f.v < 1 || f.v > maxSetting {
			return errors.Errorf("gpt: %s is %d; it must be from 1 to %d", f.name, f.v, maxSetting)
		}
	}
	return nil
}
