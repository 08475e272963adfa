package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// maxHeader is the longest header that is accepted, in bytes. It is the reference implementation's limit.
const maxHeader = 100_000_000

// metaKey is the one name in the header that belongs to no tensor.
const metaKey = "__metadata__"

// Write writes a file. The tensors are in the Python package's order: by dtype, widest first, then by name. The
// header is padded to 8 bytes. A name twice is an error, and so is data that does not fit its tensor's shape.
func Write(w io.Writer, tensors []Tensor, meta map[string]string) error {
	for _, t := range tensors {
		if err := t.fits(t.Data); err != nil {
			return errors.Wrap(err, "safetensors: Write")
		}
	}
	return Stream(w, tensors, meta, func(t Tensor) ([]byte, error) { return t.Data, nil })
}

// Stream is [Write] for tensors whose data is made when its turn comes. It asks data for the bytes of t, and has
// written them before the next call. Data that does not fit the shape is an error.
func Stream(w io.Writer, tensors []Tensor, meta map[string]string, data func(t Tensor) ([]byte, error)) error {
	ts := slices.Clone(tensors)
	slices.SortFunc(ts, func(a, b Tensor) int {
		return cmp.Or(slices.Index(order, a.DType)-slices.Index(order, b.DType), cmp.Compare(a.Name, b.Name))
	})
	h, err := header(ts, meta)
	if err != nil {
		return errors.Wrap(err, "safetensors: Write")
	}
	for _, part := range [][]byte{binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h} {
		if err := put(w, part); err != nil {
			return err
		}
	}
	for _, t := range ts {
		b, err := data(t)
		if err == nil {
			err = t.fits(b)
		}
		if err != nil {
			return errors.Wrap(err, "safetensors: Write")
		}
		if err := put(w, b); err != nil {
			return err
		}
	}
	return nil
}

// fits returns an error where data has another number of bytes than t.
func (t Tensor) fits(data []byte) error {
	n, err := byteLen(t.DType, t.Shape)
	if err == nil && n != len(data) {
		err = errors.Errorf("%d bytes of data, want %d for %s%v", len(data), n, t.DType, t.Shape)
	}
	return errors.Wrapf(err, "%q", t.Name)
}

func put(w io.Writer, b []byte) error {
	n, err := w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return errors.Wrap(err, "safetensors: Write")
}

// entry is what the header says about a tensor.
type entry struct {
	DType   DType  `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// header returns the JSON header of tensors, which are in the order of the file.
func header(ts []Tensor, meta map[string]string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteByte('{')
	var err error
	pair := func(key string, v any) {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		for i, x := range []any{key, v} {
			if e := e.Encode(x); err == nil {
				err = e
			}
			b.Truncate(b.Len() - 1) // the encoder's newline
			if i == 0 {
				b.WriteByte(':')
			}
		}
	}
	if len(meta) > 0 {
		for k, v := range meta {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, errors.Errorf("metadata %q: %q is not UTF-8", k, v)
			}
		}
		pair(metaKey, meta)
	}
	seen, at := map[string]bool{}, 0
	for _, t := range ts {
		n, err := byteLen(t.DType, t.Shape)
		switch {
		case err != nil:
			return nil, errors.Wrapf(err, "%q", t.Name)
		case seen[t.Name] || t.Name == metaKey || !utf8.ValidString(t.Name):
			return nil, errors.Errorf("%q: a name used twice, kept for metadata or not UTF-8", t.Name)
		}
		seen[t.Name] = true
		pair(t.Name, entry{t.DType, append([]int{}, t.Shape...), [2]int{at, at + n}})
		at += n
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if err == nil && b.Len() > maxHeader {
		err = errors.Errorf("header of %d bytes, want at most %d", b.Len(), maxHeader)
	}
	return b.Bytes(), err
}
