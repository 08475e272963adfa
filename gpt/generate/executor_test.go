package generate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/pkg/errors"
)

// newExecutor makes the executors of the tests of generation.
var newExecutor = plan.CPU

// TestOtherExecutor runs the tests of generation with an executor that has memory of its own and is not done when Run
// returns.
func TestOtherExecutor(t *testing.T) {
	if graphtest.Race {
		t.Skip("one goroutine: nothing for the race detector")
	}
	defer func() { newExecutor = plan.CPU }()
	newExecutor = func(int) plan.Executor {
		x := graphtest.NewRemote()
		x.Late = graphtest.AtWait
		return x
	}
	for name, f := range map[string]func(*testing.T){"Cache": TestCache, "KeepCache": TestKeepCache, "BatchSlides": TestBatchSlides,
		"NewWeights": TestNewWeights, "Plans": TestPlans, "Greedy": TestGreedy, "Seed": TestSeed, "GeneratorErrors": TestGeneratorErrors,
		"Load": TestLoad, "Text": TestText, "Returns": TestReturns} {
		t.Run(name, f)
	}
}

// TestGeneratorCloses: caches and programs that make room for others are closed, and all of them by Close.
func TestGeneratorCloses(t *testing.T) {
	x := graphtest.NewRemote()
	defer x.Close()
	model := gpt.GPT2{Vocab: 50, Context: 64, Layers: 1, Heads: 2, Width: 8}
	g := &generate.Generator{Model: model, State: x.NewState(), Executor: x, KeepCache: true}
	var ids []int32
	most := 0
	for n := range 60 {
		ids = append(ids, int32(n%7))
		prompts := [][]int32{ids}
		for range n % 3 { // caches of other sizes
			prompts = append(prompts, ids)
		}
		if _, err := g.Generate(prompts, generate.Options{Tokens: 1 + n%4, Beams: 1 + n%2}); err != nil {
			t.Fatal(err)
		}
		if most = max(most, x.Programs); x.States != 2 {
			t.Fatalf("%d states are open, want the parameters' and the caches'", x.States)
		}
	}
	if most > 8 || most < 2 {
		t.Errorf("%d programs were open at a time, want 2 to 8", most)
	}
	for range 2 {
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if x.Programs != 0 || x.States != 1 {
		t.Errorf("%d programs and %d states are open, want those of the caller alone", x.Programs, x.States)
	}
	if _, err := g.Logits(ids[:3]); err != nil { // the state is the caller's: the generator makes its caches anew
		t.Errorf("after Close: %v", err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.State.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Logits(ids[:3]); !errors.Is(err, plan.ErrClosed) || x.Programs+x.States != 0 {
		t.Errorf("over a closed state: %v; %d programs, %d states", err, x.Programs, x.States)
	}
}

// TestGeneratorEvicts: a generator drops some of its plans for many lengths, and closes those.
func TestGeneratorEvicts(t *testing.T) {
	x := graphtest.NewRemote()
	defer x.Close()
	g := &generate.Generator{Model: gpt.GPT2{Vocab: 3, Context: 1000, Layers: 1, Heads: 1, Width: 4}, State: x.NewState(), Executor: x}
	for _, n := range []int{600, 1, 2, 3, 5, 9, 17, 1, 33, 65, 129, 257, 513, 1000, 2} {
		if _, err := g.Logits(make([]int32, n)); err != nil {
			t.Fatal(err)
		}
		if x.Programs != len(g.Sizes()) {
			t.Fatalf("%d programs are open, %d are kept", x.Programs, len(g.Sizes()))
		}
	}
	if err := g.Close(); err != nil || x.Programs != 0 {
		t.Errorf("%d programs are open after Close: %v", x.Programs, err)
	}
}

// TestSourceCloses: a generator that read its own values closes them.
func TestSourceCloses(t *testing.T) {
	x := graphtest.NewRemote()
	defer x.Close()
	g, err := pretrained.Load("../testdata/hf/llama-chat", x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Logits([]int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil || x.Programs+x.States != 0 {
		t.Errorf("%d programs, %d states: %v", x.Programs, x.States, err)
	}
}

// narrow is an executor of little memory.
type narrow struct {
	plan.Executor
	free uint64
}

func (x narrow) Device() plan.Device {
	d := x.Executor.Device()
	d.Free = x.free
	return d
}

// TestRoom: a request that needs more memory than is free is refused before it takes any, and what fits is answered.
func TestRoom(t *testing.T) {
	x := narrow{plan.CPU(1), 4 << 20}
	defer x.Close()
	model := gpt.GPT2{Vocab: 50, Context: 64, Layers: 1, Heads: 2, Width: 8}
	g, err := generate.New(model, x, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	one := []int32{1}
	for name, c := range map[string]struct {
		prompts [][]int32
		o       generate.Options
		fits    bool
	}{
		"one":         {[][]int32{one}, generate.Options{Tokens: 60}, true},
		"returns":     {[][]int32{one}, generate.Options{Tokens: 60, Returns: 5000, Temperature: 1}, false},
		"beams":       {[][]int32{one}, generate.Options{Tokens: 60, Beams: 256}, true},
		"prompts":     {slices.Repeat([][]int32{one}, 3000), generate.Options{Tokens: 60}, false},
		"long answer": {[][]int32{one}, generate.Options{Tokens: 1 << 24}, false},
		"many beams":  {slices.Repeat([][]int32{one}, 30), generate.Options{Tokens: 60, Beams: 256}, false},
		"long prompt": {slices.Repeat([][]int32{slices.Repeat(one, 60)}, 400), generate.Options{Tokens: 1}, false},
	} {
		_, err := g.Generate(c.prompts, c.o)
		if c.fits != (err == nil) || err != nil && !strings.Contains(err.Error(), "sequences of up to") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
