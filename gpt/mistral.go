package gpt

// mistralWindow stands in for a missing sliding_window.
const mistralWindow = 4096

// mistralArchitecture is Mistral: a Llama whose queries see the last Window keys. A sliding_window of null lets them
// see all keys; the settings are then Llama's. llama.cpp runs it as a Llama.
// Source: Jiang et al., arXiv:2310.06825, section 2.
var mistralArchitecture = llamaVariant{
	Type: "mistral", Class: "MistralForCausalLM",
	Is: func(c Llama) bool { return c.Window > 0 },
	Read: func(c *Settings, m *Llama) {
		m.Window = mistralWindow
		if c.Given("sliding_window") {
			m.Window = c.Int("sliding_window", 0)
		}
	},
	GGUF: func(Llama) string { return "llama" },
}.architecture()
