package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// samples are arguments with which each command succeeds within seconds, by its path. MODEL is a small chat model, RUN
// a run of finetune; TEXT, TABLE and IDS are files. NEW is a path that does not exist yet.
var samples = map[string]string{
	"ceto":                       "",
	"ceto bench gemm":            "--rounds 1",
	"ceto bench generate":        "--model MODEL --prompt-tokens 2 --tokens 2 --prefill 2 --rounds 1",
	"ceto bench step":            "--model MODEL --batch 1 --context 4 --steps 1 --profile",
	"ceto chat":                  "--model MODEL --tokens 3 --prompt hi",
	"ceto completion bash":       "",
	"ceto completion fish":       "",
	"ceto completion powershell": "",
	"ceto completion zsh":        "",
	"ceto data":                  "",
	"ceto data check":            "--data TABLE",
	"ceto demo xor":              "--seeds 2 --epochs 5 --hidden 3",
	"ceto doctor":                "",
	"ceto eval":                  "--run RUN --data TABLE",
	"ceto export":                "--model MODEL --to hf NEW",
	"ceto finetune":              "--model MODEL --data TABLE --task classify --epochs 1 --batch 8 --out NEW",
	"ceto generate":              "--model MODEL --prompt hi --tokens 3",
	"ceto gradcheck":             "",
	"ceto help":                  "pretrain",
	"ceto inspect":               "--preset tiny --plan",
	"ceto predict":               "--run RUN --data TABLE",
	"ceto pretrain":              "--data TEXT --tokenizer char --context 8 --batch 2 --steps 2 --set model.layers=1 --set model.width=8 --set model.heads=2 --out NEW",
	"ceto pull":                  "o/n",
	"ceto tokenize":              "",
	"ceto tokenize bench":        "--tokenizer byte TEXT",
	"ceto tokenize corpus":       "--tokenizer byte --out NEW TEXT",
	"ceto tokenize count":        "--tokenizer byte TEXT",
	"ceto tokenize decode":       "--tokenizer byte IDS",
	"ceto tokenize encode":       "--tokenizer byte TEXT",
	"ceto tokenize train":        "--vocab 270 --out NEW TEXT",
	"ceto version":               "",
}

// more are rows beside those of samples: other things that a command prints.
var more = []string{"pretrain --help", "--help", "help tokenize train", "inspect --model MODEL", "inspect --model MODEL --json",
	"finetune --model MODEL --data TABLE --task classify --find-lr", "finetune --model MODEL --data TABLE --task classify --epochs 1 --batch 8 --seeds 2 --out NEW",
	"generate --model MODEL --prompt hi --tokens 3 --returns 2", "chat --model MODEL --tokens 3 < TEXT", "__complete gen"}

// noJSON are commands that print no JSON.
var noJSON = map[string]bool{"ceto": true, "ceto data": true, "ceto tokenize": true, "ceto help": true}

// sampleRuns returns command lines: those of samples, as text and as JSON, and those of more. It fails if a command of
// the program has no sample.
func sampleRuns(t *testing.T) (lines []string) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		path := c.CommandPath()
		args, ok := samples[path]
		switch {
		case ok:
			line := strings.TrimPrefix(path+" "+args, "ceto ")
			if lines = append(lines, line); !noJSON[path] && !strings.HasPrefix(path, "ceto completion") {
				lines = append(lines, line+" --json")
			}
		case !c.HasSubCommands():
			t.Errorf("%s has no sample", path)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	c := root(&global{})
	c.InitDefaultHelpCmd()
	c.InitDefaultCompletionCmd()
	walk(c)
	return append(lines, more...)
}

// sampler runs the lines of samples.
type sampler struct{ dir, run, model string }

func newSampler(t *testing.T) *sampler {
	fakeHub(t, map[string]string{"config.json": "{}", "model.safetensors": "x"})
	model, err := filepath.Abs("../../gpt/testdata/hf/llama-chat")
	if err != nil {
		t.Fatal(err)
	}
	s := &sampler{dir: textDir(t), model: model}
	s.run = filepath.Join(s.dir, "run")
	if err := os.WriteFile(filepath.Join(s.dir, "ids"), []byte("104 105"), 0o666); err != nil {
		t.Fatal(err)
	}
	line := strings.Replace("finetune "+samples["ceto finetune"], "NEW", s.run, 1)
	if b, err := s.command(t, line).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return s
}

// command is a line of samples as a process; "< FILE" at its end is its standard input.
func (s *sampler) command(t *testing.T, line string) *exec.Cmd {
	line, stdin, _ := strings.Cut(line, " < ")
	for name, path := range map[string]string{"MODEL": s.model, "RUN": s.run, "TEXT": filepath.Join(s.dir, "text"), "TABLE": filepath.Join(s.dir, "texts.csv"),
		"IDS": filepath.Join(s.dir, "ids"), "NEW": filepath.Join(t.TempDir(), "new")} {
		line, stdin = strings.ReplaceAll(line, name, path), strings.ReplaceAll(stdin, name, path)
	}
	c := exec.Command("ceto", strings.Fields(line)...)
	c.Dir = s.dir
	if stdin != "" {
		f, err := os.Open(stdin)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		c.Stdin = f
	}
	return c
}

