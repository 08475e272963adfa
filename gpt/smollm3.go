package gpt

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// SmolLM3 is a Llama in which some layers have no rotary positions. Its settings are Llama's; FullLayers and QKNorm are
// not in use.
// Source: Yang et al., arXiv:2501.18795, section 3 (layers without positions).
type SmolLM3 struct {
	Llama
	NoRotary LayerMask // layers without rotary positions
	Sliding  LayerMask // layers with the window; none where Window is 0
}

// Forward takes ids (B, T), int32, T ≤ Context, and returns logits (B, T, Vocab), floats. More ids than Context and
// impossible settings are errors of the scope.
func (c SmolLM3) Forward(s *nn.Scope, ids *graph.Node) *graph.Node {
	return c.Head(s, c.Hidden(s, ids))
}

// Hidden takes ids (B, T), int32, T ≤ Context, and returns the last block's normalised output (B, T, Width), floats.
// Its errors are Forward's.
func (c SmolLM3) Hidden(s *nn.Scope, ids *graph.Node) *graph.Node {
	block := func(i int) nn.Layer { return smollm3Block{c, i} }
	return checked(s, c, decoder{Vocab: c.Vocab, Layers: c.Layers, Width: c.Width, Norm: c.norm(), Block: block}, ids)
}

// smollm3Block is block number Layer.
type smollm3Block struct {
	SmolLM3
	Layer int
}

// Forward takes x (B, T, C) and returns (B, T, C).
func (b smollm3Block) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	attn := b.attention()
	if b.NoRotary.Has(b.Layer) {
		attn.Rotary = nil
	}
	if !b.Sliding.Has(b.Layer) {
		attn.Window = 0
	}
	x = s.Add(x, s.Call("self_attn", attn, s.Call("input_layernorm", b.norm(), x)))
	return s.Add(x, s.Call("mlp", b.mlp(), s.Call("post_attention_layernorm", b.norm(), x)))
}

// smollm3Interval stands in for a missing no_rope_layer_interval, and llama.cpp knows no other one. In each group of so
// many layers, the last one has no rotary positions.
const smollm3Interval = 4

// lastOf returns a function that tells whether a layer is the last of its group of interval layers.
func lastOf(interval int) func(layer int) bool {
	return func(layer int) bool { return (layer+1)%interval == 0 }
}

// smollm3Architecture is Hugging Face's SmolLM3.
var smollm3Architecture = &Architecture{
	Type: "smollm3", Class: "SmolLM3ForCausalLM",
	Is:        func(m Model) bool { _, ok := m.(SmolLM3); return ok },
	Read:      readSmolLM3,
	Write:     func(m Model) map[string]any { return m.(SmolLM3).write() },
	Canonical: func(m Model) Model { return m.(SmolLM3).canonical() },
	Head:      "lm_head", Unused: llamaUnused, Targets: llamaTargets,
	GGUF: GGUF{
		Names: []string{"smollm3"}, Modules: llamaModules, Unused: []string{ropeFreqs},
		Read: func(s *Settings, t Tensors) Model {
			c := SmolLM3{Llama: readLlamaGGUF(s, t)}
			c.NoRotary = MaskOf(c.Layers, lastOf(smollm3Interval))
			return c
		},
		Write: func(m Model) (string, []Setting, error) {
			c := m.(SmolLM3)
			switch {
			case c.NoRotary != MaskOf(c.Layers, lastOf(smollm3Interval)):
				return "", nil, errors.New("which layers have no rotary positions; it is every fourth there")
			case c.Sliding != "":
				return "", nil, errors.New("a window")
			}
			return c.Llama.writeGGUF("smollm3")
		},
		Transform: func(m Model, _, param string) Transform {
			return Transform{Row: pairRow(m.(SmolLM3).headDim(), param)}
		},
		Extra: func(m Model) (map[string][]float32, error) { return m.(SmolLM3).ropeFactors() },
	},
}

func readSmolLM3(c *Settings) Model {
	m := SmolLM3{Llama: readLlama(c, Llama{Vocab: 128256, Context: 32768, Layers: 36, Width: 2048, MLPWidth: 11008, Heads: 16, KVHeads: 4,
		Eps: 1e-6, Tied: true, Rotary: graph.RotaryOpts{Base: 2e6}})}
	bias := c.Bool("attention_bias", false)
	m.QKVBias, m.OutBias, m.MLPBias = bias, bias, c.Bool("mlp_bias", false)
	interval := c.Int("no_rope_layer_interval", smollm3Interval)
	if interval < 1 {
		c.Fail("no_rope_layer_interval is %d; it must be at least 1", interval)
		return m
	}
	layers := min(max(m.Layers, 0), MaxSize)
	m.NoRotary = MaskOf(layers, lastOf(interval))
	if turns := c.Ints("no_rope_layers"); turns != nil {
		if len(turns) != m.Layers {
			c.Fail("no_rope_layers has %d layers; num_hidden_layers is %d", len(turns), m.Layers)
			return m
		}
		m.NoRotary = MaskOf(layers, func(i int) bool { return turns[i] == 0 })
	}
	if c.Has("sliding_window") && c.Bool("use_sliding_window", false) {
		m.Window = c.Int("sliding_window", 0)
		m.Sliding = readSliding(c, m.Layers, m.NoRotary.Has)
	}
	return m
}

func (c SmolLM3) write() map[string]any {
	s, turns := c.Llama.write(), make([]any, c.Layers)
	for i := range turns {
		if turns[i] = 1; c.NoRotary.Has(i) {
			turns[i] = 0
		}
	}
	s["no_rope_layers"], s["layer_types"] = turns, layerTypes(c.Layers, c.Sliding)
	s["use_sliding_window"] = c.Sliding != ""
	delete(s, "head_dim")
	return s
}

func (c SmolLM3) canonical() SmolLM3 {
	c.Llama = c.Llama.canonical()
	c.NoRotary, c.Sliding = MaskOf(c.Layers, c.NoRotary.Has), MaskOf(c.Layers, c.Sliding.Has)
	if c.Window == 0 || c.Sliding == "" {
		c.Window, c.Sliding = 0, ""
	}
	return c
}
