package nn

import (
	"strconv"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// SelfAttention is multi-head self-attention with one packed projection for queries, keys and values, as in GPT-2.
// Parameters: c_attn.weight (C, 3C), c_attn.bias, c_proj.weight (C, C), c_proj.bias.
// In mode Generate keys and values of earlier positions come from caches.
type SelfAttention struct {
	Heads    int
	Causal   bool
	NoBias   bool
	Dropout  float64 // of the attention weights
	Init     Init    // of c_attn
	ProjInit Init    // of c_proj; nil takes Init
}

// Forward takes x (B, T, C) and returns (B, T, C).
func (a SelfAttention) Forward(s *Scope, x *graph.Node) *graph.Node {
	if x == nil || len(x.Shape()) != 3 || a.Heads < 1 || x.Dim(-1)%a.Heads != 0 {
		return s.Fail(errors.Errorf("nn: SelfAttention of %v: want (B, T, C) with %d heads that divide C", x, a.Heads))
	}
	b, t, c := x.Dim(0), x.Dim(1), x.Dim(2)
	qkv := s.Call("c_attn", Linear{Out: 3 * c, NoBias: a.NoBias, Init: a.Init}, x) // (B, T, 3C)
	head := func(i int) *graph.Node {
		return s.Reshape(s.Slice(qkv, -1, i*c, (i+1)*c), b, t, a.Heads, c/a.Heads) // (B, T, NH, HS)
	}
	opt := graph.AttentionOpts{Causal: a.Causal, Start: s.Start(), Segments: s.Segments()}
	if a.Dropout > 0 && s.Mode() == Train {
		opt.Drop, opt.Stream = a.Dropout, s.Stream("attn")
	}
	y := s.Attention(head(0), s.Cache("k", head(1)), s.Cache("v", head(2)), opt)
	return s.Call("c_proj", Linear{Out: c, NoBias: a.NoBias, Init: a.ProjInit.or(a.Init)}, s.Reshape(y, b, t, c))
}

// MLP is Linear, activation, Linear. Parameters: c_fc.weight (C, Hidden), c_fc.bias, c_proj.weight (Hidden, C), c_proj.bias.
// The zero Act is GELU; the zero Hidden is 4·C.
type MLP struct {
	Hidden   int
	Act      Layer
	NoBias   bool
	Init     Init
	ProjInit Init
}

// Forward takes x (..., C) and returns (..., C).
func (m MLP) Forward(s *Scope, x *graph.Node) *graph.Node {
	c := x.Dim(-1)
	hidden, act := m.Hidden, m.Act
	if hidden == 0 {
		hidden = 4 * c
	}
	if act == nil {
		act = GELU
	}
	x = s.Call("c_fc", Linear{Out: hidden, NoBias: m.NoBias, Init: m.Init}, x)
	return s.Call("c_proj", Linear{Out: c, NoBias: m.NoBias, Init: m.ProjInit.or(m.Init)}, act.Forward(s, x))
}

// TransformerBlock is a pre-norm transformer block: x + attn(norm(x)), then x + mlp(norm(x)).
// Children: ln_1, attn, ln_2, mlp; with Dropout, that of both residual branches, attn_drop and mlp_drop.
type TransformerBlock struct {
	Norm    Layer
	Attn    Layer
	MLP     Layer
	Dropout float64
}

// Forward takes x (B, T, C) and returns (B, T, C).
func (b TransformerBlock) Forward(s *Scope, x *graph.Node) *graph.Node {
	x = b.residual(s, "attn", b.Attn, x, s.Call("ln_1", b.Norm, x))
	return b.residual(s, "mlp", b.MLP, x, s.Call("ln_2", b.Norm, x))
}

// residual returns x + drop(branch(y)).
func (b TransformerBlock) residual(s *Scope, name string, branch Layer, x, y *graph.Node) *graph.Node {
	y = s.Call(name, branch, y)
	if b.Dropout != 0 {
		y = s.Call(name+"_drop", Dropout{P: b.Dropout}, y)
	}
	return s.Add(x, y)
}

// Itoa is strconv.Itoa, for names of numbered children.
func Itoa(i int) string { return strconv.Itoa(i) }
