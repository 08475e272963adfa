package main

import (
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"
)

// output is standard output or standard error. On a terminal what is written has no control characters, as it may come
// from a file.
type output struct {
	*os.File
	terminal bool
	progress bool   // that it cannot be written is no error
	rest     []byte // the first bytes of a character whose others are yet to come
	err      error  // of the first write that failed
}

func newOutput(f *os.File, progress bool) *output {
	return &output{File: f, terminal: term.IsTerminal(int(f.Fd())), progress: progress}
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	text := b
	if o.terminal {
		text = append(o.rest, b...)
		n := whole(text)
		text, o.rest = printable(text[:n]), append([]byte(nil), text[n:]...)
	}
	_, err := o.File.Write(text)
	if err != nil && o.err == nil {
		o.err = err
	}
	if err != nil && !o.progress {
		return 0, err
	}
	return len(b), nil
}

// bare returns the writer for a line that moves: its own control characters reach the terminal.
func bare(w io.Writer) io.Writer {
	if o, ok := w.(*output); ok {
		return &output{File: o.File, progress: o.progress}
	}
	return w
}

// isTerminal tells whether w is a terminal.
func isTerminal(w io.Writer) bool {
	o, ok := w.(*output)
	return ok && o.terminal
}

// whole is the number of bytes before a character that is not complete at the end of text.
func whole(text []byte) int {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return i
			}
			break
		}
	}
	return len(text)
}

// printable replaces what a terminal would obey: control characters, and those that change the direction of writing.
func printable(text []byte) []byte {
	clean := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\n' || r == '\t':
			clean = append(clean, text[0])
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			clean = append(clean, '?')
		default:
			clean = append(clean, text[:n]...)
		}
		text = text[n:]
	}
	return clean
}
