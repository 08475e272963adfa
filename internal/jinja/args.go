package jinja

import "slices"

// callArgs are the arguments of a call as code; args are their values.
type (
	callArgs struct {
		pos       []code
		keys      []string
		values    []code // of keys
		list, all code   // *list and **all, nil for none
	}
	args struct {
		pos    []any
		keys   []string
		values []any
	}
)

func (a callArgs) eval(r *run) args {
	given := args{r.all(a.pos), a.keys, r.all(a.values)}
	if a.list != nil {
		v := a.list(r)
		if r.defined(v) {
			given.pos = append(given.pos, r.items(v)...)
		}
	}
	if a.all == nil {
		return given
	}
	m, ok := a.all(r).(*Map)
	if !ok {
		r.fail("** of a value: want a dict")
		return given
	}
	given.keys = slices.Clone(given.keys)
	for i, k := range m.keys {
		name, ok := plain(k).(string)
		if !ok || slices.Contains(given.keys, name) {
			r.fail("**: the key %s: want names that are not given yet", r.describe(k))
		}
		given.keys, given.values = append(given.keys, name), append(given.values, m.values[i])
	}
	return given
}

func (p *parser) args() (a callArgs) {
	p.want(operator, "(")
	p.items(")", func() {
		switch {
		case a.list == nil && a.all == nil && p.skip(operator, "*"):
			a.list = p.expr()
		case a.all == nil && p.skip(operator, "**"):
			a.all = p.expr()
		case a.all == nil && p.peek().kind == name && p.toks[p.i+1].kind == operator && p.toks[p.i+1].text == "=":
			k := p.name()
			if slices.Contains(a.keys, k) {
				p.fail("the argument %q is given twice", k)
			}
			a.keys = append(a.keys, k)
			p.want(operator, "=")
			a.values = append(a.values, p.expr())
		case a.keys != nil || a.list != nil || a.all != nil:
			p.fail("a positional argument follows a keyword")
		default:
			a.pos = append(a.pos, p.expr())
		}
	})
	return a
}
