package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// tokenizeFlags are the flags of ceto tokenize's commands that use a tokenizer.
type tokenizeFlags struct {
	*global
	Tokenizer string `flag:"tokenizer" usage:"folder or file: tokenizer.json, vocab.json, encoder.json, a GGUF file, llama2.c's tokenizer, a run or a fetched OWNER/NAME; or byte"`
	special   string
	Add       bool `flag:"add" usage:"add the tokens that the model's files ask for around a text"`
	Offsets   bool `flag:"offsets" usage:"with --json: the bytes of the text that each id stands for"`
}

func tokenizeCmd(g *global) *cobra.Command {
	c := &cobra.Command{
		Use:   "tokenize",
		Short: "Turn text into ids and back, train a tokenizer, make token files",
		Args:  known,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := &tokenizeFlags{global: g}
	encode := f.command("encode [FILE]", "Print the ids of a file, or of standard input", f.encode)
	setting.Flags(encode.Flags(), f, "add", "offsets")
	c.AddCommand(encode,
		f.command("decode [FILE]", "Print the text of ids, read as numbers with anything between them", f.decode),
		f.command("count FILE…", "Count tokens", f.count),
		f.command("bench FILE", "Measure how fast a file is encoded", f.bench),
		trainTokenizerCmd(g), corpusCmd(g))
	return c
}

// command returns a subcommand with the flags that name a tokenizer.
func (f *tokenizeFlags) command(use, short string, run func(c *cobra.Command, t token.Tokenizer, args []string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: func(c *cobra.Command, args []string) error {
		t, err := openTokenizer(f.Tokenizer)
		if err != nil {
			return err
		}
		return run(c, t, args)
	}}
	setting.Flags(c.Flags(), f, "tokenizer")
	f.special = "parse"
	setting.Var(c.Flags(), modelFlags{}, "special", &f.special)
	return c
}

// tokenizerUsage describes the flag --tokenizer of commands that only need a tokenizer.
var tokenizerUsage = setting.Usage(tokenizeFlags{}, "tokenizer")

// openTokenizer reads the tokenizer that --tokenizer names.
func openTokenizer(path string) (token.Tokenizer, error) {
	switch path {
	case "":
		return nil, usagef("--tokenizer is missing: name a %s", tokenizerUsage)
	case "byte":
		return token.Byte{}, nil
	}
	dir, err := findModel(path)
	if err != nil && atomicfile.Exists(path) {
		return nil, errors.WithMessage(err, "--tokenizer")
	}
	if err != nil {
		return nil, usage(errors.Errorf("--tokenizer %s: no such file or folder", path))
	}
	t, err := token.Open(dir)
	return t, errors.WithMessage(err, "--tokenizer")
}

// ids encodes a text as the flags say.
func (f *tokenizeFlags) ids(t token.Tokenizer, text []byte) ([]int32, error) {
	if sub, ok := t.(token.Subword); ok {
		return sub.EncodeWith(text, token.Options{Policy: policies[f.special], Add: f.Add})
	}
	return t.Encode(text)
}

// inputMemory is the number of bytes of memory that a byte of input may take: the text, its ids, and the ids in words.
const inputMemory = 32

// input reads the file that is named, or standard input: no more than the free memory has room for.
func input(c *cobra.Command, args []string) ([]byte, error) {
	if len(args) > 1 {
		return nil, usagef("%s takes one file, got %q", c.CommandPath(), args)
	}
	most := 1 << 30 // where the system does not say what is free
	exec := plan.CPU(1)
	if free := exec.Device().Free; free > 0 {
		most = int(free / inputMemory)
	}
	exec.Close()
	if len(args) == 1 {
		b, err := bounded.ReadFile(args[0], most)
		return b, usage(err)
	}
	return readInput(c.InOrStdin(), most)
}

// readInput reads all of r, and refuses more than most bytes.
func readInput(r io.Reader, most int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err == nil && len(b) > most {
		err = errors.Errorf("standard input: more than %d bytes, for which the free memory has no room", most)
	}
	return b, err
}

func (f *tokenizeFlags) encode(c *cobra.Command, t token.Tokenizer, args []string) error {
	text, err := input(c, args)
	if err != nil {
		return err
	}
	ids, err := f.ids(t, text)
	if err != nil {
		return err
	}
	w := c.OutOrStdout()
	if !f.JSON {
		_, err := fmt.Fprintln(w, strings.Trim(fmt.Sprint(ids), "[]"))
		return err
	}
	r := map[string]any{"ids": append([]int32{}, ids...)}
	if sub, ok := t.(token.Subword); ok && f.Offsets {
		_, spans, err := sub.Offsets(text, token.Options{Policy: policies[f.special], Add: f.Add})
		if err != nil {
			return err
		}
		r["offsets"] = spans
	}
	return printJSON(w, r)
}

func (f *tokenizeFlags) decode(c *cobra.Command, t token.Tokenizer, args []string) error {
	text, err := input(c, args)
	if err != nil {
		return err
	}
	var ids []int32
	for _, s := range strings.FieldsFunc(string(text), func(r rune) bool { return r < '0' || r > '9' }) {
		id, err := strconv.ParseInt(s, 10, 32)
		if err != nil || int(id) >= t.Vocab() {
			return usagef("id %s: the tokenizer has ids 0 to %d", s, t.Vocab()-1)
		}
		ids = append(ids, int32(id))
	}
	out := t.Decode(ids)
	if f.JSON {
		return printJSON(c.OutOrStdout(), map[string]any{"text": strings.ToValidUTF8(string(out), "\uFFFD")})
	}
	_, err = c.OutOrStdout().Write(out)
	return err
}

func (f *tokenizeFlags) count(c *cobra.Command, t token.Tokenizer, args []string) error {
	if len(args) == 0 {
		return usagef("tokenize count wants the names of files")
	}
	w := c.OutOrStdout()
	tokens, size := 0, 0
	for _, name := range args {
		text, err := input(c, []string{name})
		if err != nil {
			return err
		}
		ids, err := f.ids(t, text)
		if err != nil {
			return errors.WithMessage(err, name)
		}
		tokens, size = tokens+len(ids), size+len(text)
		if !f.JSON {
			fmt.Fprintf(w, "%12d tokens, %.3f bytes each  %s\n", len(ids), float64(len(text))/float64(max(1, len(ids))), name)
		}
	}
	if f.JSON {
		return printJSON(w, map[string]any{"tokens": tokens, "bytes": size, "files": len(args)})
	}
	return nil
}

// benchRuns is how often a file is encoded; the median counts.
const benchRuns = 9

func (f *tokenizeFlags) bench(c *cobra.Command, t token.Tokenizer, args []string) error {
	if len(args) != 1 {
		return usagef("tokenize bench wants the name of one file")
	}
	text, err := input(c, args)
	if err != nil {
		return err
	}
	threads := f.workers()
	parts := documents(text, threads)
	tokens := 0
	var rates []float64
	for range benchRuns {
		start := time.Now()
		ids, err := token.EncodeAll(t, parts, threads)
		took := time.Since(start).Seconds()
		if err != nil {
			return err
		}
		tokens = 0
		for _, p := range ids {
			tokens += len(p)
		}
		rates = append(rates, float64(len(text))/1e6/took)
	}
	slices.Sort(rates)
	rate := rates[len(rates)/2]
	if f.JSON {
		return printJSON(c.OutOrStdout(), map[string]any{"mb_per_s": rate, "tokens": tokens, "threads": threads})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%.1f MB/s (median of %d), %d tokens, %.3f bytes each, %d threads\n", rate, benchRuns, tokens, float64(len(text))/float64(max(1, tokens)), threads)
	return err
}

// documents cuts a text into about n parts, at ends of lines that no white space follows or precedes. No token of the
// usual splitters reaches across such an end.
func documents(text []byte, n int) [][]byte {
	var parts [][]byte
	for size := len(text)/n + 1; len(text) > size; {
		cut := size
		for ; cut < len(text)-1; cut++ {
			if text[cut-1] == '\n' && text[cut] > ' ' && cut > 1 && text[cut-2] > ' ' {
				break
			}
		}
		if cut == len(text)-1 {
			break
		}
		parts, text = append(parts, bytes.Clone(text[:cut])), text[cut:]
	}
	return append(parts, text)
}
