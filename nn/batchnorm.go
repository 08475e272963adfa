package nn

import (
	"cmp"
	"math"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// BatchNorm normalises each channel of the last axis over all other axes, then scales and shifts:
//
//	y = (x − mean)/√(var + Eps)·weight + bias
//
// In mode Train mean and var are those of the batch's N rows, var divided by N, and each run moves the running values:
//
//	running_mean = (1 − Momentum)·running_mean + Momentum·mean
//	running_var  = (1 − Momentum)·running_var + Momentum·var·N/(N − 1)
//
// In the other modes mean and var are the running values. Freezing the parameters does not stop the running values, as
// in PyTorch. Rows of padding count like any others.
//
// Parameters: weight (C), ones at first, and bias (C), zeros at first. Buffers: running_mean (C), zeros at first,
// running_var (C), ones at first, and num_batches_tracked, a scalar. The last one counts the runs in mode Train; as a
// float32 it counts no further than 16,777,216.
// Names, defaults and formulas are those of PyTorch's BatchNorm1d. Source: Ioffe and Szegedy 2015, arXiv:1502.03167,
// algorithms 1 and 2.
type BatchNorm struct {
	Momentum float64 // the share that a batch has in the running values, up to 1; 0 means 0.1
	Eps      float64 // 0 means 1e-5
	NoAffine bool    // no weight and no bias
}

// Forward takes x (..., C) of two axes or more, floats, and returns (..., C). Fewer axes are an error, and so are a
// Momentum outside [0, 1] and a negative Eps. In mode Train fewer than two rows, which have no variance, are an error.
func (b BatchNorm) Forward(s *Scope, x *graph.Node) *graph.Node {
	if s.Err() != nil {
		return nil
	}
	momentum, eps := cmp.Or(b.Momentum, 0.1), cmp.Or(b.Eps, 1e-5)
	if x == nil || len(x.Shape()) < 2 || !(momentum >= 0 && momentum <= 1) || !(eps >= 0) || math.IsInf(eps, 0) {
		return s.Fail(errors.Errorf("nn: BatchNorm of %v: want (..., C) of two axes or more, a momentum in [0, 1], "+
			"not %g, and a finite eps of at least 0, not %g", x, momentum, eps))
	}
	c := x.Dim(-1)
	rows := x.Meta().Size() / c
	if rows < 2 && s.Mode() == Train {
		return s.Fail(errors.Errorf("nn: BatchNorm of %v: want at least two rows in mode Train: one has no variance", x))
	}
	runningMean := s.Buffer("running_mean", Zeros, c)
	runningVar := s.Buffer("running_var", Ones, c)
	batches := s.Buffer("num_batches_tracked", Zeros)
	var d, variance *graph.Node
	if s.Mode() == Train {
		axes := make([]int, len(x.Shape())-1)
		for i := range axes {
			axes[i] = i
		}
		mean := s.Mean(x, axes...)
		d = s.Sub(x, mean)
		variance = s.Mean(s.Mul(d, d), axes...)
		s.Update(runningMean, s.EMA(runningMean, mean, 1-momentum))
		s.Update(runningVar, s.EMA(runningVar, s.Scale(variance, float64(rows)/float64(rows-1)), 1-momentum))
		s.Update(batches, s.AddScalar(batches, 1))
	} else {
		d, variance = s.Sub(x, runningMean), runningVar
	}
	y := s.Div(d, s.Sqrt(s.AddScalar(variance, eps)))
	if b.NoAffine {
		return y
	}
	return s.Add(s.Mul(y, s.Param("weight", Ones, c)), s.Param("bias", Zeros, c))
}
