package nn

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Buffer declares a value of the scope's dtype that belongs to the model but is not trained. In a second graph it finds
// the one of the first. It returns the value from before the run; init gives the first one.
//
//	mean := s.Buffer("running_mean", nn.Zeros, c)
//	s.Update(mean, s.EMA(mean, batchMean, 0.9))
//
// A buffer has no gradient and no moments, and patterns of Freeze do not reach it. It is saved with the model: in files
// of weights and in checkpoints. Averages of parameters leave it as it is; values of a best evaluation include it.
// Its kind is graph.Statistic. To declare a name twice in one graph, or with another shape than before, is an error.
func (s *Scope) Buffer(name string, init Init, shape ...int) *graph.Node {
	if s.Err() != nil {
		return nil
	}
	path := s.join(name)
	if s.build.buffers[path] != nil {
		return s.Fail(errors.Errorf("nn: Buffer %q: declared twice in one graph", path))
	}
	p, err := s.build.params.declare(&Param{Name: path, Init: init, Buffer: true, Meta: graph.Of(s.DType(), shape...)})
	if err != nil {
		return s.Fail(err)
	}
	n := s.State(p.Name, p.Meta, graph.Statistic)
	s.build.buffers[path] = n
	return n
}

// Update stores value, of the buffer's shape and dtype, in a buffer of this graph at the end of each run in mode Train.
// In the other modes it does nothing. Where value, or anything that the graph guards, is not finite, the run changes
// nothing and fails. With accumulation each micro-batch updates. A second Update of one buffer is an error.
func (s *Scope) Update(buffer, value *graph.Node) {
	switch {
	case s.Err() != nil || s.build.mode != Train:
	case buffer == nil || value == nil || s.build.buffers[buffer.Name()] != buffer:
		s.Fail(errors.Errorf("nn: Update of %v with %v: want a Buffer of this graph and a value", buffer, value))
	default:
		s.Assign(buffer, value)
		s.Guard(s.Sum(value))
	}
}
