package graphtest

import "math"

// An Oracle computes the first result of a row from its operands, in another way than the op: index by index. It gets
// the row and the result's shape.
type Oracle func(c Case, y S, x [][]float64) []float64

// elementwise is the oracle of f on broadcast operands.
func elementwise(f func(v []float64) float64) Oracle {
	return func(c Case, y S, x [][]float64) []float64 {
		out := make([]float64, y.Size())
		for o := range out {
			i := indexOf(y, o)
			v := make([]float64, len(x))
			for k, s := range c.shapes() {
				j := append([]int{}, i[len(y)-len(s):]...)
				for a, d := range s {
					if d == 1 {
						j[a] = 0
					}
				}
				v[k] = x[k][offsetOf(s, j)]
			}
			out[o] = f(v)
		}
		return out
	}
}

// unaryOf and binaryOf are oracles of functions of one number and two: the first operand and the last.
func unaryOf(f func(x float64) float64) Oracle {
	return elementwise(func(v []float64) float64 { return f(v[0]) })
}

func binaryOf(f func(a, b float64) float64) Oracle {
	return elementwise(func(v []float64) float64 { return f(v[0], v[len(v)-1]) })
}

// moved is the oracle of ops that move elements: from says which operand's element, and where, is the result's at i;
// operand −1 is 0.
func moved(from func(c Case, x [][]float64, i []int) (operand int, j []int)) Oracle {
	return func(c Case, y S, x [][]float64) []float64 {
		out := make([]float64, y.Size())
		for o := range out {
			if k, j := from(c, x, indexOf(y, o)); k >= 0 {
				out[o] = x[k][offsetOf(c.In[k].Shape, j)]
			}
		}
		return out
	}
}

// reduced is the oracle of a reduction by f over axes, all without any; kept axes have an extent of 1.
func reduced(f func(a, b float64) float64, mean bool, axes ...int) Oracle {
	return func(c Case, y S, x [][]float64) []float64 {
		s := c.In[0].Shape
		gone := make([]bool, len(s))
		for i := range gone {
			gone[i] = len(axes) == 0
		}
		for _, a := range axes {
			gone[(a+len(s))%len(s)] = true
		}
		out, count := make([]float64, y.Size()), make([]int, y.Size())
		for e, v := range x[0] {
			to := 0
			for a, j := range indexOf(s, e) {
				if !gone[a] {
					to = to*s[a] + j
				}
			}
			if count[to]++; count[to] == 1 {
				out[to] = v
			} else {
				out[to] = f(out[to], v)
			}
		}
		for i := range out {
			if mean {
				out[i] /= float64(count[i])
			}
		}
		return out
	}
}

// summed is the oracle of a loss that sums f over the elements of two operands.
func summed(f func(y, t float64) float64) Oracle {
	return func(_ Case, _ S, x [][]float64) []float64 {
		sum := 0.0
		for i, v := range x[0] {
			sum += f(v, x[len(x)-1][i])
		}
		return []float64{sum}
	}
}

func (c Case) shapes() []S {
	s := make([]S, len(c.In))
	for i := range s {
		s[i] = c.In[i].Shape
	}
	return s
}

// indexOf is where element o of shape s is; offsetOf is the inverse.
func indexOf(s S, o int) []int {
	i := make([]int, len(s))
	for a := len(s) - 1; a >= 0; a-- {
		i[a] = o % s[a]
		o /= s[a]
	}
	return i
}

func offsetOf(s S, i []int) int {
	o := 0
	for a := range s {
		o = o*s[a] + i[a]
	}
	return o
}

// oracleTol is the relative error that float64 may have against an oracle: sums in another order.
const oracleTol = 1e-12

// near reports whether a float64 result is an oracle's, whose terms are of the given size.
func near(got, want, size float64) bool {
	return math.Abs(got-want) <= oracleTol*(size+math.Abs(want)) || got == want || got != got && want != want
}
