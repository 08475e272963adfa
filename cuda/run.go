package cuda

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

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
func (g *program) Time(in map[string]any, s graph.Scalars) (took []time.Duration, err error) {
	marks := make([]event, len(g.plan.Steps)+1)
	return took, g.call(func() error {
		var err error
		for i := range marks {
			if err == nil {
				marks[i], err = g.x.drv.event()
			}
		}
		if err == nil {
			took, err = g.timed(in, s, marks)
		}
		for _, e := range marks {
			if e == nil {
				continue
			}
			if drop := g.x.drv.drop(e); err == nil {
				err = drop
			}
		}
		return err
	})
}

// timed runs once, records marks around the steps and returns the time between them.
func (g *program) timed(in map[string]any, s graph.Scalars, marks []event) ([]time.Duration, error) {
	if err := g.start(in, s, marks); err != nil {
		return nil, err
	}
	run := g.state.pending[0] // the runs before were looked at
	g.state.pending = nil
	failed, err := g.collect(run.ring)
	if failed != nil {
		err = g.x.drv.fill(g.state.stop, 0, 1)
	}
	if err == nil {
		err = failed
	}
	took := make([]time.Duration, len(g.plan.Steps))
	for i := range took {
		if err == nil {
			took[i], err = g.x.drv.since(marks[i], marks[i+1])
		}
	}
	return took, err
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
	if l.product != nil {
		q, err := x.prepare(l.product.product)
		if err != nil {
			return err
		}
		return x.drv.multiply(q, l)
	}
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
