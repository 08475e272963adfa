// Package pretrained reads the models that others have published, writes them back, and merges adapters into them. It
// knows the folders of Hugging Face transformers, GGUF files, and checkpoints of llm.c and llama2.c.
//
//	model, err := pretrained.Open("model.gguf")
//	g, err := model.Generator(plan.CPU(0))
//	ids, err := generate.PromptIDs(g.Tokenizer, "Once upon a time", token.Parse)
//	answers, err := g.Generate([][]int32{ids}, generate.Options{Tokens: 200, End: model.End})
//	files, err := model.Export("out", pretrained.ExportOptions{Format: pretrained.FormatHF, Type: "bf16"})
//
// All that it knows of a kind of model is in a [gpt.Architecture].
package pretrained

import (
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/ceto-ml/ceto/internal/mapped"
	"github.com/pkg/errors"
)

// Source is an opened model: all of its files but the values is read. Close it after use. It is not safe for concurrent
// use.
type Source struct {
	Path         string
	Format       string // "Hugging Face", "GGUF", "llm.c", "llama2.c"
	Model        gpt.Model
	Architecture *gpt.Architecture // of Model
	Tensors      []Tensor          // as stored, by name
	Bytes        int64             // of the files that hold the tensors, on disk
	Chat         string            // default chat template, in Jinja; "" for none
	End          []int32           // ids that end a text; see [generate.Options]
	Sampling     generate.Options  // what the model's files say of temperature, top-k and the like; zero for nothing
	LeftOut      []LeftOut         // settings of the files that Sampling cannot have; see [Source.CheckSampling]
	Warnings     []string          // what the files say and the model does without

	params    map[string]*stored // by the model's names
	fileEnd   []int32            // what End is by the model's own files
	ends      [][]int32          // End before each adapter that is merged
	tokenizer func() (token.Tokenizer, error)
	tok       token.Tokenizer // the tokenizer, once it was read
	files     []io.Closer
	aliases   map[string]string              // of a tensor that files do not have, the name of the one that they have for it
	chats     []string                       // names of the chat templates of a folder
	special   func() (map[string]any, error) // special tokens of the files, by their names in transformers
}

// Tensor is a parameter as a file has it.
type Tensor struct {
	Name  string
	Type  string // "F32", "BF16", "Q4_K"
	Shape []int
	Bytes int64
}

// Open opens the model at path, and reads all but the values. There must be one of these:
//
//   - a folder as Hugging Face transformers save it: config.json, model.safetensors (or shards with their index) and
//     the tokenizer's files
//   - a GGUF file, or a folder with one
//   - a checkpoint of llm.c or llama2.c (.bin), or a folder with one
//
// Open compares the tensors with the parameters of the model. Tensors that are missing, unexpected or of another shape
// are an error that lists them.
func Open(path string) (*Source, error) {
	open, err := formatOf(path)
	if err != nil {
		return nil, err
	}
	s := &Source{Path: path, params: map[string]*stored{}}
	if err = mapped.Guard(func() error { return open(s) }); err == nil {
		err = s.Model.Validate()
	}
	if err == nil {
		err = s.check()
	}
	if err != nil {
		s.Close()
		return nil, errors.Wrapf(err, "pretrained: %s", path)
	}
	sort.Slice(s.Tensors, func(i, j int) bool { return s.Tensors[i].Name < s.Tensors[j].Name })
	s.fileEnd = s.End
	return s, nil
}

