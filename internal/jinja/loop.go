package jinja

import "slices"

type loop struct {
	target        target
	items, filter code // filter may be nil
	body, orElse  []code
	frame, test   *frame // of the body and of filter
	other         *frame // of orElse
	recursive     bool
}

func (l *loop) run(r *run) any {
	made, kept := r.made, r.kept
	l.over(r, r.scope, l.items(r), 0)
	r.made = max(made+r.kept-kept, 0)
	return nil
}

// over runs the body for each item of x, in scopes within outer. depth counts the loops around a recursive loop.
func (l *loop) over(r *run, outer *scope, x any, depth int) any {
	items := r.items(x)
	if l.filter != nil {
		var kept []any
		for _, v := range items {
			r.within(outer, l.test, func(r *run) any {
				if l.target.assign(r, v); r.truth(l.filter(r)) {
					kept = append(kept, v)
				}
				return nil
			})
		}
		r.makes(16 * len(kept))
		items = kept
	}
	state := &loopState{loop: l, items: items, depth: depth, outer: outer}
	ran := false // whether some run of the body came to its end, which is what else asks in jinja2
	for i, v := range items {
		if !r.spend(16) { // a scope with the variable loop takes about as long as 16 nodes
			return nil
		}
		state.i = i
		r.within(outer, l.frame, func(r *run) any {
			r.scope.vars["loop"] = state.object()
			l.target.assign(r, v)
			return r.exec(l.body)
		})
		jump := r.jump
		ran, r.jump = ran || jump == "", ""
		if jump == "break" {
			break
		}
	}
	if !ran {
		r.within(outer, l.other, l.orElse...)
	}
	return nil
}

// loopState is what the variable loop tells.
type loopState struct {
	loop     *loop
	items    []any
	i, depth int
	outer    *scope
	last     []any // what changed() got before; nil at first
}

func (s *loopState) object() *object {
	o := &object{kind: "LoopContext", get: s.get}
	if s.loop.recursive {
		o.call = s.recurse
	}
	return o
}

func (s *loopState) get(_ *run, name string) (any, bool) {
	i, n := s.i, len(s.items)
	switch name {
	case "index0":
		return int64(i), true
	case "index":
		return int64(i + 1), true
	case "revindex0":
		return int64(n - i - 1), true
	case "revindex":
		return int64(n - i), true
	case "first":
		return i == 0, true
	case "last":
		return i == n-1, true
	case "length":
		return int64(n), true
	case "depth0":
		return int64(s.depth), true
	case "depth":
		return int64(s.depth + 1), true
	case "previtem":
		return edge(s.items, i-1), true
	case "nextitem":
		return edge(s.items, i+1), true
	case "cycle":
		return &callable{name: "loop.cycle", builtin: builtin{"**", s.cycle}}, true
	case "changed":
		return &callable{name: "loop.changed", builtin: builtin{"**", s.changed}}, true
	}
	return nil, false
}

// recurse is loop(x): the text of the loop over x, one level deeper.
func (s *loopState) recurse(r *run, _ any, a []any) any {
	given := a[0].(args)
	if len(given.pos) != 1 || len(given.keys) > 0 {
		return r.fail("loop(): want one argument")
	}
	if !r.enter() {
		return nil
	}
	defer func() { r.depth-- }()
	if u, ok := given.pos[0].(undefined); ok && s.loop.filter == nil {
		r.items(u)
	}
	return r.capture(s.outer, new(frame), func(r *run) any { return s.loop.over(r, s.outer, given.pos[0], s.depth+1) })
}

func (s *loopState) cycle(r *run, _ any, a []any) any {
	values := a[0].(args).pos
	if len(values) == 0 {
		return r.fail("loop.cycle(): no items to cycle through")
	}
	return values[s.i%len(values)]
}

func (s *loopState) changed(r *run, _ any, a []any) any {
	values := a[0].(args).pos
	if s.last != nil && slices.EqualFunc(s.last, values, r.equal) {
		return false
	}
	s.last = append([]any{}, values...)
	return true
}

// makeCycler is cycler(…), which goes through its values by next().
func makeCycler(r *run, _ any, a []any) any {
	values, i := a[0].(args).pos, 0
	if len(values) == 0 {
		return r.fail("cycler(): at least one item has to be provided")
	}
	method := func(name string, f func() any) *callable {
		return &callable{name: name, builtin: builtin{"", func(*run, any, []any) any { return f() }}}
	}
	return &object{kind: "Cycler", get: func(_ *run, name string) (any, bool) {
		switch name {
		case "current":
			return values[i], true
		case "next":
			return method(name, func() any {
				v := values[i]
				i = (i + 1) % len(values)
				return v
			}), true
		case "reset":
			return method(name, func() any { i = 0; return nil }), true
		}
		return nil, false
	}}
}

// makeJoiner is joiner(sep), which is "" when it is first called, and sep after that.
func makeJoiner(_ *run, _ any, a []any) any {
	used := false
	return &object{kind: "Joiner", get: func(_ *run, name string) (any, bool) {
		return map[string]any{"sep": or(a[0], ", "), "used": used}[name], name == "sep" || name == "used"
	}, call: func(r *run, _ any, given []any) any {
		if g := given[0].(args); len(g.pos)+len(g.keys) > 0 {
			return r.fail("joiner: want no arguments")
		}
		if used {
			return or(a[0], ", ")
		}
		used = true
		return ""
	}}
}
