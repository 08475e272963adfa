package safetensors

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// fixture returns the tensors of testdata/fixture.py.
func fixture() []Tensor {
	half := Of("c.f16", []int{3}, []uint16{0x3e00, 0xc000, 0x7bff})
	half.DType = F16
	return []Tensor{
		Of("a.f32", []int{2, 3}, []float32{1.5, -2.25, 0, 3e38, float32(math.Copysign(0, -1)), 1e-45}),
		Of("b.f64", []int{2}, []float64{0.1, -1e300}),
		half,
		Of("d.i64", []int{2, 1}, []int64{math.MinInt64, math.MaxInt64}),
		Of("e.i32", []int{3}, []int32{math.MinInt32, math.MaxInt32, 7}),
		Of("f.u8", []int{3}, []uint8{0, 255, 3}),
		Of("g.bool", []int{3}, []bool{true, false, true}),
		Of("h.scalar", nil, []float32{42}),
		Of("i.empty", []int{2, 0, 3}, []float32{}),
		Of(`j "é\<`, []int{1}, []uint8{1}),
	}
}

// TestPython compares the bytes of a file with those of the Python package.
func TestPython(t *testing.T) {
	want, err := os.ReadFile("testdata/fixture.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Write(&b, fixture(), map[string]string{"format": "np"}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Error(d)
	}
}

func TestOpen(t *testing.T) {
	f, err := Open("testdata/fixture.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range fixture() {
		got, ok := f.Tensor(want.Name)
		if want.Shape == nil {
			want.Shape = []int{}
		}
		if !ok || got.DType != want.DType || !cmp.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%q: %+v, want %+v", want.Name, got, want)
		}
	}
	if f.Meta["format"] != "np" || len(f.Meta) != 1 || len(f.Tensors) != 10 {
		t.Errorf("metadata %v, %d tensors", f.Meta, len(f.Tensors))
	}
	if n := f.Names(); n[0] != "a.f32" || n[9] != `j "é\<` {
		t.Errorf("names %q", n)
	}
	if _, ok := f.Tensor("none"); ok {
		t.Error("a tensor that is not there")
	}
	values(t, f)
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, ok := f.Tensor("a.f32"); ok {
		t.Error("a tensor after Close")
	}
}

// values checks that the values of a mapped file have the right bits and share its memory.
func values(t *testing.T, f *File) {
	want := map[string]Tensor{}
	for _, w := range fixture() {
		want[w.Name] = w
	}
	same[float32](t, f, want["a.f32"])
	same[float64](t, f, want["b.f64"])
	same[uint16](t, f, want["c.f16"])
	same[int64](t, f, want["d.i64"])
	same[int32](t, f, want["e.i32"])
	same[uint8](t, f, want["f.u8"])
	same[bool](t, f, want["g.bool"])
	same[float32](t, f, want["h.scalar"])
	same[float32](t, f, want["i.empty"])
}

func same[T Number](t *testing.T, f *File, want Tensor) {
	t.Helper()
	got, _ := f.Tensor(want.Name)
	g, err := Values[T](got)
	if err != nil {
		t.Errorf("%q: %v", want.Name, err)
		return
	}
	w, err := Values[T](want)
	if err != nil || !cmp.Equal(g, w) {
		t.Errorf("%q: %v, want %v, %v", want.Name, g, w, err)
	}
	if n := testing.AllocsPerRun(10, func() { Values[T](got) }); len(g) > 0 && n > 0 {
		t.Errorf("%q: Values of aligned data allocates", want.Name)
	}
}

