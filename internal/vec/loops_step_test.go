package vec

import (
	"math"
	"testing"

	"github.com/ceto-ml/ceto/internal/splitmix"
)

// stepCases are the cases of norms, the update and dropout. in: x, then dy or w, …
func stepCases() []loopCase {
	cases := []loopCase{
		adds(row("LayerNormGradRow", 3, 3, -2, 3, lnGrad[float32], lnGrad[float64], wantLNGrad)),
		row("LayerNormGradRow/dx", 1, 2, -2, 3, lnGradX[float32], lnGradX[float64], func(o, i [][]float64) []float64 {
			n := len(i[0])
			wantLNGrad([][]float64{o[0], make([]float64, n), make([]float64, n)}, [][]float64{i[0], i[1], ones(n)})
			return nil
		}),
		row("RMSNormRow", 1, 2, -2, 3, rms[float32], rms[float64], wantRMS),
		row("RMSNormRow/plain", 1, 1, -2, 3, rms[float32], rms[float64], wantRMS),
		adds(row("RMSNormGradRow", 2, 3, -2, 3, rmsGrad[float32], rmsGrad[float64], wantRMSGrad)),
		row("RMSNormGradRow/dx", 1, 2, -2, 3, rmsGradX[float32], rmsGradX[float64], func(o, i [][]float64) []float64 {
			n := len(i[0])
			wantRMSGrad([][]float64{o[0], make([]float64, n)}, [][]float64{i[0], i[1], ones(n)})
			return nil
		}),
		row("AdamW", 3, 4, 0.001, 1, adamW[float32], adamW[float64], wantAdamW),
		row("Dropout", 1, 1, 1, 3, dropped[float32], dropped[float64], wantDropped),
	}
	for ins, name := range []string{1: "plain", 2: "w", 3: "wb", 4: "b"} {
		if ins > 0 {
			cases = append(cases, row("LayerNormRow/"+name, 1, ins, -2, 3, ln[float32], ln[float64], wantLN))
		}
	}
	return cases
}

func ones(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 1
	}
	return x
}

// wb is the w and b of a case of LayerNormRow by the number of its inputs; with four there is b alone.
func wb[T Float](i [][]T) (w, b []T) {
	switch len(i) {
	case 2:
		return i[1], nil
	case 3:
		return i[1], i[2]
	case 4:
		return nil, i[3]
	}
	return nil, nil
}

// normEps is large, so that rows of one element are not all rounding.
const normEps = 0.01

func ln[T Float](o, i [][]T) []float64 {
	if len(i[0]) == 0 {
		return nil
	}
	w, b := wb(i)
	mean, rstd := LayerNormRow(o[0], i[0], w, b, normEps)
	return []float64{float64(mean), float64(rstd)}
}

func moments(x []float64) (mean, rstd float64) {
	n := float64(len(x))
	mean = total(x, func(_ int, x float64) float64 { return x }) / n
	v := total(x, func(_ int, x float64) float64 { return (x - mean) * (x - mean) }) / n
	return mean, 1 / math.Sqrt(v+normEps)
}

func wantLN(o, i [][]float64) []float64 {
	if len(i[0]) == 0 {
		return nil
	}
	mean, rstd := moments(i[0])
	w, b := wb(i)
	for j, x := range i[0] {
		o[0][j] = (x - mean) * rstd
		if w != nil {
			o[0][j] *= w[j]
		}
		if b != nil {
			o[0][j] += b[j]
		}
	}
	return []float64{mean, rstd}
}

// The gradients are tested at a mean and rstd that are not those of x, so that every term counts.
const testMean, testRstd = 0.25, 0.75

func lnGrad[T Float](o, i [][]T) []float64 {
	LayerNormGradRow(o[0], o[1], o[2], i[0], i[1], i[2], testMean, testRstd)
	return nil
}

func lnGradX[T Float](o, i [][]T) []float64 {
	LayerNormGradRow(o[0], nil, nil, i[0], i[1], nil, testMean, testRstd)
	return nil
}

func wantLNGrad(o, i [][]float64) []float64 {
	x, dy, w, n := i[0], i[1], i[2], float64(len(i[0]))
	hat := func(j int) float64 { return (x[j] - testMean) * testRstd }
	a := total(dy, func(j int, v float64) float64 { return v * w[j] }) / n
	b := total(dy, func(j int, v float64) float64 { return v * w[j] * hat(j) }) / n
	for j, v := range dy {
		o[0][j] = testRstd * (v*w[j] - a - hat(j)*b)
		o[1][j] += v * hat(j)
		o[2][j] += v
	}
	return nil
}

