package pretrained

import (
	"encoding/binary"
	"strconv"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/pkg/errors"
)

// The header of a checkpoint of llm.c: 256 int32, of which the first are magic, version, context, vocab, layers, heads,
// width, padded vocab. Source: github.com/karpathy/llm.c, train_gpt2.py, write_model.
const (
	llmcMagic  = 20240326
	llmcHeader = 256 * 4
	llmcF32    = 3    // version of float32
	llmcBF16   = 5    // version of bfloat16
	llmcEps    = 1e-5 // of the norms
)

func isLLMC(head []byte) bool {
	return len(head) >= 8 && binary.LittleEndian.Uint32(head) == llmcMagic
}

// llmcTensor is a parameter in the order of the file. That of the blocks holds all blocks, one after the other.
type llmcTensor struct {
	name   string // of a block: after "h.N."
	block  bool
	linear bool  // stored as (out, in); ours is (in, out)
	shape  []int // as stored, of one block
}

// llmcTensors lists the parameters.
func llmcTensors(c gpt.Dims) []llmcTensor {
	w := c.Width
	return []llmcTensor{
		{"wte.weight", false, false, []int{c.Vocab, w}}, {"wpe.weight", false, false, []int{c.Context, w}},
		{"ln_1.weight", true, false, []int{w}}, {"ln_1.bias", true, false, []int{w}},
		{"attn.c_attn.weight", true, true, []int{3 * w, w}}, {"attn.c_attn.bias", true, false, []int{3 * w}},
		{"attn.c_proj.weight", true, true, []int{w, w}}, {"attn.c_proj.bias", true, false, []int{w}},
		{"ln_2.weight", true, false, []int{w}}, {"ln_2.bias", true, false, []int{w}},
		{"mlp.c_fc.weight", true, true, []int{4 * w, w}}, {"mlp.c_fc.bias", true, false, []int{4 * w}},
		{"mlp.c_proj.weight", true, true, []int{w, 4 * w}}, {"mlp.c_proj.bias", true, false, []int{w}},
		{"ln_f.weight", false, false, []int{w}}, {"ln_f.bias", false, false, []int{w}},
	}
}

// openLLMC reads a checkpoint of llm.c.
func (s *Source) openLLMC(path string) error {
	s.Format = "llm.c"
	f, err := s.openBin(path)
	if err != nil {
		return err
	}
	if len(f.Bytes) < llmcHeader {
		return errors.Errorf("%d bytes; the header of llm.c has %d", len(f.Bytes), llmcHeader)
	}
	h := ints(f.Bytes, 8)
	f.at = llmcHeader
	kinds := map[int]string{llmcF32: "F32", llmcBF16: "BF16"}
	kind, ok := kinds[h[1]]
	if !ok {
		return errors.Errorf("version %d of llm.c's checkpoints; known: %d (float32), %d (bfloat16)", h[1], llmcF32, llmcBF16)
	}
	m, err := modelOf("gpt2", map[string]any{"n_positions": h[2], "vocab_size": h[3], "n_layer": h[4], "n_head": h[5], "n_embd": h[6], "layer_norm_epsilon": llmcEps})
	if err != nil {
		return err
	}
	s.is(m)
	c := m.Dims()
	if h[7] < c.Vocab || h[7] > gpt.MaxSize {
		return errors.Errorf("a vocabulary of %d padded to %d; want from %d to %d", c.Vocab, h[7], c.Vocab, gpt.MaxSize)
	}
	for _, t := range llmcTensors(c) {
		blocks, prefix, padded := 1, "", t.shape[0]
		if t.block {
			blocks = c.Layers
		}
		if t.name == "wte.weight" {
			padded = h[7]
		}
		for i := range blocks {
			if t.block {
				prefix = "h." + strconv.Itoa(i) + "."
			}
			p, err := f.take(prefix+t.name, kind, padded, t.shape...)
			if err != nil {
				return err
			}
			p.Transposed = t.linear
			if err := s.add(p.Name, p); err != nil {
				return err
			}
		}
	}
	if f.at != len(f.Bytes) {
		return errors.Errorf("%d bytes after the last parameter", len(f.Bytes)-f.at)
	}
	s.tokenizer = tokenizerBeside(path)
	return nil
}
