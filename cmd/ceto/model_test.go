package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph/plan"
)

// TestTooLarge: a model that memory cannot hold is refused before any is allocated. Its file, of llama2.c's version
// 1, is sparse: it takes no blocks on the disk.
func TestTooLarge(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	if x.Device().Free == 0 {
		t.Skip("this system does not say how much memory is free")
	}
	c := gpt.Llama{Width: 1 << 16, MLPWidth: 1 << 18, Layers: 4, Heads: 512, KVHeads: 512, Vocab: 1 << 19, Context: 1024, Tied: true}
	head := make([]byte, 256)
	for i, v := range []int{0x616b3432, 1, c.Width, c.MLPWidth, c.Layers, c.Heads, c.KVHeads, c.Vocab, c.Context} {
		binary.LittleEndian.PutUint32(head[4*i:], uint32(v))
	}
	head[36] = 1 // the head is the embedding
	path := filepath.Join(t.TempDir(), "huge.bin")
	if err := os.WriteFile(path, head, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 256+4*int64(c.Params())); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	g := &global{Device: "cpu", Threads: 1}
	_, err := g.load(&modelFlags{path: path, Tokenizer: "byte", Special: "parse"})
	if err == nil || !strings.Contains(err.Error(), "309238235136 parameters need 1.1 TiB as float32; ") {
		t.Errorf("%v; want an error that says how much memory is needed", err)
	}
}
