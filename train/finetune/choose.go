package finetune

import (
	"math"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train/metric"
	"gorgonia.org/tensor"
)

// chooses tells whether what LoRA has made can be taken back in favour of the head that was fitted first.
func (f *fit) chooses() bool { return f.Settings.Method == LoRA && !f.Settings.Head.NoFit }

// losses are those of the validation records, each counting alike, with the parameters as they are.
func (f *fit) losses() ([]float64, error) {
	rows := &metric.Rows{}
	if _, err := f.loop.Run.Evaluate(f.val, rows); err != nil {
		return nil, err
	}
	_, classes := f.task.(*classify)
	_, numbers := f.task.(*regress)
	all := make([]float64, rows.Len())
	for i := range all {
		pred := rows.Pred[i*rows.Cols : (i+1)*rows.Cols]
		if classes {
			all[i] = -logOf(pred[int(rows.Target[i])])
			continue
		}
		for k, y := range rows.Target[i*rows.Cols : (i+1)*rows.Cols] {
			if p := pred[k]; numbers {
				all[i] += float64(p-y) * float64(p-y)
			} else {
				all[i] -= float64(y)*logOf(p) + float64(1-y)*logOf(1-p)
			}
		}
	}
	return all, nil
}

// logOf is ln p, of a probability that is not quite 0.
func logOf(p float32) float64 { return math.Log(max(1e-7, float64(p))) }

// fewLosses is the number of validation records below which one of them can decide between two models.
const fewLosses = 100

// clearlyLower tells whether the mean of b is below that of a, of the same records; of fewer than fewLosses by more than
// the standard error of their difference: of two models that validate alike the simpler one is taken. Source: Breiman,
// Friedman, Olshen and Stone 1984, Classification and Regression Trees, section 3.4.3, the one-standard-error rule.
func clearlyLower(a, b []float64) bool {
	n, mean, square := float64(len(a)), 0.0, 0.0
	for i := range a {
		mean += (a[i] - b[i]) / n
	}
	for i := range a {
		square += (a[i] - b[i] - mean) * (a[i] - b[i] - mean)
	}
	return mean > 0 && (n < 2 || n >= fewLosses || mean > math.Sqrt(square/(n-1)/n))
}

// keepsHead decides between the best that LoRA has made, which is in the state, and the head on frozen features: the
// head stays unless LoRA is better, see clearlyLower. What is kept is in the state then.
func (f *fit) keepsHead() (bool, error) {
	tuned, err := f.losses()
	if err != nil {
		return false, err
	}
	if f.first != nil && clearlyLower(f.first, tuned) {
		return false, nil
	}
	best, err := f.trained()
	if err != nil {
		return false, err
	}
	if err := f.backToHead(); err != nil {
		return false, err
	}
	if f.first == nil { // the head was fitted before a resume
		if f.first, err = f.losses(); err != nil {
			return false, err
		}
	}
	if !clearlyLower(f.first, tuned) {
		return true, nil
	}
	for name, v := range best {
		if err := f.loop.Run.State.Write(name, v); err != nil {
			return false, err
		}
	}
	return false, nil
}

// trained are the values of the parameters that are trained.
func (f *fit) trained() (map[string]*tensor.Dense, error) {
	all := map[string]*tensor.Dense{}
	for _, p := range f.loop.Run.State.Params.All() {
		if p.Frozen {
			continue
		}
		d, err := f.loop.Run.State.Read(p.Name)
		if err != nil {
			return nil, err
		}
		all[p.Name] = d
	}
	return all, nil
}

// backToHead makes the model what it was after the head was fitted.
func (f *fit) backToHead() error {
	for _, p := range f.loop.Run.State.Params.All() {
		if !strings.HasSuffix(p.Name, nn.LoRAB) {
			continue
		}
		if err := f.loop.Run.State.Write(p.Name, graph.Dense(graph.NewBuf(p.Meta))); err != nil {
			return err
		}
	}
	if f.head.weight == nil {
		return f.fitHead(f.plain)
	}
	return f.write(f.head)
}
