package half

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"testing"
)

// value returns the value of a 16-bit float by its definition: sign, exponent with a bias, fraction of some bits.
func value(h uint16, bits, bias int) float64 {
	fraction := float64(h&(1<<bits-1)) / float64(int(1)<<bits)
	exp := int(h&0x7fff) >> bits
	var v float64
	switch {
	case exp == 1<<(15-bits)-1 && fraction == 0:
		v = math.Inf(1)
	case exp == 1<<(15-bits)-1:
		v = math.NaN()
	case exp == 0:
		v = math.Ldexp(fraction, 1-bias)
	default:
		v = math.Ldexp(1+fraction, exp-bias)
	}
	return math.Copysign(v, 1-2*float64(h>>15))
}

var formats = []struct {
	name       string
	bits, bias int
	inf        uint16
	quiet      func(uint16) uint16
	from       func(uint16) float32
	to         func(float32) uint16
	fromSlice  func([]float32, []byte) int
	intoSlice  func([]byte, []float32) int
}{
	{"F16", 10, 15, 0x7c00, func(h uint16) uint16 { return h&0x8000 | 0x7e00 }, F16, ToF16, FromF16, IntoF16},
	{"BF16", 7, 127, 0x7f80, func(h uint16) uint16 { return h | 0x40 }, BF16, ToBF16, FromBF16, IntoBF16},
}

// TestAll checks all 65,536 values in both directions, one by one and as slices.
func TestAll(t *testing.T) {
	for _, c := range formats {
		src := make([]byte, 2<<16+1) // the odd byte at the end must stay as it is
		for h := range 1 << 16 {
			binary.LittleEndian.PutUint16(src[2*h:], uint16(h))
		}
		wide, back := make([]float32, 1<<16+1), make([]byte, 2<<16+1)
		if n := c.fromSlice(wide, src); n != 1<<16 {
			t.Fatalf("%s: %d values of a slice, want 65536", c.name, n)
		}
		if n := c.intoSlice(back, wide[:1<<16]); n != 1<<16 {
			t.Fatalf("%s: %d values into a slice, want 65536", c.name, n)
		}
		for i := range 1 << 16 {
			h := uint16(i)
			got, want := c.from(h), value(h, c.bits, c.bias)
			if math.Float64bits(float64(got)) != math.Float64bits(want) && !(got != got && want != want) {
				t.Errorf("%s(%#04x) = %g, want %g", c.name, h, got, want)
			}
			if math.Float32bits(wide[i]) != math.Float32bits(got) {
				t.Errorf("%s(%#04x) = %g in a slice, %g alone", c.name, h, wide[i], got)
			}
			wantBack := h
			if want != want {
				wantBack = c.quiet(h)
			}
			if r := c.to(got); r != wantBack {
				t.Errorf("To%s(%g) = %#04x, want %#04x", c.name, got, r, wantBack)
			}
			if r := binary.LittleEndian.Uint16(back[2*i:]); r != wantBack {
				t.Errorf("To%s(%g) = %#04x in a slice, want %#04x", c.name, got, r, wantBack)
			}
		}
	}
}

// TestRound checks the float32 in the middle between any two neighbours, and those just below and above it.
func TestRound(t *testing.T) {
	for _, c := range formats {
		for lo := range c.inf {
			// Beyond the largest value comes the one that infinity would be if its bits were a number.
			above := value(lo, c.bits, c.bias) + (value(lo, c.bits, c.bias) - value(max(lo, 1)-1, c.bits, c.bias))
			if lo+1 < c.inf {
				above = value(lo+1, c.bits, c.bias)
			}
			mid := float32((value(lo, c.bits, c.bias) + above) / 2)
			rows := []struct {
				f    float32
				want uint16
			}{
				{math.Nextafter32(mid, 0), lo},
				{mid, lo + lo&1},
				{math.Nextafter32(mid, float32(math.Inf(1))), lo + 1},
			}
			for _, r := range rows {
				if got := c.to(r.f); got != r.want {
					t.Errorf("To%s(%b) = %#04x, want %#04x", c.name, r.f, got, r.want)
				}
				if got := c.to(-r.f); got != r.want|0x8000 {
					t.Errorf("To%s(%b) = %#04x, want %#04x", c.name, -r.f, got, r.want|0x8000)
				}
			}
		}
	}
}

// TestShort checks that a slice that is too short is filled, and that nothing is written past its end.
func TestShort(t *testing.T) {
	for _, c := range formats {
		one, three := []byte{0, 0}, make([]byte, 6)
		c.intoSlice(one, []float32{1})
		wide := []float32{7, 7, 7}
		if n := c.fromSlice(wide, one); n != 1 || wide[0] != 1 || wide[1] != 7 {
			t.Errorf("%s: from 1 value: %d %v", c.name, n, wide)
		}
		if n := c.fromSlice(wide[:2], three); n != 2 || wide[1] != 0 || wide[2] != 7 {
			t.Errorf("%s: to 2 values: %d %v", c.name, n, wide)
		}
		for size := range 20 {
			got, want, n := make([]byte, 20), make([]byte, 20), min(size/2, 9)
			for i := range n {
				binary.LittleEndian.PutUint16(want[2*i:], c.to(1))
			}
			if set := c.intoSlice(got[:size], []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}); set != n || !bytes.Equal(got, want) {
				t.Errorf("%s: into %d bytes: %d values %x, want %d %x", c.name, size, set, got, n, want)
			}
		}
	}
}

// TestNumpy converts all 16-bit values and 2²⁰ float32s. It compares sums with those of numpy and the gguf package:
// testdata/golden.py.
func TestNumpy(t *testing.T) {
	want := map[string][2]uint32{"F16": {0xef9d25e2, 0x687f1498}, "BF16": {0xb6ca4a2a, 0xbb179aaa}}
	for _, c := range formats {
		var wide, narrow []byte
		for h := range 1 << 16 {
			f := c.from(uint16(h))
			if f != f {
				f = 0 // the bits of a NaN depend on the machine
			}
			wide = binary.LittleEndian.AppendUint32(wide, math.Float32bits(f))
		}
		x := uint32(1)
		for range 1 << 20 {
			x = x*1664525 + 1013904223 // Numerical Recipes, section 7.1
			f := math.Float32frombits(x)
			if f != f {
				f = 0
			}
			narrow = binary.LittleEndian.AppendUint16(narrow, c.to(f))
		}
		got := [2]uint32{crc32.ChecksumIEEE(wide), crc32.ChecksumIEEE(narrow)}
		if got != want[c.name] {
			t.Errorf("%s: CRC-32 %#08x, want %#08x", c.name, got, want[c.name])
		}
	}
}

func BenchmarkSlices(b *testing.B) {
	const n = 1 << 20
	src, dst := make([]byte, 2*n), make([]float32, n)
	for i := range src {
		src[i] = byte(uint32(i) * 2654435761 >> 24)
	}
	for _, c := range formats {
		b.Run("From"+c.name, func(b *testing.B) {
			b.SetBytes(4 * n)
			for range b.N {
				c.fromSlice(dst, src)
			}
		})
		b.Run("Into"+c.name, func(b *testing.B) {
			b.SetBytes(2 * n)
			for range b.N {
				c.intoSlice(src, dst)
			}
		})
	}
}
