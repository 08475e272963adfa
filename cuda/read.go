package cuda

import (
	"encoding/binary"
	"math"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

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
		if bits, ok := g.report.bits(slot); ok { // after a run that failed its own, whatever ran behind it
			b := graph.NewBuf(g.plan.Slots[slot].Meta)
			binary.LittleEndian.PutUint32(b.Mem, bits)
			d = graph.Dense(b)
			return nil
		}
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
	return g.call(func() error { return g.scalarsOf(v, names) })
}

// Before implements plan.Pipelined.
func (g *program) Before(v []float64, names ...string) error {
	if len(v) != len(names) {
		return errors.Errorf("cuda: Before: room for %d of %d values", len(v), len(names))
	}
	if err := g.ready(); err != nil {
		return err
	}
	return g.scalarsOf(v, names)
}

// scalarsOf reads the report of the newest run that was looked at.
func (g *program) scalarsOf(v []float64, names []string) error {
	for i, name := range names {
		slot, err := g.plan.ScalarOutput(name)
		if err != nil {
			return err
		}
		v[i] = g.report.value(g.plan, slot)
	}
	return nil
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
