package train

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/ceto-ml/ceto/internal/safetensors"
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
		if err := f.record(config); err != nil {
			return err
		}
	}
	var err error
	f.jour, err = os.OpenFile(filepath.Join(f.path, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	return errors.Wrap(err, "train: log")
}

// record writes run.yaml, where it does not say so already.
func (f *folder) record(config any) error {
	b, err := yaml.Marshal(config)
	if err != nil {
		return errors.Wrap(err, "train: run.yaml")
	}
	path := filepath.Join(f.path, runFile)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b) {
		return nil
	}
	return atomicfile.WriteFile(f.fs, path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
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
	path := filepath.Join(l.set.Out, checkpoints, stepPrefix+strconv.Itoa(l.at.Step))
	if err := atomicfile.Dir(l.folder.fs, path, l.write); err != nil {
		return err
	}
	l.saved = l.at.Step
	return l.prune()
}

// write makes the files of a checkpoint, the state last, since it has the checksums of all others.
func (l *Loop) write(d *atomicfile.DirWriter) error {
	p, s := l.at, l.Run.State
	p.Position, p.Seconds, p.KeepBest = l.src.Position(), l.seconds(), l.best != nil
	if l.overdue != nil {
		p.Overdue = recordOf(l.overdue)
	}
	params, _ := l.kept()
	values := map[string]func() ([]safetensors.Tensor, error){
		modelFile: func() ([]safetensors.Tensor, error) { return s.tensors(params) },
		optimFile: func() ([]safetensors.Tensor, error) { return s.tensors(s.optimizer()) },
	}
	if l.best != nil {
		values[bestFile] = func() ([]safetensors.Tensor, error) { return tensorsOf(l.best), nil }
	}
	put := func(name string, write func(w io.Writer) error, tensors []tensorSum) error {
		return d.File(name, func(w io.Writer) error {
			sum, err := summed(w, write)
			p.Sums = append(p.Sums, fileSum{name, sum, tensors})
			return err
		})
	}
	for _, name := range sortedKeys(values) {
		ts, err := values[name]()
		if err == nil {
			err = put(name, func(w io.Writer) error { return safetensors.Write(w, ts, valuesMeta) }, sumTensors(ts))
		}
		if err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(l.set.Files) {
		if err := put(name, l.set.Files[name], nil); err != nil {
			return err
		}
	}
	state, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return errors.Wrap(err, "train: checkpoint")
	}
	return d.File(stateFile, func(w io.Writer) error {
		_, err := w.Write(sealState(state))
		return err
	})
}

// resume loads the newest checkpoint; where there is none yet the run starts anew.
func (l *Loop) resume() error {
	path, at, err := newest(l.set.Out, l.set.warn)
	if errors.Is(err, ErrNoCheckpoint) {
		if err := l.begin(); err != nil {
			return err
		}
		return l.cutLog(-1)
	}
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
	last := at.Step
	if at.Step == 0 {
		last = -1 // what was evaluated before the first step will be again
	}
	if r := at.Overdue; r != nil {
		s := r.status()
		s.Steps, s.LRScale, s.Run = l.set.Steps, at.LRScale, l.Run
		l.overdue, l.at.Overdue, last = &s, nil, at.Step-1
	}
	return l.cutLog(last)
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
	if (len(p.Sums) > 0 || p.StateSum != nil) && !sealed(b) {
		return p, errors.Errorf("train: resume: %s is damaged: it is not what its own checksum says", path)
	}
	return p, nil
}
