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
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// stepConfig is a training step to be measured.
type stepConfig struct {
	model                 gpt.Model
	context, batch, steps int
	lora                  *nn.LoRA               // nil trains all parameters
	recompute             float64                // see plan.Options
	from                  func(plan.State) error // values of the parameters; nil leaves random ones
}

// stepConfigs are those of the PyTorch step in bench/cpu.md: biases, exact GELU, no dropout.
var stepConfigs = map[string]stepConfig{
	"A": {model: gpt.GPT2{Layers: 4, Heads: 4, Width: 128, Context: 64, Vocab: 65, GELUErf: true}, context: 64, batch: 12, steps: 60},
	"B": {model: gpt.GPT2{Layers: 6, Heads: 6, Width: 384, Context: 256, Vocab: 65, GELUErf: true}, context: 256, batch: 4, steps: 8},
	"C": {model: gpt.GPT2{Layers: 12, Heads: 12, Width: 768, Context: 256, Vocab: 50257, GELUErf: true}, context: 256, batch: 1, steps: 4},
}

// stepWarmup is the number of steps before the clock starts.
const stepWarmup = 3

// benchStepFlags are the flags of ceto bench step.
type benchStepFlags struct {
	*global
	Config     string   `flag:"config" usage:"A: 4 layers, 128 wide, 12×64 tokens; B: 6, 384, 4×256; C: 12, 768, 1×256, vocabulary 50257" oneof:"A B C" default:"A"`
	Model      string   `flag:"model" usage:"measure this model instead: a run, a folder or a file"`
	Batch      int      `flag:"batch" usage:"with --model: rows of a batch" range:"[1,inf)" default:"8"`
	Context    int      `flag:"context" usage:"with --model: tokens of a row" range:"[1,inf)" default:"64"`
	LoRA       bool     `flag:"lora" usage:"train low-rank matrices alone"`
	Rank       int      `flag:"rank" usage:"of --lora; alpha is twice as much" range:"[1,inf)" default:"8"`
	Targets    []string `flag:"targets" usage:"of --lora: patterns of layers" default:"['*.q_proj', '*.v_proj', '*.c_attn']"`
	Recompute  float64  `flag:"recompute" usage:"how much of the activations is computed again in the backward pass instead of kept" range:"[0,1]"`
	Steps      int      `flag:"steps" usage:"steps to measure" range:"[0,1000000]" default:"(as many as the configuration has)"`
	Profile    bool     `flag:"profile" usage:"print the time of each kind of op"`
	CPUProfile string   `flag:"cpuprofile" usage:"write a CPU profile to this file"`
}

func benchStepCmd(g *global) *cobra.Command {
	f := &benchStepFlags{global: g}
	c := &cobra.Command{
		Use:   "step",
		Short: "Measure whole training steps of a GPT: forward, backward, clip, AdamW",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return f.run(c.OutOrStdout()) },
	}
	setting.Flags(c.Flags(), f)
	return c
}

// stepResult is the JSON of ceto bench step.
type stepResult struct {
	Config     string      `json:"config"`
	Threads    int         `json:"threads"`
	Steps      int         `json:"steps"`
	MsPerStep  float64     `json:"ms_per_step"` // median
	MsMin      float64     `json:"ms_min"`
	TokensPerS float64     `json:"tokens_per_s"`
	GFLOPS     float64     `json:"gflops"` // by the plan: products and attention, the masked half left out
	Peak       float64     `json:"peak_gflops"`
	OfPeak     float64     `json:"of_peak"`
	RSS        float64     `json:"rss_mib"`
	PlanMiB    float64     `json:"plan_mib"`
	FirstLoss  float64     `json:"first_loss"`
	LastLoss   float64     `json:"last_loss"`
	Params     int         `json:"params"`
	Trained    int         `json:"trained_params"`
	Bytes      regionBytes `json:"bytes"`   // of the plan
	StepMs     float64     `json:"step_ms"` // the same as ms_per_step
	RSSMB      float64     `json:"rss_mb"`  // rss_mib in 10⁶ bytes
	CPU        string      `json:"cpu"`
}

