//go:build gpu

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// toy are the arguments of a training run that takes seconds on the emulated GPU.
var toy = []string{"pretrain", "--data", "../../testdata/small.txt", "--preset", "tiny", "--batch", "2", "--context", "16", "--set", "model.layers=1",
	"--set", "model.width=32", "--set", "model.heads=2", "--set", "model.dropout=0.1", "--seed", "1", "--threads", "1", "--json"}

// toyRun trains on a device into a folder, and returns the result's digest and what was said.
func toyRun(t *testing.T, env, device, out string, more ...string) (digest, said string, err error) {
	t.Helper()
	args := append(append(append([]string{}, toy...), "--device", device, "--out", out), more...)
	stdout, stderr, err := child(t, []string{"CETO_EMU=" + env}, args...)
	var r struct{ Digest string }
	if i := strings.LastIndex(strings.TrimSpace(stdout), "{\""); i >= 0 {
		_ = json.Unmarshal([]byte(stdout[i:]), &r) // no result: no digest
	}
	return r.Digest, stdout + stderr, err
}

// stepsOf are the losses and gradient norms of a run's log.
func stepsOf(t *testing.T, run string) (losses, norms []float64) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(run, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var r struct {
			Loss *float64 `json:"loss"`
			Norm float64  `json:"grad_norm"`
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if r.Loss != nil {
			losses, norms = append(losses, *r.Loss), append(norms, r.Norm)
		}
	}
	return losses, norms
}

// near reports the largest relative difference above a tolerance.
func near(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%s: %d steps, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if e := math.Abs(got[i]-w) / math.Abs(w); got[i] != w && !(e <= tol) {
			t.Errorf("%s: step %d has %g, the CPU %g: %.2g apart, at most %g", what, i+1, got[i], w, e, tol)
		}
	}
}

// TestEmulatedParity: runs on the emulated GPU have the CPU's losses, with the same dropout.
func TestEmulatedParity(t *testing.T) {
	for name, more := range map[string][]string{"whole": nil, "accumulate": {"--accumulate", "2"}, "recompute": {"--recompute", "0.2"}} {
		dir := t.TempDir()
		more = append(more, "--steps", "3")
		if _, said, err := toyRun(t, "", "cpu", filepath.Join(dir, "cpu"), more...); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, said)
		}
		wantLoss, wantNorm := stepsOf(t, filepath.Join(dir, "cpu"))
		for i, env := range []string{"", "refuse:cublaslt", "refuse:bias"} {
			run := filepath.Join(dir, fmt.Sprint(i))
			if _, said, err := toyRun(t, env, "emulated", run, more...); err != nil {
				t.Fatalf("%s, %s: %v\n%s", name, env, err, said)
			}
			loss, norm := stepsOf(t, run)
			near(t, name+", "+env+": loss", loss, wantLoss, 1e-4)
			near(t, name+", "+env+": gradient norm", norm, wantNorm, 1e-3)
		}
	}
}

// TestEmulatedOrder: streams are served in any order, and the bits are the same, with cuBLASLt and without it.
func TestEmulatedOrder(t *testing.T) {
	for _, refuse := range []string{"", "refuse:cublaslt,"} {
		digests := map[string]bool{}
		for n := range 21 {
			env := refuse + fmt.Sprint("order:", n)
			d, said, err := toyRun(t, env, "emulated", filepath.Join(t.TempDir(), "run"), "--steps", "2")
			if err != nil || d == "" {
				t.Fatalf("%s: %v\n%s", env, err, said)
			}
			digests[d] = true
		}
		if len(digests) != 1 {
			t.Errorf("%s: digests %v, want one", refuse, digests)
		}
	}
}

// TestEmulatedResume: a run whose GPU was lost goes on from its checkpoint, to the bits of a run that nothing stopped.
// On the CPU it goes on to the same losses.
func TestEmulatedResume(t *testing.T) {
	dir := t.TempDir()
	steps := []string{"--steps", "4", "--checkpoint-every", "1"}
	want, said, err := toyRun(t, "", "emulated", filepath.Join(dir, "whole"), steps...)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, device := range []string{"emulated", "cpu"} {
		run := filepath.Join(dir, device)
		if _, said, err := toyRun(t, "lost:1100,report", "emulated", run, steps...); err == nil || !strings.Contains(said, "0 allocations left") {
			t.Fatalf("a GPU that is lost: %v\n%s", err, said)
		}
		if _, err := os.Stat(filepath.Join(run, "checkpoints")); err != nil {
			t.Fatal("the GPU was lost before the first checkpoint")
		}
		if _, errs, err := child(t, nil, "generate", "--model", run, "--device", device, "--prompt", "a", "--tokens", "2"); err != nil {
			t.Errorf("the last checkpoint on %s: %v\n%s", device, err, errs)
		}
		out, errs, err := child(t, nil, "pretrain", "--resume", run, "--device", device, "--threads", "1", "--json")
		if err != nil {
			t.Fatalf("resume on %s: %v\n%s", device, err, errs)
		}
		if device == "emulated" && !strings.Contains(out, want) {
			t.Errorf("resumed: %s, want the digest %s", out, want)
		}
		wantLoss, _ := stepsOf(t, filepath.Join(dir, "whole"))
		loss, _ := stepsOf(t, run)
		near(t, "resumed on "+device, loss, wantLoss, 1e-4)
	}
}

