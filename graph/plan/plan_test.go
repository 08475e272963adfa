package plan_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

// flops sums those of the steps whose op is one of the given types.
func flops(p *plan.Plan, types ...graph.Op) (n int64) {
	for _, s := range p.Steps {
		for _, o := range types {
			if reflect.TypeOf(s.Op) == reflect.TypeOf(o) {
				n += s.FLOPs
			}
		}
	}
	return n
}

// options are those that plans are tested with.
var options = []plan.Options{{}, {NoFuse: true}, {NoAlias: true}, {Recompute: 0.05}, {Recompute: 1}}

// TestFLOPs compares the products and the attention of a training step with the closed formulas. A token needs 12·C²
// multiplications and additions a layer and C·V for the logits, forward, and twice as many backward. A pair of a query
// and a key needs 2·HS forward and 5·HS backward, one product of them computed again.
func TestFLOPs(t *testing.T) {
	for _, name := range gpt.Presets() {
		c, err := gpt.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		const batch = 2
		m := gptModel(name, c, batch)
		p := newPlan(t, m.step(t, graph.Float32), plan.Options{})
		b, l, w, v, n := int64(batch), int64(c.Layers), int64(c.Width), int64(c.Vocab), int64(c.Context)
		if got, want := flops(p, graph.MatMul{}), 3*2*b*n*(l*12*w*w+w*v); got != want {
			t.Errorf("%s: %d FLOPs of products, want %d", name, got, want)
		}
		if got, want := flops(p, graph.Attention{}, graph.AttentionGrad{}), 2*(2+5)*b*l*w*n*(n+1)/2; got != want {
			t.Errorf("%s: %d FLOPs of attention, want %d", name, got, want)
		}
	}
}

// TestBuffers: a training step has one buffer as large as the logits, and none as large as (B, NH, T, T).
func TestBuffers(t *testing.T) {
	m := gptModel("gpt", small, 2)
	p := newPlan(t, m.step(t, graph.Float32), plan.Options{})
	logits, pairs := 2*small.Context*small.Vocab*4, 2*small.Heads*small.Context*small.Context*4
	n := 0
	for i, s := range p.Slots {
		if s.Base >= 0 || s.Region != plan.Activations || s.Last < 0 {
			continue
		}
		if s.Meta.Bytes() == logits {
			n++
		}
		if s.Meta.Bytes() >= pairs {
			t.Errorf("slot %d is %v", i, s.Meta)
		}
	}
	if n != 1 {
		t.Errorf("%d buffers of %d bytes, want 1:\n%v", n, logits, p)
	}
}

// TestPoison: what a run computes does not depend on what the arena held before it. Without aliasing no value takes
// over memory that another step has written.
func TestPoison(t *testing.T) {
	clean, poisoned := plan.CPU(2), plan.CPU(2)
	defer clean.Close()
	defer poisoned.Close()
	plan.Poison(poisoned)
	for _, m := range models() {
		for _, o := range options {
			compare(t, m.name, m.trained(t, poisoned, graph.Float32, o), m.trained(t, clean, graph.Float32, o), 0, 0)
		}
	}
}

// TestFused: fusing and sharing memory change nothing but rounding.
func TestFused(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	for _, m := range models() {
		for _, o := range options {
			want := m.trained(t, x, graph.Float64, plan.Options{NoFuse: true, NoAlias: true})
			compare(t, m.name+" float64", m.trained(t, x, graph.Float64, o), want, 1e-12, 1e-9)
		}
	}
}

// TestRecompute: computing activations again changes no bit, needs less memory the more it may, and no more work than
// it may.
func TestRecompute(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	for _, m := range models()[1:] {
		want, all := m.trained(t, x, graph.Float32, plan.Options{}), newPlan(t, m.step(t, graph.Float32), plan.Options{})
		before := all.Sizes[plan.Activations]
		for _, share := range []float64{0.02, 0.1, 1} {
			o := plan.Options{Recompute: share}
			compare(t, fmt.Sprint(m.name, share), m.trained(t, x, graph.Float32, o), want, 0, 0)
			p := newPlan(t, m.step(t, graph.Float32), o)
			now := p.Sizes[plan.Activations]
			if now > before || now == all.Sizes[plan.Activations] {
				t.Errorf("%s: share %g: %d bytes of activations, %d with less", m.name, share, now, before)
			}
			before = now
			if was := float64(all.FLOPs() + 16*all.Moved()); float64(p.FLOPs()+16*p.Moved()) > (1+share)*was {
				t.Errorf("%s: share %g: %d FLOPs and %d bytes moved, %d and %d without", m.name, share, p.FLOPs(), p.Moved(), all.FLOPs(), all.Moved())
			}
		}
	}
}

