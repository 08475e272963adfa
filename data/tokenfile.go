package data

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"path/filepath"
	"unsafe"

	"github.com/ceto-ml/ceto/internal/mapped"
	"github.com/ceto-ml/ceto/internal/textfile"
	"github.com/pkg/errors"
)

// Format is a layout of token files.
type Format int

const (
	// NanoGPT is bare ids, little-endian: uint16 as nanoGPT writes them, or uint32. See [WidthFile].
	NanoGPT Format = iota
	// LLMC is llm.c's layout: a header of 256 int32 (magic, version, number of ids, zeros), then little-endian ids.
	// Magic 20240520 and version 1 mean uint16, 20240801 and 7 mean uint32.
	LLMC
	// NumPy is an array of one axis in a .npy file, of uint16, uint32 or int32. Such files are only read.
	NumPy
)

// llmcHeader is the size of llm.c's header in bytes.
const llmcHeader = 256 * 4

// llmcKinds are the two kinds of llm.c's files. Source: llm.c, dev/data/data_common.py.
var llmcKinds = []struct{ magic, version, width uint32 }{{20240520, 1, 2}, {20240801, 7, 4}}

// TokenFile is a mapped file of tokens: either Tokens or Wide has them. They are not to be written to, nor used after
// Close.
type TokenFile struct {
	Format Format
	Tokens []uint16 // ids of 2 bytes
	Wide   []uint32 // ids of 4 bytes
	said   bool     // something told the width
	path   string
	mem    *mapped.File
}

// OpenTokens maps a token file. The first bytes tell llm.c's format and NumPy's, and their width. For a file without a
// header, width is the bytes of an id: 2 or 4. A width of 0 asks the [WidthFile] beside it, and without one means 2.
//
// A length that is no multiple of the width is an error. So are ids that nothing said to have 2 bytes, if they look
// like halves of longer ones. A header with an unknown version or the wrong number of ids is one too. Close the file
// after use.
func OpenTokens(path string, width int) (*TokenFile, error) {
	if width != 0 && width != 2 && width != 4 {
		return nil, errors.Errorf("data: OpenTokens: %s: ids of %d bytes, want 2, 4, or 0 to find out", path, width)
	}
	mem, err := mapped.Open(path)
	if err != nil {
		return nil, errors.Wrap(err, "data: OpenTokens")
	}
	t := &TokenFile{path: path, mem: mem}
	if err := mapped.Guard(func() error { return t.view(filepath.Dir(path), width) }); err != nil {
		t.Close()
		return nil, errors.Wrapf(err, "data: OpenTokens: %s", path)
	}
	return t, nil
}

// view finds the layout of a mapped file of folder dir and sets Tokens or Wide.
func (t *TokenFile) view(dir string, width int) error {
	body, ofHeader, err := t.header(t.mem.Bytes)
	if err != nil {
		return err
	}
	if ofHeader > 0 {
		width = ofHeader
	} else if width == 0 {
		if width, err = readWidth(dir); err != nil {
			return err
		}
	}
	if t.Format == NanoGPT {
		if err := noTokens(t.path, body); err != nil {
			return err
		}
	}
	if t.said = width > 0; !t.said {
		width = 2
	}
	if len(body)%width != 0 {
		return errors.Errorf("%d bytes are no whole number of uint%d tokens", len(body), 8*width)
	}
	if width == 4 {
		t.Wide = numbers(body, binary.LittleEndian.Uint32)
		return nil
	}
	if t.Tokens = numbers(body, binary.LittleEndian.Uint16); !t.said && looksWide(t.Tokens) {
		return errors.Errorf("the ids look like uint32 read as uint16; say what they are in %s beside the file: %s or %s",
			WidthFile, widthText(4), widthText(2))
	}
	return nil
}

