package cuda

import (
	"time"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/pkg/errors"
)

// direct is a driver that runs everything at once on an emulated GPU, in plain Go. With it kernels and executor are
// tested without a C compiler. The emulated GPU of the program stands behind the bindings instead, with streams that
// are late.
type direct struct {
	dev     *emu.Device
	modules []*emu.Module
	pins    int
	lt      *directLt // nil where there is no library
}

func newDirect(o emu.Options) *direct { return &direct{dev: emu.New(o)} }

func (d *direct) about() about {
	return about{kind: "emulated", name: "emulated", capability: [2]int{9, 0}, total: 1 << 30}
}

func (d *direct) free() (uint64, error) {
	_, n := d.dev.Allocations()
	return 1<<30 - uint64(n), nil
}

func (d *direct) alloc(name string, n int) (addr, error) {
	p, err := d.dev.Alloc(n)
	if err != nil {
		return 0, err
	}
	return addr(p), d.dev.Name(p, name)
}

func (d *direct) release(a addr) error { return d.dev.Free(emu.Ptr(a)) }

func (d *direct) pin(n int) ([]byte, error) {
	d.pins++
	return make([]byte, n), nil
}

func (d *direct) unpin([]byte) error {
	d.pins--
	return nil
}

func (d *direct) load(ptx string) error {
	m, err := d.dev.Load(ptx)
	d.modules = append(d.modules, m)
	return err
}

func (d *direct) find(kernel string) (function, error) {
	for _, m := range d.modules {
		if k, err := m.Kernel(kernel); err == nil {
			return k, nil
		}
	}
	return nil, errors.Errorf("no kernel %s", kernel)
}

func (d *direct) launch(f function, l bound) error {
	k, ok := f.(*emu.Kernel)
	if !ok {
		return errors.Errorf("%T is no kernel", f)
	}
	_, err := d.dev.Launch(emu.Launch{Kernel: k, Grid: emu.Dim{X: l.grid.x, Y: l.grid.y, Z: l.grid.z},
		Block: emu.Dim{X: l.block.x, Y: l.block.y, Z: l.block.z}, Shared: l.shared, Params: l.params, What: l.what, Ranges: emulatedRanges(l.ranges)})
	return err
}

func (d *direct) fill(to addr, word uint32, n int) error       { return d.dev.Fill(emu.Ptr(to), word, n) }
func (d *direct) move(to, from addr, n int) error              { return d.dev.Copy(emu.Ptr(to), emu.Ptr(from), n) }
func (d *direct) copyIn(_ stream, to addr, from []byte) error  { return d.dev.Write(emu.Ptr(to), from) }
func (d *direct) copyOut(_ stream, to []byte, from addr) error { return d.dev.Read(to, emu.Ptr(from)) }
func (d *direct) event() (event, error)                        { return new(int), nil }
func (d *direct) drop(event) error                             { return nil }
func (d *direct) record(stream, event) error                   { return nil }
func (d *direct) await(stream, event) error                    { return nil }
func (d *direct) wait(event) error                             { return nil }
func (d *direct) sync() error                                  { return nil }
func (d *direct) since(_, _ event) (time.Duration, error)      { return time.Microsecond, nil }
func (d *direct) mark(string)                                  {}
func (d *direct) close() error                                 { return nil }
