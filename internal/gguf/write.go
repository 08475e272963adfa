package gguf

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/pkg/errors"

	"github.com/ceto-ml/ceto/internal/half"
)

// Write writes a file of version 3, with metadata and tensors in the order given. Each tensor's data is aligned to 32
// bytes, or to the value of general.alignment. A key or name twice is an error, and so is a value of a type that [KV]
// does not list. So is a tensor whose type, shape and data do not fit each other. Errors are found before anything is
// written.
func Write(w io.Writer, meta []KV, tensors []Tensor) error {
	for _, t := range tensors {
		if err := t.fits(t.Data); err != nil {
			return errors.Wrapf(err, "gguf: Write: tensor %q", t.Name)
		}
	}
	return Stream(w, meta, tensors, func(t Tensor) ([]byte, error) { return t.Data, nil })
}

// Stream is [Write] for tensors whose data is made when its turn comes. It asks data for the bytes of t, and has
// written them before the next call. Data that does not fit type and shape is an error.
func Stream(w io.Writer, meta []KV, tensors []Tensor, data func(t Tensor) ([]byte, error)) error {
	head, align, err := header(meta, tensors)
	if err != nil {
		return errors.Wrap(err, "gguf: Write")
	}
	zeros := make([]byte, align)
	if len(tensors) > 0 {
		head = append(head, zeros[:pad(len(head), align)]...)
	}
	if _, err := w.Write(head); err != nil {
		return errors.Wrap(err, "gguf: Write")
	}
	for _, t := range tensors {
		b, err := data(t)
		if err == nil {
			err = t.fits(b)
		}
		for _, part := range [][]byte{b, zeros[:pad(len(b), align)]} {
			if err == nil {
				_, err = w.Write(part)
			}
		}
		if err != nil {
			return errors.Wrapf(err, "gguf: Write: tensor %q", t.Name)
		}
	}
	return nil
}

// fits returns an error where data has another number of bytes than t.
func (t Tensor) fits(data []byte) error {
	n, err := byteLen(t.Type, t.Shape)
	if err == nil && n != len(data) {
		err = errors.Errorf("%d bytes of data, want %d for %s%v", len(data), n, t.Type, t.Shape)
	}
	return err
}

// header returns the file up to the padding before the tensors' data, and the alignment in bytes.
func header(meta []KV, tensors []Tensor) (b []byte, align int, err error) {
	if _, err := newIndex(len(meta), func(i int) string { return meta[i].Key }); err != nil {
		return nil, 0, errors.Wrap(err, "metadata")
	}
	if _, err := newIndex(len(tensors), func(i int) string { return tensors[i].Name }); err != nil {
		return nil, 0, errors.Wrap(err, "tensors")
	}
	b = binary.LittleEndian.AppendUint32([]byte(magic), 3)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(tensors)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(meta)))
	align = defaultAlignment
	for _, kv := range meta {
		b = appendString(b, kv.Key)
		if b, err = appendValue(b, kv.Value); err == nil && kv.Key == alignmentKey {
			align, err = alignment(kv.Value)
		}
		if err != nil {
			return nil, 0, errors.Wrapf(err, "key %q", kv.Key)
		}
	}
	offset := 0
	for _, t := range tensors {
		n, err := byteLen(t.Type, t.Shape)
		if err != nil {
			return nil, 0, errors.Wrapf(err, "tensor %q", t.Name)
		}
		b = appendString(b, t.Name)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Shape)))
		for i := range t.Shape {
			b = binary.LittleEndian.AppendUint64(b, uint64(t.Shape[len(t.Shape)-1-i]))
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(t.Type))
		b = binary.LittleEndian.AppendUint64(b, uint64(offset))
		offset += n + pad(n, align)
	}
	return b, align, nil
}

// Encode returns x as the data of a tensor of type F32, F16, BF16 or Q8_0. F16 and BF16 round to nearest, ties to
// even; a value too large for them becomes an infinity. Q8_0 gives the bits that the gguf Python package gives. It
// takes whole blocks of 32 finite values; anything else is an error. So is a block whose scale, its largest magnitude
// / 127, is too large for an F16.
func Encode(t Type, x []float32) ([]byte, error) {
	l := t.layout()
	if l.bytes > 0 && len(x)%l.values != 0 {
		return nil, errors.Errorf("gguf: Encode: %d values, want a multiple of %d, the block of %s", len(x), l.values, t)
	}
	b := make([]byte, len(x)/max(l.values, 1)*l.bytes)
	switch t {
	case F32:
		for i, v := range x {
			binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
		}
	case F16:
		half.IntoF16(b, x)
	case BF16:
		half.IntoBF16(b, x)
	case Q8_0:
		if err := encodeQ8_0(b, x); err != nil {
			return nil, err
		}
	default:
		return nil, errors.Errorf("gguf: Encode: type %s, want F32, F16, BF16 or Q8_0", t)
	}
	return b, nil
}

// encodeQ8_0 writes d = max|x|/127 and q = x·(1/d), rounded to nearest, ties away from zero. All is computed in
// float32, then d is rounded to F16.
func encodeQ8_0(dst []byte, x []float32) error {
	for i := 0; i < len(x); i += 32 {
		block := x[i : i+32]
		var largest float32
		for j, v := range block {
			if a := float32(math.Abs(float64(v))); a <= math.MaxFloat32 {
				largest = max(largest, a)
			} else {
				return errors.Errorf("gguf: Encode: value %d is %g, want finite values for Q8_0", i+j, v)
			}
		}
		d := largest / 127
		if half.ToF16(d) == half.ToF16(float32(math.Inf(1))) {
			return errors.Errorf("gguf: Encode: value of %g in the block from %d, want at most %g for Q8_0", largest, i, 127*65504.)
		}
		inverse := 1 / d
		if inverse > math.MaxFloat32 {
			inverse = 0 // all values are 0 or too small for an F16; the int8 of an infinity depends on the machine
		}
		out := dst[i/32*34:][:34]
		binary.LittleEndian.PutUint16(out, half.ToF16(d))
		for j, v := range block {
			out[2+j] = byte(int8(math.Round(float64(v * inverse))))
		}
	}
	return nil
}
