package train

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/nn"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// logged reads a run's log.
func logged(t *testing.T, run string) (lines []record) {
	t.Helper()
	f, err := os.Open(filepath.Join(run, logFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var r record
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatalf("log line %q: %v", s.Text(), err)
		}
		lines = append(lines, r)
	}
	return lines
}

// wantLog reports a log that is not that of the given steps with the given losses.
func wantLog(t *testing.T, name, run string, want []float64) {
	t.Helper()
	var got []float64
	for i, r := range logged(t, run) {
		if r.Step != i+1 {
			t.Errorf("%s: line %d of the log is of step %d", name, i+1, r.Step)
		}
		got = append(got, r.Loss)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: losses in the log %v, want %v", name, got, want)
	}
}

// TestResume stops a run after each step in turn and resumes it: everything is as if it had never stopped.
func TestResume(t *testing.T) {
	for _, sc := range append(scenarios(t), tuned(t)...) {
		run, err := sc.trainer.Fit(sc.data)
		whole := must(t, run, err)
		want := everything(t, whole.State)
		for stop := 1; stop < sc.trainer.Steps; stop += 2 {
			tr := sc.trainer
			tr.Out, tr.CheckpointEvery, tr.Callbacks = t.TempDir(), 3, []Callback{stopAt(stop)}
			if _, err := tr.Fit(sc.data); !errors.Is(err, errStopped) {
				t.Fatalf("%s: %v, want the test's error", sc.name, err)
			}
			tr.Resume, tr.Callbacks = true, nil
			run, err := tr.Fit(sc.data)
			if err != nil {
				t.Fatalf("%s: resume after step %d: %v", sc.name, stop, err)
			}
			if d := cmp.Diff(want, everything(t, run.State)); d != "" {
				t.Errorf("%s: stopped after step %d: parameters and moments (want, got):\n%s", sc.name, stop, d)
			}
			from := (stop - 1) / 3 * 3 // the checkpoint of a step comes after its callbacks
			if got := losses(run.History); !slices.Equal(got, losses(whole.History)[from:]) {
				t.Errorf("%s: stopped after step %d: losses %v, want %v", sc.name, stop, got, losses(whole.History)[from:])
			}
			wantLog(t, sc.name, tr.Out, losses(whole.History))
		}
	}
}

// TestInterrupt closes Interrupt in a step: it is finished, with all its micro-batches, and kept.
func TestInterrupt(t *testing.T) {
	for _, sc := range append(scenarios(t), tuned(t)...) {
		run, err := sc.trainer.Fit(sc.data)
		whole := must(t, run, err)
		tr := sc.trainer
		stop := make(chan struct{})
		tr.Out, tr.Interrupt = t.TempDir(), stop
		tr.Callbacks = []Callback{CallbackFunc(func(s *Status) error {
			if s.Step == 5 {
				close(stop)
			}
			return nil
		})}
		run, err = tr.Fit(sc.data)
		if !errors.Is(err, ErrInterrupted) || len(run.History) != 5 {
			t.Fatalf("%s: %v after %d steps, want ErrInterrupted after 5", sc.name, err, len(run.History))
		}
		tr.Resume, tr.Interrupt, tr.Callbacks = true, nil, nil
		run, err = tr.Fit(sc.data)
		if must(t, run, err); digest(t, run) != digest(t, whole) || !slices.Equal(losses(run.History), losses(whole.History)[5:]) {
			t.Errorf("%s: interrupted and resumed: losses %v, want %v", sc.name, losses(run.History), losses(whole.History)[5:])
		}
	}
}

// failing is a source that fails once, at its n-th batch.
type failing struct {
	TrainData
	n *int
}

func (f failing) Train(seed uint64) data.Source { return failingSource{f.TrainData.Train(seed), f.n} }

type failingSource struct {
	data.Source
	n *int
}

func (f failingSource) Shape(size int) (int, []data.Field) { return data.Shape(f.Source, size) }

func (f failingSource) Largest(size int) (int, []data.Field) { return data.Largest(f.Source, size) }

func (f failingSource) Batches(size, epochs int) int { return data.Batches(f.Source, size, epochs) }

func (f failingSource) Next(b data.Batch) (int, error) {
	if *f.n--; *f.n == 0 {
		return 0, errStopped
	}
	return f.Source.Next(b)
}

