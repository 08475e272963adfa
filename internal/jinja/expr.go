package jinja

// The expressions.
type (
	literal   struct{ v any }
	variable  string
	attribute struct {
		x    *node
		name string
	}
	item  struct{ x, key *node }
	slice struct{ x, lo, hi, step *node } // nil where left out
	list  struct {
		items []*node
		tuple bool
	}
	dict  struct{ keys, values []*node }
	unary struct { // not, -, +
		op string
		x  *node
	}
	binary struct { // + - * / // % **, and, or
		op   string
		a, b *node
	}
	concat  struct{ items []*node } // a ~ b ~ c
	compare struct {
		x    *node
		ops  []string // == != < > <= >= in, not in
		with []*node
	}
	either struct{ test, yes, no *node } // yes if test else no; no may be nil
	call   struct {
		f *node
		callArgs
	}
	// filter is x|name(…), or with test "x is name(…)".
	filter struct {
		x          *node
		name       string
		test, deny bool
		callArgs
	}
)

type callArgs struct {
	pos      []*node
	keys     []string
	values   []*node // of keys
	star, kw *node   // *star and **kw, nil for none
}

// tuple reads an expression, or several with commas between: a tuple. Without cond "a if b else c" must stand in
// parentheses.
func (p *parser) tuple(cond bool) *node {
	one := p.or
	if cond {
		one = p.expr
	}
	n := one()
	if !p.is(operator, ",") {
		return n
	}
	l := list{items: []*node{n}, tuple: true}
	for p.skip(operator, ",") {
		if t := p.peek(); t.kind == variableEnd || t.kind == blockEnd || p.is(operator, ")") {
			break
		}
		l.items = append(l.items, one())
	}
	return &node{line: n.line, is: l}
}

func (p *parser) expr() *node {
	if !p.enter() {
		return p.fail("")
	}
	defer func() { p.depth-- }()
	n := p.or()
	for p.skip(name, "if") {
		e := either{yes: n, test: p.or()}
		if p.skip(name, "else") {
			e.no = p.expr()
		}
		n = &node{line: n.line, is: e}
	}
	return n
}

// chain reads operands of one precedence, left to right.
func (p *parser) chain(k kind, operand func() *node, ops ...string) *node {
	n := operand()
	for {
		line, op := p.peek().line, p.skipAny(k, ops)
		if op == "" {
			return n
		}
		n = &node{line: line, is: binary{op, n, operand()}}
	}
}

// skipAny returns which of the texts it skipped, "" for none.
func (p *parser) skipAny(k kind, texts []string) string {
	for _, t := range texts {
		if p.skip(k, t) {
			return t
		}
	}
	return ""
}

func (p *parser) or() *node  { return p.chain(name, p.and, "or") }
func (p *parser) and() *node { return p.chain(name, p.not, "and") }

func (p *parser) not() *node {
	if line := p.peek().line; p.skip(name, "not") {
		return p.prefix(line, "not", p.not)
	}
	return p.compare()
}

func (p *parser) prefix(line int, op string, operand func() *node) *node {
	if !p.enter() {
		return p.fail("")
	}
	defer func() { p.depth-- }()
	return &node{line: line, is: unary{op, operand()}}
}

func (p *parser) compare() *node {
	line := p.peek().line
	c := compare{x: p.sum()}
	for {
		op := p.skipAny(operator, []string{"==", "!=", "<=", ">=", "<", ">"})
		switch {
		case op != "":
		case p.skip(name, "in"):
			op = "in"
		case p.is(name, "not") && p.toks[p.i+1].kind == name && p.toks[p.i+1].text == "in":
			p.i += 2
			op = "not in"
		case c.ops == nil:
			return c.x
		default:
			return &node{line: line, is: c}
		}
		c.ops = append(c.ops, op)
		c.with = append(c.with, p.sum())
	}
}

func (p *parser) sum() *node { return p.chain(operator, p.concat, "+", "-") }

func (p *parser) concat() *node {
	n := p.product()
	if !p.is(operator, "~") {
		return n
	}
	c := concat{[]*node{n}}
	for p.skip(operator, "~") {
		c.items = append(c.items, p.product())
	}
	return &node{line: n.line, is: c}
}

func (p *parser) product() *node { return p.chain(operator, p.power, "*", "//", "/", "%") }
func (p *parser) power() *node   { return p.chain(operator, p.unary, "**") }
func (p *parser) unary() *node   { return p.filters(p.signed(), false) }

// signed reads a primary with its signs, attributes, items and calls: -a.b is -(a.b), and -a|f is (-a)|f.
func (p *parser) signed() *node {
	line := p.peek().line
	if op := p.skipAny(operator, []string{"-", "+"}); op != "" {
		return p.prefix(line, op, p.signed)
	}
	return p.postfix(p.primary())
}

