package cuda

import "github.com/ceto-ml/ceto/graph"

// A walk says how operands are read while a result is written in order; struct walk of kernels/ceto.cuh is the same.
// It has extents from the last axis on, and the steps of up to three operands along each. Axes of 1 are left out, and
// neighbours that all operands step through alike are one.
type walk struct {
	ext  []int
	step [3][]int
}

// push adds the axis before those that are there.
func (w *walk) push(d int, step [3]int) {
	if d == 1 {
		return
	}
	last := len(w.ext) - 1
	merge := last >= 0 && w.ext[last]*d <= maxExtent
	for k := range step {
		merge = merge && step[k] == w.step[k][last]*w.ext[last]
	}
	if merge {
		w.ext[last] *= d
		return
	}
	w.ext = append(w.ext, d)
	for k := range step {
		w.step[k] = append(w.step[k], step[k])
	}
}

// maxExtent bounds an axis of a walk, whose extent has 32 bits.
const maxExtent = 1 << 31

// table is the walk as the kernels read it.
func (w *walk) table() []int32 {
	t := make([]int32, 2+graph.MaxRank+2*3*graph.MaxRank)
	t[0] = int32(len(w.ext))
	for i, d := range w.ext {
		t[2+i] = int32(d)
		for k := range w.step {
			at, s := 2+graph.MaxRank+2*(k*graph.MaxRank+i), uint64(w.step[k][i])
			t[at], t[at+1] = int32(uint32(s)), int32(uint32(s>>32))
		}
	}
	return t
}

// broadcast walks up to three operands of these shapes that broadcast to y.
func broadcast(y graph.Shape, x ...graph.Shape) *walk {
	w := &walk{}
	full := [3]int{1, 1, 1}
	for back := 1; back <= len(y); back++ {
		var step [3]int
		for k, s := range x {
			if back <= len(s) && s[len(s)-back] > 1 {
				step[k] = full[k]
				full[k] *= s[len(s)-back]
			}
		}
		w.push(y[len(y)-back], step)
	}
	return w
}

// permuted walks x while its axes are written in the order of perm.
func permuted(x graph.Shape, perm []int) *walk {
	step := make([]int, len(x))
	for i, s := len(x)-1, 1; i >= 0; i-- {
		step[i] = s
		s *= x[i]
	}
	w := &walk{}
	for i := len(perm) - 1; i >= 0; i-- {
		s := step[perm[i]]
		w.push(x[perm[i]], [3]int{s, s, s})
	}
	return w
}

// reduced walks the axes of x that stay, and those that go.
func reduced(x graph.Shape, axes uint8) (stay, gone *walk) {
	stay, gone = &walk{}, &walk{}
	for i, s := len(x)-1, 1; i >= 0; i-- {
		w := stay
		if axes>>i&1 == 1 {
			w = gone
		}
		w.push(x[i], [3]int{s, s, s})
		s *= x[i]
	}
	return stay, gone
}

// size is the number of elements that a walk passes.
func (w *walk) size() int {
	n := 1
	for _, d := range w.ext {
		n *= d
	}
	return n
}