// broken are outputs that cannot be written.
func broken(t *testing.T) map[string]*os.File {
	all := map[string]*os.File{}
	if f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		all["full"] = f
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	all["pipe that nobody reads"] = w
	t.Cleanup(func() {
		for _, f := range all {
			f.Close()
		}
	})
	return all
}

// TestStdoutLost: a command whose standard output cannot be written ends with code 1 and says so in one line. Each
// line of samples, and the help of each command, goes to a full device or to a pipe that nobody reads.
func TestStdoutLost(t *testing.T) {
	s, outs := newSampler(t), broken(t)
	lines := sampleRuns(t)
	for path := range samples {
		lines = append(lines, strings.TrimPrefix(path+" --help", "ceto "))
	}
	for i, line := range lines {
		for name, f := range outs {
			if (i%2 == 0) == (name == "full") {
				continue // each line with one of the two
			}
			c := s.command(t, line)
			var msg bytes.Buffer
			c.Stdout, c.Stderr = f, &msg
			var e *exec.ExitError
			if err := c.Run(); !errors.As(err, &e) || e.ExitCode() != exitFailure {
				t.Errorf("ceto %s, standard output %s: %v, want exit code 1", line, name, err)
			}
			if n := strings.Count(msg.String(), "ceto: standard output: "); n != 1 || strings.Count(msg.String(), "ceto: ") != 1 {
				t.Errorf("ceto %s, standard output %s: want one line that says so, got %q", line, name, msg.String())
			}
		}
	}
}

// TestStderrLost: training goes on to its end where standard error cannot be written.
func TestStderrLost(t *testing.T) {
	s := newSampler(t)
	for name, f := range broken(t) {
		for _, command := range []string{"pretrain", "finetune", "pull", "demo xor", "predict"} {
			c := s.command(t, command+" "+samples["ceto "+command])
			c.Stderr = f
			if out, err := c.Output(); err != nil || len(out) == 0 {
				t.Errorf("ceto %s, standard error %s: %v, printed %d bytes", command, name, err, len(out))
			}
		}
	}
}

// TestVisible: what a terminal would obey is shown as an escape, and what comes in pieces is put together.
func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n": "plain\ttext\n", "é ö 你好 שלום 🎉 \u200d": "é ö 你好 שלום 🎉 \u200d",
		"\x1b[31mred\x07":           `\u001b[31mred\u0007`,
		"a\rb\bc\x00\x7f":           `a\u000db\u0008c\u0000\u007f`,
		"\u009b31m":                 `\u009b31m`,
		"\x9b31m \xff":              `\x9b31m \xff`,
		"user\u202etxt.exe\u2066x":  `user\u202etxt.exe\u2066x`,
		"\u0085\u2069\u202a\u202d.": `\u0085\u2069\u202a\u202d.`,
		"cut \xe4\xbd":              `cut \xe4\xbd`,
		"marks \u061c\u200e\u200f.": `marks \u061c\u200e\u200f.`,
	} {
		for size := 1; size <= len(in); size++ {
			var b bytes.Buffer
			o := &output{w: &b, terminal: true, needed: "it"}
			for rest := []byte(in); len(rest) > 0; {
				n := min(size, len(rest))
				if m, err := o.Write(rest[:n]); m != n || err != nil {
					t.Fatal(m, err)
				}
				rest = rest[n:]
			}
			if err := o.close(); err != nil || b.String() != want {
				t.Errorf("%q, %d bytes a time: %v, %q; want %q", in, size, err, b.String(), want)
			}
		}
		var b bytes.Buffer
		if fmt.Fprint(&output{w: &b}, in); b.String() != in {
			t.Errorf("%q: a file gets %q", in, b.String())
		}
	}
}

// TestMovingLine: a line that moves keeps the control characters that it is made of, on a terminal alone.
func TestMovingLine(t *testing.T) {
	var b bytes.Buffer
	w := movingLine(&output{w: &b, terminal: true})
	if fmt.Fprint(w, "\r\x1b[K1/3"); b.String() != "\r\x1b[K1/3" {
		t.Errorf("%q", b.String())
	}
	if movingLine(&output{w: &b}) != nil || movingLine(io.Discard) != nil {
		t.Error("a line moves where no terminal is")
	}
}

// TestInputBound: standard input is read up to a bound.
func TestInputBound(t *testing.T) {
	for n, want := range map[int]bool{0: true, 4: true, 5: false, 1000: false} {
		b, err := readInput(strings.NewReader(strings.Repeat("x", n)), 4)
		if (err == nil) != want || want && len(b) != n {
			t.Errorf("%d bytes: %q, %v", n, b, err)
		}
	}
}
