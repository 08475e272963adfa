package cuda

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/loss"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// regression is a step of gradient descent on Σ (w·x − y)²; the loss is its guard.
func regression(t *testing.T, x *Device) (plan.Program, plan.State) {
	t.Helper()
	g := graph.New()
	in, y := g.Input("x", graph.Of(graph.Float32, 3)), g.Input("y", graph.Of(graph.Float32, 3))
	w := g.State("w", graph.Of(graph.Float32, 3), graph.Param)
	l := loss.MSE(g, g.Mul(w, in), y)
	dw := g.Grad(l, w)[0]
	p, _ := g.SGD(graph.SGD{}, w, dw, nil, g.Full(graph.Of(graph.Float32), 1))
	g.Assign(w, p)
	g.Guard(l)
	g.Output("loss", l)
	pl, err := plan.New(g, x.Options())
	if err != nil {
		t.Fatal(err)
	}
	s := x.NewState()
	prog, err := x.Compile(pl, s)
	if err != nil {
		t.Fatal(err)
	}
	return prog, s
}

// good and bad are inputs of a run: the loss of bad is not finite.
func good(i int) map[string]any {
	return map[string]any{"x": []float32{1, 2, float32(i)}, "y": []float32{2, 1, 0}}
}

func bad() map[string]any {
	return map[string]any{"x": []float32{1, 1, 1}, "y": []float32{0, float32(math.NaN()), 0}}
}

func step(i int) graph.Scalars { return graph.Scalars{Step: int64(i), Micro: int64(i), LR: 0.01} }

// weights reads w.
func weights(t *testing.T, s plan.State) []float32 {
	t.Helper()
	d, err := s.Read("w")
	if err != nil {
		t.Fatal(err)
	}
	return d.Data().([]float32)
}

