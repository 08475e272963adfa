package pretrain

import (
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train"
	"github.com/spf13/pflag"
)

// TestAddition: the added setting has a flag, a key, a bound, a row in the table and its effect, in pretraining. Any
// struct that embeds train.Settings has all of these but the effect.
func TestAddition(t *testing.T) {
	s := small(t)
	if err := setting.Set(&s, "train.eval_batch=2"); err != nil {
		t.Fatal(err)
	}
	j, _, err := fit(t, s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if tr, err := j.trainer(Options{}); err != nil || tr.EvalBatch != 2 {
		t.Errorf("the trainer's EvalBatch is %d, %v", tr.EvalBatch, err)
	}
	var flags Settings
	fl := pflag.NewFlagSet("", pflag.ContinueOnError)
	setting.Flags(fl, &flags)
	if err := fl.Parse([]string{"--eval-batch", "-1"}); err == nil || !strings.Contains(err.Error(), "--eval-batch is -1; it must be at least 0") {
		t.Error(err)
	}
	var table strings.Builder
	err = setting.Table(&table, &struct {
		Train struct {
			train.Settings `yaml:",inline"`
		} `yaml:"train"`
	}{})
	if want := "| `train.eval_batch` | `--eval-batch` | examples of an evaluation batch | at least 0 | 64 |"; err != nil || !strings.Contains(table.String(), want) {
		t.Errorf("%v, no row %s in\n%s", err, want, table.String())
	}
}
