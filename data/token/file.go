package token

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
)

// FileName is the name of a tokenizer's file in the folder of its model.
const FileName = "ceto_tokenizer.json"

// file is the content of a tokenizer's file.
type file struct {
	Kind  string `json:"kind"`
	Chars string `json:"chars,omitempty"` // of a char tokenizer, by id
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

// Save writes a tokenizer to its file in folder dir.
func Save(dir string, t Tokenizer) error {
	var b bytes.Buffer
	if err := Write(&b, t); err != nil {
		return err
	}
	return errors.Wrap(os.WriteFile(filepath.Join(dir, FileName), b.Bytes(), 0o644), "token: Save")
}

// Load reads the tokenizer of folder dir. Without one the error is fs.ErrNotExist.
func Load(dir string) (Tokenizer, error) {
	b, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		return nil, errors.Wrap(err, "token: Load")
	}
	t, err := Read(bytes.NewReader(b))
	return t, errors.Wrapf(err, "token: Load: %s", filepath.Join(dir, FileName))
}
