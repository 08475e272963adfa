package train

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/pkg/errors"
)

// ErrNoCheckpoint says that a run folder has no checkpoint yet.
var ErrNoCheckpoint = errors.New("no checkpoint")

// NewestCheckpoint returns the folder of the newest checkpoint of a run whose files are whole, as their checksums say.
// It tells warn, or slog.Warn where that is nil, of newer ones that are damaged. It also tells of a checkpoint
// without checksums. Where all are damaged the error is that of the newest. A crash may have left a checkpoint aside
// while it was written again; then it is put back.
func NewestCheckpoint(run string, warn func(string)) (string, error) {
	path, _, err := newest(run, warn)
	return path, err
}

// newest is [NewestCheckpoint], with the checkpoint's state.
func newest(run string, warn func(string)) (string, progress, error) {
	warn = warning(warn)
	steps, err := stepsIn(run)
	if err != nil {
		return "", progress{}, err
	}
	var damage error
	for _, n := range slices.Backward(steps) {
		path := filepath.Join(run, checkpoints, stepPrefix+strconv.Itoa(n))
		if err := atomicfile.Recover(atomicfile.OS, path); err != nil {
			return "", progress{}, errors.Wrap(err, "train: checkpoints")
		}
		p, err := verify(path, warn)
		switch {
		case err != nil && damage == nil:
			damage = err
		case err == nil && damage != nil:
			warn(fmt.Sprintf("%v; taking the last whole checkpoint, %s", damage, path))
			return path, p, nil
		case err == nil:
			return path, p, nil
		}
	}
	if damage != nil {
		return "", progress{}, damage
	}
	return "", progress{}, errors.Wrapf(ErrNoCheckpoint, "train: %s", run)
}

// stepsIn lists the steps of the checkpoints in a run folder, in ascending order.
func stepsIn(run string) (steps []int, err error) {
	entries, err := os.ReadDir(filepath.Join(run, checkpoints))
	if err != nil {
		return nil, errors.Wrap(err, "train: checkpoints")
	}
	for _, e := range entries {
		num, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), atomicfile.OldSuffix), stepPrefix)
		if n, err := strconv.Atoi(num); ok && err == nil && n >= 0 {
			steps = append(steps, n)
		}
	}
	slices.Sort(steps)
	return slices.Compact(steps), nil
}

// prune removes the checkpoints before the last Trainer.Keep ones. The one of the best evaluation stays, or where there
// is none of that step the next one. It is called when the newest stands.
func (l *Loop) prune() error {
	if l.set.Keep < 1 {
		return nil
	}
	steps, err := stepsIn(l.set.Out)
	if err != nil {
		return err
	}
	n, _ := slices.BinarySearch(steps, l.at.Step+1) // what a run that was resumed has not reached again does not count
	steps = steps[:n]
	best, _ := slices.BinarySearch(steps, l.at.BestStep)
	for i, step := range steps[:max(0, n-l.set.Keep)] {
		if l.at.BestStep > 0 && i == best {
			continue
		}
		path := filepath.Join(l.set.Out, checkpoints, stepPrefix+strconv.Itoa(step))
		err := atomicfile.Recover(l.folder.fs, path)
		if err == nil {
			err = l.folder.fs.Rename(path, path+atomicfile.TmpSuffix) // a crash leaves no part of a checkpoint
		}
		if err == nil {
			err = l.folder.fs.RemoveAll(path + atomicfile.TmpSuffix)
		}
		if err != nil {
			return errors.Wrapf(err, "train: to remove an old checkpoint, as keep %d asks", l.set.Keep)
		}
	}
	return nil
}

// Resolve returns the folder with the files of a model: the newest whole checkpoint where path is a run that has one,
// else path itself. Where path is a checkpoint, its files are compared with their checksums. See [NewestCheckpoint].
func Resolve(path string, warn func(string)) (string, error) {
	is := func(name string) bool { return atomicfile.Exists(filepath.Join(path, name)) }
	if is(stateFile) && (is(optimFile) || strings.HasPrefix(filepath.Base(path), stepPrefix)) {
		_, err := verify(path, warning(warn))
		return path, err
	}
	if !is(checkpoints) {
		return path, nil
	}
	dir, err := NewestCheckpoint(path, warn)
	if errors.Is(err, ErrNoCheckpoint) {
		return path, nil
	}
	return dir, err
}

// warning is warn, or what takes its place where it is nil.
func warning(warn func(string)) func(string) {
	if warn == nil {
		return func(s string) { slog.Warn(s) }
	}
	return warn
}

// verify compares all files of a checkpoint with their checksums and returns its state.
func verify(dir string, warn func(string)) (progress, error) {
	p, err := readProgress(filepath.Join(dir, stateFile))
	if err != nil {
		return p, err
	}
	if len(p.Sums) == 0 {
		if err := p.opens(dir); err != nil {
			return p, err
		}
		warn(fmt.Sprintf("train: %s has no checksums, as an older program wrote it: damage to its values would not be seen", dir))
		return p, nil
	}
	for _, s := range p.Sums {
		if err := s.verify(dir); err != nil {
			return p, err
		}
	}
	p.Sums, p.StateSum = nil, nil
	return p, nil
}

// opens tells what is wrong with the files of a checkpoint without checksums, by their headers and sizes.
func (p progress) opens(dir string) error {
	for _, name := range []string{modelFile, optimFile, bestFile} {
		if name == bestFile && !p.KeepBest {
			continue
		}
		f, err := safetensors.Open(filepath.Join(dir, name))
		if err != nil {
			return errors.Wrap(err, "train: checkpoint")
		}
		f.Close()
	}
	return nil
}
