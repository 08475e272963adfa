package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/internal/splitmix"
)

// long are command lines that work for a long time; words as in samples, but TEXT and TABLE are large. A line that
// begins with "+" trains: it ends at its next step, says how to go on, and leaves a checkpoint.
var long = []string{
	"tokenize train TEXT --vocab 20000 --out NEW",
	"tokenize corpus TEXT --tokenizer MODEL --out NEW",
	"tokenize encode TEXT --tokenizer MODEL",
	"tokenize count TEXT --tokenizer MODEL",
	"tokenize bench TEXT --tokenizer MODEL",
	"pretrain --data TEXT --tokenizer MODEL --out NEW",
	"+pretrain --data SMALL --tokenizer char --steps 100000 --set model.layers=1 --context 16 --out NEW",
	"finetune --model MODEL --data TABLE --task classify --out NEW",
	"+finetune --model MODEL --data SMALLTABLE --task classify --epochs 10000 --patience 10000 --no-head-fit --out NEW",
	"finetune --model MODEL --data SMALLTABLE --task classify --find-lr --context 64 --batch 2000",
	"data check --data TABLE",
	"predict --run RUN --data TABLE",
	"eval --run RUN --data TABLE",
	"generate --model MODEL --prompt hi --tokens 10000000 --bias 2=-100",
	"generate --model MODEL --prompt hi --tokens 10000000 --bias 2=-100 --json",
	"chat --model MODEL --tokens 10000000 < TEXT",
	"bench gemm --rounds 1000",
	"bench step --steps 100000",
	"bench generate --model MODEL --prompt-tokens 2 --tokens 50 --prefill 2 --rounds 100000",
	"gradcheck --preset tiny --full",
	"demo xor --seeds 100000",
	"pull o/n",
}

// TestSignals sends Ctrl-C or SIGTERM to commands that work: each ends within two seconds with code 130. What it was
// about to write is not there, or is a checkpoint.
func TestSignals(t *testing.T) {
	s := newSampler(t)
	small := []string{filepath.Join(s.dir, "text"), filepath.Join(s.dir, "texts.csv")}
	large := &sampler{dir: t.TempDir(), run: s.run, model: s.model}
	fakeHub(t, map[string]string{"config.json": "{}", "model.safetensors": "x", "slow.bin": strings.Repeat("x", 3000)})
	for i, name := range []string{"text", "texts.csv"} {
		text, err := os.ReadFile(small[i])
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := bytes.Cut(text, []byte("\n"))
		text = append(append(head, '\n'), bytes.Repeat(rest, 15<<20/len(rest))...)
		for n := 0; name == "text" && len(text) < 30<<20; n++ { // words that a tokenizer cannot count together
			text = fmt.Appendf(text, "%x ", splitmix.Mix(uint64(n)))
		}
		if err := os.WriteFile(filepath.Join(large.dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for i, line := range long {
		line, trains := strings.CutPrefix(line, "+")
		out := filepath.Join(t.TempDir(), "out")
		line = strings.NewReplacer("NEW", out, "SMALLTABLE", small[1], "SMALL", small[0]).Replace(line)
		sig := []os.Signal{os.Interrupt, syscall.SIGTERM}[i%2]
		if strings.HasPrefix(line, "pull") {
			line += " --file *.bin"
		}
		stopped(t, large, line, sig, out, trains)
	}
}

// stopped starts a command, sends it a signal while it works, and looks at what it leaves.
func stopped(t *testing.T, s *sampler, line string, sig os.Signal, out string, trains bool) {
	c := s.command(t, line)
	var msg bytes.Buffer
	c.Stderr = &msg
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	ready := time.Now().Add(400 * time.Millisecond)
	for trains && time.Now().Before(ready.Add(20*time.Second)) && lines(out) < 3 {
		time.Sleep(10 * time.Millisecond)
	}
	select {
	case err := <-ended:
		t.Errorf("ceto %s: ended before the signal: %v, %s", line, err, &msg)
		return
	case <-time.After(time.Until(ready)):
	}
	begin := time.Now()
	if err := c.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		c.Process.Kill()
		<-ended
	}
	if took := time.Since(begin); took > 2*time.Second || c.ProcessState.ExitCode() != exitStopped {
		t.Errorf("ceto %s: %v: ended after %v with %v, want 130 within 2 s; %s", line, sig, took, c.ProcessState, &msg)
	}
	points, _ := filepath.Glob(filepath.Join(out, "checkpoints", "*", "state.json"))
	if trains != strings.Contains(msg.String(), "--resume") || trains != (len(points) > 0) {
		t.Errorf("ceto %s: %d checkpoints; %s", line, len(points), &msg)
	}
	files, _ := filepath.Glob(filepath.Join(out, "*.*"))
	for _, f := range files {
		if !trains && !strings.HasSuffix(f, ".ceto-tmp") && filepath.Base(f) != "run.yaml" && filepath.Base(f) != "log.jsonl" {
			t.Errorf("ceto %s: left %s", line, f)
		}
	}
}

// TestSecondSignal: while a command takes its time to end, a second signal ends it at once; so does the time after its
// work is whole.
func TestSecondSignal(t *testing.T) {
	codes := make(chan int, 3)
	fresh := func() *signals { return &signals{exit: func(code int) { codes <- code }, cancel: func() {}} }
	s := fresh()
	release := s.hold()
	if s.arrive(os.Interrupt); len(codes) != 0 || !s.stopped() {
		t.Error("the first signal ended a command that was to end by itself")
	}
	if s.arrive(syscall.SIGTERM); len(codes) != 1 || <-codes != exitStopped {
		t.Error("the second signal did not end the program")
	}
	release()
	select {
	case code := <-codes:
		if code != exitStopped {
			t.Error(fmt.Sprint(code))
		}
	case <-time.After(20 * time.Second):
		t.Error("a command whose work is whole went on after a signal")
	}
	s = fresh()
	s.hold()()
	if s.arrive(os.Interrupt); len(codes) != 1 {
		t.Error("a released command went on after a signal")
	}
}
