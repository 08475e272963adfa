package graphtest

import (
	"bytes"
	"hash/crc32"
	"time"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// Remote is an executor with memory of its own, as a GPU has. Values go in and out by copies, and its runs may be
// done later than Run returns. It evaluates ops as the CPU does and counts what is open. It shows that a user of
// executors keeps to the contract of package plan, and how small an executor can be.
type Remote struct {
	Late  Late
	Lacks func(op graph.Op, in []graph.Meta) bool // says which ops have no kernel; nil: none

	Programs, States int // open now
	pool             *vec.Pool
	closed           bool
	mem              map[*byte][]byte // all memory
	sum              uint32           // of mem, at the end of the last call
	queue            []func()         // the runs that were asked for and are not done yet
}

// Late says when a run is done and its error reported.
type Late uint8

// The ways to run.
const (
	AtOnce     Late = iota // Run returns when the work is done
	AtNextCall             // the next call on the program or the state has the work done, and reports its error
	AtWait                 // the same, but runs queue up until another call
	AtNextRun              // as AtNextCall, but the error waits for the next Run, which is later than the contract allows
)

// NewRemote returns an executor that runs at once and has all kernels.
func NewRemote() *Remote { return &Remote{pool: vec.NewPool(1), mem: map[*byte][]byte{}} }

// Device implements plan.Executor.
func (x *Remote) Device() plan.Device {
	return plan.Device{Kind: "remote", Free: 1 << 30, Total: 1 << 31}
}

// Peak implements plan.Executor.
func (x *Remote) Peak(time.Duration) float64 { return 1 }

// Options asks for twice the scratch that the ops' Eval needs, and says which kernels there are.
func (x *Remote) Options() plan.Options {
	twice := func(op graph.Op, in []graph.Meta, _ bool) int { return 2 * plan.EvalScratch(op, in) }
	return plan.Options{Scratch: twice, Supports: x.supports}
}

func (x *Remote) supports(op graph.Op, in []graph.Meta) error {
	if x.Lacks != nil && x.Lacks(op, in) {
		return errors.Wrap(plan.ErrUnsupported, "remote")
	}
	return nil
}

// Close implements plan.Executor.
func (x *Remote) Close() error {
	x.pool.Close()
	x.closed = true
	return nil
}

// alloc returns zeroed memory, and free gives it back.
func (x *Remote) alloc(n int) ([]byte, error) {
	b := graph.Alloc(max(n, 1))
	x.mem[&b[0]] = b
	return b, nil
}

func (x *Remote) free(blocks ...[]byte) {
	for _, b := range blocks {
		delete(x.mem, &b[0])
	}
}

// seal notes what the memory holds at the end of a call.
func (x *Remote) seal() { x.sum = x.checksum() }

func (x *Remote) checksum() (sum uint32) {
	for _, b := range x.mem {
		sum ^= crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	}
	return sum
}

// Pending is the number of runs that are not done yet.
func (x *Remote) Pending() int { return len(x.queue) }

// enter begins a call: nothing has touched the memory since the last one. It does the runs that are left to do.
func (x *Remote) enter(run bool) error {
	if x.closed {
		return errors.Wrap(plan.ErrClosed, "remote")
	}
	if x.checksum() != x.sum {
		return errors.New("graphtest: the executor's memory was written between two calls")
	}
	for len(x.queue) > 0 && (x.Late != AtWait || !run) {
		x.queue[0]()
		x.queue = x.queue[1:]
	}
	return nil
}

// remoteState implements plan.State.
type remoteState struct {
	*plan.Values[[]byte]
	x    *Remote
	late error // of a run, to be reported
}

// NewState implements plan.Executor.
func (x *Remote) NewState() plan.State { return x.newState(&plan.Values[[]byte]{}) }

func (x *Remote) newState(v *plan.Values[[]byte]) *remoteState {
	if v.Err() == nil {
		x.States++
	}
	return &remoteState{Values: v, x: x}
}

// enter begins a call that reports what is late.
func (s *remoteState) enter(run bool) error {
	err := s.Err()
	if err == nil {
		err = s.x.enter(run)
	}
	if err == nil && (run || s.x.Late != AtNextRun) {
		err, s.late = s.late, nil
	}
	return err
}

// value begins a call on a value.
func (s *remoteState) value(name string) (graph.Buf, error) {
	if err := s.enter(false); err != nil {
		return graph.Buf{}, err
	}
	return plan.ValueBuf(s.Values, name)
}

func (s *remoteState) Read(name string) (*tensor.Dense, error) {
	defer s.x.seal()
	b, err := s.value(name)
	if err != nil {
		return nil, err
	}
	return plan.CopyOut(b), nil
}

func (s *remoteState) Write(name string, d *tensor.Dense) error {
	return s.Fill(name, func(b graph.Buf) error {
		from, err := graph.BufOfDense(d, b.Meta)
		copy(b.Mem, from.Mem)
		return err
	})
}

func (s *remoteState) Fill(name string, f func(b graph.Buf) error) error {
	defer s.x.seal()
	b, err := s.value(name)
	if err != nil {
		return err
	}
	host := fresh(b.Meta)
	if err := f(host.Buf); err != nil {
		return errors.Wrapf(err, "state %q", name)
	}
	copy(b.Mem, host.Mem)
	return nil
}

func (s *remoteState) Share(k graph.Kind) plan.State { return s.x.newState(s.Values.Share(k)) }

func (s *remoteState) Close() error {
	defer s.x.seal()
	err := s.enter(false)
	if errors.Is(err, plan.ErrClosed) {
		return nil
	}
	s.x.States--
	s.x.free(s.Values.Close()...)
	if err == nil {
		err = s.late
	}
	return err
}

// remoteProgram implements plan.Program.
type remoteProgram struct {
	plan                  *plan.Plan
	x                     *Remote
	state                 *remoteState
	arena, given, scratch []byte
	bufs                  []graph.Buf
	inputs                []plan.Named
	closed                bool
	self                  plan.Program // what Compile has returned
}

// pipelined is a remoteProgram whose last run is under way, and the ones before it are done.
type pipelined struct{ *remoteProgram }

// Before implements plan.Pipelined.
func (g *pipelined) Before(v []float64, names ...string) error {
	return g.plan.Scalars(v, g.bufs, names)
}

// Compile implements plan.Executor.
func (x *Remote) Compile(p *plan.Plan, s plan.State) (plan.Program, error) {
	st, ok := plan.Unwrap(s).(*remoteState)
	if !ok || st.x != x {
		return nil, errors.Errorf("graphtest: the state %T is another executor's", s)
	}
	defer x.seal()
	if err := st.enter(false); err != nil {
		return nil, err
	}
	err := p.CheckOps(x.supports)
	if err == nil {
		err = st.Adopt(p, x.alloc, plan.Cut)
	}
	if err != nil {
		return nil, err
	}
	g := &remoteProgram{plan: p, x: x, state: st, inputs: p.Inputs(), scratch: graph.Alloc(p.Sizes[plan.Scratch])}
	g.arena, _ = x.alloc(p.Sizes[plan.Activations])
	g.given, _ = x.alloc(p.Sizes[plan.Inputs])
	x.Programs++
	g.bufs, _ = p.Bufs(g.arena, g.given, st.Values) // the state has all values
	if g.self = g; x.Late == AtNextCall {
		g.self = &pipelined{g}
	}
	return g.self, nil
}

// enter begins a call on the program.
func (g *remoteProgram) enter(run bool) error {
	if g.closed {
		return errors.Wrap(plan.ErrClosed, "program")
	}
	return g.state.enter(run)
}

func (g *remoteProgram) Plan() *plan.Plan { return g.plan }

func (g *remoteProgram) Close() error {
	if g.closed {
		return nil
	}
	defer g.x.seal()
	err := g.enter(false)
	g.x.free(g.arena, g.given)
	g.x.Programs--
	*g = remoteProgram{plan: g.plan, x: g.x, closed: true, self: g.self}
	if errors.Is(err, plan.ErrClosed) {
		return nil
	}
	return err
}

func (g *remoteProgram) Read(name string) (*tensor.Dense, error) {
	x, err := g.plan.Output(name)
	if err != nil && !g.closed {
		return g.state.Read(name)
	}
	defer g.x.seal()
	if err := g.enter(false); err != nil {
		return nil, err
	}
	return plan.CopyOut(g.bufs[x]), nil
}

func (g *remoteProgram) Scalar(name string) (float64, error) {
	v := []float64{0}
	err := g.Scalars(v, name)
	return v[0], err
}

func (g *remoteProgram) Scalars(v []float64, names ...string) error {
	defer g.x.seal()
	if err := g.enter(false); err != nil {
		return err
	}
	return g.plan.Scalars(v, g.bufs, names)
}

func (g *remoteProgram) Run(in map[string]any, s graph.Scalars) error {
	return g.start(true, in, func() error {
		if g.x.Late == AtOnce {
			return g.steps(s, false, nil)
		}
		given := bytes.Clone(g.given) // another run may be asked for before this one is done
		g.x.queue = append(g.x.queue, func() {
			copy(g.given, given)
			if g.state.late != nil {
				return // what comes behind a failed run has no effect
			}
			if err := g.steps(s, false, nil); err != nil {
				g.state.late = &plan.LateError{Program: g.self, Scalars: s, Err: err}
			}
		})
		return nil
	})
}

func (g *remoteProgram) Trace(in map[string]any, s graph.Scalars) error {
	return g.start(false, in, func() error { return g.steps(s, true, nil) })
}

func (g *remoteProgram) Time(in map[string]any, s graph.Scalars) ([]time.Duration, error) {
	took := make([]time.Duration, len(g.plan.Steps))
	return took, g.start(false, in, func() error { return g.steps(s, false, took) })
}

// start copies the inputs of a run, then goes on.
func (g *remoteProgram) start(run bool, in map[string]any, then func() error) error {
	defer g.x.seal()
	if err := g.enter(run); err != nil {
		return err
	}
	if err := plan.CopyInputs(g.inputs, g.bufs, in); err != nil {
		return err
	}
	return then()
}

// steps runs the plan; trace leaves out the guarded steps and tests the results of the others.
func (g *remoteProgram) steps(s graph.Scalars, trace bool, took []time.Duration) error {
	for i := range g.arena {
		g.arena[i] = 0xff // NaN: a value is written before it is read
	}
	for i := range g.plan.Steps {
		st := &g.plan.Steps[i]
		if st.Guarded && (trace || g.plan.TestGuards(g.bufs) != nil) {
			continue
		}
		in, out := st.Operands(g.bufs)
		start := time.Now()
		if err := st.Op.Eval(graph.NewCtx(g.x.pool, &s, g.scratch[:st.Scratch]), out, in); err != nil {
			return g.plan.Error(err, st)
		}
		if took != nil {
			took[i] = time.Since(start)
		}
		for _, y := range out {
			if err := plan.TraceError(st, y); trace && err != nil {
				return err
			}
		}
	}
	if trace {
		return nil
	}
	return g.plan.TestGuards(g.bufs)
}
