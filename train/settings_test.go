package train

import (
	"testing"

	"github.com/ceto-ml/ceto/internal/setting"
)

// TestSettings: the settings of every run have tags that can be read, and reach the trainer.
func TestSettings(t *testing.T) {
	if err := setting.Lint(&Settings{}); err != nil {
		t.Error(err)
	}
	s := Settings{Batch: 1, Accumulate: 2, LR: 3, Warmup: 4, Decay: 5, Clip: 6, Recompute: 0.7, Checkpoint: 8, Seed: 9}
	tr := s.Trainer()
	if tr.Batch != 1 || tr.Accumulate != 2 || tr.Clip != 6 || tr.Recompute != 0.7 || tr.CheckpointEvery != 8 || tr.Seed != 9 {
		t.Errorf("%+v of %+v", tr, s)
	}
}
