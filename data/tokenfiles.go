package data

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/mapped"
	"github.com/pkg/errors"
)

// TokenFiles maps tokens that were made before. A folder has train.bin and val.bin; parts train_*.bin in the place of
// train.bin are read into memory as one. Where path is a single file, the share Val at its end is held out. The
// tokenizer is that of the options, or of the folder ([token.Open]), else none. [OpenTokens] tells how the width of ids
// is found.
func TokenFiles(path string, o TextOptions) (*TextData, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Wrap(err, "data: TokenFiles")
	}
	t := &TextData{tok: o.Tokenizer, vocab: o.Vocab, context: o.Context}
	dir, train, val := path, []string{"train.bin"}, "val.bin"
	if !info.IsDir() {
		dir, train, val = filepath.Dir(path), []string{filepath.Base(path)}, ""
	} else if parts := shards(dir); len(parts) > 0 {
		train = parts
	}
	if t.tok == nil {
		if t.tok, err = token.Open(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := mapped.Guard(func() error { return t.open(dir, train, val, o) }); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// shards returns the names of the parts of train.bin in a folder.
func shards(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if ok, _ := filepath.Match("train_*.bin", e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	return names
}

// open maps the files of t and settles its vocabulary. Without a file of held-out tokens they are the share val.
func (t *TextData) open(dir string, train []string, held string, o TextOptions) error {
	if t.vocab == 0 && t.tok != nil {
		t.vocab = t.tok.Vocab()
	}
	names := train
	if held != "" {
		names = append(slices.Clip(train), held)
	}
	for _, n := range names {
		f, err := t.openFile(filepath.Join(dir, n), o.Width)
		if err != nil {
			return err
		}
		t.files = append(t.files, f)
		t.read++
	}
	if t.vocab == 0 {
		if err := t.guessVocab(); err != nil {
			return err
		}
	}
	ids := t.files[0].tokens()
	for _, f := range t.files[1:len(train)] {
		ids = ids.append(f.tokens())
	}
	if held == "" {
		return t.split(ids, o.Val)
	}
	t.train, t.val = ids, t.files[len(train)].tokens()
	return t.enough(true)
}

// openFile maps a file and refuses a width that the vocabulary, where it is known, shows to be wrong.
func (t *TextData) openFile(path string, width int) (*TokenFile, error) {
	f, err := OpenTokens(path, width)
	if err != nil {
		return nil, err
	}
	if err := t.fits(f); err != nil {
		f.Close()
		return nil, errors.Wrapf(err, "data: TokenFiles: %s", path)
	}
	return f, nil
}

// checked is the number of ids of a file of uint32 that are compared with the vocabulary before anything is trained.
const checked = 4096

func (t *TextData) fits(f *TokenFile) error {
	if !f.said && TokenWidth(t.vocab) == 4 {
		return errors.Errorf("the vocabulary has %d ids, more than uint16 holds; say what the file has in %s beside it: %s or %s",
			t.vocab, WidthFile, widthText(4), widthText(2))
	}
	for i, id := range f.Wide[:min(checked, len(f.Wide))] {
		if t.vocab > 0 && uint64(id) >= uint64(t.vocab) {
			return errors.Errorf("token %d at place %d of ids read as uint32, but the vocabulary has %d", id, i, t.vocab)
		}
	}
	return nil
}

// maxGuess bounds a vocabulary that the ids alone tell. Larger ids come from a wrong width or a broken file.
const maxGuess = 1 << 20

// guessVocab makes the vocabulary the largest id + 1.
func (t *TextData) guessVocab() error {
	for _, f := range t.files {
		most := f.tokens().max()
		if most >= maxGuess {
			return errors.Errorf("data: TokenFiles: id %d, read as uint32, is too large to tell the vocabulary; want ids below %d, or Vocab", most, maxGuess)
		}
		t.vocab = max(t.vocab, int(most)+1)
	}
	return nil
}

// Open is [TokenFiles] for a .bin file or a folder that has train.bin or its parts, else [Text].
func Open(path string, o TextOptions) (*TextData, error) {
	_, err := os.Stat(filepath.Join(path, "train.bin"))
	if filepath.Ext(path) == ".bin" || err == nil || len(shards(path)) > 0 {
		return TokenFiles(path, o)
	}
	return Text(path, o)
}
