package cuda

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// pair evaluates on the CPU and on a device, and compares: bits, or within the tolerance of the table.
type pair struct {
	cpu, gpu graphtest.Evaluator
	bits     bool
}

// Eval implements graphtest.Evaluator.
func (p pair) Eval(g *graph.Graph, outputs []*graph.Node, in map[string]graph.Buf) ([]graph.Buf, error) {
	want, err := p.cpu.Eval(g, outputs, in)
	if err != nil {
		return nil, err
	}
	got, err := p.gpu.Eval(g, outputs, in)
	if err != nil {
		return nil, err
	}
	for k := range want {
		x, y := graphtest.Floats(got[k]), graphtest.Floats(want[k])
		for i := range y {
			if same := math.Float64bits(x[i]) == math.Float64bits(y[i]); !same && (p.bits || !graphtest.Close(x[i], y[i])) {
				return nil, errors.Errorf("output %d of %v: element %d is %g, on the CPU %g", k, want[k].Shape, i, x[i], y[i])
			}
		}
	}
	return got, nil
}

// shape is short for the operands of the rows below.
type shape = graph.Shape

// far are numbers that an elementwise function may not spoil.
var far = []float64{math.Inf(1), math.Inf(-1), math.NaN(), 0, 1e-42, -1e-42, 3e38, -3e38, 1e19, -1e19, 200, -200, 90, -90, 17, -17, 1, -1}

// farOf is a row of an elementwise op on far numbers; a second operand is drawn.
func farOf(op graph.Op, operands int) graphtest.Case {
	in := []graphtest.Operand{{Shape: shape{len(far)}, Values: far}, {Shape: shape{len(far)}}}[:operands]
	return graphtest.Case{Name: graph.Describe(op), In: in, NoGrad: "derivatives have rows of their own",
		Build: func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Apply(op, x...) }}
}

// pairOf runs on the CPU and on a device whose memory is poisoned.
func pairOf(t *testing.T, bits bool) pair {
	cpu, gpu := plan.CPU(1), newDevice(t)
	t.Cleanup(func() { _ = cpu.Close() })
	gpu.poison = true
	return pair{graphtest.Planned(cpu, cpu.Options()), graphtest.Planned(gpu, gpu.Options()), bits}
}

// TestFar: elementwise functions of very large and very small numbers, of infinities and of NaN are the CPU's.
func TestFar(t *testing.T) {
	p := pairOf(t, false)
	for operands, ops := range [][]graph.Op{
		1: {graph.Exp{}, graph.Log{}, graph.Sqrt{}, graph.Abs{}, graph.Tanh{}, graph.Sigmoid{}, graph.ReLU{}, graph.LeakyReLU{Slope: 0.1},
			graph.ELU{Alpha: 0.8}, graph.GELU{}, graph.GELUErf{}, graph.SiLU{}, graph.Softplus{}, graph.Pow{P: 3}, graph.Pow{P: -1},
			graph.Pow{P: 0.5}, graph.Pow{P: 1.5}, graph.Pow{P: -2}, graph.Pow{P: 0}},
		2: {graph.AbsGrad{}, graph.TanhGrad{}, graph.ReLUGrad{}, graph.LeakyReLUGrad{Slope: 0.1}, graph.ELUGrad{Alpha: 0.8}, graph.GELUGrad{},
			graph.GELUErfGrad{}, graph.SiLUGrad{}, graph.Maximum{}, graph.Minimum{}, graph.Heaviside{}, graph.Same{}, graph.Div{}},
	} {
		for _, op := range ops {
			if err := farOf(op, operands).Evaluate(p); err != nil {
				t.Errorf("%s: %v", graph.Describe(op), err)
			}
		}
	}
}

