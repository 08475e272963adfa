package main

import (
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

func dataCmd(g *global) *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "Look at a user's own data before a model learns from it",

		SuggestionsMinimumDistance: 2,

		Args: known,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(dataCheckCmd(g))
	return c
}

// checkFlags are the flags of ceto data check.
type checkFlags struct {
	*global
	dataFlags
	tokenizer  string
	strict     bool
	Text       string  `flag:"text" usage:"column of the texts" default:"(the one called \"text\", or chats by their columns, as finetune --task chat finds them)"`
	Label      string  `flag:"label" usage:"column of the labels" default:"(the one called \"label\", if there is one)"`
	Against    string  `flag:"against" usage:"held-out data with the same columns, to look for texts that --data has too" default:"(the split's validation part)"`
	Similarity float64 `flag:"similarity" usage:"near duplicates have in common at least this share of their runs of 5 characters" range:"[0.5,1]" default:"0.9"`
	Val        float64 `flag:"val" usage:"share of the rows that a split holds out for validation" range:"(0,1)" default:"0.2"`
	Seed       uint64  `flag:"seed" usage:"seed of the split" default:"1"`
}

func dataCheckCmd(g *global) *cobra.Command {
	f := &checkFlags{global: g}
	c := &cobra.Command{
		Use:   "check",
		Short: "Count classes and lengths; find empty texts, duplicates, conflicting labels and leaks into held-out data",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	fl := c.Flags()
	f.add(fl)
	setting.Flags(fl, f)
	setting.Var(fl, tokenizeFlags{}, "tokenizer", &f.tokenizer)
	setting.Var(fl, finetune.Settings{}, "model", &f.tokenizer)
	setting.Var(fl, finetune.DataSettings{}, "strict", &f.strict)
	fl.Lookup("strict").Usage = "refuse records that cannot be used, which are left out"
	fl.Lookup("tokenizer").Usage = "count tokens as well: " + tokenizerUsage
	fl.Lookup("model").Usage = "the same as --tokenizer"
	return c
}

func (f *checkFlags) run(c *cobra.Command) error {
	if err := setting.Check(f); err != nil {
		return usage(err)
	}
	r, err := f.open()
	if err != nil {
		return err
	}
	defer r.Close()
	k := &dataCheck{checkFlags: f, r: r, held: r}
	if k.detect(); k.chats == nil {
		if f.Text, err = needColumn(r, "text", f.Text); err != nil {
			return err
		}
	}
	if f.Label, err = wantColumn(r, "label", f.Label); err != nil {
		return err
	}
	if f.Against != "" {
		if k.held, err = f.openFile(f.Against); err != nil {
			return errors.WithMessage(err, "--against")
		}
		defer k.held.Close()
		if err := k.comparable(); err != nil {
			return err
		}
	}
	if err := k.filter(); err != nil {
		return err
	}
	if err := k.find(); err != nil {
		return err
	}
	if f.JSON {
		return printJSON(c.OutOrStdout(), k.found)
	}
	return k.report(c.OutOrStdout())
}
