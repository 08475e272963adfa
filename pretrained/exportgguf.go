package pretrained

import (
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/pkg/errors"
)

// ggufFileTypes are the values of general.file_type. Source: gguf-py of llama.cpp, constants.py, LlamaFileType.
var ggufFileTypes = map[string]uint32{"f32": 0, "f16": 1, "q8_0": 7, "bf16": 32}

// quantizationVersion is the value of general.quantization_version. Source: ggml.h, GGML_QNT_VERSION.
const quantizationVersion = 2

// gguf writes a file that llama.cpp runs, with the transforms of its convert_hf_to_gguf.py.
func (e *export) gguf() error {
	arch, settings, err := e.ggufSettings()
	if err != nil {
		return err
	}
	meta := e.ggufGeneral(arch)
	for _, x := range settings {
		meta = append(meta, gguf.KV(x))
	}
	var tensors []gguf.Tensor
	values := map[string]func() ([]float32, error){}
	add := func(t gguf.Tensor, v func() ([]float32, error)) { tensors, values[t.Name] = append(tensors, t), v }
	if extra := e.Architecture.GGUF.Extra; extra != nil {
		vectors, err := extra(e.model)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(vectors)) {
			v := vectors[name]
			add(gguf.Tensor{Name: name, Shape: []int{len(v)}}, func() ([]float32, error) { return v, nil })
		}
	}
	vocab, err := e.ggufTokenizer()
	if err != nil {
		return err
	}
	for _, p := range e.params {
		add(e.ggufTensor(arch, p))
	}
	return e.file("model-"+e.opt.Type+".gguf", func(w io.Writer) error {
		return gguf.Stream(w, append(meta, vocab...), tensors, func(t gguf.Tensor) ([]byte, error) {
			v, err := values[t.Name]()
			if err != nil {
				return nil, err
			}
			return encode(t.Type, v)
		})
	})
}

// ggufTensor returns a parameter as a file of that architecture has it, and a function that reads its values.
func (e *export) ggufTensor(arch string, p Tensor) (gguf.Tensor, func() ([]float32, error)) {
	g := e.Architecture.GGUF
	t := gguf.Tensor{Name: translate(g.Modules, p.Name, 1), Shape: p.Shape}
	var how gpt.Transform
	if g.Transform != nil {
		how = g.Transform(e.model, arch, p.Name)
	}
	if how.Transposed {
		t.Shape = []int{p.Shape[1], p.Shape[0]}
	}
	t.Type = ggufType(encodings[e.opt.Type], t)
	return t, func() ([]float32, error) {
		v, err := e.values(p)
		if err != nil {
			return nil, err
		}
		return transformed(v, p.Shape, how), nil
	}
}

// transformed returns a parameter's values as a file has them. It may change v.
func transformed(v []float32, shape []int, how gpt.Transform) []float32 {
	if how.Plus != 0 {
		for i := range v {
			v[i] += how.Plus
		}
	}
	switch {
	case how.Transposed:
		return transpose(v, shape)
	case how.Row != nil:
		w, n := make([]float32, len(v)), rowSize(shape)
		for i := range shape[0] {
			copy(w[how.Row(i)*n:][:n], v[i*n:])
		}
		return w
	}
	return v
}

// ggufSettings returns the settings of the model, and the name of the architecture as which llama.cpp runs it. Its
// error names what a file cannot say.
func (e *export) ggufSettings() (arch string, s []gpt.Setting, err error) {
	write := e.Architecture.GGUF.Write
	if write == nil {
		return "", nil, errors.Errorf("a GGUF file cannot hold %s: llama.cpp does not know it", e.Architecture.Class)
	}
	if arch, s, err = write(e.canonical()); err != nil {
		err = errors.Errorf("a GGUF file of %s cannot say %v", e.Architecture.Class, err)
	}
	return arch, s, err
}

// ggufGeneral returns the head of the metadata, with what a GGUF source says of name, licence and the like.
func (e *export) ggufGeneral(arch string) []gguf.KV {
	own := []gguf.KV{
		{Key: "general.architecture", Value: arch}, {Key: "general.type", Value: "model"},
		{Key: "general.file_type", Value: ggufFileTypes[e.opt.Type]}, {Key: "general.quantization_version", Value: uint32(quantizationVersion)},
	}
	f := e.ggufFile()
	if f == nil {
		return own
	}
	known := map[string]bool{"general.alignment": true}
	for _, kv := range own {
		known[kv.Key] = true
	}
	for _, kv := range f.Meta {
		if strings.HasPrefix(kv.Key, "general.") && !known[kv.Key] {
			own = append(own, kv)
		}
	}
	return own
}

// ggufFile returns the GGUF file of the source, nil where it has another format.
func (s *Source) ggufFile() *gguf.File {
	for _, f := range s.files {
		if f, ok := f.(*gguf.File); ok {
			return f
		}
	}
	return nil
}

// ggufType returns the type of a tensor in a file of type kind, as convert_hf_to_gguf.py chooses it. Vectors, norms and
// positions are always F32. Under Q8_0, a matrix whose rows are not whole blocks is F16.
func ggufType(kind gguf.Type, t gguf.Tensor) gguf.Type {
	switch {
	case len(t.Shape) < 2 || strings.HasPrefix(t.Name, "position_embd."):
		return gguf.F32
	case kind == gguf.Q8_0 && t.Shape[1]%32 != 0:
		return gguf.F16
	}
	return kind
}
