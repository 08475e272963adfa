package finetune

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train"
)

// TestFindRateInterrupt: a closed Interrupt ends the test of learning rates, as it ends a run.
func TestFindRateInterrupt(t *testing.T) {
	stop := make(chan struct{})
	close(stop)
	j := open(t, settings(t, "classify", 60))
	if c, err := j.FindRate(Options{Executor: plan.CPU(1), Interrupt: stop}, train.RateFinder{}); !errors.Is(err, train.ErrInterrupted) {
		t.Errorf("%d rates, %v; want ErrInterrupted", len(c.Rates), err)
	}
}

// TestBeforeLoss reads the loss before training from the history or, after a resume, from the log.
func TestBeforeLoss(t *testing.T) {
	dir := t.TempDir()
	for _, w := range []struct {
		h    []train.Status
		log  string
		want Number
		err  string
	}{
		{[]train.Status{{Step: 0, ValLoss: 3}, {Step: 1}}, "", 3, ""},
		{[]train.Status{{Step: 7}}, `{"step":0,"val_loss":2.5}` + "\n" + `{"step":1}`, 2.5, ""},
		{nil, `{"step":1,"val_loss":2.5}`, 0, "want step 0"},
		{nil, `{"step`, 0, "the first line of"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "log.jsonl"), []byte(w.log), 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := beforeLoss(w.h, dir)
		if got != w.want || (err == nil) != (w.err == "") || err != nil && !strings.Contains(err.Error(), w.err) {
			t.Errorf("%v and %q: %g, %v; want %g and an error with %q", w.h, w.log, got, err, w.want, w.err)
		}
	}
}

// TestLargestBatch: packed texts have rows of the context. Texts by length stay within the tokens of a batch.
func TestLargestBatch(t *testing.T) {
	j := open(t, chatSettings(t, 40))
	if n, width := j.LargestBatch(); n != j.Settings.Train.Batch || width != j.Settings.Data.Context {
		t.Errorf("chats: %d rows of %d tokens, want %d of %d", n, width, j.Settings.Train.Batch, j.Settings.Data.Context)
	}
	s := settings(t, "classify", 60)
	s.Train.Tokens = 100
	j = open(t, s)
	if n, width := j.LargestBatch(); n < 1 || n*width > 100 || width >= j.Settings.Data.Context {
		t.Errorf("texts: %d rows of %d tokens, want at most 100 tokens", n, width)
	}
}
