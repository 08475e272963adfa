package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"gorgonia.org/tensor"
)

// State is an executor's state with the register of the parameters and buffers in it.
type State struct {
	plan.State
	Params *nn.Params
}

// Unwrap returns the executor's own state, which an executor looks for.
func (s *State) Unwrap() plan.State { return s.State }

// Init gives every parameter and buffer its first value from a seed, and zeros to all other state.
func (s *State) Init(seed uint64) error { return s.init(seed, nil) }

// init is Init that leaves the parameters and buffers in have as they are.
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

// Unwrap returns the state that w wraps. With it an executor finds its own.
func (w *written) Unwrap() plan.State { return w.State }

// Write notes the name and calls Write of the state.
func (w *written) Write(name string, v *tensor.Dense) error {
	w.names[name] = true
	return w.State.Write(name, v)
}

// Fill notes the name and calls Fill of the state.
func (w *written) Fill(name string, f func(b graph.Buf) error) error {
	w.names[name] = true
	return w.State.Fill(name, f)
}

// value returns a copy of the named value.
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

// buffers lists the buffers of the model.
func (s *State) buffers() []string { return s.statistics(true) }

// statistics lists the values of kind Statistic that are buffers of the model, or those that are not.
func (s *State) statistics(buffers bool) (names []string) {
	for _, name := range s.Names(graph.Statistic) {
		if (s.Params.Get(name) != nil) == buffers {
			names = append(names, name)
		}
	}
	return names
}

// copies returns copies of the values of the given names, for restore.
func (s *State) copies(names []string) (map[string]graph.Buf, error) {
	vals := map[string]graph.Buf{}
	for _, name := range names {
		b, err := s.value(name)
		if err != nil {
			return nil, err
		}
		vals[name] = b
	}
	return vals, nil
}

// zero sets all values of the given kinds to 0, except buffers of the model.
func (s *State) zero(kinds ...graph.Kind) error {
	for _, k := range kinds {
		for _, name := range s.Names(k) {
			if k == graph.Statistic && s.Params.Get(name) != nil {
				continue
			}
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

// Digest is the SHA-256, in hexadecimal, of the names, shapes and bytes of all parameters and then all buffers, each in
// the order of declaration.
func (s *State) Digest() (string, error) {
	h := sha256.New()
	for _, p := range slices.Concat(s.Params.All(), s.Params.Buffers()) {
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

// bytes are those of the values that an evaluation reads.
func (s *State) bytes() (n uint64) {
	for _, k := range []graph.Kind{graph.Param, graph.Statistic} {
		for _, name := range s.Names(k) {
			if m, _, err := s.Meta(name); err == nil {
				n += uint64(m.Bytes())
			}
		}
	}
	return n
}
