package gpt

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Granite is a Llama with four multipliers, with which a learning rate that suits a narrow model suits a wide one. Its
// settings are Llama's; Window, FullLayers and QKNorm are not in use. Source: Yang et al., arXiv:2203.03466.
type Granite struct {
	Llama
	EmbeddingScale float64 // multiplies the embedding; 0 means 1
	ResidualScale  float64 // multiplies what attention and MLP add; 0 means 1
	AttentionScale float64 // multiplies the scores; 0 means 1/√HeadDim
	LogitDivisor   float64 // divides the logits; 0 means 1
}

// Forward takes ids (B, T), T ≤ Context, and returns logits (B, T, Vocab).
func (c Granite) Forward(s *nn.Scope, ids *graph.Node) *graph.Node {
	return c.Head(s, c.Hidden(s, ids))
}

// Hidden takes ids (B, T) and returns the last block's normalised output (B, T, Width).
func (c Granite) Hidden(s *nn.Scope, ids *graph.Node) *graph.Node {
	c = c.canonical()
	block := func(int) nn.Layer { return graniteBlock(c) }
	return checked(s, c, decoder{Vocab: c.Vocab, Layers: c.Layers, Width: c.Width, Scale: c.EmbeddingScale, Norm: c.norm(), Block: block}, ids)
}

// Head takes the normalised output (…, Width) and returns logits (…, Vocab).
func (c Granite) Head(s *nn.Scope, x *graph.Node) *graph.Node {
	return s.Scale(c.Llama.Head(s, x), 1/c.canonical().LogitDivisor)
}

// graniteBlock is a block of a model in canonical form.
type graniteBlock Granite

// Forward takes x (B, T, C) and returns (B, T, C).
func (b graniteBlock) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	attn := b.attention()
	attn.Scale = b.AttentionScale
	y := s.Call("self_attn", attn, s.Call("input_layernorm", b.norm(), x))
	x = s.Add(x, s.Scale(y, b.ResidualScale))
	y = s.Call("mlp", b.mlp(), s.Call("post_attention_layernorm", b.norm(), x))
	return s.Add(x, s.Scale(y, b.ResidualScale))
}

// Validate implements Model.
func (c Granite) Validate() error {
	for _, v := range []float64{c.EmbeddingScale, c.ResidualScale, c.AttentionScale, c.LogitDivisor} {
		if !(v >= 0) || math.IsInf(v, 0) {
			return errors.Errorf("gpt: a multiplier is %g; want a finite number of 0 or more", v)
		}
	}
	return c.Llama.Validate()
}

// graniteArchitecture is IBM's Granite.
var graniteArchitecture = &Architecture{
	Type: "granite", Class: "GraniteForCausalLM",
	Is:        func(m Model) bool { _, ok := m.(Granite); return ok },
	Read:      readGranite,
	Write:     func(m Model) map[string]any { return m.(Granite).write() },
	Canonical: func(m Model) Model { return m.(Granite).canonical() },
	Head:      "lm_head", Unused: llamaUnused, Targets: llamaTargets,
	GGUF: GGUF{
		Names: []string{"granite"}, Modules: llamaModules, Unused: []string{ropeFreqs},
		Read:  readGraniteGGUF,
		Write: func(m Model) (string, []Setting, error) { return m.(Granite).writeGGUF() },
		Transform: func(m Model, _, param string) Transform {
			return Transform{Row: pairRow(m.(Granite).headDim(), param)}
		},
		Extra: func(m Model) (map[string][]float32, error) { return m.(Granite).ropeFactors() },
	},
}

func readGranite(c *Settings) Model {
	m := Granite{Llama: readLlama(c, llamaAbsent)}
	m.QKVBias, m.MLPBias = c.Bool("attention_bias", false), c.Bool("mlp_bias", false)
	m.OutBias = m.QKVBias
	multiplier := func(key string) float64 {
		v := c.Float(key, 1)
		if !(v > 0) {
			c.Fail("%s is %g; it must be more than 0", key, v)
		}
		return v
	}
	m.EmbeddingScale, m.ResidualScale = multiplier("embedding_multiplier"), multiplier("residual_multiplier")
	m.AttentionScale, m.LogitDivisor = multiplier("attention_multiplier"), multiplier("logits_scaling")
	return m
}

func (c Granite) write() map[string]any {
	c = c.canonical()
	s := c.Llama.write()
	delete(s, "sliding_window")
	s["embedding_multiplier"], s["residual_multiplier"] = c.EmbeddingScale, c.ResidualScale
	s["attention_multiplier"], s["logits_scaling"] = c.AttentionScale, c.LogitDivisor
	return s
}

func (c Granite) canonical() Granite {
	c.Llama = c.Llama.canonical()
	for _, v := range []*float64{&c.EmbeddingScale, &c.ResidualScale, &c.LogitDivisor} {
		if *v == 0 {
			*v = 1
		}
	}
	if c.AttentionScale == 0 {
		c.AttentionScale = 1 / math.Sqrt(float64(c.HeadDim))
	}
	return c
}

// readGraniteGGUF reads a file's settings; a multiplier that it lacks, or that is 0, counts as in llama.cpp.
func readGraniteGGUF(s *Settings, t Tensors) Model {
	c := Granite{Llama: readLlamaGGUF(s, t), EmbeddingScale: s.Float("embedding_scale", 0), ResidualScale: s.Float("residual_scale", 0),
		AttentionScale: s.Float("attention.scale", 0), LogitDivisor: s.Float("logit_scale", 0)}
	switch {
	case c.LogitDivisor == 0:
		s.Fail("%s is 0 or missing; it divides the logits", s.Key("logit_scale"))
	case c.Window > 0:
		s.Fail("%s is %d; Granite has no window", s.Key("attention.sliding_window"), c.Window)
	}
	return c
}

// writeGGUF returns the settings of c in canonical form.
func (c Granite) writeGGUF() (string, []Setting, error) {
	if c.Window > 0 || c.QKNorm {
		return "", nil, errors.New("a window or norms of queries and keys")
	}
	arch, s, err := c.Llama.writeGGUF("granite")
	s = append(s, Setting{"granite.embedding_scale", float32(c.EmbeddingScale)}, Setting{"granite.residual_scale", float32(c.ResidualScale)},
		Setting{"granite.attention.scale", float32(c.AttentionScale)}, Setting{"granite.logit_scale", float32(c.LogitDivisor)})
	return arch, s, err
}
