package emu

import "strings"

// hasPart tells whether an opcode has a part between its dots.
func hasPart(op, part string) bool {
	for p := range strings.SplitSeq(op, ".") {
		if p == part {
			return true
		}
	}
	return false
}
