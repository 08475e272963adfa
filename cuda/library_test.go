package cuda

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
)

// withLibrary opens an executor whose emulated GPU has a cuBLASLt.
func withLibrary(t *testing.T, refuses ...string) (*Device, *directLt) {
	d := newDirect(emu.Options{})
	d.lt = newDirectLt(refuses...)
	x := openDirect(t, d)
	x.poison = true
	return x, d.lt
}

// libraryRows are products in all layouts, with all that goes with them. The first ones go to the library.
func libraryRows(rows int) (list []graphtest.Case) {
	const m, n, k = 19, 37, 65
	type mm = graph.MatMul
	for _, c := range []struct {
		op graph.MatMul
		in []shape
	}{
		{mm{}, []shape{{m, k}, {k, n}}},
		{mm{TransA: true}, []shape{{k, m}, {k, n}}},
		{mm{TransB: true, Bias: true}, []shape{{m, k}, {n, k}, {n}}},
		{mm{Bias: true, Acc: true}, []shape{{m, k}, {k, n}, {n}, {m, n}}},
		{mm{TransB: true, Bias: true, Act: graph.ActGELU}, []shape{{16, 64}, {48, 64}, {48}}}, // even enough for the fastest
		{mm{TransA: true, TransB: true, Acc: true, Act: graph.ActTanh}, []shape{{64, 16}, {48, 64}, {16, 48}}},
		{mm{}, []shape{{5, 3, k}, {k, n}}}, // rows of one product
		{mm{}, []shape{{2, 5, 3, k}, {2, 5, k, n}}},
		{mm{TransA: true, Acc: true}, []shape{{3, k, m}, {1, k, m}, {3, m, m}}},
		{mm{Bias: true, Act: graph.ActReLU}, []shape{{1, 9, k}, {4, k, n}, {n}}},
		{mm{}, []shape{{9, 1}, {1, 5}}},
		{mm{TransB: true}, []shape{{9, 5}, {1, 5}}},
		// These do not lie evenly, or have few rows.
		{mm{}, []shape{{2, 1, 3, k}, {1, 4, k, n}}},
		{mm{}, []shape{{7, k}, {k, n}}},
	}[:rows] {
		row := productRow(c.op, c.in)
		for _, s := range c.in {
			row.Name += " " + graph.Of(graph.Float32, s...).String()
		}
		list = append(list, row)
	}
	return list
}

const taken, allRows = 12, 14

// TestLibraryProducts: what the library computes is the CPU's, also where it has no epilogue for a bias.
func TestLibraryProducts(t *testing.T) {
	cpu := plan.CPU(1)
	defer cpu.Close()
	for _, refuses := range [][]string{nil, {"bias"}} {
		x, lt := withLibrary(t, refuses...)
		p := pair{graphtest.Planned(cpu, cpu.Options()), graphtest.Planned(x, x.Options()), false}
		for i, row := range libraryRows(allRows) {
			before := lt.runs
			if err := row.Evaluate(p); err != nil {
				t.Errorf("%s: %v", row.Name, err)
			}
			if (lt.runs > before) != (i < taken) {
				t.Errorf("%s: %d products of the library", row.Name, lt.runs-before)
			}
		}
	}
}

// TestLibraryGuarded: a product that is added to a state is the library's, and a guard keeps it from the state.
func TestLibraryGuarded(t *testing.T) {
	x, lt := withLibrary(t)
	g := graph.New()
	a := g.Input("a", graph.Of(graph.Float32, 16, 16))
	w := g.State("w", graph.Of(graph.Float32, 16, 16), graph.Param)
	total := g.Sum(a)
	g.Guard(total)
	g.Assign(w, g.Apply(graph.MatMul{Acc: true}, g.Div(a, total), a, w)) // behind the guard
	p, err := plan.New(g, x.Options())
	if err != nil {
		t.Fatal(err)
	}
	last := &p.Steps[len(p.Steps)-1]
	if graph.OpName(last.Op) != "MatMul" || !last.Guarded {
		t.Fatalf("the product is not guarded:\n%v", p)
	}
	s := x.NewState()
	defer s.Close()
	prog, err := x.Compile(p, s)
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	in := make([]float32, 256)
	for i := range in {
		in[i] = 1
	}
	for run, want := range []float32{1. / 16, 1. / 8, 1. / 8} {
		if run == 2 {
			in[3] = float32(math.Inf(1))
		}
		if err := prog.Run(map[string]any{"a": in}, graph.Scalars{}); err != nil {
			t.Fatal(err)
		}
		if _, err := prog.Read("w"); (err != nil) != (run == 2) {
			t.Errorf("run %d: %v", run, err)
		}
		if v := weights(t, s); v[0] != want {
			t.Errorf("run %d: %g, want %g", run, v[0], want)
		}
	}
	if lt.runs != 3 {
		t.Errorf("%d products of the library in 3 runs", lt.runs)
	}
}

