package data

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/internal/textfile"
	"github.com/pkg/errors"
)

// find returns path if it is a file, else the files below it that the options want, in the order of their paths. Links
// are followed, and no folder is entered twice. Hidden files and folders are passed over: their names begin with a dot.
func find(path string, o TextOptions) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Wrap(err, "data: Text")
	}
	if !info.IsDir() {
		return []string{path}, errors.Wrap(textfile.Regular(path, info), "data: Text")
	}
	w := walk{o: o, seen: map[string]bool{}}
	if err := w.folder(path, ""); err != nil {
		return nil, errors.Wrap(err, "data: Text")
	}
	if len(w.names) == 0 {
		return nil, errors.Errorf("data: Text: %s: no files that fit (extensions %q; hidden ones are passed over)",
			path, o.Ext)
	}
	slices.Sort(w.names)
	for i, n := range w.names {
		w.names[i] = filepath.Join(path, filepath.FromSlash(n))
	}
	return w.names, nil
}

// walk collects the files below a folder.
type walk struct {
	o     TextOptions
	seen  map[string]bool // folders, by their paths without links
	names []string        // below the folder, with slashes
}

// folder adds the files below dir, whose path below the first folder is rel.
func (w *walk) folder(dir, rel string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil || w.seen[real] {
		return errors.WithStack(err)
	}
	w.seen[real] = true
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errors.WithStack(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := w.entry(filepath.Join(dir, e.Name()), strings.TrimPrefix(rel+"/"+e.Name(), "/")); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(path, rel string) error {
	info, err := os.Stat(path)
	if err != nil {
		return errors.Wrap(err, "a link that leads nowhere")
	}
	if info.IsDir() {
		return w.folder(path, rel)
	}
	if len(w.o.Ext) > 0 && !slices.Contains(w.o.Ext, filepath.Ext(rel)) || w.o.Keep != nil && !w.o.Keep(rel) {
		return nil
	}
	w.names = append(w.names, rel)
	return textfile.Regular(path, info)
}
