package gguf

import (
	"encoding/binary"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pkg/errors"

	"github.com/ceto-ml/ceto/internal/half"
)

// Decode sets dst, of (r1-r0)·Cols values, to rows r0 to r1 (without r1) of t. Each value is computed in float32 with
// the roundings of the gguf Python package, so it is the same to the bit. Parts of a tensor may be decoded at the same
// time. Types of integers, F64 and a tensor whose data does not fit its shape are errors.
func (t Tensor) Decode(dst []float32, r0, r1 int) error {
	if err := t.check(); err != nil {
		return err
	}
	if r0 < 0 || r1 < r0 || r1 > t.Rows() || len(dst) != (r1-r0)*t.Cols() {
		return errors.Errorf("gguf: Decode: tensor %q: rows %d to %d of %d into %d values, want %d values a row", t.Name, r0, r1, t.Rows(), len(dst), t.Cols())
	}
	l := t.Type.layout()
	row := t.Cols() / l.values * l.bytes
	l.decode(dst, t.Data[r0*row:r1*row])
	return nil
}

// check says why t cannot be decoded.
func (t Tensor) check() error {
	n, err := byteLen(t.Type, t.Shape)
	switch {
	case err != nil:
		return errors.Wrapf(err, "gguf: Decode: tensor %q", t.Name)
	case t.Type.layout().decode == nil:
		return errors.Errorf("gguf: Decode: tensor %q is %s, want a type of float32 values", t.Name, t.Type)
	case n != len(t.Data):
		return errors.Errorf("gguf: Decode: tensor %q has %d bytes, want %d for %s%v", t.Name, len(t.Data), n, t.Type, t.Shape)
	}
	return nil
}

// chunk is about the number of values that a thread decodes at a time: 1 MiB.
const chunk = 1 << 18

// DecodeAll sets dst, of Len values, to t by the given number of threads, one for each core where it is 0 or less.
// Errors are those of [Tensor.Decode].
func (t Tensor) DecodeAll(dst []float32, threads int) error {
	if err := t.check(); err != nil {
		return err
	}
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	rows, cols := t.Rows(), t.Cols()
	step := max(1, chunk/cols)
	if threads == 1 || rows <= step || len(dst) != rows*cols {
		return t.Decode(dst, 0, rows)
	}
	errs := make([]error, min(threads, (rows+step-1)/step))
	var next atomic.Int64
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for errs[i] == nil {
				r0 := int(next.Add(int64(step))) - step
				if r0 >= rows {
					return
				}
				r1 := min(r0+step, rows)
				errs[i] = t.Decode(dst[r0*cols:r1*cols], r0, r1)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func decodeF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func decodeF16(dst []float32, src []byte) { half.FromF16(dst, src) }

func decodeBF16(dst []float32, src []byte) { half.FromBF16(dst, src) }

// f16 is the F16 at the front of b.
func f16(b []byte) float32 { return half.F16(binary.LittleEndian.Uint16(b)) }
