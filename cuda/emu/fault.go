package emu

import (
	"fmt"
	"strings"
)

// Fault is what a kernel did wrong, and where.
type Fault struct {
	Kind   string // one of the kinds below
	Kernel string
	What   string // of the launch
	Block  Dim
	Thread Dim
	Line   int    // of the PTX text; 0 for a launch that is refused
	Text   string // the instruction
	Detail string // addresses, the range or allocation by name
}

// The kinds of faults.
const (
	OutOfBounds = "out of bounds" // an access outside of allocations, ranges or a space of memory
	Unwritten   = "unwritten"     // a read of what nothing wrote
	Race        = "race"          // two threads touch a byte in no order, and one writes
	Divergent   = "divergent"     // a barrier, shuffle or matrix operation without all of its threads
	Misaligned  = "misaligned"    // an access at no multiple of its size
	Limit       = "limit"         // a launch that hardware refuses
	Endless     = "endless"       // more instructions than the budget
	Trap        = "trap"          // the kernel stopped itself
	Unsupported = "unsupported"   // what the emulator does not do
)

func (f *Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "emu: %s: kernel %s", f.Kind, f.Kernel)
	if f.What != "" {
		fmt.Fprintf(&b, " (%s)", f.What)
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, ", block %s, thread %s, line %d: %s", f.Block, f.Thread, f.Line, f.Text)
	}
	return b.String() + ": " + f.Detail
}

// String writes x,y,z.
func (d Dim) String() string { return fmt.Sprintf("%d,%d,%d", d.X, d.Y, d.Z) }

// fault stops the warp. lane is the thread at fault.
func (w *warp) fault(in *inst, lane int, kind, format string, args ...any) {
	if w.err != nil {
		return
	}
	b := w.block
	w.err = &Fault{
		Kind: kind, Kernel: b.run.l.Kernel.name, What: b.run.l.What, Block: b.at, Thread: b.thread(w.first + lane),
		Line: int(in.line), Text: b.run.l.Kernel.m.text(int(in.line)), Detail: fmt.Sprintf(format, args...),
	}
	w.state = faulted
}

// limit is the fault of a launch that is refused.
func (l *Launch) limit(format string, args ...any) error {
	return &Fault{Kind: Limit, Kernel: l.Kernel.name, What: l.What, Detail: fmt.Sprintf(format, args...)}
}
