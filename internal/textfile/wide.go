package textfile

import (
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// wide is UTF-16 or UTF-32.
type wide struct {
	size int  // bytes of a unit
	big  bool // the high byte comes first
	mark bool // a byte order mark decides
}

var wides = map[string]*wide{
	"utf-16": {2, false, true}, "utf-16le": {2, false, false}, "utf-16-le": {2, false, false},
	"utf-16be": {2, true, false}, "utf-16-be": {2, true, false},
	"utf-32": {4, false, true}, "utf-32le": {4, false, false}, "utf-32-le": {4, false, false},
	"utf-32be": {4, true, false}, "utf-32-be": {4, true, false},
}

// marks are byte order marks. That of UTF-32 begins with that of UTF-16.
var marks = []struct{ bytes, name string }{
	{"\xff\xfe\x00\x00", "utf-32le"}, {"\x00\x00\xfe\xff", "utf-32be"}, {"\xff\xfe", "utf-16le"}, {"\xfe\xff", "utf-16be"},
}

// unit returns the first unit of b.
func (w wide) unit(b []byte) (u rune) {
	for i := range w.size {
		k := w.size - 1 - i
		if w.big {
			k = i
		}
		u = u<<8 | rune(b[k])
	}
	return u
}

// looks tells whether bytes without a mark are text of this encoding: most characters are below 256, and all are of
// text.
func (w wide) looks(b []byte) bool {
	b = b[:len(b)-len(b)%w.size]
	if w.size == 2 && len(b) > 2 { // perhaps half of a pair
		b = b[:len(b)-2]
	}
	low, n := 0, 0
	for ; len(b) >= w.size; n++ {
		r, size, ok := w.rune(b)
		if !ok || !printable(r) {
			return false
		}
		if r < 0x100 {
			low++
		}
		b = b[size:]
	}
	return low > n/2
}

// rune returns the first character of b, which has a whole unit, and its size in bytes.
func (w wide) rune(b []byte) (r rune, size int, ok bool) {
	r = w.unit(b)
	if w.size == 4 {
		return r, 4, utf8.ValidRune(r)
	}
	if !utf16.IsSurrogate(r) {
		return r, 2, true
	}
	if len(b) < 4 {
		return r, 2, false
	}
	r = utf16.DecodeRune(r, w.unit(b[2:]))
	return r, 4, r != utf8.RuneError
}

// wideReader decodes UTF-16 or UTF-32 strictly. A byte order mark at the start is left out.
type wideReader struct {
	w    wide
	r    io.Reader
	name string
	raw  []byte // read, not yet decoded
	text []byte // decoded, not yet given
	at   int64  // bytes decoded
	err  error  // of r
}

func (d *wideReader) Read(b []byte) (int, error) {
	for len(d.text) == 0 {
		if err := d.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, d.text)
	d.text = d.text[n:]
	return n, nil
}

// fill decodes the next bytes.
func (d *wideReader) fill() error {
	if d.err == nil {
		buf := make([]byte, headSize)
		var n int
		n, d.err = io.ReadFull(d.r, buf)
		d.raw = append(d.raw, buf[:n]...)
		if d.err == io.ErrUnexpectedEOF {
			d.err = io.EOF
		}
	}
	if len(d.raw) == 0 || d.err != nil && d.err != io.EOF {
		return d.err
	}
	if d.at == 0 {
		d.mark()
	}
	for text := []byte(nil); ; {
		last := len(d.raw) < 4 && d.err == nil // a pair may go on
		if len(d.raw) < d.w.size || last {
			if d.err == io.EOF && len(d.raw) > 0 {
				return errors.Errorf("%s ends in the middle of a character", d.name)
			}
			d.text = text
			return nil
		}
		r, size, ok := d.w.rune(d.raw)
		if !ok || r == 0 {
			return errors.Errorf("bytes %d to %d are no character of text in %s; want another --encoding", d.at, d.at+int64(size)-1, d.name)
		}
		text = utf8.AppendRune(text, r)
		d.raw, d.at = d.raw[size:], d.at+int64(size)
	}
}

// mark takes a byte order mark away and, where it decides, obeys it.
func (d *wideReader) mark() {
	if len(d.raw) < d.w.size {
		return
	}
	swapped := d.w
	swapped.big = !swapped.big
	if d.w.mark && swapped.unit(d.raw) == '\ufeff' {
		d.w = swapped
	}
	if d.w.unit(d.raw) == '\ufeff' {
		d.raw, d.at = d.raw[d.w.size:], int64(d.w.size)
	}
}