// TestLate: a run whose guard is not finite changes nothing, and the next call that waits reports it. The runs behind
// it have no effect. Its loss can be read, and what comes after the report works.
func TestLate(t *testing.T) {
	x := newEmulated(t)
	for _, behind := range []int{0, 1} {
		prog, s := regression(t, x)
		if err := prog.Run(good(1), step(1)); err != nil {
			t.Fatal(err)
		}
		before := weights(t, s)
		if slices.Equal(before, []float32{0, 0, 0}) {
			t.Fatal("a good run changes nothing")
		}
		if err := prog.Run(bad(), step(2)); err != nil {
			t.Fatalf("the failing run itself: %v", err)
		}
		_, err := prog.Scalar("loss")
		if behind == 1 {
			if err == nil {
				t.Fatal("no error of the failing run")
			}
			if err = prog.Run(bad(), step(2)); err != nil {
				t.Fatal(err)
			}
			err = prog.Run(good(3), step(3))
		}
		var late *plan.LateError
		var guard *plan.NotFiniteError
		if !errors.As(err, &late) || !errors.As(err, &guard) || late.Scalars != step(2) || late.Program != prog {
			t.Fatalf("%v, want the guard of step 2", err)
		}
		if v, err := prog.Scalar("loss"); err != nil || !math.IsNaN(v) {
			t.Errorf("the loss of the failed run is %g, %v", v, err)
		}
		if after := weights(t, s); !slices.Equal(after, before) {
			t.Errorf("the state has changed from %v to %v", before, after)
		}
		if err := prog.Run(good(1), step(2)); err != nil {
			t.Fatal(err)
		}
		if slices.Equal(weights(t, s), before) {
			t.Error("a good run behind it changes nothing")
		}
		for _, c := range []interface{ Close() error }{prog, prog, s, s} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestClosed: any use after Close is ErrClosed.
func TestClosed(t *testing.T) {
	x := newEmulated(t)
	prog, s := regression(t, x)
	child := s.Share(graph.Param)
	if err := prog.Close(); err != nil {
		t.Fatal(err)
	}
	uses := func() []error {
		_, read := prog.Read("loss")
		_, scalar := prog.Scalar("loss")
		_, timed := prog.Time(good(1), step(1))
		return []error{prog.Run(good(1), step(1)), prog.Trace(good(1), step(1)), read, scalar, timed}
	}
	for i, err := range uses() {
		if !errors.Is(err, plan.ErrClosed) {
			t.Errorf("use %d of a closed program: %v", i, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []plan.State{s, child} {
		_, read := s.Read("w")
		fill := s.Fill("w", func(graph.Buf) error { return nil })
		_, compile := x.Compile(prog.Plan(), s)
		for i, err := range []error{read, fill, compile} {
			if !errors.Is(err, plan.ErrClosed) {
				t.Errorf("use %d of a closed state: %v", i, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestIDs: an id outside its table is refused on the host, by the input's name.
func TestIDs(t *testing.T) {
	x := newEmulated(t)
	g := graph.New()
	ids, table := g.Input("ids", graph.Of(graph.Int32, 4)), g.Input("table", graph.Of(graph.Float32, 5, 2))
	g.Output("y", g.Embedding(g.Reshape(ids, 2, 2), table))
	p, err := plan.New(g, x.Options())
	if err != nil {
		t.Fatal(err)
	}
	s := x.NewState()
	defer s.Close()
	prog, err := x.Compile(p, s)
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	for _, id := range []int32{-1, 5} {
		err := prog.Run(map[string]any{"ids": []int32{0, 4, id, 1}, "table": make([]float32, 10)}, step(1))
		if err == nil || !strings.Contains(err.Error(), `input "ids": id`) {
			t.Errorf("id %d: %v", id, err)
		}
	}
	if err := prog.Run(map[string]any{"ids": []int32{0, 4, 2, 1}, "table": make([]float32, 10)}, step(1)); err != nil {
		t.Error(err)
	}
}

// TestForeign: an op without a kernel is refused by name before anything runs.
func TestForeign(t *testing.T) {
	x := newEmulated(t)
	g := graph.New()
	g.Output("y", g.Exp(g.Input("x", graph.Of(graph.Float64, 3))))
	if _, err := plan.New(g, x.Options()); !errors.Is(err, plan.ErrUnsupported) || !strings.Contains(err.Error(), "Exp") {
		t.Errorf("float64: %v", err)
	}
}

// TestTime: a timed run has a time for each step. One whose guard is not finite is an error, and changes nothing.
func TestTime(t *testing.T) {
	prog, s := regression(t, newEmulated(t))
	took, err := prog.Time(good(1), step(1))
	if err != nil || len(took) != len(prog.Plan().Steps) {
		t.Fatalf("%d times of %d steps, %v", len(took), len(prog.Plan().Steps), err)
	}
	before := weights(t, s)
	var guard *plan.NotFiniteError
	if _, err := prog.Time(bad(), step(2)); !errors.As(err, &guard) {
		t.Errorf("%v, want the guard's error", err)
	}
	if after := weights(t, s); !slices.Equal(after, before) {
		t.Errorf("the state has changed from %v to %v", before, after)
	}
	if err := prog.Run(good(2), step(2)); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(weights(t, s), before) {
		t.Error("a good run behind it changes nothing")
	}
	for _, c := range []interface{ Close() error }{prog, s} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestTraceNames: Trace names the first step with a result that is not finite, and its scope. It leaves the state
// alone.
func TestTraceNames(t *testing.T) {
	for _, library := range []bool{false, true} {
		x := newEmulated(t)
		if library {
			x, _ = withLibrary(t)
		}
		g := graph.New()
		in := g.Input("x", graph.Of(graph.Float32, 16, 16))
		w := g.State("w", graph.Of(graph.Float32, 16, 16), graph.Param)
		g.SetScope("h.0.mlp")
		y := g.MatMul(in, in)
		g.SetScope("h.1.mlp")
		z := g.Log(y)
		g.Assign(w, g.Exp(z))
		o := x.Options()
		o.NoFuse, o.NoAlias = true, true
		p, err := plan.New(g, o)
		if err != nil {
			t.Fatal(err)
		}
		s := x.NewState()
		prog, err := x.Compile(p, s)
		if err != nil {
			t.Fatal(err)
		}
		for bad, want := range map[float32]string{1: "", -1: "h.1.mlp: Log gives NaN", float32(math.Inf(1)): "h.0.mlp: MatMul gives +Inf"} {
			v := make([]float32, 256)
			for i := range v {
				v[i] = 1
			}
			v[0] = bad * bad * bad
			if bad < 0 {
				v[1] = -100
			}
			err := prog.Trace(map[string]any{"x": v}, step(1))
			var first *plan.NotFiniteError
			if want == "" && err != nil || want != "" && (!errors.As(err, &first) || first.Error() != want) {
				t.Errorf("x[0] is %g: %v, want %q", bad, err, want)
			}
			if w := weights(t, s); w[0] != 0 {
				t.Errorf("Trace changes the state to %g", w[0])
			}
		}
		for _, c := range []interface{ Close() error }{prog, s} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
