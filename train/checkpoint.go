package train

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/goccy/go-yaml"
	"github.com/pkg/errors"
)

// folder is a run folder that this process holds: run.yaml, log.jsonl, checkpoints/step-N.
type folder struct {
	path string
	fs   atomicfile.FS
	lock *atomicfile.FileLock
	jour *os.File // log.jsonl
}

// Names in a run folder.
const (
	runFile     = "run.yaml"
	logFile     = "log.jsonl"
	lockFile    = "lock"
	checkpoints = "checkpoints"
	stepPrefix  = "step-"
	modelFile   = "model.safetensors"
	optimFile   = "optimizer.safetensors"
	stateFile   = "state.json"
)

// openFolder makes a run folder and holds it, or continues one with resume. A folder with another run is an error.
func openFolder(path string, config any, resume bool, fs atomicfile.FS) (f *folder, err error) {
	_, e := os.Stat(filepath.Join(path, runFile))
	switch exists := e == nil; {
	case exists && !resume:
		return nil, errors.Errorf("train: %s holds a run already; resume it or choose another folder", path)
	case !exists && resume:
		return nil, errors.Errorf("train: %s holds no run to resume: it has no %s", path, runFile)
	}
	if err := os.MkdirAll(filepath.Join(path, checkpoints), 0o777); err != nil {
		return nil, errors.Wrap(err, "train: run folder")
	}
	f = &folder{path: path, fs: fs}
	if f.lock, err = atomicfile.Lock(filepath.Join(path, lockFile)); err != nil {
		return nil, errors.Wrapf(err, "train: run folder %s", path)
	}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if err := atomicfile.Clean(fs, filepath.Join(path, checkpoints)); err != nil {
		return nil, err
	}
	if !resume {
		b, err := yaml.Marshal(config)
		if err != nil {
			return nil, errors.Wrap(err, "train: run.yaml")
		}
		err = atomicfile.WriteFile(fs, filepath.Join(path, runFile), func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	f.jour, err = os.OpenFile(filepath.Join(path, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	return f, errors.Wrap(err, "train: log")
}

func (f *folder) close() {
	if f.jour != nil {
		f.jour.Close()
	}
	if f.lock != nil {
		f.lock.Unlock()
	}
}

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

func (f *folder) log(s *Status) error {
	r := record{s.Step, s.Epoch, s.Loss, s.LR, s.GradNorm, s.TokensPerSec, s.Seconds, nil, nil}
	if s.Evaluated {
		r.ValLoss, r.Metrics = &s.ValLoss, s.Scores.Metrics
	}
	b, err := json.Marshal(r)
	if err != nil {
		return errors.Wrapf(err, "train: log of step %d", s.Step)
	}
	_, err = f.jour.Write(append(b, '\n'))
	return errors.Wrapf(err, "train: log of step %d", s.Step)
}

// cutLog drops the log's lines of steps after the given one, and what a crash left of a line.
func (f *folder) cutLog(step int) error {
	path := filepath.Join(f.path, logFile)
	old, err := os.ReadFile(path)
	if err != nil {
		return errors.Wrap(err, "train: log")
	}
	var kept bytes.Buffer
	for _, line := range bytes.SplitAfter(old, []byte("\n")) {
		var r record
		if json.Unmarshal(line, &r) == nil && bytes.HasSuffix(line, []byte("\n")) && r.Step <= step {
			kept.Write(line)
		}
	}
	if kept.Len() == len(old) {
		return nil
	}
	err = atomicfile.WriteFile(f.fs, path, func(w io.Writer) error {
		_, err := w.Write(kept.Bytes())
		return err
	})
	if err != nil {
		return err
	}
	f.jour.Close()
	f.jour, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o666)
	return errors.Wrap(err, "train: log")
}

// newest returns the checkpoint of the most steps in a run folder.
func newest(run string) (string, error) {
	entries, err := os.ReadDir(filepath.Join(run, checkpoints))
	if err != nil {
		return "", errors.Wrap(err, "train: checkpoints")
	}
	best, name := -1, ""
	for _, e := range entries {
		n, err := strconv.Atoi(strings.TrimPrefix(e.Name(), stepPrefix))
		if err == nil && strings.HasPrefix(e.Name(), stepPrefix) && n > best {
			best, name = n, e.Name()
		}
	}
	if best < 0 {
		return "", errors.Errorf("train: %s has no checkpoint", run)
	}
	return filepath.Join(run, checkpoints, name), nil
}

// NewestCheckpoint returns the folder of the checkpoint with the most steps of a run folder.
func NewestCheckpoint(run string) (string, error) { return newest(run) }

// optimKinds are what a checkpoint keeps besides parameters. Gradients and sums start every step at zero.
var optimKinds = []graph.Kind{graph.Moment, graph.Average}

// checkpoint writes checkpoints/step-N: the model, the optimizer's moments, where the loop stands, and the Trainer's
// own files.
func (l *loop) checkpoint() error {
	if l.saved == l.Step {
		return nil
	}
	p := l.progress
	p.Position, p.Seconds = l.src.Position(), l.seconds()
	state, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return errors.Wrap(err, "train: checkpoint")
	}
	s := l.run.State
	path := filepath.Join(l.Out, checkpoints, stepPrefix+strconv.Itoa(l.Step))
	err = atomicfile.Dir(l.folder.fs, path, func(d *atomicfile.DirWriter) error {
		for _, name := range sortedKeys(l.Files) {
			if err := d.File(name, l.Files[name]); err != nil {
				return err
			}
		}
		if err := d.File(modelFile, func(w io.Writer) error { return s.write(w, graph.Param) }); err != nil {
			return err
		}
		if l.best != nil {
			if err := d.File(bestFile, l.writeBest); err != nil {
				return err
			}
		}
		if err := d.File(optimFile, func(w io.Writer) error { return s.write(w, optimKinds...) }); err != nil {
			return err
		}
		return d.File(stateFile, func(w io.Writer) error {
			_, err := w.Write(state)
			return err
		})
	})
	if err == nil {
		l.saved = l.Step
	}
	return err
}

// resume loads the newest checkpoint.
func (l *loop) resume() error {
	path, err := newest(l.Out)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(path, stateFile))
	if err != nil {
		return errors.Wrap(err, "train: resume")
	}
	if err := json.Unmarshal(b, &l.progress); err != nil {
		return errors.Wrapf(err, "train: resume: %s", filepath.Join(path, stateFile))
	}
	if err := l.run.State.Load(filepath.Join(path, modelFile)); err != nil {
		return err
	}
	if _, err := l.run.State.load(filepath.Join(path, optimFile), true, optimKinds...); err != nil {
		return err
	}
	if err := l.readBest(filepath.Join(path, bestFile)); err != nil {
		return err
	}
	if err := l.src.Seek(l.Position); err != nil {
		return errors.Wrap(err, "train: resume")
	}
	l.saved = l.Step
	return l.folder.cutLog(l.Step)
}
