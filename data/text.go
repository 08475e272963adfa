package data

import (
	"bytes"
	"io"
	"math"
	"path/filepath"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/textfile"
	"github.com/pkg/errors"
)

// TextOptions say how a text becomes tokens and windows. Context is the only one that has to be set.
type TextOptions struct {
	Context   int             // tokens of a window
	Tokenizer token.Tokenizer // nil makes one of Kind
	Kind      string          // "char" (characters of all the text, the default) or "byte"
	Val       float64         // share of the tokens, at the end, that is held out; 0 means 0.1, below 0 none
	Vocab     int             // token files without a tokenizer: number of ids; 0 means the largest id + 1
	Width     int             // token files without a header: bytes of an id, 2 or 4; 0 asks [WidthFile], else means 2

	Ext      []string               // extensions of the files of a folder that are read; empty reads all
	Keep     func(path string) bool // which files to read, by the path below the folder, with slashes; nil reads all
	MaxBytes int64                  // bytes of text to read in all, cut before a character; 0 reads everything

	Encoding    Encoding // of the files; "" recognises UTF-8, UTF-16 and UTF-32
	MaxUnpacked float64  // GiB that a file packed by gzip or Zstandard, or a Parquet file, may unpack to; 0 means 1
	Column      string   // of Parquet files: the texts; "" is the only column of texts
}

// Encoding is the name of a text's encoding, such as windows-1252, shift_jis, gb18030 or utf-16. The name binary takes
// the bytes as they are.
type Encoding string

// Valid tells whether texts of this encoding can be read.
func (e Encoding) Valid() bool { return e == "" || textfile.Known(string(e)) }

// TextData is a text as tokens, in a part to train on and a held-out part. Close it if it came from token files.
type TextData struct {
	tok            token.Tokenizer
	vocab, context int
	train, val     tokens
	files          []*TokenFile
	read           int    // files that were read
	digest         string // SHA-256 of the texts; "" of token files
}

// Text reads a text file, or all files below a folder in the order of their paths, as one text, and encodes it. The
// first 1 − Val of its tokens are for training, as in nanoGPT. Files packed by gzip or Zstandard are unpacked, links
// followed. What is no text is an error.
func Text(path string, o TextOptions) (*TextData, error) { return Texts([]string{path}, o) }

// Texts is [Text] of several files and folders, in the order given.
func Texts(paths []string, o TextOptions) (*TextData, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	parts, err := readAll(paths, o)
	if err != nil {
		return nil, err
	}
	if o.Tokenizer == nil {
		if o.Tokenizer, err = o.newTokenizer(parts); err != nil {
			return nil, err
		}
	}
	ids, err := encode(o.Tokenizer, parts)
	if err != nil {
		return nil, err
	}
	t := &TextData{tok: o.Tokenizer, vocab: o.Tokenizer.Vocab(), context: o.Context, read: len(parts), digest: digestOf(parts)}
	if err := t.split(ids, o.Val); err != nil {
		return nil, err
	}
	return t, nil
}

// check fills in defaults and refuses what cannot be.
func (o *TextOptions) check() error {
	if o.Context < 1 {
		return errors.Errorf("data: Text: context %d, want at least 1", o.Context)
	}
	if o.Val == 0 {
		o.Val = 0.1
	}
	if o.Val >= 1 || o.Val != o.Val {
		return errors.Errorf("data: Text: val %g, want a share below 1", o.Val)
	}
	if o.Width != 0 && o.Width != 2 && o.Width != 4 || o.Vocab > math.MaxInt32 {
		return errors.Errorf("data: Text: width %d, vocabulary of %d: want ids of 2 or 4 bytes, at most %d", o.Width, o.Vocab, math.MaxInt32)
	}
	if o.Kind != "" && o.Kind != "char" && o.Kind != "byte" {
		return errors.Errorf("data: Text: tokenizer %q, want char or byte", o.Kind)
	}
	return nil
}

func (o TextOptions) newTokenizer(parts []document) (token.Tokenizer, error) {
	if o.Kind == "byte" {
		return token.Byte{}, nil
	}
	texts := make([][]byte, len(parts))
	for i, p := range parts {
		if j := invalid(p.text); j >= 0 {
			return nil, errors.Wrapf(&token.UTF8Error{Offset: j, Byte: p.text[j]}, "data: Text: %s", p.path)
		}
		texts[i] = p.text
	}
	return token.NewChar(texts...)
}

