package pretrain

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train"
)

// small are settings of steps of a millisecond on a text of its own.
func small(t testing.TB) Settings {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, []byte(strings.Repeat("the quick brown fox jumps over the lazy dog;\nand then it sleeps.\n", 60)), 0o666); err != nil {
		t.Fatal(err)
	}
	s, err := Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	s.Data.Path = path
	s.Model.Layers, s.Model.Width, s.Model.Heads, s.Model.Context, s.Model.Dropout = 1, 16, 2, 16, 0.1
	s.Train.Steps, s.Train.Batch, s.Train.Warmup, s.Train.EvalEvery, s.Train.Checkpoint = 24, 4, 0.25, 10, 0
	return s
}

// fit opens and runs a job.
func fit(t *testing.T, s Settings, o Options) (*Job, *Result, error) {
	t.Helper()
	j, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	o.Executor = plan.CPU(1)
	t.Cleanup(func() { o.Executor.Close() })
	r, err := j.Fit(o)
	return j, r, err
}

// TestFit: figures of a run, its learning rates, and a sample.
func TestFit(t *testing.T) {
	s := small(t)
	ready := 0
	j, r, err := fit(t, s, Options{Ready: func(l *train.Loop) { ready += 1 + l.StepsDone() }})
	if err != nil {
		t.Fatal(err)
	}
	if r.Steps != 24 || len(r.History) != 24 || len(r.Digest) != 64 || r.Params != j.Settings.Model.Params() || ready != 1 {
		t.Errorf("%+v, ready %d", r, ready)
	}
	if last := r.History[23]; float64(r.ValLoss) != last.ValLoss || !(r.ValLoss < 5.6) {
		t.Errorf("val loss %g, the last evaluation's is %g", r.ValLoss, last.ValLoss)
	}
	if want := float64(r.ValLoss) / math.Ln2; math.Abs(float64(r.BitsPerByte)-want) > 1e-12 {
		t.Errorf("%g bits a byte, want %g: a token is a byte", r.BitsPerByte, want)
	}
	if got, want := r.History[0].LR, s.Train.LR/7; math.Abs(got-want) > 1e-12 { // 6 steps of warmup
		t.Errorf("the first learning rate is %g, want %g", got, want)
	}
	if text, err := j.Sample(r); err != nil || len(text) != 301 || text[0] != '\n' {
		t.Errorf("%d bytes of a sample, %v", len(text), err)
	}
}

// TestInterrupt: a run that is interrupted goes on to the same parameters.
func TestInterrupt(t *testing.T) {
	s := small(t)
	_, whole, err := fit(t, s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, stop := filepath.Join(t.TempDir(), "run"), make(chan struct{})
	_, r, err := fit(t, s, Options{Out: out, Interrupt: stop, Callbacks: []train.Callback{train.CallbackFunc(func(s *train.Status) error {
		if s.Step == 7 {
			close(stop)
		}
		return nil
	})}})
	if !errors.Is(err, train.ErrInterrupted) || r != nil {
		t.Fatalf("%v, %v", r, err)
	}
	if dir, err := train.NewestCheckpoint(out, nil); err != nil || filepath.Base(dir) != "step-7" {
		t.Fatalf("%s, %v", dir, err)
	}
	again, err := ReadSettings(filepath.Join(out, "run.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, r, err = fit(t, again, Options{Out: out, Resume: true})
	if err != nil || r.Digest != whole.Digest || r.Steps != 24 || len(r.History) != 17 {
		t.Errorf("%+v, %v; want the digest %s", r, err, whole.Digest)
	}
	_, done, err := fit(t, again, Options{Out: out, Resume: true})
	if err != nil || len(done.History) != 0 || done.Digest != r.Digest || done.Steps != 24 || done.TrainLoss != whole.TrainLoss ||
		done.ValLoss != whole.ValLoss || done.BitsPerByte != whole.BitsPerByte || done.Seconds != r.Seconds || done.TokensPerS != r.TokensPerS {
		t.Errorf("resumed when it was finished, the report is %+v, %v; want that of the run, %+v", done, err, r)
	}
	if r.TrainLoss != whole.TrainLoss || len(r.Whole) != 24 || len(done.Whole) != 24 {
		t.Errorf("the report of the resumed run is of %d steps, training loss %g; want that of the run, %g", len(r.Whole), r.TrainLoss, whole.TrainLoss)
	}
}

// TestResultJSON: a loss that is not finite is null.
func TestResultJSON(t *testing.T) {
	b, err := json.Marshal(Result{ValLoss: train.Number(math.NaN()), BitsPerByte: 2})
	if err != nil || !strings.Contains(string(b), `"val_loss":null,"bits_per_byte":2,`) {
		t.Errorf("%s, %v", b, err)
	}
}

// TestScaleLR keeps the proportion of the two rates.
func TestScaleLR(t *testing.T) {
	s := small(t)
	if s.ScaleLR(0.03); s.Train.LR != 0.03 || math.Abs(s.Train.MinLR-0.003) > 1e-15 {
		t.Errorf("%g and %g", s.Train.LR, s.Train.MinLR)
	}
}

// TestTokenizer reads that of a file and that of a run's newest checkpoint.
func TestTokenizer(t *testing.T) {
	s, out := small(t), filepath.Join(t.TempDir(), "run")
	s.Train.Steps, s.Data.Tokenizer = 1, "char"
	j, _, err := fit(t, s, Options{Out: out})
	if err != nil {
		t.Fatal(err)
	}
	s.Data.Tokenizer = out
	k, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if a, b := j.Text.Vocab(), k.Text.Vocab(); a != b || k.Settings.Model.Vocab != a || a > 40 {
		t.Errorf("%d and %d ids, %d of the model", a, b, k.Settings.Model.Vocab)
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	text := filepath.Join(dir, "text.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("the quick brown fox jumps over the lazy dog\n", 60)), 0o666); err != nil {
		log.Fatal(err)
	}
	s, err := Preset("tiny")
	if err != nil {
		log.Fatal(err)
	}
	s.Data.Path = text
	s.Model.Layers, s.Model.Context = 1, 16
	s.Train.Steps, s.Train.Warmup = 20, 0.1 // of the steps
	job, err := Open(s)
	if err != nil {
		log.Fatal(err)
	}
	defer job.Close()
	result, err := job.Fit(Options{Out: filepath.Join(dir, "run")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Steps, "steps; it has learnt:", result.ValLoss < 4)
	// Output: 20 steps; it has learnt: true
}
