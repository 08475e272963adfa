package pretrained_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
)

// expected is what testdata/golden_hf.py saw transformers compute with a model.
type expected struct {
	Messages  [][]generate.Message // of a model with a chat template, and in Text what that writes
	Text      []string
	Prompts   [][]int32
	Logits    [][][]float32 // at the last positions of each prompt
	Greedy    [][]int32
	LogProbs  [][]float64 `json:"greedy_logprobs"`
	Penalized [][]int32   // greedy with a repetition penalty and no repeated 3-grams
	Beam      []struct {
		Beams   int     `json:"num_beams"`
		Returns int     `json:"num_return_sequences"`
		Penalty float64 `json:"length_penalty"`
		Early   any     `json:"early_stopping"`
		New     int
		Results [][]struct {
			IDs   []int32
			Score float64
		}
	}
}

func readExpected(t *testing.T, path string) (e expected) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// answers are the expected answers of files whose names do not tell them.
var answers = map[string]string{
	"gpt2-v3.bin":       "hf/gpt2/expected.json",
	"gpt2-v5.bin":       "llmc/gpt2-v5.json",
	"llama.bin":         "hf/llama/expected.json",
	"llama.mix.gguf":    "gguf/llama.mix.json",
	"mistral.arch.gguf": "hf/mistral/expected.json", // mistral in place of llama as the file's architecture
}

// published lists the golden models and where the file of what they must answer is. A GGUF file with the weights of a
// folder has the folder's answers.
func published(t *testing.T) map[string]string {
	t.Helper()
	models := map[string]string{}
	for _, path := range pretrained.Golden(t, "") {
		name := filepath.Base(path)
		want, ok := answers[name]
		if !ok {
			want = "hf/" + strings.TrimSuffix(name, ".gguf") + "/expected.json"
		}
		models[path] = filepath.Join(path, "../..", want)
	}
	return models
}

// sizes is an executor that notes how many tokens a row each plan has.
type sizes struct {
	plan.Executor
	tokens []int
}

// Compile implements plan.Executor.
func (x *sizes) Compile(p *plan.Plan, s plan.State) (plan.Program, error) {
	for _, slot := range p.Slots {
		if slot.Name == "ids" {
			x.tokens = append(x.tokens, slot.Meta.Shape[1])
		}
	}
	return x.Executor.Compile(p, s)
}

// eachPretrained runs f with each model.
func eachPretrained(t *testing.T, f func(t *testing.T, g *generate.Generator, s *pretrained.Source, e expected)) {
	x := plan.CPU(2)
	t.Cleanup(func() { x.Close() })
	for path, want := range published(t) {
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
			s, err := pretrained.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			g, err := s.Generator(&sizes{Executor: x})
			if err != nil {
				t.Fatal(err)
			}
			f(t, g, s, readExpected(t, want))
		})
	}
}

// TestPretrainedLogits: the logits are transformers' within 1e-4.
func TestPretrainedLogits(t *testing.T) {
	eachPretrained(t, func(t *testing.T, g *generate.Generator, s *pretrained.Source, e expected) {
		for i, prompt := range e.Prompts {
			for k, want := range e.Logits[i] {
				n := len(prompt) - len(e.Logits[i]) + k + 1
				got, err := g.Logits(prompt[:n])
				if err != nil {
					t.Fatal(err)
				}
				goldentest.Near(t, fmt.Sprintf("prompt %d, %d tokens", i, n), got, want, 1e-4)
			}
		}
	})
}

// TestPretrainedForward: the logits of the graph without caches, for a whole batch, are transformers' too.
func TestPretrainedForward(t *testing.T) {
	eachPretrained(t, func(t *testing.T, g *generate.Generator, s *pretrained.Source, e expected) {
		i := 0 // the prompt with the most logits
		for j := range e.Logits {
			if len(e.Logits[j]) > len(e.Logits[i]) {
				i = j
			}
		}
		ids, want := e.Prompts[i], e.Logits[i]
		sc := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Eval)
		sc.Output("logits", g.Model.Forward(sc, sc.Input("ids", graph.Of(graph.Int32, 2, len(ids)))))
		p, err := plan.New(sc.Graph, plan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		prog, err := g.Executor.Compile(p, g.State)
		if err != nil {
			t.Fatal(err)
		}
		if err := prog.Run(map[string]any{"ids": append(slices.Clone(ids), ids...)}, graph.Scalars{}); err != nil {
			t.Fatal(err)
		}
		d, err := prog.Read("logits")
		if err != nil {
			t.Fatal(err)
		}
		all := d.Data().([]float32)
		v := g.Model.Dims().Vocab
		for n := range 2 * len(ids) {
			if k := n%len(ids) - (len(ids) - len(want)); k >= 0 {
				goldentest.Near(t, fmt.Sprintf("position %d", n), all[n*v:(n+1)*v], want[k], 1e-4)
			}
		}
	})
}

