package plan_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/vec"
)

// drawn is a graph made of the numbers of a byte string: layers, a loss, gradients, assignments, outputs.
type drawn struct {
	g      *graph.Graph
	code   []byte
	floats []*graph.Node
	ids    *graph.Node
}

// next is a number below n.
func (d *drawn) next(n int) int {
	if len(d.code) == 0 {
		return 0
	}
	v := int(d.code[0]) % n
	d.code = d.code[1:]
	return v
}

func (d *drawn) pick() *graph.Node { return d.floats[d.next(len(d.floats))] }

// add applies one op, if its operands fit.
func (d *drawn) add() {
	g, x, y := d.g, d.pick(), d.pick()
	s := x.Shape()
	last := x.Dim(-1)
	var z *graph.Node
	switch k := d.next(18); {
	case k == 0:
		z = g.Tanh(x)
	case k == 1:
		z = g.GELU(x)
	case k == 2:
		z = g.ReLU(x)
	case k == 3:
		z = g.Scale(x, 0.5)
	case k == 4 && len(s) == 2:
		z = g.Permute(x, 1, 0)
	case k == 5:
		z = g.Reshape(x, -1)
	case k == 6 && x.Meta().Size()%6 == 0:
		z = g.Reshape(x, -1, 6)
	case k == 7 && last > 1:
		z = g.Slice(x, -1, d.next(2), last)
	case k == 8 && len(s) > 0 && s.Equal(y.Shape()):
		z = g.Concat(-1, x, y)
	case k == 9 && fits(s, y.Shape()):
		z = g.Add(x, y)
	case k == 10 && fits(s, y.Shape()):
		z = g.Sub(x, y)
	case k == 11 && fits(s, y.Shape()):
		z = g.Tanh(g.Mul(x, y))
	case k == 12 && len(s) == 2 && len(y.Shape()) == 2 && last == y.Dim(0):
		z = g.MatMul(x, y)
	case k == 13 && len(s) == 2 && len(y.Shape()) == 2 && last == y.Dim(1):
		z = g.MatMulT(x, y)
	case k == 14 && last == 6:
		z = g.LayerNorm(x, g.Named("b"), g.Named("c"), 1e-5)
	case k == 15 && len(s) > 0:
		z = g.Softmax(x, -1)
	case k == 16 && len(s) > 0:
		z = g.Mean(x, -1)
	case k == 17 && len(s) == 2:
		z = g.Scale(g.Embedding(d.ids, x), 0.5)
	}
	if z != nil && z.Meta().Size() <= 1<<10 {
		d.floats = append(d.floats, z)
	}
}

// fits reports whether two shapes broadcast.
func fits(a, b graph.Shape) bool {
	for i := range min(len(a), len(b)) {
		if x, y := a[len(a)-1-i], b[len(b)-1-i]; x != y && x != 1 && y != 1 {
			return false
		}
	}
	return true
}

// draw makes the graph. Ids are 0 or 1, as every matrix has two rows.
func draw(code []byte) *drawn {
	g := graph.New()
	d := &drawn{g: g, code: code}
	m := func(shape ...int) graph.Meta { return graph.Of(graph.Float64, shape...) }
	d.ids = g.Input("ids", graph.Of(graph.Int32, 4))
	d.floats = []*graph.Node{g.Input("x", m(4, 6)), g.Input("y", m(4, 6)), g.State("w", m(6, 6), graph.Param), g.State("b", m(6), graph.Param),
		g.State("c", m(6), graph.Param), g.State("s", m(4, 6), graph.Statistic), g.State("t", m(4, 6), graph.Statistic)}
	for range 4 + d.next(24) {
		d.add()
	}
	rows := func() *graph.Node { // one of the shape of x
		var same []*graph.Node
		for _, n := range d.floats {
			if n.Shape().Equal(graph.Shape{4, 6}) {
				same = append(same, n)
			}
		}
		return same[len(same)-1-d.next(len(same))]
	}
	loss := g.CrossEntropy(rows(), d.ids, graph.CrossEntropyOpts{})
	for range d.next(4) {
		loss = g.Add(loss, g.Scale(g.Sum(g.Tanh(d.pick())), 0.1))
	}
	w := []*graph.Node{g.Named("w"), g.Named("b"), g.Named("c")}
	for i, dw := range g.Grad(loss, w...) {
		if dw != nil && d.next(4) > 0 {
			g.Assign(w[i], g.Sub(w[i], g.Scale(dw, 0.1)))
		} else if dw != nil {
			g.Output("grad "+w[i].Name(), dw)
		}
	}
	for _, name := range []string{"s", "t"} {
		if d.next(3) > 0 {
			g.Assign(g.Named(name), rows())
		}
	}
	if d.next(2) > 0 {
		g.Guard(loss)
	}
	g.Output("loss", loss)
	for i := range d.next(3) {
		g.Output("node "+string(rune('0'+i)), d.pick())
	}
	return d
}

