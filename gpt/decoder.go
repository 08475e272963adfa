package gpt

import (
	"strconv"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// This file has the layers from which Llama and similar families are built. Each family has a file that joins them.

// decoder is a model without its head: an embedding, blocks, a norm. Children: embed_tokens, layers.N, norm.
type decoder struct {
	Vocab, Layers, Width int
	Scale                float64 // of the embedding; 0 means 1
	Block                func(layer int) nn.Layer
	Norm                 nn.Layer
}

// Forward takes ids (B, T) and returns (B, T, Width).
func (d decoder) Forward(s *nn.Scope, ids *graph.Node) *graph.Node {
	x := s.Call("embed_tokens", nn.Embedding{Vocab: d.Vocab, Dim: d.Width, Init: llamaInit}, ids)
	if d.Scale != 0 {
		x = s.Scale(x, d.Scale)
	}
	for i := range d.Layers {
		x = s.Call("layers."+strconv.Itoa(i), d.Block(i), x)
	}
	return s.Call("norm", d.Norm, x)
}

// checked builds the trunk of m in the child scope model and returns its output (B, T, Width). It first checks m's
// settings, and that the ids (B, T) fit into the context.
func checked(s *nn.Scope, m Model, trunk nn.Layer, ids *graph.Node) *graph.Node {
	if err := m.Validate(); err != nil {
		return s.Fail(err)
	}
	if n := m.Dims().Context; ids.Dim(-1) > n {
		return s.Fail(errors.Errorf("gpt: %d tokens, the context is %d", ids.Dim(-1), n))
	}
	return s.Call("model", trunk, ids)
}

// attention is causal self-attention with rotary positions. Each of the KVHeads keys and values serves Heads/KVHeads
// queries. Children: q_proj, k_proj, v_proj and o_proj, and with a norm q_norm and k_norm. Where Fused, one child
// qkv_proj has the rows of the first three, one behind the other.
type attention struct {
	Width, Heads, KVHeads, HeadDim int
	QKVBias, OutBias               bool
	Fused                          bool
	HeadNorm                       nn.Layer          // of each head of q and k; nil for none
	WholeNorm                      nn.Layer          // of all heads of q, and of k, together; nil for none
	Rotary                         *graph.RotaryOpts // nil for no positions
	Window                         int               // number of keys that a query sees, its own included; 0 for all
	Scale                          float64           // of the scores; 0 means 1/√HeadDim
}

// Forward takes x (B, T, C) and returns (B, T, C).
func (a attention) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	b, t := x.Dim(0), x.Dim(1)
	positions := s.Positions(t)
	heads := func(y *graph.Node) *graph.Node { return s.Reshape(y, b, t, y.Dim(-1)/a.HeadDim, a.HeadDim) } // (B, T, n, HS)
	turned := func(name string, y *graph.Node) *graph.Node {
		if a.WholeNorm != nil {
			y = s.Call(name+"_norm", a.WholeNorm, y)
		}
		y = heads(y)
		if a.HeadNorm != nil {
			y = s.Call(name+"_norm", a.HeadNorm, y)
		}
		if a.Rotary != nil {
			y = s.Rotary(y, positions, *a.Rotary)
		}
		return y
	}
	project := a.projections(s, x)
	q, k, v := turned("q", project("q", a.Heads)), turned("k", project("k", a.KVHeads)), heads(project("v", a.KVHeads))
	opt := graph.AttentionOpts{Causal: true, Window: a.Window, Scale: a.Scale, Start: s.Start(), Segments: s.Segments()}
	y := s.Attention(q, s.Cache("k", k), s.Cache("v", v), opt)
	return s.Call("o_proj", outIn(a.Width, a.OutBias), s.Reshape(y, b, t, a.Heads*a.HeadDim))
}

// projections returns a function that gives x's projection (B, T, n·HS) of a name. It must be called in the order q, k,
// v.
func (a attention) projections(s *nn.Scope, x *graph.Node) func(name string, n int) *graph.Node {
	if !a.Fused {
		return func(name string, n int) *graph.Node {
			return s.Call(name+"_proj", outIn(n*a.HeadDim, a.QKVBias), x)
		}
	}
	all, at := s.Call("qkv_proj", outIn((a.Heads+2*a.KVHeads)*a.HeadDim, a.QKVBias), x), 0
	return func(_ string, n int) *graph.Node {
		from := at
		at += n * a.HeadDim
		return s.Slice(all, -1, from, at)
	}
}

// gated is down(act(gate(x)) · up(x)) (Shazeer, arXiv:2002.05202, section 2). Children: gate_proj, up_proj and
// down_proj. Where Fused, one child gate_up_proj has the rows of the first two, one behind the other.
type gated struct {
	Hidden, Out int
	Act         nn.Activation
	Bias, Fused bool
}

// Forward takes x (..., C) and returns (..., Out).
func (m gated) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	var gate, up *graph.Node
	if m.Fused {
		both := s.Call("gate_up_proj", outIn(2*m.Hidden, m.Bias), x)
		gate, up = m.Act.Forward(s, s.Slice(both, -1, 0, m.Hidden)), s.Slice(both, -1, m.Hidden, 2*m.Hidden)
	} else {
		gate = m.Act.Forward(s, s.Call("gate_proj", outIn(m.Hidden, m.Bias), x))
		up = s.Call("up_proj", outIn(m.Hidden, m.Bias), x)
	}
	return s.Call("down_proj", outIn(m.Out, m.Bias), s.Mul(gate, up))
}

// outIn is a linear layer whose weight is stored as (out, in).
func outIn(out int, bias bool) nn.Linear {
	return nn.Linear{Out: out, OutIn: true, NoBias: !bias, Init: llamaInit}
}

// llamaInit is Llama's initializer_range.
var llamaInit = nn.Normal(0, 0.02)
