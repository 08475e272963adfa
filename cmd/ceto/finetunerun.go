package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/plot"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/goccy/go-yaml"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

func (f *finetuneFlags) run(c *cobra.Command) error {
	s, err := f.settings(c)
	if err != nil {
		return err
	}
	exec, err := f.executor()
	if err != nil {
		return err
	}
	defer exec.Close()
	smallHeap()
	switch {
	case f.FindRate:
		return f.find(c, s, exec)
	case f.Seeds < 1 || f.Folds < 0 || f.Folds == 1 || f.Seeds > 1 && f.Folds > 0:
		return usagef("--seeds %d, --folds %d: want 1 seed or more, or 2 folds or more", f.Seeds, f.Folds)
	case f.Seeds > 1 || f.Folds > 0:
		return f.repeat(c, s, exec)
	}
	out := f.folder()
	r, err := f.one(c, s, exec, out)
	if errors.Is(err, train.ErrInterrupted) {
		fmt.Fprintf(c.ErrOrStderr(), "stopped after a whole step; go on with\n  ceto finetune --resume %s\n", filepath.ToSlash(out))
	}
	if err != nil {
		return err
	}
	if f.JSON {
		return printJSON(c.OutOrStdout(), r)
	}
	return f.report(c.OutOrStdout(), r)
}

// one makes one run of fine-tuning and writes it to the folder out.
func (f *finetuneFlags) one(c *cobra.Command, s finetune.Settings, exec plan.Executor, out string) (*finetune.Result, error) {
	j, err := finetune.Open(s)
	if err != nil {
		return nil, usage(err)
	}
	defer j.Close()
	o := f.options(c.Context(), c.ErrOrStderr(), j, exec)
	o.Out, o.Resume, o.DataChanged = out, f.Resume != "", f.Data
	release := func() {}
	defer func() { release() }()
	o.Callbacks = []train.Callback{&tuneProgress{w: c.ErrOrStderr(), begun: func() { release = f.signals.hold() }}}
	o.Learned = func() { release() }
	return j.Fit(o)
}

// options returns the options of a job whose progress is written to w.
func (f *finetuneFlags) options(ctx context.Context, w io.Writer, j *finetune.Job, exec plan.Executor) finetune.Options {
	say := func(format string, a ...any) { fmt.Fprintf(w, format+"\n", a...) }
	return finetune.Options{Executor: exec, MemoryLimit: f.limit(exec), Interrupt: ctx.Done(), Say: say,
		Ready: func(l *train.Loop) { describe(w, j, l, exec) }, Callbacks: []train.Callback{&tuneProgress{w: w}}}
}

// describe says what is about to be done: the data, the settings, what is trained, memory and time.
func describe(w io.Writer, j *finetune.Job, l *train.Loop, exec plan.Executor) {
	n, s := j.Counts, j.Settings
	fmt.Fprintf(w, "data: %d records to train on, %d to validate on", n.Train, n.Val)
	if n.Test > 0 {
		fmt.Fprintf(w, ", %d to test", n.Test)
	}
	if n.Duplicates+n.Leaks > 0 {
		fmt.Fprintf(w, "; left out: %d duplicates, %d that are in the held-out files", n.Duplicates, n.Leaks)
	}
	fmt.Fprintln(w)
	if len(n.Balance) > 0 {
		fmt.Fprintln(w, n.Balance)
	}
	for _, line := range n.Warnings {
		fmt.Fprintln(w, "warning:", line)
	}
	if b, err := yaml.Marshal(s); err == nil {
		fmt.Fprintf(w, "settings, which the run keeps:\n  %s\n", strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "\n  "))
	}
	all, trained := l.Run.State.Params.Count()
	fmt.Fprintf(w, "%s: %d of %d parameters are trained (%.2f %%)\n", j.Source.Architecture.Class, trained, all, 100*float64(trained)/float64(all))
	p := l.StepPlan()
	size, width := j.LargestBatch()
	fmt.Fprintf(w, "memory: %.2f GiB for a step of up to %d×%d tokens: weights %.2f, gradients and moments %.2f, activations %.2f\n", gib(p.Total()), size, width,
		gib(p.Sizes[plan.Params]), gib(p.Sizes[plan.Moments]+p.Sizes[plan.Grads]+p.Sizes[plan.Averages]), gib(p.Sizes[plan.Activations]))
	// A step's cost is proportional to its tokens. A machine reaches about half of its peak on small products.
	perToken := float64(p.FLOPs()) / float64(size*width)
	seconds := 1.15 * float64(n.Tokens) * perToken / (0.5 * 1e9 * exec.Peak(peakTime))
	fmt.Fprintf(w, "time: about %s an epoch of %d tokens, %d epochs at most\n", rounded(seconds), n.Tokens, s.Train.Epochs)
}

