package jinja

import (
	"github.com/pkg/errors"
)

var constants = map[string]any{"true": true, "True": true, "false": false, "False": false, "none": nil, "None": nil}

// tuple reads an expression, or several with commas between them.
func (p *parser) tuple(one func() code) code {
	line := p.line()
	items := []code{one()}
	if !p.is(operator, ",") {
		return items[0]
	}
	for p.skip(operator, ",") && p.peek().kind != end && !p.is(operator, ")") {
		items = append(items, one())
	}
	return at(line, func(r *run) any { return newTuple(r.all(items)...) })
}

// expr reads any expression but a tuple. It begins with the lowest precedence: a if b else c.
func (p *parser) expr() code {
	return p.nested(func() code {
		line, before := p.line(), len(p.unknown)
		x := p.or()
		for p.skip(name, "if") {
			yes, test := x, p.or()
			no := func(*run) any { return undefined{"the condition is false and there is no else"} }
			if p.skip(name, "else") {
				no = p.expr()
			}
			x = at(line, func(r *run) any {
				if r.truth(test(r)) {
					return yes(r)
				}
				return no(r)
			})
			p.unknown = p.unknown[:before]
		}
		return x
	})
}

// The operators by precedence, the lowest first.
func (p *parser) or() code      { return p.chain(name, p.and, "or") }
func (p *parser) and() code     { return p.chain(name, p.not, "and") }
func (p *parser) sum() code     { return p.chain(operator, p.concat, "+", "-") }
func (p *parser) concat() code  { return p.chain(operator, p.product, "~") }
func (p *parser) product() code { return p.chain(operator, p.power, "*", "//", "/", "%") }
func (p *parser) power() code   { return p.chain(operator, p.unary, "**") }
func (p *parser) unary() code   { return p.filters(p.signed(), true) }

// signed reads a primary with its sign, attributes, items and calls. So -a.b is -(a.b), and -a|f is (-a)|f.
func (p *parser) signed() code {
	line, sign := p.line(), p.skipAny(operator, "-", "+")
	if sign == "" {
		return p.primary()
	}
	x := p.nested(p.signed)
	return at(line, func(r *run) any { return r.negative(sign, x(r)) })
}

func (p *parser) not() code {
	line := p.line()
	if !p.skip(name, "not") {
		return p.compare()
	}
	x := p.nested(p.not)
	return at(line, func(r *run) any { return !r.truth(x(r)) })
}

// chain reads operands of one precedence, from left to right.
func (p *parser) chain(k kind, operand func() code, ops ...string) code {
	x := operand()
	for {
		line, op := p.line(), p.skipAny(k, ops...)
		if op == "" {
			return x
		}
		a, b := x, operand()
		x = at(line, func(r *run) any { return r.binary(op, a(r), b) })
	}
}

// compare reads a chain of comparisons: a < b <= c is a < b and b <= c, with b evaluated once.
func (p *parser) compare() code {
	line, first := p.line(), p.sum()
	var ops []string
	var operands []code
	for {
		op := p.skipAny(operator, "==", "!=", "<=", ">=", "<", ">")
		switch {
		case op != "":
		case p.skip(name, "in"):
			op = "in"
		case p.is(name, "not") && p.toks[p.i+1].kind == name && p.toks[p.i+1].text == "in":
			p.i += 2
			op = "not in"
		case ops == nil:
			return first
		default:
			return at(line, func(r *run) any {
				a := first(r)
				for i, op := range ops {
					b := operands[i](r)
					if !r.relation(op, a, b) || r.err != nil {
						return false
					}
					a = b
				}
				return true
			})
		}
		ops, operands = append(ops, op), append(operands, p.sum())
	}
}

// filters reads the filters behind x; with more also the tests and calls.
func (p *parser) filters(x code, more bool) code {
	for p.err == nil {
		switch {
		case p.skip(operator, "|"):
			x = p.filter(x)
		case more && p.skip(name, "is"):
			x = p.test(x)
		case more && p.is(operator, "("):
			x = p.call(x)
		default:
			return x
		}
	}
	return x
}

func (p *parser) filter(x code) code {
	line := p.line()
	f, known := p.known("filter", filters)
	var given callArgs
	if p.is(operator, "(") {
		if t := p.toks[min(p.i+1, len(p.toks)-1)]; f == "map" && t.kind == str && refusedNames["filter"][t.text] {
			p.fail("%s", notThere("filter", t.text))
		}
		given = p.args()
	}
	if !known {
		return at(line, func(r *run) any { return r.fail("%s", notThere("filter", f)) })
	}
	return at(line, func(r *run) any { return r.apply("filter", filters, f, x(r), given.eval(r)) })
}

// refusedNames are the names of jinja2's tables that are not done here.
var refusedNames = map[string]map[string]bool{
	"filter": {"pprint": true, "random": true, "urlize": true, "wordwrap": true},
	"global": {"lipsum": true, "self": true},
}

// notThere tells that there is no such filter, test or global.
func notThere(what, name string) string {
	if refusedNames[what][name] {
		return what + ` "` + name + `" of jinja2 is not supported`
	}
	return what + ` "` + name + `" is not supported`
}

