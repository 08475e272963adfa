package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/plot"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/pretrain"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// inspectFlags are the flags of ceto inspect.
type inspectFlags struct {
	*global
	preset         string
	batch, context int
	recompute      float64
	Model          string `flag:"model" usage:"in place of a preset: a run, a folder or a file, as generate --model takes it"`
	Plan           bool   `flag:"plan" usage:"print the plan of the training step"`
	Launches       bool   `flag:"launches" usage:"with --device cuda: count the launches of a training step, by kernel"`
	SVG            string `flag:"svg" usage:"draw the forward graph to this file; a name that ends in .dot gets Graphviz's text"`
}

func inspectCmd(g *global) *cobra.Command {
	f := &inspectFlags{global: g, preset: pretrain.DefaultPreset}
	c := &cobra.Command{
		Use:   "inspect",
		Short: "Say what a model is made of and what training it needs, without training it",
		Long: `Print a model's layers and parameters. Also print what one training step (AdamW, clip by the global norm) needs: the
FLOPs of a token and the exact bytes by region, from its plan. The memory itself is not allocated.
Batch and context are those of the preset, unless flags say otherwise.
Of a model in files it prints what they hold, and with --batch the training step too.`,
		Example: `  ceto inspect --preset gpt2 --batch 4 --context 1024
  ceto inspect --model model.gguf`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	fl := c.Flags()
	for name, p := range map[string]any{"preset": &f.preset, "batch": &f.batch, "context": &f.context, "recompute": &f.recompute} {
		setting.Var(fl, pretrain.Settings{}, name, p)
	}
	setting.Flags(fl, f)
	return c
}

// regionBytes are the bytes of a training step.
type regionBytes struct {
	Params      int `json:"params"`
	Grads       int `json:"grads"`
	Optimizer   int `json:"optimizer"`
	Activations int `json:"activations"` // all else: activations, inputs, scratch
	Total       int `json:"total"`
}

// inspectResult is the JSON of ceto inspect.
type inspectResult struct {
	Params        int         `json:"params"`
	FLOPsPerToken float64     `json:"flops_per_token"`
	Bytes         regionBytes `json:"bytes"`
	MaxBatch      int         `json:"max_batch"`
	FreeBytes     uint64      `json:"free_bytes"`
	Batch         int         `json:"batch"`
	Context       int         `json:"context"`
	Steps         int         `json:"plan_steps"`
}

// config finds the preset's model and the batch of a step.
func (f *inspectFlags) config(c *cobra.Command) (gpt.Model, int, error) {
	p, err := pretrain.Preset(f.preset)
	if err != nil {
		return nil, 0, usage(err)
	}
	if c.Flags().Changed("batch") {
		p.Train.Batch = f.batch
	}
	return p.Model, p.Train.Batch, nil
}

func (f *inspectFlags) run(c *cobra.Command) error {
	if f.Model != "" {
		return f.runModel(c)
	}
	cfg, batch, err := f.config(c)
	if err != nil {
		return err
	}
	return f.step(c, cfg, batch)
}

// step says what a training step of a model needs.
func (f *inspectFlags) step(c *cobra.Command, cfg gpt.Model, batch int) error {
	if batch < 1 {
		return usagef("--batch is %d; it must be at least 1", batch)
	}
	if err := setting.CheckGiven(&train.Settings{Recompute: f.recompute}); err != nil {
		return usage(err)
	}
	if err := usage(cfg.Validate()); err != nil {
		return err
	}
	context := cfg.Dims().Context
	if c.Flags().Changed("context") {
		context = f.context
	}
	if context < 1 || context > cfg.Dims().Context {
		return usagef("--context is %d; it must be from 1 to the model's %d", context, cfg.Dims().Context)
	}
	s, err := forwardScope(cfg, batch, context)
	if err != nil {
		return err
	}
	exec, err := f.planner()
	if err != nil {
		return err
	}
	defer exec.Close()
	o := exec.Options()
	o.Recompute = f.recompute
	p, params, err := stepPlan(cfg, batch, context, o)
	if err != nil {
		return err
	}
	if f.Launches {
		return f.printLaunches(c.OutOrStdout(), exec, p)
	}
	r := inspectResult{Batch: batch, Context: context, Steps: len(p.Steps), FreeBytes: exec.Device().Free, Bytes: bytesOf(p, params)}
	r.Params, _ = params.Count()
	r.FLOPsPerToken = float64(p.FLOPs()) / float64(batch*context)
	if r.MaxBatch, err = maxBatch(cfg, context, o, r.FreeBytes); err != nil {
		return err
	}
	if f.SVG != "" {
		if err := drawFile(f.SVG, s.Graph, fmt.Sprintf("%s, batch %d, context %d", f.name(), batch, context)); err != nil {
			return err
		}
	}
	w := c.OutOrStdout()
	if f.JSON {
		return printJSON(w, r)
	}
	if err := nn.Summary(w, s); err != nil {
		return err
	}
	if f.Plan {
		fmt.Fprintf(w, "\ntraining step, batch %d, context %d\n%v", batch, context, p)
	}
	return r.print(w)
}

func (f *inspectFlags) name() string {
	if f.Model != "" {
		return f.Model
	}
	return f.preset
}

func (r inspectResult) print(w io.Writer) error {
	b := r.Bytes
	fmt.Fprintf(w, "\na training step of %d×%d tokens: %d steps of a plan, %.4g MFLOPs a token\n", r.Batch, r.Context, r.Steps, r.FLOPsPerToken/1e6)
	for _, l := range []struct {
		name string
		n    int
	}{{"params", b.Params}, {"grads", b.Grads}, {"optimizer", b.Optimizer}, {"activations", b.Activations}, {"total", b.Total}} {
		fmt.Fprintf(w, "  %-12s %14d B  %9.2f MiB\n", l.name, l.n, float64(l.n)/(1<<20))
	}
	fmt.Fprintln(w, "  (the gradients lie in the arena of the activations; activations are the rest of it, with inputs and scratch)")
	if r.FreeBytes == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "largest batch that fits %.2f GiB of free memory: %d\n", float64(r.FreeBytes)/(1<<30), r.MaxBatch)
	return err
}

