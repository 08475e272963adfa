package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// exportFlags are the flags of ceto export.
type exportFlags struct {
	*global
	model    string
	adapters []string
	Format   string `flag:"to" usage:"hf, gguf or llm.c" oneof:"hf gguf llm.c"`
	Type     string `flag:"type" usage:"type of the values: f32, f16, bf16 or q8_0" oneof:"f32 f16 bf16 q8_0" default:"f32"`
	Shard    string `flag:"shard-size" usage:"most bytes of a safetensors file (kB, MB, GB; KiB, MiB, GiB)" default:"5GB"`
	Force    bool   `flag:"force" usage:"replace the folder where an export wrote it and nobody changed it since"`
}

func exportCmd(g *global) *cobra.Command {
	f := &exportFlags{global: g}
	c := &cobra.Command{
		Use:   "export DIR",
		Short: "Write a model as Hugging Face transformers, llama.cpp or llm.c read it",
		Long: `Write a model into a new folder DIR, with its tokenizer and chat template:
  hf     a folder that Hugging Face transformers load: f32, f16, bf16
  gguf   a GGUF file that llama.cpp runs: f32, f16, bf16, q8_0
  llm.c  a checkpoint of llm.c, GPT-2 only: f32, bf16
The folder appears whole or not at all. What the format cannot represent is an error.`,
		Example: `  ceto export --model runs/2026-01-02-150405 --to hf shakespeare
  ceto export --model shakespeare --to gguf --type q8_0 shakespeare-gguf`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s takes one folder to write, got %q", c.CommandPath(), args)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args[0]) },
	}
	fl := c.Flags()
	setting.Var(fl, finetune.Settings{}, "model", &f.model)
	setting.Var(fl, modelFlags{}, "adapter", &f.adapters)
	setting.Flags(fl, f)
	return c
}

// exported is the JSON of ceto export.
type exported struct {
	Files []string `json:"files"` // names in the folder
	Bytes int64    `json:"bytes"` // of all
}

func (f *exportFlags) run(c *cobra.Command, dir string) error {
	if f.Format == "" {
		return usagef("--to is missing: want hf, gguf or llm.c")
	}
	shard, err := parseBytes(f.Shard)
	if err != nil {
		return usage(errors.WithMessage(err, "--shard-size"))
	}
	s, err := openModel(f.model, f.adapters...)
	if err != nil {
		return err
	}
	defer s.Close()
	var r exported
	if r.Files, err = s.Export(dir, pretrained.ExportOptions{Format: f.Format, Type: f.Type, ShardBytes: shard, Force: f.Force}); err != nil {
		return err
	}
	for _, name := range r.Files {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return errors.Wrap(err, "export")
		}
		r.Bytes += info.Size()
	}
	w := c.OutOrStdout()
	if f.JSON {
		return printJSON(w, r)
	}
	for _, name := range r.Files {
		fmt.Fprintln(w, filepath.Join(dir, name))
	}
	_, err = fmt.Fprintf(w, "%d files, %s\n", len(r.Files), size(r.Bytes))
	return err
}

// byteUnits are the units of sizes, by their names in lower case.
var byteUnits = map[string]float64{"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}

// parseBytes reads a size from 1 byte on: 5GB, 1.5GiB, 300000.
func parseBytes(s string) (int64, error) {
	number := strings.TrimRight(s, "BKMGTIbkmgti")
	unit, ok := byteUnits[strings.ToLower(s[len(number):])]
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if v *= unit; err != nil || !ok || !(v >= 1 && v < math.MaxInt64) {
		return 0, errors.Errorf("%q: want a number of bytes from 1 on, such as 5GB or 500MiB", s)
	}
	return int64(v), nil
}
