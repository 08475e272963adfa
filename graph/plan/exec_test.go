package plan_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// executors are those that must keep the contract of package plan.
func executors() map[string]plan.Executor {
	late := graphtest.NewRemote()
	late.Late = graphtest.AtNextCall
	return map[string]plan.Executor{"cpu": plan.CPU(2), "remote": graphtest.NewRemote(), "late": late}
}

// TestClosed: a second Close does nothing, and any other use after the first is ErrClosed.
func TestClosed(t *testing.T) {
	for name, x := range executors() {
		m := models()[0]
		prog, state := m.program(t, x, graph.Float32, x.Options())
		child := state.Share(graph.Param)
		sibling := scaled(t, x, state, 3, x.Options())
		onChild := scaled(t, x, child, 3, x.Options())
		twice := func(what string, c interface{ Close() error }) {
			for range 2 {
				if err := c.Close(); err != nil {
					t.Errorf("%s: Close of %s: %v", name, what, err)
				}
			}
		}
		uses := func(prog plan.Program) map[string]error { return usesOf(prog, m.inputs(0)) }
		refused := func(what string, uses map[string]error) {
			for use, err := range uses {
				if !errors.Is(err, plan.ErrClosed) {
					t.Errorf("%s: %s of %s after Close: %v, want ErrClosed", name, use, what, err)
				}
			}
		}
		twice("a program", prog)
		refused("a program", uses(prog))
		if prog.Plan() == nil {
			t.Errorf("%s: no Plan after Close", name)
		}
		if _, err := state.Read("0.weight"); err != nil {
			t.Errorf("%s: the state after Close of a program: %v", name, err)
		}
		twice("a state", state)
		states := func(s plan.State) map[string]error {
			d := graph.Dense(graph.NewBuf(graph.Of(graph.Float32, 1)))
			_, _, meta := s.Meta("w")
			_, compile := x.Compile(sibling.Plan(), s)
			shared := s.Share(graph.Param)
			return map[string]error{"Meta": meta, "Read": second(s.Read("w")), "Write": s.Write("w", d), "Compile": compile,
				"Fill": s.Fill("w", func(graph.Buf) error { return nil }), "Share": second(shared.Read("w"))}
		}
		refused("a state", states(state))
		refused("a state that shares with it", states(child))
		if n := len(state.Names(graph.Param)) + len(child.Names(graph.Param)); n != 0 {
			t.Errorf("%s: %d names after Close", name, n)
		}
		refused("a program of a closed state", uses(sibling))
		refused("a program of a state that shares with it", uses(onChild))
		twice("a program of a closed state", sibling)
		twice("a program of a state that shares with it", onChild)
		twice("a state that shares with a closed one", child)
		s := x.NewState()
		twice("the executor", x)
		if _, err := x.Compile(sibling.Plan(), s); !errors.Is(err, plan.ErrClosed) {
			t.Errorf("%s: Compile after Close of the executor: %v", name, err)
		}
	}
}

// usesOf are the errors of all that can be done with a program of a model.
func usesOf(prog plan.Program, in map[string]any) map[string]error {
	return map[string]error{"Run": prog.Run(in, scalars(0)), "Trace": prog.Trace(in, scalars(0)), "Time": second(prog.Time(in, scalars(0))),
		"Read": second(prog.Read("loss")), "Read of a state": second(prog.Read("0.weight")),
		"Scalar": second(prog.Scalar("loss")), "Scalars": prog.Scalars([]float64{0}, "loss")}
}

// second is the error of two results.
func second[T any](_ T, err error) error { return err }

// TestScalars reads several outputs at once, without allocating.
func TestScalars(t *testing.T) {
	for name, x := range executors() {
		m := gptModel("gpt", small, 2)
		prog, _ := m.program(t, x, graph.Float32, x.Options())
		if err := prog.Run(m.inputs(0), scalars(0)); err != nil {
			t.Fatal(err)
		}
		names := []string{"grad_norm", "loss", "weight"}
		v := make([]float64, 3)
		if err := prog.Scalars(v, names...); err != nil {
			t.Fatal(err)
		}
		for i, n := range names {
			if w, err := prog.Scalar(n); err != nil || w != v[i] || w == 0 {
				t.Errorf("%s: %s is %g, alone %g, %v", name, n, v[i], w, err)
			}
		}
		if err := prog.Scalars(v, "loss", "wte.weight", "weight"); !errors.Is(err, plan.ErrName) {
			t.Errorf("%s: a name of no scalar: %v", name, err)
		}
		if err := prog.Scalars(v[:2], names...); err == nil {
			t.Errorf("%s: room for 2 of 3 values is no error", name)
		}
		if n := testing.AllocsPerRun(5, func() { _ = prog.Scalars(v, names...) }); name == "cpu" && n != 0 {
			t.Errorf("%g allocations", n)
		}
		prog.Close()
		x.Close()
	}
}

