package gpt_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
)

// Example builds a small Llama on two rows of eight ids and counts its layers and parameters.
func Example() {
	m := gpt.Llama{Vocab: 64, Context: 16, Layers: 1, Width: 8, MLPWidth: 24, Heads: 2, KVHeads: 1}
	s := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Eval)
	logits := m.Forward(s, s.Input(field.IDs, graph.Of(graph.Int32, 2, 8))) // (2, 8) to (2, 8, 64)
	var summary bytes.Buffer
	if err := nn.Summary(&summary, s); err != nil {
		fmt.Println(err)
		return
	}
	lines := strings.Split(strings.TrimSpace(summary.String()), "\n") // a title, the layers, the sums
	fmt.Println("logits:", logits.Shape())
	fmt.Println("layers:", len(lines)-2)
	fmt.Println(lines[len(lines)-1])
	// Output:
	// logits: [2 8 64]
	// layers: 16
	// parameters: 1816, trainable: 1816, frozen: 0, bytes: 7264
}

// ExampleArchitectureOfType makes a model from settings of a config.json and writes one of them back.
func ExampleArchitectureOfType() {
	a, err := gpt.ArchitectureOfType("mistral")
	if err != nil {
		fmt.Println(err)
		return
	}
	c := gpt.SettingsOf(map[string]any{"vocab_size": 64, "max_position_embeddings": 16, "num_hidden_layers": 2, "hidden_size": 8,
		"intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 2, "sliding_window": 4})
	m := a.Read(c)
	fmt.Println(c.Err(), m.Validate())
	fmt.Println(a.Class, m.Params(), a.Write(m)["num_key_value_heads"])
	// Output:
	// <nil> <nil>
	// MistralForCausalLM 2728 2
}

// ExampleTargets makes an example in which the model learns the last two of four ids.
func ExampleTargets() {
	ids, y := gpt.Targets([]int32{10, 11, 12, 13}, []bool{false, false, true, true})
	fmt.Println(ids, y)
	// Output:
	// [10 11 12] [-1 12 13]
}
