// Package bounded reads small files of others whole, such as settings in JSON or YAML: never more than a bound.
//
//	b, err := bounded.ReadFile("config.json", 4<<20)
package bounded

import (
	"bytes"
	"io"
	"os"

	"github.com/pkg/errors"
)

// Open opens a file for reading. What is no regular file, such as a pipe whose other end nobody writes, is an error
// before it is opened.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.Errorf("%s: %s; want a regular file", path, info.Mode())
	}
	f, err := os.Open(path)
	return f, errors.WithStack(err)
}

// ReadFile returns the bytes of a file. More than most bytes are an error that names the file and the bound. So is what
// is no regular file, before it is opened, and a pointer of Git LFS. A file that is missing is fs.ErrNotExist.
func ReadFile(path string, most int) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, errors.WithStack(err)
	}
	b := make([]byte, 0, min(info.Size(), int64(most))+1) // one more, so that the end is seen without growth
	for len(b) <= most {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := f.Read(b[len(b):min(cap(b), most+1)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, errors.Wrap(Pointer(b), path)
		}
		if err != nil {
			return nil, errors.WithStack(err)
		}
	}
	return nil, errors.Errorf("%s: more than %d bytes, the most that such a file may have", path, most)
}

// Pointer returns an error for what Git LFS leaves in the place of a file that was not fetched.
// Source: Git LFS, docs/spec.md.
func Pointer(b []byte) error {
	if bytes.HasPrefix(b, []byte("version https://git-lfs.github.com/spec/")) {
		return errors.New("this is a Git LFS pointer, not the file itself; fetch the file with: git lfs pull")
	}
	return nil
}
