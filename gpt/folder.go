package gpt

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/internal/weights"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// ConfigFile is the name of a model's settings in its folder.
const ConfigFile = "config.json"

// configJSON is config.json: Config's own fields and those by which Hugging Face transformers know the model.
type configJSON struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	Activation    string   `json:"activation_function"`
	Config
}

// WriteConfig writes config.json as Hugging Face transformers read it; no_bias and gelu_erf are this project's own.
func WriteConfig(w io.Writer, c Config) error {
	act := "gelu_new"
	if c.GELUErf {
		act = "gelu"
	}
	if c.Eps == 0 {
		c.Eps = 1e-5
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return errors.Wrap(e.Encode(configJSON{[]string{"GPT2LMHeadModel"}, "gpt2", act, c}), "gpt: config.json")
}

// ReadConfig reads what WriteConfig wrote from a model's folder.
func ReadConfig(dir string) (Config, error) {
	path := filepath.Join(dir, ConfigFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, errors.Wrap(err, "gpt: config.json")
	}
	var c configJSON
	if err := json.Unmarshal(b, &c); err != nil {
		return Config{}, errors.Wrapf(err, "gpt: %s", path)
	}
	if c.ModelType != "gpt2" {
		return Config{}, errors.Errorf("gpt: %s: model_type is %q; known: gpt2", path, c.ModelType)
	}
	return c.Config, errors.Wrap(c.Config.Validate(), path)
}

// WeightsFile is the name of a model's parameters in its folder.
const WeightsFile = "model.safetensors"

// Load reads a model's folder, config.json and model.safetensors, for generation: the parameters are in the State of
// the Generator, as float32. The file must have all parameters with their shapes, as F32 or F64, and nothing else; the
// error names the first that differs.
func Load(dir string, x plan.Executor) (*Generator, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, WeightsFile)
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, errors.Wrap(err, "gpt: Load")
	}
	defer f.Close()
	g := &Generator{Model: c, State: x.NewState(), Executor: x}
	if err := fits(c, f); err != nil {
		return nil, errors.Wrapf(err, "gpt: %s", path)
	}
	if _, err := g.program(1); err != nil {
		return nil, err
	}
	for _, name := range g.State.Names(graph.Param) {
		if err := loadParam(g.State, f, name); err != nil {
			return nil, errors.Wrapf(err, "gpt: %s", path)
		}
	}
	return g, nil
}

// fits compares a file's tensors with the parameters of c, before any memory is taken for them.
func fits(c Config, f *safetensors.File) error {
	params := nn.NewParams(graph.Float32)
	s := nn.NewScope(graph.New(), params, nn.Eval)
	c.Forward(s, s.Input("ids", graph.Of(graph.Int32, 1, 1)))
	if err := s.Err(); err != nil {
		return err
	}
	for _, p := range params.All() {
		t, ok := f.Tensor(p.Name)
		if !ok {
			return errors.Errorf("%s is missing", p.Name)
		}
		if !p.Meta.Shape.Equal(t.Shape) {
			return errors.Errorf("%s is %v, the config wants %v", p.Name, graph.Shape(t.Shape), p.Meta.Shape)
		}
	}
	for _, t := range f.Tensors {
		if params.Get(t.Name) == nil {
			return errors.Errorf("%s is no parameter of the config", t.Name)
		}
	}
	return nil
}

// loadParam copies one parameter from f.
func loadParam(s plan.State, f *safetensors.File, name string) error {
	m, _, err := s.Meta(name)
	if err != nil {
		return err
	}
	t, _ := f.Tensor(name)
	b, err := weights.Value(t, m)
	if err != nil {
		return err
	}
	return s.Write(name, graph.Dense(b))
}
