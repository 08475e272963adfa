package nn_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
)

func scope(params *nn.Params, mode nn.Mode) *nn.Scope { return nn.NewScope(graph.New(), params, mode) }

// TestScopeErrors: what a row builds on x (2, 6) fails with an error that says all of its words.
func TestScopeErrors(t *testing.T) {
	for _, r := range []struct {
		name  string
		build func(s *nn.Scope, x *graph.Node)
		words []string
	}{
		{"twice", func(s *nn.Scope, _ *graph.Node) {
			s.Param("w", nn.Zeros, 2)
			s.Param("w", nn.Zeros, 2)
		}, []string{`Param "w"`, "declared twice", "Shared"}},
		{"twice in a child", func(s *nn.Scope, x *graph.Node) {
			s.Call("fc", nn.Linear{Out: 2}, x)
			s.Call("fc", nn.Linear{Out: 2}, x)
		}, []string{`"fc.weight"`, "declared twice"}},
		{"name of an input", func(s *nn.Scope, _ *graph.Node) { s.Param("x", nn.Zeros, 2) }, []string{`"x"`, "in use"}},
		{"shared early", func(s *nn.Scope, _ *graph.Node) { s.Shared("wte.weight") }, []string{`Shared "wte.weight"`, "no Param"}},
		{"nil layer", func(s *nn.Scope, x *graph.Node) { s.Call("fc", nil, x) }, []string{`"fc"`, "nil"}},
		{"nil function", func(s *nn.Scope, x *graph.Node) { s.Within("user", nil) }, []string{`Within "user"`, "nil"}},
		{"error within", func(s *nn.Scope, x *graph.Node) {
			s.Within("user", func(s *nn.Scope) *graph.Node { return s.Call("fc", nn.Linear{}, x) })
		}, []string{"user.fc"}},
		{"zero activation", func(s *nn.Scope, x *graph.Node) { s.Call("act", nn.Activation{}, x) }, []string{"act", "Func"}},
		{"linear out", func(s *nn.Scope, x *graph.Node) { s.Call("fc", nn.Linear{}, x) }, []string{"fc"}},
		{"targets", func(s *nn.Scope, x *graph.Node) {
			nn.MSE{}.Loss(s, x, s.Input("t", graph.Of(graph.Float32, 5)))
		}, []string{"loss", "[2 6]", "[5]"}},
		{"after an error", func(s *nn.Scope, x *graph.Node) {
			s.Call("a", nn.Linear{Out: -1}, x)
			s.Call("b", branch{}, nil)
			nn.CrossEntropy{}.Loss(s, nil, nil)
		}, []string{"a"}},
	} {
		s := scope(nn.NewParams(graph.Float32), nn.Train)
		r.build(s, s.Input("x", graph.Of(graph.Float32, 2, 6)))
		if s.Err() == nil {
			t.Errorf("%s: no error", r.name)
			continue
		}
		for _, w := range r.words {
			if !strings.Contains(s.Err().Error(), w) {
				t.Errorf("%s: the error does not say %q: %v", r.name, w, s.Err())
			}
		}
	}
}

// TestScopeAgain: a model built into a second graph finds its parameters; with other shapes it is an error.
func TestScopeAgain(t *testing.T) {
	params := nn.NewParams(graph.Float32)
	net := nn.Sequential{nn.Linear{Out: 3}, nn.Tanh, nn.Linear{Out: 1}}
	names := []string{"0.weight", "0.bias", "2.weight", "2.bias"}
	for _, batch := range []int{4, 1} {
		s := scope(params, nn.Eval)
		net.Forward(s, s.Input("x", graph.Of(graph.Float32, batch, 2)))
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		if len(params.All()) != len(names) || len(s.Declared()) != len(names) {
			t.Fatalf("batch %d: %d parameters, %d in the graph; want %d", batch, len(params.All()), len(s.Declared()), len(names))
		}
		for i, p := range params.All() {
			if p.Name != names[i] {
				t.Errorf("batch %d: parameter %d is %q, want %q", batch, i, p.Name, names[i])
			}
		}
	}
	s := scope(params, nn.Eval)
	net.Forward(s, s.Input("x", graph.Of(graph.Float32, 4, 5)))
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "0.weight") || !strings.Contains(err.Error(), "[2 3]") {
		t.Errorf("another width: %v", err)
	}
}

