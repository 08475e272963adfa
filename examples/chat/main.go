// Command chat asks a pretrained model a question and prints the answer as it comes.
//
//	make smollm2
//	go run ./examples/chat -model smollm2 "What is the capital of France?"
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/pretrained"
)

func main() {
	log.SetFlags(0)
	path := flag.String("model", "smollm2", "Hugging Face folder, GGUF file or a folder with one")
	tokens := flag.Int("tokens", 200, "tokens of the answer, at most")
	device := flag.String("device", "auto", cuda.Names)
	flag.Parse()
	exec := must(cuda.Open(*device, 0))
	defer exec.Close()

	model := must(pretrained.Open(*path))
	defer model.Close()
	g := must(model.Generator(exec))
	chat := generate.Conversation{Generator: g, Template: must(model.Template(g.Tokenizer)), Options: generate.Options{Tokens: *tokens, End: model.End}}
	chat.Options.StreamText = func(text []byte) bool {
		_, err := os.Stdout.Write(text)
		return err == nil
	}
	if _, _, err := chat.Answer(context.Background(), strings.Join(flag.Args(), " ")); err != nil {
		log.Fatal(err)
	}
	fmt.Println()
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
