package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// A product is one row of the table of matrix products.
type product struct {
	m, n, k int
	a, b    layout
	gap     int // elements between rows of C
	alpha   float64
	add     bool
	bias    bool
	act     bool
}

// A layout is how an operand lies in memory.
type layout struct {
	trans bool // columns, not rows, are contiguous
	gap   int  // elements between them
	step  int  // from one element to the next; 0 means 1
}

var (
	rowMajor = layout{}
	colMajor = layout{trans: true}
)

var products = []product{
	{m: 1, n: 1, k: 1},
	{m: 1, n: 1, k: 0, bias: true, act: true},
	{m: 3, n: 5, k: 0},
	{m: 7, n: 33, k: 0, add: true, bias: true},
	{m: 0, n: 3, k: 2},
	{m: 3, n: 0, k: 2},
	{m: 1, n: 17, k: 0, add: true},
	{m: 4, n: 1, k: 2, bias: true, act: true},
	{m: 4, n: 8, k: 2, bias: true},
	{m: 1, n: 65, k: 33},
	{m: 1, n: 300, k: 67, bias: true, act: true, alpha: -0.5},
	{m: 1, n: 301, k: 70, b: colMajor, add: true, bias: true},
	{m: 1, n: 19, k: 9, a: layout{step: 3}, b: layout{gap: 5}},
	{m: 1, n: 19, k: 9, b: layout{step: 2}},
	{m: 2, n: 7, k: 5, a: layout{step: 2}, b: layout{trans: true, step: 3}, gap: 3},
	{m: 6, n: 16, k: 8},
	{m: 14, n: 32, k: 8, add: true},
	{m: 64, n: 64, k: 32, a: layout{gap: 61}, b: layout{trans: true, gap: 61}, alpha: 0.177},
	{m: 64, n: 32, k: 64, a: layout{trans: true}, b: layout{gap: 61}, gap: 31},
	{m: 12, n: 64, k: 40, b: layout{gap: 1}, bias: true},
	{m: 12, n: 70, k: 300, add: true, act: true},
	{m: 29, n: 65, k: 20, a: colMajor, b: colMajor, bias: true, act: true, add: true, alpha: 2, gap: 1},
}

// big products cross every border between blocks.
var bigProducts = []product{
	{m: 1, n: 2100, k: 300, bias: true},
	{m: 1, n: 1100, k: 530, b: colMajor, act: true},
	{m: 150, n: 130, k: 259, bias: true, act: true},
	{m: 31, n: 801, k: 258, a: colMajor, act: true, bias: true},
	{m: 293, n: 97, k: 130, b: colMajor, add: true, gap: 3},
	{m: 300, n: 65, k: 515, a: colMajor, alpha: 0.25},
	{m: 145, n: 70, k: 64, a: layout{gap: 9}, b: layout{trans: true, gap: 9}},
}

// random is a product drawn from r.
func random(r *rand.Rand) product {
	size := func() int {
		switch r.IntN(4) {
		case 0:
			return 1 + r.IntN(4)
		case 1:
			return 16 * (1 + r.IntN(5))
		}
		return 1 + r.IntN(80)
	}
	lay := func() layout {
		l := layout{trans: r.IntN(2) == 0, gap: r.IntN(2) * r.IntN(20)}
		if r.IntN(6) == 0 {
			l.step = 1 + r.IntN(3)
		}
		return l
	}
	coin := func() bool { return r.IntN(2) == 0 }
	p := product{m: size(), n: size(), k: size(), a: lay(), b: lay(), gap: r.IntN(3), add: coin(), bias: coin(), act: coin()}
	if coin() {
		p.alpha = r.Float64()*4 - 2
	}
	return p
}

// operand is an r by c matrix of random numbers in the given layout; all that lies between is NaN.
func operand[T Float](l layout, r, c int, rnd *rand.Rand) Mat[T] {
	if l.trans {
		l.trans = false
		return operand[T](l, c, r, rnd).T()
	}
	step := max(l.step, 1)
	m := Mat[T]{Row: c*step + l.gap, Col: step}
	if r > 0 && c > 0 {
		m.Data = make([]T, (r-1)*m.Row+(c-1)*m.Col+1)
	}
	for i := range m.Data {
		m.Data[i] = T(math.NaN())
	}
	for i := range r {
		for j := range c {
			m.Data[i*m.Row+j*m.Col] = T(rnd.Float64()*2 - 1)
		}
	}
	return m
}

