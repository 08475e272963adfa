package gpt_test

import (
	"math"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/nn"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// peer is a network of Gorgonia's own ops, those that were found right. It runs on Gorgonia's machine in float64.
// Parameters have the layers' names; vectors are kept as (1, n). The first error stops it.
type peer struct {
	t    *testing.T
	g    *G.ExprGraph
	p    map[string]*G.Node
	vals map[string]graph.Buf
}

func (m *peer) must(n *G.Node, err error) *G.Node {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

// param is a parameter or input as a matrix.
func (m *peer) param(name string) *G.Node {
	if n := m.p[name]; n != nil {
		return n
	}
	b := m.vals[name]
	rows, cols := 1, b.Size()
	if len(b.Shape) > 1 {
		cols = b.Shape[len(b.Shape)-1]
		rows = b.Size() / cols
	}
	v := tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(append([]float64{}, graph.Data[float64](b)...)))
	m.p[name] = G.NewMatrix(m.g, G.Float64, G.WithName(name), G.WithShape(rows, cols), G.WithValue(v))
	return m.p[name]
}

func (m *peer) scale(x *G.Node, k float64) *G.Node {
	return m.must(G.HadamardProd(x, G.NewConstant(k)))
}
func (m *peer) plus(x *G.Node, k float64) *G.Node { return m.must(G.Add(x, G.NewConstant(k))) }
func (m *peer) shape(x *G.Node, s ...int) *G.Node { return m.must(G.Reshape(x, s)) }

func (m *peer) linear(at string, x *G.Node) *G.Node {
	return m.must(G.BroadcastAdd(m.must(G.Mul(x, m.param(at+"weight"))), m.param(at+"bias"), nil, []byte{0}))
}

// norm is a layer norm of the rows of x.
func (m *peer) norm(at string, x *G.Node) *G.Node {
	n, c := x.Shape()[0], x.Shape()[1]
	mean := func(x *G.Node) *G.Node { return m.shape(m.scale(m.must(G.Sum(x, 1)), 1/float64(c)), n, 1) }
	d := m.must(G.BroadcastSub(x, mean(x), nil, []byte{1}))
	std := m.must(G.Sqrt(m.plus(mean(m.must(G.Square(d))), 1e-5)))
	y := m.must(G.BroadcastHadamardDiv(d, std, nil, []byte{1}))
	y = m.must(G.BroadcastHadamardProd(y, m.param(at+"weight"), nil, []byte{0}))
	return m.must(G.BroadcastAdd(y, m.param(at+"bias"), nil, []byte{0}))
}

// attention computes the packed projection as three products: c_attn.weight times a matrix that picks the columns.
// Gorgonia's slices are views, and its Reshape reads views wrongly.
func (m *peer) attention(at string, x *G.Node, b, t, nh int) *G.Node {
	c := x.Shape()[1]
	qkv := m.linear(at+"c_attn.", x)
	head := func(third int, axes ...int) *G.Node {
		pick := make([]float64, 3*c*c)
		for i := range c {
			pick[(third*c+i)*c+i] = 1
		}
		v := tensor.New(tensor.WithShape(3*c, c), tensor.WithBacking(pick))
		p := G.NewMatrix(m.g, G.Float64, G.WithName("pick "+string(rune('0'+third))), G.WithShape(3*c, c), G.WithValue(v))
		return m.must(G.Transpose(m.shape(m.must(G.Mul(qkv, p)), b, t, nh, c/nh), axes...))
	}
	hs := c / nh
	q := m.shape(head(0, 0, 2, 1, 3), b*nh, t, hs)
	k := m.shape(head(1, 0, 2, 3, 1), b*nh, hs, t)
	v := m.shape(head(2, 0, 2, 1, 3), b*nh, t, hs)
	future := make([]float64, b*nh*t*t)
	for i := range future {
		if i%t > i/t%t {
			future[i] = -1e9
		}
	}
	mask := G.NewTensor(m.g, G.Float64, 3, G.WithName("mask"), G.WithShape(b*nh, t, t),
		G.WithValue(tensor.New(tensor.WithShape(b*nh, t, t), tensor.WithBacking(future))))
	s := m.must(G.Add(m.scale(m.must(G.BatchedMatMul(q, k)), 1/math.Sqrt(float64(hs))), mask))
	w := m.shape(m.must(G.SoftMax(m.shape(s, b*nh*t, t), 1)), b*nh, t, t)
	y := m.must(G.Transpose(m.shape(m.must(G.BatchedMatMul(w, v)), b, nh, t, hs), 0, 2, 1, 3))
	return m.linear(at+"c_proj.", m.shape(y, b*t, c))
}

func (m *peer) gelu(x *G.Node) *G.Node {
	u := m.scale(m.must(G.Add(x, m.scale(m.must(G.Cube(x)), 0.044715))), math.Sqrt(2/math.Pi))
	return m.must(G.HadamardProd(m.scale(x, 0.5), m.plus(m.must(G.Tanh(u)), 1)))
}

// peers are networks of ours on x (…, C), each with the same in Gorgonia's ops on rows.
var peers = []struct {
	name  string
	ours  nn.Layer
	shape []int
	same  func(m *peer, x *G.Node) *G.Node
}{
	{"mlp", nn.Sequential{nn.Linear{Out: 5}, nn.Tanh, nn.Linear{Out: 4}, nn.Sigmoid, nn.Linear{Out: 2}}, []int{6, 3}, func(m *peer, x *G.Node) *G.Node {
		h := m.must(G.Sigmoid(m.linear("2.", m.must(G.Tanh(m.linear("0.", x))))))
		return m.linear("4.", h)
	}},
	{"block", gpt2Block(true), []int{2, 5, 8}, func(m *peer, x *G.Node) *G.Node {
		x = m.must(G.Add(x, m.attention("attn.", m.norm("ln_1.", x), 2, 5, 4)))
		h := m.gelu(m.linear("mlp.c_fc.", m.norm("ln_2.", x)))
		return m.must(G.Add(x, m.linear("mlp.c_proj.", h)))
	}},
}

// TestGorgonia compares outputs and all gradients of Σ y·r with the same networks in Gorgonia's own ops.
func TestGorgonia(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	for _, r := range peers {
		t.Run(r.name, func(t *testing.T) {
			params := nn.NewParams(graph.Float64)
			s := nn.NewScope(graph.New(), params, nn.Train)
			in := s.Input("x", graph.Of(graph.Float64, r.shape...))
			y := r.ours.Forward(s, in)
			w := s.Input("r", y.Meta())
			names, wrt := []string{"x"}, []*graph.Node{in}
			for _, p := range params.All() {
				names, wrt = append(names, p.Name), append(wrt, s.Declared()[p.Name])
			}
			s.Output("y", y)
			for i, d := range s.Grad(s.Sum(s.Mul(y, w)), wrt...) {
				s.Output("d"+names[i], d)
			}
			vals := map[string]graph.Buf{}
			for i, n := range append(wrt, w) {
				b, rnd := graph.NewBuf(n.Meta()), nn.NewRand(5, n.Name())
				for k := range b.Size() {
					graph.Data[float64](b)[k] = 0.5 * rnd.Normal(k, i)
				}
				vals[n.Name()] = b
			}
			prog := filled(t, x, s, func(name string) graph.Buf { return vals[name] })
			if err := prog.Run(map[string]any{"x": graph.Dense(vals["x"]), "r": graph.Dense(vals["r"])}, graph.Scalars{}); err != nil {
				t.Fatal(err)
			}
			m := &peer{t, G.NewGraph(), map[string]*G.Node{}, vals}
			m.compare(prog, names, r.same(m, m.param("x")))
		})
	}
}

// compare runs the peer and compares.
func (m *peer) compare(prog plan.Program, names []string, y *G.Node) {
	m.t.Helper()
	loss := m.must(G.Sum(m.must(G.HadamardProd(y, m.param("r")))))
	var wrt G.Nodes
	for _, name := range names {
		wrt = append(wrt, m.p[name])
	}
	grads, err := G.Grad(loss, wrt...)
	if err != nil {
		m.t.Fatal(err)
	}
	values := make([]G.Value, len(grads)+1)
	for i, n := range append(grads, y) {
		G.Read(n, &values[i])
	}
	vm := G.NewTapeMachine(m.g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		m.t.Fatal(err)
	}
	for i, v := range values {
		name := "y"
		if i < len(names) {
			name = "d" + names[i]
		}
		d, err := prog.Read(name)
		if err != nil {
			m.t.Fatal(err)
		}
		want, _ := v.Data().([]float64)
		if len(want) != d.Shape().TotalSize() {
			m.t.Fatalf("%s: %d elements, want %v", name, len(want), d.Shape())
		}
		got, _ := d.Data().([]float64)
		equal(goldentest.Golden{T: m.t, Atol: 1e-11, Rtol: 1e-9}, name, got, want)
	}
}
