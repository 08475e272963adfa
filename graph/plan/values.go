package plan

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Values keeps the books of a state: which values it has, of which kind and meta, and which it shares with another
// state. M is the executor's memory: a slice on the CPU, an address elsewhere. The zero value is a state without
// values.
type Values[M any] struct {
	list   []Value[M]
	at     map[string]int
	blocks []M
	parent *Values[M] // where set: has the values of kind common
	common graph.Kind
	closed bool
}

// Value is one value of a state.
type Value[M any] struct {
	Name string
	Kind graph.Kind
	Meta graph.Meta
	Mem  M
}

// Err is [ErrClosed] after Close, and after that of the state which v shares values with.
func (v *Values[M]) Err() error {
	for x := v; x != nil; x = x.parent {
		if x.closed {
			return errors.Wrap(ErrClosed, "state")
		}
	}
	return nil
}

// Close forgets the values, and returns the memory to be freed: what alloc gave to Adopt. A second Close returns none.
func (v *Values[M]) Close() (blocks []M) {
	blocks = v.blocks
	v.closed, v.list, v.at, v.blocks = true, nil, nil, nil
	return blocks
}

// owner is the state that has v's values of a kind.
func (v *Values[M]) owner(k graph.Kind) *Values[M] {
	if v.parent != nil && k == v.common {
		return v.parent.owner(k)
	}
	return v
}

// Names lists the values of one kind in the order they were added; none after Close.
func (v *Values[M]) Names(k graph.Kind) (names []string) {
	if v.Err() != nil {
		return nil
	}
	for _, x := range v.owner(k).list {
		if x.Kind == k {
			names = append(names, x.Name)
		}
	}
	return names
}

// Find returns a value by name. An unknown name is [ErrName].
func (v *Values[M]) Find(name string) (*Value[M], error) {
	if v.Err() != nil {
		return nil, errors.Wrapf(ErrClosed, "state %q", name)
	}
	if i, ok := v.at[name]; ok {
		return &v.list[i], nil
	}
	if v.parent != nil {
		if x, err := v.parent.Find(name); err == nil && x.Kind == v.common {
			return x, nil
		}
	}
	return nil, errors.Wrapf(ErrName, "state %q", name)
}

// ValueBuf returns a value as a view of memory that the process can address. An unknown name is [ErrName].
func ValueBuf(v *Values[[]byte], name string) (graph.Buf, error) {
	x, err := v.Find(name)
	if err != nil {
		return graph.Buf{}, err
	}
	return graph.Buf{Meta: x.Meta, Mem: x.Mem}, nil
}

// Meta returns dtype, shape and kind of a value.
func (v *Values[M]) Meta(name string) (graph.Meta, graph.Kind, error) {
	x, err := v.Find(name)
	if err != nil {
		return graph.Meta{}, 0, err
	}
	return x.Meta, x.Kind, nil
}

// Share returns the books of a state that has the values of one kind in common with v; closed where v is.
func (v *Values[M]) Share(k graph.Kind) *Values[M] {
	return &Values[M]{parent: v, common: k, closed: v.closed}
}

// kinds maps regions of state back to kinds.
var kinds = map[Region]graph.Kind{Params: graph.Param, Grads: graph.Grad, Moments: graph.Moment,
	Statistics: graph.Statistic, Caches: graph.Cache, Averages: graph.Average}

// Adopt adds the values of p that v lacks. Those of one region lie in one block, which alloc returns, zeroed. cut
// returns n bytes of it from an offset on. A value that v has with another meta than p's is an error, and nothing is
// added then. An error of alloc leaves v with the regions before it.
func (v *Values[M]) Adopt(p *Plan, alloc func(bytes int) (M, error), cut func(block M, offset, bytes int) M) error {
	if err := v.Err(); err != nil {
		return err
	}
	var add [regions][]int
	for i, s := range p.Slots {
		if _, ok := kinds[s.Region]; !ok || s.Name == "" {
			continue
		}
		switch old, err := v.Find(s.Name); {
		case err != nil:
			add[s.Region] = append(add[s.Region], i)
		case !old.Meta.Equal(s.Meta):
			return errors.Errorf("plan: Compile: state %q is %v, the plan wants %v", s.Name, old.Meta, s.Meta)
		}
	}
	for r, slots := range add {
		if len(slots) == 0 {
			continue
		}
		size := 0
		for _, i := range slots {
			size += Aligned(p.Slots[i].Meta.Bytes())
		}
		block, err := alloc(size)
		if err != nil {
			return errors.Wrapf(err, "plan: Compile: %d bytes for %v", size, Region(r))
		}
		v.owner(kinds[Region(r)]).add(p, slots, block, cut)
	}
	return nil
}

// add enters the values of slots, which lie in one block, in their order.
func (v *Values[M]) add(p *Plan, slots []int, block M, cut func(block M, offset, bytes int) M) {
	if v.at == nil {
		v.at = map[string]int{}
	}
	v.blocks = append(v.blocks, block)
	off := 0
	for _, i := range slots {
		s := &p.Slots[i]
		n := s.Meta.Bytes()
		v.at[s.Name] = len(v.list)
		v.list = append(v.list, Value[M]{s.Name, kinds[s.Region], s.Meta, cut(block, off, n)})
		off += Aligned(n)
	}
}
