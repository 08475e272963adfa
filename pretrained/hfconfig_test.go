package pretrained

import (
	"bytes"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/google/go-cmp/cmp"
)

// parseSizes are the keys that all rows of parseCases have.
const parseSizes = `"vocab_size": 9, "max_position_embeddings": 64, "num_hidden_layers": 4, "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2, "rms_norm_eps": 1e-5, "rope_theta": 5000`

// llamaWith is the model of these keys with a change.
func llamaWith(change func(*gpt.Llama)) gpt.Model {
	c := gpt.Llama{Vocab: 9, Context: 64, Layers: 4, Width: 8, MLPWidth: 12, Heads: 2, Eps: 1e-5, Rotary: graph.RotaryOpts{Base: 5000}}
	change(&c)
	return c
}

// parseCases are further keys of config.json and what they mean.
var parseCases = []struct {
	json string
	want gpt.Model
}{
	{`"model_type": "llama"`, llamaWith(func(*gpt.Llama) {})},
	{`"model_type": "llama", "num_key_value_heads": 1, "head_dim": 4, "tie_word_embeddings": true`, llamaWith(func(c *gpt.Llama) { c.KVHeads, c.Tied = 1, true })},
	{`"model_type": "llama", "head_dim": 6, "attention_bias": true, "mlp_bias": true`, llamaWith(func(c *gpt.Llama) { c.HeadDim, c.QKVBias, c.OutBias, c.MLPBias = 6, true, true, true })},
	{`"model_type": "llama", "sliding_window": 7`, llamaWith(func(*gpt.Llama) {})},
	{`"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2}`, llamaWith(func(c *gpt.Llama) { c.Rotary.Scaling.Factor = 2 })},
	{`"model_type": "llama", "rope_scaling": {"rope_type": "default"}`, llamaWith(func(*gpt.Llama) {})},
	{`"model_type": "llama", "rope_parameters": {"rope_type": "llama3", "rope_theta": 7, "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 32}`,
		llamaWith(func(c *gpt.Llama) {
			c.Rotary = graph.RotaryOpts{Base: 7, Scaling: graph.RotaryScaling{Factor: 8, Low: 1, High: 4, Context: 32}}
		})},
	{`"model_type": "mistral"`, llamaWith(func(c *gpt.Llama) { c.Window, c.KVHeads = 4096, 8 })},
	{`"model_type": "mistral", "sliding_window": null`, llamaWith(func(c *gpt.Llama) { c.KVHeads = 8 })},
	{`"model_type": "mistral", "sliding_window": 5`, llamaWith(func(c *gpt.Llama) { c.Window, c.KVHeads = 5, 8 })},
	{`"model_type": "qwen2", "sliding_window": 5, "max_window_layers": 3`, llamaWith(func(c *gpt.Llama) { c.QKVBias, c.KVHeads = true, 32 })},
	{`"model_type": "qwen2", "sliding_window": 5, "max_window_layers": 3, "use_sliding_window": true`, llamaWith(func(c *gpt.Llama) { c.QKVBias, c.Window, c.FullLayers, c.KVHeads = true, 5, 3, 32 })},
	{`"model_type": "qwen3"`, llamaWith(func(c *gpt.Llama) { c.QKNorm, c.HeadDim, c.KVHeads = true, 128, 32 })},
	{`"model_type": "qwen3", "head_dim": 4`, llamaWith(func(c *gpt.Llama) { c.QKNorm, c.KVHeads = true, 32 })},
	{`"model_type": "llama", "rope_parameters": {"rope_type": "default"}`, llamaWith(func(*gpt.Llama) {})},
	{`"model_type": "llama", "rope_parameters": {"rope_theta": 7}`, llamaWith(func(c *gpt.Llama) { c.Rotary.Base = 7 })},
	{`"model_type": "llama", "rope_parameters": {"rope_theta": null, "rope_type": "linear", "factor": 2}`, llamaWith(func(c *gpt.Llama) { c.Rotary.Scaling.Factor = 2 })},
	{`"model_type": "llama", "rope_parameters": {"factor": 3}, "rope_scaling": {"type": "linear", "factor": 2}`, llamaWith(func(c *gpt.Llama) { c.Rotary.Scaling.Factor = 3 })},
	{`"model_type": "llama", "rope_scaling": {"type": "linear", "rope_type": "llama3", "factor": 2}`, llamaWith(func(c *gpt.Llama) { c.Rotary.Scaling.Factor = 2 })},
	{`"model_type": "llama", "original_max_position_embeddings": 32, "rope_parameters": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}`,
		llamaWith(func(c *gpt.Llama) { c.Rotary.Scaling = graph.RotaryScaling{Factor: 8, Low: 1, High: 4, Context: 32} })},
	{`"model_type": "llama", "architectures": ["LLaMAForCausalLM"]`, llamaWith(func(*gpt.Llama) {})},
	{`"architectures": ["LlamaForCausalLM"]`, llamaWith(func(*gpt.Llama) {})},
	{`"model_type": "llama", "num_key_value_heads": null, "head_dim": null, "tie_word_embeddings": null`, llamaWith(func(*gpt.Llama) {})},
	{`"model_type": "qwen2", "num_key_value_heads": null, "use_sliding_window": true`, llamaWith(func(c *gpt.Llama) { c.QKVBias, c.Window, c.FullLayers = true, 4096, 28 })},
	{`"model_type": "qwen2", "num_key_value_heads": 2, "use_sliding_window": true, "sliding_window": 3, "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "sliding_attention"]`,
		llamaWith(func(c *gpt.Llama) { c.QKVBias, c.KVHeads, c.Window, c.FullLayers = true, 2, 3, 1 })},
}

// TestParseConfig: what the keys of config.json mean for each model_type, defaults of transformers included; and what
// is written reads back as the same model.
func TestParseConfig(t *testing.T) {
	for _, c := range parseCases {
		got, err := parseConfig([]byte("{" + c.json + "," + parseSizes + "}"))
		if err != nil {
			t.Errorf("%s: %v", c.json, err)
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.json, d)
		}
		var b bytes.Buffer
		if err := WriteConfig(&b, got); err != nil {
			t.Fatal(err)
		}
		again, err := parseConfig(b.Bytes())
		if err != nil {
			t.Errorf("%s: written as %s: %v", c.json, b.String(), err)
			continue
		}
		want := got.(gpt.Llama)
		if want.KVHeads == 0 {
			want.KVHeads = want.Heads // which is written
		}
		if d := cmp.Diff(gpt.Model(want), again); d != "" {
			t.Errorf("%s: written and read: %s", c.json, d)
		}
	}
}

// TestParams: the closed formula counts what the graph declares, for every golden model.
func TestParams(t *testing.T) {
	for _, f := range Golden(t, "hf") {
		s, err := Open(f)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		params, err := gpt.Declare(s.Model)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := params.Count(); n != s.Model.Params() {
			t.Errorf("%s: %d parameters by the formula, %d in the graph", f, s.Model.Params(), n)
		}
	}
}
