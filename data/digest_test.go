package data

import (
	"testing"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/splitmix"
)

// TestDigest: ids have one digest in either width. Where they are many, 1,000 places count.
func TestDigest(t *testing.T) {
	const n = 1 << 20
	few, many := make([]uint16, 1000), make([]uint16, n)
	for i := range many {
		many[i] = uint16(splitmix.At(1, 0, uint64(i)))
	}
	copy(few, many)
	drawn := make([]bool, n)
	for i := range uint64(places) {
		at := below(splitmix.At(n, 0, i), n-placeOf+1)
		for j := range placeOf {
			drawn[at+j] = true
		}
	}
	var in, out int // places that are drawn and that are not
	for i, d := range drawn {
		if d {
			in = i
		} else {
			out = i
		}
	}
	changed := func(ids []uint16, at int) tokens {
		ids = append([]uint16(nil), ids...)
		ids[at] ^= 1
		return tokens{short: ids}
	}
	a, b := tokens{short: few}, tokens{short: many}
	for name, same := range map[string]bool{
		"few, wide":       a.digest() == (tokens{wide: a.widened()}).digest(),
		"many, wide":      b.digest() == (tokens{wide: b.widened()}).digest(),
		"few, one fewer":  a.digest() != a.slice(0, 999).digest(),
		"many, one fewer": b.digest() != b.slice(0, n-1).digest(),
		"few, the first":  a.digest() != changed(few, 0).digest(),
		"few, the last":   a.digest() != changed(few, 999).digest(),
		"many, a place":   b.digest() != changed(many, in).digest(),
		"many, between":   b.digest() == changed(many, out).digest(),
		"none":            (tokens{}).digest() != a.digest(),
	} {
		if !same {
			t.Errorf("%s: the digests say otherwise", name)
		}
	}
}

// TestDigestNames: texts and tokenizers have digests of what they say, and not of what they are called.
func TestDigestNames(t *testing.T) {
	one, err := token.NewChar([]byte("abc "))
	if err != nil {
		t.Fatal(err)
	}
	two, err := token.NewChar([]byte("abc~"))
	if err != nil {
		t.Fatal(err)
	}
	if TokenizerDigest(one) == TokenizerDigest(two) || TokenizerDigest(one) != TokenizerDigest(one) || TokenizerDigest(token.Byte{}) == TokenizerDigest(one) {
		t.Error("digests of tokenizers")
	}
	if digestOf([]document{{"a", []byte("xy")}, {"b", []byte("z")}}) == digestOf([]document{{"a", []byte("x")}, {"b", []byte("yz")}}) {
		t.Error("texts of other documents have one digest")
	}
	if digestOf([]document{{"a", []byte("xy")}}) != digestOf([]document{{"b", []byte("xy")}}) {
		t.Error("the name of a file counts")
	}
}
