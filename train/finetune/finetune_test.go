package finetune

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train"
)

// tiny is a random Llama of two layers.
const tiny = "../../gpt/testdata/hf/llama-chat"

// write makes a file of the given lines.
func write(t testing.TB, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// texts are n lines of CSV: a text that ends with one of two words, which one, whether it is long, and a number.
func texts(n int) []string {
	lines := []string{"text,class,labels,number"}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		class, long := i%2, i%3 == 0
		text := fmt.Sprintf("number %d is", r.IntN(1000)+1000*i)
		labels := []string{[2]string{"thin", "inn"}[class]}
		if long {
			text = "all day long the " + text
			labels = append(labels, "long")
		}
		text += [2]string{" thin", " an inn"}[class]
		lines = append(lines, fmt.Sprintf("%s,%s,%s,%d", text, [2]string{"a", "b"}[class], strings.Join(labels, "|"), 10+5*class))
	}
	return lines
}

// settings are those of a task on n texts.
func settings(t testing.TB, task string, n int) Settings {
	s := Settings{Task: task, Model: tiny, Data: DataSettings{Path: write(t, "texts.csv", texts(n)...), Text: "text", Label: []string{"class"}}}
	s.Train.Epochs, s.Train.LR = 3, 3e-3
	switch task {
	case "multilabel":
		s.Data.Label = []string{"labels"}
	case "regress":
		s.Data.Label = []string{"number"}
	}
	return s
}

