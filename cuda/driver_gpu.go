//go:build gpu

package cuda

import (
	"fmt"
	"time"

	"github.com/ceto-ml/ceto/cuda/internal/entry"
	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/ceto-ml/ceto/cuda/internal/link"
	"github.com/pkg/errors"
	"gorgonia.org/cu"
)

// gpu is the driver that the machine has, or the emulated one that stands in for it.
type gpu struct {
	emulated bool
	dev      cu.Device
	held     bool // the primary context
	info     about
	streams  [copying + 1]ext.Stream
	modules  []ext.Module
	shared   map[ext.Function]int // what was set for dynamic shared memory
	lt       *ext.Lt              // nil where there is none
	products []*ext.Prepared

	// What was not given back yet.
	memory map[addr]bool
	pinned map[*byte][]byte
	events map[ext.Event]bool
}

// open takes the primary context of GPU n for this thread and makes the streams. Where it fails, close gives back what
// it has taken.
func (g *gpu) open(n int) error {
	count, err := devices()
	if err != nil {
		return err
	}
	if n >= count {
		return noGPU(errors.Errorf("cuda: there is no GPU %d; the driver has %d", n, count))
	}
	if g.dev, g.info, err = describe(n); err != nil {
		return err
	}
	if g.emulated {
		g.info.kind = "emulated"
	}
	g.shared, g.memory, g.pinned, g.events = map[ext.Function]int{}, map[addr]bool{}, map[*byte][]byte{}, map[ext.Event]bool{}
	ctx, err := g.dev.RetainPrimaryCtx()
	if err != nil {
		return noGPU(cuError("cuDevicePrimaryCtxRetain", err))
	}
	g.held = true
	err = cuError("cuCtxSetCurrent", cu.SetCurrentContext(ctx))
	for i := range g.streams {
		if err == nil {
			g.streams[i], err = ext.NewStream()
		}
	}
	return err
}

// close gives back all that is left. After a call that failed there are no more: what a context held is gone with it.
func (g *gpu) close() (err error) {
	back := func(f func() error) {
		if err == nil {
			err = f()
		}
	}
	for a := range g.memory {
		back(func() error { return g.release(a) })
	}
	for _, b := range g.pinned {
		back(func() error { return g.unpin(b) })
	}
	for e := range g.events {
		back(func() error { return g.drop(e) })
	}
	for _, p := range g.products {
		back(p.Close)
	}
	if g.lt != nil {
		back(g.lt.Close)
	}
	for _, m := range g.modules {
		back(m.Unload)
	}
	for _, s := range g.streams {
		if s != 0 {
			back(s.Destroy)
		}
	}
	if g.held {
		back(func() error { return cuError("cuDevicePrimaryCtxRelease", g.dev.ReleasePrimaryCtx()) })
	}
	g.modules, g.streams, g.held, g.products, g.lt = nil, [copying + 1]ext.Stream{}, false, nil, nil
	if g.emulated {
		err = errorsOf(err, entry.Release())
	}
	return err
}

// fault is an error with what the emulated GPU knows of it: who touched what, or why a call was refused.
func (g *gpu) fault(err error) error {
	if err == nil || !g.emulated {
		return err
	}
	f := entry.Fault()
	if f == nil {
		f = entry.Refused()
	}
	if f == nil {
		return err
	}
	return said{error: errors.WithMessage(f, err.Error()), by: err}
}

// said is an error with what the emulated GPU says of it. errors.Is and errors.As find both.
type said struct {
	error
	by error
}

// Unwrap returns the error of the GPU and that of the call.
func (s said) Unwrap() []error { return []error{s.error, s.by} }

func (g *gpu) about() about { return g.info }

func (g *gpu) free() (uint64, error) {
	n, _, err := cu.MemInfo()
	return uint64(n), cuError("cuMemGetInfo", err)
}

func (g *gpu) alloc(name string, n int) (addr, error) {
	p, err := cu.MemAlloc(int64(n))
	if err != nil {
		return 0, g.fault(cuError("cuMemAlloc", err))
	}
	if g.emulated {
		entry.Name(uint64(p), name)
	}
	g.memory[addr(p)] = true
	return addr(p), nil
}

func (g *gpu) release(a addr) error {
	delete(g.memory, a)
	return cuError("cuMemFree", cu.MemFree(cu.DevicePtr(a)))
}

func (g *gpu) pin(n int) ([]byte, error) {
	b, err := ext.Pin(n)
	if err == nil {
		g.pinned[&b[0]] = b
	}
	return b, err
}

func (g *gpu) unpin(b []byte) error {
	delete(g.pinned, &b[0])
	return ext.Unpin(b)
}

