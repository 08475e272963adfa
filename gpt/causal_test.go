package gpt_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
)

// taught is a pretrained model of testdata built for batches as gpt.CausalLM.
type taught struct {
	*testing.T
	source *pretrained.Source
	dtype  graph.DType
	mode   nn.Mode
	smooth float64
}

// eachTaught runs f with GPT-2, Llama, and Mistral, whose window is shorter than its context, in both precisions.
func eachTaught(t *testing.T, f func(m taught, tol float64)) {
	for _, name := range []string{"gpt2", "llama", "mistral"} {
		s, err := pretrained.Open("testdata/hf/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if c, ok := s.Model.(gpt.GPT2); ok {
			c.Dropout = 0
			s.Model = c
		}
		for d, tol := range map[graph.DType]float64{graph.Float64: 1e-9, graph.Float32: 1e-4} {
			t.Run(fmt.Sprint(name, "/", d), func(t *testing.T) { f(taught{T: t, source: s, dtype: d}, tol) })
		}
	}
}

// build returns a program with the task's outputs and, in mode Train, every gradient as grad.NAME.
func (m taught) build(x plan.Executor, fields []data.Field, size int) plan.Program {
	m.Helper()
	params := nn.NewParams(m.dtype)
	s := nn.NewScope(graph.New(), params, m.mode)
	in := nn.Inputs{}
	for _, f := range fields {
		in[f.Name] = s.Input(f.Name, graph.Of(graph.Int32, append([]int{size}, f.Shape...)...))
	}
	o := gpt.CausalLM{Model: m.source.Model, Smoothing: m.smooth}.Build(s, in)
	if m.mode == nn.Train {
		names, nodes := slices.Sorted(maps.Keys(s.Declared())), []*graph.Node{}
		for _, n := range names {
			nodes = append(nodes, s.Declared()[n])
		}
		for i, d := range s.Grad(o.Loss, nodes...) {
			s.Output("grad."+names[i], d)
		}
	}
	if o.Loss != nil {
		s.Output("loss", o.Loss)
		s.Output("weight", o.Weight)
	}
	for name, n := range o.Outputs {
		s.Output(name, n)
	}
	if err := s.Err(); err != nil {
		m.Fatal(err)
	}
	p, err := plan.New(s.Graph, plan.Options{})
	if err != nil {
		m.Fatal(err)
	}
	state := x.NewState()
	prog, err := x.Compile(p, state)
	if err != nil {
		m.Fatal(err)
	}
	m.fill(x, state, params)
	return prog
}

// fill writes the model's values, widened where the state is of float64.
func (m taught) fill(x plan.Executor, state plan.State, params *nn.Params) {
	m.Helper()
	from, err := m.source.Generator(x)
	if err != nil {
		m.Fatal(err)
	}
	for _, p := range params.All() {
		d, err := from.State.Read(p.Name)
		if err != nil {
			m.Fatal(err)
		}
		if m.dtype == graph.Float64 {
			var wide []float64
			for _, v := range d.Data().([]float32) {
				wide = append(wide, float64(v))
			}
			d = graph.Dense(graph.BufOf(wide, p.Meta.Shape...))
		}
		if err := state.Write(p.Name, d); err != nil {
			m.Fatal(err)
		}
	}
}

// read runs a program on a batch and returns its outputs as float64.
func (m taught) read(p plan.Program, b data.Batch, names ...string) map[string][]float64 {
	m.Helper()
	in, out := map[string]any{}, map[string][]float64{}
	for name, a := range b {
		in[name] = a.Int
	}
	if err := p.Run(in, graph.Scalars{}); err != nil {
		m.Fatal(err)
	}
	for _, name := range names {
		d, err := p.Read(name)
		if err != nil {
			m.Fatal(err)
		}
		if out[name], err = graph.Floats[float64](d); err != nil {
			m.Fatal(err)
		}
	}
	return out
}

// documents are examples of several lengths. Their first two targets carry no loss, like those of an instruction.
func documents(lengths ...int32) *data.Sequences {
	return &data.Sequences{Lengths: lengths, Context: 64, PerID: true, Target: data.Field{Name: "y", Int: true},
		At: func(i int, _ uint64) (e data.Sequence, _ error) {
			for j := range lengths[i] {
				e.IDs = append(e.IDs, (int32(i)*37+j*j*5+j)%90+3)
				e.Y = append(e.Y, (int32(i)*11+j*7)%90+3)
			}
			copy(e.Y, []int32{-1, -1})
			return e, nil
		}}
}

