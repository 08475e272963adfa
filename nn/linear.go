package nn

import (
	"cmp"
	"strconv"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Linear maps the last axis: y = x·W + b. Parameters: weight (in, Out) and bias (Out), zeros at first.
// The zero Init is Glorot uniform; a model passes its own (GPT-2: N(0, 0.02²)).
type Linear struct {
	Out    int
	NoBias bool
	// OutIn keeps the weight as (Out, in), as PyTorch and Llama do; y = x·Wᵀ + b.
	OutIn bool
	Init  Init
}

// Forward takes x (..., in), floats, and returns y (..., Out).
func (l Linear) Forward(s *Scope, x *graph.Node) *graph.Node {
	init := l.Init.or(GlorotUniform)
	op := graph.MatMul{TransB: l.OutIn, Bias: !l.NoBias}
	shape := []int{x.Dim(-1), l.Out}
	if l.OutIn {
		shape[0], shape[1] = shape[1], shape[0]
		init = init.transposed()
	}
	w := s.Param("weight", init, shape...)
	if l.NoBias {
		return s.adapt(x, s.Apply(op, x, w))
	}
	return s.adapt(x, s.Apply(op, x, w, s.Param("bias", Zeros, l.Out)))
}

// Embedding looks up rows of a table. Parameter: weight (Vocab, Dim). The zero Init is N(0, 1), as in PyTorch.
type Embedding struct {
	Vocab, Dim int
	Init       Init
}

// Forward takes ids (...), int32, and returns (..., Dim), floats. An id outside [0, Vocab) is an error of the run.
func (e Embedding) Forward(s *Scope, ids *graph.Node) *graph.Node {
	return s.Embedding(ids, s.Param("weight", e.Init.or(Normal(0, 1)), e.Vocab, e.Dim))
}

// LayerNorm normalises the last axis to mean 0 and variance 1, then scales and shifts:
//
//	y = (x − mean)/√(var + Eps)·weight + bias
//
// Parameters: weight (C), ones at first, and bias (C), zeros at first. The zero Eps is 1e-5. Source: Ba et al. 2016,
// arXiv:1607.06450.
type LayerNorm struct {
	Eps    float64
	NoBias bool
}

// Forward takes x (..., C), floats, and returns (..., C).
func (l LayerNorm) Forward(s *Scope, x *graph.Node) *graph.Node {
	eps := cmp.Or(l.Eps, 1e-5)
	w := s.Param("weight", Ones, x.Dim(-1))
	if l.NoBias {
		return s.LayerNorm(x, w, nil, eps)
	}
	return s.LayerNorm(x, w, s.Param("bias", Zeros, x.Dim(-1)), eps)
}

// RMSNorm divides the last axis by its root mean square and scales: y = x/√(mean(x²) + Eps)·weight. Parameter: weight
// (C), ones at first. The zero Eps is 1e-6. Source: Zhang and Sennrich 2019, arXiv:1910.07467.
type RMSNorm struct{ Eps float64 }

// Forward takes x (..., C), floats, and returns (..., C).
func (l RMSNorm) Forward(s *Scope, x *graph.Node) *graph.Node {
	return s.RMSNorm(x, s.Param("weight", Ones, x.Dim(-1)), cmp.Or(l.Eps, 1e-6))
}

// Dropout zeroes each element with probability P and scales the others by 1/(1−P), in mode Train only.
type Dropout struct{ P float64 }

// Forward takes x of any shape, floats, and returns as many. A P outside [0, 1) is an error.
func (d Dropout) Forward(s *Scope, x *graph.Node) *graph.Node {
	if d.P == 0 || s.Mode() != Train {
		return x
	}
	return s.Dropout(x, d.P, s.Stream(""))
}

// Sequential runs its layers one after the other, named "0", "1", ….
type Sequential []Layer

// Forward feeds x to the first layer and returns what the last one gives. Shapes and dtypes are those of the layers.
func (q Sequential) Forward(s *Scope, x *graph.Node) *graph.Node {
	for i, l := range q {
		x = s.Call(strconv.Itoa(i), l, x)
	}
	return x
}

// Activation is a layer without parameters.
type Activation struct {
	name string
	f    func(g *graph.Graph, x *graph.Node) *graph.Node
}

// Func returns the activation of that name; f applies ops of the graph to x and returns as many elements.
func Func(name string, f func(g *graph.Graph, x *graph.Node) *graph.Node) Activation {
	return Activation{name, f}
}

// Forward takes x of any shape, floats, and returns as many.
func (a Activation) Forward(s *Scope, x *graph.Node) *graph.Node {
	if a.f == nil {
		return s.Fail(errors.New("nn: an Activation without a function; make one with Func"))
	}
	return a.f(s.Graph, x)
}

// LayerName is the name in a Summary.
func (a Activation) LayerName() string { return a.name }

// The activations, each elementwise. GELU is the tanh approximation, as in GPT-2; GELUErf is the exact one, as in
// nanoGPT.
var (
	Tanh     = Func("Tanh", (*graph.Graph).Tanh)
	Sigmoid  = Func("Sigmoid", (*graph.Graph).Sigmoid)
	ReLU     = Func("ReLU", (*graph.Graph).ReLU)
	GELU     = Func("GELU", (*graph.Graph).GELU)
	GELUErf  = Func("GELUErf", (*graph.Graph).GELUErf)
	SiLU     = Func("SiLU", (*graph.Graph).SiLU)
	Softplus = Func("Softplus", (*graph.Graph).Softplus)
)

// LeakyReLU is x where x > 0, else Slope·x. The zero Slope is 0.01.
type LeakyReLU struct{ Slope float64 }

// Forward takes x of any shape, floats, and returns as many.
func (l LeakyReLU) Forward(s *Scope, x *graph.Node) *graph.Node {
	return s.LeakyReLU(x, cmp.Or(l.Slope, 0.01))
}

// ELU is x where x > 0, else Alpha·(exp(x) − 1). The zero Alpha is 1. Source: Clevert et al. 2016, arXiv:1511.07289.
type ELU struct{ Alpha float64 }

// Forward takes x of any shape, floats, and returns as many.
func (l ELU) Forward(s *Scope, x *graph.Node) *graph.Node { return s.ELU(x, cmp.Or(l.Alpha, 1)) }
