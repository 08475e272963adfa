// Package jinja renders the chat templates that published models carry: chat_template of
// tokenizer_config.json, chat_template.jinja, tokenizer.chat_template of a GGUF file.
//
// It is the part of Jinja that those templates use, as transformers renders them (jinja2's
// ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks, loop controls, the tag generation, raise_exception,
// strftime_now, and a tojson that keeps <, > and &), and gives the same text. Values are Python's: a list printed is
// [1, 'a', None], 7 / 2 is 3.5, and nothing can be changed in place.
//
//	t, err := jinja.Parse("chat", "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")
//	if err != nil {
//		return err
//	}
//	text, err := t.Render(map[string]any{"bos_token": "<s>", "messages": []map[string]any{{"role": "user", "content": "Hi"}}})
//
// The way of a template: lex.go cuts it into tokens; parse.go and expr.go make functions of statements and expressions,
// which work on a run (run.go); eval.go, value.go and print.go hold what calls, operators and values do, filters.go and
// methods.go the tables of names. What is in no table and no grammar of these files is an error that names it and its
// line.
//
// Differences that remain: whole numbers have 64 bits; safe changes nothing, and text added to it is not escaped; a
// generator, range or view of a dict prints as an error; upper and lower case follow Unicode's simple mapping.
//
// The library gonja (v2.9.1) is not used because 13 of 37 small templates came out differently from jinja2
// (order of dicts, chained comparisons, floor division, None, generation), one of them by a panic.
package jinja

import (
	"strings"
	"time"

	"github.com/pkg/errors"
)

// The limits that stop a hostile template. Published ones are under 20 kB and a chat takes some thousand steps.
const (
	maxTemplate = 1 << 20  // bytes of a template
	maxOutput   = 16 << 20 // bytes of a rendered text, and of any text made on the way
	maxFuel     = 1 << 23  // steps: one for a node evaluated, one for 16 bytes of text or one list item made or read
	maxDepth    = 1000     // nodes within nodes while rendering, as Python's own limit of recursion
	maxNesting  = 150      // brackets, blocks and prefix operators within each other
	maxName     = 1000     // bytes of a name
	maxRange    = 100_000  // items of range(), jinja2's sandbox has the same
	maxIndent   = 1000     // spaces
)

// A Template is a parsed template. It may be rendered by several goroutines at the same time.
type Template struct {
	// Now is the clock of strftime_now; nil is [time.Now].
	Now func() time.Time

	name string
	body []code
	fuel int // steps of a rendering; tests lower it
}

// Parse reads a template. name stands in its errors, which say the line and what is not understood there.
func Parse(name, text string) (*Template, error) {
	if len(text) > maxTemplate {
		return nil, errors.Errorf("jinja: %s: template of %d bytes, want at most %d", name, len(text), maxTemplate)
	}
	toks, err := lex(text)
	if err != nil {
		return nil, errors.Wrapf(err, "jinja: %s", name)
	}
	p := &parser{toks: toks}
	body := p.body()
	if p.err != nil {
		return nil, errors.Wrapf(p.err, "jinja: %s", name)
	}
	return &Template{name: name, body: body, fuel: maxFuel}, nil
}

// Render returns the text of the template for the given variables. A value is nil, a bool, a number, a string, a
// [*Map], or a slice or map of values with string keys (a Go map is read in the order of its sorted keys); anything
// else is an error. What the template gives raise_exception is the end of the error's text.
func (t *Template) Render(vars map[string]any) (string, error) {
	r := &run{now: t.Now, line: 1, out: new(strings.Builder), fuel: t.fuel}
	if r.now == nil {
		r.now = time.Now
	}
	context := &scope{vars: map[string]any{}}
	for k, v := range vars {
		context.vars[k] = r.fromGo(v)
	}
	r.within(context, t.body...)
	if r.err != nil {
		return "", errors.Wrapf(r.err, "jinja: %s", t.name)
	}
	return r.out.String(), nil
}
