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
	toks  []token
	i     int
	err   error // the first error; after it the parser sees only the end
	depth int
	loops int // loops around this statement
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
				body = append(body, func(r *run) any { return r.write(r.str(x(r))) })
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

func (p *parser) statement(tag string) code {
	switch tag {
	case "if":
		return p.condition()
	case "for":
		return p.loop()
	case "set":
		return p.set()
	case "macro":
		m := &macro{name: p.name()}
		p.params(m)
		p.macroBody(m, "endmacro")
		return func(r *run) any { return target{names: []string{m.name}}.assign(r, m.value(r)) }
	case "call": // {{ f(…, caller=a macro) }}
		caller := &macro{name: "caller"}
		if p.is(operator, "(") {
			p.params(caller)
		}
		f, given := p.name(), p.args()
		p.macroBody(caller, "endcall")
		given.keys, given.values = append(given.keys, "caller"), append(given.values, caller.value)
		return func(r *run) any { return r.write(r.str(r.call(r.lookup(f), given.eval(r)))) }
	case "filter":
		var body []code
		x := p.filters(p.filter(captured(&body)))
		body, _ = p.block("endfilter")
		return func(r *run) any { return r.write(r.str(x(r))) }
	case "generation": // marks what the model says, for training
		body, _ := p.block("endgeneration")
		return func(r *run) any { return r.within(r.scope, body...) }
	case "break", "continue":
		if p.loops == 0 {
			p.fail("%s outside of a loop", tag)
		}
		return func(r *run) any { r.jump = tag; return nil }
	}
	return p.fail("tag %q is not supported here", tag)
}

// captured is code whose value is the text that a body writes.
func captured(body *[]code) code { return func(r *run) any { return r.capture(r.scope, *body...) } }

func (p *parser) condition() code {
	var tests []code
	var bodies [][]code // one for each test, and one for else
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
	return func(r *run) any {
		for i, body := range bodies {
			if i == len(tests) || r.truth(tests[i](r)) {
				return r.exec(body)
			}
		}
		return nil
	}
}

func (p *parser) loop() code {
	l := loop{target: p.target()}
	p.want(name, "in")
	l.items = p.tuple(p.or)
	if p.skip(name, "if") {
		l.filter = p.expr()
	}
	p.loops++
	body, tag := p.block("else", "endfor")
	p.loops--
	l.body = body
	if tag == "else" {
		l.orElse, _ = p.block("endfor")
	}
	return l.run
}

func (p *parser) set() code {
	t := p.target()
	var body []code
	value := captured(&body)
	if p.skip(operator, "=") {
		value = p.tuple(p.expr)
	} else {
		value = p.filters(value)
		body, _ = p.block("endset")
	}
	return func(r *run) any { return t.assign(r, value(r)) }
}

func (p *parser) target() target {
	t := target{names: []string{p.assignable()}}
	if p.skip(operator, ".") {
		t.field = p.name()
		return t
	}
	for p.skip(operator, ",") {
		if t.share = true; p.peek().kind == name && !p.is(name, "in") {
			t.names = append(t.names, p.assignable())
		}
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
		m.params = append(m.params, p.assignable())
		if p.skip(operator, "=") {
			m.defaults = append(m.defaults, p.expr())
		} else if len(m.defaults) > 0 {
			p.fail("macro %s: a parameter without a default follows one with", m.name)
		}
	})
}

func (p *parser) macroBody(m *macro, tag string) {
	loops := p.loops
	p.loops = 0
	m.body, _ = p.block(tag)
	p.loops = loops
}
