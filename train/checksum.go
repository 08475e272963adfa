package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/pkg/errors"
)

// castagnoli is the polynomial of CRC-32C, which processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileSum is the CRC-32C of a file of a checkpoint, and that of each of its tensors' bytes.
type fileSum struct {
	File    string      `json:"file"`
	Sum     uint32      `json:"crc32c"`
	Tensors []tensorSum `json:"tensors,omitempty"`
}

type tensorSum struct {
	Name string `json:"name"`
	Sum  uint32 `json:"crc32c"`
}

// sumTensors returns the checksums of tensors.
func sumTensors(ts []safetensors.Tensor) (sums []tensorSum) {
	for _, t := range ts {
		sums = append(sums, tensorSum{t.Name, crc32.Checksum(t.Data, castagnoli)})
	}
	return sums
}

// summed calls write with a writer that passes on to w, and returns the checksum of what was written.
func summed(w io.Writer, write func(w io.Writer) error) (uint32, error) {
	h := crc32.New(castagnoli)
	err := write(io.MultiWriter(w, h))
	return h.Sum32(), err
}

// verify returns an error where the file in folder dir is not the one that was written.
func (s fileSum) verify(dir string) error {
	if s.File != filepath.Base(s.File) || !filepath.IsLocal(s.File) {
		return errors.Errorf("train: the checksums in %s name a file %q outside it", dir, s.File)
	}
	path := filepath.Join(dir, s.File)
	got, err := sumFile(path)
	if err != nil {
		return errors.Wrap(err, "train: checkpoint")
	}
	if got != s.Sum {
		return errors.Errorf("train: %s is damaged%s, or was changed: its CRC-32C is %08x; want %08x, as its folder has it", path, s.where(path), got, s.Sum)
	}
	return nil
}

// sumFile is the checksum of a file.
func sumFile(path string) (uint32, error) {
	f, err := bounded.Open(path)
	if err != nil {
		return 0, errors.WithStack(err)
	}
	defer f.Close()
	h := crc32.New(castagnoli)
	_, err = io.Copy(h, f)
	return h.Sum32(), errors.WithStack(err)
}

// where names the first tensor of a damaged file whose bytes differ; "" where none can be told.
func (s fileSum) where(path string) string {
	f, err := safetensors.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for _, want := range s.Tensors {
		if t, ok := f.Tensor(want.Name); ok && crc32.Checksum(t.Data, castagnoli) != want.Sum {
			return fmt.Sprintf(" in tensor %q", want.Name)
		}
	}
	return ""
}

// ownSum begins the last line of a state.json: the checksum of all bytes before it.
const ownSum = ",\n  \"state_crc32c\": "

// sealState adds to the text of a state the checksum of that text.
func sealState(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n}"))
	sum := crc32.Checksum(b, castagnoli)
	return append(strconv.AppendUint(append(b, ownSum...), uint64(sum), 10), "\n}"...)
}

// sealed tells whether the text of a state is one that sealState has returned.
func sealed(b []byte) bool {
	i := bytes.LastIndex(b, []byte(ownSum))
	return i >= 0 && bytes.Equal(b, sealState(append(bytes.Clone(b[:i]), "\n}"...)))
}

// SumsFile holds the checksums of the other files of a folder; see [Seal].
const SumsFile = "checksums.json"

// folderSums is what SumsFile holds.
type folderSums struct {
	Sums []fileSum `json:"checksums"`
	Own  *uint32   `json:"state_crc32c,omitempty"` // see sealState
}

// Seal writes [SumsFile] for the files of a folder, by which [Resolve] tells that they are whole.
func Seal(fsys atomicfile.FS, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errors.Wrap(err, "train: Seal")
	}
	var all folderSums
	for _, e := range entries {
		if e.IsDir() || e.Name() == SumsFile {
			continue
		}
		s := fileSum{File: e.Name()}
		path := filepath.Join(dir, s.File)
		if s.Sum, err = sumFile(path); err != nil {
			return errors.Wrap(err, "train: Seal")
		}
		if f, err := safetensors.Open(path); err == nil { // other files have no tensors
			s.Tensors = sumTensors(f.Tensors)
			f.Close()
		}
		all.Sums = append(all.Sums, s)
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return errors.Wrap(err, "train: Seal")
	}
	return atomicfile.WriteFile(fsys, filepath.Join(dir, SumsFile), func(w io.Writer) error {
		_, err := w.Write(sealState(b))
		return err
	})
}

// verifySums compares the files of a folder with its SumsFile.
func verifySums(dir string) error {
	path := filepath.Join(dir, SumsFile)
	b, err := bounded.ReadFile(path, 64<<20)
	if err != nil {
		return errors.Wrap(err, "train: checksums")
	}
	var all folderSums
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil || len(all.Sums) == 0 || !sealed(b) {
		return errors.Errorf("train: %s is damaged: it does not hold checksums as they were written", path)
	}
	for _, s := range all.Sums {
		if err := s.verify(dir); err != nil {
			return err
		}
	}
	return nil
}
