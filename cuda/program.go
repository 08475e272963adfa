package cuda

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// ringSize is the number of runs whose inputs and results have pinned memory of their own: one that is being made, one
// that is looked at, and one between.
const ringSize = 3

// program implements plan.Program.
type program struct {
	plan   *plan.Plan
	x      *Device
	state  *state
	code   *code
	inputs []plan.Named
	names  []string // of slots, for errors
	steps  [][]bound
	closed bool

	arena, given, scratch, constants addr
	incoming                         [2]addr // inputs and scalars as they come from the host
	ring                             [ringSize]pinned
	run                              int // runs so far
	report                           report
}

// pinned is memory of the host for one run.
type pinned struct {
	in, out      []byte
	came, copied event
	bufs         []graph.Buf // the inputs in it
}

func itoa(i int) string { return strconv.Itoa(i) }

// resultName names member k of step i.
func resultName(st *plan.Step, i, k int) string {
	return fmt.Sprintf("%s: %s (step %d, result %d)", st.Scope, graph.OpName(st.Op), i, k)
}

// Compile implements plan.Executor.
func (x *Device) Compile(p *plan.Plan, s plan.State) (plan.Program, error) {
	st, ok := plan.Unwrap(s).(*state)
	if !ok || st.x != x {
		return nil, errors.Errorf("cuda: Compile: the state %T is another executor's", s)
	}
	if err := st.ready(); err != nil {
		return nil, err
	}
	c, err := compile(p)
	if err != nil {
		return nil, err
	}
	g := &program{plan: p, x: x, state: st, code: c, inputs: p.Inputs()}
	return g, x.do(func() error {
		err := st.settle(0)
		if err == nil {
			err = g.make()
		}
		if err != nil {
			_ = g.free() // the first error counts
		}
		return err
	})
}

// make gives the program its memory.
func (g *program) make() error {
	x := g.x
	cut := func(block addr, offset, _ int) addr { return block + addr(offset) }
	if err := g.state.Adopt(g.plan, func(n int) (addr, error) { return x.allocZero("state", n) }, cut); err != nil {
		return err
	}
	if err := g.state.flag(); err != nil {
		return err
	}
	in := g.inputBytes() + 8*len(g.code.scalars)
	g.report.list(g.plan)
	var err error
	for _, m := range []struct {
		at   *addr
		name string
		n    int
	}{{&g.given, "inputs", in}, {&g.incoming[0], "incoming inputs", in}, {&g.incoming[1], "incoming inputs", in},
		{&g.scratch, "scratch", g.code.scratch}, {&g.constants, "constants", 4 * len(g.code.tables)},
		{&g.report.addresses, "addresses", 8 * len(g.report.slots)}, {&g.report.words, "report", 4 * (1 + len(g.report.slots))}} {
		if *m.at, err = x.alloc(m.name, m.n); err != nil {
			return err
		}
	}
	if err := x.write(g.constants, bytesOf(g.code.tables)); err != nil {
		return err
	}
	for i := range g.ring {
		if err := g.ring[i].make(g, in); err != nil {
			return err
		}
	}
	g.name()
	if g.plan.Shared {
		g.arena, err = g.state.activations(g.plan.Sizes[plan.Activations])
	} else {
		g.arena, err = x.alloc("activations", g.plan.Sizes[plan.Activations])
	}
	if err != nil {
		return err
	}
	return g.place()
}

// place binds the launches, and writes the addresses of what is reported.
func (g *program) place() error {
	if err := g.bind(); err != nil {
		return err
	}
	var a []uint64
	for _, s := range g.report.slots {
		at, _ := g.address(s)
		a = append(a, uint64(at))
	}
	return g.x.write(g.report.addresses, bytesOf(a))
}

// make allocates the host's memory of a run.
func (r *pinned) make(g *program, in int) (err error) {
	if r.in, err = g.x.drv.pin(max(in, 8)); err != nil {
		return err
	}
	if r.out, err = g.x.drv.pin(4 * (1 + len(g.report.slots))); err != nil {
		return err
	}
	if r.came, err = g.x.drv.event(); err != nil {
		return err
	}
	if r.copied, err = g.x.drv.event(); err != nil {
		return err
	}
	r.bufs = make([]graph.Buf, len(g.plan.Slots))
	for _, n := range g.inputs {
		p, ok := g.plan.Place(n.Slot)
		if ok {
			r.bufs[n.Slot] = graph.Buf{Meta: g.plan.Slots[n.Slot].Meta, Mem: plan.Cut(r.in, p.Offset, p.Bytes)}
		}
	}
	return nil
}