// invalid returns the offset of the first byte that is not UTF-8, or −1.
func invalid(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// split cuts ids in two and checks that there is enough.
func (t *TextData) split(ids tokens, val float64) error {
	cut := ids.len()
	if val > 0 {
		cut = int(float64(ids.len()) * (1 - val))
	}
	t.train, t.val = ids.slice(0, cut), ids.slice(cut, ids.len())
	return t.enough(val > 0)
}

// enough checks that each part has a window and its last target.
func (t *TextData) enough(val bool) error {
	need := t.context + 1
	if t.train.len() < need {
		return errors.Errorf("data: Text: too short: %d tokens to train on, want at least %d for a context of %d", t.train.len(), need, t.context)
	}
	if val && t.val.len() < need {
		return errors.Errorf("data: Text: too short: %d tokens held out, want at least %d for a context of %d", t.val.len(), need, t.context)
	}
	return nil
}

// Vocab is the number of ids.
func (t *TextData) Vocab() int { return t.vocab }

// Tokenizer is what made the tokens; nil for token files without one.
func (t *TextData) Tokenizer() token.Tokenizer { return t.tok }

// Tokens is the number of tokens to train on and held out.
func (t *TextData) Tokens() (train, val int) { return t.train.len(), t.val.len() }

// Files is the number of files that were read.
func (t *TextData) Files() int { return t.read }

// Train returns a source without end of windows of T tokens, the context, at uniform random offsets. The fields are ids
// (T) and y (T), the token behind each. The offset of each window depends on the seed and its number alone.
func (t *TextData) Train(seed uint64) Source {
	return t.train.source(seed, t.context, t.vocab, true)
}

// Val returns the held-out part.
func (t *TextData) Val() Held { return Held{t.val, t.context, t.vocab} }

// Eval returns a source of one pass over the held-out part: see [Held.Eval].
func (t *TextData) Eval() Source { return t.Val().Eval() }

// Held is a held-out part to evaluate on.
type Held struct {
	ids            tokens
	context, vocab int
}

// Eval returns a source of one pass over all windows that do not overlap: ⌊(tokens−1)/context⌋ of them.
func (h Held) Eval() Source {
	return h.ids.source(0, h.context, h.vocab, false)
}

// BytesPerToken is the mean length in bytes of the targets of [Held.Eval]. A loss in nats per token is loss /
// (BytesPerToken·ln 2) bits per byte. It is 0 without a tokenizer or a held-out part.
func (t *TextData) BytesPerToken() float64 {
	n := t.Eval().Len() * t.context
	if t.tok == nil || n == 0 {
		return 0
	}
	const chunk = 1 << 16
	var sum int
	ids := make([]int32, 0, chunk)
	for at := 1; at <= n; at += chunk {
		ids = t.val.slice(at, min(at+chunk, n+1)).appendTo(ids[:0])
		sum += len(t.tok.Decode(ids))
	}
	return float64(sum) / float64(n)
}

// Close unmaps token files; the data and its sources must not be used after.
func (t *TextData) Close() error {
	var first error
	for _, f := range t.files {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	t.train, t.val, t.files = tokens{}, tokens{}, nil
	return first
}

// document is a file of a text.
type document struct {
	path string
	text []byte
}

// Documents returns the texts of files, and of the files below folders that the options want, in the order of [Texts].
func Documents(paths []string, o TextOptions) ([][]byte, error) {
	docs, err := readAll(paths, o)
	texts := make([][]byte, len(docs))
	for i, p := range docs {
		texts[i] = p.text
	}
	return texts, err
}

func readAll(paths []string, o TextOptions) ([]document, error) {
	var files []string
	for _, p := range paths {
		found, err := find(p, o)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	var docs []document
	var total int64
	for _, f := range files {
		err := o.each(f, func(text []byte) error {
			full := o.MaxBytes > 0 && total+int64(len(text)) >= o.MaxBytes
			if full {
				text = cut(text, int(o.MaxBytes-total))
			}
			total += int64(len(text))
			docs = append(docs, document{f, text})
			if full {
				return io.EOF
			}
			return nil
		})
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, errors.Wrap(err, "data: Text")
		}
	}
	if total == 0 {
		return nil, errors.Errorf("data: Text: %s: no text in %d files", filepath.Join(paths...), len(files))
	}
	return docs, nil
}

// each calls use with the text of a file, or with each text of a Parquet file. io.EOF ends it.
func (o TextOptions) each(path string, use func(text []byte) error) error {
	t := textfile.Options{Encoding: string(o.Encoding), MaxUnpacked: int64(min(o.MaxUnpacked, 1<<30) * (1 << 30))}
	ended := false
	done, err := textfile.Texts(path, o.Column, t, func(text []byte) error {
		err := use(text)
		ended = err == io.EOF
		return err
	})
	if ended {
		return io.EOF
	}
	if done || err != nil {
		return err
	}
	text, err := textfile.Read(path, t)
	if err != nil {
		return err
	}
	return use(text)
}

// cut returns the first n bytes of text, less the start of a character that would be cut.
func cut(text []byte, n int) []byte {
	for i := 0; n < len(text) && i < utf8.UTFMax-1 && n > 0 && !utf8.RuneStart(text[n]); i++ {
		n--
	}
	return bytes.Clone(text[:n]) // so that the rest can be freed
}
