package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train/pretrain"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// textFlags say how texts are read, as the settings of pretraining do.
type textFlags struct {
	encoding data.Encoding
	unpacked float64
	column   string
}

func (f *textFlags) add(fl *pflag.FlagSet) {
	setting.Var(fl, &pretrain.DataSettings{}, "encoding", &f.encoding)
	setting.Var(fl, &pretrain.DataSettings{}, "max-unpacked", &f.unpacked)
	setting.Var(fl, &pretrain.DataSettings{}, "text", &f.column)
}

// trainTokenizerFlags are the flags of ceto tokenize train.
type trainTokenizerFlags struct {
	*global
	texts    textFlags
	Vocab    int      `flag:"vocab" usage:"number of tokens: special ones, 256 bytes and the merges" range:"[257,16777216]" default:"8192"`
	Split    string   `flag:"split" usage:"model whose rule splits the text into pieces that no token crosses: gpt2, cl100k, o200k, llama3, qwen2, smollm" oneof:"gpt2 cl100k o200k llama3 qwen2 smollm" default:"gpt2"`
	Specials []string `flag:"special,array" usage:"special tokens, the first of which ends a text; may be repeated" default:"['<|endoftext|>']"`
	Min      int      `flag:"min-count" usage:"how often a pair must occur to become a token" range:"[1,inf)" default:"2"`
	Out      string   `flag:"out" usage:"folder for tokenizer.json, vocab.json and merges.txt" default:"tokenizer"`
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
	setting.Flags(c.Flags(), f)
	f.texts.add(c.Flags())
	return c
}