func (f *benchStepFlags) run(w io.Writer) error {
	cfg, done, err := f.stepConfig()
	if err != nil {
		return err
	}
	defer done()
	exec, err := f.executor()
	if err != nil {
		return err
	}
	defer exec.Close()
	if f.CPUProfile != "" {
		out, err := os.Create(f.CPUProfile)
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
	defer b.state.Close()
	defer b.prog.Close()
	r, err := b.measure()
	if err != nil {
		return err
	}
	if r.Config = f.Config; f.Model != "" {
		r.Config = f.Model
	}
	if f.Profile {
		if err := b.profile(w); err != nil {
			return err
		}
	}
	if f.JSON {
		return printJSON(w, r)
	}
	_, err = fmt.Fprintf(w, `%s: %.2f ms/step (best %.2f), %.0f tokens/s, %.1f of %.1f GFLOP/s (%.1f %%), %d threads, %s, %.0f MiB resident
%d of %d parameters trained; the plan's memory: %s, of that gradients and moments %s
`, r.Config, r.MsPerStep, r.MsMin, r.TokensPerS, r.GFLOPS, r.Peak, 100*r.OfPeak, r.Threads, r.CPU, r.RSS,
		r.Trained, r.Params, size(int64(r.Bytes.Total)), size(int64(r.Bytes.Grads+r.Bytes.Optimizer)))
	return err
}

// stepConfig is the step that the flags ask for; done releases its files.
func (f *benchStepFlags) stepConfig() (cfg stepConfig, done func(), err error) {
	done = func() {}
	if err := setting.Check(f); err != nil {
		return cfg, done, usage(err)
	}
	cfg = stepConfigs[f.Config]
	if f.Model != "" {
		s, err := openModel(f.Model)
		if err != nil {
			return cfg, done, err
		}
		done = func() { s.Close() }
		if most := s.Model.Dims().Context; f.Context > most {
			return cfg, done, usagef("--context is %d; it must be at most the model's %d", f.Context, most)
		}
		cfg = stepConfig{model: s.Model, context: f.Context, batch: f.Batch, steps: 8, from: s.Fill}
	}
	if f.LoRA {
		cfg.lora = &nn.LoRA{Targets: f.Targets, Rank: f.Rank, Alpha: 2 * float64(f.Rank)}
	}
	cfg.recompute = f.Recompute
	if f.Steps > 0 {
		cfg.steps = f.Steps
	}
	return cfg, done, nil
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
	if cfg.lora != nil {
		if err := params.Adapt(*cfg.lora); err != nil {
			return nil, usage(err)
		}
	}
	b := &stepBench{stepConfig: cfg, exec: exec, state: &train.State{State: exec.NewState(), Params: params}}
	build := train.Builder{Task: train.Supervised{Model: cfg.model, Loss: nn.CrossEntropy{}}, Params: params, Clip: 1,
		Optimizer: train.AdamW{LR: stepLR, Beta1: 0.9, Beta2: 0.95, Decay: 0.1}}
	g, err := build.Step(tokenFields(cfg.context), cfg.batch)
	if err != nil {
		return nil, err
	}
	o := exec.Options()
	o.Recompute = cfg.recompute
	p, err := plan.New(g, o)
	if err != nil {
		return nil, err
	}
	if need, free := uint64(p.Total()), exec.Device().Free; free > 0 && need > free {
		return nil, errors.Errorf("a step needs %s of memory, %s are free; want a smaller --batch, --context or --rank", size(int64(need)), size(int64(free)))
	}
	smallHeap()
	if b.prog, err = exec.Compile(p, b.state); err != nil {
		return nil, err
	}
	for i := range 4 {
		d := data.NewBatch(tokenFields(cfg.context), cfg.batch)
		randomTokens(d, cfg.model.Dims().Vocab, uint64(i))
		b.in = append(b.in, map[string]any{field.X: d[field.X].Int, field.Y: d[field.Y].Int})
	}
	if err = b.state.Init(1337); err == nil && cfg.from != nil {
		err = cfg.from(b.state)
	}
	debug.FreeOSMemory() // gives back what Init used
	return b, err
}

// stepLR is the learning rate of the PyTorch step.
const stepLR = 1e-3

// tokenFields are the arrays of a batch of token windows.
func tokenFields(context int) []data.Field {
	return []data.Field{{Name: field.X, Int: true, Shape: []int{context}}, {Name: field.Y, Int: true, Shape: []int{context}}}
}

// step runs step i and returns the mean loss.
func (b *stepBench) step(i int) (float64, error) {
	if err := b.prog.Run(b.in[i%len(b.in)], graph.Scalars{Step: int64(i) + 1, LR: stepLR, Micro: int64(i)}); err != nil {
		return 0, err
	}
	loss, err := b.prog.Scalar(field.Loss)
	return loss / float64(b.batch*b.context), err
}

// measure runs the steps. It measures the peak before and after them, and takes the better one.
func (b *stepBench) measure() (stepResult, error) {
	device := b.exec.Device()
	r := stepResult{Threads: device.Workers, Steps: b.steps, CPU: device.Name, Bytes: bytesOf(b.prog.Plan(), b.state.Params)}
	r.PlanMiB = float64(r.Bytes.Total) / (1 << 20)
	r.Params, r.Trained = b.state.Params.Count()
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
	r.Peak = b.exec.Peak(2 * benchTime)
	d := make([]time.Duration, b.steps)
	for i := range d {
		start := time.Now()
		if r.LastLoss, err = b.step(stepWarmup + i); err != nil {
			return r, err
		}
		d[i] = time.Since(start)
	}
	r.Peak = max(r.Peak, b.exec.Peak(2*benchTime))
	s := median(d)
	r.MsPerStep, r.MsMin = 1e3*s, slices.Min(d).Seconds()*1e3
	r.TokensPerS = float64(b.batch*b.context) / s
	r.GFLOPS = float64(b.prog.Plan().FLOPs()) / s / 1e9
	r.OfPeak, r.RSS = r.GFLOPS/r.Peak, peakRSS()
	r.StepMs, r.RSSMB = r.MsPerStep, r.RSS*(1<<20)/1e6
	return r, nil
}
