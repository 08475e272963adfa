package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/klauspost/cpuid/v2"
	"github.com/spf13/cobra"
)

func doctorCmd(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Show what this machine has: processor, memory, GPUs, libraries, and why a GPU cannot be used",
		RunE:  func(c *cobra.Command, _ []string) error { return g.doctor(c.OutOrStdout()) },
	}
}

// checkup is what ceto doctor finds.
type checkup struct {
	CPU    cpuCheckup    `json:"cpu"`
	Memory memoryCheckup `json:"memory"`
	CUDA   cuda.Probed   `json:"cuda"`
}

type cpuCheckup struct {
	Name     string   `json:"name"`
	Features []string `json:"features"`
	Path     string   `json:"path"` // which loops run
	Threads  int      `json:"threads"`
	Peak     float64  `json:"peak_gflops"` // multiply-adds of float32
	Rate     float64  `json:"gb_per_s"`    // of a copy, bytes read and bytes written
}

type memoryCheckup struct {
	Total uint64 `json:"total"` // bytes; 0 where the system does not say
	Free  uint64 `json:"free"`
}

// What is measured: peak and copy this often, of which the best counts, and copies between two buffers of this size.
// Both together are larger than the cache, within bounds.
const (
	peakRounds       = 3
	minCopy, maxCopy = 64 << 20, 256 << 20
)

func (g *global) doctor(w io.Writer) error {
	exec := plan.CPU(g.Threads)
	defer exec.Close()
	d := exec.Device()
	c := checkup{Memory: memoryCheckup{d.Total, d.Free}, CUDA: cuda.Probe(), CPU: cpuCheckup{
		Name: cpuid.CPU.BrandName, Features: cpuFeatures(), Path: vec.Current().String(), Threads: d.Workers}}
	if c.CPU.Name == "" {
		c.CPU.Name = runtime.GOARCH
	}
	c.CPU.Rate = copyRate(d.Workers, d.Free)
	for range peakRounds {
		c.CPU.Peak = max(c.CPU.Peak, exec.Peak(benchTime))
	}
	if g.JSON {
		return printJSON(w, c)
	}
	return c.print(w)
}

// cpuFeatures are those that the loops of package vec use, or could.
func cpuFeatures() []string {
	list := []string{}
	for _, f := range []cpuid.FeatureID{cpuid.AVX, cpuid.AVX2, cpuid.FMA3, cpuid.F16C, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ,
		cpuid.AVX512VL, cpuid.AVX512VNNI, cpuid.AVX512BF16, cpuid.AMXTILE, cpuid.AMXBF16, cpuid.ASIMD, cpuid.SVE} {
		if cpuid.CPU.Has(f) {
			list = append(list, strings.ToLower(f.String()))
		}
	}
	return list
}

// copyRate measures copies between two buffers, in GB/s.
func copyRate(threads int, free uint64) float64 {
	n := min(max(minCopy, cpuid.CPU.Cache.L3), maxCopy)
	if free > 0 {
		n = min(n, int(free/8))
	}
	n /= threads
	from, to := make([][]byte, threads), make([][]byte, threads)
	for i := range threads {
		from[i], to[i] = slices.Repeat([]byte{1}, n), slices.Repeat([]byte{2}, n)
	}
	best := time.Hour
	for range peakRounds {
		done := make(chan struct{})
		start := time.Now()
		for i := range threads {
			go func() {
				copy(to[i], from[i])
				done <- struct{}{}
			}()
		}
		for range threads {
			<-done
		}
		best = min(best, time.Since(start))
	}
	return 2 * float64(n*threads) / float64(best.Nanoseconds())
}

func (c checkup) print(w io.Writer) error {
	const gib = 1 << 30
	var b strings.Builder
	fmt.Fprintf(&b, "cpu      %s: %s\n", c.CPU.Name, strings.Join(c.CPU.Features, " "))
	fmt.Fprintf(&b, "         %d threads run %s: %.1f GFLOP/s at most, copies at %.1f GB/s\n", c.CPU.Threads, c.CPU.Path, c.CPU.Peak, c.CPU.Rate)
	fmt.Fprintf(&b, "memory   %.1f of %.1f GiB free\n", float64(c.Memory.Free)/gib, float64(c.Memory.Total)/gib)
	if p := c.CUDA; p.Available {
		fmt.Fprintf(&b, "cuda     driver for CUDA %s\n", p.Driver)
	} else {
		fmt.Fprintf(&b, "cuda     no GPU to use: %s\n", p.Reason)
	}
	for i, d := range c.CUDA.Devices {
		fmt.Fprintf(&b, "cuda:%-4d%s, compute capability %s, %.1f of %.1f GiB free", i, d.Name, d.Capability, float64(d.BytesFree)/gib, float64(d.BytesTotal)/gib)
		if d.Reason != "" {
			fmt.Fprintf(&b, "; not usable: %s", d.Reason)
		}
		fmt.Fprintf(&b, "\n         copies at %.0f GB/s, a launch in %.1f µs, products of bfloat16 at %.0f TFLOP/s\n", d.Copy, d.Launch, d.Product)
		if d.Note != "" {
			fmt.Fprintf(&b, "         0 was not measured: %s\n", d.Note)
		}
	}
	for _, t := range c.CUDA.Tried {
		fmt.Fprintf(&b, "         tried %s\n", t)
	}
	for _, l := range c.CUDA.Libraries {
		if l.Path != "" {
			fmt.Fprintf(&b, "%-9s%s, version %d\n", l.Name, l.Path, l.Version)
			continue
		}
		fmt.Fprintf(&b, "%-9s%s\n", l.Name, l.Reason)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
