package graph_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// What Gorgonia 0.9.18 does to the unwary: each test here fails when a guard against it is removed.

// It merges nodes by a 32-bit hash: ops that differ in an attribute alone must stay apart, here and there.
func TestMerging(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Of(graph.Float32, 4))
	a, b, c := g.Dropout(x, 0.1, 7), g.Dropout(x, 0.9, 7), g.Dropout(x, 0.1, 8)
	if err := g.Err(); err != nil {
		t.Fatal(err)
	}
	if a == b || a == c || a.Gorgonia() == b.Gorgonia() || a.Gorgonia() == c.Gorgonia() {
		t.Error("dropouts of other rates or streams are one node")
	}
	if again := g.Dropout(x, 0.1, 7); again != a {
		t.Error("equal dropouts are two nodes")
	}
	y := g.Input("y", graph.Of(graph.Float32, 4))
	if d := g.Dropout(y, 0.1, 7); d == a || d.Gorgonia() == a.Gorgonia() {
		t.Error("dropouts of two operands are one node")
	}
}

// When two hashes collide nevertheless, it is an error, not a wrong graph.
func TestCollision(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Of(graph.Float32, 4))
	old := graph.SetSerial(1 << 40)
	defer graph.SetSerial(old + 100)
	g.Tanh(x)
	graph.SetSerial(1 << 40)
	g.Sigmoid(x)
	if err := g.Err(); err == nil || !strings.Contains(err.Error(), "Sigmoid") || !strings.Contains(err.Error(), "collision") {
		t.Errorf("two ops of one hash: %v", err)
	}
}

// Inputs of one name are one node.
func TestNames(t *testing.T) {
	for _, second := range []func(g *graph.Graph){
		func(g *graph.Graph) { g.Input("x", graph.Of(graph.Float32, 4)) },
		func(g *graph.Graph) { g.Input("x", graph.Of(graph.Float64)) },
		func(g *graph.Graph) { g.State("x", graph.Of(graph.Float32, 4), graph.Param) },
	} {
		g := graph.New()
		g.Input("x", graph.Of(graph.Float32, 4))
		second(g)
		if err := g.Err(); err == nil || !strings.Contains(err.Error(), `"x"`) {
			t.Errorf("a name used twice: %v", err)
		}
	}
}

// A second Grad silently gives wrong numbers.
func TestSecondGrad(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Of(graph.Float64, 4))
	loss := g.Sum(g.Mul(x, x))
	if dx := g.Grad(loss, x); dx[0] == nil || g.Err() != nil {
		t.Fatal(g.Err())
	}
	if dx := g.Grad(g.Sum(loss), x); dx[0] != nil || g.Err() == nil || !strings.Contains(g.Err().Error(), "one Grad") {
		t.Errorf("a second Grad: %v, %v", dx, g.Err())
	}
}

// A parameter that does not reach the loss makes Gorgonia's Grad fail, ids and stopped operands among them.
func TestUnreachable(t *testing.T) {
	g := graph.New()
	m := graph.Of(graph.Float64, 4, 3)
	x, w, alone := g.Input("x", m), g.State("w", m, graph.Param), g.State("alone", m, graph.Param)
	ids := g.Input("ids", graph.Of(graph.Int32, 2))
	y := g.Add(g.Embedding(ids, w), g.MeanKeep(x, 0))
	dx := g.Grad(g.Sum(g.Mul(y, y)), alone, w, ids, x)
	if err := g.Err(); err != nil {
		t.Fatal(err)
	}
	if dx[0] != nil || dx[1] == nil || dx[2] != nil || dx[3] == nil {
		t.Errorf("gradients of alone, w, ids, x: %v", dx)
	}
}

