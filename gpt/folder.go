package gpt

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"

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
