package gpt

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// ropeContext is the context that fitted settings are written for: Llama 3's.
const ropeContext = 8192

// fitScaling finds settings of Llama 3's rotary scaling that slow pair i down by factors[i], as GGUF files say it. With
// θ the pair's speed, the factors are 1 above a speed, Factor below another, and between them 1/f is linear in θ. Any
// context serves, as only quotients count. Factors that are not of this kind are an error.
func fitScaling(factors []float32, base float64) (graph.RotaryScaling, error) {
	n := len(factors)
	speed := func(i int) float64 { return speedOf(base, n, i) }
	factor := float64(factors[n-1])
	s := graph.RotaryScaling{Factor: factor, Context: ropeContext}
	if !(factor >= 1) || math.IsInf(factor, 0) {
		return s, errors.Errorf("rope_freqs.weight ends with %g; want 1 or more", factor)
	}
	if factor == 1 {
		s = graph.RotaryScaling{}
	} else {
		s.Low, s.High = fitTurns(factors, speed)
	}
	for i, f := range factors {
		if want := slowdown(s, speed(i)); math.Abs(float64(f)-want) > 1e-4*want {
			return s, errors.Errorf("rope_freqs.weight has %g for pair %d; Llama 3's scaling, with factor %g, has %g", f, i, factor, want)
		}
	}
	return s, nil
}

// speedOf is θ of pair i of n, in radians a position.
func speedOf(base float64, n, i int) float64 { return math.Pow(base, -float64(i)/float64(n)) }

// slowdown is the factor of a pair by the formula of [graph.RotaryScaling].
func slowdown(s graph.RotaryScaling, theta float64) float64 {
	if s.Context == 0 {
		return 1
	}
	t := (float64(s.Context)*theta/(2*math.Pi) - s.Low) / (s.High - s.Low)
	t = math.Min(1, math.Max(0, t))
	return 1 / ((1-t)/s.Factor + t)
}

// fitTurns finds the turns within ropeContext at which the line through the factors between the two ends meets them.
func fitTurns(factors []float32, speed func(int) float64) (low, high float64) {
	n := len(factors)
	factor := float64(factors[n-1])
	first, last := n, -1 // of the pairs between
	fast := -1           // the last pair at full speed
	for i, f := range factors {
		switch share := float64(f); {
		case share <= 1:
			fast = i
		case share < factor*(1-1e-6):
			first, last = min(first, i), i
		}
	}
	turns := func(theta float64) float64 { return ropeContext * theta / (2 * math.Pi) }
	share := func(i int) float64 { return (1/float64(factors[i]) - 1/factor) / (1 - 1/factor) }
	above := turns(1) * 2 // a speed that no pair has
	if fast >= 0 {
		above = turns(speed(fast))
	}
	switch {
	case last < 0: // none between: anywhere between the two
		below := turns(speed(fast + 1))
		return below + (above-below)/3, above - (above-below)/3
	case first == last: // one: a line through it, steep enough to be at both ends before its neighbours
		t, s, below := turns(speed(first)), share(first), 0.0
		if first+1 < n {
			below = turns(speed(first + 1))
		}
		slope := 1.0001 * math.Max(s/(t-below), (1-s)/(above-t))
		return t - s/slope, t + (1-s)/slope
	}
	t0, t1, s0, s1 := turns(speed(first)), turns(speed(last)), share(first), share(last)
	slope := (s0 - s1) / (t0 - t1)
	return t0 - s0/slope, t0 + (1-s0)/slope
}
