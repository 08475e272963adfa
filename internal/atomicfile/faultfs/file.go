package faultfs

import (
	"os"
	"syscall"

	"github.com/ceto-ml/ceto/internal/atomicfile"
)

// openFile is a file that is being written.
type openFile struct {
	fs   *FS
	file atomicfile.File
	name string
}

// Write implements atomicfile.File.
func (o *openFile) Write(b []byte) (n int, err error) {
	err = o.fs.step(func() { n, _ = o.write(b[:len(b)/2]) })
	switch {
	case err == nil:
		return o.write(b)
	case o.fs.kind == Short && err == syscall.EIO:
		return n, nil
	}
	return n, err
}

func (o *openFile) write(b []byte) (int, error) {
	info, err := os.Stat(o.name)
	if err != nil {
		return 0, err
	}
	o.fs.log(change{op: wrote, a: o.name, size: info.Size()})
	return o.file.Write(b)
}

// Sync implements atomicfile.File.
func (o *openFile) Sync() error {
	if err := o.fs.step(nil); err != nil {
		return err
	}
	o.fs.drop(func(c change, name string) bool { return c.op == wrote && name == o.name })
	return nil
}

// Close implements atomicfile.File.
func (o *openFile) Close() error {
	err := o.fs.step(nil)
	if e := o.file.Close(); err == nil {
		err = e
	}
	return err
}
