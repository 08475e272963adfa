package gpt_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
)

// gpt2Block is a block of 4 heads as GPT-2's, or without biases and with the exact GELU as nanoGPT's.
func gpt2Block(bias bool) gpt.GPT2Block {
	act := nn.Layer(nn.GELU)
	if !bias {
		act = nn.GELUErf
	}
	return gpt.GPT2Block{
		Norm: nn.LayerNorm{NoBias: !bias},
		Attn: gpt.GPT2Attention{Heads: 4, Causal: true, NoBias: !bias},
		MLP:  gpt.GPT2MLP{Act: act, NoBias: !bias},
	}
}

// blockRows are layers beside the cases of their names in testdata/golden/layers, with operands x and dy.
var blockRows = []struct {
	name  string
	layer nn.Layer
}{
	{"self_attention", gpt2Block(true).Attn},
	{"self_attention_nano", gpt2Block(false).Attn},
	{"mlp", gpt2Block(true).MLP},
	{"mlp", gpt.GPT2MLP{}},
	{"mlp_nano", gpt2Block(false).MLP},
	{"block", gpt2Block(true)},
	{"block_nano", gpt2Block(false)},
}

// TestGoldenBlocks compares outputs and all gradients with PyTorch's, through the plan and the CPU executor.
func TestGoldenBlocks(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	for _, gold := range []goldentest.Golden{{DType: graph.Float32, Atol: 1e-5, Rtol: 1e-4}, {DType: graph.Float64, Atol: 1e-12, Rtol: 1e-9}} {
		suffix := map[graph.DType]string{graph.Float64: "_f64"}[gold.DType]
		f, err := safetensors.Open(filepath.Join("..", "testdata", "golden", "layers"+suffix+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, r := range blockRows {
			t.Run(r.name+suffix, func(t *testing.T) {
				gold := gold
				gold.T, gold.File = t, f
				goldenBlock(gold, x, r.name, r.layer)
			})
		}
	}
}

// block compares a layer with the case of a name.
func goldenBlock(gold goldentest.Golden, x plan.Executor, name string, layer nn.Layer) {
	s := nn.NewScope(graph.New(), nn.NewParams(gold.DType), nn.Train)
	of := map[string]*graph.Node{"x": s.Input("x", gold.Buf(name+"/x").Meta)}
	y := layer.Forward(s, of["x"])
	for p, n := range s.Declared() {
		of[p] = n
	}
	var names []string
	var wrt []*graph.Node
	for _, v := range gold.File.Names() {
		if p, ok := strings.CutPrefix(v, name+"/d"); ok && p != "y" {
			if of[p] == nil {
				gold.Fatalf("nothing built is %s", p)
			}
			names, wrt = append(names, "d"+p), append(wrt, of[p])
		}
	}
	dy := s.Input("dy", y.Meta())
	s.Output("y", y)
	for i, d := range s.Grad(s.Sum(s.Mul(y, dy)), wrt...) {
		s.Output(names[i], d)
	}
	if len(names) < 3 {
		gold.Fatalf("%d gradients", len(names))
	}
	prog := filled(gold.T, x, s, func(p string) graph.Buf { return gold.Buf(name + "/" + p) })
	in := map[string]any{"x": graph.Dense(gold.Buf(name + "/x")), "dy": graph.Dense(gold.Buf(name + "/dy"))}
	if err := prog.Run(in, graph.Scalars{Step: 1}); err != nil {
		gold.Fatal(err)
	}
	for _, v := range append(names, "y") {
		gold.Same(prog, v, name+"/"+v)
	}
}

// filled makes a program of a scope's graph whose parameters have the values that value gives.
func filled(t *testing.T, x plan.Executor, s *nn.Scope, value func(name string) graph.Buf) plan.Program {
	t.Helper()
	p, err := plan.New(s.Graph, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	state := x.NewState()
	prog, err := x.Compile(p, state)
	if err != nil {
		t.Fatal(err)
	}
	for name := range s.Declared() {
		if err := state.Write(name, graph.Dense(value(name))); err != nil {
			t.Fatal(err)
		}
	}
	return prog
}

// TestBlockErrors: what a row builds on x (2, 6) fails with an error that says all of its words.
func TestBlockErrors(t *testing.T) {
	for _, r := range []struct {
		name  string
		build func(s *nn.Scope, x *graph.Node)
		words []string
	}{
		{"no block", func(s *nn.Scope, x *graph.Node) { s.Call("h", gpt.GPT2Block{}, x) }, []string{`"h.ln_1"`, "nil"}},
		{"attention rank", func(s *nn.Scope, x *graph.Node) { s.Call("attn", gpt.GPT2Attention{Heads: 2}, x) }, []string{"attn", "(B, T, C)", "2 heads"}},
		{"attention heads", func(s *nn.Scope, x *graph.Node) {
			s.Call("attn", gpt.GPT2Attention{Heads: 4}, s.Reshape(x, 1, 2, 6))
		}, []string{"4 heads", "divide"}},
		{"attention no heads", func(s *nn.Scope, x *graph.Node) {
			s.Call("attn", gpt.GPT2Attention{}, s.Reshape(x, 1, 2, 6))
		}, []string{"0 heads"}},
		{"after an error", func(s *nn.Scope, x *graph.Node) {
			s.Call("a", nn.Linear{Out: -1}, x)
			s.Call("b", gpt2Block(true), nil)
			nn.CrossEntropy{}.Loss(s, nil, nil)
		}, []string{"a"}},
	} {
		s := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Train)
		r.build(s, s.Input("x", graph.Of(graph.Float32, 2, 6)))
		for _, w := range r.words {
			if s.Err() == nil || !strings.Contains(s.Err().Error(), w) {
				t.Errorf("%s: the error does not say %q: %v", r.name, w, s.Err())
			}
		}
	}
}

// TestBlockPath: nodes of a block carry its path, and nodes after it the path of the scope around it. Its rows in a
// Summary name the layers' types.
func TestBlockPath(t *testing.T) {
	s := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Train)
	b := gpt2Block(true)
	b.Dropout = 0.1
	y := s.Call("h.0", b, s.Input("x", graph.Of(graph.Float32, 2, 3, 8)))
	z := s.Neg(y)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if y.Scope() != "h.0" || z.Scope() != "" {
		t.Errorf("the block's last sum is in scope %q, the node after it in %q; want h.0 and none", y.Scope(), z.Scope())
	}
	if d := y.Operands()[1].Scope(); d != "h.0.mlp_drop" {
		t.Errorf("its dropout is in scope %q", d)
	}
	for name, n := range s.Declared() {
		if !strings.HasPrefix(name, n.Scope()+".") {
			t.Errorf("%s is declared in scope %q", name, n.Scope())
		}
	}
	var out bytes.Buffer
	if err := nn.Summary(&out, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"h.0 TransformerBlock", "h.0.attn SelfAttention", "h.0.mlp MLP"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("the summary does not say %q:\n%s", want, &out)
		}
	}
}

// TestPackShapes: a packing that does not fit the batch is an error that names the attention.
func TestPackShapes(t *testing.T) {
	s := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Train)
	s.Pack(nn.Packing{Segments: s.Input("segments", graph.Of(graph.Int32, 2, 4))})
	s.Call("attn", gpt.GPT2Attention{Heads: 2, Causal: true}, s.Input("x", graph.Of(graph.Float32, 2, 5, 8)))
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "segments int32[2 4], want int32[2 5]") || !strings.Contains(err.Error(), "attn") {
		t.Errorf("error %v", err)
	}
}
