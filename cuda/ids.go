package cuda

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// checkIDs refuses ids that a kernel would take for an address outside its table. Those of inputs are checked here, on
// the host.
func (g *program) checkIDs(bufs []graph.Buf) error {
	for _, c := range g.code.checks {
		slot, offset := g.plan.Root(c.slot)
		if g.plan.Slots[slot].Region != plan.Inputs {
			continue
		}
		s := &g.plan.Slots[c.slot]
		b := bufs[slot]
		b.Mem = plan.Cut(b.Mem, offset, s.Span())
		for _, id := range graph.Data[int32](b) {
			if int(id) < c.lo || int(id) >= c.hi {
				if !c.hasOther || int(id) != c.other {
					return errors.Errorf("cuda: input %q: id %d, want %d to %d", g.plan.Slots[slot].Name, id, c.lo, c.hi-1)
				}
			}
		}
	}
	return nil
}
