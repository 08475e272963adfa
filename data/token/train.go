package token

import (
	"slices"
	"strings"
	"sync"

	"github.com/pkg/errors"
)

// TrainOptions say what to learn.
type TrainOptions struct {
	// Vocab is the number of tokens: Specials, the 256 bytes, and one for each merge. There are fewer where the texts
	// have no more pairs.
	Vocab int
	// Split cuts texts into pieces, each splitter within the pieces of the one before. No token reaches across pieces.
	Split []Splitter
	// Specials are tokens of their own, with the first ids. Where a text has one written in it, nothing is learned from
	// it.
	Specials []string
	// MinCount is how often a pair must be there to be joined; 0 stands for 1.
	MinCount int
	// Threads is how many goroutines count pieces; 0 stands for 1. The result is the same for any number.
	Threads int
}

// Train learns a byte-level BPE from texts: it joins the most frequent pair of adjacent tokens, again and again. Among
// equally frequent pairs it joins the one whose left token has the smaller id, then the one whose right token has.
// Specials have the first ids, then the bytes in the order of GPT-2's vocabulary, then the merges.
//
// That is the rule of Hugging Face tokenizers. Its BpeTrainer, started from ByteLevel.alphabet(), gives the same ids
// and merges for texts without special tokens. Source: Sennrich, Haddow and Birch, arXiv:1508.07909, section 3.2.
func Train(texts [][]byte, o TrainOptions) (*BPE, error) {
	if o.Vocab < len(o.Specials)+256 || o.Vocab > maxVocab {
		return nil, errors.Errorf("token: Train: a vocabulary of %d: want at least %d special tokens and 256 bytes, at most %d", o.Vocab, len(o.Specials), maxVocab)
	}
	var list []Special
	for i, text := range o.Specials {
		list = append(list, Special{ID: int32(i), Text: text, Special: true})
	}
	specials, err := newSpecials(list)
	if err != nil {
		return nil, err
	}
	words, err := countWords(texts, specials, o.Split, max(1, o.Threads))
	if err != nil {
		return nil, err
	}
	t, err := newTrainer(words, o.Specials)
	if err != nil {
		return nil, err
	}
	t.train(o.Vocab, int64(max(1, o.MinCount)))
	return NewBPE(BPEConfig{Tokens: t.tokens, Merges: t.merges, Split: o.Split, Specials: list})
}

// A word is a piece and how often it is there.
type word struct {
	text  string
	count int64
}

// trainChunk is how much text, in bytes, a goroutine counts at a time.
const trainChunk = 1 << 18

// countWords returns the different pieces of the texts in the order of their bytes.
func countWords(texts [][]byte, specials *specials, split []Splitter, threads int) ([]word, error) {
	chunks := make(chan []byte)
	counts, errs := make([]wordCount, threads), make([]error, threads)
	var wait sync.WaitGroup
	for i := range threads {
		counts[i].at = map[string]int{}
		wait.Go(func() {
			for chunk := range chunks {
				if err := eachPiece(chunk, split, counts[i].add); err != nil {
					errs[i] = err
				}
			}
		})
	}
	err := eachChunk(texts, specials, split, func(chunk []byte) { chunks <- chunk })
	close(chunks)
	wait.Wait()
	for _, e := range append(errs, err) {
		if e != nil {
			return nil, e
		}
	}
	for _, c := range counts[1:] {
		for _, w := range c.words {
			counts[0].addN(w.text, w.count)
		}
	}
	words := counts[0].words
	slices.SortFunc(words, func(a, b word) int { return strings.Compare(a.text, b.text) })
	return words, nil
}

// A wordCount counts pieces.
type wordCount struct {
	words []word
	at    map[string]int // their places in words
}

func (c *wordCount) add(piece []byte) {
	if i, ok := c.at[string(piece)]; ok { // no copy is made
		c.words[i].count++
		return
	}
	c.addN(string(piece), 1)
}

func (c *wordCount) addN(text string, n int64) {
	i, ok := c.at[text]
	if !ok {
		i = len(c.words)
		c.at[text] = i
		c.words = append(c.words, word{text: text})
	}
	c.words[i].count += n
}

// eachChunk cuts texts at special tokens, and what lies between into chunks that end where a piece does.
func eachChunk(texts [][]byte, specials *specials, split []Splitter, do func([]byte)) error {
	for _, text := range texts {
		for i := 0; i < len(text); {
			m, err := specials.next(text, i, false, Parse)
			if err != nil {
				return err
			}
			stretch, first, end := text[i:m.start], 0, 0
			err = eachPiece(stretch, split[:min(1, len(split))], func(piece []byte) {
				end += len(piece)
				if end-first >= trainChunk || end == len(stretch) {
					do(stretch[first:end])
					first = end
				}
			})
			if err != nil {
				return err
			}
			i = m.end
		}
	}
	return nil
}

// eachPiece calls do with each piece of a text.
func eachPiece(text []byte, split []Splitter, do func([]byte)) error {
	if len(split) == 0 {
		if len(text) > 0 {
			do(text)
		}
		return nil
	}
	for i := 0; i < len(text); {
		end := split[0](text, i)
		if end <= i || end > len(text) {
			return errors.Errorf("token: Train: a splitter cuts %d bytes at %d: want a place behind %d", len(text), end, i)
		}
		if err := eachPiece(text[i:end], split[1:], do); err != nil {
			return err
		}
		i = end
	}
	return nil
}
