package finetune

import (
	"encoding/json"
	"io"
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

// save writes the adapter or the model, the settings and the result into the run folder, in this order. Each takes the
// place of an old one in one step: a run that is resumed after its end can be used at any time.
func (f *fit) save(r *Result) error {
	dir := f.o.Out
	name, write := ModelDir, func(path string) error { return f.saveModel(path, r.State) }
	if l := f.Settings.lora(); l != nil {
		name, write = AdapterDir, func(path string) error { return f.ending().SaveAdapter(path, r.State, *l, f.task.peft()) }
	}
	if err := f.replace(filepath.Join(dir, name), write); err != nil {
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
	put := func(name string, b []byte) error {
		return atomicfile.WriteFile(f.fs, filepath.Join(dir, name), func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		})
	}
	if err := put(SettingsFile, settings); err != nil {
		return err
	}
	return put(ResultFile, append(result, '\n'))
}

// replace makes the folder path beside its place, with checksums, and puts it there whole.
func (f *fit) replace(path string, write func(path string) error) error {
	tmp := path + atomicfile.TmpSuffix
	err := atomicfile.RemoveRest(f.fs, tmp)
	if err == nil {
		err = write(tmp)
	}
	if err == nil {
		err = train.Seal(f.fs, tmp)
	}
	if err == nil {
		err = atomicfile.Place(f.fs, tmp, path)
	}
	return errors.Wrap(err, "finetune")
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