// whole returns all examples of a source in one batch.
func whole(t *testing.T, s data.Source) ([]data.Field, data.Batch, int) {
	t.Helper()
	n, fields := data.Shape(s, s.Len())
	b := data.NewBatch(fields, n)
	if got, err := s.Next(b); err != nil || got != n {
		t.Fatal(got, err)
	}
	return fields, b, n
}

// TestPackedGradients: packed documents have the same loss, weight and gradients as documents that have a row each,
// padded behind.
func TestPackedGradients(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	docs := documents(9, 3, 14, 5, 11, 20, 4)
	eachTaught(t, func(m taught, tol float64) {
		m.smooth = 0.1
		results := make([]map[string][]float64, 2)
		for i, s := range []data.Source{docs.Eval(), data.Pack(docs, 26).Train(3)} {
			fields, b, n := whole(t, s)
			if want := []int{7, 3}[i]; n != want {
				t.Fatalf("%d rows, want %d", n, want)
			}
			var names []string
			p := m.build(x, fields, n)
			for _, o := range p.Plan().Outputs {
				names = append(names, o.Name)
			}
			results[i] = m.read(p, b, names...)
		}
		if n := len(results[0]); n < 10 || n != len(results[1]) || results[0]["weight"][0] != 9+3+14+5+11+20+4-2*7 {
			t.Fatalf("%d and %d results, weight %v", n, len(results[1]), results[0]["weight"])
		}
		for name, want := range results[0] {
			size := 0.0
			for _, v := range want {
				size = max(size, math.Abs(v))
			}
			for i, v := range want {
				if d := math.Abs(results[1][name][i] - v); !(d <= tol*size) || size == 0 {
					t.Errorf("%s[%d] = %.12g packed, %.12g padded, the largest is %g", name, i, results[1][name][i], v, size)
					break
				}
			}
		}
	})
}

// TestPackedApart: the logits and probabilities of a document keep their bits whatever else is in its row. They are
// those of the document alone.
func TestPackedApart(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	docs := documents(13, 21, 9)
	eachTaught(t, func(m taught, tol float64) {
		m.mode = nn.Eval
		fields, b, n := whole(t, data.Pack(docs, 50).Eval())
		p := m.build(x, fields, n)
		want := m.read(p, b, "predict")["predict"]
		vocab := m.source.Model.Dims().Vocab
		second := func(v []float64) []float64 { return v[13*vocab : 34*vocab] }
		for i := range 50 {
			if i < 13 || i >= 34 { // of the other documents and the padding
				b["ids"].Int[i] = 95 - b["ids"].Int[i]
			}
		}
		got := m.read(p, b, "predict")["predict"]
		if !slices.Equal(second(got), second(want)) || slices.Equal(got[:13*vocab], want[:13*vocab]) {
			t.Error("another document changes what is computed of one")
		}
		fields, b, _ = whole(t, data.Pack(docs.Pick([]int32{1}), 21).Eval())
		alone := m.read(m.build(x, fields, 1), b, "predict")["predict"]
		for i, v := range alone {
			if !(math.Abs(second(want)[i]-v) <= tol) {
				t.Fatalf("probability %d is %g packed, %g alone", i, second(want)[i], v)
			}
		}
	})
}

