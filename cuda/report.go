package cuda

import (
	"math"
	"slices"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// A report is what the host reads of each run: the flag of the guards, then guards and outputs of one element.
type report struct {
	slots            []int
	addresses, words addr
	last             []uint32 // of the last run that was looked at
}

// list chooses the slots.
func (r *report) list(p *plan.Plan) {
	r.slots = append(r.slots, p.Guards...)
	for _, o := range p.Outputs {
		if p.Slots[o.Slot].Meta.Size() == 1 && !slices.Contains(r.slots, o.Slot) {
			r.slots = append(r.slots, o.Slot)
		}
	}
}

// test sets the flag of the state where a guard is not finite.
func (r *report) test(g *program) error {
	if len(g.plan.Guards) == 0 {
		return nil
	}
	return r.launch(g, "ceto_guard", g.state.stop, len(g.plan.Guards), "guards")
}

// send copies flag and values to the host.
func (r *report) send(g *program, to *pinned) error {
	drv := g.x.drv
	if err := r.launch(g, "ceto_report", r.words, len(r.slots), "report"); err != nil {
		return err
	}
	if err := drv.copyOut(compute, to.out, r.words); err != nil {
		return err
	}
	return drv.record(compute, to.copied)
}

// launch runs one of the two kernels on the first n slots.
func (r *report) launch(g *program, kernel string, to addr, n int, what string) error {
	args := []arg{{}, {bits: uint64(to)}, {bits: uint64(g.state.stop)}, {bits: uint64(r.addresses)}, {bits: uint64(n)}}
	b, err := g.boundOf(launch{kernel: kernel, grid: dim{1, 1, 1}, block: dim{32, 1, 1}, args: args}, false)
	if err != nil {
		return err
	}
	b.what = what
	b.ranges = []span{{name: what, at: to, bytes: 4, access: reads | writes}, {name: "guard", at: g.state.stop, bytes: 4, access: reads},
		{name: "addresses", at: r.addresses, bytes: max(8*n, 8), access: reads}}
	if kernel == "ceto_report" {
		b.ranges[0].bytes = 4 * (1 + len(r.slots))
	} else {
		b.ranges = b.ranges[1:]
		b.ranges[0].access |= writes
	}
	for _, s := range r.slots[:n] {
		at, m := g.address(s)
		b.ranges = append(b.ranges, span{name: g.slotName(s), at: at, bytes: m, access: reads})
	}
	return errors.WithMessage(g.x.launch(b), "cuda: "+what)
}

// bits are what the last run has for a slot of the report; ok is false before the first run, and for other slots.
func (r *report) bits(slot int) (bits uint32, ok bool) {
	i := 1 + slices.Index(r.slots, slot)
	if i == 0 || i >= len(r.last) {
		return 0, false
	}
	return r.last[i], true
}

// value is bits as a number; NaN where there are none.
func (r *report) value(p *plan.Plan, slot int) float64 {
	bits, ok := r.bits(slot)
	switch {
	case !ok:
		return math.NaN()
	case p.Slots[slot].Meta.DType == graph.Int32:
		return float64(int32(bits))
	}
	return float64(math.Float32frombits(bits))
}
