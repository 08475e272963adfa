package data

import (
	"bufio"
	"encoding/binary"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/edsrzf/mmap-go"
	"github.com/pkg/errors"
)

// Format is a layout of token files.
type Format int

const (
	// NanoGPT is bare ids, uint16 little-endian.
	NanoGPT Format = iota
	// LLMC is a header of 256 int32 (magic 20240520, version 1, number of tokens, zeros), then the same: llm.c.
	LLMC
)

const (
	llmcMagic  = 20240520 // llm.c, dev/data/data_common.py
	llmcHeader = 256 * 4  // bytes
)

// TokenFile is a mapped file of tokens.
type TokenFile struct {
	Format Format
	Tokens []uint16 // not after Close; not to be written to
	mem    mmap.MMap
}

// OpenTokens maps a token file; its first bytes tell the format. A file of odd length, an unknown version of llm.c's
// format or a number of tokens that is not the file's is an error. Close the file after use.
func OpenTokens(path string) (*TokenFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.Wrap(err, "data: OpenTokens")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Wrap(err, "data: OpenTokens")
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, errors.Errorf("data: OpenTokens: %s: %d bytes, want a file of tokens", path, info.Size())
	}
	mem, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return nil, errors.Wrapf(err, "data: OpenTokens: %s", path)
	}
	t := &TokenFile{mem: mem}
	body, err := t.header(mem)
	if err != nil {
		t.Close()
		return nil, errors.Wrapf(err, "data: OpenTokens: %s", path)
	}
	t.Tokens = uint16s(body)
	return t, nil
}

// header finds the format of a file and returns the bytes of its tokens.
func (t *TokenFile) header(b []byte) ([]byte, error) {
	if len(b)%2 != 0 {
		return nil, errors.Errorf("%d bytes are no whole number of uint16 tokens", len(b))
	}
	if len(b) < 4 || binary.LittleEndian.Uint32(b) != llmcMagic {
		return b, nil
	}
	t.Format = LLMC
	if len(b) < llmcHeader {
		return nil, errors.Errorf("llm.c header of %d bytes, want %d", len(b), llmcHeader)
	}
	if v := int32(binary.LittleEndian.Uint32(b[4:])); v != 1 {
		return nil, errors.Errorf("llm.c version %d, want 1 (uint16 tokens)", v)
	}
	n, body := int32(binary.LittleEndian.Uint32(b[8:])), b[llmcHeader:]
	if int64(n)*2 != int64(len(body)) {
		return nil, errors.Errorf("llm.c header says %d tokens but %d follow", n, len(body)/2)
	}
	return body, nil
}

// Close unmaps the file.
func (t *TokenFile) Close() error {
	if t.mem == nil {
		return nil
	}
	t.Tokens = nil
	return errors.Wrap(t.mem.Unmap(), "data: TokenFile")
}

// uint16s views little-endian bytes as numbers, or copies them on a machine of the other order.
func uint16s(b []byte) []uint16 {
	if len(b) == 0 {
		return nil
	}
	one := uint16(1)
	if *(*byte)(unsafe.Pointer(&one)) == 1 && uintptr(unsafe.Pointer(&b[0]))%2 == 0 {
		return unsafe.Slice((*uint16)(unsafe.Pointer(&b[0])), len(b)/2)
	}
	v := make([]uint16, len(b)/2)
	for i := range v {
		v[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return v
}

// WriteTokens writes a token file.
func WriteTokens(w io.Writer, f Format, ids []uint16) error {
	b := bufio.NewWriterSize(w, 1<<20)
	switch f {
	case NanoGPT:
		if len(ids) >= 2 && uint32(ids[0])|uint32(ids[1])<<16 == llmcMagic {
			return errors.Errorf("data: WriteTokens: ids that begin with %d %d would be read as llm.c's header; write that format", ids[0], ids[1])
		}
	case LLMC:
		if len(ids) > math.MaxInt32 {
			return errors.Errorf("data: WriteTokens: %d tokens, llm.c's header holds at most %d", len(ids), math.MaxInt32)
		}
		var h [llmcHeader]byte
		binary.LittleEndian.PutUint32(h[0:], llmcMagic)
		binary.LittleEndian.PutUint32(h[4:], 1)
		binary.LittleEndian.PutUint32(h[8:], uint32(len(ids)))
		b.Write(h[:]) // bufio keeps the error for Flush
	default:
		return errors.Errorf("data: WriteTokens: format %d, want NanoGPT or LLMC", f)
	}
	var two [2]byte
	for _, id := range ids {
		binary.LittleEndian.PutUint16(two[:], id)
		b.Write(two[:])
	}
	return errors.Wrap(b.Flush(), "data: WriteTokens")
}

// TokenFiles maps tokens that were made before: a folder with train.bin, or with its parts train_*.bin, which are read
// into memory as one, and with val.bin; or one file, of which the last Val is held out. The tokenizer is that of the
// options or of the folder ([token.Open]), else none.
func TokenFiles(path string, o TextOptions) (*TextData, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Wrap(err, "data: TokenFiles")
	}
	t := &TextData{tok: o.Tokenizer, vocab: o.Vocab, context: o.Context}
	dir, train, val := path, []string{"train.bin"}, "val.bin"
	if !info.IsDir() {
		dir, train, val = filepath.Dir(path), []string{filepath.Base(path)}, ""
	} else if parts := shards(dir); len(parts) > 0 {
		train = parts
	}
	if t.tok == nil {
		if t.tok, err = token.Open(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := t.open(dir, train, val, o.Val); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// shards returns the names of the parts of train.bin in a folder.
func shards(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if ok, _ := filepath.Match("train_*.bin", e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	return names
}

// open maps the files of t and settles its vocabulary. Without a file of held-out tokens they are the share val.
func (t *TextData) open(dir string, train []string, held string, val float64) error {
	names := train
	if held != "" {
		names = append(slices.Clip(train), held)
	}
	for _, n := range names {
		f, err := OpenTokens(filepath.Join(dir, n))
		if err != nil {
			return err
		}
		t.files = append(t.files, f)
	}
	if t.vocab == 0 {
		switch {
		case t.tok != nil:
			t.vocab = t.tok.Vocab()
		default:
			for _, f := range t.files {
				if len(f.Tokens) > 0 {
					t.vocab = max(t.vocab, int(slices.Max(f.Tokens))+1)
				}
			}
		}
	}
	ids := t.files[0].Tokens
	for _, f := range t.files[1:len(train)] {
		ids = append(slices.Clip(ids), f.Tokens...) // a copy
	}
	if held == "" {
		return t.split(ids, val)
	}
	t.train, t.val = ids, t.files[len(train)].Tokens
	return t.enough(true)
}

// Open is [TokenFiles] for a .bin file or a folder that has train.bin or its parts, else [Text].
func Open(path string, o TextOptions) (*TextData, error) {
	_, err := os.Stat(filepath.Join(path, "train.bin"))
	if filepath.Ext(path) == ".bin" || err == nil || len(shards(path)) > 0 {
		return TokenFiles(path, o)
	}
	return Text(path, o)
}
