package finetune

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train"
)

// TestOtherRecords: a run is not resumed with records that have changed, or in another order or other parts.
func TestOtherRecords(t *testing.T) {
	lines := texts(60)
	edited := func(edit func(l []string) []string) func(t *testing.T, s *Settings) {
		return func(t *testing.T, s *Settings) { s.Data.Path = write(t, "texts.csv", edit(slices.Clone(lines))...) }
	}
	for _, c := range []struct {
		name   string
		after  func(t *testing.T, s *Settings)
		differ string // "" resumes
	}{
		{"moved", edited(func(l []string) []string { return l }), ""},
		{"order", edited(func(l []string) []string { slices.Reverse(l[1:]); return l }), "records to train on, records to validate on"},
		{"labels", edited(func(l []string) []string {
			for i := range l[1:] {
				l[i+1] = strings.NewReplacer(",a,", ",b,", ",b,", ",a,").Replace(l[i+1])
			}
			return l
		}), "records to train on, records to validate on"},
		{"one text", edited(func(l []string) []string { l[7] = strings.Replace(l[7], "number", "Number", 1); return l }), "records to "},
		{"more records", edited(func(l []string) []string { return append(l, "all day long the number 99999 is thin,a,thin|long,10") }), "records to "},
		{"share", func(_ *testing.T, s *Settings) { s.Data.Val = 0.3 }, "records to train on, records to validate on"},
		{"validation file", func(t *testing.T, s *Settings) { s.Data.ValPath = write(t, "val.csv", lines[0], lines[1], lines[4]) }, "records to train on, records to validate on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := settings(t, "classify", 60)
			s.Train.Epochs = 1
			s.Head.NoFit = true
			run := func(s Settings, o Options) error {
				o.Executor = plan.CPU(1)
				_, err := open(t, s).Fit(o)
				return err
			}
			out, stop := filepath.Join(t.TempDir(), "run"), make(chan struct{})
			once := train.CallbackFunc(func(s *train.Status) error {
				if s.Step == 1 {
					close(stop)
				}
				return nil
			})
			if err := run(s, Options{Out: out, Interrupt: stop, Callbacks: []train.Callback{once}}); !errors.Is(err, train.ErrInterrupted) {
				t.Fatal(err)
			}
			c.after(t, &s)
			err := run(s, Options{Out: out, Resume: true})
			if c.differ == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "changed are "+c.differ) || !strings.Contains(err.Error(), "--data-changed") {
				t.Fatalf("error %v, want one that names %q and --data-changed", err, c.differ)
			}
			if err := run(s, Options{Out: out, Resume: true, DataChanged: true}); err != nil {
				t.Errorf("with DataChanged: %v", err)
			}
		})
	}
}
