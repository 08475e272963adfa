package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/ceto-ml/ceto/train/pretrain"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// impossible are values that no flag of a type can have. Those of whole numbers are in all of them.
var impossible = map[string][]string{
	"float64":     {"", "x", "1,5", "nan", "NaN", "inf", "-inf", "1e400", "0x", "1 2"},
	"int":         {"", "x", "nan", "inf", "1.5", "1e400", "99999999999999999999", "-99999999999999999999", "9223372036854775808"},
	"uint64":      {"", "x", "nan", "inf", "1.5", "-1", "99999999999999999999"},
	"bool":        {"", "maybe", "2"},
	"string":      {""},
	"stringSlice": {"", "a,,b"},
	"stringArray": {""},
}

// signed are numbers that may be below zero, and empty are texts that may be empty.
var (
	signed = []string{"presence-penalty", "frequency-penalty", "length-penalty"}
	empty  = []string{"ceto chat --system", "ceto chat --prompt", "ceto generate --prompt"}
)

// TestImpossibleFlags gives each flag of each command values that it cannot have. All are refused, by the flag's name,
// and change nothing.
func TestImpossibleFlags(t *testing.T) {
	n := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		c.InheritedFlags()
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if c.CommandPath() == "ceto completion" || f.Name == "help" {
				return
			}
			values, ok := impossible[f.Value.Type()]
			if !ok {
				t.Errorf("%s --%s: a flag of type %s", c.CommandPath(), f.Name, f.Value.Type())
			}
			if number := f.Value.Type() == "int" || f.Value.Type() == "float64"; number && !slices.Contains(signed, f.Name) {
				values = append(slices.Clone(values), "-1")
			}
			for _, v := range values {
				if v == "" && slices.Contains(empty, c.CommandPath()+" --"+f.Name) {
					continue
				}
				n++
				before := f.Value.String()
				err := c.ParseFlags([]string{"--" + f.Name + "=" + v})
				if err == nil || !strings.Contains(err.Error(), "--"+f.Name) || strings.Contains(err.Error(), "\n") || f.Value.String() != before {
					t.Errorf("%s --%s=%s: %v, and the flag is %s after %s", c.CommandPath(), f.Name, v, err, f.Value, before)
				}
			}
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	if walk(root(&global{})); n < 800 {
		t.Errorf("%d values were tried, want some hundreds", n)
	}
}

// TestImpossibleSettings gives each declared setting values that it cannot have, by --set and in a file.
func TestImpossibleSettings(t *testing.T) {
	values := map[string][]string{
		"float64": {"x", ".nan", ".inf", "-.inf", "1e400", "[1]", "{a: 1}", "true", "'1'"},
		"int":     {"x", ".nan", ".inf", "1.5", "1e400", "99999999999999999999", "-1", "[1]", "{a: 1}", "true", "'1'"},
		"uint64":  {"x", ".nan", ".inf", "1.5", "99999999999999999999", "-1", "[1]", "{a: 1}", "true", "'1'"},
		"bool":    {"x", "1", "2.5", "[true]"},
		"string":  {"[a]", "{a: 1}"},
		"slice":   {"{a: 1}"},
	}
	for _, v := range []any{&pretrain.Settings{}, &finetune.Settings{}} {
		for _, s := range setting.Of(v) {
			kind := s.Kind()
			if values[kind] == nil {
				t.Errorf("%s: a setting of kind %s", s.Key, kind)
			}
			for _, value := range values[kind] {
				if err := setting.Set(v, s.Key+"="+value); err == nil || strings.Contains(err.Error(), "\n") {
					t.Errorf("%T: --set %s=%s: %v", v, s.Key, value, err)
				}
				section, key, nested := strings.Cut(s.Key, ".")
				text := section + ": " + value
				if nested {
					for _, part := range strings.Split(s.Key, ".") {
						key = part
					}
					outer := strings.Split(strings.TrimSuffix(s.Key, "."+key), ".")
					text = strings.Join(outer, ": {") + ": {" + key + ": " + value + strings.Repeat("}", len(outer))
				}
				if err := setting.Read([]byte(text), "file", v); err == nil || strings.Contains(err.Error(), "\n") {
					t.Errorf("%T: %q: %v", v, text, err)
				}
			}
		}
	}
}
