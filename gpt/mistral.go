package gpt

// mistralWindow is sliding_window of a Mistral whose config.json does not have it.
const mistralWindow = 4096

// mistralArchitecture is Mistral: Llama whose queries see the last Window keys (Jiang et al., arXiv:2310.06825, section 2).
// A sliding_window of null is a window of all keys, as which the settings are Llama's.
var mistralArchitecture = llamaVariant(Architecture{
	Type: "mistral", Class: "MistralForCausalLM",
	Is:   isLlama(func(c Llama) bool { return c.Window > 0 }),
	GGUF: GGUF{Write: func(m Model) (string, []Setting, error) { return m.(Llama).writeGGUF("llama") }},
}, func(c *Settings, m *Llama) {
	m.Window = mistralWindow
	if c.Given("sliding_window") {
		m.Window = c.Int("sliding_window", 0)
	}
})
