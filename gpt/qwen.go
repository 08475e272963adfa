package gpt

import "github.com/ceto-ml/ceto/graph"

// qwen2Architecture is Qwen2: a Llama with biases of queries, keys and values, and perhaps a window in the later
// layers.
// Source: Yang et al., arXiv:2407.10671, section 2.2.
var qwen2Architecture = llamaVariant{
	Type: "qwen2", Class: "Qwen2ForCausalLM",
	Absent: qwenAbsent,
	Is:     func(c Llama) bool { return !c.QKNorm && c.QKVBias && !c.OutBias },
	Read: func(c *Settings, m *Llama) {
		m.QKVBias = true
		readQwenWindow(c, m)
	},
	Write: writeQwenWindow,
	Names: []string{"qwen2"},
	GGUF: func(c Llama) string {
		if c.MLPBias {
			return "llama" // llama.cpp's qwen2 has no biases there
		}
		return "qwen2"
	},
}.architecture()

// qwenAbsent are the defaults of Qwen2Config, and of Qwen3Config but for head_dim.
var qwenAbsent = Llama{Vocab: 151936, Context: 32768, Layers: 32, Width: 4096, MLPWidth: 22016, Heads: 32, KVHeads: 32, Eps: 1e-6, Rotary: graph.RotaryOpts{Base: 1e4}}

// qwen3HeadDim stands in for a missing head_dim.
const qwen3HeadDim = 128

// qwen3Architecture is Qwen3: a Llama that normalises each head's queries and keys.
// Source: Yang et al., arXiv:2505.09388, section 2.
var qwen3Architecture = llamaVariant{
	Type: "qwen3", Class: "Qwen3ForCausalLM",
	Absent: qwenAbsent,
	Is:     func(c Llama) bool { return c.QKNorm },
	Read: func(c *Settings, m *Llama) {
		bias := c.Bool("attention_bias", false)
		m.QKNorm, m.QKVBias, m.OutBias = true, bias, bias
		if c.Int("head_dim", 0) == 0 {
			m.HeadDim = qwen3HeadDim
		}
		readQwenWindow(c, m)
	},
	Write: writeQwenWindow,
	Names: []string{"qwen3"},
	GGUF:  func(Llama) string { return "qwen3" },
}.architecture()

// readQwenWindow reads the window, which counts only where use_sliding_window is true.
func readQwenWindow(c *Settings, m *Llama) {
	m.Window, m.FullLayers = 0, 0
	if c.Bool("use_sliding_window", false) && (c.Has("sliding_window") || !c.Given("sliding_window")) {
		m.Window, m.FullLayers = c.Int("sliding_window", 4096), c.Int("max_window_layers", 28)
	}
	if !c.Has("layer_types") {
		return
	}
	types, n := readSliding(c, m.Layers, nil), 0
	for n < m.Layers && !types.Has(n) {
		n++
	}
	for i := n; i < m.Layers; i++ {
		if !types.Has(i) {
			c.Fail("layer_types has %s behind %s; this model's last layers have the window", fullLayer, slidingLayer)
		}
	}
	switch {
	case n >= m.Layers:
		m.Window, m.FullLayers = 0, 0
	case m.Window == 0:
		c.Fail("layer_types has %s, but there is no window", slidingLayer)
	default:
		m.FullLayers = n
	}
}

func writeQwenWindow(c Llama, s map[string]any) {
	if c.Window == 0 {
		return
	}
	s["use_sliding_window"] = true
	if c.FullLayers > 0 {
		s["max_window_layers"] = c.FullLayers
	}
}
