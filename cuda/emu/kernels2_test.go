package emu

import (
	"fmt"
	"math"
	"math/bits"
	"testing"

	"github.com/ceto-ml/ceto/internal/half"
)

func TestMatrixKernels(t *testing.T) {
	src := ptxFile(t, "gemm")
	const m, n, k = 45, 40, 72
	a, b := randoms(m*k, 1), randoms(k*n, 2)
	ha, hb := make([]uint16, m*k), make([]uint16, k*n)
	for i, v := range a {
		ha[i] = half.ToBF16(v)
	}
	for i, v := range b {
		hb[i] = half.ToBF16(v)
	}
	out, c := unset(m * n)
	Run(t, src, "gemm_mma", Dim{(n + 31) / 32, (m + 31) / 32, 1}, one1(128), out, ha, hb, int32(m), int32(n), int32(k))
	for i := range m {
		for j := range n {
			var s float64
			for l := range k {
				s += float64(half.BF16(ha[i*k+l])) * float64(half.BF16(hb[l*n+j]))
			}
			near(t, fmt.Sprintf("c[%d][%d]", i, j), float64(c[i*n+j]), s, 1e-5)
		}
	}
}

func TestFlash(t *testing.T) {
	src := ptxFile(t, "gemm")
	const heads, length, hs = 2, 45, 32
	q, k, v := randoms(heads*length*hs, 1), randoms(heads*length*hs, 2), randoms(heads*length*hs, 3)
	out, got := unset(heads * length * hs)
	l := Launch{Grid: Dim{(length + 3) / 4, heads, 1}, Block: Dim{32, 4, 1}, Shared: 2 * 32 * 33 * 4}
	if _, err := Try(Options{}, src, l, "flash", out, q, k, v, int32(length), float32(0.2)); err != nil {
		t.Fatal(err)
	}
	at := func(x []float32, h, r, i int) float64 { return float64(x[(h*length+r)*hs+i]) }
	for h := range heads {
		for r := range length {
			var p [length]float64
			var sum float64
			for j := range r + 1 {
				var s float64
				for i := range hs {
					s += at(q, h, r, i) * at(k, h, j, i)
				}
				p[j] = math.Exp(0.2 * s)
				sum += p[j]
			}
			for i := range hs {
				var want float64
				for j := range r + 1 {
					want += p[j] / sum * at(v, h, j, i)
				}
				near(t, "flash", at(got, h, r, i), want, 1e-5)
			}
		}
	}
}

func TestFunctions(t *testing.T) {
	src := ptxFile(t, "basic")
	const n = 300
	x := randoms(n, 9)
	x[0], x[1], x[2], x[3], x[4] = 1e5, -3e7, 0.5, 30, 1e-20
	out, got := unset(12 * n)
	Run(t, src, "functions", one1(3), one1(128), out, x, int32(n))
	for i, f := range x {
		v, a := float64(f), math.Abs(float64(f))
		want := []float64{math.Erf(v), math.Pow(a, 1.7), math.Sin(v), math.Cos(v), math.Log(a), math.Exp2(v), math.Log1p(a),
			math.Expm1(v), math.Sqrt(a), v / 3, math.RoundToEven(v) + math.Floor(v) + math.Trunc(v), math.Mod(v, 0.75)}
		for j, w := range want {
			if g := float64(got[12*i+j]); !(float64(float32(w)) == g) {
				near(t, fmt.Sprintf("function %d of %g", j, v), g, w, 1e-6)
			}
		}
	}
}

