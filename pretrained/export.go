package pretrained

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/pkg/errors"
)

// The formats of [Source.Export].
const (
	FormatHF   = "hf"    // a folder as Hugging Face transformers save it
	FormatGGUF = "gguf"  // a GGUF file, as llama.cpp's convert_hf_to_gguf.py makes it
	FormatLLMC = "llm.c" // a checkpoint of llm.c, GPT-2 only
)

// ExportOptions say how a model is written.
type ExportOptions struct {
	Format     string // FormatHF, FormatGGUF or FormatLLMC
	Type       string // type of the values: "f32", "f16", "bf16" or "q8_0"; "" means "f32"
	ShardBytes int64  // most bytes of a safetensors file, unless a single tensor has more; 0 means 5·10⁹
	Force      bool   // replace a folder that is there, if it holds files alone
}

// exporters has for each format what writes it and the types that it knows.
var exporters = []struct {
	format string
	types  []string
	write  func(*export) error
}{
	{FormatHF, []string{"f32", "f16", "bf16"}, (*export).hf},
	{FormatGGUF, []string{"f32", "f16", "bf16", "q8_0"}, (*export).gguf},
	{FormatLLMC, []string{"f32", "bf16"}, (*export).llmc},
}

// Export writes the model into a new folder and returns the names of its files. The folder appears whole or not at all.
// One that is there already must be empty, or Force must be set. Values are converted one tensor at a time.
//
// A model, a value or a tokenizer that the format cannot express is an error. Two things need not be expressed:
// dropout, which only training uses, and missing biases, which become zeros.
func (s *Source) Export(dir string, o ExportOptions) ([]string, error) {
	return s.export(atomicfile.OS, dir, o)
}

// export is [Source.Export] on a file system.
func (s *Source) export(fsys atomicfile.FS, dir string, o ExportOptions) ([]string, error) {
	if o.Type == "" {
		o.Type = "f32"
	}
	if o.ShardBytes == 0 {
		o.ShardBytes = 5e9
	}
	var write func(*export) error
	var formats []string
	for _, x := range exporters {
		formats = append(formats, x.format)
		if x.format != o.Format {
			continue
		}
		if write = x.write; !slices.Contains(x.types, o.Type) {
			return nil, errors.Errorf("pretrained: Export: type %q of format %s: want %s", o.Type, o.Format, strings.Join(x.types, ", "))
		}
	}
	if write == nil {
		return nil, errors.Errorf("pretrained: Export: format %q: want %s", o.Format, strings.Join(formats, ", "))
	}
	if o.ShardBytes < 0 {
		return nil, errors.Errorf("pretrained: Export: shards of %d bytes: want 1 or more", o.ShardBytes)
	}
	e, err := s.exporter(o)
	if err == nil {
		err = e.into(fsys, dir, write)
	}
	return e.files, errors.Wrapf(err, "pretrained: Export: %s as %s", s.Path, o.Format)
}

// export is a model on its way into a folder.
type export struct {
	*Source
	opt    ExportOptions
	model  gpt.Model // as the programs of others know it
	params []Tensor  // names and shapes of its parameters
	dir    *atomicfile.DirWriter
	files  []string // written so far

	written []writtenFile
	buf     []float32
}

func (s *Source) exporter(o ExportOptions) (*export, error) {
	e := &export{Source: s, opt: o, model: s.Model}
	if f := s.Architecture.Portable; f != nil {
		e.model = f(e.model)
	}
	params, err := gpt.Declare(e.model)
	if err != nil {
		return e, err
	}
	for _, p := range params.All() {
		e.params = append(e.params, Tensor{Name: p.Name, Shape: p.Meta.Shape})
	}
	return e, nil
}

// into writes the folder, which no other export writes meanwhile. The list of its files comes last.
func (e *export) into(fsys atomicfile.FS, dir string, write func(*export) error) error {
	path, err := filepath.Abs(dir)
	if err != nil || dir == "" {
		return errors.Errorf("the folder to write is %q: want the name of one", dir)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return errors.WithStack(err)
	}
	release, err := atomicfile.Hold(path)
	if err != nil {
		return err
	}
	defer release()
	if err := e.target(dir, path); err != nil {
		return err
	}
	return atomicfile.Dir(fsys, path, func(d *atomicfile.DirWriter) error {
		e.dir = d
		if err := write(e); err != nil {
			return err
		}
		return e.manifest()
	})
}

// target checks the folder to write, which is at path.
func (e *export) target(dir, path string) error {
	if err := atomicfile.Recover(atomicfile.OS, path); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errors.WithStack(err)
	}
	if !info.IsDir() {
		return errors.Errorf("%s is there and is not a folder: want a new or empty folder", dir)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return errors.WithStack(err)
	}
	if len(entries) > 0 && !e.opt.Force {
		return errors.Errorf("%s is not empty: want a new or empty folder, or force", dir)
	}
	source, err := filepath.Abs(e.Path)
	if err != nil || source == path || strings.HasPrefix(source, path+string(filepath.Separator)) {
		return errors.Errorf("%s holds the model that is read: want another folder", dir)
	}
	return own(dir, path, entries)
}

// file writes a file of the folder.
func (e *export) file(name string, fn func(w io.Writer) error) error {
	e.files = append(e.files, name)
	h := sha256.New()
	size := &counter{}
	err := e.dir.File(name, func(w io.Writer) error { return fn(io.MultiWriter(w, h, size)) })
	e.written = append(e.written, writtenFile{name, size.n, hex.EncodeToString(h.Sum(nil))})
	return err
}

// copyFile writes a file of the folder as a copy. A missing file is fs.ErrNotExist. A pipe or a device, which may have
// no end, is an error.
func (e *export) copyFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.Errorf("%s is %s: want a file", path, info.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return e.file(filepath.Base(path), func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// values reads a parameter of the written model; biases that the source lacks are zeros. The result is good until the
// next call.
func (e *export) values(p Tensor) ([]float32, error) {
	n := graph.Shape(p.Shape).Size()
	if n > cap(e.buf) {
		e.buf = make([]float32, n)
	}
	v := e.buf[:n]
	t, ok := e.Source.params[p.Name]
	if !ok {
		clear(v)
		return v, nil
	}
	return v, errors.Wrap(t.read(v), t.Name)
}

// canonical returns the written model's canonical form.
func (e *export) canonical() gpt.Model { return e.Architecture.Canonical(e.model) }

// transpose returns the transpose of a matrix of that shape.
func transpose(v []float32, shape []int) []float32 {
	rows, cols := shape[0], shape[1]
	w := make([]float32, len(v))
	for i := range rows {
		for j, x := range v[i*cols : (i+1)*cols] {
			w[j*rows+i] = x
		}
	}
	return w
}
