package driver

import (
	"maps"
	"slices"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/pkg/errors"
)

// A function is a kernel of a module.
type function struct {
	module   uint64
	name     string
	kernel   *emu.Kernel
	shared   int // what the attribute allows of dynamic shared memory; 0: the usual
	carveout int // percent of the cache for shared memory, -1 for the usual
}

// ModuleLoadData is cuModuleLoadData of a PTX text. [Driver.LastFault] has what the text does wrong.
func (d *Driver) ModuleLoadData(ptx string) (uint64, Result) {
	if r := d.work("cuModuleLoadData", "bytes", len(ptx)); r != Success {
		return 0, r
	}
	m, err := d.dev.Load(ptx)
	if err != nil {
		if d.last = err; d.fault == nil {
			d.fault = err
		}
		return 0, InvalidPTX
	}
	h := d.handle()
	d.modules[h] = m
	return h, Success
}

// ModuleUnload is cuModuleUnload. Its functions are gone with it.
func (d *Driver) ModuleUnload(m uint64) Result {
	if r := d.back("cuModuleUnload", "module", m); r != Success {
		return r
	}
	mod, ok := d.modules[m]
	if !ok {
		return d.badHandle(m, "a module")
	}
	d.all()
	mod.Unload()
	delete(d.modules, m)
	maps.DeleteFunc(d.functions, func(_ uint64, f *function) bool { return f.module == m })
	return Success
}

// ModuleGetFunction is cuModuleGetFunction.
func (d *Driver) ModuleGetFunction(m uint64, name string) (uint64, Result) {
	if r := d.work("cuModuleGetFunction", "module", m, "kernel", name); r != Success {
		return 0, r
	}
	mod, ok := d.modules[m]
	if !ok {
		return 0, d.badHandle(m, "a module")
	}
	k, err := mod.Kernel(name)
	if err != nil {
		d.last = err
		return 0, NotFound
	}
	h := d.handle()
	d.functions[h] = &function{module: m, name: name, kernel: k, carveout: -1}
	return h, Success
}

// The attributes of a function, by the numbers of cuda.h.
const (
	funcDynamicShared = 8
	funcCarveout      = 9
)

// funcAttributes are those that can be read. Registers and local memory are not known of PTX: 0.
var funcAttributes = map[int]func(d *Driver, f *function) int{
	0: func(*Driver, *function) int { return attributes[attrThreads] },
	1: func(_ *Driver, f *function) int { return f.kernel.Shared() },
	2: func(*Driver, *function) int { return 0 },
	3: func(*Driver, *function) int { return 0 },
	4: func(*Driver, *function) int { return 0 },
	5: func(d *Driver, _ *function) int { return 10*d.o.Capability[0] + d.o.Capability[1] },
	6: func(d *Driver, _ *function) int { return 10*d.o.Capability[0] + d.o.Capability[1] },
	7: func(*Driver, *function) int { return 0 },
	funcDynamicShared: func(_ *Driver, f *function) int {
		if f.shared > 0 {
			return f.shared
		}
		return attributes[attrShared] - f.kernel.Shared()
	},
	funcCarveout: func(_ *Driver, f *function) int { return f.carveout },
}

// FuncGetAttribute is cuFuncGetAttribute.
func (d *Driver) FuncGetAttribute(f uint64, attribute int) (int, Result) {
	if r := d.work("cuFuncGetAttribute", "function", f, "attribute", attribute); r != Success {
		return 0, r
	}
	fn, ok := d.functions[f]
	get, known := funcAttributes[attribute]
	switch {
	case !ok:
		return 0, d.badHandle(f, "a function")
	case !known:
		return 0, d.refuse(InvalidValue, "attribute %d of a function", attribute)
	}
	return get(d, fn), Success
}

// FuncSetAttribute is cuFuncSetAttribute.
func (d *Driver) FuncSetAttribute(f uint64, attribute, value int) Result {
	if r := d.work("cuFuncSetAttribute", "function", f, "attribute", attribute, "value", value); r != Success {
		return r
	}
	fn, ok := d.functions[f]
	switch {
	case !ok:
		return d.badHandle(f, "a function")
	case attribute == funcDynamicShared && value >= 0 && value+fn.kernel.Shared() <= attributes[attrSharedOptin]:
		fn.shared = value
	case attribute == funcCarveout && value >= -1 && value <= 100:
		fn.carveout = value
	default:
		return d.refuse(InvalidValue, "kernel %s: attribute %d of %d", fn.name, attribute, value)
	}
	return Success
}

// Params are the parameters of a function: where each lies in what [Driver.LaunchKernel] takes.
func (d *Driver) Params(f uint64) ([]emu.Param, Result) {
	fn, ok := d.functions[f]
	if !ok {
		return nil, d.badHandle(f, "a function")
	}
	return fn.kernel.Params(), Success
}

// Annotate says what the next launch or product may touch, and who asks for it. Only an emulated GPU can be told.
func (d *Driver) Annotate(ranges []emu.Range, what string) { d.ranges, d.what = ranges, what }

// annotation takes what Annotate said.
func (d *Driver) annotation() (ranges []emu.Range, what string) {
	ranges, what = slices.Clone(d.ranges), d.what
	d.ranges, d.what = nil, ""
	return ranges, what
}

// start counts n launches. The one that CETO_EMU names fails, and all work after it.
func (d *Driver) start(n int, what string) Result {
	before := d.starts
	d.starts += n
	if f := d.set.FailLaunch; before < f && f <= d.starts {
		d.last = errors.Errorf("emu: launch %d, %s: fails, as CETO_EMU asks", f, what)
		if d.fault == nil {
			d.fault = d.last
		}
		d.sticky = LaunchFailed
		return LaunchFailed
	}
	return Success
}

// launches puts a launch into a stream. One that is captured counts when its graph is launched.
func (d *Driver) launches(id uint64, what string, run func() error) (*job, Result) {
	s := d.streams[id]
	if s == nil {
		return nil, d.badHandle(id, "a stream")
	}
	if s.capture != nil {
		s.capture.starts++
	} else if r := d.start(1, what); r != Success {
		return nil, r
	}
	return d.add(id, run)
}

// LaunchKernel is cuLaunchKernel. params has the parameters as [Driver.Params] lays them out.
func (d *Driver) LaunchKernel(f uint64, grid, block emu.Dim, shared int, id uint64, params []byte) Result {
	fn, ok := d.functions[f]
	name := "?"
	if ok {
		name = fn.name
	}
	l := emu.Launch{Grid: grid, Block: block, Shared: shared, Params: slices.Clone(params)}
	l.Ranges, l.What = d.annotation()
	if r := d.work("cuLaunchKernel", "kernel", name, "grid", grid, "block", block, "shared", shared, "stream", id); r != Success {
		return r
	}
	if !ok {
		return d.badHandle(f, "a function")
	}
	l.Kernel, l.MaxShared = fn.kernel, fn.shared
	what := "kernel " + name
	if l.What != "" {
		what += " (" + l.What + ")"
	}
	_, r := d.launches(id, what, func() error { return d.launch(name, l) })
	return r
}

// launch runs a kernel and counts.
func (d *Driver) launch(name string, l emu.Launch) error {
	s, err := d.dev.Launch(l)
	d.count(name, s)
	d.now += float64(s.Instructions) / 1e6
	return errors.WithMessage(err, "emulated GPU")
}