// forwardScope builds the forward graph, for its summary and its drawing.
func forwardScope(cfg gpt.Model, batch, context int) (*nn.Scope, error) {
	s := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Train)
	s.Output(field.Logits, cfg.Forward(s, s.Input(field.IDs, graph.Of(graph.Int32, batch, context))))
	return s, s.Err()
}

// stepPlan plans a training step with AdamW and clip, and allocates no memory for it.
func stepPlan(cfg gpt.Model, batch, context int, o plan.Options) (*plan.Plan, *nn.Params, error) {
	params := nn.NewParams(graph.Float32)
	b := train.Builder{Task: train.Supervised{Model: cfg, Loss: nn.CrossEntropy{}}, Params: params, Clip: 1, Optimizer: train.AdamW{LR: 1e-3, Decay: 0.1}}
	g, err := b.Step(tokenFields(context), batch)
	if err != nil {
		return nil, nil, err
	}
	p, err := plan.New(g, o)
	return p, params, err
}

// bytesOf splits a plan's memory so that the parts add up to its total.
func bytesOf(p *plan.Plan, params *nn.Params) regionBytes {
	_, trainable := params.Count()
	b := regionBytes{Params: p.Sizes[plan.Params], Optimizer: p.Sizes[plan.Moments] + p.Sizes[plan.Averages], Total: p.Total()}
	b.Grads = p.Sizes[plan.Grads]
	if b.Grads == 0 {
		b.Grads = trainable * params.DType.Size()
	}
	b.Activations = b.Total - b.Params - b.Grads - b.Optimizer
	return b
}

// maxBatch is the largest batch whose training step fits in free bytes, 0 where none does.
func maxBatch(cfg gpt.Model, context int, o plan.Options, free uint64) (int, error) {
	return train.LargestBatch(math.MaxInt32, free, func(n int) (uint64, error) {
		p, _, err := stepPlan(cfg, n, context, o)
		if err != nil {
			return 0, err
		}
		return uint64(p.Total()), nil
	})
}

// drawFile writes a drawing of g.
func drawFile(path string, g *graph.Graph, title string) error {
	f, err := os.Create(path)
	if err != nil {
		return errors.Wrap(err, "--svg")
	}
	draw := plot.SVG
	if strings.HasSuffix(path, ".dot") {
		draw = plot.DOT
	}
	err = draw(f, g, title)
	if e := f.Close(); err == nil {
		err = e
	}
	return errors.Wrap(err, "--svg")
}

// printLaunches prints what one run of a plan asks a GPU for.
func (f *inspectFlags) printLaunches(w io.Writer, x plan.Executor, p *plan.Plan) error {
	n, err := cuda.Launches(x, p)
	if err != nil {
		return err
	}
	if f.JSON {
		return printJSON(w, n)
	}
	fmt.Fprintf(w, "%d launches, %.4g GB read and written, %.4g GFLOPs\n", n.Launches, float64(n.Bytes)/1e9, float64(n.FLOPs)/1e9)
	for _, name := range slices.SortedFunc(maps.Keys(n.ByKernel), func(a, b string) int {
		return cmp.Or(cmp.Compare(n.ByKernel[b], n.ByKernel[a]), cmp.Compare(a, b))
	}) {
		fmt.Fprintf(w, "  %-32s %6d\n", name, n.ByKernel[name])
	}
	return nil
}
