package train

import "math"

// Schedule gives the factor on the optimizer's learning rate at a step, counted from 0, of a run of steps.
type Schedule interface {
	Factor(step, steps int) float64
}

// Constant keeps the learning rate, after Warmup steps in which it rises linearly.
type Constant struct{ Warmup int }

// Factor implements Schedule.
func (c Constant) Factor(step, _ int) float64 { return warmup(step, c.Warmup, 1) }

// warmup is (step+1)/(n+1) in the first n steps, then f.
func warmup(step, n int, f float64) float64 {
	if step < n {
		return float64(step+1) / float64(n+1)
	}
	return f
}

// after is the part of the steps after warmup that is done: 0 at its first step, 1 at the step after the last.
func after(step, steps, n int) float64 {
	return min(1, float64(step-n)/float64(max(1, steps-n)))
}

// Linear falls from 1 to Min over the run, after warmup.
type Linear struct {
	Warmup int
	Min    float64
}

// Factor implements Schedule.
func (l Linear) Factor(step, steps int) float64 {
	return warmup(step, l.Warmup, 1+(l.Min-1)*after(step, steps, l.Warmup))
}

// Cosine falls from 1 to Min along half a cosine, after warmup:
//
//	Min + ½·(1 − Min)·(1 + cos(π·(step − Warmup)/(steps − Warmup)))
//
// Source: Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, without restarts.
type Cosine struct {
	Warmup int
	Min    float64 // as a share of the learning rate
}

// Factor implements Schedule.
func (c Cosine) Factor(step, steps int) float64 {
	return warmup(step, c.Warmup, c.Min+(1-c.Min)/2*(1+math.Cos(math.Pi*after(step, steps, c.Warmup))))
}

// StepDecay multiplies by Gamma after every Every steps, counted from the end of warmup.
type StepDecay struct {
	Every  int
	Gamma  float64
	Warmup int
}

// Factor implements Schedule.
func (d StepDecay) Factor(step, _ int) float64 {
	return warmup(step, d.Warmup, math.Pow(d.Gamma, float64((step-d.Warmup)/max(1, d.Every))))
}

// Exponential multiplies by Gamma after every step behind warmup.
type Exponential struct {
	Gamma  float64
	Warmup int
}

// Factor implements Schedule.
func (e Exponential) Factor(step, _ int) float64 {
	return warmup(step, e.Warmup, math.Pow(e.Gamma, float64(step-e.Warmup)))
}

// InverseSqrt falls as 1/√step after warmup: √((Warmup+1)/(step+1)). Source: Vaswani et al. 2017, equation 3.
type InverseSqrt struct{ Warmup int }

// Factor implements Schedule.
func (i InverseSqrt) Factor(step, _ int) float64 {
	return warmup(step, i.Warmup, math.Sqrt(float64(i.Warmup+1)/float64(step+1)))
}

// WSD is warmup, stable, decay: 1 until the last Decay share of the steps, then linearly to Min.
// Source: Hu et al. 2024, arXiv:2404.06395, section 4.
type WSD struct {
	Warmup int
	Decay  float64 // share of all steps
	Min    float64
}

// Factor implements Schedule.
func (w WSD) Factor(step, steps int) float64 {
	from := max(w.Warmup, steps-int(math.Round(w.Decay*float64(steps))))
	if step < from {
		return warmup(step, w.Warmup, 1)
	}
	return 1 + (w.Min-1)*after(step, steps, from)
}
