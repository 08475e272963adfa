package main

import (
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/spf13/pflag"
)

// sampleFlags say how tokens are chosen.
type sampleFlags struct {
	opt  generate.Options
	bias []string
}

// add adds the flags; temperature and topP are the program's defaults for a model whose files name none.
func (f *sampleFlags) add(fl *pflag.FlagSet, tokens int, temperature, topP float64) {
	o := &f.opt
	fl.IntVar(&o.Tokens, "tokens", tokens, "new tokens, at most")
	fl.Float64Var(&o.Temperature, "temperature", temperature, "spread of the choice; 0 takes the most likely token each time")
	fl.IntVar(&o.TopK, "top-k", 0, "choose among the k most likely tokens; 0: among all")
	fl.Float64Var(&o.TopP, "top-p", topP, "choose among the most likely tokens that together have this probability; 0: among all")
	fl.Float64Var(&o.MinP, "min-p", 0, "leave out tokens less likely than this share of the most likely")
	fl.Float64Var(&o.Typical, "typical", 0, "choose among the tokens nearest to the expected information that together have this probability")
	fl.Float64Var(&o.Repetition, "repetition-penalty", 0, "make tokens that were there less likely; 1: not")
	fl.Float64Var(&o.Presence, "presence-penalty", 0, "taken from the logit of a token that the answer has")
	fl.Float64Var(&o.Frequency, "frequency-penalty", 0, "the same, once for each time that it has it")
	fl.IntVar(&o.NoRepeat, "no-repeat", 0, "no sequence of this many tokens twice")
	fl.StringArrayVar(&f.bias, "bias", nil, "ID=VALUE, added to the logit of a token; may be repeated")
	fl.StringArrayVar(&o.Stop, "stop", nil, "text that ends the answer; may be repeated")
	fl.Uint64Var(&o.Seed, "seed", 0, "seed of the choice")
}

// options returns what the flags say, and for flags that were not given what the model's files do.
func (f *sampleFlags) options(fl *pflag.FlagSet, s *pretrained.Source) (generate.Options, error) {
	o, m := f.opt, s.Sampling
	o.End = s.End
	if o.Beams > 1 && !fl.Changed("temperature") {
		o.Temperature, m.Temperature = 0, 0
	}
	if m.Temperature > 0 && !fl.Changed("temperature") {
		o.Temperature = m.Temperature
		for name, set := range map[string]func(){"top-k": func() { o.TopK = m.TopK }, "top-p": func() { o.TopP = m.TopP },
			"min-p": func() { o.MinP = m.MinP }, "typical": func() { o.Typical = m.Typical }} {
			if !fl.Changed(name) {
				set()
			}
		}
	}
	if !fl.Changed("repetition-penalty") {
		o.Repetition = m.Repetition
	}
	if !fl.Changed("no-repeat") {
		o.NoRepeat = m.NoRepeat
	}
	for _, b := range f.bias {
		id, value, ok := strings.Cut(b, "=")
		n, err := strconv.ParseInt(id, 10, 32)
		v, err2 := strconv.ParseFloat(value, 64)
		if !ok || err != nil || err2 != nil {
			return o, usagef("--bias %q: want ID=VALUE, such as 50256=-100", b)
		}
		if o.Bias == nil {
			o.Bias = map[int32]float64{}
		}
		o.Bias[int32(n)] = v
	}
	return o, usage(o.Validate())
}
