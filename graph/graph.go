// Package graph says what is computed: symbols, shapes, derivatives, and the plain meaning of each op.
//
//	g := graph.New()
//	x := g.Input("x", graph.Of(graph.Float32, 4, 2))
//	w := g.State("w", graph.Of(graph.Float32, 2, 1), graph.Param)
//	loss := g.Mean(g.Tanh(g.MatMul(x, w)))
//	dw := g.Grad(loss, w)[0]
//	g.Assign(w, g.Sub(w, g.Scale(dw, 0.1)))
//	if err := g.Err(); err != nil { … }
//
// Every node is a node of one Gorgonia ExprGraph, and [Graph.Grad] is Gorgonia's symbolic differentiation over the
// ops' VJP methods. Builders never panic: after the first error they return nil and declare nothing, and [Graph.Err]
// tells it. A Graph is not safe for concurrent use; different graphs are.
package graph

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
)

// Graph is a computation in symbols.
type Graph struct {
	expr    *gorgonia.ExprGraph
	indexed int // ids below are in Gorgonia's map
	nodes   []*Node
	of      map[*gorgonia.Node]*Node
	merged  map[applied]*Node
	named   map[string]*Node
	states  []*Node
	outputs []Output
	assigns []Assignment
	guards  []*Node
	scope   string
	differ  bool // Grad was called
	err     error
}

// Output is a node that can be read by name after a run.
type Output struct {
	Name string
	Node *Node
}

// Assignment says that a plan stores Value in State after the last read of it.
type Assignment struct{ State, Value *Node }

// maxOperands bounds the operands of one op; the key below has room for them.
const maxOperands = 16

// applied identifies a node by its op and operands.
type applied struct {
	op Op
	n  int
	x  [maxOperands]*Node
}

// Node is a symbolic value. The methods of a nil Node, which builders return after an error, are safe.
type Node struct {
	g     *Graph
	expr  *gorgonia.Node
	meta  Meta
	op    Op // nil for inputs and states
	x     []*Node
	id    int
	name  string
	scope string
	kind  Kind
}

// Kind says what an input is for and how long it lives.
type Kind uint8

// The kinds. Input lives for one run, all others outlive it: each is a region of memory that an executor owns.
const (
	NoKind    Kind = iota // the result of an op
	Input                 // filled anew for each run
	Param                 // trainable or frozen weights
	Grad                  // accumulated gradients
	Moment                // of the optimizer
	Statistic             // of a layer or of the loop: running means, sums of losses and weights
	Cache                 // keys and values of earlier positions
	Average               // averaged weights
)

var kindNames = [...]string{"", "input", "param", "grad", "moment", "statistic", "cache", "average"}

func (k Kind) String() string { return kindNames[k] }

// New returns an empty graph.
func New() *Graph {
	return &Graph{
		expr:   gorgonia.NewGraph(),
		of:     map[*gorgonia.Node]*Node{},
		merged: map[applied]*Node{},
		named:  map[string]*Node{},
	}
}

// Err returns the first error of any builder.
func (g *Graph) Err() error { return g.err }

// Fail records err as the graph's error, if it has none yet, under the scope of the moment. It returns nil, which the
// builder that failed can return. Builders outside this package report through it.
func (g *Graph) Fail(err error) *Node {
	if g.err == nil && err != nil {
		if g.scope != "" {
			err = errors.Wrap(err, g.scope)
		}
		g.err = err
	}
	return nil
}

// Expr returns the Gorgonia graph, for research code; see [Graph.Wrap].
func (g *Graph) Expr() *gorgonia.ExprGraph { return g.expr }

// Scope returns the path under which nodes are made now: "h.3.attn".
func (g *Graph) Scope() string { return g.scope }

// SetScope sets the path that nodes made from now on carry, for errors, plans and profiles.
func (g *Graph) SetScope(path string) { g.scope = path }

// Input declares a value of meta m that each run brings. An empty name, one in use, or a meta that no value can have
// is an error.
func (g *Graph) Input(name string, m Meta) *Node { return g.declare(name, m, Input) }