// free gives all memory back.
func (g *program) free() error {
	list := []addr{g.given, g.incoming[0], g.incoming[1], g.scratch, g.constants, g.report.addresses, g.report.words}
	if !g.plan.Shared {
		list = append(list, g.arena)
	}
	err := g.x.release(list...)
	for _, r := range g.ring {
		for _, b := range [][]byte{r.in, r.out} {
			if b != nil {
				if e := g.x.drv.unpin(b); err == nil {
					err = e
				}
			}
		}
		for _, e := range []event{r.came, r.copied} {
			if e != nil {
				if e := g.x.drv.drop(e); err == nil {
					err = e
				}
			}
		}
	}
	return err
}

// ready is the error of a call on what is closed.
func (g *program) ready() error {
	if g.closed {
		return errors.Wrap(plan.ErrClosed, "cuda: program")
	}
	return g.state.ready()
}

// Plan implements plan.Program.
func (g *program) Plan() *plan.Plan { return g.plan }

// Close implements plan.Program.
func (g *program) Close() error {
	if g.ready() != nil {
		g.closed = true
		return nil
	}
	err := g.x.do(func() error {
		err := g.state.settle(0)
		if e := g.x.drv.sync(); err == nil {
			err = e
		}
		if e := g.free(); err == nil {
			err = e
		}
		return err
	})
	*g = program{plan: g.plan, x: g.x, state: g.state, closed: true}
	return err
}

// call begins a call that waits for the runs before it.
func (g *program) call(f func() error) error {
	if err := g.ready(); err != nil {
		return err
	}
	return g.x.do(func() error {
		if err := g.state.settle(0); err != nil {
			return err
		}
		return f()
	})
}

// Run implements plan.Program. It returns when the work is asked for, and reports the run before it.
func (g *program) Run(in map[string]any, s graph.Scalars) error {
	if err := g.ready(); err != nil {
		return err
	}
	return g.x.do(func() error {
		if err := g.start(in, s, nil); err != nil {
			return err
		}
		return g.state.settle(1)
	})
}

// Time implements plan.Program.
func (g *program) Time(in map[string]any, s graph.Scalars) ([]time.Duration, error) {
	took := make([]time.Duration, len(g.plan.Steps))
	marks := make([]event, len(took)+1)
	return took, g.call(func() (err error) {
		for i := range marks {
			if marks[i], err = g.x.drv.event(); err != nil {
				return err
			}
		}
		if err = g.start(in, s, marks); err == nil {
			p := g.state.pending[len(g.state.pending)-1]
			g.state.pending = nil
			if err, late := g.collect(p.ring); late != nil || err != nil {
				if err != nil {
					_ = g.x.drv.fill(g.state.stop, 0, 1)
					return err
				}
				return late
			}
			for i := range took {
				if took[i], err = g.x.drv.since(marks[i], marks[i+1]); err != nil {
					return err
				}
			}
		}
		for _, e := range marks {
			if e := g.x.drv.drop(e); err == nil {
				err = e
			}
		}
		return err
	})
}

// start asks for a run. With marks it records an event before each step, and one at the end.
func (g *program) start(in map[string]any, s graph.Scalars, marks []event) error {
	slot := g.run % ringSize
	if err := g.send(in, s, slot); err != nil {
		return err
	}
	if err := g.poison(); err != nil {
		return err
	}
	guarded := false
	for i := range g.steps {
		if g.plan.Steps[i].Guarded && !guarded {
			guarded = true
			if err := g.report.test(g); err != nil {
				return err
			}
		}
		if marks != nil {
			if err := g.x.drv.record(compute, marks[i]); err != nil {
				return err
			}
		}
		if err := g.step(i); err != nil {
			return err
		}
	}
	if marks != nil {
		if err := g.x.drv.record(compute, marks[len(marks)-1]); err != nil {
			return err
		}
	}
	if !guarded {
		if err := g.report.test(g); err != nil {
			return err
		}
	}
	if err := g.report.send(g, &g.ring[slot]); err != nil {
		return err
	}
	g.state.pending = append(g.state.pending, &pending{prog: g, scalars: s, ring: slot})
	g.run++
	return nil
}

// poison fills activations and scratch with NaN, where a test asks for it: a value is written before it is read.
func (g *program) poison() error {
	if !g.x.poison {
		return nil
	}
	for _, m := range []struct {
		at addr
		n  int
	}{{g.arena, g.plan.Sizes[plan.Activations]}, {g.scratch, g.code.scratch}} {
		if err := g.x.drv.fill(m.at, 0x7fffffff, m.n/4); err != nil {
			return err
		}
	}
	return nil
}

