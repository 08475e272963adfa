package pretrained

import (
	"bytes"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/google/go-cmp/cmp"
)

// TestParseConfig: what the keys of config.json mean for each model_type, defaults of transformers included; and what
// is written reads back as the same model.
func TestParseConfig(t *testing.T) {
	const sizes = `"vocab_size": 9, "max_position_embeddings": 64, "num_hidden_layers": 4, "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2, "rms_norm_eps": 1e-5, "rope_theta": 5000`
	llama := func(change func(*gpt.Llama)) gpt.Model {
		c := gpt.Llama{Vocab: 9, Context: 64, Layers: 4, Width: 8, MLPWidth: 12, Heads: 2, Eps: 1e-5, Rotary: graph.RotaryOpts{Base: 5000}}
		change(&c)
		return c
	}
	for _, c := range []struct {
		json string
		want gpt.Model
	}{
		{`"model_type": "llama"`, llama(func(*gpt.Llama) {})},
		{`"model_type": "llama", "num_key_value_heads": 1, "head_dim": 4, "tie_word_embeddings": true`, llama(func(c *gpt.Llama) { c.KVHeads, c.Tied = 1, true })},
		{`"model_type": "llama", "head_dim": 6, "attention_bias": true, "mlp_bias": true`, llama(func(c *gpt.Llama) { c.HeadDim, c.QKVBias, c.OutBias, c.MLPBias = 6, true, true, true })},
		{`"model_type": "llama", "sliding_window": 7`, llama(func(*gpt.Llama) {})},
		{`"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2}`, llama(func(c *gpt.Llama) { c.Rotary.Scaling.Factor = 2 })},
		{`"model_type": "llama", "rope_scaling": {"rope_type": "default"}`, llama(func(*gpt.Llama) {})},
		{`"model_type": "llama", "rope_parameters": {"rope_type": "llama3", "rope_theta": 7, "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 32}`,
			llama(func(c *gpt.Llama) {
				c.Rotary = graph.RotaryOpts{Base: 7, Scaling: graph.RotaryScaling{Factor: 8, Low: 1, High: 4, Context: 32}}
			})},
		{`"model_type": "mistral"`, llama(func(c *gpt.Llama) { c.Window = 4096 })},
		{`"model_type": "mistral", "sliding_window": null`, llama(func(*gpt.Llama) {})},
		{`"model_type": "mistral", "sliding_window": 5`, llama(func(c *gpt.Llama) { c.Window = 5 })},
		{`"model_type": "qwen2", "sliding_window": 5, "max_window_layers": 3`, llama(func(c *gpt.Llama) { c.QKVBias = true })},
		{`"model_type": "qwen2", "sliding_window": 5, "max_window_layers": 3, "use_sliding_window": true`, llama(func(c *gpt.Llama) { c.QKVBias, c.Window, c.FullLayers = true, 5, 3 })},
		{`"model_type": "qwen3"`, llama(func(c *gpt.Llama) { c.QKNorm, c.HeadDim = true, 128 })},
		{`"model_type": "qwen3", "head_dim": 4`, llama(func(c *gpt.Llama) { c.QKNorm = true })},
	} {
		got, err := parseConfig([]byte("{" + c.json + "," + sizes + "}"))
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
