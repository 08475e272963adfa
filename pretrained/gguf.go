package pretrained

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/pkg/errors"
)

var blockNumber = regexp.MustCompile(`\.\d+\.`)

// translate renames a parameter by a table. It finds the module in column from and takes the name in the other column.
// An unknown name is returned as it is.
func translate(table [][2]string, name string, from int) string {
	block := blockNumber.FindString(name)
	module, param := name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		module, param = name[:i], name[i:]
	}
	if block != "" {
		module = strings.Replace(module+".", block, ".#.", 1)
		module = strings.TrimSuffix(module, ".")
	}
	for _, pair := range table {
		if pair[from] == module {
			return strings.Replace(pair[1-from], ".#.", block, 1) + param
		}
	}
	return name
}

// openGGUF reads a GGUF file.
func (s *Source) openGGUF(path string) error {
	s.Format = "GGUF"
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	if info, err := os.Stat(path); err == nil {
		s.Bytes = info.Size()
	}
	if n, ok := f.Int("split.count"); ok && n > 1 {
		return errors.Errorf("one of %d parts of a model; join them with llama.cpp's gguf-split", n)
	}
	name, _ := f.String("general.architecture")
	a, err := gpt.ArchitectureOfGGUF(name)
	if err != nil {
		return err
	}
	meta := gpt.NewSettings(name+".", func(key string) (any, bool) { v := f.Value(key); return v, v != nil })
	s.is(a.GGUF.Read(meta, ggufTensors{f}))
	if err := meta.Err(); err != nil {
		return err
	}
	if err := s.Model.Validate(); err != nil {
		return err
	}
	for _, t := range f.Tensors {
		if err := s.addGGUF(name, t); err != nil {
			return err
		}
	}
	s.readGGUFChat(f)
	for _, key := range []string{"eos", "eot", "eom"} {
		if id, ok := f.Int("tokenizer.ggml." + key + "_token_id"); ok && id >= 0 && id < int64(s.Model.Dims().Vocab) {
			s.End = append(s.End, int32(id))
		}
	}
	s.End = append(s.End, namedEnds(f, s.End, s.Model.Dims().Vocab)...)
	s.tokenizer = func() (token.Tokenizer, error) { return token.FromGGUF(f) }
	return nil
}

// endTexts are the texts of tokens that end a turn, whatever a file says of them.
// Source: llama.cpp, src/llama-vocab.cpp, special_eog_ids.
var endTexts = []string{"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>",
	"</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>"}

// namedEnds returns the control tokens with such texts that known does not have.
func namedEnds(f *gguf.File, known []int32, vocab int) (ends []int32) {
	texts, _ := f.Value("tokenizer.ggml.tokens").([]string)
	kinds, _ := f.Value("tokenizer.ggml.token_type").([]int32)
	for i, text := range texts[:min(len(texts), len(kinds), vocab)] {
		if id := int32(i); kinds[i] == ggufControl && slices.Contains(endTexts, text) && !slices.Contains(known, id) {
			ends = append(ends, id)
		}
	}
	return ends
}

// ggufTensors implements [gpt.Tensors].
type ggufTensors struct{ *gguf.File }

// Shape implements [gpt.Tensors].
func (f ggufTensors) Shape(name string) ([]int, bool) {
	t, ok := f.Tensor(name)
	return t.Shape, ok
}

// Values implements [gpt.Tensors].
func (f ggufTensors) Values(name string) ([]float32, error) {
	t, ok := f.Tensor(name)
	if !ok {
		return nil, errors.Errorf("no tensor %s", name)
	}
	v := make([]float32, t.Len())
	return v, t.Decode(v, 0, t.Rows())
}

// addGGUF adds a tensor of a file of that architecture under the model's name. The transforms of llama.cpp's conversion
// are undone when it is read.
func (s *Source) addGGUF(arch string, t gguf.Tensor) error {
	p := &stored{Tensor: Tensor{t.Name, t.Type.String(), t.Shape, int64(len(t.Data))}, rows: t.Decode}
	if len(t.Shape) == 1 {
		p.rows = elements(t)
	}
	g := s.Architecture.GGUF
	for _, unused := range g.Unused {
		if t.Name == unused || strings.HasPrefix(unused, ".") && strings.HasSuffix(t.Name, unused) {
			return s.add("", p)
		}
	}
	name := translate(g.Modules, t.Name, 0)
	if g.Transform != nil {
		p.Transform = g.Transform(s.Model, arch, name)
	}
	return s.add(name, p)
}

// elements reads the elements of a vector, which is a single row to package gguf.
func elements(t gguf.Tensor) func(dst []float32, from, to int) error {
	all := sync.OnceValues(func() ([]float32, error) {
		v := make([]float32, t.Len())
		return v, t.Decode(v, 0, t.Rows())
	})
	return func(dst []float32, from, to int) error {
		v, err := all()
		if err == nil {
			copy(dst, v[from:to])
		}
		return err
	}
}
