// Package gpt has GPT-style models: GPT-2 ([Config]) and Llama with its variants ([Llama]), what others have trained of
// them read from files and written back, generation and chat.
//
// A model of one's own, pretrained:
//
//	cfg := gpt.ShakespeareChar
//	cfg.Vocab = text.Vocab()
//	t := train.Trainer{Model: cfg, Loss: nn.CrossEntropy{}, Optimizer: train.AdamW{LR: 1e-3}, Steps: 5000}
//	run, err := t.Fit(text)
//	g := gpt.Generator{Model: cfg, State: run.State}
//	ids, err := g.Sample(prompt, gpt.SampleOptions{Tokens: 200})
//
// One that others have trained:
//
//	model, err := gpt.Open("model.gguf")
//	g, err := model.Generator(plan.CPU(0))
//	ids, err := gpt.PromptIDs(g.Tokenizer, "Once upon a time", token.Parse)
//	answers, err := g.Generate([][]int32{ids}, gpt.SampleOptions{Tokens: 200, End: model.End})
//	files, err := model.Export("out", gpt.ExportOptions{Format: gpt.FormatHF, Type: "bf16"})
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
