package gguf

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func golden(t testing.TB) []byte {
	b, err := os.ReadFile("testdata/golden.gguf")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t testing.TB, path string) *File {
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// wantMeta is the metadata that testdata/golden.py writes.
var wantMeta = []KV{
	{"general.architecture", "test"},
	{"test.UINT8", uint8(math.MaxUint8)}, {"test.INT8", int8(math.MaxInt8)},
	{"test.UINT16", uint16(math.MaxUint16)}, {"test.INT16", int16(math.MaxInt16)},
	{"test.UINT32", uint32(math.MaxUint32)}, {"test.INT32", int32(math.MaxInt32)},
	{"test.UINT64", uint64(math.MaxUint64)}, {"test.INT64", int64(math.MaxInt64)}, {"test.INT8.low", int8(-128)},
	{"test.FLOAT32", float32(0.1)}, {"test.FLOAT64", 0.1}, {"test.BOOL", true}, {"test.BOOL.not", false},
	{"test.STRING", "é \"quoted\"\n\x00"},
	{"test.STRINGs", []string{"a", "", "ġ", "a longer one"}}, {"test.INT32s", []int32{0, 1, math.MinInt32}},
	{"test.FLOAT32s", []float32{0.1, -1e30}}, {"test.BOOLs", []bool{true, false, true}},
}

// TestGolden reads a file that the gguf Python package wrote, as version 3 and as version 2.
func TestGolden(t *testing.T) {
	for _, version := range []byte{3, 2} {
		b := golden(t)
		b[4] = version
		f, err := Parse(b)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if f.Version != int(version) {
			t.Errorf("version %d, want %d", f.Version, version)
		}
		if d := cmp.Diff(wantMeta, f.Meta); d != "" {
			t.Errorf("version %d: metadata (-want +got):\n%s", version, d)
		}
		cube, ok := f.Tensor("cube")
		if !ok || cube.Type != F32 || !cmp.Equal(cube.Shape, []int{2, 3, 4}) || cube.Rows() != 6 || cube.Cols() != 4 || cube.Len() != 24 {
			t.Errorf("version %d: cube is %v %s%v", version, ok, cube.Type, cube.Shape)
		}
		if ints, ok := f.Tensor("ints"); !ok || ints.Type != I32 || len(ints.Data) != 20 {
			t.Errorf("version %d: ints is %v %s%v", version, ok, ints.Type, ints.Shape)
		}
		if _, ok := f.Tensor("cub"); ok {
			t.Errorf("version %d: there is a tensor cub", version)
		}
	}
}

// TestGetters asks for each kind of value with the method for it and with one for another kind.
func TestGetters(t *testing.T) {
	f, err := Parse(golden(t))
	if err != nil {
		t.Fatal(err)
	}
	f.Meta = append(f.Meta, KV{"zz.uint64s", []uint64{1, math.MaxUint64}}, KV{"zz.uint8s", []uint8{255}})
	f.keys = append(f.keys, int32(len(f.Meta)-2), int32(len(f.Meta)-1))
	get := map[string]func(string) (any, bool){
		"String":  func(k string) (any, bool) { return values(f.String(k)) },
		"Strings": func(k string) (any, bool) { return values(f.Strings(k)) },
		"Bool":    func(k string) (any, bool) { return values(f.Bool(k)) },
		"Int":     func(k string) (any, bool) { return values(f.Int(k)) },
		"Ints":    func(k string) (any, bool) { return values(f.Ints(k)) },
		"Float":   func(k string) (any, bool) { return values(f.Float(k)) },
		"Floats":  func(k string) (any, bool) { return values(f.Floats(k)) },
	}
	for _, c := range []struct {
		key, by string
		want    any
	}{
		{"general.architecture", "String", "test"},
		{"test.STRINGs", "Strings", []string{"a", "", "ġ", "a longer one"}}, {"test.BOOL", "Bool", true},
		{"test.UINT8", "Int", int64(255)}, {"test.INT8.low", "Int", int64(-128)}, {"test.UINT16", "Int", int64(65535)},
		{"test.INT16", "Int", int64(32767)}, {"test.UINT32", "Int", int64(math.MaxUint32)},
		{"test.INT32", "Int", int64(math.MaxInt32)}, {"test.INT64", "Int", int64(math.MaxInt64)},
		{"test.UINT64", "", nil}, {"test.INT32s", "Ints", []int64{0, 1, math.MinInt32}}, {"test.FLOAT32", "Float", float64(float32(0.1))},
		{"test.FLOAT64", "Float", 0.1}, {"test.FLOAT32s", "Floats", []float32{0.1, -1e30}},
		{"zz.uint64s", "", nil}, {"zz.uint8s", "Ints", []int64{255}}, {"test", "", nil}, {"", "", nil},
	} {
		for by, get := range get {
			got, ok := get(c.key)
			if ok != (by == c.by) || ok && !cmp.Equal(got, c.want) {
				t.Errorf("%s(%q) = %v, %v, want %v by %q", by, c.key, got, ok, c.want, c.by)
			}
		}
	}
	if keys := f.Keys(); len(keys) != len(f.Meta) || keys[1] != "test.UINT8" {
		t.Errorf("Keys() = %v", keys)
	}
}

func values[T any](v T, ok bool) (any, bool) { return v, ok }

// TestOpen maps files, and wants an error with the name of each file that cannot be read.
func TestOpen(t *testing.T) {
	f := open(t, "testdata/golden.gguf")
	if len(f.Tensors) < 20 {
		t.Errorf("%d tensors", len(f.Tensors))
	}
	dir := t.TempDir()
	empty, text := filepath.Join(dir, "empty"), filepath.Join(dir, "text")
	for path, s := range map[string]string{empty: "", text: "no model at all, but a text"} {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{dir, empty, text, filepath.Join(dir, "missing")} {
		if _, err := Open(path); err == nil || !strings.HasPrefix(err.Error(), "gguf: Open: ") || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%q): %v", path, err)
		}
	}
}

