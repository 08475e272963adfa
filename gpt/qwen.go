package gpt

// qwen2Architecture is Qwen2: a Llama with biases of queries, keys and values, and perhaps a window in the later
// layers.
// Source: Yang et al., arXiv:2407.10671, section 2.2.
var qwen2Architecture = llamaVariant{
	Type: "qwen2", Class: "Qwen2ForCausalLM",
	Is: func(c Llama) bool { return !c.QKNorm && c.QKVBias && !c.OutBias },
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

// qwen3HeadDim stands in for a missing head_dim.
const qwen3HeadDim = 128

// qwen3Architecture is Qwen3: a Llama that normalises each head's queries and keys.
// Source: Yang et al., arXiv:2505.09388, section 2.
var qwen3Architecture = llamaVariant{
	Type: "qwen3", Class: "Qwen3ForCausalLM",
	Is: func(c Llama) bool { return c.QKNorm },
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
	if c.Has("sliding_window") && c.Bool("use_sliding_window", false) {
		m.Window, m.FullLayers = c.Int("sliding_window", 0), c.Int("max_window_layers", 0)
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
