package generate

import (
	"slices"

	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// caches are the keys and values of the sequences that a Generator works on, and the plans that read and write them.
type caches struct {
	state    plan.State // the parameters in common with Generator.State, and the caches
	batch    int        // rows
	capacity int        // tokens of a row
	held     [][]int32  // the tokens whose keys and values each row has
	programs map[planKey]plan.Program
	recent   []planKey // the keys of programs, the last used at the end
	in       feedInputs
}

// planKey tells the plans of a Generator apart. A plan takes one token a row, or prompts padded to a power of two. With
// reorder each row first takes over the caches of another, for beam search.
type planKey struct {
	tokens  int
	reorder bool
}

// feedInputs are the inputs of a plan.
type feedInputs struct{ ids, start, last, rows []int32 }

// maxPrograms bounds the plans kept.
const maxPrograms = 8

// prepare makes room for a batch of sequences of up to need tokens. Where the caches are too small, it makes new ones,
// which are empty.
func (g *Generator) prepare(batch, need int) error {
	if g.State == nil {
		return errors.New("generate: the Generator has no State")
	}
	if g.Executor == nil {
		g.Executor, g.ownExec = plan.CPU(0), true
	}
	context := g.Model.Dims().Context
	if g.caches != nil && g.batch == batch && g.capacity >= min(need, context) {
		return nil
	}
	if err := g.closeCaches(); err != nil {
		return err
	}
	g.caches = &caches{state: g.State.Share(graph.Param), batch: batch, capacity: min(power2(need), context),
		held: make([][]int32, batch), programs: map[planKey]plan.Program{}}
	_, err := g.program(planKey{tokens: 1})
	return err
}

// closeCaches closes the programs, then the state that they read and write.
func (g *Generator) closeCaches() (err error) {
	if g.caches == nil {
		return nil
	}
	for _, p := range g.programs {
		if e := p.Close(); err == nil {
			err = e
		}
	}
	if e := g.state.Close(); err == nil {
		err = e
	}
	g.caches = nil
	return err
}

// power2 returns the least power of two that is n or more.
func power2(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

// reset forgets what the caches hold.
func (g *Generator) reset() { clear(g.held) }

// feed returns the logits (V) after each row's sequence. It runs the model once, over the tokens whose keys and values
// the caches do not hold. With parents, row b takes over the caches of row parents[b] first.
func (g *Generator) feed(rows [][]int32, parents []int) ([][]float32, error) {
	if parents != nil {
		held := make([][]int32, g.batch)
		for b, p := range parents {
			held[b] = slices.Clone(g.held[p])
		}
		g.held = held
	}
	starts, size := g.missing(rows)
	in := &g.in
	in.ids, in.start, in.last, in.rows = in.ids[:0], in.start[:0], in.last[:0], in.rows[:0]
	for b, row := range rows {
		more := row[starts[b]:]
		in.ids = append(in.ids, more...)
		for range size - len(more) {
			in.ids = append(in.ids, 0) // padding lies past the sequence: the next token overwrites what it leaves in the caches
		}
		in.start = append(in.start, int32(starts[b]))
		in.last = append(in.last, int32(b*size+len(more)-1))
		if parents != nil {
			in.rows = append(in.rows, int32(parents[b]))
		}
		g.held[b] = append(g.held[b][:starts[b]], more...)
	}
	return g.run(planKey{size, parents != nil})
}

// missing returns how many tokens of each row need not run: those that the caches hold, without the row's last one. It
// also returns how many tokens a row the plan to run has.
func (g *Generator) missing(rows [][]int32) (starts []int, size int) {
	starts = make([]int, len(rows))
	most, longest, end := 0, 0, 0
	for b, row := range rows {
		n := 0
		for held := g.held[b]; !g.NoCache && n < min(len(held), len(row)-1) && held[n] == row[n]; {
			n++
		}
		starts[b] = n
		most, longest, end = max(most, len(row)-n), max(longest, len(row)), max(end, n)
	}
	size = power2(most)
	if end+size <= g.capacity {
		return starts, size
	}
	if room := g.capacity - end; most <= room {
		return starts, room // with less padding
	}
	clear(starts) // what one row lacks does not fit behind what another has: run all of it again
	return starts, min(power2(longest), g.capacity)
}

// run runs a plan on g.in and returns the logits of each row.
func (g *Generator) run(k planKey) ([][]float32, error) {
	p, err := g.program(k)
	if err != nil {
		return nil, err
	}
	in := map[string]any{field.IDs: g.in.ids, field.Start: g.in.start, field.Last: g.in.last}
	if k.reorder {
		in[field.Rows] = g.in.rows
	}
	if err := p.Run(in, graph.Scalars{}); err != nil {
		g.reset()
		return nil, errors.Wrap(err, "generate")
	}
	d, err := p.Read(field.Logits)
	if err != nil {
		return nil, err
	}
	all, err := graph.Floats[float32](d)
	if err != nil {
		return nil, errors.Wrap(err, "generate: logits")
	}
	for i, v := range all {
		if v-v != 0 {
			return nil, errors.Errorf("generate: the logit of token %d is %g", i%g.Model.Dims().Vocab, v)
		}
	}
	logits := make([][]float32, g.batch)
	for b := range logits {
		logits[b] = all[b*len(all)/g.batch : (b+1)*len(all)/g.batch]
	}
	return logits, nil
}

// program returns the program of a plan, which it makes at the first use.
func (g *Generator) program(k planKey) (plan.Program, error) {
	for i, s := range g.recent {
		if s == k {
			g.recent = append(append(g.recent[:i:i], g.recent[i+1:]...), k)
			return g.programs[k], nil
		}
	}
	e := graph.New()
	g.build(e, k)
	p, err := plan.New(e, g.Executor.Options())
	if err == nil {
		err = g.fits(p)
	}
	if err != nil {
		return nil, err
	}
	if len(g.recent) == maxPrograms {
		oldest := g.programs[g.recent[0]]
		delete(g.programs, g.recent[0])
		g.recent = g.recent[1:]
		if err := oldest.Close(); err != nil {
			return nil, err
		}
	}
	prog, err := g.Executor.Compile(p, g.state)
	if err != nil {
		return nil, err
	}
	g.programs[k], g.recent = prog, append(g.recent, k)
	return prog, nil
}

// fits refuses a plan that needs more memory than is free. The parameters are there, after the first plan the caches.
func (g *Generator) fits(p *plan.Plan) error {
	d := g.Model.Dims()
	need := p.Total() - p.Sizes[plan.Params] + 8*g.batch*d.Vocab // two copies of the logits
	if len(g.programs) > 0 {
		need -= p.Sizes[plan.Caches]
	}
	return g.room(uint64(need), g.capacity)
}

// room refuses what needs more memory than is free, where the device tells: of sequences of so many tokens.
func (g *Generator) room(need uint64, tokens int) error {
	if free := g.Executor.Device().Free; free > 0 && need > free {
		return errors.Errorf("generate: %d sequences of up to %d tokens need %.2f GiB of memory, %.2f GiB are free; "+
			"want fewer returns, beams, tokens or prompts", g.batch, tokens, float64(need)/(1<<30), float64(free)/(1<<30))
	}
	return nil
}

// build adds the graph of a plan: the logits (B, V) of the tokens at the indices last (B), out of the batch's B·T.
func (g *Generator) build(e *graph.Graph, k planKey) {
	ids := e.Input(field.IDs, graph.Of(graph.Int32, g.batch, k.tokens))
	at := nn.Generation{Start: e.Input(field.Start, graph.Of(graph.Int32, g.batch)), Capacity: g.capacity}
	if k.reorder {
		at.Rows = e.Input(field.Rows, graph.Of(graph.Int32, g.batch))
	}
	last := e.Input(field.Last, graph.Of(graph.Int32, g.batch))
	s := nn.NewGenerateScope(e, nn.NewParams(g.dtype()), at)
	x := s.Reshape(g.Model.Hidden(s, ids), g.batch*k.tokens, g.Model.Dims().Width) // (B·T, C)
	e.Output(field.Logits, g.Model.Head(s, s.Embedding(last, x)))                  // (B, V)
}

// dtype returns the dtype of the state's parameters.
func (g *Generator) dtype() graph.DType {
	if names := g.State.Names(graph.Param); len(names) > 0 {
		if m, _, err := g.State.Meta(names[0]); err == nil {
			return m.DType
		}
	}
	return graph.Float32
}
