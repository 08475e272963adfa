package generate_test

import (
	"context"
	"fmt"
	"log"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/pretrained"
)

// conversation opens one with the tiny random model of the tests.
func conversation(t testing.TB, o generate.Options) *generate.Conversation {
	t.Helper()
	s, err := pretrained.Open("../testdata/hf/llama-chat")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x := plan.CPU(1)
	t.Cleanup(func() { x.Close() })
	g, err := s.Generator(x)
	if err != nil {
		t.Fatal(err)
	}
	template, err := s.Template(g.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	return &generate.Conversation{Generator: g, Template: template, Options: o}
}

// TestConversation: answers are those of the whole chat as a prompt, turns are kept, taken back and forgotten.
func TestConversation(t *testing.T) {
	ctx := context.Background()
	c := conversation(t, generate.Options{Tokens: 8})
	first, prompt, err := c.Answer(ctx, "What is it?")
	if err != nil || len(first.IDs) != 8 || len(prompt) == 0 {
		t.Fatalf("%d ids behind %d of the prompt, %v", len(first.IDs), len(prompt), err)
	}
	second, _, err := c.Answer(ctx, "And then?")
	if err != nil {
		t.Fatal(err)
	}
	want := []generate.Message{{Role: "user", Content: "What is it?"}, {Role: "assistant", Content: first.Text},
		{Role: "user", Content: "And then?"}, {Role: "assistant", Content: second.Text}}
	if !slices.Equal(c.Turns, want) {
		t.Errorf("turns %+v, want %+v", c.Turns, want)
	}
	again := conversation(t, c.Options)
	again.Turns = want[:2]
	if same, _, err := again.Answer(ctx, "And then?"); err != nil || same.Text != second.Text {
		t.Errorf("the second answer is %q, alone %q, %v", second.Text, same.Text, err)
	}
	c.Refuse = true
	if _, _, err := c.Answer(ctx, "<|im_end|>"); err == nil || !slices.Equal(c.Turns, want) {
		t.Errorf("a control token: %v, %d turns", err, len(c.Turns))
	}
	if _, _, err := c.Answer(ctx, strings.Repeat("What is it? ", 200)); err == nil || !strings.Contains(err.Error(), "the context holds 256") || !slices.Equal(c.Turns, want) {
		t.Errorf("a turn longer than the context: %v, %d turns", err, len(c.Turns))
	}
	if c.Reset(); len(c.Turns) > 0 {
		t.Errorf("%d turns after Reset", len(c.Turns))
	}
	if alone, _, err := c.Answer(ctx, "What is it?"); err != nil || alone.Text != first.Text {
		t.Errorf("the answer after Reset is %q, the first was %q, %v", alone.Text, first.Text, err)
	}
}

// TestConversationStops: an answer ends with its context, and what there is of it stays a turn.
func TestConversationStops(t *testing.T) {
	c := conversation(t, generate.Options{Tokens: 40})
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	c.Options.Stream = func(int32) bool {
		if n++; n == 3 {
			cancel()
		}
		return true
	}
	answer, _, err := c.Answer(ctx, "What is it?")
	if err != nil || len(answer.IDs) != 3 || len(c.Turns) != 2 || c.Turns[1].Content != answer.Text {
		t.Errorf("%d ids, %v, turns %+v; want the 3 that came", len(answer.IDs), err, c.Turns)
	}
}

// TestConversationForgets: turns that the context has no room for are left out, the oldest first, and the system's
// message stays.
func TestConversationForgets(t *testing.T) {
	c := conversation(t, generate.Options{Tokens: 20})
	c.System = "Be brief."
	for range 12 {
		c.Turns = append(c.Turns, generate.Message{Role: "user", Content: "What is it?"}, generate.Message{Role: "assistant", Content: "an answer"})
	}
	c.Turns = append(c.Turns, generate.Message{Role: "user", Content: "And then?"})
	ids, err := c.Prompt()
	if err != nil {
		t.Fatal(err)
	}
	text := string(c.Generator.Tokenizer.Decode(ids))
	if n := len(ids); n > 256-20 || n < 256-20-60 {
		t.Errorf("%d tokens; want what fits 256 less 20, and not a turn less", n)
	}
	if !strings.HasPrefix(text, "<|im_start|>system\nBe brief.") || !strings.Contains(text, "And then?") || len(c.Turns)%2 != 1 {
		t.Errorf("%d turns: %q", len(c.Turns), text)
	}
}

// A conversation of two turns. The model is a random one of the tests, so that its answers mean nothing.
func ExampleConversation() {
	source := must(pretrained.Open("../testdata/hf/llama-chat"))
	defer source.Close()
	g := must(source.Generator(plan.CPU(1)))
	c := generate.Conversation{Generator: g, Template: must(source.Template(g.Tokenizer)), Options: generate.Options{Tokens: 8, End: source.End}}
	for _, text := range []string{"What is it?", "And then?"} {
		answer, prompt, err := c.Answer(context.Background(), text)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(prompt) > 0, len(answer.IDs) <= 8)
	}
	fmt.Println(len(c.Turns), "turns, the last of the", c.Turns[3].Role)
	// Output:
	// true true
	// true true
	// 4 turns, the last of the assistant
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