// TestLinearLoss: where the logits' weight is frozen no step has room for all logits.
func TestLinearLoss(t *testing.T) {
	m := models()[3]
	p := newPlan(t, m.step(t, graph.Float32), plan.Options{})
	if !slices.ContainsFunc(p.Steps, func(s plan.Step) bool {
		return s.Op == graph.Op(graph.LinearCrossEntropy{CrossEntropy: graph.CrossEntropy{HasIgnore: true, IgnoreIndex: 7}, TransB: true})
	}) {
		t.Errorf("no LinearCrossEntropy:\n%v", p)
	}
	for i, s := range p.Slots {
		if s.Last >= 0 && s.Meta.Equal(graph.Of(graph.Float32, m.batch, small.Context, small.Vocab)) {
			t.Errorf("slot %d is %v", i, s.Meta)
		}
	}
}

// TestThreads: a training step gives the same bits on 1, 2 and 4 threads.
func TestThreads(t *testing.T) {
	for _, m := range models() {
		var want map[string][]float64
		for _, n := range []int{1, 2, 4} {
			x := plan.CPU(n)
			got := m.trained(t, x, graph.Float32, plan.Options{})
			x.Close()
			if want == nil {
				want = got
			}
			compare(t, m.name, got, want, 0, 0)
		}
	}
}

// TestAllocs: a training step allocates nothing.
func TestAllocs(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	for _, m := range models() {
		prog, _ := m.program(t, x, graph.Float32, plan.Options{})
		in, failed := m.inputs(0), error(nil)
		n := testing.AllocsPerRun(5, func() {
			if err := prog.Run(in, scalars(0)); err != nil {
				failed = err
			}
		})
		if n != 0 || failed != nil {
			t.Errorf("%s: %g allocations a step, want 0 (%v)", m.name, n, failed)
		}
	}
}

// TestHash: building a graph again gives the same plan, to the letter.
func TestHash(t *testing.T) {
	for _, m := range models() {
		want := newPlan(t, m.step(t, graph.Float32), plan.Options{})
		for range 4 {
			got := newPlan(t, m.step(t, graph.Float32), plan.Options{})
			if got.Hash() != want.Hash() || got.String() != want.String() {
				t.Fatalf("%s: the plan\n%v\nis, built again,\n%v", m.name, want, got)
			}
		}
		other := newPlan(t, m.step(t, graph.Float64), plan.Options{})
		if other.Hash() == want.Hash() {
			t.Errorf("%s: float64 has the hash of float32", m.name)
		}
	}
}

// TestGuard: a step whose loss is not finite says so and changes no state, and the next one goes on from there.
func TestGuard(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	for _, bad := range []float64{math.NaN(), math.Inf(1), -math.MaxFloat64} {
		m := models()[0]
		prog, state := m.program(t, x, graph.Float64, plan.Options{})
		if err := prog.Run(m.inputs(0), scalars(0)); err != nil {
			t.Fatal(err)
		}
		all := func() map[string][]float64 {
			v := map[string][]float64{}
			for _, k := range []graph.Kind{graph.Param, graph.Moment} {
				for _, name := range state.Names(k) {
					v[name] = slices.Clone(read(t, prog, name))
				}
			}
			return v
		}
		before, in := all(), m.inputs(1)
		in["y"] = []float64{0, 1, bad, 1}
		var e *plan.NotFiniteError
		if err := prog.Run(in, scalars(1)); !errors.As(err, &e) {
			t.Errorf("target %g: %v, want a NotFiniteError", bad, err)
		}
		compare(t, "state", all(), before, 0, 0)
		if err := prog.Run(m.inputs(1), scalars(1)); err != nil {
			t.Errorf("after target %g: %v", bad, err)
		}
		if w := read(t, prog, "0.weight"); slices.Equal(w, before["0.weight"]) {
			t.Errorf("after target %g: a good step changes nothing", bad)
		}
	}
}

// TestInputErrors: a run without an input, or with one of another size or type, is an error that names it.
func TestInputErrors(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	m := models()[0]
	prog, _ := m.program(t, x, graph.Float32, plan.Options{})
	for _, v := range []any{nil, []float32{1, 2}, []int32{1, 2, 3, 4, 5, 6, 7, 8}, "text"} {
		in := m.inputs(0)
		delete(in, "x")
		if v != nil {
			in["x"] = v
		}
		if err := prog.Run(in, scalars(0)); err == nil || !strings.Contains(err.Error(), `"x" float32[4 2]`) {
			t.Errorf("x = %v: %v", v, err)
		}
	}
	for _, name := range []string{"", "logits", "0.weigth"} {
		if _, err := prog.Read(name); !errors.Is(err, plan.ErrName) {
			t.Errorf("Read(%q): %v", name, err)
		}
	}
	other := models()[0]
	other.batch = 2
	p := newPlan(t, other.step(t, graph.Float64), plan.Options{})
	_, state := m.program(t, x, graph.Float32, plan.Options{})
	if _, err := x.Compile(p, state); err == nil || !strings.Contains(err.Error(), "0.weight") {
		t.Errorf("a state of float32 under a plan of float64: %v", err)
	}
}
