package pretrained

import (
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// SaveAdapter writes what training with l (see nn.LoRA) has made of the model into folder dir, as PEFT saves it. It
// writes the low-rank matrices of state and, as modules_to_save, the parameters of l.Also. A state with neither is an
// error.
//
// task is PEFT's name of a task, such as TOKEN_CLS. An empty one is SEQ_CLS where there is a head called score, else
// CAUSAL_LM. For CAUSAL_LM there is also a generation_config.json with the ids of Source.End. Adapt reads it; PEFT
// ignores it.
func (s *Source) SaveAdapter(dir string, state plan.State, l nn.LoRA, task string) error {
	tensors, config, err := s.adapterFiles(state, l, task)
	if err != nil {
		return errors.Wrap(err, "pretrained: SaveAdapter")
	}
	return errors.Wrap(atomicfile.Dir(atomicfile.OS, dir, func(d *atomicfile.DirWriter) error {
		err := d.File(AdapterWeightsFile, func(w io.Writer) error { return safetensors.Write(w, tensors, map[string]string{"format": "pt"}) })
		if err != nil {
			return err
		}
		files := map[string]any{AdapterConfigFile: config}
		if config["task_type"] == "CAUSAL_LM" && len(s.End) > 0 {
			files[GenerationFile] = map[string]any{"eos_token_id": s.End}
		}
		for name, v := range files {
			err := d.File(name, func(w io.Writer) error {
				e := json.NewEncoder(w)
				e.SetIndent("", "  ")
				return e.Encode(v)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}), "pretrained: SaveAdapter")
}

// adapterFiles returns the contents of an adapter's files.
func (s *Source) adapterFiles(state plan.State, l nn.LoRA, task string) ([]safetensors.Tensor, map[string]any, error) {
	a := s.Architecture
	targets, heads := []string{}, []string{}
	var tensors []safetensors.Tensor
	for _, name := range state.Names(graph.Param) {
		module, isA := strings.CutSuffix(name, ".lora_A.weight")
		prefix, saved := "base_model.model.", name
		switch {
		case isA || strings.HasSuffix(name, ".lora_B.weight"):
			prefix += a.Prefix
			if isA {
				targets = append(targets, module)
			}
		case nn.Match(name, l.Also...):
			if rest, ok := strings.CutPrefix(name, "score."); ok && a.TagHead != "" && task == "TOKEN_CLS" {
				saved = a.TagHead + "." + rest
			}
			heads = append(heads, saved[:strings.LastIndexByte(saved, '.')])
		default:
			continue
		}
		d, err := state.Read(name)
		if err != nil {
			return nil, nil, err
		}
		v, err := graph.Floats[float32](d)
		if err != nil {
			return nil, nil, err
		}
		tensors = append(tensors, safetensors.Of(prefix+saved, d.Shape(), v))
	}
	if len(targets)+len(heads) == 0 {
		return nil, nil, errors.New("the state has no parameter of LoRA, and no head")
	}
	slices.Sort(targets)
	slices.Sort(heads)
	heads = slices.Compact(heads)
	switch {
	case task != "":
	case slices.Contains(heads, "score"):
		task = "SEQ_CLS"
	default:
		task = "CAUSAL_LM"
	}
	alpha := l.Alpha
	if alpha == 0 {
		alpha = float64(l.Rank)
	}
	return tensors, map[string]any{"peft_type": "LORA", "task_type": task, "base_model_name_or_path": s.Path, "inference_mode": true,
		"r": l.Rank, "lora_alpha": alpha, "lora_dropout": l.Dropout, "use_rslora": l.RSLoRA, "target_modules": targets,
		"modules_to_save": heads, "bias": "none", "fan_in_fan_out": a.InOut}, nil
}
