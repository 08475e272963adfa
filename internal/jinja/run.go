package jinja

import (
	"strings"
	"time"

	"github.com/pkg/errors"
)

// A run is one rendering. Its first error stops it: after that nothing is evaluated and every value is nil.
type run struct {
	err         error
	line        int // of the code that runs
	depth, fuel int
	scope       *scope
	out         *strings.Builder
	jump        string // break or continue, on its way to its loop
	now         func() time.Time
}

// A scope holds the names that a template, a loop, a macro or a block sets. The outermost scope holds the variables
// that Render got.
type scope struct {
	vars  map[string]any
	outer *scope
}

func (r *run) lookup(name string) any {
	for s := r.scope; s != nil; s = s.outer {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	if b, ok := globals[name]; ok {
		return &callable{name, b, nil}
	}
	return undefined{"'" + name + "' is undefined"}
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

// reads counts the steps for reading v if it is a string.
func (r *run) reads(v any) bool {
	s, _ := v.(string)
	return r.spendText(len(s))
}

// enter limits recursion. Each enter that returns true is followed by an r.depth--.
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

// write appends to the text of the template, or to the text that is being captured.
func (r *run) write(s string) any {
	if r.out.Len()+len(s) > maxOutput {
		r.fail("more than %d bytes of text", maxOutput)
	}
	if r.spendText(len(s)) {
		r.out.WriteString(s)
	}
	return nil
}

// all returns the values of expressions.
func (r *run) all(codes []code) []any {
	values := make([]any, len(codes))
	for i, f := range codes {
		values[i] = f(r)
	}
	return values
}

// exec runs statements, up to a break or continue.
func (r *run) exec(body []code) any {
	for _, f := range body {
		if r.jump == "" {
			f(r)
		}
	}
	return nil
}

// within runs a body in a new scope within the scope outer.
func (r *run) within(outer *scope, body ...code) any {
	before := r.scope
	r.scope = &scope{map[string]any{}, outer}
	r.exec(body)
	r.scope = before
	return nil
}

// capture returns the text that a body writes in a scope of its own.
func (r *run) capture(outer *scope, body ...code) string {
	out := r.out
	r.out = new(strings.Builder)
	r.within(outer, body...)
	s := r.out.String()
	r.out = out
	return s
}

// A target is what a statement assigns to: a name, names that share out a list, or a field of a namespace.
type target struct {
	names []string
	share bool   // as in "a, b"
	field string // of names[0], "" for none
}

func (t target) assign(r *run, v any) any {
	name := t.names[0]
	switch {
	case r.err != nil:
	case t.field != "":
		ns, ok := r.lookup(name).(*namespace)
		if !ok {
			return r.fail("cannot set the attribute %q: want a namespace", t.field)
		}
		ns.vars[t.field] = v
	case t.share:
		values := r.items(v)
		if len(values) != len(t.names) {
			return r.fail("%d values for %d names", len(values), len(t.names))
		}
		for i, name := range t.names {
			r.scope.vars[name] = values[i]
		}
	default:
		r.scope.vars[name] = v
	}
	return nil
}

type loop struct {
	target        target
	items, filter code // filter may be nil
	body, orElse  []code
}

func (l loop) run(r *run) any {
	items := r.items(l.items(r))
	if l.filter != nil {
		var kept []any
		for _, v := range items {
			r.within(r.scope, func(r *run) any {
				if l.target.assign(r, v); r.truth(l.filter(r)) {
					kept = append(kept, v)
				}
				return nil
			})
		}
		items = kept
	}
	for i, v := range items {
		if !r.spend(16) { // a scope with the variable loop takes about as long as 16 nodes
			return nil
		}
		r.within(r.scope, func(r *run) any {
			r.scope.vars["loop"] = loopVars(items, i)
			l.target.assign(r, v)
			return r.exec(l.body)
		})
		stop := r.jump == "break"
		if r.jump = ""; stop {
			return nil
		}
	}
	if len(items) == 0 {
		r.within(r.scope, l.orElse...)
	}
	return nil
}

// loopVars returns the variable loop that the body of a loop sees.
func loopVars(items []any, i int) any {
	n := len(items)
	return &namespace{map[string]any{
		"index0": int64(i), "index": int64(i + 1), "revindex0": int64(n - i - 1), "revindex": int64(n - i),
		"first": i == 0, "last": i == n-1, "length": int64(n), "previtem": edge(items, i-1), "nextitem": edge(items, i+1),
		"depth0": int64(0), "depth": int64(1), // there are no recursive loops
	}}
}

type macro struct {
	name     string
	params   []string
	defaults []code // of the last params
	body     []code
}

// value returns the macro as a value. The macro sees the names of the scope in which it was defined.
func (m *macro) value(r *run) any {
	defined := r.scope
	return &callable{m.name, builtin{"**", func(r *run, _ any, a []any) any {
		if !r.enter() {
			return nil
		}
		defer func() { r.depth-- }()
		return r.capture(defined, func(r *run) any {
			m.bind(r, a[0].(args))
			return r.exec(m.body)
		})
	}}, nil}
}

// bind sets the parameters of a macro in its scope, and the caller of a call block. A parameter without a value is
// undefined.
func (m *macro) bind(r *run, given args) {
	vars := r.scope.vars
	vars["caller"] = absent{}
	for _, p := range m.params {
		vars[p] = absent{}
	}
	if len(given.pos) > len(m.params) || !r.spend(len(m.params)) {
		r.fail("macro %s: %d arguments, want at most %d", m.name, len(given.pos), len(m.params))
		return
	}
	for i, v := range given.pos {
		vars[m.params[i]] = v
	}
	for i, k := range given.keys {
		if vars[k] != (absent{}) {
			r.fail("macro %s: the argument %q is unknown or given twice", m.name, k)
		}
		vars[k] = given.values[i]
	}
	vars["caller"] = or(vars["caller"], undefined{"no caller defined"})
	for i, p := range m.params {
		d := i - len(m.params) + len(m.defaults)
		if vars[p] == (absent{}) && d >= 0 {
			vars[p] = m.defaults[d](r)
		}
		vars[p] = or(vars[p], undefined{"parameter '" + p + "' was not provided"})
	}
}