// guard is what lies around and between the rows of C, front of them before the first.
const guard, front = 12345.5, 37

// gemm makes the product p, with its C between guards, the whole of which it returns too.
func gemm[T Float](p product, seed uint64) (*Gemm[T], []T) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	g := &Gemm[T]{M: p.m, N: p.n, K: p.k, Alpha: T(p.alpha), Add: p.add,
		A: operand[T](p.a, p.m, p.k, rnd), B: operand[T](p.b, p.k, p.n, rnd)}
	row := p.n + p.gap
	whole := make([]T, front+p.m*row+front)
	for i := range whole {
		whole[i] = guard
	}
	g.C = Mat[T]{Data: whole[front : front+p.m*row], Row: row, Col: 1}
	for i := range p.m {
		for j := range p.n {
			g.C.Data[i*row+j] = T(rnd.Float64())
			if !p.add {
				g.C.Data[i*row+j] = T(math.NaN())
			}
		}
	}
	if p.bias {
		g.Bias = make([]T, p.n)
		for j := range g.Bias {
			g.Bias[j] = T(rnd.Float64()*2 - 1)
		}
	}
	if p.act {
		g.Act = func(row []T) {
			for i, v := range row {
				row[i] = v*v + 1 // not its own inverse: twice is seen
			}
		}
	}
	return g, whole
}

// naive is the product in float64 and, per element, the bound on the rounding of any order of summation in T.
func naive[T Float](g *Gemm[T]) (want, bound []float64) {
	want, bound = make([]float64, g.M*g.N), make([]float64, g.M*g.N)
	alpha := float64(g.Alpha)
	if alpha == 0 {
		alpha = 1
	}
	u := 0x1p-24
	if unsafe.Sizeof(T(0)) == 8 {
		u = 0x1p-53
	}
	for i := range g.M {
		for j := range g.N {
			var s, abs float64
			for k := range g.K {
				v := float64(g.A.Data[i*g.A.Row+k*g.A.Col]) * float64(g.B.Data[k*g.B.Row+j*g.B.Col])
				s += v
				abs += math.Abs(v)
			}
			s, abs = alpha*s, math.Abs(alpha)*abs
			if g.Bias != nil {
				s += float64(g.Bias[j])
				abs += math.Abs(float64(g.Bias[j]))
			}
			if g.Add {
				s += float64(g.C.Data[i*g.C.Row+j])
				abs += math.Abs(float64(g.C.Data[i*g.C.Row+j]))
			}
			e := (4*math.Sqrt(float64(g.K)) + 4) * u * abs
			if g.Act != nil {
				e = 2*math.Abs(s)*e + e*e + 4*u*(s*s+1)
				s = s*s + 1
			}
			want[i*g.N+j], bound[i*g.N+j] = s, e
		}
	}
	return want, bound
}

// check runs product p alone and on pools, and compares it with the naive one and the runs with each other.
func check[T Float](p product, seed uint64, pools []*Pool) error {
	g, first := gemm[T](p, seed)
	want, bound := naive(g)
	g.Serial(0)
	for i, v := range first {
		r, j := -1, 0
		if i >= front && i < len(first)-front {
			r, j = (i-front)/g.C.Row, (i-front)%g.C.Row
		}
		switch {
		case r < 0 || j >= g.N:
			if v != guard {
				return fmt.Errorf("guard %d (row %d, column %d of C) is %v", i, r, j, v)
			}
		case !(math.Abs(float64(v)-want[r*g.N+j]) <= bound[r*g.N+j]):
			return fmt.Errorf("C[%d,%d] = %v, want %v ± %v", r, j, v, want[r*g.N+j], bound[r*g.N+j])
		}
	}
	for _, pool := range pools {
		again, whole := gemm[T](p, seed)
		work := gemmWorkOf[T](pool) // a grid even where Run would call Serial
		work.Gemm = *again
		if p.m > 0 && p.n > 0 {
			work.split(pool.Workers())
			pool.Run(work.down*work.across, work)
		}
		for i := range whole {
			if whole[i] != first[i] {
				return fmt.Errorf("with %d workers element %d is %v, serial it is %v", pool.Workers(), i, whole[i], first[i])
			}
		}
	}
	return nil
}

