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
	if !w.done && string(b) != "> " {
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
	g := &global{Device: "cpu", Threads: 1}
	m, err := g.load(&modelFlags{path: "../../gpt/testdata/hf/llama-chat", Special: "parse"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	c, err := newChat(m, generate.Options{Tokens: 40})
	if err != nil {
		t.Fatal(err)
	}
	var s signals
	s.listen(t.Context())
	w, notes := &interrupting{t: t}, &bytes.Buffer{}
	shell := &output{w: w, terminal: true, needed: "standard output"}
	if err := c.talk(strings.NewReader("What is it?\nAnd then?\n"), shell, notes, &s); err != nil || strings.Contains(notes.String(), "ceto:") {
		t.Fatalf("%v, %q", err, notes)
	}
	if len(c.Turns) != 4 {
		t.Fatalf("%d turns, want 4: %+v", len(c.Turns), c.Turns)
	}
	cut, whole := c.Turns[1].Content, c.Turns[3].Content
	if cut == "" || len(cut) > 8 || len(whole) < 20 {
		t.Errorf("the interrupted answer is %q, the next %q; want a few bytes, and 40 tokens", cut, whole)
	}
	if want, _ := visible(nil, []byte("> "+cut+"\n> "+whole+"\n> ")); w.String() != string(want) {
		t.Errorf("printed %q, want %q", w.String(), want)
	}
}
