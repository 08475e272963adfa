package gpt

import (
	"math"
	"regexp"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// llamaArchitecture is Meta's Llama, and whatever settings of [Llama] no variant before it in the list claims.
var llamaArchitecture = llamaVariant(Architecture{
	Type: "llama", Class: "LlamaForCausalLM",
	Is: func(m Model) bool { _, ok := m.(Llama); return ok },
	GGUF: GGUF{
		Names: []string{"llama", "mistral"},
		Write: func(m Model) (string, []Setting, error) { return m.(Llama).writeGGUF("llama") },
	},
}, func(c *Settings, m *Llama) {
	bias := c.Bool("attention_bias", false)
	m.QKVBias, m.OutBias, m.MLPBias = bias, bias, c.Bool("mlp_bias", false)
})

// llamaVariant completes the architecture of a variant of [Llama]; vary reads what is its own in config.json.
func llamaVariant(a Architecture, vary func(c *Settings, m *Llama)) *Architecture {
	a.Read = func(c *Settings) Model {
		m := readLlama(c)
		vary(c, &m)
		return m
	}
	if a.Write == nil {
		a.Write = func(m Model) map[string]any { return m.(Llama).write() }
	}
	a.Canonical = func(m Model) Model { return m.(Llama).canonical() }
	a.Portable = func(m Model) Model {
		c := m.(Llama)
		if c.FullLayers >= c.Layers { // no layer has the window
			c.Window, c.FullLayers = 0, 0
		}
		return c
	}
	a.Head, a.Unused = "lm_head", []string{".rotary_emb.inv_freq"}
	a.Targets = []string{"*.q_proj", "*.k_proj", "*.v_proj", "*.o_proj", "*.gate_proj", "*.up_proj", "*.down_proj"}
	a.GGUF.Modules, a.GGUF.Unused = llamaModules, []string{ropeFreqs, ".attn_rot_embd"}
	a.GGUF.Read = func(s *Settings, t Tensors) Model { return readLlamaGGUF(s, t) }
	a.GGUF.Transform = func(m Model, name, param string) Transform {
		if name == "llama" || name == "mistral" {
			return Transform{Row: pairRow(m.(Llama).headDim(), param)}
		}
		return Transform{}
	}
	a.GGUF.Extra = func(m Model) (map[string][]float32, error) { return m.(Llama).ropeFactors() }
	return &a
}

// isLlama returns a test of a model for settings of [Llama].
func isLlama(is func(c Llama) bool) func(m Model) bool {
	return func(m Model) bool { c, ok := m.(Llama); return ok && is(c) }
}

// llamaModules are the names of modules in GGUF files beside the model's own.
var llamaModules = [][2]string{
	{"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"},
	{"blk.#.attn_norm", "model.layers.#.input_layernorm"}, {"blk.#.ffn_norm", "model.layers.#.post_attention_layernorm"},
	{"blk.#.attn_q", "model.layers.#.self_attn.q_proj"}, {"blk.#.attn_k", "model.layers.#.self_attn.k_proj"},
	{"blk.#.attn_v", "model.layers.#.self_attn.v_proj"}, {"blk.#.attn_output", "model.layers.#.self_attn.o_proj"},
	{"blk.#.attn_q_norm", "model.layers.#.self_attn.q_norm"}, {"blk.#.attn_k_norm", "model.layers.#.self_attn.k_norm"},
	{"blk.#.ffn_gate", "model.layers.#.mlp.gate_proj"}, {"blk.#.ffn_up", "model.layers.#.mlp.up_proj"},
	{"blk.#.ffn_down", "model.layers.#.mlp.down_proj"},
}

// readLlama reads the settings that all variants have.
func readLlama(c *Settings) Llama {
	if act := c.Text("hidden_act", "silu"); act != "silu" {
		c.Fail("hidden_act is %q; known: silu", act)
	}
	m := Llama{Vocab: c.Int("vocab_size", 0), Context: c.Int("max_position_embeddings", 0), Layers: c.Int("num_hidden_layers", 0), Width: c.Int("hidden_size", 0),
		MLPWidth: c.Int("intermediate_size", 0), Heads: c.Int("num_attention_heads", 0), KVHeads: c.Int("num_key_value_heads", 0), HeadDim: c.Int("head_dim", 0),
		Eps: c.Float("rms_norm_eps", 1e-6), Tied: c.Bool("tie_word_embeddings", false), Rotary: readRotary(c)}
	if m.Heads > 0 && m.HeadDim == m.Width/m.Heads && m.Width%m.Heads == 0 {
		m.HeadDim = 0 // so that equal models are equal values
	}
	return m
}

// write returns config.json's settings.
func (c Llama) write() map[string]any {
	c = c.canonical()
	s := map[string]any{"hidden_act": "silu", "vocab_size": c.Vocab, "max_position_embeddings": c.Context, "num_hidden_layers": c.Layers,
		"hidden_size": c.Width, "intermediate_size": c.MLPWidth, "num_attention_heads": c.Heads, "num_key_value_heads": c.KVHeads, "head_dim": c.HeadDim,
		"rms_norm_eps": c.Eps, "tie_word_embeddings": c.Tied, "attention_bias": c.OutBias, "mlp_bias": c.MLPBias, "sliding_window": nil}
	writeRotary(s, c.Rotary)
	if c.Window > 0 {
		s["sliding_window"] = c.Window
	}
	return s
}

func (c Llama) canonical() Llama {
	c.KVHeads, c.HeadDim, c.Rotary = c.kvHeads(), c.headDim(), canonicalRotary(c.Rotary)
	if c.Eps == 0 {
		c.Eps = 1e-6
	}
	if c.Window == 0 {
		c.FullLayers = 0
	}
	return c
}

// readLlamaGGUF reads the settings of all variants: which one it is, the tensors tell.
func readLlamaGGUF(s *Settings, t Tensors) Llama {
	c := Llama{Vocab: vocabOf(s, t), Context: s.Size("context_length", -1), Layers: s.Size("block_count", -1), Width: s.Size("embedding_length", -1),
		MLPWidth: s.Size("feed_forward_length", -1), Heads: s.Size("attention.head_count", -1), KVHeads: s.Size("attention.head_count_kv", 0),
		Eps: s.Float("attention.layer_norm_rms_epsilon", 1e-5), Window: s.Size("attention.sliding_window", 0),
		Tied: !has(t, "output.weight"), QKVBias: has(t, "blk.0.attn_q.bias"), OutBias: has(t, "blk.0.attn_output.bias"),
		MLPBias: has(t, "blk.0.ffn_gate.bias"), QKNorm: has(t, "blk.0.attn_q_norm.weight"),
		Rotary: graph.RotaryOpts{Base: s.Float("rope.freq_base", 10000)}}
	if hs := s.Size("attention.key_length", 0); c.Heads > 0 && hs*c.Heads != c.Width {
		c.HeadDim = hs
	}
	if v := s.Size("attention.value_length", c.headDim()); v != c.headDim() {
		s.Fail("%s is %d, that of keys %d; want the same", s.Key("attention.value_length"), v, c.headDim())
	}
	if n := s.Size("rope.dimension_count", c.headDim()); n != c.headDim() {
		s.Fail("%s is %d of heads of %d; want all of it", s.Key("rope.dimension_count"), n, c.headDim())
	}
	if n := s.Size("expert_count", 0); n > 0 {
		s.Fail("%s is %d; a mixture of experts is not known", s.Key("expert_count"), n)
	}
	c.Rotary.Scaling = readScalingGGUF(s, t, c.headDim(), c.Rotary.Base)
	return c
}

// writeGGUF returns the settings of c in canonical form. llama.cpp has no use for the window of a llama, which is
// Mistral's: beyond the window it sees all keys.
func (c Llama) writeGGUF(arch string) (string, []Setting, error) {
	switch {
	case c.FullLayers > 0:
		return "", nil, errors.New("layers with a window beside layers without")
	case c.QKNorm && (c.QKVBias || c.OutBias || c.MLPBias):
		return "", nil, errors.New("biases beside norms of queries and keys")
	}
	s := append(ggufSizes(arch, c.Dims(), c.Heads, c.MLPWidth),
		Setting{arch + ".attention.head_count_kv", uint32(c.KVHeads)},
		Setting{arch + ".attention.layer_norm_rms_epsilon", float32(c.Eps)},
		Setting{arch + ".attention.key_length", uint32(c.HeadDim)},
		Setting{arch + ".attention.value_length", uint32(c.HeadDim)},
		Setting{arch + ".rope.dimension_count", uint32(c.HeadDim)},
		Setting{arch + ".rope.freq_base", float32(c.Rotary.Base)})
	if r := c.Rotary.Scaling; r.Factor != 0 && r.Context == 0 {
		s = append(s, Setting{arch + ".rope.scaling.type", "linear"}, Setting{arch + ".rope.scaling.factor", float32(r.Factor)})
	}
	if c.Window > 0 {
		s = append(s, Setting{arch + ".attention.sliding_window", uint32(c.Window)})
	}
	return arch, s, nil
}

// ropeFactors are the values of rope_freqs.weight: how much slower than without scaling each rotary pair turns; nil
// for another scaling than Llama 3's.
func (c Llama) ropeFactors() (map[string][]float32, error) {
	c = c.canonical()
	if c.Rotary.Scaling.Context == 0 {
		return nil, nil
	}
	f := make([]float32, c.HeadDim/2)
	for i := range f {
		f[i] = float32(slowdown(c.Rotary.Scaling, speedOf(c.Rotary.Base, len(f), i)))
	}
	_, err := fitScaling(f, c.Rotary.Base) // what is read again
	return map[string][]float32{ropeFreqs: f}, err
}

// turned matches the projections to queries and keys.
var turned = regexp.MustCompile(`\.[qk]_proj\.`)

// pairRow is where a file that keeps the two rows of a rotary pair beside each other, as Meta's and llama.cpp's do, has
// row i of a projection to queries or keys with heads of size hs; nil for another parameter.
func pairRow(hs int, param string) func(i int) int {
	if !turned.MatchString(param) {
		return nil
	}
	return func(i int) int {
		head, r := i/hs, i%hs
		return head*hs + r%(hs/2)*2 + r/(hs/2)
	}
}

// readRotary reads the rotary settings of config.json: rope_theta and rope_scaling, or rope_parameters of transformers 5.
func readRotary(c *Settings) graph.RotaryOpts {
	r, scaling := graph.RotaryOpts{Base: c.Float("rope_theta", 0)}, c.Sub("rope_scaling")
	if p := c.Sub("rope_parameters"); p != nil {
		r.Base, scaling = p.Float("rope_theta", 0), p
	}
	if !(r.Base >= 0) || math.IsInf(r.Base, 0) {
		c.Fail("rope_theta is %g", r.Base)
	}
	if scaling == nil {
		return r
	}
	kind := scaling.Text("rope_type", scaling.Text("type", ""))
	s := graph.RotaryScaling{Factor: scaling.Float("factor", 0)}
	switch kind {
	case "default":
		return r
	case "linear":
	case "llama3":
		s.Low, s.High, s.Context = scaling.Float("low_freq_factor", 0), scaling.Float("high_freq_factor", 0), scaling.Int("original_max_position_embeddings", 0)
		if !(s.Low > 0 && s.High > s.Low && s.Context > 0) {
			c.Fail("rope_scaling llama3: low_freq_factor %g, high_freq_factor %g, original_max_position_embeddings %d", s.Low, s.High, s.Context)
		}
	default:
		c.Fail("rope_scaling is %q; known: default, linear, llama3", kind)
	}
	if !(s.Factor > 0) || math.IsInf(s.Factor, 0) {
		c.Fail("rope_scaling %s: factor is %g; it must be above 0", kind, s.Factor)
	}
	r.Scaling = s
	return r
}

// writeRotary puts rope_theta and rope_scaling into s.
func writeRotary(s map[string]any, r graph.RotaryOpts) {
	s["rope_theta"], s["rope_scaling"] = r.Base, nil
	if x := r.Scaling; x.Context > 0 {
		s["rope_scaling"] = map[string]any{"rope_type": "llama3", "factor": x.Factor, "low_freq_factor": x.Low, "high_freq_factor": x.High, "original_max_position_embeddings": x.Context}
	} else if x.Factor != 0 {
		s["rope_scaling"] = map[string]any{"rope_type": "linear", "factor": x.Factor}
	}
}

// canonicalRotary writes the default base out, and leaves a scaling by 1 out.
func canonicalRotary(r graph.RotaryOpts) graph.RotaryOpts {
	if r.Base == 0 {
		r.Base = 10000
	}
	if r.Scaling.Factor == 1 && r.Scaling.Context == 0 {
		r.Scaling = graph.RotaryScaling{}
	}
	return r
}

// ropeFreqs is the tensor of GGUF files that stands for Llama 3's rotary scaling.
const ropeFreqs = "rope_freqs.weight"

// readScalingGGUF reads rope.scaling, and the tensor that stands for Llama 3's.
func readScalingGGUF(s *Settings, t Tensors, headDim int, base float64) graph.RotaryScaling {
	var r graph.RotaryScaling
	switch kind := s.Text("rope.scaling.type", ""); kind {
	case "", "none":
	case "linear":
		r.Factor = s.Float("rope.scaling.factor", 1)
	default:
		s.Fail("%s is %q; known: none, linear", s.Key("rope.scaling.type"), kind)
	}
	shape, ok := t.Shape(ropeFreqs)
	if !ok || s.Err() != nil {
		return r
	}
	if len(shape) != 1 || shape[0] != headDim/2 {
		s.Fail("%s is %v; want [%d]", ropeFreqs, shape, headDim/2)
		return r
	}
	factors, err := t.Values(ropeFreqs)
	if err == nil {
		r, err = fitScaling(factors, base)
	}
	if err != nil {
		s.Fail("%v", err)
	}
	return r
}
