package pretrained

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// settingsFiles are the files of settings in a model's folder, and in that of an adapter.
var settingsFiles = []string{ConfigFile, GenerationFile, TokenizerFile, AdapterConfigFile}

// settingsFolders copies a model and an adapter for it into one folder each.
func settingsFolders(f testing.TB) (model, adapter string) {
	dir := f.TempDir()
	model, adapter = filepath.Join(dir, "model"), filepath.Join(dir, "adapter")
	for to, from := range map[string]string{model: "../gpt/testdata/hf/llama", adapter: "../gpt/testdata/adapter/llama-qv"} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			f.Fatal(err)
		}
	}
	return model, adapter
}

// openWith opens the model and adapts it, with one of the files replaced. It fails for what takes more than 10 s, or
// allocates more than twice the file and 64 MiB, or says more than a line.
func openWith(t testing.TB, model, adapter, name string, b []byte) {
	path := filepath.Join(model, name)
	if name == AdapterConfigFile {
		path = filepath.Join(adapter, name)
	}
	old, _ := os.ReadFile(path)
	defer os.WriteFile(path, old, 0o666)
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(10*time.Second, func() { panic(fmt.Sprintf("%s: 10 s pass: %q", name, b)) }).Stop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := Open(model)
	if err == nil {
		if _, err = s.Tokenizer(); err == nil {
			err = s.Adapt(adapter)
		}
		s.Close()
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(2*len(b)+64<<20) {
		t.Errorf("%s: %d bytes were allocated for %d: %.300q", name, n, len(b), b)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %q", name, err)
	}
}

// FuzzSettings: whatever a JSON file of settings says, opening the model answers or refuses, within bounds.
func FuzzSettings(f *testing.F) {
	model, adapter := settingsFolders(f)
	for i, name := range settingsFiles {
		for _, dir := range []string{"../gpt/testdata/hf/llama", "../gpt/testdata/hf/llama-chat", "../gpt/testdata/hf/gemma3", "../gpt/testdata/adapter/llama-qv"} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				f.Add(uint8(i), b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, b []byte) {
		openWith(t, model, adapter, settingsFiles[int(i)%len(settingsFiles)], b)
	})
}

// TestHostileSettings: settings that ask for much are refused within the bounds of the fuzz test.
func TestHostileSettings(t *testing.T) {
	model, adapter := settingsFolders(t)
	config, err := os.ReadFile(filepath.Join(model, ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, key := range []string{"num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_size", "intermediate_size", "vocab_size", "max_position_embeddings", "head_dim"} {
		for _, v := range []string{"1048576", "1000000", "2147483647", "9223372036854775807", "1e300", "-1", "0.5"} {
			files = append(files, strings.Replace(string(config), "{", fmt.Sprintf(`{"%s": %s, `, key, v), 1), fmt.Sprintf(`{"model_type": "llama", "%s": %s}`, key, v))
			files = append(files, strings.ReplaceAll(string(config), fmt.Sprintf(`"%s": `, key), fmt.Sprintf(`"%s": %s, "%s_": `, key, v, key)))
		}
	}
	most := maxJSON - 100
	files = append(files, "["+strings.Repeat("[],", most/3)+"[]]", `{"a": [`+strings.Repeat("0,", most/2)+"0]}", "{"+strings.Repeat(`"a":{},`, most/8)+`"b":1}`,
		`{"model_type": "llama", "layer_types": [`+strings.Repeat(`"",`, most/4)+`""]}`, `{"eos_token_id": [`+strings.Repeat("1,", most/2)+"1]}",
		strings.Repeat("[", 9000)+strings.Repeat("]", 9000), `"`+strings.Repeat("\\u0000", most/6)+`"`, `{"r": 1e999}`, `{"architectures": [`+strings.Repeat(`"a",`, most/5)+`"b"]}`)
	for _, name := range settingsFiles {
		for _, text := range files {
			openWith(t, model, adapter, name, []byte(text))
		}
	}
}
