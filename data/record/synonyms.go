package record

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// maxSynonyms is the size of the largest table that is read, in bytes.
const maxSynonyms = 64 << 20

// ReadSynonyms reads a table for [Augment], in UTF-8. Each line has a word first and its synonyms behind it, between
// commas in a file called .csv, between tabs in all others. There is no quoting. Spaces around fields are dropped, and
// so are empty fields. A word may have several lines. A line without a synonym is an error with its number.
//
//	good	fine	great
//	北京	首都
func ReadSynonyms(path string) (map[string][]string, error) {
	b, err := bounded.ReadFile(path, maxSynonyms)
	if err != nil {
		return nil, errors.Wrap(err, "record: ReadSynonyms")
	}
	comma := "\t"
	if formatOf(path) == CSV {
		comma = ","
	}
	table, line := map[string][]string{}, 0
	for row := range bytes.Lines(bytes.TrimPrefix(b, []byte("\ufeff"))) {
		line++
		if len(bytes.TrimSpace(row)) == 0 {
			continue
		}
		if err := addSynonyms(table, string(row), comma); err != nil {
			return nil, errors.Errorf("record: %s:%d: %v", path, line, err)
		}
	}
	if len(table) == 0 {
		return nil, errors.Errorf("record: %s: no words, want a line for each: the word and its synonyms", path)
	}
	return table, nil
}

// addSynonyms reads a line.
func addSynonyms(table map[string][]string, row, comma string) error {
	if !utf8.ValidString(row) {
		return errors.New("not UTF-8")
	}
	name, rest, _ := strings.Cut(row, comma)
	word := strings.ToLower(strings.TrimSpace(name))
	n := 0
	for s := range strings.SplitSeq(rest, comma) {
		if s = strings.TrimSpace(s); s != "" {
			table[word] = append(table[word], s)
			n++
		}
	}
	switch {
	case word == "":
		return errors.New("no word before the synonyms")
	case n == 0:
		return errors.Errorf("no synonym of %q; they stand behind it, each after a %q", word, comma)
	}
	return nil
}
