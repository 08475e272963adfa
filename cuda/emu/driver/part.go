package driver

import (
	"fmt"

	"github.com/ceto-ml/ceto/cuda/emu"
)

// A part is the memory that a product may touch: the ranges, or all where there are none. It is a [blas.Memory].
type part struct {
	d      *Driver
	ranges []emu.Range
	what   string
}

// withWorkspace adds a workspace to ranges; no ranges stay none.
func withWorkspace(ranges []emu.Range, w workspace) []emu.Range {
	if ranges == nil {
		return nil
	}
	return append(ranges, emu.Range{Name: "workspace", Ptr: w.from, Bytes: int(w.to - w.from), Access: emu.Writes})
}

func (p *part) fault(kind, format string, args ...any) error {
	return &emu.Fault{Kind: kind, Kernel: matmul, What: p.what, Detail: fmt.Sprintf(format, args...)}
}

// Read implements [blas.Memory].
func (p *part) Read(b []byte, at emu.Ptr) error {
	name, err := p.find(at, len(b), emu.Reads, "read")
	if err != nil {
		return err
	}
	n, err := p.d.dev.Written(at, len(b))
	if err != nil {
		return p.fault(emu.OutOfBounds, "%v", err)
	}
	if n < len(b) && !p.d.o.Unchecked {
		return p.fault(emu.Unwritten, "read of %d bytes at %#x: byte %d%s was never written", len(b), uint64(at), n, name)
	}
	if err := p.d.dev.Read(b, at); err != nil {
		return p.fault(emu.OutOfBounds, "%v", err)
	}
	return nil
}

// Write implements [blas.Memory].
func (p *part) Write(at emu.Ptr, b []byte) error {
	if _, err := p.find(at, len(b), emu.Writes, "write"); err != nil {
		return err
	}
	if err := p.d.dev.Write(at, b); err != nil {
		return p.fault(emu.OutOfBounds, "%v", err)
	}
	return nil
}

// find returns " of NAME" for the range that allows an access, or the fault where none does.
func (p *part) find(at emu.Ptr, n int, access emu.Access, verb string) (string, error) {
	if p.ranges == nil || p.d.o.Unchecked {
		return "", nil
	}
	near := ""
	for i := range p.ranges {
		g := &p.ranges[i]
		if holds(g, at, n) {
			if g.Access&access != 0 {
				return fmt.Sprintf(" of %q", g.Name), nil
			}
			near = fmt.Sprintf("%q, which is not there to %s", g.Name, verb)
		}
	}
	if near == "" {
		near = p.near(at)
	}
	return "", p.fault(emu.OutOfBounds, "%s of %d bytes at %#x: %s", verb, n, uint64(at), near)
}

// holds tells whether n bytes lie in a range.
func holds(g *emu.Range, at emu.Ptr, n int) bool {
	off := int(at) - int(g.Ptr)
	if off < 0 || off+n > g.Bytes {
		return false
	}
	return g.Stride == 0 || g.Row == g.Stride || off%g.Stride+n <= g.Row
}

// near names the range that is closest to an address.
func (p *part) near(at emu.Ptr) string {
	text, best := "no memory of the product is near", 1<<32
	for _, g := range p.ranges {
		off := int(at) - int(g.Ptr)
		say, far := fmt.Sprintf("at byte %d of %q with %d bytes, and past its end or row", off, g.Name, g.Bytes), 0
		switch {
		case off < 0:
			say, far = fmt.Sprintf("%d bytes before %q", -off, g.Name), -off
		case off >= g.Bytes:
			say, far = fmt.Sprintf("%d bytes past the end of %q with %d bytes", off-g.Bytes, g.Name, g.Bytes), off-g.Bytes
		}
		if far < best {
			text, best = say, far
		}
	}
	return text
}

// forget marks what the product may only write as unwritten, but for bytes that another range lets it read.
func (p *part) forget() error {
	if p.d.o.Unchecked {
		return nil
	}
	for i := range p.ranges {
		g := &p.ranges[i]
		if !drops(g) || p.read(g) {
			continue
		}
		row, stride := g.Row, g.Stride
		if stride == 0 || row == stride {
			row, stride = g.Bytes, max(g.Bytes, 1)
		}
		for off := 0; off < g.Bytes; off += stride {
			if err := p.d.dev.Forget(g.Ptr+emu.Ptr(off), min(row, g.Bytes-off)); err != nil {
				return p.fault(emu.OutOfBounds, "range %q: %v", g.Name, err)
			}
		}
	}
	return nil
}

// drops tells whether a range holds nothing before the product.
func drops(g *emu.Range) bool {
	return g.Access&emu.Fresh != 0 || g.Access&(emu.Reads|emu.Writes) == emu.Writes
}

// read tells whether some range lets the product read bytes of g as they were. Then all of g is kept.
func (p *part) read(g *emu.Range) bool {
	for i := range p.ranges {
		o := &p.ranges[i]
		if o.Access&emu.Reads != 0 && !drops(o) && o.Ptr < g.Ptr+emu.Ptr(g.Bytes) && g.Ptr < o.Ptr+emu.Ptr(o.Bytes) {
			return true
		}
	}
	return false
}
