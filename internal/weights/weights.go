// Package weights moves values between memory and the tensors of a safetensors file.
package weights

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/pkg/errors"
)

// Of returns b as a tensor that shares its memory. b must be contiguous.
func Of(name string, b graph.Buf) safetensors.Tensor {
	switch b.DType {
	case graph.Float64:
		return safetensors.Of(name, b.Shape, graph.Data[float64](b))
	case graph.Int32:
		return safetensors.Of(name, b.Shape, graph.Data[int32](b))
	}
	return safetensors.Of(name, b.Shape, graph.Data[float32](b))
}

// Value returns a copy of t's values with meta m. Floats become floats of m's dtype; int32 ids stay int32. A tensor
// with another shape than m's or with another dtype is an error.
func Value(t safetensors.Tensor, m graph.Meta) (graph.Buf, error) {
	if !m.Shape.Equal(t.Shape) {
		return graph.Buf{}, errors.Errorf("%s is %v, the model wants %v", t.Name, graph.Shape(t.Shape), m.Shape)
	}
	b := graph.NewBuf(m)
	switch {
	case m.DType == graph.Int32 && t.DType == safetensors.I32:
		return b, convert[int32, int32](b, t)
	case m.DType == graph.Float32 && t.DType == safetensors.F32:
		return b, convert[float32, float32](b, t)
	case m.DType == graph.Float32 && t.DType == safetensors.F64:
		return b, convert[float32, float64](b, t)
	case m.DType == graph.Float64 && t.DType == safetensors.F32:
		return b, convert[float64, float32](b, t)
	case m.DType == graph.Float64 && t.DType == safetensors.F64:
		return b, convert[float64, float64](b, t)
	}
	return graph.Buf{}, errors.Errorf("%s has dtype %s, the model wants %v", t.Name, t.DType, m.DType)
}

// convert copies a tensor's values of type S to a Buf of type D.
func convert[D, S graph.Elem](b graph.Buf, t safetensors.Tensor) error {
	v, err := safetensors.Values[S](t)
	if err != nil {
		return err
	}
	d := graph.Data[D](b)
	for i, x := range v {
		d[i] = D(x)
	}
	return nil
}