func (g *gpu) load(ptx string) error {
	m, err := ext.Load(ptx)
	if err != nil {
		return g.fault(err)
	}
	g.modules = append(g.modules, m)
	return nil
}

func (g *gpu) find(kernel string) (function, error) {
	for _, m := range g.modules {
		if f, err := m.Function(kernel); err == nil || !errors.Is(err, link.NotFound) {
			return f, g.fault(err)
		}
	}
	return nil, errors.Errorf("cuda: no kernel %s", kernel)
}

// usualShared is the dynamic shared memory that needs no attribute.
const usualShared = 48 << 10

func (g *gpu) launch(f function, l bound) error {
	fn, ok := f.(ext.Function)
	if !ok {
		return errors.Errorf("cuda: %T is no kernel", f)
	}
	if l.shared > usualShared && l.shared > g.shared[fn] {
		if err := fn.Set(ext.MaxDynamicShared, l.shared); err != nil {
			return err
		}
		g.shared[fn] = l.shared
	}
	if g.emulated {
		entry.Annotate(emulatedRanges(l.ranges), l.what)
	}
	return g.fault(fn.Launch(extent(l.grid), extent(l.block), l.shared, g.streams[compute], l.params, l.offsets))
}

// library opens cuBLASLt where there is one that works.
func (g *gpu) library() string {
	lt, err := ext.OpenLt()
	if err != nil {
		return ""
	}
	g.lt = lt
	return fmt.Sprintf("cublasLt %d", ext.LtVersion())
}

func (g *gpu) prepare(p ext.Product) (prepared, error) {
	q, err := g.lt.Prepare(p)
	if err != nil {
		return nil, g.fault(err)
	}
	g.products = append(g.products, q)
	return q, nil
}

// known calls f with a product of this driver.
func (g *gpu) known(q prepared, f func(*ext.Prepared) error) error {
	p, ok := q.(*ext.Prepared)
	if !ok {
		return errors.Errorf("cuda: %T is no product", q)
	}
	return g.fault(f(p))
}

func (g *gpu) algorithms(q prepared, n int) (list []ext.Algorithm, err error) {
	err = g.known(q, func(p *ext.Prepared) (err error) {
		list, err = p.Algorithms(n)
		return err
	})
	return list, err
}

func (g *gpu) multiply(q prepared, l bound) error {
	if g.emulated {
		entry.Annotate(emulatedRanges(l.ranges), l.what)
	}
	return g.known(q, func(p *ext.Prepared) error { return p.Run(l.product.algorithm, l.product.operands, g.streams[compute]) })
}

func extent(d dim) [3]uint32 { return [3]uint32{uint32(d.x), uint32(d.y), uint32(d.z)} }

func (g *gpu) fill(to addr, word uint32, words int) error {
	return g.fault(ext.Set32(uint64(to), word, words, g.streams[compute]))
}

func (g *gpu) move(to, from addr, n int) error {
	return g.fault(ext.Copy(uint64(to), uint64(from), n, g.streams[compute]))
}

func (g *gpu) copyIn(s stream, to addr, from []byte) error {
	return g.fault(ext.CopyIn(uint64(to), from, g.streams[s]))
}

func (g *gpu) copyOut(s stream, to []byte, from addr) error {
	return g.fault(ext.CopyOut(to, uint64(from), g.streams[s]))
}

func (g *gpu) event() (event, error) {
	e, err := ext.NewEvent(true)
	if err == nil {
		g.events[e] = true
	}
	return e, err
}

// on calls f with an event of this driver.
func (g *gpu) on(e event, f func(ext.Event) error) error {
	x, ok := e.(ext.Event)
	if !ok {
		return errors.Errorf("cuda: %T is no event", e)
	}
	return g.fault(f(x))
}

func (g *gpu) drop(e event) error {
	return g.on(e, func(x ext.Event) error {
		delete(g.events, x)
		return x.Destroy()
	})
}

func (g *gpu) wait(e event) error { return g.on(e, ext.Event.Sync) }

func (g *gpu) record(s stream, e event) error {
	return g.on(e, func(x ext.Event) error { return x.Record(g.streams[s]) })
}

func (g *gpu) await(s stream, e event) error { return g.on(e, g.streams[s].Await) }

func (g *gpu) sync() error { return g.fault(cuError("cuCtxSynchronize", cu.Synchronize())) }

func (g *gpu) since(from, to event) (d time.Duration, err error) {
	err = g.on(to, func(end ext.Event) error {
		return g.on(from, func(start ext.Event) (err error) {
			d, err = end.Since(start)
			return err
		})
	})
	return d, err
}

func (g *gpu) mark(text string) {
	if g.emulated {
		entry.Mark(text)
	}
}
