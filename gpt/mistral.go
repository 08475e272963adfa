package gpt

import "github.com/ceto-ml/ceto/graph"

// mistralWindow stands in for a missing sliding_window.
const mistralWindow = 4096

// mistralArchitecture is Mistral: a Llama whose queries see the last Window keys. A sliding_window of null lets them
// see all keys; the settings are then Llama's. llama.cpp runs it as a Llama.
// Source: Jiang et al., arXiv:2310.06825, section 2.
var mistralArchitecture = llamaVariant{
	Type: "mistral", Class: "MistralForCausalLM",
	Absent: Llama{Vocab: 32000, Context: 131072, Layers: 32, Width: 4096, MLPWidth: 14336, Heads: 32, KVHeads: 8, Eps: 1e-6, Rotary: graph.RotaryOpts{Base: 1e4}},
	Is:     func(c Llama) bool { return c.Window > 0 },
	Read: func(c *Settings, m *Llama) {
		m.Window = mistralWindow
		if c.Given("sliding_window") {
			m.Window = c.Int("sliding_window", 0)
		}
	},
	GGUF: func(Llama) string { return "llama" },
}.architecture()
