package finetune

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph/plan"
)

// TestShare learns shares of texts; the saved run predicts them, and a number that is no share is left out or refused.
func TestShare(t *testing.T) {
	lines := []string{"text,share"}
	for i := range 120 {
		lines = append(lines, fmt.Sprintf("number %d is %s", 7*i, [2]string{"thin,0.1", "an inn,0.7"}[i%2]))
	}
	s := Settings{Task: "share", Model: tiny, Data: DataSettings{Path: write(t, "texts.csv", lines...), Text: "text", Label: []string{"share"}}}
	s.Train.Epochs, s.Train.LR = 3, 3e-3
	out := filepath.Join(t.TempDir(), "run")
	r, err := open(t, s).Fit(Options{Out: out, Executor: plan.CPU(1)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Task != "share" || !(r.Metrics["mae"] < 0.05) || r.TrainRows != 96 || r.ValRows != 24 || r.Strength == 0 {
		t.Errorf("%+v; want a mean absolute error below 0.05 of 96 and 24 rows, and a head that was fitted first", r)
	}
	p, err := OpenRun(out, plan.CPU(1))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a, err := p.Predict([]string{"number 1001 is thin", "number 1001 is an inn"})
	if err != nil || math.Abs(float64(*a[0].Value)-0.1) > 0.1 || math.Abs(float64(*a[1].Value)-0.7) > 0.1 {
		t.Errorf("%v, %v; want about 0.1 and 0.7", a, err)
	}
	s.Data.Path = write(t, "bad.csv", append(lines, "number 3 is thin,1.5")...)
	if u := open(t, s).Counts.Unusable; u.Count != 1 || !strings.Contains(u.String(), "bad.csv:122") {
		t.Errorf("a share of 1.5: %+v, want it left out", u)
	}
	s.Data.Strict = true
	if _, err := Open(s); err == nil || !strings.Contains(err.Error(), "bad.csv:122") || !strings.Contains(err.Error(), "from 0 to 1") {
		t.Errorf("a share of 1.5: %v, want its place", err)
	}
	if !slices.Contains(Tasks(), "share") || !strings.Contains(Describe(), "\n  share ") {
		t.Errorf("the tasks are %v\n%s", Tasks(), Describe())
	}
}
