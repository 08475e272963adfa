package emu

import (
	"fmt"
	"strings"
)

// function reads an entry or a function.
func (p *parser) function(extern bool) error {
	f := &fn{
		line: p.line(), entry: p.next() == ".entry", labels: map[string]int{}, regs: map[string]string{},
		ranges: map[string]regRange{}, tables: map[string][]string{}, extern: extern,
	}
	p.scopes = []map[string]string{{}}
	var err error
	if p.peek() == "(" {
		if f.results, err = p.formals(); err != nil {
			return err
		}
	}
	f.name = p.next()
	if p.peek() == "(" {
		if f.params, err = p.formals(); err != nil {
			return err
		}
	}
	if err := p.directives(f); err != nil {
		return err
	}
	if p.accept(";") {
		f.extern = true
	} else if err := p.block(f, true); err != nil {
		return err
	}
	if old := p.text.fns[f.name]; old == nil || old.extern {
		p.text.fns[f.name] = f
	} else if !f.extern {
		return p.errorf("%s is defined twice: it is also in line %d", f.name, old.line)
	}
	if !f.extern {
		p.text.order = append(p.text.order, f)
	}
	return nil
}

// formals reads a list of parameters in parentheses.
func (p *parser) formals() ([]variable, error) {
	var list []variable
	p.next()
	for p.peek() != ")" {
		if w := p.peek(); w != ".param" {
			return nil, p.errorf("got %q, want .param", w)
		}
		p.next()
		v, err := p.variable("param")
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if !p.accept(",") && p.peek() != ")" {
			return nil, p.errorf("got %q in a list of parameters", p.peek())
		}
	}
	p.next()
	return list, nil
}

// directives reads what stands between a function's parameters and its body.
func (p *parser) directives(f *fn) error {
	for {
		switch w := p.peek(); w {
		case ".maxntid", ".reqntid":
			p.next()
			f.exact = w == ".reqntid"
			v := [3]int{1, 1, 1}
			for i := range v {
				n, err := p.number()
				if err != nil {
					return err
				}
				v[i] = n
				if !p.accept(",") {
					break
				}
			}
			f.limit = Dim{v[0], v[1], v[2]}
		case ".minnctapersm", ".maxnctapersm", ".maxnreg", ".pragma":
			p.next()
			p.next()
			p.accept(";")
		case ".noreturn", ".explicitcluster":
			p.next()
		default:
			return nil
		}
	}
}

// block reads statements in braces.
func (p *parser) block(f *fn, outer bool) error {
	if err := p.expect("{"); err != nil {
		return err
	}
	if !outer {
		p.scopes = append(p.scopes, map[string]string{})
		defer func() { p.scopes = p.scopes[:len(p.scopes)-1] }()
	}
	start, labels := len(f.body), map[string]string{}
	for !p.accept("}") {
		if p.at >= len(p.tokens) {
			return p.errorf("the body of %s has no end", f.name)
		}
		if err := p.statement(f, outer, labels); err != nil {
			return err
		}
	}
	for i := start; i < len(f.body) && len(labels) > 0; i++ {
		for j := range f.body[i].args {
			if to, ok := labels[f.body[i].args[j].name]; ok {
				f.body[i].args[j].name = to
			}
		}
	}
	return nil
}

// statement reads a declaration, a label, a block or an instruction. Labels of inner blocks get names of their own.
func (p *parser) statement(f *fn, outer bool, labels map[string]string) error {
	w := p.peek()
	switch {
	case w == "{":
		return p.block(f, false)
	case w == ".reg":
		return p.registers(f)
	case w == ".param" || w == ".local" || w == ".shared":
		list, err := p.variables()
		f.vars = append(f.vars, list...)
		return err
	case w == ".loc" || w == ".pragma" || w == ".file":
		return p.skip()
	case p.at+1 < len(p.tokens) && p.tokens[p.at+1].text == ":":
		p.at += 2
		if w2 := p.peek(); w2 == ".branchtargets" {
			return p.targets(f, w)
		} else if w2 == ".callprototype" {
			return p.errorf("calls through a pointer are not supported")
		}
		if !outer {
			p.unique++
			labels[w] = fmt.Sprintf("%s#%d", w, p.unique)
			w = labels[w]
		}
		if _, ok := f.labels[w]; ok {
			return p.errorf("label %s is there twice", w)
		}
		f.labels[w] = len(f.body)
		return nil
	}
	return p.instruction(f)
}

// targets reads the labels of a jump table.
func (p *parser) targets(f *fn, name string) error {
	p.next()
	for {
		f.tables[name] = append(f.tables[name], p.next())
		if !p.accept(",") {
			return p.expect(";")
		}
	}
}

// registers reads .reg.
func (p *parser) registers(f *fn) error {
	p.next()
	typ := strings.TrimPrefix(p.next(), ".")
	if typ != "pred" && sizes[typ] == 0 {
		return p.errorf("registers of type %q are not supported", typ)
	}
	for {
		name := p.next()
		if p.accept("<") {
			n, err := p.number()
			if err != nil {
				return err
			}
			if err := p.expect(">"); err != nil {
				return err
			}
			f.ranges[name] = regRange{typ, n}
		} else {
			f.regs[p.declare(name)] = typ
		}
		if !p.accept(",") {
			return p.expect(";")
		}
	}
}

// declare gives a name of a block its own name in the function.
func (p *parser) declare(name string) string {
	scope := p.scopes[len(p.scopes)-1]
	own := name
	if len(p.scopes) > 1 {
		p.unique++
		own = fmt.Sprintf("%s#%d", name, p.unique)
	}
	scope[name] = own
	return own
}

// resolve finds the name that a name of a block has in the function.
func (p *parser) resolve(name string) string {
	for i := len(p.scopes) - 1; i >= 0; i-- {
		if own, ok := p.scopes[i][name]; ok {
			return own
		}
	}
	return name
}

// instruction reads one instruction.
func (p *parser) instruction(f *fn) error {
	s := stmt{line: p.line()}
	if p.accept("@") {
		s.not = p.accept("!")
		s.guard = p.resolve(p.next())
	}
	s.op = p.next()
	if s.op == "" || !(s.op[0]|0x20 >= 'a' && s.op[0]|0x20 <= 'z') {
		return p.errorf("got %q, want an instruction", s.op)
	}
	for p.peek() != ";" {
		o, err := p.operand(0)
		if err != nil {
			return err
		}
		s.args = append(s.args, o)
		if !p.accept(",") && p.peek() != ";" {
			return p.errorf("got %q after an operand, want ;", p.peek())
		}
	}
	p.next()
	f.body = append(f.body, s)
	return nil
}
