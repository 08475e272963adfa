//go:build gpu

package cuda

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/cuda/internal/entry"
	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/ceto-ml/ceto/cuda/internal/link"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
	"gorgonia.org/cu"
)

// Built says whether this binary can use a GPU: it was built with the tag gpu.
const Built = true

// New opens GPU n, the first of which is 0. The error wraps [ErrNoDevice] where there is none that can be used.
func New(n int) (*Device, error) { return openGPU(n, false) }

// Emulated opens an emulated GPU, which runs the same kernels and checks every access. CETO_EMU plants faults and asks
// for records. While one is open there is no other GPU.
func Emulated() (*Device, error) {
	if err := entry.Install(); err != nil {
		return nil, err
	}
	return openGPU(0, true)
}

// openGPU opens a device of the driver that is linked. An emulated one is released where that fails.
func openGPU(n int, emulated bool) (*Device, error) {
	t := newThread()
	drv := &gpu{emulated: emulated}
	err := t.do(func() error { return drv.open(n) })
	var x *Device
	if err == nil {
		x, err = open(t, drv)
	}
	if err != nil {
		_ = t.do(drv.close) // the first error counts
		t.stop()
		if full := (*plan.MemoryError)(nil); errors.As(err, &full) {
			err = errors.WithMessage(err, "cuda: no batch fits")
		}
		return nil, err
	}
	return x, nil
}

// noGPU makes a reason an error that says that there is no GPU.
func noGPU(reason error) error { return errors.Wrap(ErrNoDevice, reason.Error()) }

// cuError gives an error of package cu the name and number of its result.
func cuError(call string, err error) error {
	if err == nil {
		return nil
	}
	if v := reflect.ValueOf(errors.Cause(err)); v.CanInt() {
		err = link.Result(v.Int())
	}
	return errors.Wrap(err, "cuda: "+call)
}

// devices counts the GPUs of the driver.
func devices() (int, error) {
	if err := ext.Open(); err != nil {
		return 0, noGPU(err)
	}
	n, err := cu.NumDevices()
	if err != nil {
		return 0, noGPU(cuError("cuDeviceGetCount", err))
	}
	if n == 0 {
		return 0, noGPU(errors.Errorf("cuda: the driver %s has no GPU; see CUDA_VISIBLE_DEVICES", link.Library()))
	}
	return n, nil
}

// describe asks for what is known of a GPU without a context. The error says why it cannot be used.
func describe(n int) (d cu.Device, a about, err error) {
	if d, err = cu.GetDevice(n); err != nil {
		return d, a, noGPU(cuError("cuDeviceGet", err))
	}
	a.kind = "cuda"
	if a.name, err = d.Name(); err != nil {
		return d, a, noGPU(cuError("cuDeviceGetName", err))
	}
	if v, err := link.Version(); err == nil {
		a.driver = link.VersionString(v)
	}
	total, err := d.TotalMem()
	if err != nil {
		return d, a, noGPU(cuError("cuDeviceTotalMem", err))
	}
	a.total = uint64(total)
	for _, q := range []struct {
		attribute cu.DeviceAttribute
		to        *int
	}{{cu.ComputeCapabilityMajor, &a.capability[0]}, {cu.ComputeCapabilityMinor, &a.capability[1]}} {
		if *q.to, err = d.Attribute(q.attribute); err != nil {
			return d, a, noGPU(cuError("cuDeviceGetAttribute", err))
		}
	}
	if a.capability[0] < MinCapability {
		err = noGPU(errors.Errorf("cuda: GPU %d, %s, has compute capability %d.%d; Ceto needs %d.0 or more",
			n, a.name, a.capability[0], a.capability[1], MinCapability))
	}
	return d, a, err
}

// probe fills what Probe returns.
func (p *Probed) probe() {
	n, err := devices()
	if t := link.Tried(); t != nil {
		p.Tried = t
	}
	if v, err := link.Version(); err == nil {
		p.Driver = link.VersionString(v)
	}
	var reasons []string
	if err != nil {
		reasons = append(reasons, plain(err))
	}
	for i := range n {
		g := probeGPU(i)
		p.Devices = append(p.Devices, g)
		p.Available = p.Available || g.Reason == ""
		if g.Reason != "" && !slices.Contains(reasons, g.Reason) {
			reasons = append(reasons, g.Reason)
		}
	}
	if !p.Available {
		p.Reason = strings.Join(reasons, "; ")
	}
	l := ProbedLib{Name: "cublasLt"}
	l.Path, l.Tried, err = ext.LoadLt()
	if err == nil {
		l.Version = ext.LtVersion()
	} else {
		l.Reason = err.Error()
	}
	p.Libraries = append(p.Libraries, l)
}

// plain is an error without the words that say that it is one of no device.
func plain(err error) string { return strings.TrimSuffix(err.Error(), ": "+ErrNoDevice.Error()) }

// probeGPU describes and measures a GPU. For that it opens a context, which may fail where the GPU is taken.
func probeGPU(n int) GPU {
	t := newThread()
	defer t.stop()
	drv := &gpu{}
	var free uint64
	var r Rates
	var missing error
	err := t.do(func() error {
		err := drv.open(n)
		if err == nil {
			free, err = drv.free()
		}
		if err == nil {
			missing = r.measure(drv)
		}
		return errorsOf(err, drv.close())
	})
	g := GPU{Rates: r, Name: drv.info.name, Capability: fmt.Sprintf("%d.%d", drv.info.capability[0], drv.info.capability[1]),
		BytesTotal: int64(drv.info.total), BytesFree: int64(free)}
	if err != nil {
		g.Reason = plain(err)
	}
	if missing != nil {
		g.Note = missing.Error()
	}
	return g
}

// errorsOf is the first of two errors.
func errorsOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}
