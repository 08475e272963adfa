package gpt

import (
	"sort"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// GPT2 is a GPT-2-style model: learned positions, pre-norm blocks, GELU, a head that is the embedding. It is an
// nn.Layer from ids (B, T) to logits (B, T, Vocab). Parameters carry the names of Hugging Face's GPT2LMHeadModel.
type GPT2 struct {
	Vocab   int     `yaml:"vocab" usage:"number of token ids; pretraining takes the text's" range:"[0,16777216]"`
	Context int     `yaml:"context" flag:"context" usage:"tokens of a sequence, at most" range:"[1,16777216]"`
	Layers  int     `yaml:"layers" usage:"number of blocks" range:"[1,65536]"`
	Heads   int     `yaml:"heads" usage:"attention heads of a block" range:"[1,65536]"`
	Width   int     `yaml:"width" usage:"channels of a hidden state" range:"[1,16777216]"`
	Dropout float64 `yaml:"dropout" usage:"dropout of embeddings, attention and residual branches, in training" range:"[0,1)"`
	NoBias  bool    `yaml:"no_bias" usage:"no biases in linear layers and norms, as nanoGPT"`
	GELUErf bool    `yaml:"gelu_erf" usage:"the exact GELU, as nanoGPT; otherwise GPT-2's tanh form"`
	Eps     float64 `yaml:"eps" usage:"what norms add to the variance" range:"[0,1]" default:"(1e-5)"`

	MLPWidth int  `yaml:"mlp_width,omitempty" usage:"channels inside the MLP" range:"[0,16777216]" default:"(4 times the width)"`
	Untied   bool `yaml:"untied,omitempty" usage:"the head is a matrix of its own, lm_head.weight (vocab, width)"`
}

// The presets. GPT-2's sizes are those of Radford et al. 2019, table 2. Shakespeare's two are nanoGPT's, from
// config/train_shakespeare_char.py and the CPU settings of its README. Tiny is the default of ceto pretrain.
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

// Forward takes ids (B, T), int32, T ≤ Context, and returns logits (B, T, Vocab), floats. More ids than Context and
// impossible settings are errors of the scope.
func (c GPT2) Forward(s *nn.Scope, ids *graph.Node) *graph.Node {
	return c.Head(s, c.Hidden(s, ids))
}

// Hidden takes ids (B, T), int32, T ≤ Context, and returns the last block's normalised output (B, T, Width), floats.
// Its errors are Forward's.
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
		x = s.Call("h."+strconv.Itoa(i), block, x)
	}
	return s.Call("ln_f", c.norm(), x)
}

