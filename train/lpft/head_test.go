package lpft

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

var links = map[string]Link{"softmax": Softmax, "logistic": Logistic, "identity": Identity}

// TestFitHead compares heads with scikit-learn's: see testdata/golden_head.py.
func TestFitHead(t *testing.T) {
	b, err := os.ReadFile("testdata/head.json")
	if err != nil {
		t.Fatal(err)
	}
	var gold struct {
		X      [][]float64
		Weight []float64
		Cases  []struct {
			Link    string
			C       float64
			Y, Want [][]float64
		}
	}
	if err := json.Unmarshal(b, &gold); err != nil {
		t.Fatal(err)
	}
	for _, c := range gold.Cases {
		f := features{x: slices.Concat(gold.X...), y: slices.Concat(c.Y...), weight: gold.Weight, n: len(gold.X), dim: len(gold.X[0]), out: len(c.Y[0]), link: links[c.Link], center: true}
		h, err := f.fit(c.C)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range gold.X {
			got := h.apply(x, f.link)
			for k, want := range c.Want[i] {
				if math.Abs(got[k]-want) > 2e-3 {
					t.Errorf("%s, C %g, row %d, output %d: %.5f, want %.5f", c.Link, c.C, i, k, got[k], want)
				}
			}
		}
	}
}

// apply is what a head says of x.
func (h head) apply(x []float64, l Link) []float64 {
	z := make([]float64, len(h.bias))
	for o := range z {
		z[o] = float64(h.bias[o])
		for d, v := range x {
			z[o] += float64(h.weight[o*len(x)+d]) * v
		}
	}
	switch l {
	case Softmax:
		sum := 0.0
		for _, v := range z {
			sum += math.Exp(v)
		}
		for k := range z {
			z[k] = math.Exp(z[k]) / sum
		}
	case Logistic:
		for k := range z {
			z[k] = 1 / (1 + math.Exp(-z[k]))
		}
	}
	return z
}

// random are features of n examples in which the first of dim numbers decides, among noise.
func randomFeatures(n, dim int, l Link) features {
	r := rand.New(rand.NewPCG(5, 6))
	f := features{n: n, dim: dim, out: 2, link: l, center: true}
	for range n {
		x := make([]float64, dim)
		for d := range x {
			x[d] = r.NormFloat64()
		}
		f.x = append(f.x, x...)
		f.weight = append(f.weight, 0.5+r.Float64())
		switch s := x[0] + 0.3*r.NormFloat64(); {
		case l == Identity:
			f.y = append(f.y, s, -s)
		case s > 0:
			f.y = append(f.y, 0, 1)
		default:
			f.y = append(f.y, 1, 0)
		}
	}
	return f
}

// TestHeadGradient compares the gradient of each loss with central differences.
func TestHeadGradient(t *testing.T) {
	for name, l := range links {
		f := randomFeatures(11, 4, l)
		w, grad := make([]float64, f.out*(f.dim+1)), make([]float64, f.out*(f.dim+1))
		for i := range w {
			w[i] = math.Sin(float64(i))
		}
		f.loss(w, grad)
		for i := range w {
			const h = 1e-6
			at := w[i]
			w[i] = at + h
			up := f.loss(w, nil)
			w[i] = at - h
			down := f.loss(w, nil)
			w[i] = at
			if want := (up - down) / 2 / h; math.Abs(grad[i]-want) > 1e-6*math.Max(1, math.Abs(want)) {
				t.Errorf("%s: gradient %d is %g, by differences %g", name, i, grad[i], want)
			}
		}
	}
}

// TestHeadStrength: where most features are noise a strong regularisation is chosen, where none is a weak one.
func TestHeadStrength(t *testing.T) {
	for _, w := range []struct {
		n, dim      int
		least, most float64
	}{{60, 200, 0.001, 0.1}, {600, 2, 0.1, 3}} {
		f := randomFeatures(w.n, w.dim, Softmax)
		h, c, err := fitHead(f, folds(f, 5), 5)
		if err != nil || c < w.least || c > w.most {
			t.Errorf("%d examples of %d features: strength %g, %v, want %g to %g", w.n, w.dim, c, err, w.least, w.most)
		}
		if len(h.weight) != 2*w.dim || !(h.weight[w.dim] > 0) {
			t.Errorf("%d examples of %d features: weight %g of what decides", w.n, w.dim, h.weight[w.dim])
		}
	}
	heavy := randomFeatures(60, 200, Softmax)
	for i := range heavy.weight {
		heavy.weight[i] = 0.1 + 5*heavy.y[2*i]
	}
	if _, c, err := fitHead(heavy, folds(heavy, 5), 5); err != nil || c != leastLoss(t, heavy) {
		t.Errorf("weights decide which strength is chosen: %g, want %g, %v", c, leastLoss(t, heavy), err)
	}
	f := randomFeatures(50, 3, Softmax)
	count := map[[2]int]int{}
	for i, k := range folds(f, 5) {
		count[[2]int{k, int(f.y[2*i])}]++
	}
	for k := range 5 {
		if a, b := count[[2]int{k, 0}], count[[2]int{0, 0}]; a < b-1 || a > b+1 {
			t.Errorf("fold %d has %d of a class, fold 0 has %d", k, a, b)
		}
	}
}

// leastLoss is the strength of the least loss in cross-validation in which held-out examples count alike.
func leastLoss(t *testing.T, f features) (best float64) {
	least, fold := math.Inf(1), folds(f, 5)
	for _, c := range strengths {
		sum := 0.0
		for k := range 5 {
			var in []int
			for i, at := range fold {
				if at != k {
					in = append(in, i)
				}
			}
			h, err := f.pick(in).fit(c)
			if err != nil {
				t.Fatal(err)
			}
			for i, at := range fold {
				if at == k {
					for o, p := range h.apply(f.x[i*f.dim:(i+1)*f.dim], Softmax) {
						sum -= f.y[i*f.out+o] * math.Log(p)
					}
				}
			}
		}
		if sum < least {
			least, best = sum, c
		}
	}
	return best
}
