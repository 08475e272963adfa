package finetune

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/goccy/go-yaml"
	"github.com/pkg/errors"
)

// Names in a run folder, beside those of package train.
const (
	SettingsFile = "run.yaml"         // Settings
	ResultFile   = "result.json"      // Result
	AdapterDir   = "adapter"          // as PEFT saves it, a new head's parameters as modules_to_save
	ModelDir     = "model"            // of method full: as transformers save it
	headFile     = "head.safetensors" // in ModelDir
)

// save writes what a run has come to into its folder: the adapter or the model, the settings, the result.
func (f *fit) save(r *Result) error {
	dir, state := f.o.Out, f.loop.Run.State
	kind := ""
	if _, ok := f.task.(*tag); ok {
		kind = "TOKEN_CLS"
	}
	if l := f.lora(); l != nil {
		if err := replace(filepath.Join(dir, AdapterDir), func(path string) error { return f.ending().SaveAdapter(path, state, *l, kind) }); err != nil {
			return err
		}
	} else if err := replace(filepath.Join(dir, ModelDir), func(path string) error { return f.saveModel(path) }); err != nil {
		return err
	}
	settings, err := yaml.Marshal(f.Settings)
	if err != nil {
		return errors.Wrap(err, "finetune: settings")
	}
	result, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return errors.Wrap(err, "finetune: result")
	}
	for name, b := range map[string][]byte{SettingsFile: settings, ResultFile: append(result, '\n')} {
		err := atomicfile.WriteFile(atomicfile.OS, filepath.Join(dir, name), func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ending is the model's source; of one that has learnt texts, the token behind them is among those that end a text.
func (f *fit) ending() *pretrained.Source {
	if _, ok := f.task.(*lm); !ok {
		return f.Source
	}
	s := *f.Source
	if id, ok := f.separator(); ok && !slices.Contains(s.End, id) {
		s.End = append(slices.Clone(s.End), id)
	}
	return &s
}

// replace removes what an earlier end of the same run has left at path, and makes it anew.
func replace(path string, make func(path string) error) error {
	if err := os.RemoveAll(path); err != nil {
		return errors.Wrap(err, "finetune")
	}
	return make(path)
}

// saveModel writes all parameters as a model's folder, those of a new head beside it.
func (f *fit) saveModel(path string) error {
	state := f.loop.Run.State
	if _, err := f.ending().With(state).Export(path, pretrained.ExportOptions{Format: pretrained.FormatHF}); err != nil {
		return err
	}
	var head []safetensors.Tensor
	for _, p := range state.Params.All() {
		if !nn.Match(p.Name, headPattern) {
			continue
		}
		d, err := state.Read(p.Name)
		if err != nil {
			return err
		}
		head = append(head, safetensors.Of(p.Name, p.Meta.Shape, d.Data().([]float32)))
	}
	if len(head) == 0 {
		return nil
	}
	return atomicfile.WriteFile(atomicfile.OS, filepath.Join(path, headFile), func(w io.Writer) error { return safetensors.Write(w, head, nil) })
}

// headPattern matches the parameters of a new head.
const headPattern = "score.*"
