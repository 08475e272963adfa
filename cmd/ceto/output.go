package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"unicode/utf8"

	"github.com/pkg/errors"
	"golang.org/x/term"
)

// output is standard output or standard error, as all commands write to it. On a terminal it shows control characters,
// for what a command prints may come from a file. A file or a pipe gets each byte as it is.
type output struct {
	w        io.Writer
	terminal bool
	needed   string // what it is called; an error of writing fails the command. "": such errors are dropped

	mu   sync.Mutex
	err  error  // the first of writing
	rest []byte // the beginning of a character, whose other bytes come with the next write
}

// stdout is the output whose loss is an error, stderr the one that tells how work goes: no work is lost for its sake.
func stdout(f *os.File) *output {
	return &output{w: f, terminal: onTerminal(f), needed: "standard output"}
}
func stderr(f *os.File) *output { return &output{w: f, terminal: onTerminal(f)} }

func onTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.terminal {
		var shown []byte
		shown, o.rest = visible(nil, append(o.rest, b...))
		return len(b), o.put(shown)
	}
	return len(b), o.put(b)
}

// put writes bytes as they are. After an error nothing is written.
func (o *output) put(b []byte) error {
	if o.err == nil && len(b) > 0 {
		if _, err := o.w.Write(b); err != nil {
			o.err = errors.WithMessage(err, o.needed)
		}
	}
	if o.needed == "" {
		return nil
	}
	return o.err
}

// close writes what is left of a character that never became whole. It returns the first error of all writes.
func (o *output) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.rest {
		o.put(fmt.Appendf(nil, `\x%02x`, c))
	}
	o.rest = nil
	return o.put(nil)
}

// moving is the output for a line that moves, which is made of the program's own words and control characters.
type moving struct{ *output }

// Write implements io.Writer.
func (m moving) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(b), m.put(b)
}

// movingLine is where a line that moves is written; nil where w is no terminal.
func movingLine(w io.Writer) io.Writer {
	if o, ok := w.(*output); ok && o.terminal {
		return moving{o}
	}
	return nil
}

// isTerminal tells whether a person reads w.
func isTerminal(w io.Writer) bool {
	o, ok := w.(*output)
	return ok && o.terminal
}

// visible appends text to b, with escapes for all that a terminal may obey, and for bytes that are no UTF-8. Ends of
// lines and tabs stay. The beginning of a character at the end is returned as rest.
func visible(b, text []byte) (shown, rest []byte) {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1 && !utf8.FullRune(text):
			return b, text
		case r == utf8.RuneError && n == 1:
			b = fmt.Appendf(b, `\x%02x`, text[0])
		case r != '\n' && r != '\t' && obeyed(r):
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = append(b, text[:n]...)
		}
		text = text[n:]
	}
	return b, nil
}

// obeyed tells whether a character is a control character (C0, DEL, C1) or says in which direction the text goes. Those
// are the marks, embeddings, overrides and isolates of Unicode Standard Annex 9.
func obeyed(r rune) bool {
	marks := r == 0x061c || r == 0x200e || r == 0x200f
	return r < ' ' || 0x7f <= r && r < 0xa0 || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 || marks
}
