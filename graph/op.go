package graph

import (
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/chewxy/hm"
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// An Op computes one result from its operands. It is a value: its fields are its attributes, comparable and complete.
type Op interface {
	// Infer returns the shape and dtype of the result, or an error that names what does not fit.
	Infer(in []Meta) (Meta, error)
	// VJP returns the gradient of each operand as nodes, nil where there is none (ids, and what Stops names).
	VJP(g *Graph, x []*Node, y, dy *Node) []*Node
	// Eval is the meaning of the op: it fills out from in. A step of a plan that joins the members of a whole has one
	// out for each member, which is empty where nothing reads it. Any other step has one out.
	Eval(c *Ctx, out, in []Buf) error
}

// What a plan must know of an op beyond Op, each where it applies.
type (
	// Member is an op that is one result of a whole with several: equal wholes on the same operands become one step.
	// Whole returns the whole (the same value for each member), which member this is, and how many there are.
	Member interface{ Whole() (whole Op, i, n int) }
	// Stopper names float operands that carry no gradient.
	Stopper interface{ Stops(operand int) bool }
	// Scratcher asks for memory during Eval, in bytes, given the metas of the operands.
	Scratcher interface{ Scratch(in []Meta) int }
	// Overwriter says that Eval is right when out[member] is the memory of in[operand].
	Overwriter interface {
		Overwrites(member, operand int) bool
	}
	// Strider says that Eval takes row-strided operands and results.
	Strider interface{ Strided() }
	// Viewer says that the result is operand 0's memory under another meta: the plan makes no copy.
	Viewer interface{ View() }
	// Counter tells the floating-point operations of the op; others count none.
	Counter interface {
		FLOPs(in []Meta, out Meta) int64
	}
	// Unfuser is an op with a formula of simpler ops, which stands for it where an executor has no kernel. Unfused
	// returns a node for each member, or nothing where there is no formula. g is a graph of its own whose inputs are x,
	// so that a derivative may call Grad.
	Unfuser interface {
		Unfused(g *Graph, x []*Node) []*Node
	}
)

// WholeOf returns the whole of op, the member that op is, and the number of members. An op with one result is its own
// whole, member 0 of 1.
func WholeOf(op Op) (whole Op, i, n int) {
	if m, ok := op.(Member); ok {
		return m.Whole()
	}
	return op, 0, 1
}

// NoGrad is embedded in an op without a derivative; most such ops are derivatives themselves. It gives the VJP
// method, and says that no operand has a gradient.
type NoGrad struct{}

// VJP returns no gradients.
func (NoGrad) VJP(*Graph, []*Node, *Node, *Node) []*Node { return nil }

// Stops stops every operand.
func (NoGrad) Stops(int) bool { return true }

// exprOp makes a Gorgonia op of an Op. Each has a serial number for a hash, so that Gorgonia merges none.
type exprOp struct {
	op     Op
	g      *Graph
	in     []Meta
	out    Meta
	serial uint64
}

var serials atomic.Uint64

// applyExpr adds the Gorgonia node of op to Gorgonia's graph and checks that it is what was asked for.
func (g *Graph) applyExpr(op Op, in []Meta, out Meta, x []*Node) (e *gorgonia.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("graph: %s%v: gorgonia panics: %v", opName(op), in, r)
		}
	}()
	eo := &exprOp{op, g, in, out, serials.Add(1)}
	kids := make(gorgonia.Nodes, len(x))
	for i, n := range x {
		kids[i] = n.expr
	}
	exprLock.Lock()
	defer exprLock.Unlock()
	g.indexAhead()
	if len(x) == 0 {
		e = gorgonia.NewUniqueNode(gorgonia.WithType(exprType(out)), gorgonia.WithOp(eo), gorgonia.In(g.expr), gorgonia.WithShape(out.Shape...))
	} else if e, err = gorgonia.ApplyOp(eo, kids...); err != nil {
		return nil, errors.Wrapf(err, "graph: %s%v", opName(op), in)
	}
	return e, checkExpr(g, e, eo, kids)
}

// checkExpr reports a node that Gorgonia merged with another: its hash is 32 bits wide and it compares no operands.
func checkExpr(g *Graph, e *gorgonia.Node, eo *exprOp, kids gorgonia.Nodes) error {
	got := g.expr.From(e.ID())
	ok := e.Op() == gorgonia.Op(eo) && got.Len() == len(kids)
	for i := 0; ok && got.Next(); i++ {
		ok = got.Node().ID() == kids[i].ID()
	}
	if !ok {
		return errors.Errorf("graph: %s%v: gorgonia gave the node of another op (a hash collision)", opName(eo.op), eo.in)
	}
	return nil
}

// exprType is the Gorgonia type of a meta: a bare dtype for scalars.
func exprType(m Meta) hm.Type {
	if len(m.Shape) == 0 {
		return m.DType.Tensor()
	}
	return gorgonia.TensorType{Dims: len(m.Shape), Of: m.DType.Tensor()}
}

// Arity implements gorgonia.Op.
func (o *exprOp) Arity() int { return len(o.in) }

