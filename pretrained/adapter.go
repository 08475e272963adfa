package pretrained

import (
	"encoding/json"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/mapped"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/internal/weights"
	"github.com/pkg/errors"
)

// The files of an adapter's folder, as PEFT names them.
const (
	AdapterConfigFile  = "adapter_config.json"
	AdapterWeightsFile = "adapter_model.safetensors"
)

// adapterJSON is adapter_config.json.
type adapterJSON struct {
	Type         string             `json:"peft_type"`
	Rank         int                `json:"r"`
	Alpha        float64            `json:"lora_alpha"`
	AlphaPattern map[string]float64 `json:"alpha_pattern"`
	RSLoRA       bool               `json:"use_rslora"`
	DoRA         bool               `json:"use_dora"`
	Bias         string             `json:"bias"`
	Heads        []string           `json:"modules_to_save"`
}

// Adapt merges a LoRA adapter, a folder as PEFT saves it, into the values that are read from now on:
//
//	W + (alpha/r)·B·A    and, with use_rslora,    W + (alpha/√r)·B·A
//
// The adapter names the matrices W (out, in), each with A (r, in) and B (out, r). What is generated and exported is
// then the adapted model. Ids that the adapter's generation_config.json has as ends of texts join Source.End. Several
// adapters can be merged one after the other, and [Source.Unadapt] takes the last one back.
//
// An adapter of another model, or of another kind than LoRA, is an error. So is one with a new head, or with trained
// biases, embeddings or magnitudes (DoRA). After an error the values are as before.
// Source: Hu et al., arXiv:2106.09685, section 4.1; Kalajdzievski, arXiv:2312.03732 (rsLoRA).
func (s *Source) Adapt(dir string) error {
	heads, err := s.adapt(dir, false)
	if err == nil && len(heads) > 0 {
		err = errors.Errorf("it has a new head (%s): it is for a task, not for text", some(slices.Sorted(maps.Keys(heads))))
	}
	return errors.Wrapf(err, "pretrained: adapter %s", dir)
}

// AdaptTask is [Source.Adapt] for an adapter with a new head, such as [gpt.Classify]'s. The adapter may have nothing
// but that head. AdaptTask returns the head's parameters by name, as float32.
func (s *Source) AdaptTask(dir string) (map[string]graph.Buf, error) {
	heads, err := s.adapt(dir, true)
	return heads, errors.Wrapf(err, "pretrained: adapter %s", dir)
}

// adapt merges an adapter. It returns the parameters of a new head, where it is for a task.
func (s *Source) adapt(dir string, task bool) (heads map[string]graph.Buf, err error) {
	err = mapped.Guard(func() error {
		heads, err = s.merge(dir, task)
		return err
	})
	return heads, err
}

func (s *Source) merge(dir string, task bool) (map[string]graph.Buf, error) {
	if err := atomicfile.Recover(atomicfile.OS, dir); err != nil {
		return nil, err
	}
	c, err := readAdapterConfig(dir)
	if err != nil {
		return nil, err
	}
	f, err := safetensors.Open(filepath.Join(dir, AdapterWeightsFile))
	if err != nil {
		return nil, err
	}
	defer f.Close() // the values are copied
	heads, rest, err := c.heads(f.Tensors, s.Architecture.TagHead)
	if err != nil || len(heads) > 0 && !task || len(rest) == 0 && len(heads) > 0 {
		return heads, err
	}
	pairs, err := s.loraPairs(rest)
	if err != nil {
		return nil, err
	}
	for _, param := range slices.Sorted(maps.Keys(pairs)) {
		p := pairs[param]
		if err := p.read(c.scale(p.module, p.a.Shape[0])); err != nil {
			return nil, err
		}
	}
	ends, err := s.moreEnds(dir)
	if err != nil {
		return nil, err
	}
	s.ends, s.End = append(s.ends, s.End), ends
	nth := s.adapters() + 1
	for param, p := range pairs {
		p.nth = nth
		t := s.params[param]
		t.merges = append(t.merges, p)
	}
	return heads, nil
}

