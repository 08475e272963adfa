package train

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/mapped"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/internal/weights"
	"github.com/pkg/errors"
)

// Save writes the parameters and buffers to a safetensors file; a crash leaves an old file or the new one whole.
func (s *State) Save(path string) error {
	ts, err := s.tensors(s.model())
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(atomicfile.OS, path, func(w io.Writer) error { return safetensors.Write(w, ts, valuesMeta) })
}

// model lists the parameters and buffers.
func (s *State) model() []string { return append(s.Names(graph.Param), s.buffers()...) }

// Load reads the parameters and buffers from a safetensors file, all of them and no others; an error changes none.
func (s *State) Load(path string) error {
	_, err := s.load(path, true, s.model(), nil)
	return err
}

// Mismatch tells how the values of a file differ from those of a model.
type Mismatch struct {
	Missing    []string // names that the file lacks
	Unexpected []string // tensors of the file that the model lacks
	WrongShape []string // with both shapes
}

func (m Mismatch) empty() bool { return len(m.Missing)+len(m.Unexpected)+len(m.WrongShape) == 0 }

// String names the first ones of each sort.
func (m Mismatch) String() string {
	const most = 3
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"wrong shape", m.WrongShape}, {"missing", m.Missing}, {"unexpected", m.Unexpected}} {
		if n := len(p.names); n > most {
			parts = append(parts, fmt.Sprintf("%s: %s and %d more", p.what, strings.Join(p.names[:most], ", "), n-most))
		} else if n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %s", p.what, strings.Join(p.names, ", ")))
		}
	}
	return strings.Join(parts, "; ")
}

// LoadMatching reads the parameters and buffers that a safetensors file has in the right shape, and tells what did not
// match. An error changes none.
func (s *State) LoadMatching(path string) (Mismatch, error) {
	return s.load(path, false, s.model(), nil)
}

// valuesMeta is the metadata of files of values, which says that names and shapes are PyTorch's.
var valuesMeta = map[string]string{"format": "pt"}

// tensors returns copies of the values of the given names.
func (s *State) tensors(names []string) (ts []safetensors.Tensor, err error) {
	for _, name := range names {
		b, err := s.value(name)
		if err != nil {
			return nil, err
		}
		ts = append(ts, weights.Of(name, b))
	}
	return ts, nil
}

// load reads the values of the given names into the state, and those of more that the file has. With strict the file
// must have all of names and nothing else but those of more. An error changes nothing.
func (s *State) load(path string, strict bool, names, more []string) (Mismatch, error) {
	vals, bad, err := s.read(path, strict, names, more)
	if err != nil {
		return bad, err
	}
	return bad, s.restore(vals)
}

// read reads the values of the given names, and of more, that a file has.
func (s *State) read(path string, strict bool, names, more []string) (map[string]graph.Buf, Mismatch, error) {
	var bad Mismatch
	if err := atomicfile.Recover(atomicfile.OS, path); err != nil {
		return nil, bad, errors.Wrap(err, "train")
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, bad, err
	}
	defer f.Close()
	vals := map[string]graph.Buf{}
	known := map[string]bool{}
	err = mapped.Guard(func() error {
		for i, name := range slices.Concat(names, more) {
			known[name] = true
			if _, ok := f.Tensor(name); !ok && i >= len(names) {
				continue
			}
			if err := s.match(f, name, vals, &bad); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, bad, errors.Wrapf(err, "train: %s", path)
	}
	for _, t := range f.Tensors {
		if !known[t.Name] {
			bad.Unexpected = append(bad.Unexpected, t.Name)
		}
	}
	if strict && !bad.empty() {
		return nil, bad, errors.Errorf("train: %s does not fit the model: %v", path, bad)
	}
	return vals, bad, nil
}

// match finds the value of one name in f, converted to its dtype, or notes why there is none.
func (s *State) match(f *safetensors.File, name string, vals map[string]graph.Buf, bad *Mismatch) error {
	m, _, err := s.Meta(name)
	if err != nil {
		return err
	}
	t, ok := f.Tensor(name)
	if !ok {
		bad.Missing = append(bad.Missing, name)
		return nil
	}
	if !m.Shape.Equal(t.Shape) {
		bad.WrongShape = append(bad.WrongShape, fmt.Sprintf("%s is %v, the model wants %v", name, graph.Shape(t.Shape), m.Shape))
		return nil
	}
	vals[name], err = weights.Value(t, m)
	return err
}