// eachPath runs f under every path of this machine.
func eachPath(t *testing.T, f func(t *testing.T)) {
	was := Current()
	defer func() { path = was }()
	for _, p := range Paths() {
		if testing.Short() && p != was {
			continue
		}
		if err := Use(p); err != nil {
			t.Fatal(err)
		}
		t.Run(p.String(), f)
	}
}

func TestGemm(t *testing.T) {
	table := products
	if !testing.Short() {
		table = append(table[:len(table):len(table)], bigProducts...)
	}
	eachPath(t, func(t *testing.T) {
		pools := []*Pool{NewPool(2), NewPool(5)}
		for _, p := range table {
			if err := check[float32](p, 1, pools); err != nil {
				t.Errorf("float32 %+v: %v", p, err)
			}
			if err := check[float64](p, 1, pools); err != nil {
				t.Errorf("float64 %+v: %v", p, err)
			}
		}
		for _, p := range pools {
			p.Close()
		}
	})
}

// TestGemmHeights has every height of a strip, at every width of a panel, with and without C and bias, of both dtypes.
func TestGemmHeights(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for m := 1; m <= 16; m++ {
			for n := 1; n <= 33; n++ {
				for flags := range 4 {
					if testing.Short() && (inner(n) || flags%3 == 0) {
						continue
					}
					p := product{m: m, n: n, k: 1 + (m+n)%9, add: flags&1 != 0, bias: flags&2 != 0, a: layout{trans: n%5 == 0}}
					if err := check[float32](p, 1, nil); err != nil {
						t.Errorf("float32 %+v: %v", p, err)
					}
					if err := check[float64](p, 1, nil); err != nil {
						t.Errorf("float64 %+v: %v", p, err)
					}
				}
			}
		}
	})
}

func TestGemmRandom(t *testing.T) {
	rows := uint64(400)
	if testing.Short() {
		rows = 10
	}
	eachPath(t, func(t *testing.T) {
		pool := NewPool(3)
		defer pool.Close()
		for seed := range rows {
			p := random(rand.New(rand.NewPCG(seed, 0)))
			if err := check[float32](p, seed, []*Pool{pool}); err != nil {
				t.Errorf("float32, seed %d, %+v: %v", seed, p, err)
			}
			if err := check[float64](p, seed, []*Pool{pool}); err != nil {
				t.Errorf("float64, seed %d, %+v: %v", seed, p, err)
			}
		}
	})
}

// heads is a batch of small products, as attention has them.
type heads struct{ q, k, s []float32 }

const headDim, headTime = 32, 48

func (h *heads) Part(i, worker int) {
	g := Gemm[float32]{M: headTime, N: headTime, K: headDim, Alpha: 0.5,
		A: Mat[float32]{h.q[i*headDim:], 4 * headDim, 1},
		B: Mat[float32]{h.k[i*headDim:], 1, 4 * headDim},
		C: Mat[float32]{h.s[i*headTime*headTime:], headTime, 1}}
	g.Serial(worker)
}

func TestGemmAllocs(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	q := make([]float32, headTime*4*headDim)
	h := &heads{q, q, make([]float32, 4*headTime*headTime)}
	for _, row := range []struct {
		name string
		f    func()
	}{
		{"Run", func() {
			g := Gemm[float32]{M: 96, N: 96, K: 48, A: Mat[float32]{q, 48, 1}, B: Mat[float32]{q, 1, 48}, C: Mat[float32]{h.s, 96, 1}}
			g.Run(pool)
		}},
		{"Run of a vector", func() {
			g := Gemm[float32]{M: 1, N: 96, K: 48, A: Mat[float32]{q, 48, 1}, B: Mat[float32]{q, 1, 48}, C: Mat[float32]{h.s, 96, 1}}
			g.Run(pool)
		}},
		{"Serial in parts", func() { pool.Run(4, h) }},
	} {
		if a := testing.AllocsPerRun(50, row.f); a != 0 {
			t.Errorf("%s allocates %v times", row.name, a)
		}
	}
}

// TestGemmPools has two pools at work at a time, whose workers have the same numbers.
func TestGemmPools(t *testing.T) {
	done := make(chan error)
	for seed := range uint64(2) {
		go func() {
			pool := NewPool(2)
			defer pool.Close()
			for range 20 {
				if err := check[float32](product{m: 40, n: 50, k: 30, b: colMajor}, seed, []*Pool{pool}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
