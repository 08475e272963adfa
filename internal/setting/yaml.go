package setting

import (
	"fmt"
	"strings"

	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/pkg/errors"
)

// Version is that of the files that [Marshal] writes. Files without one are of version 1: they have neither kind nor
// version.
const Version = 2

// header is what a file begins with.
type header struct {
	Kind    string `yaml:"kind"`
	Version int    `yaml:"version"`
}

// Marshal returns settings as the text of a file: its kind and version, then the settings. v must not be a type whose
// own MarshalYAML calls Marshal.
func Marshal(kind string, v any) ([]byte, error) {
	head, err := yaml.Marshal(header{kind, Version})
	if err != nil {
		return nil, errors.Wrap(err, "setting")
	}
	body, err := yaml.Marshal(v)
	return append(head, body...), errors.Wrap(err, "setting")
}

// ReadFile reads a file over what v points to; keys that are not known are refused. The file is of the given kind. One
// that names no kind was written by hand or has version 1.
func ReadFile(path, kind string, v any) (version int, err error) {
	var head header
	if err := Peek(path, &head); err != nil {
		return 0, err
	}
	b, err := bounded.ReadFile(path, maxFile)
	switch {
	case err != nil:
		return 0, err
	case head.Kind != "" && head.Kind != kind:
		return 0, errors.Errorf("%s: settings of kind %q; want %s", path, head.Kind, kind)
	case head.Version < 0 || head.Version > Version:
		return 0, errors.Errorf("%s: settings of version %d; this program reads versions up to %d", path, head.Version, Version)
	case head.Version == 0:
		head.Version = 1
	}
	return head.Version, read(b, path, v, false, "kind", "version")
}

// Read reads YAML over what v points to. A key without a value changes nothing. Keys that are not known are refused,
// and values that a setting cannot have; 0 stands for a default. An error begins with from.
func Read(b []byte, from string, v any) error { return read(b, from, v, false) }

// read is [Read], which passes over some keys at the top. With zeros, 0 must be in a setting's range too.
func read(b []byte, from string, v any, zeros bool, but ...string) error {
	docs, err := parse(b)
	if err != nil {
		return failed(from, err)
	}
	for _, doc := range docs {
		given, err := settingsIn(doc, v, but)
		if err != nil {
			return failed(from, err)
		}
		if err := decode(doc, v, yaml.Strict()); err != nil {
			return failed(from, err)
		}
		for _, s := range given {
			if field := s.of(v); zeros || !field.IsZero() {
				if err := s.check(field); err != nil {
					return failed(from, err)
				}
			}
		}
	}
	return nil
}

// decode puts a document into what v points to. The library panics at values of some types.
func decode(doc ast.Node, v any, o ...yaml.DecodeOption) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("a value is of another type than its setting: %v", r)
		}
	}()
	return yaml.NodeToValue(doc, v, o...)
}

// failed is an error of YAML in one line.
func failed(from string, err error) error {
	line := strings.Join(strings.FieldsFunc(yaml.FormatError(err, false, false), func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	return errors.Errorf("%s: %s", from, strings.TrimSpace(line))
}

// Set applies "a.b=c" to what v points to, where c is YAML.
func Set(v any, expr string) error {
	key, value, ok := strings.Cut(expr, "=")
	if !ok || key == "" {
		return errors.Errorf("--set %q: want key=value, such as train.lr=0.001", expr)
	}
	var b strings.Builder
	parts := strings.Split(key, ".")
	for i, p := range parts {
		fmt.Fprintf(&b, "%s%s:", strings.Repeat("  ", i), p)
		if i < len(parts)-1 {
			b.WriteString("\n")
		}
	}
	b.WriteString(" " + value + "\n")
	return read([]byte(b.String()), "--set "+expr, v, true)
}

// Fill gives settings that are zero their defaults: all, or those of some keys and below them. Defaults in words are
// the caller's to work out. One that is no value of its field is left out; [Lint] finds it.
func Fill(v any, keys ...string) {
	for _, s := range Of(v) {
		if _, ok := s.value(); ok && under(s.Key, keys) && s.of(v).IsZero() {
			_ = s.fill(v)
		}
	}
}

// fill sets a field to its default.
func (s Setting) fill(v any) error {
	text, _ := s.value()
	err := yaml.Unmarshal([]byte(text), s.of(v).Addr().Interface())
	return errors.Wrapf(err, "setting: %s: the default %q is no %v", s.Key, text, s.typ)
}

// Peek reads those keys of a file that v has, and passes over all others.
func Peek(path string, v any) error {
	b, err := bounded.ReadFile(path, maxFile)
	if err != nil {
		return err
	}
	docs, err := parse(b)
	if err != nil {
		return failed(path, err)
	}
	for _, doc := range docs {
		if err := decode(doc, v); err != nil {
			return failed(path, err)
		}
	}
	return nil
}
