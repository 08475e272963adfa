package jinja

import (
	"slices"

	"github.com/pkg/errors"
)

// A node is a statement or an expression at its line of the template.
type node struct {
	line int
	is   any // one of the types below, or a string: text between tags
}

// The statements.
type (
	output    struct{ x *node }
	condition struct {
		tests  []*node
		bodies [][]*node // one for each test, and one for else
	}
	loop struct {
		target, iter, filter *node // filter may be nil
		body, orElse         []*node
	}
	set   struct{ target, value *node } // value may be a *captured
	macro struct {
		name     string
		params   []string
		defaults []*node // of the last params
		body     []*node
		uses     map[string]bool // those of caller, varargs and kwargs that the body names
	}
	callBlock struct {
		call   *node
		caller *macro
	}
	with struct {
		targets, values []*node
		body            []*node
	}
	jump string // break or continue
)

// captured is the expression that stands for the text of a body, with the filters over it: set and filter blocks.
type captured struct {
	body    []*node
	filters *node // reads the text from the name capturedName; nil for none
}

const capturedName = " text" // no template can write this name

type parser struct {
	toks  []token
	i     int
	err   error // the first error; behind it the parser sees only the end
	depth int
	loops int             // loops around this statement
	uses  map[string]bool // see macro.uses
}

func (p *parser) peek() token { return p.toks[p.i] }

func (p *parser) next() token {
	t := p.toks[p.i]
	if p.i < len(p.toks)-1 {
		p.i++
	}
	return t
}

func (p *parser) fail(format string, args ...any) *node {
	if p.err == nil {
		p.err = errors.Errorf("line %d: "+format, append([]any{p.peek().line}, args...)...)
	}
	p.i = len(p.toks) - 1
	return &node{is: literal{nil}}
}

// is tells whether the next token is this operator or name.
func (p *parser) is(k kind, text string) bool {
	t := p.peek()
	return t.kind == k && t.text == text
}

func (p *parser) skip(k kind, text string) bool {
	if p.is(k, text) {
		p.i++
		return true
	}
	return false
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

// enter guards the recursion of the parser; each enter that returns true has its p.depth--.
func (p *parser) enter() bool {
	if p.depth == maxNesting {
		p.fail("nested deeper than %d", maxNesting)
		return false
	}
	p.depth++
	return true
}

// body reads statements up to the tag of one of the names in ends, whose name is the next token then; without ends up
// to the end of the template.
func (p *parser) body(ends ...string) []*node {
	if !p.enter() {
		return nil
	}
	defer func() { p.depth-- }()
	var body []*node
	for p.err == nil {
		t := p.next()
		n := &node{line: t.line}
		switch t.kind {
		case text:
			n.is = t.text
		case variableBegin:
			n.is = output{p.tuple(true)}
			p.want(variableEnd, "}}")
		case blockBegin:
			for _, end := range ends {
				if p.is(name, end) {
					return body
				}
			}
			n.line = p.peek().line
			n.is = p.statement(p.name())
			p.want(blockEnd, "%}")
		default:
			if len(ends) > 0 {
				p.fail("unexpected end of the template, want %q", ends[len(ends)-1])
			}
			return body
		}
		body = append(body, n)
	}
	return nil
}

// block reads the rest of a tag, the body, and the name of the tag that ends it.
func (p *parser) block(ends ...string) ([]*node, string) {
	p.want(blockEnd, "%}")
	body := p.body(ends...)
	return body, p.next().text
}

func (p *parser) statement(tag string) any {
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
		return m
	case "call":
		b := callBlock{caller: &macro{name: "caller"}}
		line := p.peek().line
		// The call stands before the body, the parameters of caller before the call.
		if p.is(operator, "(") {
			p.params(b.caller)
		}
		b.call = p.expr()
		if _, ok := b.call.is.(call); !ok && p.err == nil {
			p.fail("call block at line %d: want a call", line)
		}
		p.macroBody(b.caller, "endcall")
		return b
	case "filter":
		n := p.filters(&node{line: p.peek().line, is: variable(capturedName)}, true)
		body, _ := p.block("endfilter")
		return output{&node{line: n.line, is: captured{body: body, filters: n}}}
	case "with":
		return p.with()
	case "generation": // marks what the model says, for training; here a scope of its own
		var w with
		w.body, _ = p.block("endgeneration")
		return w
	case "break", "continue":
		if p.loops == 0 {
			p.fail("%s outside of a loop", tag)
		}
		return jump(tag)
	}
	p.fail("tag %q is not supported here", tag)
	return nil
}