// branch adds a layer's result, with dropout, to its operand.
type branch struct{}

func (branch) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	return s.Add(x, s.Call("fc_drop", nn.Dropout{P: 0.1}, s.Call("fc", nn.Linear{Out: x.Dim(-1)}, x)))
}

// TestScopePath: nodes carry the path of the layer that made them, those after a Call the path around it.
func TestScopePath(t *testing.T) {
	s := scope(nn.NewParams(graph.Float32), nn.Train)
	y := s.Call("h.0", branch{}, s.Input("x", graph.Of(graph.Float32, 2, 3, 8)))
	z := s.Neg(y)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if y.Scope() != "h.0" || z.Scope() != "" {
		t.Errorf("the last sum is in scope %q, the node after it in %q; want h.0 and none", y.Scope(), z.Scope())
	}
	if d := y.Operands()[1].Scope(); d != "h.0.fc_drop" {
		t.Errorf("its dropout is in scope %q", d)
	}
	for name, n := range s.Declared() {
		if !strings.HasPrefix(name, n.Scope()+".") {
			t.Errorf("%s is declared in scope %q", name, n.Scope())
		}
	}
}

// TestDropoutModes: dropout acts in mode Train alone, and its layers draw different numbers.
func TestDropoutModes(t *testing.T) {
	for _, mode := range []nn.Mode{nn.Train, nn.Eval, nn.Generate} {
		s := scope(nn.NewParams(graph.Float32), mode)
		x := s.Input("x", graph.Of(graph.Float32, 4))
		a, b := s.Call("a", nn.Dropout{P: 0.5}, x), s.Call("b", nn.Dropout{P: 0.5}, x)
		if drops := a != x && b != x && a != b; drops != (mode == nn.Train) {
			t.Errorf("mode %d: a, b are %v, %v", mode, a, b)
		}
	}
}

// TestFreeze: patterns hold for parameters declared before and after, and a bad one is an error.
func TestFreeze(t *testing.T) {
	params := nn.NewParams(graph.Float32)
	s := scope(params, nn.Train)
	x := s.Input("x", graph.Of(graph.Float32, 1, 2))
	x = s.Call("a", nn.Linear{Out: 2}, x)
	if err := params.Freeze("a.*", "*.bias"); err != nil {
		t.Fatal(err)
	}
	s.Call("b", nn.Linear{Out: 3}, x)
	for name, frozen := range map[string]bool{"a.weight": true, "a.bias": true, "b.weight": false, "b.bias": true} {
		if p := params.Get(name); p == nil || p.Frozen != frozen {
			t.Errorf("%s: %+v, want frozen %v", name, p, frozen)
		}
	}
	if all, train := params.Count(); all != 15 || train != 6 {
		t.Errorf("counts %d and %d, want 15 and 6", all, train)
	}
	if err := params.Freeze("[a"); err == nil {
		t.Error("pattern [a: no error")
	}
}

// tied is a model whose head is its embedding, with a parameter of its own.
func tied(s *nn.Scope, ids *graph.Node) *graph.Node {
	x := s.Mul(s.Call("wte", nn.Embedding{Vocab: 10, Dim: 4}, ids), s.Param("scale", nn.Ones, 4))
	x = s.Call("h", nn.Sequential{nn.Linear{Out: 8, NoBias: true}, nn.GELU, nn.Linear{Out: 4}}, x)
	return s.MatMulT(x, s.Shared("wte.weight"))
}

const tiedSummary = `layer    type        output   params                 bytes
(model)                       4       trainable      
wte      Embedding   [2 3 4]  40      trainable      96
h        Sequential  [2 3 4]  0                      96
h.0      Linear      [2 3 8]  32      trainable      192
h.1      GELU        [2 3 8]  0                      192
h.2      Linear      [2 3 4]  36      partly frozen  96
parameters: 112, trainable: 108, frozen: 4, bytes: 448
`

