package cuda

import (
	"encoding/binary"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/blas"
	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/pkg/errors"
)

// A directLt is the stand-in for cuBLASLt of a direct driver.
type directLt struct {
	*blas.Library
	handle, last uint64
	runs         int
}

func newDirectLt(refuses ...string) *directLt {
	l := &directLt{}
	l.Library = blas.New(func() uint64 { l.last++; return l.last }, refuses...)
	l.handle, _ = l.Create()
	return l
}

// A directProduct is a product that the stand-in knows.
type directProduct struct {
	product uint64
	layouts [4]uint64
}

// did is the error of a call.
func (l *directLt) did(s blas.Status) error {
	if s == blas.Success {
		return nil
	}
	return errors.Wrapf(l.Err(), "status %d", s)
}

func (d *direct) library() string {
	if d.lt == nil {
		return ""
	}
	return "cublasLt of a test"
}

func word(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
func long(v int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }

func (d *direct) prepare(p ext.Product) (prepared, error) {
	l, q := d.lt, &directProduct{}
	var s blas.Status
	first := func(next blas.Status) {
		if s == blas.Success {
			s = next
		}
	}
	q.product, s = l.MatmulDescCreate(int(p.Compute), int(ext.Float32))
	for attribute, yes := range map[int]bool{3: p.TransA, 4: p.TransB} {
		if yes {
			first(l.MatmulDescSetAttribute(q.product, attribute, word(1)))
		}
	}
	first(l.MatmulDescSetAttribute(q.product, 7, word(int(p.Epilogue))))
	if p.Epilogue == ext.WithBias {
		first(l.MatmulDescSetAttribute(q.product, 8, long(16)))
	}
	for i, m := range []ext.Layout{p.A, p.B, p.C, p.D} {
		var made blas.Status
		q.layouts[i], made = l.MatrixLayoutCreate(int(m.Type), uint64(m.Rows), uint64(m.Cols), int64(m.LD))
		first(made)
		first(l.MatrixLayoutSetAttribute(q.layouts[i], 5, word(max(m.Batch, 1))))
		first(l.MatrixLayoutSetAttribute(q.layouts[i], 6, long(m.Stride)))
	}
	return q, l.did(s)
}

func (d *direct) algorithms(q prepared, n int) (list []ext.Algorithm, err error) {
	p := q.(*directProduct)
	found, s := d.lt.MatmulAlgoGetHeuristic(d.lt.handle, p.product, p.layouts, 0, n)
	if s == blas.NotSupported {
		return nil, nil
	}
	for _, f := range found {
		list = append(list, ext.Algorithm{Data: f.Algorithm, Workspace: f.Workspace, Waves: f.Waves})
	}
	return list, d.lt.did(s)
}

func (d *direct) multiply(q prepared, l bound) error {
	p, o := q.(*directProduct), l.product.operands
	if o.Vector != 0 {
		if s := d.lt.MatmulDescSetAttribute(p.product, 8, long(int(o.Vector))); s != blas.Success {
			return d.lt.did(s)
		}
	}
	d.lt.runs++
	t, s := d.lt.Matmul(d.lt.handle, blas.Call{Product: p.product, Layouts: p.layouts, Alpha: o.Alpha, Beta: o.Beta,
		At:        [4]emu.Ptr{emu.Ptr(o.A), emu.Ptr(o.B), emu.Ptr(o.C), emu.Ptr(o.D)},
		Algorithm: l.product.algorithm.Data[:], Workspace: emu.Ptr(o.Workspace), Bytes: o.WorkspaceBytes})
	if s != blas.Success {
		return d.lt.did(s)
	}
	return t.Run(d.dev, nil)
}
