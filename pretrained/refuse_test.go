package pretrained

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/gguf"
)

// copied returns a copy of a golden folder with some of its files changed: old text replaced by new.
func copied(t *testing.T, name string, file, old, text string) string {
	t.Helper()
	dir := t.TempDir()
	from := filepath.Join("../gpt/testdata/hf", name)
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() == file {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("%s of %s has no %q", file, name, old)
			}
			b = bytes.Replace(b, []byte(old), []byte(text), 1)
		}
		if err := os.WriteFile(filepath.Join(dir, e.Name()), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// refused checks that Open gives one line with a text, and nothing else.
func refused(t *testing.T, what, path, want string) {
	t.Helper()
	s, err := Open(path)
	if err == nil {
		s.Close()
		t.Errorf("%s: opened; want %q", what, want)
		return
	}
	if msg := err.Error(); !strings.Contains(msg, want) || strings.Contains(msg, "\n") || len(msg) > 700 {
		t.Errorf("%s: %v; want one line with %q", what, err, want)
	}
}

func TestOpenRefusesFolder(t *testing.T) {
	for _, c := range []struct{ model, file, old, text, want string }{
		{"llama", ConfigFile, `"model_type": "llama"`, `"model_type": "mamba"`, `model_type is "mamba"; known: ` + knownTypes()},
		{"llama", ConfigFile, `"hidden_act": "silu"`, `"hidden_act": "relu"`, `hidden_act is "relu"; known: silu`},
		{"llama", ConfigFile, `"num_hidden_layers": 2`, `"num_hidden_layers": 1000000`, "1000000 layers by the settings"},
		{"llama", ConfigFile, `"num_hidden_layers": 2`, `"num_hidden_layers": -1`, "layers is -1"},
		{"llama", ConfigFile, `"num_hidden_layers": 2`, `"num_hidden_layers": 3`, "missing: model.layers.2."},
		{"llama", ConfigFile, `"num_hidden_layers": 2`, `"num_hidden_layers": 1`, "unexpected: model.layers.1."},
		{"llama", ConfigFile, `"num_hidden_layers": 2`, `"num_hidden_layers": 1e3`, "config.json"},
		{"llama", ConfigFile, `"vocab_size": 104`, `"vocab_size": 105`, "of another shape: model.embed_tokens.weight is [104 32], the model wants [105 32]"},
		{"llama", ConfigFile, `"vocab_size": 104`, `"vocab_size": 9999999999999`, "vocab is 9999999999999"},
		{"llama", ConfigFile, `"num_key_value_heads": 2`, `"num_key_value_heads": 3`, "3 key/value heads do not divide the 4 heads"},
		{"llama", ConfigFile, `"rms_norm_eps": 1e-05`, `"rms_norm_eps": NaN`, "config.json"},
		{"llama", ConfigFile, `"rms_norm_eps": 1e-05`, `"rms_norm_eps": 1e300`, "eps is 1e+300"},
		{"llama", ConfigFile, `"rope_theta": 10000.0`, `"rope_theta": -1`, "rope_theta is -1"},
		{"llama-linear", ConfigFile, `"rope_type": "linear"`, `"rope_type": "yarn"`, `rope_scaling is "yarn"; known: default, linear, llama3`},
		{"llama-linear", ConfigFile, `"factor": 2.0`, `"factor": 0`, "factor is 0"},
		{"llama-llama3", ConfigFile, `"high_freq_factor": 4.0`, `"high_freq_factor": 0.5`, "high_freq_factor 0.5"},
		{"gpt2", ConfigFile, `"activation_function": "gelu_new"`, `"activation_function": "relu"`, `activation_function is "relu"`},
		{"gpt2", ConfigFile, `"scale_attn_by_inverse_layer_idx": false`, `"scale_attn_by_inverse_layer_idx": true`, "is not GPT-2's default"},
		{"llama-bf16", IndexFile, `"model-00001-of-00003.safetensors"`, `"../model-00001-of-00003.safetensors"`, "want the name of a .safetensors file of the folder"},
		{"llama-bf16", IndexFile, `"model-00001-of-00003.safetensors"`, `"/etc/passwd"`, "want the name of a .safetensors file of the folder"},
		{"llama-bf16", IndexFile, `"model-00001-of-00003.safetensors"`, `"other.safetensors"`, "other.safetensors"},
	} {
		refused(t, c.model+" "+c.text, copied(t, c.model, c.file, c.old, c.text), c.want)
	}
}

func TestOpenRefusesFile(t *testing.T) {
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	llmc, llama2c, gg := read("../gpt/testdata/llmc/gpt2-v3.bin"), read("../gpt/testdata/llama2c/llama.bin"), read("../gpt/testdata/gguf/llama.gguf")
	put := func(b []byte, at int, v uint32) []byte {
		b = bytes.Clone(b)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"empty.bin", nil, "not a known model"},
		{"text.bin", []byte("a text that is no model"), "not a known model"},
		{"a.gguf", gg[:len(gg)/2], "gguf"},
		{"b.gguf", []byte("GGUF"), "gguf"},
		{"c.bin", llmc[:len(llmc)-4], "the file ends within ln_f.bias"},
		{"d.bin", append(bytes.Clone(llmc), 0, 0, 0, 0), "4 bytes after the last parameter"},
		{"e.bin", put(llmc, 4, 9), "version 9 of llm.c's checkpoints; known: 3 (float32), 5 (bfloat16)"},
		{"f.bin", put(llmc, 16, math.MaxUint32), "layers is -1"},
		{"g.bin", put(llmc, 16, 1<<19), "the file ends within"},
		{"h.bin", put(llmc, 28, 1<<30), "padded to 1073741824"},
		{"i.bin", llmc[:100], "the header of llm.c has 1024"},
		{"j.bin", llama2c[:len(llama2c)/2], "the file ends within"},
		{"k.bin", append(bytes.Clone(llama2c), 0), "the settings ask for"},
		{"l.bin", put(put(llama2c, 0, llama2cMagic), 4, 2), "version 2 of llama2.c's checkpoints; known: 0 and 1"},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, c.b, 0o666); err != nil {
			t.Fatal(err)
		}
		refused(t, c.name, path, c.want)
	}
	refused(t, "a folder with several", dir, "several models, name one of them")
	refused(t, "a folder without", t.TempDir(), "no model: want config.json")
	refused(t, "nothing", filepath.Join(dir, "nothing"), "no such file")
}

