package gpt_test

import (
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
)

// TestPresets compares the number of parameters that the graph declares with that of the formula. GPT-2's four have the
// published counts.
func TestPresets(t *testing.T) {
	want := map[string]int{
		"gpt2": 124439808, "gpt2-medium": 354823168, "gpt2-large": 774030080, "gpt2-xl": 1557611200,
		"shakespeare-char":     65*384 + 256*384 + 6*(12*384*384+2*384) + 384,
		"shakespeare-char-cpu": 65*128 + 64*128 + 4*(12*128*128+2*128) + 128,
		"tiny":                 256*128 + 64*128 + 4*(12*128*128+13*128) + 2*128,
	}
	for _, name := range gpt.Presets() {
		c, err := gpt.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		params := nn.NewParams(graph.Float32)
		s := nn.NewScope(graph.New(), params, nn.Train)
		y := c.Forward(s, s.Input("ids", graph.Of(graph.Int32, 2, c.Context)))
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		if got := y.Meta(); !got.Equal(graph.Of(graph.Float32, 2, c.Context, c.Vocab)) {
			t.Errorf("%s: logits %v", name, got)
		}
		all, _ := params.Count()
		if all != want[name] || c.Params() != want[name] {
			t.Errorf("%s: %d parameters in the graph, %d by the formula, want %d", name, all, c.Params(), want[name])
		}
	}
	if _, err := gpt.Preset("gpt3"); err == nil || !strings.Contains(err.Error(), "gpt2-xl") {
		t.Errorf("unknown preset: %v", err)
	}
}

// TestConfigErrors: each row breaks the tiny preset. Validate and a build then give an error with the row's word.
func TestConfigErrors(t *testing.T) {
	for _, r := range []struct {
		word  string
		spoil func(*gpt.GPT2)
	}{
		{"vocab", func(c *gpt.GPT2) { c.Vocab = 0 }},
		{"context", func(c *gpt.GPT2) { c.Context = 0 }},
		{"layers", func(c *gpt.GPT2) { c.Layers = -1 }},
		{"heads", func(c *gpt.GPT2) { c.Heads = 0 }},
		{"width", func(c *gpt.GPT2) { c.Width = 0 }},
		{"3 heads do not divide", func(c *gpt.GPT2) { c.Heads = 3 }},
		{"dropout", func(c *gpt.GPT2) { c.Dropout = 1 }},
		{"dropout", func(c *gpt.GPT2) { c.Dropout = -0.1 }},
	} {
		c := gpt.Tiny
		r.spoil(&c)
		s := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Train)
		c.Forward(s, s.Input("ids", graph.Of(graph.Int32, 1, 4)))
		for _, err := range []error{c.Validate(), s.Err()} {
			if err == nil || !strings.Contains(err.Error(), r.word) {
				t.Errorf("%+v: %v; want %q", c, err, r.word)
			}
		}
	}
	s := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Train)
	gpt.Tiny.Forward(s, s.Input("ids", graph.Of(graph.Int32, 1, 65)))
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "65 tokens") {
		t.Errorf("65 tokens: %v", err)
	}
}
