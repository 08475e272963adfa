package jinja

import (
	"slices"
	"strings"
)

// A markup is a text marked as safe for HTML, by the filters safe and escape. It is markupsafe's Markup, a kind of
// string: what + adds to it is escaped first, and most methods keep the mark. The operator ~ drops it.
type markup string

// plain returns a text without its mark; other values as they are.
func plain(v any) any {
	if m, ok := v.(markup); ok {
		return string(m)
	}
	return v
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

// escape is markupsafe's escape(v): the text of v for HTML, but for text that is marked already.
func (r *run) escape(v any) markup {
	if m, ok := v.(markup); ok {
		return m
	}
	s := r.str(v)
	if !r.spendText(6 * len(s)) {
		return ""
	}
	return markup(htmlEscapes.Replace(s))
}

// marked evaluates "a op b" where one of them is marked text and op joins texts. ok is false for other operands.
func (r *run) marked(op string, a, b any) (v any, ok bool) {
	x, ok1 := a.(markup)
	y, ok2 := b.(markup)
	_, text1 := plain(a).(string)
	_, text2 := plain(b).(string)
	switch {
	case op == "+" && (ok1 && text2 || text1 && ok2):
		return r.mark(r.concat(string(r.escape(a)), string(r.escape(b)))), true
	case op == "*" && ok1:
		return r.mark(r.multiply(string(x), b)), true
	case op == "*" && ok2:
		return r.mark(r.multiply(string(y), a)), true
	case op == "%" && ok1:
		return r.fail("%% of a text marked as safe is not supported"), true
	}
	return nil, false
}

// mark marks a text, or the texts of a list, as safe.
func (r *run) mark(v any) any {
	switch v := v.(type) {
	case string:
		return markup(v)
	case *list:
		items := slices.Clone(v.items)
		for i, x := range items {
			items[i] = r.mark(x)
		}
		return &list{kind: v.kind, items: items}
	}
	return v
}

// The filters that return marked text for marked text, and those that are given the mark.
var (
	keepsMark = strings.Fields("capitalize center indent last lower reverse trim upper")
	seesMark  = strings.Fields("attr d default e escape escaped format safe string truncate")
)

// markedMethods names the methods of marked text that return marked text. With true, they escape their last argument.
var markedMethods = map[string]bool{"capitalize": false, "casefold": false, "center": true, "expandtabs": false, "join": true,
	"ljust": true, "lower": false, "lstrip": false, "partition": false, "removeprefix": false, "removesuffix": false,
	"replace": true, "rjust": true, "rpartition": false, "rsplit": false, "rstrip": false, "split": false,
	"splitlines": false, "strip": false, "swapcase": false, "title": false, "upper": false, "zfill": false}

// method returns the method of marked text.
func (x markup) method(name string, b builtin) *callable {
	f := b.f
	escapes, keeps := markedMethods[name]
	b.f = func(r *run, v any, a []any) any {
		if name == "format" || name == "format_map" {
			return r.fail("%s() of a text marked as safe is not supported", name)
		}
		if escapes {
			r.escapeArg(name, a)
		}
		if out := f(r, v, a); !keeps {
			return out
		} else {
			return r.mark(out)
		}
	}
	return &callable{name: name, builtin: b, x: string(x)}
}

// escapeArg escapes the argument of a method of marked text that becomes a part of its result.
func (r *run) escapeArg(name string, a []any) {
	i := map[bool]int{true: 0, false: 1}[name == "join"]
	switch {
	case a[i] == (absent{}):
	case name == "join":
		items := slices.Clone(r.items(a[i]))
		for j, v := range items {
			items[j] = r.escape(v)
		}
		a[i] = &list{kind: "list", items: items}
	default:
		a[i] = r.escape(a[i])
	}
}