func TestSummary(t *testing.T) {
	params := nn.NewParams(graph.Float32)
	if err := params.Freeze("h.2.bias"); err != nil {
		t.Fatal(err)
	}
	s := scope(params, nn.Train)
	tied(s, s.Input("ids", graph.Of(graph.Int32, 2, 3)))
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := nn.Summary(&b, s); err != nil {
		t.Fatal(err)
	}
	if b.String() != tiedSummary {
		t.Errorf("got\n%s\nwant\n%s", &b, tiedSummary)
	}
}

const withinSummary = `layer     type    output  params             bytes
a                 [2 5]   0                  40
a.fc      Linear  [2 3]   9       trainable  24
a.b               [2 2]   4       trainable  16
a.b.tanh  Tanh    [2 2]   0                  16
parameters: 13, trainable: 13, frozen: 0, bytes: 52
`

// TestWithin: a part with two inputs has paths, parameters and a row of its own, and the scope around it goes on.
func TestWithin(t *testing.T) {
	s := scope(nn.NewParams(graph.Float32), nn.Train)
	x, z := s.Input("x", graph.Of(graph.Float32, 2, 2)), s.Input("z", graph.Of(graph.Float32, 2, 2))
	y := s.Within("a", func(s *nn.Scope) *graph.Node {
		u := s.Call("fc", nn.Linear{Out: 3}, x)
		v := s.Within("b", func(s *nn.Scope) *graph.Node {
			return s.Call("tanh", nn.Tanh, s.MatMul(z, s.Param("w", nn.Ones, 2, 2)))
		})
		return s.Concat(-1, u, v)
	})
	after := s.Neg(y)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if y.Scope() != "a" || after.Scope() != "" || s.Declared()["a.b.w"].Scope() != "a.b" || s.Declared()["a.fc.weight"] == nil {
		t.Errorf("scopes %q and %q, parameters %v", y.Scope(), after.Scope(), s.Declared())
	}
	var b bytes.Buffer
	if err := nn.Summary(&b, s); err != nil || b.String() != withinSummary {
		t.Errorf("%v, got\n%s\nwant\n%s", err, &b, withinSummary)
	}
}

// TestTied: the gradient of a tied weight is the sum over both of its uses, checked by a central difference.
func TestTied(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	params := nn.NewParams(graph.Float64)
	s := scope(params, nn.Train)
	logits := tied(s, s.Input("ids", graph.Of(graph.Int32, 2, 3)))
	loss, _ := nn.CrossEntropy{}.Loss(s, logits, s.Input("t", graph.Of(graph.Int32, 2, 3)))
	s.Output("loss", loss)
	s.Output("grad", s.Grad(loss, s.Declared()["wte.weight"])[0])
	var state plan.State
	prog := compile(t, x, s.Graph, func(st plan.State) {
		state = st
		if err := params.Fill(1, nil, func(name string, b graph.Buf) error { return st.Write(name, graph.Dense(b)) }); err != nil {
			t.Fatal(err)
		}
	})
	in := map[string]any{"ids": []int32{3, 1, 4, 1, 5, 9}, "t": []int32{1, 4, 1, 5, 9, 2}}
	at := func(b graph.Buf) float64 {
		write(t, state, "wte.weight", b)
		if err := prog.Run(in, graph.Scalars{}); err != nil {
			t.Fatal(err)
		}
		v, err := prog.Scalar("loss")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	w, err := params.Get("wte.weight").Value(1)
	if err != nil {
		t.Fatal(err)
	}
	at(w)
	d, err := prog.Read("grad")
	if err != nil {
		t.Fatal(err)
	}
	grad, v := d.Data().([]float64), graph.Data[float64](w)
	for i := range v {
		const h = 1e-5
		old := v[i]
		v[i] = old + h
		up := at(w)
		v[i] = old - h
		want := (up - at(w)) / (2 * h)
		v[i] = old
		if diff := grad[i] - want; diff > 1e-8 || diff < -1e-8 {
			t.Fatalf("grad[%d] = %.12g, the difference quotient is %.12g", i, grad[i], want)
		}
	}
}
