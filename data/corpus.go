package data

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// CorpusFile is the name of the file that tells which files of a folder make a corpus. It is written last. Other token
// files in the folder, such as those of an older corpus, are then not read.
const CorpusFile = "corpus.json"

// Corpus is what a [CorpusFile] holds.
type Corpus struct {
	Train []CorpusPart `json:"train"` // the files to train on, in order
	Val   []CorpusPart `json:"val"`   // the files that are held out
}

// CorpusPart is a file of a corpus.
type CorpusPart struct {
	Name string `json:"name"`             // in the folder of the corpus
	IDs  int    `json:"tokens,omitempty"` // number of its ids; 0 does not say
}

// WriteCorpus writes a [CorpusFile].
func WriteCorpus(w io.Writer, c Corpus) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return errors.Wrap(err, "data: WriteCorpus")
	}
	_, err = w.Write(append(b, '\n'))
	return errors.Wrap(err, "data: WriteCorpus")
}

// readCorpus reads the [CorpusFile] of a folder. Without one, ok is false.
func readCorpus(dir string) (c Corpus, ok bool, err error) {
	b, err := bounded.ReadFile(filepath.Join(dir, CorpusFile), 64<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err == nil && (len(c.Train) == 0 || len(c.Val) == 0) {
		err = errors.New("want the names of files under train and val")
	}
	for _, p := range slices.Concat(c.Train, c.Val) {
		if err == nil && (p.Name != filepath.Base(p.Name) || p.IDs < 0) {
			err = errors.Errorf("file %q of %d tokens; want a name in the folder", p.Name, p.IDs)
		}
	}
	return c, err == nil, errors.Wrap(err, filepath.Join(dir, CorpusFile))
}

// partName has the names of token files in a folder without a [CorpusFile]. They are nanoGPT's train.bin and val.bin,
// parts such as train_000001.bin, llm.c's fineweb_train_000001.bin, and the like of arrays of NumPy.
var partName = regexp.MustCompile(`^(?:.*[_-])?(train|val|valid|validation)(?:[_-].*)?\.(?:bin|npy)$`)

// corpusIn returns the token files of a folder: those that its [CorpusFile] lists or, without one, those whose names
// tell. A folder without token files has none.
func corpusIn(dir string) (c Corpus, listed bool, err error) {
	if c, listed, err = readCorpus(dir); listed || err != nil {
		return c, listed, err
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		m := partName.FindStringSubmatch(e.Name())
		switch {
		case m == nil || strings.HasPrefix(e.Name(), "."):
		case m[1] == "train":
			c.Train = append(c.Train, CorpusPart{Name: e.Name()})
		default:
			c.Val = append(c.Val, CorpusPart{Name: e.Name()})
		}
	}
	return c, false, nil
}

var numbered = regexp.MustCompile(`^(.*_)([0-9]+)(\.[a-z]+)$`)

// oneCorpus refuses parts that look like those of several corpora: of other names or formats, or with a gap in their
// numbers.
func oneCorpus(parts []CorpusPart) error {
	for i, p := range parts[min(1, len(parts)):] {
		last := parts[i].Name
		a, b := numbered.FindStringSubmatch(last), numbered.FindStringSubmatch(p.Name)
		if a == nil || b == nil || a[1] != b[1] || a[3] != b[3] {
			return errors.Errorf("%s beside %s: files of two corpora in one folder; leave those of one", last, p.Name)
		}
		if next(a[2]) != b[2] {
			return errors.Errorf("%s follows %s: parts between them are missing, or the files are of two corpora", p.Name, last)
		}
	}
	return nil
}

// next returns the digits of the number that follows, with as many places.
func next(digits string) string {
	b := []byte(digits)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]++; b[i] <= '9' {
			return string(b)
		}
		b[i] = '0'
	}
	return "1" + string(b)
}

// whole refuses a file that does not have the ids which the [CorpusFile] says.
func (c Corpus) whole(dir string, files []*TokenFile) error {
	for i, p := range slices.Concat(c.Train, c.Val) {
		if n := files[i].tokens().len(); p.IDs > 0 && n != p.IDs {
			return errors.Errorf("data: TokenFiles: %s has %d ids, but %s says %d: the corpus is not whole; make it anew",
				filepath.Join(dir, p.Name), n, CorpusFile, p.IDs)
		}
	}
	return nil
}

// alike refuses parts, not listed by a [CorpusFile], that look like those of two corpora: of other formats or widths.
// Those that Ceto names have one size but for the last, which is no longer; parts of other programs may have any.
func alike(dir string, parts []CorpusPart, files []*TokenFile) error {
	for i, f := range files[min(1, len(files)):] {
		first, last := files[0], i+2 == len(files)
		n, most := f.tokens().len(), first.tokens().len()
		own, _ := filepath.Match("train_[0-9][0-9][0-9][0-9][0-9][0-9].bin", parts[0].Name)
		what := ""
		switch {
		case f.Format != first.Format || (f.Wide != nil) != (first.Wide != nil):
			what = "format or width of ids"
		case own && (n > most || n < most && !last):
			what = "size"
		default:
			continue
		}
		return errors.Errorf("data: TokenFiles: %s in %s has another %s than %s: they look like parts of two corpora; leave those of one, or list all in %s",
			parts[i+1].Name, dir, what, parts[0].Name, CorpusFile)
	}
	return nil
}
