package blas

import (
	"encoding/binary"
	"math"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/internal/half"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// Memory is that of a device: an [emu.Device], or a part of it that a task may touch.
type Memory interface {
	Read(b []byte, at emu.Ptr) error
	Write(at emu.Ptr, b []byte) error
}

// A runner is one matrix product of a task under way.
type runner struct {
	*Task
	mem   Memory
	pool  *vec.Pool
	batch int // which matrix
	a, b  []float32
}

// Run computes the product, on the workers of pool; nil is the caller alone. The error names the matrix that was not
// written, or does not lie in memory.
func (t *Task) Run(mem Memory, pool *vec.Pool) error {
	for i := range t.batch {
		r := &runner{Task: t, mem: mem, pool: pool, batch: i}
		if err := r.run(); err != nil {
			return err
		}
	}
	return nil
}

// run computes matrix r.batch of D.
func (r *runner) run() error {
	y := make([]float32, r.m*r.n) // by columns, as all matrices here
	if r.call.Beta != 0 {
		c, err := r.read(matC)
		if err != nil {
			return err
		}
		for i, v := range c {
			y[i] = r.call.Beta * v
		}
	}
	var err error
	if r.a, err = r.read(matA); err != nil {
		return err
	}
	if r.b, err = r.read(matB); err != nil {
		return err
	}
	if err := r.multiply(y); err != nil {
		return err
	}
	if err := r.finish(y); err != nil {
		return err
	}
	return r.put("D", &r.mats[matD], r.call.At[matD], y)
}

// multiply adds α·op(A)·op(B) to y.
func (r *runner) multiply(y []float32) error {
	if r.call.Alpha == 0 {
		return nil
	}
	if !r.way.split {
		r.sum(y, 0, r.k)
		return nil
	}
	part, cut := make([]float32, len(y)), r.k/2
	r.sum(y, 0, cut)
	r.sum(part, cut, r.k)
	n := uint64(len(y))
	m := layout{kind: float32Type, rows: n, cols: 1, ld: int64(n), batch: 1}
	if err := put(r.mem, &m, r.call.Workspace, 0, part); err != nil {
		return errors.WithMessage(err, "the workspace")
	}
	for i, v := range part {
		y[i] += v
	}
	return nil
}

// sum adds the products of k0 ≤ k < k1 to y. By rows, which is what package vec knows, it is yᵀ = op(B)ᵀ·op(A)ᵀ.
func (r *runner) sum(y []float32, k0, k1 int) {
	g := vec.Gemm[float32]{
		M: r.n, N: r.m, K: k1 - k0, Alpha: r.call.Alpha, Add: true, C: vec.Mat[float32]{Data: y, Row: r.m, Col: 1},
		A: byRows(r.b, int(r.mats[matB].rows)), B: byRows(r.a, int(r.mats[matA].rows)),
	}
	if r.transB != 0 {
		g.A = g.A.T()
	}
	if r.transA != 0 {
		g.B = g.B.T()
	}
	g.A.Data, g.B.Data = g.A.Data[k0*g.A.Col:], g.B.Data[k0*g.B.Row:]
	g.Run(r.pool)
}

// byRows is the transpose of a matrix that lies by columns: the same memory, by rows.
func byRows(data []float32, rows int) vec.Mat[float32] {
	return vec.Mat[float32]{Data: data, Row: rows, Col: 1}
}

// finish applies the epilogue.
func (r *runner) finish(y []float32) error {
	e, x := r.epilogue, r.auxLayout()
	if e.bias {
		v := r.biasLayout()
		bias, err := matrix(r, "the bias", &v, r.bias)
		if err != nil {
			return err
		}
		for i := range y {
			y[i] += bias[i%r.m]
		}
	}
	if e.keep {
		if err := r.put("aux", &x, emu.Ptr(r.aux), y); err != nil {
			return err
		}
	}
	if e.dgelu {
		aux, err := matrix(r, "aux", &x, r.aux)
		if err != nil {
			return err
		}
		for i, v := range aux {
			y[i] *= geluGrad(v)
		}
	}
	for i, v := range y {
		switch {
		case e.gelu:
			y[i] = gelu(v)
		case e.relu:
			y[i] = max(v, 0)
		}
	}
	if e.grad() {
		v := r.biasLayout()
		return r.put("the gradient of the bias", &v, emu.Ptr(r.bias), r.gradient(y))
	}
	return nil
}

// gradient sums what the bias was added to.
func (r *runner) gradient(y []float32) []float32 {
	sums := make([]float64, r.biasLength)
	add := func(data []float32, rows int, byRow bool) {
		for i, v := range data {
			at := i / rows
			if byRow {
				at = i % rows
			}
			sums[at] += float64(v)
		}
	}
	switch e := r.epilogue; {
	case e.gradA:
		add(r.a, int(r.mats[matA].rows), r.transA == 0)
	case e.gradB:
		add(r.b, int(r.mats[matB].rows), r.transB != 0)
	default:
		add(y, r.m, true)
	}
	list := make([]float32, len(sums))
	for i, v := range sums {
		list[i] = float32(v)
	}
	return list
}

// read gets a matrix, as the sums take it.
func (r *runner) read(i int) ([]float32, error) {
	x, err := matrix(r, "ABCD"[i:i+1], &r.mats[i], uint64(r.call.At[i]))
	if r.compute == computeTF32 && i < matC {
		for j, v := range x {
			x[j] = toTF32(v)
		}
	}
	return x, err
}

// toTF32 rounds to the 10 bits of fraction of TF32, ties to even. An infinity and a NaN stay what they are.
func toTF32(v float32) float32 {
	b := math.Float32bits(v)
	if b&0x7f800000 == 0x7f800000 {
		return v
	}
	return math.Float32frombits((b + 0xfff + b>>13&1) &^ 0x1fff)
}

// start is the address of a matrix of a batch.
func start(m *layout, at emu.Ptr, batch int) emu.Ptr {
	return at + emu.Ptr(batch*int(m.stride)*sizes[m.kind])
}

// get1 reads one matrix of a batch, column by column, without the gaps.
func matrix(r *runner, name string, m *layout, at uint64) ([]float32, error) {
	rows, size := int(m.rows), sizes[m.kind]
	x, b := make([]float32, rows*int(m.cols)), make([]byte, rows*size)
	for j := range int(m.cols) {
		if err := r.mem.Read(b, start(m, emu.Ptr(at), r.batch)+emu.Ptr(j*int(m.ld)*size)); err != nil {
			return nil, errors.WithMessagef(err, "column %d of %s", j, name)
		}
		widen(x[j*rows:(j+1)*rows], b, m.kind)
	}
	return x, nil
}

// put writes one matrix of a batch.
func (r *runner) put(name string, m *layout, at emu.Ptr, x []float32) error {
	return errors.WithMessage(put(r.mem, m, at, r.batch, x), name)
}

func put(mem Memory, m *layout, at emu.Ptr, batch int, x []float32) error {
	rows, size := int(m.rows), sizes[m.kind]
	b := make([]byte, rows*size)
	for j := range int(m.cols) {
		narrow(b, x[j*rows:(j+1)*rows], m.kind)
		if err := mem.Write(start(m, at, batch)+emu.Ptr(j*int(m.ld)*size), b); err != nil {
			return errors.WithMessagef(err, "column %d", j)
		}
	}
	return nil
}

func widen(x []float32, b []byte, kind int32) {
	if kind == bfloat16Type {
		half.FromBF16(x, b)
		return
	}
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

func narrow(b []byte, x []float32, kind int32) {
	if kind == bfloat16Type {
		half.IntoBF16(b, x)
		return
	}
	for i, v := range x {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
}
