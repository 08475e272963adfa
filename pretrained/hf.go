package pretrained

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/internal/weights"
	"github.com/pkg/errors"
)

// The files of a model's folder, as Hugging Face transformers name them.
const (
	ConfigFile     = "config.json"
	WeightsFile    = "model.safetensors"
	IndexFile      = "model.safetensors.index.json"
	GenerationFile = "generation_config.json"
	TokenizerFile  = "tokenizer_config.json"
	ChatFile       = "chat_template.jinja"
)

// The most bytes of the small files of a folder. The index has a line for each tensor, and the tokenizer's settings
// one for each added token.
const maxIndex, maxTokenizer, maxJSON = 64 << 20, 16 << 20, 4 << 20

// maxValues is the most values of settings, each of which takes up to 110 bytes of memory.
const maxValues = 1 << 18

// readJSON reads a file of a folder into v. A missing file is fs.ErrNotExist.
func readJSON(dir, name string, v any) error {
	most := maxJSON
	switch name {
	case IndexFile:
		most = maxIndex
	case TokenizerFile:
		most = maxTokenizer
	}
	b, err := bounded.ReadFile(filepath.Join(dir, name), most)
	if err != nil {
		return err
	}
	if most == maxJSON && bytes.Count(b, []byte(","))+bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) > maxValues {
		return errors.Errorf("%s: more than %d values, the most that such a file may have", name, maxValues)
	}
	return errors.Wrap(json.Unmarshal(b, v), name)
}

// readSmall reads a small file that is no JSON.
func readSmall(path string) ([]byte, error) { return bounded.ReadFile(path, maxJSON) }

// openFolder reads a folder as transformers save it.
func (s *Source) openFolder(dir string) error {
	s.Format = "Hugging Face"
	var raw json.RawMessage
	if err := readJSON(dir, ConfigFile, &raw); err != nil {
		return err
	}
	config, err := parseObject(raw)
	if err != nil {
		return errors.Wrap(err, ConfigFile)
	}
	m, err := modelOfConfig(config)
	if err != nil {
		return errors.Wrap(err, ConfigFile)
	}
	s.is(m)
	shards, err := shardsOf(dir)
	if err != nil {
		return err
	}
	for name, has := range shards {
		if err := s.addShard(filepath.Join(dir, name), has); err != nil {
			return err
		}
	}
	s.tokenizer = func() (token.Tokenizer, error) { return token.Open(dir) }
	if err := s.readGeneration(dir, config); err != nil {
		return err
	}
	return s.readChat(dir)
}

// shardsOf returns the names of the files that hold the tensors. Where a tensor stands in several files, the index says
// which one counts: the function tells whether a file's tensor does.
func shardsOf(dir string) (map[string]func(tensor string) bool, error) {
	if atomicfile.Exists(filepath.Join(dir, WeightsFile)) {
		return map[string]func(string) bool{WeightsFile: func(string) bool { return true }}, nil
	}
	var index struct {
		Map map[string]string `json:"weight_map"`
	}
	err := readJSON(dir, IndexFile, &index)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Errorf("neither %s nor %s is there", WeightsFile, IndexFile)
	}
	if err != nil {
		return nil, err
	}
	shards := map[string]func(string) bool{}
	for tensor, f := range index.Map {
		if f != filepath.Base(f) || strings.ContainsAny(f, `/\`) || !strings.HasSuffix(f, ".safetensors") {
			return nil, errors.Errorf("%s: tensor %q lies in %q: want the name of a .safetensors file of the folder", IndexFile, tensor, f)
		}
		shards[f] = func(tensor string) bool { in, ok := index.Map[tensor]; return !ok || in == f }
	}
	return shards, nil
}

// addShard maps a file and adds those of its tensors that count.
func (s *Source) addShard(path string, counts func(tensor string) bool) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	if info, err := os.Stat(path); err == nil {
		s.Bytes += info.Size()
	}
	for alias, name := range f.Meta { // as safetensors' save_model writes them; other keys name no tensor
		if s.aliases == nil {
			s.aliases = map[string]string{}
		}
		s.aliases[alias] = name
	}
	for _, t := range f.Tensors {
		if !counts(t.Name) {
			continue
		}
		if err := s.add(s.hfParam(t.Name), safetensor(t)); err != nil {
			return err
		}
	}
	return nil
}

// hfParam returns the model's name of a tensor in a folder, or "" where the model does not use it. Folders name the
// trunk's tensors with or without the prefix of the class that holds the trunk.
func (s *Source) hfParam(name string) string {
	name = unwrapped(name)
	for _, end := range s.Architecture.Unused {
		if strings.HasSuffix(name, end) {
			return ""
		}
	}
	return strings.TrimPrefix(name, s.Architecture.Prefix)
}

// safetensor returns a tensor of a safetensors file as a parameter.
func safetensor(t safetensors.Tensor) *stored {
	s := &stored{Tensor: Tensor{t.Name, string(t.DType), t.Shape, int64(len(t.Data))}}
	s.rows = func(dst []float32, from, _ int) error {
		size := t.DType.Size()
		b := t
		b.Data = t.Data[from*rowSize(t.Shape)*size:][:len(dst)*size]
		return weights.Float32s(dst, b)
	}
	return s
}

// rowSize returns the number of values in a row of the outermost axis.
func rowSize(shape []int) int {
	n := 1
	for _, e := range shape[min(1, len(shape)):] {
		n *= e
	}
	return n
}
