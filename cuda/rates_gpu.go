//go:build gpu

package cuda

import (
	"math/rand/v2"
	"time"
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/ceto-ml/ceto/internal/half"
)

// What is measured.
const (
	rateBytes   = 1 << 30 // of a copy
	rateRounds  = 10      // copies and products
	rateStarts  = 1000    // launches
	rateRows    = 8192    // and columns of the factors
	rateScratch = 32 << 20
)

// nothing is a kernel that does nothing.
const nothing = ".version 8.0\n.target sm_80\n.address_size 64\n\n.visible .entry ceto_nothing()\n{\n\tret;\n}\n"

// measure fills the rates of a GPU. The first error ends it: it says what could not be measured.
func (r *Rates) measure(g *gpu) error {
	for _, f := range []func(*gpu) error{r.copies, r.starts, r.products} {
		if err := f(g); err != nil {
			return err
		}
	}
	return nil
}

// timed returns how long the device takes for n calls of f, after one that does not count.
func (g *gpu) timed(n int, f func() error) (d time.Duration, err error) {
	var at [2]event
	for i := range at {
		if at[i], err = g.event(); err != nil {
			return 0, err
		}
		defer g.drop(at[i])
	}
	err = f()
	err = errorsOf(err, g.record(compute, at[0]))
	for range n {
		err = errorsOf(err, f())
	}
	err = errorsOf(err, g.record(compute, at[1]))
	if err = errorsOf(err, g.wait(at[1])); err != nil {
		return 0, err
	}
	return g.since(at[0], at[1])
}

// with calls f with blocks of memory.
func (g *gpu) with(bytes []int, f func(at []addr) error) (err error) {
	var at []addr
	defer func() {
		for _, a := range at {
			err = errorsOf(err, g.release(a))
		}
	}()
	for _, n := range bytes {
		a, err := g.alloc("rates", n)
		if err != nil {
			return err
		}
		at = append(at, a)
	}
	return f(at)
}

func (r *Rates) copies(g *gpu) error {
	free, err := g.free()
	if err != nil {
		return err
	}
	n := int(min(rateBytes, free/8)) &^ 255
	return g.with([]int{n, n}, func(at []addr) error {
		if err := g.fill(at[0], 0, n/4); err != nil {
			return err
		}
		d, err := g.timed(rateRounds, func() error { return g.move(at[1], at[0], n) })
		if err == nil && d > 0 {
			r.Copy = 2 * float64(n) * rateRounds / float64(d.Nanoseconds())
		}
		return err
	})
}

func (r *Rates) starts(g *gpu) error {
	m, err := ext.Load(nothing)
	if err != nil {
		return err
	}
	defer m.Unload()
	f, err := m.Function("ceto_nothing")
	if err != nil {
		return err
	}
	one := dim{1, 1, 1}
	d, err := g.timed(rateStarts, func() error { return g.launch(f, bound{kernel: "ceto_nothing", grid: one, block: one}) })
	r.Launch = float64(d.Nanoseconds()) / 1e3 / rateStarts
	return err
}

// products measures Aᵀ·B, the form that tensor cores take best, of numbers drawn from [-1, 1).
func (r *Rates) products(g *gpu) error {
	lt, err := ext.OpenLt()
	if err != nil {
		return err
	}
	defer lt.Close()
	l := ext.Layout{Type: ext.BFloat16, Rows: rateRows, Cols: rateRows, LD: rateRows}
	x, err := lt.Prepare(ext.Product{A: l, B: l, C: l, D: l, TransA: true, Compute: ext.Sum32, Epilogue: ext.None, Workspace: rateScratch})
	if err != nil {
		return err
	}
	defer x.Close()
	ways, err := x.Algorithms(1)
	if err != nil || len(ways) == 0 {
		return errorsOf(err, ext.NotSupported)
	}
	const n = 2 * rateRows * rateRows
	return g.with([]int{n, n, n, rateScratch}, func(at []addr) error {
		for _, a := range at[:2] {
			if err := g.randomise(a, n); err != nil {
				return err
			}
		}
		o := ext.Operands{A: uint64(at[0]), B: uint64(at[1]), C: uint64(at[2]), D: uint64(at[2]), Alpha: 1, Workspace: uint64(at[3]), WorkspaceBytes: rateScratch}
		d, err := g.timed(rateRounds, func() error { return x.Run(ways[0], o, g.streams[compute]) })
		if err == nil && d > 0 {
			r.Product = 2 * rateRows * rateRows * rateRows * rateRounds / float64(d.Nanoseconds()) / 1e3
		}
		return err
	})
}

// randomise fills n bytes with bfloat16 from [-1, 1), by copies of one block.
func (g *gpu) randomise(to addr, n int) (err error) {
	b, err := g.pin(stagingBytes)
	if err != nil {
		return err
	}
	defer func() { err = errorsOf(err, g.unpin(b)) }()
	rnd := rand.New(rand.NewPCG(1, 2))
	words := unsafe.Slice((*uint16)(unsafe.Pointer(&b[0])), len(b)/2)
	for i := range words {
		words[i] = half.ToBF16(2*rnd.Float32() - 1)
	}
	for at := 0; at < n; at += len(b) {
		if err := g.copyIn(compute, to+addr(at), b[:min(len(b), n-at)]); err != nil {
			return err
		}
	}
	return g.sync()
}
