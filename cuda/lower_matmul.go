package cuda

import "github.com/ceto-ml/ceto/graph"

var (
	_ = lowered(lowerMatMul)
	_ = lowered(func(b *builder, op graph.Softmax) error { return b.softmax("ceto_softmax", op.Axis, false) })
	_ = lowered(func(b *builder, op graph.LogSoftmax) error { return b.softmax("ceto_softmax", op.Axis, true) })
	_ = lowered(func(b *builder, op graph.SoftmaxGrad) error { return b.softmax("ceto_softmax_grad", op.Axis, false) })
	_ = lowered(func(b *builder, op graph.LogSoftmaxGrad) error { return b.softmax("ceto_softmax_grad", op.Axis, true) })
)

// softmax launches a softmax or its derivative along an axis.
func (b *builder) softmax(kernel string, axis int, log bool) error {
	outer, n, inner := b.in[0].Shape.Around(axis)
	args := []any{b.out[0]}
	for _, x := range b.in {
		args = append(args, x)
	}
	args = append(args, n, inner, log)
	if lines := outer * inner; inner > 1 || n <= 32 {
		b.each(kernel+"_lines", lines, append(args, lines)...)
	} else {
		b.rows(kernel, lines, warps(n), args...)
	}
	return nil
}

// A product is one or several products of matrices of one shape: C (m, n) = act(A·B + bias + acc). Element (i, p) of A
// lies at i·ar + p·ac, and (p, j) of B at p·br + j·bc.
type product struct {
	m, n, k        int
	ar, ac, br, bc int
	batches        int
	batch          *walk // where the matrices of a batch begin in A and B
	c, a, b        value
	bias, acc      any
	act            graph.Activation
}

func lowerMatMul(b *builder, op graph.MatMul) error {
	p := product{c: b.out[0], a: b.in[0], b: b.in[1], act: op.Act, batch: &walk{}, batches: 1}
	if op.Bias {
		p.bias = b.in[2]
	}
	if op.Acc {
		p.acc = b.in[len(b.in)-1]
	}
	sa, sb, sc := p.a.Shape, p.b.Shape, p.c.Shape
	p.k, p.n = transposed(op.TransB, sb[len(sb)-2], sb[len(sb)-1])
	if p.br, p.bc = p.n, 1; op.TransB {
		p.br, p.bc = 1, p.k
	}
	if len(sb) == 2 && !op.TransA { // rows of one product
		p.m = sa.Size() / p.k
	} else {
		p.m = sc[len(sc)-2]
		p.batches = sc[:len(sc)-2].Size()
		p.batch = broadcast(sc[:len(sc)-2], sa[:len(sa)-2], sb[:len(sb)-2]).times(p.m*p.k, p.k*p.n)
	}
	if p.ar, p.ac = p.k, 1; op.TransA {
		p.ar, p.ac = 1, p.m
	}
	b.product(p)
	return nil
}

// transposed returns a and b, the other way round if asked to.
func transposed(yes bool, a, b int) (int, int) {
	if yes {
		return b, a
	}
	return a, b
}

// times is the walk with the steps of operands 0 and 1 multiplied.
func (w *walk) times(a, b int) *walk {
	for i := range w.ext {
		w.step[0][i] *= a
		w.step[1][i] *= b
	}
	return w
}

// The tile of a product's kernel, and the number of tiles that keep a device busy.
const (
	tileSide  = 64
	tileDeep  = 16
	busyTiles = 256
	maxBatch  = 65535 // the z extent of a grid
)

// thinRows is the most rows of a product that waits for memory: its kernels read B once for each row.
const thinRows = 8

// thin launches a product of few rows.
func (b *builder) thin(p product) {
	kernel, step := "ceto_matmul_thin", p.br
	if p.bc != 1 {
		kernel, step = "ceto_matmul_dots", p.bc
	}
	b.launch(kernel, dim{(p.n + 31) / 32, p.m, 1}, dim{256, 1, 1}, p.c, p.a, p.b, p.bias, p.acc, p.n, p.k, p.ar, p.ac, step, int(p.act))
}

// product launches a product. Where there are few tiles and k is long, k is cut into chunks, whose sums a second kernel
// adds up in order. How it is cut follows from the shape alone.
func (b *builder) product(p product) {
	if p.m <= thinRows && p.batches == 1 {
		b.thin(p)
		return
	}
	down, across := (p.m+tileSide-1)/tileSide, (p.n+tileSide-1)/tileSide
	tiles := down * across * p.batches
	count := max(1, min(busyTiles/tiles, p.k/(8*tileDeep)))
	per := ((p.k+count-1)/count + tileDeep - 1) / tileDeep * tileDeep
	count = (p.k + per - 1) / per
	var part any
	mn := p.m * p.n
	if count > 1 {
		part = b.temp(graph.Of(graph.Float32, p.batches*count*mn))
	}
	if p.batches > maxBatch {
		b.fail(unsupported(graph.MatMul{}, "more than 65,535 products"))
		return
	}
	b.launch("ceto_matmul", dim{down * across, count, p.batches}, dim{256, 1, 1}, p.c, part, p.a, p.b, p.bias, p.acc,
		p.batch.table(), p.m, p.n, p.k, per, p.ar, p.ac, p.br, p.bc, int(p.act))
	if count > 1 {
		b.each("ceto_matmul_join", p.batches*mn, p.c, part, p.bias, p.acc, count, mn, p.n, int(p.act), p.batches*mn)
	}
}
