// Package weights moves values between memory and tensors of a safetensors file.
package weights

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/half"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/pkg/errors"
)

// formats says, for each dtype of package graph, how a file holds its values.
var formats = [...]format{
	graph.Float32: formatOf[float32](safetensors.F32),
	graph.Float64: formatOf[float64](safetensors.F64),
	graph.Int32:   formatOf[int32](safetensors.I32),
}

type format struct {
	dtype safetensors.DType
	of    func(name string, b graph.Buf) safetensors.Tensor
	buf   func(t safetensors.Tensor) (graph.Buf, error)
}

func formatOf[T graph.Elem](d safetensors.DType) format {
	return format{
		dtype: d,
		of: func(name string, b graph.Buf) safetensors.Tensor {
			return safetensors.Of(name, b.Shape, graph.Data[T](b))
		},
		buf: func(t safetensors.Tensor) (graph.Buf, error) {
			v, err := safetensors.Values[T](t)
			return graph.BufOf(v, t.Shape...), err
		},
	}
}

// Of returns b, which must be contiguous, as a tensor of that name. The tensor shares the memory of b.
func Of(name string, b graph.Buf) safetensors.Tensor { return formats[b.DType].of(name, b) }

// Value returns a copy of t's values with meta m. Floats become floats of m's dtype, and ids stay ids. A scalar of
// 64-bit integers, such as PyTorch's num_batches_tracked, becomes a float. Another dtype, or another shape than m's, is
// an error.
func Value(t safetensors.Tensor, m graph.Meta) (graph.Buf, error) {
	if !m.Shape.Equal(t.Shape) {
		return graph.Buf{}, errors.Errorf("%s is %v, the model wants %v", t.Name, graph.Shape(t.Shape), m.Shape)
	}
	if t.DType == safetensors.I64 && len(t.Shape) == 0 && m.DType.IsFloat() {
		v, err := safetensors.Values[int64](t)
		if err != nil {
			return graph.Buf{}, err
		}
		b := graph.NewBuf(m)
		b.Convert(graph.BufOf([]float64{float64(v[0])}))
		return b, nil
	}
	for d, f := range formats {
		if f.dtype != t.DType || graph.DType(d) != m.DType && !(graph.DType(d).IsFloat() && m.DType.IsFloat()) {
			continue
		}
		x, err := f.buf(t)
		if err != nil {
			return graph.Buf{}, err
		}
		b := graph.NewBuf(m)
		if x.Size() != b.Size() || len(x.Mem) != x.Bytes() {
			return graph.Buf{}, errors.Errorf("%s has %d bytes, %v wants %d", t.Name, len(x.Mem), x.Meta, x.Bytes())
		}
		b.Convert(x)
		return b, nil
	}
	return graph.Buf{}, errors.Errorf("%s has dtype %s, the model wants %v", t.Name, t.DType, m.DType)
}

// Float32s stores the values of t in dst, of as many elements, as float32. It is an error for a tensor that holds no
// floats.
func Float32s(dst []float32, t safetensors.Tensor) error {
	switch t.DType {
	case safetensors.F32:
		v, err := safetensors.Values[float32](t)
		copy(dst, v)
		return err
	case safetensors.F64:
		v, err := safetensors.Values[float64](t)
		for i, x := range v {
			dst[i] = float32(x)
		}
		return err
	case safetensors.F16:
		half.FromF16(dst, t.Data)
		return nil
	case safetensors.BF16:
		half.FromBF16(dst, t.Data)
		return nil
	}
	return errors.Errorf("dtype %s; a parameter is F32, F16, BF16 or F64", t.DType)
}
