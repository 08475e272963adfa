package jinja

import (
	"slices"
	"strings"
)

// splitFrom makes the method split, or rsplit, which begins at the right. They split at sep, or at runs of white space,
// at most maxsplit times.
func splitFrom(right bool) func(r *run, x any, a []any) any {
	return func(r *run, x any, a []any) any {
		most, ok := toInt(or(a[1], int64(-1)))
		if !ok {
			return r.fail("split(): maxsplit %s, want a whole number", r.describe(a[1]))
		}
		s := x.(string)
		sep := or(a[0], nil)
		cut := cutSpace
		if sep != nil {
			by := r.wantStr(sep, "split()")
			if by == "" {
				return r.fail("split(): an empty separator")
			}
			cut = cutText(by)
		} else if right {
			s = strings.TrimRightFunc(s, isSpace)
		} else {
			s = strings.TrimLeftFunc(s, isSpace)
		}
		parts := []any{}
		for ; most != 0 && r.makes(48); most-- {
			before, after, found := cut(s, right)
			if !found {
				break
			}
			if right {
				before, after = after, before
			}
			parts, s = append(parts, before), after
		}
		if sep != nil || s != "" {
			parts = append(parts, s)
		}
		if right {
			slices.Reverse(parts)
		}
		return newList(parts)
	}
}

// cutText cuts a text at its first separator, or its last one.
func cutText(sep string) func(s string, last bool) (before, after string, found bool) {
	return func(s string, last bool) (before, after string, found bool) {
		i := strings.Index(s, sep)
		if last {
			i = strings.LastIndex(s, sep)
		}
		if i < 0 {
			return s, "", false
		}
		return s[:i], s[i+len(sep):], true
	}
}

// cutSpace cuts a text at its first run of white space, or its last one.
func cutSpace(s string, last bool) (before, after string, found bool) {
	if last {
		i := strings.LastIndexFunc(s, isSpace)
		if i < 0 {
			return s, "", false
		}
		return strings.TrimRightFunc(s[:i], isSpace), strings.TrimLeftFunc(s[i:], isSpace), true
	}
	i := strings.IndexFunc(s, isSpace)
	if i < 0 {
		return s, "", false
	}
	return s[:i], strings.TrimLeftFunc(s[i:], isSpace), true
}
