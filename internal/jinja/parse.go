package jinja

import (
	"slices"

	"github.com/pkg/errors"
)

// A code is a statement or an expression that the parser has read, as a function that runs it in a rendering. The
// value of a statement is nil.
type code func(r *run) any

// at makes code that keeps the line for errors and counts a step.
func at(line int, f code) code {
	return func(r *run) any {
		if !r.enter() {
			return nil
		}
		outer := r.line
		r.line = line
		v := f(r)
		r.line = outer
		r.depth--
		return v
	}
}

type parser struct {
	toks    []token
	i       int
	err     error // the first error; after it the parser sees only the end
	depth   int
	loops   int       // loops around this statement
	macros  []*macro  // around this statement
	called  *callArgs // of the call that was read last
	unknown []error   // what tells of filters and tests that no table has
	hard    []error   // those of unknown that no branch of an if excuses
	frame   *frame    // of this statement
	frames  []*frame  // all
}

func (p *parser) peek() token { return p.toks[p.i] }

func (p *parser) line() int { return p.toks[p.i].line }

func (p *parser) next() token {
	t := p.toks[p.i]
	if p.i < len(p.toks)-1 {
		p.i++
	}
	return t
}

func (p *parser) fail(format string, args ...any) code {
	if p.err == nil {
		p.err = errors.Errorf("line %d: "+format, append([]any{p.line()}, args...)...)
	}
	p.i = len(p.toks) - 1
	return func(*run) any { return nil }
}

// is tells whether the next token has this kind and text.
func (p *parser) is(k kind, text string) bool { return p.peek().kind == k && p.peek().text == text }

func (p *parser) skip(k kind, text string) bool {
	found := p.is(k, text)
	if found {
		p.i++
	}
	return found
}

// skipAny returns the text that it skipped, "" for none.
func (p *parser) skipAny(k kind, texts ...string) string {
	for _, t := range texts {
		if p.skip(k, t) {
			return t
		}
	}
	return ""
}

func (p *parser) want(k kind, text string) {
	if !p.skip(k, text) {
		p.fail("unexpected %q, want %q", p.peek().text, text)
	}
}

func (p *parser) name() string {
	if p.peek().kind != name {
		p.fail("unexpected %q, want a name", p.peek().text)
	}
	return p.next().text
}

// nested calls read one level deeper. Too many levels are an error.
func (p *parser) nested(read func() code) code {
	if p.depth == maxNesting {
		return p.fail("nested deeper than %d", maxNesting)
	}
	p.depth++
	defer func() { p.depth-- }()
	return read()
}

// body reads statements up to a tag with one of the names in ends, or to the end of the template without ends. That
// tag is the next token then.
func (p *parser) body(ends ...string) (body []code) {
	p.nested(func() code {
		for p.err == nil {
			t := p.next()
			switch {
			case t.kind == text:
				body = append(body, at(t.line, func(r *run) any { return r.write(t.text) }))
			case t.text == "{{":
				x := p.tuple(p.expr)
				body = append(body, func(r *run) any { return r.show(x) })
				p.want(end, "}}")
			case t.kind == begin && p.peek().kind == name && slices.Contains(ends, p.peek().text):
				return nil
			case t.kind == begin:
				body = append(body, at(p.line(), p.statement(p.name())))
				p.want(end, "%}")
			case len(ends) > 0:
				return p.fail("unexpected end of the template, want %q", ends[len(ends)-1])
			default:
				return nil
			}
		}
		return nil
	})
	return body
}

// block reads the rest of a tag, then the body. It returns the body and the name of the tag that ends it.
func (p *parser) block(ends ...string) ([]code, string) {
	p.want(end, "%}")
	body := p.body(ends...)
	return body, p.next().text
}

// refusedTags are those of jinja2 that are not done here.
var refusedTags = map[string]string{
	"autoescape": "texts are never escaped", "block": "there is no inheritance", "extends": "there are no other templates",
	"from": "there are no other templates", "import": "there are no other templates", "include": "there are no other templates",
}

func (p *parser) statement(tag string) code {
	switch tag {
	case "if":
		return p.condition()
	case "for":
		return p.loop()
	case "set":
		return p.set()
	case "with":
		return p.with()
	case "print":
		return p.printed()
	case "macro":
		m := &macro{name: p.assignable()}
		p.frame.stores(target{name: m.name})
		m.frame = p.newFrame()
		p.params(m)
		p.macroBody(m, "endmacro")
		return func(r *run) any { return target{name: m.name}.assign(r, m.value(r)) }
	case "call": // {{ f(…, caller=a macro) }}
		return p.callBlock()
	case "filter":
		var body []code
		f := p.newFrame()
		x := p.filters(p.filter(captured(f, &body)), false)
		p.inner(f, func() { body, _ = p.block("endfilter") })
		return func(r *run) any {
			v := x(r)
			if r.jump != "" { // a break or continue in the body leaves out its text
				return nil
			}
			return r.show(func(*run) any { return v })
		}
	case "generation": // marks what the model says, for training; a call block in transformers
		m := &macro{anonymous: true, frame: p.newFrame()}
		p.macroBody(m, "endgeneration")
		return func(r *run) any { return r.write(r.str(r.call(m.value(r), args{}))) }
	case "break", "continue":
		if p.loops == 0 {
			p.fail("%s outside of a loop", tag)
		}
		return func(r *run) any { r.jump = tag; return nil }
	}
	if why, ok := refusedTags[tag]; ok {
		return p.fail("tag %q is not supported here: %s", tag, why)
	}
	return p.fail("tag %q is not supported here", tag)
}

