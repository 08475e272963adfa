package plan

import (
	"log/slog"
	"math"
	"runtime"
	"time"
	"unsafe"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// CPU returns the executor that runs each step's Eval on the given number of threads; 0 takes one for each processor.
// Results do not depend on the number.
func CPU(threads int) Executor {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	threads = min(threads, graph.MaxWorkers)
	return &cpu{pool: vec.NewPool(threads), threads: threads}
}

type cpu struct {
	pool    *vec.Pool
	threads int
	poison  bool // fill the arena with NaN before each run, for tests
}

func (c *cpu) Threads() int { return c.threads }

func (c *cpu) String() string { return "cpu" }

func (c *cpu) Close() error {
	c.pool.Close()
	return nil
}

func (c *cpu) NewState() State { return &cpuState{at: map[string]int{}} }

// cpuProgram implements Program.
type cpuProgram struct {
	plan    *Plan
	exec    *cpu
	state   *cpuState
	arena   []byte
	given   []byte // of the inputs
	bufs    []graph.Buf
	steps   []cpuStep
	inputs  map[string]graph.Buf
	outputs map[string]graph.Buf
	scalars graph.Scalars
}

type cpuStep struct {
	op      graph.Op
	ctx     *graph.Ctx
	in, out []graph.Buf
	guarded bool
}

func (c *cpu) Compile(p *Plan, s State) (Program, error) {
	for w, ok := s.(interface{ Unwrap() State }); ok; w, ok = s.(interface{ Unwrap() State }) {
		s = w.Unwrap()
	}
	st, ok := s.(*cpuState)
	if !ok {
		return nil, errors.Errorf("plan: Compile: the state %T is another executor's", s)
	}
	if ops := p.Foreign(); len(ops) > 0 {
		slog.Warn("plan: ops of Gorgonia's run through their Do, with copies of their operands", "ops", ops)
	}
	if err := st.adopt(p); err != nil {
		return nil, err
	}
	g := &cpuProgram{plan: p, exec: c, state: st, inputs: map[string]graph.Buf{}, outputs: map[string]graph.Buf{}}
	g.given = graph.Alloc(p.Sizes[Inputs])
	scratch := graph.Alloc(p.Sizes[Scratch])
	for _, s := range p.Steps {
		g.steps = append(g.steps, cpuStep{op: s.Op, guarded: s.Guarded, ctx: graph.NewCtx(c.pool, &g.scalars, scratch[:s.Scratch:s.Scratch])})
	}
	if p.Shared {
		g.bind(st.activations(p.Sizes[Activations]))
	} else {
		g.bind(graph.Alloc(p.Sizes[Activations]))
	}
	return g, nil
}

// bind gives every slot its memory, that of the activations in arena.
func (g *cpuProgram) bind(arena []byte) {
	p := g.plan
	g.arena = arena
	g.bufs = make([]graph.Buf, len(p.Slots))
	for i, s := range p.Slots {
		r, off := p.root(i)
		root := &p.Slots[r]
		var mem []byte
		switch {
		case root.Region == Activations && root.Last >= 0:
			mem = g.arena[root.Offset:]
		case root.Region == Inputs:
			mem = g.given[root.Offset:]
		case root.Name != "":
			v, _ := g.state.find(root.Name)
			mem = v.buf.Mem
		default:
			continue // a slot that fusion left without a use
		}
		n := s.span()
		g.bufs[i] = graph.Buf{Meta: s.Meta, Row: s.Row, Stride: s.Stride, Mem: mem[off : off+n : off+n]}
		if s.Region == Inputs && s.Name != "" {
			g.inputs[s.Name] = g.bufs[i]
		}
	}
	for _, o := range p.Outputs {
		g.outputs[o.Name] = g.bufs[o.Slot]
	}
	for i, s := range p.Steps {
		step := &g.steps[i]
		step.in, step.out = step.in[:0], step.out[:0]
		for _, x := range s.In {
			step.in = append(step.in, g.bufs[x])
		}
		for _, y := range s.Out {
			b := graph.Buf{}
			if y >= 0 {
				b = g.bufs[y]
			}
			step.out = append(step.out, b)
		}
	}
}

func (g *cpuProgram) Plan() *Plan { return g.plan }

func (g *cpuProgram) Read(name string) (*tensor.Dense, error) {
	if b, ok := g.outputs[name]; ok {
		return copyOut(b), nil
	}
	d, err := g.state.Read(name)
	return d, errors.Wrapf(err, "plan: Read: %q is neither an output of the plan nor a state", name)
}

func (g *cpuProgram) Scalar(name string) (float64, error) {
	b, ok := g.outputs[name]
	if !ok || b.Size() != 1 {
		return 0, errors.Wrapf(ErrName, "plan: Scalar: %q is not an output of one element", name)
	}
	return first(b), nil
}

func first(b graph.Buf) float64 {
	switch b.DType {
	case graph.Float32:
		return float64(graph.Data[float32](b)[0])
	case graph.Float64:
		return graph.Data[float64](b)[0]
	}
	return float64(graph.Data[int32](b)[0])
}

func (g *cpuProgram) Run(in map[string]any, s graph.Scalars) error { return g.run(in, s, nil) }

func (g *cpuProgram) Time(in map[string]any, s graph.Scalars) ([]time.Duration, error) {
	took := make([]time.Duration, len(g.steps))
	return took, g.run(in, s, took)
}

// run runs the steps, and times them where took is not nil.
func (g *cpuProgram) run(in map[string]any, s graph.Scalars, took []time.Duration) error {
	if err := g.start(in, s); err != nil {
		return err
	}
	var at time.Time
	tested, failed := false, error(nil)
	for i := range g.steps {
		st := &g.steps[i]
		if st.guarded && !tested {
			tested, failed = true, g.testGuards()
		}
		if st.guarded && failed != nil {
			continue
		}
		if took != nil {
			at = time.Now()
		}
		if err := st.op.Eval(st.ctx, st.out, st.in); err != nil {
			return g.plan.errStep(err, &g.plan.Steps[i])
		}
		if took != nil {
			took[i] = time.Since(at)
		}
	}
	if !tested {
		failed = g.testGuards()
	}
	return failed
}

func (g *cpuProgram) Trace(in map[string]any, s graph.Scalars) error {
	if err := g.start(in, s); err != nil {
		return err
	}
	for i := range g.steps {
		st := &g.steps[i]
		if st.guarded {
			continue
		}
		if err := st.op.Eval(st.ctx, st.out, st.in); err != nil {
			return g.plan.errStep(err, &g.plan.Steps[i])
		}
		for _, y := range st.out {
			if v, bad := notFinite(y); bad {
				return &NotFiniteError{graph.Describe(st.op), g.plan.Steps[i].Scope, v}
			}
		}
	}
	return nil
}

func (g *cpuProgram) start(in map[string]any, s graph.Scalars) error {
	g.scalars = s
	if g.plan.Shared {
		if now := g.state.activations(len(g.arena)); unsafe.SliceData(now) != unsafe.SliceData(g.arena) { // a larger program came
			g.bind(now)
		}
	}
	if g.exec.poison {
		for i := range g.arena {
			g.arena[i] = 0xff
		}
	}
	for name, b := range g.inputs {
		v, ok := in[name]
		if !ok {
			return errors.Wrapf(ErrName, "plan: Run: input %q %v is missing", name, b.Meta)
		}
		if err := copyIn(b, v); err != nil {
			return errors.Wrapf(err, "plan: Run: input %q %v", name, b.Meta)
		}
	}
	return nil
}

func (g *cpuProgram) testGuards() error {
	for _, x := range g.plan.Guards {
		if v := first(g.bufs[x]); math.IsNaN(v) || math.IsInf(v, 0) {
			return &NotFiniteError{"guard", "step", v}
		}
	}
	return nil
}
