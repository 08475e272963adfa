package gpt

import (
	"math"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Gemma3 is a Llama with a scaled embedding, a GELU gate, and norms before and behind attention and MLP. It has two
// kinds of layers: those with a window of keys have rotary positions of their own. Llama's settings MLPBias, QKNorm and
// FullLayers are not in use; every model has norms of queries and keys.
// Source: Gemma team, arXiv:2503.19786, section 2.
type Gemma3 struct {
	Llama
	Sliding    LayerMask // layers with the window; the others see all keys
	LocalBase  float64   // base of the rotary positions in layers with the window; the others use Rotary
	QueryScale float64   // scores are divided by its square root; 0 means the head's size
	Softcap    float64   // logits become Softcap·tanh(logits/Softcap); 0 leaves them
}

// Forward takes ids (B, T), int32, T ≤ Context, and returns logits (B, T, Vocab), floats. More ids than Context and
// impossible settings are errors of the scope.
func (c Gemma3) Forward(s *nn.Scope, ids *graph.Node) *graph.Node { return c.Head(s, c.Hidden(s, ids)) }

// Hidden takes ids (B, T), int32, T ≤ Context, and returns the last block's normalised output (B, T, Width), floats.
// Its errors are Forward's.
func (c Gemma3) Hidden(s *nn.Scope, ids *graph.Node) *graph.Node {
	block := func(i int) nn.Layer { return gemma3Block{c, i} }
	return checked(s, c, decoder{Vocab: c.Vocab, Layers: c.Layers, Width: c.Width, Scale: math.Sqrt(float64(c.Width)), Norm: c.norm(), Block: block}, ids)
}

// Head takes the normalised output (…, Width), floats, and returns logits (…, Vocab) of the same dtype.
func (c Gemma3) Head(s *nn.Scope, x *graph.Node) *graph.Node {
	y := c.Llama.Head(s, x)
	if c.Softcap == 0 {
		return y
	}
	return s.Scale(s.Tanh(s.Scale(y, 1/c.Softcap)), c.Softcap)
}

// gemma3Block is block number Layer.
type gemma3Block struct {
	Gemma3
	Layer int
}

// Forward takes x (B, T, C) and returns (B, T, C).
func (b gemma3Block) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	attn, mlp := b.attention(), b.mlp()
	attn.HeadNorm, mlp.Act = b.norm(), nn.GELU
	if b.QueryScale != 0 {
		attn.Scale = 1 / math.Sqrt(b.QueryScale)
	}
	if b.Sliding.Has(b.Layer) {
		attn.Rotary = &graph.RotaryOpts{Base: b.LocalBase}
	} else {
		attn.Window = 0
	}
	x = b.branch(s, x, "input_layernorm", "self_attn", attn, "post_attention_layernorm")
	return b.branch(s, x, "pre_feedforward_layernorm", "mlp", mlp, "post_feedforward_layernorm")
}

// branch returns x + norm(layer(norm(x))).
func (b gemma3Block) branch(s *nn.Scope, x *graph.Node, before, name string, layer nn.Layer, behind string) *graph.Node {
	return s.Add(x, s.Call(behind, b.norm(), s.Call(name, layer, s.Call(before, b.norm(), x))))
}

// gemmaNorm is RMSNorm that multiplies by 1 + weight. Parameter: weight (C), zeros at first.
type gemmaNorm struct{ Eps float64 }

// Forward takes x (..., C) and returns (..., C).
func (n gemmaNorm) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	return s.RMSNorm(x, s.AddScalar(s.Param("weight", nn.Zeros, x.Dim(-1)), 1), n.Eps)
}

func (c Gemma3) norm() nn.Layer { return gemmaNorm{c.canonical().Eps} }

// Validate implements Model.
func (c Gemma3) Validate() error {
	if !(c.LocalBase >= 0 && c.QueryScale >= 0 && c.Softcap >= 0) || math.IsInf(c.LocalBase+c.QueryScale+c.Softcap, 0) {
		return errors.Errorf("gpt: base %g, query scale %g, soft cap %g: want finite numbers of 0 or more", c.LocalBase, c.QueryScale, c.Softcap)
	}
	return c.Llama.Validate()
}

// Params implements Model. It adds two norms of the width and the norms of queries and keys to Llama's count.
func (c Gemma3) Params() int { return c.Llama.Params() + c.Layers*2*(c.Width+c.headDim()) }

// gemma3Pattern stands in for a missing sliding_window_pattern. In each group of so many layers, the last one sees all
// keys.
const gemma3Pattern = 6

// gemma3Architecture is Google's Gemma 3 for text.
var gemma3Architecture = &Architecture{
	Type: "gemma3_text", Class: "Gemma3ForCausalLM",
	Is:        func(m Model) bool { _, ok := m.(Gemma3); return ok },
	Read:      readGemma3,
	Write:     func(m Model) map[string]any { return m.(Gemma3).write() },
	Canonical: func(m Model) Model { return m.(Gemma3).canonical() },
	Head:      "lm_head", Unused: llamaUnused, Targets: llamaTargets,
	GGUF: GGUF{
		Names: []string{"gemma3"},
		Modules: append([][2]string{
			{"blk.#.post_attention_norm", "model.layers.#.post_attention_layernorm"},
			{"blk.#.ffn_norm", "model.layers.#.pre_feedforward_layernorm"},
			{"blk.#.post_ffw_norm", "model.layers.#.post_feedforward_layernorm"},
		}, llamaModules...),
		Read:  readGemma3GGUF,
		Write: func(m Model) (string, []Setting, error) { return m.(Gemma3).writeGGUF() },
		Transform: func(_ Model, _, param string) Transform {
			if strings.HasSuffix(param, "norm.weight") {
				return Transform{Plus: 1}
			}
			return Transform{}
		},
	},
}

