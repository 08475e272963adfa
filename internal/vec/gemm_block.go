package vec

import (
	"sync/atomic"
	"unsafe"
)

// A tile is what a kernel computes: strips of rows of A against one panel of B. Steps are in bytes.
type tile struct {
	a, b, c     unsafe.Pointer
	bias, alpha unsafe.Pointer // of this panel, or nil; of one element
	m, n, k     int            // rows, columns ≤ nr, depth
	ar, ac, as  int            // from one row, one column, one strip of A to the next
	br, cr      int            // from one row of B, of C to the next
	add         int            // 1 to add what C holds
}

// A kernel is a loop over a tile: strips of mr rows, panels of nr columns.
type kernel[T Float] struct {
	mr, nr int
	run    func(t *tile)
	depth  int // the most rows of B in a panel, so that it stays in the nearest cache
	// runs packs full panels of B and strips of A from contiguous rows and columns, as packRuns does; nil where there
	// is no such loop.
	runs func(dst, src unsafe.Pointer, k, ld, n, step, bytes int)
	// columns packs 8 columns of B, each contiguous, as packColumns does; nil where there is no such loop.
	columns func(dst, src unsafe.Pointer, k8, ld, step int)
	// rows and dots are a vector times B with contiguous rows, and with contiguous columns.
	rows, dots func(y, x, b unsafe.Pointer, n, k, ld int)
}

// The sizes of blocks: N is cut into pieces of at most width columns. M is cut into pieces of about height rows, so
// that a block of A stays in the second cache.
const (
	width  = 768
	height = 144
	pad    = 16 // between packed rows of A, so that they fall into different sets of the cache
)

// rowsStep and dotsStep are the least widths, in columns, that a vector times a matrix is cut into. rowsStep is for
// contiguous rows, of which a piece should be worth fetching, and dotsStep for contiguous columns.
const (
	rowsStep = 128
	dotsStep = 32
)

// A workspace is the memory a worker packs into.
type workspace[T Float] struct {
	a, b  []T
	tile  tile
	alpha T
}

// spaces are the workspaces by worker. One is taken while it is in use, so another pool's worker of the same number
// gets a new one.
var spaces struct {
	f32 [64]atomic.Pointer[workspace[float32]]
	f64 [64]atomic.Pointer[workspace[float64]]
}

// slot is where the workspace of worker w waits.
func slot[T Float](w int) *atomic.Pointer[workspace[T]] {
	w &= len(spaces.f32) - 1
	if s, ok := any(&spaces.f32[w]).(*atomic.Pointer[workspace[T]]); ok {
		return s
	}
	return any(&spaces.f64[w]).(*atomic.Pointer[workspace[T]])
}

func take[T Float](w int) *workspace[T] {
	if ws := slot[T](w).Swap(nil); ws != nil {
		return ws
	}
	return new(workspace[T])
}

func (ws *workspace[T]) give(w int) {
	ws.tile = tile{}
	slot[T](w).Store(ws)
}

// grow is buf with room for n elements from an address that is a multiple of 64.
func grow[T Float](buf []T, n int) []T {
	if len(buf) >= n {
		return buf
	}
	size := int(unsafe.Sizeof(T(0)))
	buf = make([]T, n+64/size)
	off := int(-uintptr(unsafe.Pointer(&buf[0]))&63) / size
	return buf[off : off+n]
}

// block computes rows i0 to i1 and columns j0 to j1 of g.
func (ws *workspace[T]) block(g *Gemm[T], i0, i1, j0, j1 int) {
	if i0 >= i1 || j0 >= j1 {
		return
	}
	k := gemmKernel[T]()
	ws.alpha = g.Alpha
	if ws.alpha == 0 {
		ws.alpha = 1
	}
	if g.M == 1 && ws.vector(k, g, j0, j1) {
		return
	}
	size := int(unsafe.Sizeof(T(0)))
	kc := even(g.K, max(1, ceil(g.K, k.depth)), 8)
	nc := even(j1-j0, ceil(j1-j0, width), k.nr)
	t := &ws.tile
	t.alpha, t.cr = unsafe.Pointer(&ws.alpha), g.C.Row*size
	for j := j0; j < j1; j += nc {
		j2 := min(j+nc, j1)
		for p := 0; p < max(g.K, 1); p += kc {
			t.k = min(kc, g.K-p)
			t.add = 0
			if g.Add || p > 0 {
				t.add = 1
			}
			ws.layer(k, g, i0, i1, j, j2, p)
		}
	}
}

// layer adds rows p to p+t.k of B, columns j0 to j1, times those columns of A to rows i0 to i1 of C.
func (ws *workspace[T]) layer(k *kernel[T], g *Gemm[T], i0, i1, j0, j1, p int) {
	t := &ws.tile
	panels := ceil(j1-j0, k.nr)
	direct := ws.packB(k, g, i1-i0, p, j0, j1)
	mc := even(i1-i0, ceil(i1-i0, height), k.mr)
	for i := i0; i < i1; i += mc {
		t.m = min(mc, i1-i)
		ws.packA(k, g, i, p, panels)
		for q := range panels {
			j := j0 + q*k.nr
			ws.panel(k, g, q, direct && j+k.nr <= j1, p, j)
			t.n = min(k.nr, j1-j)
			t.c = g.C.at(i, j)
			k.run(t)
		}
		if g.Act != nil && p+t.k >= g.K {
			for r := i; r < i+t.m; r++ {
				g.Act(g.C.Data[r*g.C.Row+j0 : r*g.C.Row+j1])
			}
		}
	}
}

// panel points the tile at panel q of B, which begins at column j, and at its bias in the first layer.
func (ws *workspace[T]) panel(k *kernel[T], g *Gemm[T], q int, direct bool, p, j int) {
	t := &ws.tile
	size := int(unsafe.Sizeof(T(0)))
	t.bias = nil
	if p == 0 && g.Bias != nil {
		t.bias = unsafe.Pointer(&g.Bias[j])
	}
	switch {
	case t.k == 0:
	case direct:
		t.b, t.br = g.B.at(p, j), g.B.Row*size
	default:
		t.b, t.br = unsafe.Pointer(&ws.b[q*t.k*k.nr]), k.nr*size
	}
}
