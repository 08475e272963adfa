package finetune

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
)

// asks are n questions in CSV with one of two answers, which the last word tells.
func asks(n int) []string {
	lines := []string{"number,where,answer"}
	for i := range n {
		lines = append(lines, fmt.Sprintf("%d,%s,%s", 1000+i*7, [2]string{"thin", "an inn"}[i%2], [2]string{"in", "on the"}[i%2]))
	}
	return lines
}

func chatSettings(t testing.TB, n int) Settings {
	s := Settings{Task: "chat", Model: tiny, Data: DataSettings{Path: write(t, "chats.csv", asks(n)...), Layout: Layout{Template: "{number} is {where}", Answer: "answer"}}}
	s.Train.Epochs, s.Train.LR = 6, 1e-2
	return s
}

func openRecords(t testing.TB, path string) *record.Records {
	t.Helper()
	r, err := record.Open(path, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestChat learns to answer, packed and padded, by each method; the saved run has the loss that the job measured, and
// writes the answers.
func TestChat(t *testing.T) {
	for _, w := range []struct {
		method string
		padded bool
	}{{LoRA, false}, {LoRA, true}, {Full, false}} {
		t.Run(fmt.Sprint(w.method, " padded ", w.padded), func(t *testing.T) {
			s := chatSettings(t, 120)
			s.Method, s.Data.NoPacking = w.method, w.padded
			j, out := open(t, s), filepath.Join(t.TempDir(), "run")
			r, err := j.Fit(Options{Out: out, Executor: plan.CPU(1)})
			if err != nil {
				t.Fatal(err)
			}
			if !(r.ValLoss < 0.2 && r.BeforeLoss > 4 && r.Metrics["token_accuracy"] > 0.9) || r.TrainRows != 96 || r.ValRows != 24 {
				t.Errorf("loss %g after %g of %d and %d rows, %v; want below 0.2 after more than 4 of 96 and 24", r.ValLoss, r.BeforeLoss, r.TrainRows, r.ValRows, r.Metrics)
			}
			if n := r.History[0].Steps; !w.padded && n != 6*((j.Counts.Tokens+255)/256) {
				t.Errorf("%d steps of one row for 6 times %d tokens in %d examples", n, j.Counts.Tokens, r.TrainRows)
			}
			if got := float64(r.Metrics["loss"]); math.Abs(got-float64(r.ValLoss)) > 1e-5 || math.Abs(math.Exp(got)-float64(r.Metrics["perplexity"])) > 1e-9 {
				t.Errorf("metrics %v, the loop's loss %g", r.Metrics, r.ValLoss)
			}
			p, err := OpenRun(out, plan.CPU(1))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			answers(t, j, p, r)
		})
	}
}

// answers has a saved run write the answers to the validation records.
func answers(t *testing.T, j *Job, p *Predictor, r *Result) {
	t.Helper()
	q, err := p.sequences(j.val, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.task.judge(p.Setup, p.run, j.val, q)
	if err != nil || math.Abs(float64(m.values["loss"]-r.Metrics["loss"])) > 1e-4 {
		t.Errorf("the saved run has %v, the job had %v, %v", m.values, r.Metrics, err)
	}
	values, ci, texts, err := p.EvaluateText(j.val.r, j.val.rows, []string{"exact", "chrf"}, 8)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, row := range j.val.rows {
		want, err := j.val.r.Text(row, "answer")
		if err != nil {
			t.Fatal(err)
		}
		if texts[i] == want {
			right++
		}
	}
	if got := float64(values["exact"]); got != float64(right)/float64(len(texts)) || got < 0.9 || !(ci["exact"][0] <= values["exact"]) || values["chrf"] < 90 {
		t.Errorf("%v, %v of answers %q", values, ci, texts)
	}
	predicted, err := p.PredictRows(j.val.r, j.val.rows[:3])
	if err != nil || *predicted[2].Text != texts[2] {
		t.Errorf("%v, %v; want %q", predicted, err, texts[:3])
	}
}

// TestBase measures the pretrained model as a run of it would before the first step.
func TestBase(t *testing.T) {
	s := chatSettings(t, 40)
	j := open(t, s)
	r, err := j.Fit(Options{Executor: plan.CPU(1)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenBase(j.Settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	q, err := p.sequences(j.val, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.task.judge(p.Setup, p.run, j.val, q)
	if err != nil || math.Abs(float64(m.values["loss"]-r.BeforeLoss)) > 1e-5 {
		t.Errorf("loss %g, %v; before training the run had %g", m.values["loss"], err, r.BeforeLoss)
	}
	if _, _, texts, err := p.EvaluateText(j.val.r, nil, []string{"bleu"}, 4); err != nil || len(texts) != 40 || !utf8.ValidString(strings.Join(texts, "")) {
		t.Errorf("answers %q, %v", texts, err)
	}
	if _, _, _, err := p.EvaluateText(j.val.r, nil, []string{"blue"}, 4); err == nil || !strings.Contains(err.Error(), `"blue"; known: [bleu`) {
		t.Errorf("a metric that is not known: %v", err)
	}
	if _, _, _, err := p.EvaluateText(j.val.r, nil, nil, 250); err == nil || !strings.Contains(err.Error(), "context of 256") {
		t.Errorf("answers of 250 tokens: %v", err)
	}
	s.Task = "classify"
	if _, err := OpenBase(s, nil); err == nil || !strings.Contains(err.Error(), "no head for classify") {
		t.Errorf("a base for classify: %v", err)
	}
}

// TestChatResume goes on with an interrupted run: the result is that of a run that was never stopped.
func TestChatResume(t *testing.T) {
	s := chatSettings(t, 120)
	s.Train.Epochs, s.LoRA.Dropout = 2, 0.1
	fit := func(o Options) (*Result, error) {
		o.Executor = plan.CPU(1)
		return open(t, s).Fit(o)
	}
	whole, err := fit(Options{Out: filepath.Join(t.TempDir(), "run")})
	if err != nil {
		t.Fatal(err)
	}
	want, err := whole.State.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, stop := range []int{1, len(whole.History) - 2} {
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
		r, err := fit(Options{Out: out, Resume: true})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.State.Digest(); err != nil || got != want || r.BeforeLoss != whole.BeforeLoss || r.ValLoss != whole.ValLoss {
			t.Errorf("stopped after step %d: digest %s, %v, loss %g after %g; want %s, %g after %g", stop, got, err, r.ValLoss, r.BeforeLoss, want, whole.ValLoss, whole.BeforeLoss)
		}
	}
}

// TestChatContext: rows hold all but a few examples whole. Chats whose answers lie beyond them are left out and
// counted.
func TestChatContext(t *testing.T) {
	lines := func(short, long, behind int) []string {
		all := []string{"prompt,completion"}
		for i := range short + long + behind {
			switch {
			case i < short:
				all = append(all, fmt.Sprintf("%d,yes", i))
			case i < short+long:
				all = append(all, fmt.Sprintf("%d,%s", i, strings.Repeat("thin ", 300)))
			default:
				all = append(all, fmt.Sprintf("%d %s,yes", i, strings.Repeat("thin ", 300)))
			}
		}
		return all
	}
	s := Settings{Task: "chat", Model: tiny, Data: DataSettings{Path: write(t, "chats.csv", lines(90, 6, 4)...)}}
	j := open(t, s)
	if c, d := j.Counts, j.Settings.Data; d.Context != 256 || c.LeftOut != 4 || c.Truncated != 6 || c.Rows != 96 || len(c.Warnings) != 2 || d.Layout.Prompt != "prompt" {
		t.Errorf("%+v, %+v", c, d)
	}
	all, err := j.task.make(j.Setup, entry{Records: j.train.r, row: 92})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d examples of a chat, %v; want 1", len(all), err)
	}
	e := all[0]
	if len(e.IDs) != 256 || e.IDs[0] != 1 || e.IDs[1] == 1 || !e.cut || learns(example{Sequence: data.Sequence{Y: e.Y[:8]}}) {
		t.Errorf("a chat that is cut: %v", e)
	}
	s.Data.Strict = true
	if _, err := Open(s); err == nil || !strings.Contains(err.Error(), "chats.csv:") || !strings.Contains(err.Error(), "the context holds 256") {
		t.Errorf("strict: %v", err)
	}
	s.Data.Strict, s.Data.Path = false, write(t, "chats.csv", lines(1, 0, 30)...)
	if _, err := Open(s); err == nil || !strings.Contains(err.Error(), "30 chats are left out") {
		t.Errorf("nothing is left: %v", err)
	}
	for _, w := range []struct{ short, long, want int }{{199, 1, 256}, {195, 5, 512}, {0, 200, 512}} {
		lengths := append(slices.Repeat([]int32{60}, w.short), slices.Repeat([]int32{400}, w.long)...)
		if n := (causal{}).shorter(lengths, 1024); n != w.want {
			t.Errorf("%+v: rows of %d tokens", w, n)
		}
	}
}

// TestEvalBatch: the logits of an evaluation are at most 256 MiB.
func TestEvalBatch(t *testing.T) {
	s := &Setup{Source: &pretrained.Source{Model: gpt.GPT2Small}}
	for context, want := range map[int]int{16: 32, 256: 5, 512: 2, 1024: 1} {
		s.Settings.Data.Context = context
		if n := (&chat{}).evalBatch(s); n != want {
			t.Errorf("%d chats of %d tokens, want %d", n, context, want)
		}
		if n := (&classify{}).evalBatch(s); n != 32 {
			t.Errorf("%d texts of %d tokens, want 32", n, context)
		}
	}
}

// TestChatLeaks: a chat that came before is left out, and no question of the validation records is trained on.
func TestChatLeaks(t *testing.T) {
	lines := asks(60)
	for i := range 60 { // a second answer to each question, and one that is there twice
		lines = append(lines, lines[1+i]+" x")
	}
	lines = append(lines, strings.ToUpper(lines[7]))
	s := chatSettings(t, 60)
	s.Data.Path = write(t, "chats.csv", lines...)
	j := open(t, s)
	question := j.question(j.val.r)
	held := map[string]bool{}
	for _, row := range j.val.rows {
		q, err := question(row)
		if err != nil {
			t.Fatal(err)
		}
		held[q] = true
	}
	for _, row := range j.train.rows {
		if q, err := question(row); err != nil || held[q] {
			t.Errorf("record %d, %q, %v: its question is one of the validation records", row, q, err)
		}
	}
	if c := j.Counts; c.Duplicates != 1 || c.Leaks == 0 || c.Rows+c.Leaks != 120 {
		t.Errorf("%+v", c)
	}
	s.Data.ValPath = write(t, "val.csv", append(lines[:1:1], lines[5:15]...)...)
	if c := open(t, s).Counts; c.Val != 10 || c.Leaks != 20 || c.Train != 100 {
		t.Errorf("with a validation file: %+v", c)
	}
}

// TestChatPlain: a model without a template learns the plain one, and a warning says so.
func TestChatPlain(t *testing.T) {
	s, dir := chatSettings(t, 120), filepath.Join(t.TempDir(), "plain")
	if err := os.CopyFS(dir, os.DirFS(tiny)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "chat_template.jinja")); err != nil {
		t.Fatal(err)
	}
	s.Model, s.Train.Epochs = dir, 8
	j, out := open(t, s), filepath.Join(t.TempDir(), "run")
	if w := j.Counts.Warnings; len(w) != 1 || !strings.Contains(w[0], "has no chat template") {
		t.Errorf("warnings %q", w)
	}
	r, err := j.Fit(Options{Out: out, Executor: plan.CPU(1)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenRun(out, plan.CPU(1))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	answers(t, j, p, r)
}

// TestChatUntied reads a head that is not the embedding: one of zeros gives each token the same probability.
func TestChatUntied(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "untied")
	if err := os.CopyFS(dir, os.DirFS(tiny)); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(tiny, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(filepath.Join(tiny, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	if err := safetensors.Write(&b, append(f.Tensors, safetensors.Of("lm_head.weight", []int{288, 32}, make([]float32, 288*32))), nil); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"config.json": bytes.Replace(config, []byte(`embeddings": true`), []byte(`embeddings": false`), 1), "model.safetensors": b.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s := chatSettings(t, 20)
	s.Model = dir
	p, err := OpenBase(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if m, _, err := p.Evaluate(openRecords(t, s.Data.Path)); err != nil || math.Abs(float64(m["loss"])-math.Log(288)) > 1e-5 {
		t.Errorf("loss %g, %v; want ln 288", m["loss"], err)
	}
}
