// Package faultfs is a file system for tests that fails, shortens a write or stops at the n-th operation.
//
//	for _, kind := range faultfs.Kinds {
//		for n := 1; ; n++ {
//			fs := faultfs.New(atomicfile.OS, kind, n)
//			err := save(fs, dir)
//			if !fs.Fired() {
//				break // save has fewer than n operations
//			}
//			// what is in dir must be the old or the new, and the new if err is nil
//		}
//	}
package faultfs

import (
	stderrors "errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/pkg/errors"
)

// Kind is a kind of fault.
type Kind int

const (
	// NoSpace, ReadOnly and IO fail one operation with ENOSPC, EROFS and EIO; a write leaves half of its bytes.
	NoSpace Kind = iota
	ReadOnly
	IO
	// Short writes half of the bytes and says so without an error; operations that do not write fail with EIO.
	Short
	// Crash stops: the operation and all after it do nothing and fail with ErrCrashed.
	Crash
	// CrashData is Crash, and files lose what was written since their last Sync; names stay.
	CrashData
	// CrashAll is CrashData, and all that happened to names since the last SyncDir of their folder is undone too.
	CrashAll
)

// Kinds are all kinds.
var Kinds = []Kind{NoSpace, ReadOnly, IO, Short, Crash, CrashData, CrashAll}

func (k Kind) String() string {
	names := []string{"ENOSPC", "EROFS", "EIO", "short", "crash", "crash that loses data", "crash that loses data and names"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return names[k]
}

// ErrCrashed is the error of every operation after a crash.
var ErrCrashed = errors.New("faultfs: crashed")

// FS passes operations on to another file system, but for the one that fails. It is not safe for concurrent use.
type FS struct {
	// NoExchange makes Exchange answer errors.ErrUnsupported, as some file systems do.
	NoExchange bool

	under   atomicfile.FS
	kind    Kind
	at, ops int
	crashed bool
	changes []change // that do not last yet, the oldest first
	trash   string   // folder of what was removed and may come back
	err     error
}

// New returns a file system over under whose n-th operation, from 1 on, has a fault of the given kind. Create, Write,
// Sync, Close, Mkdir, Rename, Exchange, RemoveAll and SyncDir are an operation each. Sync and SyncDir are not passed
// on, as tests of many crashes would take minutes. The simulation keeps track of what they are for.
func New(under atomicfile.FS, kind Kind, n int) *FS {
	return &FS{under: under, kind: kind, at: n}
}

// Ops is the number of operations so far.
func (f *FS) Ops() int { return f.ops }

// Fired tells whether the fault has happened.
func (f *FS) Fired() bool { return f.ops >= f.at }

// Err is what went wrong in the simulation itself: nil, or the test proves nothing.
func (f *FS) Err() error { return f.err }

// Close removes what the simulation kept.
func (f *FS) Close() error {
	if f.trash == "" {
		return nil
	}
	return os.RemoveAll(f.trash)
}

// step counts an operation and returns the error that it must have; partly is what the operation does even so.
func (f *FS) step(partly func()) error {
	if f.crashed {
		return ErrCrashed
	}
	if f.ops++; f.ops != f.at {
		return nil
	}
	if partly != nil {
		partly()
	}
	switch f.kind {
	case NoSpace:
		return syscall.ENOSPC
	case ReadOnly:
		return syscall.EROFS
	case IO, Short:
		return syscall.EIO
	}
	f.Crash()
	return ErrCrashed
}

// Crash stops now: what a test of success ends with, to see that nothing is lost.
func (f *FS) Crash() {
	if !f.crashed {
		f.crashed = true
		f.lose()
	}
}

// Create implements atomicfile.FS.
func (f *FS) Create(name string) (atomicfile.File, error) {
	if err := f.step(nil); err != nil {
		return nil, err
	}
	if err := f.putAway(name); err != nil { // an emptied file is a new one where the old one is not lost
		return nil, err
	}
	file, err := f.under.Create(name)
	if err != nil {
		return nil, err
	}
	f.log(change{op: created, a: name})
	return &openFile{f, file, name}, nil
}

// Mkdir implements atomicfile.FS.
func (f *FS) Mkdir(name string) error {
	if err := f.step(nil); err != nil {
		return err
	}
	if err := f.under.Mkdir(name); err != nil {
		return err
	}
	f.log(change{op: created, a: name})
	return nil
}

// Rename implements atomicfile.FS.
func (f *FS) Rename(old, new string) error {
	if err := f.step(nil); err != nil {
		return err
	}
	if info, err := os.Lstat(new); err == nil && info.Mode().IsRegular() {
		if err := f.putAway(new); err != nil {
			return err
		}
	}
	if err := f.under.Rename(old, new); err != nil {
		return err
	}
	f.log(change{op: renamed, a: old, b: new})
	return nil
}

// Exchange implements atomicfile.FS.
func (f *FS) Exchange(a, b string) error {
	if err := f.step(nil); err != nil {
		return err
	}
	if f.NoExchange {
		return errors.WithStack(stderrors.ErrUnsupported)
	}
	if err := f.under.Exchange(a, b); err != nil {
		return err
	}
	f.log(change{op: exchanged, a: a, b: b})
	return nil
}

// RemoveAll implements atomicfile.FS.
func (f *FS) RemoveAll(name string) error {
	if err := f.step(nil); err != nil {
		return err
	}
	return f.putAway(name)
}

// SyncDir implements atomicfile.FS.
func (f *FS) SyncDir(name string) error {
	if err := f.step(nil); err != nil {
		return err
	}
	if _, err := os.Stat(name); err != nil {
		return err
	}
	f.keepNames(filepath.Clean(name))
	return nil
}
