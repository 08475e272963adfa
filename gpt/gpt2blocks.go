package gpt

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// GPT2Attention is GPT-2's multi-head self-attention, with one packed projection for queries, keys and values.
// Parameters: c_attn.weight (C, 3C), c_attn.bias (3C), c_proj.weight (C, C), c_proj.bias (C).
// In mode Generate keys and values of earlier positions come from caches.
type GPT2Attention struct {
	Heads    int
	Causal   bool
	NoBias   bool
	Dropout  float64 // of the attention weights
	Init     nn.Init // of c_attn
	ProjInit nn.Init // of c_proj; nil takes Init
}

// Forward takes x (B, T, C) and returns (B, T, C), floats. It is an error where Heads does not divide C.
func (a GPT2Attention) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	if x == nil || len(x.Shape()) != 3 || a.Heads < 1 || x.Dim(-1)%a.Heads != 0 {
		return s.Fail(errors.Errorf("gpt: GPT2Attention of %v: want (B, T, C) with %d heads that divide C", x, a.Heads))
	}
	b, t, c := x.Dim(0), x.Dim(1), x.Dim(2)
	qkv := s.Call("c_attn", nn.Linear{Out: 3 * c, NoBias: a.NoBias, Init: a.Init}, x) // (B, T, 3C)
	head := func(i int) *graph.Node {
		return s.Reshape(s.Slice(qkv, -1, i*c, (i+1)*c), b, t, a.Heads, c/a.Heads) // (B, T, NH, HS)
	}
	opt := graph.AttentionOpts{Causal: a.Causal, Start: s.Start(), Segments: s.Segments()}
	if a.Dropout > 0 && s.Mode() == nn.Train {
		opt.Drop, opt.Stream = a.Dropout, s.Stream("attn")
	}
	y := s.Attention(head(0), s.Cache("k", head(1)), s.Cache("v", head(2)), opt)
	return s.Call("c_proj", nn.Linear{Out: c, NoBias: a.NoBias, Init: either(a.ProjInit, a.Init)}, s.Reshape(y, b, t, c))
}

// LayerName is the name in a Summary.
func (GPT2Attention) LayerName() string { return "SelfAttention" }

// GPT2MLP is the feed-forward part of a GPT-2 block: Linear, activation, Linear. Parameters: c_fc.weight (C, Hidden),
// c_fc.bias (Hidden), c_proj.weight (Hidden, C), c_proj.bias (C). The zero Act is GELU; the zero Hidden is 4·C.
type GPT2MLP struct {
	Hidden   int
	Act      nn.Layer
	NoBias   bool
	Init     nn.Init // of c_fc
	ProjInit nn.Init // of c_proj; nil takes Init
}

// Forward takes x (..., C) and returns (..., C), floats.
func (m GPT2MLP) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	c := x.Dim(-1)
	hidden, act := m.Hidden, m.Act
	if hidden == 0 {
		hidden = 4 * c
	}
	if act == nil {
		act = nn.GELU
	}
	x = s.Call("c_fc", nn.Linear{Out: hidden, NoBias: m.NoBias, Init: m.Init}, x)
	return s.Call("c_proj", nn.Linear{Out: c, NoBias: m.NoBias, Init: either(m.ProjInit, m.Init)}, act.Forward(s, x))
}

// LayerName is the name in a Summary.
func (GPT2MLP) LayerName() string { return "MLP" }

// GPT2Block is GPT-2's pre-norm transformer block: x + attn(norm(x)), then x + mlp(norm(x)).
// Children: ln_1, attn, ln_2, mlp; with Dropout also attn_drop and mlp_drop, which act on the two residual branches.
type GPT2Block struct {
	Norm    nn.Layer
	Attn    nn.Layer
	MLP     nn.Layer
	Dropout float64
}

// Forward takes x (B, T, C) and returns (B, T, C), floats.
func (b GPT2Block) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	x = b.residual(s, "attn", b.Attn, x, s.Call("ln_1", b.Norm, x))
	return b.residual(s, "mlp", b.MLP, x, s.Call("ln_2", b.Norm, x))
}

// LayerName is the name in a Summary.
func (GPT2Block) LayerName() string { return "TransformerBlock" }

// residual returns x + drop(branch(y)).
func (b GPT2Block) residual(s *nn.Scope, name string, branch nn.Layer, x, y *graph.Node) *graph.Node {
	y = s.Call(name, branch, y)
	if b.Dropout != 0 {
		y = s.Call(name+"_drop", nn.Dropout{P: b.Dropout}, y)
	}
	return s.Add(x, y)
}

// either returns the first of two initialisers that is not nil.
func either(a, b nn.Init) nn.Init {
	if a == nil {
		return b
	}
	return a
}