// formatOf returns the function that opens what is at path.
func formatOf(path string) (func(*Source) error, error) {
	if err := atomicfile.Recover(atomicfile.OS, path); err != nil {
		return nil, errors.Wrap(err, "pretrained: Open")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Wrap(err, "pretrained: Open")
	}
	if !info.IsDir() {
		return fileFormat(path)
	}
	if atomicfile.Exists(filepath.Join(path, ConfigFile)) {
		return func(s *Source) error { return s.openFolder(path) }, nil
	}
	if atomicfile.Exists(filepath.Join(path, AdapterConfigFile)) {
		return nil, errors.Errorf("pretrained: %s is a LoRA adapter, not a model; open its model and merge it with Adapt (--adapter)", path)
	}
	var found []string
	var open func(*Source) error
	for _, pattern := range []string{"*.gguf", "*.bin"} {
		files, _ := filepath.Glob(filepath.Join(path, pattern))
		for _, f := range files {
			if o, err := fileFormat(f); err == nil {
				found, open = append(found, filepath.Base(f)), o
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, errors.Errorf("pretrained: %s: no model: want %s, a GGUF file, or a .bin of llm.c or llama2.c", path, ConfigFile)
	case 1:
		return open, nil
	}
	return nil, errors.Errorf("pretrained: %s: several models, name one of them: %s", path, strings.Join(found, ", "))
}

// fileFormat returns the function that opens a file, by the file's first bytes.
func fileFormat(path string) (func(*Source) error, error) {
	base := filepath.Base(path)
	if base == ConfigFile || strings.HasSuffix(base, ".safetensors") {
		return func(s *Source) error { return s.openFolder(filepath.Dir(path)) }, nil
	}
	head, err := headOf(path, llama2cHead)
	switch {
	case err != nil:
		return nil, errors.Wrap(err, "pretrained: Open")
	case strings.HasPrefix(string(head), "GGUF"):
		return func(s *Source) error { return s.openGGUF(path) }, nil
	case isLLMC(head):
		return func(s *Source) error { return s.openLLMC(path) }, nil
	case isLlama2C(head):
		return func(s *Source) error { return s.openLlama2C(path) }, nil
	}
	if err := bounded.Pointer(head); err != nil {
		return nil, errors.Wrapf(err, "pretrained: %s", path)
	}
	return nil, errors.Errorf("pretrained: %s: not a known model: want a Hugging Face folder, GGUF, or a .bin of llm.c or llama2.c", path)
}

// headOf returns the first n bytes of a file, fewer where it is shorter.
func headOf(path string, n int) ([]byte, error) {
	f, err := bounded.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, n)
	k, err := io.ReadFull(f, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return head[:k], err
}

// is sets the model.
func (s *Source) is(m gpt.Model) { s.Model, s.Architecture = m, gpt.ArchitectureOf(m) }

// add notes a tensor of a file as the parameter param. An empty name means that the model does not use the tensor.
func (s *Source) add(param string, t *stored) error {
	s.Tensors = append(s.Tensors, t.Tensor)
	if param == "" {
		return nil
	}
	if old := s.params[param]; old != nil {
		return errors.Errorf("tensors %s and %s are the same parameter", old.Name, t.Name)
	}
	s.params[param] = t
	return nil
}

// check compares the tensors with the model's parameters, before any memory is taken for them.
func (s *Source) check() error {
	if n := s.Model.Dims().Layers; n > len(s.params) {
		return errors.Errorf("%d layers by the settings, %d tensors in the files", n, len(s.params))
	}
	params, err := gpt.Declare(s.Model)
	if err != nil {
		return err
	}
	s.rename(params)
	if head := s.Architecture.Head + ".weight"; params.Get(head) == nil {
		delete(s.params, head) // a tied head that is stored all the same
	}
	var missing, unexpected, misshapen []string
	for _, p := range params.All() {
		t := s.params[p.Name]
		switch {
		case t == nil:
			missing = append(missing, p.Name)
		case !t.fits(p.Meta.Shape):
			misshapen = append(misshapen, errors.Errorf("%s is %v, the model wants %v", t.Name, graph.Shape(t.Shape), p.Meta.Shape).Error())
		}
	}
	for name, t := range s.params {
		if params.Get(name) == nil {
			unexpected = append(unexpected, t.Name)
		}
	}
	slices.Sort(unexpected)
	var all []string
	for _, l := range []struct {
		what  string
		names []string
	}{{"missing", missing}, {"unexpected", unexpected}, {"of another shape", misshapen}} {
		if len(l.names) > 0 {
			all = append(all, l.what+": "+some(l.names))
		}
	}
	if len(all) > 0 {
		return errors.Errorf("the tensors are not those of %s: %s", s.Architecture.Class, strings.Join(all, "; "))
	}
	return nil
}

// some lists names, or the first few of many.
func some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + " and " + strconv.Itoa(len(names)-most) + " more"
}

// Tokenizer reads the model's tokenizer, once. An error that is fs.ErrNotExist says that the files have none.
func (s *Source) Tokenizer() (token.Tokenizer, error) {
	if s.tok != nil {
		return s.tok, nil
	}
	t, err := s.tokenizer()
	if err != nil {
		return nil, err
	}
	v := s.Model.Dims().Vocab
	if err := token.Bound(t, v); err != nil {
		return nil, errors.Wrapf(err, "pretrained: %s", s.Path)
	}
	if t.Vocab() > v {
		slog.Warn("tokens past the model's embedding are errors where a text has them", "path", s.Path, "ids", t.Vocab(), "rows", v)
	}
	s.tok = t
	return t, nil
}

// Generator reads the values into a state of x, as float32, and the tokenizer where the files have one. As many
// goroutines as there are processors read each tensor. The caller closes the generator.
func (s *Source) Generator(x plan.Executor) (*generate.Generator, error) {
	tok, err := s.Tokenizer()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	g, err := generate.New(s.Model, x, tok)
	if err != nil {
		return nil, err
	}
	if err := s.Fill(g.State); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// Load opens what is at path and reads its values: [Open], then [Source.Generator].
func Load(path string, x plan.Executor) (*generate.Generator, error) {
	s, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Generator(x)
}

// Close releases the files. Values that were read stay. A second Close does nothing.
func (s *Source) Close() error {
	var first error
	for _, f := range s.files {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	s.files = nil
	return first
}
