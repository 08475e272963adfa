//go:build gpu

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	asked    = regexp.MustCompile(`(\d+) allocations and (\d+) launches were asked for`)
	noMemory = regexp.MustCompile(`\d+ bytes for [a-z]`)
	fits     = regexp.MustCompile(`a batch of \d+ fits|no batch fits`)
	place    = regexp.MustCompile(`(h\.0|wte|wpe|ln_f|sum|update|head)[\w.]*: \w+|plan: [\w.]*: \w+|cuda: (guards|report)`)
)

// TestEmulatedFaults: each allocation that fails, and launches that fail, end the run with an error that says what, and
// nothing stays allocated.
func TestEmulatedFaults(t *testing.T) {
	_, said, err := toyRun(t, "report", "emulated", filepath.Join(t.TempDir(), "run"), "--steps", "1")
	m := asked.FindStringSubmatch(said)
	if err != nil || m == nil || !strings.Contains(said, "\n0 allocations left") {
		t.Fatalf("%v\n%s", err, said)
	}
	count := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	faulty := func(env string, wants ...*regexp.Regexp) {
		_, said, err := toyRun(t, env+",report", "emulated", filepath.Join(t.TempDir(), "run"), "--steps", "1")
		if err == nil || !strings.Contains(said, "\n0 allocations left") {
			t.Errorf("%s: %v\n%s", env, err, said)
		}
		for _, w := range wants {
			if !w.MatchString(said) {
				t.Errorf("%s: no %q in\n%s", env, w, said)
			}
		}
	}
	for n := range count(m[1]) {
		faulty(fmt.Sprint("fail:alloc:", n+1), noMemory, fits)
	}
	r := rand.New(rand.NewPCG(16, 11))
	for range 30 {
		faulty(fmt.Sprint("fail:launch:", 1+r.IntN(count(m[2]))), place)
	}
}

// TestEmulatedKill: a run that is killed at any moment goes on from its last checkpoint, to the bits of a run that
// nothing stopped.
func TestEmulatedKill(t *testing.T) {
	dir := t.TempDir()
	steps := []string{"--steps", "12", "--checkpoint-every", "1"}
	want, said, err := toyRun(t, "", "emulated", filepath.Join(dir, "whole"), steps...)
	if err != nil || want == "" {
		t.Fatalf("%v\n%s", err, said)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		run := filepath.Join(dir, fmt.Sprint(i))
		ctx, kill := context.WithCancel(t.Context()) // its end is SIGKILL
		c := exec.CommandContext(ctx, exe)
		c.Args = append(append(append([]string{"ceto"}, toy...), "--device", "emulated", "--out", run), steps...)
		c.Env = os.Environ()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for {
			if list, _ := os.ReadDir(filepath.Join(run, "checkpoints")); len(list) > 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(time.Second))))
		kill()
		_ = c.Wait() // killed, or done
		out, errs, err := child(t, nil, "pretrain", "--resume", run, "--device", "emulated", "--threads", "1", "--json")
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("resumed: %v\n%s%s, want the digest %s", err, out, errs, want)
		}
	}
}

// TestEmulatedLaunches: a step asks for the launches that inspect predicts, with cuBLASLt and without it.
func TestEmulatedLaunches(t *testing.T) {
	shape := []string{"--preset", "tiny", "--batch", "2", "--context", "32", "--device", "emulated", "--threads", "1", "--json"}
	for _, refuse := range []string{"", "refuse:cublaslt"} {
		out, errs, err := child(t, []string{"CETO_EMU=" + refuse}, append([]string{"inspect", "--launches"}, shape...)...)
		var want struct{ Launches int }
		if err == nil {
			err = json.Unmarshal([]byte(out), &want)
		}
		if err != nil || want.Launches == 0 {
			t.Fatalf("inspect: %v\n%s%s", err, out, errs)
		}
		path, run := filepath.Join(t.TempDir(), "trace"), filepath.Join(t.TempDir(), "run")
		args := append([]string{"pretrain", "--data", "../../testdata/small.txt", "--steps", "2", "--out", run}, shape...)
		if _, errs, err := child(t, []string{"CETO_EMU=" + refuse + ",trace:" + path}, args...); err != nil {
			t.Fatalf("%v\n%s", err, errs)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, step, _ := strings.Cut(string(b), "mark step 1.0\n")
		step, _, ok := strings.Cut(step, "mark step 2.")
		if n := strings.Count(step, " cuLaunchKernel[") + strings.Count(step, " cublasLtMatmul["); n != want.Launches || !ok {
			t.Errorf("%s: a step has %d launches, inspect says %d", refuse, n, want.Launches)
		}
	}
}