func gib(bytes int) float64 { return float64(bytes) / (1 << 30) }

// rounded returns a duration as text. It is exact to the second below a minute, to ten seconds below an hour, and
// to the minute from there on.
func rounded(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return d.Round(10 * time.Second).String()
	}
	return d.Round(time.Minute).String()
}

// tuneProgress writes a line for each evaluation, and every few seconds one for the step.
type tuneProgress struct {
	w     io.Writer
	begun func() // is called after the first step: before it nothing is learned that a signal could lose; may be nil
	last  time.Time
}

// Observes implements train.Observer.
func (p *tuneProgress) Observes() {}

// OnStep implements train.Callback.
func (p *tuneProgress) OnStep(s *train.Status) error {
	if s.Step > 0 && p.begun != nil {
		p.begun()
		p.begun = nil
	}
	if !s.Evaluated && time.Since(p.last) < 10*time.Second && s.Step != s.Steps {
		return nil
	}
	p.last = time.Now()
	var b strings.Builder
	fmt.Fprintf(&b, "step %d/%d, epoch %.2f", s.Step, s.Steps, s.Epoch)
	if s.Step > 0 {
		fmt.Fprintf(&b, ", loss %.4f, rate %.2g", s.Loss, s.LR)
	}
	if s.Evaluated {
		fmt.Fprintf(&b, ", validation loss %.4f", s.ValLoss)
	}
	_, err := fmt.Fprintf(p.w, "%s, %s\n", b.String(), rounded(s.Seconds))
	return err
}

// report tells how a run ended: curves, figures with intervals, a verdict, what can be done next.
func (f *finetuneFlags) report(w io.Writer, r *finetune.Result) error {
	curves(w, r)
	kept := fmt.Sprintf("the weights after epoch %.2g of %.2g", r.BestEpoch, r.Epochs)
	if r.BestEpoch == 0 && r.Strength > 0 {
		kept = "the head on frozen features"
	}
	fmt.Fprintf(w, "kept: %s, validation loss %.4f", kept, float64(r.ValLoss))
	if r.BeforeLoss > 0 {
		fmt.Fprintf(w, ", before training %.4f", float64(r.BeforeLoss))
	}
	fmt.Fprint(w, "\n\n")
	figures(w, fmt.Sprintf("validation, %d records", r.ValRows), r.Metrics, r.CI95)
	if r.TestRows > 0 {
		figures(w, fmt.Sprintf("test, %d records", r.TestRows), r.Test, r.TestCI95)
	}
	fmt.Fprintf(w, "%s\n%s in all; the run is in %s\n\nnext:\n", r.Verdict, rounded(r.Seconds), r.Run)
	_, err := fmt.Fprintf(w, "  %s\n", strings.Join(r.Next, "\n  "))
	return err
}