// moreEnds returns the ids that end a text, with those that an adapter's own generation_config.json adds.
func (s *Source) moreEnds(dir string) ([]int32, error) {
	var g struct {
		End any `json:"eos_token_id"`
	}
	if err := readJSON(dir, GenerationFile, &g); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := slices.Clone(s.End)
	for _, id := range s.ids(g.End, filepath.Join(dir, GenerationFile)+": eos_token_id") {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all, nil
}

// heads reads the parameters of modules_to_save, and returns them beside the other tensors. A head called tagHead
// becomes score.
func (c adapterJSON) heads(all []safetensors.Tensor, tagHead string) (heads map[string]graph.Buf, rest []safetensors.Tensor, err error) {
	heads = map[string]graph.Buf{}
	for _, t := range all {
		name, _ := strings.CutPrefix(t.Name, "base_model.model.")
		module := name[:max(0, strings.LastIndexByte(name, '.'))]
		if !slices.Contains(c.Heads, module) {
			rest = append(rest, t)
			continue
		}
		b := graph.NewBuf(graph.Of(graph.Float32, t.Shape...))
		if err := weights.Float32s(graph.Data[float32](b), t); err != nil {
			return nil, nil, errors.Wrap(err, t.Name)
		}
		if rest, ok := strings.CutPrefix(name, tagHead+"."); ok && tagHead != "" {
			name = "score." + rest
		}
		heads[name] = b
	}
	return heads, rest, nil
}

// adapters returns the number of adapters that are merged.
func (s *Source) adapters() int {
	n := 0
	for _, t := range s.params {
		if k := len(t.merges); k > 0 {
			n = max(n, t.merges[k-1].nth)
		}
	}
	return n
}

// Unadapt takes the last [Source.Adapt] back. Values that are read from now on are bit for bit what they were before
// it. The file's values are decoded anew; nothing is subtracted. Without an adapter it is an error.
func (s *Source) Unadapt() error {
	last := s.adapters()
	if last == 0 {
		return errors.New("pretrained: Unadapt: no adapter is merged")
	}
	for _, t := range s.params {
		if k := len(t.merges); k > 0 && t.merges[k-1].nth == last {
			t.merges = t.merges[:k-1]
		}
	}
	n := len(s.ends) - 1
	s.End, s.ends = s.ends[n], s.ends[:n]
	return nil
}

// readAdapterConfig reads adapter_config.json.
func readAdapterConfig(dir string) (c adapterJSON, err error) {
	var raw json.RawMessage
	if err := readJSON(dir, AdapterConfigFile, &raw); err != nil {
		return c, err
	}
	config, err := parseObject(raw)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err == nil {
		err = c.check()
	}
	if err == nil {
		err = checkAdapterKeys(config)
	}
	return c, errors.Wrap(err, AdapterConfigFile)
}

// check refuses what is not plain LoRA.
func (c adapterJSON) check() error {
	switch {
	case c.Type != "LORA":
		return errors.Errorf("peft_type is %q; known: LORA", c.Type)
	case c.DoRA:
		return errors.New("use_dora is true; DoRA's magnitudes are not known")
	case c.Bias != "" && c.Bias != "none":
		return errors.Errorf("bias is %q; known: none", c.Bias)
	case !(math.Abs(c.Alpha) <= 1e9):
		return errors.Errorf("lora_alpha is %g", c.Alpha)
	}
	for key, a := range c.AlphaPattern {
		if _, err := loraPattern(key); err != nil || !(math.Abs(a) <= 1e9) {
			return errors.Errorf("alpha_pattern has %q: %g; want a pattern and a number", key, a)
		}
	}
	return nil
}

// loraPattern is how PEFT reads a key of alpha_pattern: an expression for the end of a module's name.
func loraPattern(key string) (*regexp.Regexp, error) {
	return regexp.Compile(`^(?:.*\.)?(?:` + key + `)$`)
}

// scale returns the factor of B·A of a module.
func (c adapterJSON) scale(module string, rank int) float32 {
	alpha := c.Alpha
	for _, key := range slices.Sorted(maps.Keys(c.AlphaPattern)) {
		if re, err := loraPattern(key); err == nil && re.MatchString(module) {
			alpha = c.AlphaPattern[key]
			break
		}
	}
	if c.RSLoRA {
		return float32(alpha / math.Sqrt(float64(rank)))
	}
	return float32(alpha / float64(rank))
}

// loraPair is A and B of a matrix.
type loraPair struct {
	module  string // as the adapter names it
	nth     int    // its adapter's place among those merged, from 1
	a, b    safetensors.Tensor
	out, in int
	swapped bool      // the parameter is (in, out)
	av, bv  []float32 // values; bv is scaled
}

// loraTensor matches the names of an adapter's tensors.
var loraTensor = regexp.MustCompile(`^base_model\.model\.(.+)\.lora_([AB])\.weight$`)

// loraPairs joins the tensors A and B that are for the same parameter.
func (s *Source) loraPairs(tensors []safetensors.Tensor) (map[string]*loraPair, error) {
	pairs := map[string]*loraPair{}
	var unknown []string
	for _, t := range tensors {
		m := loraTensor.FindStringSubmatch(t.Name)
		param := ""
		if m != nil {
			param = s.hfParam(m[1] + ".weight")
		}
		if s.params[param] == nil {
			unknown = append(unknown, t.Name)
			continue
		}
		p := pairs[param]
		if p == nil {
			p = &loraPair{module: m[1]}
			pairs[param] = p
		}
		if m[2] == "A" {
			p.a = t
		} else {
			p.b = t
		}
	}
	if len(unknown) > 0 {
		return nil, errors.Errorf("it has tensors that do not belong to %s: %s", s.Architecture.Class, some(unknown))
	}
	if len(pairs) == 0 {
		return nil, errors.Errorf("%s has no tensors", AdapterWeightsFile)
	}
	for param, p := range pairs {
		p.swapped = s.Architecture.InOut && param != s.Architecture.Head+".weight"
		if err := p.fits(s.params[param]); err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

// fits checks the shapes of a pair against the parameter's.
func (p *loraPair) fits(t *stored) error {
	shape := slices.Clone(t.Shape)
	if t.Transposed != p.swapped { // to (out, in)
		slices.Reverse(shape)
	}
	ok := len(p.a.Shape) == 2 && len(p.b.Shape) == 2 && len(shape) == 2 && p.a.Shape[0] == p.b.Shape[1] && p.a.Shape[0] > 0 &&
		p.b.Shape[0] == shape[0] && p.a.Shape[1] == shape[1]
	if !ok {
		return errors.Errorf("%s: A %v and B %v; want (r, in) and (out, r) for a matrix (out, in) of %v", p.module, p.a.Shape, p.b.Shape, graph.Shape(shape))
	}
	p.out, p.in = shape[0], shape[1]
	return nil
}

// read copies the values, those of B times scale.
func (p *loraPair) read(scale float32) error {
	for _, x := range []struct {
		t safetensors.Tensor
		v *[]float32
	}{{p.a, &p.av}, {p.b, &p.bv}} {
		*x.v = make([]float32, graph.Shape(x.t.Shape).Size())
		if err := weights.Float32s(*x.v, x.t); err != nil {
			return errors.Wrap(err, x.t.Name)
		}
	}
	for i := range p.bv {
		p.bv[i] *= scale
	}
	return nil
}

// merge adds B·A to the parameter w.
func (p *loraPair) merge(w []float32) {
	rank := len(p.av) / p.in
	row := make([]float32, p.in)
	for o := range p.out {
		clear(row)
		for r := range rank {
			b := p.bv[o*rank+r]
			for i, a := range p.av[r*p.in : (r+1)*p.in] {
				row[i] += b * a
			}
		}
		if p.swapped {
			for i, d := range row {
				w[i*p.out+o] += d
			}
			continue
		}
		for i, d := range row {
			w[o*p.in+i] += d
		}
	}
}