func (p *parser) printed() code {
	var all []code
	for !p.is(end, "%}") && p.err == nil {
		if len(all) > 0 {
			p.want(operator, ",")
		}
		all = append(all, p.expr())
	}
	return func(r *run) any {
		for _, x := range all {
			r.show(x)
		}
		return nil
	}
}

// inner reads what is a part of its own, so that no if around it excuses unknown names, in a frame of its own.
func (p *parser) inner(f *frame, read func()) {
	before := len(p.unknown)
	p.in(f, read)
	p.hard = append(p.hard, p.unknown[before:]...)
	p.unknown = p.unknown[:before]
}

// captured is code whose value is the text that a body writes.
func captured(f *frame, body *[]code) code {
	return func(r *run) any { return r.capture(r.scope, f, *body...) }
}

func (p *parser) condition() code {
	var tests []code
	var bodies [][]code // one for each test, and one for else
	before := len(p.unknown)
	p.frame.ifs++
	for tag := "elif"; tag != "endif" && p.err == nil; {
		ends := []string{"elif", "else", "endif"}
		if tag == "elif" {
			tests = append(tests, p.tuple(p.or))
		} else {
			ends = ends[2:]
		}
		var body []code
		body, tag = p.block(ends...)
		bodies = append(bodies, body)
	}
	p.frame.ifs--
	p.unknown = p.unknown[:before]
	return func(r *run) any {
		for i, body := range bodies {
			if i == len(tests) || r.holds(tests[i]) {
				return r.exec(body)
			}
		}
		return nil
	}
}

func (p *parser) loop() code {
	l := &loop{target: p.target(false), frame: p.newFrame(), test: p.newFrame(), other: p.newFrame()}
	p.want(name, "in")
	l.items = p.tuple(p.or)
	if p.skip(name, "if") {
		p.inner(l.test, func() { l.filter = p.expr() })
	}
	l.recursive = p.skip(name, "recursive")
	tag := ""
	l.frame.declares(l.target)
	l.frame.declares(target{name: "loop"})
	p.loops++
	p.inner(l.frame, func() { l.body, tag = p.block("else", "endfor") })
	p.loops--
	if tag == "else" {
		p.inner(l.other, func() { l.orElse, _ = p.block("endfor") })
	}
	return l.run
}

// with reads a block with variables of its own. Their values see the scope around it.
func (p *parser) with() code {
	var targets []target
	var values []code
	f := p.newFrame()
	for !p.is(end, "%}") && p.err == nil {
		if len(targets) > 0 {
			p.want(operator, ",")
		}
		t := p.target(false)
		f.declares(t)
		targets = append(targets, t)
		p.want(operator, "=")
		values = append(values, p.expr())
	}
	var body []code
	p.inner(f, func() { body, _ = p.block("endwith") })
	return func(r *run) any {
		given := r.all(values)
		return r.within(r.scope, f, func(r *run) any {
			for i, t := range targets {
				t.assign(r, given[i])
			}
			return r.exec(body)
		})
	}
}

func (p *parser) set() code {
	t := p.target(true)
	var body []code
	var value code
	if p.skip(operator, "=") {
		value = p.tuple(p.expr)
	} else {
		f := p.newFrame()
		value = p.filters(captured(f, &body), false)
		p.inner(f, func() { body, _ = p.block("endset") })
	}
	p.frame.stores(t)
	return func(r *run) any { return t.set(r, value) }
}

// target reads what is assigned to, up to "=" or "in". fields allows fields of namespaces.
func (p *parser) target(fields bool) target {
	first := p.targetItem(fields)
	if !p.is(operator, ",") {
		return first
	}
	t := target{parts: []target{first}}
	for p.skip(operator, ",") && !p.is(operator, ")") && !p.is(end, "%}") {
		t.parts = append(t.parts, p.targetItem(fields))
	}
	return t
}

func (p *parser) targetItem(fields bool) (t target) {
	if p.skip(operator, "(") {
		p.nested(func() code { t = p.target(fields); return nil })
		p.want(operator, ")")
		return t
	}
	t.name = p.assignable()
	if fields && p.skip(operator, ".") {
		t.field = p.name()
	}
	return t
}

func (p *parser) assignable() string {
	id := p.name()
	if _, ok := constants[id]; ok {
		p.fail("cannot assign to %s", id)
	}
	return id
}

func (p *parser) params(m *macro) {
	p.want(operator, "(")
	p.items(")", func() {
		t := target{name: p.assignable()}
		m.frame.declares(t)
		m.params = append(m.params, t)
		if p.skip(operator, "=") {
			p.in(m.frame, func() { m.defaults = append(m.defaults, p.expr()) })
		} else if len(m.defaults) > 0 {
			p.fail("macro %s: a parameter without a default follows one with", m.name)
		}
	})
}

// macroBody reads the body of a macro.
func (p *parser) macroBody(m *macro, tag string) {
	loops := p.loops
	p.loops, m.reads = 0, map[string]bool{}
	p.macros = append(p.macros, m)
	p.inner(m.frame, func() { m.body, _ = p.block(tag) })
	p.macros = p.macros[:len(p.macros)-1]
	p.loops = loops
}

// callBlock reads a call whose argument caller is a macro of the block's body.
func (p *parser) callBlock() code {
	m := &macro{name: "caller", anonymous: true, frame: p.newFrame()}
	if p.is(operator, "(") {
		p.params(m)
	}
	p.called = nil
	x := p.unary()
	if p.called == nil {
		return p.fail("a call block without a call")
	}
	p.called.keys = append(p.called.keys, "caller")
	p.called.values = append(p.called.values, m.value)
	p.macroBody(m, "endcall")
	return func(r *run) any { return r.show(x) }
}
