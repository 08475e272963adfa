// Package nn builds models: layers as plain values, the parameters and buffers that they declare, and losses.
//
//	net := nn.Sequential{nn.Linear{Out: 8}, nn.Tanh, nn.Linear{Out: 1}}
//	params := nn.NewParams(graph.Float32)
//	s := nn.NewScope(graph.New(), params, nn.Train)
//	y := net.Forward(s, s.Input("x", graph.Of(graph.Float32, 4, 2)))
//	err := s.Err()
//
// A layer holds no parameters: it declares them under the path of its [Scope]. The same layer built into another graph
// finds the same ones: for evaluation, for another batch, for decoding token by token.
package nn

import (
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Layer maps a node to a node. It is plain data: it has settings, and no values of parameters.
type Layer interface {
	Forward(s *Scope, x *graph.Node) *graph.Node
}

// Mode says what a graph is built for: training, evaluation or generation.
type Mode uint8

// The modes. Generate is evaluation with a cache of keys and values, at positions that each run gives.
const (
	Train Mode = iota
	Eval
	Generate
)

// Scope is a path in a model while it is built into one graph. It embeds the graph's builders.
type Scope struct {
	*graph.Graph
	path  string
	build *build
}

// build is what all scopes of one graph share.
type build struct {
	params   *Params
	mode     Mode
	declared map[string]*graph.Node // parameters
	buffers  map[string]*graph.Node
	rows     []Row
	at       Generation // in mode Generate
	packing  Packing
}

// Row is a line of [Summary]: a layer's path, type and output. Type is "" for [Scope.Within].
type Row struct {
	Path, Type string
	Out        graph.Meta
}

// NewScope returns the root scope for building a model with params into g.
func NewScope(g *graph.Graph, params *Params, mode Mode) *Scope {
	return &Scope{g, "", &build{params: params, mode: mode, declared: map[string]*graph.Node{}, buffers: map[string]*graph.Node{}}}
}

// Generation says where a graph of mode Generate stands in its sequences.
type Generation struct {
	Start    *graph.Node // ids (B): the position of the first token of each row
	Rows     *graph.Node // ids (B): for beam search, the row whose caches each row continues; nil: each its own
	Capacity int         // positions that a cache holds
}

// NewGenerateScope returns the root scope of a graph that continues sequences.
func NewGenerateScope(g *graph.Graph, params *Params, at Generation) *Scope {
	s := NewScope(g, params, Generate)
	s.build.at = at
	return s
}

// Path is the scope's path from the root: "h.3.attn", "" for the root.
func (s *Scope) Path() string { return s.path }

// Mode is what the graph is built for.
func (s *Scope) Mode() Mode { return s.build.mode }

// DType is the dtype of parameters and activations.
func (s *Scope) DType() graph.DType { return s.build.params.DType }

// Rows lists the calls made so far, for [Summary].
func (s *Scope) Rows() []Row { return s.build.rows }

func (s *Scope) join(name string) string {
	if s.path == "" {
		return name
	}
	return s.path + "." + name
}

// In returns the child scope of that name. Nodes of the graph made from now on carry its path, until
// [graph.Graph.SetScope] changes it; [Scope.Within] and [Scope.Call] come back by themselves.
func (s *Scope) In(name string) *Scope {
	c := &Scope{s.Graph, s.join(name), s.build}
	c.SetScope(c.path)
	return c
}

// Call runs layer.Forward on x in the child scope of that name, comes back, and returns the result. Shapes and dtypes
// are the layer's. [Summary] has a row for it. A nil layer is an error.
func (s *Scope) Call(name string, layer Layer, x *graph.Node) *graph.Node {
	if layer == nil {
		return s.Fail(errors.Errorf("nn: Call %q: the layer is nil", s.join(name)))
	}
	return s.enter(name, typeName(layer), func(c *Scope) *graph.Node { return layer.Forward(c, x) })
}

// Within runs f in the child scope of that name, comes back, and returns what f returns. It is for a part of a model
// that has inputs of its own, such as a tower.
//
//	user := s.Within("user", func(s *nn.Scope) *graph.Node {
//		return s.Call("out", nn.Linear{Out: 8}, s.Concat(-1, in["age"], in["taste"]))
//	})
//
// The function builds with the scope that it gets. [Summary] has a row for it, without a type. A nil f is an error, and
// so is a name that is used twice where f declares parameters. Inputs that share the weights of a part go through it
// together: join them with Concat on axis 0, and slice the result.
func (s *Scope) Within(name string, f func(s *Scope) *graph.Node) *graph.Node {
	if f == nil {
		return s.Fail(errors.Errorf("nn: Within %q: the function is nil", s.join(name)))
	}
	return s.enter(name, "", f)
}

// enter runs f in the child scope of that name, with a row for [Summary], and comes back.
func (s *Scope) enter(name, typ string, f func(c *Scope) *graph.Node) *graph.Node {
	old := s.Graph.Scope()
	c := s.In(name)
	row := len(s.build.rows)
	s.build.rows = append(s.build.rows, Row{Path: c.path, Type: typ})
	y := f(c)
	s.build.rows[row].Out = y.Meta()
	s.SetScope(old)
	return y
}

// Param declares a parameter of the scope's dtype under the scope's path, or finds the one that an earlier graph
// declared there. To declare a name twice in one graph, or with another shape than before, is an error.
func (s *Scope) Param(name string, init Init, shape ...int) *graph.Node {
	if s.Err() != nil {
		return nil
	}
	path := s.join(name)
	if s.build.declared[path] != nil {
		return s.Fail(errors.Errorf("nn: Param %q: declared twice in one graph; use Shared to tie it", path))
	}
	p, err := s.build.params.declare(&Param{Name: path, Init: init, Meta: graph.Of(s.DType(), shape...)})
	if err != nil {
		return s.Fail(err)
	}
	n := s.State(p.Name, p.Meta, graph.Param)
	s.build.declared[path] = n
	return n
}

// Shared returns a parameter by its path from the model's root, to tie weights. It is an error where this graph has not
// declared the parameter yet.
func (s *Scope) Shared(path string) *graph.Node {
	if n := s.build.declared[path]; n != nil || s.Err() != nil {
		return n
	}
	return s.Fail(errors.Errorf("nn: Shared %q: no Param of this graph has that path yet", path))
}

// Declared returns the nodes of this graph's parameters by name; the buffers are not among them.
func (s *Scope) Declared() map[string]*graph.Node { return s.build.declared }

// Stream identifies the scope to random ops: the FNV-1a hash of its path and a name.
func (s *Scope) Stream(name string) uint64 { return hash64(s.join(name)) }

// hash64 is 64-bit FNV-1a.
func hash64(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// Positions returns the ids of the positions of t tokens: (t), counted from 0. In mode Generate they are (B, t),
// counted from where each row stands; for packed rows they are the (B, t) of [Packing].
func (s *Scope) Positions(t int) *graph.Node {
	if s.build.at.Start != nil {
		return s.Graph.Positions(s.build.at.Start, t)
	}
	if p := s.build.packing.Positions; p != nil {
		return p
	}
	return s.Iota(t)
}

// Start returns the ids (B) of the positions of the rows' first tokens in mode Generate. It is nil in the other modes.
func (s *Scope) Start() *graph.Node { return s.build.at.Start }

// Cache writes x (B, T, …) at each row's position into a state (B, capacity, …) of kind graph.Cache, and returns the
// whole state. In modes Train and Eval it returns x.
func (s *Scope) Cache(name string, x *graph.Node) *graph.Node {
	if s.build.mode != Generate || x == nil {
		return x
	}
	shape := x.Shape().Clone()
	shape[1] = s.build.at.Capacity
	old := s.State(s.join(name), graph.Meta{DType: x.DType(), Shape: shape}, graph.Cache)
	past := old
	if s.build.at.Rows != nil {
		past = s.Gather(old, 0, s.build.at.Rows)
	}
	now := s.CacheWrite(past, x, s.build.at.Start)
	s.Assign(old, now)
	return now
}

func typeName(l Layer) string {
	if n, ok := l.(interface{ LayerName() string }); ok {
		return n.LayerName()
	}
	return strings.TrimPrefix(typeOf(l), "nn.")
}
