package record

import (
	"bufio"
	"bytes"
	"io"

	"github.com/ceto-ml/ceto/internal/textfile"
	"github.com/pkg/errors"
)

// scanner reads one record after the other. The same code finds the records when a file is opened and reads one of
// them when it is asked for.
type scanner struct {
	b      *bufio.Reader
	format Format
	comma  byte
	max    int   // bytes of a record
	array  bool  // JSON: one array
	state  state // where in the array the scanner is
	off    int64 // where the next byte is
	start  int64 // where the record begins
	rec    []byte
	fields int // number in the record: CSV and TSV; 1 in a line of text
}

type state int

const (
	atBegin state = iota // the array's bracket is next
	atValue              // an object is next
	atComma              // a comma or the end is next
)

func newScanner(size int) *scanner { return &scanner{b: bufio.NewReaderSize(nil, size)} }

// reset places the scanner at a record, or with offset 0 at the start of the file.
func (s *scanner) reset(f *file, offset int64) {
	s.b.Reset(io.NewSectionReader(f.src, offset, f.size-offset))
	s.format, s.comma, s.max, s.array = f.format, f.comma, f.max, f.array
	s.off, s.start, s.rec = offset, offset, s.rec[:0]
	s.state = atBegin
	if offset > 0 {
		s.state = atValue
	}
}

// release gives the scanner back to the pool, unless its buffer has grown large.
func (s *scanner) release() {
	s.b.Reset(nil)
	if cap(s.rec) <= 1<<20 {
		scanners.Put(s)
	}
}

func (s *scanner) skip(n int) {
	k, _ := s.b.Discard(n)
	s.off += int64(k)
	s.start = s.off
}

// next reads a record to rec, without its line end; io.EOF tells that there is none.
func (s *scanner) next() error {
	if s.array {
		return s.element()
	}
	for {
		s.start, s.rec = s.off, s.rec[:0]
		if err := s.line(); err != nil {
			return err
		}
		blank := len(s.rec) == 0 || s.format == JSON && len(bytes.Trim(s.rec, " \t\r")) == 0
		switch {
		case blank:
			continue
		case s.format == CSV:
			return s.csv()
		case s.format == TSV:
			s.fields = 1 + bytes.Count(s.rec, []byte{s.comma})
		default:
			s.fields = 1
		}
		return nil
	}
}

// line appends the next line to rec, without LF or CR LF.
func (s *scanner) line() error {
	from := len(s.rec)
	for {
		part, err := s.b.ReadSlice('\n')
		s.off += int64(len(part))
		if len(s.rec)+len(part) > s.max {
			return errors.Errorf("a record of more than %d bytes (MaxRecord)", s.max)
		}
		s.room(len(part))
		s.rec = append(s.rec, part...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err == io.EOF && len(s.rec) > from {
			err = nil // the last line needs no end
		}
		if err != nil {
			return err
		}
		s.rec = bytes.TrimSuffix(bytes.TrimSuffix(s.rec, []byte("\n")), []byte("\r"))
		return clean(s.rec[from:])
	}
}

// room grows rec to twice its length, at most the limit, where n more bytes do not fit. All of its growth costs no more
// than twice the record.
func (s *scanner) room(n int) {
	if cap(s.rec)-len(s.rec) < n {
		longer := make([]byte, len(s.rec), max(len(s.rec)+n, min(2*len(s.rec), s.max)))
		copy(longer, s.rec)
		s.rec = longer
	}
}

// clean refuses what is no text.
func clean(b []byte) error { return textfile.CheckPart(b) }

// csv counts the fields of the line in rec, and appends the lines on which its quoted fields go on.
func (s *scanner) csv() error {
	fields, open, err := s.row(s.rec, false)
	for s.fields = fields; open && err == nil; s.fields += fields {
		s.rec = append(s.rec, '\n')
		from := len(s.rec)
		if err = s.line(); err != nil && err != io.EOF {
			return errors.Wrap(err, "in a quoted field")
		} else if err == io.EOF {
			return errors.New("a quoted field is not closed")
		}
		fields, open, err = s.row(s.rec[from:], true)
	}
	return err
}

// row counts the fields that end in b, which begins inside of a quoted field if open, and tells if it ends in one.
func (s *scanner) row(b []byte, open bool) (fields int, stillOpen bool, err error) {
	for {
		n, open1, err := span(b, s.comma, true, open)
		if err != nil || open1 {
			return fields, open1, err
		}
		fields++
		if n == len(b) {
			return fields, false, nil
		}
		b, open = b[n+1:], false
	}
}

// span returns the length of the field at the start of b, up to the comma. A field that begins with a quote ends with
// one, and a doubled quote in it is a quote (RFC 4180, section 2). If open, b begins inside of such a field; stillOpen
// tells that b ends there.
func span(b []byte, comma byte, quotes, open bool) (n int, stillOpen bool, err error) {
	if !open && !(quotes && len(b) > 0 && b[0] == '"') {
		if n = bytes.IndexByte(b, comma); n < 0 {
			n = len(b)
		}
		if quotes && bytes.IndexByte(b[:n], '"') >= 0 {
			err = errors.New(`a quote (") in a field that does not begin with one`)
		}
		return n, false, err
	}
	if !open {
		n = 1
	}
	for {
		i := bytes.IndexByte(b[n:], '"')
		if i < 0 {
			return len(b), true, nil
		}
		n += i + 1
		switch {
		case n == len(b) || b[n] == comma:
			return n, false, nil
		case b[n] != '"':
			return n, false, errors.New(`text after the closing quote (") of a field`)
		}
		n++
	}
}

// unquote returns the text of a field.
func unquote(b []byte, quotes bool) []byte {
	if !quotes || len(b) < 2 || b[0] != '"' {
		return b
	}
	b = b[1 : len(b)-1]
	if bytes.IndexByte(b, '"') < 0 {
		return b
	}
	return bytes.ReplaceAll(b, []byte(`""`), []byte(`"`))
}
