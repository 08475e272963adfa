package vec

import "math"

func loopCases() []loopCase {
	return append(mapCases(), rowCases()...)
}

func phi(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
func cdf(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

func mapCases() []loopCase {
	sigma := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	root := math.Sqrt(2 / math.Pi)
	arg := func(x float64) float64 { return root * (x + 0.044715*x*x*x) }
	step := func(x float64) float64 { return max(0, math.Copysign(1, x)) }
	return []loopCase{
		unary("Exp", -20, 5, Exp[float32], Exp[float64], math.Exp),
		unary("Exp/all", -100, 88.7, Exp[float32], Exp[float64], math.Exp),
		unary("Log", 1e-9, 10, Log[float32], Log[float64], math.Log),
		unary("Tanh", -12, 12, Tanh[float32], Tanh[float64], math.Tanh),
		unary("Sigmoid", -30, 30, Sigmoid[float32], Sigmoid[float64], sigma),
		unary("Sigmoid/all", -300, 300, Sigmoid[float32], Sigmoid[float64], sigma),
		unary("GELU", -8, 8, GELU[float32], GELU[float64], func(x float64) float64 { return x / 2 * (1 + math.Tanh(arg(x))) }),
		unary("GELU/all", -300, 300, GELU[float32], GELU[float64], func(x float64) float64 { return x / 2 * (1 + math.Tanh(arg(x))) }),
		unary("GELUErf", -8, 8, GELUErf[float32], GELUErf[float64], func(x float64) float64 { return x * cdf(x) }),
		unary("GELUErf/all", -300, 300, GELUErf[float32], GELUErf[float64], func(x float64) float64 { return x * cdf(x) }),
		unary("SiLU", -20, 20, SiLU[float32], SiLU[float64], func(x float64) float64 { return x * sigma(x) }),
		unary("SiLU/all", -300, 300, SiLU[float32], SiLU[float64], func(x float64) float64 { return x * sigma(x) }),
		unary("ReLU", -3, 3, ReLU[float32], ReLU[float64], func(x float64) float64 { return max(x, 0) }),
		binary("GELUGrad", -8, 8, GELUGrad[float32], GELUGrad[float64], func(x, dy float64) float64 {
			t := math.Tanh(arg(x))
			return dy * ((1+t)/2 + x/2*(1-t*t)*root*(1+3*0.044715*x*x))
		}),
		binary("GELUErfGrad", -30, 30, GELUErfGrad[float32], GELUErfGrad[float64], func(x, dy float64) float64 { return dy * (cdf(x) + x*phi(x)) }),
		binary("SiLUGrad", -30, 30, SiLUGrad[float32], SiLUGrad[float64], func(x, dy float64) float64 {
			s := sigma(x)
			return dy * (s + x*s*(1-s))
		}),
		binary("ReLUGrad", -3, 3, ReLUGrad[float32], ReLUGrad[float64], func(x, dy float64) float64 { return dy * step(x) }),
		binary("Add", -3, 3, Add[float32], Add[float64], func(a, b float64) float64 { return a + b }),
		binary("Sub", -3, 3, Sub[float32], Sub[float64], func(a, b float64) float64 { return a - b }),
		binary("Mul", -3, 3, Mul[float32], Mul[float64], func(a, b float64) float64 { return a * b }),
		binary("Div", 0.5, 3, Div[float32], Div[float64], func(a, b float64) float64 { return a / b }),
		unary("Scale", -3, 3, scaleBy[float32], scaleBy[float64], func(x float64) float64 { return -0.75 * x }),
		unary("AddScalar", -3, 3, addQuarter[float32], addQuarter[float64], func(x float64) float64 { return x + 0.25 }),
		unary("Fill", -3, 3, fillHalf[float32], fillHalf[float64], func(float64) float64 { return 0.5 }),
		adds(row("AddTo", 1, 1, -3, 3, addTo[float32], addTo[float64], func(o, i [][]float64) []float64 {
			for j, x := range i[0] {
				o[0][j] += x
			}
			return nil
		})),
		adds(row("Axpy", 1, 1, -3, 3, axpy[float32], axpy[float64], func(o, i [][]float64) []float64 {
			for j, x := range i[0] {
				o[0][j] += 0.375 * x
			}
			return nil
		})),
	}
}

func scaleBy[T Float](y, x []T)             { Scale(y, x, -0.75) }
func addQuarter[T Float](y, x []T)          { AddScalar(y, x, 0.25) }
func fillHalf[T Float](y, _ []T)            { Fill(y, 0.5) }
func addTo[T Float](o, i [][]T) []float64   { AddTo(o[0], i[0]); return nil }
func axpy[T Float](o, i [][]T) []float64    { Axpy(o[0], i[0], 0.375); return nil }
func sum[T Float](_, i [][]T) []float64     { return []float64{Sum(i[0])} }
func sumSq[T Float](_, i [][]T) []float64   { return []float64{SumSq(i[0])} }
func dot[T Float](_, i [][]T) []float64     { return []float64{Dot(i[0], i[1])} }
func largest[T Float](_, i [][]T) []float64 { return []float64{float64(Max(i[0]))} }
func lse[T Float](_, i [][]T) []float64     { return []float64{LogSumExp(i[0])} }
func expSum[T Float](o, i [][]T) []float64  { return []float64{ExpSumRow(o[0], i[0], 2.5)} }
func softmax[T Float](o, i [][]T) []float64 { SoftmaxRow(o[0], i[0]); return nil }
func softmaxGrad[T Float](o, i [][]T) []float64 {
	SoftmaxGradRow(o[0], i[0], i[1])
	return nil
}

func total(x []float64, f func(i int, x float64) float64) (s float64) {
	for i, v := range x {
		s += f(i, v)
	}
	return s
}

func rowCases() []loopCase {
	return append([]loopCase{
		row("Sum", 0, 1, -3, 4, sum[float32], sum[float64], func(_, i [][]float64) []float64 {
			return []float64{total(i[0], func(_ int, x float64) float64 { return x })}
		}),
		row("SumSq", 0, 1, -3, 3, sumSq[float32], sumSq[float64], func(_, i [][]float64) []float64 {
			return []float64{total(i[0], func(_ int, x float64) float64 { return x * x })}
		}),
		row("Dot", 0, 2, -3, 4, dot[float32], dot[float64], func(_, i [][]float64) []float64 {
			return []float64{total(i[0], func(j int, x float64) float64 { return x * i[1][j] })}
		}),
		row("Max", 0, 1, -9, 3, largest[float32], largest[float64], wantMax),
		row("Max/negative", 0, 1, -9, -3, largest[float32], largest[float64], wantMax),
		row("LogSumExp", 0, 1, -9, 9, lse[float32], lse[float64], wantLSE),
		row("LogSumExp/high", 0, 1, 900, 1000, lse[float32], lse[float64], wantLSE),
		row("ExpSumRow", 1, 1, -30, 2.5, expSum[float32], expSum[float64], func(o, i [][]float64) []float64 {
			return []float64{total(i[0], func(j int, x float64) float64 { o[0][j] = math.Exp(x - 2.5); return o[0][j] })}
		}),
		row("SoftmaxRow", 1, 1, -9, 9, softmax[float32], softmax[float64], wantSoftmax),
		row("SoftmaxRow/high", 1, 1, 900, 1000, softmax[float32], softmax[float64], wantSoftmax),
		row("SoftmaxGradRow", 1, 2, -1, 1, softmaxGrad[float32], softmaxGrad[float64], func(o, i [][]float64) []float64 {
			s := total(i[0], func(j int, y float64) float64 { return y * i[1][j] })
			for j, y := range i[0] {
				o[0][j] = y * (i[1][j] - s)
			}
			return nil
		}),
	}, stepCases()...)
}

func wantMax(_, i [][]float64) []float64 {
	m := math.Inf(-1)
	for _, x := range i[0] {
		m = max(m, x)
	}
	return []float64{m}
}

func wantLSE(_, i [][]float64) []float64 {
	m := wantMax(nil, i)[0]
	return []float64{m + math.Log(total(i[0], func(_ int, x float64) float64 { return math.Exp(x - m) }))}
}

func wantSoftmax(o, i [][]float64) []float64 {
	l := wantLSE(nil, i)[0]
	for j, x := range i[0] {
		o[0][j] = math.Exp(x - l)
	}
	return nil
}
