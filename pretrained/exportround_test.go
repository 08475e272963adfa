package pretrained

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/atomicfile/faultfs"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/ceto-ml/ceto/internal/half"
)

// fastFS is the operating system's without waiting for the disk.
func fastFS() atomicfile.FS { return faultfs.New(atomicfile.OS, faultfs.Crash, math.MaxInt) }

// sources opens the models of testdata, and one without biases.
func sources(t *testing.T) []*Source {
	t.Helper()
	c := folderConfig
	c.GELUErf = false
	var list []*Source
	for _, p := range append(Golden(t, ""), writeModel(t, c, graph.Float32, nil)) {
		s, err := Open(p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		list = append(list, s)
	}
	return list
}

// valuesOf reads all parameters of a source.
func valuesOf(t *testing.T, s *Source) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for name, p := range s.params {
		v := make([]float32, graph.Shape(p.Shape).Size())
		if err := p.read(v); err != nil {
			t.Fatalf("%s: %s: %v", s.Path, name, err)
		}
		all[name] = v
	}
	return all
}

// rounded is what is left of a parameter's values in a file of a type.
func rounded(t *testing.T, o ExportOptions, m gpt.Model, name string, shape []int, v []float32) []float32 {
	t.Helper()
	matrix := len(shape) == 2 && strings.HasPrefix(name, "h.") // GPT-2's, which a GGUF file transposes
	kind := o.Type
	if o.Format == FormatGGUF {
		cols := shape[len(shape)-1]
		if matrix {
			cols = shape[0]
		}
		switch {
		case len(shape) == 1 || name == "wpe.weight":
			kind = "f32"
		case kind == "q8_0" && cols%32 != 0:
			kind = "f16"
		}
	}
	w := slices.Clone(v)
	for i, x := range v {
		switch kind {
		case "f16":
			w[i] = half.F16(half.ToF16(x))
		case "bf16":
			w[i] = half.BF16(half.ToBF16(x))
		}
	}
	if kind != "q8_0" {
		return w
	}
	if matrix { // its blocks lie along the file's rows
		w = transpose(w, shape)
	}
	b, err := gguf.Encode(gguf.Q8_0, w)
	if err == nil {
		err = gguf.Tensor{Type: gguf.Q8_0, Shape: []int{1, len(w)}, Data: b}.Decode(w, 0, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	if matrix {
		w = transpose(w, []int{shape[1], shape[0]})
	}
	return w
}

// sameModel compares settings; GGUF files have floats of 32 bits, and Llama 3's scaling as what it does to each pair.
func sameModel(t *testing.T, got, want gpt.Model) {
	t.Helper()
	form := func(m gpt.Model) gpt.Model {
		a := gpt.ArchitectureOf(m)
		if a.Portable != nil {
			m = a.Portable(m)
		}
		return a.Canonical(m)
	}
	a, b := form(got), form(want)
	f, err := factorsOf(a)
	g, err2 := factorsOf(b)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	for i := range g {
		if len(f) != len(g) || math.Abs(float64(f[i]-g[i])) > 1e-4*float64(g[i]) {
			t.Errorf("rope factors %v, want %v", f, g)
			break
		}
	}
	if x, y := plainText(a, g != nil), plainText(b, g != nil); x != y {
		t.Errorf("model %s, want %s", x, y)
	}
}

// factorsOf are the vectors that a GGUF file has in place of settings.
func factorsOf(m gpt.Model) ([]float32, error) {
	extra := gpt.ArchitectureOf(m).GGUF.Extra
	if extra == nil {
		return nil, nil
	}
	vectors, err := extra(m)
	return vectors["rope_freqs.weight"], err
}

// plainText writes a model's type and settings, with floats of 32 bits. Where its factors were compared, the rotary
// scaling is left out.
func plainText(m gpt.Model, scaled bool) string {
	var text strings.Builder
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch {
		case scaled && v.Type() == reflect.TypeFor[graph.RotaryScaling]():
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				fmt.Fprintf(&text, " %s", v.Type().Field(i).Name)
				walk(v.Field(i))
			}
		case v.Kind() == reflect.Float64:
			fmt.Fprint(&text, " ", float32(v.Float()))
		default:
			fmt.Fprint(&text, " ", v)
		}
	}
	walk(reflect.ValueOf(m))
	return fmt.Sprintf("%T%s", m, text.String())
}