// TestOpenRefusesGGUF changes a value of the metadata, or leaves it out.
func TestOpenRefusesGGUF(t *testing.T) {
	f, err := gguf.Open("../gpt/testdata/gguf/llama.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	path := filepath.Join(t.TempDir(), "model.gguf")
	for _, c := range []struct {
		key  string
		v    any // nil leaves it out
		want string
	}{
		{"general.architecture", "mamba", `general.architecture is "mamba"; known: `},
		{"llama.block_count", nil, "llama.block_count is missing"},
		{"llama.block_count", uint32(3), "missing: model.layers.2."},
		{"llama.block_count", uint64(1 << 40), "llama.block_count is 1099511627776"},
		{"llama.block_count", "two", "llama.block_count is not a whole number"},
		{"llama.context_length", uint32(0), "context is 0"},
		{"llama.embedding_length", uint32(64), "of another shape"},
		{"llama.attention.head_count", []int32{4, 4}, "llama.attention.head_count is not a whole number"},
		{"llama.attention.layer_norm_rms_epsilon", float32(math.NaN()), "eps is NaN"},
		{"llama.rope.scaling.type", "yarn", `llama.rope.scaling.type is "yarn"; known: none, linear`},
		{"llama.rope.dimension_count", uint32(4), "llama.rope.dimension_count is 4 for heads of 8; want 8"},
		{"llama.expert_count", uint32(8), "a mixture of experts is not known"},
		{"split.count", uint16(2), "one of 2 parts"},
	} {
		var meta []gguf.KV
		for _, kv := range f.Meta {
			if kv.Key != c.key {
				meta = append(meta, kv)
			}
		}
		if c.v != nil {
			meta = append(meta, gguf.KV{Key: c.key, Value: c.v})
		}
		var b bytes.Buffer
		if err := gguf.Write(&b, meta, f.Tensors); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		refused(t, c.key, path, c.want)
	}
}

// FuzzOpen: whatever a file says, Open answers or refuses. The seeds are short: the beginnings of files, and a GGUF
// file with all its metadata and one tensor.
func FuzzOpen(f *testing.F) {
	for _, path := range []string{"../gpt/testdata/hf/gpt2/config.json", "../gpt/testdata/hf/llama-llama3/config.json", "../gpt/testdata/hf/mistral/config.json",
		"../gpt/testdata/llmc/gpt2-v5.bin", "../gpt/testdata/llama2c/llama.bin"} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:min(len(b), 2048)])
	}
	for _, path := range []string{"../gpt/testdata/gguf/qwen3.gguf", "../gpt/testdata/gguf/llama-llama3.gguf", "../gpt/testdata/gguf/gpt2.gguf"} {
		g, err := gguf.Open(path)
		if err != nil {
			f.Fatal(err)
		}
		t, _ := g.Tensor("token_embd.weight")
		t.Shape, t.Data = []int{1, 1}, t.Data[:4]
		var meta []gguf.KV
		for _, kv := range g.Meta {
			if !strings.HasPrefix(kv.Key, "tokenizer.") {
				meta = append(meta, kv)
			}
		}
		var b bytes.Buffer
		if err := gguf.Write(&b, meta, []gguf.Tensor{t}); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := parseConfig(b); err == nil && m.Validate() == nil {
			m.Params()
			if err := WriteConfig(&bytes.Buffer{}, m); err != nil {
				t.Error(err)
			}
			return
		}
		path := filepath.Join(t.TempDir(), "model.bin")
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(path); err == nil {
			s.Tokenizer()
			s.Close()
		}
	})
}
