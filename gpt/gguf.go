package gpt

import (
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/pkg/errors"
)

// ggufLlama and ggufGPT2 are the names of modules in GGUF files beside the models' own; # stands for the block's number.
// A module's parameters are its .weight and .bias in both. Source: gguf-py of llama.cpp, tensor_mapping.py.
var (
	ggufLlama = [][2]string{
		{"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"},
		{"blk.#.attn_norm", "model.layers.#.input_layernorm"}, {"blk.#.ffn_norm", "model.layers.#.post_attention_layernorm"},
		{"blk.#.attn_q", "model.layers.#.self_attn.q_proj"}, {"blk.#.attn_k", "model.layers.#.self_attn.k_proj"},
		{"blk.#.attn_v", "model.layers.#.self_attn.v_proj"}, {"blk.#.attn_output", "model.layers.#.self_attn.o_proj"},
		{"blk.#.attn_q_norm", "model.layers.#.self_attn.q_norm"}, {"blk.#.attn_k_norm", "model.layers.#.self_attn.k_norm"},
		{"blk.#.ffn_gate", "model.layers.#.mlp.gate_proj"}, {"blk.#.ffn_up", "model.layers.#.mlp.up_proj"},
		{"blk.#.ffn_down", "model.layers.#.mlp.down_proj"},
	}
	ggufGPT2 = [][2]string{
		{"token_embd", "wte"}, {"position_embd", "wpe"}, {"output_norm", "ln_f"}, {"output", "lm_head"},
		{"blk.#.attn_norm", "h.#.ln_1"}, {"blk.#.ffn_norm", "h.#.ln_2"},
		{"blk.#.attn_qkv", "h.#.attn.c_attn"}, {"blk.#.attn_output", "h.#.attn.c_proj"},
		{"blk.#.ffn_up", "h.#.mlp.c_fc"}, {"blk.#.ffn_down", "h.#.mlp.c_proj"},
	}
)

var blockNumber = regexp.MustCompile(`\.\d+\.`)

// translate renames a parameter from column from of a table to the other one; an unknown name is returned as it is.
func translate(table [][2]string, name string, from int) string {
	block := blockNumber.FindString(name)
	module, param := name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		module, param = name[:i], name[i:]
	}
	if block != "" {
		module = strings.Replace(module+".", block, ".#.", 1)
		module = strings.TrimSuffix(module, ".")
	}
	for _, pair := range table {
		if pair[from] == module {
			return strings.Replace(pair[1-from], ".#.", block, 1) + param
		}
	}
	return name
}

// openGGUF reads a GGUF file.
func (s *Source) openGGUF(path string) error {
	s.Format = "GGUF"
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	if info, err := os.Stat(path); err == nil {
		s.Bytes = info.Size()
	}
	if n, ok := f.Int("split.count"); ok && n > 1 {
		return errors.Errorf("one of %d parts of a model; join them with llama.cpp's gguf-split", n)
	}
	arch, _ := f.String("general.architecture")
	m := ggufMeta{f, arch, nil}
	switch arch {
	case "gpt2":
		s.Model = m.gpt2()
	case "llama", "mistral", "qwen2", "qwen3":
		s.Model = m.llama()
	default:
		return errors.Errorf("general.architecture is %q; known: gpt2, llama, mistral, qwen2, qwen3", arch)
	}
	if m.err != nil {
		return m.err
	}
	if err := s.Model.Validate(); err != nil {
		return err
	}
	for _, t := range f.Tensors {
		if err := s.addGGUF(arch, t); err != nil {
			return err
		}
	}
	s.Chat, _ = f.String("tokenizer.chat_template")
	for _, key := range []string{"eos", "eot", "eom"} {
		if id, ok := f.Int("tokenizer.ggml." + key + "_token_id"); ok && id >= 0 && id < int64(s.Model.Dims().Vocab) {
			s.End = append(s.End, int32(id))
		}
	}
	s.tokenizer = func() (token.Tokenizer, error) { return token.FromGGUF(f) }
	return nil
}

// ggufMeta reads the settings of a model; its first error stays.
type ggufMeta struct {
	*gguf.File
	arch string
	err  error
}

// size is a number of the architecture; without one it is other, and an error where that is negative.
func (m *ggufMeta) size(key string, other int) int {
	v, ok := m.Int(m.arch + "." + key)
	switch {
	case !ok && m.Value(m.arch+"."+key) != nil:
		m.fail("%s.%s is not a whole number", m.arch, key)
	case !ok && other < 0:
		m.fail("%s.%s is missing", m.arch, key)
	case ok && (v < 0 || v > maxSetting):
		m.fail("%s.%s is %d; it must be from 0 to %d", m.arch, key, v, maxSetting)
	case ok:
		return int(v)
	}
	return other
}

func (m *ggufMeta) number(key string, other float64) float64 {
	if v, ok := m.Float(m.arch + "." + key); ok {
		return v
	}
	return other
}

func (m *ggufMeta) fail(format string, a ...any) {
	if m.err == nil {
		m.err = errors.Errorf(format, a...)
	}
}

// has reports whether the file has a tensor.
func (m *ggufMeta) has(name string) bool {
	_, ok := m.Tensor(name)
	return ok
}

// vocab is the number of rows of the embedding.
func (m *ggufMeta) vocab() int {
	t, ok := m.Tensor("token_embd.weight")
	if !ok || len(t.Shape) != 2 {
		m.fail("the tensor token_embd.weight is missing, or no matrix")
		return 0
	}
	return t.Shape[0]
}

