package generate_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
)

// golden is one of the golden models.
type golden struct{ goldentest.Golden }

// generator returns a golden model behind a generator.
func (gold golden) generator(x plan.Executor) *generate.Generator {
	gold.Helper()
	g := &generate.Generator{Model: gold.Model, State: x.NewState(), Executor: x}
	if _, err := g.Logits([]int32{0}); err != nil {
		gold.Fatal(err)
	}
	for _, name := range g.State.Names(graph.Param) {
		if err := g.State.Write(name, graph.Dense(gold.Buf(name))); err != nil {
			gold.Fatal(err)
		}
	}
	return g
}

// eachGenerator runs f with the two golden models in float32.
func eachGenerator(t *testing.T, f func(gold golden, g *generate.Generator)) {
	x := newExecutor(2)
	t.Cleanup(func() { x.Close() })
	goldentest.Each(t, func(of goldentest.Golden) {
		gold := golden{of}
		if gold.DType == graph.Float32 {
			f(gold, gold.generator(x))
		}
	})
}

// uncached returns the logits after each of the ids, computed at once without a cache.
func (gold golden) uncached(x plan.Executor, ids []int32) [][]float32 {
	gold.Helper()
	params := nn.NewParams(gold.DType)
	s := nn.NewScope(graph.New(), params, nn.Eval)
	s.Output("logits", gold.Model.Forward(s, s.Input("ids", graph.Of(graph.Int32, 1, len(ids)))))
	prog := gold.Compile(x, s.Graph, params)
	if err := prog.Run(map[string]any{"ids": ids}, graph.Scalars{}); err != nil {
		gold.Fatal(err)
	}
	d, err := prog.Read("logits")
	if err != nil {
		gold.Fatal(err)
	}
	return slices.Collect(slices.Chunk(d.Data().([]float32), gold.Model.Vocab))
}

func (gold golden) sameLogits(got, want []float32, prompt, at int) {
	gold.Helper()
	for i := range want {
		if !gold.Near(float64(got[i]), float64(want[i])) {
			gold.Fatalf("prompt of %d, after %d tokens: logit %d = %g, uncached %g", prompt, at, i, got[i], want[i])
		}
	}
}

// TestCache: for prompts of every length the cached logits are the uncached ones at every position.
func TestCache(t *testing.T) {
	eachGenerator(t, func(gold golden, g *generate.Generator) {
		ids := graph.Data[int32](gold.Buf("ids"))[:16]
		want := gold.uncached(g.Executor, ids)
		if _, err := g.Logits(ids); err != nil { // makes room for all of them
			gold.Fatal(err)
		}
		for n := 1; n <= len(ids); n++ {
			got, err := g.Logits(ids[:n])
			for k := n; ; k++ {
				if err != nil {
					gold.Fatal(err)
				}
				gold.sameLogits(got, want[k-1], n, k)
				if k == len(ids) {
					break
				}
				got, err = g.Next(ids[:k+1])
			}
		}
		if sizes := slices.Sorted(slices.Values(g.Sizes())); !slices.Equal(sizes, []int{1, 2, 4, 8, 16}) {
			gold.Errorf("plans for %v tokens, want the powers of two up to the context", sizes)
		}
	})
}

// TestKeepCache: a prompt that begins as the one before goes on from its keys and values. The logits are those of a
// fresh start, for every two lengths. So they are where the padded rest does not fit behind what is there, and wherever
// the two prompts part.
func TestKeepCache(t *testing.T) {
	eachGenerator(t, func(gold golden, g *generate.Generator) {
		ids := graph.Data[int32](gold.Buf("ids"))[:16]
		other := append(slices.Clone(ids[:7]), graph.Data[int32](gold.Buf("ids"))[20:29]...)
		want, wantOther := gold.uncached(g.Executor, ids), gold.uncached(g.Executor, other)
		if _, err := g.Logits(ids); err != nil { // makes room for all of them
			gold.Fatal(err)
		}
		for n := 1; n <= 16; n++ {
			for m := 1; m <= 16; m++ {
				if _, err := g.Logits(ids[:n]); err != nil {
					gold.Fatal(err)
				}
				got, err := g.Next(ids[:m])
				if err != nil {
					gold.Fatal(err)
				}
				gold.sameLogits(got, want[m-1], n, m)
				if got, err = g.Next(other[:m]); err != nil {
					gold.Fatal(err)
				}
				gold.sameLogits(got, wantOther[m-1], n, m)
			}
		}
	})
}

