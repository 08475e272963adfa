package train

import (
	"io"
	"os"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/pkg/errors"
)

// bestFile keeps the parameters of the best evaluation in a checkpoint, where EarlyStopping restores them.
const bestFile = "best.safetensors"

// snapshot copies the parameters.
func (s *State) snapshot() (map[string]graph.Buf, error) {
	vals := map[string]graph.Buf{}
	for _, p := range s.Params.All() {
		d, err := s.Read(p.Name)
		if err != nil {
			return nil, err
		}
		if vals[p.Name], err = graph.BufOfDense(d, p.Meta); err != nil {
			return nil, err
		}
	}
	return vals, nil
}

// restore writes the parameters back.
func (s *State) restore(vals map[string]graph.Buf) error {
	for name, b := range vals {
		if err := s.Write(name, graph.Dense(b)); err != nil {
			return err
		}
	}
	return nil
}

func (l *loop) writeBest(w io.Writer) error {
	var ts []safetensors.Tensor
	for _, name := range sortedKeys(l.best) {
		b := l.best[name]
		ts = append(ts, tensorOf(name, b.Meta, graph.Dense(b)))
	}
	return safetensors.Write(w, ts, nil)
}

// readBest reads what writeBest wrote, if it is there.
func (l *loop) readBest(path string) error {
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return nil
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var bad Mismatch
	vals := map[string]graph.Buf{}
	for _, p := range l.run.State.Params.All() {
		if err := l.run.State.match(f, p.Name, vals, &bad); err != nil {
			return err
		}
	}
	if !bad.empty() {
		return errors.Errorf("train: %s does not fit the model: %v", path, bad)
	}
	l.best = vals
	return nil
}
