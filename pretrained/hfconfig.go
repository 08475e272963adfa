package pretrained

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"strings"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/pkg/errors"
)

// parseConfig reads config.json.
func parseConfig(b []byte) (gpt.Model, error) {
	config, err := parseObject(b)
	if err != nil {
		return nil, err
	}
	return modelOfConfig(config)
}

// modelOfConfig makes the model of config.json. Its model_type decides, as in transformers: the class that wrote the
// file says little, and the tensors show what is missing. Only where there is no model_type does the class count.
func modelOfConfig(config map[string]any) (gpt.Model, error) {
	c := gpt.SettingsOf(config)
	kind := c.Text("model_type", "")
	if kind == "" {
		for _, a := range gpt.Architectures() {
			if classes, _ := config["architectures"].([]any); len(classes) > 0 && classes[0] == any(a.Class) {
				kind = a.Type
			}
		}
	}
	a, err := gpt.ArchitectureOfType(kind)
	if err != nil {
		return nil, err
	}
	m := a.Read(c)
	return m, c.Err()
}

// parseObject reads a JSON object. Numbers are int64 where they are written without a point and an exponent, else
// float64.
func parseObject(b []byte) (map[string]any, error) {
	var v map[string]any
	if !json.Valid(b) {
		return nil, json.Unmarshal(b, &v)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	err := error(nil)
	for key, x := range v {
		if v[key], err = numbers(x); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// numbers replaces the json.Numbers in a value.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if strings.ContainsAny(string(v), ".eE") {
			return v.Float64()
		}
		return v.Int64()
	case map[string]any:
		for k, x := range v {
			if v[k], err = numbers(x); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, x := range v {
			if v[i], err = numbers(x); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// configOf returns the settings of config.json for a model.
func configOf(m gpt.Model) (map[string]any, error) {
	a := gpt.ArchitectureOf(m)
	if a == nil {
		return nil, errors.Errorf("a model of type %T has no published architecture", m)
	}
	c := map[string]any{"architectures": []string{a.Class}, "model_type": a.Type}
	maps.Copy(c, a.Write(m))
	return c, nil
}

// WriteConfig writes config.json as Hugging Face transformers read it. A model that is of none of [gpt.Architectures]
// is an error.
func WriteConfig(w io.Writer, m gpt.Model) error {
	c, err := configOf(m)
	if err == nil {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		err = e.Encode(c)
	}
	return errors.Wrap(err, "pretrained: "+ConfigFile)
}
