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
	// made is the memory in bytes of texts and lists that may still be in use. kept is what of it went into namespaces,
	// which outlive the scope in which it was made.
	made, kept int
	captures   int // texts that are being captured, one within another
	scope      *scope
	out        *strings.Builder
	jump       string // break or continue, on its way to its loop
	now        func() time.Time
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
		return &callable{name: name, builtin: b}
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

// makes counts n bytes of memory, and the steps of filling them.
func (r *run) makes(n int) bool {
	if r.made += n; r.made > maxMemory || n < 0 {
		r.made = 0
		r.fail("more than %d bytes of texts and lists at a time", maxMemory)
	}
	return r.spend(n/16 + 1)
}

// reads counts the steps for reading v if it is a string.
func (r *run) reads(v any) bool {
	s, _ := plain(v).(string)
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
	if r.captures > 0 {
		r.makes(len(s))
	}
	if r.spendText(len(s)) {
		r.out.WriteString(s)
	}
	return nil
}

// show writes the text of a value. What was made for it is not in use afterwards.
func (r *run) show(x code) any {
	made := r.made
	s := r.str(x(r))
	r.made = made
	return r.write(s)
}

// holds evaluates whether x is true. What was made for it is not in use afterwards.
func (r *run) holds(x code) bool {
	made := r.made
	yes := r.truth(x(r))
	r.made = made
	return yes
}

// all returns the values of expressions.
func (r *run) all(codes []code) []any {
	values := make([]any, len(codes))
	for i, f := range codes {
		values[i] = f(r)
	}
	r.makes(16 * len(codes))
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
func (r *run) within(outer *scope, f *frame, body ...code) any {
	before, made, kept := r.scope, r.made, r.kept
	r.scope = &scope{f.vars(), outer}
	r.exec(body)
	r.scope = before
	r.made = max(made+r.kept-kept, 0)
	return nil
}

// capture returns the text that a body writes in a scope of its own.
func (r *run) capture(outer *scope, f *frame, body ...code) string {
	out := r.out
	r.out = new(strings.Builder)
	r.captures++
	r.within(outer, f, body...)
	r.captures--
	s := r.out.String()
	r.out = out
	r.makes(len(s))
	return s
}

// A target is what a statement assigns to: a name, a field of a namespace, or targets that share out a list.
type target struct {
	name  string
	field string   // of the namespace name, "" for none
	parts []target // of a list that is shared out; nil else
}

func (t target) assign(r *run, v any) any {
	switch {
	case r.err != nil:
	case t.field != "":
		ns, ok := r.lookup(t.name).(*namespace)
		if !ok {
			return r.fail("cannot set the attribute %q: want a namespace", t.field)
		}
		ns.vars.put(t.field, v)
	case t.parts != nil:
		if u, ok := v.(undefined); ok {
			return r.fail("%s", u.why)
		}
		values := r.items(v)
		if len(values) != len(t.parts) {
			return r.fail("%d values for %d names", len(values), len(t.parts))
		}
		for i, part := range t.parts {
			part.assign(r, values[i])
		}
	default:
		r.scope.vars[t.name] = v
	}
	return nil
}

// set assigns the value of x. What was made on the way to a text is not in use afterwards.
func (t target) set(r *run, x code) any {
	made := r.made
	v := x(r)
	if r.err != nil || r.jump != "" { // a block that break or continue leaves assigns nothing
		return nil
	}
	before := r.scope.vars[t.name]
	if t.field != "" {
		before = nil
		if ns, ok := r.lookup(t.name).(*namespace); ok {
			before, _ = r.get(&ns.vars, t.field)
		}
	}
	if s, ok := plain(v).(string); ok {
		old, _ := plain(before).(string)
		r.made = max(made+len(s)-len(old), 0)
	}
	if t.field != "" {
		r.kept += r.made - made
	}
	return t.assign(r, v)
}
