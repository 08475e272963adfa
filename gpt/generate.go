package gpt

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// Generator continues sequences of tokens with a model's values. It keeps plans and caches between calls and is not
// safe for concurrent use.
type Generator struct {
	Model    Config
	State    plan.State
	Executor plan.Executor // plan.CPU(0); must be the one that made State, or of its kind
	NoCache  bool          // run the whole sequence for each token; for tests and measurements

	programs map[int]plan.Program
	recent   []int // sizes of programs, the last used last
	ids      []int32
}

// SampleOptions say how tokens are chosen.
type SampleOptions struct {
	Tokens      int     // how many new ones
	Temperature float64 // 0 takes the most likely token each time
	TopK        int     // choose among the k most likely; 0: among all
	TopP        float64 // choose among the most likely that together have this probability; 0: among all
	Seed        uint64
	// Stream, where set, is called with each new token; false ends the sampling.
	Stream func(id int32) bool
}

// maxPrograms bounds the plans kept: one token, and prompts padded to powers of two.
const maxPrograms = 8

// Sample returns the tokens that follow the prompt, which must have at least one. When the context is full, the
// later half of it is kept and the sequence goes on from there.
func (g *Generator) Sample(prompt []int32, opt SampleOptions) ([]int32, error) {
	if len(prompt) == 0 {
		return nil, errors.New("gpt: Sample: the prompt has no token")
	}
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	window := tail(prompt, g.Model.Context)
	logits, err := g.Logits(window)
	if err != nil {
		return nil, err
	}
	r := nn.NewRand(opt.Seed, "sample")
	var out []int32
	for i := 0; i < opt.Tokens; i++ {
		id := opt.choose(logits, r.Uniform(i, 0))
		out = append(out, id)
		if opt.Stream != nil && !opt.Stream(id) || i+1 == opt.Tokens {
			break
		}
		if len(window) == g.Model.Context {
			window = append(tail(window, g.Model.Context/2), id)
			logits, err = g.Logits(window)
		} else {
			window = append(window, id)
			logits, err = g.next(window)
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// tail returns a copy of the last n ids.
func tail(ids []int32, n int) []int32 {
	return append([]int32{}, ids[max(0, len(ids)-n):]...)
}

// Logits returns the logits of the token after ids, 1 ≤ len(ids) ≤ Context, filling the caches with them.
func (g *Generator) Logits(ids []int32) ([]float32, error) {
	if len(ids) < 1 || len(ids) > g.Model.Context {
		return nil, errors.Errorf("gpt: %d tokens; the context holds 1 to %d", len(ids), g.Model.Context)
	}
	size := 1
	for size < len(ids) {
		size *= 2
	}
	return g.run(ids, min(size, g.Model.Context), 0)
}

// next returns the logits after ids, all but the last of which are in the caches.
func (g *Generator) next(ids []int32) ([]float32, error) {
	if g.NoCache {
		return g.Logits(ids)
	}
	return g.run(ids[len(ids)-1:], 1, len(ids)-1)
}

// run feeds ids, padded to size, at position start.
func (g *Generator) run(ids []int32, size, start int) ([]float32, error) {
	p, err := g.program(size)
	if err != nil {
		return nil, err
	}
	g.ids = append(g.ids[:0], ids...)
	for len(g.ids) < size {
		g.ids = append(g.ids, 0)
	}
	in := map[string]any{"ids": g.ids, "start": []int32{int32(start)}, "last": []int32{int32(len(ids) - 1)}}
	if err := p.Run(in, graph.Scalars{}); err != nil {
		return nil, errors.Wrap(err, "gpt: generate")
	}
	d, err := p.Read("logits")
	if err != nil {
		return nil, err
	}
	logits, err := float32s(d)
	for i, v := range logits {
		if v-v != 0 {
			return nil, errors.Errorf("gpt: generate: the logit of token %d is %g", i, v)
		}
	}
	return logits, err
}

func float32s(d *tensor.Dense) ([]float32, error) {
	switch v := d.Data().(type) {
	case []float32:
		return v, nil
	case []float64:
		f := make([]float32, len(v))
		for i, x := range v {
			f[i] = float32(x)
		}
		return f, nil
	}
	return nil, errors.Errorf("gpt: logits of dtype %v", d.Dtype())
}

// program returns the plan for size tokens of one sequence, made at its first use.
func (g *Generator) program(size int) (plan.Program, error) {
	if g.State == nil {
		return nil, errors.New("gpt: the Generator has no State")
	}
	for i, s := range g.recent {
		if s == size {
			g.recent = append(append(g.recent[:i:i], g.recent[i+1:]...), size)
			return g.programs[size], nil
		}
	}
	if g.Executor == nil {
		g.Executor = plan.CPU(0)
	}
	if g.programs == nil {
		g.programs = map[int]plan.Program{}
	}
	e := graph.New()
	g.build(e, size)
	p, err := plan.New(e, plan.Options{})
	if err != nil {
		return nil, err
	}
	prog, err := g.Executor.Compile(p, g.State)
	if err != nil {
		return nil, err
	}
	if len(g.recent) == maxPrograms {
		delete(g.programs, g.recent[0])
		g.recent = g.recent[1:]
	}
	g.programs[size], g.recent = prog, append(g.recent, size)
	return prog, nil
}

// build adds the graph of size tokens: the logits of the token at index last.
func (g *Generator) build(e *graph.Graph, size int) {
	c := g.Model
	ids := e.Input("ids", graph.Of(graph.Int32, 1, size))
	start := e.Input("start", graph.Of(graph.Int32, 1))
	last := e.Input("last", graph.Of(graph.Int32, 1))
	s := nn.NewGenerateScope(e, nn.NewParams(g.dtype()), start, c.Context)
	x := s.Reshape(c.Hidden(s, ids), size, c.Width) // (T, C)
	e.Output("logits", c.Head(s, s.Embedding(last, x)))
}

// dtype is that of the state's parameters.
func (g *Generator) dtype() graph.DType {
	if names := g.State.Names(graph.Param); len(names) > 0 {
		if m, _, err := g.State.Meta(names[0]); err == nil {
			return m.DType
		}
	}
	return graph.Float32
}