// Where all ops are ours, Grad inserts the constant 1 and sums only, and both become ops of ours.
func TestInserted(t *testing.T) {
	for _, d := range []graph.DType{graph.Float32, graph.Float64} {
		g := graph.New()
		x, w := g.Input("x", graph.Of(d, 4, 4)), g.State("w", graph.Of(d, 4, 4), graph.Param)
		h := g.Tanh(g.MatMul(x, w))
		s := g.Sum(h)
		loss := g.Mul(g.Add(s, g.Sum(g.MatMul(h, w))), s)
		before := len(g.Expr().AllNodes())
		g.Grad(loss, x, w)
		if err := g.Err(); err != nil {
			t.Fatal(err)
		}
		foreign, ours := map[string]int{}, map[string]int{}
		for _, e := range g.Expr().AllNodes()[before:] {
			if e.Op() != nil && fmt.Sprintf("%T", e.Op()) != "*graph.exprOp" {
				foreign[strings.Fields(e.Op().String())[0]]++
			}
		}
		if len(foreign) != 2 || foreign["const"] != 1 || foreign["+"] == 0 {
			t.Errorf("%v: Gorgonia inserted %v, want one constant and sums", d, foreign)
		}
		for _, n := range g.Nodes() {
			if n.Op() == nil {
				continue
			}
			ours[graph.OpName(n.Op())]++
			if f, ok := n.Op().(graph.Foreign); ok {
				t.Errorf("%v: %v stays foreign", d, f)
			}
			if f, ok := n.Op().(graph.Full); ok && (f.Value != 1 || f.DType != d) {
				t.Errorf("%v: the seed of the gradient is %+v", d, f)
			}
		}
		if ours["Full"] != 1 || ours["Add"] != 1+foreign["+"] {
			t.Errorf("%v: %d Full and %d Add for %v", d, ours["Full"], ours["Add"], foreign)
		}
	}
}

// Type must be made anew at each call, with concrete operand types: inference changes what it is given. A scalar's is
// a bare dtype. Every op must say what it is differentiable by.
func TestTypes(t *testing.T) {
	g := graph.New()
	x, y := g.Input("x", graph.Of(graph.Float32, 4, 3)), g.Input("y", graph.Of(graph.Float32, 1))
	for _, n := range []*graph.Node{g.Tanh(x), g.Sum(x), g.Add(x, y), g.Reshape(y), g.Full(graph.Of(graph.Float32), 2)} {
		if err := g.Err(); err != nil {
			t.Fatal(err)
		}
		op := n.Gorgonia().Op()
		a, _ := op.Type().(*hm.FunctionType)
		b, _ := op.Type().(*hm.FunctionType)
		if a == nil && op.Arity() > 0 || a != nil && a == b {
			t.Errorf("%v: Type gives %v, then the same again", n, a)
		}
		if len(n.Shape()) == 0 && n.Gorgonia().Type() != hm.Type(tensor.Float32) {
			t.Errorf("%v: type %v, want a bare dtype", n, n.Gorgonia().Type())
		}
		d, ok := op.(gorgonia.SDOp)
		if !ok || len(d.DiffWRT(op.Arity())) != op.Arity() {
			t.Errorf("%v: no DiffWRT", n)
		}
	}
	for range 3 {
		if z := g.Tanh(g.Exp(x)); z.Shape().Size() != 12 {
			t.Errorf("shape %v", z.Shape())
		}
		x = g.Permute(x, 1, 0)
	}
}

// Ops without operands are all one node to Gorgonia, and lone ones are removed by its Grad, which corrupts look-ups.
func TestNoOperands(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Of(graph.Float64, 4))
	one, two, seven := g.Full(graph.Of(graph.Float64, 4), 1), g.Full(graph.Of(graph.Float64, 4), 2), g.Iota(4)
	if err := g.Err(); err != nil {
		t.Fatal(err)
	}
	if one == two || one.Gorgonia() == two.Gorgonia() || seven.Gorgonia() == one.Gorgonia() {
		t.Error("two constants are one node")
	}
	y, t2 := g.Mul(x, two), g.Input("t", graph.Of(graph.Float64, 4))
	loss := g.Sum(g.Mul(g.Mul(y, t2), y)) // one and seven have no reader when Grad comes
	dx := g.Grad(loss, x, t2)
	if err := g.Err(); err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes() {
		if e := n.Gorgonia(); g.Expr().Node(e.ID()) != e {
			t.Errorf("%v: Gorgonia finds another node under its id", n)
		}
	}
	g.Output("dx", g.Mul(dx[0], one))
	g.Output("dt", dx[1])
	prog := runCPU(t, g, map[string]any{"x": []float64{1, 2, 3, 4}, "t": []float64{1, 1, 2, 2}})
	for i, want := range []float64{8, 16, 48, 64} {
		if got := output(t, prog, "dx")[i]; got != want {
			t.Errorf("dx[%d] = %g, want %g", i, got, want)
		}
	}
}

