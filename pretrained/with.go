package pretrained

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

// With returns the model with the values of a state, such as training has made of them, in place of those of the files,
// for [Source.Export]; parameters that the state has not, such as a head that was left out, keep theirs. It is s's to
// close, and reads the state when it is read.
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
