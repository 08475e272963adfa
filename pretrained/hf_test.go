package pretrained

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
)

// writeModel writes a folder with c's settings and its first values from seed 1; change may alter the tensors.
func writeModel(t *testing.T, c gpt.GPT2, d graph.DType, change func([]safetensors.Tensor) []safetensors.Tensor) string {
	t.Helper()
	params := nn.NewParams(d)
	s := nn.NewScope(graph.New(), params, nn.Eval)
	c.Forward(s, s.Input("ids", graph.Of(graph.Int32, 1, 1)))
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	var ts []safetensors.Tensor
	err := params.Fill(1, nil, func(name string, b graph.Buf) error {
		if d == graph.Float64 {
			ts = append(ts, safetensors.Of(name, b.Shape, graph.Data[float64](b)))
		} else {
			ts = append(ts, safetensors.Of(name, b.Shape, graph.Data[float32](b)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		ts = change(ts)
	}
	dir := t.TempDir()
	for name, write := range map[string]func(b *bytes.Buffer) error{
		ConfigFile:  func(b *bytes.Buffer) error { return WriteConfig(b, c) },
		WeightsFile: func(b *bytes.Buffer) error { return safetensors.Write(b, ts, nil) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var folderConfig = gpt.GPT2{Vocab: 11, Context: 8, Layers: 1, Heads: 2, Width: 8, NoBias: true, GELUErf: true}

// TestLoad reads a model back: its settings, and logits that are those of the values that were written.
func TestLoad(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	ids := []int32{3, 1, 4, 1, 5}
	var want []float32
	for _, d := range []graph.DType{graph.Float32, graph.Float64} {
		g, err := Load(writeModel(t, folderConfig, d, nil), x)
		if err != nil {
			t.Fatal(err)
		}
		c := folderConfig
		c.Eps = 1e-5 // what 0 means, written out
		if g.Model != c {
			t.Errorf("%v: config %+v, want %+v", d, g.Model, c)
		}
		got, err := g.Logits(ids)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = valuesLogits(t, ids)
		}
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 1e-6 {
				t.Errorf("%v: logit %d is %g, want %g", d, i, got[i], want[i])
			}
		}
	}
}

// valuesLogits fills a state without a file.
func valuesLogits(t *testing.T, ids []int32) []float32 {
	t.Helper()
	x := plan.CPU(1)
	defer x.Close()
	g, err := generate.New(folderConfig, x, nil)
	if err != nil {
		t.Fatal(err)
	}
	params := nn.NewParams(graph.Float32)
	s := nn.NewScope(graph.New(), params, nn.Eval)
	folderConfig.Forward(s, s.Input("ids", graph.Of(graph.Int32, 1, 1)))
	if err := params.Fill(1, nil, func(name string, b graph.Buf) error { return g.State.Write(name, graph.Dense(b)) }); err != nil {
		t.Fatal(err)
	}
	y, err := g.Logits(ids)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func TestLoadRefuses(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	for _, c := range []struct {
		name, want string
		change     func([]safetensors.Tensor) []safetensors.Tensor
	}{
		{"missing", "missing: wpe.weight", func(ts []safetensors.Tensor) []safetensors.Tensor { return append(ts[:1:1], ts[2:]...) }},
		{"unexpected", "unexpected: extra", func(ts []safetensors.Tensor) []safetensors.Tensor {
			return append(ts, safetensors.Of("extra", []int{1}, []float32{1}))
		}},
		{"shape", "of another shape: wte.weight is [8 11], the model wants [11 8]", func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[0].Shape = []int{8, 11}
			return ts
		}},
		{"dtype", "wte.weight: state \"wte.weight\": dtype I32; a parameter is F32, F16, BF16 or F64", func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[0].DType = safetensors.I32
			return ts
		}},
	} {
		_, err := Load(writeModel(t, folderConfig, graph.Float32, c.change), x)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	if _, err := Load(t.TempDir(), x); err == nil {
		t.Error("an empty folder loads")
	}
}

// knownTypes lists what config.json may name as model_type.
func knownTypes() string {
	var types []string
	for _, a := range gpt.Architectures() {
		types = append(types, a.Type)
	}
	slices.Sort(types)
	return strings.Join(types, ", ")
}

func TestConfigRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{`, "unexpected end of JSON"},
		{`{"model_type": "bert"}`, `model_type is "bert"; known: ` + knownTypes()},
		{`{"model_type": "gpt2", "vocab_size": 2, "n_positions": 0}`, "context is 0"},
		{`{"model_type": "gpt2", "vocab_size": 2, "n_positions": 4, "n_layer": 1, "n_head": 3, "n_embd": 8}`, "3 heads do not divide the width 8"},
	} {
		m, err := parseConfig([]byte(c.text))
		if err == nil {
			err = m.Validate()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.text, err, c.want)
		}
	}
}
