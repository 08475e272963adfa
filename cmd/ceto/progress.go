package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/pretrain"
	"github.com/schollz/progressbar/v3"
)

// progress shows a run: a line that moves on a terminal, a line now and then elsewhere.
type progress struct {
	w      io.Writer
	exec   plan.Executor
	bar    *progressbar.ProgressBar
	peak   float64 // GFLOP/s
	flops  int64   // of a step
	tokens float64 // of a step
	spent  float64 // seconds in steps, without evaluations
	steps  int     // done by this process
	val    float64
	last   time.Time
}

// peakTime is how long one measurement of the peak takes.
const peakTime = 30 * time.Millisecond

func newProgress(w io.Writer, exec plan.Executor) *progress {
	return &progress{w: w, exec: exec, peak: exec.Peak(peakTime)}
}

// header says what is about to be trained, and where the run is kept.
func (p *progress) header(j *pretrain.Job, out string) {
	s, m := j.Settings.Train, j.Settings.Model
	n, v := j.Text.Tokens()
	kind := "ids of token files"
	if tok := j.Text.Tokenizer(); tok != nil {
		kind = tok.Name() + " tokens"
	}
	if f := j.Text.Files(); f != 1 {
		kind += fmt.Sprintf(" of %d files", f)
	}
	fmt.Fprintf(p.w, "%s: %d parameters, %d layers, %d wide, context %d; %d tokens to train on, %d held out (%s)\n",
		j.Settings.Preset, m.Params(), m.Layers, m.Width, m.Context, n, v, kind)
	fmt.Fprintf(p.w, "%d steps of %d×%d tokens, run folder %s\n", s.Steps, s.Batch*s.Accumulate, m.Context, out)
	p.tokens = float64(s.Batch * s.Accumulate * m.Context)
}

// Observes implements train.Observer.
func (p *progress) Observes() {}

// OnStep implements train.Callback.
func (p *progress) OnStep(s *train.Status) error {
	if p.flops == 0 {
		p.flops = s.Run.StepFLOPs()
		if w := movingLine(p.w); w != nil {
			p.bar = progressbar.NewOptions(s.Steps, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(20),
				progressbar.OptionSetPredictTime(false), progressbar.OptionThrottle(100*time.Millisecond))
		}
	}
	p.steps++
	p.spent += p.tokens / s.TokensPerSec
	if s.Evaluated {
		p.val = s.ValLoss
		p.peak = max(p.peak, p.exec.Peak(peakTime)) // at the first measurement the machine may have been busy
	}
	due := s.Step == s.Steps || s.Evaluated || time.Since(p.last) > 5*time.Second
	if p.bar == nil && !due {
		return nil
	}
	line := p.line(s)
	if p.bar != nil {
		p.bar.Describe(line)
		return p.bar.Set(s.Step)
	}
	p.last = time.Now()
	_, err := fmt.Fprintln(p.w, line)
	return err
}

// line describes the run after a step.
func (p *progress) line(s *train.Status) string {
	per := p.spent / float64(p.steps)
	var b strings.Builder
	fmt.Fprintf(&b, "step %d/%d, loss %.4f", s.Step, s.Steps, s.Loss)
	if p.val > 0 {
		fmt.Fprintf(&b, ", val %.4f", p.val)
	}
	fmt.Fprintf(&b, ", %.0f tokens/s", p.tokens/per)
	if p.peak > 0 {
		fmt.Fprintf(&b, ", %.0f %% of peak", 100*float64(p.flops)/per/1e9/p.peak)
	}
	fmt.Fprintf(&b, ", ETA %v", time.Duration(per*float64(s.Steps-s.Step)*float64(time.Second)).Round(time.Second))
	return b.String()
}

func (p *progress) close() {
	if p.bar != nil {
		p.bar.Finish()
		fmt.Fprintln(p.w)
	}
}
