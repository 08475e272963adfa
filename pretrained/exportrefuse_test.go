package pretrained

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/atomicfile/faultfs"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/pkg/errors"
)

// TestExportRefuses: impossible options, targets and models are errors, and nothing is written.
func TestExportRefuses(t *testing.T) {
	path := writeModel(t, folderConfig, graph.Float32, nil)
	root := t.TempDir()
	for name, text := range map[string]string{"full/a": "a", "deep/b/c": "c", "file": ""} {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(root, "full"), filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(root, name) }
	for _, c := range []struct {
		dir  string
		o    ExportOptions
		want string
	}{
		{in("x"), ExportOptions{}, `format "": want hf, gguf, llm.c`},
		{in("x"), ExportOptions{Format: "onnx"}, `format "onnx": want hf, gguf, llm.c`},
		{in("x"), ExportOptions{Format: FormatHF, Type: "q8_0"}, `type "q8_0" of format hf: want f32, f16, bf16`},
		{in("x"), ExportOptions{Format: FormatGGUF, Type: "q4_k"}, "want f32, f16, bf16, q8_0"},
		{in("x"), ExportOptions{Format: FormatLLMC, Type: "f16"}, "want f32, bf16"},
		{in("x"), ExportOptions{Format: FormatHF, ShardBytes: -1}, "shards of -1 bytes"},
		{"", ExportOptions{Format: FormatHF}, `the folder to write is ""`},
		{in("full"), ExportOptions{Format: FormatHF}, "want a new or empty folder, or force"},
		{in("deep"), ExportOptions{Format: FormatHF, Force: true}, "is no folder that an export wrote"},
		{in("file"), ExportOptions{Format: FormatHF, Force: true}, "is there and is not a folder"},
		{in("link"), ExportOptions{Format: FormatHF, Force: true}, "is there and is not a folder"},
		{in("file/x"), ExportOptions{Format: FormatHF}, "not a directory"},
		{path, ExportOptions{Format: FormatHF, Force: true}, "holds the model that is read"},
		{filepath.Dir(path), ExportOptions{Format: FormatHF, Force: true}, "holds the model that is read"},
		{in("x"), ExportOptions{Format: FormatGGUF}, "cannot say the exact GELU"},
		{in("x"), ExportOptions{Format: FormatLLMC}, "llm.c has the tanh form of GELU"},
	} {
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Export(c.dir, c.o)
		s.Close()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %+v: error %v, want one line with %q", c.dir, c.o, err, c.want)
		}
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 4 {
		t.Errorf("%v after refusals, want the 4 that were there (error %v)", entries, err)
	}
}