// TestBatchSlides: rows of a batch fill the context at different steps. One goes on with the later half of its tokens
// while the others stand near the end. Each row is as it is alone.
func TestBatchSlides(t *testing.T) {
	eachGenerator(t, func(gold golden, g *generate.Generator) {
		text := graph.Data[int32](gold.Buf("train.ids"))
		prompts, opt := [][]int32{text[:14], text[20:26], text[30:31]}, generate.Options{Tokens: 30}
		batch, err := g.Generate(prompts, opt)
		if err != nil {
			gold.Fatal(err)
		}
		for i, p := range prompts {
			alone, err := g.Sample(p, opt)
			if err != nil || !slices.Equal(alone, batch[i].IDs) {
				gold.Errorf("prompt %d: %v, alone %v, %v", i, batch[i].IDs, alone, err)
			}
		}
	})
}

// TestNewWeights: parameters may have changed since the last generation. Without KeepCache the next one does not see
// what that left, though the prompt is the same.
func TestNewWeights(t *testing.T) {
	eachGenerator(t, func(gold golden, g *generate.Generator) {
		prompt, opt := []int32{1, 2, 3, 4, 5}, generate.Options{Tokens: 8}
		if _, err := g.Sample(prompt, opt); err != nil {
			gold.Fatal(err)
		}
		w := slices.Clone(graph.Data[float32](gold.Buf("wte.weight"))) // the file is mapped
		for i := range w {
			w[i] = w[i]*1.5 + float32(i%7)/20
		}
		if err := g.State.Write("wte.weight", graph.Dense(graph.BufOf(w, len(w)))); err != nil {
			gold.Fatal(err)
		}
		got, err := g.Generate([][]int32{prompt}, opt)
		if err != nil {
			gold.Fatal(err)
		}
		fresh := &generate.Generator{Model: g.Model, State: g.State, Executor: g.Executor}
		want, err := fresh.Generate([][]int32{prompt}, opt)
		if err != nil || !slices.Equal(got[0].IDs, want[0].IDs) || !slices.Equal(got[0].LogProbs, want[0].LogProbs) {
			gold.Errorf("%v %v, want %v %v, %v", got[0].IDs, got[0].LogProbs, want[0].IDs, want[0].LogProbs, err)
		}
	})
}

// TestPlans: of plans for many lengths, those used last are kept. The others are made again when needed.
func TestPlans(t *testing.T) {
	x := newExecutor(1)
	defer x.Close()
	g := &generate.Generator{Model: gpt.GPT2{Vocab: 3, Context: 1000, Layers: 1, Heads: 1, Width: 4}, State: x.NewState(), Executor: x}
	for _, n := range []int{600, 1, 2, 3, 5, 9, 17, 1, 33, 65, 129, 257, 513, 1000, 2} {
		if _, err := g.Logits(make([]int32, n)); err != nil {
			t.Fatal(err)
		}
	}
	if want := []int{1, 64, 128, 256, 512, 1000, 2}; !slices.Equal(g.Sizes()[1:], want) {
		t.Errorf("plans for %v, want one more and %v", g.Sizes(), want)
	}
}

// TestGreedy: prompts of every length give the same ids with the cache and without, past the end of the context too.
// Each id has the largest uncached logit.
func TestGreedy(t *testing.T) {
	eachGenerator(t, func(gold golden, g *generate.Generator) {
		text := graph.Data[int32](gold.Buf("train.ids"))
		for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16} {
			opt := generate.Options{Tokens: 30}
			cached, err := g.Sample(text[:n], opt)
			if err != nil {
				gold.Fatal(err)
			}
			plain := &generate.Generator{Model: g.Model, State: g.State, Executor: g.Executor, NoCache: true}
			uncached, err := plain.Sample(text[:n], opt)
			if err != nil {
				gold.Fatal(err)
			}
			if len(cached) != 30 || !slices.Equal(cached, uncached) {
				gold.Errorf("prompt of %d: %v, uncached %v", n, cached, uncached)
			}
			window := text[:n]
			logits := gold.uncached(g.Executor, window)[len(window)-1]
			if cached[0] != argmax(logits) {
				gold.Errorf("prompt of %d: first token %d, the largest logit is %d", n, cached[0], argmax(logits))
			}
		}
	})
}

