// Command chat asks a pretrained model a question and prints the answer as it comes.
//
//	make smollm2
//	go run ./examples/chat -model smollm2 "What is the capital of France?"
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/pretrained"
)

func main() {
	log.SetFlags(0)
	path := flag.String("model", "smollm2", "Hugging Face folder, GGUF file or a folder with one")
	tokens := flag.Int("tokens", 200, "tokens of the answer, at most")
	flag.Parse()

	model := must(pretrained.Open(*path))
	defer model.Close()
	g := must(model.Generator(plan.CPU(0)))
	chat := must(model.Template(g.Tokenizer))

	text := must(chat.Render([]generate.Message{{Role: "user", Content: strings.Join(flag.Args(), " ")}}))
	prompt := must(generate.PromptIDs(g.Tokenizer, text, token.Parse))
	must(g.Generate([][]int32{prompt}, generate.Options{Tokens: *tokens, End: model.End, StreamText: func(text []byte) bool {
		_, err := os.Stdout.Write(text)
		return err == nil
	}}))
	fmt.Println()
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
