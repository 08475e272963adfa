package gpt

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Phi3 is a Llama with one matrix for the projections to queries, keys and values, and another one for gate and up. Its
// settings are Llama's. Window is in use, and so is Rotary.Dim, for heads that turn in part. Biases, QKNorm and
// FullLayers are not.
// Source: Abdin et al., arXiv:2404.14219, section 2.
type Phi3 struct{ Llama }

// Forward takes ids (B, T), int32, T ≤ Context, and returns logits (B, T, Vocab), floats. More ids than Context and
// impossible settings are errors of the scope.
func (c Phi3) Forward(s *nn.Scope, ids *graph.Node) *graph.Node { return c.Head(s, c.Hidden(s, ids)) }

// Hidden takes ids (B, T), int32, T ≤ Context, and returns the last block's normalised output (B, T, Width), floats.
// Its errors are Forward's.
func (c Phi3) Hidden(s *nn.Scope, ids *graph.Node) *graph.Node {
	return checked(s, c, decoder{Vocab: c.Vocab, Layers: c.Layers, Width: c.Width, Norm: c.norm(), Block: func(int) nn.Layer { return phi3Block(c) }}, ids)
}

// phi3Block is a block.
type phi3Block Phi3

// Forward takes x (B, T, C) and returns (B, T, C).
func (b phi3Block) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	attn, mlp := b.attention(), b.mlp()
	attn.Fused, mlp.Fused = true, true
	x = s.Add(x, s.Call("self_attn", attn, s.Call("input_layernorm", b.norm(), x)))
	return s.Add(x, s.Call("mlp", mlp, s.Call("post_attention_layernorm", b.norm(), x)))
}

// Validate implements Model.
func (c Phi3) Validate() error {
	if d := c.Rotary.Dim; d < 0 || d%2 != 0 || d > c.headDim() {
		return errors.Errorf("gpt: rotary positions turn %d elements of a head of %d; want an even number, and no more than that", d, c.headDim())
	}
	return c.Llama.Validate()
}

// phi3Architecture is Microsoft's Phi-3, and Phi-4 of the same class.
var phi3Architecture = &Architecture{
	Type: "phi3", Class: "Phi3ForCausalLM",
	Is: func(m Model) bool { _, ok := m.(Phi3); return ok },
	Read: func(c *Settings) Model {
		m := Phi3{readSizes(c, Llama{Vocab: 32064, Context: 4096, Layers: 32, Width: 3072, MLPWidth: 8192, Heads: 32, Eps: 1e-5})}
		m.Window, m.Rotary = c.Int("sliding_window", 0), readRotaryFields(c, c.Sub("rope_parameters"), 1e4)
		if share := rotaryFields(c).Float("partial_rotary_factor", 1); share != 1 {
			m.Rotary.Dim = int(math.Floor(share * float64(m.headDim())))
		}
		return m
	},
	Write: func(m Model) map[string]any {
		c := m.(Phi3)
		s := c.Llama.write()
		for _, key := range []string{"attention_bias", "mlp_bias", "head_dim"} {
			delete(s, key)
		}
		s["partial_rotary_factor"] = 1.
		if d := c.canonical().Rotary.Dim; d != 0 {
			s["partial_rotary_factor"] = float64(d) / float64(c.headDim())
		}
		s["original_max_position_embeddings"] = c.Context
		return s
	},
	Canonical: func(m Model) Model { return m.(Phi3).canonical() },
	Head:      "lm_head", Unused: llamaUnused, Targets: []string{"*.qkv_proj", "*.o_proj", "*.gate_up_proj", "*.down_proj"},
	GGUF: GGUF{
		Names: []string{"phi3"},
		Modules: [][2]string{
			{"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"},
			{"blk.#.attn_norm", "model.layers.#.input_layernorm"}, {"blk.#.ffn_norm", "model.layers.#.post_attention_layernorm"},
			{"blk.#.attn_qkv", "model.layers.#.self_attn.qkv_proj"}, {"blk.#.attn_output", "model.layers.#.self_attn.o_proj"},
			{"blk.#.ffn_up", "model.layers.#.mlp.gate_up_proj"}, {"blk.#.ffn_down", "model.layers.#.mlp.down_proj"},
		},
		Read:  readPhi3GGUF,
		Write: func(m Model) (string, []Setting, error) { return m.(Phi3).writeGGUF() },
	},
}

func (c Phi3) canonical() Phi3 {
	c.Llama = c.Llama.canonical()
	if c.Rotary.Dim == c.HeadDim {
		c.Rotary.Dim = 0
	}
	return c
}

func readPhi3GGUF(s *Settings, t Tensors) Model {
	if has(t, "rope_factors_long.weight") {
		s.Fail("rope_factors_long.weight: the scaling of long contexts is not known")
	}
	c := Phi3{Llama{Vocab: vocabOf(s, t), Context: s.Size("context_length", -1), Layers: s.Size("block_count", -1), Width: s.Size("embedding_length", -1),
		MLPWidth: s.Size("feed_forward_length", -1), Heads: s.Size("attention.head_count", -1), KVHeads: s.Size("attention.head_count_kv", 0),
		Eps: s.Float("attention.layer_norm_rms_epsilon", 1e-5), Window: s.Size("attention.sliding_window", 0),
		Tied: !has(t, "output.weight"), Rotary: graph.RotaryOpts{Base: s.Float("rope.freq_base", 10000)}}}
	if n := s.Size("rope.dimension_count", c.headDim()); n != c.headDim() {
		c.Rotary.Dim = n
	}
	return c
}

// writeGGUF takes c in canonical form and returns its settings.
func (c Phi3) writeGGUF() (string, []Setting, error) {
	if c.Rotary.Scaling != (graph.RotaryScaling{}) {
		return "", nil, errors.New("a rotary scaling")
	}
	turns := c.HeadDim
	if c.Rotary.Dim > 0 {
		turns = c.Rotary.Dim
	}
	s := append(ggufSizes("phi3", c.Dims(), c.Heads, c.MLPWidth),
		Setting{"phi3.attention.head_count_kv", uint32(c.KVHeads)},
		Setting{"phi3.attention.layer_norm_rms_epsilon", float32(c.Eps)},
		Setting{"phi3.rope.dimension_count", uint32(turns)},
		Setting{"phi3.rope.freq_base", float32(c.Rotary.Base)},
		Setting{"phi3.rope.scaling.original_context_length", uint32(c.Context)},
		Setting{"phi3.attention.sliding_window", uint32(c.Window)})
	return "phi3", s, nil
}
