package vec

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestPackRuns copies runs of every width a kernel has, between guards.
func TestPackRuns(t *testing.T) {
	if len(Paths()) == 1 {
		t.Skip("no AVX2")
	}
	const k, n, ld, step, front = 5, 3, 1000, 900, 64
	src := make([]byte, k*ld)
	for i := range src {
		src[i] = byte(i*7%251) + 1
	}
	for _, width := range []int{24, 48, 56, 64, 112, 128} {
		got := make([]byte, front+n*step+front)
		want := bytes.Clone(got)
		for r := range k {
			for q := range n {
				copy(want[front+q*step+r*width:], src[r*ld+q*width:][:width])
			}
		}
		packRuns(unsafe.Pointer(&got[front]), unsafe.Pointer(&src[0]), k, ld, n, step, width)
		if !bytes.Equal(got, want) {
			t.Errorf("runs of %d bytes: wrong copy", width)
		}
	}
}

// TestGemmShape512 has the strips and panels of AVX-512 on machines without it: all but the tile kernel itself.
func TestGemmShape512(t *testing.T) {
	if len(Paths()) == 1 {
		t.Skip("no AVX2")
	}
	was32, was64, was := byPath32[AVX2], byPath64[AVX2], path
	defer func() { byPath32[AVX2], byPath64[AVX2], path = was32, was64, was }()
	k32, k64 := *byPath32[AVX512], *byPath64[AVX512]
	k32.run = func(c *tile) { tileNaive[float32](c, k32.mr) }
	k64.run = func(c *tile) { tileNaive[float64](c, k64.mr) }
	byPath32[AVX2], byPath64[AVX2], path = &k32, &k64, AVX2
	pool := NewPool(3)
	defer pool.Close()
	table := append([]product(nil), products...)
	for seed := range uint64(100) {
		table = append(table, random(rand.New(rand.NewPCG(seed, 2))))
	}
	if testing.Short() {
		table = table[:len(products)+5]
	} else {
		table = append(table, bigProducts...)
	}
	for i, p := range table {
		if err := check[float32](p, uint64(i), []*Pool{pool}); err != nil {
			t.Errorf("float32, seed %d, %+v: %v", i, p, err)
		}
		if err := check[float64](p, uint64(i), []*Pool{pool}); err != nil {
			t.Errorf("float64, seed %d, %+v: %v", i, p, err)
		}
	}
}

// tileNaive is a tile kernel of any shape, element by element.
func tileNaive[T Float](t *tile, mr int) {
	size := int(unsafe.Sizeof(T(0)))
	for i := range t.m {
		c := unsafe.Slice((*T)(unsafe.Add(t.c, i*t.cr)), t.n)
		for j := range c {
			var s T
			for k := range t.k {
				s += get[T](t.a, i/mr*t.as+i%mr*t.ar+k*t.ac) * get[T](t.b, k*t.br+j*size)
			}
			s *= *(*T)(t.alpha)
			if t.bias != nil {
				s += get[T](t.bias, j*size)
			}
			if t.add != 0 {
				s += c[j]
			}
			c[j] = s
		}
	}
}
