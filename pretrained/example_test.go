package pretrained_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/ceto-ml/ceto/pretrained"
)

// Example opens a tiny model of Hugging Face, looks at it, and writes it as a GGUF file.
func Example() {
	model, err := pretrained.Open("../gpt/testdata/hf/llama-chat")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	fmt.Println(model.Format, model.Architecture.Class, len(model.Tensors), "tensors")

	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	files, err := model.Export(filepath.Join(dir, "out"), pretrained.ExportOptions{Format: pretrained.FormatGGUF, Type: "f16"})
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := pretrained.Open(filepath.Join(dir, "out"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer again.Close()
	fmt.Println(again.Format, again.Architecture.Class, len(again.Tensors), "tensors")
	fmt.Println(files)
	// Output:
	// Hugging Face LlamaForCausalLM 20 tensors
	// GGUF LlamaForCausalLM 20 tensors
	// [model-f16.gguf]
}

// ExampleSource_Adapt merges a LoRA adapter, as PEFT saves it, into a model, and takes it back. An adapter of another
// model is an error.
func ExampleSource_Adapt() {
	model, err := pretrained.Open("../gpt/testdata/hf/llama")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	before := model.End
	fmt.Println(model.Adapt("../gpt/testdata/adapter/llama-qv"), model.Unadapt())
	err = model.Adapt("../gpt/testdata/adapter/gpt2-attn")
	fmt.Println("of another model:", err != nil, slices.Equal(model.End, before))
	// Output:
	// <nil> <nil>
	// of another model: true true
}
