package pretrained

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// ManifestFile lists the files of an export. By it a later one knows that it may replace them.
const ManifestFile = ".ceto-export.json"

// writtenFile is a file as Export wrote it.
type writtenFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// counter counts bytes.
type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// manifest writes the list of the files.
func (e *export) manifest() error {
	return e.dir.File(ManifestFile, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(map[string]any{"files": e.written})
	})
}

// own returns an error for a folder that has anything which Export did not write, or which was changed since.
func own(dir, path string, entries []fs.DirEntry) error {
	if len(entries) == 0 {
		return nil
	}
	var m struct {
		Files []writtenFile `json:"files"`
	}
	b, err := bounded.ReadFile(filepath.Join(path, ManifestFile), maxJSON)
	if err == nil {
		err = errors.Wrap(json.Unmarshal(b, &m), ManifestFile)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errors.Errorf("%s is no folder that an export wrote, as it has no %s: remove it, or take another folder", dir, ManifestFile)
	}
	if err != nil {
		return err
	}
	known := map[string]writtenFile{}
	for _, f := range m.Files {
		known[f.Name] = f
	}
	for _, f := range entries {
		if f.Name() == ManifestFile {
			continue
		}
		w, ok := known[f.Name()]
		if !ok {
			return errors.Errorf("%s has %s, which no export wrote: remove it, or take another folder", dir, f.Name())
		}
		if same, err := w.unchanged(filepath.Join(path, f.Name())); err != nil || !same {
			if err != nil {
				return err
			}
			return errors.Errorf("%s has %s, which was changed since it was exported: remove it, or take another folder", dir, f.Name())
		}
	}
	return nil
}

// unchanged tells whether the file at path is as it was written.
func (f writtenFile) unchanged(path string) (bool, error) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
		return false, errors.WithStack(err)
	}
	r, err := os.Open(path)
	if err != nil {
		return false, errors.WithStack(err)
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return false, errors.WithStack(err)
	}
	return hex.EncodeToString(h.Sum(nil)) == f.SHA256, nil
}