// values draws inputs and states.
func (d *drawn) values() map[string]graph.Buf {
	in, r := map[string]graph.Buf{}, rand.New(rand.NewPCG(1, 2))
	for _, n := range append([]*graph.Node{d.ids}, d.floats[:7]...) {
		b := graph.NewBuf(n.Meta())
		for i := range b.Size() {
			if b.DType == graph.Int32 {
				graph.Data[int32](b)[i] = int32(r.IntN(2))
			} else {
				graph.Data[float64](b)[i] = r.Float64() - 0.5
			}
		}
		in[n.Name()] = b
	}
	return in
}

// want computes all outputs and the values that states have after a run, node by node.
func (d *drawn) want(t *testing.T, in map[string]graph.Buf) values {
	var nodes []*graph.Node
	var names []string
	for _, o := range d.g.Outputs() {
		nodes, names = append(nodes, o.Node), append(names, o.Name)
	}
	for _, a := range d.g.Assignments() {
		nodes, names = append(nodes, a.Value), append(names, a.State.Name())
	}
	pool := vec.NewPool(1)
	defer pool.Close()
	got, err := graphtest.Interpreter(pool).Eval(d.g, nodes, in)
	if err != nil {
		t.Fatal(err)
	}
	want := values{}
	for i, name := range names {
		want[name] = graphtest.Floats(got[i])
	}
	return want
}

// FuzzPlan runs a random graph under every kind of plan, on a poisoned arena, beside the interpreter.
func FuzzPlan(f *testing.F) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 150 {
		code := make([]byte, 40+r.IntN(100))
		for i := range code {
			code[i] = byte(r.Uint32())
		}
		f.Add(code)
	}
	x := plan.CPU(1)
	f.Cleanup(func() { x.Close() })
	plan.Poison(x)
	f.Fuzz(func(t *testing.T, code []byte) {
		d := draw(slices.Clone(code))
		if err := d.g.Err(); err != nil {
			t.Fatalf("%v: %v", code, err)
		}
		in := d.values()
		want := d.want(t, in)
		for _, o := range []plan.Options{{}, {NoFuse: true}, {NoAlias: true}} {
			p := newPlan(t, d.g, o)
			if err := check(p); err != nil {
				t.Fatalf("%+v: %v\n%v", o, err, p)
			}
			compare(t, "run", d.run(t, x, p, in, want), want, 1e-10, 1e-9)
			if t.Failed() {
				t.Fatalf("%+v\n%v", o, p)
			}
		}
	})
}

// run runs p once and reads what want names.
func (d *drawn) run(t *testing.T, x plan.Executor, p *plan.Plan, in map[string]graph.Buf, want values) values {
	state := x.NewState()
	prog, err := x.Compile(p, state)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]any{}
	for name, b := range in {
		given[name] = graph.Dense(b)
		if _, _, err := state.Meta(name); err == nil {
			if err := state.Write(name, graph.Dense(b)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var notFinite *plan.NotFiniteError
	if err := prog.Run(given, graph.Scalars{Step: 1, Micro: 3, LR: 1e-3, Seed: 42}); err != nil && !errors.As(err, &notFinite) {
		t.Fatal(err)
	}
	got := values{}
	for name := range want {
		got[name] = read(t, prog, name)
	}
	return got
}