// exportOnce writes a model and opens what was written.
func exportOnce(t *testing.T, s *Source, o ExportOptions) (string, *Source) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	files, err := s.export(fastFS(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(files)+1 { // and the list of them
		t.Fatalf("%d files, want those of %v (error %v)", len(entries), files, err)
	}
	again, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	return dir, again
}

// TestExport writes every model in every format and type and reads it back. Settings, end tokens and sampling stay. The
// values are what the type leaves of them, bit for bit. A second time gives the same bytes.
func TestExport(t *testing.T) {
	for _, s := range sources(t) {
		values := valuesOf(t, s)
		for _, x := range exporters {
			if c, gpt2 := s.Model.(gpt.GPT2); x.format == FormatLLMC && (!gpt2 || c.Untied) {
				continue // TestExportRefuses
			}
			if x.format == FormatGGUF {
				a := s.Architecture
				if _, _, err := a.GGUF.Write(a.Canonical(s.Model)); err != nil {
					t.Logf("%s: a GGUF file cannot say %v", s.Path, err)
					continue
				}
			}
			for _, kind := range x.types {
				o := ExportOptions{Format: x.format, Type: kind, ShardBytes: 20000}
				t.Run(filepath.Base(s.Path)+"/"+x.format+"/"+kind, func(t *testing.T) {
					dir, again := exportOnce(t, s, o)
					sameModel(t, again.Model, s.Model)
					ends := s.End
					if f := again.ggufFile(); f != nil {
						ends = append(slices.Clip(ends), namedEnds(f, ends, s.Model.Dims().Vocab)...)
					}
					if o.Format != FormatLLMC && !slices.Equal(again.End, ends) {
						t.Errorf("ends %v, want %v", again.End, ends)
					}
					compareValues(t, o, s.Model, valuesOf(t, again), values)
					if f := again.ggufFile(); f != nil { // LlamaFileType of gguf-py, by number
						if n, _ := f.Int("general.file_type"); n != map[string]int64{"f32": 0, "f16": 1, "q8_0": 7, "bf16": 32}[kind] {
							t.Errorf("file type %d", n)
						}
					}
					if o.Type == "bf16" { // once a format will do
						twice, _ := exportOnce(t, s, o)
						sameFolder(t, twice, dir)
					}
				})
			}
		}
	}
}

func compareValues(t *testing.T, o ExportOptions, m gpt.Model, got, want map[string][]float32) {
	t.Helper()
	if f := gpt.ArchitectureOf(m).Portable; f != nil {
		m = f(m)
	}
	params, err := gpt.Declare(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range params.All() {
		v, ok := want[p.Name]
		if !ok {
			v = make([]float32, p.Meta.Size())
		}
		w := rounded(t, o, m, p.Name, p.Meta.Shape, v)
		g := got[p.Name]
		for i := range w {
			if len(g) != len(w) || math.Float32bits(g[i]) != math.Float32bits(w[i]) {
				t.Errorf("%s: value %d of %d is %g, want %g of %d", p.Name, i, len(g), g[i], w[i], len(w))
				break
			}
		}
	}
}

// sameFolder compares two folders byte for byte.
func sameFolder(t *testing.T, got, want string) {
	t.Helper()
	err := filepath.WalkDir(want, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		a, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(got, d.Name()))
		if err == nil && !bytes.Equal(a, b) {
			t.Errorf("%s: written twice, two contents", d.Name())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestExportChain goes from GGUF to a folder and back: every tensor that is F32 at the end has the bits of the first.
func TestExportChain(t *testing.T) {
	for _, path := range Golden(t, "gguf") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			_, folder := exportOnce(t, s, ExportOptions{Format: FormatHF})
			_, again := exportOnce(t, folder, ExportOptions{Format: FormatGGUF})
			sameModel(t, again.Model, s.Model)
			f := again.ggufFile()
			for _, key := range []string{"bos_token_id", "eos_token_id", "padding_token_id"} {
				want, _ := s.ggufFile().Int(tokenizerKey + key)
				if got, _ := f.Int(tokenizerKey + key); got != want {
					t.Errorf("%s: %d, want %d", key, got, want)
				}
			}
			for _, want := range s.ggufFile().Tensors {
				got, ok := f.Tensor(want.Name)
				if !ok || !slices.Equal(got.Shape, want.Shape) {
					t.Errorf("%s: %v, want %v", want.Name, got.Shape, want.Shape)
					continue
				}
				a, b := make([]float32, got.Len()), make([]float32, want.Len())
				if err := got.Decode(a, 0, got.Rows()); err != nil {
					t.Fatal(err)
				}
				if err := want.Decode(b, 0, want.Rows()); err != nil {
					t.Fatal(err)
				}
				if want.Name != "rope_freqs.weight" && !slices.Equal(a, b) { // the factors are fitted and computed again
					t.Errorf("%s: other values", want.Name)
				}
			}
			if len(f.Tensors) != len(s.ggufFile().Tensors) {
				t.Errorf("%d tensors, want %d", len(f.Tensors), len(s.ggufFile().Tensors))
			}
		})
	}
}
