package pretrained_test

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/pretrained"
)

// TestSmolLM2: a real pretrained model answers as transformers does in float32. The ids of the prompts and the greedy
// ids are equal, their log-probabilities within 2e-3. The chat template writes the prompts.
func TestSmolLM2(t *testing.T) {
	path, dir := os.Getenv("CETO_SMOLLM2"), os.Getenv("CETO_DATA")
	if path == "" || dir == "" {
		t.Skip("CETO_SMOLLM2 (the GGUF file) or CETO_DATA (smollm2/expected.jsonl) is not set")
	}
	f, err := os.Open(filepath.Join(dir, "smollm2", "expected.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x := plan.CPU(0)
	defer x.Close()
	s, err := pretrained.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g, err := s.Generator(x)
	if err != nil {
		t.Fatal(err)
	}
	chat, err := s.Template(g.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var want smolLine
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if len(want.Turns) == 1 {
			text, err := chat.Render([]generate.Message{{Role: "user", Content: want.Turns[0]}})
			if err != nil || text != want.Text {
				t.Errorf("line %d: rendered as %q, %v; want %q", n, text, err, want.Text)
			}
		}
		ids, err := generate.PromptIDs(g.Tokenizer, want.Text, token.Parse)
		if err != nil || !slices.Equal(ids, want.Prompt) {
			t.Errorf("line %d: ids of the prompt %v, %v; want %v", n, ids, err, want.Prompt)
		}
		want.check(t, n, g, s.End)
	}
	if n == 0 {
		t.Error("no lines in expected.jsonl")
	}
}

// smolLine is a line of expected.jsonl.
type smolLine struct {
	Text     string
	Turns    []string
	Prompt   []int32   `json:"prompt_ids"`
	IDs      []int32   `json:"greedy_ids"`
	LogProbs []float64 `json:"greedy_logprobs"`
}

func (want smolLine) check(t *testing.T, n int, g *generate.Generator, end []int32) {
	t.Helper()
	q, err := g.Generate([][]int32{want.Prompt}, generate.Options{Tokens: len(want.IDs), End: end})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(q[0].IDs, want.IDs) {
		t.Errorf("line %d: greedy ids %v, want %v", n, q[0].IDs, want.IDs)
		return
	}
	for i, p := range q[0].LogProbs {
		if !(math.Abs(float64(p)-want.LogProbs[i]) <= 2e-3) {
			t.Errorf("line %d: log-probability %d is %g, want %g", n, i, p, want.LogProbs[i])
		}
	}
}

// TestStories260K: a real trained model of llama2.c prints what its own program does.
func TestStories260K(t *testing.T) {
	dir := os.Getenv("CETO_DATA")
	if dir == "" {
		t.Skip("CETO_DATA is not set")
	}
	dir = filepath.Join(dir, "stories260k")
	want, err := os.ReadFile(filepath.Join(dir, "expected_greedy_200.txt"))
	if err != nil {
		t.Fatal(err)
	}
	x := plan.CPU(0)
	defer x.Close()
	s, err := pretrained.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g, err := s.Generator(x)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := generate.PromptIDs(g.Tokenizer, "", token.Parse)
	if err != nil {
		t.Fatal(err)
	}
	q, err := g.Generate([][]int32{ids}, generate.Options{Tokens: 200, End: s.End})
	if err != nil || q[0].Text != string(want) {
		t.Errorf("%q, %v; want %q", q[0].Text, err, want)
	}
}