func TestValues(t *testing.T) {
	mem := append(make([]byte, 1, 16), 0, 0, 0x80, 0x3f) // 1.0 at an odd address
	v, err := Values[float32](Tensor{Name: "a", DType: F32, Shape: []int{1}, Data: mem[1:]})
	mem[4] = 0
	if err != nil || v[0] != 1 {
		t.Errorf("not aligned: %v, %v, want a copy: 1", v, err)
	}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"dtype", second(Values[float32](Of("a", []int{1}, []int32{1}))), `"a" is I32, want one of [F32]`},
		{"length", second(Values[float32](Tensor{Name: "a", DType: F32, Data: make([]byte, 6)})), "6 bytes"},
		{"bool", second(Values[bool](Tensor{Name: "a", DType: Bool, Data: []byte{0, 1, 2}})), "byte 2 at 2"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, c.err, c.want)
		}
	}
	if got := swap([]byte{1, 2, 3, 4}, 2); !bytes.Equal(got, []byte{2, 1, 4, 3}) {
		t.Errorf("swap = %v", got)
	}
}

func second[T any](_ T, err error) error { return err }

func TestWriteErrors(t *testing.T) {
	one := Of("a", []int{1}, []float32{1})
	named := func(n string) Tensor { t := one; t.Name = n; return t }
	for _, c := range []struct {
		name string
		t    []Tensor
		meta map[string]string
		err  string
	}{
		{"twice", []Tensor{one, one}, nil, `"a": a name used twice`},
		{"metadata", []Tensor{named("__metadata__")}, nil, "kept for metadata"},
		{"name", []Tensor{named("\xff")}, nil, "not UTF-8"},
		{"meta", nil, map[string]string{"a": "\xff"}, "not UTF-8"},
		{"shape", []Tensor{Of("a", []int{2}, []float32{1})}, nil, `"a": 4 bytes of data, want 8 for F32[2]`},
		{"negative", []Tensor{Of("a", []int{-1, -1}, []float32{1})}, nil, "negative extent"},
		{"overflow", []Tensor{Of("a", []int{1 << 40, 1 << 40}, []float32{1})}, nil, "too many bytes"},
		{"dtype", []Tensor{{Name: "a", DType: "I8", Data: []byte{1}}}, nil, `dtype "I8"`},
	} {
		var b bytes.Buffer
		err := Write(&b, c.t, c.meta)
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
		if b.Len() > 0 {
			t.Errorf("%s: %d bytes written", c.name, b.Len())
		}
	}
}

// short is a writer that leaves out the last byte of call n.
type short struct{ n int }

func (s *short) Write(b []byte) (int, error) {
	if s.n--; s.n == 0 {
		return len(b) - 1, nil
	}
	return len(b), nil
}

func TestShortWrite(t *testing.T) {
	ts := []Tensor{Of("a", []int{1}, []float32{1})}
	for n := 1; n <= 3; n++ {
		if err := Write(&short{n}, ts, nil); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("call %d short: error %v, want ErrShortWrite", n, err)
		}
	}
}

// raw returns a file with a header and data.
func raw(head string, data ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(b, head...), data...)
}