// State declares a value of meta m that outlives a run, of a kind from [Param] on. An empty name, one in use, or a
// meta that no value can have is an error.
func (g *Graph) State(name string, m Meta, kind Kind) *Node {
	if kind < Param || int(kind) >= len(kindNames) {
		return g.Fail(errors.Errorf("graph: state %q: kind %d is none of a state", name, kind))
	}
	n := g.declare(name, m, kind)
	if n != nil {
		g.states = append(g.states, n)
	}
	return n
}

func (g *Graph) declare(name string, m Meta, kind Kind) *Node {
	if g.err != nil {
		return nil
	}
	if name == "" || g.named[name] != nil {
		return g.Fail(errors.Errorf("graph: %s %q: the name is empty or in use", kind, name))
	}
	if err := m.check(); err != nil {
		return g.Fail(errors.Wrapf(err, "graph: %s %q", kind, name))
	}
	g.indexAhead()
	var e *gorgonia.Node
	if len(m.Shape) == 0 {
		e = gorgonia.NewScalar(g.expr, m.DType.Tensor(), gorgonia.WithName(name))
	} else {
		e = gorgonia.NewTensor(g.expr, m.DType.Tensor(), len(m.Shape), gorgonia.WithShape(m.Shape...), gorgonia.WithName(name))
	}
	n := g.add(&Node{expr: e, meta: Meta{m.DType, m.Shape.Clone()}, name: name, kind: kind})
	g.named[name] = n
	return n
}

// add enters n into the graph's lists.
func (g *Graph) add(n *Node) *Node {
	n.g, n.id, n.scope = g, len(g.nodes), g.scope
	g.nodes = append(g.nodes, n)
	g.of[n.expr] = n
	return n
}

// Assign says that a plan stores value in state after the last read of it. state is a result of [Graph.State] with
// the meta of value. A state that is assigned already is an error.
func (g *Graph) Assign(state, value *Node) {
	switch {
	case g.err != nil:
	case state == nil || value == nil || state.kind < Param:
		g.Fail(errors.Errorf("graph: Assign to %v: want a State and a value", state))
	case !state.meta.Equal(value.meta):
		g.Fail(errors.Errorf("graph: Assign to %s %v: the value is %v", state.name, state.meta, value.meta))
	default:
		for _, a := range g.assigns {
			if a.State == state {
				g.Fail(errors.Errorf("graph: Assign to %s: it is assigned already", state.name))
				return
			}
		}
		g.assigns = append(g.assigns, Assignment{state, value})
	}
}

// Guard says that no Assign of the graph takes effect in a run where one of the n is not finite. Each n is a float
// with one element.
func (g *Graph) Guard(n ...*Node) {
	for _, v := range n {
		if g.err == nil && (v == nil || v.meta.Size() != 1 || !v.meta.DType.IsFloat()) {
			g.Fail(errors.Errorf("graph: Guard(%v): want a scalar float", v))
		}
	}
	if g.err == nil {
		g.guards = append(g.guards, n...)
	}
}

// Output marks n to be readable after a run, as name; n has any shape and dtype. An empty name, or one in use by
// another output, is an error.
func (g *Graph) Output(name string, n *Node) {
	if g.err != nil {
		return
	}
	for _, o := range g.outputs {
		if o.Name == name {
			g.Fail(errors.Errorf("graph: Output %q: the name is in use", name))
			return
		}
	}
	if n == nil || name == "" {
		g.Fail(errors.Errorf("graph: Output %q of %v: want a name and a node", name, n))
		return
	}
	g.outputs = append(g.outputs, Output{name, n})
}

// Nodes lists the nodes in the order in which they were made. The caller must not change the list; the same holds for
// the lists of the next four methods.
func (g *Graph) Nodes() []*Node { return g.nodes }

// States lists the states in the order of declaration.
func (g *Graph) States() []*Node { return g.states }

// Outputs lists the outputs in the order of declaration.
func (g *Graph) Outputs() []Output { return g.outputs }

// Assignments lists the assignments in the order of declaration.
func (g *Graph) Assignments() []Assignment { return g.assigns }

// Guards lists the scalars that must be finite.
func (g *Graph) Guards() []*Node { return g.guards }

// Named returns the input or state of that name, nil where there is none.
func (g *Graph) Named(name string) *Node { return g.named[name] }

// exprLock serialises Gorgonia's builders: they share global state (pools, counters) among all graphs.
var exprLock sync.Mutex

