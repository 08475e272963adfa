package cuda

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// ErrNoDevice says that there is no GPU to run on; the error around it says why.
var ErrNoDevice = errors.New("cuda: no device")

// Device is a plan.Executor on a GPU. It is for one goroutine at a time.
type Device struct {
	*thread
	drv     driver
	info    about
	params  map[string][]param // of all kernels
	kernels map[string]function
	staging []byte
	held    map[addr]int // allocations, with their bytes
	chosen  choices
	// products are those that the library knows.
	products map[ext.Product]prepared
	closed   bool
	poison   bool // for tests: memory of a run holds NaN before it is written
}

// open makes an executor on a driver, whose calls belong to t.
func open(t *thread, drv driver) (x *Device, err error) {
	x = &Device{thread: t, drv: drv, params: map[string][]param{}, kernels: map[string]function{}, held: map[addr]int{},
		products: map[ext.Product]prepared{}}
	err = t.do(func() error {
		x.info = drv.about()
		x.chosen = choices{GPU: x.info.name, Capability: fmt.Sprintf("%d.%d", x.info.capability[0], x.info.capability[1]),
			Driver: x.info.driver, Library: drv.library(), Products: map[string]way{}}
		modules, err := ptxModules()
		if err != nil {
			return err
		}
		for _, file := range slices.Sorted(maps.Keys(modules)) { // in one order, so that calls have the same numbers in every run
			ptx := modules[file]
			if err := drv.load(ptx); err != nil {
				return errors.Wrapf(err, "cuda: %s", file)
			}
			for name, p := range kernelParams(ptx) {
				x.params[name] = p
			}
		}
		x.staging, err = x.pin("staging", stagingBytes)
		return err
	})
	return x, err
}

// Device implements plan.Executor.
func (x *Device) Device() plan.Device {
	d := plan.Device{Kind: x.info.kind, Name: x.info.name, Total: x.info.total}
	if x.closed {
		return d
	}
	_ = x.do(func() (err error) { // 0: not known
		d.Free, err = x.drv.free()
		return err
	})
	return d
}

// Peak implements plan.Executor. The rate is not known.
func (x *Device) Peak(time.Duration) float64 { return 0 }

// Options implements plan.Executor.
func (x *Device) Options() plan.Options { return options(x.planned) }

// options are those of a device that gives products their ways.
func options(choose chooser) plan.Options {
	return plan.Options{
		Supports: func(op graph.Op, in []graph.Meta) error {
			_, err := dry(op, in, choose, false)
			return err
		},
		Scratch: func(op graph.Op, in []graph.Meta, guarded bool) int {
			b, err := dry(op, in, choose, guarded)
			if err != nil {
				return 0 // Supports reports it
			}
			return b.scratch
		},
	}
}

// open is ErrClosed after Close.
func (x *Device) open() error {
	if x.closed {
		return errors.Wrap(plan.ErrClosed, "cuda")
	}
	return nil
}

// Close implements plan.Executor.
func (x *Device) Close() error {
	if x.closed {
		return nil
	}
	x.closed = true
	defer x.stop()
	return x.do(func() error {
		err := x.drv.unpin(x.staging)
		if e := x.drv.close(); err == nil {
			err = e
		}
		return err
	})
}

// function returns a kernel.
func (x *Device) function(name string) (function, error) {
	if f, ok := x.kernels[name]; ok {
		return f, nil
	}
	f, err := x.drv.find(name)
	if err == nil {
		x.kernels[name] = f
	}
	return f, err
}
