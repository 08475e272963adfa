package main

import (
	"math"

	"github.com/pkg/errors"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// config holds the sizes of a GPT with GPT-2's architecture.
type config struct{ Layers, Heads, Width, Context, Batch, Vocab int }

// configA is configuration A of Ceto's benchmarks.
var configA = config{Layers: 4, Heads: 4, Width: 128, Context: 64, Batch: 12, Vocab: 65}

// param is the name and shape of a parameter.
type param struct {
	name  string
	shape tensor.Shape
}

// params lists the parameters by their published names. Only c_attn differs: it is three matrices (C, C) and three
// biases (C), c_attn.q, c_attn.k and c_attn.v. Slices of the packed projection would be views, which Gorgonia's
// Reshape mistakes.
func (c config) params() []param {
	w := c.Width
	list := []param{{"wte.weight", tensor.Shape{c.Vocab, w}}, {"wpe.weight", tensor.Shape{c.Context, w}}}
	add := func(name string, in, out int) {
		list = append(list, param{name + ".weight", tensor.Shape{in, out}}, param{name + ".bias", tensor.Shape{1, out}})
	}
	norm := func(name string) {
		list = append(list, param{name + ".weight", tensor.Shape{1, w}}, param{name + ".bias", tensor.Shape{1, w}})
	}
	for i := range c.Layers {
		h := layer(i)
		norm(h + "ln_1")
		for _, p := range []string{"q", "k", "v"} {
			add(h+"attn.c_attn."+p, w, w)
		}
		add(h+"attn.c_proj", w, w)
		norm(h + "ln_2")
		add(h+"mlp.c_fc", w, 4*w)
		add(h+"mlp.c_proj", 4*w, w)
	}
	norm("ln_f")
	return list
}

// model builds a GPT of Gorgonia's own ops. After its first error every builder returns nil.
type model struct {
	config
	g       *G.ExprGraph
	p       map[string]*G.Node
	ids     *G.Node // (B·T) ints
	pos     *G.Node // (B·T) ints
	targets *G.Node // (B·T, V), one-hot
	mask    *G.Node // (B·NH, T, T), added to the scores
	logits  *G.Node // (B·T, V)
	loss    *G.Node // scalar, nats per token
	err     error
}

// newModel builds the loss. value gives the parameters their values.
func newModel(c config, value func(param) *tensor.Dense) (*model, error) {
	m := &model{config: c, g: G.NewGraph(), p: map[string]*G.Node{}}
	n := c.Batch * c.Context
	for _, p := range c.params() {
		m.p[p.name] = G.NewMatrix(m.g, G.Float32, G.WithName(p.name), G.WithShape(p.shape...), G.WithValue(value(p)))
	}
	m.ids = G.NewVector(m.g, G.Int, G.WithName("ids"), G.WithShape(n))
	m.pos = G.NewVector(m.g, G.Int, G.WithName("pos"), G.WithShape(n))
	m.targets = G.NewMatrix(m.g, G.Float32, G.WithName("targets"), G.WithShape(n, c.Vocab))
	m.mask = G.NewTensor(m.g, G.Float32, 3, G.WithName("mask"), G.WithShape(c.Batch*c.Heads, c.Context, c.Context))
	x := m.add(m.op2(byRows, m.p["wte.weight"], m.ids), m.op2(byRows, m.p["wpe.weight"], m.pos)) // (B·T, C)
	for i := range c.Layers {
		h := layer(i)
		x = m.add(x, m.attention(h+"attn.", m.norm(h+"ln_1", x)))
		x = m.add(x, m.mlp(h+"mlp.", m.norm(h+"ln_2", x)))
	}
	m.logits = m.mul(m.norm("ln_f", x), m.transpose(m.p["wte.weight"], 1, 0))
	logp := m.op1(func(x *G.Node) (*G.Node, error) { return G.LogSoftMax(x, 1) }, m.logits)
	m.loss = m.scale(m.op1(sumAll, m.op2(G.HadamardProd, m.targets, logp)), -1/float64(n))
	return m, errors.Wrap(m.err, "gorgonia peer: newModel")
}

func byRows(x, ids *G.Node) (*G.Node, error) { return G.ByIndices(x, ids, 0) }
func sumAll(x *G.Node) (*G.Node, error)      { return G.Sum(x) }

func (m *model) op1(f func(*G.Node) (*G.Node, error), x *G.Node) (y *G.Node) {
	if m.err == nil {
		y, m.err = f(x)
	}
	return y
}

func (m *model) op2(f func(x, y *G.Node) (*G.Node, error), x, y *G.Node) (z *G.Node) {
	if m.err == nil {
		z, m.err = f(x, y)
	}
	return z
}

func (m *model) add(x, y *G.Node) *G.Node { return m.op2(G.Add, x, y) }
func (m *model) mul(x, y *G.Node) *G.Node { return m.op2(G.Mul, x, y) }

func (m *model) scale(x *G.Node, k float64) *G.Node {
	return m.op2(G.HadamardProd, x, G.NewConstant(float32(k)))
}

func (m *model) plus(x *G.Node, k float64) *G.Node { return m.add(x, G.NewConstant(float32(k))) }

func (m *model) reshape(x *G.Node, shape ...int) *G.Node {
	return m.op1(func(x *G.Node) (*G.Node, error) { return G.Reshape(x, shape) }, x)
}

func (m *model) transpose(x *G.Node, axes ...int) *G.Node {
	return m.op1(func(x *G.Node) (*G.Node, error) { return G.Transpose(x, axes...) }, x)
}

// rows applies f to x (N, C) and one row y (1, C). columns applies f to x and one column y (N, 1).
func (m *model) rows(f broadcast, x, y *G.Node) *G.Node    { return m.spread(f, x, y, 0) }
func (m *model) columns(f broadcast, x, y *G.Node) *G.Node { return m.spread(f, x, y, 1) }

type broadcast func(x, y *G.Node, left, right []byte) (*G.Node, error)

func (m *model) spread(f broadcast, x, y *G.Node, axis byte) *G.Node {
	return m.op2(func(x, y *G.Node) (*G.Node, error) { return f(x, y, nil, []byte{axis}) }, x, y)
}

func (m *model) linear(name string, x *G.Node) *G.Node {
	return m.rows(G.BroadcastAdd, m.mul(x, m.p[name+".weight"]), m.p[name+".bias"])
}

// norm is the layer norm of the rows of x (N, C).
func (m *model) norm(name string, x *G.Node) *G.Node {
	n := m.Batch * m.Context
	mean := func(x *G.Node) *G.Node {
		sum := m.op1(func(x *G.Node) (*G.Node, error) { return G.Sum(x, 1) }, x)
		return m.reshape(m.scale(sum, 1/float64(m.Width)), n, 1)
	}
	d := m.columns(G.BroadcastSub, x, mean(x))
	std := m.op1(G.Sqrt, m.plus(mean(m.op1(G.Square, d)), 1e-5))
	y := m.columns(G.BroadcastHadamardDiv, d, std)
	return m.rows(G.BroadcastAdd, m.rows(G.BroadcastHadamardProd, y, m.p[name+".weight"]), m.p[name+".bias"])
}

// attention is the causal self-attention of x (B·T, C).
func (m *model) attention(at string, x *G.Node) *G.Node {
	b, t, nh, hs := m.Batch, m.Context, m.Heads, m.Width/m.Heads
	head := func(name string, axes ...int) *G.Node {
		return m.transpose(m.reshape(m.linear(at+"c_attn."+name, x), b, t, nh, hs), axes...)
	}
	matmul := func(x, y *G.Node) (*G.Node, error) { return G.BatchedMatMul(x, y) }
	q := m.reshape(m.scale(head("q", 0, 2, 1, 3), 1/math.Sqrt(float64(hs))), b*nh, t, hs)
	k := m.reshape(head("k", 0, 2, 3, 1), b*nh, hs, t)
	v := m.reshape(head("v", 0, 2, 1, 3), b*nh, t, hs)
	s := m.reshape(m.add(m.op2(matmul, q, k), m.mask), b*nh*t, t)
	w := m.reshape(m.op1(func(x *G.Node) (*G.Node, error) { return G.SoftMax(x, 1) }, s), b*nh, t, t)
	y := m.transpose(m.reshape(m.op2(matmul, w, v), b, nh, t, hs), 0, 2, 1, 3) // (B, T, NH, HS)
	return m.linear(at+"c_proj", m.reshape(y, b*t, m.Width))
}

// mlp uses the tanh form of GELU, since Gorgonia has no erf.
func (m *model) mlp(at string, x *G.Node) *G.Node {
	x = m.linear(at+"c_fc", x)
	u := m.scale(m.add(x, m.scale(m.op1(G.Cube, x), 0.044715)), math.Sqrt(2/math.Pi))
	y := m.op2(G.HadamardProd, m.scale(x, 0.5), m.plus(m.op1(G.Tanh, u), 1))
	return m.linear(at+"c_proj", y)
}
