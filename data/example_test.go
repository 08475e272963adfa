package data_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
)

// Example reads a table in batches: without end for training, once and in order for evaluation.
func Example() {
	xor := data.Rows([][]float32{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, []float32{0, 1, 1, 0})
	src := xor.Eval()
	b := data.NewBatch(src.Fields(), 3)
	for {
		n, err := src.Next(b)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(n, b[field.X].Float, b[field.Y].Float)
	}
	// Output:
	// 3 [0 0 0 1 1 0] [0 1 1]
	// 1 [1 1 0 0 0 0] [0 0 0]
	// EOF
}

// ExampleText cuts a text into windows of tokens, each with the token that follows.
func ExampleText() {
	dir, err := os.MkdirTemp("", "data")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "input.txt")
	if err := os.WriteFile(path, []byte("to be or not to be"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	text, err := data.Text(path, data.TextOptions{Context: 4, Val: 0.5})
	if err != nil {
		fmt.Println(err)
		return
	}
	train, val := text.Tokens()
	fmt.Println(text.Vocab(), "characters,", train, "tokens to train on,", val, "held out")
	src := text.Eval()
	b := data.NewBatch(src.Fields(), 1)
	if _, err := src.Next(b); err != nil {
		fmt.Println(err)
		return
	}
	decode := text.Tokenizer().Decode
	fmt.Printf("%q is followed by %q\n", decode(b[field.IDs].Int), decode(b[field.Y].Int))
	// Output:
	// 7 characters, 9 tokens to train on, 9 held out
	// "not " is followed by "ot t"
}

// ExampleSequences has two sequences of vectors of two numbers, of 3 and 1 steps.
func ExampleSequences() {
	all := [][]float32{{1, 2, 3, 4, 5, 6}, {7, 8}}
	q := &data.Sequences{Lengths: []int32{3, 1}, Context: 3, Features: 2, Target: data.Field{Name: field.Y, Int: true},
		At: func(i int, _ uint64) (data.Sequence, error) {
			return data.Sequence{X: all[i], Y: []int32{int32(i)}}, nil
		}}
	src := q.Eval()
	n, fields := data.Shape(src, 2)
	b := data.NewBatch(fields, n)
	if _, err := src.Next(b); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(b[field.X].Shape, b[field.X].Float)
	fmt.Println("last", b[field.Last].Int, "classes", b[field.Y].Int)
	// Output:
	// [2 3 2] [1 2 3 4 5 6 7 8 0 0 0 0]
	// last [2 0] classes [0 1]
}

// ExampleWriteTokens writes ids of 4 bytes, with llm.c's header of 1,024 bytes and without.
func ExampleWriteTokens() {
	ids := []uint32{128000, 9906, 1917, 128001}
	for _, f := range []data.Format{data.LLMC, data.NanoGPT} {
		var b bytes.Buffer
		if err := data.WriteTokens(&b, f, ids); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(b.Len(), "bytes")
	}
	var says bytes.Buffer // the file beside those without a header
	if err := data.WriteWidth(&says, data.TokenWidth(128256)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(data.WidthFile, ": ", says.String())
	// Output:
	// 1040 bytes
	// 16 bytes
	// tokens.json: {"dtype": "uint32"}
}
