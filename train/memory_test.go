package train

import (
	"testing"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// TestLargestBatch: the largest batch is found for need that grows evenly or by leaps, and up to what is asked for.
func TestLargestBatch(t *testing.T) {
	for name, need := range map[string]func(n int) uint64{
		"evenly": func(n int) uint64 { return uint64(100 + 7*n) }, "by leaps": func(n int) uint64 { return uint64(100 + 7*n + 500*(n/9)) },
		"as a square": func(n int) uint64 { return uint64(100 + n*n) },
	} {
		for _, free := range []uint64{0, 100, 106, 107, 121, 1000, 5003, 1 << 20} {
			for _, most := range []int{0, 1, 2, 9, 64, 1 << 20} {
				want := 0
				for want < most && need(want+1) <= free {
					want++
				}
				asked := 0
				got, err := LargestBatch(most, free, func(n int) (uint64, error) { asked++; return need(n), nil })
				if got != want || err != nil || asked > 45 {
					t.Errorf("%s, %d free, at most %d: %d after %d plans, want %d; error %v", name, free, most, got, asked, want, err)
				}
			}
		}
	}
	if _, err := LargestBatch(9, 9, func(int) (uint64, error) { return 9, nil }); err == nil {
		t.Error("need that does not grow is taken")
	}
}

// TestMemory: a run that needs too much memory says how much, and which batch fits. That batch does, and one more does
// not.
func TestMemory(t *testing.T) {
	tr, d := tinyText(t, plan.CPU(1))
	defer tr.Executor.Close()
	tr.Batch, tr.Steps, tr.MemoryLimit = 64, 1, 1<<20
	_, err := tr.Fit(d)
	var e *MemoryError
	if !errors.As(err, &e) || e.Batch != 64 || e.Fits < 2 || e.Fits > 63 || e.Need <= e.Free || e.Free != 1<<20 {
		t.Fatalf("%+v: %v", e, err)
	}
	wantErr(t, "64 examples", err, "a step of batch 64 needs ", " MiB of memory, 1.00 MiB are free; a batch of ")
	for i, want := range []bool{true, false} {
		tr.Batch = e.Fits + i
		r, err := tr.Fit(d)
		if (err == nil) != want {
			t.Errorf("a batch of %d, where %d fit: %v", tr.Batch, e.Fits, err)
		}
		if err == nil {
			r.Close()
		}
	}
	tr.MemoryLimit = 1000
	_, err = tr.Fit(d)
	wantErr(t, "1000 bytes", err, "no batch fits")
}

// full is a CPU whose memory is gone after some plans.
type full struct {
	plan.Executor
	left int
}

func (f *full) Compile(p *plan.Plan, s plan.State) (plan.Program, error) {
	if f.left--; f.left < 0 {
		return nil, errors.WithMessage(&plan.MemoryError{Region: "activations", Bytes: 77, Err: errors.New("gone")}, "full")
	}
	return f.Executor.Compile(p, s)
}

func (f *full) Device() plan.Device { return plan.Device{Kind: "full", Free: 1 << 30} }

// TestAllocation: where an allocation fails, the batch that fits is a smaller one, in a step and in an evaluation.
func TestAllocation(t *testing.T) {
	for left, want := range map[int][]string{
		0: {"a step of batch 8: full: 77 bytes for activations: gone; a batch of 7 fits"},
		1: {"an evaluation of batch ", "77 bytes for activations", " fits"},
	} {
		x := &full{plan.CPU(1), left}
		tr, d := tinyText(t, x)
		tr.Batch, tr.Steps, tr.EvalEvery = 8, 1, 1
		r, err := tr.Fit(d)
		wantErr(t, "an allocation", err, want...)
		if r != nil {
			r.Close()
		}
		tr.Batch = 1
		x.left = left
		if r, err = tr.Fit(d); left == 0 {
			wantErr(t, "one example", err, "a step of batch 1", "no batch fits")
		}
		if r != nil {
			r.Close()
		}
		x.Close()
	}
}
