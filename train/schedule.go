package train

import "math"

// Schedule gives the factor on the optimizer's learning rate at a step, counted from 0, of a run of steps.
type Schedule interface {
	Factor(step, steps int) float64
}

// Warmup says in how many steps the learning rate rises to its highest. From 1 on it is a whole number of steps,
// below 1 a share of all steps, and 0 is none.
type Warmup float64

// Steps is the number of steps of the warmup in a run of so many. A share is rounded to the nearest number of steps.
func (w Warmup) Steps(steps int) int {
	if w < 1 {
		return int(math.Round(float64(w) * float64(steps)))
	}
	return int(w)
}

// Valid tells whether w is 0, a share below 1, or a whole number of steps.
func (w Warmup) Valid() bool {
	return w >= 0 && (w < 1 || w <= math.MaxInt32 && w == Warmup(math.Trunc(float64(w))))
}

// MarshalYAML writes a number of steps without a fraction.
func (w Warmup) MarshalYAML() (any, error) {
	if w >= 1 && w.Valid() {
		return int(w), nil
	}
	return float64(w), nil
}

// Constant keeps the learning rate, after a warmup in which it rises linearly.
type Constant struct{ Warmup Warmup }

// Factor implements Schedule.
func (c Constant) Factor(step, steps int) float64 { return rise(step, c.Warmup.Steps(steps), 1) }

// rise is (step+1)/(n+1) in the first n steps, then f.
func rise(step, n int, f float64) float64 {
	if step < n {
		return float64(step+1) / float64(n+1)
	}
	return f
}

// after is the share of the steps after the first n that is done: 0 at the first of them, 1 after the last one.
func after(step, steps, n int) float64 {
	return min(1, float64(step-n)/float64(max(1, steps-n)))
}

// Linear falls from 1 to Min over the run, after warmup.
type Linear struct {
	Warmup Warmup
	Min    float64
}

// Factor implements Schedule.
func (l Linear) Factor(step, steps int) float64 {
	n := l.Warmup.Steps(steps)
	return rise(step, n, 1+(l.Min-1)*after(step, steps, n))
}

// Cosine falls from 1 to Min along half a cosine, after warmup:
//
//	Min + ½·(1 − Min)·(1 + cos(π·(step − Warmup)/(steps − Warmup)))
//
// Source: Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, without restarts.
type Cosine struct {
	Warmup Warmup
	Min    float64 // as a share of the learning rate
}

// Factor implements Schedule.
func (c Cosine) Factor(step, steps int) float64 {
	n := c.Warmup.Steps(steps)
	return rise(step, n, c.Min+(1-c.Min)/2*(1+math.Cos(math.Pi*after(step, steps, n))))
}

// StepDecay multiplies by Gamma after every Every steps, counted from the end of warmup.
type StepDecay struct {
	Every  int
	Gamma  float64
	Warmup Warmup
}

// Factor implements Schedule.
func (d StepDecay) Factor(step, steps int) float64 {
	n := d.Warmup.Steps(steps)
	return rise(step, n, math.Pow(d.Gamma, float64((step-n)/max(1, d.Every))))
}

// Exponential multiplies by Gamma after every step that follows the warmup.
type Exponential struct {
	Gamma  float64
	Warmup Warmup
}

// Factor implements Schedule.
func (e Exponential) Factor(step, steps int) float64 {
	n := e.Warmup.Steps(steps)
	return rise(step, n, math.Pow(e.Gamma, float64(step-n)))
}

// InverseSqrt falls as 1/√step after warmup: √((Warmup+1)/(step+1)). Source: Vaswani et al. 2017, equation 3.
type InverseSqrt struct{ Warmup Warmup }

// Factor implements Schedule.
func (i InverseSqrt) Factor(step, steps int) float64 {
	n := i.Warmup.Steps(steps)
	return rise(step, n, math.Sqrt(float64(n+1)/float64(step+1)))
}

// WSD is warmup, stable, decay: 1 until the last Decay share of the steps, then linearly to Min.
// Source: Hu et al. 2024, arXiv:2404.06395, section 4.
type WSD struct {
	Warmup Warmup
	Decay  float64 // share of all steps
	Min    float64
}

// Factor implements Schedule.
func (w WSD) Factor(step, steps int) float64 {
	n := w.Warmup.Steps(steps)
	from := max(n, steps-int(math.Round(w.Decay*float64(steps))))
	if step < from {
		return rise(step, n, 1)
	}
	return 1 + (w.Min-1)*after(step, steps, from)
}