// TestLate: a run that fails after Run has returned is reported once, by the next call of any kind. The error names
// its scalars, and the state is as it was. What comes behind it works.
func TestLate(t *testing.T) {
	calls := map[string]func(prog plan.Program, s plan.State, in map[string]any) error{
		"Run":    func(prog plan.Program, _ plan.State, in map[string]any) error { return prog.Run(in, scalars(2)) },
		"Scalar": func(prog plan.Program, _ plan.State, _ map[string]any) error { return second(prog.Scalar("loss")) },
		"Scalars": func(prog plan.Program, _ plan.State, _ map[string]any) error {
			return prog.Scalars(make([]float64, 1), "loss")
		},
		"Read":       func(prog plan.Program, _ plan.State, _ map[string]any) error { return second(prog.Read("loss")) },
		"State.Read": func(_ plan.Program, s plan.State, _ map[string]any) error { return second(s.Read("0.weight")) },
		"Close":      func(prog plan.Program, _ plan.State, _ map[string]any) error { return prog.Close() },
	}
	for call, f := range calls {
		x := graphtest.NewRemote()
		x.Late = graphtest.AtNextCall
		m := models()[0]
		prog, state := m.program(t, x, graph.Float64, x.Options())
		if err := prog.Run(m.inputs(0), scalars(0)); err != nil {
			t.Fatal(err)
		}
		before := read(t, prog, "0.weight")
		bad := m.inputs(1)
		bad["y"] = []float64{0, 1, math.NaN(), 1}
		if err := prog.Run(bad, scalars(1)); err != nil {
			t.Fatalf("%s: the failing run itself: %v", call, err)
		}
		bad["y"].([]float64)[2] = 0 // the inputs were copied
		err := f(prog, state, m.inputs(2))
		var late *plan.LateError
		var guard *plan.NotFiniteError
		if !errors.As(err, &late) || !errors.As(err, &guard) || late.Scalars != scalars(1) || !strings.Contains(err.Error(), "run of step 2, micro-batch 1: ") {
			t.Fatalf("%s: %v, want the guard of step 2", call, err)
		}
		if d, err := state.Read("0.weight"); err != nil || !slices.Equal(d.Data().([]float64), before) {
			t.Errorf("%s: the state has changed (%v)", call, err)
		}
		if call == "Close" {
			continue
		}
		if err := prog.Run(m.inputs(1), scalars(1)); err != nil {
			t.Errorf("%s: the run behind it: %v", call, err)
		}
		if slices.Equal(read(t, prog, "0.weight"), before) {
			t.Errorf("%s: a good run changes nothing", call)
		}
	}
}

// TestQueued: runs that are asked for behind a failed one, before its error is known, have no effect. The error is
// that of the first, and its loss can be read.
func TestQueued(t *testing.T) {
	x := graphtest.NewRemote()
	x.Late = graphtest.AtWait
	m := models()[0]
	prog, state := m.program(t, x, graph.Float64, x.Options())
	if err := prog.Run(m.inputs(0), scalars(0)); err != nil {
		t.Fatal(err)
	}
	before := read(t, prog, "0.weight")
	bad := m.inputs(1)
	bad["y"] = []float64{0, 1, math.Inf(1), 1}
	for i, in := range []map[string]any{bad, m.inputs(2), bad, m.inputs(4)} {
		if err := prog.Run(in, scalars(1+i)); err != nil {
			t.Fatalf("run %d is not queued: %v", i, err)
		}
	}
	err := prog.Scalars(make([]float64, 1), "loss")
	var late *plan.LateError
	if !errors.As(err, &late) || late.Scalars != scalars(1) || late.Program != prog {
		t.Fatalf("%v, want the error of step 2", err)
	}
	if v, err := prog.Scalar("loss"); err != nil || !math.IsInf(v, 1) && !math.IsNaN(v) {
		t.Errorf("the loss of the failed run is %g, %v", v, err)
	}
	if d, err := state.Read("0.weight"); err != nil || !slices.Equal(d.Data().([]float64), before) {
		t.Errorf("a run behind the failed one has changed the state (%v)", err)
	}
	if err := prog.Run(m.inputs(1), scalars(1)); err != nil || slices.Equal(read(t, prog, "0.weight"), before) {
		t.Errorf("a good run after the error changes nothing (%v)", err)
	}
}

