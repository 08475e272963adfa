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

// TokenFiles maps tokens that were made before. A folder has the files that its [CorpusFile] lists or, without one,
// train.bin and val.bin. In their place may be parts, such as train_000000.bin and llm.c's fineweb_train_000001.bin, or
// arrays of NumPy; parts are read into memory as one. Parts that look like those of two corpora are an error.
//
// Where path is a single file, the share Val at its end is held out. The tokenizer is that of the options, or of the
// folder ([token.Open]), else none. [OpenTokens] tells how the width of ids is found.
func TokenFiles(path string, o TextOptions) (*TextData, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Wrap(err, "data: TokenFiles")
	}
	t := &TextData{tok: o.Tokenizer, vocab: o.Vocab, context: o.Context}
	dir, listed, c := filepath.Dir(path), false, Corpus{Train: []CorpusPart{{Name: filepath.Base(path)}}}
	if info.IsDir() {
		dir = path
		if c, listed, err = folderOf(path); err != nil {
			return nil, err
		}
	}
	if t.tok == nil {
		if t.tok, err = token.Open(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := mapped.Guard(func() error { return t.open(dir, c, listed, o) }); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// folderOf returns the token files of a folder, and whether its [CorpusFile] lists them.
func folderOf(dir string) (c Corpus, listed bool, err error) {
	c, listed, err = corpusIn(dir)
	for _, parts := range [][]CorpusPart{c.Train, c.Val} {
		if err == nil && !listed {
			err = errors.Wrapf(oneCorpus(parts), "data: TokenFiles: %s", dir)
		}
	}
	if len(c.Train) == 0 {
		c.Train = []CorpusPart{{Name: "train.bin"}}
	}
	if len(c.Val) == 0 {
		c.Val = []CorpusPart{{Name: "val.bin"}}
	}
	return c, listed, err
}

// open maps the files of t and settles its vocabulary. Without files of held-out tokens they are the share val.
func (t *TextData) open(dir string, c Corpus, listed bool, o TextOptions) error {
	if t.vocab == 0 && t.tok != nil {
		t.vocab = t.tok.Vocab()
	}
	for _, p := range slices.Concat(c.Train, c.Val) {
		f, err := t.openFile(filepath.Join(dir, p.Name), o.Width)
		if err != nil {
			return err
		}
		t.files = append(t.files, f)
		t.read++
	}
	train, val := t.files[:len(c.Train)], t.files[len(c.Train):]
	if err := c.whole(dir, t.files); err != nil {
		return err
	}
	if !listed {
		err := alike(dir, c.Train, train)
		if err == nil {
			err = alike(dir, c.Val, val)
		}
		if err != nil {
			return err
		}
	}
	if t.vocab == 0 {
		if err := t.guessVocab(); err != nil {
			return err
		}
	}
	if len(val) == 0 {
		return t.split(joined(train), o.Val)
	}
	t.train, t.val = joined(train), joined(val)
	return t.enough(true)
}

// joined returns the ids of all files: of one as they are mapped, of several a copy.
func joined(files []*TokenFile) tokens {
	ids := files[0].tokens()
	for _, f := range files[1:] {
		ids = ids.append(f.tokens())
	}
	return ids
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

// Open is [TokenFiles] for a .bin or .npy file, or for a folder that has token files to train on, else [Text].
func Open(path string, o TextOptions) (*TextData, error) {
	if ext := filepath.Ext(path); ext == ".bin" || ext == ".npy" {
		return TokenFiles(path, o)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if c, _, err := corpusIn(path); err != nil || len(c.Train) > 0 {
			return TokenFiles(path, o)
		}
	}
	return Text(path, o)
}