// known reads the name of a filter or test, and tells whether the table has it. If not, that is an error once all is
// read. The branches of if excuse it: there jinja2 lets a name be unknown until it is used.
func (p *parser) known(what string, table map[string]builtin) (id string, known bool) {
	line := p.line()
	id = p.name()
	for p.skip(operator, ".") {
		id += "." + p.name()
	}
	if _, known = table[id]; known || p.err != nil {
		return id, known
	}
	err := errors.Errorf("line %d: %s", line, notThere(what, id))
	if refusedNames[what][id] {
		p.fail("")
		p.err = err
	}
	p.unknown = append(p.unknown, err)
	return id, false
}

// test reads what follows "is". The argument may stand without parentheses: x is eq 3.
func (p *parser) test(x code) code {
	deny := p.skip(name, "not")
	line := p.line()
	f, _ := p.known("test", tests)
	var given callArgs
	switch t := p.peek(); {
	case p.is(operator, "("):
		given = p.args()
	case t.kind == name && t.text == "is":
		return p.fail("two tests in a row: want parentheses around the first")
	case t.kind == str, t.kind == number, p.is(operator, "["), p.is(operator, "{"),
		t.kind == name && t.text != "else" && t.text != "or" && t.text != "and":
		given.pos = []code{p.primary()}
	}
	return at(line, func(r *run) any { return r.truth(r.apply("test", tests, f, x(r), given.eval(r))) != deny })
}

// primary reads a value with the attributes, items and calls behind it.
func (p *parser) primary() code {
	x := p.nested(p.value)
	for p.err == nil {
		line, outer := p.line(), x
		switch {
		case p.skip(operator, "."):
			if t := p.peek(); t.kind == number {
				p.next()
				x = at(line, func(r *run) any { return r.item(outer(r), t.num) })
				break
			}
			field := p.name()
			x = at(line, func(r *run) any { return r.attr(outer(r), field) })
		case p.skip(operator, "["):
			x = at(line, p.subscript(x))
			p.want(operator, "]")
		case p.is(operator, "("):
			x = p.call(x)
		default:
			return x
		}
	}
	return x
}

func (p *parser) call(f code) code {
	line, given := p.line(), p.args()
	p.called = &given
	return at(line, func(r *run) any { return r.call(f(r), given.eval(r)) })
}

// subscript reads what stands between the brackets of x[…].
func (p *parser) subscript(x code) code {
	nothing := func(*run) any { return nil }
	stop := func() bool { return p.is(operator, ":") || p.is(operator, "]") || p.is(operator, ",") }
	part := func() code {
		if stop() {
			return nothing
		}
		return p.expr()
	}
	if p.is(operator, "]") { // as in Python, x[()]
		return func(r *run) any { return r.item(x(r), newTuple()) }
	}
	lo := part()
	if p.is(operator, ",") {
		items := []code{lo}
		for p.skip(operator, ",") && !p.is(operator, "]") {
			items = append(items, p.expr())
		}
		return func(r *run) any { return r.item(x(r), newTuple(r.all(items)...)) }
	}
	if !p.skip(operator, ":") {
		return func(r *run) any { return r.item(x(r), lo(r)) }
	}
	hi, step := part(), code(nothing)
	if p.skip(operator, ":") {
		step = part()
	}
	return func(r *run) any { return r.slice(x(r), lo(r), hi(r), step(r)) }
}

func (p *parser) value() code {
	switch t := p.next(); {
	case t.kind == name:
		return p.variable(t)
	case t.kind == str:
		for p.peek().kind == str {
			t.text += p.next().text
		}
		return at(t.line, func(*run) any { return t.text })
	case t.kind == number:
		return at(t.line, func(*run) any { return t.num })
	case t.kind == operator && t.text == "(":
		if p.skip(operator, ")") {
			return at(t.line, func(*run) any { return newTuple() })
		}
		x := p.tuple(p.expr)
		p.want(operator, ")")
		return x
	case t.kind == operator && t.text == "[":
		var items []code
		p.items("]", func() { items = append(items, p.expr()) })
		return at(t.line, func(r *run) any { return newList(r.all(items)) })
	case t.kind == operator && t.text == "{":
		return at(t.line, p.dict())
	default:
		return p.fail("unexpected %q, want an expression", t.text)
	}
}

// variable reads a name. Macros around it learn that it reads caller, kwargs or varargs.
func (p *parser) variable(t token) code {
	if v, ok := constants[t.text]; ok {
		return at(t.line, func(*run) any { return v })
	} else if refusedNames["global"][t.text] {
		return p.fail("%s", notThere("global", t.text))
	}
	if t.text == "caller" || t.text == "kwargs" || t.text == "varargs" {
		for _, m := range p.macros {
			m.reads[t.text] = true
		}
	}
	p.frame.refs[t.text] = true
	return at(t.line, func(r *run) any { return r.lookup(t.text) })
}

func (p *parser) dict() code {
	var keys, values []code
	p.items("}", func() {
		keys = append(keys, p.expr())
		p.want(operator, ":")
		values = append(values, p.expr())
	})
	return func(r *run) any {
		m := new(Map)
		r.makes(300 + 100*len(keys))
		for i, k := range keys {
			key := k(r)
			if !isKey(key) {
				return r.fail("%s as a key of a dict: want a string, a number, true, false or none", r.describe(key))
			} else if r.reads(key) {
				m.put(key, values[i](r))
			}
		}
		return m
	}
}

// items reads items with commas between them, up to close.
func (p *parser) items(close string, one func()) {
	for !p.skip(operator, close) && p.err == nil {
		one()
		if !p.is(operator, close) {
			p.want(operator, ",")
		}
	}
}
