package token

import (
	"bytes"
	"io"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
)

// maxFile bounds the files of a tokenizer, in bytes. The largest published ones have 40 MiB.
const maxFile = 256 << 20

// readSmall reads a file of a tokenizer. A folder, a device and a pipe are errors, and so is a Git LFS pointer, which
// stands for a file that was not fetched.
func readSmall(path string) ([]byte, error) {
	name := filepath.Base(path)
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.Errorf("%s: want a regular file, not one of mode %s", name, info.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	defer f.Close()
	data := make([]byte, 0, min(info.Size(), maxFile)+512)
	b := bytes.NewBuffer(data)
	if _, err := b.ReadFrom(io.LimitReader(f, maxFile+1)); err != nil {
		return nil, errors.Wrap(err, name)
	}
	if b.Len() > maxFile {
		return nil, errors.Errorf("%s: more than %d bytes", name, maxFile)
	}
	if bytes.HasPrefix(b.Bytes(), []byte("version https://git-lfs.github.com/spec/")) {
		return nil, errors.Errorf("%s: a Git LFS pointer, not the file: want it fetched with git lfs pull", name)
	}
	return b.Bytes(), nil
}