func (p *parser) postfix(n *node) *node {
	for p.err == nil {
		line := p.peek().line
		switch {
		case p.skip(operator, "."):
			if t := p.peek(); t.kind == number {
				n = &node{line: line, is: item{n, &node{line: line, is: literal{p.next().num}}}}
			} else {
				n = &node{line: line, is: attribute{n, p.name()}}
			}
		case p.skip(operator, "["):
			n = &node{line: line, is: p.subscript(n)}
			p.want(operator, "]")
		case p.is(operator, "("):
			n = &node{line: line, is: call{n, p.args()}}
		default:
			return n
		}
	}
	return n
}

// subscript reads the inside of x[…].
func (p *parser) subscript(x *node) any {
	var parts [3]*node
	colons := 0
	for colons < 3 && !p.is(operator, "]") && p.err == nil {
		if p.skip(operator, ":") {
			colons++
			continue
		}
		if parts[colons] != nil {
			break
		}
		parts[colons] = p.expr()
	}
	switch {
	case colons > 0:
		return slice{x, parts[0], parts[1], parts[2]}
	case parts[0] == nil:
		p.fail("an empty subscript")
	}
	return item{x, parts[0]}
}

func (p *parser) args() callArgs {
	var a callArgs
	p.want(operator, "(")
	p.items(")", func() {
		switch {
		case p.skip(operator, "*"):
			a.star = p.expr()
		case p.skip(operator, "**"):
			a.kw = p.expr()
		case p.peek().kind == name && p.toks[p.i+1].kind == operator && p.toks[p.i+1].text == "=":
			a.keys = append(a.keys, p.name())
			p.want(operator, "=")
			a.values = append(a.values, p.expr())
		case a.keys != nil || a.star != nil || a.kw != nil:
			p.fail("a positional argument follows a keyword")
		default:
			a.pos = append(a.pos, p.expr())
		}
	})
	return a
}

// filters reads the filters, tests and calls behind n; with bare the first filter stands without its bar.
func (p *parser) filters(n *node, bare bool) *node {
	for p.err == nil {
		line := p.peek().line
		f := filter{x: n}
		switch {
		case bare || p.skip(operator, "|"):
			bare = false
		case p.skip(name, "is"):
			f.test, f.deny = true, p.skip(name, "not")
		case p.is(operator, "("):
			n = &node{line: line, is: call{n, p.args()}}
			continue
		default:
			return n
		}
		f.name = p.name()
		for p.skip(operator, ".") {
			f.name += "." + p.name()
		}
		if p.is(operator, "(") {
			f.callArgs = p.args()
		} else if f.test && p.operand() {
			f.pos = []*node{p.postfix(p.primary())} // x is divisibleby 3
		}
		n = &node{line: line, is: f}
	}
	return n
}

// operand tells whether the next token begins the argument of a test.
func (p *parser) operand() bool {
	switch t := p.peek(); t.kind {
	case str, number:
		return true
	case name:
		return t.text != "else" && t.text != "or" && t.text != "and"
	case operator:
		return t.text == "(" || t.text == "[" || t.text == "{"
	}
	return false
}

func (p *parser) primary() *node {
	if !p.enter() {
		return p.fail("")
	}
	defer func() { p.depth-- }()
	t := p.next()
	n := &node{line: t.line}
	switch {
	case t.kind == name:
		n.is = p.named(t.text)
	case t.kind == str:
		for p.peek().kind == str { // "a" "b" is "ab"
			t.text += p.next().text
		}
		n.is = literal{t.text}
	case t.kind == number:
		n.is = literal{t.num}
	case t.kind == operator && t.text == "(":
		if p.skip(operator, ")") {
			n.is = list{tuple: true}
			return n
		}
		n = p.tuple(true)
		p.want(operator, ")")
	case t.kind == operator && t.text == "[":
		l := list{}
		p.items("]", func() { l.items = append(l.items, p.expr()) })
		n.is = l
	case t.kind == operator && t.text == "{":
		d := dict{}
		p.items("}", func() {
			d.keys = append(d.keys, p.expr())
			p.want(operator, ":")
			d.values = append(d.values, p.expr())
		})
		n.is = d
	default:
		return p.fail("unexpected %q, want an expression", t.text)
	}
	return n
}

// items reads comma-separated items up to close.
func (p *parser) items(close string, one func()) {
	for first := true; !p.skip(operator, close) && p.err == nil; first = false {
		if !first {
			p.want(operator, ",")
			if p.skip(operator, close) {
				return
			}
		}
		one()
	}
}

func (p *parser) named(s string) any {
	switch s {
	case "true", "True":
		return literal{true}
	case "false", "False":
		return literal{false}
	case "none", "None":
		return literal{nil}
	case "caller", "varargs", "kwargs":
		if p.uses != nil {
			p.uses[s] = true
		}
	}
	return variable(s)
}
