package token

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// FileName is the name of the file of a tokenizer that has no published form: bytes and characters.
const FileName = "ceto_tokenizer.json"

// file is the content of a tokenizer's file.
type file struct {
	Kind  string `json:"kind"`
	Chars string `json:"chars,omitempty"` // characters by id, for a char tokenizer
}

// Write writes what [Read] needs to make the same tokenizer again.
func Write(w io.Writer, t Tokenizer) error {
	f := file{Kind: t.Name()}
	switch t := t.(type) {
	case Byte:
	case *Char:
		f.Chars = string(t.runes)
	default:
		return errors.Errorf("token: Write: a tokenizer of type %T cannot be saved", t)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return errors.Wrap(e.Encode(f), "token: Write")
}

// Read makes a tokenizer from what [Write] wrote.
func Read(r io.Reader) (Tokenizer, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	var f file
	if err := d.Decode(&f); err != nil {
		return nil, errors.Wrap(err, "token: Read")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("token: Read: more data after the tokenizer")
	}
	switch f.Kind {
	case "byte":
		return Byte{}, nil
	case "char":
		return newChar([]rune(f.Chars))
	}
	return nil, errors.Errorf("token: Read: kind %q, want byte or char", f.Kind)
}

// Files returns what the folder of a model has of its tokenizer, by the names of the files, for [Open] to read back. A
// [BPE] and a [SentencePiece] have tokenizer.json, with which Hugging Face tokenizers gives the same ids. They also
// have a tokenizer_config.json that names the begin and end tokens. A BPE has vocab.json and merges.txt in GPT-2's
// form, too. Other tokenizers have [FileName].
//
// It fails for a tokenizer that these files cannot express. Its splitter is not one of this package, or the text of a
// token reads like another one in the alphabet of bytes. Scores of a SentencePiece become merges in their order.
// Where tokens overlap in a run of one character, such as "====", that may cut the run in another of the equal ways.
func Files(t Tokenizer) (map[string]func(w io.Writer) error, error) {
	published, ok := t.(interface{ files() ([]writtenFile, error) })
	if !ok {
		var text bytes.Buffer
		if err := Write(&text, t); err != nil {
			return nil, err
		}
		return map[string]func(io.Writer) error{FileName: func(w io.Writer) error { _, err := w.Write(text.Bytes()); return err }}, nil
	}
	list, err := published.files()
	if err != nil {
		return nil, errors.Wrap(err, "token: Files")
	}
	files := map[string]func(io.Writer) error{}
	for _, f := range list {
		files[f.name] = f.write
	}
	return files, nil
}

// fileNames are the names of files that tokenizers have. A folder has those of one tokenizer.
var fileNames = []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
	"encoder.json", "vocab.bpe", "tokenizer.model", FileName}

// IsFile tells whether a file of this name belongs to a tokenizer.
func IsFile(name string) bool { return slices.Contains(fileNames, name) }

// Save writes the files of a tokenizer to folder dir, in the place of another's. They appear together or not at all,
// and other files of the folder stay: see [atomicfile.Replace].
func Save(dir string, t Tokenizer) error {
	files, err := Files(t)
	if err != nil {
		return err
	}
	return errors.Wrap(save(atomicfile.OS, dir, files), "token: Save")
}

func save(fsys atomicfile.FS, dir string, files map[string]func(w io.Writer) error) error {
	return atomicfile.Replace(fsys, dir, IsFile, func(d *atomicfile.DirWriter) error {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if err := d.File(name, files[name]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Load reads the tokenizer of folder dir. Without one the error is fs.ErrNotExist.
func Load(dir string) (Tokenizer, error) {
	if err := atomicfile.Recover(atomicfile.OS, dir); err != nil {
		return nil, errors.Wrap(err, "token: Load")
	}
	b, err := bounded.ReadFile(filepath.Join(dir, FileName), maxTokenizer)
	if err != nil {
		return nil, errors.Wrap(err, "token: Load")
	}
	t, err := Read(bytes.NewReader(b))
	return t, errors.Wrapf(err, "token: Load: %s", filepath.Join(dir, FileName))
}
