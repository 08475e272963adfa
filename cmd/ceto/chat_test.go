package main

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/gpt/generate"
)

// interrupting is a terminal whose user presses Ctrl-C at the first characters of an answer.
type interrupting struct {
	bytes.Buffer
	t    *testing.T
	done bool
}

func (w *interrupting) Write(b []byte) (int, error) {
	if !w.done {
		w.done = true
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
			w.t.Error(err)
		}
		time.Sleep(200 * time.Millisecond) // the signal arrives, and ends the answer before its next token
	}
	return w.Buffer.Write(b)
}

// TestChatInterrupt: Ctrl-C ends an answer, and what came of it stays a turn; the next line is answered in full.
func TestChatInterrupt(t *testing.T) {
	g := &global{device: "cpu", threads: 1}
	m, err := g.load(&modelFlags{path: "../../gpt/testdata/hf/llama-chat", Special: "parse"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	c := &chat{loaded: m, opt: generate.Options{Tokens: 40}}
	if c.template, err = m.source.Template(m.tok); err != nil {
		t.Fatal(err)
	}
	w, notes := &interrupting{t: t}, &bytes.Buffer{}
	if err := c.talk(strings.NewReader("What is it?\nAnd then?\n"), w, notes); err != nil || notes.Len() > 0 {
		t.Fatalf("%v, %q", err, notes)
	}
	if len(c.turns) != 4 {
		t.Fatalf("%d turns, want 4: %+v", len(c.turns), c.turns)
	}
	cut, whole := c.turns[1].Content, c.turns[3].Content
	if cut == "" || len(cut) > 8 || len(whole) < 20 {
		t.Errorf("the interrupted answer is %q, the next %q; want a few bytes, and 40 tokens", cut, whole)
	}
	if want := cut + "\n" + whole + "\n"; w.String() != want {
		t.Errorf("printed %q, want %q", w.String(), want)
	}
}

// TestChatForgets: turns that the context has no room for are left out, the oldest first, and the system's message stays.
func TestChatForgets(t *testing.T) {
	g := &global{device: "cpu", threads: 1}
	m, err := g.load(&modelFlags{path: "../../gpt/testdata/hf/llama-chat", Special: "parse"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	c := &chat{loaded: m, opt: generate.Options{Tokens: 20}, system: []generate.Message{{Role: "system", Content: "Be brief."}}}
	if c.template, err = m.source.Template(m.tok); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		c.turns = append(c.turns, generate.Message{Role: "user", Content: "What is it?"}, generate.Message{Role: "assistant", Content: "an answer"})
	}
	c.turns = append(c.turns, generate.Message{Role: "user", Content: "And then?"})
	ids, err := c.ids()
	if err != nil {
		t.Fatal(err)
	}
	text := string(m.tok.Decode(ids))
	if n := len(ids); n > 256-20 || n < 256-20-60 {
		t.Errorf("%d tokens; want what fits 256 less 20, and not a turn less", n)
	}
	if !strings.HasPrefix(text, "<|im_start|>system\nBe brief.") || !strings.Contains(text, "And then?") || len(c.turns)%2 != 1 {
		t.Errorf("%d turns: %q", len(c.turns), text)
	}
}
