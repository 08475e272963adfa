package generate

import (
	"math/rand"
	"testing"
)

// BenchmarkChooser is one token out of a vocabulary of 151,936, as Qwen2 has, logits of spread 3.
func BenchmarkChooser(b *testing.B) {
	logits := make([]float32, 151936)
	r := rand.New(rand.NewSource(1))
	for i := range logits {
		logits[i] = float32(3 * r.NormFloat64())
	}
	ids := make([]int32, 2000)
	for i := range ids {
		ids[i] = int32(r.Intn(len(logits)))
	}
	for _, c := range []struct {
		name string
		o    Options
	}{
		{"greedy", Options{}},
		{"penalties", Options{Repetition: 1.1, Presence: 0.5, Frequency: 0.5, NoRepeat: 3}},
		{"temperature", Options{Temperature: 0.8}},
		{"top-k", Options{Temperature: 0.8, TopK: 40}},
		{"top-p", Options{Temperature: 0.8, TopP: 0.9}},
		{"top-k top-p", Options{Temperature: 0.8, TopK: 40, TopP: 0.9}},
		{"min-p", Options{Temperature: 0.8, MinP: 0.05}},
		{"typical", Options{Temperature: 0.8, Typical: 0.9}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			x := newChooser(c.o, ids, 0)
			for i := range b.N {
				x.next(logits, i)
			}
		})
	}
}
