package plan

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// What executors have in common: where slots lie in memory, and how values go in and out.

// Place says where the memory of a slot lies.
type Place struct {
	Region Region
	State  string // the name of the state in whose value it lies; "" of an input or activation
	Offset int    // bytes from the start of that value, or of the region
	Bytes  int    // from the first to the last element, gaps between rows included
}

// Place returns where slot i lies. ok is false for a slot that the passes left without a use.
func (p *Plan) Place(i int) (at Place, ok bool) {
	r, off := p.Root(i)
	root := &p.Slots[r]
	at = Place{Region: root.Region, Offset: off, Bytes: p.Slots[i].Span()}
	switch {
	case root.Region == Activations:
		at.Offset += root.Offset
		return at, root.Last >= 0
	case root.Region == Inputs:
		at.Offset += root.Offset
		return at, true
	}
	at.State = root.Name
	return at, root.Name != ""
}

// Root follows aliases from slot i to the slot that owns its memory, and adds up the offset in bytes.
func (p *Plan) Root(i int) (slot, offset int) {
	for p.Slots[i].Base >= 0 {
		offset += p.Slots[i].Offset
		i = p.Slots[i].Base
	}
	return i, offset
}

// Span is the number of bytes from the first to the last element of a slot, gaps between rows included.
func (s *Slot) Span() int {
	if s.Stride == 0 {
		return s.Meta.Bytes()
	}
	rows := s.Meta.Size() / s.Row
	return ((rows-1)*s.Stride + s.Row) * s.Meta.DType.Size()
}

// Inputs lists the slots that each run fills, by name, in the order of declaration.
func (p *Plan) Inputs() (inputs []Named) {
	for i, s := range p.Slots {
		if s.Region == Inputs && s.Name != "" {
			inputs = append(inputs, Named{s.Name, i})
		}
	}
	return inputs
}

// Output returns the slot of an output; another name is [ErrName].
func (p *Plan) Output(name string) (slot int, err error) {
	for _, o := range p.Outputs {
		if o.Name == name {
			return o.Slot, nil
		}
	}
	return 0, errors.Wrapf(ErrName, "plan: output %q", name)
}

// ScalarOutput returns the slot of an output of one element; another name is [ErrName].
func (p *Plan) ScalarOutput(name string) (slot int, err error) {
	x, err := p.Output(name)
	if err != nil || p.Slots[x].Meta.Size() != 1 {
		return 0, errors.Wrapf(ErrName, "plan: Scalar: %q is not an output of one element", name)
	}
	return x, nil
}

// Scalars puts outputs of one element into v; see [Program].Scalars.
func (p *Plan) Scalars(v []float64, bufs []graph.Buf, names []string) error {
	if len(v) != len(names) {
		return errors.Errorf("plan: Scalars: room for %d of %d values", len(v), len(names))
	}
	for i, name := range names {
		x, err := p.ScalarOutput(name)
		if err != nil {
			return err
		}
		v[i] = First(bufs[x])
	}
	return nil
}

// CheckOps returns the error of the first step whose op and metas an executor does not support; see [Options].Supports.
func (p *Plan) CheckOps(supports func(op graph.Op, in []graph.Meta) error) error {
	for i := range p.Steps {
		s := &p.Steps[i]
		if err := supports(s.Op, p.Metas(s.In)); err != nil {
			return p.Error(err, s)
		}
	}
	return nil
}

// Bufs returns the slots as views of memory that the process can address. That is the arena of the activations, the
// memory of the inputs, and the values of a state. A slot without a use is empty.
func (p *Plan) Bufs(arena, inputs []byte, state *Values[[]byte]) ([]graph.Buf, error) {
	bufs := make([]graph.Buf, len(p.Slots))
	for i, s := range p.Slots {
		at, ok := p.Place(i)
		if !ok {
			continue
		}
		mem := arena
		switch {
		case at.Region == Inputs:
			mem = inputs
		case at.State != "":
			v, err := state.Find(at.State)
			if err != nil {
				return nil, err
			}
			mem = v.Mem
		}
		bufs[i] = graph.Buf{Meta: s.Meta, Row: s.Row, Stride: s.Stride, Mem: Cut(mem, at.Offset, at.Bytes)}
	}
	return bufs, nil
}

// Cut returns n bytes of memory that the process can address, for [Values.Adopt].
func Cut(mem []byte, offset, n int) []byte { return mem[offset : offset+n : offset+n] }

