// Package setting reads what the tags of a struct declare of its fields. Each setting is declared once, at its field:
//
//	type Train struct {
//		LR     float64 `yaml:"lr" flag:"lr" usage:"learning rate at its highest" range:"(0,10]"`
//		Method string  `yaml:"method" flag:"method" usage:"what is trained" oneof:"lora full" default:"lora"`
//	}
//
// From this follow the flags of a command ([Flags], [Given]) and strict reading of YAML ([Read], [ReadFile], [Set]). So
// do checks ([Check]), defaults ([Fill]) and the table of the documentation ([Table]). The tags:
//
//   - yaml: the key, as package go-yaml has it. Structs in structs give keys with dots, such as train.lr.
//   - flag: the name of the flag; "name,array" lets a list's flag be repeated without a split at commas. With
//     "name,empty" a text may be given that is empty. A field without it has no flag.
//   - usage: what it is, for the help and the table. After a colon at its end come the choices of [Chooser].
//   - range: an interval, such as [1,inf) or (0,1]; or, for a type with a method Valid() bool, the wish in words.
//   - oneof: the values that a text may have, with spaces between.
//   - default: what the zero value stands for; in parentheses: in words, where it depends on other things. A field
//     that has a flag and no key starts from it.
//   - resume: "fixed" says that a run keeps the setting to its end; see [Resumed]. On a struct it holds for all keys in
//     it, "fixed a b" for these two, and "fixed but a b" for all others.
//   - defaults, of an embedded struct: defaults of its fields, "key=value; key=(in words)".
package setting

import (
	"reflect"
	"strings"
)

// A Setting is what the tags of one field declare.
type Setting struct {
	Key     string // in YAML, with dots; "" where YAML does not have it
	Flag    string // without dashes; "" for none
	Usage   string
	Range   string // as the tag has it
	OneOf   []string
	Default string // as the tag has it
	array   bool
	empty   bool
	fixed   bool // a run that is resumed keeps it
	typ     reflect.Type
	index   []int
}

// Chooser is a struct of settings that lists the choices of a key, for usage texts that end in a colon.
type Chooser interface{ Choices(key string) []string }

// Of lists the settings of a struct, or of what a pointer points to, in the order of declaration.
func Of(v any) []Setting {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	all := walk(nil, t, "", nil, nil, fixedKeys(""))
	if c, ok := v.(Chooser); ok {
		for i := range all {
			if s := &all[i]; strings.HasSuffix(s.Usage, ":") {
				s.Usage += " " + strings.Join(c.Choices(s.Key), ", ")
			}
		}
	}
	return all
}

// walk adds the settings of t, whose keys begin with prefix; defaults and fixed are of the embedding struct's tags, by
// key.
func walk(all []Setting, t reflect.Type, prefix string, index []int, defaults map[string]string,
	fixed func(string) bool) []Setting {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(append([]int{}, index...), i)
		key, inline := yamlKey(f)
		if !f.IsExported() || key == "-" {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			inner := prefix
			if key != "" && !inline {
				inner += key + "."
			}
			below := fixedKeys(f.Tag.Get("resume"))
			if fixed(key) && !inline {
				below = fixedKeys("fixed")
			}
			all = walk(all, f.Type, inner, at, parseDefaults(f.Tag.Get("defaults")), below)
			continue
		}
		flag, options, _ := strings.Cut(f.Tag.Get("flag"), ",")
		if key == "" && flag == "" {
			continue
		}
		s := Setting{Flag: flag, Usage: f.Tag.Get("usage"), Range: f.Tag.Get("range"), OneOf: strings.Fields(f.Tag.Get("oneof")),
			Default: f.Tag.Get("default"), array: strings.Contains(options, "array"), empty: strings.Contains(options, "empty"), typ: f.Type, index: at,
			fixed: fixed(key) || f.Tag.Get("resume") == "fixed"}
		if key != "" {
			s.Key = prefix + key
		}
		if d, ok := defaults[key]; ok {
			s.Default = d
		}
		all = append(all, s)
	}
	return all
}

// yamlKey returns the key of a field, and whether its own fields stand in the outer mapping.
func yamlKey(f reflect.StructField) (key string, inline bool) {
	key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key, strings.Contains(options, "inline") || f.Anonymous && key == ""
}

// parseDefaults reads the tag of an embedded struct.
func parseDefaults(tag string) map[string]string {
	all := map[string]string{}
	for _, pair := range strings.Split(tag, ";") {
		if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
			all[key] = value
		}
	}
	return all
}

// Usage is the usage text of a flag that a struct declares; "" where there is none.
func Usage(v any, flag string) string {
	for _, s := range Of(v) {
		if s.Flag == flag {
			return s.Usage
		}
	}
	return ""
}

// Kind is the kind of the field, as reflect names it.
func (s Setting) Kind() string { return s.typ.Kind().String() }

// value is the default, and ok is false where there is none or where it is said in words.
func (s Setting) value() (text string, ok bool) {
	return s.Default, s.Default != "" && s.Default[0] != '('
}

// words is the default as a person reads it.
func (s Setting) words() string { return strings.TrimSuffix(strings.TrimPrefix(s.Default, "("), ")") }

// of is the field of v, which points to the struct.
func (s Setting) of(v any) reflect.Value { return reflect.ValueOf(v).Elem().FieldByIndex(s.index) }

// under tells whether a key is one of some keys or below it; all are where there is none.
func under(key string, keys []string) bool {
	for _, k := range keys {
		if key == k || strings.HasPrefix(key, k+".") {
			return true
		}
	}
	return len(keys) == 0
}
