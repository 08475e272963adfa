package cuda

import (
	"fmt"
	"strings"

	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/ceto-ml/ceto/graph"
)

// The kernels of a way.
const (
	ownKernel     = "ceto"
	libraryKernel = "cublasLt"
)

// A way is how products of one shape are computed: by kernels of Ceto, or by an algorithm of cuBLASLt.
type way struct {
	Kernel    string `json:"kernel"`
	Bias      bool   `json:"bias,omitempty"`      // the library adds it
	Algorithm string `json:"algorithm,omitempty"` // in hexadecimal; it holds for one GPU and one version of the library
	Workspace int    `json:"workspace,omitempty"` // bytes
}

// A chooser gives products of the library's kind their ways.
type chooser func(p product) (way, error)

// ownOnly is the chooser where there is no library.
func ownOnly(product) (way, error) { return way{Kernel: ownKernel}, nil }

// libraryAlways is the chooser of plans for a device that is not here, whose library may take a workspace.
func libraryAlways(workspace int) chooser {
	return func(p product) (way, error) {
		return way{Kernel: libraryKernel, Bias: p.bias != nil, Workspace: workspace}, nil
	}
}

// described is a product as the library knows it, without an epilogue. The library has matrices by columns: ours,
// which lie by rows, are their transposes, so it computes Cᵀ = Bᵀ·Aᵀ. ok is false for a product that it does not take.
// That is one of few rows, which waits for memory, and one whose matrices do not lie evenly.
func (p product) described() (d ext.Product, ok bool) {
	if p.m <= thinRows && p.batches == 1 || p.batches > 1 && len(p.batch.ext) != 1 {
		return d, false
	}
	d = ext.Product{Compute: ext.Sum32, Epilogue: ext.None}
	d.A, d.TransA = stored(p.br, p.bc, p.k, p.n)
	d.B, d.TransB = stored(p.ar, p.ac, p.m, p.k)
	d.D = ext.Layout{Rows: p.n, Cols: p.m, LD: p.n, Batch: p.batches, Stride: p.m * p.n}
	d.C = d.D
	d.A.Batch, d.B.Batch = p.batches, p.batches
	if p.batches > 1 {
		d.B.Stride, d.A.Stride = p.batch.step[0][0], p.batch.step[1][0]
	}
	d.Align = [4]int{p.b.align(), p.a.align(), p.c.align(), p.c.align()}
	if v, has := p.acc.(value); has {
		d.Align[2] = v.align()
	}
	return d, true
}

// stored is the memory of a matrix (r, c) as the library sees it, by columns. Element (i, j) lies at i·row + j·col, and
// row or col is 1. turn says that this is the matrix itself, not its transpose.
func stored(row, col, r, c int) (l ext.Layout, turn bool) {
	if col == 1 && (row >= c || r == 1) {
		return ext.Layout{Rows: c, Cols: r, LD: max(row, c)}, false
	}
	return ext.Layout{Rows: r, Cols: c, LD: max(col, r)}, true
}

// align is what the library may expect of an address: a multiple of 16, or of one element. Slots begin at multiples of
// [plan.Align].
func (v value) align() int {
	if v.offset%wide != 0 {
		return v.DType.Size()
	}
	return wide
}

const wide = 16

// even is the alignment of matrices that begin where slots do.
var even = [4]int{wide, wide, wide, wide}

// key names the products that share a way.
func (p product) key(d ext.Product) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%dx%dx%d", p.m, p.n, p.k)
	word := func(yes bool, format string, args ...any) {
		if yes {
			fmt.Fprintf(&s, " "+format, args...)
		}
	}
	word(d.TransB, "ta")
	word(d.TransA, "tb")
	word(p.batches > 1, "batch %d %d %d", p.batches, d.B.Stride, d.A.Stride)
	word(p.bias != nil, "bias")
	word(p.acc != nil, "acc")
	word(p.act != graph.NoActivation, "act %d", p.act)
	word(d.Align != even, "align %d", d.Align)
	return s.String()
}

// withBias is the description where the library adds the bias.
func withBias(d ext.Product) ext.Product {
	d.Epilogue, d.VectorType = ext.WithBias, ext.Float32
	return d
}

// A multiplication is a product of the library, with its addresses where a program has bound it.
type multiplication struct {
	product   ext.Product
	algorithm ext.Algorithm
	operands  ext.Operands
}

// library launches a product by the way w of the library. What its algorithm leaves out a kernel does behind it. A
// guard does not stop the library: in a step that writes state it computes the bare product elsewhere.
func (b *builder) library(p product, d ext.Product, w way) {
	a, err := algorithmOf(w)
	if err != nil {
		b.fail(err)
		return
	}
	mn := p.m * p.n
	to, bias, acc, space := p.c, p.bias, p.acc, any(nil)
	if w.Bias {
		d = withBias(d)
	} else {
		bias = nil
	}
	if b.guarded {
		to, acc = b.temp(graph.Of(graph.Float32, p.batches*mn)), nil
	}
	if w.Workspace > 0 {
		space = b.temp(graph.Of(graph.Float32, w.Workspace/4))
	}
	b.launch(libraryKernel, dim{}, dim{}, to, p.a, p.b, bias, acc, space)
	b.launches[len(b.launches)-1].product = &multiplication{product: d, algorithm: a}
	var addBias, addAcc any
	if bias == nil {
		addBias = p.bias
	}
	if acc == nil {
		addAcc = p.acc
	}
	if b.guarded || addBias != nil || p.act != graph.NoActivation {
		b.each("ceto_matmul_join", p.batches*mn, p.c, to, addBias, addAcc, 1, mn, p.n, int(p.act), p.batches*mn)
	}
}
