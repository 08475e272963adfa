package gpt

import (
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// architectures are the classes of transformers that are known, by model_type.
var architectures = map[string]string{
	"gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM",
	"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM",
}

// parseConfig reads config.json.
func parseConfig(b []byte) (Model, error) {
	var head struct {
		Type          string   `json:"model_type"`
		Architectures []string `json:"architectures"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, err
	}
	class, ok := architectures[head.Type]
	if !ok {
		var known []string
		for k := range architectures {
			known = append(known, k)
		}
		slices.Sort(known)
		return nil, errors.Errorf("model_type is %q; known: %s", head.Type, strings.Join(known, ", "))
	}
	if len(head.Architectures) > 0 && head.Architectures[0] != class {
		return nil, errors.Errorf("architecture is %q; of model_type %s known: %s", head.Architectures[0], head.Type, class)
	}
	if head.Type == "gpt2" {
		return parseGPT2(b)
	}
	return parseLlama(b, head.Type)
}

// gpt2JSON is config.json of GPT-2: Config's own fields and those by which transformers know the model.
type gpt2JSON struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	Activation    string   `json:"activation_function"`
	Inner         *int     `json:"n_inner"`
	Tied          *bool    `json:"tie_word_embeddings,omitempty"`
	Residual      float64  `json:"resid_pdrop"`
	Embedding     float64  `json:"embd_pdrop"`
	Attention     float64  `json:"attn_pdrop"`
	Config
}

func parseGPT2(b []byte) (Model, error) {
	c := struct {
		gpt2JSON
		Unscaled  *bool `json:"scale_attn_weights"`
		ByLayer   bool  `json:"scale_attn_by_inverse_layer_idx"`
		CrossAttn bool  `json:"add_cross_attention"`
	}{gpt2JSON: gpt2JSON{Activation: "gelu_new"}}
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, err
	}
	switch {
	case c.Inner != nil && *c.Inner < 1:
		return nil, errors.Errorf("n_inner is %d; it must be at least 1", *c.Inner)
	case c.Unscaled != nil && !*c.Unscaled || c.ByLayer || c.CrossAttn:
		return nil, errors.New("scale_attn_weights, scale_attn_by_inverse_layer_idx or add_cross_attention is not GPT-2's default")
	}
	m := c.Config
	m.Untied = c.Tied != nil && !*c.Tied
	if c.Inner != nil && *c.Inner != 4*m.Width {
		m.MLPWidth = *c.Inner
	}
	switch c.Activation {
	case "gelu_new", "gelu_pytorch_tanh":
		m.GELUErf = false
	case "gelu":
		m.GELUErf = true
	default:
		return nil, errors.Errorf("activation_function is %q; known: gelu_new, gelu_pytorch_tanh, gelu", c.Activation)
	}
	if m.Dropout == 0 {
		m.Dropout = c.Residual
	}
	return m, nil
}

// llamaJSON is config.json of Llama and its variants.
type llamaJSON struct {
	Architectures []string  `json:"architectures"`
	ModelType     string    `json:"model_type"`
	Activation    string    `json:"hidden_act"`
	Vocab         int       `json:"vocab_size"`
	Context       int       `json:"max_position_embeddings"`
	Layers        int       `json:"num_hidden_layers"`
	Width         int       `json:"hidden_size"`
	MLPWidth      int       `json:"intermediate_size"`
	Heads         int       `json:"num_attention_heads"`
	KVHeads       int       `json:"num_key_value_heads"`
	HeadDim       int       `json:"head_dim,omitempty"`
	Eps           float64   `json:"rms_norm_eps"`
	Base          float64   `json:"rope_theta"`
	Scaling       *ropeJSON `json:"rope_scaling"`
	Tied          bool      `json:"tie_word_embeddings"`
	AttnBias      bool      `json:"attention_bias"`
	MLPBias       bool      `json:"mlp_bias"`
	Window        *int      `json:"sliding_window"`
	UseWindow     bool      `json:"use_sliding_window,omitempty"`
	WindowFrom    int       `json:"max_window_layers,omitempty"`
}

// ropeJSON is rope_scaling, and rope_parameters of transformers 5.
type ropeJSON struct {
	Type    string  `json:"rope_type"`
	OldType string  `json:"type,omitempty"`
	Base    float64 `json:"rope_theta,omitempty"`
	Factor  float64 `json:"factor,omitempty"`
	Low     float64 `json:"low_freq_factor,omitempty"`
	High    float64 `json:"high_freq_factor,omitempty"`
	Context int     `json:"original_max_position_embeddings,omitempty"`
}

// mistralWindow is sliding_window of a Mistral whose config.json does not have it.
const mistralWindow = 4096

func parseLlama(b []byte, kind string) (Model, error) {
	c := struct {
		llamaJSON
		Parameters *ropeJSON `json:"rope_parameters"`
	}{llamaJSON: llamaJSON{Activation: "silu", Eps: 1e-6}}
	if kind == "mistral" {
		c.Window = new(mistralWindow)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, err
	}
	if c.Activation != "silu" {
		return nil, errors.Errorf("hidden_act is %q; known: silu", c.Activation)
	}
	if c.Parameters != nil {
		c.Scaling, c.Base = c.Parameters, c.Parameters.Base
	}
	m := Llama{Vocab: c.Vocab, Context: c.Context, Layers: c.Layers, Width: c.Width, MLPWidth: c.MLPWidth, Heads: c.Heads,
		KVHeads: c.KVHeads, HeadDim: c.HeadDim, Eps: c.Eps, Tied: c.Tied, Rotary: graph.RotaryOpts{Base: c.Base}}
	if m.Heads > 0 && m.HeadDim == m.Width/m.Heads && m.Width%m.Heads == 0 {
		m.HeadDim = 0 // so that equal models are equal values
	}
	switch kind {
	case "llama":
		m.QKVBias, m.OutBias, m.MLPBias = c.AttnBias, c.AttnBias, c.MLPBias
	case "qwen2":
		m.QKVBias = true
	case "qwen3":
		m.QKNorm, m.QKVBias, m.OutBias = true, c.AttnBias, c.AttnBias
		if c.HeadDim == 0 {
			m.HeadDim = 128 // transformers' default
		}
	}
	if c.Window != nil && (kind == "mistral" || c.UseWindow && strings.HasPrefix(kind, "qwen")) {
		m.Window = *c.Window
		if kind != "mistral" {
			m.FullLayers = c.WindowFrom
		}
	}
	if !(c.Base >= 0) || math.IsInf(c.Base, 0) {
		return nil, errors.Errorf("rope_theta is %g", c.Base)
	}
	var err error
	m.Rotary.Scaling, err = c.Scaling.scaling()
	return m, err
}

// scaling translates rope_scaling; nil and "default" are none.
func (r *ropeJSON) scaling() (graph.RotaryScaling, error) {
	if r == nil {
		return graph.RotaryScaling{}, nil
	}
	kind := r.Type
	if kind == "" {
		kind = r.OldType
	}
	s := graph.RotaryScaling{Factor: r.Factor}
	switch kind {
	case "default":
		return graph.RotaryScaling{}, nil
	case "linear":
	case "llama3":
		s.Low, s.High, s.Context = r.Low, r.High, r.Context
		if !(r.Low > 0 && r.High > r.Low && r.Context > 0) {
			return s, errors.Errorf("rope_scaling llama3: low_freq_factor %g, high_freq_factor %g, original_max_position_embeddings %d", r.Low, r.High, r.Context)
		}
	default:
		return s, errors.Errorf("rope_scaling is %q; known: default, linear, llama3", kind)
	}
	if !(s.Factor > 0) || math.IsInf(s.Factor, 0) {
		return s, errors.Errorf("rope_scaling %s: factor is %g; it must be above 0", kind, s.Factor)
	}
	return s, nil
}

// WriteConfig writes config.json as Hugging Face transformers read it; no_bias and gelu_erf are this project's own.
func WriteConfig(w io.Writer, m Model) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	switch c := m.(type) {
	case Config:
		return errors.Wrap(e.Encode(c.hf()), "gpt: config.json")
	case Llama:
		return errors.Wrap(e.Encode(c.hf()), "gpt: config.json")
	}
	return errors.Errorf("gpt: config.json: a model of type %T", m)
}

// hf is config.json of c.
func (c Config) hf() gpt2JSON {
	act := "gelu_new"
	if c.GELUErf {
		act = "gelu"
	}
	if c.Eps == 0 {
		c.Eps = 1e-5
	}
	j := gpt2JSON{[]string{c.Architecture()}, "gpt2", act, nil, nil, c.Dropout, c.Dropout, c.Dropout, c}
	if c.MLPWidth > 0 {
		j.Inner = &c.MLPWidth
	}
	if tied := false; c.Untied {
		j.Tied = &tied
	}
	return j
}

// hf is config.json of c.
func (c Llama) hf() llamaJSON {
	kind := map[string]string{}
	for k, v := range architectures {
		kind[v] = k
	}
	j := llamaJSON{Architectures: []string{c.Architecture()}, ModelType: kind[c.Architecture()], Activation: "silu",
		Vocab: c.Vocab, Context: c.Context, Layers: c.Layers, Width: c.Width, MLPWidth: c.MLPWidth, Heads: c.Heads, KVHeads: c.kvHeads(),
		HeadDim: c.headDim(), Eps: c.Eps, Base: c.Rotary.Base, Tied: c.Tied, AttnBias: c.OutBias, MLPBias: c.MLPBias}
	if c.Eps == 0 {
		j.Eps = 1e-6
	}
	if c.Rotary.Base == 0 {
		j.Base = 10000
	}
	if s := c.Rotary.Scaling; s.Context > 0 {
		j.Scaling = &ropeJSON{Type: "llama3", Factor: s.Factor, Low: s.Low, High: s.High, Context: s.Context}
	} else if s.Factor != 0 && s.Factor != 1 {
		j.Scaling = &ropeJSON{Type: "linear", Factor: s.Factor}
	}
	if c.Window > 0 {
		j.Window = &c.Window
		j.UseWindow, j.WindowFrom = j.ModelType != "mistral", c.FullLayers
	}
	return j
}
