package gpt

import (
	"math"
	"slices"

	"github.com/pkg/errors"
)

// Validate returns an error that names the first option that cannot be.
func (o SampleOptions) Validate() error {
	switch {
	case o.Tokens < 0:
		return errors.Errorf("gpt: %d tokens", o.Tokens)
	case !(o.Temperature >= 0) || math.IsInf(o.Temperature, 0):
		return errors.Errorf("gpt: temperature is %g; it must be 0 or more", o.Temperature)
	case o.TopK < 0:
		return errors.Errorf("gpt: top-k is %d; it must be 0 or more", o.TopK)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return errors.Errorf("gpt: top-p is %g; it must be in [0, 1]", o.TopP)
	}
	return nil
}

// candidate is a token and its probability.
type candidate struct {
	id int32
	p  float64
}

// choose draws a token from softmax(logits/Temperature), cut to the TopK and TopP most likely, with u in [0, 1).
// Ties go to the smaller id.
func (o SampleOptions) choose(logits []float32, u float64) int32 {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	if o.Temperature == 0 {
		return int32(best)
	}
	c := make([]candidate, len(logits))
	for i, v := range logits {
		c[i] = candidate{int32(i), math.Exp(float64(v-logits[best]) / o.Temperature)}
	}
	if o.TopK > 0 || o.TopP > 0 && o.TopP < 1 {
		slices.SortStableFunc(c, func(a, b candidate) int {
			switch {
			case a.p > b.p:
				return -1
			case a.p < b.p:
				return 1
			}
			return 0
		})
	}
	if o.TopK > 0 && o.TopK < len(c) {
		c = c[:o.TopK]
	}
	if o.TopP > 0 && o.TopP < 1 {
		c = nucleus(c, o.TopP)
	}
	u *= total(c)
	for _, x := range c {
		if u -= x.p; u < 0 {
			return x.id
		}
	}
	return c[len(c)-1].id
}

// nucleus returns the first candidates that together have at least the share p of the probability.
// Source: Holtzman et al. 2020, arXiv:1904.09751, section 3.1.
func nucleus(c []candidate, p float64) []candidate {
	left := p * total(c)
	for i, x := range c {
		if left -= x.p; left <= 0 {
			return c[:i+1]
		}
	}
	return c
}

func total(c []candidate) (sum float64) {
	for _, x := range c {
		sum += x.p
	}
	return sum
}
