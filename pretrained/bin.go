package pretrained

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/internal/half"
	"github.com/ceto-ml/ceto/internal/mapped"
	"github.com/pkg/errors"
)

// binFile is a mapped file of numbers one after the other, little-endian, as llm.c and llama2.c write them.
type binFile struct {
	*mapped.File
	at int // where the next tensor begins
}

// openBin maps a file for s.
func (s *Source) openBin(path string) (*binFile, error) {
	mem, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	f := &binFile{File: mem}
	s.files = append(s.files, f)
	s.Bytes = int64(len(mem.Bytes))
	return f, nil
}

// ints returns n int32 numbers of the header, 0 past the end of the file.
func ints(b []byte, n int) []int {
	v := make([]int, n)
	for i := range v {
		if 4*i+4 <= len(b) {
			v[i] = int(int32(binary.LittleEndian.Uint32(b[4*i:])))
		}
	}
	return v
}

// take returns the next tensor of a file, of type F32 or BF16. The file has padded rows of it; those past the shape's
// are padding.
func (f *binFile) take(name, kind string, padded int, shape ...int) (*stored, error) {
	size := 4
	if kind == "BF16" {
		size = 2
	}
	width := rowSize(shape)
	if padded < shape[0] || width > (math.MaxInt-f.at)/size/padded || f.at+size*padded*width > len(f.Bytes) {
		return nil, errors.Errorf("the file ends within %s: %d bytes", name, len(f.Bytes))
	}
	b := f.Bytes[f.at : f.at+size*padded*width]
	f.at += len(b)
	t := &stored{Tensor: Tensor{name, kind, shape, int64(len(b))}}
	t.rows = func(dst []float32, from, _ int) error {
		b := b[size*from*width:][:size*len(dst)]
		if kind == "BF16" {
			half.FromBF16(dst, b)
			return nil
		}
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		return nil
	}
	return t, nil
}

// modelOf returns the model of a model_type with settings as config.json names them. An impossible setting is an error.
func modelOf(kind string, settings map[string]any) (gpt.Model, error) {
	a, err := gpt.ArchitectureOfType(kind)
	if err != nil {
		return nil, err
	}
	c := gpt.SettingsOf(settings)
	m := a.Read(c)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return m, m.Validate()
}

// tokenizerBeside returns a function that reads the tokenizer of the folder in which a file lies.
func tokenizerBeside(path string) func() (token.Tokenizer, error) {
	return func() (token.Tokenizer, error) {
		t, err := token.Open(filepath.Dir(path))
		if err != nil && errors.Is(err, os.ErrNotExist) {
			err = errors.Wrap(err, "no tokenizer beside the file; name one with --tokenizer")
		}
		return t, err
	}
}