func rms[T Float](o, i [][]T) []float64 {
	if len(i[0]) == 0 {
		return nil
	}
	w, _ := wb(i)
	return []float64{float64(RMSNormRow(o[0], i[0], w, normEps))}
}

func wantRMS(o, i [][]float64) []float64 {
	if len(i[0]) == 0 {
		return nil
	}
	rstd := 1 / math.Sqrt(total(i[0], func(_ int, x float64) float64 { return x * x })/float64(len(i[0]))+normEps)
	w, _ := wb(i)
	for j, x := range i[0] {
		o[0][j] = x * rstd
		if w != nil {
			o[0][j] *= w[j]
		}
	}
	return []float64{rstd}
}

func rmsGrad[T Float](o, i [][]T) []float64 {
	RMSNormGradRow(o[0], o[1], i[0], i[1], i[2], testRstd)
	return nil
}

func rmsGradX[T Float](o, i [][]T) []float64 {
	RMSNormGradRow(o[0], nil, i[0], i[1], nil, testRstd)
	return nil
}

func wantRMSGrad(o, i [][]float64) []float64 {
	x, dy, w, n := i[0], i[1], i[2], float64(len(i[0]))
	b := total(dy, func(j int, v float64) float64 { return v * w[j] * x[j] * testRstd }) / n
	for j, v := range dy {
		o[0][j] = testRstd * (v*w[j] - x[j]*testRstd*b)
		o[1][j] += v * x[j] * testRstd
	}
	return nil
}

var adamArgs = AdamWArgs{LR: 0.01, Beta1: 0.9, Beta2: 0.95, Eps: 1e-3, Decay: 0.1, Corr1: 0.271, Corr2: 0.142625, GradScale: -0.5}

func adamW[T Float](o, i [][]T) []float64 {
	AdamW(o[0], o[1], o[2], i[0], i[1], i[2], i[3], adamArgs)
	return nil
}

func wantAdamW(o, i [][]float64) []float64 {
	a := adamArgs
	for j, p := range i[0] {
		g := a.GradScale * i[3][j]
		m := a.Beta1*i[1][j] + (1-a.Beta1)*g
		v := a.Beta2*i[2][j] + (1-a.Beta2)*g*g
		o[1][j], o[2][j] = m, v
		p -= a.LR * a.Decay * p
		o[0][j] = p - a.LR*(m/a.Corr1)/(math.Sqrt(v/a.Corr2)+a.Eps)
	}
	return nil
}

// The elements of the case of dropout lie on both sides of a border of 2³².
const dropKey, dropOffset, dropP = 9, 1<<32 - 20, 0.3

func dropped[T Float](o, i [][]T) []float64 {
	Dropout(o[0], i[0], dropKey, dropOffset, dropP)
	return nil
}

func wantDropped(o, i [][]float64) []float64 {
	for j, x := range i[0] {
		o[0][j] = 0
		if dropHash(dropKey, dropOffset+uint64(j)) >= math.Round(dropP*(1<<24)) {
			o[0][j] = x / (1 - dropP)
		}
	}
	return nil
}

// dropHash is the 24-bit hash of one element.
func dropHash(key, i uint64) float64 {
	k := splitmix.Next(key + splitmix.Next(i>>32+1))
	return float64(mix32(mix32(uint32(i)^uint32(k))^uint32(k>>32)) >> 8)
}

// TestAdamWInPlace sees that the outputs may be the inputs, and that zero moments and gradients leave p but for the
// decay.
func TestAdamWInPlace(t *testing.T) {
	onPaths(t, func(t *testing.T) {
		in := make2(4, 37)
		for i, x := range in {
			for j := range x {
				x[j] = float32(i+1) * float32(j) / 37
			}
		}
		out := make2(3, 37)
		adamW(out, in)
		g := in[3]
		adamW(in[:3], in)
		for i, name := range []string{"p", "m", "v"} {
			same(t, "AdamW in place: "+name, in[i], out[i])
		}
		Fill(g, 0)
		zero := make2(3, 37)
		Fill(zero[0], 2)
		adamW(zero, append(zero, g))
		if want := float32(2 * (1 - 0.01*0.1)); math.Abs(float64(zero[0][36]-want)) > 1e-6 {
			t.Errorf("AdamW without a gradient: p = %v, want %v", zero[0][36], want)
		}
	})
}