// TestExportModels has models that a format cannot say. The check of config.json needs no values.
func TestExportModels(t *testing.T) {
	llama := gpt.Llama{Vocab: 8, Context: 8, Layers: 2, Width: 8, MLPWidth: 8, Heads: 2}
	with := func(f func(*gpt.Llama)) gpt.Llama { c := llama; f(&c); return c }
	gpt2 := gpt.GPT2{Vocab: 8, Context: 8, Layers: 1, Heads: 2, Width: 8}
	wide, untied, eps := gpt2, gpt2, gpt2
	wide.MLPWidth, untied.Untied, eps.Eps = 8, true, 1e-6
	for _, c := range []struct {
		format string
		m      gpt.Model
		want   string // "" where it can be said
	}{
		{FormatHF, llama, ""}, {FormatHF, wide, ""}, {FormatHF, untied, ""}, {FormatHF, eps, ""},
		{FormatHF, with(func(c *gpt.Llama) { c.QKVBias, c.MLPBias = true, true }), "config.json of Qwen2ForCausalLM cannot say MLPBias true"},
		{FormatHF, with(func(c *gpt.Llama) { c.QKNorm, c.QKVBias = true, true }), "cannot say QKVBias true"},
		{FormatHF, with(func(c *gpt.Llama) { c.Window, c.FullLayers = 4, 1 }), "config.json of MistralForCausalLM cannot say FullLayers 1"},
		{FormatHF, with(func(c *gpt.Llama) { c.Window, c.FullLayers = 4, 2 }), ""}, // no layer has the window
		{FormatHF, with(func(c *gpt.Llama) { c.OutBias = true }), "cannot say QKVBias false"},
		{FormatGGUF, llama, ""}, {FormatGGUF, wide, ""}, {FormatGGUF, untied, ""}, {FormatGGUF, eps, ""},
		{FormatGGUF, with(func(c *gpt.Llama) { c.QKVBias, c.MLPBias = true, true }), ""},
		{FormatGGUF, with(func(c *gpt.Llama) { c.QKNorm, c.QKVBias = true, true }), "cannot say biases beside norms of queries and keys"},
		{FormatGGUF, with(func(c *gpt.Llama) { c.Window, c.FullLayers = 4, 1 }), "cannot say layers with a window beside layers without"},
		{FormatLLMC, gpt2, ""}, {FormatLLMC, llama, "want GPT2LMHeadModel, not LlamaForCausalLM"},
		{FormatLLMC, wide, "has another head or MLP"}, {FormatLLMC, untied, "has another head or MLP"}, {FormatLLMC, eps, "the model's is 1e-06"},
	} {
		s := &Source{Model: c.m, Architecture: gpt.ArchitectureOf(c.m), params: map[string]*stored{}, tokenizer: tokenizerBeside("none/x")} // all values are zeros
		dir := filepath.Join(t.TempDir(), "out")
		_, err := s.export(fastFS(), dir, ExportOptions{Format: c.format})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %+v: error %v, want %q", c.format, c.m, err, c.want)
		}
		if c.want != "" || err != nil {
			continue
		}
		again, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if l, ok := c.m.(gpt.Llama); ok && l.FullLayers == l.Layers {
			l.Window = 0
			c.m = l
		}
		sameModel(t, again.Model, c.m)
	}
}

