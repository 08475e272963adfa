package driver

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/ceto-ml/ceto/cuda/emu"
)

// kernelStats are the counts of all launches of a kernel.
type kernelStats struct {
	launches int
	emu.Stats
}

func (k *kernelStats) add(s emu.Stats) {
	k.launches++
	k.Instructions += s.Instructions
	k.Sectors += s.Sectors
	k.IdealSectors += s.IdealSectors
	k.BankConflicts += s.BankConflicts
}

// count adds what a launch did.
func (d *Driver) count(name string, s emu.Stats) {
	k := d.stats[name]
	if k == nil {
		k = &kernelStats{}
		d.stats[name] = k
	}
	k.add(s)
}

// Counts are how many allocations of device memory and launches were asked for so far.
func (d *Driver) Counts() (allocations, launches int) { return d.allocs, d.starts }

// Report writes what was done and what is left. Calls stand by name, launches by kernel. A launch has the sectors of 32
// bytes that it touched, beside those that the bytes asked for would fill.
func (d *Driver) Report(w io.Writer) {
	for _, name := range slices.Sorted(maps.Keys(d.calls)) {
		fmt.Fprintf(w, "%8d %s\n", d.calls[name], name)
	}
	for _, name := range slices.Sorted(maps.Keys(d.stats)) {
		k := d.stats[name]
		fmt.Fprintf(w, "%8d launches of %s: %d instructions, %d sectors (%d would do), %d bank conflicts\n",
			k.launches, name, k.Instructions, k.Sectors, k.IdealSectors, k.BankConflicts)
	}
	n, bytes := d.dev.Allocations()
	fmt.Fprintf(w, "%d streams, %d events, %d modules, %d graphs and %d handles of cuBLASLt left\n", len(d.streams)-1, len(d.events),
		len(d.modules), len(d.graphs)+len(d.executable), d.lt.Left())
	fmt.Fprintf(w, "%d allocations and %d launches were asked for\n", d.allocs, d.starts)
	fmt.Fprintf(w, "%d allocations left, %d bytes\n", n+len(d.pinned), bytes)
}
