package train

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// record is a line of log.jsonl.
type record struct {
	Step     int                `json:"step"`
	Epoch    float64            `json:"epoch"`
	Loss     float64            `json:"loss"`
	LR       float64            `json:"lr"`
	GradNorm float64            `json:"grad_norm"`
	Rate     float64            `json:"tokens_per_s"`
	Seconds  float64            `json:"seconds"`
	ValLoss  *float64           `json:"val_loss,omitempty"`
	Metrics  map[string]float64 `json:"metrics,omitempty"`
}

// recordOf is the line of a status.
func recordOf(s *Status) *record {
	r := &record{s.Step, s.Epoch, s.Loss, s.LR, s.GradNorm, s.TokensPerSec, s.Seconds, nil, nil}
	if s.Evaluated && finite(s.ValLoss) { // JSON has no NaN
		r.ValLoss = &s.ValLoss
	}
	for name, v := range s.Scores.Metrics {
		if !finite(v) {
			continue
		}
		if r.Metrics == nil {
			r.Metrics = map[string]float64{}
		}
		r.Metrics[name] = v
	}
	return r
}

func (f *folder) log(s *Status) error {
	b, err := json.Marshal(recordOf(s))
	if err != nil {
		return errors.Wrapf(err, "train: log of step %d", s.Step)
	}
	_, err = f.jour.Write(append(b, '\n'))
	return errors.Wrapf(err, "train: log of step %d", s.Step)
}

// cutLog drops the log's lines of steps after the given one, and lines of steps that come before. It also drops what a
// crash left of a line. The others go to the history of the run's earlier steps.
func (l *Loop) cutLog(step int) error {
	f := l.folder
	path := filepath.Join(f.path, logFile)
	before := course{}
	whole, err := siftLog(path, io.Discard, step, before.add)
	if err != nil {
		return err
	}
	l.Run.before = before
	if whole {
		return nil
	}
	err = atomicfile.WriteFile(f.fs, path, func(w io.Writer) error {
		_, err := siftLog(path, w, step, func(Status) {})
		return err
	})
	if err != nil {
		return err
	}
	f.jour.Close()
	f.jour, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o666)
	return errors.Wrap(err, "train: log")
}

// siftLog copies the lines of a log that stay up to a step, and passes each on as a status. whole tells whether all do.
func siftLog(path string, w io.Writer, step int, each func(Status)) (whole bool, err error) {
	log, err := bounded.Open(path)
	if err != nil {
		return false, errors.Wrap(err, "train: log")
	}
	defer log.Close()
	whole = true
	last := -1
	for b := bufio.NewReader(log); ; {
		line, err := b.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return false, errors.Wrapf(err, "train: log: %s", path)
		}
		var r record
		if err == io.EOF {
			return whole && len(line) == 0, nil
		}
		if json.Unmarshal(line, &r) != nil || r.Step > step || r.Step <= last {
			whole = false
			continue
		}
		last = r.Step
		each(r.status())
		if _, err := w.Write(line); err != nil {
			return false, err
		}
	}
}

// status is what a line of the log tells of its step.
func (r record) status() Status {
	s := Status{Step: r.Step, Epoch: r.Epoch, Loss: r.Loss, LR: r.LR, GradNorm: r.GradNorm, TokensPerSec: r.Rate, Seconds: r.Seconds}
	if r.ValLoss != nil {
		s.Evaluated, s.ValLoss, s.Scores = true, *r.ValLoss, Scores{Loss: *r.ValLoss, Metrics: r.Metrics}
	}
	return s
}
