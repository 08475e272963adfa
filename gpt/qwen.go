package gpt

// qwen2Architecture is Qwen2: Llama with biases of queries, keys and values, and perhaps a window in the later layers
// (Yang et al., arXiv:2407.10671, section 2.2).
var qwen2Architecture = llamaVariant(Architecture{
	Type: "qwen2", Class: "Qwen2ForCausalLM",
	Is:    isLlama(func(c Llama) bool { return !c.QKNorm && c.QKVBias && !c.OutBias }),
	Write: writeQwen,
	GGUF: GGUF{
		Names: []string{"qwen2"},
		Write: func(m Model) (string, []Setting, error) {
			c := m.(Llama)
			if c.MLPBias {
				return c.writeGGUF("llama")
			}
			return c.writeGGUF("qwen2")
		},
	},
}, func(c *Settings, m *Llama) {
	m.QKVBias = true
	readQwenWindow(c, m)
})

// qwen3HeadDim is head_dim of a Qwen3 whose config.json does not have it.
const qwen3HeadDim = 128

// qwen3Architecture is Qwen3: Llama with norms of each head's queries and keys (Yang et al., arXiv:2505.09388, section 2).
var qwen3Architecture = llamaVariant(Architecture{
	Type: "qwen3", Class: "Qwen3ForCausalLM",
	Is:    isLlama(func(c Llama) bool { return c.QKNorm }),
	Write: writeQwen,
	GGUF: GGUF{
		Names: []string{"qwen3"},
		Write: func(m Model) (string, []Setting, error) { return m.(Llama).writeGGUF("qwen3") },
	},
}, func(c *Settings, m *Llama) {
	bias := c.Bool("attention_bias", false)
	m.QKNorm, m.QKVBias, m.OutBias = true, bias, bias
	if c.Int("head_dim", 0) == 0 {
		m.HeadDim = qwen3HeadDim
	}
	readQwenWindow(c, m)
})

// readQwenWindow reads the window, which counts with use_sliding_window alone.
func readQwenWindow(c *Settings, m *Llama) {
	if c.Has("sliding_window") && c.Bool("use_sliding_window", false) {
		m.Window, m.FullLayers = c.Int("sliding_window", 0), c.Int("max_window_layers", 0)
	}
}

func writeQwen(m Model) map[string]any {
	c := m.(Llama)
	s := c.write()
	if c.Window > 0 {
		s["use_sliding_window"] = true
	}
	if c.Window > 0 && c.FullLayers > 0 {
		s["max_window_layers"] = c.FullLayers
	}
	return s
}
