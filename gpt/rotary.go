package gpt

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// ropeContext is the context that fitted settings name: Llama 3's.
const ropeContext = 8192

// fitScaling finds settings of Llama 3's rotary scaling with which pair i turns factors[i] times slower. GGUF files
// hold these factors. With θ the pair's speed, the factors are 1 above one speed, Factor below another, and between
// them 1/f is linear in θ. Any context will do, as only quotients count. Factors that break this rule are an error.
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

// speedOf returns θ of pair i of n, in radians a position.
func speedOf(base float64, n, i int) float64 { return math.Pow(base, -float64(i)/float64(n)) }

// slowdown returns the factor of a pair by the formula of [graph.RotaryScaling].
func slowdown(s graph.RotaryScaling, theta float64) float64 {
	if s.Context == 0 {
		return 1
	}
	t := (float64(s.Context)*theta/(2*math.Pi) - s.Low) / (s.High - s.Low)
	t = math.Min(1, math.Max(0, t))
	return 1 / ((1-t)/s.Factor + t)
}

// fitTurns fits a line through the factors between the two ends. It returns the turns within ropeContext at which the
// line meets the ends.
func fitTurns(factors []float32, speed func(int) float64) (low, high float64) {
	n := len(factors)
	factor := float64(factors[n-1])
	first, last := n, -1 // the first and last pair in between
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
	case last < 0: // none in between: any line between the two ends
		below := turns(speed(fast + 1))
		return below + (above-below)/3, above - (above-below)/3
	case first == last: // one: a line through it that reaches both ends before the pairs beside it
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

// readRotary reads the rotary settings of config.json: rope_theta and rope_scaling, or rope_parameters of transformers
// 5. base stands in for a missing rope_theta.
func readRotary(c *Settings, base float64) graph.RotaryOpts {
	for _, layer := range []string{fullLayer, slidingLayer} {
		if p := c.Sub("rope_parameters"); p != nil && p.Has(layer) {
			c.Fail("rope_parameters has its own settings for %s; this model has one kind of them", layer)
		}
	}
	if share := rotaryFields(c).Float("partial_rotary_factor", 1); share != 1 {
		c.Fail("partial_rotary_factor is %g; known: 1", share)
	}
	return readRotaryFields(c, c.Sub("rope_parameters"), base)
}

// rotaryFields are the fields of rope_parameters. Those that it lacks are in rope_scaling, or at the top.
func rotaryFields(c *Settings) *Settings {
	return c.Sub("rope_parameters").Or(c.Sub("rope_scaling")).Or(c)
}

// readRotaryFields is readRotary with p, which may be nil, as the rope_parameters.
func readRotaryFields(c, p *Settings, base float64) graph.RotaryOpts {
	old := c.Sub("rope_scaling")
	f := p.Or(old).Or(c)
	r := graph.RotaryOpts{Base: f.Float("rope_theta", base)}
	if !(r.Base > 0) || math.IsInf(r.Base, 0) {
		c.Fail("rope_theta is %g; it must be above 0", r.Base)
	}
	if p == nil && old == nil {
		return r
	}
	kind := "default" // of rope_parameters; rope_scaling must say
	if p == nil || !p.Has("type") && !p.Has("rope_type") && old != nil {
		kind = ""
	}
	kind = f.Text("type", f.Text("rope_type", kind))
	s := graph.RotaryScaling{}
	switch kind {
	case "default":
		return r
	case "linear":
	case "llama3":
		s.Low, s.High, s.Context = f.Float("low_freq_factor", 0), f.Float("high_freq_factor", 0), f.Int("original_max_position_embeddings", 0)
		if !(s.Low > 0 && s.High > s.Low && s.Context > 0) {
			c.Fail("rope_scaling llama3: low_freq_factor %g, high_freq_factor %g, original_max_position_embeddings %d", s.Low, s.High, s.Context)
		}
	default:
		c.Fail("rope_scaling is %q; known: default, linear, llama3", kind)
	}
	if s.Factor = f.Float("factor", 0); !(s.Factor > 0) || math.IsInf(s.Factor, 0) {
		c.Fail("rope_scaling %s: factor is %g; it must be above 0", kind, s.Factor)
	}
	r.Scaling = s
	return r
}

// writeRotary puts rope_theta and rope_scaling into s.
func writeRotary(s map[string]any, r graph.RotaryOpts) {
	s["rope_theta"], s["rope_scaling"] = r.Base, nil
	if x := r.Scaling; x.Context > 0 {
		s["rope_scaling"] = map[string]any{"rope_type": "llama3", "factor": x.Factor, "low_freq_factor": x.Low, "high_freq_factor": x.High, "original_max_position_embeddings": x.Context}
	} else if x.Factor != 0 {
		s["rope_scaling"] = map[string]any{"rope_type": "linear", "factor": x.Factor}
	}
}

// canonicalRotary replaces the base 0 by the default, and drops a scaling by 1.
func canonicalRotary(r graph.RotaryOpts) graph.RotaryOpts {
	if r.Base == 0 {
		r.Base = 10000
	}
	if r.Scaling.Factor == 1 && r.Scaling.Context == 0 {
		r.Scaling = graph.RotaryScaling{}
	}
	return r
}

// ropeFreqs is the tensor by which GGUF files say Llama 3's rotary scaling.
const ropeFreqs = "rope_freqs.weight"

// readScalingGGUF reads rope.scaling, and the tensor of Llama 3's scaling.
func readScalingGGUF(s *Settings, t Tensors, headDim int, base float64) graph.RotaryScaling {
	var r graph.RotaryScaling
	switch kind := s.Text("rope.scaling.type", ""); kind {
	case "", "none":
	case "linear":
		r.Factor = s.Float("rope.scaling.factor", 1)
	default:
		s.Fail("%s is %q; known: none, linear", s.Key("rope.scaling.type"), kind)
	}
	shape, ok := t.Shape(ropeFreqs)
	if !ok || s.Err() != nil {
		return r
	}
	if len(shape) != 1 || shape[0] != headDim/2 {
		s.Fail("%s is %v; want [%d]", ropeFreqs, shape, headDim/2)
		return r
	}
	factors, err := t.Values(ropeFreqs)
	if err == nil {
		r, err = fitScaling(factors, base)
	}
	if err != nil {
		s.Fail("%v", err)
	}
	return r
}
