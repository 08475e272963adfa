package emu

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// Module is a loaded PTX text.
type Module struct {
	d       *Device
	source  *text
	kernels map[string]*Kernel
	symbols map[string]uint64 // addresses of variables
	shared  map[string]variable
	statics *alloc // nil where the module has no variables
}

// Param is a parameter of a kernel: Bytes at Offset of the parameter memory.
type Param struct {
	Name          string
	Offset, Bytes int
}

// Kernel is an entry point of a module.
type Kernel struct {
	m         *Module
	name      string
	params    []Param
	bytes     int // of the parameters
	limit     Dim
	exact     bool
	registers int // of a thread, 0 where that is not known
	code      *code
	idle      []*block // that the last launch left
}

// Load reads a PTX text. An unknown opcode, or a version above [Newest], is an error with its line.
func (d *Device) Load(ptx string) (*Module, error) {
	t, err := parse(ptx)
	if err != nil {
		return nil, err
	}
	m := &Module{d: d, source: t, kernels: map[string]*Kernel{}, symbols: map[string]uint64{}, shared: map[string]variable{}}
	if err := m.place(); err != nil {
		return nil, err
	}
	for _, f := range t.order {
		c, err := link(m, f)
		if err == nil && f.entry {
			err = m.entry(f, c)
		}
		if err != nil {
			m.Unload()
			return nil, err
		}
	}
	return m, nil
}

// Unload gives back the memory of the module's variables.
func (m *Module) Unload() {
	m.d.allocs = slices.DeleteFunc(m.d.allocs, func(a *alloc) bool { return a == m.statics })
}

// place gives the variables of the module their memory.
func (m *Module) place() error {
	n, image := 0, []byte(nil)
	for _, v := range m.source.vars {
		if v.space == "shared" {
			m.shared[v.name] = v
			continue
		}
		n = roundUp(n, v.align)
		m.symbols[v.name] = uint64(n)
		n += v.bytes
		if free := m.d.o.Bytes - m.d.bytes; int64(n) > free {
			return errors.Wrapf(ErrMemory, "line %d: the variables of the module take %d bytes, %d are free", v.line, n, free)
		}
		image = append(image, make([]byte, n-len(image))...)
		copy(image[n-v.bytes:], v.init)
	}
	if n == 0 {
		return nil
	}
	m.statics = m.d.reserve(n)
	m.statics.name, m.statics.static = "variables of the module", true
	copy(m.statics.data, image)
	mark(m.statics.shadow, 1) // what has no value in the text is 0
	for name, off := range m.symbols {
		m.symbols[name] = uint64(m.statics.ptr) + off
	}
	return nil
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// entry adds a kernel.
func (m *Module) entry(f *fn, c *code) error {
	k := &Kernel{m: m, name: f.name, limit: f.limit, exact: f.exact, code: c}
	for _, v := range f.params {
		k.bytes = roundUp(k.bytes, v.align)
		k.params = append(k.params, Param{v.name, k.bytes, v.bytes})
		k.bytes += v.bytes
	}
	if k.bytes > 4096 {
		return errors.Errorf("emu: line %d: the parameters of %s take %d bytes, want at most 4096", f.line, f.name, k.bytes)
	}
	m.kernels[f.name] = k
	return nil
}

// text returns a line of the PTX text.
func (m *Module) text(line int) string {
	if line < 1 || line > len(m.source.lines) {
		return ""
	}
	return strings.Join(strings.Fields(m.source.lines[line-1]), " ")
}

// Kernel finds a kernel (an .entry) by name.
func (m *Module) Kernel(name string) (*Kernel, error) {
	if k := m.kernels[name]; k != nil {
		return k, nil
	}
	return nil, errors.Errorf("emu: no kernel %s, want one of %s", name, strings.Join(m.Kernels(), ", "))
}

// Kernels are the names of the kernels in order of the alphabet.
func (m *Module) Kernels() []string {
	var names []string
	for name := range m.kernels {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Symbol returns the address and the bytes of a variable of the module.
func (m *Module) Symbol(name string) (Ptr, int, error) {
	for _, v := range m.source.vars {
		if v.name == name && v.space != "shared" {
			return Ptr(m.symbols[name]), v.bytes, nil
		}
	}
	return 0, 0, errors.Errorf("emu: the module has no variable %s", name)
}

// Name returns the kernel's name.
func (k *Kernel) Name() string { return k.name }

// Params are the parameters in order.
func (k *Kernel) Params() []Param { return k.params }

// Shared are the bytes of shared memory that the kernel has of its own.
func (k *Kernel) Shared() int { return k.code.shared }

// SetRegisters says how many registers a thread takes, as the report of ptxas has it. Then launches are checked.
func (k *Kernel) SetRegisters(n int) { k.registers = n }

// Pack lays out scalars as the kernel's parameters.
func (k *Kernel) Pack(values ...uint64) ([]byte, error) {
	if len(values) != len(k.params) {
		return nil, errors.Errorf("emu: kernel %s: got %d parameters, want %d", k.name, len(values), len(k.params))
	}
	b := make([]byte, k.bytes)
	for i, p := range k.params {
		if p.Bytes > 8 {
			return nil, errors.Errorf("emu: kernel %s: parameter %s has %d bytes, want at most 8", k.name, p.Name, p.Bytes)
		}
		copy(b[p.Offset:], binary.LittleEndian.AppendUint64(nil, values[i])[:p.Bytes])
	}
	return b, nil
}
