// Package jinja renders the chat templates that published models carry: chat_template of tokenizer_config.json,
// chat_template.jinja, or tokenizer.chat_template of a GGUF file.
//
// It knows the part of Jinja that those templates use, and gives the text that transformers gives. The library
// transformers uses jinja2's ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks and loop controls. It adds
// the tag generation, raise_exception, strftime_now, and a tojson that keeps <, > and &. Values are Python's: a list
// prints as [1, 'a', None], 7 / 2 is 3.5, and nothing can be changed in place.
//
//	t, err := jinja.Parse("chat", "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")
//	if err != nil {
//		return err
//	}
//	messages := []map[string]any{{"role": "user", "content": "Hi"}}
//	text, err := t.Render(map[string]any{"bos_token": "<s>", "messages": messages})
//
// The way of a template: lex.go cuts it into tokens. parse.go and expr.go make functions of statements and
// expressions, which work on a run (run.go, loop.go, macro.go). eval.go, arith.go, value.go and print.go hold what
// calls, operators and values do. The tables of names are filters, tests, globals and the methods of each type. A name
// of jinja2's tables that is missing here is refused when the template is read. These are the tags
// autoescape, block, extends, from, import and include, the filters pprint, random, urlize and wordwrap, and lipsum.
//
// Differences that remain, each an error with the line and the construct:
//   - Whole numbers have 64 bits.
//   - A generator, a function or the variable loop cannot be printed.
//   - The methods encode, translate and maketrans are missing, and so are the attributes of numbers.
//   - A text marked as safe knows no format, %, truncate, unescape or striptags.
//   - Dicts have no tuples as keys, and the views of dicts are no sets.
//
// One quirk of jinja2 is not followed: there a loop that break leaves has not read all of a generator.
//
// The library gonja (v2.9.1) is not used because 13 of 37 small templates came out differently from jinja2, one of
// them by a panic. They differed in the order of dicts, chained comparisons, floor division, None and generation.
package jinja

import (
	"strings"
	"time"

	"github.com/pkg/errors"
)

// The limits that stop a hostile template. Published templates are under 20 kB, and a chat takes some thousand steps.
const (
	maxTemplate = 1 << 17  // bytes of a template
	maxOutput   = 4 << 20  // bytes of a rendered text, and of any text made on the way
	maxMemory   = 16 << 20 // bytes of the texts and lists that are in use at a time
	maxFuel     = 1 << 24  // steps: one for a node evaluated, one for 16 bytes of text or one list item made or read
	maxDepth    = 1000     // nodes within nodes while rendering: the same as Python's limit of recursion
	maxNesting  = 150      // brackets, blocks and prefix operators within each other
	maxName     = 1000     // bytes of a name
	maxRange    = 100_000  // items of range(): the same as in jinja2's sandbox
	maxIndent   = 1000     // spaces
)

// A Template is a parsed template. It may be rendered by several goroutines at the same time.
type Template struct {
	// Now is the clock of strftime_now; nil is [time.Now].
	Now func() time.Time

	name string
	body []code
	root *frame
	fuel int // steps of a rendering; tests lower it
}

// Parse reads a template. name stands in its errors, which give the line and what is not understood there.
func Parse(name, text string) (*Template, error) {
	if len(text) > maxTemplate {
		return nil, errors.Errorf("jinja: %s: template of %d bytes, want at most %d", name, len(text), maxTemplate)
	}
	toks, err := lex(text)
	if err != nil {
		return nil, errors.Wrapf(err, "jinja: %s", name)
	}
	p := &parser{toks: toks}
	root := p.newFrame()
	p.frame = root
	body := p.body()
	p.settle()
	if p.err == nil && len(p.hard)+len(p.unknown) > 0 {
		p.err = append(p.hard, p.unknown...)[0]
	}
	if p.err != nil {
		return nil, errors.Wrapf(p.err, "jinja: %s", name)
	}
	return &Template{name: name, body: body, root: root, fuel: maxFuel}, nil
}

// Render returns the text of the template with the given variables. A value is nil, a bool, a number, a string, a
// [*Map], or a slice or map of values. A Go map has string keys, and is read in their sorted order. Any other value
// is an error. Where the template calls raise_exception, the error ends with the text that it gives.
func (t *Template) Render(vars map[string]any) (string, error) {
	r := &run{now: t.Now, line: 1, out: new(strings.Builder), fuel: t.fuel}
	if r.now == nil {
		r.now = time.Now
	}
	context := &scope{vars: map[string]any{}}
	for k, v := range vars {
		context.vars[k] = r.fromGo(v)
	}
	r.within(context, t.root, t.body...)
	if r.err != nil {
		return "", errors.Wrapf(r.err, "jinja: %s", t.name)
	}
	return r.out.String(), nil
}
