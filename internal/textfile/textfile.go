// Package textfile opens files of text that others wrote. It unpacks gzip and Zstandard, decodes what is not UTF-8, and
// refuses by name what is no text.
//
//	b, err := textfile.Read("book.txt.gz", textfile.Options{})
package textfile

import (
	"bytes"
	"io"
	"math"
	"os"

	"github.com/ceto-ml/ceto/internal/parquet"
	"github.com/pkg/errors"
)

// Options say how a file is read. The zero value recognises all that can be.
type Options struct {
	Encoding    string // a name that [Known] knows, or [Binary]; "" recognises UTF-8, UTF-16 and UTF-32
	MaxUnpacked int64  // bytes that a compressed file may unpack to; 0 is [MaxUnpacked]
	Rows        bool   // a Parquet file is read as JSON lines, a row each
}

// unpacked is the bound of what a file may unpack to.
func (o Options) unpacked() int64 {
	if o.MaxUnpacked == 0 {
		return MaxUnpacked
	}
	return o.MaxUnpacked
}

// MaxUnpacked is the size in bytes that a compressed file may unpack to where no other is set: 1 GiB.
const MaxUnpacked = 1 << 30

// headSize is the number of bytes by which a file is recognised.
const headSize = 64 << 10

// File is an open file of text. What is plain is read from the disk; what was unpacked or decoded is in memory.
type File struct {
	io.ReaderAt
	Size int64 // bytes of the text
	Rows bool  // it was a Parquet file
	head []byte
	h    *os.File
}

// Open opens a file. A compressed file is read once to learn its size before any of it is kept. A folder, a device or
// a pipe is refused before it is opened, and so is what the first bytes tell to be no text. UTF-8 is not checked here.
func Open(path string, o Options) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if err := Regular(path, info); err != nil {
		return nil, err
	}
	h, err := os.Open(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	f := &File{ReaderAt: h, Size: info.Size(), h: h}
	if err := f.open(path, o); err != nil {
		h.Close()
		return nil, errors.Wrap(err, path)
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error { return f.h.Close() }

// Regular refuses what is no regular file by the name of its kind.
func Regular(path string, info os.FileInfo) error {
	kind := ""
	switch m := info.Mode(); {
	case m.IsRegular():
		return nil
	case m.IsDir():
		kind = "a folder"
	case m&os.ModeNamedPipe != 0:
		kind = "a named pipe"
	case m&os.ModeSocket != 0:
		kind = "a socket"
	case m&os.ModeDevice != 0:
		kind = "a device"
	default:
		kind = "no regular file"
	}
	return errors.Errorf("%s: %s, want a file", path, kind)
}

// open recognises the file and, where it is not plain, takes its text into memory.
func (f *File) open(path string, o Options) error {
	var err error
	if f.head, err = headOf(f.section()); err != nil || o.Encoding == Binary {
		return err
	}
	if o.Rows && parquet.Is(f.head) {
		return f.rows(o.unpacked())
	}
	limit, pack := int64(math.MaxInt64), packedAs(f.head)
	head := f.head
	if pack != nil {
		limit = o.unpacked()
		z, err := pack.open(f.section())
		if err != nil {
			return pack.broken(err)
		}
		if head, err = headOf(z); err != nil {
			return pack.broken(err)
		}
	}
	if err := Refuse(path, head); err != nil {
		return err
	}
	enc, err := encodingOf(o.Encoding, head)
	if err != nil || pack == nil && enc == nil {
		return err
	}
	text := func() (io.Reader, error) {
		var r io.Reader = f.section()
		if pack != nil {
			z, err := pack.open(r)
			if err != nil {
				return nil, pack.broken(err)
			}
			r = &limited{r: z, left: limit, limit: limit, pack: pack}
		}
		if enc != nil {
			r = enc.reader(r)
		}
		return r, nil
	}
	return f.keep(text)
}

// rows takes the rows of a Parquet file into memory.
func (f *File) rows(limit int64) error {
	b := &bounded{left: limit, limit: limit}
	if err := parquet.JSONLines(b, f.h, f.Size); err != nil {
		return err
	}
	f.Rows, f.ReaderAt, f.Size = true, bytes.NewReader(b.Bytes()), int64(b.Len())
	f.head = b.Bytes()[:min(b.Len(), headSize)]
	return nil
}

// Texts calls use with each text of a column of a Parquet file, which counts against what a file may unpack to. Without
// a name the column is the only one of texts. It returns false for a file of another kind.
func Texts(path, column string, o Options, use func(text []byte) error) (bool, error) {
	f, err := Open(path, Options{Encoding: Binary})
	if err != nil {
		return false, err
	}
	defer f.Close()
	if !parquet.Is(f.head) || o.Encoding == Binary {
		return false, nil
	}
	b := &bounded{left: o.unpacked(), limit: o.unpacked()}
	err = parquet.Texts(f.h, f.Size, column, func(text []byte) error {
		if err := b.take(len(text)); err != nil {
			return err
		}
		return use(text)
	})
	return true, errors.Wrap(err, path)
}

// bounded is memory that takes so many bytes.
type bounded struct {
	bytes.Buffer
	left, limit int64
}

func (b *bounded) take(n int) error {
	if b.left -= int64(n); b.left < 0 {
		return errors.Errorf("a Parquet file with more than %d bytes of text; --max-unpacked allows more", b.limit)
	}
	return nil
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if err := b.take(len(p)); err != nil {
		return 0, err
	}
	return b.Buffer.Write(p)
}

// keep reads the text twice: to count it, and to keep it in memory of just that size.
func (f *File) keep(text func() (io.Reader, error)) error {
	r, err := text()
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		return err
	}
	if r, err = text(); err != nil {
		return err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return errors.New("the file has changed while it was read")
	}
	f.ReaderAt, f.Size, f.head = bytes.NewReader(b), n, b[:min(n, headSize)]
	return nil
}

func (f *File) section() *io.SectionReader { return io.NewSectionReader(f.h, 0, f.Size) }

// Head is the first bytes of the text.
func (f *File) Head() []byte { return f.head }

// headOf reads the first bytes.
func headOf(r io.Reader) ([]byte, error) {
	b := make([]byte, headSize)
	n, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF && n < headSize {
		err = nil
	}
	return b[:n], err
}

// Read returns the text of a file in UTF-8, without a byte order mark. What is not UTF-8, or has a NUL byte, is an
// error with its place. With [Binary] it returns the bytes as they are.
func Read(path string, o Options) ([]byte, error) {
	f, err := Open(path, o)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, f.Size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, f.Size), b); err != nil {
		return nil, errors.Wrap(err, path)
	}
	if o.Encoding == Binary {
		return b, nil
	}
	b = bytes.TrimPrefix(b, []byte(utf8Mark))
	return b, errors.Wrap(Check(b), path)
}
