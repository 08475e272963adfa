package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// hostile is what a terminal would obey, as a file may hold it.
const hostile = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202eevil\u2066\r\x08\x9b5n"

// TestTerminal has commands print what files hold: names of files and columns, texts, labels, templates, settings. Each
// has control characters. None reaches a terminal; in a pipe all stay as they are.
func TestTerminal(t *testing.T) {
	s := newSampler(t)
	write := func(name, text string) string {
		path := filepath.Join(s.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	odd := "\x1b[2J\u202e\u009b"
	table := write(odd+".csv", "text,label,"+odd+"\na "+odd+",one"+odd+",x\na "+odd+",two"+odd+",y\nb,one"+odd+",z\nc,two"+odd+",z\n")
	broken := write("broken.csv", "text,label\na\n\""+odd+"\n")
	config := write("config.yaml", "train: {\""+odd+"\": 1}\n")
	text := write("long.txt", strings.Repeat("some text "+hostile+" and more\n", 40))
	model := filepath.Join(s.dir, "model"+odd)
	if err := os.CopyFS(model, os.DirFS(s.model)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(model, "chat_template.jinja"), []byte("{{ raise_exception('"+odd+"') }}"), 0o666); err != nil {
		t.Fatal(err)
	}
	ids := strings.Fields(strings.Trim(fmt.Sprint([]byte(hostile)), "[]"))
	raw := write("raw", strings.Join(ids, " "))
	small := []string{"--tokenizer", "byte", "--context", "8", "--batch", "2", "--steps", "2", "--set", "model.layers=1", "--set", "model.width=8", "--set", "model.heads=2"}
	for _, args := range [][]string{
		{"data", "check", "--data", table},
		{"data", "check", "--data", table, "--text", "none" + odd},
		{"data", "check", "--data", broken},
		{"data", "check", "--data", s.dir + "/" + odd},
		{"predict", "--run", s.run, "--data", table},
		{"eval", "--run", s.run, "--data", table},
		{"finetune", "--model", s.model, "--data", table, "--task", "classify", "--epochs", "1", "--out", filepath.Join(s.dir, "r"+odd)},
		{"finetune", "--model", s.model, "--data", table, "--task", "classify", "--positive", odd},
		append([]string{"pretrain", "--data", text, "--out", filepath.Join(s.dir, "p"+odd)}, small...),
		{"pretrain", "--data", text, "--config", config},
		{"pretrain", "--set", odd + "=1"},
		{"inspect", "--model", model},
		{"chat", "--model", model, "--prompt", "hi"},
		{"generate", "--model", model, "--prompt", hostile, "--tokens", "5"},
		{"generate", "--model", model, "--prompt", hostile, "--tokens", "5", "--temperature", "2", "--returns", "2"},
		{"tokenize", "decode", "--tokenizer", "byte", raw},
		{"tokenize", "count", "--tokenizer", "byte", table},
		{"tokenize", "train", text, "--vocab", "270", "--special", odd, "--out", filepath.Join(s.dir, "t"+odd)},
		{"export", "--model", model, "--to", "hf", filepath.Join(s.dir, "e"+odd)},
		{odd},
		{"version", "--device", odd},
	} {
		onScreen(t, args)
	}
	if out, err := s.command(t, "tokenize decode --tokenizer byte "+raw).Output(); err != nil || string(out) != hostile {
		t.Errorf("a pipe gets %q, %v", out, err)
	}
}

// onScreen runs a command whose outputs are a terminal, and looks at what reaches it.
func onScreen(t *testing.T, args []string) {
	var out bytes.Buffer
	c := root(&global{})
	screen := &output{w: &out, terminal: true, needed: "standard output"}
	c.SetOut(screen)
	c.SetErr(screen)
	c.SetArgs(args)
	err := c.Execute()
	if err != nil {
		fmt.Fprintln(screen, "ceto:", err)
	}
	screen.close()
	shown := out.Bytes()
	if args[0] == "pretrain" { // its line moves
		shown = regexp.MustCompile(`\r(\x1b\[K)?`).ReplaceAll(shown, nil)
	}
	for i := 0; i < len(shown); {
		r, n := utf8.DecodeRune(shown[i:])
		if r == utf8.RuneError && n == 1 || r != '\n' && r != '\t' && obeyed(r) {
			t.Errorf("ceto %q prints %q to a terminal", args, shown[i:min(len(shown), i+20)])
			break
		}
		i += n
	}
	if out.Len() == 0 {
		t.Errorf("ceto %q prints nothing: %v", args, err)
	}
}

// TestOneWayOut: nothing but main opens standard output or standard error, so that all goes through output.
func TestOneWayOut(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	direct := regexp.MustCompile(`os\.Std(out|err)|\bfmt\.Print|\blog\.|\bprintln?\(`)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if m := direct.Find(b); m != nil && name != "main.go" && !strings.HasSuffix(name, "_test.go") {
			t.Errorf("%s: %s", name, m)
		}
	}
}
