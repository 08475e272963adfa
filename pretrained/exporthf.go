package pretrained

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/pkg/errors"
)

// hf writes a folder as transformers save it.
func (e *export) hf() error {
	for _, write := range []func() error{e.hfConfig, e.hfWeights, e.generation, e.tokenizerFiles, e.chat} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// hfDTypes are the types of values: as safetensors and as config.json name them.
var hfDTypes = map[string]struct {
	dtype safetensors.DType
	torch string
}{"f32": {safetensors.F32, "float32"}, "f16": {safetensors.F16, "float16"}, "bf16": {safetensors.BF16, "bfloat16"}}

// hfConfig writes config.json. Reading it must give the same model.
func (e *export) hfConfig() error {
	var b bytes.Buffer
	if err := WriteConfig(&b, e.model); err != nil {
		return err
	}
	again, err := parseConfig(b.Bytes())
	if err != nil {
		return err
	}
	if field := differs(e.canonical(), e.Architecture.Canonical(again)); field != "" {
		return errors.Errorf("%s of %s cannot say %s", ConfigFile, e.Architecture.Class, field)
	}
	config, old := map[string]any{}, map[string]any{}
	d := json.NewDecoder(&b)
	d.UseNumber()
	if err := d.Decode(&config); err != nil {
		return err
	}
	config["torch_dtype"] = hfDTypes[e.opt.Type].torch
	config["bos_token_id"], config["eos_token_id"] = e.ends()
	if dir := e.folder(); dir != "" {
		if err := readJSON(dir, ConfigFile, &old); err != nil {
			return err
		}
	}
	if f := e.ggufFile(); f != nil {
		if id, ok := f.Int(tokenizerKey + "padding_token_id"); ok {
			config["pad_token_id"] = id
		}
	}
	for _, key := range []string{"bos_token_id", "eos_token_id", "pad_token_id"} {
		if v, ok := old[key]; ok {
			config[key] = v
		}
	}
	return e.json(ConfigFile, config)
}

// json writes a JSON file as transformers do: keys in ascending order, two spaces a level.
func (e *export) json(name string, v any) error {
	return e.file(name, func(w io.Writer) error {
		j := json.NewEncoder(w)
		j.SetEscapeHTML(false)
		j.SetIndent("", "  ")
		return j.Encode(v)
	})
}

// differs names the first field in which two models are not equal, with a's value; "" where there is none.
func differs(a, b gpt.Model) string {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.Type() != y.Type() {
		return x.Type().Name()
	}
	for i := range x.NumField() {
		if !x.Field(i).Equal(y.Field(i)) {
			return fmt.Sprintf("%s %v", x.Type().Field(i).Name, x.Field(i))
		}
	}
	return ""
}

// hfName returns the name of a parameter in a folder.
func hfName(a *gpt.Architecture, param string) string {
	if strings.HasPrefix(param, a.Head+".") {
		return param
	}
	return a.Prefix + param
}

// hfWeights writes model.safetensors, or shards and their index.
func (e *export) hfWeights() error {
	params := map[string]Tensor{} // by the names in the files
	shards, at, total := [][]safetensors.Tensor{nil}, int64(0), int64(0)
	dtype := hfDTypes[e.opt.Type].dtype
	for _, p := range e.params {
		t := safetensors.Tensor{Name: hfName(e.Architecture, p.Name), DType: dtype, Shape: p.Shape}
		params[t.Name] = p
		n := int64(graph.Shape(p.Shape).Size() * dtype.Size())
		if at > 0 && at+n > e.opt.ShardBytes {
			shards, at = append(shards, nil), 0
		}
		last := len(shards) - 1
		shards[last] = append(shards[last], t)
		at, total = at+n, total+n
	}
	places := map[string]string{}
	for i, ts := range shards {
		name := WeightsFile
		if len(shards) > 1 {
			name = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		}
		for _, t := range ts {
			places[t.Name] = name
		}
		err := e.file(name, func(w io.Writer) error {
			return safetensors.Stream(w, ts, map[string]string{"format": "pt"}, func(t safetensors.Tensor) ([]byte, error) {
				v, err := e.values(params[t.Name])
				if err != nil {
					return nil, err
				}
				b, err := encode(encodings[e.opt.Type], v)
				return b, errors.Wrap(err, t.Name)
			})
		})
		if err != nil {
			return err
		}
	}
	if len(shards) == 1 {
		return nil
	}
	return e.json(IndexFile, map[string]any{
		"metadata": map[string]any{"total_parameters": e.model.Params(), "total_size": total}, "weight_map": places,
	})
}

// ends returns the begin token, nil where there is none, and the end tokens: nil, one or a list.
func (e *export) ends() (begin, end any) {
	if t, err := e.Tokenizer(); err == nil {
		if t, ok := t.(token.Subword); ok {
			if id, ok := t.Begin(); ok {
				begin = id
			}
		}
	}
	switch len(e.End) {
	case 0:
		return begin, nil
	case 1:
		return begin, e.End[0]
	}
	return begin, e.End
}

// generation writes generation_config.json. A folder's own is copied, with other end tokens where an adapter brought
// some. Otherwise it has the end tokens and what the files say of sampling.
func (e *export) generation() error {
	begin, end := e.ends()
	g := map[string]any{}
	if dir := e.folder(); dir != "" {
		var err error
		if slices.Equal(e.End, e.fileEnd) {
			err = e.copyFile(filepath.Join(dir, GenerationFile))
		} else if err = readJSON(dir, GenerationFile, &g); err == nil {
			g["eos_token_id"] = end
			err = e.json(GenerationFile, g)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for key, v := range map[string]any{"bos_token_id": begin, "eos_token_id": end} {
		if v != nil {
			g[key] = v
		}
	}
	o := e.Sampling
	if o.Temperature > 0 {
		g["do_sample"], g["temperature"], g["top_k"] = true, o.Temperature, o.TopK
	}
	for key, v := range map[string]float64{
		"top_p": o.TopP, "min_p": o.MinP, "typical_p": o.Typical, "repetition_penalty": o.Repetition, "no_repeat_ngram_size": float64(o.NoRepeat),
	} {
		if v != 0 {
			g[key] = v
		}
	}
	return e.json(GenerationFile, g)
}

// folder returns the Hugging Face folder of the source, "" where it has another format.
func (s *Source) folder() string {
	if s.Format != "Hugging Face" {
		return ""
	}
	if info, err := os.Stat(s.Path); err == nil && !info.IsDir() {
		return filepath.Dir(s.Path)
	}
	return s.Path
}

// tokenizerNames are the files of a folder that make up its tokenizer.
var tokenizerNames = []string{"tokenizer.json", TokenizerFile, specialMapFile, "added_tokens.json", "vocab.json", "merges.txt",
	"encoder.json", "vocab.bpe", "tokenizer.model", ChatFile, chatJSON, token.FileName}

// tokenizerFiles copies the tokenizer of a folder byte for byte, or writes that of another source.
func (e *export) tokenizerFiles() error {
	if dir := e.folder(); dir != "" {
		for _, name := range tokenizerNames {
			if name == ChatFile && e.chatElsewhere() {
				continue
			}
			if err := e.copyFile(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	}
	t, err := e.Tokenizer()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	files, err := token.Files(t)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := e.file(name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

// chatElsewhere tells whether the chat template stands in a folder of its own, which an export does not have.
func (e *export) chatElsewhere() bool {
	return atomicfile.Exists(filepath.Join(e.folder(), chatFolder, defaultChat+".jinja"))
}

// chat writes the chat template where the files that are copied do not have it.
func (e *export) chat() error {
	if e.Chat == "" || e.folder() != "" && !e.chatElsewhere() {
		return nil
	}
	return e.file(ChatFile, func(w io.Writer) error {
		_, err := io.WriteString(w, e.Chat)
		return err
	})
}
