package blas

import (
	"fmt"

	"github.com/ceto-ml/ceto/cuda/emu"
)

// A product is a description with its layouts, as one call has them.
type product struct {
	desc
	epilogue   epilogue
	mats       [4]layout // A, B, C, D
	m, n, k    int
	batch      int
	biasKind   int32
	auxKind    int32
	biasLength int
}

const (
	matA = iota
	matB
	matC
	matD
)

// resolve looks the handles up and checks that they make a product.
func (l *Library) resolve(h uint64, layouts [4]uint64) (*product, Status) {
	d, ok := l.products[h]
	if !ok {
		return nil, l.refuse(InvalidValue, "%d is no handle of a product", h)
	}
	p := &product{desc: *d}
	for i, h := range layouts {
		m, ok := l.layouts[h]
		if !ok {
			return nil, l.refuse(InvalidValue, "%d is no handle of the layout of %c", h, "ABCD"[i])
		}
		p.mats[i] = *m
	}
	for _, check := range []func() *refusal{p.checkDesc, p.checkMatrices, p.checkShape, p.checkEpilogue} {
		if r := check(); r != nil {
			return nil, l.refused(r)
		}
	}
	return p, Success
}

func (p *product) checkDesc() *refusal {
	d := &p.desc
	e, ok := epilogues[d.epilogue]
	p.epilogue = e
	switch {
	case !ok:
		return &refusal{NotSupported, fmt.Sprintf("the stand-in has no epilogue %d", d.epilogue)}
	case d.pointerMode != 0:
		return &refusal{NotSupported, fmt.Sprintf("pointer mode %d: the stand-in takes α and β from the host", d.pointerMode)}
	case newDesc(int(d.compute), int(d.scale)) == nil:
		return &refusal{NotSupported, fmt.Sprintf("compute type %d with scale type %d", d.compute, d.scale)}
	case d.transA>>1 != 0 || d.transB>>1 != 0 || d.transC != 0 || d.fill != 0:
		return &refusal{NotSupported, fmt.Sprintf("transposes %d, %d, %d, fill mode %d; A and B may have 1, all else 0",
			d.transA, d.transB, d.transC, d.fill)}
	}
	return nil
}

func (p *product) checkMatrices() *refusal {
	a, b, c, d := p.mats[matA].kind, p.mats[matB].kind, p.mats[matC].kind, p.mats[matD].kind
	for i := range p.mats {
		if r := p.mats[i].check(); r != nil {
			return &refusal{r.status, fmt.Sprintf("%c: %s", "ABCD"[i], r.reason)}
		}
		if p.mats[i].batch != p.mats[matD].batch {
			return &refusal{InvalidValue, fmt.Sprintf("%c is %d matrices, D is %d", "ABCD"[i], p.mats[i].batch, p.mats[matD].batch)}
		}
	}
	if m := &p.mats[matD]; m.batch > 1 && m.stride < m.ld*int64(m.cols-1)+int64(m.rows) {
		return &refusal{InvalidValue, fmt.Sprintf("matrices D lie in each other: each %d after the one before", m.stride)}
	}
	if a != b || c != d || a == float32Type && d != float32Type {
		return &refusal{NotSupported, fmt.Sprintf("types %d·%d + %d to %d", a, b, c, d)}
	}
	p.batch = int(p.mats[matD].batch)
	return nil
}

// turned are the rows and columns of op of a matrix.
func turned(m *layout, trans int32) (rows, cols uint64) {
	if trans != 0 {
		return m.cols, m.rows
	}
	return m.rows, m.cols
}

func (p *product) checkShape() *refusal {
	m, k := turned(&p.mats[matA], p.transA)
	k2, n := turned(&p.mats[matB], p.transB)
	c, d := &p.mats[matC], &p.mats[matD]
	if k != k2 || d.rows != m || d.cols != n || c.rows != m || c.cols != n {
		return &refusal{InvalidValue, fmt.Sprintf("(%d,%d)·(%d,%d) + (%d,%d) to (%d,%d)", m, k, k2, n, c.rows, c.cols, d.rows, d.cols)}
	}
	p.m, p.n, p.k = int(m), int(n), int(k)
	return nil
}

// kindOf is the type of a bias or of aux.
func (p *product) kindOf(kind int32) int32 {
	if kind == sameType {
		return p.mats[matD].kind
	}
	return kind
}

func (p *product) checkEpilogue() *refusal {
	e, d := p.epilogue, p.mats[matD].kind
	p.biasKind, p.auxKind, p.biasLength = p.kindOf(p.biasType), p.kindOf(p.auxType), p.m
	if e.gradB {
		p.biasLength = p.n
	}
	switch {
	case e.vector() && p.biasKind != d:
		return &refusal{NotSupported, fmt.Sprintf("a bias of type %d where D has %d", p.biasKind, d)}
	case e.vector() && p.batch > 1 && p.biasStride != 0 && p.biasStride < int64(p.biasLength), e.grad() && p.batch > 1 && p.biasStride == 0:
		return &refusal{NotSupported, fmt.Sprintf("biases of %d elements, each %d after the one before", p.biasLength, p.biasStride)}
	case e.aux() && p.auxKind != d:
		return &refusal{NotSupported, fmt.Sprintf("aux of type %d where D has %d", p.auxKind, d)}
	case e.aux() && (p.auxLD < int64(p.m) || p.auxLD%8 != 0):
		return &refusal{InvalidValue, fmt.Sprintf("aux with ld %d, want a multiple of 8 from the %d rows of D on", p.auxLD, p.m)}
	case e.aux() && p.batch > 1 && (p.auxStride < p.auxLD*int64(p.n-1)+int64(p.m) || p.auxStride%8 != 0):
		return &refusal{InvalidValue, fmt.Sprintf("aux each %d after the one before, want a multiple of 8 past its end", p.auxStride)}
	}
	return nil
}

