package cuda

import (
	"runtime"

	"github.com/ceto-ml/ceto/cuda/internal/link"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// A thread runs what touches the driver, one thing at a time: a context belongs to a thread of the operating system.
type thread struct {
	jobs chan func()
	done chan struct{}
}

func newThread() *thread {
	t := &thread{jobs: make(chan func()), done: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range t.jobs {
			f()
			t.done <- struct{}{}
		}
	}()
	return t
}

// do runs f on the thread and returns its error.
func (t *thread) do(f func() error) (err error) {
	t.jobs <- func() { err = f() }
	<-t.done
	return err
}

func (t *thread) stop() { close(t.jobs) }

// stagingBytes is the size of the pinned memory through which values of any size go in and out.
const stagingBytes = 4 << 20

// write copies host memory to the device and waits.
func (x *Device) write(to addr, from []byte) error {
	for len(from) > 0 {
		n := copy(x.staging, from)
		if err := x.drv.copyIn(compute, to, x.staging[:n]); err != nil {
			return err
		}
		if err := x.drv.sync(); err != nil {
			return err
		}
		to, from = to+addr(n), from[n:]
	}
	return nil
}

// read copies device memory to the host, behind all work before it.
func (x *Device) read(to []byte, from addr) error {
	for len(to) > 0 {
		n := min(len(to), len(x.staging))
		if err := x.drv.copyOut(compute, x.staging[:n], from); err != nil {
			return err
		}
		if err := x.drv.sync(); err != nil {
			return err
		}
		copy(to, x.staging[:n])
		from, to = from+addr(n), to[n:]
	}
	return nil
}

// alloc allocates n bytes, at least one word.
func (x *Device) alloc(name string, n int) (addr, error) {
	n = (max(n, 4) + 3) / 4 * 4
	a, err := x.drv.alloc(name, n)
	if err != nil {
		return 0, noMemory(name, n, err)
	}
	x.held[a] = n
	return a, nil
}

// noMemory is the error of an allocation.
func noMemory(name string, n int, err error) error {
	if !errors.Is(err, link.OutOfMemory) {
		return errors.Wrapf(err, "cuda: %d bytes for %s", n, name)
	}
	return errors.Wrap(&plan.MemoryError{Region: name, Bytes: n, Err: err}, "cuda")
}

// pin allocates pinned memory of the host.
func (x *Device) pin(name string, n int) ([]byte, error) {
	b, err := x.drv.pin(n)
	if err != nil {
		return nil, noMemory(name, n, err)
	}
	return b, nil
}

// allocZero is alloc of zeroed memory.
func (x *Device) allocZero(name string, n int) (addr, error) {
	a, err := x.alloc(name, n)
	if err == nil {
		err = x.drv.fill(a, 0, x.held[a]/4)
	}
	return a, err
}

// release gives memory back; address 0 is none. After the device is lost nothing can be given back, and the error of
// that is known already.
func (x *Device) release(list ...addr) (err error) {
	for _, a := range list {
		if _, ok := x.held[a]; !ok {
			continue
		}
		delete(x.held, a)
		if e := x.drv.release(a); err == nil {
			err = e
		}
	}
	return err
}