func (m *ggufMeta) gpt2() Model {
	c := Config{Vocab: m.vocab(), Context: m.size("context_length", -1), Layers: m.size("block_count", -1), Heads: m.size("attention.head_count", -1),
		Width: m.size("embedding_length", -1), Eps: m.number("attention.layer_norm_epsilon", 1e-5)}
	if h := m.size("feed_forward_length", 4*c.Width); h != 4*c.Width {
		c.MLPWidth = h
	}
	c.NoBias, c.Untied = !m.has("output_norm.bias"), m.has("output.weight")
	return c
}

func (m *ggufMeta) llama() Model {
	c := Llama{Vocab: m.vocab(), Context: m.size("context_length", -1), Layers: m.size("block_count", -1), Width: m.size("embedding_length", -1),
		MLPWidth: m.size("feed_forward_length", -1), Heads: m.size("attention.head_count", -1), KVHeads: m.size("attention.head_count_kv", 0),
		Eps: m.number("attention.layer_norm_rms_epsilon", 1e-5), Window: m.size("attention.sliding_window", 0),
		Tied: !m.has("output.weight"), QKVBias: m.has("blk.0.attn_q.bias"), OutBias: m.has("blk.0.attn_output.bias"),
		MLPBias: m.has("blk.0.ffn_gate.bias"), QKNorm: m.has("blk.0.attn_q_norm.weight"),
		Rotary: graph.RotaryOpts{Base: m.number("rope.freq_base", 10000)}}
	if hs := m.size("attention.key_length", 0); c.Heads > 0 && hs*c.Heads != c.Width {
		c.HeadDim = hs
	}
	if v := m.size("attention.value_length", c.headDim()); v != c.headDim() {
		m.fail("%s.attention.value_length is %d, that of keys %d; want the same", m.arch, v, c.headDim())
	}
	if n := m.size("rope.dimension_count", c.headDim()); n != c.headDim() {
		m.fail("%s.rope.dimension_count is %d of heads of %d; want all of it", m.arch, n, c.headDim())
	}
	if n := m.size("expert_count", 0); n > 0 {
		m.fail("%s.expert_count is %d; a mixture of experts is not known", m.arch, n)
	}
	c.Rotary.Scaling = m.scaling(c)
	return c
}

// scaling reads rope.scaling, and the tensor that stands for Llama 3's.
func (m *ggufMeta) scaling(c Llama) graph.RotaryScaling {
	kind, _ := m.String(m.arch + ".rope.scaling.type")
	var s graph.RotaryScaling
	switch kind {
	case "", "none":
	case "linear":
		s.Factor = m.number("rope.scaling.factor", 1)
	default:
		m.fail("%s.rope.scaling.type is %q; known: none, linear", m.arch, kind)
	}
	t, ok := m.Tensor("rope_freqs.weight")
	if !ok || m.err != nil {
		return s
	}
	if t.Len() != c.headDim()/2 || len(t.Shape) != 1 {
		m.fail("rope_freqs.weight is %v; want [%d]", t.Shape, c.headDim()/2)
		return s
	}
	factors := make([]float32, t.Len())
	if err := t.Decode(factors, 0, t.Rows()); err != nil {
		m.fail("%v", err)
		return s
	}
	s, err := fitScaling(factors, c.Rotary.Base)
	if err != nil {
		m.fail("%v", err)
	}
	return s
}

// addGGUF adds a tensor: its name, and the transforms of llama.cpp's conversion undone.
func (s *Source) addGGUF(arch string, t gguf.Tensor) error {
	p := &stored{Tensor: Tensor{t.Name, t.Type.String(), t.Shape, int64(len(t.Data))}, rows: t.Decode}
	if len(t.Shape) == 1 {
		p.rows = elements(t)
	}
	switch c := s.Model.(type) {
	case Config:
		p.transposed = len(t.Shape) == 2 && strings.HasPrefix(t.Name, "blk.") // kept as (out, in); GPT-2's are (in, out)
		return s.add(translate(ggufGPT2, t.Name, 0), p)
	case Llama:
		if arch == "llama" || arch == "mistral" {
			p.row = c.pairRow(t.Name)
		}
		name := translate(ggufLlama, t.Name, 0)
		if t.Name == "rope_freqs.weight" || strings.HasSuffix(t.Name, ".attn_rot_embd") {
			name = ""
		}
		return s.add(name, p)
	}
	return errors.Errorf("a model of type %T", s.Model)
}

// elements reads the elements of a vector, which is a single row to package gguf.
func elements(t gguf.Tensor) func(dst []float32, from, to int) error {
	all := sync.OnceValues(func() ([]float32, error) {
		v := make([]float32, t.Len())
		return v, t.Decode(v, 0, t.Rows())
	})
	return func(dst []float32, from, to int) error {
		v, err := all()
		if err == nil {
			copy(dst, v[from:to])
		}
		return err
	}
}

// turned matches the projections to queries and keys, in GGUF files and by the model's own names.
var turned = regexp.MustCompile(`\.attn_[qk]\.|\.[qk]_proj\.`)

// pairRow is where a file that keeps the two rows of a rotary pair beside each other, as Meta's and llama.cpp's do, has
// row i of a projection to queries or keys; nil for another tensor.
func (c Llama) pairRow(tensor string) func(i int) int {
	if !turned.MatchString(tensor) {
		return nil
	}
	hs := c.headDim()
	return func(i int) int {
		head, r := i/hs, i%hs
		return head*hs + r%(hs/2)*2 + r/(hs/2)
	}
}
