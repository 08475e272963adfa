package cuda

import (
	"fmt"
	"strconv"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// ringSize is the number of runs whose inputs and results have pinned memory of their own. One is being made, one is
// looked at, and one is between.
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
	c, err := compile(p, x.way)
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
		{&g.report.addresses, "addresses", 8 * max(1, len(g.report.slots))}, {&g.report.words, "report", 4 * (1 + len(g.report.slots))}} {
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
	if r.in, err = g.x.pin("inputs on the host", max(in, 8)); err != nil {
		return err
	}
	if r.out, err = g.x.pin("results on the host", 4*(1+len(g.report.slots))); err != nil {
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