// TestExportFaults fails at every operation of the file system. A new target is whole or absent. Where a folder was
// there before, it is the old or the new one.
func TestExportFaults(t *testing.T) {
	s, err := Open(writeModel(t, folderConfig, graph.Float32, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o := ExportOptions{Format: FormatHF, ShardBytes: 2000}
	want, _ := exportOnce(t, s, o)
	root := t.TempDir()
	for _, kind := range faultfs.Kinds {
		for n, fired := 1, true; fired; n++ {
			dir := filepath.Join(root, strings.ReplaceAll(kind.String(), " ", "-")+"-"+string(rune('a'+n%26))+string(rune('a'+n/26)))
			old := n%2 == 0
			if old {
				writeOld(t, dir)
			}
			fsys := faultfs.New(atomicfile.OS, kind, n)
			o.Force = old
			_, err := s.export(fsys, dir, o)
			fired = fsys.Fired()
			if e := fsys.Err(); e != nil {
				t.Fatal(e)
			}
			if e := fsys.Close(); e != nil {
				t.Fatal(e)
			}
			if e := atomicfile.Recover(atomicfile.OS, dir); e != nil {
				t.Fatal(e)
			}
			entries, _ := os.ReadDir(dir)
			switch {
			case len(entries) == 2 && entries[1].Name() == "old" && old && err != nil:
			case len(entries) == 0 && !old && err != nil:
				if _, e := os.Lstat(dir); e == nil {
					t.Errorf("%v at %d: an empty folder, error %v", kind, n, err)
				}
			case len(entries) > 2:
				sameFolder(t, dir, want)
			default:
				t.Errorf("%v at %d: %v, error %v", kind, n, entries, err)
			}
		}
	}
}

func writeOld(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	list := `{"files": [{"name": "old", "size": 0, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}`
	for name, text := range map[string]string{"old": "", ManifestFile: list} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForce replaces an export only as it was written: not another's folder, nor one with a file more or changed.
func TestForce(t *testing.T) {
	s, err := Open(writeModel(t, folderConfig, graph.Float32, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o := ExportOptions{Format: FormatHF, Force: true}
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string // "" where it is replaced
	}{
		"as written":    {func(string) error { return nil }, ""},
		"a file more":   {func(dir string) error { return os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o666) }, "thesis.txt"},
		"hidden":        {func(dir string) error { return os.WriteFile(filepath.Join(dir, ".notes"), nil, 0o666) }, ".notes"},
		"a folder more": {func(dir string) error { return os.Mkdir(filepath.Join(dir, "b"), 0o777) }, "b, which no export wrote"},
		"changed": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, ConfigFile), []byte("{}"), 0o666)
		}, "config.json, which was changed"},
		"one less": {func(dir string) error { return os.Remove(filepath.Join(dir, ConfigFile)) }, ""},
		"linked": {func(dir string) error {
			if err := os.Remove(filepath.Join(dir, ConfigFile)); err != nil {
				return err
			}
			return os.Symlink("elsewhere", filepath.Join(dir, ConfigFile))
		}, "config.json, which was changed"},
		"no list": {func(dir string) error { return os.Remove(filepath.Join(dir, ManifestFile)) }, "is no folder that an export wrote"},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := s.Export(dir, o); err != nil {
			t.Fatal(err)
		}
		if err := c.change(dir); err != nil {
			t.Fatal(err)
		}
		if _, err = s.Export(dir, o); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestInUse: while one export writes a folder, another is refused.
func TestInUse(t *testing.T) {
	s, err := Open(writeModel(t, folderConfig, graph.Float32, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := filepath.Join(t.TempDir(), "out")
	release, err := atomicfile.Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Export(dir, ExportOptions{Format: FormatHF}); !errors.Is(err, atomicfile.ErrInUse) {
		t.Errorf("while another writes: %v", err)
	}
	release()
	if _, err := s.Export(dir, ExportOptions{Format: FormatHF}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir + atomicfile.LockSuffix); err == nil {
		t.Error("the lock stays")
	}
}

// TestExportBroken has values that fail in the middle of a file: the error names the tensor, and nothing is left.
func TestExportBroken(t *testing.T) {
	for _, c := range []struct {
		o     ExportOptions
		value float32
		want  string // "" where it can be written
	}{
		{ExportOptions{Format: FormatHF, Type: "f16"}, 65520, "transformer.wpe.weight: the value 65520 is too large for f16"},
		{ExportOptions{Format: FormatHF, Type: "f16"}, 65519, ""},
		{ExportOptions{Format: FormatHF, Type: "f16"}, float32(math.Inf(-1)), ""}, // it was infinite before
		{ExportOptions{Format: FormatHF, Type: "bf16"}, -math.MaxFloat32, "is too large for bf16"},
		{ExportOptions{Format: FormatGGUF, Type: "q8_0"}, float32(math.NaN()), ""}, // positions are F32 there
		{ExportOptions{Format: FormatLLMC, Type: "bf16"}, math.MaxFloat32, "wpe.weight: the value 3.4028235e+38 is too large for bf16"},
	} {
		m := folderConfig
		m.GELUErf = false
		s, err := Open(writeModel(t, m, graph.Float32, func(ts []safetensors.Tensor) []safetensors.Tensor {
			for _, p := range ts {
				if p.Name == "wpe.weight" {
					binary.LittleEndian.PutUint32(p.Data[4*5:], math.Float32bits(c.value))
				}
			}
			return ts
		}))
		if err != nil {
			t.Fatal(err)
		}
		root := t.TempDir()
		_, err = s.export(fastFS(), filepath.Join(root, "out"), c.o)
		s.Close()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v with %g: error %v, want %q", c.o, c.value, err, c.want)
		}
		if entries, _ := os.ReadDir(root); err != nil && len(entries) > 0 {
			t.Errorf("%+v with %g: %v is left", c.o, c.value, entries)
		}
	}
}

// TestEncode compares the parallel conversion with the plain one, on sizes about a part's.
func TestEncode(t *testing.T) {
	for _, n := range []int{32, encodePart - 32, encodePart, encodePart + 32, 3*encodePart + 64} {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(math.Sin(float64(i)) * 100)
		}
		for name, kind := range encodings {
			want, err := gguf.Encode(kind, x)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := encode(kind, x); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s of %d values: other bytes than gguf.Encode's (error %v)", name, n, err)
			}
		}
	}
}