// TestStopInStep ends a run between two micro-batches: the step is made again from its first one.
func TestStopInStep(t *testing.T) {
	for _, sc := range scenarios(t) {
		if sc.trainer.Accumulate < 2 {
			continue
		}
		run, err := sc.trainer.Fit(sc.data)
		whole := must(t, run, err)
		tr := sc.trainer
		tr.Out, tr.CheckpointEvery = t.TempDir(), 1
		n := 7*tr.Accumulate + 2 // the second micro-batch of step 8
		_, err = tr.Fit(failing{sc.data, &n})
		if !errors.Is(err, errStopped) {
			t.Fatalf("%s: %v, want the source's error", sc.name, err)
		}
		wantErr(t, sc.name, err, "step 8: batch")
		tr.Resume = true
		run, err = tr.Fit(sc.data)
		if must(t, run, err); digest(t, run) != digest(t, whole) || len(run.History) != tr.Steps-7 {
			t.Errorf("%s: stopped in step 8: %d more steps, or another digest", sc.name, len(run.History))
		}
	}
}

// TestResumeKeeps has what a callback and early stopping decide in a run that stops at each step.
func TestResumeKeeps(t *testing.T) {
	val := classes(13)
	base := rows(SGD{LR: 0.3})
	base.Val, base.EvalEvery, base.Steps = val, 2, 30
	base.Stop = EarlyStopping{Patience: 4, MinDelta: 0.02, RestoreBest: true}
	halve := CallbackFunc(func(s *Status) error {
		if s.Step == 6 || s.Step == 9 {
			s.LRScale /= 2
		}
		return nil
	})
	base.Callbacks = []Callback{halve}
	run, err := base.Fit(classes(22))
	whole := must(t, run, err)
	n := len(whole.History)
	if n == base.Steps || n < 12 {
		t.Fatalf("the run has %d steps: early stopping is not put to the test", n)
	}
	if a, b := whole.History[5].LR, whole.History[12].LR; b > a/3.9 {
		t.Errorf("learning rate %g before and %g after two halvings", a, b)
	}
	for stop := 1; stop <= n; stop += 3 {
		tr := base
		tr.Out, tr.CheckpointEvery, tr.Callbacks = t.TempDir(), 1, []Callback{halve, stopAt(stop + 1)}
		if _, err := tr.Fit(classes(22)); stop+1 <= n && !errors.Is(err, errStopped) {
			t.Fatalf("stop %d: %v", stop, err)
		}
		tr.Resume, tr.Callbacks = true, []Callback{halve}
		for range 2 { // the second time there is nothing left to do but to restore the best
			run, err := tr.Fit(classes(22))
			if must(t, run, err); digest(t, run) != digest(t, whole) {
				t.Errorf("stop %d: another digest; %d steps of %d", stop, len(run.History), n)
			}
		}
		wantLog(t, "early stopping", tr.Out, losses(whole.History))
	}
}

