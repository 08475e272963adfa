package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"gorgonia.org/tensor"
)

// State is an executor's state with the register of the parameters in it.
type State struct {
	plan.State
	Params *nn.Params
}

// Unwrap returns the executor's state; executors ask for it.
func (s *State) Unwrap() plan.State { return s.State }

// Init gives every parameter its first value from a seed, and zeros to all other state.
func (s *State) Init(seed uint64) error { return s.init(seed, nil) }

// init is Init that leaves the parameters in have as they are.
func (s *State) init(seed uint64, have map[string]bool) error {
	if err := s.zero(graph.Grad, graph.Moment, graph.Statistic, graph.Cache, graph.Average); err != nil {
		return err
	}
	return s.Params.Fill(seed, have, func(name string, b graph.Buf) error { return s.Write(name, graph.Dense(b)) })
}

// written is a state that remembers which values were set.
type written struct {
	plan.State
	names map[string]bool
}

// Unwrap returns the state itself; executors ask for it.
func (w *written) Unwrap() plan.State { return w.State }

// Write is the state's.
func (w *written) Write(name string, v *tensor.Dense) error {
	w.names[name] = true
	return w.State.Write(name, v)
}

// Fill is the state's.
func (w *written) Fill(name string, f func(b graph.Buf) error) error {
	w.names[name] = true
	return w.State.Fill(name, f)
}

// value copies a value.
func (s *State) value(name string) (graph.Buf, error) {
	m, _, err := s.Meta(name)
	if err != nil {
		return graph.Buf{}, err
	}
	d, err := s.Read(name)
	if err != nil {
		return graph.Buf{}, err
	}
	return graph.BufOfDense(d, m)
}

// names lists the values of the given kinds.
func (s *State) names(kinds ...graph.Kind) (names []string) {
	for _, k := range kinds {
		names = append(names, s.Names(k)...)
	}
	return names
}

// zero sets all values of the given kinds to 0.
func (s *State) zero(kinds ...graph.Kind) error {
	for _, k := range kinds {
		for _, name := range s.Names(k) {
			m, _, err := s.Meta(name)
			if err != nil {
				return err
			}
			if err := s.Write(name, graph.Dense(graph.NewBuf(m))); err != nil {
				return err
			}
		}
	}
	return nil
}

// Digest is the SHA-256, in hexadecimal, of the names, shapes and bytes of all parameters in the order of declaration.
func (s *State) Digest() (string, error) {
	h := sha256.New()
	for _, p := range s.Params.All() {
		if err := digestParam(h, s, p); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func digestParam(h hash.Hash, s *State, p *nn.Param) error {
	d, err := s.Read(p.Name)
	if err != nil {
		return err
	}
	h.Write([]byte(p.Name + p.Meta.String()))
	return binary.Write(h, binary.LittleEndian, d.Data())
}