// TestTouched: the test executor notices who writes its memory between two calls.
func TestTouched(t *testing.T) {
	x := graphtest.NewRemote()
	prog := scaled(t, x, x.NewState(), 3, x.Options())
	in := map[string]any{"x": []float32{1, 2, 3}}
	if err := prog.Run(in, graph.Scalars{}); err != nil {
		t.Fatal(err)
	}
	graphtest.Touch(x)
	if err := prog.Run(in, graph.Scalars{}); err == nil || !strings.Contains(err.Error(), "written between two calls") {
		t.Errorf("memory that was written: %v", err)
	}
}

// TestRemoteBits: an executor with memory of its own computes the CPU's bits, at once or late.
func TestRemoteBits(t *testing.T) {
	if graphtest.Race {
		t.Skip("one goroutine: nothing for the race detector")
	}
	cpu := plan.CPU(2)
	defer cpu.Close()
	for _, m := range models() {
		for name, x := range executors() {
			for _, o := range []plan.Options{{}, {NoFuse: true, NoAlias: true, Recompute: 0.1}} {
				got := x.Options()
				got.NoFuse, got.NoAlias, got.Recompute = o.NoFuse, o.NoAlias, o.Recompute
				compare(t, fmt.Sprint(m.name, name), m.trained(t, x, graph.Float32, got), m.trained(t, cpu, graph.Float32, o), 0, 0)
			}
			x.Close()
		}
	}
}

// TestOptions: what an executor asks for is in the plan: scratch, rows of logits, passes that are left out.
func TestOptions(t *testing.T) {
	lora := models()[3]
	g := lora.step(t, graph.Float32)
	base := newPlan(t, g, plan.CPU(1).Options())
	if base.Hash() != newPlan(t, g, plan.Options{}).Hash() {
		t.Error("the CPU proposes other options than the zero value")
	}
	rows := newPlan(t, g, plan.Options{LossRows: 16})
	if !slices.ContainsFunc(rows.Steps, func(s plan.Step) bool { o, ok := s.Op.(graph.LinearCrossEntropy); return ok && o.Rows == 16 }) {
		t.Errorf("no step with 16 rows of logits:\n%v", rows)
	}
	if a, b := lossScratch(rows), lossScratch(base); a == 0 || a > b/4 {
		t.Errorf("16 rows of logits need %d bytes of scratch, 128 need %d", a, b)
	}
	own := newPlan(t, g, plan.Options{Scratch: func(op graph.Op, in []graph.Meta, _ bool) int {
		if _, ok := op.(graph.MatMul); ok {
			return 1000 + len(in)
		}
		return 0
	}})
	if own.Sizes[plan.Scratch] != 1003 && own.Sizes[plan.Scratch] != 1002 {
		t.Errorf("%d bytes of scratch, asked for 1002 or 1003", own.Sizes[plan.Scratch])
	}
	for pass, op := range map[plan.Pass]graph.Op{plan.FuseCrossEntropy: graph.CrossEntropyBoth{}, plan.FuseLinearLoss: graph.LinearCrossEntropy{}} {
		if p := newPlan(t, g, plan.Options{Without: pass}); has(p, op) || len(p.Steps) <= len(base.Steps) {
			t.Errorf("pass %b is left out, and the plan has %T", pass, op)
		}
	}
	full := models()[1].step(t, graph.Float32)
	for _, pass := range []plan.Pass{plan.FusePads, plan.FuseScatter, plan.ViewReshapes, plan.ViewSlices, plan.ViewConcats, plan.FuseActivation} {
		if a, b := len(newPlan(t, full, plan.Options{Without: pass}).Steps), len(newPlan(t, full, plan.Options{}).Steps); a < b || a == b && pass != plan.FuseActivation {
			t.Errorf("without pass %b the plan has %d steps, with it %d", pass, a, b)
		}
	}
}

// lossScratch is the scratch of the step that computes logits and loss.
func lossScratch(p *plan.Plan) int {
	for _, s := range p.Steps {
		if _, ok := s.Op.(graph.LinearCrossEntropy); ok {
			return s.Scratch
		}
	}
	return 0
}

// TestDevice: the CPU knows its threads, instructions and memory.
func TestDevice(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	d := x.Device()
	if d.Kind != "cpu" || d.Name == "" || d.Workers != 2 || d.Free > d.Total || x.Peak(1e6) <= 0 {
		t.Errorf("%+v", d)
	}
}
