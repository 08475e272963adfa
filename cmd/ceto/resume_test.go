package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/ceto-ml/ceto/train/pretrain"
)

// resumeValues are values for every setting, by its key, other than those of the runs below. A run that goes on takes
// the setting where taken is true. Otherwise it refuses it by name.
var resumeValues = map[string]map[string]struct {
	value string
	taken bool
}{
	"pretrain": {
		"preset": {"gpt2", false}, "model.vocab": {"7", false}, "model.context": {"8", false}, "model.layers": {"2", false}, "model.heads": {"1", false},
		"model.width": {"32", false}, "model.dropout": {"0.25", true}, "model.no_bias": {"true", false}, "model.gelu_erf": {"true", false},
		"model.eps": {"0.001", false}, "model.mlp_width": {"24", false}, "model.untied": {"true", false},
		"data.path": {"moved", true}, "data.tokenizer": {"run", true}, "data.val": {"0.3", false},
		"train.steps": {"5", true}, "train.batch": {"2", true}, "train.accumulate": {"2", true}, "train.lr": {"0.001", true}, "train.warmup": {"2", true},
		"train.decay": {"0.25", true}, "train.clip": {"2", true}, "train.recompute": {"0.5", true}, "train.checkpoint_every": {"1", true},
		"train.keep": {"1", true}, "train.seed": {"99", false}, "train.min_lr": {"1e-05", true}, "train.beta1": {"0.5", true}, "train.beta2": {"0.5", true},
		"train.eval_every": {"1", true},
	},
	"finetune": {
		"task": {"regress", false}, "model": {"moved", false}, "method": {"full", false}, "random": {"true", false},
		"data.path": {"moved", false}, "data.format": {"tsv", false}, "data.columns": {"[a, b]", false}, "data.comma": {"tab", false},
		"data.text": {"label", false}, "data.label": {"[text]", false}, "data.layout.messages": {"m", false}, "data.layout.prompt": {"p", false},
		"data.layout.input": {"i", false}, "data.layout.answer": {"a", false}, "data.layout.system": {"s", false}, "data.layout.prompt_template": {"t", false},
		"data.val": {"0.5", false}, "data.folds": {"2", false}, "data.fold": {"1", false}, "data.val_path": {"moved", false}, "data.test_path": {"moved", false},
		"data.rows": {"50", false}, "data.duplicates": {"true", false}, "data.context": {"9", false}, "data.stride": {"3", false}, "data.strict": {"true", false},
		"data.no_packing": {"true", false}, "data.classes": {"[b, a]", false}, "data.positive": {"b", false}, "data.augment.swap": {"0.5", false},
		"data.augment.delete": {"0.5", false}, "data.augment.replace": {"0.5", false}, "data.augment.synonyms": {"moved", false},
		"head.pool": {"last", false}, "head.no_fit": {"true", false}, "head.dropout": {"0.5", true},
		"lora.targets": {"['*.q_proj']", false}, "lora.rank": {"3", false}, "lora.alpha": {"3", false}, "lora.dropout": {"0.5", true},
		"train.batch": {"4", false}, "train.accumulate": {"2", false}, "train.lr": {"0.01", true}, "train.warmup": {"2", true}, "train.decay": {"0.25", true},
		"train.clip": {"2", true}, "train.recompute": {"0.5", true}, "train.checkpoint_every": {"1", true}, "train.keep": {"1", true},
		"train.seed": {"99", false}, "train.batch_tokens": {"500", false}, "train.epochs": {"2", true}, "train.smoothing": {"0.5", false},
		"train.class_weights": {"none", false}, "train.ema": {"0.5", false}, "train.patience": {"1", true}, "train.evaluations": {"2", true},
		"train.groups": {"[{match: '*', decay: 0.5}]", true}, "train.freeze": {"['*.q_proj*']", false}, "train.thaw": {"['0.5 *']", false},
	},
}