// TestChoose: choices are taken again on the same device, and on another one nothing is.
func TestChoose(t *testing.T) {
	row := libraryRows(1)[0]
	first, _ := withLibrary(t)
	if err := row.Evaluate(graphtest.Planned(first, first.Options())); err != nil {
		t.Fatal(err)
	}
	kept, n, err := first.Choices()
	if err != nil || n != 1 || !strings.Contains(string(kept), `"19x37x65": {`) {
		t.Fatalf("%d choices, error %v: %s", n, err, kept)
	}
	var c choices
	if err := json.Unmarshal(kept, &c); err != nil {
		t.Fatal(err)
	}
	c.Products["19x37x65"] = way{Kernel: ownKernel}
	changed, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	again, lt := withLibrary(t)
	if differs, err := again.Choose(changed); differs != "" || err != nil {
		t.Fatalf("the same device differs: %q, error %v", differs, err)
	}
	if err := row.Evaluate(graphtest.Planned(again, again.Options())); err != nil || lt.runs != 0 {
		t.Errorf("the library was asked %d times where a kernel was chosen, error %v", lt.runs, err)
	}
	other := newEmulated(t)
	if differs, err := other.Choose(kept); !strings.Contains(differs, "no cuBLASLt") || err != nil {
		t.Errorf("a device without the library: %q, error %v", differs, err)
	}
	for _, bad := range []string{"{", `{"products": {"1x1x1": {"kernel": "gemm"}}}`, `{"products": {"1x1x1": {"kernel": "cublasLt", "algorithm": "12"}}}`} {
		if _, err := again.Choose([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// A clock is a driver whose events tell how much time the work before them took: that of a product, or of a kernel.
type clock struct {
	*direct
	now, product, kernel time.Duration
}

func (c *clock) about() about {
	a := c.direct.about()
	a.kind = "cuda"
	return a
}

func (c *clock) launch(f function, l bound) error {
	c.now += c.kernel
	return c.direct.launch(f, l)
}

func (c *clock) multiply(q prepared, l bound) error {
	c.now += c.product
	return c.direct.multiply(q, l)
}

func (c *clock) event() (event, error) { return new(time.Duration), nil }

func (c *clock) record(_ stream, e event) error {
	*e.(*time.Duration) = c.now
	return nil
}

func (c *clock) since(from, to event) (time.Duration, error) {
	return *to.(*time.Duration) - *from.(*time.Duration), nil
}

// TestFastest: on a GPU a product takes the way that was faster, and it is measured once.
func TestFastest(t *testing.T) {
	for want, took := range map[string][2]time.Duration{libraryKernel: {1, 2}, ownKernel: {2, 1}} {
		c := &clock{direct: newDirect(emu.Options{}), product: took[0], kernel: took[1]}
		c.lt = newDirectLt()
		x, err := open(newThread(), c)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range libraryRows(taken) {
			if err := row.Evaluate(graphtest.Planned(x, x.Options())); err != nil {
				t.Errorf("%s: %v", row.Name, err)
			}
		}
		for key, w := range x.chosen.Products {
			// What the library leaves out takes a kernel more.
			if w.Kernel != want && !(strings.Contains(key, "act") && took[0] < took[1]) {
				t.Errorf("%s: %s, want %s", key, w.Kernel, want)
			}
		}
		before := c.lt.runs
		for _, row := range libraryRows(taken) {
			if err := row.Evaluate(graphtest.Planned(x, x.Options())); err != nil {
				t.Errorf("%s: %v", row.Name, err)
			}
		}
		if n := c.lt.runs - before; n > taken || want == ownKernel && n > 0 {
			t.Errorf("%d products of the library in a second turn of %d rows", n, taken)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
		if n, _ := c.dev.Allocations(); n != 0 {
			t.Errorf("%d allocations are left", n)
		}
	}
}
