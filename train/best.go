package train

import (
	"io"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/internal/weights"
)

// bestFile keeps the parameters of the best evaluation in a checkpoint, where EarlyStopping restores them.
const bestFile = "best.safetensors"

// snapshot copies what a model is made of: parameters and statistics.
func (s *State) snapshot() (map[string]graph.Buf, error) {
	vals := map[string]graph.Buf{}
	for _, name := range append(s.Names(graph.Param), s.Names(graph.Statistic)...) {
		m, _, err := s.Meta(name)
		if err != nil {
			return nil, err
		}
		d, err := s.Read(name)
		if err != nil {
			return nil, err
		}
		if vals[name], err = graph.BufOfDense(d, m); err != nil {
			return nil, err
		}
	}
	return vals, nil
}

// restore writes values back.
func (s *State) restore(vals map[string]graph.Buf) error {
	for name, b := range vals {
		if err := s.Write(name, graph.Dense(b)); err != nil {
			return err
		}
	}
	return nil
}

// writeValues writes values by name.
func writeValues(w io.Writer, vals map[string]graph.Buf) error {
	var ts []safetensors.Tensor
	for _, name := range sortedKeys(vals) {
		ts = append(ts, weights.Of(name, vals[name]))
	}
	return safetensors.Write(w, ts, nil)
}

// readBest reads the values of a snapshot.
func (s *State) readBest(path string) (map[string]graph.Buf, error) {
	vals, _, err := s.read(path, true, graph.Param, graph.Statistic)
	return vals, err
}
