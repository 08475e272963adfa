package jinja

import (
	"strings"
	"time"

	"github.com/pkg/errors"
)

// A run is one rendering. Its first error stops it: from then on nothing is evaluated and every value is nil.
type run struct {
	err         error
	line        int // of the node that is evaluated
	depth, fuel int
	scope       *scope
	out         *strings.Builder
	jump        jump // a break or continue on its way to its loop
	now         func() time.Time
}

// A scope holds the names that a template, a loop, a macro or a with block sets. Outermost are the variables given to
// Render.
type scope struct {
	vars  map[string]any
	outer *scope
}

func (s *scope) set(name string, v any) {
	if s.vars == nil {
		s.vars = map[string]any{}
	}
	s.vars[name] = v
}

func (r *run) fail(format string, args ...any) any {
	if r.err == nil {
		r.err = errors.Errorf("line %d: "+format, append([]any{r.line}, args...)...)
	}
	return nil
}

// spend counts n steps and tells whether the run may go on.
func (r *run) spend(n int) bool {
	if r.fuel -= n; r.fuel < 0 || n < 0 {
		r.fuel = 0
		r.fail("more than %d steps: want a template that does less", maxFuel)
	}
	return r.err == nil
}

// spendText counts the steps of reading or making n bytes.
func (r *run) spendText(n int) bool {
	if n > maxOutput {
		r.fail("more than %d bytes of text", maxOutput)
	}
	return r.spend(n/16 + 1)
}

// enter guards recursion; each enter that returns true has its r.depth--.
func (r *run) enter() bool {
	if r.depth >= maxDepth {
		r.fail("nested deeper than %d while rendering", maxDepth)
	}
	if !r.spend(1) {
		return false
	}
	r.depth++
	return true
}

func (r *run) write(s string) {
	if r.out.Len()+len(s) > maxOutput {
		r.fail("more than %d bytes of text", maxOutput)
	} else if r.spendText(len(s)) {
		r.out.WriteString(s)
	}
}

func (r *run) exec(body []*node) {
	for _, n := range body {
		if r.jump != "" || !r.enter() {
			return
		}
		line := r.line
		r.line = n.line
		r.statement(n.is)
		r.line = line
		r.depth--
	}
}

func (r *run) statement(n any) {
	switch n := n.(type) {
	case string:
		r.write(n)
	case output:
		r.write(r.str(r.eval(n.x)))
	case condition:
		for i, body := range n.bodies {
			if i == len(n.tests) || r.truth(r.eval(n.tests[i])) {
				r.exec(body)
				return
			}
		}
	case loop:
		r.loop(n)
	case set:
		r.assign(n.target, r.eval(n.value))
	case *macro:
		r.scope.set(n.name, r.closure(n))
	case callBlock:
		c := n.call.is.(call)
		args := r.args(c.callArgs)
		args.keys = append(args.keys, "caller")
		args.values = append(args.values, r.closure(n.caller))
		r.write(r.str(r.call(r.eval(c.f), args)))
	case with:
		values := make([]any, len(n.values))
		for i, v := range n.values {
			values[i] = r.eval(v)
		}
		r.within(&scope{outer: r.scope}, func() {
			for i, t := range n.targets {
				r.assign(t, values[i])
			}
			r.exec(n.body)
		})
	case jump:
		r.jump = n
	}
}

// within runs f in a scope.
func (r *run) within(s *scope, f func()) {
	outer := r.scope
	r.scope = s
	f()
	r.scope = outer
}

// capture returns the text that f writes.
func (r *run) capture(f func()) string {
	outer := r.out
	r.out = new(strings.Builder)
	f()
	s := r.out.String()
	r.out = outer
	return s
}

func (r *run) captured(c captured) any {
	var v any
	r.within(&scope{outer: r.scope}, func() {
		v = r.capture(func() { r.exec(c.body) })
		if c.filters != nil {
			r.scope.set(capturedName, v)
			v = r.eval(c.filters)
		}
	})
	return v
}

// assign sets a name in this scope, an attribute of a namespace, or the names of a tuple.
func (r *run) assign(target *node, v any) {
	if r.err != nil {
		return
	}
	switch t := target.is.(type) {
	case variable:
		r.scope.set(string(t), v)
	case attribute:
		ns, ok := r.eval(t.x).(*namespace)
		if !ok {
			r.fail("cannot set the attribute %q: want a namespace", t.name)
			return
		}
		ns.vars.put(t.name, v)
	case list:
		values := r.items(v)
		if len(values) != len(t.items) {
			r.fail("%d values for %d names", len(values), len(t.items))
			return
		}
		for i, n := range t.items {
			r.assign(n, values[i])
		}
	}
}