// Head takes the normalised output (…, Width), floats, and returns logits (…, Vocab) of the same dtype. It uses the
// rows of the embedding unless Untied is set.
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
	return GPT2Block{
		Norm:    c.norm(),
		Attn:    GPT2Attention{Heads: c.Heads, Causal: true, NoBias: c.NoBias, Dropout: c.Dropout, Init: normal, ProjInit: residual},
		MLP:     GPT2MLP{Hidden: c.mlpWidth(), Act: act, NoBias: c.NoBias, Init: normal, ProjInit: residual},
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

// gpt2Architecture is OpenAI's GPT-2. Variants as in nanoGPT have keys of their own in config.json.
var gpt2Architecture = &Architecture{
	Type: "gpt2", Class: "GPT2LMHeadModel",
	Is:        func(m Model) bool { _, ok := m.(GPT2); return ok },
	Read:      readGPT2,
	Write:     func(m Model) map[string]any { return m.(GPT2).write() },
	Canonical: func(m Model) Model { return m.(GPT2).canonical() },
	Portable: func(m Model) Model {
		c := m.(GPT2)
		c.NoBias = false
		return c
	},
	Prefix: "transformer.", Head: "lm_head", Unused: []string{".attn.bias", ".attn.masked_bias"}, TagHead: "classifier", InOut: true,
	Targets: []string{"*.c_attn", "*.c_proj", "*.c_fc"},
	GGUF: GGUF{
		Names: []string{"gpt2"},
		Modules: [][2]string{
			{"token_embd", "wte"}, {"position_embd", "wpe"}, {"output_norm", "ln_f"}, {"output", "lm_head"},
			{"blk.#.attn_norm", "h.#.ln_1"}, {"blk.#.ffn_norm", "h.#.ln_2"},
			{"blk.#.attn_qkv", "h.#.attn.c_attn"}, {"blk.#.attn_output", "h.#.attn.c_proj"},
			{"blk.#.ffn_up", "h.#.mlp.c_fc"}, {"blk.#.ffn_down", "h.#.mlp.c_proj"},
		},
		Read:  readGPT2GGUF,
		Write: func(m Model) (string, []Setting, error) { return m.(GPT2).writeGGUF() },
		Transform: func(_ Model, _, param string) Transform { // stored as (out, in); GPT-2's are (in, out)
			return Transform{Transposed: strings.HasPrefix(param, "h.") && strings.HasSuffix(param, ".weight") && !strings.Contains(param, ".ln_")}
		},
	},
}

func readGPT2(c *Settings) Model {
	size := func(alias, key string, absent int) int { return c.Int(alias, c.Int(key, absent)) } // GPT2Config takes both names
	m := GPT2{Vocab: c.Int("vocab_size", 50257), Context: size("max_position_embeddings", "n_positions", 1024), Layers: size("num_hidden_layers", "n_layer", 12),
		Heads: size("num_attention_heads", "n_head", 12), Width: size("hidden_size", "n_embd", 768),
		Dropout: c.Float("dropout", 0), NoBias: c.Bool("no_bias", false), GELUErf: c.Bool("gelu_erf", false), Eps: c.Above0("layer_norm_epsilon", 1e-5, 1),
		Untied: !c.Bool("tie_word_embeddings", true)}
	if h := c.Int("n_inner", 0); c.Has("n_inner") {
		if h < 1 {
			c.Fail("n_inner is %d; it must be at least 1", h)
		}
		if h != 4*m.Width {
			m.MLPWidth = h
		}
	}
	if !c.Bool("scale_attn_weights", true) || c.Bool("scale_attn_by_inverse_layer_idx", false) || c.Bool("add_cross_attention", false) {
		c.Fail("scale_attn_weights, scale_attn_by_inverse_layer_idx or add_cross_attention is not GPT-2's default")
	}
	switch act := c.Text("activation_function", "gelu_new"); act {
	case "gelu_new", "gelu_pytorch_tanh":
		m.GELUErf = false
	case "gelu":
		m.GELUErf = true
	default:
		c.Fail("activation_function is %q; known: gelu_new, gelu_pytorch_tanh, gelu", act)
	}
	if m.Dropout == 0 {
		m.Dropout = c.Float("resid_pdrop", 0)
	}
	return m
}

// write returns the settings of config.json; dropout, no_bias and gelu_erf are this project's own.
func (c GPT2) write() map[string]any {
	act := "gelu_new"
	if c.GELUErf {
		act = "gelu"
	}
	if c.Eps == 0 {
		c.Eps = 1e-5
	}
	s := map[string]any{"vocab_size": c.Vocab, "n_positions": c.Context, "n_layer": c.Layers, "n_head": c.Heads, "n_embd": c.Width,
		"layer_norm_epsilon": c.Eps, "activation_function": act, "n_inner": nil, "dropout": c.Dropout, "resid_pdrop": c.Dropout,
		"embd_pdrop": c.Dropout, "attn_pdrop": c.Dropout, "no_bias": c.NoBias, "gelu_erf": c.GELUErf}
	if c.MLPWidth > 0 {
		s["n_inner"] = c.MLPWidth
	}
	if c.Untied {
		s["tie_word_embeddings"] = false
	}
	return s
}

func (c GPT2) canonical() GPT2 {
	c.Dropout, c.MLPWidth = 0, c.mlpWidth()
	if c.Eps == 0 {
		c.Eps = 1e-5
	}
	return c
}

func readGPT2GGUF(s *Settings, t Tensors) Model {
	c := GPT2{Vocab: vocabOf(s, t), Context: s.Size("context_length", -1), Layers: s.Size("block_count", -1), Heads: s.Size("attention.head_count", -1),
		Width: s.Size("embedding_length", -1), Eps: s.Float("attention.layer_norm_epsilon", 1e-5), NoBias: !has(t, "output_norm.bias"), Untied: has(t, "output.weight")}
	if h := s.Size("feed_forward_length", 4*c.Width); h != 4*c.Width {
		c.MLPWidth = h
	}
	return c
}

func (c GPT2) writeGGUF() (string, []Setting, error) {
	if c.GELUErf {
		return "", nil, errors.New("the exact GELU; it has the tanh form")
	}
	return "gpt2", append(ggufSizes("gpt2", c.Dims(), c.Heads, c.MLPWidth), Setting{"gpt2.attention.layer_norm_epsilon", float32(c.Eps)}), nil
}
