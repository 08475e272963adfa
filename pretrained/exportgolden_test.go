package pretrained

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/ceto-ml/ceto/internal/safetensors"
)

// export1 writes a model of testdata and returns the folder.
func export1(t *testing.T, path string, o ExportOptions) string {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := s.export(fastFS(), dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestExportGGUFGolden exports transformers' folders. It compares the result with files that the gguf Python package
// wrote as llama.cpp's converter does: the tensors byte for byte, and the settings.
func TestExportGGUFGolden(t *testing.T) {
	for _, f := range Golden(t, "gguf") {
		name := strings.TrimSuffix(filepath.Base(f), ".gguf")
		folder := filepath.Join(f, "../../hf", name)
		if !atomicfile.Exists(folder) || name == "llama-chat" { // whose file_type is not that of its tensors
			continue
		}
		t.Run(name, func(t *testing.T) {
			want, err := gguf.Open(f)
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			number, _ := want.Int("general.file_type")
			kind := map[int64]string{0: "f32", 1: "f16", 7: "q8_0", 32: "bf16"}[number]
			got, err := gguf.Open(filepath.Join(export1(t, folder, ExportOptions{Format: FormatGGUF, Type: kind}), "model-"+kind+".gguf"))
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			for _, w := range want.Tensors {
				g, ok := got.Tensor(w.Name)
				if !ok || g.Type != w.Type || !slices.Equal(g.Shape, w.Shape) {
					t.Errorf("%s: %v%v, want %v%v", w.Name, g.Type, g.Shape, w.Type, w.Shape)
				} else if !bytes.Equal(g.Data, w.Data) && !(w.Name == "rope_freqs.weight" && close32(t, g, w)) {
					t.Errorf("%s: other bytes", w.Name)
				}
			}
			if len(got.Tensors) != len(want.Tensors) {
				t.Errorf("%d tensors, want %d", len(got.Tensors), len(want.Tensors))
			}
			arch, _ := want.String("general.architecture")
			for _, kv := range want.Meta {
				if v := got.Value(kv.Key); (strings.HasPrefix(kv.Key, arch+".") || kv.Key == "general.architecture" || kv.Key == "general.file_type") && !reflect.DeepEqual(v, kv.Value) {
					t.Errorf("%s: %v (%T), want %v (%T)", kv.Key, v, v, kv.Value, kv.Value)
				}
			}
		})
	}
}

// close32 tells whether two tensors of float32 differ by rounding alone: PyTorch's powers are not Go's to the last bit.
func close32(t *testing.T, a, b gguf.Tensor) bool {
	t.Helper()
	x, y := make([]float32, a.Len()), make([]float32, b.Len())
	if a.Decode(x, 0, a.Rows()) != nil || b.Decode(y, 0, b.Rows()) != nil {
		return false
	}
	for i := range x {
		if d := x[i] - y[i]; d > 1e-6*y[i] || -d > 1e-6*y[i] {
			return false
		}
	}
	return true
}

// TestExportLLMCGolden compares checkpoints with those of a writer as llm.c's, byte for byte.
func TestExportLLMCGolden(t *testing.T) {
	for _, c := range []struct{ kind, golden, name string }{
		{"f32", "gpt2-v3.bin", "gpt2_31K.bin"}, {"bf16", "gpt2-v5.bin", "gpt2_31K_bf16.bin"},
	} {
		want, err := os.ReadFile("../gpt/testdata/llmc/" + c.golden)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(export1(t, "../gpt/testdata/hf/gpt2", ExportOptions{Format: FormatLLMC, Type: c.kind}), c.name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want the %d of %s (error %v)", c.kind, len(got), len(want), c.golden, err)
		}
	}
}

// TestExportHFGolden exports folders that transformers saved, and compares the result with them. It looks at names,
// shapes and bytes of the tensors, the metadata, and the keys of config.json that both have.
func TestExportHFGolden(t *testing.T) {
	for _, golden := range Golden(t, "hf") {
		if !atomicfile.Exists(filepath.Join(golden, WeightsFile)) { // in shards
			continue
		}
		t.Run(filepath.Base(golden), func(t *testing.T) {
			want, err := safetensors.Open(filepath.Join(golden, WeightsFile))
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			kind := strings.ToLower(string(want.Tensors[0].DType))
			dir := export1(t, golden, ExportOptions{Format: FormatHF, Type: kind})
			got, err := safetensors.Open(filepath.Join(dir, WeightsFile))
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			if !slices.Equal(got.Names(), want.Names()) || !reflect.DeepEqual(got.Meta, want.Meta) {
				t.Errorf("tensors %v %v, want %v %v", got.Names(), got.Meta, want.Names(), want.Meta)
			}
			for _, w := range want.Tensors {
				if g, _ := got.Tensor(w.Name); g.DType != w.DType || !slices.Equal(g.Shape, w.Shape) || !bytes.Equal(g.Data, w.Data) {
					t.Errorf("%s: another tensor: %s%v, want %s%v", w.Name, g.DType, g.Shape, w.DType, w.Shape)
				}
			}
			a, b := map[string]any{}, map[string]any{}
			for path, v := range map[string]*map[string]any{dir: &a, golden: &b} {
				if err := readJSON(path, ConfigFile, v); err != nil {
					t.Fatal(err)
				}
			}
			if a["torch_dtype"] != b["dtype"] {
				t.Errorf("%s: torch_dtype is %v, want %v", ConfigFile, a["torch_dtype"], b["dtype"])
			}
			for key, v := range a {
				if w := b[key]; w != nil && !reflect.DeepEqual(v, w) && !(key == "rope_scaling" && sameScaling(v, w)) {
					t.Errorf("%s: %s is %v, want %v", ConfigFile, key, v, w)
				}
			}
		})
	}
}

// sameScaling compares settings of which the golden one may name its type twice.
func sameScaling(got, want any) bool {
	a, ok := got.(map[string]any)
	b, ok2 := want.(map[string]any)
	if !ok || !ok2 {
		return false
	}
	delete(a, "type")
	delete(b, "type")
	return reflect.DeepEqual(a, b)
}

// TestExportShards splits a model. No file is larger than asked for, unless it holds a single tensor that is. The index
// has transformers' totals and the place of every tensor.
func TestExportShards(t *testing.T) {
	const most = 5000
	dir := export1(t, "../gpt/testdata/hf/llama", ExportOptions{Format: FormatHF, ShardBytes: most})
	var index struct {
		Metadata struct {
			Params int   `json:"total_parameters"`
			Size   int64 `json:"total_size"`
		}
		Map map[string]string `json:"weight_map"`
	}
	if err := readJSON(dir, IndexFile, &index); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "model-*.safetensors"))
	params, size, tensors := 0, int64(0), 0
	for i, path := range files {
		if want := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(files)); filepath.Base(path) != want {
			t.Errorf("%s, want %s", filepath.Base(path), want)
		}
		f, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		n := 0
		for _, x := range f.Tensors {
			n, params, tensors = n+len(x.Data), params+len(x.Data)/4, tensors+1
			if index.Map[x.Name] != filepath.Base(path) {
				t.Errorf("%s lies in %s, the index says %s", x.Name, filepath.Base(path), index.Map[x.Name])
			}
		}
		if size += int64(n); n > most && len(f.Tensors) > 1 {
			t.Errorf("%s: %d bytes of %d tensors, want at most %d", path, n, len(f.Tensors), most)
		}
	}
	if len(files) < 10 || index.Metadata.Params != params || index.Metadata.Size != size || len(index.Map) != tensors {
		t.Errorf("%d files of %d parameters, %d bytes, %d tensors; the index says %+v and has %d", len(files), params, size, tensors, index.Metadata, len(index.Map))
	}
}
