package data

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pkg/errors"
)

// find returns path if it is a file, else the regular files below it that the options want, in the order of their
// paths.
func find(path string, o TextOptions) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Wrap(err, "data: Text")
	}
	if info.Mode().IsRegular() {
		return []string{path}, nil
	}
	if !info.IsDir() {
		return nil, errors.Errorf("data: Text: %s is neither a file nor a folder", path)
	}
	root, err := filepath.EvalSymlinks(path) // WalkDir does not enter a linked root, which GOROOT/src may be
	if err != nil {
		return nil, errors.Wrap(err, "data: Text")
	}
	var names []string
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if (len(o.Ext) == 0 || slices.Contains(o.Ext, filepath.Ext(rel))) && (o.Keep == nil || o.Keep(rel)) {
			names = append(names, rel)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Wrap(err, "data: Text")
	}
	if len(names) == 0 {
		return nil, errors.Errorf("data: Text: %s: no files that fit (extensions %q)", path, o.Ext)
	}
	slices.Sort(names)
	for i, n := range names {
		names[i] = filepath.Join(path, filepath.FromSlash(n))
	}
	return names, nil
}