// TestPretrainedGreedy runs prompts of different lengths in one batch, and each alone. The ids are equal, the
// log-probabilities near.
func TestPretrainedGreedy(t *testing.T) {
	eachPretrained(t, func(t *testing.T, g *generate.Generator, s *pretrained.Source, e expected) {
		for name, o := range map[string]generate.Options{"greedy": {Tokens: 24}, "penalized": {Tokens: 24, Repetition: 1.3, NoRepeat: 3}} {
			want := e.Greedy
			if name == "penalized" {
				want = e.Penalized
			}
			o.End = endOf(s)
			batch, err := g.Generate(e.Prompts, o)
			if err != nil {
				t.Fatal(err)
			}
			for i, q := range batch {
				if !slices.Equal(q.IDs, want[i]) {
					t.Errorf("%s: batch, prompt %d: %v, want %v", name, i, q.IDs, want[i])
				}
				alone, err := g.Generate(e.Prompts[i:i+1], o)
				if err != nil || !slices.Equal(alone[0].IDs, want[i]) {
					t.Errorf("%s: prompt %d alone: %v, %v, want %v", name, i, alone[0].IDs, err, want[i])
				}
				for n := range q.LogProbs {
					if p := float64(q.LogProbs[n]); name == "greedy" && !(math.Abs(p-e.LogProbs[i][n]) <= 1e-4) {
						t.Errorf("prompt %d: log-probability %d is %g, want %g", i, n, p, e.LogProbs[i][n])
					}
				}
			}
		}
	})
}

// endOf is the end ids of the golden models, for files that have no place for them.
func endOf(s *pretrained.Source) []int32 {
	if s.Format == "llm.c" || s.Format == "llama2.c" {
		return []int32{2}
	}
	if s.Format == "GGUF" {
		return s.End[:1] // transformers know the one that the file names; the others are llama.cpp's
	}
	return s.End
}

// TestPretrainedBeams: beam search over a batch of prompts of different lengths.
func TestPretrainedBeams(t *testing.T) {
	eachPretrained(t, func(t *testing.T, g *generate.Generator, s *pretrained.Source, e expected) {
		if len(e.Beam) == 0 {
			t.Fatal("no beams in the golden file")
		}
		for _, b := range e.Beam {
			o := generate.Options{Tokens: b.New, Beams: b.Beams, Returns: b.Returns, LengthPenalty: b.Penalty, EarlyStopping: fmt.Sprint(b.Early), End: endOf(s)}
			got, err := g.Generate(e.Prompts, o)
			if err != nil {
				t.Fatal(err)
			}
			for i, q := range got {
				want := b.Results[i/b.Returns][i%b.Returns]
				if q.Prompt != i/b.Returns || !slices.Equal(q.IDs, want.IDs) || math.Abs(q.Score-want.Score) > 1e-4 {
					t.Errorf("%+v: sequence %d: %v %g, want %v %g", o, i, q.IDs, q.Score, want.IDs, want.Score)
				}
			}
			longest := 1
			for _, p := range e.Prompts {
				longest = max(longest, len(p))
			}
			for _, n := range g.Executor.(*sizes).tokens { // beams take over each other's caches: nothing is computed twice
				if n != 1 && (n < longest || n >= 2*longest) {
					t.Errorf("a plan for %d tokens, of prompts of %d", n, longest)
				}
			}
		}
	})
}

// TestPretrainedChat: the model's own template and tokenizer give the text and the ids of each chat.
func TestPretrainedChat(t *testing.T) {
	e := readExpected(t, "../gpt/testdata/hf/llama-chat/expected.json")
	for _, path := range []string{"../gpt/testdata/hf/llama-chat", "../gpt/testdata/gguf/llama-chat.gguf"} {
		s, err := pretrained.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		tok, err := s.Tokenizer()
		if err != nil {
			t.Fatal(err)
		}
		chat, err := s.Template(tok)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range e.Messages {
			text, err := chat.Render(m)
			if err != nil || text != e.Text[i] {
				t.Errorf("%s: chat %d: %q, %v; want %q", path, i, text, err, e.Text[i])
			}
			ids, err := generate.PromptIDs(tok, text, token.Parse)
			if err != nil || !slices.Equal(ids, e.Prompts[i]) {
				t.Errorf("%s: chat %d: ids %v, %v; want %v", path, i, ids, err, e.Prompts[i])
			}
		}
	}
}
