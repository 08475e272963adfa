package generate

import (
	"math"
	"slices"
)

// penalty changes logits by what came before: Bias, Repetition, Presence, Frequency and NoRepeat of the options, in
// this order, in float32 as transformers does. It keeps its scratch between calls.
type penalty struct {
	o      *Options
	scores []float32
	uses   []int32 // how often each token occurs; all 0 between calls
}

// apply returns the logits (V) after the penalties. ids are the sequence; the first prompt of them are the prompt.
// Without penalties it returns the logits themselves, else a copy that is good until the next call. Ids outside the
// vocabulary are ignored.
func (p *penalty) apply(logits []float32, ids []int32, prompt int) []float32 {
	repetition := p.o.Repetition != 0 && p.o.Repetition != 1
	answer := p.o.Presence != 0 || p.o.Frequency != 0
	if len(p.o.Bias) == 0 && !repetition && !answer && p.o.NoRepeat == 0 {
		return logits
	}
	p.scores = append(p.scores[:0], logits...)
	for id, b := range p.o.Bias {
		if uint(id) < uint(len(p.scores)) {
			p.scores[id] += float32(b)
		}
	}
	if repetition {
		p.repetition(ids)
	}
	if answer {
		p.answer(ids[prompt:])
	}
	if p.o.NoRepeat > 0 {
		p.noRepeat(ids)
	}
	return p.scores
}

// count calls f once for each different id, with its score and how often it occurs. Meanwhile p.uses holds the counts.
func (p *penalty) count(ids []int32, f func(score *float32, n float32)) {
	if len(p.uses) != len(p.scores) {
		p.uses = make([]int32, len(p.scores))
	}
	for _, id := range ids {
		if uint(id) < uint(len(p.uses)) {
			p.uses[id]++
		}
	}
	for _, id := range ids {
		if uint(id) < uint(len(p.uses)) && p.uses[id] > 0 {
			f(&p.scores[id], float32(p.uses[id]))
			p.uses[id] = 0
		}
	}
}

// repetition makes each of the ids less likely: s/r where s > 0, else s·r.
// Source: Keskar et al. 2019, arXiv:1909.05858, section 4.1, with the sign as in transformers.
func (p *penalty) repetition(ids []int32) {
	r := float32(p.o.Repetition)
	p.count(ids, func(s *float32, _ float32) {
		if *s < 0 {
			*s *= r
		} else {
			*s /= r
		}
	})
}

// answer takes Frequency·n + Presence from the score of a token that is n times in the answer.
// Source: the OpenAI API's guide on frequency and presence penalties; order of the roundings as in vLLM.
func (p *penalty) answer(ids []int32) {
	frequency, presence := float32(p.o.Frequency), float32(p.o.Presence)
	p.count(ids, func(s *float32, n float32) {
		*s -= float32(frequency * n)
		*s -= presence
	})
}

// noRepeat bans each token that followed an earlier occurrence of the last NoRepeat−1 ids.
// Source: Paulus et al. 2017, arXiv:1705.04304, section 2.5.
func (p *penalty) noRepeat(ids []int32) {
	n := p.o.NoRepeat - 1
	if n > len(ids) {
		return
	}
	last := ids[len(ids)-n:]
	for i := n; i < len(ids); i++ {
		if id := ids[i]; slices.Equal(ids[i-n:i], last) && uint(id) < uint(len(p.scores)) {
			p.scores[id] = float32(math.Inf(-1))
		}
	}
}
