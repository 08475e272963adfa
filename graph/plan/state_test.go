package plan_test

import (
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// stateful compiles a graph with a parameter w and a cache k, named so, against s.
func stateful(t *testing.T, x plan.Executor, s plan.State, w, k string) {
	t.Helper()
	g := graph.New()
	a := g.State(w, graph.Of(graph.Float32, 2), graph.Param)
	b := g.State(k, graph.Of(graph.Float32, 2), graph.Cache)
	g.Output("y", g.Add(a, b))
	p, err := plan.New(g, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Compile(p, s); err != nil {
		t.Fatal(err)
	}
}

// TestShare: the values of the common kind are one in both states, whoever added them; those of other kinds are apart.
func TestShare(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	s := x.NewState()
	stateful(t, x, s, "w", "k")
	child := s.Share(graph.Param)
	grandchild := child.Share(graph.Param)
	stateful(t, x, grandchild, "v", "k")
	for name, c := range map[string]struct {
		s             plan.State
		params, cache []string
	}{"s": {s, []string{"w", "v"}, []string{"k"}}, "child": {child, []string{"w", "v"}, nil}, "grandchild": {grandchild, []string{"w", "v"}, []string{"k"}}} {
		if got := c.s.Names(graph.Param); !slices.Equal(got, c.params) {
			t.Errorf("%s: params %v, want %v", name, got, c.params)
		}
		if got := c.s.Names(graph.Cache); !slices.Equal(got, c.cache) {
			t.Errorf("%s: caches %v, want %v", name, got, c.cache)
		}
	}
	write := func(s plan.State, name string, v float32) {
		t.Helper()
		err := s.Fill(name, func(b graph.Buf) error { graph.Data[float32](b)[1] = v; return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func(s plan.State, name string) float32 {
		t.Helper()
		d, err := s.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		return d.Data().([]float32)[1]
	}
	write(grandchild, "w", 3)
	write(s, "v", 4)
	write(s, "k", 5)
	write(grandchild, "k", 6)
	for _, c := range []struct {
		s    plan.State
		name string
		want float32
	}{{s, "w", 3}, {child, "w", 3}, {child, "v", 4}, {grandchild, "v", 4}, {s, "k", 5}, {grandchild, "k", 6}} {
		if got := read(c.s, c.name); got != c.want {
			t.Errorf("%s is %g, want %g", c.name, got, c.want)
		}
	}
	if _, err := child.Read("k"); !errors.Is(err, plan.ErrName) {
		t.Errorf("a cache of the parent: %v, want ErrName", err)
	}
	if err := s.Fill("none", nil); !errors.Is(err, plan.ErrName) {
		t.Errorf("Fill of a value that is not there: %v, want ErrName", err)
	}
	if err := s.Fill("w", func(graph.Buf) error { return errors.New("no room") }); err == nil || err.Error() != `state "w": no room` {
		t.Errorf("Fill that fails: %v", err)
	}
}

// scaled compiles y = exp(w·x)·Σ exp(w·x) of n numbers against s.
func scaled(t *testing.T, x plan.Executor, s plan.State, n int, o plan.Options) plan.Program {
	t.Helper()
	g := graph.New()
	in := g.Input("x", graph.Of(graph.Float32, n))
	w := g.State("w", graph.Of(graph.Float32), graph.Param)
	y := g.Exp(g.Mul(in, w))
	g.Output("y", g.Mul(y, g.Sum(y)))
	p, err := plan.New(g, o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x.Compile(p, s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestShared: programs that share the memory of their activations compute what they do alone, whichever ran before.
// That holds too when a larger one is compiled after them.
func TestShared(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	shared, alone := x.NewState(), x.NewState()
	programs := map[int][2]plan.Program{}
	for i, n := range []int{3, 5, 500, 4, 3, 5, 7000, 3, 500, 5} {
		if programs[n][0] == nil {
			programs[n] = [2]plan.Program{scaled(t, x, shared, n, plan.Options{Shared: true}), scaled(t, x, alone, n, plan.Options{})}
		}
		if i == 0 {
			for _, s := range []plan.State{shared, alone} {
				if err := s.Fill("w", func(b graph.Buf) error { graph.Data[float32](b)[0] = 0.25; return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
		v := make([]float32, n)
		for j := range v {
			v[j] = float32(j%7) - float32(i)
		}
		var got [2][]float32
		for k, p := range programs[n] {
			if err := p.Run(map[string]any{"x": v}, graph.Scalars{}); err != nil {
				t.Fatal(err)
			}
			d, err := p.Read("y")
			if err != nil {
				t.Fatal(err)
			}
			got[k] = d.Data().([]float32)
		}
		if !slices.Equal(got[0], got[1]) {
			t.Fatalf("run %d of %d numbers: %v, alone %v", i, n, got[0][:3], got[1][:3])
		}
	}
	v := make([]float32, 7000)
	for j, n := range []int{3, 7000} { // the memory is one, also for the program that came before it grew
		if err := programs[n][0].Run(map[string]any{"x": v[:n]}, graph.Scalars{}); err != nil {
			t.Fatal(err)
		}
		d, err := programs[3][0].Read("y")
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Data().([]float32); (got[0] == 3) != (j == 0) {
			t.Errorf("after the run of %d numbers that of 3 reads %v", n, got)
		}
	}
}
