package pretrained_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/pretrained"
)

// adapted is what ../gpt/testdata/golden_adapter.py saw PEFT compute.
type adapted struct {
	Model   string
	Prompts [][]int32
	Logits  [][]float32
	Greedy  [][]int32
	Train   [][]int32
	Losses  []float64 // of ten steps on Train
}

func readAdapted(t *testing.T, dir string) (e adapted) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestAdapter merges adapters of PEFT into models of folders and GGUF files, exports them and reads them again. Logits
// and greedy ids must be PEFT's.
func TestAdapter(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	dirs, err := filepath.Glob("../gpt/testdata/adapter/*")
	if err != nil || len(dirs) < 4 {
		t.Fatal(dirs, err)
	}
	for _, dir := range dirs {
		e := readAdapted(t, dir)
		for _, model := range []string{"../gpt/testdata/hf/" + e.Model, "../gpt/testdata/gguf/" + e.Model + ".gguf"} {
			s, err := pretrained.Open(model)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Adapt(dir); err != nil {
				t.Errorf("%s: %v", dir, err)
				continue
			}
			e.check(t, dir+" on "+model, x, s)
			out := filepath.Join(t.TempDir(), "merged")
			if _, err := s.Export(out, pretrained.ExportOptions{Format: pretrained.FormatHF}); err != nil {
				t.Fatal(err)
			}
			merged, err := pretrained.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			defer merged.Close()
			e.check(t, dir+" on "+model+", exported", x, merged)
		}
	}
}

func (e adapted) check(t *testing.T, what string, x plan.Executor, s *pretrained.Source) {
	t.Helper()
	g, err := s.Generator(x)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range e.Prompts {
		got, err := g.Logits(p)
		if err != nil {
			t.Fatal(err)
		}
		goldentest.Near(t, fmt.Sprintf("%s: prompt %d", what, i), got, e.Logits[i], 1e-4)
		if ids, err := g.Sample(p, generate.Options{Tokens: len(e.Greedy[i])}); err != nil || !slices.Equal(ids, e.Greedy[i]) {
			t.Errorf("%s: prompt %d: %v, %v; want %v", what, i, ids, err, e.Greedy[i])
		}
	}
}

// TestAdapterRefuses: what is not a plain LoRA adapter of the model is an error, and the model's values stay as they
// were.
func TestAdapterRefuses(t *testing.T) {
	const good = "../gpt/testdata/adapter/llama-qv"
	s, err := pretrained.Open("../gpt/testdata/hf/llama")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		old, text string
		tensors   func(ts []safetensors.Tensor) []safetensors.Tensor
		want      string
	}{
		{`"peft_type": "LORA"`, `"peft_type": "IA3"`, nil, `peft_type is "IA3"; known: LORA`},
		{`"use_dora": false`, `"use_dora": true`, nil, "use_dora is true"},
		{`"bias": "none"`, `"bias": "all"`, nil, `bias is "all"`},
		{`"alpha_pattern": {}`, `"alpha_pattern": {"(": 1}`, nil, `alpha_pattern has "("`},
		{`"r": 4`, `"r": "four"`, nil, pretrained.AdapterConfigFile},
		{"", "", func(ts []safetensors.Tensor) []safetensors.Tensor { return ts[1:] }, "want (r, in) and (out, r)"},
		{"", "", func(ts []safetensors.Tensor) []safetensors.Tensor { return nil }, "has no tensors"},
		{"", "", func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[0].Name = strings.Replace(ts[0].Name, "layers.0", "layers.7", 1)
			return ts
		}, "it has tensors that do not belong to LlamaForCausalLM: base_model.model.model.layers.7"},
		{"", "", func(ts []safetensors.Tensor) []safetensors.Tensor {
			return append(ts, safetensors.Of("base_model.model.model.embed_tokens.lora_embedding_A", []int{1, 1}, []float32{1}))
		}, "lora_embedding_A"},
		{"", "", func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[0].DType = safetensors.I32
			return ts
		}, "dtype I32"},
	} {
		if err := s.Adapt(changedAdapter(t, good, c.old, c.text, c.tensors)); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want one line with %q", c.text, err, c.want)
		}
	}
	if _, err := pretrained.Open(good); err == nil || !strings.Contains(err.Error(), "is a LoRA adapter, not a model") {
		t.Errorf("an adapter opened as a model: %v", err)
	}
	if err := s.Adapt("../gpt/testdata/adapter/gpt2-attn"); err == nil {
		t.Error("GPT-2's adapter fits Llama")
	}
	unchanged(t, s)
}

