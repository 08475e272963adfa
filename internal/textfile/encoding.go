package textfile

import (
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gogs/chardet"
	"github.com/pkg/errors"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/transform"
)

// Binary is the encoding that takes the bytes of a file as they are, whatever they may be.
const Binary = "binary"

// utf8Mark is the byte order mark of UTF-8.
const utf8Mark = "\ufeff"

// decoder turns another encoding into UTF-8.
type decoder struct {
	name string
	wide *wide             // UTF-16 and UTF-32
	text encoding.Encoding // all others
}

// Known tells whether an encoding of the given name can be read. Names are [Binary], UTF-8, UTF-16, UTF-32, and the
// labels of WHATWG's Encoding Standard and of IANA. Case does not count, and an underscore is a hyphen.
func Known(name string) bool {
	_, err := named(name)
	return err == nil
}

// named returns the decoder of an encoding, nil for UTF-8.
func named(name string) (*decoder, error) {
	label := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
	switch label {
	case "utf-8", "utf8", "utf-8-sig", "ascii", "us-ascii", Binary:
		return nil, nil
	}
	if w := wides[strings.Replace(label, "utf1", "utf-1", 1)]; w != nil {
		return &decoder{name: label, wide: w}, nil
	}
	for _, l := range []string{label, name, alias[label]} {
		if e, err := htmlindex.Get(l); err == nil && e != encoding.Replacement {
			return &decoder{name: label, text: e}, nil
		}
		if e, err := ianaindex.IANA.Encoding(l); err == nil && e != nil && e != encoding.Replacement {
			return &decoder{name: label, text: e}, nil
		}
	}
	return nil, errors.Errorf("encoding %q is not known; want one such as windows-1252, shift_jis, gb18030, utf-16, or binary", name)
}

// alias has names that Python and Windows use.
var alias = map[string]string{"shift-jis": "shift_jis", "cp932": "shift_jis", "cp936": "gbk", "cp949": "euc-kr", "cp950": "big5",
	"mac-roman": "macintosh", "latin-1": "iso-8859-1", "koi8r": "koi8-r", "ansi": "windows-1252", "eucjp": "euc-jp", "euckr": "euc-kr"}

// encodingOf returns the decoder for a text: that of the name or, without one, what the first bytes tell.
func encodingOf(name string, head []byte) (*decoder, error) {
	if name != "" {
		return named(name)
	}
	for _, m := range marks {
		if bytes.HasPrefix(head, []byte(m.bytes)) {
			return &decoder{name: m.name, wide: wides[m.name]}, nil
		}
	}
	if bytes.IndexByte(head, 0) < 0 {
		return nil, nil
	}
	for _, name := range []string{"utf-32le", "utf-32be", "utf-16le", "utf-16be"} {
		if wides[name].looks(head) {
			return &decoder{name: name, wide: wides[name]}, nil
		}
	}
	return nil, nil
}

// reader returns the text of r in UTF-8.
func (d *decoder) reader(r io.Reader) io.Reader {
	if d.wide != nil {
		return &wideReader{w: *d.wide, r: r, name: d.name}
	}
	return &checked{r: transform.NewReader(r, d.text.NewDecoder()), name: d.name, line: 1}
}

// checked refuses a replacement character, which a decoder of x/text puts for what it cannot read.
type checked struct {
	r    io.Reader
	name string
	line int
	part []byte // the last bytes, which may begin a replacement character
}

func (c *checked) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	all := append(c.part, b[:n]...)
	if i := bytes.Index(all, []byte("\ufffd")); i >= 0 {
		line := c.line + bytes.Count(all[:i], []byte("\n"))
		return 0, errors.Errorf("line %d is not in the encoding %s; want another --encoding", line, c.name)
	}
	keep := min(len(all), utf8.UTFMax-2)
	c.line += bytes.Count(all[:len(all)-keep], []byte("\n"))
	c.part = append(c.part[:0], all[len(all)-keep:]...)
	return n, err
}

// Check refuses what is no text in UTF-8 and tells its line and byte. Where it can, it names an encoding that fits.
func Check(b []byte) error {
	at, err := broken(b)
	if err != nil {
		return errors.Errorf("line %d, byte %d of the text: %v", 1+bytes.Count(b[:at], []byte("\n")), at, err)
	}
	return nil
}

// CheckPart is [Check] of a part of a text, whose place the caller tells.
func CheckPart(b []byte) error {
	_, err := broken(b)
	return err
}

// broken returns the first byte that no text in UTF-8 has, and what to do.
func broken(b []byte) (at int, err error) {
	at = invalid(b)
	if nul := bytes.IndexByte(b, 0); nul >= 0 && (at < 0 || nul < at) {
		return nul, errors.New("a NUL byte, want text in UTF-8 (--encoding names another; binary takes all bytes)")
	}
	if at < 0 {
		return 0, nil
	}
	return at, errors.Errorf("broken UTF-8 (byte 0x%02x); %s", b[at], suggest(b, at))
}

// invalid returns the offset of the first byte that is not UTF-8, or −1.
func invalid(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; ; {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n < 2 {
			return i
		}
		i += n
	}
}

// suggest names the flag that helps, with the encoding that the bytes around a place look like.
func suggest(b []byte, at int) string {
	sample := b[max(0, at-headSize/2):min(len(b), at+headSize/2)]
	if control(sample) {
		return "it looks like no text; --encoding binary takes the bytes as they are"
	}
	best, err := chardet.NewTextDetector().DetectBest(sample)
	if err == nil {
		name := strings.ToLower(best.Charset)
		if name == "iso-8859-1" || best.Confidence < 40 || !strictly(name, sample) {
			name = "windows-1252"
		}
		return "it may be --encoding " + name + " (other names: latin1, shift_jis, gb18030, big5, euc-kr, koi8-r)"
	}
	return "name its encoding, such as --encoding windows-1252"
}

// strictly tells whether a sample can be read in an encoding.
func strictly(name string, sample []byte) bool {
	d, err := named(name)
	if err != nil || d == nil {
		return false
	}
	text, err := io.ReadAll(d.reader(bytes.NewReader(sample)))
	return err == nil && !control(text)
}

// control tells whether more than a hundredth of the bytes are control characters that no text has.
func control(b []byte) bool {
	n := 0
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b {
			n++
		}
	}
	return n > len(b)/100
}

// printable tells whether a character is one of text.
func printable(r rune) bool {
	return unicode.IsPrint(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)
}
