package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/internal/atomicfile"
)

// The run that is killed: steps of about a millisecond, a checkpoint after every tenth.
const killSteps = 600

func killArgs(dir string, resume bool) []string {
	if resume {
		return []string{"pretrain", "--resume", filepath.Join(dir, "run"), "--json", "--threads", "2"}
	}
	return []string{"pretrain", "--data", filepath.Join(dir, "text"), "--out", filepath.Join(dir, "run"), "--json", "--threads", "2",
		"--set", "model.layers=1", "--set", "model.width=16", "--set", "model.heads=2", "--set", "train.warmup=5", "--set", "model.dropout=0.1",
		"--context", "16", "--batch", "4", "--steps", strconv.Itoa(killSteps), "--eval-every", "100", "--checkpoint-every", "10"}
}

// TestKill kills ceto pretrain with SIGKILL: every fourth time while a checkpoint is being written (a kill that comes
// too late for it is made again), else at a step read off its log. Resumed each time, it ends with the parameters of the run that was never stopped.
func TestKill(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 4
	}
	want := digestOf(t, killArgs(textDir(t), false))
	dir := textDir(t)
	run := filepath.Join(dir, "run")
	for i := range kills {
		for try := 0; ; try++ {
			_, err := os.Stat(filepath.Join(run, "run.yaml"))
			from := lines(run)
			ready := func() bool { return lines(run) >= (i+1)*killSteps/(2*kills) }
			if i%4 == 3 {
				ready = func() bool { return lines(run) > from && unfinished(run) }
			}
			if !killWhen(t, killArgs(dir, err == nil), ready) {
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
	if got := digestOf(t, killArgs(dir, true)); got != want {
		t.Errorf("digest %s after %d kills, want %s as without", got, kills, want)
	}
}

func textDir(t *testing.T) string {
	dir := t.TempDir()
	text := strings.Repeat("the quick brown fox jumps over the lazy dog;\nand then it sleeps.\n", 60)
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte(text), 0o666); err != nil {
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

// digestOf runs ceto to its end and returns the digest that it prints.
func digestOf(t *testing.T, args []string) string {
	t.Helper()
	out, err := exec.Command("ceto", args...).Output()
	var r pretrainResult
	if err != nil || json.Unmarshal(bytes.TrimSpace(out), &r) != nil || r.Digest == "" || r.Steps != killSteps {
		t.Fatalf("ceto %v: %v, printed %q", args, err, out)
	}
	return r.Digest
}
