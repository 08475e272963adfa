package main

import (
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/spf13/pflag"
)

// sampleFlags say how tokens are chosen.
type sampleFlags struct {
	opt  generate.Options
	Bias []string `flag:"bias,array" usage:"ID=VALUE, added to the logit of a token; may be repeated"`
}

// samplers are the flags of generate.Options that every command which writes text has.
var samplers = []string{"tokens", "temperature", "top-k", "top-p", "min-p", "typical", "repetition-penalty", "presence-penalty",
	"frequency-penalty", "no-repeat", "stop", "seed"}

// add adds the flags, and in more the names of further flags of generate.Options. o has the program's defaults, for a
// model whose files name none.
func (f *sampleFlags) add(fl *pflag.FlagSet, o generate.Options, more ...string) {
	f.opt = o
	setting.Flags(fl, &f.opt, append(more, samplers...)...)
	setting.Flags(fl, f)
}

// options returns the values of the flags. For flags that were not given it takes those of the model's files.
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
	for _, b := range f.Bias {
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
	if err := s.CheckSampling(o.Temperature > 0, fl.Changed); err != nil {
		return o, err
	}
	return o, usage(o.Validate())
}
