package gpt

import (
	"encoding/binary"
	"strconv"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Checkpoints of llama2.c. Version 0 begins with seven int32: width, MLP width, layers, heads, key/value heads, vocab
// (negative where the head is not the embedding), context. Version 1 has a magic and its version before them and is
// padded to 256 bytes. Source: github.com/karpathy/llama2.c, export.py.
const (
	llama2cMagic  = 0x616b3432 // "ak42"
	llama2cHead   = 256
	llama2cLegacy = 7 * 4
)

// llama2cHeader is what a checkpoint begins with.
type llama2cHeader struct {
	version int
	model   Llama
	bytes   int // of the header
}

// parseLlama2C reads a header; false where it can be none.
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
	h.model = Llama{Width: v[0], MLPWidth: v[1], Layers: v[2], Heads: v[3], KVHeads: v[4], Vocab: v[5], Context: v[6],
		Eps: 1e-5, Tied: tied, Rotary: graph.RotaryOpts{Base: 10000}}
	return h, h.model.Validate() == nil
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
	h, ok := parseLlama2C(f.MMap[:min(len(f.MMap), llama2cHead)])
	switch {
	case h.version > 1:
		return errors.Errorf("version %d of llama2.c's checkpoints; known: 0 and 1 (float32)", h.version)
	case !ok:
		return errors.Errorf("no header of llama2.c: %+v", h.model)
	}
	s.Model, f.at = h.model, h.bytes
	for _, t := range h.model.llama2cTensors(h.version) {
		for i := range t.blocks {
			name := t.name
			if t.block {
				name = "model.layers." + strconv.Itoa(i) + "." + t.name
			}
			if name == "" { // version 0: two tables of rotary angles, which nobody reads
				f.at += 4 * t.shape[0]
				continue
			}
			p, err := f.take(name, "F32", t.shape[0], t.shape...)
			if err != nil {
				return err
			}
			p.row = h.model.pairRow(name)
			if err := s.add(name, p); err != nil {
				return err
			}
		}
	}
	if f.at != len(f.MMap) {
		return errors.Errorf("the settings ask for %d bytes, the file has %d", f.at, len(f.MMap))
	}
	s.End = []int32{1, 2} // the begin of the next text ends one, as in run.c; so does the end token
	s.tokenizer = besides(path)
	return nil
}

// llama2cTensor is a parameter in the order of the file, of all blocks one after the other.
type llama2cTensor struct {
	name   string
	block  bool // else it is there once
	blocks int
	shape  []int
}

// llama2cTensors lists the parameters of a version.
func (c Llama) llama2cTensors(version int) []llama2cTensor {
	n, w, h := c.Layers, c.Width, c.MLPWidth
	kv := c.kvHeads() * c.headDim()
	block := func(name string, shape ...int) llama2cTensor { return llama2cTensor{name, true, n, shape} }
	one := func(name string, shape ...int) llama2cTensor { return llama2cTensor{name, false, 1, shape} }
	embedding := one("model.embed_tokens.weight", c.Vocab, w)
	attnNorm, mlpNorm := block("input_layernorm.weight", w), block("post_attention_layernorm.weight", w)
	norm := one("model.norm.weight", w)
	attn := []llama2cTensor{block("self_attn.q_proj.weight", w, w), block("self_attn.k_proj.weight", kv, w),
		block("self_attn.v_proj.weight", kv, w), block("self_attn.o_proj.weight", w, w)}
	mlp := []llama2cTensor{block("mlp.gate_proj.weight", h, w), block("mlp.down_proj.weight", w, h), block("mlp.up_proj.weight", h, w)}
	var list []llama2cTensor
	if version == 0 {
		list = append(append([]llama2cTensor{embedding, attnNorm}, attn...), mlpNorm)
		list = append(append(list, mlp...), norm)
		list = append(list, one("", c.Context*c.headDim()/2), one("", c.Context*c.headDim()/2))
	} else {
		list = append(append([]llama2cTensor{attnNorm, mlpNorm, norm, embedding}, attn...), mlp...)
	}
	if !c.Tied {
		list = append(list, one("lm_head.weight", c.Vocab, w))
	}
	return list
}
