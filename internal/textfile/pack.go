package textfile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pkg/errors"
)

// packing is a way to compress that is undone while a file is read.
type packing struct {
	name  string
	magic []byte
	open  func(r io.Reader) (io.Reader, error)
}

// maxWindow bounds the memory in bytes that a file of Zstandard may ask for: that of zstd --long.
const maxWindow = 128 << 20

var packings = []packing{
	{"gzip", []byte("\x1f\x8b"), func(r io.Reader) (io.Reader, error) { return gzip.NewReader(bufio.NewReader(r)) }},
	{"Zstandard", []byte("\x28\xb5\x2f\xfd"), func(r io.Reader) (io.Reader, error) {
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	}},
}

// packedAs returns how a file with these first bytes is compressed, nil where it is not.
func packedAs(head []byte) *packing {
	for i, p := range packings {
		if bytes.HasPrefix(head, p.magic) {
			return &packings[i]
		}
	}
	return nil
}

// broken explains an error of the unpacker.
func (p *packing) broken(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return errors.Errorf("the %s file is cut short", p.name)
	}
	return errors.Wrapf(err, "the %s file is damaged", p.name)
}

// limited reads what is unpacked, and refuses more than the limit.
type limited struct {
	r           io.Reader
	left, limit int64
	pack        *packing
}

func (l *limited) Read(b []byte) (int, error) {
	n, err := l.r.Read(b[:min(int64(len(b)), l.left+1)])
	if l.left -= int64(n); l.left < 0 {
		return 0, errors.Errorf("the %s file unpacks to more than %d bytes, the limit (--max-unpacked GIB raises it)", l.pack.name, l.limit)
	}
	if err != nil && err != io.EOF {
		err = l.pack.broken(err)
	}
	return n, err
}
