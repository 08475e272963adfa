package jinja

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
	return at(line, func(r *run) any { return &list{"tuple", r.all(items)} })
}

// expr reads any expression but a tuple. It begins with the lowest precedence: a if b else c.
func (p *parser) expr() code {
	return p.nested(func() code {
		line := p.line()
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
func (p *parser) unary() code   { return p.filters(p.signed()) }

// signed reads a primary with its sign, attributes, items and calls. So -a.b is -(a.b), and -a|f is (-a)|f.
func (p *parser) signed() code {
	line := p.line()
	if !p.skip(operator, "-") {
		return p.primary()
	}
	x := p.nested(p.signed)
	return at(line, func(r *run) any { return r.binary("*", int64(-1), x) })
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

// filters reads the filters, tests and calls behind x.
func (p *parser) filters(x code) code {
	for p.err == nil {
		switch {
		case p.skip(operator, "|"):
			x = p.filter(x)
		case p.skip(name, "is"):
			x = p.test(x)
		case p.is(operator, "("):
			x = p.call(x)
		default:
			return x
		}
	}
	return x
}

func (p *parser) filter(x code) code {
	line, f := p.line(), p.name()
	var given callArgs
	if p.is(operator, "(") {
		given = p.args()
	}
	return at(line, func(r *run) any { return r.apply("filter", filters, f, x(r), given.eval(r)) })
}

// test reads what follows "is". The argument may stand without parentheses: x is eq 3.
func (p *parser) test(x code) code {
	deny := p.skip(name, "not")
	line, f := p.line(), p.name()
	var given callArgs
	switch t := p.peek(); {
	case p.is(operator, "("):
		given = p.args()
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
	return at(line, func(r *run) any { return r.call(f(r), given.eval(r)) })
}

// subscript reads what stands between the brackets of x[…].
func (p *parser) subscript(x code) code {
	part := func() code {
		if p.is(operator, ":") || p.is(operator, "]") {
			return func(*run) any { return nil }
		}
		return p.expr()
	}
	if p.is(operator, "]") {
		return p.fail("an empty subscript")
	}
	lo := part()
	if !p.skip(operator, ":") {
		return func(r *run) any { return r.item(x(r), lo(r)) }
	}
	hi := part()
	p.skip(operator, ":")
	step := part()
	return func(r *run) any { return r.slice(x(r), lo(r), hi(r), step(r)) }
}

// callArgs are the arguments of a call as code; args are their values.
type (
	callArgs struct {
		pos    []code
		keys   []string
		values []code // of keys
	}
	args struct {
		pos    []any
		keys   []string
		values []any
	}
)

func (a callArgs) eval(r *run) args { return args{r.all(a.pos), a.keys, r.all(a.values)} }

func (p *parser) args() (a callArgs) {
	p.want(operator, "(")
	p.items(")", func() {
		switch {
		case p.peek().kind == name && p.toks[p.i+1].kind == operator && p.toks[p.i+1].text == "=":
			a.keys = append(a.keys, p.name())
			p.want(operator, "=")
			a.values = append(a.values, p.expr())
		case a.keys != nil:
			p.fail("a positional argument follows a keyword")
		default:
			a.pos = append(a.pos, p.expr())
		}
	})
	return a
}

func (p *parser) value() code {
	switch t := p.next(); {
	case t.kind == name:
		if t.text == "varargs" || t.text == "kwargs" {
			return p.fail("%s is not supported", t.text)
		} else if v, ok := constants[t.text]; ok {
			return at(t.line, func(*run) any { return v })
		}
		return at(t.line, func(r *run) any { return r.lookup(t.text) })
	case t.kind == str:
		return at(t.line, func(*run) any { return t.text })
	case t.kind == number:
		return at(t.line, func(*run) any { return t.num })
	case t.kind == operator && t.text == "(":
		if p.skip(operator, ")") {
			return at(t.line, func(*run) any { return &list{kind: "tuple"} })
		}
		x := p.tuple(p.expr)
		p.want(operator, ")")
		return x
	case t.kind == operator && t.text == "[":
		var items []code
		p.items("]", func() { items = append(items, p.expr()) })
		return at(t.line, func(r *run) any { return &list{"list", r.all(items)} })
	case t.kind == operator && t.text == "{":
		return at(t.line, p.dict())
	default:
		return p.fail("unexpected %q, want an expression", t.text)
	}
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
		for i, k := range keys {
			key := k(r)
			if !isKey(key) {
				return r.fail("%s as a key of a dict: want a string or a whole number", r.describe(key))
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
