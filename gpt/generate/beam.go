package generate

import (
	"cmp"
	"math"
	"slices"
)

// beamSearch is the beam search of one prompt, without the model. It is told the logits after each of its beams, and
// says with which beams to go on. Its results are those of transformers 4.57's generate with num_beams.
//
//	b := newBeams(o, prompt, nil)
//	for rows := logits after the prompt, once; ; rows = logits after each of the next beams {
//		parents, ids, done := b.next(rows) // beam i is now beam parents[i] of before, and ids[i]
//		if done { break }
//	}
//	sequences := b.finish()
type beamSearch struct {
	o        Options
	stop     func(ids []int32) bool
	running  []beam // at most Beams, the best first, all of the same length
	finished []beam // at most Beams, the best first, of any lengths
	over     bool   // the search came to its own end
	penalty  penalty
	logProbs []float32
	c        []candidate
}

// beam is a sequence of a search.
type beam struct {
	ids      []int32   // prompt and answer
	logProbs []float32 // of the answer
	score    float32   // Σ ln p after the penalties; once finished, divided by tokens^LengthPenalty
	end      string    // as in Sequence; "" while it runs
}

// extension is a token that a beam may go on with.
type extension struct {
	parent  int
	id      int32
	score   float32 // of the beam with the token
	logProb float32
}

// newBeams starts the search. stop, where set, is given an answer whose last token was just added. It says whether the
// answer ends there.
func newBeams(o Options, prompt []int32, stop func(ids []int32) bool) *beamSearch {
	return &beamSearch{o: o, stop: stop, running: []beam{{ids: prompt}}, penalty: penalty{o: &o}}
}

// next takes the logits (V) after each beam: at first one row, for the prompt; then a row for each id that it returned
// last. It returns the beams to go on with, at most Beams. Beam i continues the old beam parents[i] with the token
// ids[i]. With done there is none.
func (b *beamSearch) next(logits [][]float32) (parents []int, ids []int32, done bool) {
	var running []beam
	best := b.extensions(logits)
	finished := b.finished
	for rank, e := range best {
		// Only the Beams best may finish. Those behind them go on in place of the finished ones.
		if rank >= b.beams() && len(running) == b.beams() {
			break
		}
		switch x := b.extend(e); {
		case x.end == "" && len(running) < b.beams():
			running, parents, ids = append(running, x), append(parents, e.parent), append(ids, e.id)
		case x.end != "" && rank < b.beams():
			finished = append(finished, b.ranked(x))
		}
	}
	if len(best) == 0 { // every token is banned
		return nil, nil, true
	}
	b.running, b.finished = running, b.cut(finished)
	if b.over = len(running) == 0 || !b.promising(); b.over {
		return nil, nil, true
	}
	return parents, ids, false
}

func (b *beamSearch) beams() int { return max(b.o.Beams, 1) }

// extensions returns the best continuations of all beams, the best first. Among equal ones, that of the smaller beam
// comes first, then that of the smaller id. With E end tokens there are (1+E)·Beams of them. So Beams can go on, even
// where every beam may end in every way.
func (b *beamSearch) extensions(logits [][]float32) []extension {
	keep := max(2, 1+len(b.o.End)) * b.beams()
	var best []extension
	for parent, row := range logits {
		x, sum := b.running[parent], logSum(row)
		b.logProbs = b.logProbs[:0]
		for _, v := range row {
			b.logProbs = append(b.logProbs, float32(float64(v)-sum))
		}
		b.c = b.c[:0]
		for id, v := range b.penalty.apply(b.logProbs, x.ids, len(x.ids)-len(x.logProbs)) {
			if key := x.score + v; key > float32(math.Inf(-1)) {
				b.c = append(b.c, candidate{id: int32(id), key: key})
			}
		}
		for _, c := range take(b.c, func(n int, _ candidate) bool { return n == keep }) {
			best = append(best, extension{parent, c.id, c.key, b.logProbs[c.id]})
		}
	}
	slices.SortStableFunc(best, func(x, y extension) int { return cmp.Compare(y.score, x.score) })
	return best[:min(keep, len(best))]
}

// extend returns a beam with one token more, and whether and why it ends there.
func (b *beamSearch) extend(e extension) beam {
	old := b.running[e.parent]
	x := beam{ids: slices.Concat(old.ids, []int32{e.id}), logProbs: slices.Concat(old.logProbs, []float32{e.logProb}), score: e.score}
	switch n := len(x.logProbs); {
	case slices.Contains(b.o.End, e.id):
		x.end = "end"
	case b.stop != nil && b.stop(x.ids[len(x.ids)-n:]):
		x.end = "stop"
	case n >= b.o.Tokens:
		x.end = "length"
	}
	return x
}

// ranked returns a beam with the score that finished ones are sorted by.
func (b *beamSearch) ranked(x beam) beam {
	x.score = b.norm(x.score, len(x.logProbs))
	return x
}

func (b *beamSearch) norm(score float32, tokens int) float32 {
	return score / float32(math.Pow(float64(max(tokens, 1)), b.o.LengthPenalty))
}

// cut sorts finished beams, the best first, and keeps Beams of them. Among equal ones the older comes first.
func (b *beamSearch) cut(finished []beam) []beam {
	slices.SortStableFunc(finished, func(x, y beam) int { return cmp.Compare(y.score, x.score) })
	return finished[:min(b.beams(), len(finished))]
}

// promising reports whether the best running beam may yet become better than the worst finished one. It is an estimate,
// as transformers makes it, since the rank of a beam changes with its length.
func (b *beamSearch) promising() bool {
	if len(b.finished) < b.beams() {
		return true
	}
	length := len(b.running[0].logProbs)
	switch {
	case b.o.EarlyStopping == EarlyTrue:
		return false
	case b.o.EarlyStopping == EarlyNever && b.o.LengthPenalty > 0:
		length = b.o.Tokens
	}
	return b.norm(b.running[0].score, length) > b.finished[len(b.finished)-1].score
}

// finish returns the Returns best sequences, the best first. Where the search has not come to its end, the beams that
// still run end here, with "length".
func (b *beamSearch) finish() []Sequence {
	all := b.finished
	if !b.over {
		for _, x := range b.running {
			x.end = "length"
			all = append(all, b.ranked(x))
		}
		all = b.cut(all)
	}
	out := make([]Sequence, min(max(b.o.Returns, 1), len(all)))
	for i := range out {
		x := all[i]
		out[i] = Sequence{IDs: x.ids[len(x.ids)-len(x.logProbs):], LogProbs: x.logProbs, Score: float64(x.score), End: x.end}
	}
	return out
}
