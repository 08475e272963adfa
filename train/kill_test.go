//go:build unix

package train

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/pkg/errors"
)

// kill ends the process as kill -9 does.
func kill() {
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// TestMain is the program that TestKill starts, where its environment says so.
func TestMain(m *testing.M) {
	if os.Getenv("CETO_KILL_RUN") == "" {
		os.Exit(m.Run())
	}
	if err := killed(os.Getenv("CETO_KILL_RUN"), os.Getenv("CETO_KILL_AT")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// killed trains in a run folder, resuming what is there, and prints the digest, unless it is killed before.
func killed(out, at string) error {
	p, err := parsePoint(at)
	if err != nil {
		return err
	}
	d, err := data.Text(filepath.Join(filepath.Dir(out), "text"), data.TextOptions{Context: 8})
	if err != nil {
		return err
	}
	tr := killRun(d)
	tr.Out = out
	_, e := os.Stat(filepath.Join(out, runFile))
	tr.Resume = e == nil
	run, err := tr.Fit(p.arm(&tr, d))
	if err != nil {
		return err
	}
	digest, err := run.State.Digest()
	fmt.Println(digest)
	return err
}

// killRun is the run that is killed.
func killRun(d *data.TextData) Trainer {
	tr := text(d, AdamW{LR: 0.02, Decay: 0.1})
	tr.Accumulate, tr.Steps, tr.CheckpointEvery = 3, 66, 2
	return tr
}

// watched tells of each batch before it is given: the n-th since the start of training, from 1.
type watched struct {
	TrainData
	at func(n int)
}

func (w watched) Train(seed uint64) data.Source { return watchedSource{w.TrainData.Train(seed), w.at} }

type watchedSource struct {
	data.Source
	at func(n int)
}

func (w watchedSource) Next(b data.Batch) (int, error) {
	for _, a := range b {
		w.at(int(w.Position().Next)/a.Shape[0] + 1)
		break
	}
	return w.Source.Next(b)
}

// TestKill runs this binary as a training program and kills it with SIGKILL again and again: at ends of steps, between
// micro-batches, and inside checkpoints. What is left resumes each time, and ends with the digest of a run that was
// never killed.
func TestKill(t *testing.T) {
	points := []point{
		{1, 0, 0}, {3, 2, 0}, {6, 0, 1}, {8, 0, 0}, {11, 3, 0}, {14, 0, 9}, {16, 0, 0}, {20, 0, 5}, {22, 0, 0}, {25, 2, 0},
		{28, 0, 12}, {30, 3, 0}, {32, 0, 0}, {36, 0, 13}, {38, 1, 0}, {41, 0, 0}, {45, 2, 0}, {50, 0, 0}, {57, 3, 0}, {65, 0, 0},
	}
	if testing.Short() {
		points = []point{{3, 2, 0}, {14, 0, 9}, {20, 0, 13}, {41, 0, 0}}
	}
	d := words(t)
	run, err := killRun(d).Fit(d)
	want := digest(t, must(t, run, err))
	folder := t.TempDir()
	text := strings.Repeat("the sea is calm tonight. the tide is full. ", 20)
	if err := os.WriteFile(filepath.Join(folder, "text"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(folder, "run")
	start := func(at string) (string, error) {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "CETO_KILL_RUN="+out, "CETO_KILL_AT="+at)
		b, err := c.CombinedOutput()
		return string(b), err
	}
	for _, p := range points {
		s, err := start(p.String())
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("to be killed at %v: %v\n%s", p, err, s)
		}
	}
	if s, err := start(""); err != nil || strings.TrimSpace(s) != want {
		t.Errorf("killed %d times, the digest is %s, %v, want %s", len(points), s, err, want)
	}
	wantSteps(t, "killed", out, killRun(d).Steps)
}