// Operands returns the buffers of a step's operands and results, those of a result that nothing reads empty.
func (s *Step) Operands(bufs []graph.Buf) (in, out []graph.Buf) {
	for _, x := range s.In {
		in = append(in, bufs[x])
	}
	for _, y := range s.Out {
		b := graph.Buf{}
		if y >= 0 {
			b = bufs[y]
		}
		out = append(out, b)
	}
	return in, out
}

// Error names a step in an error of its op: scope, op and the metas of its operands.
func (p *Plan) Error(err error, s *Step) error { return opError(err, s.Scope, s.Op, p.Metas(s.In)) }

// opError names an op in an error.
func opError(err error, scope string, op graph.Op, in []graph.Meta) error {
	return errors.Wrapf(err, "plan: %s: %s%v", scope, graph.OpName(op), in)
}

// Metas returns dtype and shape of slots.
func (p *Plan) Metas(slots []int) []graph.Meta {
	in := make([]graph.Meta, len(slots))
	for i, x := range slots {
		in[i] = p.Slots[x].Meta
	}
	return in
}

// TestGuards returns the *NotFiniteError of the first guard that is not finite, nil where all are.
func (p *Plan) TestGuards(bufs []graph.Buf) error {
	for _, x := range p.Guards {
		if v := First(bufs[x]); math.IsNaN(v) || math.IsInf(v, 0) {
			return &NotFiniteError{"guard", "step", v}
		}
	}
	return nil
}

// TraceError returns the *NotFiniteError of a step with a result that holds NaN or an infinity; nil where y is finite.
func TraceError(s *Step, y graph.Buf) error {
	if v, bad := notFinite(y); bad {
		return &NotFiniteError{graph.Describe(s.Op), s.Scope, v}
	}
	return nil
}

// notFinite finds the first NaN or infinity of a value.
func notFinite(b graph.Buf) (float64, bool) {
	for i := range len(b.Mem) / b.DType.Size() {
		if v := b.At(i); v-v != 0 {
			return v, true
		}
	}
	return 0, false
}

// First returns the first element of a value.
func First(b graph.Buf) float64 { return b.At(0) }

// CopyOut returns a value in memory of its own, contiguous.
func CopyOut(b graph.Buf) *tensor.Dense {
	c := graph.NewBuf(b.Meta)
	if b.Stride == 0 {
		copy(c.Mem, b.Mem)
		return graph.Dense(c)
	}
	size := b.DType.Size()
	for i := 0; i*b.Row < b.Size(); i++ {
		copy(c.Mem[i*b.Row*size:(i+1)*b.Row*size], b.Mem[i*b.Stride*size:])
	}
	return graph.Dense(c)
}

// CopyInputs copies the inputs of a run into slots; the first that is missing or does not fit is the error.
func CopyInputs(inputs []Named, bufs []graph.Buf, in map[string]any) error {
	for _, n := range inputs {
		b := bufs[n.Slot]
		v, ok := in[n.Name]
		if !ok {
			return errors.Wrapf(ErrName, "plan: Run: input %q %v is missing", n.Name, b.Meta)
		}
		if err := copyIn(b, v); err != nil {
			return errors.Wrapf(err, "plan: Run: input %q %v", n.Name, b.Meta)
		}
	}
	return nil
}

// copyIn copies an input of any accepted type, converting between the float types.
func copyIn(b graph.Buf, v any) error {
	if d, ok := v.(*tensor.Dense); ok {
		v = d.Data()
	}
	n, fits := -1, false
	switch v := v.(type) {
	case []float32:
		n, fits = len(v), copyElems(b, v)
	case []float64:
		n, fits = len(v), copyElems(b, v)
	case []int32:
		n, fits = len(v), copyElems(b, v)
	}
	if !fits {
		return errors.Errorf("got %T of %d elements", v, n)
	}
	return nil
}

// copyElems copies v to b where it has as many elements, both floats or both ids.
func copyElems[T graph.Elem](b graph.Buf, v []T) bool {
	x := graph.BufOf(v)
	if len(v) != b.Size() || x.DType.IsFloat() != b.DType.IsFloat() {
		return false
	}
	if x.DType == b.DType {
		copy(b.Mem, x.Mem)
		return true
	}
	x.Shape = b.Shape
	b.Convert(x)
	return true
}
