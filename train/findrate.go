package train

import (
	"cmp"
	"math"
	"slices"

	"github.com/pkg/errors"
)

// RateFinder has the settings of [Trainer.FindRate]. Zero fields stand for the defaults named last in each comment.
type RateFinder struct {
	From, To float64 // the first and the last learning rate; 1e-7 and 1
	Steps    int     // from one to the other; 100
	Smooth   float64 // share of the smoothed loss that each step keeps, in [0, 1); 0.9
	Stop     float64 // ends the test when the smoothed loss is this many times the lowest; 4
}

// RateCurve is what a learning rate test saw, a value for each step.
type RateCurve struct {
	Rates    []float64 // learning rates, growing by one factor
	Losses   []float64 // losses of the steps' batches
	Smoothed []float64 // their exponential moving mean, with bias correction
	Diverged bool      // the test ended early: the loss rose past Stop times its lowest, or was not finite

	Lowest    float64 // the rate at which the smoothed loss is lowest
	Steepest  float64 // the rate up to Lowest at which it falls fastest by the logarithm of the rate
	Suggested float64 // Lowest/10, 0 where the loss did not fall
}

// FindRate tests learning rates. It trains as t says, but with a rate that grows by the same factor each step, in place
// of the schedule. It looks at where the loss falls and where it rises again. Nothing of the test stays: parameters,
// moments and the place in the data are its own. No run folder, evaluation, callback, average or thaw takes part.
//
// Two readings are common. A tenth of the rate of the lowest loss is far enough from where training breaks; that is
// Suggested. At the rate of the steepest fall a step gains most. But noise moves that rate, and smoothing shifts it to
// larger rates by about Smooth/(1−Smooth) steps. Both readings are for a whole run with a schedule that falls.
//
// Let m and s be the mean and the standard deviation of the first fifth of the losses. Where the lowest smoothed loss
// is not below m − s, nothing is suggested, and the curve comes with an error.
//
// Source: Smith 2015, arXiv:1506.01186, section 3.3. The fastai library has the end at 4 times the lowest loss, the 100
// steps and the tenth; its Smooth is 0.98.
func (t Trainer) FindRate(d TrainData, o RateFinder) (c RateCurve, err error) {
	if err := o.check(); err != nil {
		return c, err
	}
	if t.Optimizer == nil || !(t.Optimizer.Rate() > 0) {
		return c, errors.New("train: FindRate wants an Optimizer with a learning rate above 0, which it replaces")
	}
	t.Schedule, t.Steps = sweep{o.From, o.To, t.Optimizer.Rate()}, o.Steps
	t.Thaw, t.EMA = nil, 0
	t.Val, t.Metrics, t.Stop = nil, nil, EarlyStopping{}
	t.Out, t.Resume, t.CheckpointEvery = "", false, 0
	t.Callbacks = []Callback{CallbackFunc(func(s *Status) error {
		c.add(s, o.Smooth)
		if c.Diverged = o.over(c.Smoothed); c.Diverged {
			return ErrStop
		}
		return nil
	})}
	l, err := t.Start(d)
	if err != nil {
		return c, err
	}
	defer l.Run.Close()
	defer l.Close()
	var broken *NotFiniteError
	switch err := l.Fit(); {
	case errors.Is(err, ErrInterrupted):
		return c, err
	case errors.As(err, &broken):
		c.Diverged = true
		c.cut(broken.Step - 1)
	case err != nil:
		return c, errors.Wrap(err, "train: FindRate")
	}
	return c, c.read(o.Steps)
}

// check fills in the defaults and refuses settings out of range.
func (o *RateFinder) check() error {
	o.From, o.To, o.Smooth, o.Stop = cmp.Or(o.From, 1e-7), cmp.Or(o.To, 1), cmp.Or(o.Smooth, 0.9), cmp.Or(o.Stop, 4)
	if o.Steps == 0 {
		o.Steps = 100
	}
	if !(o.From > 0 && o.To > o.From && finite(o.To)) || o.Steps < 10 || !(o.Smooth >= 0 && o.Smooth < 1) || !(o.Stop > 1) {
		return errors.Errorf("train: FindRate: %+v: want 0 < From < To, at least 10 steps, Smooth in [0, 1), Stop above 1", *o)
	}
	return nil
}

// over tells whether the last smoothed loss, after a tenth of the steps, is too far above the lowest to go on.
func (o *RateFinder) over(smoothed []float64) bool {
	low, n := slices.Min(smoothed), len(smoothed)
	return n > o.Steps/10 && low > 0 && smoothed[n-1] > o.Stop*low
}

// sweep is the schedule of a learning rate test over an optimizer of the given rate.
type sweep struct{ from, to, rate float64 }

// Factor implements Schedule.
func (s sweep) Factor(step, steps int) float64 {
	return s.from * math.Pow(s.to/s.from, float64(step)/float64(steps-1)) / s.rate
}

// add puts a step behind the others.
func (c *RateCurve) add(s *Status, smooth float64) {
	n := len(c.Losses)
	c.Rates, c.Losses = append(c.Rates, s.LR), append(c.Losses, s.Loss)
	mean := s.Loss
	if n > 0 {
		k := 1 - math.Pow(smooth, float64(n)) // takes the bias correction of the mean before off
		mean = (smooth*k*c.Smoothed[n-1] + (1-smooth)*s.Loss) / (1 - math.Pow(smooth, float64(n+1)))
	}
	c.Smoothed = append(c.Smoothed, mean)
}

// cut leaves only the first n steps. The failure of a step may be reported one step late.
func (c *RateCurve) cut(n int) {
	n = min(n, len(c.Losses))
	c.Rates, c.Losses, c.Smoothed = c.Rates[:n], c.Losses[:n], c.Smoothed[:n]
}

// read finds Lowest, Steepest and Suggested. A whole test has the given number of steps.
func (c *RateCurve) read(steps int) error {
	fifth := steps / 5
	if len(c.Losses) <= fifth {
		return errors.Errorf("train: FindRate: training broke after %d of %d steps; start from a smaller rate", len(c.Losses), steps)
	}
	low := 0
	for i, v := range c.Smoothed {
		if v < c.Smoothed[low] {
			low = i
		}
	}
	c.Lowest, c.Steepest = c.Rates[low], c.Rates[low]
	steepest := 0.0
	for i := max(1, steps/10); i < low; i++ {
		if fall := c.Smoothed[i-1] - c.Smoothed[i+1]; fall > steepest { // the rates' logarithms are evenly spaced
			steepest, c.Steepest = fall, c.Rates[i]
		}
	}
	mean, sd := moments(c.Losses[:fifth])
	if !(c.Smoothed[low] < mean-sd) {
		return errors.Errorf("train: FindRate: the loss did not fall at any rate: it is %.4g ± %.2g at first, and at its lowest %.4g", mean, sd, c.Smoothed[low])
	}
	c.Suggested = c.Lowest / 10
	return nil
}

// moments returns the mean and the standard deviation of v.
func moments(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean) / float64(len(v))
	}
	return mean, math.Sqrt(sd)
}