// header reads llm.c's header. It returns the bytes behind it and the width it names, or all bytes and 0 without one.
func (t *TokenFile) header(b []byte) (body []byte, width int, err error) {
	if len(b) < 4 {
		return b, 0, nil
	}
	if bytes.HasPrefix(b, []byte(npyMagic)) {
		t.Format = NumPy
		return npy(b)
	}
	for _, k := range llmcKinds {
		if binary.LittleEndian.Uint32(b) != k.magic {
			continue
		}
		t.Format = LLMC
		if len(b) < llmcHeader {
			return nil, 0, errors.Errorf("llm.c header of %d bytes, want %d", len(b), llmcHeader)
		}
		if v := int32(binary.LittleEndian.Uint32(b[4:])); v != int32(k.version) {
			return nil, 0, errors.Errorf("llm.c version %d, want %d (uint%d tokens)", v, k.version, 8*k.width)
		}
		n, body := int32(binary.LittleEndian.Uint32(b[8:])), b[llmcHeader:]
		if int64(n)*int64(k.width) != int64(len(body)) {
			return nil, 0, errors.Errorf("llm.c header says %d tokens but %d bytes follow, %d each", n, len(body), k.width)
		}
		return body, int(k.width), nil
	}
	return b, 0, nil
}

// noTokens refuses what is no file of bare ids, by its first bytes.
func noTokens(path string, b []byte) error {
	head := b[:min(len(b), 64<<10)]
	if err := textfile.RefuseIDs(path, head); err != nil || len(head) < 64 || !textfile.Plain(head) {
		return err
	}
	return errors.New("text, want token ids; give it a name that ends in .txt, or encode it: ceto tokenize corpus")
}

// Close unmaps the file.
func (t *TokenFile) Close() error {
	if t.mem == nil {
		return nil
	}
	mem := t.mem
	t.Tokens, t.Wide, t.mem = nil, nil, nil
	return errors.Wrap(mem.Close(), "data: TokenFile")
}

func (t *TokenFile) tokens() tokens { return tokens{t.Tokens, t.Wide} }

// numbers views little-endian bytes as numbers, or copies them on a machine of the other order.
func numbers[T uint16 | uint32](b []byte, decode func([]byte) T) []T {
	if len(b) == 0 {
		return nil
	}
	size := int(unsafe.Sizeof(T(0)))
	one := uint16(1)
	if *(*byte)(unsafe.Pointer(&one)) == 1 && uintptr(unsafe.Pointer(&b[0]))%uintptr(size) == 0 {
		return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/size)
	}
	v := make([]T, len(b)/size)
	for i := range v {
		v[i] = decode(b[size*i:])
	}
	return v
}

// WriteTokens writes a token file with ids of 2 or 4 bytes, as the type says. For bare ids of 4 bytes, write a
// [WidthFile] beside the file too, see [WriteWidth].
func WriteTokens[T uint16 | uint32](w io.Writer, f Format, ids []T) error {
	b := bufio.NewWriterSize(w, 1<<20)
	size := int(unsafe.Sizeof(T(0)))
	buf := make([]byte, 0, 4)
	put := func(id T) { // bufio keeps the error for Flush
		buf = binary.LittleEndian.AppendUint32(buf[:0], uint32(id))
		b.Write(buf[:size])
	}
	switch f {
	case NanoGPT:
		if err := likeHeader(ids); err != nil {
			return err
		}
	case LLMC:
		if len(ids) > math.MaxInt32 {
			return errors.Errorf("data: WriteTokens: %d tokens, llm.c's header holds at most %d", len(ids), math.MaxInt32)
		}
		var h [llmcHeader]byte
		k := llmcKinds[size/4]
		binary.LittleEndian.PutUint32(h[0:], k.magic)
		binary.LittleEndian.PutUint32(h[4:], k.version)
		binary.LittleEndian.PutUint32(h[8:], uint32(len(ids)))
		b.Write(h[:])
	default:
		return errors.Errorf("data: WriteTokens: format %d, want NanoGPT or LLMC", f)
	}
	for _, id := range ids {
		put(id)
	}
	return errors.Wrap(b.Flush(), "data: WriteTokens")
}

// likeHeader refuses bare ids that would be read as llm.c's header.
func likeHeader[T uint16 | uint32](ids []T) error {
	first := ids[:min(len(ids), 4/int(unsafe.Sizeof(T(0))))]
	word := uint32(0)
	for i, id := range first {
		word |= uint32(id) << (16 * i)
	}
	for _, k := range llmcKinds {
		if word == k.magic {
			return errors.Errorf("data: WriteTokens: ids that begin with %d would be read as llm.c's header; write that format", first)
		}
	}
	return nil
}
