package gguf

import (
	"encoding/binary"
	"math"

	"github.com/pkg/errors"

	"github.com/ceto-ml/ceto/internal/half"
)

// Decode sets dst to the values of rows r0 to r1 of t, without r1; dst has (r1-r0)·Cols values. Each value is
// computed in float32 with the roundings of the gguf Python package, so it is the same to the bit. Goroutines may
// decode parts of one tensor at the same time. A type of integers, F64, and a tensor whose data does not fit its
// shape are errors.
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

// check returns an error that says why t cannot be decoded.
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

func decodeF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func decodeF16(dst []float32, src []byte) { half.FromF16(dst, src) }

func decodeBF16(dst []float32, src []byte) { half.FromBF16(dst, src) }

// f16 returns the F16 at the front of b.
func f16(b []byte) float32 { return half.F16(binary.LittleEndian.Uint16(b)) }