func TestSmallKernels(t *testing.T) {
	src := ptxFile(t, "basic")
	const n = 200
	x := randoms(n, 3)
	out, y := unset(n)
	key := uint64(0x1234567890abcdef)
	Run(t, src, "dropout", one1(2), one1(128), out, x, key, float32(0.25), uint64(n))
	for i, v := range x {
		z := key + uint64(i+1)*0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		want := v / 0.75
		if float32(float64(z>>11)*0x1p-53) < 0.25 {
			want = 0
		}
		if y[i] != want {
			t.Errorf("dropout %d: got %g, want %g", i, y[i], want)
		}
	}
	d := make([]float64, 1)
	Run(t, src, "double_sum", one1(1), one1(256), Unset{d}, x, int32(n))
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	near(t, "double_sum", d[0], math.Sqrt(sum), 1e-14)
	ids, bins, total, biggest := make([]int32, n), make([]uint32, 8), []float32{0}, []uint64{0}
	want := make([]uint32, 8)
	for i := range ids {
		ids[i] = int32(i * i % 7)
		want[ids[i]]++
	}
	Run(t, src, "histogram", one1(4), one1(64), bins, ids, int32(n), total, biggest)
	if fmt.Sprint(bins) != fmt.Sprint(want) || biggest[0] != 4<<32 {
		t.Errorf("histogram: got %v and %#x, want %v", bins, biggest[0], want)
	}
	rot := append([]float32(nil), x[:2*2*16]...)
	c, s := randoms(2*8, 5), randoms(2*8, 6)
	Run(t, src, "rotary", one1(1), one1(32), rot, c, s, int32(2), int32(8), int32(2*2*8))
	near(t, "rotary", float64(rot[16+3]), float64(x[16+3]*c[3]-x[16+11]*s[3]), 1e-6)
	w, m, v, g := []float32{1}, []float32{0.5}, []float32{0.25}, []float32{2}
	Run(t, src, "adamw", one1(1), one1(32), w, m, v, g, float32(0.1), float32(0.9), float32(0.99), float32(0.5), float32(0.25), float32(1e-8), float32(0.01), uint64(1))
	near(t, "adamw", float64(w[0]), 1-0.1*(0.65/0.5/(math.Sqrt(0.2875/0.25)+1e-8)+0.01), 1e-6)
	table := randoms(5*12, 7)
	gathered, rows := unset(3 * 12)
	Run(t, src, "gather", one1(1), one1(32), gathered, table, []int32{4, 0, 2}, int32(3), int32(9))
	for i := range rows {
		if w := table[[]int{4, 0, 2}[i/12]*12+i%12]; rows[i] != w {
			t.Errorf("gather %d: got %g, want %g", i, rows[i], w)
		}
	}
}

func TestCallsAndTables(t *testing.T) {
	src := ptxFile(t, "more")
	const n = 40
	x, k := randoms(n, 1), make([]int32, n)
	for i := range k {
		k[i] = int32(i + 1)
	}
	out, y := unset(n)
	Run(t, src, "calls", one1(1), one1(64), out, x, k, int32(n))
	for i, v := range x {
		a, b := k[i], int32(12)
		for b != 0 {
			a, b = b, a%b
		}
		p := ((0.125*v-3)*v+2.5)*v + 1
		want := p + float32(a) + v + float32(k[i]) + v*float32(k[i]) + []float32{1, 2, 3, 4, 5, 6}[i%2*3+i%3]
		near(t, "calls", float64(y[i]), float64(want), 1e-5)
	}
	code, got := make([]int32, 50), make([]int32, 50)
	for i := range code {
		code[i] = int32(i % 11)
	}
	Run(t, src, "jump", one1(1), one1(64), Unset{got}, code, int32(50))
	for i := range got {
		v := uint32(i)
		want := []uint32{v*3 + 1, v<<5 ^ 77, v / 7, v%5 - 9, uint32(bits.OnesCount32(v) + bits.LeadingZeros32(v)),
			bits.Reverse32(v) >> 3, uint32(bits.TrailingZeros32(v) + 1), v * v * v, min(v, 11) + max(v, 4), 0, ^uint32(0)}
		w := want[i%11]
		if i%11 == 9 {
			w = uint32(v>>8&0xff)<<0 | 0x34<<24
			b := []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24), 0x78, 0x56, 0x34, 0x12}
			w = uint32(b[5]) | uint32(b[1])<<8 | uint32(b[7])<<16 | uint32(b[3])<<24
		}
		if uint32(got[i]) != w {
			t.Errorf("jump %d: got %#x, want %#x", i, got[i], w)
		}
	}
	in, loc := make([]int32, 32), make([]int32, 32)
	var sum int32
	for i := range in {
		in[i] = int32(i*7 + 3)
	}
	for i := range 20 {
		j := in[i] & 15
		sum += in[j] * j
	}
	Run(t, src, "local_array", one1(1), one1(32), Unset{loc}, in, int32(20))
	if loc[5] != sum {
		t.Errorf("local_array: got %d, want %d", loc[5], sum)
	}
}

