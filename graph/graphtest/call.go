package graphtest

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// guarded is a value with guard bytes before and behind it.
type guarded struct {
	graph.Buf
	all []byte
}

// guard is the number of guard bytes on each side; 64 keeps the alignment of memory.
const guard = 64

// around returns n bytes between guards.
func around(n int) guarded {
	all := graph.Alloc(n + 2*guard)
	for i := range guard {
		all[i], all[guard+n+i] = 0xa5, 0xa5
	}
	return guarded{Buf: graph.Buf{Mem: all[guard : guard+n : guard+n]}, all: all}
}

// fresh returns memory for a result, every float NaN and every id 0x7fffffff.
func fresh(m graph.Meta) guarded {
	g := around(m.Bytes())
	g.Meta = m
	g.poison()
	return g
}

func (g guarded) poison() {
	if g.DType.IsFloat() {
		g.Fill(math.NaN())
	} else {
		g.Fill(math.MaxInt32)
	}
}

func fill32(mem []byte, v uint32) {
	for i := 0; i+4 <= len(mem); i += 4 {
		binary.LittleEndian.PutUint32(mem[i:], v)
	}
}

// intact reports whether the guards are.
func (g guarded) intact() bool {
	for i := range guard {
		if g.all[i] != 0xa5 || g.all[len(g.all)-1-i] != 0xa5 {
			return false
		}
	}
	return true
}

// errPanic is the cause where Eval panics, and errGuard where it writes what is not its own.
var errPanic, errGuard = errors.New("Eval panics"), errors.New("bytes around it were written")

// recovered reports whether err is a fault of Eval and not its answer.
func recovered(err error) bool { return errors.Is(err, errPanic) || errors.Is(err, errGuard) }

// call is one evaluation of an op, its operands copies between guards.
type call struct {
	op      graph.Op
	in      []graph.Buf
	out     []guarded // without memory where nobody reads it
	scratch guarded
	pool    graph.Workers
	scalars graph.Scalars
}

func newCall(op graph.Op, in []graph.Buf, members int, p graph.Workers, s graph.Scalars) *call {
	c := &call{op: op, in: in, out: make([]guarded, members), pool: p, scalars: s}
	n := 0
	if sc, ok := op.(graph.Scratcher); ok {
		m := make([]graph.Meta, len(in))
		for i := range in {
			m[i] = in[i].Meta
		}
		n = sc.Scratch(m)
	}
	c.scratch = around(n)
	return c
}

// outs are the results as Eval takes them.
func (c *call) outs() []graph.Buf {
	out := make([]graph.Buf, len(c.out))
	for i := range c.out {
		out[i] = c.out[i].Buf
	}
	return out
}

// clones are copies of values, for an op that may spoil them.
func clones(x []graph.Buf) []graph.Buf {
	y := append([]graph.Buf{}, x...)
	for i := range y {
		y[i].Mem = graph.Alloc(len(x[i].Mem))
		copy(y[i].Mem, x[i].Mem)
	}
	return y
}

func (c *call) run() error { return c.runOn(c.in) }

// runOn evaluates on operands in place of c's own.
func (c *call) runOn(in []graph.Buf) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Wrapf(errPanic, "%v", r)
		}
	}()
	fill32(c.scratch.Mem, 0x7fc00000)
	if err := c.op.Eval(graph.NewCtx(c.pool, &c.scalars, c.scratch.Mem), c.outs(), in); err != nil {
		return err
	}
	for i, o := range c.out {
		if o.all != nil && !o.intact() {
			return errors.Wrapf(errGuard, "result %d", i)
		}
	}
	if !c.scratch.intact() {
		return errors.Wrapf(errGuard, "scratch of %d bytes", len(c.scratch.Mem))
	}
	return nil
}

