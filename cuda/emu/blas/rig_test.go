package blas_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/blas"
	"github.com/ceto-ml/ceto/internal/half"
)

// The numbers of cublasLt.h that the tests use.
const (
	f32, bf16                                              = 0, 14
	compute32, computeTF32                                 = 68, 77
	transA, transB, epilogueAt, biasAt                     = 3, 4, 7, 8
	biasStride, auxAt, auxLD, auxStride, auxType, biasType = 10, 11, 12, 13, 22, 26
	layoutBatch, layoutStride                              = 5, 6
	prefWorkspace, prefAlign                               = 1, 5
)

// A matrix is one operand on the device with what it holds, by columns without gaps, and for a batch one after the
// other.
type matrix struct {
	kind, rows, cols, ld, batch, stride int
	at                                  emu.Ptr
	x                                   []float64
}

// A rig is a library over a device.
type rig struct {
	t       *testing.T
	dev     *emu.Device
	lib     *blas.Library
	h, pref uint64
	rand    *rand.Rand
}

func newRig(t *testing.T, refuses ...string) *rig {
	t.Helper()
	n := uint64(0)
	r := &rig{t: t, dev: emu.New(emu.Options{}), rand: rand.New(rand.NewPCG(1, 2))}
	r.lib = blas.New(func() uint64 { n++; return n }, refuses...)
	var s blas.Status
	r.h, s = r.lib.Create()
	r.ok(s)
	r.pref, s = r.lib.MatmulPreferenceCreate()
	r.ok(s)
	r.ok(r.lib.MatmulPreferenceSetAttribute(r.pref, prefWorkspace, u64(1<<20)))
	return r
}

func (r *rig) ok(s blas.Status) {
	r.t.Helper()
	if s != blas.Success {
		r.t.Fatalf("status %d: %v", s, r.lib.Err())
	}
}

func (r *rig) try(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func u32(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
func u64(v int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }

func size(kind int) int {
	if kind == bf16 {
		return 2
	}
	return 4
}

// bytes are those of a matrix from its first to its last element.
func (m *matrix) bytes() int { return ((m.batch-1)*m.stride + (m.cols-1)*m.ld + m.rows) * size(m.kind) }

// place is the address of element (i, j) of matrix b.
func (m *matrix) place(b, i, j int) emu.Ptr {
	return m.at + emu.Ptr((b*m.stride+j*m.ld+i)*size(m.kind))
}

func (m *matrix) index(b, i, j int) int { return (b*m.cols+j)*m.rows + i }

// get is element (i, j) of op of matrix b.
func (m *matrix) get(b, i, j, trans int) float64 {
	if trans == 1 {
		i, j = j, i
	}
	return m.x[m.index(b, i, j)]
}

// empty makes a matrix that nothing wrote, with gap elements behind each column.
func (r *rig) empty(kind, rows, cols, batch, gap int) *matrix {
	r.t.Helper()
	m := &matrix{kind: kind, rows: rows, cols: cols, ld: rows + gap, batch: batch, x: make([]float64, rows*cols*batch)}
	m.stride = m.ld * cols
	var err error
	m.at, err = r.dev.Alloc(m.bytes())
	r.try(err)
	return m
}

// random makes a matrix with numbers that its type holds.
func (r *rig) random(kind, rows, cols, batch, gap int) *matrix {
	r.t.Helper()
	m := r.empty(kind, rows, cols, batch, gap)
	for b := range batch {
		for j := range cols {
			for i := range rows {
				r.set(m, b, i, j, float32(r.rand.NormFloat64()))
			}
		}
	}
	return m
}

func (r *rig) set(m *matrix, b, i, j int, v float32) {
	r.t.Helper()
	raw := u32(int(math.Float32bits(v)))
	if m.kind == bf16 {
		h := half.ToBF16(v)
		raw, v = binary.LittleEndian.AppendUint16(nil, h), half.BF16(h)
	}
	m.x[m.index(b, i, j)] = float64(v)
	r.try(r.dev.Write(m.place(b, i, j), raw))
}

// read is element (i, j) of matrix b on the device.
func (r *rig) read(m *matrix, b, i, j int) float64 {
	r.t.Helper()
	raw := make([]byte, size(m.kind))
	r.try(r.dev.Read(raw, m.place(b, i, j)))
	if m.kind == bf16 {
		return float64(half.BF16(binary.LittleEndian.Uint16(raw)))
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(raw)))
}

func (r *rig) layout(m *matrix) uint64 {
	r.t.Helper()
	h, s := r.lib.MatrixLayoutCreate(m.kind, uint64(m.rows), uint64(m.cols), int64(m.ld))
	r.ok(s)
	if m.batch > 1 {
		r.ok(r.lib.MatrixLayoutSetAttribute(h, layoutBatch, u32(m.batch)))
		r.ok(r.lib.MatrixLayoutSetAttribute(h, layoutStride, u64(m.stride)))
	}
	return h
}

// attributes are those of a product, by number.
type attributes map[int][]byte

func (r *rig) product(compute int, list attributes) uint64 {
	r.t.Helper()
	h, s := r.lib.MatmulDescCreate(compute, f32)
	r.ok(s)
	for a, v := range list {
		r.ok(r.lib.MatmulDescSetAttribute(h, a, v))
	}
	return h
}

// near compares with the tolerance of the house for the type, wider for long sums.
func (r *rig) near(name string, got, want float64, kind int) {
	r.t.Helper()
	abs, rel := 1e-5, 1e-4
	if kind == bf16 {
		abs, rel = 1e-2, 2e-2
	}
	if math.Abs(got-want) > abs+rel*math.Abs(want) || math.IsNaN(got) {
		r.t.Fatalf("%s: %g, want %g", name, got, want)
	}
}

func at(name string, b, i, j int) string { return fmt.Sprintf("%s(%d: %d,%d)", name, b, i, j) }
