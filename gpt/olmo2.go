package gpt

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Olmo2 is a Llama whose norms stand behind attention and MLP, and whose queries and keys are normalised over all heads
// together. Its settings are Llama's; Window, MLPBias and QKNorm are not in use.
// Source: OLMo team, arXiv:2501.00656, section 3.
type Olmo2 struct{ Llama }

// Forward takes ids (B, T), int32, T ≤ Context, and returns logits (B, T, Vocab), floats. More ids than Context and
// impossible settings are errors of the scope.
func (c Olmo2) Forward(s *nn.Scope, ids *graph.Node) *graph.Node { return c.Head(s, c.Hidden(s, ids)) }

// Hidden takes ids (B, T), int32, T ≤ Context, and returns the last block's normalised output (B, T, Width), floats.
// Its errors are Forward's.
func (c Olmo2) Hidden(s *nn.Scope, ids *graph.Node) *graph.Node {
	return checked(s, c, decoder{Vocab: c.Vocab, Layers: c.Layers, Width: c.Width, Norm: c.norm(), Block: func(int) nn.Layer { return olmo2Block(c) }}, ids)
}

// olmo2Block is a block.
type olmo2Block Olmo2

// Forward takes x (B, T, C) and returns (B, T, C).
func (b olmo2Block) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	attn := b.attention()
	attn.WholeNorm = b.norm()
	x = s.Add(x, s.Call("post_attention_layernorm", b.norm(), s.Call("self_attn", attn, x)))
	return s.Add(x, s.Call("post_feedforward_layernorm", b.norm(), s.Call("mlp", b.mlp(), x)))
}

// Params implements Model. It adds the norms of queries and keys to Llama's count.
func (c Olmo2) Params() int {
	return c.Llama.Params() + c.Layers*(c.Heads+c.kvHeads())*c.headDim()
}

// olmo2Architecture is the Allen Institute's OLMo 2.
var olmo2Architecture = &Architecture{
	Type: "olmo2", Class: "Olmo2ForCausalLM",
	Is: func(m Model) bool { _, ok := m.(Olmo2); return ok },
	Read: func(c *Settings) Model {
		absent := llamaAbsent
		absent.Vocab, absent.Eps = 50304, 1e-5
		m := Olmo2{readLlama(c, absent)}
		m.QKVBias = c.Bool("attention_bias", false)
		m.OutBias = m.QKVBias
		return m
	},
	Write: func(m Model) map[string]any {
		s := m.(Olmo2).Llama.write()
		delete(s, "mlp_bias")
		delete(s, "sliding_window")
		return s
	},
	Canonical: func(m Model) Model { return Olmo2{m.(Olmo2).Llama.canonical()} },
	Head:      "lm_head", Unused: llamaUnused, Targets: llamaTargets,
	GGUF: GGUF{
		Names: []string{"olmo2"},
		Modules: append([][2]string{
			{"blk.#.post_attention_norm", "model.layers.#.post_attention_layernorm"},
			{"blk.#.post_ffw_norm", "model.layers.#.post_feedforward_layernorm"},
		}, llamaModules...),
		Read: func(s *Settings, t Tensors) Model {
			c := Olmo2{readLlamaGGUF(s, t)}
			if c.QKNorm = false; c.Window > 0 {
				s.Fail("%s is %d; OLMo 2 has no window", s.Key("attention.sliding_window"), c.Window)
			}
			return c
		},
		Write: func(m Model) (string, []Setting, error) {
			c := m.(Olmo2)
			if c.QKVBias || c.OutBias {
				return "", nil, errors.New("biases")
			}
			return c.Llama.writeGGUF("olmo2")
		},
	},
}
