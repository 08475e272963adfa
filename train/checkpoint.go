package train

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/goccy/go-yaml"
	"github.com/pkg/errors"
)

// folder is a run folder that this process holds: run.yaml, log.jsonl, checkpoints/step-N, and device.json where the
// executor is a plan.Chooser.
type folder struct {
	path   string
	fs     atomicfile.FS
	lock   *atomicfile.FileLock
	jour   *os.File // log.jsonl
	chosen int      // choices in device.json and 1, 0 where it was not written
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
func openFolder(path string, config any, resume bool, fs atomicfile.FS) (*folder, error) {
	if err := mayUse(path, resume); err != nil { // before anything is made
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(path, checkpoints), 0o777); err != nil {
		return nil, errors.Wrap(err, "train: run folder")
	}
	lock, err := atomicfile.Lock(filepath.Join(path, lockFile))
	if err != nil {
		return nil, errors.Wrapf(err, "train: run folder %s", path)
	}
	f := &folder{path: path, fs: fs, lock: lock}
	if err := f.open(config, resume); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// open makes the folder's files, or finds them.
func (f *folder) open(config any, resume bool) error {
	if err := mayUse(f.path, resume); err != nil { // another process may have been here before the lock
		return err
	}
	if err := atomicfile.Clean(f.fs, filepath.Join(f.path, checkpoints)); err != nil {
		return err
	}
	if !resume {
		b, err := yaml.Marshal(config)
		if err != nil {
			return errors.Wrap(err, "train: run.yaml")
		}
		err = atomicfile.WriteFile(f.fs, filepath.Join(f.path, runFile), func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		})
		if err != nil {
			return err
		}
	}
	var err error
	f.jour, err = os.OpenFile(filepath.Join(f.path, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	return errors.Wrap(err, "train: log")
}

// mayUse tells why a folder cannot be the folder of a new run, or of a run that is resumed.
func mayUse(path string, resume bool) error {
	_, err := os.Stat(filepath.Join(path, runFile))
	switch exists := err == nil; {
	case exists && !resume:
		return errors.Errorf("train: %s holds a run already; resume it or choose another folder", path)
	case !exists && resume:
		return errors.Errorf("train: %s holds no run to resume: it has no %s", path, runFile)
	}
	return nil
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

// ErrNoCheckpoint says that a run folder has no checkpoint yet.
var ErrNoCheckpoint = errors.New("no checkpoint")

// NewestCheckpoint returns the folder of the checkpoint with the most steps in a run folder. A crash may have left that
// checkpoint aside while it was written again; then it is put back.
func NewestCheckpoint(run string) (string, error) {
	entries, err := os.ReadDir(filepath.Join(run, checkpoints))
	if err != nil {
		return "", errors.Wrap(err, "train: checkpoints")
	}
	best, name := -1, ""
	for _, e := range entries {
		folder := strings.TrimSuffix(e.Name(), atomicfile.OldSuffix)
		num, ok := strings.CutPrefix(folder, stepPrefix)
		if n, err := strconv.Atoi(num); ok && err == nil && n > best {
			best, name = n, folder
		}
	}
	if best < 0 {
		return "", errors.Wrapf(ErrNoCheckpoint, "train: %s", run)
	}
	path := filepath.Join(run, checkpoints, name)
	if err := atomicfile.Recover(atomicfile.OS, path); err != nil {
		return "", errors.Wrap(err, "train: checkpoints")
	}
	return path, nil
}

// optimizer lists what a checkpoint keeps besides parameters and buffers. Gradients and sums start every step at zero.
func (s *State) optimizer() []string {
	return slices.Concat(s.Names(graph.Moment), s.statistics(false), s.Names(graph.Average))
}

// Checkpoint writes checkpoints/step-N: the model, the optimizer's moments, where the loop stands, and the files of the
// Trainer. The model is the parameters and buffers. Where Trainer.From is set, the parameters are only those that the
// run may change. Without a run folder it is an error. A second checkpoint of the same step is not written.
func (l *Loop) Checkpoint() error {
	if l.folder == nil {
		return errors.New("train: Checkpoint wants Out, a run folder")
	}
	if l.saved == l.at.Step {
		return nil
	}
	if !l.set.noSync {
		if err := l.folder.jour.Sync(); err != nil {
			return errors.Wrap(err, "train: log")
		}
	}
	p := l.at
	p.Position, p.Seconds, p.KeepBest = l.src.Position(), l.seconds(), l.best != nil
	state, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return errors.Wrap(err, "train: checkpoint")
	}
	s := l.Run.State
	files := maps.Clone(l.set.Files)
	if files == nil {
		files = map[string]func(io.Writer) error{}
	}
	params, _ := l.kept()
	files[modelFile] = func(w io.Writer) error { return s.write(w, params) }
	files[optimFile] = func(w io.Writer) error { return s.write(w, s.optimizer()) }
	files[stateFile] = func(w io.Writer) error {
		_, err := w.Write(state)
		return err
	}
	if l.best != nil {
		files[bestFile] = func(w io.Writer) error { return writeValues(w, l.best) }
	}
	path := filepath.Join(l.set.Out, checkpoints, stepPrefix+strconv.Itoa(l.at.Step))
	err = atomicfile.Dir(l.folder.fs, path, func(d *atomicfile.DirWriter) error {
		for _, name := range sortedKeys(files) {
			if err := d.File(name, files[name]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		l.saved = l.at.Step
	}
	return err
}

// resume loads the newest checkpoint; where there is none yet the run starts anew.
func (l *Loop) resume() error {
	path, err := NewestCheckpoint(l.set.Out)
	if errors.Is(err, ErrNoCheckpoint) {
		if err := l.begin(); err != nil {
			return err
		}
		return l.folder.cutLog(0)
	}
	if err != nil {
		return err
	}
	at, err := readProgress(filepath.Join(path, stateFile))
	if err != nil {
		return err
	}
	if at.Seed != l.set.Seed {
		return errors.Errorf("train: resume: %s is of a run with seed %d, the trainer has %d; want the same seed", path, at.Seed, l.set.Seed)
	}
	if err := l.sameData(path, &at); err != nil {
		return err
	}
	if err := l.load(path, at); err != nil {
		return err
	}
	if err := l.src.Seek(at.Position); err != nil {
		return errors.Wrapf(err, "train: resume: %s", path)
	}
	at.Frozen, at.Digests = l.at.Frozen, l.at.Digests
	l.at, l.saved = at, at.Step
	l.stopped = l.patienceOut()
	return l.folder.cutLog(at.Step)
}

// load reads the values of a checkpoint. Where it does not hold all, the others are those that the run started from.
func (l *Loop) load(path string, at progress) (err error) {
	if due, err := l.unfreeze(1, at.Step-1); err != nil {
		return err
	} else if due {
		if err := l.plans(); err != nil {
			return err
		}
	}
	s := l.Run.State
	params, rest := l.kept()
	if len(rest) > 0 {
		if err := l.begin(); err != nil {
			return err
		}
		if at.Frozen != 0 && at.Frozen != l.at.Frozen {
			return errors.Errorf("train: resume: %s is of a run from another pretrained model: the frozen parameters differ", path)
		}
	}
	if _, err := s.load(filepath.Join(path, modelFile), true, params, rest); err != nil {
		return err
	}
	if _, err := s.load(filepath.Join(path, optimFile), true, s.optimizer(), nil); err != nil {
		return err
	}
	if at.KeepBest {
		l.best, err = l.readBest(filepath.Join(path, bestFile))
	}
	return err
}

// readProgress reads a state.json and refuses what no checkpoint holds.
func readProgress(path string) (p progress, err error) {
	b, err := bounded.ReadFile(path, 64<<20)
	if err != nil {
		return p, errors.Wrap(err, "train: resume")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, errors.Wrapf(err, "train: resume: %s", path)
	}
	if p.Step < 0 || p.Micro < int64(p.Step) || p.Bad < 0 || p.Position.Next < 0 || d.More() {
		return p, errors.Errorf("train: resume: %s is not the state of a run", path)
	}
	return p, nil
}
