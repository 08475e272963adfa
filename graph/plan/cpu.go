package plan

import (
	"log/slog"
	"runtime"
	"time"
	"unsafe"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// CPU returns the executor that runs each step's Eval on the given number of threads; 0 takes one for each processor.
// Results do not depend on the number. Its runs are done, and their errors returned, when Run returns.
func CPU(threads int) Executor {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return &cpu{pool: vec.NewPool(min(threads, graph.MaxWorkers))}
}

type cpu struct {
	pool   *vec.Pool
	closed bool
	poison bool // fill the arena with NaN before each run, for tests
}

func (c *cpu) Device() Device {
	free, total := systemMemory()
	return Device{Kind: "cpu", Name: vec.Current().String(), Workers: c.pool.Workers(), Free: free, Total: total}
}

func (c *cpu) Peak(d time.Duration) float64 { return vec.Peak(c.pool.Workers(), d) }

func (c *cpu) Options() Options { return Options{} }

func (c *cpu) Close() error {
	if !c.closed {
		c.closed = true
		c.pool.Close()
	}
	return nil
}

func (c *cpu) NewState() State { return &cpuState{exec: c, vals: &Values[[]byte]{}} }

// cpuProgram implements Program.
type cpuProgram struct {
	plan    *Plan
	exec    *cpu
	state   *cpuState
	arena   []byte
	given   []byte // of the inputs
	bufs    []graph.Buf
	steps   []cpuStep
	inputs  []Named
	scalars graph.Scalars
	closed  bool
}

type cpuStep struct {
	op      graph.Op
	ctx     *graph.Ctx
	in, out []graph.Buf
	guarded bool
}

func (c *cpu) Compile(p *Plan, s State) (Program, error) {
	st, ok := Unwrap(s).(*cpuState)
	if !ok {
		return nil, errors.Errorf("plan: Compile: the state %T is another executor's", s)
	}
	if ops := p.Foreign(); len(ops) > 0 {
		slog.Warn("plan: ops of Gorgonia's run through their Do, with copies of their operands", "ops", ops)
	}
	if err := st.adopt(p); err != nil {
		return nil, err
	}
	g := &cpuProgram{plan: p, exec: c, state: st, inputs: p.Inputs()}
	g.given = graph.Alloc(p.Sizes[Inputs])
	scratch := graph.Alloc(p.Sizes[Scratch])
	for _, s := range p.Steps {
		g.steps = append(g.steps, cpuStep{op: s.Op, guarded: s.Guarded, ctx: graph.NewCtx(c.pool, &g.scalars, scratch[:s.Scratch:s.Scratch])})
	}
	if p.Shared {
		return g, g.bind(st.activations(p.Sizes[Activations]))
	}
	return g, g.bind(graph.Alloc(p.Sizes[Activations]))
}

// bind gives every slot its memory, that of the activations in arena.
func (g *cpuProgram) bind(arena []byte) (err error) {
	g.arena = arena
	if g.bufs, err = g.plan.Bufs(arena, g.given, g.state.vals); err != nil {
		return err
	}
	for i := range g.steps {
		g.steps[i].in, g.steps[i].out = g.plan.Steps[i].Operands(g.bufs)
	}
	return nil
}

// open is ErrClosed where something that the program needs is closed.
func (g *cpuProgram) open() error {
	if g.closed {
		return errors.Wrap(ErrClosed, "plan: program")
	}
	return g.state.open()
}

func (g *cpuProgram) Close() error {
	*g = cpuProgram{plan: g.plan, exec: g.exec, state: g.state, closed: true}
	return nil
}

func (g *cpuProgram) Plan() *Plan { return g.plan }

func (g *cpuProgram) Read(name string) (*tensor.Dense, error) {
	if err := g.open(); err != nil {
		return nil, err
	}
	if x, err := g.plan.Output(name); err == nil {
		return CopyOut(g.bufs[x]), nil
	}
	d, err := g.state.Read(name)
	return d, errors.Wrapf(err, "plan: Read: %q is neither an output of the plan nor a state", name)
}

func (g *cpuProgram) Scalar(name string) (float64, error) {
	var v [1]float64
	err := g.Scalars(v[:], name)
	return v[0], err
}

func (g *cpuProgram) Scalars(v []float64, names ...string) error {
	if err := g.open(); err != nil {
		return err
	}
	return g.plan.Scalars(v, g.bufs, names)
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
			tested, failed = true, g.plan.TestGuards(g.bufs)
		}
		if st.guarded && failed != nil {
			continue
		}
		if took != nil {
			at = time.Now()
		}
		if err := st.op.Eval(st.ctx, st.out, st.in); err != nil {
			return g.plan.Error(err, &g.plan.Steps[i])
		}
		if took != nil {
			took[i] = time.Since(at)
		}
	}
	if !tested {
		failed = g.plan.TestGuards(g.bufs)
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
			return g.plan.Error(err, &g.plan.Steps[i])
		}
		for _, y := range st.out {
			if err := TraceError(&g.plan.Steps[i], y); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *cpuProgram) start(in map[string]any, s graph.Scalars) error {
	if err := g.open(); err != nil {
		return err
	}
	g.scalars = s
	if g.plan.Shared {
		if now := g.state.activations(len(g.arena)); unsafe.SliceData(now) != unsafe.SliceData(g.arena) { // a larger program came
			if err := g.bind(now); err != nil {
				return err
			}
		}
	}
	if g.exec.poison {
		for i := range g.arena {
			g.arena[i] = 0xff
		}
	}
	return CopyInputs(g.inputs, g.bufs, in)
}