func (f *trainTokenizerFlags) run(c *cobra.Command, args []string) error {
	if err := setting.Check(f); err != nil {
		return usage(err)
	}
	texts, _, err := f.texts.read(args)
	if err != nil {
		return err
	}
	b, err := token.Train(texts, token.TrainOptions{Vocab: f.Vocab, Split: splits[f.Split], Specials: f.Specials, MinCount: f.Min, Threads: f.workers()})
	if err != nil {
		return usage(err)
	}
	if len(f.Specials) > 0 {
		cfg := b.Config()
		end, _ := b.ID(f.Specials[0])
		cfg.Begin, cfg.End = &end, &end // as in GPT-2, one token begins and ends a text
		if b, err = token.NewBPE(cfg); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(f.Out, 0o777); err != nil {
		return errors.Wrap(err, "--out")
	}
	if err := token.Save(f.Out, b); err != nil {
		return err
	}
	if f.JSON {
		return printJSON(c.OutOrStdout(), map[string]any{"vocab": b.Vocab(), "path": f.Out})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%d tokens in %s\n", b.Vocab(), f.Out)
	return err
}

func (g *global) workers() int {
	if g.Threads == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return g.Threads
}

// read reads files, and all files below folders, each a document.
func (f *textFlags) read(paths []string) (texts [][]byte, size int, err error) {
	if len(paths) == 0 {
		return nil, 0, usagef("want the names of files or folders")
	}
	if texts, err = data.Documents(paths, data.TextOptions{Encoding: f.encoding, MaxUnpacked: f.unpacked, Column: f.column}); err != nil {
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
	texts     textFlags
	tokenizer string
	Out       string  `flag:"out" usage:"folder for the token files" default:"corpus"`
	Format    string  `flag:"format" usage:"nanogpt (bare ids) or llm.c (with a header); ids take 2 bytes, or 4 where the tokenizer has more than 65,536" oneof:"nanogpt llm.c" default:"nanogpt"`
	Val       float64 `flag:"val" usage:"share of the tokens, at the end, that is held out" range:"(0,1)" default:"0.1"`
	Shard     int     `flag:"shard" usage:"training tokens of a file; 0: all in one" range:"[0,inf)"`
}

func corpusCmd(g *global) *cobra.Command {
	f := &corpusFlags{global: g}
	c := &cobra.Command{
		Use:   "corpus PATH…",
		Short: "Encode files and folders to token files that pretrain --data, nanoGPT and llm.c read",
		Long: `Encode files, and all files below folders, to train.bin and val.bin, with the tokenizer beside them. Each file is a
document, and the tokenizer's end token follows it. With --shard, training tokens go to train_000000.bin,
train_000001.bin and so on. corpus.json lists the files, so that those of an older corpus are not read. Where bare ids
take 4 bytes, tokens.json beside the files says so: {"dtype": "uint32"}.`,
		Example: `  ceto tokenize corpus texts/ --tokenizer tokenizer --out corpus && ceto pretrain --data corpus`,
		Args:    cobra.ArbitraryArgs,
		RunE:    func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	setting.Var(c.Flags(), tokenizeFlags{}, "tokenizer", &f.tokenizer)
	setting.Flags(c.Flags(), f)
	f.texts.add(c.Flags())
	return c
}

func (f *corpusFlags) run(c *cobra.Command, args []string) error {
	if err := setting.Check(f); err != nil {
		return usage(err)
	}
	format := map[string]data.Format{"nanogpt": data.NanoGPT, "llm.c": data.LLMC}[f.Format]
	t, err := openTokenizer(f.tokenizer)
	if err != nil {
		return err
	}
	texts, size, err := f.texts.read(args)
	if err != nil {
		return err
	}
	write := makeCorpus[uint16]
	if data.TokenWidth(t.Vocab()) == 4 {
		write = makeCorpus[uint32]
	}
	files, n, err := write(f, t, texts, format)
	if err != nil {
		return err
	}
	if f.JSON {
		return printJSON(c.OutOrStdout(), map[string]any{"files": files, "tokens": n, "bytes": size, "documents": len(texts)})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%d tokens of %d documents, %.3f bytes each: %s in %s\n", n, len(texts), float64(size)/float64(max(1, n)), strings.Join(files, ", "), f.Out)
	return err
}

// makeCorpus writes the token files and returns their names and the number of tokens.
func makeCorpus[T uint16 | uint32](f *corpusFlags, t token.Tokenizer, texts [][]byte, format data.Format) (files []string, n int, err error) {
	ids, err := encodeCorpus[T](f, t, texts)
	if err != nil {
		return nil, 0, err
	}
	cut := len(ids) - int(float64(len(ids))*f.Val)
	tokenizer, err := token.Files(t)
	if err != nil {
		return nil, 0, err
	}
	err = atomicfile.Replace(atomicfile.OS, f.Out, ofCorpus, func(d *atomicfile.DirWriter) error {
		if width := data.TokenWidth(t.Vocab()); format == data.NanoGPT && width == 4 {
			if err := d.File(data.WidthFile, func(w io.Writer) error { return data.WriteWidth(w, width) }); err != nil {
				return err
			}
		}
		for _, name := range slices.Sorted(maps.Keys(tokenizer)) {
			if err := d.File(name, tokenizer[name]); err != nil {
				return err
			}
		}
		files, err = writeCorpus(f, d, ids[:cut], ids[cut:], format)
		return err
	})
	return files, len(ids), errors.Wrap(err, "--out")
}

// corpusFiles matches the names of the token files that this command writes.
var corpusFiles = regexp.MustCompile(`^(train|train_[0-9]{6,}|val)\.bin$`)

// ofCorpus tells whether a file of this name belongs to a corpus.
func ofCorpus(name string) bool {
	return name == data.CorpusFile || name == data.WidthFile || token.IsFile(name) || corpusFiles.MatchString(name)
}

// encodeCorpus returns the ids of all documents. The end token follows each, where the tokenizer has one.
func encodeCorpus[T uint16 | uint32](f *corpusFlags, t token.Tokenizer, texts [][]byte) ([]T, error) {
	parts, err := token.EncodeAll(t, texts, f.workers())
	if err != nil {
		return nil, err
	}
	end, ends := int32(0), false
	if sub, ok := t.(token.Subword); ok {
		end, ends = sub.End()
	}
	var ids []T
	for i, p := range parts {
		for _, id := range p {
			ids = append(ids, T(id))
		}
		if ends {
			ids = append(ids, T(end))
		}
		parts[i] = nil
	}
	return ids, nil
}

// writeCorpus writes the token files, and then the list of them, which keeps files of an older corpus out. It returns
// the names of the token files.
func writeCorpus[T uint16 | uint32](f *corpusFlags, d *atomicfile.DirWriter, train, val []T, format data.Format) ([]string, error) {
	var c data.Corpus
	var names []string
	put := func(name string, ids []T, parts *[]data.CorpusPart) error {
		names, *parts = append(names, name), append(*parts, data.CorpusPart{Name: name, IDs: len(ids)})
		return d.File(name, func(w io.Writer) error { return data.WriteTokens(w, format, ids) })
	}
	if f.Shard == 0 {
		if err := put("train.bin", train, &c.Train); err != nil {
			return nil, err
		}
	} else {
		for i := 0; i*f.Shard < len(train); i++ {
			if err := put(fmt.Sprintf("train_%06d.bin", i), train[i*f.Shard:min(len(train), (i+1)*f.Shard)], &c.Train); err != nil {
				return nil, err
			}
		}
	}
	if err := put("val.bin", val, &c.Val); err != nil {
		return nil, err
	}
	return names, d.File(data.CorpusFile, func(w io.Writer) error { return data.WriteCorpus(w, c) })
}
