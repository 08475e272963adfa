package pretrained

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/pkg/errors"
)

// LeftOut is a setting of generation_config.json that cannot be. The model opens without it.
type LeftOut struct {
	Flag string // of the option that it would have set: "top-p"
	Why  string // "top_p is 1.5; it must be from 0 to 1"
	all  bool   // it counts without sampling too
}

// CheckSampling returns an error for the first setting of the model's files that cannot be and that would be used.
// given tells for which options there is another value.
func (s *Source) CheckSampling(sampling bool, given func(flag string) bool) error {
	for _, l := range s.LeftOut {
		if (sampling || l.all) && !given(l.Flag) {
			return errors.Errorf("pretrained: %s: %s; --%s sets another value", GenerationFile, l.Why, l.Flag)
		}
	}
	return nil
}

// warn notes what the files say and the model does without.
func (s *Source) warn(format string, a ...any) {
	s.Warnings = append(s.Warnings, fmt.Sprintf(format, a...))
}

// leastMass is a probability that the most likely token alone has.
const leastMass = 1e-9

// samplers are the settings of generation_config.json that options have, and what they may be.
var samplers = []struct {
	key, flag string
	wish      string
	whole     bool
	ok        func(v float64) bool
	all       bool
	set       func(o *generate.Options, v float64)
}{
	{"temperature", "temperature", "above 0", false, func(v float64) bool { return v > 0 }, false, func(o *generate.Options, v float64) { o.Temperature = v }},
	{"top_k", "top-k", "a whole number, 0 or more", true, func(v float64) bool { return v >= 0 && v <= math.MaxInt32 }, false,
		func(o *generate.Options, v float64) { o.TopK = int(v) }},
	{"top_p", "top-p", "from 0 to 1", false, share, false, func(o *generate.Options, v float64) { o.TopP = max(v, leastMass) }},
	{"min_p", "min-p", "from 0 to 1", false, share, false, func(o *generate.Options, v float64) { o.MinP = v }},
	{"typical_p", "typical", "above 0, at most 1", false, func(v float64) bool { return v > 0 && v <= 1 }, false, func(o *generate.Options, v float64) { o.Typical = v }},
	{"repetition_penalty", "repetition-penalty", "from 0.01 to 100", false, func(v float64) bool { return v >= 0.01 && v <= 100 }, true,
		func(o *generate.Options, v float64) { o.Repetition = v }},
	{"no_repeat_ngram_size", "no-repeat", "a whole number", true, func(v float64) bool { return math.Abs(v) <= math.MaxInt32 }, true,
		func(o *generate.Options, v float64) { o.NoRepeat = int(max(v, 0)) }},
}

func share(v float64) bool { return v >= 0 && v <= 1 }

// notApplied are settings that change the choice of tokens and that no option here has, with the value that changes
// nothing.
var notApplied = map[string]any{"num_beams": 1., "num_beam_groups": 1., "penalty_alpha": nil, "min_length": 0., "min_new_tokens": nil, "epsilon_cutoff": 0.,
	"eta_cutoff": 0., "diversity_penalty": 0., "encoder_repetition_penalty": 1., "bad_words_ids": nil, "force_words_ids": nil, "constraints": nil,
	"forced_bos_token_id": nil, "forced_eos_token_id": nil, "suppress_tokens": nil, "begin_suppress_tokens": nil, "sequence_bias": nil,
	"exponential_decay_length_penalty": nil, "guidance_scale": 1., "dola_layers": nil, "top_h": nil, "watermarking_config": nil}

// readGeneration reads generation_config.json. Where that has no end ids, those of config.json count. What cannot be is
// left out.
func (s *Source) readGeneration(dir string, config map[string]any) error {
	g := map[string]any{}
	var raw json.RawMessage
	err := readJSON(dir, GenerationFile, &raw)
	if err == nil {
		g, err = parseObject(raw)
		err = errors.Wrap(err, GenerationFile)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	from, file := g, GenerationFile
	if g["eos_token_id"] == nil {
		from, file = config, ConfigFile
	}
	s.End = s.ids(from["eos_token_id"], file+": eos_token_id")
	s.readSampling(g)
	return nil
}

// readSampling reads how tokens are chosen.
func (s *Source) readSampling(g map[string]any) {
	sample, ok := g["do_sample"].(bool)
	if !ok && g["do_sample"] != nil {
		s.warn("%s: do_sample is %s, want true or false; it is left out", GenerationFile, text(g["do_sample"]))
	}
	o := generate.Options{}
	if sample {
		o.Temperature, o.TopK = 1, 50 // what transformers take where the file is silent
	}
	for _, r := range samplers {
		given := g[r.key]
		if given == nil {
			continue
		}
		v, ok := number(given)
		if ok = ok && r.ok(v) && (!r.whole || v == math.Trunc(v)); !ok {
			why := fmt.Sprintf("%s is %s; it must be %s", r.key, text(given), r.wish)
			s.LeftOut = append(s.LeftOut, LeftOut{r.flag, why, r.all})
			s.warn("%s: %s; it is left out", GenerationFile, why)
			continue
		}
		if sample || r.all {
			r.set(&o, v)
		}
	}
	var names []string
	for key, neutral := range notApplied {
		v := g[key]
		if n, ok := number(v); ok {
			v = n
		}
		if list, ok := v.([]any); v == nil || v == neutral && !ok || len(list) == 0 && ok {
			continue
		}
		names = append(names, key)
	}
	slices.Sort(names)
	for _, key := range names {
		s.warn("%s: %s is %s, which is not applied", GenerationFile, key, text(g[key]))
	}
	s.Sampling = o
}

// number returns a number of JSON.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	return 0, false
}

// text is a value of JSON as a person reads it, short.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil || len(b) > 60 {
		return "no such value"
	}
	return string(b)
}

// ids returns an id or a list of them. Ids that the vocabulary does not have are left out: they never come.
func (s *Source) ids(v any, from string) (all []int32) {
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v}
	}
	for _, one := range list {
		id, ok := number(one)
		if vocab := s.Model.Dims().Vocab; !ok || id != math.Trunc(id) || id < 0 || id >= float64(vocab) {
			s.warn("%s is %s, which is none of the %d ids; it is left out", from, text(one), vocab)
			continue
		}
		if !slices.Contains(all, int32(id)) {
			all = append(all, int32(id))
		}
	}
	return all
}
