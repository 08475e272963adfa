package cuda

import "github.com/ceto-ml/ceto/graph"

// The elementwise ops of one operand, and their derivatives.
var (
	_ = lowered(func(b *builder, op graph.Affine) error {
		b.each("ceto_affine", b.in[0].Size(), b.out[0], b.in[0], float32(op.K), float32(op.C), b.in[0].Size())
		return nil
	})
)
