package gpt

import (
	"sort"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// GPT2 is a GPT-2-style model: learned positions, pre-norm blocks, GELU, a head that is the embedding. It is an
// nn.Layer from ids (B, T) to logits (B, T, Vocab). Parameters carry the names of Hugging Face's GPT2LMHeadModel.
type GPT2 struct {
	Vocab   int     `yaml:"vocab" usage:"number of token ids; pretraining takes the text's"`
	Context int     `yaml:"context" flag:"context" usage:"tokens of a sequence, at most"`
	Layers  int     `yaml:"layers" usage:"number of blocks"`
	Heads   int     `yaml:"heads" usage:"attention heads of a block"`
	Width   int     `yaml:"width" usage:"channels of a hidden state"`
	Dropout float64 `yaml:"dropout" usage:"dropout of embeddings, attention and residual branches, in training"`
	NoBias  bool    `yaml:"no_bias" usage:"no biases in linear layers and norms, as nanoGPT"`
	GELUErf bool    `yaml:"gelu_erf" usage:"the exact GELU, as nanoGPT; otherwise GPT-2's tanh form"`
	Eps     float64 `yaml:"eps" usage:"what norms add to the variance" default:"(1e-5)"`

	MLPWidth int  `yaml:"mlp_width,omitempty" usage:"channels inside the MLP" default:"(4 times the width)"`
	Untied   bool `yaml:"untied,omitempty" usage:"the head is a matrix of its own, lm_head.weight (vocab, width)"`
}

// The presets. GPT-2's sizes: Radford et al. 2019, table 2. Shakespeare's two: nanoGPT, config/train_shakespeare_char.py
// and its README's CPU settings. Tiny is the default run's.
var (
	GPT2Small          = GPT2{Vocab: 50257, Context: 1024, Layers: 12, Heads: 12, Width: 768}
	GPT2Medium         = GPT2{Vocab: 50257, Context: 1024, Layers: 24, Heads: 16, Width: 1024}
	GPT2Large          = GPT2{Vocab: 50257, Context: 1024, Layers: 36, Heads: 20, Width: 1280}
	GPT2XL             = GPT2{Vocab: 50257, Context: 1024, Layers: 48, Heads: 25, Width: 1600}
	ShakespeareChar    = GPT2{Vocab: 65, Context: 256, Layers: 6, Heads: 6, Width: 384, Dropout: 0.2, NoBias: true, GELUErf: true}
	ShakespeareCharCPU = GPT2{Vocab: 65, Context: 64, Layers: 4, Heads: 4, Width: 128, NoBias: true, GELUErf: true}
	Tiny               = GPT2{Vocab: 256, Context: 64, Layers: 4, Heads: 4, Width: 128}
)

var presets = map[string]GPT2{
	"gpt2": GPT2Small, "gpt2-medium": GPT2Medium, "gpt2-large": GPT2Large, "gpt2-xl": GPT2XL,
	"shakespeare-char": ShakespeareChar, "shakespeare-char-cpu": ShakespeareCharCPU, "tiny": Tiny,
}

// Preset returns the preset of that name; an unknown name is an error that lists the known ones.
func Preset(name string) (GPT2, error) {
	if c, ok := presets[name]; ok {
		return c, nil
	}
	return GPT2{}, errors.Errorf("gpt: unknown preset %q; known: %v", name, Presets())
}

// Presets lists the names of the presets.
func Presets() []string {
	names := make([]string, 0, len(presets))
	for n := range presets {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Validate implements Model.
func (c GPT2) Validate() error {
	if err := positive([]setting{{"vocab", c.Vocab}, {"context", c.Context}, {"layers", c.Layers}, {"heads", c.Heads}, {"width", c.Width}, {"MLP width", c.mlpWidth()}}); err != nil {
		return err
	}
	if c.Width%c.Heads != 0 {
		return errors.Errorf("gpt: %d heads do not divide the width %d", c.Heads, c.Width)
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		return errors.Errorf("gpt: dropout is %g; it must be in [0, 1)", c.Dropout)
	}
	return nil
}

// Forward takes ids (B, T), T ≤ Context, and returns logits (B, T, Vocab).
func (c GPT2) Forward(s *nn.Scope, ids *graph.Node) *graph.Node {
	return c.Head(s, c.Hidden(s, ids))
}

// Hidden takes ids (B, T) and returns the last block's normalised output (B, T, Width).
func (c GPT2) Hidden(s *nn.Scope, ids *graph.Node) *graph.Node {
	if err := c.Validate(); err != nil {
		return s.Fail(err)
	}
	if ids.Dim(-1) > c.Context {
		return s.Fail(errors.Errorf("gpt: %d tokens, the context is %d", ids.Dim(-1), c.Context))
	}
	normal := nn.Normal(0, 0.02) // GPT-2's initializer_range
	x := s.Add(
		s.Call("wte", nn.Embedding{Vocab: c.Vocab, Dim: c.Width, Init: normal}, ids),                        // (B, T, C)
		s.Call("wpe", nn.Embedding{Vocab: c.Context, Dim: c.Width, Init: normal}, s.Positions(ids.Dim(-1)))) // (T, C)
	x = s.Call("drop", nn.Dropout{P: c.Dropout}, x)
	block := c.block()
	for i := range c.Layers {
		x = s.Call("h."+nn.Itoa(i), block, x)
	}
	return s.Call("ln_f", c.norm(), x)
}

// Head takes the normalised output (…, Width) and returns logits (…, Vocab) by the embedding's rows.
func (c GPT2) Head(s *nn.Scope, x *graph.Node) *graph.Node {
	if c.Untied {
		return s.Call("lm_head", nn.Linear{Out: c.Vocab, OutIn: true, NoBias: true, Init: nn.Normal(0, 0.02)}, x)
	}
	return s.MatMulT(x, s.Shared("wte.weight"))
}

func (c GPT2) norm() nn.Layer { return nn.LayerNorm{NoBias: c.NoBias, Eps: c.Eps} }

func (c GPT2) block() nn.Layer {
	act := nn.Layer(nn.GELU)
	if c.GELUErf {
		act = nn.GELUErf
	}
	normal := nn.Normal(0, 0.02)
	residual := nn.GPT2Residual(c.Layers)
	return nn.TransformerBlock{
		Norm:    c.norm(),
		Attn:    nn.SelfAttention{Heads: c.Heads, Causal: true, NoBias: c.NoBias, Dropout: c.Dropout, Init: normal, ProjInit: residual},
		MLP:     nn.MLP{Hidden: c.mlpWidth(), Act: act, NoBias: c.NoBias, Init: normal, ProjInit: residual},
		Dropout: c.Dropout,
	}
}

// Dims implements Model.
func (c GPT2) Dims() Dims { return Dims{c.Vocab, c.Context, c.Layers, c.Width} }

func (c GPT2) mlpWidth() int {
	if c.MLPWidth == 0 {
		return 4 * c.Width
	}
	return c.MLPWidth
}

// Params implements Model.
func (c GPT2) Params() int {
	w, h := c.Width, c.mlpWidth()
	n := c.Vocab*w + c.Context*w + c.Layers*(4*w*w+2*w*h+2*w) + w
	if !c.NoBias {
		n += c.Layers*(3*w+w+h+w+2*w) + w
	}
	if c.Untied {
		n += c.Vocab * w
	}
	return n
}
