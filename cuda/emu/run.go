package emu

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"

	"github.com/pkg/errors"
)

// TB is what [Run] needs of a *testing.T.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Run runs a kernel of a PTX text on a new device and fails the test where the kernel does what it must not. Slices
// of numbers are copied to the device and back. Scalars, and nil for an address of 0, are passed as they are.
func Run(t TB, ptx, kernel string, grid, block Dim, args ...any) Stats {
	t.Helper()
	s, err := Try(Options{}, ptx, Launch{Grid: grid, Block: block}, kernel, args...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

// Unset is an argument of [Run] and [Try]: a slice that the kernel fills. Its memory is unwritten before the
// launch, and what the kernel leaves unwritten is an error.
type Unset struct{ Slice any }

// Try is [Run] with options and what a launch says beside grid and block; it returns the error.
func Try(o Options, ptx string, l Launch, kernel string, args ...any) (Stats, error) {
	d := New(o)
	m, err := d.Load(ptx)
	if err != nil {
		return Stats{}, err
	}
	if l.Kernel, err = m.Kernel(kernel); err != nil {
		return Stats{}, err
	}
	var values []uint64
	var back []func() error
	for i, arg := range args {
		v, f, err := d.argument(i, arg)
		if err != nil {
			return Stats{}, err
		}
		values = append(values, v)
		if f != nil {
			back = append(back, f)
		}
	}
	if l.Params, err = l.Kernel.Pack(values...); err != nil {
		return Stats{}, err
	}
	s, err := d.Launch(l)
	for _, f := range back {
		if err == nil {
			err = f()
		}
	}
	return s, err
}

// argument brings an argument to the device: a number to pass, and for a slice how to get it back.
func (d *Device) argument(i int, arg any) (uint64, func() error, error) {
	unset, fresh := arg.(Unset)
	if fresh {
		arg = unset.Slice
	}
	v := reflect.ValueOf(arg)
	switch {
	case arg == nil:
		return 0, nil, nil
	case v.Kind() != reflect.Slice:
		b, err := binary.Append(nil, binary.LittleEndian, arg)
		if err != nil || len(b) > 8 {
			return 0, nil, errors.Errorf("emu: argument %d is a %T, want a number of fixed size, a slice of these, or nil", i, arg)
		}
		return binary.LittleEndian.Uint64(append(b, make([]byte, 8)...)), nil, nil
	}
	b, err := binary.Append(nil, binary.LittleEndian, arg)
	if err != nil {
		return 0, nil, errors.Errorf("emu: argument %d is a %T, want a slice of numbers of fixed size", i, arg)
	}
	p, err := d.Alloc(len(b))
	if err != nil {
		return 0, nil, err
	}
	if err := d.Name(p, fmt.Sprintf("argument %d", i)); err != nil {
		return 0, nil, err
	}
	if !fresh {
		if err := d.Write(p, b); err != nil {
			return 0, nil, err
		}
	}
	return uint64(p), func() error {
		if err := d.Read(b, p); err != nil {
			return err
		}
		return binary.Read(bytes.NewReader(b), binary.LittleEndian, arg)
	}, nil
}
