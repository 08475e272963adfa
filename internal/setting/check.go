package setting

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
	"github.com/spf13/pflag"
)

// Check returns an error for the first setting of what v points to that is not in its range or not one of its values:
//
//	train.lr is 0; it must be above 0
func Check(v any) error { return check(v, false) }

// CheckGiven is [Check], but zero values pass: they stand for defaults.
func CheckGiven(v any) error { return check(v, true) }

func check(v any, zeros bool) error {
	for _, s := range Of(v) {
		if field := s.of(v); !zeros || !field.IsZero() {
			if err := s.check(field); err != nil {
				return err
			}
		}
	}
	return nil
}

// check returns an error for a value that the setting cannot have. Zeros in a list of structs stand for defaults.
func (s Setting) check(field reflect.Value) error {
	if s.typ.Kind() == reflect.Slice && s.typ.Elem().Kind() == reflect.Struct {
		for i := range field.Len() {
			if err := CheckGiven(field.Index(i).Addr().Interface()); err != nil {
				return errors.WithMessagef(err, "%s, entry %d", s.Key, i+1)
			}
		}
		return nil
	}
	ok, err := s.ok(field)
	if err != nil || ok {
		return err
	}
	return s.refused(field)
}

// ok tells whether a field may have the value that it has.
func (s Setting) ok(field reflect.Value) (bool, error) {
	if len(s.OneOf) > 0 {
		return slices.Contains(s.OneOf, field.String()), nil
	}
	if v, ok := field.Interface().(interface{ Valid() bool }); ok {
		return v.Valid(), nil
	}
	if field.Kind() == reflect.Float64 && (math.IsNaN(field.Float()) || math.IsInf(field.Float(), 0)) {
		return false, nil
	}
	if s.Range == "" {
		return true, nil
	}
	var x float64
	switch field.Kind() {
	case reflect.Int:
		x = float64(field.Int())
	case reflect.Uint64:
		x = float64(field.Uint())
	case reflect.Float64:
		x = field.Float()
	}
	b, err := s.bounds()
	above := x > b.lo || x == b.lo && b.closedLo
	below := x < b.hi || x == b.hi && b.closedHi
	return above && below, err
}

// bounds are the ends of an interval.
type bounds struct {
	lo, hi             float64
	closedLo, closedHi bool
}

// bounds reads the range, an interval.
func (s Setting) bounds() (bounds, error) {
	lo, hi, ok := strings.Cut(strings.Trim(s.Range, "[]()"), ",")
	b := bounds{closedLo: strings.HasPrefix(s.Range, "["), closedHi: strings.HasSuffix(s.Range, "]")}
	var err, err2 error
	b.lo, err = strconv.ParseFloat(lo, 64)
	b.hi, err2 = strconv.ParseFloat(hi, 64)
	if !ok || err != nil || err2 != nil || !(b.lo <= b.hi) {
		return b, errors.Errorf("setting: %s: the range %q is no interval such as (0,1]", s.Key, s.Range)
	}
	return b, nil
}

// refused is the error of a value that a setting cannot have.
func (s Setting) refused(field reflect.Value) error {
	name := s.Key
	if name == "" {
		name = "--" + s.Flag
	}
	return errors.Errorf("%s is %v; it must be %s", name, field, s.wish())
}

// wish says in words what may be.
func (s Setting) wish() string {
	if n := len(s.OneOf); n > 0 {
		return strings.Join(s.OneOf[:n-1], ", ") + " or " + s.OneOf[n-1]
	}
	b, err := s.bounds()
	kind := s.typ.Kind()
	switch {
	case kind == reflect.String || kind == reflect.Slice:
		return cmp.Or(s.Range, "a text that is not empty")
	case kind == reflect.Bool:
		return "true or false"
	case s.Range == "" && kind == reflect.Uint64:
		return "a whole number, 0 or more"
	case s.Range == "" || err == nil && math.IsInf(b.lo, -1) && math.IsInf(b.hi, 1):
		return "a finite number"
	case err != nil: // words
		return s.Range
	case math.IsInf(b.hi, 1) && !b.closedLo:
		return "above " + number(b.lo)
	case math.IsInf(b.hi, 1) && kind != reflect.Float64:
		return "at least " + number(b.lo)
	case math.IsInf(b.hi, 1):
		return number(b.lo) + " or more"
	case b.lo == 0 && b.hi == 1 && b.closedLo && b.closedHi:
		return "a share, 0 to 1"
	case b.closedLo && b.closedHi:
		return fmt.Sprintf("from %s to %s", number(b.lo), number(b.hi))
	case b.closedLo:
		return fmt.Sprintf("from %s to below %s", number(b.lo), number(b.hi))
	case b.closedHi:
		return fmt.Sprintf("above %s, at most %s", number(b.lo), number(b.hi))
	}
	return fmt.Sprintf("between %s and %s", number(b.lo), number(b.hi))
}

// number is a bound in digits.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Lint returns an error for the first setting of a struct whose tags are wrong. A range or a default that cannot be
// read is wrong, as is a flag of a type that can have none. So is a missing usage text, or a key or flag that is
// declared twice.
func Lint(v any) error {
	seen := map[string]bool{}
	for _, s := range Of(v) {
		fresh := reflect.New(reflect.TypeOf(v).Elem()).Interface()
		fl := pflag.NewFlagSet("", pflag.ContinueOnError)
		switch _, err := s.bounds(); {
		case s.Usage == "":
			return errors.Errorf("setting: %s%s has no usage text", s.Key, s.Flag)
		case s.Range == "" && (s.typ.Kind() == reflect.Int || s.typ.Kind() == reflect.Float64):
			return errors.Errorf("setting: %s%s: a number without a range", s.Key, s.Flag)
		case seen[s.Key] && s.Key != "" || seen["--"+s.Flag] && s.Flag != "":
			return errors.Errorf("setting: %s, --%s: declared twice", s.Key, s.Flag)
		case s.Range != "" && !s.typ.Implements(reflect.TypeFor[interface{ Valid() bool }]()) && err != nil:
			return err
		}
		if _, ok := s.value(); ok {
			if err := s.fill(fresh); err != nil {
				return err
			}
		}
		if s.Flag != "" {
			if s.flag(fl, s.of(fresh), s.Usage); fl.Lookup(s.Flag) == nil {
				return errors.Errorf("setting: --%s: no flag can have the type %v", s.Flag, s.typ)
			}
		}
		seen[s.Key], seen["--"+s.Flag] = true, true
	}
	return nil
}
