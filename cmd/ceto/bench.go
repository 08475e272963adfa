package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/ceto-ml/ceto/nn"
	"github.com/spf13/cobra"
)

func benchCmd(g *global) *cobra.Command {
	c := &cobra.Command{Use: "bench", Short: "Measure products of matrices, training steps and generation", Args: known,
		RunE: func(*cobra.Command, []string) error { return usagef("bench: name one: gemm, step or generate") }}
	c.AddCommand(benchGemmCmd(g), benchStepCmd(g), benchGenerateCmd(g))
	return c
}

// benchGemmFlags are the flags of ceto bench gemm.
type benchGemmFlags struct {
	*global
	Rounds int `flag:"rounds" usage:"measurements of each product and of the peak; the best of each counts" range:"[1,1000000]" default:"15"`
}

func benchGemmCmd(g *global) *cobra.Command {
	f := &benchGemmFlags{global: g}
	c := &cobra.Command{
		Use:   "gemm",
		Short: "Measure C (m, n) = A·B, Aᵀ·B and A·Bᵀ against the peak of multiply-adds in the same run",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return f.run(c.OutOrStdout()) },
	}
	setting.Flags(c.Flags(), f)
	return c
}

// gemmRow is a line of ceto bench gemm.
type gemmRow struct {
	Form    string  `json:"form"`
	M       int     `json:"m"`
	N       int     `json:"n"`
	K       int     `json:"k"`
	Threads int     `json:"threads"`
	GFLOPS  float64 `json:"gflops"`
	Peak    float64 `json:"peak_gflops"`
	OfPeak  float64 `json:"of_peak"` // a share: 0 to 1
}

// Bench gemm measures the product of the first linear layer of GPT-2's MLP on 1024 tokens.
const (
	gemmM, gemmN, gemmK = 1024, 3072, 768
	benchTime           = 50 * time.Millisecond // how long the first measurement of the peak takes
)

// run alternates product and peak, so that both see the same clock and the same neighbours, and takes the best
// of each. One measurement of the peak takes as long as one product.
func (f *benchGemmFlags) run(w io.Writer) error {
	if err := setting.Check(f); err != nil {
		return usage(err)
	}
	if f.Device != "auto" && f.Device != "cpu" {
		return usagef("--device is %s; bench gemm measures the CPU alone", f.Device)
	}
	a, b, c := randomFloats(gemmM*gemmK), randomFloats(gemmK*gemmN), make([]float32, gemmM*gemmN)
	var rows []gemmRow
	for threads := 1; threads <= 2; threads++ {
		pool, exec := vec.NewPool(threads), plan.CPU(threads)
		for _, form := range []string{"AB", "AtB", "ABt"} {
			p := vec.Gemm[float32]{M: gemmM, N: gemmN, K: gemmK, A: vec.Mat[float32]{Data: a, Row: gemmK, Col: 1},
				B: vec.Mat[float32]{Data: b, Row: gemmN, Col: 1}, C: vec.Mat[float32]{Data: c, Row: gemmN, Col: 1}}
			switch form {
			case "AtB": // A lies as (k, m)
				p.A.Row, p.A.Col = 1, gemmM
			case "ABt": // B lies as (n, k)
				p.B.Row, p.B.Col = 1, gemmK
			}
			r := gemmRow{Form: form, M: gemmM, N: gemmN, K: gemmK, Threads: threads}
			took := benchTime
			p.Run(pool)
			for range f.Rounds {
				r.Peak = max(r.Peak, exec.Peak(took))
				start := time.Now()
				p.Run(pool)
				took = time.Since(start)
				r.GFLOPS = max(r.GFLOPS, 2*gemmM*gemmN*gemmK/float64(took.Nanoseconds()))
			}
			r.OfPeak = r.GFLOPS / r.Peak
			rows = append(rows, r)
			if !f.JSON {
				fmt.Fprintf(w, "%-4s %d×%d×%d  %d threads  %6.1f of %6.1f GFLOP/s  %4.1f %%\n", form, gemmM, gemmK, gemmN, threads, r.GFLOPS, r.Peak, 100*r.OfPeak)
			}
		}
		pool.Close()
		exec.Close()
	}
	if f.JSON {
		return printJSON(w, map[string]any{"cpu": vec.Current().String(), "rows": rows})
	}
	return nil
}

func randomFloats(n int) []float32 {
	r, v := nn.NewRand(1, "bench"), make([]float32, n)
	for i := range v {
		v[i] = float32(r.Uniform(i, 0)) - 0.5
	}
	return v
}

// median returns the median of the durations, in seconds.
func median(d []time.Duration) float64 {
	s := slices.Sorted(slices.Values(d))
	return (s[(len(s)-1)/2] + s[len(s)/2]).Seconds() / 2
}

// peakRSS is the largest resident memory of this process so far, in MiB; 0 where the system does not say.
func peakRSS() float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			kib, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(v, "kB")), 64)
			return kib / 1024
		}
	}
	return 0
}
