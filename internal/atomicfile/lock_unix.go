//go:build unix

package atomicfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// ErrInUse says that another process, or another lock of this one, holds a file.
var ErrInUse = errors.New("in use by another process")

// FileLock is a lock that is held.
type FileLock struct{ f *os.File }

// Lock takes the file path for this process, with flock, and makes the file if it is not there. The system gives the
// lock back when the process ends, however it ends. If it is taken the error is ErrInUse and names the process that has
// it.
func Lock(path string) (*FileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, errors.Wrap(err, "atomicfile: Lock")
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EINTR {
			break
		}
	}
	if err == nil {
		if err = f.Truncate(0); err == nil {
			_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
		}
		if err != nil {
			f.Close()
			return nil, errors.Wrap(err, "atomicfile: Lock")
		}
		return &FileLock{f}, nil
	}
	defer f.Close()
	if err == unix.EWOULDBLOCK {
		err = ErrInUse
		if pid, e := os.ReadFile(path); e == nil && len(pid) > 0 {
			err = errors.WithMessagef(err, "process %s", strings.TrimSpace(string(pid)))
		}
	}
	return nil, errors.Wrapf(err, "atomicfile: Lock: %s", path)
}

// Unlock gives the lock back. The file stays.
func (l *FileLock) Unlock() error { return errors.Wrap(l.f.Close(), "atomicfile: Unlock") }

// LockSuffix ends the name of the lock beside a folder that is written.
const LockSuffix = ".ceto-lock"

// Hold takes the folder path, which need not be there, for this process until release is called. Another writer gets
// ErrInUse. The lock is a file beside the folder that goes away with it, or that the next Hold takes over.
func Hold(path string) (release func(), err error) {
	name := filepath.Clean(path) + LockSuffix
	for {
		l, err := Lock(name)
		if err != nil {
			return nil, err
		}
		held, err := l.f.Stat()
		there, err2 := os.Stat(name)
		if err == nil && err2 == nil && os.SameFile(held, there) {
			return func() { _ = os.Remove(name); _ = l.Unlock() }, nil
		}
		_ = l.Unlock() // whoever held it has removed the file meanwhile
	}
}
