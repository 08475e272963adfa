package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// stepConfig is a training step to be measured.
type stepConfig struct {
	model        gpt.Config
	batch, steps int
}

// stepConfigs are those of the PyTorch peer that this is measured beside: biases, exact GELU, no dropout.
var stepConfigs = map[string]stepConfig{
	"A": {gpt.Config{Layers: 4, Heads: 4, Width: 128, Context: 64, Vocab: 65, GELUErf: true}, 12, 60},
	"B": {gpt.Config{Layers: 6, Heads: 6, Width: 384, Context: 256, Vocab: 65, GELUErf: true}, 4, 8},
	"C": {gpt.Config{Layers: 12, Heads: 12, Width: 768, Context: 256, Vocab: 50257, GELUErf: true}, 1, 4},
}

// stepWarmup are steps before the clock starts.
const stepWarmup = 3

// stepFlags are the flags of ceto bench step.
type stepFlags struct {
	*global
	config, cpuProfile string
	profile            bool
	steps              int
}

func benchStepCmd(g *global) *cobra.Command {
	f := &stepFlags{global: g}
	c := &cobra.Command{
		Use:   "step",
		Short: "Measure whole training steps of a GPT: forward, backward, clip, AdamW",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return f.run(c.OutOrStdout()) },
	}
	fl := c.Flags()
	fl.StringVar(&f.config, "config", "A", "A: 4 layers, 128 wide, 12×64 tokens; B: 6, 384, 4×256; C: 12, 768, 1×256, vocabulary 50257")
	fl.IntVar(&f.steps, "steps", 0, "steps to measure (default: as many as the configuration has)")
	fl.BoolVar(&f.profile, "profile", false, "print the time of each kind of op")
	fl.StringVar(&f.cpuProfile, "cpuprofile", "", "write a CPU profile to this file")
	return c
}

// stepResult is the JSON of ceto bench step.
type stepResult struct {
	Config     string  `json:"config"`
	Threads    int     `json:"threads"`
	Steps      int     `json:"steps"`
	MsPerStep  float64 `json:"ms_per_step"` // median
	MsMin      float64 `json:"ms_min"`
	TokensPerS float64 `json:"tokens_per_s"`
	GFLOPS     float64 `json:"gflops"` // by the plan: products and attention, the masked half left out
	Peak       float64 `json:"peak_gflops"`
	OfPeak     float64 `json:"of_peak"`
	RSS        float64 `json:"rss_mib"`
	PlanMiB    float64 `json:"plan_mib"`
	FirstLoss  float64 `json:"first_loss"`
	LastLoss   float64 `json:"last_loss"`
	Params     int     `json:"params"`
	CPU        string  `json:"cpu"`
}

func (f *stepFlags) run(w io.Writer) error {
	cfg, ok := stepConfigs[f.config]
	if !ok {
		return usagef("--config %q: want A, B or C", f.config)
	}
	if f.steps > 0 {
		cfg.steps = f.steps
	}
	exec, err := f.executor()
	if err != nil {
		return err
	}
	defer exec.Close()
	if f.cpuProfile != "" {
		out, err := os.Create(f.cpuProfile)
		if err != nil {
			return errors.Wrap(err, "--cpuprofile")
		}
		defer out.Close()
		if err := pprof.StartCPUProfile(out); err != nil {
			return errors.Wrap(err, "--cpuprofile")
		}
		defer pprof.StopCPUProfile()
	}
	b, err := newStepBench(cfg, exec)
	if err != nil {
		return err
	}
	r, err := b.measure()
	if err != nil {
		return err
	}
	r.Config = f.config
	if f.profile {
		if err := b.profile(w); err != nil {
			return err
		}
	}
	if f.json {
		return printJSON(w, r)
	}
	_, err = fmt.Fprintf(w, "%s: %.2f ms/step (best %.2f), %.0f tokens/s, %.1f of %.1f GFLOP/s (%.1f %%), %d threads, %s, %.0f MiB resident\n",
		r.Config, r.MsPerStep, r.MsMin, r.TokensPerS, r.GFLOPS, r.Peak, 100*r.OfPeak, r.Threads, r.CPU, r.RSS)
	return err
}

// stepBench is a compiled step and random tokens for it.
type stepBench struct {
	stepConfig
	exec  plan.Executor
	prog  plan.Program
	state *train.State
	in    []map[string]any
}

func newStepBench(cfg stepConfig, exec plan.Executor) (*stepBench, error) {
	params := nn.NewParams(graph.Float32)
	b := &stepBench{stepConfig: cfg, exec: exec, state: &train.State{State: exec.NewState(), Params: params}}
	build := train.Builder{Task: train.Supervised{Model: cfg.model, Loss: nn.CrossEntropy{}}, Params: params, Clip: 1,
		Optimizer: train.AdamW{LR: stepLR, Beta1: 0.9, Beta2: 0.95, Decay: 0.1}}
	g, err := build.Step(tokenFields(cfg.model.Context), cfg.batch)
	if err != nil {
		return nil, err
	}
	p, err := plan.New(g, plan.Options{})
	if err != nil {
		return nil, err
	}
	smallHeap()
	if b.prog, err = exec.Compile(p, b.state); err != nil {
		return nil, err
	}
	for i := range 4 {
		d := data.NewBatch(tokenFields(cfg.model.Context), cfg.batch)
		randomTokens(d, cfg.model.Vocab, uint64(i))
		b.in = append(b.in, map[string]any{"x": d["x"].Int, "y": d["y"].Int})
	}
	err = b.state.Init(1337)
	debug.FreeOSMemory() // what Init has left behind
	return b, err
}

// stepLR is the peer's learning rate.
const stepLR = 1e-3

// tokenFields are the arrays of a batch of token windows.
func tokenFields(context int) []data.Field {
	return []data.Field{{Name: "x", Int: true, Shape: []int{context}}, {Name: "y", Int: true, Shape: []int{context}}}
}

// step runs step i and returns the mean loss.
func (b *stepBench) step(i int) (float64, error) {
	if err := b.prog.Run(b.in[i%len(b.in)], graph.Scalars{Step: int64(i) + 1, LR: stepLR, Micro: int64(i)}); err != nil {
		return 0, err
	}
	loss, err := b.prog.Scalar("loss")
	return loss / float64(b.batch*b.model.Context), err
}

// measure runs the steps; the peak is measured before and after them, the better one counts.
func (b *stepBench) measure() (stepResult, error) {
	r := stepResult{Threads: b.exec.Threads(), Steps: b.steps, CPU: vec.Current().String(), PlanMiB: float64(b.prog.Plan().Total()) / (1 << 20)}
	r.Params, _ = b.state.Params.Count()
	var err error
	for i := range stepWarmup {
		loss, e := b.step(i)
		if e != nil {
			return r, e
		}
		if i == 0 {
			r.FirstLoss = loss
		}
	}
	r.Peak = vec.Peak(r.Threads, 2*benchTime)
	d := make([]time.Duration, b.steps)
	for i := range d {
		start := time.Now()
		if r.LastLoss, err = b.step(stepWarmup + i); err != nil {
			return r, err
		}
		d[i] = time.Since(start)
	}
	r.Peak = max(r.Peak, vec.Peak(r.Threads, 2*benchTime))
	s := median(d)
	r.MsPerStep, r.MsMin = 1e3*s, slices.Min(d).Seconds()*1e3
	r.TokensPerS = float64(b.batch*b.model.Context) / s
	r.GFLOPS = float64(b.prog.Plan().FLOPs()) / s / 1e9
	r.OfPeak, r.RSS = r.GFLOPS/r.Peak, peakRSS()
	return r, nil
}