func open(t testing.TB, s Settings) *Job {
	t.Helper()
	j, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// TestTasks learns each task by each method, and has the saved run predict what the job measured.
func TestTasks(t *testing.T) {
	for _, w := range []struct {
		task, method, metric string
		least                float64
	}{
		{"classify", LoRA, "f1", 0.95}, {"classify", Full, "accuracy", 0.95}, {"classify", HeadOnly, "accuracy", 0.95},
		{"multilabel", LoRA, "f1", 0.9}, {"regress", LoRA, "r2", 0.8},
	} {
		t.Run(w.task+" "+w.method, func(t *testing.T) {
			s := settings(t, w.task, 120)
			s.Method = w.method
			j, out := open(t, s), filepath.Join(t.TempDir(), "run")
			r, err := j.Fit(Options{Out: out, Executor: plan.CPU(1)})
			if err != nil {
				t.Fatal(err)
			}
			if got := float64(r.Metrics[w.metric]); !(got >= w.least) || r.TrainRows != 96 || r.ValRows != 24 {
				t.Errorf("%s %.3f of %d and %d rows, want %.2f of 96 and 24; history %v", w.metric, got, r.TrainRows, r.ValRows, w.least, r.Metrics)
			}
			if lo, hi := r.CI95[w.metric][0], r.CI95[w.metric][1]; !(lo <= r.Metrics[w.metric] && r.Metrics[w.metric] <= hi) {
				t.Errorf("%s %.3f is outside of its interval %v", w.metric, r.Metrics[w.metric], r.CI95[w.metric])
			}
			p, err := OpenRun(out, plan.CPU(1))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			samePredictions(t, j, p, r)
		})
	}
}

// samePredictions compares what a saved run says of the validation records with what the job's state says.
func samePredictions(t *testing.T, j *Job, p *Predictor, r *Result) {
	t.Helper()
	var texts []string
	for _, row := range j.val.rows {
		text, err := j.val.r.Text(row, "text")
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	answers, err := p.Predict(texts)
	if err != nil || len(answers) != len(texts) {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	again, err := p.Predict(texts[3:4])
	if err != nil || fmt.Sprint(rounded(again[0])) != fmt.Sprint(rounded(answers[3])) {
		t.Errorf("alone %v, %v, among others %v", rounded(again[0]), err, rounded(answers[3]))
	}
	metrics, ci, err := p.Evaluate(j.val.r) // of all records
	if err != nil || len(metrics) != len(r.Metrics) || len(ci) != len(metrics) {
		t.Errorf("metrics %v, %v", metrics, err)
	}
	if r.BestEpoch == 0 { // the head was fitted again, to the validation records too
		return
	}
	q, err := p.sequences(j.val, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.task.judge(p.Setup, p.run, j.val, q)
	metrics = m.values
	for name, v := range r.Metrics {
		if math.Abs(float64(metrics[name]-v)) > 1e-4 {
			t.Errorf("%s: the saved run has %g, the job had %g, %v", name, metrics[name], v, err)
		}
	}
}

// rounded is an answer to four digits.
func rounded(a Answer) string {
	var v []string
	for name, p := range a.Probabilities {
		v = append(v, fmt.Sprintf("%s %.4f", name, p))
	}
	slices.Sort(v)
	if a.Value != nil {
		v = append(v, fmt.Sprintf("%.3f", *a.Value))
	}
	return a.Label + fmt.Sprint(a.Labels, v)
}

// TestResume interrupts a run after some steps, with a head that was fitted first. The run that goes on from there
// gives the result of a run that was never stopped.
func TestResume(t *testing.T) {
	s := settings(t, "classify", 120)
	s.Train.LR = 1e-3
	fit := func(o Options) (*Result, error) {
		j := open(t, s)
		o.Executor = plan.CPU(1)
		return j.Fit(o)
	}
	whole, err := fit(Options{Out: filepath.Join(t.TempDir(), "run")})
	if err != nil {
		t.Fatal(err)
	}
	want, err := whole.State.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, stop := range []int{1, 7, 12} {
		out, c := filepath.Join(t.TempDir(), "run"), make(chan struct{})
		_, err := fit(Options{Out: out, Interrupt: c, Callbacks: []train.Callback{train.CallbackFunc(func(s *train.Status) error {
			if s.Step == stop {
				close(c)
			}
			return nil
		})}})
		if !errors.Is(err, train.ErrInterrupted) {
			t.Fatalf("stopped after step %d: %v, want ErrInterrupted", stop, err)
		}
		if _, err := OpenRun(out, nil); err == nil || !strings.Contains(err.Error(), "--resume") {
			t.Errorf("a run that is not finished: %v", err)
		}
		r, err := fit(Options{Out: out, Resume: true})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.State.Digest(); err != nil || got != want {
			t.Errorf("stopped after step %d: digest %s, %v, want %s", stop, got, err, want)
		}
		a, _ := json.Marshal(r.Metrics)
		b, _ := json.Marshal(whole.Metrics)
		if r.Verdict != whole.Verdict {
			t.Errorf("stopped after step %d: verdict %v, want that of the whole run, %v", stop, r.Verdict, whole.Verdict)
		}
		first, err := os.ReadFile(filepath.Join(out, ResultFile))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = fit(Options{Out: out, Resume: true}); err != nil {
			t.Fatal(err)
		}
		if again, err := os.ReadFile(filepath.Join(out, ResultFile)); err != nil || string(again) != string(first) {
			t.Errorf("stopped after step %d: resumed when it was finished, the result is %s, %v; want %s", stop, again, err, first)
		}
		if string(a) != string(b) || r.BestEpoch != whole.BestEpoch || r.Epochs != whole.Epochs {
			t.Errorf("stopped after step %d: %s at %g of %g, want %s at %g of %g", stop, a, r.BestEpoch, r.Epochs, b, whole.BestEpoch, whole.Epochs)
		}
	}
}

// TestLogOnce stops a run before its first checkpoint: after the evaluation before the first step, with and without a
// checkpoint of step 0. Resumed, its log has each step once, and the result is that of a run that was never stopped.
func TestLogOnce(t *testing.T) {
	for _, name := range []string{"a kill", "an interrupt"} {
		s := chatSettings(t, 60)
		s.Train.Epochs = 2
		fit := func(o Options) (*Result, error) {
			o.Executor = plan.CPU(1)
			return open(t, s).Fit(o)
		}
		whole, err := fit(Options{})
		if err != nil {
			t.Fatal(err)
		}
		out, c := filepath.Join(t.TempDir(), "run"), make(chan struct{})
		_, err = fit(Options{Out: out, Interrupt: c, Callbacks: []train.Callback{train.CallbackFunc(func(s *train.Status) error {
			if name == "a kill" {
				return errors.New("killed")
			}
			close(c)
			return nil
		})}})
		if err == nil {
			t.Fatal("the run was not stopped")
		}
		r, err := fit(Options{Out: out, Resume: true})
		if err != nil {
			t.Fatal(err)
		}
		if r.Digest != whole.Digest || r.Verdict != whole.Verdict || r.BeforeLoss != whole.BeforeLoss {
			t.Errorf("%s: digest %s, %v, before %g; want %s, %v, %g", name, r.Digest, r.Verdict, r.BeforeLoss, whole.Digest, whole.Verdict, whole.BeforeLoss)
		}
		b, err := os.ReadFile(filepath.Join(out, "log.jsonl"))
		if err != nil || strings.Count(string(b), `{"step":0,`) != 1 || strings.Count(string(b), `{"step":1,`) != 1 || len(r.Whole) != strings.Count(string(b), "\n") {
			t.Errorf("%s: the log, %v, is not one line a step:\n%s", name, err, b)
		}
	}
}

// TestRefuse: settings and records that cannot be used give an error of one clear line.
func TestRefuse(t *testing.T) {
	good := texts(40)
	with := func(line string) string { return write(t, "bad.csv", append(slices.Clone(good), line)...) }
	for name, w := range map[string]struct {
		change func(s *Settings)
		want   []string
	}{
		"task":         {func(s *Settings) { s.Task = "sing" }, []string{`task "sing"`, "classify"}},
		"no column":    {func(s *Settings) { s.Data.Text = "txt" }, []string{`"txt"`, `"text" "class"`}},
		"no label":     {func(s *Settings) { s.Data.Label = nil }, []string{"label", `"class"`}},
		"empty class":  {func(s *Settings) { s.Data.Path, s.Data.Strict = with("x,,thin,1"), true }, []string{"bad.csv:42", "empty class"}},
		"one class":    {func(s *Settings) { s.Data.Path = write(t, "one.csv", "text,class", "x,a", "y,a") }, []string{`all records have the class ["a"]`}},
		"unseen class": {func(s *Settings) { s.Data.ValPath = write(t, "val.csv", good[0], "k l m,a,thin,1", "x y z,c,thin,1") }, []string{"val.csv:3", `class "c"`}},
		"broken line":  {func(s *Settings) { s.Data.Path = with("x,a") }, []string{"bad.csv:42"}},
		"strict":       {func(s *Settings) { s.Data.Context, s.Data.Strict = 3, true }, []string{"texts.csv:2", "tokens, the context holds 3"}},
		"context":      {func(s *Settings) { s.Data.Context = 1 << 20 }, []string{"context is 1048576", "from 1 to"}},
		"number":       {func(s *Settings) { s.Task, s.Data.Label = "regress", []string{"class"} }, []string{"texts.csv:2", `"a"`, "number"}},
		"model":        {func(s *Settings) { s.Model = "nowhere" }, []string{"nowhere"}},
		"method":       {func(s *Settings) { s.Method = "magic" }, []string{"method is magic"}},
		"classes":      {func(s *Settings) { s.Data.Classes = []string{"a", "z"} }, []string{`class "b"`, `"z"`}},
	} {
		s := settings(t, "classify", 40)
		w.change(&s)
		j, err := Open(s)
		if err == nil {
			j.Close()
		}
		for _, want := range w.want {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want a line with %q", name, err, want)
			}
		}
	}
}

// TestCounts: duplicates and leaks are left out, longer texts cut and counted.
func TestCounts(t *testing.T) {
	s := settings(t, "classify", 60)
	lines := texts(60)
	s.Data.Path = write(t, "texts.csv", append(lines, strings.ToUpper(lines[3][:8])+lines[3][8:], lines[5])...)
	s.Data.ValPath = write(t, "val.csv", append([]string{lines[0], lines[7]}, texts(90)[65:]...)...)
	more := s
	more.Data.Path, more.Data.ValPath = write(t, "few.csv", lines[:11]...), write(t, "many.csv", append(lines[:1:1], texts(90)[11:]...)...)
	if c := open(t, more).Counts; c.Train != 10 || c.Val != 80 || len(c.Balance) != 2 { // more records than in the training file
		t.Errorf("%+v", c)
	}
	s.Data.Context = 12
	j := open(t, s)
	if c := j.Counts; c.Duplicates != 2 || c.Leaks != 1 || c.Train != 59 || c.Val != 27 || c.Truncated == 0 || len(c.Warnings) == 0 {
		t.Errorf("%+v", c)
	}
	r, err := record.Open(s.Data.Path, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if slices.Contains(j.train.rows, 6) {
		t.Error("record 6 is in the validation file and in training")
	}
}

// skewed are settings of 90 texts of class a and 30 of class b.
func skewed(t *testing.T) Settings {
	s := settings(t, "classify", 120)
	lines := texts(180)
	kept := lines[:1]
	for i, l := range lines[1:] {
		if i%2 == 0 || i%6 == 1 {
			kept = append(kept, l)
		}
	}
	s.Data.Path = write(t, "skewed.csv", kept...)
	return s
}

// TestClassWeights: the rarer class is positive, and the classes weigh the same in total. Chance is the entropy of
// their shares.
func TestClassWeights(t *testing.T) {
	for mode, want := range map[string]struct{ weight, chance float64 }{"": {2, math.Ln2}, "none": {1, -0.75*math.Log(0.75) - 0.25*math.Log(0.25)}} {
		s := skewed(t)
		s.Train.ClassWeights = mode
		j := open(t, s)
		c := j.task.(*classify)
		w := c.weights(j.Setup)
		if mode == "none" && w != nil || mode == "" && (math.Abs(w[1]-2) > 1e-9 || math.Abs(w[0]-2.0/3) > 1e-9) {
			t.Errorf("%q: weights %v, want 2/3 and %g", mode, w, want.weight)
		}
		if got := c.chance(j.Setup); math.Abs(got-want.chance) > 1e-9 || j.Settings.Data.Positive != "b" {
			t.Errorf("%q: chance %g, want %g; positive %q, want b", mode, got, want.chance, j.Settings.Data.Positive)
		}
	}
}

// TestWeightsOfOneClass: in a batch of the rarer class alone, which a batch by length may be, records keep their
// weight. It is 118/(2·28), as two of the 30 records of the class are held out.
func TestWeightsOfOneClass(t *testing.T) {
	s := skewed(t)
	s.Method = HeadOnly
	lines := texts(20)
	s.Data.ValPath = write(t, "b.csv", lines[0], lines[2], lines[4], lines[6], lines[8])
	r, err := open(t, s).Fit(Options{Executor: plan.CPU(1)})
	if err != nil {
		t.Fatal(err)
	}
	loss, want := float64(r.ValLoss), float64(r.Metrics["log_loss"])*118/(2*28)
	if !(math.Abs(loss-want) <= 1e-6*want) || r.TrainRows != 118 {
		t.Errorf("loss %g of %d rows, want %g of 118", loss, r.TrainRows, want)
	}
}

// TestRefit: the head that is kept was fitted to the validation records too.
func TestRefit(t *testing.T) {
	s := skewed(t)
	s.Method = HeadOnly
	var judged []float32
	read := func(st *train.State) []float32 {
		d, err := st.Read("score.weight")
		if err != nil {
			t.Fatal(err)
		}
		return d.Data().([]float32)
	}
	j := open(t, s)
	r, err := j.Fit(Options{Executor: plan.CPU(1), Callbacks: []train.Callback{train.CallbackFunc(func(s *train.Status) error {
		judged = read(s.Run.State)
		return nil
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if kept := read(r.State); len(judged) == 0 || slices.Equal(kept, judged) || r.Epochs != 0 || r.TrainedParams != len(kept)+2 {
		t.Errorf("the head was not fitted again: %v, %v; %g epochs, %d parameters", judged[:2], kept[:2], r.Epochs, r.TrainedParams)
	}
}

// TestFolds: each record is in one fold's validation part.
func TestFolds(t *testing.T) {
	seen := map[int]int{}
	for fold := 1; fold <= 3; fold++ {
		s := settings(t, "classify", 60)
		s.Data.Folds, s.Data.Fold = 3, fold
		j := open(t, s)
		for _, row := range j.val.rows {
			seen[row]++
		}
		if len(j.val.rows) != 20 || len(j.train.rows) != 40 {
			t.Errorf("fold %d has %d and %d records", fold, len(j.train.rows), len(j.val.rows))
		}
	}
	if len(seen) != 60 {
		t.Errorf("%d records are in some fold's validation part, want 60", len(seen))
	}
}

// TestAugment: training sees another variant of a text each epoch, validation sees the text itself.
func TestAugment(t *testing.T) {
	s := settings(t, "classify", 60)
	s.Data.Augment.Swap = 0.3
	j := open(t, s)
	at := func(p *subset, learn bool, epoch uint64) string {
		vary := j.vary(s.Train.Seed)
		if !learn {
			vary = nil
		}
		q, err := j.sequences(p, vary)
		if err != nil {
			t.Fatal(err)
		}
		e, err := q.At(0, epoch)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(e.IDs)
	}
	variants := map[string]bool{}
	for epoch := range uint64(20) {
		variants[at(j.train, true, epoch)] = true
		if at(j.val, false, epoch) != at(j.val, false, 0) || at(j.train, true, epoch) != at(j.train, true, epoch) {
			t.Fatal("a text that is not trained on changes, or a variant is not the same twice")
		}
	}
	if len(variants) < 5 {
		t.Errorf("%d variants of a text in 20 epochs", len(variants))
	}
}
