package generate

import (
	"math"
	"slices"

	"github.com/ceto-ml/ceto/nn"
)

// chooser chooses the tokens of one sequence. A choice depends on the options, the tokens so far and their logits, the
// sequence's number, and the step. It does not depend on what else was drawn.
type chooser struct {
	o        Options
	rand     *nn.Rand
	sequence int
	ids      []int32 // prompt and answer
	prompt   int     // how many of them are the prompt
	penalty  penalty
	c        []candidate
}

// newChooser returns the chooser of the sequence with that number, which counts from 0 over all prompts and returns.
func newChooser(o Options, prompt []int32, sequence int) *chooser {
	c := &chooser{o: o, rand: nn.NewRand(o.Seed, "sample"), sequence: sequence, prompt: len(prompt), penalty: penalty{o: &o}}
	c.ids = append(make([]int32, 0, len(prompt)+min(max(o.Tokens, 0), 4096)), prompt...)
	return c
}

// add appends a token to the sequence.
func (c *chooser) add(id int32) { c.ids = append(c.ids, id) }

// next chooses the token at a step, from 0, by the logits (V), which it does not change. It also returns ln
// softmax(logits)[id], with sums in float64. V must be at least 1 and the same each time.
func (c *chooser) next(logits []float32, step int) (id int32, logprob float32) {
	id = c.draw(logits, c.rand.Uniform(step, c.sequence))
	return id, float32(float64(logits[id]) - logSum(logits))
}

// logSum returns ln Σ exp(x), in one pass, with the largest so far taken out.
func logSum(x []float32) float64 {
	top, sum := math.Inf(-1), 0.0
	for _, v := range x {
		if d := float64(v) - top; d <= 0 {
			sum += math.Exp(d)
		} else {
			top, sum = float64(v), sum*math.Exp(-d)+1
		}
	}
	return top + math.Log(sum)
}

// draw returns the token whose share of [0, 1) contains u.
func (c *chooser) draw(logits []float32, u float64) int32 {
	scores := c.penalty.apply(logits, c.ids, c.prompt)
	best := largest(scores)
	if c.o.Temperature == 0 {
		return best
	}
	left := c.candidates(scores, scores[best])
	u *= total(left)
	for _, x := range left {
		if u -= x.p; u < 0 {
			return x.id
		}
		if x.p > 0 {
			best = x.id // the last one, where rounding leaves some of u
		}
	}
	return best
}

// largest returns the index of the largest value, the first of equal ones.
func largest(x []float32) int32 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return int32(best)
}

// candidate is a token that may be drawn.
type candidate struct {
	id  int32
	key float32 // its rank: the larger, the better
	p   float64 // its probability, times a factor common to all
}

// candidates returns what Temperature, TopK, TopP, MinP and Typical leave, at least the most likely token.
func (c *chooser) candidates(scores []float32, best float32) []candidate {
	o, left := c.o, slices.Grow(c.c[:0], len(scores))[:len(scores)]
	c.c = left
	for i, v := range scores {
		left[i] = candidate{id: int32(i), key: v}
	}
	if o.TopK > 0 && o.TopK < len(left) {
		left = take(left, func(n int, _ candidate) bool { return n == o.TopK })
	}
	for i, x := range left {
		left[i].p = math.Exp(float64(x.key-best) / o.Temperature)
	}
	if o.TopP > 0 && o.TopP < 1 {
		left = mass(left, o.TopP)
	}
	if o.MinP > 0 {
		left = slices.DeleteFunc(left, func(x candidate) bool { return x.p < o.MinP })
	}
	if o.Typical > 0 && o.Typical < 1 {
		left = typical(left, best, o.Temperature, o.Typical)
	}
	return left
}

// mass returns the first candidates by rank that together have at least the share p of the probability.
// Source: Holtzman et al. 2020, arXiv:1904.09751, section 3.1.
func mass(c []candidate, p float64) []candidate {
	rest := p * total(c)
	return take(c, func(_ int, x candidate) bool { rest -= x.p; return rest <= 0 })
}

// typical returns the candidates with the smallest |−ln p − H| that together have at least the share of the
// probability.
//
//	ln p = (key − best)/temperature − ln Σ exp((key − best)/temperature)
//	H    = −Σ p·ln p
//
// Source: Meister et al. 2023, arXiv:2202.00666, section 3.
func typical(c []candidate, best float32, temperature, share float64) []candidate {
	sum, entropy := total(c), 0.0
	lnp := func(x candidate) float64 { return float64(x.key-best)/temperature - math.Log(sum) }
	for _, x := range c {
		if x.p > 0 {
			entropy -= x.p / sum * lnp(x)
		}
	}
	for i, x := range c {
		c[i].key = -float32(math.Abs(lnp(x) + entropy))
	}
	return mass(c, share)
}

func total(c []candidate) (sum float64) {
	for _, x := range c {
		sum += x.p
	}
	return sum
}

// take returns the best candidates of c, the best first. It ends with the first one for which enough is true; n is the
// number of those taken, x included. It makes a heap of c and takes from it, so that a few of many cost one pass.
func take(c []candidate, enough func(n int, x candidate) bool) []candidate {
	for i := len(c)/2 - 1; i >= 0; i-- {
		sink(c, i)
	}
	n := 0
	for n < len(c) {
		end := len(c) - 1 - n
		c[0], c[end] = c[end], c[0]
		sink(c[:end], 0)
		n++
		if enough(n, c[end]) {
			break
		}
	}
	c = c[len(c)-n:]
	slices.Reverse(c)
	return c
}

// sink moves element i of a heap down to where both below it rank lower.
func sink(c []candidate, i int) {
	for {
		child := 2*i + 1
		if child >= len(c) {
			return
		}
		if child+1 < len(c) && c[child+1].before(c[child]) {
			child++
		}
		if !c[child].before(c[i]) {
			return
		}
		c[i], c[child] = c[child], c[i]
		i = child
	}
}

func (x candidate) before(y candidate) bool { return x.key > y.key || x.key == y.key && x.id < y.id }
