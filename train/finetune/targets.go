package finetune

import (
	"math"

	"github.com/ceto-ml/ceto/data"
)

// addTarget adds an example's target and weight, by the weights of its classes where there are any.
func (f *features) addTarget(j *Job, e data.Sequence, classWeights []float64) {
	weight := 1.0
	switch t := j.task.(type) {
	case *classify:
		f.link = softmax
		y := make([]float64, len(j.Settings.Data.Classes))
		y[e.Y[0]] = 1
		f.y = append(f.y, y...)
		if classWeights != nil {
			weight = classWeights[e.Y[0]]
		}
	default:
		f.link = logistic
		if _, ok := t.(*multilabel); !ok {
			f.link = identity
		}
		for _, v := range e.Values {
			f.y = append(f.y, float64(v))
		}
	}
	f.weight = append(f.weight, weight)
}

// prepare completes the features and gives numbers that are to be predicted mean 0 and standard deviation 1; undo does
// to a head what that asks for.
func (f *features) prepare() (undo func(head)) {
	f.out = len(f.y) / f.n
	sum := 0.0
	for _, w := range f.weight {
		sum += w / float64(f.n)
	}
	for i := range f.weight {
		f.weight[i] /= sum
	}
	if f.link != identity {
		return func(head) {}
	}
	mean, square := 0.0, 0.0
	for _, v := range f.y {
		mean += v / float64(f.n)
	}
	if !f.center {
		mean = 0
	}
	for i := range f.y {
		f.y[i] -= mean
		square += f.y[i] * f.y[i] / float64(f.n)
	}
	sd := math.Sqrt(square)
	if sd < 1e-12 {
		sd = 1
	}
	for i := range f.y {
		f.y[i] /= sd
	}
	return func(h head) {
		for i := range h.weight {
			h.weight[i] *= float32(sd)
		}
		for i := range h.bias {
			h.bias[i] = h.bias[i]*float32(sd) + float32(mean)
		}
	}
}

// folds deals the examples out to k folds, those of a class one after the other.
func folds(f features, k int) []int {
	fold, next := make([]int, f.n), map[int]int{}
	for i := range fold {
		class := -1
		if f.link == softmax {
			for c, v := range f.y[i*f.out : (i+1)*f.out] {
				if v == 1 {
					class = c
				}
			}
		}
		fold[i] = next[class] % k
		next[class]++
	}
	return fold
}
