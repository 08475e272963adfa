package gguf

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// TestWriteGolden reads the file that the gguf Python package wrote, writes it again and wants the same bytes.
func TestWriteGolden(t *testing.T) {
	want := golden(t)
	f, err := Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := Write(&got, f.Meta, f.Tensors); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes written differ from the %d read", got.Len(), len(want))
	}
}

// everyKind has a value of each type: alone, in an array of two, and as an empty array.
var everyKind = []KV{
	{"a", uint8(1)}, {"b", int8(-1)}, {"c", uint16(1)}, {"d", int16(-1)}, {"e", uint32(1)}, {"f", int32(-1)},
	{"g", uint64(math.MaxUint64)}, {"h", int64(-1)}, {"i", float32(1)}, {"j", -0.5}, {"k", true}, {"l", ""},
	{"A", []uint8{1, 2}}, {"B", []int8{-1, 2}}, {"C", []uint16{1, 2}}, {"D", []int16{-1, 2}}, {"E", []uint32{1, 2}},
	{"F", []int32{-1, 2}}, {"G", []uint64{1, 2}}, {"H", []int64{-1, 2}}, {"I", []float32{1, 2}}, {"J", []float64{1, 2}},
	{"K", []bool{true, false}}, {"L", []string{"\xff", ""}}, {"M", []int32{}}, {"N", []bool{}}, {"O", []string{}},
}

// TestWrite writes files with several alignments and reads them back.
func TestWrite(t *testing.T) {
	tensors := []Tensor{
		{"scalar", F32, nil, []byte{1, 2, 3, 4}},
		{"row", I8, []int{3}, []byte{1, 2, 3}},
		{"four", Q8_0, []int{1, 2, 3, 32}, bytes.Repeat([]byte{7}, 6*34)},
	}
	for _, align := range []int{0, 8, 32, 128, 1 << 16} {
		meta := everyKind
		if align > 0 {
			meta = append(meta[:len(meta):len(meta)], KV{alignmentKey, uint32(align)})
		}
		var w bytes.Buffer
		if err := Write(&w, meta, tensors); err != nil {
			t.Fatal(err)
		}
		f, err := Parse(w.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(meta, f.Meta) + cmp.Diff(tensors, f.Tensors); d != "" {
			t.Errorf("alignment %d (-want +got):\n%s", align, d)
		}
		step := align
		if align == 0 {
			step = defaultAlignment
		}
		if w.Len()%step != 0 || bytes.Index(w.Bytes(), tensors[2].Data)%step != 0 {
			t.Errorf("alignment %d: %d bytes, data of the last tensor at %d", align, w.Len(), bytes.Index(w.Bytes(), tensors[2].Data))
		}
	}
	var w bytes.Buffer
	if err := Write(&w, nil, nil); err != nil || w.Len() != 24 {
		t.Errorf("a file of nothing: %d bytes, want 24: %v", w.Len(), err)
	}
}

// TestWriteRefuses checks that the error names the mistake and that nothing is written.
func TestWriteRefuses(t *testing.T) {
	x := Tensor{"x", F32, []int{2}, make([]byte, 8)}
	for _, c := range []struct {
		name    string
		meta    []KV
		tensors []Tensor
		want    string
	}{
		{"an int", []KV{{"a", 1}}, nil, `key "a": a value of Go type int, want a number of fixed size`},
		{"nil", []KV{{"a", nil}}, nil, `key "a": a value of Go type <nil>`},
		{"nested", []KV{{"a", [][]int32{{1}}}}, nil, `key "a": a value of Go type [][]int32`},
		{"key twice", []KV{{"a", true}, {"a", true}}, nil, `metadata: "a" twice`},
		{"empty key", []KV{{"", true}}, nil, "metadata: an empty name"},
		{"alignment", []KV{{alignmentKey, uint32(33)}}, nil, `key "general.alignment": general.alignment of uint32 33, want`},
		{"name twice", nil, []Tensor{x, x}, `tensors: "x" twice`},
		{"short data", nil, []Tensor{{"x", F32, []int{2}, make([]byte, 7)}}, `tensor "x": 7 bytes of data, want 8 for F32[2]`},
		{"no extent", nil, []Tensor{{"x", F32, []int{0}, nil}}, `tensor "x": shape [0]`},
		{"five extents", nil, []Tensor{{"x", F32, []int{1, 1, 1, 1, 1}, make([]byte, 4)}}, `tensor "x": 5 extents`},
		{"unknown type", nil, []Tensor{{"x", 10, []int{256}, nil}}, `tensor "x": type 10 (Q2_K)`},
		{"part of a block", nil, []Tensor{{"x", Q8_0, []int{2, 16}, make([]byte, 34)}}, `tensor "x": rows of 16 values`},
	} {
		var w bytes.Buffer
		err := Write(&w, c.meta, c.tensors)
		if err == nil || !strings.HasPrefix(err.Error(), "gguf: Write: "+c.want) || w.Len() > 0 {
			t.Errorf("%s: %v, %d bytes written, want %q", c.name, err, w.Len(), c.want)
		}
	}
}

// full is a writer that fails once n bytes are written.
type full struct{ n int }

var errFull = errors.New("no space left")

func (w *full) Write(b []byte) (int, error) {
	if w.n -= len(b); w.n < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// TestWriteFails checks that Write returns the writer's error, at whatever byte it happens.
func TestWriteFails(t *testing.T) {
	f, err := Parse(golden(t))
	if err != nil {
		t.Fatal(err)
	}
	size := len(golden(t))
	for n := 0; n < size; n += 999 {
		if err := Write(&full{n}, f.Meta, f.Tensors); errors.Cause(err) != errFull {
			t.Errorf("%d of %d bytes: %v, want %v", n, size, err, errFull)
		}
	}
	if err := Write(io.Discard, f.Meta, f.Tensors); err != nil {
		t.Error(err)
	}
}

func ExampleFile_Tensor() {
	data, _ := Encode(Q8_0, make([]float32, 64))
	var w bytes.Buffer
	Write(&w, []KV{{"general.architecture", "llama"}}, []Tensor{{"output.weight", Q8_0, []int{2, 32}, data}})
	f, _ := Parse(w.Bytes())
	t, _ := f.Tensor("output.weight")
	arch, _ := f.String("general.architecture")
	fmt.Println(arch, t.Type, t.Shape, len(t.Data), "bytes")
	// Output: llama Q8_0 [2 32] 68 bytes
}
