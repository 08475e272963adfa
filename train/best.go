package train

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/internal/weights"
)

// bestFile keeps the parameters and buffers of the best evaluation in a checkpoint, where EarlyStopping restores them.
const bestFile = "best.safetensors"

// snapshot copies the values that a run makes: parameters that it may change, buffers and other statistics.
func (l *Loop) snapshot() (map[string]graph.Buf, error) {
	names, _ := l.kept()
	return l.Run.State.copies(append(names, l.Run.State.statistics(false)...))
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

// tensorsOf returns values by name as tensors, which share their memory.
func tensorsOf(vals map[string]graph.Buf) (ts []safetensors.Tensor) {
	for _, name := range sortedKeys(vals) {
		ts = append(ts, weights.Of(name, vals[name]))
	}
	return ts
}

// readBest reads the values of a snapshot.
func (l *Loop) readBest(path string) (map[string]graph.Buf, error) {
	names, rest := l.kept()
	vals, _, err := l.Run.State.read(path, true, append(names, l.Run.State.statistics(false)...), rest)
	return vals, err
}
