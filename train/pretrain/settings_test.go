package pretrain

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train"
	"github.com/goccy/go-yaml"
)

// TestDeclarations: all tags can be read.
func TestDeclarations(t *testing.T) {
	if err := setting.Lint(&Settings{}); err != nil {
		t.Error(err)
	}
}

// TestVersion1 reads run.yaml files from before such files had a kind and a version. They mean what they meant, also
// when they are written again.
func TestVersion1(t *testing.T) {
	whole, err := Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	whole.Model = gpt.GPT2{Vocab: 256, Context: 16, Layers: 1, Heads: 4, Width: 128}
	whole.Data = DataSettings{Path: "/data/corpus.txt", Tokenizer: "byte", Val: 0.1}
	whole.Train = TrainSettings{Steps: 2, MinLR: 9.999999999999999e-05, Beta1: 0.9, Beta2: 0.95, EvalEvery: 500, Settings: train.Settings{
		Batch: 2, Accumulate: 1, LR: 0.001, Warmup: 60, Decay: 0.1, Clip: 1, Recompute: 0.25, Checkpoint: 500, Seed: 7}}
	cold, err := Preset("shakespeare-char-cpu")
	if err != nil {
		t.Fatal(err)
	}
	cold.Model = gpt.GPT2{Vocab: 29, Context: 16, Layers: 1, Heads: 4, Width: 128, Dropout: 0.1, NoBias: true, GELUErf: true}
	cold.Data = DataSettings{Path: "/data/corpus.txt", Tokenizer: "char", Val: 0.1}
	cold.Train = TrainSettings{Steps: 2, MinLR: 0.0001, Beta1: 0.9, Beta2: 0.99, EvalEvery: 250, Settings: train.Settings{
		Batch: 2, Accumulate: 1, LR: 0.001, Warmup: 0, Decay: 0.1, Clip: 1, Checkpoint: 0, Seed: 1337}}
	for name, want := range map[string]Settings{"version1.yaml": whole, "version1-cold.yaml": cold} {
		s, err := ReadSettings(filepath.Join("testdata", name))
		if err != nil || s != want {
			t.Errorf("%s: %v\n%+v, want\n%+v", name, err, s, want)
		}
		if err := s.Resolve(); err != nil || s != want {
			t.Errorf("%s: resolved it is %+v, %v", name, s, err)
		}
		b, err := yaml.Marshal(s)
		if err != nil || !strings.HasPrefix(string(b), "kind: pretrain\nversion: 2\n") {
			t.Errorf("%s: written again: %v\n%s", name, err, b)
		}
		path := filepath.Join(t.TempDir(), "run.yaml")
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		if again, err := ReadSettings(path); err != nil || again != want {
			t.Errorf("%s: written and read again: %v\n%+v", name, err, again)
		}
	}
}

// TestWarmup: a warmup from 1 on is steps, in files of any version; below 1 it is a share.
func TestWarmup(t *testing.T) {
	for _, text := range []string{"", "kind: pretrain\nversion: 2\n"} {
		for value, want := range map[string]int{"0": 0, "1": 1, "60": 60, "0.5": 100} {
			path := filepath.Join(t.TempDir(), "run.yaml")
			if err := os.WriteFile(path, []byte(text+"train: {warmup: "+value+"}\n"), 0o666); err != nil {
				t.Fatal(err)
			}
			s, err := ReadSettings(path)
			if got := s.Train.Warmup.Steps(200); err != nil || got != want {
				t.Errorf("%qwarmup: %s is %d of 200 steps, %v; want %d", text, value, got, err, want)
			}
		}
	}
}

// TestReadSettingsPreset: a file changes the settings of the preset that it names, or of the default.
func TestReadSettingsPreset(t *testing.T) {
	for text, preset := range map[string]string{"preset: shakespeare-char\n": "shakespeare-char", "": DefaultPreset} {
		want, err := Preset(preset)
		if err != nil {
			t.Fatal(err)
		}
		want.Train.Clip, want.Model.Layers = 2, 1
		path := filepath.Join(t.TempDir(), "run.yaml")
		if err := os.WriteFile(path, []byte(text+"train: {clip: 2}\nmodel: {layers: 1}\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		if s, err := ReadSettings(path); err != nil || s != want {
			t.Errorf("%q: %+v, %v; want %+v", text, s, err, want)
		}
	}
}

// TestRefused: settings that cannot be, each by its name.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		change func(s *Settings)
		want   string
	}{
		{func(s *Settings) { s.Train.Steps = 0 }, "train.steps is 0; it must be at least 1"},
		{func(s *Settings) { s.Train.Batch = -1 }, "train.batch is -1; it must be from 1 to 16777216"},
		{func(s *Settings) { s.Train.LR = 0 }, "train.lr is 0; it must be above 0"},
		{func(s *Settings) { s.Train.MinLR = 1 }, "train.min_lr is 1; it must be from 0 to train.lr"},
		{func(s *Settings) { s.Train.Beta2 = 1 }, "train.beta2 is 1; it must be from 0 to below 1"},
		{func(s *Settings) { s.Train.Clip = -1 }, "train.clip is -1; it must be 0 or more"},
		{func(s *Settings) { s.Train.Recompute = 2 }, "train.recompute is 2; it must be a share, 0 to 1"},
		{func(s *Settings) { s.Train.Warmup = 1.5 }, "train.warmup is 1.5; it must be a whole number of steps, or below 1 a share of them"},
		{func(s *Settings) { s.Data.Val = 2 }, "data.val is 2; it must be between 0 and 1"},
		{func(s *Settings) { s.Data.Tokenizer = "bpe" }, `data.tokenizer is "bpe"; want char, byte, or the path of a tokenizer`},
		{func(s *Settings) { s.Model.Context = 0 }, "context is 0"},
	} {
		s, err := Preset("tiny")
		if err != nil {
			t.Fatal(err)
		}
		c.change(&s)
		if _, err := Open(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
