//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestPipes gives commands a pipe that nobody writes in the place of each of their files. Each ends with an error; none
// waits for the other end.
func TestPipes(t *testing.T) {
	dir := t.TempDir()
	model, err := filepath.Abs("../../gpt/testdata/hf/llama-chat")
	if err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "p")
	for _, path := range []string{pipe, filepath.Join(dir, "p.bin"), filepath.Join(dir, "p.json"), filepath.Join(dir, "p.csv")} {
		if err := syscall.Mkfifo(path, 0o666); err != nil {
			t.Skip("no pipes: ", err)
		}
	}
	table := filepath.Join(dir, "t.csv")
	if err := os.WriteFile(table, []byte("text,label\na b,x\nc d,y\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	within := func(from, name string) string {
		at := filepath.Join(t.TempDir(), "folder")
		if err := os.CopyFS(at, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(filepath.Join(at, name))
		if err := syscall.Mkfifo(filepath.Join(at, name), 0o666); err != nil {
			t.Fatal(err)
		}
		return at
	}
	lines := [][]string{
		{"pretrain", "--data", "p"}, {"pretrain", "--data", "p.bin"}, {"pretrain", "--config", "p"}, {"pretrain", "--tokenizer", "p.json", "--data", "t.csv"},
		{"finetune", "--model", model, "--data", "p.csv", "--task", "classify"}, {"finetune", "--model", model, "--config", "p", "--data", "t.csv"},
		{"finetune", "--model", model, "--data", "t.csv", "--val-data", "p.csv", "--task", "classify"}, {"data", "check", "--data", "p.csv"},
		{"tokenize", "train", "p", "--out", "k"}, {"tokenize", "corpus", "p", "--tokenizer", "byte", "--out", "c"}, {"tokenize", "encode", "p", "--tokenizer", "byte"},
		{"tokenize", "encode", "t.csv", "--tokenizer", "p.json"}, {"tokenize", "encode", "t.csv", "--tokenizer", "p.bin"},
		{"generate", "--model", "p", "--prompt", "a"}, {"generate", "--model", "p.bin", "--prompt", "a"}, {"generate", "--model", model, "--tokenizer", "p.json", "--prompt", "a"},
		{"inspect", "--model", within("../../gpt/testdata/hf/llama", "generation_config.json")},
		{"inspect", "--model", within("../../gpt/testdata/hf/llama", "model.safetensors")},
		{"generate", "--model", within(model, "tokenizer.json"), "--prompt", "a"}, {"chat", "--model", within(model, "chat_template.jinja"), "--prompt", "a"},
		{"predict", "--run", within(t.TempDir(), "run.yaml"), "--data", "t.csv"},
	}
	for _, line := range lines {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // a busy machine
		c := exec.CommandContext(ctx, "ceto", line...)
		var notes bytes.Buffer
		c.Dir, c.Stderr = dir, &notes
		_ = c.Run()
		if code := c.ProcessState.ExitCode(); code != exitFailure && code != exitUsage || !bytes.HasPrefix(notes.Bytes(), []byte("ceto: ")) {
			t.Errorf("%v: exit code %d\n%.300s", line, code, &notes)
		}
		cancel()
	}
}
