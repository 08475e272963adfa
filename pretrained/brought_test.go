package pretrained

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/safetensors"
)

// brought is a copy of a golden folder. The functions change its settings and its tensors, where they are not nil.
func brought(t *testing.T, model string, config func(map[string]any), tensors func(map[string]safetensors.Tensor), meta map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "gpt", "testdata", "hf", model))); err != nil {
		t.Fatal(err)
	}
	change(t, filepath.Join(dir, ConfigFile), config)
	if tensors == nil {
		return dir
	}
	f, err := safetensors.Open(filepath.Join(dir, WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]safetensors.Tensor{}
	for _, x := range f.Tensors {
		x.Data = slices.Clone(x.Data)
		all[x.Name] = x
	}
	f.Close()
	tensors(all)
	write(t, filepath.Join(dir, WeightsFile), all, meta)
	return dir
}

func write(t *testing.T, path string, all map[string]safetensors.Tensor, meta map[string]string) {
	t.Helper()
	list := make([]safetensors.Tensor, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x := all[name]
		x.Name = name
		list = append(list, x)
	}
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := safetensors.Write(w, list, meta); err != nil {
		t.Fatal(err)
	}
}

func change(t *testing.T, path string, config func(map[string]any)) {
	t.Helper()
	if config == nil {
		return
	}
	var c map[string]any
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	config(c)
	if b, err = json.Marshal(c); err == nil {
		err = os.WriteFile(path, b, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type all = map[string]safetensors.Tensor

// renamed gives all tensors other names.
func renamed(name func(string) string) func(all) {
	return func(a all) {
		for old, x := range maps.Clone(a) {
			delete(a, old)
			a[name(old)] = x
		}
	}
}

// TestNames opens folders whose tensors have the names that people's programs give them. The values are those of the
// folder as transformers saves it.
func TestNames(t *testing.T) {
	head, table := "lm_head.weight", "model.embed_tokens.weight"
	rename := func(from, to string) func(all) {
		return func(a all) { a[to] = a[from]; delete(a, from) }
	}
	for name, c := range map[string]struct {
		model   string
		tensors func(all)
		meta    map[string]string
	}{
		"compiled":              {"llama", renamed(func(s string) string { return "_orig_mod." + s }), nil},
		"compiled within":       {"llama", renamed(func(s string) string { return strings.Replace(s, "model.", "model._orig_mod.", 1) }), nil},
		"parallel":              {"llama", renamed(func(s string) string { return "module." + s }), nil},
		"parallel and compiled": {"gpt2", renamed(func(s string) string { return "module._orig_mod." + s }), nil},
		"the trunk alone":       {"llama", renamed(func(s string) string { return strings.TrimPrefix(s, "model.") }), nil},
		"GPT-2's trunk alone":   {"gpt2", renamed(func(s string) string { return strings.TrimPrefix(s, "transformer.") }), nil},
		"tied, head's name":     {"llama-tied", rename(table, head), nil},
		"tied, alias":           {"llama-tied", rename(table, head), map[string]string{"format": "pt", table: head}},
		"tied, both names":      {"llama-tied", func(a all) { a[head] = a[table] }, nil},
		"tied GPT-2":            {"gpt2", rename("transformer.wte.weight", head), nil},
		"alias of another":      {"llama", rename("model.norm.weight", "other.weight"), map[string]string{"model.norm.weight": "other.weight"}},
		"unused, any dtype": {"llama", func(a all) {
			for _, d := range []string{"U8", "I64", "BOOL"} {
				a["model.layers.0.self_attn."+d+".rotary_emb.inv_freq"] = safetensors.Tensor{DType: safetensors.DType(d), Shape: []int{0}}
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := Open(filepath.Join("..", "gpt", "testdata", "hf", c.model))
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			got, err := Open(brought(t, c.model, nil, c.tensors, c.meta))
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			x, y := valuesOf(t, want), valuesOf(t, got)
			if !maps.EqualFunc(x, y, slices.Equal[[]float32]) {
				t.Error("other values")
			}
		})
	}
}

// TestTwoShards opens a folder where a tensor stands in two files. The one counts that the index names.
func TestTwoShards(t *testing.T) {
	dir := brought(t, "llama", nil, func(all) {}, nil)
	f, err := safetensors.Open(filepath.Join(dir, WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	whole, index := all{}, map[string]string{}
	for _, x := range f.Tensors {
		whole[x.Name], index[x.Name] = x, "a.safetensors"
	}
	norm := whole["model.norm.weight"]
	norm.Data = make([]byte, len(norm.Data))
	write(t, filepath.Join(dir, "a.safetensors"), whole, nil)
	write(t, filepath.Join(dir, "b.safetensors"), all{"model.norm.weight": norm, "model.layers.0.input_layernorm.weight": norm}, nil)
	f.Close()
	index["model.layers.0.input_layernorm.weight"] = "b.safetensors"
	b, err := json.Marshal(map[string]any{"weight_map": index})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, IndexFile), b, 0o666)
	}
	if err == nil {
		err = os.Remove(filepath.Join(dir, WeightsFile))
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := valuesOf(t, s)
	if v["model.norm.weight"][0] == 0 || v["model.layers.0.input_layernorm.weight"][0] != 0 {
		t.Error("a tensor of the wrong file")
	}
}

// TestSampling reads settings of generation_config.json. One that cannot be is named when the model opens, and is an
// error where it would count.
func TestSampling(t *testing.T) {
	for text, c := range map[string]struct {
		flag     string // left out
		sampling bool   // counts in sampling alone
		warnings int
	}{
		`"top_k": -1`: {"top-k", true, 1}, `"top_p": 1.5`: {"top-p", true, 1}, `"top_k": 50.0`: {}, `"top_k": 2.5`: {"top-k", true, 1},
		`"top_p": 0`: {}, `"top_p": 0.0`: {}, `"top_k": 0`: {}, `"temperature": 0.0`: {"temperature", true, 1}, `"temperature": "hot"`: {"temperature", true, 1},
		`"typical_p": 0`: {"typical", true, 1}, `"min_p": 0`: {}, `"min_p": [1]`: {"min-p", true, 1}, `"repetition_penalty": 0`: {"repetition-penalty", false, 1},
		`"no_repeat_ngram_size": -3`: {}, `"top_p": null`: {}, `"eos_token_id": 104`: {"", false, 1}, `"eos_token_id": -1`: {"", false, 1},
		`"eos_token_id": [2, 1.5, "x", null]`: {"", false, 3}, `"num_beams": 4`: {"", false, 1}, `"num_beams": 1, "suppress_tokens": []`: {},
		`"do_sample": "yes"`: {"", false, 1},
	} {
		dir := brought(t, "llama", nil, nil, nil)
		if !strings.Contains(text, "do_sample") {
			text = `"do_sample": true, ` + text
		}
		if err := os.WriteFile(filepath.Join(dir, GenerationFile), []byte("{"+text+"}"), 0o666); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if len(s.Warnings) != c.warnings {
			t.Errorf("%s: warnings %q, want %d", text, s.Warnings, c.warnings)
		}
		none := func(string) bool { return false }
		if err := s.CheckSampling(true, none); (err != nil) != (c.flag != "") || err != nil && !strings.Contains(err.Error(), "--"+c.flag) {
			t.Errorf("%s: sampling: %v", text, err)
		}
		if err := s.CheckSampling(false, none); (err != nil) != (c.flag != "" && !c.sampling) {
			t.Errorf("%s: greedy: %v", text, err)
		}
		if err := s.CheckSampling(true, func(flag string) bool { return flag == c.flag }); err != nil {
			t.Errorf("%s: with the flag: %v", text, err)
		}
		if err := s.Sampling.Validate(); err != nil {
			t.Error(err)
		}
		if p := s.Sampling.TopP; strings.Contains(text, `"top_p": 0`) && !(p > 0 && p < 1e-6) {
			t.Errorf("%s: %g, want the most likely token alone", text, p)
		}
		s.Close()
	}
}

// TestPointer opens what Git LFS leaves in the place of files.
func TestPointer(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
	for _, name := range []string{WeightsFile, ConfigFile, GenerationFile, "model.gguf", "model.bin"} {
		dir := brought(t, "llama", nil, nil, nil)
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(pointer), 0o666); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, "model.g") && name != "model.bin" {
			path = dir
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "Git LFS pointer") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAdapterKeys changes adapter_config.json in each of PEFT's keys: what changes the arithmetic is done or named.
func TestAdapterKeys(t *testing.T) {
	s, err := Open("../gpt/testdata/hf/llama")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for text, want := range map[string]string{
		`"init_lora_weights": "pissa"`: "init_lora_weights", `"init_lora_weights": "pissa_niter_4"`: "init_lora_weights", `"init_lora_weights": "PiSSA"`: "init_lora_weights",
		`"init_lora_weights": "olora"`: "init_lora_weights", `"init_lora_weights": "corda"`: "init_lora_weights", `"init_lora_weights": "loftq"`: "init_lora_weights",
		`"init_lora_weights": "new"`: "init_lora_weights", `"init_lora_weights": 3`: "init_lora_weights", `"init_lora_weights": "gaussian"`: "",
		`"init_lora_weights": "eva", "eva_config": {"rho": 2.0}`: "", `"init_lora_weights": "orthogonal"`: "", `"init_lora_weights": false`: "", `"init_lora_weights": null`: "",
		`"use_dora": true`: "use_dora", `"bias": "all"`: "bias", `"bias": "lora_only"`: "bias", `"use_qalora": true`: "use_qalora", `"use_qalora": false`: "",
		`"layer_replication": [[0, 1]]`: "layer_replication", `"lora_bias": true`: "lora_bias", `"trainable_token_indices": [3]`: "trainable_token_indices",
		`"target_parameters": ["a"]`: "target_parameters", `"megatron_config": {"a": 1}`: "megatron_config", `"megatron_core": "megatron.core"`: "",
		`"alora_invocation_tokens": [1]`: "alora_invocation_tokens", `"arrow_config": null`: "", `"ensure_weight_tying": false`: "", `"something": 0.5`: "something",
		`"use_rslora": "yes"`: "use_rslora", `"lora_alpha": "8"`: "lora_alpha", `"r": 1.5`: AdapterConfigFile, `"peft_type": "LOHA"`: "peft_type", `"fan_in_fan_out": true`: "",
		`"lora_dropout": 0.3, "layers_to_transform": [0], "rank_pattern": {"q_proj": 4}`: "",
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("../gpt/testdata/adapter/llama-qv")); err != nil {
			t.Fatal(err)
		}
		change(t, filepath.Join(dir, AdapterConfigFile), func(c map[string]any) {
			if err := json.Unmarshal([]byte("{"+text+"}"), &c); err != nil {
				t.Fatal(err)
			}
		})
		err := s.Adapt(dir)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err == nil {
			if err := s.Unadapt(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