func TestLogIsCut(t *testing.T) {
	tr := rows(SGD{LR: 0.1})
	tr.Out, tr.Steps, tr.CheckpointEvery = t.TempDir(), 4, 2
	run, err := tr.Fit(classes(12))
	must(t, run, err)
	path := filepath.Join(tr.Out, logFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	more := strings.ReplaceAll(string(whole), `"step":4`, `"step":5`)
	for _, rest := range []string{"", `{"step":5,"lo`, "\x00\x00\x00", more, more + `{"step":6`, "\n\n"} {
		if err := os.WriteFile(path, append(slices.Clone(whole), rest...), 0o666); err != nil {
			t.Fatal(err)
		}
		tr.Resume, tr.Steps = true, 4
		run, err := tr.Fit(classes(12))
		must(t, run, err)
		got, err := os.ReadFile(path)
		must(t, got, err)
		if string(got) != string(whole) { // the first three lines of more are of steps that the log has
			t.Errorf("log with %q behind it is cut to\n%s\nwant\n%s", rest, got, whole)
		}
	}
}

func TestRunFolder(t *testing.T) {
	tr := rows(SGD{LR: 0.1})
	tr.Config = map[string]any{"lr": 0.1}
	tr.Out = filepath.Join(t.TempDir(), "run")
	tr.Resume = true
	_, err := tr.Fit(classes(12))
	wantErr(t, "resume of nothing", err, tr.Out, "no run to resume")
	if _, err := os.Stat(tr.Out); !os.IsNotExist(err) {
		t.Errorf("resume of nothing made %s", tr.Out)
	}
	tr.Resume = false
	l, err := tr.Start(classes(12))
	if err != nil {
		t.Fatal(err)
	}
	_, err = tr.Fit(classes(12))
	wantErr(t, "second run in the folder", err, "holds a run already")
	tr.Resume = true
	_, err = tr.Fit(classes(12))
	wantErr(t, "folder in use", err, tr.Out, "in use by another process")
	if !errors.Is(err, atomicfile.ErrInUse) {
		t.Errorf("folder in use: %v is not ErrInUse", err)
	}
	l.Close()
	run, err := tr.Fit(classes(12)) // it has no checkpoint yet: the run starts anew
	must(t, run, err)
	plain := tr
	plain.Out, plain.Resume = "", false
	other, err := plain.Fit(classes(12))
	if must(t, other, err); digest(t, run) != digest(t, other) {
		t.Error("a run that resumed before its first checkpoint differs from one that never stopped")
	}
	b, err := os.ReadFile(filepath.Join(tr.Out, runFile))
	if must(t, b, err); string(b) != "lr: 0.1\n" {
		t.Errorf("%s is %q", runFile, b)
	}
}

// TestResumeRefuses resumes with another model, optimizer, data or seed: nothing changes, and the error names what
// differs first.
func TestResumeRefuses(t *testing.T) {
	tr := rows(Adam{LR: 0.1})
	tr.Out, tr.Steps = t.TempDir(), 2
	run, err := tr.Fit(classes(12))
	must(t, run, err)
	tr.Resume, tr.Steps = true, 4
	wide := nn.Sequential{nn.Linear{Out: 9}, nn.Tanh, nn.Dropout{}, nn.LayerNorm{}, nn.Linear{Out: 3}}
	for _, c := range []struct {
		name   string
		change func(tr *Trainer)
		data   TrainData
		want   []string
	}{
		{"wider", func(tr *Trainer) { tr.Model = wide }, nil, []string{"model.safetensors", "wrong shape: 0.weight is [3 7], the model wants [3 9]"}},
		{"deeper", func(tr *Trainer) { tr.Model = nn.Sequential{nn.Linear{Out: 3}, small(0)} }, nil, []string{"0.weight is [3 7], the model wants [3 3]"}},
		{"other optimizer", func(tr *Trainer) { tr.Optimizer = SGD{LR: 0.1, Momentum: 0.9} }, nil, []string{"optimizer.safetensors", "missing: momentum.0.weight"}},
		{"other data", func(*Trainer) {}, classes(13), []string{"not the same data"}},
		{"other seed", func(tr *Trainer) { tr.Seed++ }, nil, []string{"seed 3, the trainer has 4"}},
	} {
		tr := tr
		c.change(&tr)
		if c.data == nil {
			c.data = classes(12)
		}
		_, err := tr.Fit(c.data)
		wantErr(t, c.name, err, c.want...)
	}
	if ck, err := NewestCheckpoint(tr.Out, nil); err != nil || filepath.Base(ck) != "step-2" {
		t.Errorf("newest checkpoint %s, %v, want step-2", ck, err)
	}
	wantLog(t, "after refusals", tr.Out, losses(run.History))
}

// TestResumeNaN keeps a run whose evaluations are not finite in JSON's bounds.
func TestResumeNaN(t *testing.T) {
	nan := float32(math.NaN())
	tr := rows(SGD{LR: 0.1})
	tr.Val, tr.EvalEvery, tr.Out = data.Rows([][]float32{{nan, 0, 0}}, []int{0}), 1, t.TempDir()
	run, err := tr.Fit(classes(12))
	must(t, run, err)
	if s := run.History[2]; !s.Evaluated || s.ValLoss == s.ValLoss {
		t.Errorf("val loss %g, want NaN", s.ValLoss)
	}
	tr.Resume, tr.Steps = true, 20
	run, err = tr.Fit(classes(12))
	must(t, run, err)
}
