package gpt

import (
	"regexp"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Llama is a decoder with RMSNorm, rotary positions, grouped heads and a gated MLP (Touvron et al., arXiv:2302.13971,
// section 2.2). Its settings cover LlamaForCausalLM and the variants of it:
//
//	Qwen2    QKVBias
//	Qwen3    QKNorm, HeadDim
//	Mistral  Window
//
// It is an nn.Layer from ids (B, T) to logits (B, T, Vocab). Parameters carry Hugging Face's names and lie as stored
// there: (out, in).
type Llama struct {
	Vocab, Context, Layers, Width int
	MLPWidth                      int // intermediate_size
	Heads, KVHeads                int // number for queries; number for keys and values, 0 means Heads
	HeadDim                       int // 0 means Width/Heads
	Eps                           float64
	Rotary                        graph.RotaryOpts
	Window                        int // number of keys that a query sees, its own included; 0 for all
	FullLayers                    int // where Window is set: number of first layers that see all keys nevertheless

	Tied    bool // the head is the embedding
	QKVBias bool // q_proj, k_proj and v_proj have biases
	OutBias bool // o_proj has one
	MLPBias bool // gate_proj, up_proj and down_proj have biases
	QKNorm  bool // RMSNorm of each head of q and k
}

// Forward takes ids (B, T), int32, T ≤ Context, and returns logits (B, T, Vocab), floats. More ids than Context and
// impossible settings are errors of the scope.
func (c Llama) Forward(s *nn.Scope, ids *graph.Node) *graph.Node {
	return c.Head(s, c.Hidden(s, ids))
}

// Hidden takes ids (B, T), int32, T ≤ Context, and returns the last block's normalised output (B, T, Width), floats.
// Its errors are Forward's.
func (c Llama) Hidden(s *nn.Scope, ids *graph.Node) *graph.Node {
	trunk := decoder{Vocab: c.Vocab, Layers: c.Layers, Width: c.Width, Norm: c.norm(), Block: func(i int) nn.Layer { return llamaBlock{c, i} }}
	return checked(s, c, trunk, ids)
}

// Head takes the normalised output (…, Width), floats, and returns logits (…, Vocab) of the same dtype.
func (c Llama) Head(s *nn.Scope, x *graph.Node) *graph.Node {
	if c.Tied {
		return s.MatMulT(x, s.Shared("model.embed_tokens.weight"))
	}
	return s.Call("lm_head", outIn(c.Vocab, false), x)
}

// llamaBlock is block number Layer.
type llamaBlock struct {
	Llama
	Layer int
}

// Forward takes x (B, T, C) and returns (B, T, C).
func (b llamaBlock) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	attn := b.attention()
	if b.Layer < b.FullLayers {
		attn.Window = 0
	}
	x = s.Add(x, s.Call("self_attn", attn, s.Call("input_layernorm", b.norm(), x)))
	return s.Add(x, s.Call("mlp", b.mlp(), s.Call("post_attention_layernorm", b.norm(), x)))
}

// attention returns the attention of a block with the window.
func (c Llama) attention() attention {
	a := attention{Width: c.Width, Heads: c.Heads, KVHeads: c.kvHeads(), HeadDim: c.headDim(), QKVBias: c.QKVBias, OutBias: c.OutBias,
		Rotary: &c.Rotary, Window: c.Window}
	if c.QKNorm {
		a.HeadNorm = c.norm()
	}
	return a
}

// mlp is SwiGLU.
func (c Llama) mlp() gated {
	return gated{Hidden: c.MLPWidth, Out: c.Width, Act: nn.SiLU, Bias: c.MLPBias}
}

func (c Llama) norm() nn.RMSNorm { return nn.RMSNorm{Eps: c.Eps} }

func (c Llama) kvHeads() int {
	if c.KVHeads == 0 {
		return c.Heads
	}
	return c.KVHeads
}

func (c Llama) headDim() int {
	if c.HeadDim == 0 && c.Heads > 0 {
		return c.Width / c.Heads
	}
	return c.HeadDim
}

// Validate implements Model.
func (c Llama) Validate() error {
	if err := positive([]setting{{"vocab", c.Vocab}, {"context", c.Context}, {"layers", c.Layers}, {"width", c.Width},
		{"MLP width", c.MLPWidth}, {"heads", c.Heads}, {"key/value heads", c.kvHeads()}, {"head size", c.headDim()}}); err != nil {
		return err
	}
	switch {
	case c.HeadDim == 0 && c.Width%c.Heads != 0:
		return errors.Errorf("gpt: %d heads do not divide the width %d", c.Heads, c.Width)
	case c.Heads%c.kvHeads() != 0:
		return errors.Errorf("gpt: %d key/value heads do not divide the %d heads", c.kvHeads(), c.Heads)
	case c.headDim()%2 != 0:
		return errors.Errorf("gpt: heads of size %d; rotary positions want an even one", c.headDim())
	case c.Window < 0 || c.FullLayers < 0:
		return errors.Errorf("gpt: a window of %d keys after %d layers", c.Window, c.FullLayers)
	case !(c.Eps >= 0 && c.Eps < 1):
		return errors.Errorf("gpt: eps is %g; it must be in [0, 1)", c.Eps)
	}
	return nil
}

// Dims implements Model.
func (c Llama) Dims() Dims { return Dims{c.Vocab, c.Context, c.Layers, c.Width} }

// Params implements Model.
func (c Llama) Params() int {
	q, kv, w, h := c.Heads*c.headDim(), c.kvHeads()*c.headDim(), c.Width, c.MLPWidth
	block := 2*w*q + 2*w*kv + 3*w*h + 2*w
	if c.QKVBias {
		block += q + 2*kv
	}
	if c.OutBias {
		block += w
	}
	if c.MLPBias {
		block += 2*h + w
	}
	if c.QKNorm {
		block += 2 * c.headDim()
	}
	n := c.Vocab*w + c.Layers*block + w
	if !c.Tied {
		n += c.Vocab * w
	}
	return n
}

// llamaArchitecture is Meta's Llama. It also takes any settings that no variant before it in the list claims.
var llamaArchitecture = llamaVariant{
	Type: "llama", Class: "LlamaForCausalLM",
	Absent: llamaAbsent,
	Is:     func(Llama) bool { return true },
	Read: func(c *Settings, m *Llama) {
		bias := c.Bool("attention_bias", false)
		m.QKVBias, m.OutBias, m.MLPBias = bias, bias, c.Bool("mlp_bias", false)
	},
	Names: []string{"llama", "mistral"},
	GGUF:  func(Llama) string { return "llama" },
}.architecture()

// llamaAbsent are the defaults of LlamaConfig.
var llamaAbsent = Llama{Vocab: 32000, Context: 2048, Layers: 32, Width: 4096, MLPWidth: 11008, Heads: 32, Eps: 1e-6, Rotary: graph.RotaryOpts{Base: 1e4}}

// llamaVariant says in what the published files of a variant of [Llama] differ from each other.
type llamaVariant struct {
	Type, Class string
	Is          func(c Llama) bool
	Absent      Llama                           // what transformers 4.57 takes for keys of config.json that are not there
	Read        func(c *Settings, m *Llama)     // reads the variant's own settings of config.json
	Write       func(c Llama, s map[string]any) // adds them; nil adds none
	Names       []string                        // values of general.architecture that are read from GGUF files
	GGUF        func(c Llama) string            // the one that is written
}

// architecture completes a variant with what all of them share.
func (v llamaVariant) architecture() *Architecture {
	return &Architecture{
		Type: v.Type, Class: v.Class,
		Is: func(m Model) bool { c, ok := m.(Llama); return ok && v.Is(c) },
		Read: func(c *Settings) Model {
			m := readLlama(c, v.Absent)
			v.Read(c, &m)
			return m
		},
		Write: func(m Model) map[string]any {
			s := m.(Llama).write()
			if v.Write != nil {
				v.Write(m.(Llama), s)
			}
			return s
		},
		Canonical: func(m Model) Model { return m.(Llama).canonical() },
		Portable:  func(m Model) Model { return m.(Llama).portable() },
		Head:      "lm_head", Unused: llamaUnused, Targets: llamaTargets,
		GGUF: GGUF{
			Names: v.Names, Modules: llamaModules, Unused: []string{ropeFreqs, ".attn_rot_embd"},
			Read:  func(s *Settings, t Tensors) Model { return readLlamaGGUF(s, t) },
			Write: func(m Model) (string, []Setting, error) { return m.(Llama).writeGGUF(v.GGUF(m.(Llama))) },
			Transform: func(m Model, name, param string) Transform {
				if name == "llama" || name == "mistral" {
					return Transform{Row: pairRow(m.(Llama).headDim(), param)}
				}
				return Transform{}
			},
			Extra: func(m Model) (map[string][]float32, error) { return m.(Llama).ropeFactors() },
		},
	}
}

// portable drops a window that no layer has.
func (c Llama) portable() Llama {
	if c.FullLayers >= c.Layers {
		c.Window, c.FullLayers = 0, 0
	}
	return c
}

// llamaUnused are the endings of the names of buffers in the folders of Llama and similar families.
var llamaUnused = []string{".rotary_emb.inv_freq"}

// llamaTargets are the linear layers of a block.
var llamaTargets = []string{"*.q_proj", "*.k_proj", "*.v_proj", "*.o_proj", "*.gate_proj", "*.up_proj", "*.down_proj"}

// llamaModules pairs the names of modules in GGUF files with the model's own.
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
func readLlama(c *Settings, absent Llama) Llama {
	if act := c.Text("hidden_act", "silu"); act != "silu" {
		c.Fail("hidden_act is %q; known: silu", act)
	}
	m := readSizes(c, absent)
	m.Rotary = readRotary(c, absent.Rotary.Base)
	if m.Heads > 0 && m.HeadDim == m.Width/m.Heads && m.Width%m.Heads == 0 {
		m.HeadDim = 0 // so that equal models are equal values
	}
	return m
}

// readSizes reads what all decoders have.
func readSizes(c *Settings, absent Llama) Llama {
	m := Llama{Vocab: c.Int("vocab_size", absent.Vocab), Context: c.Int("max_position_embeddings", absent.Context), Layers: c.Int("num_hidden_layers", absent.Layers),
		Width: c.Int("hidden_size", absent.Width), MLPWidth: c.Int("intermediate_size", absent.MLPWidth), Heads: c.Int("num_attention_heads", absent.Heads),
		KVHeads: absent.KVHeads, HeadDim: c.Int("head_dim", absent.HeadDim), Eps: c.Above0("rms_norm_eps", absent.Eps, 1), Tied: c.Bool("tie_word_embeddings", absent.Tied)}
	if c.Given("num_key_value_heads") {
		m.KVHeads = c.Int("num_key_value_heads", 0) // null means as many as heads
	}
	return m
}

// write returns the settings of config.json.
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

// readLlamaGGUF reads the settings of any variant; the tensors tell which one it is.
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
		s.Fail("%s is %d for heads of %d; want %d", s.Key("rope.dimension_count"), n, c.headDim(), c.headDim())
	}
	if n := s.Size("expert_count", 0); n > 0 {
		s.Fail("%s is %d; a mixture of experts is not known", s.Key("expert_count"), n)
	}
	c.Rotary.Scaling = readScalingGGUF(s, t, c.headDim(), c.Rotary.Base)
	return c
}

