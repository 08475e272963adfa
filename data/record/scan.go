package record

import (
	"bufio"
	"bytes"
	"io"
	"slices"

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
	within bool  // the array is a member of an object
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
	s.format, s.comma, s.max, s.array, s.within = f.format, f.comma, f.max, f.array, f.within
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

// advance passes n bytes over.
func (s *scanner) advance(n int) {
	k, _ := s.b.Discard(n)
	s.off += int64(k)
}

// skip passes n bytes over; the record begins behind them.
func (s *scanner) skip(n int) {
	s.advance(n)
	s.start = s.off
}

// next reads a record to rec, without its line end; io.EOF tells that there is none.
func (s *scanner) next() error {
	if s.format == JSON {
		return s.json()
	}
	for {
		s.start, s.rec = s.off, s.rec[:0]
		if err := s.line(); err != nil {
			return err
		}
		switch {
		case len(s.rec) == 0:
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

// line appends the next line to rec, without its end: LF, CR LF or CR.
func (s *scanner) line() error {
	from := len(s.rec)
	for {
		_, err := s.b.Peek(1)
		if err == io.EOF && len(s.rec) > from {
			return clean(s.rec[from:]) // the last line needs no end
		}
		if err != nil {
			return err
		}
		b, _ := s.b.Peek(s.b.Buffered())
		n := lineEnd(b)
		if len(s.rec)+n > s.max {
			return errors.Errorf("a record of more than %d bytes (MaxRecord)", s.max)
		}
		s.room(n)
		s.rec = append(s.rec, b[:n]...)
		if n == len(b) {
			s.advance(n)
			continue
		}
		cr := b[n] == '\r'
		s.advance(n + 1)
		if b, _ := s.b.Peek(1); cr && len(b) == 1 && b[0] == '\n' {
			s.advance(1)
		}
		return clean(s.rec[from:])
	}
}

// lineEnd returns the place of the first CR or LF, or the length of b. It looks at no more than twice the line.
func lineEnd(b []byte) int {
	for from, n := 0, 256; from < len(b); from, n = n, 2*n {
		part := b[from:min(n, len(b))]
		end := len(part)
		if i := bytes.IndexByte(part, '\n'); i >= 0 {
			end = i
		}
		if i := bytes.IndexByte(part[:end], '\r'); i >= 0 {
			end = i
		}
		if end < len(part) {
			return from + end
		}
	}
	return len(b)
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
	fields, open := s.row(s.rec, false)
	for s.fields = fields; open; s.fields += fields {
		s.rec = append(s.rec, '\n')
		from := len(s.rec)
		if err := s.line(); err == io.EOF {
			return errors.New("a quoted field is not closed")
		} else if err != nil {
			return errors.Wrap(err, "in a quoted field")
		}
		fields, open = s.row(s.rec[from:], true)
	}
	return nil
}

// row counts the fields that end in b, which begins inside of a quoted field if open, and tells if it ends in one.
func (s *scanner) row(b []byte, open bool) (fields int, stillOpen bool) {
	for {
		n, open1 := span(b, s.comma, true, open)
		if open1 {
			return fields, true
		}
		fields++
		if n == len(b) {
			return fields, false
		}
		b, open = b[n+1:], false
	}
}

// span returns the length of the field at the start of b, up to the comma. If open, b begins inside of a quoted field;
// stillOpen tells that b ends in one. Such a field begins with a quote and goes on to the next one. A doubled quote in
// it is a quote (RFC 4180, section 2). Other quotes are text, as is what stands between the closing quote and the
// comma: Python's csv reads them so.
func span(b []byte, comma byte, quotes, open bool) (n int, stillOpen bool) {
	if open || quotes && len(b) > 0 && b[0] == '"' {
		if !open {
			n = 1
		}
		k, closed := quoted(b[n:])
		if !closed {
			return len(b), true
		}
		n += k + 1
	}
	if k := bytes.IndexByte(b[n:], comma); k >= 0 {
		return n + k, false
	}
	return len(b), false
}

// quoted returns the place of the quote that closes a field, where b begins inside of one.
func quoted(b []byte) (n int, closed bool) {
	for {
		i := bytes.IndexByte(b[n:], '"')
		if i < 0 {
			return len(b), false
		}
		if n += i; n+1 == len(b) || b[n+1] != '"' {
			return n, true
		}
		n += 2
	}
}

// unquote returns the text of a field.
func unquote(b []byte, quotes bool) []byte {
	if !quotes || len(b) < 2 || b[0] != '"' {
		return b
	}
	n, _ := quoted(b[1:])
	text, rest := b[1:1+n], b[min(2+n, len(b)):]
	if bytes.IndexByte(text, '"') >= 0 {
		text = bytes.ReplaceAll(text, []byte(`""`), []byte(`"`))
	}
	if len(rest) > 0 {
		text = slices.Concat(text, rest)
	}
	return text
}