// auxLayout is how aux lies.
func (p *product) auxLayout() layout {
	return layout{kind: p.auxKind, rows: uint64(p.m), cols: uint64(p.n), ld: p.auxLD, batch: int32(p.batch), stride: p.auxStride}
}

// biasLayout is how the vectors lie.
func (p *product) biasLayout() layout {
	n := uint64(p.biasLength)
	return layout{kind: p.biasKind, rows: n, cols: 1, ld: int64(n), batch: int32(p.batch), stride: p.biasStride}
}

// Call is what cublasLtMatmul is told beside the description.
type Call struct {
	Product     uint64    // handle
	Layouts     [4]uint64 // of A, B, C and D
	At          [4]emu.Ptr
	Alpha, Beta float32
	Algorithm   []byte // 64 bytes; nil: the library chooses
	Workspace   emu.Ptr
	Bytes       int // of the workspace
}

// Task is a product that can run: what [Library.Matmul] has checked. It does not depend on the descriptions any more.
type Task struct {
	product
	call Call
	way  algorithm
}

// Shape is what the task computes, for records: the rows and columns of D, the sums' length and the number of
// matrices.
func (t *Task) Shape() (m, n, k, batch int) { return t.m, t.n, t.k, t.batch }

// Workspace are the bytes of the workspace that the task uses; none where n is 0.
func (t *Task) Workspace() (at emu.Ptr, n int) {
	return t.call.Workspace, t.way.workspace(&t.product)
}

// Matmul checks what cublasLtMatmul was told, and returns what is left to do.
func (l *Library) Matmul(h uint64, c Call) (*Task, Status) {
	if !l.handles[h] {
		return nil, l.refuse(InvalidValue, "%d is no handle of the library", h)
	}
	p, s := l.resolve(c.Product, c.Layouts)
	if s != Success {
		return nil, s
	}
	if l.lacks(p.epilogue) {
		return nil, l.refuse(NotSupported, "no algorithm for epilogue %d", p.desc.epilogue)
	}
	way, r := p.choose(&c)
	if r == nil {
		r = p.checkPlaces(&c, way)
	}
	if r != nil {
		return nil, l.refused(r)
	}
	return &Task{product: *p, call: c, way: way}, Success
}

// checkPlaces refuses addresses off the alignment of the algorithm, and a workspace that does not do.
func (p *product) checkPlaces(c *Call, way algorithm) *refusal {
	type place struct {
		name string
		at   emu.Ptr
		to   int
	}
	var places []place
	for i, at := range c.At {
		if i != matC || c.Beta != 0 {
			places = append(places, place{"ABCD"[i : i+1], at, max(way.align, sizes[p.mats[i].kind])})
		}
	}
	if p.epilogue.vector() {
		places = append(places, place{"the bias", emu.Ptr(p.bias), max(way.align, sizes[p.biasKind])})
	}
	if p.epilogue.aux() {
		places = append(places, place{"aux", emu.Ptr(p.aux), 16})
	}
	if n := way.workspace(p); n > 0 {
		if n > c.Bytes {
			return &refusal{InvalidValue, fmt.Sprintf("a workspace of %d bytes, the algorithm needs %d", c.Bytes, n)}
		}
		places = append(places, place{"the workspace", c.Workspace, 256})
	}
	for _, x := range places {
		if x.at == 0 || x.at%emu.Ptr(x.to) != 0 {
			return &refusal{InvalidValue, fmt.Sprintf("%s at %#x, the algorithm wants a multiple of %d", x.name, uint64(x.at), x.to)}
		}
	}
	return p.checkOverlap(c)
}

// checkOverlap refuses a D that lies on an operand, but for C in its own place. Matrices with gaps are not looked at,
// since one may lie in the gaps of the other.
func (p *product) checkOverlap(c *Call) *refusal {
	d := &p.mats[matD]
	if c.Beta != 0 && c.At[matC] == c.At[matD] && p.mats[matC] != *d {
		return &refusal{InvalidValue, "C lies at D with another layout"}
	}
	for i := range matD {
		x := &p.mats[i]
		if i == matC && (c.Beta == 0 || c.At[matC] == c.At[matD]) || !x.dense() || !d.dense() {
			continue
		}
		if c.At[i] < c.At[matD]+emu.Ptr(d.bytes()) && c.At[matD] < c.At[i]+emu.Ptr(x.bytes()) {
			return &refusal{InvalidValue, fmt.Sprintf("D at %#x lies on %c at %#x", uint64(c.At[matD]), "ABCD"[i], uint64(c.At[i]))}
		}
	}
	return nil
}
