package finetune

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/pretrained"
	"github.com/ceto-ml/ceto/train"
	"github.com/goccy/go-yaml"
	"github.com/pkg/errors"
)

// The names in a run folder, beside those of package train.
const (
	SettingsFile = "run.yaml"         // Settings
	ResultFile   = "result.json"      // Result
	AdapterDir   = "adapter"          // as PEFT saves it, a new head's parameters as modules_to_save
	ModelDir     = "model"            // with method full, as transformers save it
	headFile     = "head.safetensors" // in ModelDir
)

// saver is a task's part in saving a run.
type saver interface {
	// peft returns PEFT's name of the task, or "" where the name follows from the parameters of the head.
	peft() string
	// ends returns the ids that end a text for a model that has learned the task.
	ends(s *Setup) []int32
}

// save writes the adapter or the model, the settings and the result into the run folder.
func (f *fit) save(r *Result) error {
	dir := f.o.Out
	if l := f.Settings.lora(); l != nil {
		if err := replace(filepath.Join(dir, AdapterDir), func(path string) error { return f.ending().SaveAdapter(path, r.State, *l, f.task.peft()) }); err != nil {
			return err
		}
	} else if err := replace(filepath.Join(dir, ModelDir), func(path string) error { return f.saveModel(path, r.State) }); err != nil {
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

// replace makes path anew. It first removes what is there: a run that is resumed after its end has written it before.
func replace(path string, make func(path string) error) error {
	if err := os.RemoveAll(path); err != nil {
		return errors.Wrap(err, "finetune")
	}
	return make(path)
}

// saveModel writes all parameters as a model's folder. Those of a new head get a file of their own in it.
func (f *fit) saveModel(path string, state *train.State) error {
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
