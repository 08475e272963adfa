package nn

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Init fills w, the elements of a parameter of the given shape in row-major order, with numbers drawn from r. Matrices
// are (in, out). The initialisers here use + − × ÷ and √ alone, each rounded to float64, so that they give the same
// numbers on every machine. An Init that does not fit the shape returns an error.
type Init func(w []float64, shape graph.Shape, r *Rand) error

func (i Init) or(other Init) Init {
	if i == nil {
		return other
	}
	return i
}

// transposed is the same initialiser for a matrix that is kept as (out, in).
func (i Init) transposed() Init {
	return func(w []float64, s graph.Shape, r *Rand) error {
		if len(s) != 2 {
			return i(w, s, r)
		}
		t := make([]float64, len(w))
		if err := i(t, graph.Shape{s[1], s[0]}, r); err != nil {
			return err
		}
		for a := range s[0] {
			for b := range s[1] {
				w[a*s[1]+b] = t[b*s[0]+a]
			}
		}
		return nil
	}
}

// Zeros fills with 0 and Ones with 1.
var (
	Zeros = Constant(0)
	Ones  = Constant(1)
)

// Constant fills with v.
func Constant(v float64) Init {
	return func(w []float64, _ graph.Shape, _ *Rand) error {
		for i := range w {
			w[i] = v
		}
		return nil
	}
}

// Uniform draws each number evenly from [lo, hi).
func Uniform(lo, hi float64) Init {
	return func(w []float64, _ graph.Shape, r *Rand) error {
		for i := range w {
			w[i] = lo + float64((hi-lo)*r.Uniform(i, 0))
		}
		return nil
	}
}

// Normal draws each number from N(mean, std²).
func Normal(mean, std float64) Init {
	return func(w []float64, _ graph.Shape, r *Rand) error {
		for i := range w {
			w[i] = mean + float64(std*r.Normal(i, 0))
		}
		return nil
	}
}

// TruncatedNormal draws each number from N(mean, std²), and draws again while it is more than two std from the mean.
func TruncatedNormal(mean, std float64) Init {
	return func(w []float64, _ graph.Shape, r *Rand) error {
		for i := range w {
			w[i] = mean + float64(std*r.truncated(i))
		}
		return nil
	}
}

// Fan-scaled initialisers. A matrix (in, out) has its two extents as fans, in and out. A kernel (out, in, …) of more
// axes has its first two extents, each times the product of the rest. A vector has its extent as both.
var (
	// GlorotUniform is U(−a, a), a = √(6/(in+out)). Source: Glorot and Bengio 2010, equation 16.
	GlorotUniform = fans(func(in, out float64) Init { return symmetric(math.Sqrt(6 / (in + out))) })
	// GlorotNormal is N(0, 2/(in+out)).
	GlorotNormal = fans(func(in, out float64) Init { return Normal(0, math.Sqrt(2/(in+out))) })
	// HeUniform is U(−a, a), a = √(6/in). Source: He et al. 2015, arXiv:1502.01852, section 2.2.
	HeUniform = fans(func(in, _ float64) Init { return symmetric(math.Sqrt(6 / in)) })
	// HeNormal is N(0, 2/in).
	HeNormal = fans(func(in, _ float64) Init { return Normal(0, math.Sqrt(2/in)) })
	// LeCunNormal is N(0, 1/in). Source: LeCun et al. 1998, "Efficient BackProp", section 4.6.
	LeCunNormal = fans(func(in, _ float64) Init { return Normal(0, math.Sqrt(1/in)) })
	// LeCunUniform is U(−a, a), a = √(3/in).
	LeCunUniform = fans(func(in, _ float64) Init { return symmetric(math.Sqrt(3 / in)) })
)

func symmetric(a float64) Init { return Uniform(-a, a) }

func fans(f func(in, out float64) Init) Init {
	return func(w []float64, s graph.Shape, r *Rand) error {
		in, out := 1, 1
		switch {
		case len(s) == 1:
			in, out = s[0], s[0]
		case len(s) == 2:
			in, out = s[0], s[1]
		case len(s) > 2:
			in, out = s[1:].Size(), s[0]*s[2:].Size()
		}
		return f(float64(in), float64(out))(w, s, r)
	}
}

// GPT2Residual is N(0, (0.02/√(2·layers))²), for the projections that add to the residual stream of that many layers.
// Source: Radford et al. 2019, section 2.3.
func GPT2Residual(layers int) Init { return Normal(0, 0.02/math.Sqrt(2*float64(layers))) }

// Orthogonal fills a matrix with orthonormal rows or columns, whichever are fewer, times gain. A shape of more axes
// is taken as a matrix of its first axis by the rest; one axis alone is an error. It draws rows from N(0, 1) and takes
// Gram-Schmidt over them twice. Source: Saxe et al. 2013, arXiv:1312.6120.
func Orthogonal(gain float64) Init {
	return func(w []float64, s graph.Shape, r *Rand) error {
		if len(s) < 2 {
			return errors.Errorf("nn: Orthogonal wants at least two axes, the shape is %v", s)
		}
		rows, cols := s[0], s[1:].Size()
		n, m := min(rows, cols), max(rows, cols)
		q := make([]float64, n*m)
		for i := range q {
			q[i] = r.Normal(i, 0)
		}
		for i := range n {
			orthonormalise(q, i, m)
		}
		for i := range n {
			for j := range m {
				if rows <= cols {
					w[i*cols+j] = float64(gain * q[i*m+j])
				} else {
					w[j*cols+i] = float64(gain * q[i*m+j])
				}
			}
		}
		return nil
	}
}

// orthonormalise makes row i of q, whose rows are m long, orthogonal to the rows before it, and scales it to length 1.
func orthonormalise(q []float64, i, m int) {
	row := q[i*m : (i+1)*m]
	for range 2 { // once is not enough in floating point: Giraud et al. 2005
		for k := range i {
			axpy(row, q[k*m:(k+1)*m], -dot(row, q[k*m:(k+1)*m]))
		}
	}
	norm := math.Sqrt(dot(row, row))
	for j := range row {
		row[j] /= norm
	}
}

func dot(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += float64(v * b[i]) // the conversion keeps compilers from a fused multiply-add
	}
	return sum
}

func axpy(y, x []float64, k float64) {
	for i, v := range x {
		y[i] += float64(k * v)
	}
}
