package gpt

import (
	"strconv"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Llama is a decoder with RMSNorm, rotary positions, grouped heads and a gated MLP (Touvron et al., arXiv:2302.13971,
// section 2.2). Its settings cover LlamaForCausalLM and the variants of it:
//
//	Qwen2    QKVBias
//	Qwen3    QKNorm, HeadDim
//	Mistral  Window
//
// It is an nn.Layer from ids (B, T) to logits (B, T, Vocab). Parameters carry Hugging Face's names and lie as stored
// there: (out, in).
type Llama struct {
	Vocab, Context, Layers, Width int
	MLPWidth                      int // intermediate_size
	Heads, KVHeads                int // of queries; of keys and values, 0 for as many
	HeadDim                       int // 0 means Width/Heads
	Eps                           float64
	Rotary                        graph.RotaryOpts
	Window                        int // keys that a query sees, its own among them; 0 for all
	FullLayers                    int // where Window is set: the first layers, which see all keys all the same

	Tied    bool // the head is the embedding
	QKVBias bool // biases of q_proj, k_proj and v_proj
	OutBias bool // of o_proj
	MLPBias bool
	QKNorm  bool // RMSNorm of each head of q and k
}

// Forward takes ids (B, T), T ≤ Context, and returns logits (B, T, Vocab).
func (c Llama) Forward(s *nn.Scope, ids *graph.Node) *graph.Node {
	return c.Head(s, c.Hidden(s, ids))
}

// Hidden takes ids (B, T) and returns the last block's normalised output (B, T, Width).
func (c Llama) Hidden(s *nn.Scope, ids *graph.Node) *graph.Node {
	if err := c.Validate(); err != nil {
		return s.Fail(err)
	}
	if ids.Dim(-1) > c.Context {
		return s.Fail(errors.Errorf("gpt: %d tokens, the context is %d", ids.Dim(-1), c.Context))
	}
	return s.Call("model", llamaTrunk{c}, ids)
}

// Head takes the normalised output (…, Width) and returns logits (…, Vocab).
func (c Llama) Head(s *nn.Scope, x *graph.Node) *graph.Node {
	if c.Tied {
		return s.MatMulT(x, s.Shared("model.embed_tokens.weight"))
	}
	return s.Call("lm_head", c.linear(c.Vocab, false), x)
}

// llamaTrunk is all but the head.
type llamaTrunk struct{ Llama }

// Forward takes ids (B, T) and returns (B, T, Width).
func (c llamaTrunk) Forward(s *nn.Scope, ids *graph.Node) *graph.Node {
	x := s.Call("embed_tokens", nn.Embedding{Vocab: c.Vocab, Dim: c.Width, Init: llamaInit}, ids)
	for i := range c.Layers {
		x = s.Call("layers."+strconv.Itoa(i), llamaBlock{c.Llama, i}, x)
	}
	return s.Call("norm", c.norm(), x)
}

// llamaBlock is block number Layer.
type llamaBlock struct {
	Llama
	Layer int
}

// Forward takes x (B, T, C) and returns (B, T, C).
func (b llamaBlock) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	x = s.Add(x, s.Call("self_attn", llamaAttention(b), s.Call("input_layernorm", b.norm(), x)))
	return s.Add(x, s.Call("mlp", llamaMLP{b.Llama}, s.Call("post_attention_layernorm", b.norm(), x)))
}

// llamaAttention is causal self-attention whose KVHeads keys and values each serve Heads/KVHeads queries.
type llamaAttention llamaBlock

// Forward takes x (B, T, C) and returns (B, T, C).
func (a llamaAttention) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	b, t, hs := x.Dim(0), x.Dim(1), a.headDim()
	positions := s.Positions(t)
	// heads projects x to n heads (B, T, n, HS); those of q and k are normalised and turned.
	heads := func(name string, n int) *graph.Node {
		return s.Reshape(s.Call(name+"_proj", a.linear(n*hs, a.QKVBias), x), b, t, n, hs)
	}
	turned := func(name string, n int) *graph.Node {
		y := heads(name, n)
		if a.QKNorm {
			y = s.Call(name+"_norm", a.norm(), y)
		}
		return s.Rotary(y, positions, a.Rotary)
	}
	opt := graph.AttentionOpts{Causal: true, Start: s.Start(), Segments: s.Segments()}
	if a.Layer >= a.FullLayers {
		opt.Window = a.Window
	}
	q, k, v := turned("q", a.Heads), turned("k", a.kvHeads()), heads("v", a.kvHeads())
	y := s.Attention(q, s.Cache("k", k), s.Cache("v", v), opt)
	return s.Call("o_proj", a.linear(a.Width, a.OutBias), s.Reshape(y, b, t, a.Heads*hs))
}