// Apply adds op to the operands x, or finds the node that equals it: the same op by value on the same operands.
// Operands that are nil, of another graph, more than 16, or refused by the op's Infer are an error, and the result is
// nil.
func (g *Graph) Apply(op Op, x ...*Node) *Node {
	if g.err != nil {
		return nil
	}
	in, err := g.operands(op, x)
	if err != nil {
		return g.Fail(err)
	}
	key := applied{op: op, n: len(x)}
	copy(key.x[:], x)
	if n := g.merged[key]; n != nil {
		return n
	}
	out, err := infer(op, in)
	if err != nil {
		return g.Fail(errors.Wrapf(err, "graph: %s%v", opName(op), in))
	}
	e, err := g.applyExpr(op, in, out, x)
	if err != nil {
		return g.Fail(err)
	}
	n := g.add(&Node{expr: e, meta: out, op: op, x: append([]*Node{}, x...)})
	g.merged[key] = n
	return n
}

// operands returns the metas of x, or an error where op cannot be applied to x at all.
func (g *Graph) operands(op Op, x []*Node) ([]Meta, error) {
	if op == nil || !reflect.TypeOf(op).Comparable() {
		return nil, errors.Errorf("graph: %T: an op is a value that can be compared: no slices, maps or functions in its fields", op)
	}
	if len(x) > maxOperands {
		return nil, errors.Errorf("graph: %s: %d operands, at most %d", opName(op), len(x), maxOperands)
	}
	in := make([]Meta, len(x))
	for i, n := range x {
		if n == nil || n.g != g {
			return nil, errors.Errorf("graph: %s: operand %d is %s", opName(op), i, map[bool]string{true: "nil", false: "of another graph"}[n == nil])
		}
		in[i] = n.meta
	}
	return in, nil
}

// infer calls op.Infer and checks its answer; a panic in an op of the user's is an error.
func infer(op Op, in []Meta) (out Meta, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("Infer panics: %v", r)
		}
	}()
	if out, err = op.Infer(in); err == nil {
		err = out.check()
	}
	return out, err
}

// opName is the op's type without its package, for messages and plans.
func opName(op Op) string {
	if f, ok := op.(Foreign); ok {
		return f.String()
	}
	name := fmt.Sprintf("%T", op)
	return name[strings.LastIndexByte(name, '.')+1:]
}

// OpName is the op's name in messages and plans: the name of its type without the package.
func OpName(op Op) string { return opName(op) }

// Meta returns dtype and shape.
func (n *Node) Meta() Meta {
	if n == nil {
		return Meta{}
	}
	return n.meta
}

// Shape returns the shape; the caller must not change it.
func (n *Node) Shape() Shape { return n.Meta().Shape }

// DType returns the dtype.
func (n *Node) DType() DType { return n.Meta().DType }

// Dim returns the extent of axis i; a negative i counts from the end. It is 1 for a nil node, and for an axis that n
// does not have.
func (n *Node) Dim(i int) int {
	s := n.Shape()
	if a, err := s.Axis(i); err == nil {
		return s[a]
	}
	return 1
}

// Op returns the op whose result n is, nil for inputs and states.
func (n *Node) Op() Op { return n.op }

// Operands returns the op's operands; the caller must not change them.
func (n *Node) Operands() []*Node { return n.x }

// ID is n's place in the order in which the graph's nodes were made.
func (n *Node) ID() int { return n.id }

// Name is the name of an input or state, "" for results of ops.
func (n *Node) Name() string { return n.name }

// Scope is the path of the layer that made n.
func (n *Node) Scope() string { return n.scope }

// Kind says whether n is an input, a state (and which), or the result of an op.
func (n *Node) Kind() Kind { return n.kind }

// Graph returns the graph of n, nil for a nil node.
func (n *Node) Graph() *Graph {
	if n == nil {
		return nil
	}
	return n.g
}

// Gorgonia returns the node of Gorgonia's graph that n is a handle on.
func (n *Node) Gorgonia() *gorgonia.Node { return n.expr }

func (n *Node) String() string {
	switch {
	case n == nil:
		return "nil"
	case n.op == nil:
		return n.name + " " + n.meta.String()
	}
	return fmt.Sprintf("%%%d %s %v", n.id, opName(n.op), n.meta)
}
