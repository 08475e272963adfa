package cuda

import (
	"math"
	"reflect"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// lowerings is the table from the type of an op to the function that lowers it to launches. An op that is not in it has
// no kernel.
var lowerings = map[reflect.Type]func(b *builder, op graph.Op) error{}

// lowered puts the lowering of ops of type O into the table.
func lowered[O graph.Op](f func(b *builder, op O) error) struct{} {
	lowerings[reflect.TypeFor[O]()] = func(b *builder, op graph.Op) error { return f(b, op.(O)) }
	return struct{}{}
}

// A value is an operand or a result of the step that is being lowered.
type value struct {
	graph.Meta
	slot        int // −1 for a result that nothing reads
	row, stride int // in elements, as in graph.Buf; 0 where it is contiguous
	temp        bool
	offset      int // in bytes
	root, base  int // the slot whose memory it lies in, and where; −1 where that is not known
}

// same reports whether two values are known to be one piece of memory.
func (v value) same(o value) bool {
	return v.root >= 0 && v.root == o.root && v.base == o.base && v.slot >= 0 && o.slot >= 0
}

// empty reports whether nothing reads the value: kernels get address 0.
func (v value) empty() bool { return v.slot < 0 && !v.temp }

// at is the value from an element on.
func (v value) at(element int) value {
	v.offset += element * v.DType.Size()
	return v
}

// A builder collects the launches of one step.
type builder struct {
	in, out  []value
	choose   chooser
	guarded  bool
	launches []launch
	scratch  int // bytes
	checks   []idCheck
	err      error
	weights  value // of classes, where a cross-entropy has them
}

// An idCheck says which ids an operand may hold: lo ≤ id < hi, or one that is equal to other.
type idCheck struct {
	slot          int
	lo, hi, other int
	hasOther      bool
}

// lower returns the launches of one op on operands and results.
func lower(op graph.Op, b *builder) error {
	f, ok := lowerings[reflect.TypeOf(op)]
	if !ok {
		return errors.Wrapf(plan.ErrUnsupported, "cuda: no kernel for %s", graph.OpName(op))
	}
	for _, v := range append(append([]value{}, b.in...), b.out...) {
		if v.DType == graph.Float64 && !v.empty() {
			return errors.Wrapf(plan.ErrUnsupported, "cuda: %s of float64: kernels are for float32 and int32", graph.OpName(op))
		}
	}
	if err := f(b, op); err != nil {
		return err
	}
	return b.err
}

// fail keeps the first error of a lowering.
func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// dry lowers an op of which only the operands' metas are known: for Options.Supports and Options.Scratch. Results have
// slots, and the first one has its meta.
func dry(op graph.Op, in []graph.Meta, choose chooser, guarded bool) (*builder, error) {
	b := &builder{choose: choose, guarded: guarded}
	for i, m := range in {
		b.in = append(b.in, value{Meta: m, slot: i, root: -1})
	}
	_, _, n := graph.WholeOf(op)
	m, err := op.Infer(in)
	if err != nil {
		return nil, err
	}
	for i := range n {
		b.out = append(b.out, value{Meta: m, slot: len(in) + i, root: -1})
		m = graph.Meta{}
	}
	return b, lower(op, b)
}

// launch adds a run of a kernel. The first argument of every kernel is the guard's flag, and args are those behind it.
// Numbers have one of the types of [argOf]. Addresses are those of a value, of a []int32 of constants, or of the 8
// bytes of a scalar. nil is address 0.
func (b *builder) launch(kernel string, grid, block dim, args ...any) {
	b.launchShared(kernel, grid, block, 0, args...)
}

// launchShared is launch with bytes of dynamic shared memory.
func (b *builder) launchShared(kernel string, grid, block dim, shared int, args ...any) {
	l := launch{kernel: kernel, grid: grid, block: block, shared: shared, args: []arg{{kind: argStop}}}
	for _, a := range args {
		l.args = append(l.args, argOf(a))
	}
	b.launches = append(b.launches, l)
}

// argOf is an argument of launch.
func argOf(a any) arg {
	switch a := a.(type) {
	case nil:
		return arg{kind: argBits}
	case value:
		switch {
		case a.temp:
			return arg{kind: argTemp, offset: a.offset}
		case a.slot < 0:
			return arg{kind: argBits}
		}
		return arg{kind: argValue, slot: a.slot, offset: a.offset}
	case int:
		return arg{kind: argBits, bits: uint64(a)}
	case bool:
		return arg{kind: argBits, bits: uint64(btoi(a))}
	case uint32:
		return arg{kind: argBits, bits: uint64(a)}
	case int64:
		return arg{kind: argBits, bits: uint64(a)}
	case uint64:
		return arg{kind: argBits, bits: a}
	case float32:
		return arg{kind: argBits, float: true, bits: uint64(math.Float32bits(a))}
	case []int32:
		return arg{kind: argTable, table: a}
	case scalar:
		return arg{kind: argScalar, scalar: a}
	}
	return arg{kind: argBits, bits: math.MaxUint64} // a kernel's parameters are checked when a plan is compiled
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// threads is the block of elementwise kernels.
const threads = 256

// each launches one thread for each of n elements.
func (b *builder) each(kernel string, n int, args ...any) {
	b.launch(kernel, dim{(n + threads - 1) / threads, 1, 1}, dim{threads, 1, 1}, args...)
}

// rows launches one block of 32·warps threads for each of n rows.
func (b *builder) rows(kernel string, n, warps int, args ...any) {
	b.launch(kernel, dim{n, 1, 1}, dim{32 * warps, 1, 1}, args...)
}

// align is the alignment of temporary values.
const align = 256

// temp is memory for this step alone, with any content.
func (b *builder) temp(m graph.Meta) value {
	v := value{Meta: m, slot: -1, temp: true, offset: b.scratch, root: -1}
	b.scratch += (m.Bytes() + align - 1) / align * align
	return v
}

// ids says that operand i must hold ids lo ≤ id < hi. They are checked on the host, before they are copied, where the
// operand is an input of the plan.
func (b *builder) ids(i, lo, hi int) {
	b.checks = append(b.checks, idCheck{slot: b.in[i].slot, lo: lo, hi: hi})
}

// idsOr is ids, and one other id passes.
func (b *builder) idsOr(i, lo, hi, other int) {
	b.checks = append(b.checks, idCheck{slot: b.in[i].slot, lo: lo, hi: hi, other: other, hasOther: true})
}

// unsupported is the error of an op whose attributes no kernel takes.
func unsupported(op graph.Op, why string) error {
	return errors.Wrapf(plan.ErrUnsupported, "cuda: %s: %s", graph.Describe(op), why)
}
