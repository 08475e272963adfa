package graph_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/vec"
)

// TestAttentionPacked holds that documents in one row, apart by segments, have the values and gradients that each has
// alone. Some begin and end within tiles, and some whole tiles of keys are another document's. What the others hold
// does not change a bit. The last one is padding: its segment is −1, and nothing of it is NaN.
func TestAttentionPacked(t *testing.T) {
	pool := vec.NewPool(2)
	defer pool.Close()
	documents := []int{1, 33, 290, 5, 300, 64, 70}
	total := 0
	for _, n := range documents {
		total += n
	}
	for _, op := range []graph.Attention{{Causal: true}, {}, {Causal: true, Window: 40}} {
		for p := contiguous; p <= inHeads; p++ {
			segmented := op
			segmented.Segments = true
			z := attnShape{1, total, total, 4, 2, 8}
			whole := newAttnRun(op, z, p, pool)
			whole.segment(segmented, documents)
			run(t, whole)
			at := 0
			for i, n := range documents {
				alone := newAttnRun(op, attnShape{1, n, n, 4, 2, 8}, contiguous, pool)
				alone.take(whole, at)
				run(t, alone)
				whole.compare(t, fmt.Sprintf("%+v, rows of %d, document %d", op, whole.in[0].Row, i), alone, at)
				at += n
			}
			others := newAttnRun(op, z, p, pool)
			others.segment(segmented, documents)
			for _, x := range others.gin[:3] { // all but the document of 290
				f := graph.Data[float32](x)
				for i := range f {
					if row := step(x, i); row < 34 || row >= 34+290 {
						f[i] = 7 - 3*f[i]
					}
				}
			}
			run(t, others)
			for i, want := range whole.results() {
				if got := others.results()[i]; !bytes.Equal(cut(got, 34, 290).Mem, cut(want, 34, 290).Mem) || bytes.Equal(got.Mem, want.Mem) {
					t.Errorf("%+v: result %d of a document has other bits with others beside it", op, i)
				}
			}
		}
	}
}

// segment gives a run the ids of documents, the last one's −1; the backward pass is that of the forward pass' results.
func (r *attnRun) segment(op graph.Attention, documents []int) {
	var ids []int32
	for i, n := range documents {
		if i == len(documents)-1 {
			i = -1
		}
		for range n {
			ids = append(ids, int32(i))
		}
	}
	r.op, r.grad.Of = op, op
	b := graph.BufOf(ids, 1, len(ids))
	r.in, r.gin = append(r.in, b), append(r.gin, b)
	r.chain()
}

// chain lets the backward pass read what the forward pass wrote.
func (r *attnRun) chain() { r.gin[3], r.gin[4] = r.out[0], r.out[1] }

// results are y and the gradients, contiguous.
func (r *attnRun) results() (b []graph.Buf) {
	for _, x := range append([]graph.Buf{r.out[0]}, r.gout...) {
		b = append(b, flat(x))
	}
	return b
}

// cut is n positions from at on of a contiguous value (1, T, NH, HS).
func cut(x graph.Buf, at, n int) graph.Buf {
	row := x.Shape[2] * x.Shape[3]
	return graph.BufOf(graph.Data[float32](x)[at*row:(at+n)*row], 1, n, x.Shape[2], x.Shape[3])
}

// step is the position of element i of the memory of a value with one sequence.
func step(x graph.Buf, i int) int {
	row := x.Shape[2] * x.Shape[3]
	if x.Stride != 0 {
		row = row / x.Row * x.Stride
	}
	return i / row
}

// take copies the operands of a document from those of a row.
func (r *attnRun) take(whole *attnRun, at int) {
	n := r.in[0].Shape[1]
	for i := range 3 {
		r.in[i] = cut(flat(whole.in[i]), at, n)
	}
	copy(r.gin, r.in)
	r.gin[5] = cut(flat(whole.gin[5]), at, n)
	r.chain()
}

// compare sees that the part of a document is what it is alone.
func (r *attnRun) compare(t *testing.T, what string, alone *attnRun, at int) {
	t.Helper()
	for i, want := range alone.results() {
		got := graph.Data[float32](cut(r.results()[i], at, want.Shape[1]))
		for j, w := range graph.Data[float32](want) {
			if !(math.Abs(float64(got[j]-w)) <= 1e-5+1e-4*math.Abs(float64(w))) {
				t.Errorf("%s: %s[%d] = %g packed, %g alone", what, []string{"y", "dq", "dk", "dv"}[i], j, got[j], w)
				break
			}
		}
	}
}