// TestSmolLM2 reads a real model: CETO_SMOLLM2 names SmolLM2-135M-Instruct.Q4_1.gguf.
func TestSmolLM2(t *testing.T) {
	path := os.Getenv("CETO_SMOLLM2")
	if path == "" {
		t.Skip("CETO_SMOLLM2 names no SmolLM2-135M-Instruct.Q4_1.gguf")
	}
	f := open(t, path)
	types, params := map[string]int{}, 0
	for _, x := range f.Tensors {
		types[x.Type.String()]++
		params += x.Len()
	}
	if d := cmp.Diff(map[string]int{"Q4_1": 210, "F32": 61, "Q8_0": 1}, types); d != "" || params != 134_515_008 {
		t.Errorf("%d values in types (-want +got):\n%s", params, d)
	}
	arch, _ := f.String("general.architecture")
	layers, _ := f.Int("llama.block_count")
	base, _ := f.Float("llama.rope.freq_base")
	tokens, _ := f.Strings("tokenizer.ggml.tokens")
	kinds, _ := f.Ints("tokenizer.ggml.token_type")
	merges, _ := f.Strings("tokenizer.ggml.merges")
	if arch != "llama" || layers != 30 || base != 100_000 || len(tokens) != 49_152 || len(kinds) != 49_152 || len(merges) != 48_900 {
		t.Errorf("%s: %d layers, base %g, %d tokens, %d types, %d merges", arch, layers, base, len(tokens), len(kinds), len(merges))
	}
	var again bytes.Buffer
	if err := Write(&again, f.Meta, f.Tensors); err != nil || !bytes.Equal(again.Bytes(), f.mem.Bytes) {
		t.Errorf("written again it differs: %v", err)
	}
	// The sum that testdata/golden.py FILE prints, which reads the file with the gguf Python package.
	const want = 0x79a02f71
	sum := crc32.NewIEEE()
	for _, x := range f.Tensors {
		w := make([]float32, x.Len())
		if err := x.Decode(w, 0, x.Rows()); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4*len(w))
		binary.Encode(b, binary.LittleEndian, w)
		sum.Write(b)
	}
	if got := sum.Sum32(); got != want {
		t.Errorf("CRC-32 of all values is %#08x, want %#08x", got, want)
	}
}

// BenchmarkSmolLM2 decodes the whole model on one thread.
func BenchmarkSmolLM2(b *testing.B) {
	path := os.Getenv("CETO_SMOLLM2")
	if path == "" {
		b.Skip("CETO_SMOLLM2 names no SmolLM2-135M-Instruct.Q4_1.gguf")
	}
	f := open(b, path)
	w := make([]float32, 49_152*576)
	b.SetBytes(4 * 134_515_008)
	for b.Loop() {
		for _, x := range f.Tensors {
			if err := x.Decode(w[:x.Len()], 0, x.Rows()); err != nil {
				b.Fatal(err)
			}
		}
	}
}