// llamaMLP is down(SiLU(gate(x)) · up(x)) (Shazeer, arXiv:2002.05202, section 2: SwiGLU).
type llamaMLP struct{ Llama }

// Forward takes x (..., C) and returns (..., C).
func (m llamaMLP) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	gate := s.SiLU(s.Call("gate_proj", m.linear(m.MLPWidth, m.MLPBias), x))
	up := s.Call("up_proj", m.linear(m.MLPWidth, m.MLPBias), x)
	return s.Call("down_proj", m.linear(m.Width, m.MLPBias), s.Mul(gate, up))
}

// llamaInit is Llama's initializer_range.
var llamaInit = nn.Normal(0, 0.02)

func (c Llama) linear(out int, bias bool) nn.Linear {
	return nn.Linear{Out: out, OutIn: true, NoBias: !bias, Init: llamaInit}
}

func (c Llama) norm() nn.RMSNorm { return nn.RMSNorm{Eps: c.Eps} }

func (c Llama) kvHeads() int {
	if c.KVHeads == 0 {
		return c.Heads
	}
	return c.KVHeads
}

func (c Llama) headDim() int {
	if c.HeadDim == 0 && c.Heads > 0 {
		return c.Width / c.Heads
	}
	return c.HeadDim
}

// Validate implements Model.
func (c Llama) Validate() error {
	if err := positive([]setting{{"vocab", c.Vocab}, {"context", c.Context}, {"layers", c.Layers}, {"width", c.Width},
		{"MLP width", c.MLPWidth}, {"heads", c.Heads}, {"key/value heads", c.kvHeads()}, {"head size", c.headDim()}}); err != nil {
		return err
	}
	switch {
	case c.HeadDim == 0 && c.Width%c.Heads != 0:
		return errors.Errorf("gpt: %d heads do not divide the width %d", c.Heads, c.Width)
	case c.Heads%c.kvHeads() != 0:
		return errors.Errorf("gpt: %d key/value heads do not divide the %d heads", c.kvHeads(), c.Heads)
	case c.headDim()%2 != 0:
		return errors.Errorf("gpt: heads of size %d; rotary positions want an even one", c.headDim())
	case c.Window < 0 || c.FullLayers < 0:
		return errors.Errorf("gpt: a window of %d keys after %d layers", c.Window, c.FullLayers)
	case !(c.Eps >= 0 && c.Eps < 1):
		return errors.Errorf("gpt: eps is %g; it must be in [0, 1)", c.Eps)
	}
	return nil
}

// Dims implements Model.
func (c Llama) Dims() Dims { return Dims{c.Vocab, c.Context, c.Layers, c.Width} }

// Params implements Model.
func (c Llama) Params() int {
	q, kv, w, h := c.Heads*c.headDim(), c.kvHeads()*c.headDim(), c.Width, c.MLPWidth
	block := 2*w*q + 2*w*kv + 3*w*h + 2*w
	if c.QKVBias {
		block += q + 2*kv
	}
	if c.OutBias {
		block += w
	}
	if c.MLPBias {
		block += 2*h + w
	}
	if c.QKNorm {
		block += 2 * c.headDim()
	}
	n := c.Vocab*w + c.Layers*block + w
	if !c.Tied {
		n += c.Vocab * w
	}
	return n
}

// Architecture implements Model: the name of the variant that the settings are.
func (c Llama) Architecture() string {
	switch {
	case c.QKNorm:
		return "Qwen3ForCausalLM"
	case c.QKVBias && !c.OutBias:
		return "Qwen2ForCausalLM"
	case c.Window > 0:
		return "MistralForCausalLM"
	}
	return "LlamaForCausalLM"
}
