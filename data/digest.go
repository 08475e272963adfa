package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/mapped"
	"github.com/ceto-ml/ceto/internal/splitmix"
)

// digestOf is the SHA-256 of texts: their lengths and bytes. The names of files do not count.
func digestOf(docs []document) string {
	h := sha256.New()
	for _, d := range docs {
		digestNumber(h, len(d.text))
		h.Write(d.text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func digestNumber(h hash.Hash, n int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}

// Digests tell one text from another, by the name of what they are of. A text has the SHA-256 of all its bytes. Token
// files, which may be larger than memory, have that of their number of ids and of 1,000 places which the number draws.
func (t *TextData) Digests() (map[string]string, error) {
	all := map[string]string{}
	if t.tok != nil {
		all["tokenizer"] = TokenizerDigest(t.tok)
	}
	if t.digest != "" {
		all["text"], all["parts"] = t.digest, fmt.Sprintf("%d and %d tokens", t.train.len(), t.val.len())
		return all, nil
	}
	err := mapped.Guard(func() error {
		all["tokens to train on"], all["tokens held out"] = t.train.digest(), t.val.digest()
		return nil
	})
	return all, err
}

// The places of token files that are digested, and the ids of each.
const (
	places  = 1000
	placeOf = 256
)

// digest is the SHA-256 of the number of ids and of the ids at 1,000 places that it draws. Up to 256,000 ids are all
// taken.
func (t tokens) digest() string {
	h, n := sha256.New(), t.len()
	digestNumber(h, n)
	buf := make([]byte, 0, 4*placeOf)
	put := func(i, j int) {
		buf = buf[:0]
		for _, id := range t.slice(i, j).appendTo(nil) {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(id))
		}
		h.Write(buf)
	}
	if n <= places*placeOf {
		put(0, n)
		return hex.EncodeToString(h.Sum(nil))
	}
	for i := range uint64(places) {
		at := below(splitmix.At(uint64(n), 0, i), n-placeOf+1)
		put(at, at+placeOf)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sample is a text on which tokenizers differ that have the same tokens.
const sample = "Hello, world! It's 1999-12-31:\n\n\tfor (i = 0; i < 10; i++) { caf\u00e9 \u4f60\u597d \U0001f600 };  \r\nDON'T "

// TokenizerDigest is the SHA-256 by which a run knows its tokenizer again: of the bytes of all ids, and of the ids of a
// sample.
func TokenizerDigest(t token.Tokenizer) string {
	h := sha256.New()
	for id := range t.Vocab() {
		b := t.Decode([]int32{int32(id)})
		digestNumber(h, len(b))
		h.Write(b)
	}
	if ids, err := t.Encode([]byte(sample)); err == nil {
		fmt.Fprint(h, ids)
	}
	return hex.EncodeToString(h.Sum(nil))
}