// broken lists files that must be refused, and the reason.
var broken = []struct {
	name string
	file []byte
	err  string
}{
	{"empty", nil, "0 bytes, want 8"},
	{"cut length", make([]byte, 7), "7 bytes, want 8"},
	{"no header", make([]byte, 8), "not a JSON object"},
	{"long header", append(binary.LittleEndian.AppendUint64(nil, 3), "{}"...), "header of 3 bytes in a file of 10"},
	{"huge header", append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "{}"...), "header of 18446744073709551615 bytes"},
	{"not an object", raw("[]"), "not a JSON object"},
	{"not UTF-8", raw("{\"\xff\":1}"), "not a JSON object in UTF-8"},
	{"cut object", raw(`{"a":`), "header"},
	{"two objects", raw(`{}{}`), "more data"},
	{"comma", raw(`{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},}`, 1), "header"},
	{"tensor twice", raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`), `key "a" twice`},
	{"key twice", raw(`{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}`), `key "dtype" twice`},
	{"metadata twice", raw(`{"__metadata__":{},"__metadata__":{}}`), "twice"},
	{"metadata number", raw(`{"__metadata__":{"a":1}}`), "want a string"},
	{"unknown key", raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}`), `unknown key "x"`},
	{"no shape", raw(`{"a":{"dtype":"U8","data_offsets":[0,0]}}`), "want dtype, shape"},
	{"one offset", raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}}`), "two data_offsets"},
	{"dtype", raw(`{"a":{"dtype":"","shape":[1],"data_offsets":[0,1]}}`, 1), `dtype ""`},
	{"fraction", raw(`{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}`, 1), "1.0, want an integer"},
	{"string extent", raw(`{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}`, 1), "want an integer"},
	{"negative extent", raw(`{"a":{"dtype":"U8","shape":[-1,-1],"data_offsets":[0,1]}}`, 1), "-1, want an integer"},
	{"negative offset", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}`, 1), "-1, want an integer"},
	{"backwards", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, 1), "offsets 1 to 0"},
	{"overflow", raw(`{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`), "too many bytes"},
	{"overflow by zero", raw(`{"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}`), "too many bytes"},
	{"huge extent", raw(`{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,0]}}`), "too many bytes"},
	{"extent past int", raw(`{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,0]}}`), "want an integer"},
	{"wrong size", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,2]}}`, 1, 2), "want 4 bytes for F32[1]"},
	{"truncated", raw(`{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}`, 1, 2), "truncated file"},
	{"trailing", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, 2), "1 bytes after the last tensor"},
	{"gap", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 1, 2), "gap"},
	{"overlap", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 1, 2, 3), "overlap"},
	{"same place", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 1, 2), "overlap"},
}

func TestBroken(t *testing.T) {
	for _, c := range broken {
		f, err := Parse(c.file)
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
		if f != nil {
			t.Errorf("%s: a file beside an error", c.name)
		}
		p := filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(p, c.file, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(p); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: Open: error %v, want one that names the file", c.name, err)
		}
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("Open of a folder: no error")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "no")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of no file: %v, want ErrNotExist", err)
	}
}

// TestOtherDTypes reads a file with dtypes that are not known. Their values cannot be had; those of the others can.
func TestOtherDTypes(t *testing.T) {
	f, err := Parse(raw(`{"a":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]},`+
		`"c":{"dtype":"F4","shape":[4],"data_offsets":[4,6]}}`, 1, 2, 3, 4, 5, 6))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{3, 1, 2} {
		if x := f.Tensors[i]; len(x.Data) != want {
			t.Errorf("%s: %d bytes", x.Name, len(x.Data))
		}
	}
	if _, err := Values[float32](f.Tensors[0]); err == nil {
		t.Error("values of a dtype that is not known")
	}
	if v, err := Values[uint8](f.Tensors[1]); err != nil || v[0] != 4 {
		t.Error(v, err)
	}
}

// TestTruncated checks that a good file is refused when its end is cut off, at any byte.
func TestTruncated(t *testing.T) {
	good, err := os.ReadFile("testdata/fixture.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := Parse(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are read", n, len(good))
		}
	}
}

// FuzzLoad gives Parse any bytes. They are an error, or a file that gives the same tensors when it is written again.
func FuzzLoad(f *testing.F) {
	for _, c := range broken {
		f.Add(c.file)
	}
	good, err := os.ReadFile("testdata/fixture.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(raw(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Parse(b)
		if err != nil {
			return
		}
		for _, x := range file.Tensors {
			if x.DType.Size() == 0 {
				return // nor is it written
			}
		}
		var w bytes.Buffer
		if err := Write(&w, file.Tensors, file.Meta); err != nil {
			t.Fatalf("Write of what was read: %v", err)
		}
		again, err := Parse(w.Bytes())
		if err != nil {
			t.Fatalf("Parse of what was written: %v", err)
		}
		for _, want := range file.Tensors {
			got, ok := again.Tensor(want.Name)
			if d := cmp.Diff(want, got); !ok || d != "" {
				t.Fatalf("%q: %s", want.Name, d)
			}
			Values[float32](want)
			Values[bool](want)
		}
	})
}
