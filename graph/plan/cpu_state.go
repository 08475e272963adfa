package plan

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// cpuState implements State in the process's memory.
type cpuState struct {
	exec  *cpu
	vals  *Values[[]byte]
	arena []byte // activations of the programs that share them
}

// open is ErrClosed where the state, or what it needs, is closed.
func (s *cpuState) open() error {
	if s.exec.closed {
		return errors.Wrap(ErrClosed, "plan: executor")
	}
	return s.vals.Err()
}

// activations returns n bytes for the activations of programs that share them: the same ones until more are asked for.
func (s *cpuState) activations(n int) []byte {
	if len(s.arena) < n {
		s.arena = graph.Alloc(n)
	}
	return s.arena[:n:n]
}

// find returns a value.
func (s *cpuState) find(name string) (graph.Buf, error) {
	if err := s.open(); err != nil {
		return graph.Buf{}, err
	}
	return ValueBuf(s.vals, name)
}

func (s *cpuState) Names(k graph.Kind) []string { return s.vals.Names(k) }

func (s *cpuState) Meta(name string) (graph.Meta, graph.Kind, error) {
	if err := s.open(); err != nil {
		return graph.Meta{}, 0, err
	}
	return s.vals.Meta(name)
}

func (s *cpuState) Read(name string) (*tensor.Dense, error) {
	b, err := s.find(name)
	if err != nil {
		return nil, err
	}
	return CopyOut(b), nil
}

func (s *cpuState) Write(name string, d *tensor.Dense) error {
	v, err := s.find(name)
	if err != nil {
		return err
	}
	b, err := graph.BufOfDense(d, v.Meta)
	if err != nil {
		return errors.Wrapf(err, "state %q", name)
	}
	copy(v.Mem, b.Mem)
	return nil
}

func (s *cpuState) Fill(name string, f func(b graph.Buf) error) error {
	b, err := s.find(name)
	if err != nil {
		return err
	}
	return errors.Wrapf(f(b), "state %q", name)
}

func (s *cpuState) Share(k graph.Kind) State { return &cpuState{exec: s.exec, vals: s.vals.Share(k)} }

func (s *cpuState) Close() error {
	s.vals.Close()
	s.arena = nil
	return nil
}

// adopt adds the values of p that s lacks.
func (s *cpuState) adopt(p *Plan) error {
	if err := s.open(); err != nil {
		return err
	}
	alloc := func(bytes int) ([]byte, error) { return graph.Alloc(bytes), nil }
	return s.vals.Adopt(p, alloc, Cut)
}
