package emu

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// sizes are the bytes of each type.
var sizes = map[string]int{
	"b8": 1, "u8": 1, "s8": 1, "b16": 2, "u16": 2, "s16": 2, "f16": 2, "bf16": 2, "b32": 4, "u32": 4, "s32": 4,
	"f32": 4, "f16x2": 4, "bf16x2": 4, "tf32": 4, "b64": 8, "u64": 8, "s64": 8, "f64": 8,
}

// operand reads an operand.
func (p *parser) operand(depth int) (operand, error) {
	if depth > 4 {
		return operand{}, p.errorf("operands are nested too deep")
	}
	switch w := p.peek(); {
	case w == "[":
		return p.address()
	case w == "{" || w == "(":
		return p.list(depth)
	case w == "!":
		p.next()
		return operand{name: p.resolve(p.next()), not: true}, nil
	case w == "-" || w != "" && w[0] >= '0' && w[0] <= '9':
		return p.literal()
	case w == "" || !wordByte(w[0]):
		return operand{}, p.errorf("got %q, want an operand", w)
	}
	o := operand{name: p.resolve(p.next())}
	if p.accept("|") {
		o.second = p.resolve(p.next())
	}
	if w := p.peek(); w == "+" || w == "-" {
		n, err := p.offset()
		if err != nil {
			return o, err
		}
		o.value = uint64(n)
	}
	return o, nil
}

// offset reads +n or -n or +-n.
func (p *parser) offset() (int, error) {
	p.accept("+")
	return p.number()
}

// address reads [base+offset].
func (p *parser) address() (operand, error) {
	p.next()
	o := operand{kind: opAddress}
	if w := p.peek(); w != "" && (w[0] >= '0' && w[0] <= '9') {
		n, err := p.number()
		if err != nil {
			return o, err
		}
		o.value = uint64(n)
	} else {
		o.name = p.resolve(p.next())
	}
	if p.peek() != "]" {
		n, err := p.offset()
		if err != nil {
			return o, err
		}
		o.value += uint64(n)
	}
	return o, p.expect("]")
}

// list reads operands in braces or parentheses.
func (p *parser) list(depth int) (operand, error) {
	o := operand{kind: opList}
	end := "}"
	if p.next() == "(" {
		end = ")"
	}
	for !p.accept(end) {
		e, err := p.operand(depth + 1)
		if err != nil {
			return o, err
		}
		o.list = append(o.list, e)
		if !p.accept(",") && p.peek() != end {
			return o, p.errorf("got %q in a list, want %q", p.peek(), end)
		}
	}
	return o, nil
}

// literal reads a number.
func (p *parser) literal() (operand, error) {
	minus := p.accept("-")
	o, err := number(p.peek())
	if err != nil {
		return o, p.errorf("%v", err)
	}
	p.next()
	switch {
	case minus && o.float == 'd':
		o.value ^= 1 << 63
	case minus && o.float == 'f':
		o.value ^= 1 << 31
	case minus:
		o.value = -o.value
	}
	return o, nil
}

// number reads a number without a sign.
func number(s string) (operand, error) {
	o := operand{kind: opNumber}
	var err error
	switch low := strings.ToLower(s); {
	case strings.HasPrefix(low, "0f") && len(s) == 10:
		o.float = 'f'
		o.value, err = strconv.ParseUint(s[2:], 16, 32)
	case strings.HasPrefix(low, "0d") && len(s) == 18:
		o.float = 'd'
		o.value, err = strconv.ParseUint(s[2:], 16, 64)
	case strings.ContainsAny(low, ".") || !strings.HasPrefix(low, "0x") && strings.Contains(low, "e"):
		var v float64
		v, err = strconv.ParseFloat(s, 64)
		o.float, o.value = 'd', math.Float64bits(v)
	default:
		o.value, err = integer(s)
	}
	if err != nil {
		return o, errors.Errorf("got %q, want a number", s)
	}
	return o, nil
}

// integer reads an integer without a sign.
func integer(s string) (uint64, error) {
	if len(s) > 1 {
		s = strings.TrimRight(s, "U")
	}
	return strconv.ParseUint(s, 0, 64)
}

// variables reads a declaration of memory: .space .align n .type name[n] = {…}, …;
func (p *parser) variables() ([]variable, error) {
	space := strings.TrimPrefix(p.next(), ".")
	var list []variable
	for {
		v, err := p.variable(space)
		if err != nil {
			return nil, err
		}
		if len(p.scopes) > 0 && (space == "param" || space == "local" || space == "shared") {
			v.name = p.declare(v.name)
		}
		list = append(list, v)
		if !p.accept(",") {
			return list, p.expect(";")
		}
	}
}

// variable reads what follows the space of a declaration.
func (p *parser) variable(space string) (variable, error) {
	v := variable{space: space, line: p.line()}
	n, elem := 1, 0
	for strings.HasPrefix(p.peek(), ".") {
		switch w := p.next(); w {
		case ".align":
			a, err := p.number()
			if err != nil {
				return v, err
			}
			v.align = a
		case ".v2", ".v4":
			n = int(w[2] - '0')
		case ".ptr", ".global", ".const", ".shared", ".local", ".attribute":
		default:
			elem = sizes[w[1:]]
		}
	}
	if elem == 0 {
		return v, p.errorf("got %q in a declaration, want a type", p.peek())
	}
	v.align = max(v.align, elem*n, 1)
	v.name = p.next()
	for p.accept("[") {
		k := 0
		if p.peek() != "]" {
			var err error
			if k, err = p.number(); err != nil {
				return v, err
			}
		}
		if err := p.expect("]"); err != nil {
			return v, err
		}
		if k < 0 || k > 1<<30 || n*k > 1<<30 {
			return v, p.errorf("%s has a length of %d, want at most 2³⁰", v.name, k)
		}
		n *= k
	}
	v.bytes = n * elem
	if p.accept("=") {
		return v, p.initial(&v, elem)
	}
	return v, nil
}

// initial reads the first values of a variable.
func (p *parser) initial(v *variable, elem int) error {
	depth := 0
	for {
		switch w := p.peek(); {
		case w == "{":
			depth++
			p.next()
		case w == "}":
			depth--
			p.next()
		case w == ",":
			p.next()
		default:
			o, err := p.literal()
			if err != nil {
				return errors.WithMessage(err, "the values of "+v.name)
			}
			if o.float == 'd' && elem == 4 {
				o.value = uint64(math.Float32bits(float32(math.Float64frombits(o.value))))
			}
			v.init = append(v.init, binary.LittleEndian.AppendUint64(nil, o.value)[:elem]...)
		}
		if depth <= 0 {
			break
		}
	}
	if len(v.init) > v.bytes {
		return p.errorf("%s has %d bytes, its values %d", v.name, v.bytes, len(v.init))
	}
	return nil
}