func readGemma3(c *Settings) Model {
	m := Gemma3{Llama: readSizes(c, Llama{Vocab: 262208, Context: 131072, Layers: 26, Width: 2304, MLPWidth: 9216, Heads: 8, KVHeads: 4, HeadDim: 256,
		Eps: 1e-6, Tied: true}),
		QueryScale: c.Above0("query_pre_attn_scalar", 256, math.Inf(1)), Softcap: c.Float("final_logit_softcapping", 0)}
	m.Window = c.Int("sliding_window", 4096)
	m.Rotary, m.LocalBase = readGemma3Rotary(c)
	if c.Has("attn_logit_softcapping") {
		c.Fail("attn_logit_softcapping is set; known: null")
	}
	m.QKVBias = c.Bool("attention_bias", false)
	m.OutBias = m.QKVBias
	if act := c.Text("hidden_activation", "gelu_pytorch_tanh"); act != "gelu_pytorch_tanh" {
		c.Fail("hidden_activation is %q; known: gelu_pytorch_tanh", act)
	}
	if c.Bool("use_bidirectional_attention", false) {
		c.Fail("use_bidirectional_attention is true; a query sees no later key here")
	}
	pattern := c.Int("sliding_window_pattern", gemma3Pattern)
	if pattern < 1 {
		c.Fail("sliding_window_pattern is %d; it must be at least 1", pattern)
		return m
	}
	full := lastOf(pattern)
	m.Sliding = readSliding(c, m.Layers, func(i int) bool { return !full(i) })
	return m
}

// readGemma3Rotary reads the rotary settings of the layers that see all keys, and the base of those with a window.
func readGemma3Rotary(c *Settings) (graph.RotaryOpts, float64) {
	p, base := c.Sub("rope_parameters"), c.Above0("rope_local_base_freq", 1e4, math.Inf(1))
	if p == nil || !p.Has(fullLayer) && !p.Has(slidingLayer) {
		return readRotaryFields(c, p, 1e6), base
	}
	if local := p.Sub(slidingLayer); local != nil {
		if kind := local.Text("rope_type", "default"); kind != "default" {
			c.Fail("rope_parameters of %s is %q; known: default", slidingLayer, kind)
		}
		base = local.Above0("rope_theta", base, math.Inf(1))
	}
	return readRotaryFields(c, p.Sub(fullLayer), 1e6), base
}

func (c Gemma3) write() map[string]any {
	c = c.canonical()
	s := c.Llama.write()
	for _, key := range []string{"hidden_act", "mlp_bias"} {
		delete(s, key)
	}
	s["hidden_activation"], s["layer_types"] = "gelu_pytorch_tanh", layerTypes(c.Layers, c.Sliding)
	s["rope_local_base_freq"], s["query_pre_attn_scalar"], s["final_logit_softcapping"] = c.LocalBase, c.QueryScale, nil
	if q := int(c.QueryScale); float64(q) == c.QueryScale {
		s["query_pre_attn_scalar"] = q // a whole number in transformers
	}
	if c.Softcap != 0 {
		s["final_logit_softcapping"] = c.Softcap
	}
	return s
}

func (c Gemma3) canonical() Gemma3 {
	c.Llama = c.Llama.canonical()
	c.Sliding = MaskOf(c.Layers, c.Sliding.Has)
	if c.QueryScale == 0 {
		c.QueryScale = float64(c.HeadDim)
	}
	if c.LocalBase == 0 {
		c.LocalBase = 1e4
	}
	return c
}

func readGemma3GGUF(s *Settings, t Tensors) Model {
	c := Gemma3{Llama: readLlamaGGUF(s, t), LocalBase: s.Float("rope.freq_base_swa", 1e4), Softcap: s.Float("final_logit_softcapping", 0)}
	c.QKNorm, c.Eps = false, s.Float("attention.layer_norm_rms_epsilon", 1e-6)
	pattern := s.Size("attention.sliding_window_pattern", gemma3Pattern)
	if pattern < 1 {
		s.Fail("%s is %d; it must be at least 1", s.Key("attention.sliding_window_pattern"), pattern)
		return c
	}
	full := lastOf(pattern)
	c.Sliding = MaskOf(c.Layers, func(i int) bool { return !full(i) })
	if c.Layers == gemma3Large && c.Heads > 0 {
		c.QueryScale = float64(c.Width) / float64(c.Heads)
	}
	return c
}

// gemma3Large is the number of layers of the largest model. By this number llama.cpp knows it, and scales its scores in
// another way.
const gemma3Large = 62

// writeGGUF takes c in canonical form and returns its settings.
func (c Gemma3) writeGGUF() (string, []Setting, error) {
	scale, full := float64(c.HeadDim), lastOf(gemma3Pattern)
	if c.Layers == gemma3Large {
		scale = float64(c.Width) / float64(c.Heads)
	}
	switch {
	case c.QueryScale != scale:
		return "", nil, errors.Errorf("a scale of scores by %g; it is %g there", c.QueryScale, scale)
	case c.Sliding != MaskOf(c.Layers, func(i int) bool { return !full(i) }):
		return "", nil, errors.New("which layers have the window; all but every sixth do there")
	case c.QKVBias || c.OutBias:
		return "", nil, errors.New("biases")
	case c.Rotary.Scaling.Context > 0:
		return "", nil, errors.New("a rotary scaling of type llama3")
	}
	arch, s, err := c.Llama.writeGGUF("gemma3")
	s = append(s, Setting{"gemma3.rope.freq_base_swa", float32(c.LocalBase)})
	if c.Softcap != 0 {
		s = append(s, Setting{"gemma3.final_logit_softcapping", float32(c.Softcap)})
	}
	return arch, s, err
}
