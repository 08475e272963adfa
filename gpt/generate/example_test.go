package generate_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/pretrained"
)

// Example asks a tiny model a question, as a chat. The model has random values, so that its answer means nothing.
func Example() {
	model, err := pretrained.Open("../testdata/hf/llama-chat")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	x := plan.CPU(1)
	defer x.Close()
	g, err := model.Generator(x)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()
	chat, err := model.Template(g.Tokenizer)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := chat.Render([]generate.Message{{Role: "user", Content: "What is it?"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(text)
	prompt, err := generate.PromptIDs(g.Tokenizer, text, token.Parse)
	if err != nil {
		fmt.Println(err)
		return
	}
	answers, err := g.Generate([][]int32{prompt}, generate.Options{Tokens: 6, End: model.End})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(prompt), "ids, then", answers[0].IDs, answers[0].End)
	// Output:
	// <|im_start|>user
	// What is it?<|im_end|>
	// <|im_start|>assistant
	// 21 ids, then [18 258 11 182 11 181] length
}

// ExampleOptions_Validate shows an error of options that do not go together.
func ExampleOptions_Validate() {
	fmt.Println(generate.Options{Tokens: 10, Beams: 4, Temperature: 0.8}.Validate())
	// Output:
	// generate: temperature is 0.8 with 4 beams; it must be 0, as beam search draws nothing
}
