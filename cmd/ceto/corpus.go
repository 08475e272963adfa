package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// trainTokenizerFlags are the flags of ceto tokenize train.
type trainTokenizerFlags struct {
	*global
	vocab, min int
	split, out string
	specials   []string
}

// splits are what --split may say.
var splits = map[string][]token.Splitter{
	"gpt2": {token.GPT2}, "cl100k": {token.CL100K}, "o200k": {token.O200K}, "llama3": {token.Llama3}, "qwen2": {token.Qwen2},
	"smollm": {token.Digits, token.GPT2},
}

func trainTokenizerCmd(g *global) *cobra.Command {
	f := &trainTokenizerFlags{global: g}
	c := &cobra.Command{
		Use:     "train PATH…",
		Short:   "Learn a byte-level BPE from files and folders",
		Example: `  ceto tokenize train input.txt --vocab 4096 --out tokenizer`,
		Args:    cobra.ArbitraryArgs,
		RunE:    func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	fl := c.Flags()
	fl.IntVar(&f.vocab, "vocab", 8192, "number of tokens: special ones, 256 bytes and the merges")
	fl.StringVar(&f.split, "split", "gpt2", "whose pieces no token reaches across: gpt2, cl100k, o200k, llama3, qwen2, smollm")
	fl.StringArrayVar(&f.specials, "special", []string{"<|endoftext|>"}, "special tokens, the first of which ends a text; may be repeated")
	fl.IntVar(&f.min, "min-count", 2, "how often a pair must be there to become a token")
	fl.StringVar(&f.out, "out", "tokenizer", "folder for tokenizer.json, vocab.json and merges.txt")
	return c
}

func (f *trainTokenizerFlags) run(c *cobra.Command, args []string) error {
	split, ok := splits[f.split]
	if !ok {
		return usagef("--split %q: want gpt2, cl100k, o200k, llama3, qwen2 or smollm", f.split)
	}
	texts, _, err := readTexts(args)
	if err != nil {
		return err
	}
	b, err := token.Train(texts, token.TrainOptions{Vocab: f.vocab, Split: split, Specials: f.specials, MinCount: f.min, Threads: f.workers()})
	if err != nil {
		return usage(err)
	}
	if len(f.specials) > 0 {
		cfg := b.Config()
		end, _ := b.ID(f.specials[0])
		cfg.Begin, cfg.End = &end, &end // GPT-2's one token for both
		if b, err = token.NewBPE(cfg); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(f.out, 0o777); err != nil {
		return errors.Wrap(err, "--out")
	}
	if err := token.Save(f.out, b); err != nil {
		return err
	}
	if f.json {
		return printJSON(c.OutOrStdout(), map[string]any{"vocab": b.Vocab(), "path": f.out})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%d tokens in %s\n", b.Vocab(), f.out)
	return err
}

func (g *global) workers() int {
	if g.threads == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return g.threads
}

// readTexts reads files, and all files below folders, each a document.
func readTexts(paths []string) (texts [][]byte, size int, err error) {
	if len(paths) == 0 {
		return nil, 0, usagef("want the names of files or folders")
	}
	if texts, err = data.Documents(paths, data.TextOptions{}); err != nil {
		return nil, 0, usage(err)
	}
	for _, t := range texts {
		size += len(t)
	}
	return texts, size, nil
}

// corpusFlags are the flags of ceto tokenize corpus.
type corpusFlags struct {
	*global
	tokenizer, out, format string
	val                    float64
	shard                  int
}

func corpusCmd(g *global) *cobra.Command {
	f := &corpusFlags{global: g}
	c := &cobra.Command{
		Use:   "corpus PATH…",
		Short: "Encode files and folders to token files that pretrain --data, nanoGPT and llm.c read",
		Long: `Encode files, and all files below folders, each a document that the tokenizer's end token ends, to train.bin and val.bin
with the tokenizer beside them. With --shard, training tokens go to train_000000.bin, train_000001.bin and so on.`,
		Example: `  ceto tokenize corpus texts/ --tokenizer tokenizer --out corpus && ceto pretrain --data corpus`,
		Args:    cobra.ArbitraryArgs,
		RunE:    func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	fl := c.Flags()
	fl.StringVar(&f.tokenizer, "tokenizer", "", tokenizerUsage)
	fl.StringVar(&f.out, "out", "corpus", "folder for the token files")
	fl.StringVar(&f.format, "format", "nanogpt", "nanogpt (bare uint16) or llm.c (with a header)")
	fl.Float64Var(&f.val, "val", 0.1, "share of the tokens, at the end, that is held out")
	fl.IntVar(&f.shard, "shard", 0, "training tokens of a file; 0: all in one")
	return c
}

func (f *corpusFlags) run(c *cobra.Command, args []string) error {
	formats := map[string]data.Format{"nanogpt": data.NanoGPT, "llm.c": data.LLMC}
	format, ok := formats[f.format]
	switch {
	case !ok:
		return usagef("--format %q: want nanogpt or llm.c", f.format)
	case !(f.val > 0 && f.val < 1):
		return usagef("--val is %g; it must be between 0 and 1", f.val)
	case f.shard < 0:
		return usagef("--shard is %d; it must be 0 or more", f.shard)
	}
	t, err := openTokenizer(f.tokenizer)
	if err != nil {
		return err
	}
	if t.Vocab() > math.MaxUint16+1 {
		return usagef("--tokenizer %s has %d ids; a token file holds ids up to %d", f.tokenizer, t.Vocab(), math.MaxUint16)
	}
	texts, size, err := readTexts(args)
	if err != nil {
		return err
	}
	ids, err := f.encode(t, texts)
	if err != nil {
		return err
	}
	cut := len(ids) - int(float64(len(ids))*f.val)
	files, err := f.write(t, ids[:cut], ids[cut:], format)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(c.OutOrStdout(), map[string]any{"files": files, "tokens": len(ids), "bytes": size, "documents": len(texts)})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%d tokens of %d documents, %.3f bytes each: %s in %s\n", len(ids), len(texts), float64(size)/float64(max(1, len(ids))), strings.Join(files, ", "), f.out)
	return err
}

// encode returns the ids of all documents, each with the end token behind it where the tokenizer has one.
func (f *corpusFlags) encode(t token.Tokenizer, texts [][]byte) ([]uint16, error) {
	parts, err := token.EncodeAll(t, texts, f.workers())
	if err != nil {
		return nil, err
	}
	end, ends := int32(0), false
	if sub, ok := t.(token.Subword); ok {
		end, ends = sub.End()
	}
	var ids []uint16
	for i, p := range parts {
		for _, id := range p {
			ids = append(ids, uint16(id))
		}
		if ends {
			ids = append(ids, uint16(end))
		}
		parts[i] = nil
	}
	return ids, nil
}

// write writes the token files and the tokenizer, and returns the files' names.
func (f *corpusFlags) write(t token.Tokenizer, train, val []uint16, format data.Format) ([]string, error) {
	if err := os.MkdirAll(f.out, 0o777); err != nil {
		return nil, errors.Wrap(err, "--out")
	}
	var names []string
	put := func(name string, ids []uint16) error {
		names = append(names, name)
		return atomicfile.WriteFile(atomicfile.OS, filepath.Join(f.out, name), func(w io.Writer) error { return data.WriteTokens(w, format, ids) })
	}
	if f.shard == 0 {
		if err := put("train.bin", train); err != nil {
			return nil, err
		}
	} else {
		for i := 0; i*f.shard < len(train); i++ {
			if err := put(fmt.Sprintf("train_%06d.bin", i), train[i*f.shard:min(len(train), (i+1)*f.shard)]); err != nil {
				return nil, err
			}
		}
	}
	if err := put("val.bin", val); err != nil {
		return nil, err
	}
	return names, token.Save(f.out, t)
}