// TestEmulatedGenerate: greedy and beam ids are the CPU's.
func TestEmulatedGenerate(t *testing.T) {
	for _, model := range []string{"hf/llama-chat", "gguf/llama-chat.gguf"} {
		for _, more := range [][]string{{"--temperature", "0"}, {"--beams", "3"}} {
			ids := map[string]string{}
			for _, device := range []string{"cpu", "emulated"} {
				args := append([]string{"generate", "--model", "../../gpt/testdata/" + model, "--prompt", "ab", "--tokens", "6",
					"--json", "--device", device, "--threads", "1"}, more...)
				out, errs, err := child(t, nil, args...)
				if err != nil {
					t.Fatalf("%s on %s: %v\n%s", model, device, err, errs)
				}
				var r struct{ IDs []int32 }
				if err := json.Unmarshal([]byte(out), &r); err != nil {
					t.Fatal(err)
				}
				ids[device] = fmt.Sprint(r.IDs)
			}
			if ids["cpu"] != ids["emulated"] {
				t.Errorf("%s %v: ids %s, on the CPU %s", model, more, ids["emulated"], ids["cpu"])
			}
		}
	}
}

// TestEmulatedStories: a model that writes stories has the CPU's 50 tokens, greedy and by beams, with log-probabilities
// within 1e-4.
func TestEmulatedStories(t *testing.T) {
	data := os.Getenv("CETO_DATA")
	if data == "" {
		t.Skip("CETO_DATA names no folder with stories260k")
	}
	type result struct {
		IDs      []int32
		Logprobs []float64
	}
	for _, more := range [][]string{{"--temperature", "0"}, {"--beams", "3"}} {
		got := map[string]result{}
		for _, device := range []string{"cpu", "emulated"} {
			out, errs, err := child(t, nil, append([]string{"generate", "--model", filepath.Join(data, "stories260k", "stories260K.bin"),
				"--prompt", "Once upon a time", "--tokens", "50", "--json", "--device", device}, more...)...)
			var r result
			if err == nil {
				err = json.Unmarshal([]byte(out), &r)
			}
			if err != nil || len(r.IDs) != 50 {
				t.Fatalf("%v on %s: %d tokens, %v\n%s", more, device, len(r.IDs), err, errs)
			}
			got[device] = r
		}
		if !slices.Equal(got["cpu"].IDs, got["emulated"].IDs) {
			t.Errorf("%v: ids %v, on the CPU %v", more, got["emulated"].IDs, got["cpu"].IDs)
		}
		for i, p := range got["cpu"].Logprobs {
			if e := math.Abs(got["emulated"].Logprobs[i] - p); !(e <= 1e-4) {
				t.Errorf("%v: log-probability %d is %g apart", more, i, e)
			}
		}
	}
}

// TestEmulatedTrace: within a step nothing is allocated, freed or loaded, at most 64 bytes go to the host, and the host
// waits once at most.
func TestEmulatedTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	if _, said, err := toyRun(t, "trace:"+path, "emulated", filepath.Join(t.TempDir(), "run"), "--steps", "4"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(b), "mark step ")
	steps := 0
	for i, part := range parts {
		step, calls, _ := strings.Cut(part, "\n")
		if i < 2 || i+1 == len(parts) || strings.HasPrefix(step, "1.") || !strings.HasPrefix(parts[i+1], fmt.Sprint(i+1, ".")) {
			continue // before the first step, with what is made once; behind the last
		}
		steps++
		waits := strings.Count(calls, "Synchronize")
		for _, bad := range []string{"cuMemAlloc", "cuMemFree", "cuModule"} {
			if strings.Contains(calls, bad) {
				t.Errorf("step %s: %s", step, bad)
			}
		}
		bytes := 0
		for _, m := range regexp.MustCompile(`cuMemcpyDtoHAsync\[(\d+)`).FindAllStringSubmatch(calls, -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			bytes += n
		}
		if waits > 1 || bytes > 64 {
			t.Errorf("step %s: the host waits %d times, and gets %d bytes", step, waits, bytes)
		}
	}
	if steps == 0 {
		t.Error("no step between two marks")
	}
}

// TestEmulatedFinetune: LoRA and a new head learn the same on the emulated GPU, from sums of micro-batches of several
// lengths too. So do all parameters.
func TestEmulatedFinetune(t *testing.T) {
	dir := t.TempDir()
	var csv strings.Builder
	csv.WriteString("text,label\n")
	for i := range 40 {
		fmt.Fprintf(&csv, "number %d is %s%s,%c\n", i*977%1000, strings.Repeat("so ", i%5), [2]string{"thin", "an inn"}[i%2], 'a'+rune(i%2))
	}
	data := filepath.Join(dir, "texts.csv")
	if err := os.WriteFile(data, []byte(csv.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string][]string{
		"lora": nil, "accumulate": {"--accumulate", "2", "--batch", "4", "--lora-dropout", "0.1"}, "full": {"--method", "full"},
	} {
		for _, device := range []string{"cpu", "emulated"} {
			_, errs, err := child(t, nil, append([]string{"finetune", "--model", "../../gpt/testdata/hf/llama-chat", "--data", data, "--task", "classify",
				"--epochs", "1", "--seed", "1", "--json", "--device", device, "--threads", "1", "--out", filepath.Join(dir, name+device)}, more...)...)
			if err != nil {
				t.Fatalf("%s, %s: %v\n%s", name, device, err, errs)
			}
		}
		want, wantNorm := stepsOf(t, filepath.Join(dir, name+"cpu"))
		got, norm := stepsOf(t, filepath.Join(dir, name+"emulated"))
		near(t, name+": loss", got, want, 1e-4)
		near(t, name+": gradient norm", norm, wantNorm, 1e-3)
	}
}