// writeGGUF takes c in canonical form and returns its settings. Mistral is a llama to llama.cpp, which ignores the
// window of that architecture: a query sees all keys there.
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

// ropeFactors returns the values of rope_freqs.weight: how many times slower each rotary pair turns than without
// scaling. It returns nil for any other scaling than Llama 3's.
func (c Llama) ropeFactors() (map[string][]float32, error) {
	c = c.canonical()
	if c.Rotary.Scaling.Context == 0 {
		return nil, nil
	}
	f := make([]float32, c.HeadDim/2)
	for i := range f {
		f[i] = float32(slowdown(c.Rotary.Scaling, speedOf(c.Rotary.Base, len(f), i)))
	}
	_, err := fitScaling(f, c.Rotary.Base) // checks that the file can be read
	return map[string][]float32{ropeFreqs: f}, err
}

// turned matches the names of parameters that project to queries and keys.
var turned = regexp.MustCompile(`\.[qk]_proj\.`)

// pairRow returns where a file has row i of a projection to queries or keys whose heads have size hs. Such a file keeps
// the two rows of a rotary pair beside each other, as Meta's and llama.cpp's do. For another parameter it returns nil.
func pairRow(hs int, param string) func(i int) int {
	if !turned.MatchString(param) {
		return nil
	}
	return func(i int) int {
		head, r := i/hs, i%hs
		return head*hs + r%(hs/2)*2 + r/(hs/2)
	}
}
