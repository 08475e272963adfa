package generate

import (
	"math"
	"slices"
	"testing"
)

// search runs a beam search over the table model, checks what it says of its beams on the way, and counts its steps.
func (gold *sampleGolden) search(t *testing.T, b *beamSearch) (sequences []Sequence, steps int) {
	t.Helper()
	beams := [][]int32{b.running[0].ids}
	for steps < 1000 {
		steps++
		var rows [][]float32
		for _, x := range beams {
			rows = append(rows, gold.logits(x))
		}
		parents, ids, done := b.next(rows)
		if done {
			return b.finish(), steps
		}
		next := make([][]int32, len(ids))
		for i, id := range ids {
			if next[i] = slices.Concat(beams[parents[i]], []int32{id}); !slices.Equal(next[i], b.running[i].ids) {
				t.Fatalf("beam %d is %v and not %v of its parent %d", i, b.running[i].ids, next[i], parents[i])
			}
		}
		beams = next
	}
	t.Fatal("the search does not end")
	return nil, 0
}

// TestBeams compares the returned sequences with those of transformers' generate: ids, order, scores, and the number of
// steps. Without penalties the score is that of the log-probabilities.
func TestBeams(t *testing.T) {
	gold := readSampleGolden(t)
	rows := 0
	for n, r := range gold.Generate {
		o := r.Options
		if o.Beams < 2 {
			continue
		}
		rows++
		got, steps := gold.search(t, newBeams(o, r.Prompt, nil))
		if len(got) != len(r.Want) || steps != r.Steps {
			t.Fatalf("case %d, %+v: %d sequences in %d steps, transformers %d in %d", n, o, len(got), steps, len(r.Want), r.Steps)
		}
		for i, s := range got {
			w := r.Want[i]
			if !slices.Equal(s.IDs, w.IDs) || math.Abs(s.Score-w.Score) > 1e-6+1e-5*math.Abs(w.Score) {
				t.Errorf("case %d, %+v after %v, sequence %d: %v %g, transformers %v %g", n, o, r.Prompt, i, s.IDs, s.Score, w.IDs, w.Score)
			}
			end, sum := "length", 0.0
			if slices.Contains(o.End, s.IDs[len(s.IDs)-1]) {
				end = "end"
			}
			for _, p := range s.LogProbs {
				sum += float64(p)
			}
			plain := o.Repetition == 0 && o.Bias == nil
			if score := sum / math.Pow(float64(len(s.IDs)), o.LengthPenalty); s.End != end || len(s.LogProbs) != len(s.IDs) ||
				plain && math.Abs(score-s.Score) > 1e-5*math.Abs(score) {
				t.Errorf("case %d sequence %d: ended by %q, %d log-probabilities, score %g; want %q, %d, %g",
					n, i, s.End, len(s.LogProbs), s.Score, end, len(s.IDs), score)
			}
		}
	}
	if rows < 100 {
		t.Errorf("%d rows of beam search", rows)
	}
}

// TestBeamsExhaustive: with as many beams as there are sequences, the search finds the best of them all.
func TestBeamsExhaustive(t *testing.T) {
	gold := readSampleGolden(t)
	const tokens, vocab = 2, 16
	for prompt := range int32(vocab) {
		o := Options{Tokens: tokens, Beams: vocab * vocab, Returns: vocab * vocab}
		got, _ := gold.search(t, newBeams(o, []int32{prompt, 3}, nil))
		if len(got) != vocab*vocab {
			t.Fatalf("prompt %d: %d sequences, want all %d", prompt, len(got), vocab*vocab)
		}
		best := math.Inf(-1)
		for a := range int32(vocab) {
			first := gold.logits([]int32{prompt, 3})
			second := gold.logits([]int32{prompt, 3, a})
			for b := range second {
				best = max(best, float64(first[a])-logSum(first)+float64(second[b])-logSum(second))
			}
		}
		if math.Abs(got[0].Score-best) > 1e-5 {
			t.Errorf("prompt %d: the best has %g, want %g", prompt, got[0].Score, best)
		}
	}
}

// TestBeamsStop: an answer ends where stop says so, and not before.
func TestBeamsStop(t *testing.T) {
	gold := readSampleGolden(t)
	stop := func(ids []int32) bool {
		if len(ids) > 12 {
			t.Errorf("%v is longer than an answer", ids)
		}
		return len(ids) >= 2 && ids[len(ids)-2] == 3 && ids[len(ids)-1] == 10
	}
	stopped := 0
	for prompt := range int32(16) {
		o := Options{Tokens: 12, Beams: 4, Returns: 4, End: []int32{1}, LengthPenalty: 1}
		got, _ := gold.search(t, newBeams(o, []int32{prompt, 9}, stop))
		for _, s := range got {
			for n := 1; n <= len(s.IDs); n++ {
				if stop(s.IDs[:n]) != (s.End == "stop" && n == len(s.IDs)) {
					t.Errorf("prompt %d: %v ended by %q", prompt, s.IDs, s.End)
				}
			}
			if s.End == "stop" {
				stopped++
			}
		}
	}
	if stopped < 10 {
		t.Errorf("%d sequences ended by the text", stopped)
	}
}

// TestBeamsPresence: the penalties of the answer leave the first token alone, as no token of the prompt is part of the
// answer.
func TestBeamsPresence(t *testing.T) {
	gold := readSampleGolden(t)
	for tokens := 1; tokens <= 6; tokens++ {
		o := Options{Tokens: tokens, Beams: 4, Returns: 4}
		plain, _ := gold.search(t, newBeams(o, []int32{11, 5, 11, 5}, nil))
		o.Presence, o.Frequency = 1, 1
		got, _ := gold.search(t, newBeams(o, []int32{11, 5, 11, 5}, nil))
		for i := range got {
			seen, want := map[int32]float64{}, 0.0
			for k, id := range got[i].IDs {
				want += float64(got[i].LogProbs[k]) - seen[id] - min(seen[id], 1)
				seen[id]++
			}
			if math.Abs(got[i].Score-want) > 1e-5 || tokens == 1 && !slices.Equal(got[i].IDs, plain[i].IDs) {
				t.Errorf("%d tokens: %v with %g, want %g; without penalties %v", tokens, got[i].IDs, got[i].Score, want, plain[i].IDs)
			}
		}
	}
}

// TestBeamsCut: a search that is left before its end returns what runs, with "length". One whose every token is banned
// ends.
func TestBeamsCut(t *testing.T) {
	gold := readSampleGolden(t)
	b := newBeams(Options{Tokens: 50, Beams: 3, Returns: 3, LengthPenalty: 1}, []int32{2, 3}, nil)
	parents, ids, done := b.next([][]float32{gold.logits([]int32{2, 3})})
	got := b.finish()
	if done || !slices.Equal(parents, []int{0, 0, 0}) || len(got) != 3 {
		t.Fatalf("after one step: parents %v, done %v, %v", parents, done, got)
	}
	for i, s := range got {
		if len(s.IDs) != 1 || s.IDs[0] != ids[i] || s.End != "length" {
			t.Errorf("sequence %d: %+v, want token %d", i, s, ids[i])
		}
	}
	b = newBeams(Options{Tokens: 50, Beams: 3, Returns: 2, NoRepeat: 1}, []int32{2, 3}, nil)
	if got, _ = gold.search(t, b); len(got) != 2 || len(got[0].IDs) != 14 {
		t.Errorf("14 of 16 tokens are left to use: %v", got)
	}
}
