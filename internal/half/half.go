// Package half converts between float32 and the two 16-bit formats of weights. F16 is IEEE 754 binary16, with 5 bits
// of exponent and 10 of fraction. BF16 is bfloat16, the upper half of a float32.
//
//	w := make([]float32, len(data)/2)
//	half.FromF16(w, data)
//
// Widening is exact. Narrowing rounds to nearest, ties to even; a value that is too large becomes an infinity. A NaN
// stays a NaN of its sign: widening keeps all of its bits, narrowing makes it quiet. All functions are safe for
// concurrent use.
package half

import (
	"encoding/binary"
	"math"
)

// Bits of a float32. Those of an F16 are moved up by 13, so that the fractions of both begin at the same bit.
const (
	signBit  = 1 << 31
	expOne   = 1 << 23          // 1 in the exponent of a float32
	infinity = 0xff * expOne    // float32
	rebias   = (127 - 15) << 23 // from the exponent of an F16 to that of a float32
	f16Min   = 0x0400 << 13     // the smallest normal F16, 2⁻¹⁴
	f16Inf   = 0x7c00 << 13     // infinity; NaNs are above
	half     = 0x3f000000       // float32 ½
	signF16  = 0x8000
	f16NaN   = 0x7e00
)

// F16 returns the value of an F16.
func F16(h uint16) float32 {
	em := uint32(h&^signF16) << 13
	bits := em + rebias
	if em >= f16Inf {
		bits += rebias // the largest exponent of an F16 becomes the largest of a float32
	}
	// A subnormal is fraction·2⁻²⁴. Behind a leading one of 2⁻¹⁴, the fraction makes 2⁻¹⁴ more than that.
	subnormal := math.Float32bits(math.Float32frombits(em+rebias+expOne) - 0x1p-14)
	if em < f16Min {
		bits = subnormal
	}
	return math.Float32frombits(bits | uint32(h&signF16)<<16)
}

// ToF16 returns the F16 nearest to f, ties to even. From 65520 on that is infinity.
func ToF16(f float32) uint16 {
	b := math.Float32bits(f) &^ signBit
	h := min((b-rebias+0xfff+b>>13&1)>>13, f16Inf>>13)
	// The last bit of a float32 in [½, 1) is 2⁻²⁴, as is that of a subnormal F16, so the sum is rounded as wanted.
	subnormal := math.Float32bits(math.Float32frombits(b)+0.5) - half
	if b < f16Min+rebias {
		h = subnormal
	}
	if b > infinity {
		h = f16NaN
	}
	return uint16(h | math.Float32bits(f)>>16&signF16)
}

// BF16 returns the value of a BF16.
func BF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// ToBF16 returns the BF16 nearest to f, ties to even.
func ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	h, nan := (b+0x7fff+b>>16&1)>>16, b>>16|0x40
	if b&^signBit > infinity {
		h = nan
	}
	return uint16(h)
}

// FromF16 sets dst to the values of the little-endian F16s in src. It returns how many it set: the smaller of
// len(dst) and len(src)/2.
func FromF16(dst []float32, src []byte) int {
	n := min(len(dst), len(src)/2)
	for i := range dst[:n] {
		dst[i] = F16(binary.LittleEndian.Uint16(src[2*i:]))
	}
	return n
}

// FromBF16 is [FromF16] for BF16s.
func FromBF16(dst []float32, src []byte) int {
	n := min(len(dst), len(src)/2)
	for i := range dst[:n] {
		dst[i] = BF16(binary.LittleEndian.Uint16(src[2*i:]))
	}
	return n
}

// IntoF16 sets dst to the values of src as little-endian F16s. It returns how many it set: the smaller of len(dst)/2
// and len(src).
func IntoF16(dst []byte, src []float32) int {
	n := min(len(dst)/2, len(src))
	// Four values in one store: 840 MB/s written against 700. Command: go test -bench Into ./internal/half, on 2 busy
	// cores of an EPYC.
	for ; len(src) >= 4 && len(dst) >= 8; src, dst = src[4:], dst[8:] {
		lo := uint32(ToF16(src[0])) | uint32(ToF16(src[1]))<<16
		hi := uint32(ToF16(src[2])) | uint32(ToF16(src[3]))<<16
		binary.LittleEndian.PutUint64(dst, uint64(lo)|uint64(hi)<<32)
	}
	for i, f := range src[:min(len(dst)/2, len(src))] {
		binary.LittleEndian.PutUint16(dst[2*i:], ToF16(f))
	}
	return n
}

// IntoBF16 is [IntoF16] for BF16s.
func IntoBF16(dst []byte, src []float32) int {
	n := min(len(dst)/2, len(src))
	for i, f := range src[:n] {
		binary.LittleEndian.PutUint16(dst[2*i:], ToBF16(f))
	}
	return n
}
