package gpt

import (
	"strings"

	"github.com/pkg/errors"
)

// gpt2Architecture is OpenAI's GPT-2; nanoGPT's variants of it have keys of their own in config.json.
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
		Transform: func(_ Model, _, param string) Transform { // kept as (out, in); GPT-2's are (in, out)
			return Transform{Transposed: strings.HasPrefix(param, "h.") && strings.HasSuffix(param, ".weight") && !strings.Contains(param, ".ln_")}
		},
	},
}

func readGPT2(c *Settings) Model {
	m := GPT2{Vocab: c.Int("vocab_size", 0), Context: c.Int("n_positions", 0), Layers: c.Int("n_layer", 0), Heads: c.Int("n_head", 0), Width: c.Int("n_embd", 0),
		Dropout: c.Float("dropout", 0), NoBias: c.Bool("no_bias", false), GELUErf: c.Bool("gelu_erf", false), Eps: c.Float("layer_norm_epsilon", 0),
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

// write returns config.json's settings; dropout, no_bias and gelu_erf are this project's own.
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

// has reports whether a file has a tensor.
func has(t Tensors, name string) bool {
	_, ok := t.Shape(name)
	return ok
}

// vocabOf is the number of rows of the embedding in a GGUF file.
func vocabOf(s *Settings, t Tensors) int {
	shape, ok := t.Shape("token_embd.weight")
	if !ok || len(shape) != 2 {
		s.Fail("the tensor token_embd.weight is missing, or no matrix")
		return 0
	}
	return shape[0]
}

// ggufSizes are the settings that all architectures have in GGUF files.
func ggufSizes(arch string, d Dims, heads, mlp int) []Setting {
	return []Setting{
		{arch + ".vocab_size", uint32(d.Vocab)}, {arch + ".context_length", uint32(d.Context)},
		{arch + ".embedding_length", uint32(d.Width)}, {arch + ".block_count", uint32(d.Layers)},
		{arch + ".feed_forward_length", uint32(mlp)}, {arch + ".attention.head_count", uint32(heads)},
	}
}
