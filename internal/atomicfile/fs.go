// Package atomicfile writes files and folders so that a crash at any instant leaves the old one or the new one whole.
//
//	err := atomicfile.Dir(atomicfile.OS, "checkpoints/step-10", func(d *atomicfile.DirWriter) error {
//		return d.File("state.json", func(w io.Writer) error { return json.NewEncoder(w).Encode(state) })
//	})
package atomicfile

import (
	"io"
	"os"

	"github.com/pkg/errors"
)

// FS is what writing needs of a file system. Names are paths.
type FS interface {
	// Create makes an empty file, or empties one that is there.
	Create(name string) (File, error)
	Mkdir(name string) error
	// Rename moves old to new; a file or an empty folder in its way is replaced.
	Rename(old, new string) error
	// Exchange swaps two names in one instant, or returns errors.ErrUnsupported.
	Exchange(a, b string) error
	// RemoveAll removes a file or a folder with all in it; it is no error if there is none.
	RemoveAll(name string) error
	// SyncDir makes what happened to the names in a folder last.
	SyncDir(name string) error
}

// File is a file that is being written.
type File interface {
	io.Writer
	// Sync makes what was written last.
	Sync() error
	Close() error
}

// OS is the file system of the operating system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) Create(name string) (File, error) { return os.Create(name) }

func (osFS) Mkdir(name string) error { return os.Mkdir(name, 0o777) }

func (osFS) Rename(old, new string) error { return os.Rename(old, new) }

func (osFS) Exchange(a, b string) error {
	if err := exchange(a, b); err != nil {
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
	}
	return nil
}

func (osFS) RemoveAll(name string) error { return os.RemoveAll(name) }

func (osFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return errors.WithStack(d.Sync())
}