func argmax(x []float32) int32 { return int32(slices.Index(x, slices.Max(x))) }

// TestChoose counts draws over a grid of u: shares, and which tokens can be drawn at all. Probabilities of the logits
// at temperature 1 are 0.4, 0.3, 0.2, 0.1, in another order.
func TestChoose(t *testing.T) {
	logits := []float32{float32(math.Log(0.2)), float32(math.Log(0.4)), float32(math.Log(0.1)), float32(math.Log(0.3))}
	for _, r := range []struct {
		name string
		opt  generate.Options
		want []float64
	}{
		{"greedy", generate.Options{}, []float64{0, 1, 0, 0}},
		{"temperature 1", generate.Options{Temperature: 1}, []float64{0.2, 0.4, 0.1, 0.3}},
		{"temperature ½", generate.Options{Temperature: 0.5}, []float64{4. / 30, 16. / 30, 1. / 30, 9. / 30}},
		{"cold", generate.Options{Temperature: 1e-9}, []float64{0, 1, 0, 0}},
		{"top 2", generate.Options{Temperature: 1, TopK: 2}, []float64{0, 4. / 7, 0, 3. / 7}},
		{"top 9", generate.Options{Temperature: 1, TopK: 9}, []float64{0.2, 0.4, 0.1, 0.3}},
		{"nucleus 0.35", generate.Options{Temperature: 1, TopP: 0.35}, []float64{0, 1, 0, 0}},
		{"nucleus 0.75", generate.Options{Temperature: 1, TopP: 0.75}, []float64{2. / 9, 4. / 9, 0, 3. / 9}},
		{"nucleus 1", generate.Options{Temperature: 1, TopP: 1}, []float64{0.2, 0.4, 0.1, 0.3}},
		{"top 3, nucleus 0.5 of it", generate.Options{Temperature: 1, TopK: 3, TopP: 0.5}, []float64{0, 4. / 7, 0, 3. / 7}},
	} {
		const n = 10000
		got := make([]float64, 4)
		for i := range n {
			got[generate.Choose(r.opt, logits, (float64(i)+0.5)/n)] += 1. / n
		}
		for i := range got {
			if math.Abs(got[i]-r.want[i]) > 1.5/n {
				t.Errorf("%s: token %d in a share of %g, want %g", r.name, i, got[i], r.want[i])
			}
		}
	}
	if id := generate.Choose(generate.Options{}, []float32{1, 2, 2, 2}, 0.9); id != 1 {
		t.Errorf("a tie goes to %d, want 1", id)
	}
}

// TestSeed: a seed fixes the sample, whatever was sampled before; other seeds give others. Stream sees each token.
func TestSeed(t *testing.T) {
	eachGenerator(t, func(gold golden, g *generate.Generator) {
		opt := generate.Options{Tokens: 40, Temperature: 1, TopK: 20, TopP: 0.9, Seed: 5}
		first, err := g.Sample([]int32{1, 2, 3}, opt)
		if err != nil {
			gold.Fatal(err)
		}
		opt.Seed = 6
		other, err := g.Sample([]int32{1, 2, 3}, opt)
		if err != nil || slices.Equal(first, other) {
			gold.Errorf("seed 6 gives what seed 5 gives: %v, %v", other, err)
		}
		opt.Seed = 5
		var seen []int32
		opt.Stream = func(id int32) bool {
			seen = append(seen, id)
			return len(seen) < 25
		}
		again, err := g.Sample([]int32{1, 2, 3}, opt)
		if err != nil || !slices.Equal(again, first[:25]) || !slices.Equal(seen, again) {
			gold.Errorf("again: %v, streamed %v, want %v, %v", again, seen, first[:25], err)
		}
	})
}

