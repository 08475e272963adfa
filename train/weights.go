package train

import (
	"fmt"
	"io"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// Save writes the parameters to a safetensors file; a crash leaves an old file or the new one whole.
func (s *State) Save(path string) error {
	return atomicfile.WriteFile(atomicfile.OS, path, func(w io.Writer) error { return s.write(w, graph.Param) })
}

// Load reads the parameters from a safetensors file, all of them and no others; an error changes none.
func (s *State) Load(path string) error {
	_, err := s.load(path, true, graph.Param)
	return err
}

// Mismatch is how a file of weights differs from the parameters of a model.
type Mismatch struct {
	Missing    []string // parameters that the file lacks
	Unexpected []string // tensors of the file that are no parameter
	WrongShape []string // with both shapes
}

func (m Mismatch) empty() bool { return len(m.Missing)+len(m.Unexpected)+len(m.WrongShape) == 0 }

func (m Mismatch) String() string {
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"wrong shape", m.WrongShape}, {"missing", m.Missing}, {"unexpected", m.Unexpected}} {
		if len(p.names) > 0 {
			parts = append(parts, fmt.Sprintf("%s: %s", p.what, strings.Join(p.names, ", ")))
		}
	}
	return strings.Join(parts, "; ")
}

// LoadMatching reads those parameters that a safetensors file has with their shape, and tells what did not match.
func (s *State) LoadMatching(path string) (Mismatch, error) { return s.load(path, false, graph.Param) }

// write writes all values of the given kinds.
func (s *State) write(w io.Writer, kinds ...graph.Kind) error {
	var ts []safetensors.Tensor
	for _, k := range kinds {
		for _, name := range s.Names(k) {
			d, err := s.Read(name)
			if err != nil {
				return err
			}
			m, _, err := s.Meta(name)
			if err != nil {
				return err
			}
			ts = append(ts, tensorOf(name, m, d))
		}
	}
	return safetensors.Write(w, ts, map[string]string{"format": "pt"})
}

func tensorOf(name string, m graph.Meta, d *tensor.Dense) safetensors.Tensor {
	switch v := d.Data().(type) {
	case []float32:
		return safetensors.Of(name, m.Shape, v)
	case []float64:
		return safetensors.Of(name, m.Shape, v)
	case []int32:
		return safetensors.Of(name, m.Shape, v)
	}
	return safetensors.Tensor{Name: name}
}

// load reads values of the given kinds; strict wants the file to have all of them and no others.
func (s *State) load(path string, strict bool, kinds ...graph.Kind) (Mismatch, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return Mismatch{}, err
	}
	defer f.Close()
	vals := map[string]graph.Buf{}
	var bad Mismatch
	known := map[string]bool{}
	for _, k := range kinds {
		for _, name := range s.Names(k) {
			known[name] = true
			if err := s.match(f, name, vals, &bad); err != nil {
				return bad, errors.Wrapf(err, "train: %s", path)
			}
		}
	}
	for _, t := range f.Tensors {
		if !known[t.Name] {
			bad.Unexpected = append(bad.Unexpected, t.Name)
		}
	}
	if strict && !bad.empty() {
		return bad, errors.Errorf("train: %s does not fit the model: %v", path, bad)
	}
	for name, b := range vals {
		if err := s.Write(name, graph.Dense(b)); err != nil {
			return bad, err
		}
	}
	return bad, nil
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
	b := graph.NewBuf(m)
	switch t.DType {
	case safetensors.F32:
		v, err := safetensors.Values[float32](t)
		if err != nil {
			return err
		}
		convert(b, v)
	case safetensors.F64:
		v, err := safetensors.Values[float64](t)
		if err != nil {
			return err
		}
		convert(b, v)
	default:
		return errors.Errorf("%s has dtype %s; want F32 or F64", name, t.DType)
	}
	vals[name] = b
	return nil
}

func convert[T float32 | float64](b graph.Buf, v []T) {
	if b.DType == graph.Float64 {
		for i, x := range v {
			graph.Data[float64](b)[i] = float64(x)
		}
		return
	}
	for i, x := range v {
		graph.Data[float32](b)[i] = float32(x)
	}
}
