package plan

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// cpuState implements State in the process's memory.
type cpuState struct {
	vals   []stateValue
	at     map[string]int
	parent *cpuState  // where set: has the values of kind common
	common graph.Kind // see Share
	arena  []byte     // activations of the programs that share them
}

// activations returns n bytes for the activations of programs that share them: the same ones until more are asked for.
func (s *cpuState) activations(n int) []byte {
	if len(s.arena) < n {
		s.arena = graph.Alloc(n)
	}
	return s.arena[:n:n]
}

// owner is the state that has s's values of a kind.
func (s *cpuState) owner(k graph.Kind) *cpuState {
	if s.parent != nil && k == s.common {
		return s.parent.owner(k)
	}
	return s
}

type stateValue struct {
	name string
	kind graph.Kind
	buf  graph.Buf
}

func (s *cpuState) Names(k graph.Kind) (names []string) {
	for _, v := range s.owner(k).vals {
		if v.kind == k {
			names = append(names, v.name)
		}
	}
	return names
}

func (s *cpuState) find(name string) (*stateValue, error) {
	if i, ok := s.at[name]; ok {
		return &s.vals[i], nil
	}
	if s.parent != nil {
		if v, err := s.parent.find(name); err == nil && v.kind == s.common {
			return v, nil
		}
	}
	return nil, errors.Wrapf(ErrName, "state %q", name)
}

func (s *cpuState) Meta(name string) (graph.Meta, graph.Kind, error) {
	v, err := s.find(name)
	if err != nil {
		return graph.Meta{}, 0, err
	}
	return v.buf.Meta, v.kind, nil
}

func (s *cpuState) Read(name string) (*tensor.Dense, error) {
	v, err := s.find(name)
	if err != nil {
		return nil, err
	}
	return copyOut(v.buf), nil
}

func (s *cpuState) Write(name string, d *tensor.Dense) error {
	v, err := s.find(name)
	if err != nil {
		return err
	}
	b, err := graph.BufOfDense(d, v.buf.Meta)
	if err != nil {
		return errors.Wrapf(err, "state %q", name)
	}
	copy(v.buf.Mem, b.Mem)
	return nil
}

func (s *cpuState) Fill(name string, f func(b graph.Buf) error) error {
	v, err := s.find(name)
	if err != nil {
		return err
	}
	return errors.Wrapf(f(v.buf), "state %q", name)
}

func (s *cpuState) Share(k graph.Kind) State {
	return &cpuState{at: map[string]int{}, parent: s, common: k}
}

// copyOut returns a value in memory of its own, contiguous.
func copyOut(b graph.Buf) *tensor.Dense {
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

// kinds maps regions of state back to kinds.
var kinds = map[Region]graph.Kind{Params: graph.Param, Grads: graph.Grad, Moments: graph.Moment,
	Statistics: graph.Statistic, Caches: graph.Cache, Averages: graph.Average}

// adopt adds the states of p that s lacks.
func (s *cpuState) adopt(p *Plan) error {
	sizes := map[Region]int{}
	var add []int
	for i, sl := range p.Slots {
		if _, ok := kinds[sl.Region]; !ok || sl.Name == "" {
			continue
		}
		if old, err := s.find(sl.Name); err == nil {
			if !old.buf.Meta.Equal(sl.Meta) {
				return errors.Errorf("plan: Compile: state %q is %v, the plan wants %v", sl.Name, old.buf.Meta, sl.Meta)
			}
			continue
		}
		add = append(add, i)
		sizes[sl.Region] += aligned(sl.Meta.Bytes())
	}
	mem := map[Region][]byte{}
	for r, n := range sizes {
		mem[r] = graph.Alloc(n)
	}
	for _, i := range add {
		sl := &p.Slots[i]
		n := sl.Meta.Bytes()
		o := s.owner(kinds[sl.Region])
		o.at[sl.Name] = len(o.vals)
		o.vals = append(o.vals, stateValue{sl.Name, kinds[sl.Region], graph.Buf{Meta: sl.Meta, Mem: mem[sl.Region][:n:n]}})
		mem[sl.Region] = mem[sl.Region][aligned(n):]
	}
	return nil
}

// notFinite finds the first NaN or infinity of a float value.
func notFinite(b graph.Buf) (float64, bool) {
	switch b.DType {
	case graph.Float32:
		for _, v := range graph.Data[float32](b) {
			if v-v != 0 {
				return float64(v), true
			}
		}
	case graph.Float64:
		for _, v := range graph.Data[float64](b) {
			if v-v != 0 {
				return v, true
			}
		}
	}
	return 0, false
}

// copyIn copies an input of any accepted type, converting between the float types.
func copyIn(b graph.Buf, v any) error {
	if d, ok := v.(*tensor.Dense); ok {
		v = d.Data()
	}
	n := -1
	switch v := v.(type) {
	case []float32:
		n = len(v)
		if b.DType == graph.Float32 {
			copy(graph.Data[float32](b), v)
		} else if b.DType == graph.Float64 && n == b.Size() {
			for i, x := range v {
				graph.Data[float64](b)[i] = float64(x)
			}
		}
	case []float64:
		n = len(v)
		if b.DType == graph.Float64 {
			copy(graph.Data[float64](b), v)
		} else if b.DType == graph.Float32 && n == b.Size() {
			for i, x := range v {
				graph.Data[float32](b)[i] = float32(x)
			}
		}
	case []int32:
		n = len(v)
		if b.DType == graph.Int32 {
			copy(graph.Data[int32](b), v)
		}
	}
	if _, ids := v.([]int32); n != b.Size() || ids != (b.DType == graph.Int32) {
		return errors.Errorf("got %T of %d elements", v, n)
	}
	return nil
}
