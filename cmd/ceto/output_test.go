package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// TestTerminal writes what terminals obey: the bytes that reach one are harmless, however a text is cut into writes.
func TestTerminal(t *testing.T) {
	text := "a\x1b[2Jb\r\tc\x07\n\u009b1m é\u202e漢\u2066x\x7f\u200fy\x00🙂"
	want := "a?[2Jb?\tc?\n?1m é?漢?x??y?🙂"
	for step := 1; step <= len(text); step++ {
		f, err := os.Create(filepath.Join(t.TempDir(), "terminal"))
		if err != nil {
			t.Fatal(err)
		}
		o := &output{File: f, terminal: true}
		for rest := text; rest != ""; {
			n := min(step, len(rest))
			if k, err := o.Write([]byte(rest[:n])); k != n || err != nil {
				t.Fatal(k, err)
			}
			rest = rest[n:]
		}
		got, err := os.ReadFile(f.Name())
		if err != nil || string(got) != want {
			t.Errorf("in steps of %d: %q, want %q, %v", step, got, want, err)
		}
		f.Close()
	}
}

// commands are the command lines of all commands that have none below them.
func commands(c *cobra.Command) (all [][]string) {
	if !c.HasSubCommands() {
		return [][]string{strings.Fields(c.CommandPath())[1:]}
	}
	for _, sub := range c.Commands() {
		all = append(all, commands(sub)...)
	}
	return all
}

// TestFullOutput has each command print its help, and some their results, to a full device and to a pipe that nobody
// reads. Each ends with 1 and a line that says so.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no device that is always full: ", err)
	}
	defer full.Close()
	r, closed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	r.Close()
	model := "../../gpt/testdata/hf/llama-chat"
	lines := [][]string{{"--help"}, {"version"}, {"version", "--json"}, {"doctor"}, {"gradcheck", "--help"}, {"completion", "bash"},
		{"inspect", "--model", model}, {"inspect", "--model", model, "--json"}, {"demo", "xor"}, {"tokenize", "encode", "--tokenizer", "byte", "main.go"},
		{"generate", "--model", model, "--prompt", "What", "--tokens", "3"}, {"chat", "--model", model, "--prompt", "What", "--tokens", "3"}}
	for _, line := range commands(root()) {
		lines = append(lines, append(line, "--help"))
	}
	for _, line := range lines {
		for _, out := range []*os.File{full, closed} {
			c := exec.Command("ceto", line...)
			var notes bytes.Buffer
			c.Stdout, c.Stderr = out, &notes
			_ = c.Run()
			if code := c.ProcessState.ExitCode(); code != exitFailure || !strings.Contains(notes.String(), "ceto: ") {
				t.Errorf("%v > %s: exit code %d, want 1\n%s", line, out.Name(), code, &notes)
			}
		}
	}
}

// TestFullNotes trains with a standard error that cannot be written. Progress is lost, and nothing else.
func TestFullNotes(t *testing.T) {
	r, closed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	r.Close()
	dir := textDir(t)
	c := exec.Command("ceto", "pretrain", "--data", "text", "--tokenizer", "char", "--steps", "20", "--set", "model.width=8", "--set", "model.heads=1",
		"--set", "model.layers=1", "--context", "8", "--batch", "2", "--out", "run", "--json")
	c.Dir, c.Stderr = dir, closed
	if out, err := c.Output(); err != nil || !bytes.Contains(out, []byte("val_loss")) {
		t.Errorf("%v, %s", err, out)
	}
}

// TestSignals sends a signal to commands that work on: each ends within two seconds.
func TestSignals(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	dir := textDir(t)
	big, err := os.Create(filepath.Join(dir, "big"))
	if err != nil {
		t.Fatal(err)
	}
	for range 200000 {
		big.WriteString("all the words of a long text that is made of many words that stand in many lines\n")
	}
	big.Close()
	model, err := filepath.Abs("../../gpt/testdata/hf/llama-chat")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range [][]string{
		{"tokenize", "train", "big", "--vocab", "20000", "--out", "k"},
		{"tokenize", "encode", "--tokenizer", "byte", "big"},
		{"demo", "xor", "--seeds", "5000"},
		{"bench", "gemm"},
		{"chat", "--model", model},
	} {
		c := exec.Command("ceto", line...)
		c.Dir = dir
		if line[0] == "chat" {
			if _, err := c.StdinPipe(); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		if err := c.Process.Signal([]os.Signal{os.Interrupt, syscall.SIGTERM}[i%2]); err != nil {
			t.Errorf("%v: %v", line, err)
		}
		end := time.AfterFunc(20*time.Second, func() { _ = c.Process.Kill() }) // a busy machine
		_ = c.Wait()
		if !end.Stop() {
			t.Errorf("%v: runs on after a signal", line)
		}
	}
}
