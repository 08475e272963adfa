package pretrained

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
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
	m, err := parseConfig(raw)
	if err != nil {
		return errors.Wrap(err, ConfigFile)
	}
	s.is(m)
	shards, err := shardsOf(dir)
	if err != nil {
		return err
	}
	for _, name := range shards {
		if err := s.addShard(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	s.tokenizer = func() (token.Tokenizer, error) { return token.Open(dir) }
	if err := s.readGeneration(dir, raw); err != nil {
		return err
	}
	return s.readChat(dir)
}

// shardsOf returns the names of the files that hold the tensors.
func shardsOf(dir string) ([]string, error) {
	if atomicfile.Exists(filepath.Join(dir, WeightsFile)) {
		return []string{WeightsFile}, nil
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
	var names []string
	for tensor, f := range index.Map {
		if f != filepath.Base(f) || strings.ContainsAny(f, `/\`) || !strings.HasSuffix(f, ".safetensors") {
			return nil, errors.Errorf("%s: tensor %q lies in %q: want the name of a .safetensors file of the folder", IndexFile, tensor, f)
		}
		names = append(names, f)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// addShard maps a file and adds its tensors.
func (s *Source) addShard(path string) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	if info, err := os.Stat(path); err == nil {
		s.Bytes += info.Size()
	}
	for _, t := range f.Tensors {
		if err := s.add(s.hfParam(t.Name), safetensor(t)); err != nil {
			return err
		}
	}
	return nil
}

// hfParam returns the model's name of a tensor in a folder, or "" where the model does not use it. Folders name the
// trunk's tensors with or without the prefix of the class that holds the trunk.
func (s *Source) hfParam(name string) string {
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

// idList is an id or a list of them in JSON.
type idList []int32

// UnmarshalJSON implements json.Unmarshaler.
func (l *idList) UnmarshalJSON(b []byte) error {
	var one *int32
	if json.Unmarshal(b, &one) == nil {
		if one != nil {
			*l = idList{*one}
		}
		return nil
	}
	return json.Unmarshal(b, (*[]int32)(l))
}

// readGeneration reads generation_config.json. Where that has no end ids, those of config.json count.
func (s *Source) readGeneration(dir string, config []byte) error {
	var g struct {
		End         idList   `json:"eos_token_id"`
		Sample      bool     `json:"do_sample"`
		Temperature *float64 `json:"temperature"`
		TopK        *int     `json:"top_k"`
		TopP        float64  `json:"top_p"`
		MinP        float64  `json:"min_p"`
		Typical     float64  `json:"typical_p"`
		Repetition  float64  `json:"repetition_penalty"`
		NoRepeat    int      `json:"no_repeat_ngram_size"`
	}
	if err := json.Unmarshal(config, &struct {
		End *idList `json:"eos_token_id"`
	}{&g.End}); err != nil {
		return errors.Wrap(err, ConfigFile)
	}
	if err := readJSON(dir, GenerationFile, &g); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.End = g.End
	o := generate.Options{Repetition: g.Repetition, NoRepeat: g.NoRepeat}
	if g.Sample {
		o.Temperature, o.TopK = 1, 50 // what transformers take where the file is silent
		if g.Temperature != nil {
			o.Temperature = *g.Temperature
		}
		if g.TopK != nil {
			o.TopK = *g.TopK
		}
		o.TopP, o.MinP, o.Typical = g.TopP, g.MinP, g.Typical
	}
	s.Sampling = o
	return errors.Wrap(o.Validate(), GenerationFile)
}

// readChat reads the chat template from a file of its own, else from tokenizer_config.json. There it is a string, or an
// entry of a list: the one named "default", else the first.
func (s *Source) readChat(dir string) error {
	b, err := readSmall(filepath.Join(dir, ChatFile))
	if err == nil {
		s.Chat = string(b)
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var c struct {
		Chat json.RawMessage `json:"chat_template"`
	}
	if err := readJSON(dir, TokenizerFile, &c); err != nil || len(c.Chat) == 0 {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if json.Unmarshal(c.Chat, &s.Chat) == nil {
		return nil
	}
	var named []struct{ Name, Template string }
	if err := json.Unmarshal(c.Chat, &named); err != nil {
		return errors.Wrapf(err, "%s: chat_template", TokenizerFile)
	}
	for _, t := range named {
		if t.Name == "default" || s.Chat == "" {
			s.Chat = t.Template
		}
	}
	return nil
}