// send copies inputs and scalars to the device, on a stream of their own.
func (g *program) send(in map[string]any, s graph.Scalars, slot int) error {
	r, drv := &g.ring[slot], g.x.drv
	g.x.drv.mark(fmt.Sprintf("step %d.%d", s.Step, s.Micro))
	if g.plan.Shared {
		if at, err := g.state.activations(g.plan.Sizes[plan.Activations]); err != nil {
			return err
		} else if at != g.arena {
			g.arena = at
			if err := g.place(); err != nil {
				return err
			}
		}
	}
	if err := plan.CopyInputs(g.inputs, r.bufs, in); err != nil {
		return err
	}
	if err := g.checkIDs(r.bufs); err != nil {
		return err
	}
	at := g.inputBytes()
	for i, c := range g.code.scalars {
		bits, err := c.bits(&s)
		if err != nil {
			return errors.Wrap(err, "cuda: Run")
		}
		binary.LittleEndian.PutUint64(r.in[at+8*i:], bits)
	}
	n := at + 8*len(g.code.scalars)
	if n == 0 {
		return nil
	}
	to := g.incoming[g.run%len(g.incoming)]
	if err := drv.copyIn(copying, to, r.in[:n]); err != nil {
		return err
	}
	if err := drv.record(copying, r.came); err != nil {
		return err
	}
	if err := drv.await(compute, r.came); err != nil {
		return err
	}
	return drv.move(g.given, to, n)
}

// step asks for the launches of step i.
func (g *program) step(i int) error {
	for _, l := range g.steps[i] {
		if err := g.x.launch(l); err != nil {
			return g.plan.Error(err, &g.plan.Steps[i])
		}
	}
	return nil
}

// launch asks for a launch.
func (x *Device) launch(l bound) error {
	f, err := x.function(l.kernel)
	if err != nil {
		return err
	}
	return x.drv.launch(f, l)
}

// Trace implements plan.Program.
func (g *program) Trace(in map[string]any, s graph.Scalars) error {
	return g.call(func() error {
		if err := g.send(in, s, g.run%ringSize); err != nil {
			return err
		}
		for i := range g.steps {
			st := &g.plan.Steps[i]
			if st.Guarded {
				continue
			}
			if err := g.step(i); err != nil {
				return err
			}
			for _, y := range st.Out {
				if y < 0 {
					continue
				}
				b, err := g.get(y)
				if err == nil {
					err = plan.TraceError(st, b)
				}
				if err != nil {
					return err
				}
			}
		}
		return g.x.drv.sync()
	})
}

// get returns a copy of a slot's value, contiguous.
func (g *program) get(slot int) (graph.Buf, error) {
	s := &g.plan.Slots[slot]
	at, _ := g.address(slot)
	b := graph.NewBuf(s.Meta)
	if s.Stride == 0 {
		return b, g.x.read(b.Mem, at)
	}
	row, stride := s.Row*s.Meta.DType.Size(), s.Stride*s.Meta.DType.Size()
	for i := 0; i*row < len(b.Mem); i++ {
		if err := g.x.read(b.Mem[i*row:(i+1)*row], at+addr(i*stride)); err != nil {
			return b, err
		}
	}
	return b, nil
}

// Read implements plan.Program.
func (g *program) Read(name string) (d *tensor.Dense, err error) {
	if err := g.ready(); err != nil {
		return nil, err
	}
	slot, err := g.plan.Output(name)
	if err != nil {
		d, err := g.state.Read(name)
		return d, errors.Wrapf(err, "cuda: Read: %q is neither an output of the plan nor a state", name)
	}
	return d, g.call(func() error {
		b, err := g.get(slot)
		d = graph.Dense(b)
		return err
	})
}

// Scalar implements plan.Program.
func (g *program) Scalar(name string) (float64, error) {
	var v [1]float64
	err := g.Scalars(v[:], name)
	return v[0], err
}

// Scalars implements plan.Program.
func (g *program) Scalars(v []float64, names ...string) error {
	if len(v) != len(names) {
		return errors.Errorf("cuda: Scalars: room for %d of %d values", len(v), len(names))
	}
	return g.call(func() error {
		for i, name := range names {
			slot, err := g.plan.ScalarOutput(name)
			if err != nil {
				return err
			}
			v[i] = g.report.value(g.plan, slot)
		}
		return nil
	})
}

// collect waits for a run's results. failed says that a guard was not finite.
func (g *program) collect(slot int) (failed, err error) {
	r := &g.ring[slot]
	if err := g.x.drv.wait(r.copied); err != nil {
		return nil, err
	}
	g.report.last = g.report.last[:0]
	for i := 0; i+4 <= len(r.out); i += 4 {
		g.report.last = append(g.report.last, binary.LittleEndian.Uint32(r.out[i:]))
	}
	if g.report.last[0] == 0 {
		return nil, nil
	}
	for _, s := range g.plan.Guards {
		if v := g.report.value(g.plan, s); math.IsNaN(v) || math.IsInf(v, 0) {
			return &plan.NotFiniteError{Op: "guard", Scope: "step", Value: v}, nil
		}
	}
	return &plan.NotFiniteError{Op: "guard", Scope: "step", Value: math.NaN()}, nil
}
