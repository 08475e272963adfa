package gguf

import "math"

// Keys returns the keys of the metadata in the file's order.
func (f *File) Keys() []string {
	keys := make([]string, len(f.Meta))
	for i, kv := range f.Meta {
		keys[i] = kv.Key
	}
	return keys
}

// Value returns the value of a key in its own type, nil where there is none.
func (f *File) Value(key string) any {
	i, ok := f.keys.find(key, func(i int) string { return f.Meta[i].Key })
	if !ok {
		return nil
	}
	return f.Meta[i].Value
}

// String returns the string of a key; false where the key is missing or its value is no string. What Strings and
// Floats return belongs to the file: do not change it.
func (f *File) String(key string) (string, bool) {
	v, ok := f.Value(key).(string)
	return v, ok
}

// Strings returns an array of strings, as [File.String] does.
func (f *File) Strings(key string) ([]string, bool) {
	v, ok := f.Value(key).([]string)
	return v, ok
}

// Bool returns a bool, as [File.String] does.
func (f *File) Bool(key string) (bool, bool) {
	v, ok := f.Value(key).(bool)
	return v, ok
}

// Float returns a number of any float type, as [File.String] does.
func (f *File) Float(key string) (float64, bool) {
	switch v := f.Value(key).(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// Floats returns an array of float32, as [File.String] does.
func (f *File) Floats(key string) ([]float32, bool) {
	v, ok := f.Value(key).([]float32)
	return v, ok
}

// Int returns a number of any integer type, as [File.String] does. It returns false also for one too large for int64.
func (f *File) Int(key string) (int64, bool) {
	switch v := f.Value(key).(type) {
	case uint8:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint64:
		return int64(v), v <= math.MaxInt64
	case int64:
		return v, true
	}
	return 0, false
}

// Ints returns a copy of an array of any integer type, as [File.Int] does.
func (f *File) Ints(key string) ([]int64, bool) {
	switch v := f.Value(key).(type) {
	case []uint8:
		return widen(v)
	case []int8:
		return widen(v)
	case []uint16:
		return widen(v)
	case []int16:
		return widen(v)
	case []uint32:
		return widen(v)
	case []int32:
		return widen(v)
	case []uint64:
		return widen(v)
	case []int64:
		return widen(v)
	}
	return nil, false
}

// widen returns v as int64s; false where a value does not fit.
func widen[T uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64](v []T) ([]int64, bool) {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
		if x > 0 && out[i] < 0 {
			return nil, false
		}
	}
	return out, true
}
