package setting

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/spf13/pflag"
)

// Flags adds the flags of a struct's fields, which v points to: all, or those that are named. Each writes to its
// field. The help shows the field's value, where it is not zero, or the default of the tags. A field of a type that
// no flag can have gets none; [Lint] finds it.
func Flags(fl *pflag.FlagSet, v any, names ...string) {
	for _, s := range Of(v) {
		if s.Flag == "" || len(names) > 0 && !slices.Contains(names, s.Flag) {
			continue
		}
		usage := s.Usage
		if s.of(v).IsZero() && s.Default != "" {
			if _, ok := s.value(); ok && s.Key == "" {
				_ = s.fill(v)
			} else {
				usage += " (default " + s.words() + ")"
			}
		}
		s.flag(fl, s.of(v), usage)
		s.guard(fl, s.of(v))
	}
}

// guard has a flag refuse what the setting cannot be.
func (s Setting) guard(fl *pflag.FlagSet, field reflect.Value) {
	switch f := fl.Lookup(s.Flag); field.Kind() {
	case reflect.Bool, reflect.Int, reflect.Uint64, reflect.Float64, reflect.String, reflect.Slice:
		f.Value = &guarded{f.Value, s, field}
	}
}

// guarded is the value of a flag that keeps to its setting's range.
type guarded struct {
	pflag.Value
	s     Setting
	field reflect.Value
}

// RangeError says that a flag's value is none that its setting can have.
type RangeError struct{ Flag, Value, Wish string }

func (e *RangeError) Error() string {
	return fmt.Sprintf("--%s is %s; it must be %s", e.Flag, cmp.Or(e.Value, "empty"), e.Wish)
}

// Set implements pflag.Value. After an error the value is as before.
func (g *guarded) Set(text string) error {
	before := reflect.ValueOf(g.field.Interface())
	err := g.Value.Set(text)
	ok := err == nil
	if ok {
		ok, err = g.s.ok(g.field)
	}
	if list, is := g.field.Interface().([]string); is {
		ok = ok && !slices.Contains(list, "") || g.s.empty
	}
	ok = ok && (text != "" || g.s.empty)
	if !ok {
		g.field.Set(before)
		return &RangeError{g.s.Flag, text, g.s.wish()}
	}
	return err
}

// flag adds the flag that writes to field.
func (s Setting) flag(fl *pflag.FlagSet, field reflect.Value, usage string) {
	switch field.Kind() {
	case reflect.Bool:
		fl.BoolVar(pointer[bool](field), s.Flag, field.Bool(), usage)
	case reflect.Int:
		fl.IntVar(pointer[int](field), s.Flag, int(field.Int()), usage)
	case reflect.Uint64:
		fl.Uint64Var(pointer[uint64](field), s.Flag, field.Uint(), usage)
	case reflect.Float64:
		fl.Float64Var(pointer[float64](field), s.Flag, field.Float(), usage)
	case reflect.String:
		fl.StringVar(pointer[string](field), s.Flag, field.String(), usage)
	case reflect.Slice:
		if field.Type().Elem().Kind() != reflect.String {
			return
		}
		p := pointer[[]string](field)
		if s.array {
			fl.StringArrayVar(p, s.Flag, *p, usage)
		} else {
			fl.StringSliceVar(p, s.Flag, *p, usage)
		}
	}
}

// pointer is a field's address, as that of its underlying type.
func pointer[T any](field reflect.Value) *T {
	return field.Addr().Convert(reflect.TypeFor[*T]()).Interface().(*T)
}

// Given copies the fields whose flags were given from one struct to another of the same type; both are pointers.
func Given(fl *pflag.FlagSet, from, to any) {
	for _, s := range Of(from) {
		if s.Flag != "" && fl.Changed(s.Flag) {
			s.of(to).Set(s.of(from))
		}
	}
}

// Var adds one flag that another command's struct declares: that of v with the given name. It writes to p, a pointer to
// a value of the field's type, and starts from that value.
func Var(fl *pflag.FlagSet, v any, name string, p any) {
	for _, s := range Of(v) {
		field := reflect.ValueOf(p).Elem()
		if s.Flag != name || s.typ.Kind() != field.Kind() {
			continue
		}
		usage := s.Usage
		if field.IsZero() && s.Default != "" {
			usage += " (default " + s.words() + ")"
		}
		s.flag(fl, field, usage)
		s.guard(fl, field)
	}
}