// loopState is the variable loop of the body of a loop.
type loopState struct {
	items []any
	i     int
	last  any // what loop.changed saw last
}

func (r *run) loop(n loop) {
	items := r.items(r.eval(n.iter))
	if n.filter != nil {
		var kept []any
		for _, v := range items {
			r.within(&scope{outer: r.scope}, func() {
				r.assign(n.target, v)
				if r.truth(r.eval(n.filter)) {
					kept = append(kept, v)
				}
			})
		}
		items = kept
	}
	state := &loopState{items: items, last: undefined{}}
	for i, v := range items {
		if !r.spend(4) { // a scope takes about as long as four nodes
			return
		}
		state.i = i
		r.within(&scope{outer: r.scope, vars: map[string]any{"loop": state}}, func() {
			r.assign(n.target, v)
			r.exec(n.body)
		})
		stop := r.jump == "break"
		if r.jump = ""; stop {
			return
		}
	}
	if len(items) == 0 {
		r.within(&scope{outer: r.scope}, func() { r.exec(n.orElse) })
	}
}

// attr returns loop.name.
func (l *loopState) attr(name string) any {
	n := len(l.items)
	switch name {
	case "index0":
		return int64(l.i)
	case "index":
		return int64(l.i + 1)
	case "revindex0":
		return int64(n - l.i - 1)
	case "revindex":
		return int64(n - l.i)
	case "first":
		return l.i == 0
	case "last":
		return l.i == n-1
	case "length":
		return int64(n)
	case "depth":
		return int64(1)
	case "depth0":
		return int64(0)
	case "previtem":
		if l.i > 0 {
			return l.items[l.i-1]
		}
		return undefined{"there is no previous item"}
	case "nextitem":
		if l.i+1 < n {
			return l.items[l.i+1]
		}
		return undefined{"there is no next item"}
	case "cycle":
		return &callable{"cycle", builtin{"**", func(r *run, _ any, a []any) any {
			if pos := a[0].(args).pos; len(pos) > 0 {
				return pos[l.i%len(pos)]
			}
			return r.fail("cycle(): want at least one item")
		}}, nil}
	case "changed":
		return &callable{"changed", builtin{"**", func(r *run, _ any, a []any) any {
			now := tuple(a[0].(args).pos)
			same := r.equal(now, l.last)
			l.last = now
			return !same
		}}, nil}
	}
	return undefined{"'loop' has no attribute '" + name + "'"}
}

// closure returns a macro as a value. It sees the names of the scope that it was defined in.
func (r *run) closure(m *macro) *callable {
	defined := r.scope
	return &callable{m.name, builtin{"**", func(r *run, _ any, a []any) any {
		given := a[0].(args)
		if !r.enter() {
			return nil
		}
		defer func() { r.depth-- }()
		var out string
		r.within(&scope{outer: defined}, func() {
			r.bindMacro(m, given)
			out = r.capture(func() { r.exec(m.body) })
		})
		return out
	}}, nil}
}

// bindMacro sets the parameters of a macro in its scope; one without value is undefined.
func (r *run) bindMacro(m *macro, given args) {
	rest := new(Map)
	for i, k := range given.keys {
		rest.Set(k, given.values[i])
	}
	for i, p := range m.params {
		v, ok := rest.take(p)
		switch d := i - len(m.params) + len(m.defaults); {
		case i < len(given.pos) && ok:
			r.fail("macro %s: two values for %s", m.name, p)
		case i < len(given.pos):
			v = given.pos[i]
		case !ok && d >= 0:
			v = r.eval(m.defaults[d])
		case !ok:
			v = undefined{"parameter '" + p + "' was not provided"}
		}
		r.scope.set(p, v)
	}
	more := given.pos[min(len(m.params), len(given.pos)):]
	caller, called := rest.take("caller")
	if m.uses["caller"] || called {
		if !called {
			caller = undefined{"no caller defined"}
		}
		r.scope.set("caller", caller)
	}
	if m.uses["varargs"] {
		r.scope.set("varargs", tuple(more))
	} else if len(more) > 0 {
		r.fail("macro %s: %d arguments, want at most %d", m.name, len(given.pos), len(m.params))
	}
	if m.uses["kwargs"] {
		r.scope.set("kwargs", rest)
	} else if len(rest.keys) > 0 {
		r.fail("macro %s: unknown argument %q", m.name, r.str(rest.keys[0]))
	}
}
