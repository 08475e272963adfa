package data

import (
	"encoding/json"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// WidthFile is the name of the file that tells the type of ids for all files without a header in its folder:
//
//	{"dtype": "uint32"}
//
// "uint16" is the other choice, and what holds without this file.
const WidthFile = "tokens.json"

// widthOf is what a [WidthFile] holds.
type widthOf struct {
	DType string `json:"dtype"`
}

// WriteWidth writes a [WidthFile] for ids of 2 or 4 bytes.
func WriteWidth(w io.Writer, width int) error {
	if width != 2 && width != 4 {
		return errors.Errorf("data: WriteWidth: ids of %d bytes, want 2 or 4", width)
	}
	_, err := io.WriteString(w, widthText(width)+"\n")
	return errors.Wrap(err, "data: WriteWidth")
}

func widthText(width int) string {
	if width == 4 {
		return `{"dtype": "uint32"}`
	}
	return `{"dtype": "uint16"}`
}

// readWidth reads the [WidthFile] of a folder: 2, 4, or 0 if there is none.
func readWidth(dir string) (int, error) {
	b, err := bounded.ReadFile(filepath.Join(dir, WidthFile), 1<<16)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var w widthOf
	if err := json.Unmarshal(b, &w); err != nil {
		return 0, errors.Wrap(err, WidthFile)
	}
	switch w.DType {
	case "uint16":
		return 2, nil
	case "uint32":
		return 4, nil
	}
	return 0, errors.Errorf("%s: dtype %q, want uint16 or uint32", WidthFile, w.DType)
}

// looksWide tells whether ids of 2 bytes look like halves of ids of 4. Every second one is then below 16, as
// vocabularies stay below 16 times 65,536 ids. Many of the others are not small, or every second one is 0.
func looksWide(ids []uint16) bool {
	const most, enough, high, low = 1 << 13, 128, 16, 1024
	ids = ids[:min(len(ids), most)]
	if len(ids) < enough {
		return false
	}
	zeros, some, large := true, 0, 0
	for i := 0; i+1 < len(ids); i += 2 {
		if ids[i+1] >= high {
			return false
		}
		zeros = zeros && ids[i+1] == 0
		if ids[i] != 0 {
			some++
		}
		if ids[i] >= low {
			large++
		}
	}
	return large > len(ids)/8 || zeros && some > len(ids)/8
}
