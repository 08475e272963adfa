package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/hub"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/pkg/errors"
	"github.com/spf13/pflag"
)

// modelFlags name a model and how its text becomes ids.
type modelFlags struct {
	path      string
	Adapters  []string `flag:"adapter,array" usage:"folder of a LoRA adapter as PEFT saves it, merged into the model; may be repeated"`
	Tokenizer string   `flag:"tokenizer" usage:"tokenizer's file or folder, where the model's own is not beside it"`
	Special   string   `flag:"special" usage:"a special token written in the text: parse (it counts as one), text or refuse" oneof:"parse text refuse" default:"parse"`
}

func (f *modelFlags) add(fl *pflag.FlagSet) {
	setting.Var(fl, finetune.Settings{}, "model", &f.path)
	setting.Flags(fl, f)
}

// policies are what --special may say.
var policies = map[string]token.Policy{"parse": token.Parse, "text": token.AsText, "refuse": token.Refuse}

// openModel opens what --model names, with the adapters merged.
func openModel(path string, adapters ...string) (*pretrained.Source, error) {
	path, err := findModel(path)
	if err != nil {
		return nil, err
	}
	s, err := pretrained.Open(path)
	if err != nil {
		return nil, err
	}
	for _, a := range adapters {
		if err := s.Adapt(a); err != nil {
			s.Close()
			return nil, errors.WithMessage(err, "--adapter")
		}
	}
	for _, w := range s.Warnings {
		fmt.Fprintf(stderr(os.Stderr), "ceto: warning: %s\n", w)
	}
	return s, nil
}

// findModel finds the files of a model: a run's newest checkpoint, what ceto pull has fetched, or what is at path.
func findModel(path string) (string, error) {
	if path == "" {
		return "", usagef("--model is missing: name a run, a model's folder or a model's file")
	}
	if err := atomicfile.Recover(atomicfile.OS, path); err != nil {
		return "", errors.WithMessage(err, "--model")
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && strings.Count(path, "/") == 1 && !strings.HasPrefix(path, ".") {
		dir, err := hub.Find(path)
		return dir, errors.WithMessagef(err, "--model %s: no such file or folder, and in the cache", path)
	}
	if err != nil {
		return "", usagef("--model %s: no such file or folder", path)
	}
	if !info.IsDir() {
		return path, nil
	}
	return train.Resolve(path, warn)
}

// warn says what may be a mistake.
func warn(s string) { fmt.Fprintln(os.Stderr, "ceto: warning:", s) }

// openTokenizer reads the model's tokenizer, or the one that --tokenizer names.
func (f *modelFlags) openTokenizer(s *pretrained.Source) (token.Tokenizer, error) {
	if f.Tokenizer == "" {
		t, err := s.Tokenizer()
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Errorf("%s has no tokenizer, so nothing says which text its ids stand for; name one with --tokenizer", s.Path)
		}
		return t, err
	}
	t, err := openTokenizer(f.Tokenizer)
	if err != nil {
		return nil, err
	}
	if err := token.Bound(t, s.Model.Dims().Vocab); err != nil {
		return nil, usagef("--tokenizer %s: %v", f.Tokenizer, err)
	}
	return t, nil
}