// TestAnswerLoss compares the loss of a chat with one computed by hand. The ids of the answer count, and the one that
// ends the turn. A fifth of each label is spread over the vocabulary.
func TestAnswerLoss(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	//            a question      begins an answer, the answer, its end, a line's end
	ids := []int32{5, 17, 40, 9, 2, 33, 61, 12, 8, 4}
	learn := []bool{false, false, false, false, false, true, true, true, true, false}
	xs, ys := gpt.Targets(ids, learn)
	if !slices.Equal(xs, []int32{5, 17, 40, 9, 2, 33, 61, 12, 8}) || !slices.Equal(ys, []int32{-1, -1, -1, -1, 33, 61, 12, 8, -1}) {
		t.Errorf("targets of %v: %v, %v", ids, xs, ys)
	}
	if xs, ys := gpt.Targets(ids[:1], learn); xs != nil || ys != nil {
		t.Errorf("targets of one id: %v, %v", xs, ys)
	}
	eachTaught(t, func(m taught, tol float64) {
		m.mode, m.smooth = nn.Eval, 0.2
		row := []int{len(xs)}
		fields := []data.Field{{Name: "ids", Int: true, Shape: row}, {Name: "y", Int: true, Shape: row}}
		got := m.read(m.build(x, fields, 1), data.Batch{"ids": {Int: xs}, "y": {Int: ys}}, "loss", "weight", "predict")
		want, vocab := 0.0, m.source.Model.Dims().Vocab
		for at, id := range map[int]int{4: 33, 5: 61, 6: 12, 7: 8} {
			p := got["predict"][at*vocab : (at+1)*vocab]
			want -= 0.8 * math.Log(p[id])
			for _, p := range p {
				want -= 0.2 / float64(vocab) * math.Log(p)
			}
		}
		if got["weight"][0] != 4 || !(math.Abs(got["loss"][0]-want) <= tol) {
			t.Errorf("loss %g of %g targets, want %g of 4", got["loss"][0], got["weight"][0], want)
		}
	})
}

// TestCausalLMOneLogits: a training step has one buffer of the logits' size, an evaluation too.
func TestCausalLMOneLogits(t *testing.T) {
	m := gpt.Llama{Vocab: 4096, Context: 32, Layers: 1, Width: 16, MLPWidth: 16, Heads: 2, Tied: true}
	row := []int{32}
	var fields []data.Field
	for _, name := range []string{"ids", "y", "segments", "positions"} {
		fields = append(fields, data.Field{Name: name, Int: true, Shape: row})
	}
	b := train.Builder{Task: gpt.CausalLM{Model: m}, Params: nn.NewParams(graph.Float32), Optimizer: train.AdamW{LR: 1}}
	for name, build := range map[string]func() (*graph.Graph, error){
		"step": func() (*graph.Graph, error) { return b.Step(fields, 4) },
		"eval": func() (*graph.Graph, error) { return b.Forward(nn.Eval, fields, 4) },
	} {
		g, err := build()
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.New(g, plan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		buffers := 0
		for _, s := range p.Slots {
			if s.Base < 0 && s.Meta.Size() == 4*32*4096 {
				buffers++
			}
		}
		if buffers != 1 {
			t.Errorf("%s: %d buffers of the logits' size, want 1", name, buffers)
		}
	}
}

// TestPackedTraining: LoRA on packed documents learns them. A run that is stopped and resumed has the losses of one
// that is not, bit for bit.
func TestPackedTraining(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	s, err := pretrained.Open("testdata/hf/llama")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tr := train.Trainer{
		Task: gpt.CausalLM{Model: s.Model}, Optimizer: train.AdamW{LR: 0.02}, Batch: 2, Steps: 30, Executor: x, From: s.Fill,
		LoRA: &nn.LoRA{Targets: []string{"*_proj"}, Rank: 4},
	}
	rows := data.Pack(documents(9, 3, 14, 5, 11, 20, 4, 7), 26)
	whole, err := tr.Fit(rows)
	if err != nil {
		t.Fatal(err)
	}
	if first, last := whole.History[0].Loss, whole.History[29].Loss; !(last < first/2) {
		t.Errorf("loss %g after 30 steps, %g at first", last, first)
	}
	tr.Out = t.TempDir()
	tr.Callbacks = []train.Callback{stopAt(11)}
	var losses []float64
	for range 2 {
		run, err := tr.Fit(rows)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range run.History {
			losses = append(losses, h.Loss)
		}
		tr.Resume, tr.Callbacks = true, nil
	}
	for i, h := range whole.History {
		if len(losses) != 30 || losses[i] != h.Loss {
			t.Fatalf("losses %v, want %g in place %d", losses, h.Loss, i)
		}
	}
}

// stopAt ends a run after that step.
type stopAt int

func (n stopAt) OnStep(s *train.Status) error {
	if s.Step == int(n) {
		return train.ErrStop
	}
	return nil
}
