package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/internal/mapped"
	"github.com/pkg/errors"
)

// File is an open file.
type File struct {
	Meta    map[string]string
	Tensors []Tensor // in the order of their data; nil after Close
	byName  map[string]int
	mem     *mapped.File
}

// Open maps a file into memory and checks it as [Parse] does. Close it after use. Read the data of tensors within
// [mapped.Guard].
func Open(path string) (*File, error) {
	mem, err := mapped.Open(path)
	if err != nil {
		return nil, errors.Wrap(err, "safetensors: Open")
	}
	var f *File
	err = mapped.Guard(func() (err error) {
		f, err = Parse(mem.Bytes)
		return errors.Wrap(err, path)
	})
	if err != nil {
		mem.Close()
		return nil, err
	}
	f.mem = mem
	return f, nil
}

// Close unmaps the file. Tensors and values that share its memory must not be used after it.
func (f *File) Close() error {
	if f.mem == nil {
		return nil
	}
	f.Tensors, f.byName = nil, nil
	return errors.Wrap(f.mem.Close(), "safetensors: Close")
}

// Tensor returns the tensor with a name; false where there is none.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.byName[name]
	if !ok {
		return Tensor{}, false
	}
	return f.Tensors[i], true
}

// Names returns the names of the tensors in ascending order.
func (f *File) Names() []string {
	names := make([]string, len(f.Tensors))
	for i, t := range f.Tensors {
		names[i] = t.Name
	}
	slices.Sort(names)
	return names
}

// Parse reads a file in memory. The tensors share the memory of b. Parse is strict. A name or key twice, and a shape
// that does not fit its offsets, are errors. So is data that belongs to no tensor, or to two. A tensor may have a dtype
// that is not known; its values cannot be had.
func Parse(b []byte) (*File, error) {
	f, err := parse(b)
	return f, errors.Wrap(err, "safetensors: Parse")
}

func parse(b []byte) (*File, error) {
	if len(b) < 8 {
		return nil, errors.Errorf("%d bytes, want 8 for the header's length", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return nil, errors.Errorf("header of %d bytes in a file of %d (header at most %d)", n, len(b), maxHeader)
	}
	head, body := b[8:8+n], b[8+n:]
	if len(head) == 0 || head[0] != '{' || !utf8.Valid(head) {
		return nil, errors.New("the header is not a JSON object in UTF-8")
	}
	f := &File{byName: map[string]int{}}
	spans, err := f.header(head)
	if err != nil {
		return nil, err
	}
	if err := f.place(spans, body); err != nil {
		return nil, err
	}
	for i, t := range f.Tensors {
		f.byName[t.Name] = i
	}
	return f, nil
}

// span is a tensor and where its data lies.
type span struct {
	t        Tensor
	from, to int
}

// header reads the JSON header.
func (f *File) header(head []byte) ([]span, error) {
	d := json.NewDecoder(bytes.NewReader(head))
	d.UseNumber()
	var spans []span
	err := object(d, func(name string) (err error) {
		if name == metaKey {
			f.Meta = map[string]string{}
			return object(d, func(k string) (err error) {
				f.Meta[k], err = str(d)
				return err
			})
		}
		s, err := readSpan(d)
		s.t.Name = name
		spans = append(spans, s)
		return errors.Wrapf(err, "%q", name)
	})
	if err != nil {
		return nil, errors.Wrap(err, "header")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("header: more data after the object")
	}
	return spans, nil
}

// place gives the tensors their data, which must cover body without gap or overlap.
func (f *File) place(spans []span, body []byte) error {
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	at := 0
	for _, s := range spans {
		if s.from != at || s.to > len(body) {
			return errors.Errorf("%q: data at %d to %d, want from %d to at most %d: overlap, gap or truncated file", s.t.Name, s.from, s.to, at, len(body))
		}
		s.t.Data = body[s.from:s.to:s.to]
		f.Tensors = append(f.Tensors, s.t)
		at = s.to
	}
	if at != len(body) {
		return errors.Errorf("%d bytes after the last tensor", len(body)-at)
	}
	return nil
}

// readSpan reads a tensor's entry.
func readSpan(d *json.Decoder) (s span, err error) {
	var offsets []int
	keys := 0
	err = object(d, func(key string) (err error) {
		keys++
		switch key {
		case "dtype":
			var v string
			v, err = str(d)
			s.t.DType = DType(v)
		case "shape":
			s.t.Shape, err = ints(d)
		case "data_offsets":
			offsets, err = ints(d)
		default:
			err = errors.Errorf("unknown key %q", key)
		}
		return err
	})
	if err != nil {
		return s, err
	}
	if keys != 3 || len(offsets) != 2 {
		return s, errors.New("want dtype, shape and two data_offsets")
	}
	s.from, s.to = offsets[0], offsets[1]
	if s.t.DType != "" && s.t.DType.Size() == 0 && s.to >= s.from {
		return s, nil // its values cannot be read, those of the other tensors can
	}
	n, err := byteLen(s.t.DType, s.t.Shape)
	if err == nil && s.to-s.from != n {
		err = errors.Errorf("offsets %d to %d, want %d bytes for %s%v", s.from, s.to, n, s.t.DType, s.t.Shape)
	}
	return s, err
}

// object reads an object. It calls value to read what follows each key. A key twice is an error.
func object(d *json.Decoder, value func(key string) error) error {
	if err := delim(d, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := str(d)
		if err != nil {
			return err
		}
		if seen[key] {
			return errors.Errorf("key %q twice", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return delim(d, '}')
}

// ints reads an array of integers that are not negative.
func ints(d *json.Decoder) ([]int, error) {
	if err := delim(d, '['); err != nil {
		return nil, err
	}
	v := []int{}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, err
		}
		num, ok := tok.(json.Number)
		if !ok {
			return nil, errors.Errorf("%v, want an integer", tok)
		}
		n, err := strconv.ParseInt(num.String(), 10, strconv.IntSize)
		if err != nil || n < 0 {
			return nil, errors.Errorf("%v, want an integer from 0 on", num)
		}
		v = append(v, int(n))
	}
	return v, delim(d, ']')
}

func str(d *json.Decoder) (string, error) {
	tok, err := d.Token()
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", errors.Errorf("%v, want a string", tok)
	}
	return s, nil
}

func delim(d *json.Decoder, want json.Delim) error {
	tok, err := d.Token()
	if err != nil {
		return err
	}
	if tok != want {
		return errors.Errorf("%v, want %v", tok, want)
	}
	return nil
}
