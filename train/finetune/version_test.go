package finetune

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// TestDeclarations: all tags can be read, and the pools that may be set are those there are.
func TestDeclarations(t *testing.T) {
	if err := setting.Lint(&Settings{}); err != nil {
		t.Error(err)
	}
	for _, p := range gpt.Pools {
		if err := setting.CheckGiven(&Settings{Head: HeadSettings{Pool: p}}); err != nil {
			t.Error(err)
		}
	}
	if err := setting.CheckGiven(&Settings{Head: HeadSettings{Pool: "first"}}); err == nil {
		t.Error("the pool first is not refused")
	}
}

// version1 are run.yaml files of runs from before files had a kind and a version.
var version1 = map[string]Settings{
	"classify": {Task: "classify", Model: "/models/llama-chat", Method: LoRA,
		Data: DataSettings{Path: "/data/texts.csv", Text: "text", Label: []string{"label"}, Val: 0.2, Context: 256, Classes: []string{"a", "b"}, Positive: "a"},
		Head: HeadSettings{Pool: gpt.PoolMeanLast},
		LoRA: LoRASettings{Targets: []string{"*.q_proj", "*.k_proj", "*.v_proj", "*.o_proj", "*.gate_proj", "*.up_proj", "*.down_proj"}, Rank: 8, Alpha: 16},
		Train: TrainSettings{Settings: train.Settings{Batch: 16, Accumulate: 1, LR: 0.0002, Warmup: 0.1, Clip: 1},
			Tokens: 1024, Epochs: 1, ClassWeights: "balanced", Patience: 3, Evaluations: 2}},
	"classify-warm": {Task: "classify", Model: "/models/llama-chat", Method: Full,
		Data: DataSettings{Path: "/data/texts.csv", Text: "text", Label: []string{"label"}, Val: 0.2, Context: 256, Classes: []string{"a", "b"}, Positive: "a"},
		Head: HeadSettings{Pool: gpt.PoolMeanLast},
		Train: TrainSettings{Settings: train.Settings{Batch: 16, Accumulate: 1, LR: 5e-05, Warmup: 0.9999999999999999, Clip: 1}, // the file has 1
			Tokens: 1024, Epochs: 1, ClassWeights: "balanced", EMA: 0.9, Patience: 3, Evaluations: 2, Freeze: []string{"model.embed*"}, Thaw: []string{"0.5 model.embed*"}}},
	"chat": {Task: "chat", Model: "/models/llama-chat", Method: LoRA,
		Data: DataSettings{Path: "/data/chats.jsonl", Layout: Layout{Messages: "messages"}, Val: 0.2, Context: 256},
		Head: HeadSettings{NoFit: true},
		LoRA: LoRASettings{Targets: []string{"*.q_proj", "*.k_proj", "*.v_proj", "*.o_proj", "*.gate_proj", "*.up_proj", "*.down_proj"}, Rank: 8, Alpha: 16},
		Train: TrainSettings{Settings: train.Settings{Batch: 1, Accumulate: 1, LR: 0.0003, Warmup: 0.25, Clip: 1},
			Epochs: 1, ClassWeights: "balanced", Patience: 3, Evaluations: 2}},
}

// TestVersion1: a file without a version keeps its meaning, also when it is read, written and read again.
func TestVersion1(t *testing.T) {
	for name, want := range version1 {
		s, err := ReadSettings(filepath.Join("testdata", "version1-"+name+".yaml"))
		if d := cmp.Diff(want, s); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
		b, err := yaml.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		path := write(t, "run.yaml", string(b))
		if again, err := ReadSettings(path); err != nil || !cmp.Equal(want, again) {
			t.Errorf("%s: written and read again: %v\n%s\n%s", name, err, cmp.Diff(want, again), b)
		}
	}
}

// TestWarmup: in files without a version a warmup is a share of the steps, and 1 is all of them. In files with one, 1
// is a single step. A share gives as many steps as before.
func TestWarmup(t *testing.T) {
	const steps = 200
	for _, c := range []struct {
		file string
		want int
	}{
		{"train: {warmup: 0.1}", 20}, {"train: {warmup: 1}", steps}, {"train: {warmup: 1.0}", steps}, {"train: {warmup: 50}", 50}, {"{}", 0},
		{"version: 2\ntrain: {warmup: 0.1}", 20}, {"kind: finetune\nversion: 2\ntrain: {warmup: 1}", 1}, {"version: 2\ntrain: {warmup: 50}", 50},
	} {
		s, err := ReadSettings(write(t, "run.yaml", c.file))
		if got := s.Train.Warmup.Steps(steps); err != nil || got != c.want {
			t.Errorf("%q: %d of %d steps, %v; want %d", c.file, got, steps, err, c.want)
		}
	}
	for share := 0.0; share < 1; share += 0.0173 {
		for steps := 1; steps < 400; steps += 7 {
			if got, want := train.Warmup(share).Steps(steps), int(math.Round(share*float64(steps))); got != want {
				t.Errorf("a share of %g is %d of %d steps, was %d", share, got, steps, want)
			}
		}
	}
}

// TestReadSettingsRefuses: files of other kinds and versions, and keys that are not known.
func TestReadSettingsRefuses(t *testing.T) {
	for file, want := range map[string]string{
		"kind: pretrain\nversion: 2\n":            `settings of kind "pretrain"; want finetune`,
		"kind: finetune\nversion: 3\n":            "settings of version 3; this program reads versions up to 2",
		"kind: finetune\ntrain: {epoch: 3}\n":     `unknown field "epoch"`,
		"train: {kind: finetune}\n":               `unknown field "kind"`,
		"train: [":                                "run.yaml: ",
		"kind: finetune\nversion: 2\ntasks: lm\n": `unknown field "tasks"`,
	} {
		path := write(t, "run.yaml", file)
		if _, err := ReadSettings(path); err == nil || !contains(err.Error(), want, path) {
			t.Errorf("%q: %v, want %q", file, err, want)
		}
	}
	if _, err := ReadSettings("no-such-file.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want an error that says that there is no such file", err)
	}
}

func contains(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(text, p) })
}