// runCPU compiles g and runs it once.
func runCPU(t *testing.T, g *graph.Graph, in map[string]any) plan.Program {
	t.Helper()
	p, err := plan.New(g, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := plan.CPU(1)
	t.Cleanup(func() { x.Close() })
	prog, err := x.Compile(p, x.NewState())
	if err == nil {
		err = prog.Run(in, graph.Scalars{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

func output(t *testing.T, prog plan.Program, name string) []float64 {
	t.Helper()
	d, err := prog.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := d.Data().([]float64)
	return v
}

// panics is an op that panics in one of its methods.
type panics struct{ Where string }

func (p panics) at(where string) {
	if p.Where == where {
		panic("in " + where)
	}
}

func (p panics) Infer(in []graph.Meta) (graph.Meta, error) { p.at("Infer"); return in[0], nil }
func (p panics) Eval(*graph.Ctx, []graph.Buf, []graph.Buf) error {
	p.at("Eval")
	return nil
}
func (p panics) VJP(_ *graph.Graph, _ []*graph.Node, _, dy *graph.Node) []*graph.Node {
	p.at("VJP")
	return []*graph.Node{dy}
}

// A panic in an op of the user's is an error of the builder or of Do.
func TestPanics(t *testing.T) {
	for _, where := range []string{"Infer", "VJP", "Eval"} {
		g := graph.New()
		x := g.Input("x", graph.Of(graph.Float64, 4))
		y := g.Apply(panics{where}, x)
		err := g.Err()
		if where == "VJP" && err == nil {
			g.Grad(g.Sum(y), x)
			err = g.Err()
		}
		if where == "Eval" && err == nil {
			_, err = y.Gorgonia().Op().Do(graph.Dense(graph.NewBuf(x.Meta())))
		}
		if err == nil || !strings.Contains(err.Error(), "in "+where) || !strings.Contains(err.Error(), "panics") {
			t.Errorf("a panic in %s: %v", where, err)
		}
	}
}

// Gorgonia's builders share state among all graphs: building several at once must give what building one does.
func TestConcurrent(t *testing.T) {
	build := func() string {
		g := graph.New()
		x, w := g.Input("x", graph.Of(graph.Float32, 4, 4)), g.State("w", graph.Of(graph.Float32, 4, 4), graph.Param)
		h := x
		for range 12 {
			h = g.Tanh(g.MatMul(h, w))
		}
		g.Assign(w, g.Grad(g.Sum(h), w)[0])
		p, err := plan.New(g, plan.Options{})
		if err != nil {
			return err.Error()
		}
		return p.String()
	}
	want := build()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 4 {
				if got := build(); got != want {
					t.Errorf("built beside others:\n%s\nalone:\n%s", got, want)
					return
				}
			}
		})
	}
	wait.Wait()
}

// TestForeign puts one of Gorgonia's own ops in: it runs through its Do and has its derivative, and compiling says so
// once.
func TestForeign(t *testing.T) {
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(old)
	g := graph.New()
	x, r := g.Input("x", graph.Of(graph.Float64, 2, 2)), g.Input("r", graph.Of(graph.Float64, 2, 2))
	e, err := gorgonia.Sin(g.Tanh(x).Gorgonia())
	if err != nil {
		t.Fatal(err)
	}
	y := g.Wrap(e)
	if g.Wrap(e) != y {
		t.Error("wrapped twice, it is two nodes")
	}
	loss := g.Sum(g.Mul(g.Scale(y, 3), r))
	g.Output("y", y)
	g.Output("dx", g.Grad(loss, x)[0])
	v, w := []float64{0.1, -0.5, 2, 0}, []float64{1, 2, -1, 0.5}
	prog := runCPU(t, g, map[string]any{"x": v, "r": w})
	if err := prog.Run(map[string]any{"x": v, "r": w}, graph.Scalars{}); err != nil {
		t.Fatal(err)
	}
	got, dx := output(t, prog, "y"), output(t, prog, "dx")
	for i := range v {
		h := math.Tanh(v[i])
		if want := math.Sin(h); math.Abs(got[i]-want) > 1e-15 {
			t.Errorf("y[%d] = %g, want %g", i, got[i], want)
		}
		if want := 3 * w[i] * math.Cos(h) * (1 - h*h); math.Abs(dx[i]-want) > 1e-14 {
			t.Errorf("dx[%d] = %g, want %g", i, dx[i], want)
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "sin") || !strings.Contains(log.String(), "cos") {
		t.Errorf("%d lines about foreign ops, want 1 that names sin and cos: %s", n, &log)
	}
}
