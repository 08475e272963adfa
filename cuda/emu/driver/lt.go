package driver

import (
	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/emu/blas"
	"github.com/pkg/errors"
)

// HasLt tells whether there is a cuBLASLt, or whether CETO_EMU hides it.
func (d *Driver) HasLt() bool { return !d.set.refuses("cublaslt") }

// LtVersion is cublasLtGetVersion.
func (d *Driver) LtVersion() int { return blas.Version }

// LtCreate is cublasLtCreate.
func (d *Driver) LtCreate() (uint64, blas.Status) {
	if r := d.work("cublasLtCreate"); r != Success {
		return 0, blas.NotInitialized
	}
	if !d.HasLt() {
		_ = d.refuse(NotFound, "there is no cuBLASLt, as CETO_EMU asks")
		return 0, blas.NotInitialized
	}
	return d.made(d.lt.Create())
}

// told keeps the reason of a refusal of the library.
func (d *Driver) told(s blas.Status) blas.Status {
	if s != blas.Success {
		d.last = d.lt.Err()
	}
	return s
}

// made is told of a new handle.
func (d *Driver) made(h uint64, s blas.Status) (uint64, blas.Status) { return h, d.told(s) }

// on notes a call about a handle of the library. It needs no device, so it is done on a lost one too.
func (d *Driver) on(name string, h uint64, f func(h uint64) blas.Status) blas.Status {
	d.note(name, "handle", h)
	return d.told(f(h))
}

// attribute notes a call that sets an attribute.
func (d *Driver) attribute(name string, h uint64, number int, value []byte, f func(uint64, int, []byte) blas.Status) blas.Status {
	d.note(name, "bytes", len(value), "handle", h, "attribute", number)
	return d.told(f(h, number, value))
}

// LtDestroy is cublasLtDestroy.
func (d *Driver) LtDestroy(h uint64) blas.Status { return d.on("cublasLtDestroy", h, d.lt.Destroy) }

// LtMatmulDescCreate is cublasLtMatmulDescCreate.
func (d *Driver) LtMatmulDescCreate(compute, scale int) (uint64, blas.Status) {
	d.note("cublasLtMatmulDescCreate", "compute", compute, "scale", scale)
	return d.made(d.lt.MatmulDescCreate(compute, scale))
}

// LtMatmulDescDestroy is cublasLtMatmulDescDestroy.
func (d *Driver) LtMatmulDescDestroy(h uint64) blas.Status {
	return d.on("cublasLtMatmulDescDestroy", h, d.lt.MatmulDescDestroy)
}

// LtMatmulDescSetAttribute is cublasLtMatmulDescSetAttribute.
func (d *Driver) LtMatmulDescSetAttribute(h uint64, attribute int, value []byte) blas.Status {
	return d.attribute("cublasLtMatmulDescSetAttribute", h, attribute, value, d.lt.MatmulDescSetAttribute)
}

// LtMatmulDescGetAttribute is cublasLtMatmulDescGetAttribute.
func (d *Driver) LtMatmulDescGetAttribute(h uint64, attribute int) ([]byte, blas.Status) {
	d.note("cublasLtMatmulDescGetAttribute", "handle", h, "attribute", attribute)
	b, s := d.lt.MatmulDescGetAttribute(h, attribute)
	return b, d.told(s)
}

// LtMatrixLayoutCreate is cublasLtMatrixLayoutCreate.
func (d *Driver) LtMatrixLayoutCreate(kind int, rows, cols uint64, ld int64) (uint64, blas.Status) {
	d.note("cublasLtMatrixLayoutCreate", "type", kind, "rows", rows, "cols", cols, "ld", ld)
	return d.made(d.lt.MatrixLayoutCreate(kind, rows, cols, ld))
}

// LtMatrixLayoutDestroy is cublasLtMatrixLayoutDestroy.
func (d *Driver) LtMatrixLayoutDestroy(h uint64) blas.Status {
	return d.on("cublasLtMatrixLayoutDestroy", h, d.lt.MatrixLayoutDestroy)
}

// LtMatrixLayoutSetAttribute is cublasLtMatrixLayoutSetAttribute.
func (d *Driver) LtMatrixLayoutSetAttribute(h uint64, attribute int, value []byte) blas.Status {
	return d.attribute("cublasLtMatrixLayoutSetAttribute", h, attribute, value, d.lt.MatrixLayoutSetAttribute)
}

