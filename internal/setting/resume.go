package setting

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// Resumed compares the settings of a run, old, with those that it is to go on with. Both are pointers to structs of one
// type. It returns a line for each setting that differs. One that a run keeps to its end, as the tag resume says, is an
// error:
//
//	--seed: a run that goes on keeps train.seed 7; it cannot become 8
func Resumed(old, next any) (changed []string, err error) {
	for _, s := range Of(next) {
		a, b := s.of(old), s.of(next)
		if s.Key == "" || reflect.DeepEqual(a.Interface(), b.Interface()) || a.Kind() == reflect.Slice && a.Len()+b.Len() == 0 {
			continue
		}
		if s.fixed {
			name := "--set " + s.Key
			if s.Flag != "" {
				name = "--" + s.Flag
			}
			return nil, errors.Errorf("%s: a run that goes on keeps %s %s; it cannot become %s", name, s.Key, shown(a), shown(b))
		}
		changed = append(changed, fmt.Sprintf("%s %s (was %s)", s.Key, shown(b), shown(a)))
	}
	return changed, nil
}

// shown is a value in a line of text.
func shown(v reflect.Value) string {
	if v.Kind() == reflect.String {
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprint(v)
}

// fixedKeys reads the tag resume of a field: which keys below it a run keeps. "fixed" alone is all of them; "fixed a b"
// are those, and "fixed but a b" all but those.
func fixedKeys(tag string) func(key string) bool {
	words := strings.Fields(tag)
	switch {
	case len(words) == 0 || words[0] != "fixed":
		return func(string) bool { return false }
	case len(words) == 1:
		return func(string) bool { return true }
	case words[1] == "but":
		return func(key string) bool { return !slices.Contains(words[2:], key) }
	}
	return func(key string) bool { return slices.Contains(words[1:], key) }
}