func (p *parser) condition() any {
	var c condition
	for tag := "elif"; tag != "endif" && p.err == nil; {
		if tag == "elif" {
			c.tests = append(c.tests, p.tuple(false))
		}
		ends := []string{"elif", "else", "endif"}
		if tag == "else" {
			ends = ends[2:]
		}
		var body []*node
		body, tag = p.block(ends...)
		c.bodies = append(c.bodies, body)
	}
	return c
}

func (p *parser) loop() any {
	l := loop{target: p.target(false)}
	p.want(name, "in")
	l.iter = p.tuple(false)
	if p.skip(name, "if") {
		l.filter = p.expr()
	}
	if p.is(name, "recursive") {
		p.fail("a recursive loop is not supported")
	}
	p.loops++
	body, tag := p.block("else", "endfor")
	p.loops--
	l.body = body
	if tag == "else" {
		l.orElse, _ = p.block("endfor")
	}
	return l
}

func (p *parser) set() any {
	s := set{target: p.target(true)}
	if p.skip(operator, "=") {
		s.value = p.tuple(true)
		return s
	}
	c := captured{}
	line := p.peek().line
	if p.is(operator, "|") {
		c.filters = p.filters(&node{line: line, is: variable(capturedName)}, false)
	}
	c.body, _ = p.block("endset")
	s.value = &node{line: line, is: c}
	return s
}

func (p *parser) with() any {
	var w with
	for !p.is(blockEnd, "%}") && p.err == nil {
		if len(w.targets) > 0 {
			p.want(operator, ",")
		}
		w.targets = append(w.targets, p.targetItem(false))
		p.want(operator, "=")
		w.values = append(w.values, p.expr())
	}
	w.body, _ = p.block("endwith")
	return w
}

func (p *parser) params(m *macro) {
	p.want(operator, "(")
	p.items(")", func() {
		m.params = append(m.params, p.name())
		if p.skip(operator, "=") {
			m.defaults = append(m.defaults, p.expr())
		} else if len(m.defaults) > 0 {
			p.fail("macro %s: a parameter without a default follows one with", m.name)
		}
	})
}

func (p *parser) macroBody(m *macro, end string) {
	loops, uses := p.loops, p.uses
	p.loops, p.uses = 0, map[string]bool{}
	m.body, _ = p.block(end)
	m.uses = p.uses
	p.loops, p.uses = loops, uses
}

// target reads what is assigned to: a name, names in a tuple, and with attr an attribute of a namespace.
func (p *parser) target(attr bool) *node {
	if !p.enter() {
		return p.fail("")
	}
	defer func() { p.depth-- }()
	n := p.targetItem(attr)
	if !p.is(operator, ",") {
		return n
	}
	l := list{items: []*node{n}, tuple: true}
	for p.skip(operator, ",") && (p.is(operator, "(") || p.peek().kind == name && !p.is(name, "in")) {
		l.items = append(l.items, p.targetItem(attr))
	}
	return &node{line: n.line, is: l}
}

func (p *parser) targetItem(attr bool) *node {
	line := p.peek().line
	if p.skip(operator, "(") {
		n := p.target(attr)
		p.want(operator, ")")
		return n
	}
	id := p.name()
	if slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, id) {
		return p.fail("cannot assign to %s", id)
	}
	n := &node{line: line, is: variable(id)}
	if attr && p.skip(operator, ".") {
		n = &node{line: line, is: attribute{n, p.name()}}
	}
	return n
}