// figures prints metrics with their intervals.
func figures(w io.Writer, title string, values map[string]finetune.Number, ci map[string][2]finetune.Number) {
	names := make([]string, 0, len(values))
	for n := range values {
		names = append(names, n)
	}
	sort.Strings(names)
	fmt.Fprintf(w, "%s (95 %% intervals):\n", title)
	for _, n := range names {
		fmt.Fprintf(w, "  %-16s %8.4f", n, float64(values[n]))
		if c, ok := ci[n]; ok {
			fmt.Fprintf(w, "   %.4f to %.4f", float64(c[0]), float64(c[1]))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

// curves plots training and validation losses.
func curves(w io.Writer, r *finetune.Result) {
	var losses, val []float64
	for _, s := range r.Whole {
		if s.Step > 0 {
			losses = append(losses, s.Loss)
		}
		if s.Evaluated && s.Step > 0 {
			val = append(val, s.ValLoss)
		}
	}
	if len(losses) > 1 {
		fmt.Fprintf(w, "%s\n\n", plot.Curve(losses, "training loss"))
	}
	if len(val) > 1 {
		fmt.Fprintf(w, "%s\n\n", plot.Curve(val, "validation loss"))
	}
}

// find tests learning rates.
func (f *finetuneFlags) find(c *cobra.Command, s finetune.Settings, exec plan.Executor) error {
	j, err := finetune.Open(s)
	if err != nil {
		return usage(err)
	}
	defer j.Close()
	curve, err := j.FindRate(f.options(c.Context(), c.ErrOrStderr(), j, exec), train.RateFinder{})
	if len(curve.Rates) == 0 && err != nil {
		return err
	}
	if f.JSON {
		if e := printJSON(c.OutOrStdout(), map[string]any{"rates": curve.Rates, "losses": curve.Losses, "smoothed": curve.Smoothed, "lowest": curve.Lowest,
			"steepest": curve.Steepest, "suggested": curve.Suggested, "diverged": curve.Diverged}); e != nil {
			return e
		}
		return err
	}
	n := len(curve.Rates)
	fmt.Fprintf(c.OutOrStdout(), "%s\n\n", plot.Curve(curve.Smoothed, fmt.Sprintf("smoothed loss, learning rate from %.2g to %.2g by equal factors", curve.Rates[0], curve.Rates[n-1])))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "lowest loss at %.2g, steepest fall at %.2g; suggested: --lr %.1g\n", curve.Lowest, curve.Steepest, curve.Suggested)
	return err
}

// repeat runs a job with several seeds or folds and reports means and standard deviations.
func (f *finetuneFlags) repeat(c *cobra.Command, s finetune.Settings, exec plan.Executor) error {
	out, sums := f.folder(), map[string][]float64{}
	what, n := "seed", f.Seeds
	if f.Folds > 0 {
		what, n = "fold", f.Folds
	}
	var all []*finetune.Result
	for i := range n {
		s, number := s, i+1
		if what == "fold" {
			s.Data.Folds, s.Data.Fold = n, number
		} else {
			s.Train.Seed += uint64(i)
			number = int(s.Train.Seed)
		}
		fmt.Fprintf(c.ErrOrStderr(), "%s %d\n", what, number)
		r, err := f.one(c, s, exec, filepath.Join(out, fmt.Sprintf("%s-%d", what, number)))
		if err != nil {
			return err
		}
		all = append(all, r)
		values := r.Metrics
		if r.TestRows > 0 {
			values = r.Test
		}
		for name, v := range values {
			sums[name] = append(sums[name], float64(v))
		}
	}
	mean, sd := map[string]finetune.Number{}, map[string]finetune.Number{}
	for name, v := range sums {
		m, d := meanSD(v)
		mean[name], sd[name] = finetune.Number(m), finetune.Number(d)
	}
	if f.JSON {
		return printJSON(c.OutOrStdout(), map[string]any{"task": s.Task, what + "s": n, "metrics": mean, "sd": sd, "runs": all, "run": out})
	}
	names := make([]string, 0, len(mean))
	for n := range mean {
		names = append(names, n)
	}
	sort.Strings(names)
	fmt.Fprintf(c.OutOrStdout(), "%d %ss, mean ± standard deviation:\n", n, what)
	for _, n := range names {
		fmt.Fprintf(c.OutOrStdout(), "  %-16s %8.4f ± %.4f\n", n, float64(mean[n]), float64(sd[n]))
	}
	return nil
}

// meanSD returns the mean and the standard deviation of a sample, whose divisor is n−1.
func meanSD(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(sd / float64(len(v)-1))
}