func TestGeneratorErrors(t *testing.T) {
	eachGenerator(t, func(gold golden, g *generate.Generator) {
		for _, r := range []struct {
			word   string
			prompt []int32
			opt    generate.Options
		}{
			{"17 tokens; the context holds 16", make([]int32, 17), generate.Options{Tokens: 1}},
			{"prompt", nil, generate.Options{Tokens: 1}},
			{"tokens", []int32{1}, generate.Options{Tokens: -1}},
			{"temperature", []int32{1}, generate.Options{Tokens: 1, Temperature: -1}},
			{"temperature", []int32{1}, generate.Options{Tokens: 1, Temperature: math.NaN()}},
			{"top-k", []int32{1}, generate.Options{Tokens: 1, TopK: -1}},
			{"top-p", []int32{1}, generate.Options{Tokens: 1, TopP: 1.5}},
			{"96", []int32{96}, generate.Options{Tokens: 1}},
			{"-1", []int32{-1}, generate.Options{Tokens: 1}},
		} {
			if _, err := g.Sample(r.prompt, r.opt); err == nil || !strings.Contains(err.Error(), r.word) {
				gold.Errorf("Sample(%v, %+v): %v; want %q", r.prompt, r.opt, err, r.word)
			}
		}
		for _, n := range []int{0, 17} {
			if _, err := g.Logits(make([]int32, n)); err == nil {
				gold.Errorf("Logits of %d tokens: no error", n)
			}
		}
		if _, err := (&generate.Generator{Model: g.Model}).Sample([]int32{1}, generate.Options{Tokens: 1}); err == nil {
			gold.Error("no State: no error")
		}
		if err := g.State.Write("ln_f.weight", graph.Dense(graph.BufOf(nans(32), 32))); err != nil {
			gold.Fatal(err)
		}
		if _, err := g.Sample([]int32{1}, generate.Options{Tokens: 1}); err == nil || !strings.Contains(err.Error(), "NaN") {
			gold.Errorf("parameters that are NaN: %v", err)
		}
	})
}

func nans(n int) []float32 { return slices.Repeat([]float32{float32(math.NaN())}, n) }

// folder writes a golden model as a folder, with what change does to its tensors.
func (gold golden) folder(change func([]safetensors.Tensor) []safetensors.Tensor) string {
	gold.Helper()
	dir := gold.TempDir()
	var conf, w bytes.Buffer
	if err := pretrained.WriteConfig(&conf, gold.Model); err != nil {
		gold.Fatal(err)
	}
	var ts []safetensors.Tensor
	params := nn.NewParams(gold.DType)
	s := nn.NewScope(graph.New(), params, nn.Eval)
	gold.Model.Forward(s, s.Input("ids", graph.Of(graph.Int32, 1, 1)))
	for _, p := range params.All() {
		v, _ := gold.File.Tensor(p.Name)
		ts = append(ts, v)
	}
	if err := safetensors.Write(&w, change(ts), nil); err != nil {
		gold.Fatal(err)
	}
	for name, b := range map[string][]byte{pretrained.ConfigFile: conf.Bytes(), pretrained.WeightsFile: w.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			gold.Fatal(err)
		}
	}
	return dir
}

// TestLoad: a model's folder, in float32 and float64, gives the golden logits; one that does not fit is an error.
func TestLoad(t *testing.T) {
	x := newExecutor(2)
	defer x.Close()
	goldentest.Each(t, func(of goldentest.Golden) {
		gold := golden{of}
		g, err := pretrained.Load(gold.folder(func(ts []safetensors.Tensor) []safetensors.Tensor { return ts }), x)
		if err != nil {
			gold.Fatal(err)
		}
		if c := g.Model.(gpt.GPT2); c.NoBias != gold.Model.NoBias || c.GELUErf != gold.Model.GELUErf || c.Width != gold.Model.Width {
			gold.Errorf("config %+v, want %+v", g.Model, gold.Model)
		}
		got, err := g.Logits(graph.Data[int32](gold.Buf("ids"))[:16])
		if err != nil {
			gold.Fatal(err)
		}
		want := goldentest.Floats(gold.Buf("logits"))[15*96 : 16*96]
		for i, v := range got {
			if math.Abs(float64(v)-want[i]) > 1e-5+1e-4*math.Abs(want[i]) {
				gold.Fatalf("logit %d = %g, want %g", i, v, want[i])
			}
		}
		for word, change := range map[string]func([]safetensors.Tensor) []safetensors.Tensor{
			"missing": func(ts []safetensors.Tensor) []safetensors.Tensor { return ts[1:] },
			"unexpected: extra": func(ts []safetensors.Tensor) []safetensors.Tensor {
				return append(ts, safetensors.Of("extra", []int{1}, []float32{1}))
			},
			"wants [96 32]": func(ts []safetensors.Tensor) []safetensors.Tensor {
				ts[0].Shape = []int{32, 96}
				return ts
			},
		} {
			if _, err := pretrained.Load(gold.folder(change), x); err == nil || !strings.Contains(err.Error(), word) {
				gold.Errorf("%v; want %q", err, word)
			}
		}
	})
}
