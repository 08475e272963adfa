package train

import (
	"io"
	"io/fs"
	"path/filepath"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// deviceFile, in a run folder, has what the executor has chosen for its device.
const deviceFile = "device.json"

// choose gives the executor what a run that is resumed has chosen. A warning says where the device is another one.
func (t *Trainer) choose() error {
	c, ok := t.Executor.(plan.Chooser)
	if !ok || !t.Resume {
		return nil
	}
	path := filepath.Join(t.Out, deviceFile)
	b, err := bounded.ReadFile(path, 64<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errors.Wrap(err, "train: resume")
	}
	differs, err := c.Choose(b)
	if differs != "" {
		t.warn("resume: " + differs + "; the results may differ in their last bits")
	}
	return errors.Wrapf(err, "train: resume: %s", path)
}

// choices writes what the executor has chosen so far, where it has chosen more since the last time.
func (f *folder) choices(x plan.Executor) error {
	c, ok := x.(plan.Chooser)
	if !ok {
		return nil
	}
	b, n, err := c.Choices()
	if err != nil || n+1 == f.chosen {
		return err
	}
	err = atomicfile.WriteFile(f.fs, filepath.Join(f.path, deviceFile), func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
	if err == nil {
		f.chosen = n + 1
	}
	return errors.Wrap(err, "train: "+deviceFile)
}
