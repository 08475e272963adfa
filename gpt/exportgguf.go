package gpt

import (
	"io"
	"strings"

	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/pkg/errors"
)

// ggufFileTypes are the values of general.file_type. Source: gguf-py of llama.cpp, constants.py, LlamaFileType.
var ggufFileTypes = map[string]uint32{"f32": 0, "f16": 1, "q8_0": 7, "bf16": 32}

// quantizationVersion is the value of general.quantization_version. Source: ggml.h, GGML_QNT_VERSION.
const quantizationVersion = 2

// ropeFreqs is the tensor that stands for Llama 3's rotary scaling.
const ropeFreqs = "rope_freqs.weight"

// gguf writes a file that llama.cpp runs: the transforms of its convert_hf_to_gguf.py are done.
func (e *export) gguf() error {
	arch, err := ggufArch(e.model)
	if err != nil {
		return err
	}
	meta := e.ggufGeneral(arch)
	var tensors []gguf.Tensor
	values := map[string]func() ([]float32, error){}
	add := func(t gguf.Tensor, v func() ([]float32, error)) { tensors, values[t.Name] = append(tensors, t), v }
	switch c := e.model.(type) {
	case Config:
		meta = append(meta, c.ggufMeta()...)
	case Llama:
		meta = append(meta, c.ggufMeta(arch)...)
		if f := c.ropeFactors(); f != nil {
			if _, err := fitScaling(f, c.ropeBase()); err != nil {
				return err
			}
			add(gguf.Tensor{Name: ropeFreqs, Shape: []int{len(f)}}, func() ([]float32, error) { return f, nil })
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

// ggufTensor is a parameter as a file has it, and the way to its values.
func (e *export) ggufTensor(arch string, p Tensor) (gguf.Tensor, func() ([]float32, error)) {
	t, values := gguf.Tensor{Shape: p.Shape}, func() ([]float32, error) { return e.values(p) }
	switch c := e.model.(type) {
	case Config:
		t.Name = translate(ggufGPT2, p.Name, 1)
		if len(p.Shape) == 2 && strings.HasPrefix(t.Name, "blk.") { // (in, out) here, (out, in) there
			t.Shape = []int{p.Shape[1], p.Shape[0]}
			values = func() ([]float32, error) {
				v, err := e.values(p)
				return transpose(v, p.Shape), err
			}
		}
	case Llama:
		t.Name = translate(ggufLlama, p.Name, 1)
		if row := c.pairRow(t.Name); row != nil && arch == "llama" {
			values = func() ([]float32, error) {
				v, err := e.values(p)
				return pairRows(v, p.Shape, row), err
			}
		}
	}
	t.Type = ggufType(encodings[e.opt.Type], t)
	return t, values
}

// pairRows moves row i to row row(i).
func pairRows(v []float32, shape []int, row func(i int) int) []float32 {
	w, n := make([]float32, len(v)), rowSize(shape)
	for i := range shape[0] {
		copy(w[row(i)*n:][:n], v[i*n:])
	}
	return w
}

// ggufArch is the architecture that llama.cpp runs a model as, or an error that names what it cannot do.
func ggufArch(m Model) (string, error) {
	var problem string
	arch := "llama"
	switch c := plain(m).(type) {
	case Config:
		arch = "gpt2"
		if c.GELUErf {
			problem = "the exact GELU; it has the tanh form"
		}
	case Llama:
		switch {
		case c.FullLayers > 0:
			problem = "layers with a window beside layers without"
		case c.QKNorm && (c.QKVBias || c.OutBias || c.MLPBias):
			problem = "biases beside norms of queries and keys"
		case c.QKNorm:
			arch = "qwen3"
		case c.QKVBias && !c.OutBias && !c.MLPBias:
			arch = "qwen2"
		}
	default:
		problem = "this model"
	}
	if problem != "" {
		return "", errors.Errorf("a GGUF file of %s cannot say %s", m.Architecture(), problem)
	}
	return arch, nil
}

// ggufGeneral is the head of the metadata, with what a GGUF source says of name, licence and the like.
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

// ggufFile is the GGUF file that the source is, nil for another one.
func (s *Source) ggufFile() *gguf.File {
	for _, f := range s.files {
		if f, ok := f.(*gguf.File); ok {
			return f
		}
	}
	return nil
}

// ggufSizes are the settings that all architectures have.
func ggufSizes(arch string, d Dims, heads, mlp int) []gguf.KV {
	return []gguf.KV{
		{Key: arch + ".vocab_size", Value: uint32(d.Vocab)}, {Key: arch + ".context_length", Value: uint32(d.Context)},
		{Key: arch + ".embedding_length", Value: uint32(d.Width)}, {Key: arch + ".block_count", Value: uint32(d.Layers)},
		{Key: arch + ".feed_forward_length", Value: uint32(mlp)}, {Key: arch + ".attention.head_count", Value: uint32(heads)},
	}
}

// ggufMeta are the settings of c.
func (c Config) ggufMeta() []gguf.KV {
	c = plain(c).(Config)
	return append(ggufSizes("gpt2", c.Dims(), c.Heads, c.MLPWidth), gguf.KV{Key: "gpt2.attention.layer_norm_epsilon", Value: float32(c.Eps)})
}

// ggufMeta are the settings of c. llama.cpp has no use for the window of a llama, which is Mistral's: beyond the window
// it sees all keys.
func (c Llama) ggufMeta(arch string) []gguf.KV {
	c = plain(c).(Llama)
	meta := append(ggufSizes(arch, c.Dims(), c.Heads, c.MLPWidth),
		gguf.KV{Key: arch + ".attention.head_count_kv", Value: uint32(c.KVHeads)},
		gguf.KV{Key: arch + ".attention.layer_norm_rms_epsilon", Value: float32(c.Eps)},
		gguf.KV{Key: arch + ".attention.key_length", Value: uint32(c.HeadDim)},
		gguf.KV{Key: arch + ".attention.value_length", Value: uint32(c.HeadDim)},
		gguf.KV{Key: arch + ".rope.dimension_count", Value: uint32(c.HeadDim)},
		gguf.KV{Key: arch + ".rope.freq_base", Value: float32(c.Rotary.Base)})
	if s := c.Rotary.Scaling; s.Factor != 0 && s.Context == 0 {
		meta = append(meta, gguf.KV{Key: arch + ".rope.scaling.type", Value: "linear"},
			gguf.KV{Key: arch + ".rope.scaling.factor", Value: float32(s.Factor)})
	}
	if c.Window > 0 {
		meta = append(meta, gguf.KV{Key: arch + ".attention.sliding_window", Value: uint32(c.Window)})
	}
	return meta
}

func (c Llama) ropeBase() float64 { return plain(c).(Llama).Rotary.Base }

// ropeFactors are the values of rope_freqs.weight: how much slower than without scaling each rotary pair turns; nil
// for another scaling than Llama 3's.
func (c Llama) ropeFactors() []float32 {
	if c.Rotary.Scaling.Context == 0 {
		return nil
	}
	f := make([]float32, c.headDim()/2)
	for i := range f {
		f[i] = float32(slowdown(c.Rotary.Scaling, speedOf(c.ropeBase(), len(f), i)))
	}
	return f
}

// ggufType is the type of a tensor in a file of the given one: vectors, norms and positions are always F32, and matrices
// whose rows are no whole blocks F16, as convert_hf_to_gguf.py has it.
func ggufType(kind gguf.Type, t gguf.Tensor) gguf.Type {
	switch {
	case len(t.Shape) < 2 || strings.HasPrefix(t.Name, "position_embd."):
		return gguf.F32
	case kind == gguf.Q8_0 && t.Shape[1]%32 != 0:
		return gguf.F16
	}
	return kind
}
