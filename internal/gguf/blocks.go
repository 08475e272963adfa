package gguf

import "encoding/binary"

// The blocks of the quantized types. In each formula d, m and dmin are F16. A product is rounded to float32 before
// anything is added to it: the conversion keeps a compiler from fusing both. Source: github.com/ggml-org/ggml,
// ggml-common.h and ggml-quants.c.

// decodeQ4_0 decodes blocks of 32 values, x = d·(q−8). A block is d, then 16 bytes: byte i holds value i in its low
// half and value 16+i in its high half.
func decodeQ4_0(dst []float32, src []byte) {
	for ; len(src) >= 18; dst, src = dst[32:], src[18:] {
		d := f16(src)
		lo, hi := dst[:16:16], dst[16:32:32]
		for i, q := range src[2:18] {
			lo[i] = d * float32(int32(q&15)-8)
			hi[i] = d * float32(int32(q>>4)-8)
		}
	}
}

// decodeQ4_1 decodes blocks of 32 values, x = d·q + m. A block is d, m, then 16 bytes as in Q4_0.
func decodeQ4_1(dst []float32, src []byte) {
	for ; len(src) >= 20; dst, src = dst[32:], src[20:] {
		d, m := f16(src), f16(src[2:])
		lo, hi := dst[:16:16], dst[16:32:32]
		for i, q := range src[4:20] {
			lo[i] = float32(d*float32(int32(q&15))) + m
			hi[i] = float32(d*float32(int32(q>>4))) + m
		}
	}
}

// decodeQ5_0 decodes blocks of 32 values, x = d·(q−16). A block is d, 32 bits, then 16 bytes as in Q4_0. Bit i is the
// fifth bit of value i.
func decodeQ5_0(dst []float32, src []byte) {
	for ; len(src) >= 22; dst, src = dst[32:], src[22:] {
		d, top := f16(src), binary.LittleEndian.Uint32(src[2:])
		lo, hi := dst[:16:16], dst[16:32:32]
		for i, q := range src[6:22] {
			lo[i] = d * float32(int32(uint32(q&15)|top>>i&1<<4)-16)
			hi[i] = d * float32(int32(uint32(q>>4)|top>>(16+i)&1<<4)-16)
		}
	}
}

// decodeQ5_1 decodes blocks of 32 values, x = d·q + m. A block is d, m, then the rest of Q5_0.
func decodeQ5_1(dst []float32, src []byte) {
	for ; len(src) >= 24; dst, src = dst[32:], src[24:] {
		d, m, top := f16(src), f16(src[2:]), binary.LittleEndian.Uint32(src[4:])
		lo, hi := dst[:16:16], dst[16:32:32]
		for i, q := range src[8:24] {
			lo[i] = float32(d*float32(int32(uint32(q&15)|top>>i&1<<4))) + m
			hi[i] = float32(d*float32(int32(uint32(q>>4)|top>>(16+i)&1<<4))) + m
		}
	}
}

// decodeQ8_0 decodes blocks of 32 values, x = d·q. A block is d, then 32 int8.
func decodeQ8_0(dst []float32, src []byte) {
	for ; len(src) >= 34; dst, src = dst[32:], src[34:] {
		d, x := f16(src), dst[:32:32]
		for i, q := range src[2:34] {
			x[i] = d * float32(int32(int8(q)))
		}
	}
}

// scaleMin returns d·scale and dmin·min of part j of 8. Scale and min have 6 bits each, which Q4_K and Q5_K pack into
// the 12 bytes b. Parts 0 to 3 have the low 6 bits of bytes j (scale) and 4+j (min). Parts 4 to 7 have the halves of
// byte 4+j, the low one for scale. Above these they have the upper 2 bits of bytes j−4 and j.
func scaleMin(d, dmin float32, b []byte, j int) (scale, least float32) {
	s, m := b[j]&63, b[4+j]&63
	if j >= 4 {
		s, m = b[4+j]&15|b[j-4]>>6<<4, b[4+j]>>4|b[j]>>6<<4
	}
	return float32(d * float32(s)), float32(dmin * float32(m))
}

// decodeQ4_K decodes blocks of 256 values, x = (d·scale)·q − dmin·min, where each part of 32 has a scale and a min. A
// block is d, dmin, 12 bytes of scales and minima, then 4 groups of 32 bytes. In group g the low halves are part 2g,
// the high halves part 2g+1.
func decodeQ4_K(dst []float32, src []byte) {
	for ; len(src) >= 144; dst, src = dst[256:], src[144:] {
		d, dmin := f16(src), f16(src[2:])
		for g := range 4 {
			s0, m0 := scaleMin(d, dmin, src[4:16], 2*g)
			s1, m1 := scaleMin(d, dmin, src[4:16], 2*g+1)
			lo, hi := dst[64*g:][:32:32], dst[64*g+32:][:32:32]
			for i, q := range src[16+32*g:][:32] {
				lo[i] = float32(s0*float32(int32(q&15))) - m0
				hi[i] = float32(s1*float32(int32(q>>4))) - m1
			}
		}
	}
}

// decodeQ5_K is [decodeQ4_K] with 32 bytes before the groups: bit p of byte i is the fifth bit of value i of part p.
func decodeQ5_K(dst []float32, src []byte) {
	for ; len(src) >= 176; dst, src = dst[256:], src[176:] {
		d, dmin, top := f16(src), f16(src[2:]), src[16:48]
		for g := range 4 {
			s0, m0 := scaleMin(d, dmin, src[4:16], 2*g)
			s1, m1 := scaleMin(d, dmin, src[4:16], 2*g+1)
			lo, hi := dst[64*g:][:32:32], dst[64*g+32:][:32:32]
			for i, q := range src[48+32*g:][:32] {
				h := top[i] >> (2 * g)
				lo[i] = float32(s0*float32(int32(q&15|h&1<<4))) - m0
				hi[i] = float32(s1*float32(int32(q>>4|h&2<<3))) - m1
			}
		}
	}
}

// decodeQ6_K decodes blocks of 256 values, x = (d·scale)·(q−32), where each part of 16 has a scale. A block has two
// halves of 128 values. It is 64 bytes of low 4 bits for each half, 32 bytes of upper 2 bits for each half, 16 int8
// scales, then d. In a half, value 32k+i has its low bits in byte i+32(k mod 2). They are the byte's low half for k <
// 2, else its high half. Its upper bits are bits 2k and 2k+1 of byte i.
func decodeQ6_K(dst []float32, src []byte) {
	for ; len(src) >= 210; dst, src = dst[256:], src[210:] {
		d := f16(src[208:])
		for h := range 2 {
			low, top, scales := src[64*h:][:64], src[128+32*h:][:32], src[192+8*h:][:8]
			for k := range 4 {
				s := [2]float32{d * float32(int8(scales[2*k])), d * float32(int8(scales[2*k+1]))}
				x, l := dst[128*h+32*k:][:32:32], low[32*(k%2):][:32]
				for i, t := range top {
					q := l[i]>>(4*(k/2))&15 | t>>(2*k)&3<<4
					x[i] = s[i/16] * float32(int32(q)-32)
				}
			}
		}
	}
}
