package lpft

import (
	"math"
	"slices"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
)

// features holds vectors of examples with their targets.
type features struct {
	x      []float64 // (n, dim)
	y      []float64 // (n, out): one-hot classes, labels and shares from 0 to 1, or numbers
	weight []float64 // (n): the weight of each example; see prepare
	n, dim int
	out    int
	link   Link
	center bool // the head has a bias
}

// head is a linear map: weight (out, dim) and bias (out).
type head struct{ weight, bias []float32 }

// transposed is the weight as (dim, out).
func (h head) transposed() []float32 {
	out := len(h.bias)
	dim, m := len(h.weight)/out, make([]float32, len(h.weight))
	for o := range out {
		for d := range dim {
			m[d*out+o] = h.weight[o*dim+d]
		}
	}
	return m
}

// strengths are the strengths of regularisation that are tried, from the strongest on, as scikit-learn's C. The fit
// minimises Σ weight·loss + |W|²/(2C) over standardised features.
var strengths = []float64{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3}

// fitHead fits the head whose strength has the least loss in k-fold cross-validation and returns it with that strength.
// fold[i] is the number of example i's fold. Held-out examples count alike. Weighed by
// class, a few doubtful examples of rare classes would choose too strong a regularisation.
func fitHead(f features, fold []int, k int) (head, float64, error) {
	losses := make([]float64, len(strengths))
	for i := range k {
		var in, out []int
		for row, at := range fold {
			if at == i {
				out = append(out, row)
			} else {
				in = append(in, row)
			}
		}
		train, held := f.pick(in), f.pick(out)
		shift, scale := train.standardize()
		held.apply(shift, scale)
		for i := range held.weight {
			held.weight[i] = 1
		}
		w := make([]float64, train.out*(train.dim+1))
		for j, c := range strengths { // each goes on from the one before
			if err := train.minimize(w, c); err != nil {
				return head{}, 0, err
			}
			losses[j] += held.loss(w, nil)
		}
	}
	best := 0
	for j, l := range losses {
		if l < losses[best] {
			best = j
		}
	}
	h, err := f.fit(strengths[best])
	return h, strengths[best], err
}

// fit fits the head for one strength.
func (f features) fit(c float64) (head, error) {
	all := f.pick(nil)
	shift, scale := all.standardize()
	w := make([]float64, all.out*(all.dim+1))
	if err := all.minimize(w, c); err != nil {
		return head{}, err
	}
	h := head{make([]float32, f.out*f.dim), make([]float32, f.out)}
	for o := range f.out {
		b := w[f.out*f.dim+o]
		for d := range f.dim {
			v := w[o*f.dim+d] / scale[d]
			h.weight[o*f.dim+d] = float32(v)
			b -= v * shift[d]
		}
		h.bias[o] = float32(b)
	}
	return h, nil
}

// pick copies the examples of the given numbers. With nil it copies all.
func (f features) pick(rows []int) features {
	if rows == nil {
		f.x, f.y, f.weight = slices.Clone(f.x), slices.Clone(f.y), slices.Clone(f.weight)
		return f
	}
	p := f
	p.n, p.x, p.y, p.weight = len(rows), nil, nil, nil
	for _, r := range rows {
		p.x = append(p.x, f.x[r*f.dim:(r+1)*f.dim]...)
		p.y = append(p.y, f.y[r*f.out:(r+1)*f.out]...)
		p.weight = append(p.weight, f.weight[r])
	}
	return p
}

// standardize gives every feature standard deviation 1 and, where the head has a bias, mean 0. It returns what was
// taken off and what was divided by.
func (f features) standardize() (shift, scale []float64) {
	shift, scale = make([]float64, f.dim), make([]float64, f.dim)
	for d := range f.dim {
		mean, square := 0.0, 0.0
		for i := range f.n {
			v := f.x[i*f.dim+d]
			mean += v / float64(f.n)
			square += v * v / float64(f.n)
		}
		if f.center {
			shift[d] = mean
			square -= mean * mean
		}
		if scale[d] = math.Sqrt(max(0, square)); scale[d] < 1e-6 {
			scale[d] = 1
		}
	}
	f.apply(shift, scale)
	return shift, scale
}

func (f features) apply(shift, scale []float64) {
	for i := range f.n {
		row := f.x[i*f.dim : (i+1)*f.dim]
		floats.Sub(row, shift)
		floats.Div(row, scale)
	}
}

// loss returns Σ weight·loss for the head w, which is (out, dim) and then (out) biases, and adds its gradient to grad.
func (f features) loss(w, grad []float64) float64 {
	z := make([]float64, f.n*f.out)
	x := blas64.General{Rows: f.n, Cols: f.dim, Stride: f.dim, Data: f.x}
	m := blas64.General{Rows: f.out, Cols: f.dim, Stride: f.dim, Data: w}
	for i := range z {
		z[i] = w[f.out*f.dim+i%f.out]
	}
	dz := blas64.General{Rows: f.n, Cols: f.out, Stride: f.out, Data: z}
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, x, m, 1, dz)
	sum := 0.0
	for i := range f.n {
		row, y := z[i*f.out:(i+1)*f.out], f.y[i*f.out:(i+1)*f.out]
		sum += f.weight[i] * f.link.loss(row, y) // row becomes the gradient
		floats.Scale(f.weight[i], row)
	}
	if grad != nil {
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, dz, x, 1, blas64.General{Rows: f.out, Cols: f.dim, Stride: f.dim, Data: grad})
		for i, v := range z {
			if f.center {
				grad[f.out*f.dim+i%f.out] += v
			}
		}
	}
	return sum
}

// loss returns the loss of outputs z for targets y, and writes its gradient over z.
func (l Link) loss(z, y []float64) (sum float64) {
	switch l {
	case Softmax:
		total := floats.LogSumExp(z)
		for k := range z {
			sum += y[k] * (total - z[k])
			z[k] = math.Exp(z[k]-total) - y[k]
		}
	case Logistic:
		for k, v := range z {
			sum += max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) - y[k]*v
			z[k] = 1/(1+math.Exp(-v)) - y[k]
		}
	default:
		for k := range z {
			z[k] -= y[k]
			sum += z[k] * z[k] / 2
		}
	}
	return sum
}

// minimize fits w by L-BFGS, from the values that it has.
func (f features) minimize(w []float64, c float64) error {
	k := f.out * f.dim
	p := optimize.Problem{
		Func: func(w []float64) float64 { return f.loss(w, nil) + floats.Dot(w[:k], w[:k])/(2*c) },
		Grad: func(grad, w []float64) {
			clear(grad)
			f.loss(w, grad)
			floats.AddScaled(grad[:k], 1/c, w[:k])
		},
	}
	s := &optimize.Settings{MajorIterations: 200, GradientThreshold: 1e-4 * float64(f.n),
		Converger: &optimize.FunctionConverge{Relative: 1e-7, Iterations: 5}}
	r, err := optimize.Minimize(p, w, s, &optimize.LBFGS{})
	if r == nil || math.IsNaN(r.F) || math.IsInf(r.F, 0) {
		return errors.Errorf("lpft: the head does not fit: %v", err)
	}
	copy(w, r.X) // also where a line search found no more to gain, which Minimize calls an error
	return nil
}