// unchanged checks that a source gives the answers of the golden model "llama".
func unchanged(t *testing.T, s *pretrained.Source) {
	t.Helper()
	x := plan.CPU(1)
	defer x.Close()
	e := readExpected(t, "../gpt/testdata/hf/llama/expected.json")
	g, err := s.Generator(x)
	if err != nil {
		t.Fatal(err)
	}
	got, err := g.Logits(e.Prompts[1])
	if err != nil {
		t.Fatal(err)
	}
	goldentest.Near(t, "after what was refused", got, e.Logits[1][0], 1e-4)
}

// TestAdapterEnds: the ends of texts in an adapter's own generation_config.json join the model's, until the adapter is
// taken back.
func TestAdapterEnds(t *testing.T) {
	s, err := pretrained.Open("../gpt/testdata/hf/llama")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	was := slices.Clone(s.End)
	dir := changedAdapter(t, "../gpt/testdata/adapter/llama-qv", "", "", nil)
	for _, c := range []struct {
		config string
		want   []int32 // nil: an error
	}{
		{`{"eos_token_id": 7}`, append(slices.Clone(was), 7)},
		{fmt.Sprintf(`{"eos_token_id": [9, %d]}`, was[0]), append(slices.Clone(was), 9)},
		{`{}`, was},
		{`{"eos_token_id": 100000}`, was}, // which never come
		{`{"eos_token_id": "two"}`, was},
	} {
		if err := os.WriteFile(filepath.Join(dir, pretrained.GenerationFile), []byte(c.config), 0o666); err != nil {
			t.Fatal(err)
		}
		err := s.Adapt(dir)
		if (err == nil) != (c.want != nil) || err == nil && !slices.Equal(s.End, c.want) {
			t.Errorf("%s: ends %v, %v; want %v", c.config, s.End, err, c.want)
		}
		if err == nil {
			err = s.Unadapt()
		}
		if c.want != nil && err != nil || !slices.Equal(s.End, was) {
			t.Errorf("%s: taken back, ends %v, %v; want %v", c.config, s.End, err, was)
		}
	}
}

// TestUnadapt: adapters are taken back one by one, and the logits are bit for bit what they were before each.
func TestUnadapt(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	s, err := pretrained.Open("../gpt/testdata/hf/llama")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	logits := func() []float32 {
		g, err := s.Generator(x)
		if err != nil {
			t.Fatal(err)
		}
		y, err := g.Logits([]int32{3, 1, 4, 1, 5})
		if err != nil {
			t.Fatal(err)
		}
		return y
	}
	want := [][]float32{logits()}
	const all = "../gpt/testdata/adapter/llama-qv"
	first := changedAdapter(t, all, "", "", func(ts []safetensors.Tensor) []safetensors.Tensor { return ts[:2] }) // of one matrix
	for _, dir := range []string{all, first, all} {
		if err := s.Adapt(dir); err != nil {
			t.Fatal(err)
		}
		want = append(want, logits())
		if n := len(want); slices.Equal(want[n-1], want[n-2]) {
			t.Errorf("adapter %d, %s, changes nothing", n-1, dir)
		}
	}
	for n := len(want) - 2; n >= 0; n-- {
		if err := s.Unadapt(); err != nil {
			t.Fatal(err)
		}
		if got := logits(); !slices.Equal(got, want[n]) {
			t.Errorf("taken back to %d adapters, the logits are not what they were", n)
		}
	}
	if err := s.Unadapt(); err == nil || !strings.Contains(err.Error(), "no adapter is merged") {
		t.Errorf("taken back once more: %v", err)
	}
}

// changedAdapter returns a copy of an adapter with text of its config replaced and its tensors changed.
func changedAdapter(t *testing.T, from, old, text string, tensors func([]safetensors.Tensor) []safetensors.Tensor) string {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(from, pretrained.AdapterConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(filepath.Join(from, pretrained.AdapterWeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ts := slices.Clone(f.Tensors)
	if tensors != nil {
		ts = tensors(ts)
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, ts, nil); err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(config), old, text, 1)
	if old != "" && changed == string(config) {
		t.Fatalf("the config has no %s", old)
	}
	dir := t.TempDir()
	for name, v := range map[string][]byte{pretrained.AdapterConfigFile: []byte(changed), pretrained.AdapterWeightsFile: b.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), v, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
