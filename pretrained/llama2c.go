package pretrained

import (
	"cmp"
	"encoding/binary"
	"strconv"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/pkg/errors"
)

// Checkpoints of llama2.c. Version 0 begins with seven int32: width, MLP width, layers, heads, key/value heads, vocab
// (negative where the head is not the embedding), context. Version 1 has a magic and its version before them and is
// padded to 256 bytes. Source: github.com/karpathy/llama2.c, export.py.
const (
	llama2cMagic  = 0x616b3432 // "ak42"
	llama2cHead   = 256
	llama2cLegacy = 7 * 4
	llama2cEps    = 1e-5
	llama2cBase   = 10000 // base of the rotary positions
)

// llama2cHeader is what a checkpoint begins with.
type llama2cHeader struct {
	version int
	model   gpt.Model
	mlp, kv int // widths of the MLP, and of keys and values
	headDim int
	tied    bool // the head is the embedding
	bytes   int  // of the header
}

// parseLlama2C reads a header. It returns false for what cannot be one.
func parseLlama2C(head []byte) (h llama2cHeader, ok bool) {
	if len(head) < llama2cHead {
		return h, false
	}
	v, tied := ints(head, 9), false
	if uint32(v[0]) == llama2cMagic {
		h.version, h.bytes = v[1], llama2cHead
		v, tied = v[2:], head[9*4] == 1
	} else {
		h.bytes = llama2cLegacy
		tied = v[5] > 0
		v[5] = max(v[5], -v[5])
	}
	h.headDim = v[0] / max(v[3], 1)
	h.mlp, h.kv, h.tied = v[1], cmp.Or(v[4], v[3])*h.headDim, tied
	var err error
	h.model, err = modelOf("llama", map[string]any{"hidden_size": v[0], "intermediate_size": v[1], "num_hidden_layers": v[2], "num_attention_heads": v[3],
		"num_key_value_heads": v[4], "vocab_size": v[5], "max_position_embeddings": v[6], "rms_norm_eps": llama2cEps, "rope_theta": llama2cBase, "tie_word_embeddings": tied})
	return h, err == nil
}

func isLlama2C(head []byte) bool {
	_, ok := parseLlama2C(head)
	return ok || len(head) >= 4 && binary.LittleEndian.Uint32(head) == llama2cMagic
}

// openLlama2C reads a checkpoint of llama2.c. Its rotary pairs lie beside each other.
func (s *Source) openLlama2C(path string) error {
	s.Format = "llama2.c"
	f, err := s.openBin(path)
	if err != nil {
		return err
	}
	h, ok := parseLlama2C(f.Bytes[:min(len(f.Bytes), llama2cHead)])
	switch {
	case h.version > 1:
		return errors.Errorf("version %d of llama2.c's checkpoints; known: 0 and 1 (float32)", h.version)
	case !ok:
		return errors.Errorf("no header of llama2.c: %+v", h.model)
	}
	s.is(h.model)
	f.at = h.bytes
	for _, t := range h.tensors() {
		for i := range t.blocks {
			name := t.name
			if t.block {
				name = "model.layers." + strconv.Itoa(i) + "." + t.name
			}
			if name == "" { // version 0: two tables of rotary angles, which the model computes itself
				f.at += 4 * t.shape[0]
				continue
			}
			p, err := f.take(name, "F32", t.shape[0], t.shape...)
			if err != nil {
				return err
			}
			p.Transform = s.Architecture.GGUF.Transform(h.model, "llama", name) // llama.cpp keeps pairs as llama2.c does
			if err := s.add(name, p); err != nil {
				return err
			}
		}
	}
	if f.at != len(f.Bytes) {
		return errors.Errorf("the settings ask for %d bytes, the file has %d", f.at, len(f.Bytes))
	}
	s.End = []int32{1, 2} // as in run.c, the next text's begin token ends a text, and so does the end token
	s.tokenizer = tokenizerBeside(path)
	return nil
}

// llama2cTensor is a parameter in the order of the file. That of the blocks holds all blocks, one after the other.
type llama2cTensor struct {
	name   string
	block  bool // each block has one; else the model has one
	blocks int
	shape  []int
}

// tensors lists the parameters.
func (h llama2cHeader) tensors() []llama2cTensor {
	c := h.model.Dims()
	n, w, kv, headDim := c.Layers, c.Width, h.kv, h.headDim
	block := func(name string, shape ...int) llama2cTensor { return llama2cTensor{name, true, n, shape} }
	one := func(name string, shape ...int) llama2cTensor { return llama2cTensor{name, false, 1, shape} }
	embedding := one("model.embed_tokens.weight", c.Vocab, w)
	attnNorm, mlpNorm := block("input_layernorm.weight", w), block("post_attention_layernorm.weight", w)
	norm := one("model.norm.weight", w)
	attn := []llama2cTensor{block("self_attn.q_proj.weight", w, w), block("self_attn.k_proj.weight", kv, w),
		block("self_attn.v_proj.weight", kv, w), block("self_attn.o_proj.weight", w, w)}
	mlp := []llama2cTensor{block("mlp.gate_proj.weight", h.mlp, w), block("mlp.down_proj.weight", w, h.mlp), block("mlp.up_proj.weight", h.mlp, w)}
	var list []llama2cTensor
	if h.version == 0 {
		list = append(append([]llama2cTensor{embedding, attnNorm}, attn...), mlpNorm)
		list = append(append(list, mlp...), norm)
		list = append(list, one("", c.Context*headDim/2), one("", c.Context*headDim/2))
	} else {
		list = append(append([]llama2cTensor{attnNorm, mlpNorm, norm, embedding}, attn...), mlp...)
	}
	if !h.tied {
		list = append(list, one("lm_head.weight", c.Vocab, w))
	}
	return list
}
