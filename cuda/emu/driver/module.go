package driver

import (
	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/pkg/errors"
)

// A function is a kernel of a module.
type function struct {
	name   string
	kernel *emu.Kernel
	shared int // what the attribute allows of dynamic shared memory; 0: the usual
}

// ModuleLoadData is cuModuleLoadData of a PTX text.
func (d *Driver) ModuleLoadData(ptx string) (uint64, Result) {
	if r := d.begin("cuModuleLoadData", len(ptx)); r != Success {
		return 0, r
	}
	m, err := d.dev.Load(ptx)
	if err != nil {
		d.fault = err
		return 0, InvalidPTX
	}
	h := d.handle()
	d.modules[h] = m
	return h, Success
}

// ModuleUnload is cuModuleUnload.
func (d *Driver) ModuleUnload(m uint64) Result {
	if r := d.begin("cuModuleUnload", m); r != Success {
		return r
	}
	if _, ok := d.modules[m]; !ok {
		return InvalidHandle
	}
	delete(d.modules, m)
	return Success
}

// ModuleGetFunction is cuModuleGetFunction.
func (d *Driver) ModuleGetFunction(m uint64, name string) (uint64, Result) {
	if r := d.begin("cuModuleGetFunction", name); r != Success {
		return 0, r
	}
	mod, ok := d.modules[m]
	if !ok {
		return 0, InvalidHandle
	}
	k, err := mod.Kernel(name)
	if err != nil {
		return 0, NotFound
	}
	h := d.handle()
	d.functions[h] = &function{name: name, kernel: k}
	return h, Success
}

// maxDynamicShared is the attribute CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES.
const maxDynamicShared = 8

// FuncSetAttribute is cuFuncSetAttribute.
func (d *Driver) FuncSetAttribute(f uint64, attribute, value int) Result {
	if r := d.begin("cuFuncSetAttribute", attribute, value); r != Success {
		return r
	}
	fn, ok := d.functions[f]
	switch {
	case !ok:
		return InvalidHandle
	case attribute == maxDynamicShared && (value < 0 || value > attributes[97]):
		return InvalidValue
	case attribute == maxDynamicShared:
		fn.shared = value
	}
	return Success
}

// Params are the parameters of a function: where each lies in what [Driver.LaunchKernel] takes.
func (d *Driver) Params(f uint64) ([]emu.Param, Result) {
	fn, ok := d.functions[f]
	if !ok {
		return nil, InvalidHandle
	}
	return fn.kernel.Params(), Success
}

// Annotate says what the next launch may touch, and who asks for it. Only an emulated GPU can be told.
func (d *Driver) Annotate(ranges []emu.Range, what string) { d.ranges, d.what = ranges, what }

// LaunchKernel is cuLaunchKernel. params has the parameters as [Driver.Params] lays them out.
func (d *Driver) LaunchKernel(f uint64, grid, block emu.Dim, shared int, id uint64, params []byte) Result {
	fn, ok := d.functions[f]
	name := ""
	if ok {
		name = fn.name
	}
	l := emu.Launch{Grid: grid, Block: block, Shared: shared, Params: append([]byte(nil), params...), What: d.what, Ranges: d.ranges}
	d.ranges, d.what = nil, ""
	if r := d.work("cuLaunchKernel", name, grid, block); r != Success {
		return r
	}
	if !ok {
		return InvalidHandle
	}
	l.Kernel, l.MaxShared = fn.kernel, fn.shared
	if d.starts++; d.set.FailLaunch == d.starts {
		return LaunchFailed
	}
	return d.add(id, job{run: func() error { return d.launch(name, l) }})
}

// launch runs a kernel and counts.
func (d *Driver) launch(name string, l emu.Launch) error {
	s, err := d.dev.Launch(l)
	k := d.stats[name]
	if k == nil {
		k = &kernelStats{}
		d.stats[name] = k
	}
	k.add(s)
	d.now += float64(s.Instructions) / 1e6
	return errors.WithMessage(err, "emulated GPU")
}
