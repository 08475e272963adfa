package main

import (
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
	text, label, against, tokenizer string
	similarity, val                 float64
	seed                            uint64
}

func dataCheckCmd(g *global) *cobra.Command {
	f := &checkFlags{global: g}
	c := &cobra.Command{
		Use:   "check",
		Short: "Count classes and lengths; find empty, doubled and contradicting texts, and leaks into held-out data",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	fl := c.Flags()
	f.add(fl)
	fl.StringVar(&f.text, "text", "", `column of the texts (default: the one called "text", or chats by their columns, as finetune --task chat finds them)`)
	fl.StringVar(&f.label, "label", "", `column of the labels (default: the one called "label", if there is one)`)
	fl.StringVar(&f.against, "against", "", "held-out data with the same columns, to look for texts that --data has too (default: the split's validation part)")
	fl.Float64Var(&f.similarity, "similarity", 0.9, "least share of common runs of 5 characters of two near duplicates, from 0.5 to 1")
	fl.Float64Var(&f.val, "val", 0.2, "share of the rows that a split holds out for validation")
	fl.Uint64Var(&f.seed, "seed", 1, "seed of the split")
	fl.StringVar(&f.tokenizer, "tokenizer", "", "count tokens as well: "+tokenizerUsage)
	fl.StringVar(&f.tokenizer, "model", "", "the same as --tokenizer")
	return c
}

func (f *checkFlags) run(c *cobra.Command) error {
	switch {
	case !(f.similarity >= 0.5 && f.similarity <= 1):
		return usagef("--similarity is %g; it must be from 0.5 to 1", f.similarity)
	case !(f.val > 0 && f.val < 1):
		return usagef("--val is %g; it must be between 0 and 1", f.val)
	}
	r, err := f.open()
	if err != nil {
		return err
	}
	defer r.Close()
	k := &dataCheck{checkFlags: f, r: r, held: r}
	if k.detect(); k.chats == nil {
		if f.text, err = needColumn(r, "text", f.text); err != nil {
			return err
		}
	}
	if f.label, err = wantColumn(r, "label", f.label); err != nil {
		return err
	}
	if f.against != "" {
		if k.held, err = f.openFile(f.against); err != nil {
			return errors.WithMessage(err, "--against")
		}
		defer k.held.Close()
		if err := k.comparable(); err != nil {
			return err
		}
	}
	if err := k.find(); err != nil {
		return err
	}
	if f.json {
		return printJSON(c.OutOrStdout(), k.found)
	}
	return k.report(c.OutOrStdout())
}
