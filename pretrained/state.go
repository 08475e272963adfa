package pretrained

import (
	"maps"
	"slices"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// Fill reads the values into the parameters of a state, as float32. The state must have all of the model's parameters.
// Its other parameters stay as they are, such as a new head's or those of nn.LoRA.
func (s *Source) Fill(state plan.State) error { return s.fill(state, false) }

// FillTrunk is [Source.Fill] for a state without the model's head: an untied head of the files is not read.
func (s *Source) FillTrunk(state plan.State) error { return s.fill(state, true) }

func (s *Source) fill(state plan.State, trunk bool) error {
	for _, name := range slices.Sorted(maps.Keys(s.params)) {
		if trunk && name == s.Architecture.Head+".weight" {
			continue
		}
		t := s.params[name]
		err := state.Fill(name, func(b graph.Buf) error {
			if b.DType != graph.Float32 || b.Size() != graph.Shape(t.Shape).Size() {
				return errors.Errorf("the state has %v", b.Meta)
			}
			return t.read(graph.Data[float32](b))
		})
		if err != nil {
			return errors.Wrapf(err, "pretrained: %s: %s", s.Path, t.Name)
		}
	}
	return nil
}

// With returns the model with the values of a state, for [Source.Export]; training may have made them. Parameters that
// the state lacks keep the values of the files, such as a head that was left out. Reading the result reads s and the
// state, so both must stay open. Close s, not the result.
func (s *Source) With(state plan.State) *Source {
	c := *s
	c.params, c.Tensors = map[string]*stored{}, nil
	for name, t := range s.params {
		m, _, err := state.Meta(name)
		if err != nil || m.DType != graph.Float32 {
			c.params[name], c.Tensors = t, append(c.Tensors, t.Tensor)
			continue
		}
		u := &stored{Tensor: Tensor{Name: t.Name, Type: "F32", Shape: m.Shape, Bytes: int64(4 * m.Size())}}
		width := m.Size()
		if len(m.Shape) > 0 {
			width /= m.Shape[0]
		}
		u.rows = func(dst []float32, from, to int) error {
			d, err := state.Read(name)
			if err != nil {
				return err
			}
			v, err := graph.Floats[float32](d)
			if err == nil {
				copy(dst, v[from*width:to*width])
			}
			return err
		}
		c.params[name], c.Tensors = u, append(c.Tensors, u.Tensor)
	}
	return &c
}
