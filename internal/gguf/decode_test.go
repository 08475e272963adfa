package gguf

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
)

// floatsOf decodes a tensor of the golden file.
func floatsOf(t testing.TB, f *File, name string) []float32 {
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %q", name)
	}
	w := make([]float32, x.Len())
	if err := x.Decode(w, 0, x.Rows()); err != nil {
		t.Fatal(err)
	}
	return w
}

// sameBits compares values to the bit. It takes any two NaNs for equal, since their bits depend on the machine.
func sameBits(t *testing.T, name string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", name, len(got), len(want))
		return
	}
	for i, w := range want {
		if math.Float32bits(got[i]) != math.Float32bits(w) && (got[i] == got[i] || w == w) {
			t.Errorf("%s: value %d is %b, want %b", name, i, got[i], w)
			return
		}
	}
}

// TestDecode compares each type with what the gguf Python package decodes: the whole tensor, row by row, by threads.
func TestDecode(t *testing.T) {
	f := open(t, "testdata/golden.gguf")
	compared := 0
	for _, x := range f.Tensors {
		if _, ok := f.Tensor(x.Name + ".want"); !ok {
			continue
		}
		compared++
		want := floatsOf(t, f, x.Name+".want")
		sameBits(t, x.Name, floatsOf(t, f, x.Name), want)
		for r := range x.Rows() {
			row := make([]float32, x.Cols())
			if err := x.Decode(row, r, r+1); err != nil {
				t.Error(err)
			}
			sameBits(t, fmt.Sprintf("%s row %d", x.Name, r), row, want[r*x.Cols():][:x.Cols()])
		}
	}
	if compared != 12 {
		t.Errorf("%d tensors compared, want 12", compared)
	}
}

// TestDecodeRefuses checks the errors of Decode.
func TestDecodeRefuses(t *testing.T) {
	good := Tensor{Name: "x", Type: Q8_0, Shape: []int{2, 32}, Data: make([]byte, 68)}
	for _, c := range []struct {
		name   string
		t      Tensor
		n      int
		r0, r1 int
		want   string
	}{
		{"negative row", good, 64, -1, 1, "rows -1 to 1 of 2"},
		{"past the end", good, 64, 1, 3, "rows 1 to 3 of 2"},
		{"backwards", good, 0, 1, 0, "rows 1 to 0 of 2"},
		{"short dst", good, 31, 0, 1, "into 31 values, want 32 values a row"},
		{"short data", Tensor{"x", Q8_0, []int{2, 32}, make([]byte, 67)}, 64, 0, 2, "has 67 bytes, want 68 for Q8_0[2 32]"},
		{"part of a block", Tensor{"x", Q8_0, []int{2, 31}, make([]byte, 67)}, 62, 0, 2, "rows of 31 values, want a multiple of 32"},
		{"integers", Tensor{"x", I32, []int{2}, make([]byte, 8)}, 2, 0, 1, "is I32, want a type of float32 values"},
		{"known by name", Tensor{"x", 10, []int{256}, make([]byte, 8)}, 256, 0, 1, "type 10 (Q2_K), want one of F32 F16 Q4_0"},
		{"unknown", Tensor{"x", math.MaxUint32, []int{256}, make([]byte, 8)}, 256, 0, 1, "type 4294967295, want one of"},
		{"negative extent", Tensor{"x", F32, []int{-1, -1}, make([]byte, 4)}, 1, 0, 1, "shape [-1 -1]"},
		{"overflow", Tensor{"x", F32, []int{1 << 32, 1 << 32}, nil}, 0, 0, 0, "a product that fits"},
	} {
		err := c.t.Decode(make([]float32, c.n), c.r0, c.r1)
		if err == nil || !strings.HasPrefix(err.Error(), `gguf: Decode: tensor "x"`) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	scalar := Tensor{Name: "x", Type: F32, Data: []byte{0, 0, 128, 63}}
	one := make([]float32, 1)
	if err := scalar.Decode(one, 0, 1); err != nil || one[0] != 1 {
		t.Errorf("scalar: %v %v", one, err)
	}
}

// TestEncode compares the data of each type with the gguf Python package's, to the byte.
func TestEncode(t *testing.T) {
	f := open(t, "testdata/golden.gguf")
	for _, c := range []struct {
		in string
		by Type
	}{{"encode", F16}, {"encode", BF16}, {"encode", Q8_0}, {"edges", F16}, {"edges", BF16}} {
		want, ok := f.Tensor(c.in + "." + c.by.String())
		got, err := Encode(c.by, floatsOf(t, f, c.in+".in"))
		if err != nil || !ok || !bytes.Equal(got, want.Data) {
			t.Errorf("%s %s: %v %v\n got %x\nwant %x", c.in, c.by, ok, err, got, want.Data)
		}
	}
	in, _ := f.Tensor("encode.in")
	if got, err := Encode(F32, floatsOf(t, f, "encode.in")); err != nil || !bytes.Equal(got, in.Data) {
		t.Errorf("F32: %v", err)
	}
	block := func(v float32) []float32 { return append(make([]float32, 63), v) }
	for _, c := range []struct {
		by   Type
		x    []float32
		want string
	}{
		{Q8_0, make([]float32, 33), "33 values, want a multiple of 32"},
		{Q8_0, block(float32(math.NaN())), "value 63 is NaN, want finite"},
		{Q8_0, block(float32(math.Inf(-1))), "value 63 is -Inf, want finite"},
		{Q8_0, block(8.4e6), "value of 8.4e+06 in the block from 32, want at most"},
		{Q4_1, make([]float32, 32), "type Q4_1, want F32, F16, BF16 or Q8_0"},
		{99, make([]float32, 32), "type 99, want F32"},
	} {
		if b, err := Encode(c.by, c.x); err == nil || b != nil || !strings.HasPrefix(err.Error(), "gguf: Encode: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Encode(%s): %v, want %q", c.by, err, c.want)
		}
	}
}

// BenchmarkDecode decodes 4 MiB of values of each type on one thread.
func BenchmarkDecode(b *testing.B) {
	for k, l := range layouts {
		if l.decode == nil {
			continue
		}
		x := Tensor{Type: Type(k), Shape: []int{1 << 10, 1 << 10}, Data: make([]byte, 1<<20/l.values*l.bytes)}
		for i := range x.Data {
			x.Data[i] = byte(i*i) & 0x7b // so no F16 is infinite or NaN
		}
		dst := make([]float32, x.Len())
		b.Run(l.name, func(b *testing.B) {
			b.SetBytes(4 << 20)
			for b.Loop() {
				if err := x.Decode(dst, 0, x.Rows()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
