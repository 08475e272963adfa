// Package mapped maps files into memory for reading, and tells which file it was when one is cut short meanwhile.
//
// A file that another program cuts short leaves pages in memory that have nothing behind them. The system stops a
// program that reads one. [Guard] turns that into an error. Every goroutine that reads a mapped file does so within it.
package mapped

import (
	"os"
	"runtime/debug"
	"sync"
	"unsafe"

	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/edsrzf/mmap-go"
	"github.com/pkg/errors"
)

// File is a mapped file. Its bytes are not to be written to, nor used after Close.
type File struct {
	Bytes []byte
	path  string
}

// open has the files that are mapped now.
var open struct {
	sync.Mutex
	files map[*File]bool
}

// Open maps a file. What is no regular file, or is empty, is an error; such a file is not opened.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, errors.Errorf("%s: %s of %d bytes, want a file with contents", path, info.Mode(), info.Size())
	}
	r, err := os.Open(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	defer r.Close()
	mem, err := mmap.Map(r, mmap.RDONLY, 0)
	if err != nil {
		return nil, errors.Wrap(err, path)
	}
	if err := bounded.Pointer(mem); err != nil {
		_ = mem.Unmap()
		return nil, errors.Wrap(err, path)
	}
	f := &File{mem, path}
	open.Lock()
	defer open.Unlock()
	if open.files == nil {
		open.files = map[*File]bool{}
	}
	open.files[f] = true
	return f, nil
}

// Close unmaps the file. Another Close does nothing.
func (f *File) Close() error {
	if f.Bytes == nil {
		return nil
	}
	open.Lock()
	delete(open.files, f)
	open.Unlock()
	mem := mmap.MMap(f.Bytes)
	f.Bytes = nil
	return errors.Wrap(mem.Unmap(), f.path)
}

// Guard calls read in this goroutine and returns its error. Where a mapped file cannot be read, it returns an error
// that names the file. Another panic stays one.
func Guard(read func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if r := recover(); r != nil {
			f := at(r)
			if f == nil {
				panic(r)
			}
			err = errors.Errorf("%s: the file could not be read: it was cut short meanwhile, or its disk failed", f.path)
		}
	}()
	return read()
}

// at returns the file in whose memory a fault happened, nil for any other panic.
func at(r any) *File {
	fault, ok := r.(interface{ Addr() uintptr })
	if !ok {
		return nil
	}
	open.Lock()
	defer open.Unlock()
	for f := range open.files {
		from := uintptr(unsafe.Pointer(unsafe.SliceData(f.Bytes)))
		if a := fault.Addr(); a >= from && a-from < uintptr(len(f.Bytes)) {
			return f
		}
	}
	return nil
}
