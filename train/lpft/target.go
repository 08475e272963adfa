package lpft

import (
	"math"

	"github.com/pkg/errors"
)

// Link says how a linear head's outputs z are read, and thereby by which loss it is fitted.
type Link int

// The links.
const (
	Softmax  Link = iota // classes that exclude each other, by the cross-entropy
	Logistic             // labels that do not, and shares, by the binary cross-entropy of each output
	Identity             // numbers, by half the squared error of each output
)

// Target says how the field y of an example becomes the targets of a head's outputs. With Softmax y is one class id.
// With Logistic y has a number from 0 to 1 for each output, with Identity any number for each output.
type Target struct {
	Link    Link
	Classes int       // with Softmax: how many there are
	Weights []float64 // with Softmax: the weight of each class in the fit of the head; nil weighs all alike
}

// encode returns the targets of one example's outputs, and its weight.
func (t Target) encode(y []float32) (target []float64, weight float64, err error) {
	if t.Link != Softmax {
		for _, v := range y {
			target = append(target, float64(v))
		}
		return target, 1, nil
	}
	if len(y) != 1 || y[0] < 0 || int(y[0]) >= t.Classes {
		return nil, 0, errors.Errorf("its target is %v; want one class id from 0 to %d", y, t.Classes-1)
	}
	class := int(y[0])
	target, weight = make([]float64, t.Classes), 1
	target[class] = 1
	if t.Weights != nil {
		weight = t.Weights[class]
	}
	return target, weight, nil
}

// loss returns the loss of one example's predictions, as nn.Loss.Predict gives them. By the link it is −Σ y·ln p, the
// sum of the binary cross-entropies, or the sum of the squared errors.
func (t Target) loss(pred, y []float32) (sum float64, err error) {
	target, _, err := t.encode(y)
	if err != nil {
		return 0, err
	}
	if len(target) != len(pred) {
		return 0, errors.Errorf("there are %d predictions for %d targets; want as many", len(pred), len(target))
	}
	for k, p := range pred {
		switch t.Link {
		case Softmax:
			sum -= target[k] * logOf(p)
		case Logistic:
			sum -= float64(y[k])*logOf(p) + float64(1-y[k])*logOf(1-p)
		default:
			sum += float64(p-y[k]) * float64(p-y[k])
		}
	}
	return sum, nil
}

// logOf returns ln p. A probability below 1e-7 counts as 1e-7.
func logOf(p float32) float64 { return math.Log(max(1e-7, float64(p))) }

// prepare gives the weights mean 1 and, with Identity, the targets mean 0 and standard deviation 1. undo changes a
// head that was fitted to such targets into one for the targets as they were.
func (f *features) prepare() (undo func(head)) {
	f.out = len(f.y) / f.n
	sum := 0.0
	for _, w := range f.weight {
		sum += w / float64(f.n)
	}
	for i := range f.weight {
		f.weight[i] /= sum
	}
	if f.link != Identity {
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

// folds deals the examples out to k folds. The examples of a class go to one fold after the other.
func folds(f features, k int) []int {
	fold, next := make([]int, f.n), map[int]int{}
	for i := range fold {
		class := -1
		if f.link == Softmax {
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
