package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// island is memory between two pages that may be neither read nor written.
type island []byte

// islands are n of them, each as long as the tests' longest operand.
func islands(t *testing.T, n int) []island {
	t.Helper()
	page, out := os.Getpagesize(), []island(nil)
	size := (1<<18 + page - 1) / page * page
	for range n {
		m, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Munmap(m) })
		for _, shore := range [][]byte{m[:page], m[page+size:]} {
			if err := unix.Mprotect(shore, unix.PROT_NONE); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, m[page:page+size:page+size])
	}
	return out
}

// ashore copies x to the island: to its end, or to its front.
func ashore[T Float](m island, x []T, end bool) []T {
	if len(x) == 0 {
		return x
	}
	at := m[:len(x)*int(unsafe.Sizeof(x[0]))]
	if end {
		at = m[len(m)-len(at):]
	}
	y := unsafe.Slice((*T)(unsafe.Pointer(&at[0])), len(x))
	copy(y, x)
	return y
}

// fault is what stopped f, such as an address that it may not touch; nil if nothing did.
func fault(f func()) (err any) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { err = recover() }()
	f()
	return nil
}

// TestFault sees that the tests below would see an access past either end.
func TestFault(t *testing.T) {
	m := islands(t, 1)[0]
	onPaths(t, func(t *testing.T) {
		for _, end := range []bool{false, true} {
			x := ashore(m, make([]float32, 10), end)
			p := unsafe.Pointer(&x[0])
			if !end {
				p = unsafe.Add(p, -4)
			}
			past := unsafe.Slice((*float32)(p), 11)
			if fault(func() { Sum(past) }) == nil {
				t.Errorf("end=%v: a read past it went unseen", end)
			}
			if fault(func() { Fill(past, 1) }) == nil {
				t.Errorf("end=%v: a write past it went unseen", end)
			}
			if err := fault(func() { Fill(x, float32(Sum(x))) }); err != nil {
				t.Errorf("end=%v: inside it: %v", end, err)
			}
		}
	})
}

// TestLoopsFenced has the operands of each loop right against pages that it may not touch; the results have the bits of
// operands that lie elsewhere.
func TestLoopsFenced(t *testing.T) {
	m := islands(t, 16)
	eachPath(t, func(t *testing.T) {
		for _, c := range loopCases() {
			for _, n := range lengths() {
				for _, end := range []bool{false, true} {
					what := fmt.Sprintf("%s n=%d end=%v", c.name, n, end)
					in, out, in2, out2 := inputs(c, n), make2(c.outs, n), make2(c.ins, n), make2(c.outs, n)
					for i, x := range in {
						in2[i] = ashore(m[i], x, end)
					}
					for i, y := range out {
						out2[i] = ashore(m[8+i], y, end)
					}
					var got []float64
					if err := fault(func() { got = c.f32(out2, in2) }); err != nil {
						t.Errorf("%s: %v", what, err)
						continue
					}
					for i, w := range c.f32(out, in) {
						if math.Float64bits(got[i]) != math.Float64bits(w) {
							t.Errorf("%s: result %d = %v, want %v", what, i, got[i], w)
						}
					}
					for i, y := range out {
						same(t, what, out2[i], y)
					}
				}
			}
		}
	})
}

// TestGemmFenced has A, B, C and the bias of products right against pages that they may not touch.
func TestGemmFenced(t *testing.T) {
	m, table := islands(t, 4), append(vectors(), products...)
	for h := 1; h <= 15; h++ {
		for n := 1; n <= 33; n += 1 + h%3 {
			table = append(table, product{m: h, n: n, k: 1 + (7*h+3*n)%11, a: layout{trans: n%2 == 0}, b: layout{trans: n%3 == 0},
				bias: h%2 == 0, add: n%4 < 2})
		}
	}
	for seed := range uint64(60) {
		table = append(table, random(rand.New(rand.NewPCG(seed, 3))))
	}
	eachPath(t, func(t *testing.T) {
		for i, p := range table {
			for _, end := range []bool{false, true} {
				if err := fencedGemm[float32](m, p, uint64(i), end); err != nil {
					t.Errorf("float32, seed %d, end=%v, %+v: %v", i, end, p, err)
				}
				if err := fencedGemm[float64](m, p, uint64(i), end); err != nil {
					t.Errorf("float64, seed %d, end=%v, %+v: %v", i, end, p, err)
				}
			}
		}
	})
}

func fencedGemm[T Float](m []island, p product, seed uint64, end bool) error {
	want, _ := gemm[T](p, seed)
	g, _ := gemm[T](p, seed)
	if p.m > 0 && p.n > 0 {
		g.C.Data = g.C.Data[:(p.m-1)*g.C.Row+p.n]
	}
	g.A.Data, g.B.Data = ashore(m[0], g.A.Data, end), ashore(m[1], g.B.Data, end)
	g.C.Data, g.Bias = ashore(m[2], g.C.Data, end), ashore(m[3], g.Bias, end)
	want.Serial(0)
	if err := fault(func() { g.Serial(0) }); err != nil {
		return fmt.Errorf("%v", err)
	}
	for i, v := range g.C.Data {
		if v != want.C.Data[i] {
			return fmt.Errorf("C.Data[%d] = %v, elsewhere in memory %v", i, v, want.C.Data[i])
		}
	}
	return nil
}

// TestVectorFenced is the same of the loops of a vector times B, whose vector a product copies to memory of its own.
func TestVectorFenced(t *testing.T) {
	m := islands(t, 3)
	eachPath(t, func(t *testing.T) {
		k := gemmKernel[float32]()
		for i, p := range vectors() {
			g, _ := gemm[float32](p, uint64(i))
			f, ld := k.rows, g.B.Row
			if p.b.trans {
				f, ld = k.dots, g.B.Col
			}
			for _, end := range []bool{false, true} {
				y, x, b := ashore(m[0], g.C.Data, end), ashore(m[1], g.A.Data, end), ashore(m[2], g.B.Data, end)
				if err := fault(func() { f(unsafe.Pointer(&y[0]), unsafe.Pointer(&x[0]), unsafe.Pointer(&b[0]), p.n, p.k, 4*ld) }); err != nil {
					t.Errorf("seed %d, end=%v, %+v: %v", i, end, p, err)
				}
			}
		}
	})
}
