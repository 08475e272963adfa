package atomicfile

import (
	"bufio"
	stderrors "errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pkg/errors"
)

// Endings of names beside the one that is written. What a crash leaves under TmpSuffix is not to be used. What it
// leaves under OldSuffix is the old folder, which [Recover] puts back. The next write of the same name removes both.
const (
	TmpSuffix = ".ceto-tmp" // so that no user has such names
	OldSuffix = ".ceto-old"
)

// DirWriter makes the files of a folder that is being written.
type DirWriter struct {
	fs   FS
	path string // the unfinished folder

	written map[string]bool // names, where the folder is not a new one: each file takes its place by itself
}

// File makes a file of the folder: fn writes it. The file is synced when File returns.
func (d *DirWriter) File(name string, fn func(w io.Writer) error) error {
	if name != filepath.Base(name) || !filepath.IsLocal(name) || name == "." {
		return errors.Errorf("atomicfile: File: %q is not the name of a file in the folder", name)
	}
	if d.written != nil {
		d.written[name] = true
		return WriteFile(d.fs, filepath.Join(d.path, name), fn)
	}
	return write(d.fs, filepath.Join(d.path, name), fn)
}

// Dir writes a folder. First fn makes its files in a folder beside path, then the whole takes its place; an old one is
// replaced. When Dir returns nil, the new folder is there and lasts. With an error the old one is there, or in rare
// cases (a failure after the change) the new one. One process at a time may write a path: see [Lock].
func Dir(fsys FS, path string, fn func(d *DirWriter) error) error {
	if err := dir(fsys, filepath.Clean(path), fn); err != nil {
		return errors.Wrapf(err, "atomicfile: Dir: %s", path)
	}
	return nil
}

func dir(fsys FS, path string, fn func(d *DirWriter) error) error {
	if err := restore(fsys, path); err != nil {
		return err
	}
	tmp := path + TmpSuffix
	for _, rest := range []string{tmp, path + OldSuffix} { // what crashes left; path itself is there if an old one is
		if err := RemoveRest(fsys, rest); err != nil {
			return err
		}
	}
	if err := fsys.Mkdir(tmp); err != nil {
		return err
	}
	err := fn(&DirWriter{fs: fsys, path: tmp})
	if err == nil {
		err = fsys.SyncDir(tmp)
	}
	if err == nil {
		return place(fsys, tmp, path)
	}
	fsys.RemoveAll(tmp) // a second failure says nothing new
	return err
}

// RemoveRest removes what a crash left at path. Mostly there is nothing.
func RemoveRest(fsys FS, path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fsys.RemoveAll(path)
}

// place gives the folder tmp the name path.
func place(fsys FS, tmp, path string) error {
	parent := filepath.Dir(path)
	err := fsys.Rename(tmp, path)
	if err == nil {
		return fsys.SyncDir(parent)
	}
	if !taken(err) {
		fsys.RemoveAll(tmp)
		return err
	}
	rest := tmp // where the old one will be
	if err = fsys.Exchange(tmp, path); errors.Is(err, stderrors.ErrUnsupported) {
		rest = path + OldSuffix
		err = aside(fsys, tmp, path, rest)
	}
	if err != nil {
		return err
	}
	if err := fsys.SyncDir(parent); err != nil {
		return err
	}
	return fsys.RemoveAll(rest)
}

// aside is an exchange in two steps; a crash between them leaves the old folder under old, for [Recover]. A reader that
// calls Recover between them puts the old folder back; then both steps are made again.
func aside(fsys FS, tmp, path, old string) error {
	const tries = 10
	var err error
	for range tries {
		if err = fsys.Rename(path, old); err != nil {
			return err
		}
		if err = fsys.Rename(tmp, path); err == nil || !taken(err) {
			break
		}
	}
	if err != nil {
		fsys.Rename(old, path) // a second failure leaves it to Recover
	}
	return err
}

// taken tells whether a rename failed because there is a folder of that name.
func taken(err error) bool { return errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) }

// Recover puts a folder back that a crash left aside while [Dir] replaced it: the folder path, or the one that path
// lies in. A crash leaves one aside only on file systems that cannot exchange two names.
//
// Every reader of what Dir has written calls Recover first, with the path that it is about to read. Mostly there is
// nothing to do; a path that is not there at all is no error. An error means that a folder was found and stays aside.
func Recover(fsys FS, path string) error {
	path = filepath.Clean(path)
	for _, p := range []string{filepath.Dir(path), path} {
		if _, err := os.Lstat(p + OldSuffix); err != nil {
			continue // nothing is aside; what else is wrong with path, its reader will say
		}
		if err := restore(fsys, p); err != nil {
			return errors.Wrapf(err, "atomicfile: Recover: %s", path)
		}
	}
	return nil
}

func restore(fsys FS, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Lstat(path + OldSuffix); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return fsys.Rename(path+OldSuffix, path) // if a crash undoes it, it is done again
}

// Clean removes what crashes left of unfinished files and folders in folder dir. Nothing in it may be under way.
func Clean(fsys FS, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errors.Wrap(err, "atomicfile: Clean")
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), TmpSuffix) {
			if err := fsys.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return errors.Wrap(err, "atomicfile: Clean")
			}
		}
	}
	return nil
}

// WriteFile writes one file: fn writes it beside path, then it takes its place. When WriteFile returns nil, the new
// file is there and lasts; with an error see [Dir].
func WriteFile(fsys FS, path string, fn func(w io.Writer) error) error {
	path = filepath.Clean(path)
	tmp := path + TmpSuffix
	err := write(fsys, tmp, fn)
	if err == nil {
		err = fsys.Rename(tmp, path)
	}
	if err != nil {
		fsys.RemoveAll(tmp) // a second failure says nothing new
		return errors.Wrapf(err, "atomicfile: WriteFile: %s", path)
	}
	return errors.Wrapf(fsys.SyncDir(filepath.Dir(path)), "atomicfile: WriteFile: %s", path)
}

// write makes a file and syncs it.
func write(fsys FS, path string, fn func(w io.Writer) error) (err error) {
	f, err := fsys.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	b := bufio.NewWriterSize(f, 1<<16)
	if err := fn(b); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// Exists reports whether there is a file or folder at path. What cannot be asked about is not there.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