// LtMatmulPreferenceCreate is cublasLtMatmulPreferenceCreate.
func (d *Driver) LtMatmulPreferenceCreate() (uint64, blas.Status) {
	d.note("cublasLtMatmulPreferenceCreate")
	return d.made(d.lt.MatmulPreferenceCreate())
}

// LtMatmulPreferenceDestroy is cublasLtMatmulPreferenceDestroy.
func (d *Driver) LtMatmulPreferenceDestroy(h uint64) blas.Status {
	return d.on("cublasLtMatmulPreferenceDestroy", h, d.lt.MatmulPreferenceDestroy)
}

// LtMatmulPreferenceSetAttribute is cublasLtMatmulPreferenceSetAttribute.
func (d *Driver) LtMatmulPreferenceSetAttribute(h uint64, attribute int, value []byte) blas.Status {
	return d.attribute("cublasLtMatmulPreferenceSetAttribute", h, attribute, value, d.lt.MatmulPreferenceSetAttribute)
}

// LtMatmulAlgoGetHeuristic is cublasLtMatmulAlgoGetHeuristic.
func (d *Driver) LtMatmulAlgoGetHeuristic(h, product uint64, layouts [4]uint64, preference uint64, n int) ([]blas.Heuristic, blas.Status) {
	d.note("cublasLtMatmulAlgoGetHeuristic", "handle", product, "most", n)
	found, s := d.lt.MatmulAlgoGetHeuristic(h, product, layouts, preference, n)
	return found, d.told(s)
}

// LtMatmul is cublasLtMatmul: it puts the product into a stream.
func (d *Driver) LtMatmul(h uint64, c blas.Call, id uint64) blas.Status {
	ranges, what := d.annotation()
	t, s := d.lt.Matmul(h, c)
	var m, n, k, batch int
	if s == blas.Success {
		m, n, k, batch = t.Shape()
	}
	if r := d.work("cublasLtMatmul", "m", m, "n", n, "k", k, "batch", batch, "stream", id); r != Success {
		return blas.ExecutionFailed
	}
	if s != blas.Success {
		return d.told(s)
	}
	at, bytes := t.Workspace()
	w := workspace{at, at + emu.Ptr(bytes)}
	if s := d.workspaceFree(w, id); s != blas.Success {
		return s
	}
	p := &part{d: d, ranges: ranges, what: what}
	name := matmul
	if what != "" {
		name += " (" + what + ")"
	}
	if bytes > 0 {
		p.ranges = withWorkspace(ranges, w)
	}
	j, r := d.launches(id, name, func() error { return d.multiply(t, p) })
	if r != Success {
		return blas.ExecutionFailed
	}
	if j != nil && bytes > 0 {
		d.workspaces[w] = use{id, j.clock[id]}
	}
	return blas.Success
}

// matmul is the name of products in reports and faults.
const matmul = "cublasLtMatmul"

// multiply runs a product.
func (d *Driver) multiply(t *blas.Task, p *part) error {
	m, n, k, batch := t.Shape()
	d.now += 2 * float64(m) * float64(n) * float64(k) * float64(batch) / flopRate
	d.count(matmul, emu.Stats{})
	if err := p.forget(); err != nil {
		return err
	}
	return errors.WithMessage(t.Run(p, d.workers()), "emulated GPU")
}

// flopRate are the floating-point operations of products that the emulated GPU does in a millisecond.
const flopRate = 1e10

// A workspace is memory from one address to another.
type workspace struct{ from, to emu.Ptr }

// A use is the last product that had a workspace: the number of its job in a stream.
type use struct {
	stream uint64
	n      int
}

// workspaceFree refuses a workspace that a product of another stream may still use. Neither the host nor the stream has
// waited for that product.
func (d *Driver) workspaceFree(w workspace, id uint64) blas.Status {
	s := d.streams[id]
	if s == nil {
		return blas.Success // LtMatmul refuses the stream
	}
	for o, u := range d.workspaces {
		if o.from >= w.to || w.from >= o.to || u.stream == id || max(d.host[u.stream], s.lastClock()[u.stream]) >= u.n {
			continue
		}
		if !d.waitsForEachOther(id, u.stream) {
			_ = d.refuse(InvalidValue, "the workspace at %#x is in use by stream %d", uint64(w.from), u.stream)
			return blas.InvalidValue
		}
	}
	return blas.Success
}
