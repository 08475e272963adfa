package train

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"

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
		return errors.Errorf("train: %s names a file %q outside its folder", filepath.Join(dir, stateFile), s.File)
	}
	path := filepath.Join(dir, s.File)
	f, err := os.Open(path)
	if err != nil {
		return errors.Wrap(err, "train: checkpoint")
	}
	defer f.Close()
	h := crc32.New(castagnoli)
	if _, err := io.Copy(h, f); err != nil {
		return errors.Wrapf(err, "train: checkpoint: %s", path)
	}
	if got := h.Sum32(); got != s.Sum {
		return errors.Errorf("train: %s is damaged%s: its CRC-32C is %08x; want %08x, as %s has it", path, s.where(path), got, s.Sum, stateFile)
	}
	return nil
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
