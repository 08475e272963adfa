package token_test

import (
	"fmt"
	"os"

	"github.com/ceto-ml/ceto/data/token"
)

// Example turns a text into ids of its characters and back.
func Example() {
	t, err := token.NewChar([]byte("to be"))
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, err := t.Encode([]byte("be to"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ids, t.Vocab())
	fmt.Printf("%s\n", t.Decode(ids))
	// Output:
	// [1 2 0 4 3] 5
	// be to
}

// ExampleTrain learns a byte-level BPE: 256 bytes, and merges of what is there most often.
func ExampleTrain() {
	texts := [][]byte{[]byte("low lower lowest")}
	t, err := token.Train(texts, token.TrainOptions{Vocab: 258, Split: []token.Splitter{token.GPT2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, err := t.Encode([]byte("slow"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range ids {
		fmt.Printf("%d %q\n", id, t.Decode([]int32{id}))
	}
	// Output:
	// 82 "s"
	// 257 "low"
}

// ExampleSave writes a tokenizer's files to a folder, from which [token.Open] reads it again.
func ExampleSave() {
	dir, err := os.MkdirTemp("", "token")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := token.Save(dir, token.Byte{}); err != nil {
		fmt.Println(err)
		return
	}
	t, err := token.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Name(), t.Vocab())
	// Output: byte 256
}