// TestResumeSettings resumes a run with each declared setting changed, by its flag and by --set. It is taken, and then
// run.yaml has it, or it is refused by name, and then the run's folder is as it was.
func TestResumeSettings(t *testing.T) {
	dir := textDir(t)
	text, moved := filepath.Join(dir, "text"), filepath.Join(dir, "moved")
	if b, err := os.ReadFile(text); err != nil || os.WriteFile(moved, b, 0o666) != nil {
		t.Fatal(err)
	}
	start := map[string][]string{
		"pretrain": {"--data", text, "--set", "model.layers=1", "--set", "model.width=16", "--set", "model.heads=2", "--context", "16", "--batch", "4", "--steps", "3",
			"--eval-every", "0", "--checkpoint-every", "2"},
		"finetune": {"--model", filepath.Join("..", "..", "gpt", "testdata", "hf", "llama-chat"), "--data", filepath.Join(dir, "texts.csv"), "--task", "classify",
			"--batch", "16", "--epochs", "1", "--set", "train.evaluations=1", "--seed", "1"},
	}
	for command, settings := range map[string]any{"pretrain": &pretrain.Settings{}, "finetune": &finetune.Settings{}} {
		run := filepath.Join(dir, command)
		if out, err := exec.Command("ceto", append([]string{command, "--out", run, "--threads", "1"}, start[command]...)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		for _, s := range setting.Of(settings) {
			v, ok := resumeValues[command][s.Key]
			if !ok {
				t.Errorf("%s: no row for the setting %s", command, s.Key)
				continue
			}
			switch v.value {
			case "moved":
				v.value = moved
			case "run": // its tokenizer is the same
				v.value = run
			}
			ways := [][]string{{"--set", s.Key + "=" + v.value}}
			if s.Flag != "" {
				ways = append(ways, []string{"--" + s.Flag + "=" + strings.Trim(v.value, "[]'")})
			}
			for i, way := range ways {
				t.Run(command+" "+strings.Join(way, " "), func(t *testing.T) {
					resumeWith(t, command, run, fmt.Sprintf("%s-%s-%d", run, s.Key, i), s, way, v.taken)
				})
			}
		}
	}
}

// resumeWith resumes a copy of a run with arguments that change a setting.
func resumeWith(t *testing.T, command, run, copied string, s setting.Setting, way []string, taken bool) {
	t.Parallel()
	if err := os.CopyFS(copied, os.DirFS(run)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(copied, "run.yaml")
	before, _ := os.ReadFile(path)
	out, err := exec.Command("ceto", append([]string{command, "--resume", copied, "--threads", "1"}, way...)...).CombinedOutput()
	after, _ := os.ReadFile(path)
	named := bytes.Contains(out, []byte(s.Key)) || s.Flag != "" && bytes.Contains(out, []byte("--"+s.Flag))
	switch {
	case !named:
		t.Errorf("%v: %v: it does not name %s:\n%s", way, err, s.Key, out)
	case !taken:
		if err == nil || !bytes.Equal(before, after) {
			t.Errorf("%v is not refused (%v), or run.yaml changed:\n%s", way, err, out)
		}
	case err != nil:
		t.Errorf("%v: %v\n%s", way, err, out)
	default:
		old, now := settingsOf(t, command, run), settingsOf(t, command, copied)
		changed, _ := setting.Resumed(old, now)
		if len(changed) == 0 || !strings.HasPrefix(changed[0], s.Key+" ") {
			t.Errorf("%v: run.yaml has the changes %q; want %s", way, changed, s.Key)
		}
	}
}

// settingsOf reads a run's settings.
func settingsOf(t *testing.T, command, run string) any {
	t.Helper()
	var s any
	var err error
	path := filepath.Join(run, "run.yaml")
	if command == "pretrain" {
		var p pretrain.Settings
		p, err = pretrain.ReadSettings(path)
		s = &p
	} else {
		var f finetune.Settings
		f, err = finetune.ReadSettings(path)
		s = &f
	}
	if err != nil || reflect.ValueOf(s).Elem().IsZero() {
		t.Fatal(err)
	}
	return s
}

// TestRateTakesMinLR: the learning rate takes the one at the end of the run with it, however it is given.
func TestRateTakesMinLR(t *testing.T) {
	dir := textDir(t)
	for i, c := range []struct {
		args  []string
		lr    float64
		minLR float64
	}{
		{nil, 3e-3, 3e-4},
		{[]string{"--lr", "0.01"}, 0.01, 1e-3},
		{[]string{"--set", "train.lr=0.01"}, 0.01, 1e-3},
		{[]string{"--set", "train={lr: 0.01}"}, 0.01, 1e-3},
		{[]string{"--set", "train.lr=0.02", "--lr", "0.01"}, 0.01, 1e-3},
		{[]string{"--lr", "0.01", "--set", "train.min_lr=0.0005"}, 0.01, 0.0005},
		{[]string{"--set", "train.min_lr=0.0005", "--set", "train.lr=0.01"}, 0.01, 0.0005},
		{[]string{"--set", "train.min_lr=0"}, 3e-3, 0},
		{[]string{"--set", "train.min_lr=0", "--lr", "0.01"}, 0.01, 0},
	} {
		run := filepath.Join(dir, fmt.Sprint(i))
		args := append([]string{"pretrain", "--data", filepath.Join(dir, "text"), "--out", run, "--steps", "1", "--context", "8", "--set", "model.layers=1"}, c.args...)
		if out, err := exec.Command("ceto", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c.args, err, out)
		}
		got := settingsOf(t, "pretrain", run).(*pretrain.Settings).Train
		if got.LR != c.lr || got.MinLR < c.minLR*0.999999 || got.MinLR > c.minLR*1.000001 {
			t.Errorf("%v: lr %g, min_lr %g; want %g, %g", c.args, got.LR, got.MinLR, c.lr, c.minLR)
		}
	}
}
