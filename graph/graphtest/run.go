package graphtest

import (
	"bytes"
	"math"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// The tolerance of float32 against float64: |got − want| ≤ Atol + Rtol·|want|.
const (
	Atol = 1e-5
	Rtol = 1e-4
)

// T is what a check needs of a *testing.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Run compares e in float32 with the float64 meaning of every row: its results and its gradients.
// A row that e does not support, by an error that unsupported recognises, is skipped by name.
func Run(t *testing.T, e Evaluator, unsupported ...error) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Helper()
			want, err := reference(c, scalarsOf(e))
			if err != nil {
				t.Fatalf("%s: float64: %v", c.Name, err)
			}
			err = c.compare(t, e, want)
			for _, u := range unsupported {
				if errors.Is(err, u) {
					t.Skipf("%s: %v", c.Name, err)
				}
			}
			if err != nil {
				t.Fatalf("%s: float32: %v", c.Name, err)
			}
		})
	}
}

// RunCPU holds every row to all that the CPU promises, under each path of internal/vec. The float32 values agree with
// float64. Every op leaves its operands and what lies around them alone, writes all of its result, and allocates
// nothing. It gives equal bits when it runs in place, on rows apart, when parts are joined, and on 1, 2 and 4
// workers.
func RunCPU(t *testing.T) {
	pools := newPools()
	defer pools.close()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.runCPU(t, pools) })
	}
}

// Gradcheck compares the gradients of every row in float64 with central differences.
func Gradcheck(t *testing.T) {
	if Race {
		t.Skip("one goroutine: nothing for the race detector")
	}
	for _, c := range Cases() {
		if c.NoGrad == "" {
			t.Run(c.Name, func(t *testing.T) { c.gradcheck(t) })
		}
	}
}

// Check holds an op of the user's own to all that rows of the table are held to: see [RunCPU] and [Gradcheck]. The
// operands are floats of the given shapes, in float32 and float64, with elements between −2 and 2.
func Check(t T, op graph.Op, shapes ...graph.Shape) {
	t.Helper()
	c := Case{Name: graph.Describe(op), In: floats(shapes...), Build: func(g *G, x []*N) *N { return g.Apply(op, x...) }}
	CheckCase(t, c)
}

// CheckCase is [Check] for a row of the user's own, which may have other ranges, and ids among its operands.
func CheckCase(t T, c Case) {
	t.Helper()
	pools := newPools()
	defer pools.close()
	c.runCPU(t, pools)
	if c.NoGrad == "" {
		c.gradcheck(t)
	}
}

// reference is the meaning of a row: results and gradients in float64, one worker, every op watched.
func reference(c Case, s graph.Scalars) ([]graph.Buf, error) {
	pool := vec.NewPool(1)
	defer pool.Close()
	b, err := c.build(graph.Float64)
	if err != nil {
		return nil, err
	}
	e := Interpreter(pool)
	e.Scalars, e.watch = s, !Race
	return e.Eval(b.g, b.outputs(), b.in)
}

// scalarsOf are the step scalars of an evaluator that tells its own by a method StepScalars.
func scalarsOf(e Evaluator) graph.Scalars {
	if s, ok := e.(interface{ StepScalars() graph.Scalars }); ok {
		return s.StepScalars()
	}
	return defaultScalars
}

// compare evaluates c in float32.
func (c Case) compare(t T, e Evaluator, want []graph.Buf) error {
	t.Helper()
	b, err := c.build(graph.Float32)
	if err != nil {
		return err
	}
	got, err := e.Eval(b.g, b.outputs(), b.in)
	if err != nil {
		return err
	}
	c.agree(t, b, "", got, want)
	return nil
}

// agree reports the first element of each output that is off.
func (c Case) agree(t T, b *built, how string, got, want []graph.Buf) {
	t.Helper()
	for k := range want {
		g, w := Floats(got[k]), Floats(want[k])
		for i := range w {
			if !Close(g[i], w[i]) {
				t.Errorf("%s%s seed %d: %s[%d] of %v = %.9g, want %.9g", c.Name, how, c.seed(), b.label(k), i, want[k].Shape, g[i], w[i])
				break
			}
		}
	}
}

// Close reports whether a float32 value is as near to the float64 one as must be; NaN and the infinities must be met.
func Close(got, want float64) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return got == want || math.IsNaN(got) && math.IsNaN(want)
	}
	return math.Abs(got-want) <= Atol+Rtol*math.Abs(want)
}

// pools are of 1, 2 and 4 workers.
type pools []*vec.Pool

func newPools() pools { return pools{vec.NewPool(1), vec.NewPool(2), vec.NewPool(4)} }

func (p pools) close() {
	for _, q := range p {
		q.Close()
	}
}

func (c Case) runCPU(t T, pools pools) {
	t.Helper()
	want, err := reference(c, defaultScalars)
	if err != nil {
		t.Fatalf("%s seed %d: float64: %v", c.Name, c.seed(), err)
	}
	c.consult(t, want[0])
	b, err := c.build(graph.Float32)
	if err != nil {
		t.Fatalf("%s: float32: %v", c.Name, err)
	}
	old := vec.Current()
	defer func() { _ = vec.Use(old) }()
	paths := vec.Paths()
	if Race {
		paths = []vec.Path{old}
	}
	for _, p := range paths {
		if err := vec.Use(p); err != nil {
			t.Fatalf("%v", err)
		}
		c.runWorkers(t, b, " "+p.String(), pools, want)
	}
}

// consult compares the first result in float64 with the row's oracle.
func (c Case) consult(t T, y graph.Buf) {
	t.Helper()
	if c.Want == nil {
		return
	}
	x, got := c.draw(), Floats(y)
	size := 0.0
	for _, v := range x[0] {
		size = math.Max(size, math.Abs(v))
	}
	for i, want := range c.Want(c, y.Shape, x) {
		if !near(got[i], want, size) {
			t.Errorf("%s seed %d: y0[%d] of %v = %.17g, its oracle says %.17g", c.Name, c.seed(), i, y.Shape, got[i], want)
			return
		}
	}
}

// runWorkers evaluates on the current path with each number of workers.
func (c Case) runWorkers(t T, b *built, how string, pools pools, want []graph.Buf) {
	t.Helper()
	e := Interpreter(pools[0])
	e.watch = !Race
	first, err := e.Eval(b.g, b.outputs(), b.in)
	if err != nil {
		t.Errorf("%s%s seed %d: float32: %v", c.Name, how, c.seed(), err)
		return
	}
	c.agree(t, b, how, first, want)
	for _, pool := range pools[1:] {
		got, err := Interpreter(pool).Eval(b.g, b.outputs(), b.in)
		if err != nil {
			t.Errorf("%s%s, %d workers: %v", c.Name, how, pool.Workers(), err)
			return
		}
		for k := range got {
			if !bytes.Equal(got[k].Mem, first[k].Mem) {
				t.Errorf("%s%s seed %d: %s with %d workers has other bits than with 1", c.Name, how, c.seed(), b.label(k), pool.Workers())
			}
		}
	}
}

// Evaluate gives the row's float32 graph to e, and returns its error.
func (c Case) Evaluate(e Evaluator) error {
	b, err := c.build(graph.Float32)
	if err != nil {
		return err
	}
	_, err = e.Eval(b.g, b.outputs(), b.in)
	return err
}