// TestBits: what moves elements, draws them or adds them up in one order has the bits of the CPU. There are more ids,
// groups and columns than one launch, one pass or one block takes.
func TestBits(t *testing.T) {
	p := pairOf(t, true)
	embed := func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Embedding(x[1], x[0]) }
	gather := func(axis int) func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Gather(x[0], axis, x[1]) }
	}
	for _, c := range []graphtest.Case{
		{Name: "Embedding/sorted", In: []graphtest.Operand{{Shape: shape{300, 300}}, {Shape: shape{3, 701}, Vocab: 300}}, Build: embed},
		{Name: "Embedding/one pass", In: []graphtest.Operand{{Shape: shape{200, 2}}, {Shape: shape{2500}, Vocab: 200}}, Build: embed},
		{Name: "Embedding/three passes", In: []graphtest.Operand{{Shape: shape{70001, 3}}, {Shape: shape{5003}, Vocab: 70001}}, Build: embed},
		{Name: "Embedding/one id", In: []graphtest.Operand{{Shape: shape{3, 5}}, {Shape: shape{2500}, Vocab: 1, Values: []float64{2}}}, Build: embed},
		{Name: "Gather/sorted", In: []graphtest.Operand{{Shape: shape{2, 50, 3}}, {Shape: shape{2100}, Vocab: 50}}, Build: gather(1)},
		{Name: "Gather/groups", In: []graphtest.Operand{{Shape: shape{65537, 2}}, {Shape: shape{2}, Vocab: 2}}, Build: gather(1)},
		{Name: "Dropout", In: []graphtest.Operand{{Shape: shape{70001}}}, Build: func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Dropout(x[0], 0.37, 1<<63+5) }},
		{Name: "CacheWrite/strided", In: []graphtest.Operand{{Shape: shape{2, 7, 4}}, {Shape: shape{2, 3, 12}}, {Shape: shape{2}, Vocab: 5}}, NoGrad: "an update has none",
			Build: func(g *graph.Graph, x []*graph.Node) *graph.Node {
				return g.CacheWrite(x[0], g.Slice(g.AddScalar(x[1], 1), 2, 4, 8), x[2])
			}},
	} {
		if err := c.Evaluate(p); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// TestWalk: axes of 1 are left out, and neighbours that all operands step through alike are one.
func TestWalk(t *testing.T) {
	for _, c := range []struct {
		walk *walk
		ext  []int
		step [3][]int
	}{
		{broadcast(shape{2, 3, 4}, shape{2, 3, 4}, shape{4}), []int{4, 6}, [3][]int{{1, 4}, {1, 0}, {0, 0}}},
		{broadcast(shape{2, 1, 4}, shape{2, 1, 4}, shape{2, 1, 4}), []int{8}, [3][]int{{1}, {1}, {0}}},
		{broadcast(shape{5}, shape{}), []int{5}, [3][]int{{0}, {0}, {0}}},
		{permuted(shape{2, 3, 4, 5}, []int{1, 0, 2, 3}), []int{20, 2, 3}, [3][]int{{1, 60, 20}, {1, 60, 20}, {1, 60, 20}}},
	} {
		if !slices.Equal(c.walk.ext, c.ext) {
			t.Errorf("extents %v, want %v", c.walk.ext, c.ext)
		}
		for k := range c.step {
			if !slices.Equal(c.walk.step[k], c.step[k]) {
				t.Errorf("steps of operand %d are %v, want %v", k, c.walk.step[k], c.step[k])
			}
		}
	}
}

// TestStop: each kernel reads its first parameter, the guard's flag. Two kernels make and tell that flag.
func TestStop(t *testing.T) {
	texts, err := ptxModules()
	if err != nil {
		t.Fatal(err)
	}
	none := []string{"ceto_guard", "ceto_report"}
	for file, ptx := range texts {
		for kernel := range kernelParams(ptx) {
			if !strings.Contains(ptx, "["+kernel+"_param_0]") && !slices.Contains(none, kernel) {
				t.Errorf("%s: kernel %s does not read its first parameter; its first line must be STOP_IF(stop);", file, kernel)
			}
		}
	}
}
