package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
)

// Replace writes files of the folder path that belong together, such as a tokenizer's. They take the place of those for
// whose names mine holds, in one step; other files of the folder stay. While another process writes the folder, the
// error is ErrInUse.
//
// A folder with folders in it cannot be exchanged, nor the one that the process works in. There fn's files appear one
// by one, in its order, and then what is left of the old ones goes.
func Replace(fsys FS, path string, mine func(name string) bool, fn func(d *DirWriter) error) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return errors.WithStack(err)
	}
	if at, err := filepath.EvalSymlinks(path); err == nil {
		path = at // a link stays one
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return errors.WithStack(err)
	}
	release, err := Hold(path)
	if err != nil {
		return err
	}
	defer release()
	if err := Recover(OS, path); err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.WithStack(err)
	}
	work, _ := os.Getwd()
	alone := work != path && !strings.HasPrefix(work, path+string(filepath.Separator))
	var old, others []string
	for _, e := range entries {
		alone = alone && e.Type().IsRegular()
		if mine(e.Name()) {
			old = append(old, e.Name())
		} else {
			others = append(others, filepath.Join(path, e.Name()))
		}
	}
	if !alone {
		return inPlace(fsys, path, old, fn)
	}
	return Dir(fsys, path, func(d *DirWriter) error {
		for _, name := range others {
			if err := d.keep(name); err != nil {
				return err
			}
		}
		return fn(d)
	})
}

// inPlace writes the files one by one, and then removes the old ones that have no successor.
func inPlace(fsys FS, path string, old []string, fn func(d *DirWriter) error) error {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return errors.WithStack(err)
	}
	d := &DirWriter{fs: fsys, path: path, written: map[string]bool{}}
	if err := fn(d); err != nil {
		return err
	}
	for _, name := range old {
		if d.written[name] {
			continue
		}
		if err := fsys.RemoveAll(filepath.Join(path, name)); err != nil {
			return errors.WithStack(err)
		}
	}
	return nil
}

// keep gives the folder a file that is there already, under the name that it has.
func (d *DirWriter) keep(file string) error {
	return errors.Wrap(os.Link(file, filepath.Join(d.path, filepath.Base(file))), "atomicfile: Replace")
}