// Type implements gorgonia.Op with a fresh type on each call: Gorgonia's inference changes what it is given.
func (o *exprOp) Type() hm.Type {
	if len(o.in) == 0 {
		return exprType(o.out)
	}
	t := make([]hm.Type, 0, len(o.in)+1)
	for _, m := range o.in {
		t = append(t, exprType(m))
	}
	return hm.NewFnType(append(t, exprType(o.out))...)
}

// InferShape implements gorgonia.Op.
func (o *exprOp) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.Shape(o.out.Shape.Clone()), nil
}

// ReturnsPtr implements gorgonia.Op.
func (o *exprOp) ReturnsPtr() bool { return false }

// CallsExtern implements gorgonia.Op.
func (o *exprOp) CallsExtern() bool { return false }

// OverwritesInput implements gorgonia.Op.
func (o *exprOp) OverwritesInput() int { return -1 }

// WriteHash implements gorgonia.Op.
func (o *exprOp) WriteHash(h hash.Hash) { _ = binary.Write(h, binary.LittleEndian, o.serial) }

// Hashcode implements gorgonia.Op.
func (o *exprOp) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

func (o *exprOp) String() string { return Describe(o.op) }

// DiffWRT implements gorgonia.SDOp.
func (o *exprOp) DiffWRT(inputs int) []bool {
	d := make([]bool, inputs)
	s, stops := o.op.(Stopper)
	for i := range d {
		d[i] = i < len(o.in) && o.in[i].DType.IsFloat() && !(stops && s.Stops(i))
	}
	return d
}

// SymDiff implements gorgonia.SDOp by the op's VJP.
func (o *exprOp) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (ret gorgonia.Nodes, err error) {
	exprLock.Unlock() // held by Grad around Gorgonia's differentiation; VJP applies ops
	defer exprLock.Lock()
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("graph: %s: VJP panics: %v", opName(o.op), r)
		}
	}()
	g := o.g
	y, dy := g.Wrap(output), g.Wrap(grad)
	if g.err != nil {
		return nil, g.err
	}
	old := g.scope
	g.scope = y.scope
	dx := o.op.VJP(g, y.x, y, dy)
	g.scope = old
	if g.err != nil {
		return nil, g.err
	}
	ret = make(gorgonia.Nodes, len(inputs))
	for i, need := range o.DiffWRT(len(inputs)) {
		if !need {
			continue
		}
		if i >= len(dx) || dx[i] == nil || !dx[i].meta.Equal(o.in[i]) {
			return nil, errors.Errorf("graph: %s%v: VJP gives no gradient of operand %d, or one of another meta", opName(o.op), o.in, i)
		}
		ret[i] = dx[i].expr
	}
	return ret, nil
}

// Do implements gorgonia.Op: one evaluation over fresh memory, for Gorgonia's own machines.
func (o *exprOp) Do(vals ...gorgonia.Value) (v gorgonia.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("graph: %s%v: Eval panics: %v", opName(o.op), o.in, r)
		}
	}()
	in := make([]Buf, len(vals))
	for i, val := range vals {
		if in[i], err = BufOfValue(val, o.in[i]); err != nil {
			return nil, err
		}
	}
	y := NewBuf(o.out)
	if err = EvalAlone(o.op, y, in); err != nil {
		return nil, err
	}
	return ValueOf(y), nil
}

// EvalAlone evaluates op alone into y, on one worker with fresh scratch. y and in must have the metas that the op's
// Infer says.
func EvalAlone(op Op, y Buf, in []Buf) error {
	whole, member, n := WholeOf(op)
	out := make([]Buf, n)
	out[member] = y
	pool := vec.NewPool(1)
	defer pool.Close()
	return whole.Eval(NewCtx(pool, &Scalars{Step: 1, LR: 1e-3}, Alloc(scratch(whole, in))), out, in)
}

// scratch is the number of bytes of scratch that op asks for.
func scratch(op Op, in []Buf) int {
	s, ok := op.(Scratcher)
	if !ok {
		return 0
	}
	m := make([]Meta, len(in))
	for i := range in {
		m[i] = in[i].Meta
	}
	return s.Scratch(m)
}

// Describe prints an op with its attributes that are not zero: "MatMul{TransB Bias}", "Slice{Axis:2 Hi:4}".
func Describe(op Op) string {
	if f, ok := op.(Foreign); ok {
		return f.String()
	}
	if attrs := attributes(reflect.ValueOf(op)); len(attrs) > 0 {
		return opName(op) + "{" + strings.Join(attrs, " ") + "}"
	}
	return opName(op)
}

// attributes prints the fields of a struct that are not zero, those of a struct inside it among its own.
func attributes(v reflect.Value) (attrs []string) {
	for i := 0; v.Kind() == reflect.Struct && i < v.NumField(); i++ {
		f, name := v.Field(i), v.Type().Field(i).Name
		_, prints := v.Type().Field(i).Type.MethodByName("String")
		switch {
		case f.IsZero():
		case prints:
			attrs = append(attrs, fmt.Sprintf("%s:%v", name, f))
		case f.Kind() == reflect.Struct:
			attrs = append(attrs, attributes(f)...)
		case f.Kind() == reflect.Bool:
			attrs = append(attrs, name)
		default:
			attrs = append(attrs, fmt.Sprintf("%s:%v", name, f))
		}
	}
	return attrs
}
