package emu

import (
	"strings"

	"github.com/pkg/errors"
)

// A variable is a declared piece of memory.
type variable struct {
	name  string
	space string // "param", "shared", "local", "global" or "const"
	bytes int    // of the whole; 0 for an array without a length
	align int
	init  []byte
	line  int
}

// A fn is an entry or a function as it is written.
type fn struct {
	name    string
	line    int
	entry   bool
	extern  bool // a declaration without a body
	params  []variable
	results []variable
	limit   Dim  // .maxntid or .reqntid
	exact   bool // .reqntid
	body    []stmt
	labels  map[string]int // the statement that follows
	regs    map[string]string
	ranges  map[string]regRange
	vars    []variable
	tables  map[string][]string // of .branchtargets
}

// A regRange declares registers by number, such as %r<8>.
type regRange struct {
	typ string
	n   int
}

// A stmt is an instruction as it is written.
type stmt struct {
	line  int
	guard string
	not   bool
	op    string
	args  []operand
}

// An operandKind says what an operand is.
type operandKind uint8

const (
	opName   operandKind = iota // a register, a variable, a label; with an offset
	opNumber                    // an integer or the bits of a float
	opAddress
	opList
)

// An operand of an instruction.
type operand struct {
	kind   operandKind
	name   string // of a name, or the base of an address
	not    bool   // a predicate with !
	value  uint64 // of a number; the offset of an address or a name
	float  byte   // 'f' or 'd' for the bits of a float
	list   []operand
	second string // the predicate of d|p
}

// A text is a module as it is written.
type text struct {
	version [2]int
	lines   []string
	fns     map[string]*fn
	order   []*fn
	vars    []variable
}

// A parser reads tokens.
type parser struct {
	tokens []token
	at     int
	text   *text
	scopes []map[string]string // names of blocks, by what they are called there
	unique int
}

// parse reads a PTX text.
func parse(src string) (*text, error) {
	tokens, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, text: &text{lines: strings.Split(src, "\n"), fns: map[string]*fn{}}}
	for p.at < len(p.tokens) {
		if err := p.top(); err != nil {
			return nil, err
		}
	}
	if p.text.version == [2]int{} {
		return nil, errors.New("emu: the text has no .version")
	}
	return p.text, nil
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at].text
	}
	return ""
}

func (p *parser) line() int {
	if len(p.tokens) == 0 {
		return 1
	}
	return p.tokens[min(p.at, len(p.tokens)-1)].line
}

func (p *parser) next() string {
	s := p.peek()
	p.at++
	return s
}

// accept takes the token s if it is next.
func (p *parser) accept(s string) bool {
	if p.peek() == s && s != "" {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(s string) error {
	if p.accept(s) {
		return nil
	}
	return p.errorf("got %q, want %q", p.peek(), s)
}

func (p *parser) errorf(format string, args ...any) error {
	return errors.Errorf("emu: line %d: "+format, append([]any{p.line()}, args...)...)
}

// top reads a directive outside of functions.
func (p *parser) top() error {
	switch word := p.peek(); word {
	case ".version":
		return p.version()
	case ".target", ".address_size":
		line := p.line()
		for p.at < len(p.tokens) && p.line() == line {
			p.at++
		}
		return nil
	case ".file", ".pragma":
		return p.skip()
	case ".section":
		return p.section()
	case ".visible", ".extern", ".weak", ".common":
		return p.linked()
	case ".entry", ".func":
		return p.function(false)
	case ".global", ".const", ".shared":
		v, err := p.variables()
		p.text.vars = append(p.text.vars, v...)
		return err
	default:
		return p.errorf("got %q, want a directive", word)
	}
}

// linked reads what follows .visible or .extern.
func (p *parser) linked() error {
	extern := p.next() == ".extern"
	if w := p.peek(); w == ".entry" || w == ".func" {
		return p.function(extern)
	}
	return p.top()
}

// version reads .version.
func (p *parser) version() error {
	p.next()
	major, minor, ok := strings.Cut(p.peek(), ".")
	a, err := integer(major)
	b, err2 := integer(minor)
	if !ok || err != nil || err2 != nil {
		return p.errorf("got version %q, want a number such as 9.0", p.peek())
	}
	if v := [2]int{int(a), int(b)}; v[0] > Newest[0] || v[0] == Newest[0] && v[1] > Newest[1] {
		return p.errorf("version %s is newer than %d.%d, the newest this emulator knows", p.peek(), Newest[0], Newest[1])
	}
	p.text.version = [2]int{int(a), int(b)}
	p.next()
	return nil
}

// skip passes a statement that means nothing here; its line is its end where it has no semicolon.
func (p *parser) skip() error {
	line := p.line()
	for p.at < len(p.tokens) && p.line() == line {
		if p.next() == ";" {
			break
		}
	}
	return nil
}

// section passes debugging data.
func (p *parser) section() error {
	for p.at < len(p.tokens) && p.next() != "}" {
	}
	return nil
}

// number reads an integer with a sign.
func (p *parser) number() (int, error) {
	minus := p.accept("-")
	v, err := integer(p.peek())
	if err != nil {
		return 0, p.errorf("got %q, want an integer", p.peek())
	}
	p.next()
	if minus {
		return -int(v), nil
	}
	return int(v), nil
}
