package gpt

import (
	"math"

	"github.com/pkg/errors"
)

// Settings are a model's settings by the names that a published file gives them, such as those of config.json. The
// value of a key is a Go number, a bool, a string, a []any or a map[string]any; nil counts as no value. The first error
// is kept, and [Settings.Err] returns it. Settings are not safe for concurrent use.
type Settings struct {
	prefix string // of all keys
	lookup func(key string) (v any, ok bool)
	err    *error
}

// NewSettings returns settings whose whole keys are prefix and a name. lookup returns the value of a whole key, and
// whether the key is there.
func NewSettings(prefix string, lookup func(key string) (v any, ok bool)) *Settings {
	return &Settings{prefix, lookup, new(error)}
}

// SettingsOf returns the settings of a map.
func SettingsOf(m map[string]any) *Settings {
	return NewSettings("", func(key string) (any, bool) { v, ok := m[key]; return v, ok })
}

// Err returns the first error, or nil.
func (s *Settings) Err() error { return *s.err }

// Fail keeps an error, unless there is one already.
func (s *Settings) Fail(format string, a ...any) {
	if *s.err == nil {
		*s.err = errors.Errorf(format, a...)
	}
}

// Has reports whether the key has a value other than nil.
func (s *Settings) Has(key string) bool { return s.value(key) != nil }

// Given reports whether the key is there, even with the value nil.
func (s *Settings) Given(key string) bool {
	_, ok := s.lookup(s.prefix + key)
	return ok
}

func (s *Settings) value(key string) any {
	v, _ := s.lookup(s.prefix + key)
	return v
}

// Key returns the whole name of a key, for errors.
func (s *Settings) Key(key string) string { return s.prefix + key }

// Int returns a whole number, or other where the key has no value. A number with a point or an exponent is an error.
func (s *Settings) Int(key string, other int) int {
	v := s.value(key)
	if v == nil {
		return other
	}
	n, ok := whole(v)
	if !ok {
		s.Fail("%s%s is not a whole number", s.prefix, key)
		return other
	}
	return n
}

// Size is [Settings.Int] for a number from 0 to [MaxSize]. A missing value is an error where other is negative.
func (s *Settings) Size(key string, other int) int {
	n := s.Int(key, other)
	switch {
	case !s.Has(key) && other < 0:
		s.Fail("%s%s is missing", s.prefix, key)
	case s.Has(key) && *s.err == nil && (n < 0 || n > MaxSize):
		s.Fail("%s%s is %d; it must be from 0 to %d", s.prefix, key, n, MaxSize)
	}
	return n
}

// whole converts a value of one of Go's types of whole numbers.
func whole(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case int64:
		return int(v), true
	case int32:
		return int(v), true
	case int16:
		return int(v), true
	case int8:
		return int(v), true
	case uint64:
		return int(v), v <= math.MaxInt
	case uint32:
		return int(v), true
	case uint16:
		return int(v), true
	case uint8:
		return int(v), true
	}
	return 0, false
}

// Above0 is [Settings.Float] for a number above 0, below most.
func (s *Settings) Above0(key string, other, most float64) float64 {
	v := s.Float(key, other)
	if s.Has(key) && !(v > 0 && v < most) {
		s.Fail("%s%s is %g; it must be above 0 and below %g", s.prefix, key, v, most)
	}
	return v
}

// Float returns a number, or other where the key has no value.
func (s *Settings) Float(key string, other float64) float64 {
	v := s.value(key)
	switch v := v.(type) {
	case nil:
		return other
	case float64:
		return v
	case float32:
		return float64(v)
	}
	n, ok := whole(v)
	if !ok {
		s.Fail("%s%s is not a number", s.prefix, key)
		return other
	}
	return float64(n)
}

// Bool returns true or false, or other where the key is not there. A null is false, as in Python.
func (s *Settings) Bool(key string, other bool) bool {
	switch v := s.value(key).(type) {
	case nil:
		return other && !s.Given(key)
	case bool:
		return v
	}
	s.Fail("%s%s is neither true nor false", s.prefix, key)
	return other
}

// Text returns a string, or other where the key has no value.
func (s *Settings) Text(key, other string) string {
	switch v := s.value(key).(type) {
	case nil:
		return other
	case string:
		return v
	}
	s.Fail("%s%s is not a text", s.prefix, key)
	return other
}

// Texts returns a list of strings, or nil where the key has no value.
func (s *Settings) Texts(key string) (all []string) {
	for _, v := range s.list(key) {
		t, ok := v.(string)
		if !ok {
			s.Fail("%s%s is not a list of texts", s.prefix, key)
			return nil
		}
		all = append(all, t)
	}
	return all
}

// Ints returns a list of whole numbers, or nil where the key has no value.
func (s *Settings) Ints(key string) (all []int) {
	for _, v := range s.list(key) {
		n, ok := whole(v)
		if !ok {
			s.Fail("%s%s is not a list of whole numbers", s.prefix, key)
			return nil
		}
		all = append(all, n)
	}
	return all
}

func (s *Settings) list(key string) []any {
	switch v := s.value(key).(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	s.Fail("%s%s is not a list", s.prefix, key)
	return nil
}

// Or returns settings that have the values of s, and those of t where s has none. Either may be nil.
func (s *Settings) Or(t *Settings) *Settings {
	switch {
	case s == nil:
		return t
	case t == nil:
		return s
	}
	return &Settings{"", func(key string) (any, bool) {
		if v, ok := s.lookup(s.prefix + key); v != nil {
			return v, ok
		}
		return t.lookup(t.prefix + key)
	}, s.err}
}

// Sub returns the settings of an object, or nil where the key has no value. They share the first error with s.
func (s *Settings) Sub(key string) *Settings {
	switch v := s.value(key).(type) {
	case nil:
		return nil
	case map[string]any:
		return &Settings{"", SettingsOf(v).lookup, s.err}
	}
	s.Fail("%s%s is not an object", s.prefix, key)
	return nil
}
