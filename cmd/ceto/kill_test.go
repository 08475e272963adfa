package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/internal/atomicfile"
)

// killed is a run that is killed, with a checkpoint after every tenth step.
type killed struct {
	command string
	steps   int
	args    func(dir string) []string
}

var killRuns = []killed{{"pretrain", 600, pretrainArgs}, {"finetune", 300, finetuneArgs}}

// start are the arguments that start a run, or resume it.
func (k killed) start(dir string, resume bool) []string {
	if resume {
		return []string{k.command, "--resume", filepath.Join(dir, "run"), "--json", "--threads", "2"}
	}
	return append([]string{k.command, "--out", filepath.Join(dir, "run"), "--json", "--threads", "2"}, k.args(dir)...)
}

// pretrainArgs make steps of about a millisecond.
func pretrainArgs(dir string) []string {
	return []string{"--data", filepath.Join(dir, "text"),
		"--set", "model.layers=1", "--set", "model.width=16", "--set", "model.heads=2", "--set", "train.warmup=5", "--set", "model.dropout=0.1",
		"--context", "16", "--batch", "4", "--steps", "600", "--eval-every", "100", "--checkpoint-every", "10"}
}

// finetuneArgs train with everything that a checkpoint has to keep. These are LoRA with dropout, averages, batches by
// length that end with an epoch, and the best values. The values of the head that was fitted first are among them.
func finetuneArgs(dir string) []string {
	return []string{"--model", filepath.Join("..", "..", "gpt", "testdata", "hf", "llama-chat"), "--data", filepath.Join(dir, "texts.csv"), "--task", "classify",
		"--lora-dropout", "0.1", "--ema", "0.9", "--batch", "8", "--epochs", "25", "--patience", "1000", "--lr", "0.003", "--checkpoint-every", "10"}
}

// TestKill kills ceto with SIGKILL at a step read off its log, and every fourth time while a checkpoint is being
// written. A kill that comes too late is tried again. Resumed each time, ceto ends with the parameters of the run
// that was never stopped.
func TestKill(t *testing.T) {
	for _, k := range killRuns {
		t.Run(k.command, k.test)
	}
}

func (k killed) test(t *testing.T) {
	kills := moments(20)
	if testing.Short() {
		kills = 4
	}
	want := k.digest(t, k.start(textDir(t), false))
	dir := textDir(t)
	run := filepath.Join(dir, "run")
	for i := range kills {
		for try := 0; ; try++ {
			_, err := os.Stat(filepath.Join(run, "run.yaml"))
			from := lines(run)
			ready := func() bool { return lines(run) >= (i+1)*k.steps/(2*kills) }
			if i%4 == 3 {
				ready = func() bool { return lines(run) > from && unfinished(run) }
			}
			if !killWhen(t, k.start(dir, err == nil), ready) {
				t.Fatalf("kill %d: the run ended before it", i)
			}
			if i%4 != 3 || unfinished(run) {
				break
			}
			if try == 20 {
				t.Fatalf("kill %d: missed a checkpoint 20 times", i)
			}
		}
	}
	if got := k.digest(t, k.start(dir, true)); got != want {
		t.Errorf("digest %s after %d kills, want %s as without", got, kills, want)
	}
}

func textDir(t *testing.T) string {
	dir := t.TempDir()
	text := strings.Repeat("the quick brown fox jumps over the lazy dog;\nand then it sleeps.\n", 60)
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("text,label\n")
	for i := range 120 {
		fmt.Fprintf(&table, "%s number %d is %s,%s\n", strings.Repeat("and ", i%7), i*37, [2]string{"thin", "an inn"}[i%2], [2]string{"a", "b"}[i%2])
	}
	if err := os.WriteFile(filepath.Join(dir, "texts.csv"), []byte(table.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lines counts the lines of a run's log.
func lines(run string) int {
	b, _ := os.ReadFile(filepath.Join(run, "log.jsonl"))
	return bytes.Count(b, []byte("\n"))
}

// unfinished tells whether a checkpoint is being written, or was when the run ended.
func unfinished(run string) bool {
	tmp, _ := filepath.Glob(filepath.Join(run, "checkpoints", "*"+atomicfile.TmpSuffix))
	return len(tmp) > 0
}

// killWhen starts ceto and kills it when ready says so; false if it ended first.
func killWhen(t *testing.T, args []string, ready func() bool) bool {
	c := exec.Command("ceto", args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for deadline := time.Now().Add(30 * time.Second); ; {
		select {
		case err := <-ended:
			t.Logf("ended: %v\n%s", err, stderr.String())
			return false
		default:
		}
		if ready() {
			c.Process.Kill()
			<-ended
			return true
		}
		if time.Now().After(deadline) {
			c.Process.Kill()
			t.Fatalf("not ready to be killed in 30 s\n%s", stderr.String())
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// digest runs ceto to its end and returns the digest that it prints.
func (k killed) digest(t *testing.T, args []string) string {
	t.Helper()
	out, err := exec.Command("ceto", args...).Output()
	var r struct {
		Digest        string
		Steps, Epochs int
	}
	if err != nil || json.Unmarshal(bytes.TrimSpace(out), &r) != nil || r.Digest == "" || r.Steps != k.steps && r.Epochs != k.steps/12 {
		t.Fatalf("ceto %v: %v, printed %q", args, err, out)
	}
	return r.Digest
}