func TestWidthsAndVotes(t *testing.T) {
	src := ptxFile(t, "more")
	const n = 100
	x := make([]byte, n)
	for i := range x {
		x[i] = byte(i * 37)
	}
	y, z, w, q := make([]int8, n), make([]int16, n), make([]uint64, n), make([]int64, n)
	Run(t, src, "bytes", one1(2), one1(64), Unset{y}, x, Unset{z}, Unset{w}, Unset{q}, int32(n))
	for i, b := range x {
		wy := int8(int32(b)*3-100) >> 1
		wz := int16(int32(b)<<8 | int32(wy))
		high, _ := bits.Mul64(uint64(b)<<50, 0xfedcba9876543210)
		ww, wq := uint64(b)*0x123456789abcdef/1000003+high, int64(wz)*0x123456789%1000003
		if y[i] != wy || z[i] != wz || w[i] != ww || q[i] != wq {
			t.Errorf("bytes %d: got %d %d %d %d, want %d %d %d %d", i, y[i], z[i], w[i], q[i], wy, wz, ww, wq)
		}
	}
	f := randoms(n, 4)
	cy, cd, cl := make([]float32, n), make([]float64, n), make([]int64, n)
	Run(t, src, "conversions", one1(2), one1(64), Unset{cy}, f, Unset{cd}, Unset{cl}, int32(n))
	for i, v := range f {
		wy := half.F16(half.ToF16(v)) + half.BF16(half.ToBF16(v)) + float32(math.RoundToEven(float64(v))) + float32(uint32(v*v))
		d := float64(v)
		wd := d/3 + math.Sqrt(d*d) + math.Floor(d) + math.FMA(d, 2, 1)
		if cy[i] != wy || cd[i] != wd || cl[i] != int64(float32(v*1e6))+int64(wd) {
			t.Errorf("conversions of %g: got %g %g %d, want %g %g", v, cy[i], cd[i], cl[i], wy, wd)
		}
	}
	v, got := make([]int32, 32), make([]uint32, 32)
	for i := range v {
		v[i] = int32(i * i % 9)
	}
	Run(t, src, "votes", one1(1), one1(32), Unset{got}, v)
	for i := range got {
		if want := votesWant(v, i); got[i] != want {
			t.Errorf("votes %d: got %#x, want %#x", i, got[i], want)
		}
	}
}

func votesWant(v []int32, i int) uint32 {
	var a, b, d, e uint32
	two, pos := uint32(0), uint32(1)
	for j, x := range v {
		if x > 3 {
			a |= 1 << j
		}
		if x == v[i] {
			b |= 1 << j
		}
		d += uint32(x)
		e = max(e, uint32(x))
		if x == 2 {
			two = 1
		}
		if x < 0 {
			pos = 0
		}
	}
	up, down, idx := v[i], v[i], v[i&^7|7]
	if i >= 3 {
		up = v[i-3]
	}
	if i&15+5 <= 15 {
		down = v[i+5]
	}
	g := uint32(up + down + idx)
	return a ^ b ^ 0 ^ 0 ^ d*3 ^ e*5 ^ (two + 2*pos) ^ g*7 ^ 0xffffffff
}

func TestAtomicsAndLastBlock(t *testing.T) {
	src := ptxFile(t, "more")
	a, u, l, f, d := make([]int32, 11), make([]uint32, 2), make([]uint64, 2), []float32{1}, []float64{1}
	a[4] = -1
	Run(t, src, "atomics", one1(1), one1(32), a, u, l, f, d)
	var xor int32
	for i := range int32(32) {
		xor ^= i * 3
	}
	if want := []int32{496, -496, -5, 31, 0, -1, xor, 9, 0, 5, 0}; fmt.Sprint(a) != fmt.Sprint(want) {
		t.Errorf("atomics: got %v, want %v", a, want)
	}
	if u[0] != 10 || u[1] != 1 || l[0] != 496<<33 || l[1] != 32 || f[0] != 17 || d[0] != 9 {
		t.Errorf("atomics: got %v %v %v %v", u, l, f, d)
	}
	const n = 1000
	x := randoms(n, 2)
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	total, parts, ticket := make([]float32, 1), make([]float32, 16), []uint32{0}
	Run(t, src, "last_block", one1(16), one1(64), Unset{total}, Unset{parts}, ticket, x, int32(n))
	near(t, "last_block", float64(total[0]), sum, 1e-5)
	if ticket[0] != 0 {
		t.Errorf("last_block: the ticket is %d, want 0", ticket[0])
	}
}