// watched repeats the evaluation on copies of the operands. They and what lies around them must stay as they are, and
// the result must be the same and written in full. Where allocs asks for it, no memory may be allocated.
func (c *call) watched(allocs bool) error {
	w := *c
	w.out = make([]guarded, len(c.out))
	copies := make([]guarded, len(c.in))
	in := make([]graph.Buf, len(c.in))
	for i, x := range c.in {
		copies[i] = fresh(x.Meta)
		copy(copies[i].Mem, x.Mem)
		in[i] = copies[i].Buf
	}
	for i, o := range c.out {
		if o.all != nil {
			w.out[i] = fresh(o.Meta)
			for j := range w.out[i].Mem {
				w.out[i].Mem[j] = 0x5b // another poison than that of c
			}
		}
	}
	if err := w.runOn(in); err != nil {
		return err
	}
	for i := range in {
		if !bytes.Equal(in[i].Mem, c.in[i].Mem) || !copies[i].intact() {
			return errors.Errorf("operand %d, or what lies around it, was written", i)
		}
	}
	for k := range c.out {
		if i := differ(w.out[k].Buf, c.out[k].Buf); i >= 0 {
			return errors.Errorf("result %d: element %d is not written, or not the same when run again", k, i)
		}
	}
	if !allocs {
		return nil
	}
	return w.allocates(in)
}

// allocates reports an evaluation that allocates after its first run. Foreign ops may.
func (c *call) allocates(in []graph.Buf) (err error) {
	if _, ok := c.op.(graph.Foreign); ok || c.pool.Workers() > 1 || Race {
		return nil
	}
	ctx, out := graph.NewCtx(c.pool, &c.scalars, c.scratch.Mem), c.outs()
	n := 1.0
	for try := 0; try < 4 && n > 0 && err == nil; try++ { // the count is the process's: the runtime's own may fall into it
		n = testing.AllocsPerRun(1, func() { err = c.op.Eval(ctx, out, in) })
	}
	if err == nil && n > 0 {
		err = errors.Errorf("Eval allocates %v times in its second run; a func value made in a generic function does, see graph.EachPart", n)
	}
	return err
}

// inPlace runs the op once more for each operand that it says it may overwrite.
func (c *call) inPlace(x []*graph.Node, member int) error {
	want := c.out[member].Buf
	for operand := range c.in {
		if err := c.overwrite(x, member, operand, want); err != nil {
			return err
		}
	}
	return nil
}

// overwrite evaluates with a member's result in the memory of an operand, where the op allows it.
func (c *call) overwrite(x []*graph.Node, member, operand int, want graph.Buf) error {
	o, ok := c.op.(graph.Overwriter)
	if !ok || !o.Overwrites(member, operand) || c.in[operand].Bytes() != want.Bytes() || c.in[operand].DType != want.DType {
		return nil
	}
	for i := range x {
		if i != operand && x[i] == x[operand] {
			return nil // a plan does not overwrite what the step reads twice
		}
	}
	w := *c
	w.out = make([]guarded, len(c.out))
	for i, o := range c.out {
		if o.all != nil {
			w.out[i] = fresh(o.Meta)
		}
	}
	copy(w.out[member].Mem, c.in[operand].Mem)
	in := append([]graph.Buf{}, c.in...)
	in[operand].Mem = w.out[member].Mem
	if err := w.runOn(in); err != nil {
		return errors.Wrapf(err, "in place of operand %d", operand)
	}
	for k := range w.out {
		if i := differ(w.out[k].Buf, c.out[k].Buf); i >= 0 {
			return errors.Errorf("member %d in place of operand %d: element %d of member %d has other bits", member, operand, i, k)
		}
	}
	return nil
}

// differ returns the first element in which a and b have different bits, or −1.
func differ(a, b graph.Buf) int {
	if bytes.Equal(a.Mem, b.Mem) {
		return -1
	}
	i := 0
	for a.Mem[i] == b.Mem[i] {
		i++
	}
	return i / a.DType.Size()
}
