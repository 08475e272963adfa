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

// A tiling is a kernel of products, by the side of its tiles and the steps of k that it takes at a time.
type tiling struct {
	kernel     string
	side, deep int
}

// The kernels of products, and the bounds that tell which one a shape takes.
var (
	tiles64  = tiling{"ceto_matmul", 64, 16}
	tiles128 = tiling{"ceto_matmul_large", 128, 8}
)

const (
	manyTiles = 32    // of side 128: with fewer a device has more to do with small ones
	busyTiles = 256   // blocks that keep a device busy
	maxBatch  = 65535 // the z extent of a grid
	minChunk  = 128   // steps of k that are worth a chunk of their own
)

// count is the number of tiles that cover a product.
func (t tiling) count(p product) int {
	return parts(p.m, t.side) * parts(p.n, t.side) * p.batches
}

// tiling is the kernel of a product: the large tiles where there are enough of them and they cover little that is not
// there.
func (p product) tiling() tiling {
	if large, small := tiles128.count(p), tiles64.count(p); large >= manyTiles && 4*large*5 <= small*6 {
		return tiles128
	}
	return tiles64
}

// cut cuts k into chunks of per steps, a multiple of deep, so that there are about as many blocks as keep a device
// busy. A chunk has at least least steps where there are several.
func cut(k, blocks, deep, least int) (count, per int) {
	count = max(1, min(busyTiles/blocks, k/least))
	per = parts(parts(k, count), deep) * deep
	return parts(k, per), per
}

// parts is the number of parts of n, of size each but for the last one.
func parts(n, size int) int { return (n + size - 1) / size }

// chunked is memory for the sums of chunks, nothing where there is one.
func (b *builder) chunked(p product, count int) any {
	if count == 1 {
		return nil
	}
	return b.temp(graph.Of(graph.Float32, p.batches*count*p.m*p.n))
}

// join adds the sums of chunks.
func (b *builder) join(p product, part any, count int) {
	if mn := p.m * p.n; count > 1 {
		b.each("ceto_matmul_join", p.batches*mn, p.c, part, p.bias, p.acc, count, mn, p.n, int(p.act), p.batches*mn)
	}
}

// thinRows is the most rows of a product that waits for memory, and thinChunk the fewest steps of k of its chunks.
const (
	thinRows  = 8
	thinChunk = 256
)

// thin launches a product of few rows. A block has 8 warps: with contiguous rows of B a block has 32 columns, else each
// warp has some in turn.
func (b *builder) thin(p product) {
	kernel, step, wide, each := "ceto_matmul_thin", p.br, 32, []any{}
	if p.bc != 1 {
		n := 4
		if p.n*p.m < 32*busyTiles {
			n = 1
		}
		kernel, step, wide, each = "ceto_matmul_dots", p.bc, 8*n, []any{n}
	}
	blocks := parts(p.n, wide) * p.m
	count, per := cut(p.k, blocks, 1, thinChunk)
	part := b.chunked(p, count)
	args := []any{p.c, part, p.a, p.b, p.bias, p.acc, p.m, p.n, p.k, per, p.ar, p.ac, step, int(p.act)}
	b.launch(kernel, dim{blocks, count, 1}, dim{256, 1, 1}, append(args, each...)...)
	b.join(p, part, count)
}

// product launches a product: by the library where the device has chosen that, else by a kernel.
func (b *builder) product(p product) {
	d, ok := p.described()
	if !ok {
		b.own(p)
		return
	}
	switch w, err := b.choose(p); {
	case err != nil:
		b.fail(err)
	case w.Kernel == libraryKernel:
		b.library(p, d, w)
	default:
		b.own(p)
	}
}

// own launches a kernel for a product. Where there are few tiles and k is long, k is cut into chunks, whose sums a
// second kernel adds up in order. Kernel and chunks follow from the shape alone.
func (b *builder) own(p product) {
	if p.m <= thinRows && p.batches == 1 {
		b.thin(p)
		return
	}
	if p.batches > maxBatch {
		b.fail(unsupported(graph.MatMul{}, "more than 65,535 products"))
		return
	}
	t := p.tiling()
	count, per := cut(p.k, t.count(p), t.deep, minChunk)
	part := b.chunked(p, count)
	grid := dim{parts(p.m, t.side) * parts(p.n, t.side), count, p.batches}
	b.launch(t.kernel, grid, dim{256, 1, 1}, p.c, part, p.a, p.b, p.bias, p.acc, p.batch.table(), p.m, p.n, p.k, per,
		p.ar, p.ac, p.br, p.bc, int(p.act))
	b.join(p, part, count)
}
