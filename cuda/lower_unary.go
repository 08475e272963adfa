package cuda

import "github.com/ceto-ml/ceto/graph"

// unary lowers an elementwise op of one operand; k and c are constants of the function.
func unary[O graph.Op](kernel string, constants func(op O) (k, c float64)) struct{} {
	return lowered(func(b *builder, op O) error {
		k, c := constants(op)
		n := b.in[0].Size()
		b.each("ceto_"+kernel, n, b.out[0], b.in[0], float32(k), float32(c), n)
		return nil
	})
}

// slope lowers the derivative of an elementwise op.
func slope[O graph.Op](kernel string, constant func(op O) float64) struct{} {
	return lowered(func(b *builder, op O) error {
		n := b.in[0].Size()
		b.each("ceto_"+kernel+"_grad", n, b.out[0], b.in[0], b.in[1], float32(constant(op)), n)
		return nil
	})
}

func none[O graph.Op](O) (k, c float64) { return 0, 0 }

func no[O graph.Op](O) float64 { return 0 }

// The elementwise ops of one operand, and their derivatives.
var (
	_ = unary("affine", func(op graph.Affine) (float64, float64) { return op.K, op.C })
	_ = unary("pow", func(op graph.Pow) (float64, float64) { return op.P, 0 })
	_ = unary("leaky", func(op graph.LeakyReLU) (float64, float64) { return op.Slope, 0 })
	_ = unary("elu", func(op graph.ELU) (float64, float64) { return op.Alpha, 0 })
	_ = unary("exp", none[graph.Exp])
	_ = unary("log", none[graph.Log])
	_ = unary("sqrt", none[graph.Sqrt])
	_ = unary("abs", none[graph.Abs])
	_ = unary("tanh", none[graph.Tanh])
	_ = unary("sigmoid", none[graph.Sigmoid])
	_ = unary("relu", none[graph.ReLU])
	_ = unary("gelu", none[graph.GELU])
	_ = unary("gelu_erf", none[graph.GELUErf])
	_ = unary("silu", none[graph.SiLU])
	_ = unary("softplus", none[graph.Softplus])

	_ = slope("leaky", func(op graph.LeakyReLUGrad) float64 { return op.Slope })
	_ = slope("elu", func(op graph.ELUGrad) float64 { return op.Alpha })
	_ = slope("abs", no[graph.AbsGrad])
	_ = slope("tanh", no[graph.TanhGrad])
	_ = slope("sigmoid", no[graph.SigmoidGrad])
	_ = slope("relu", no[graph.ReLUGrad])
	_ = slope("gelu", no[graph.GELUGrad])
	_ = slope("gelu_erf", no[graph.GELUErfGrad])
	_ = slope("silu", no[graph.SiLUGrad])
)
